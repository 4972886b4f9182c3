//! One method per cell: which code is searched by which observation.

use bss2_event::{CapMemCode, NeuronCircuits};

use crate::cadc::VOLTS_PER_LSB;
use crate::calib::observe::{self, Response, Windows, expected_relaxation, expected_response};
use crate::calib::probe::{Probe, SynapticInput};
use crate::calib::search::{Precision, Slope, binary_search};
use crate::calib::{CalibrationReport, Measured, NeuronTargets, Quantity};
use crate::capmem::Cell;
use crate::circuit::{OffsetCurrent, nominal_slew};
use crate::core::AnalogCore;
use crate::error::AnalogError;

/// A neuron at rest just below threshold fires within the window of the
/// measurement if noise lifts it by so many codes; half of the trials do.
/// Measured on cube66 chips, whose thresholds then are met to 0.1 codes on
/// average.
const NOISE_LIFT: f64 = 0.55;

/// Codes by which the reset is lowered to see the membrane relax.
const RELAXATION_DEPTH: i64 = 110;

/// A chip under calibration: one method per cell, and what they share.
pub(crate) struct Calibration<'a> {
    pub(crate) core: &'a mut AnalogCore,
    pub(crate) probe: Probe<'a>,
    pub(crate) targets: &'a [NeuronTargets],
    pub(crate) windows: Windows,
    pub(crate) trials: usize,
}

pub(crate) fn windows(targets: &[NeuronTargets]) -> Windows {
    let largest = |f: fn(&NeuronTargets) -> f64| targets.iter().map(f).fold(1.7, f64::max);
    Windows::new(
        largest(|t| t.tau_mem.as_micro()),
        largest(|t| t.tau_syn.as_micro()),
    )
}

fn trials_of(trials: usize, precision: Precision) -> usize {
    match precision {
        Precision::Rough => trials / 4,
        Precision::Fine => trials,
    }
}

/// The circuit of a neuron that an input belongs to.
fn circuit_of(neuron: &NeuronCircuits, input: SynapticInput) -> u16 {
    if input.partner {
        neuron.partner.unwrap_or(neuron.membrane)
    } else {
        neuron.membrane
    }
}

const MEMBRANE: SynapticInput = SynapticInput {
    partner: false,
    sign: 0,
};

impl Calibration<'_> {
    /// Synaptic inputs that the neurons have.
    pub(crate) fn inputs(&self) -> Vec<SynapticInput> {
        let joined = self.probe.neurons.iter().any(|n| n.partner.is_some());
        (0..if joined { 4 } else { 2 })
            .map(|g| SynapticInput {
                partner: g >= 2,
                sign: g % 2,
            })
            .collect()
    }

    fn set(&mut self, cell: Cell, input: SynapticInput, codes: &[CapMemCode]) {
        for (neuron, &code) in self.probe.neurons.iter().zip(codes) {
            self.core
                .capmem_mut()
                .set(cell, circuit_of(neuron, input), code);
        }
    }

    pub(crate) fn set_all(&mut self, cell: Cell, code: CapMemCode) {
        self.set(cell, MEMBRANE, &vec![code; self.probe.neurons.len()]);
    }

    fn codes(&self, cell: Cell) -> Vec<CapMemCode> {
        self.probe
            .neurons
            .iter()
            .map(|n| self.core.capmem().get(cell, n.membrane))
            .collect()
    }

    /// Searches one cell of one circuit of every neuron.
    fn search(
        &mut self,
        cell: Cell,
        input: SynapticInput,
        (targets, slope): (&[f64], Slope),
        mut observe: impl FnMut(&mut Probe<'_>, &AnalogCore, usize) -> Result<Vec<f64>, AnalogError>,
    ) -> Result<(), AnalogError> {
        let codes = binary_search(targets, slope, |codes, precision| {
            self.set(cell, input, codes);
            observe(
                &mut self.probe,
                self.core,
                trials_of(self.trials, precision),
            )
        })?;
        self.set(cell, input, &codes);
        Ok(())
    }

    pub(crate) fn leak(&mut self) -> Result<(), AnalogError> {
        let targets: Vec<f64> = self.targets.iter().map(|t| t.leak).collect();
        self.search(
            Cell::VLeak,
            MEMBRANE,
            (&targets, Slope::Rising),
            observe::rest,
        )
    }

    pub(crate) fn reset(&mut self) -> Result<(), AnalogError> {
        let targets: Vec<f64> = self.targets.iter().map(|t| t.reset).collect();
        self.search(
            Cell::VReset,
            MEMBRANE,
            (&targets, Slope::Rising),
            observe::reset,
        )
    }

    /// Connects or disconnects one input of every neuron.
    fn connect(&mut self, input: SynapticInput, connected: bool) {
        for neuron in self.probe.neurons {
            let circuit = usize::from(circuit_of(neuron, input));
            self.core.circuits_mut()[circuit].synaptic_input[input.sign] = connected;
        }
    }

    pub(crate) fn connect_all(&mut self, connected: bool) {
        for input in self.inputs() {
            self.connect(input, connected);
        }
    }

    /// Nulls the standing current of an input, the others being disconnected:
    /// rest with it equals rest without.
    pub(crate) fn shift(&mut self, input: SynapticInput) -> Result<(), AnalogError> {
        let cell = [Cell::IBiasSyninExcShift, Cell::IBiasSyninInhShift][input.sign];
        let slope = [Slope::Rising, Slope::Falling][input.sign];
        let without = observe::rest(&mut self.probe, self.core, self.trials)?;
        self.connect(input, true);
        self.search(cell, input, (&without, slope), observe::rest)?;
        self.connect(input, false);
        Ok(())
    }

    /// Calibrates the membrane time constant and gives back what was reached.
    pub(crate) fn tau_mem(&mut self) -> Result<Vec<f64>, AnalogError> {
        let windows = self.windows;
        let targets: Vec<f64> = self
            .targets
            .iter()
            .map(|t| expected_relaxation(t.tau_mem.as_micro(), &windows))
            .collect();
        self.with_deep_reset(|c| {
            c.search(
                Cell::IBiasLeak,
                MEMBRANE,
                (&targets, Slope::Falling),
                |p, core, trials| observe::relaxation(p, core, &windows, trials),
            )?;
            c.measure_tau_mem()
        })
    }

    fn measure_tau_mem(&mut self) -> Result<Vec<f64>, AnalogError> {
        let windows = self.windows;
        let moments = observe::relaxation(&mut self.probe, self.core, &windows, 4 * self.trials)?;
        Ok(moments
            .iter()
            .map(|&moment| observe::tau_mem_of(moment, &windows))
            .collect())
    }

    /// Runs measurements with the reset far below the leak.
    fn with_deep_reset<R>(
        &mut self,
        body: impl FnOnce(&mut Self) -> Result<R, AnalogError>,
    ) -> Result<R, AnalogError> {
        let reset = self.codes(Cell::VReset);
        let deep: Vec<_> = reset
            .iter()
            .map(|code| CapMemCode::saturating(i64::from(code.get()) - RELAXATION_DEPTH))
            .collect();
        self.set(Cell::VReset, MEMBRANE, &deep);
        let result = body(self);
        self.set(Cell::VReset, MEMBRANE, &reset);
        result
    }

    /// What a response should be, given the membrane time constant reached.
    fn expected(&self, tau_mem: &[f64]) -> Vec<Response> {
        // The chip's user knows this delay from the polling loop.
        let noise = &self.core.profile().noise;
        let late = 0.5 * (noise.cadc_start + noise.cadc_skew * 0.5).as_micro();
        let slew = nominal_slew() / VOLTS_PER_LSB * 1e-6;
        self.targets
            .iter()
            .zip(tau_mem)
            .map(|(t, &tau_mem)| {
                let taus = (tau_mem, t.tau_syn.as_micro());
                expected_response(taus, t.strength * slew, late, &self.windows)
            })
            .collect()
    }

    pub(crate) fn tau_syn(
        &mut self,
        input: SynapticInput,
        tau_mem: &[f64],
    ) -> Result<(), AnalogError> {
        let cell = [Cell::IBiasSyninExcTau, Cell::IBiasSyninInhTau][input.sign];
        let windows = self.windows;
        let targets: Vec<f64> = self.expected(tau_mem).iter().map(|r| r.delay).collect();
        self.search(
            cell,
            input,
            (&targets, Slope::Falling),
            |probe, core, trials| {
                let responses = observe::responses(probe, core, input, &windows, trials)?;
                Ok(responses.iter().map(|r| r.delay).collect())
            },
        )
    }

    pub(crate) fn strength(
        &mut self,
        input: SynapticInput,
        tau_mem: &[f64],
    ) -> Result<(), AnalogError> {
        let cell = [Cell::IBiasSyninExcGm, Cell::IBiasSyninInhGm][input.sign];
        let windows = self.windows;
        let targets: Vec<f64> = self.expected(tau_mem).iter().map(|r| r.area).collect();
        self.search(
            cell,
            input,
            (&targets, Slope::Rising),
            |probe, core, trials| {
                let responses = observe::responses(probe, core, input, &windows, trials)?;
                Ok(responses.iter().map(|r| r.area.abs()).collect())
            },
        )
    }

    /// Lifts the rest to the target with an offset current, then lowers the
    /// threshold until half of the trials fire.
    pub(crate) fn threshold(&mut self) -> Result<(), AnalogError> {
        let lifted: Vec<f64> = self
            .targets
            .iter()
            .map(|t| t.threshold - NOISE_LIFT)
            .collect();
        self.set_offset_current(OffsetCurrent::Positive);
        self.set_all(Cell::VThreshold, CapMemCode::MAX);
        self.search(
            Cell::IMemOffset,
            MEMBRANE,
            (&lifted, Slope::Rising),
            observe::rest,
        )?;
        let half = vec![0.5; self.targets.len()];
        self.search(
            Cell::VThreshold,
            MEMBRANE,
            (&half, Slope::Falling),
            observe::fires,
        )?;
        self.set_offset_current(OffsetCurrent::Off);
        Ok(())
    }

    fn set_offset_current(&mut self, direction: OffsetCurrent) {
        for neuron in self.probe.neurons {
            self.core.circuits_mut()[usize::from(neuron.membrane)].offset_current = direction;
        }
    }

    /// The threshold in CADC codes: the rest, lifted by an offset current, at
    /// which half of the trials fire.
    fn measure_threshold(&mut self) -> Result<Vec<f64>, AnalogError> {
        self.set_offset_current(OffsetCurrent::Positive);
        let half = vec![0.5; self.targets.len()];
        self.search(
            Cell::IMemOffset,
            MEMBRANE,
            (&half, Slope::Rising),
            observe::fires,
        )?;
        let threshold = self.codes(Cell::VThreshold);
        self.set_all(Cell::VThreshold, CapMemCode::MAX);
        let lifted = observe::rest(&mut self.probe, self.core, self.trials)?;
        self.set(Cell::VThreshold, MEMBRANE, &threshold);
        self.set_offset_current(OffsetCurrent::Off);
        Ok(lifted.iter().map(|code| code + NOISE_LIFT).collect())
    }

    /// Measures everything with fresh noise and twice the trials of a search.
    pub(crate) fn report(mut self) -> Result<CalibrationReport, AnalogError> {
        let trials = 2 * self.trials;
        let mut quantities = Vec::new();
        let targets = self.targets;
        let mut add = |quantity, target: &dyn Fn(&NeuronTargets) -> f64, reached| {
            let target = targets.iter().map(target).collect();
            quantities.push(Measured {
                quantity,
                target,
                reached,
            });
        };
        add(
            Quantity::Threshold,
            &|t| t.threshold,
            self.measure_threshold()?,
        );
        // What follows must not be disturbed by spikes.
        let threshold = self.codes(Cell::VThreshold);
        self.set_all(Cell::VThreshold, CapMemCode::MAX);
        add(
            Quantity::Leak,
            &|t| t.leak,
            observe::rest(&mut self.probe, self.core, trials)?,
        );
        add(
            Quantity::Reset,
            &|t| t.reset,
            observe::reset(&mut self.probe, self.core, trials)?,
        );
        let tau_mem = self.with_deep_reset(Self::measure_tau_mem)?;
        add(Quantity::TauMem, &|t| t.tau_mem.as_micro(), tau_mem.clone());
        let expected = self.expected(&tau_mem);
        for input in self.inputs() {
            let responses =
                observe::responses(&mut self.probe, self.core, input, &self.windows, trials)?;
            let (tau, strength) = match (input.partner, input.sign) {
                (false, 0) => (Quantity::TauSynExc, Quantity::StrengthExc),
                (false, _) => (Quantity::TauSynInh, Quantity::StrengthInh),
                (true, 0) => (Quantity::PartnerTauSynExc, Quantity::PartnerStrengthExc),
                (true, _) => (Quantity::PartnerTauSynInh, Quantity::PartnerStrengthInh),
            };
            // Of two filters in a row the delays add, so a difference of delays
            // is a difference of time constants.
            let reached = (0..targets.len())
                .map(|n| targets[n].tau_syn.as_micro() + responses[n].delay - expected[n].delay)
                .collect();
            add(tau, &|t| t.tau_syn.as_micro(), reached);
            let reached = (0..targets.len())
                .map(|n| targets[n].strength * responses[n].area.abs() / expected[n].area)
                .collect();
            add(strength, &|t| t.strength, reached);
        }
        self.set(Cell::VThreshold, MEMBRANE, &threshold);
        Ok(CalibrationReport { quantities })
    }
}
