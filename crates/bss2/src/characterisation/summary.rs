//! The measurements as numbers.

use std::fmt::Write;

use bss2_analog::CadcSchedule;
use bss2_analog::accuracy::SpikeTimes;
use bss2_analog::calib::{CalibrationReport, Quantity};
use serde::Serialize;

use super::{Characterisation, Responses, quantiles};
use crate::chip_report::robust_spread;

/// `characterise.json`. A number that could not be measured is `null`; spreads are
/// robust, see [`robust_spread`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)] // Names and units are those of `docs/guide.md`.
pub struct Summary {
    pub chip: String,
    pub neurons: usize,
    pub spike_time_error_median_ns: f64,
    pub spike_mismatch_fraction: f64,
    pub tau_mem_cv_before: f64,
    pub tau_mem_cv_after: f64,
    pub tau_syn_exc_cv_before: f64,
    pub tau_syn_exc_cv_after: f64,
    pub tau_syn_inh_cv_before: f64,
    pub tau_syn_inh_cv_after: f64,
    pub strength_exc_cv_before: f64,
    pub strength_exc_cv_after: f64,
    pub strength_inh_cv_before: f64,
    pub strength_inh_cv_after: f64,
    pub threshold_sd_before_lsb: f64,
    pub threshold_sd_after_lsb: f64,
    pub leak_sd_before_lsb: f64,
    pub leak_sd_after_lsb: f64,
    pub trace_noise_lsb: f64,
    pub calibration_failures: usize,
    pub failed_neurons: Vec<usize>,
    pub power_mw: f64,
    pub energy_per_image_uj: f64,
    pub response_exc: Response,
    pub response_inh: Response,
    pub rate: Rate,
    pub cadc: Cadc,
    pub spike_times: Vec<Grid>,
}

/// By weight, 0 to 63.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Response {
    pub amplitude_lsb: Vec<f64>,
    pub nonlinearity_percent: Vec<f64>,
    pub largest_nonlinearity_percent: f64,
}

/// By current.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Rate {
    pub current_na: Vec<f64>,
    pub median_khz: Vec<f64>,
    pub expected_khz: Vec<f64>,
}

/// By voltage.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Cadc {
    pub voltage_v: Vec<f64>,
    pub median_lsb: Vec<f64>,
}

/// Spike times on one grid.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Grid {
    pub steps_per_sample: usize,
    pub step_ns: f64,
    pub error_median_ns: f64,
    pub spikes: usize,
    pub missed: usize,
    pub extra: usize,
    pub margins_mv: Vec<Option<f64>>,
}

impl Characterisation {
    /// All measurements as numbers.
    #[must_use]
    pub fn summary(&self) -> Summary {
        use Quantity as Q;
        let grid = self.on_default_grid();
        let exc = [Q::TauSynExc, Q::PartnerTauSynExc];
        let inh = [Q::TauSynInh, Q::PartnerTauSynInh];
        let strength_exc = [Q::StrengthExc, Q::PartnerStrengthExc];
        let strength_inh = [Q::StrengthInh, Q::PartnerStrengthInh];
        let (before, after) = (&self.before, &self.after);
        let neurons = after.quantities.first().map_or(0, |m| m.reached.len());
        let kilo = |rate: f64| 1e-3 * rate;
        Summary {
            chip: self.label.clone(),
            neurons,
            spike_time_error_median_ns: grid.map_or(f64::NAN, SpikeTimes::median),
            spike_mismatch_fraction: grid.map_or(f64::NAN, SpikeTimes::mismatch_fraction),
            tau_mem_cv_before: cv(before, &[Q::TauMem]),
            tau_mem_cv_after: cv(after, &[Q::TauMem]),
            tau_syn_exc_cv_before: cv(before, &exc),
            tau_syn_exc_cv_after: cv(after, &exc),
            tau_syn_inh_cv_before: cv(before, &inh),
            tau_syn_inh_cv_after: cv(after, &inh),
            strength_exc_cv_before: cv(before, &strength_exc),
            strength_exc_cv_after: cv(after, &strength_exc),
            strength_inh_cv_before: cv(before, &strength_inh),
            strength_inh_cv_after: cv(after, &strength_inh),
            threshold_sd_before_lsb: spread(before, &[Q::Threshold]).1,
            threshold_sd_after_lsb: spread(after, &[Q::Threshold]).1,
            leak_sd_before_lsb: spread(before, &[Q::Leak]).1,
            leak_sd_after_lsb: spread(after, &[Q::Leak]).1,
            trace_noise_lsb: quantiles(&self.trace_noise)[0],
            calibration_failures: after.failures().count(),
            failed_neurons: after.failed_neurons(),
            power_mw: self.power.as_milli(),
            energy_per_image_uj: self.energy_per_image.as_micro(),
            response_exc: Response::of(&self.responses[0]),
            response_inh: Response::of(&self.responses[1]),
            rate: Rate {
                current_na: self.rates.current.iter().map(|i| 1e9 * i.get()).collect(),
                median_khz: self
                    .rates
                    .quantiles()
                    .iter()
                    .map(|q| kilo(q[0].get()))
                    .collect(),
                expected_khz: self.rates.expected.iter().map(|r| kilo(r.get())).collect(),
            },
            cadc: Cadc {
                voltage_v: self.transfer.voltage.iter().map(|v| v.get()).collect(),
                median_lsb: self.transfer.codes.iter().map(|codes| codes[0]).collect(),
            },
            spike_times: self.spike_times.iter().map(Grid::of).collect(),
        }
    }

    /// The most important numbers as a table.
    #[must_use]
    pub fn table(&self) -> String {
        let s = self.summary();
        let mut text = format!("{}: {} neurons\n", s.chip, s.neurons);
        let mut line = |name: &str, before: Option<f64>, after: f64, unit: &str| {
            let before = before.map_or(String::new(), |before| format!("{before:.3}"));
            writeln!(text, "{name:<44} {before:>10} {after:>10.3} {unit}").expect("text grows");
        };
        for (name, before, after) in [
            ("tau_mem", s.tau_mem_cv_before, s.tau_mem_cv_after),
            (
                "tau_syn exc",
                s.tau_syn_exc_cv_before,
                s.tau_syn_exc_cv_after,
            ),
            (
                "tau_syn inh",
                s.tau_syn_inh_cv_before,
                s.tau_syn_inh_cv_after,
            ),
            (
                "strength exc",
                s.strength_exc_cv_before,
                s.strength_exc_cv_after,
            ),
            (
                "strength inh",
                s.strength_inh_cv_before,
                s.strength_inh_cv_after,
            ),
        ] {
            let name = format!("{name}, spread before and after");
            line(&name, Some(100.0 * before), 100.0 * after, "%");
        }
        for (name, before, after) in [
            (
                "threshold",
                s.threshold_sd_before_lsb,
                s.threshold_sd_after_lsb,
            ),
            ("leak", s.leak_sd_before_lsb, s.leak_sd_after_lsb),
        ] {
            let name = format!("{name}, spread before and after");
            line(&name, Some(before), after, "LSB");
        }
        line("missed targets", None, s.calibration_failures as f64, "");
        line(
            "noise of a trace, median of the neurons",
            None,
            s.trace_noise_lsb,
            "LSB",
        );
        for (name, response) in [("exc", &s.response_exc), ("inh", &s.response_inh)] {
            let full = response.amplitude_lsb.last().copied().unwrap_or(f64::NAN);
            line(&format!("response to weight 63, {name}"), None, full, "LSB");
            let name = format!("largest nonlinearity, {name}");
            line(&name, None, response.largest_nonlinearity_percent, "%");
        }
        line(
            "spike times, median error",
            None,
            s.spike_time_error_median_ns,
            "ns",
        );
        let mismatched = 100.0 * s.spike_mismatch_fraction;
        line("missed and extra spikes", None, mismatched, "%");
        line("power", None, s.power_mw, "mW");
        line("energy per image", None, s.energy_per_image_uj, "uJ");
        text
    }
}

impl Response {
    fn of(responses: &Responses) -> Self {
        let nonlinearity = responses.nonlinearity();
        let size = nonlinearity.iter().map(|percent| percent.abs());
        Self {
            amplitude_lsb: responses.mean_amplitudes(),
            largest_nonlinearity_percent: size.fold(0.0, f64::max),
            nonlinearity_percent: nonlinearity,
        }
    }
}

impl Grid {
    fn of(times: &SpikeTimes) -> Self {
        let extra = times.mismatches.iter().filter(|m| m.extra).count();
        let margins = times.mismatches.iter().map(|m| m.margin);
        let period = 1e3 * CadcSchedule::default().period.as_micro();
        Self {
            steps_per_sample: times.steps_per_sample,
            step_ns: period / times.steps_per_sample as f64,
            error_median_ns: times.median(),
            spikes: times.spikes,
            missed: times.mismatches.len() - extra,
            extra,
            margins_mv: margins
                .map(|m| Some((1e6 * m?.get()).round() / 1e3))
                .collect(),
        }
    }
}

/// Mean and standard deviation of some quantities together.
fn spread(report: &CalibrationReport, quantities: &[Quantity]) -> (f64, f64) {
    let measured = quantities
        .iter()
        .filter_map(|quantity| report.get(*quantity));
    let values: Vec<f64> = measured.flat_map(|m| m.reached.iter().copied()).collect();
    robust_spread(&values)
}

/// Standard deviation relative to the mean.
fn cv(report: &CalibrationReport, quantities: &[Quantity]) -> f64 {
    let (mean, sd) = spread(report, quantities);
    sd / mean
}
