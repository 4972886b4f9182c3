//! One method per cell: which code is searched by which observation.

use bss2_event::{CapMemCode, NeuronCircuits};

use crate::cadc::VOLTS_PER_LSB;
use crate::calib::observe::{self, Response, Windows, expected_relaxation, expected_response};
use crate::calib::probe::{Probe, SynapticInput};
use crate::calib::search::{Precision, Slope, binary_search};
use crate::calib::{CalibrationConfig, NeuronTargets};
use crate::capmem::{Cell, current};
use crate::circuit::{OffsetCurrent, membrane_capacitance, nominal_slew};
use crate::core::AnalogCore;
use crate::error::AnalogError;

/// A neuron at rest just below threshold fires within the window of the
/// measurement if noise lifts it by so many codes; half of the trials do.
/// Measured on cube66 chips, whose thresholds then are met to 0.1 codes on
/// average.
pub(super) const NOISE_LIFT: f64 = 0.55;

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

impl<'a> Calibration<'a> {
    pub(crate) fn new(
        core: &'a mut AnalogCore,
        neurons: &'a [NeuronCircuits],
        targets: &'a [NeuronTargets],
        config: &CalibrationConfig,
    ) -> Self {
        Self {
            core,
            probe: Probe::new(neurons, config.seed),
            targets,
            windows: Windows::new(targets),
            trials: config.trials,
        }
    }
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

pub(super) const MEMBRANE: SynapticInput = SynapticInput {
    partner: false,
    sign: 0,
};
/// The joined circuit; the membrane's own where there is none.
const PARTNER: SynapticInput = SynapticInput {
    partner: true,
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

    pub(super) fn set(&mut self, cell: Cell, input: SynapticInput, codes: &[CapMemCode]) {
        for (neuron, &code) in self.probe.neurons.iter().zip(codes) {
            self.core
                .capmem_mut()
                .set(cell, circuit_of(neuron, input), code);
        }
    }

    pub(crate) fn set_all(&mut self, cell: Cell, code: CapMemCode) {
        self.set(cell, MEMBRANE, &vec![code; self.probe.neurons.len()]);
    }

    fn codes_of(&self, cell: Cell, input: SynapticInput) -> Vec<CapMemCode> {
        let neurons = self.probe.neurons.iter();
        neurons
            .map(|n| self.core.capmem().get(cell, circuit_of(n, input)))
            .collect()
    }

    pub(super) fn codes(&self, cell: Cell) -> Vec<CapMemCode> {
        self.codes_of(cell, MEMBRANE)
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
        let windows = self.windows.clone();
        let pairs = self.targets.iter().zip(&windows.of);
        let targets: Vec<f64> = pairs
            .map(|(t, w)| expected_relaxation(t.tau_mem.as_micro(), w.relaxation))
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

    pub(super) fn measure_tau_mem(&mut self) -> Result<Vec<f64>, AnalogError> {
        let windows = &self.windows;
        let moments = observe::relaxation(&mut self.probe, self.core, windows, 4 * self.trials)?;
        let pairs = moments.iter().zip(&windows.of);
        Ok(pairs
            .map(|(&moment, w)| observe::tau_mem_of(moment, w.relaxation))
            .collect())
    }

    /// Runs measurements with the reset far below the leak.
    pub(super) fn with_deep_reset<R>(
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
    pub(super) fn expected(&self, sign: usize, tau_mem: &[f64]) -> Vec<Response> {
        // The chip's user knows these delays: that of the polling loop, and that of
        // the ramp until it reaches a membrane near its leak.
        let (noise, cadc) = (&self.core.profile().noise, &self.core.profile().cadc);
        let polling = 0.5 * (noise.cadc_start + noise.cadc_skew * 0.5).as_micro();
        let ramp = cadc.conversion.as_micro() / 256.0;
        let slew = nominal_slew() / VOLTS_PER_LSB * 1e-6;
        (0..tau_mem.len())
            .map(|n| {
                let t = &self.targets[n];
                let window = self.windows.of[n].response[sign];
                let late = polling + ramp * t.leak;
                let taus = (tau_mem[n], t.tau_syn(sign));
                expected_response(taus, t.strength(sign) * slew, late, window)
            })
            .collect()
    }

    pub(crate) fn tau_syn(
        &mut self,
        input: SynapticInput,
        tau_mem: &[f64],
    ) -> Result<(), AnalogError> {
        let cell = [Cell::IBiasSyninExcTau, Cell::IBiasSyninInhTau][input.sign];
        let windows = self.windows.clone();
        let targets: Vec<f64> = self
            .expected(input.sign, tau_mem)
            .iter()
            .map(|r| r.delay)
            .collect();
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
        let windows = self.windows.clone();
        let targets: Vec<f64> = self
            .expected(input.sign, tau_mem)
            .iter()
            .map(|r| r.area)
            .collect();
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

    /// Moves the rest to the target threshold, then lowers the threshold until
    /// half of the trials fire. The rest is moved by the leak potential, which,
    /// unlike the offset current, moves it as far in fast neurons as in slow ones,
    /// and downwards for neurons whose threshold is to lie below their leak.
    pub(crate) fn threshold(&mut self) -> Result<(), AnalogError> {
        let moved: Vec<f64> = self
            .targets
            .iter()
            .map(|t| t.threshold - NOISE_LIFT)
            .collect();
        self.with_moved_rest(|c| {
            c.without_spikes(|c| c.search_leaks(&moved, observe::rest))?;
            let half = vec![0.5; c.targets.len()];
            let windows = c.windows.clone();
            c.search(
                Cell::VThreshold,
                MEMBRANE,
                (&half, Slope::Falling),
                |p, core, trials| observe::fires(p, core, &windows, trials),
            )
        })
    }

    /// Searches the leak potential, the same code for all circuits of a neuron.
    pub(super) fn search_leaks(
        &mut self,
        targets: &[f64],
        observe: impl Fn(&mut Probe<'_>, &AnalogCore, usize) -> Result<Vec<f64>, AnalogError>,
    ) -> Result<(), AnalogError> {
        let codes = binary_search(targets, Slope::Rising, |codes, precision| {
            self.set_leaks(codes);
            let trials = trials_of(self.trials, precision);
            observe(&mut self.probe, self.core, trials)
        })?;
        self.set_leaks(&codes);
        Ok(())
    }

    fn set_leaks(&mut self, codes: &[CapMemCode]) {
        for input in [MEMBRANE, PARTNER] {
            self.set(Cell::VLeak, input, codes);
        }
    }

    /// Runs measurements that move the rest away from the leak target. An offset
    /// current spans half of the way up to the threshold, because the leak
    /// potential alone ends near the highest thresholds.
    pub(super) fn with_moved_rest<R>(
        &mut self,
        body: impl FnOnce(&mut Self) -> Result<R, AnalogError>,
    ) -> Result<R, AnalogError> {
        let leaks = [MEMBRANE, PARTNER].map(|input| self.codes_of(Cell::VLeak, input));
        let lift = |t: &NeuronTargets| 0.5 * (t.threshold - t.leak).max(0.0);
        self.set_offset_current(OffsetCurrent::Positive, lift);
        let result = body(self);
        self.set_offset_current(OffsetCurrent::Off, |_| 0.0);
        for (input, codes) in [MEMBRANE, PARTNER].into_iter().zip(leaks) {
            self.set(Cell::VLeak, input, &codes);
        }
        result
    }

    /// Offset current that moves the rest of a neuron on target by about so many
    /// CADC codes.
    fn set_offset_current(
        &mut self,
        direction: OffsetCurrent,
        shift: impl Fn(&NeuronTargets) -> f64,
    ) {
        for (neuron, t) in self.probe.neurons.iter().zip(self.targets) {
            let conductance = self.capacitance(neuron) / t.tau_mem.get();
            let wanted = shift(t) * VOLTS_PER_LSB * conductance;
            let code = CapMemCode::saturating((wanted / current(1.0)).round() as i64);
            let circuit = neuron.membrane;
            self.core.capmem_mut().set(Cell::IMemOffset, circuit, code);
            self.core.circuits_mut()[usize::from(circuit)].offset_current = direction;
        }
    }

    /// Farads that the circuits of a neuron have without mismatch.
    pub(super) fn capacitance(&self, neuron: &NeuronCircuits) -> f64 {
        let circuits = [Some(neuron.membrane), neuron.partner];
        let setting = |c: u16| self.core.circuits()[usize::from(c)].capacitance;
        circuits
            .into_iter()
            .flatten()
            .map(|c| membrane_capacitance(setting(c), self.core.profile()))
            .sum()
    }

    /// Runs measurements that spikes would disturb. Comparators are switched off: a
    /// threshold that is written again ends elsewhere.
    pub(crate) fn without_spikes<R>(
        &mut self,
        body: impl FnOnce(&mut Self) -> Result<R, AnalogError>,
    ) -> Result<R, AnalogError> {
        self.enable_thresholds(false);
        let result = body(self);
        self.enable_thresholds(true);
        result
    }

    pub(super) fn enable_thresholds(&mut self, enabled: bool) {
        for neuron in self.probe.neurons {
            self.core.circuits_mut()[usize::from(neuron.membrane)].threshold_enabled = enabled;
        }
    }
}
