//! What a calibrated chip measures: every quantity of the report.

use bss2_event::CapMemCode;

use crate::calib::observe;
use crate::calib::stage::{Calibration, MEMBRANE, NOISE_LIFT};
use crate::calib::{CalibrationReport, Measured, NeuronTargets, Quantity};
use crate::capmem::Cell;
use crate::circuit::membrane_capacitance;
use crate::error::AnalogError;

impl Calibration<'_> {
    /// Measures everything with fresh noise and twice the trials of a search.
    pub(crate) fn report(mut self) -> Result<CalibrationReport, AnalogError> {
        let mut report = CalibrationReport::default();
        // What is moved for a measurement ends elsewhere: it is measured after.
        self.enable_thresholds(true);
        let refractory = self.measure_refractory()?;
        let threshold = self.measure_threshold()?;
        self.add(&mut report, Quantity::Threshold, |t| t.threshold, threshold);
        let target = |t: &NeuronTargets| t.refractory.as_micro();
        self.add(&mut report, Quantity::Refractory, target, refractory);
        self.without_spikes(|c| c.report_membrane_and_inputs(&mut report))?;
        Ok(report)
    }

    fn report_membrane_and_inputs(
        &mut self,
        report: &mut CalibrationReport,
    ) -> Result<(), AnalogError> {
        let trials = 2 * self.trials;
        let (tau_mem, capacitance) = self.with_deep_reset(Self::measure_membrane)?;
        let rest = observe::rest(&mut self.probe, self.core, trials)?;
        let reset = observe::reset(&mut self.probe, self.core, trials)?;
        self.add(report, Quantity::Leak, |t| t.leak, rest);
        self.add(report, Quantity::Reset, |t| t.reset, reset);
        let target = |t: &NeuronTargets| t.tau_mem.as_micro();
        self.add(report, Quantity::TauMem, target, tau_mem.clone());
        let neurons = self.probe.neurons.iter();
        report.quantities.push(Measured {
            quantity: Quantity::Capacitance,
            target: neurons.map(|n| 1e12 * self.capacitance(n)).collect(),
            reached: capacitance,
        });
        for input in self.inputs() {
            let sign = input.sign;
            let expected = self.expected(sign, &tau_mem);
            let responses =
                observe::responses(&mut self.probe, self.core, input, &self.windows, trials)?;
            let (tau, strength) = match (input.partner, sign) {
                (false, 0) => (Quantity::TauSynExc, Quantity::StrengthExc),
                (false, _) => (Quantity::TauSynInh, Quantity::StrengthInh),
                (true, 0) => (Quantity::PartnerTauSynExc, Quantity::PartnerStrengthExc),
                (true, _) => (Quantity::PartnerTauSynInh, Quantity::PartnerStrengthInh),
            };
            let pairs = || self.targets.iter().zip(responses.iter().zip(&expected));
            // Of two filters in a row the delays add, so a difference of delays
            // is a difference of time constants.
            let reached = pairs().map(|(t, (r, e))| t.tau_syn(sign) + r.delay - e.delay);
            self.add(report, tau, |t| t.tau_syn(sign), reached.collect());
            let reached = pairs().map(|(t, (r, e))| t.strength(sign) * r.area.abs() / e.area);
            self.add(report, strength, |t| t.strength(sign), reached.collect());
        }
        Ok(())
    }

    fn add(
        &self,
        report: &mut CalibrationReport,
        quantity: Quantity,
        target: impl Fn(&NeuronTargets) -> f64,
        reached: Vec<f64>,
    ) {
        report.quantities.push(Measured {
            quantity,
            target: self.targets.iter().map(target).collect(),
            reached,
        });
    }

    /// The threshold in CADC codes: the rest at which half of the trials fire.
    fn measure_threshold(&mut self) -> Result<Vec<f64>, AnalogError> {
        let half = vec![0.5; self.targets.len()];
        self.with_moved_rest(|c| {
            let windows = c.windows.clone();
            c.search_leaks(&half, |p, core, trials| {
                observe::fires(p, core, &windows, trials)
            })?;
            let rest = c.without_spikes(|c| observe::rest(&mut c.probe, c.core, c.trials))?;
            Ok(rest.iter().map(|code| code + NOISE_LIFT).collect())
        })
    }

    /// Membrane time constants, microseconds, and capacitances, picofarads. Another
    /// capacitor at the same leak gives another time constant; from the ratio r of
    /// the two and the step of the capacitor follows `C = step r / (r - 1)`, whatever
    /// the leak is.
    fn measure_membrane(&mut self) -> Result<(Vec<f64>, Vec<f64>), AnalogError> {
        let set = |c: &mut Self, setting: &dyn Fn(&NeuronTargets) -> u8| {
            for (neuron, t) in c.probe.neurons.iter().zip(c.targets) {
                let circuit = usize::from(neuron.membrane);
                c.core.circuits_mut()[circuit].capacitance = setting(t);
            }
        };
        let own = |t: &NeuronTargets| t.capacitance;
        let other = |t: &NeuronTargets| match t.capacitance {
            large @ 32.. => large / 2,
            small => small + 32,
        };
        let tau_mem = self.measure_tau_mem()?;
        set(self, &other);
        let tau_other = self.measure_tau_mem();
        set(self, &own);
        let pairs = tau_mem.iter().zip(tau_other?);
        let capacitance = pairs.zip(self.targets).map(|((tau, tau_other), t)| {
            let ratio = tau / tau_other;
            let farads = |setting| membrane_capacitance(setting, self.core.profile());
            1e12 * (farads(own(t)) - farads(other(t))) * ratio / (ratio - 1.0)
        });
        let capacitance = capacitance.collect();
        Ok((tau_mem, capacitance))
    }

    /// Refractory period in microseconds: a neuron whose threshold lies below its
    /// reset fires whenever it may.
    fn measure_refractory(&mut self) -> Result<Vec<f64>, AnalogError> {
        let threshold = self.codes(Cell::VThreshold);
        self.set_all(Cell::VThreshold, CapMemCode::MIN);
        let periods = self.targets.iter().map(|t| t.refractory.as_micro());
        let longest = periods.fold(0.0, f64::max);
        let result = observe::intervals(&mut self.probe, self.core, longest);
        self.set(Cell::VThreshold, MEMBRANE, &threshold);
        result
    }
}
