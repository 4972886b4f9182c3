//! What a chip is like before and after its calibration.

use std::fmt::Write;

use bss2_analog::calib::{self, CalibrationReport, Measured, NeuronTargets};
use bss2_analog::{AnalogCore, CapMem};
use bss2_learn::NetworkShape;
use serde::Serialize;

use crate::chip::{Chip, ChipConfig, ChipError};
use crate::config::Experiment;

/// A chip whose neurons are joined as the experiment's network needs them,
/// measured and then calibrated.
#[derive(Debug, Clone, Serialize)]
pub struct ChipReport {
    /// Seed of the chip.
    pub chip: u64,
    /// Name of its mismatch profile.
    pub profile: String,
    /// Every quantity at the nominal codes.
    pub before: CalibrationReport,
    /// Every quantity after the calibration.
    pub after: Option<CalibrationReport>,
    /// Neurons that missed a target.
    pub failed_neurons: Vec<usize>,
    /// The codes that were found.
    pub codes: CapMem,
}

/// Measures the chip of an experiment at its nominal codes.
///
/// # Errors
/// [`ChipError`].
pub fn characterise(experiment: &Experiment) -> Result<ChipReport, ChipError> {
    let Bench { chip, targets } = Bench::new(experiment)?;
    let config = chip.config();
    let before = calib::characterise(
        chip.core(),
        chip.placement().circuits(),
        &targets,
        &config.calibration,
    )?;
    Ok(report(config, before, None, chip.core()))
}

/// Measures the chip of an experiment, calibrates it and measures again; tells
/// `progress` the name of each stage.
///
/// # Errors
/// [`ChipError`].
pub fn calibrate(
    experiment: &Experiment,
    progress: impl FnMut(&'static str),
) -> Result<ChipReport, ChipError> {
    let Bench { chip, targets } = Bench::new(experiment)?;
    let (config, neurons) = (chip.config(), chip.placement().circuits());
    let mut core = chip.core().clone();
    let before = calib::characterise(&core, neurons, &targets, &config.calibration)?;
    let after = calib::calibrate(&mut core, neurons, &targets, &config.calibration, progress)?;
    Ok(report(config, before, Some(after), &core))
}

struct Bench {
    chip: Chip,
    targets: Vec<NeuronTargets>,
}

impl Bench {
    fn new(experiment: &Experiment) -> Result<Self, ChipError> {
        let config = ChipConfig {
            calibrated: false,
            ..experiment.chip.clone()
        };
        // The network only says which circuits are joined.
        let shape = NetworkShape {
            inputs: 256,
            hidden: experiment.network.hidden,
            outputs: 10,
            recurrent: false,
        };
        let targets = vec![config.targets; shape.neurons()];
        let chip = Chip::new(config, shape, experiment.time.grid())?;
        Ok(Self { chip, targets })
    }
}

fn report(
    config: &ChipConfig,
    before: CalibrationReport,
    after: Option<CalibrationReport>,
    core: &AnalogCore,
) -> ChipReport {
    ChipReport {
        chip: config.seed.0,
        profile: config.profile.label(),
        before,
        failed_neurons: after
            .as_ref()
            .map_or_else(Vec::new, CalibrationReport::failed_neurons),
        after,
        codes: core.capmem().clone(),
    }
}

impl ChipReport {
    /// A table of every quantity: target, and mean and spread over the neurons
    /// before and after.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!("{:<24} {:<5} {:>9}", "quantity", "unit", "target");
        write!(text, " {:>26}", "uncalibrated").expect("text grows");
        if self.after.is_some() {
            write!(text, " {:>26} {:>7}", "reached", "failed").expect("text grows");
        }
        text.push('\n');
        for before in &self.before.quantities {
            let (name, unit) = before.quantity.label();
            let target = before.target.iter().sum::<f64>() / before.target.len().max(1) as f64;
            write!(
                text,
                "{name:<24} {unit:<5} {target:>9.2} {:>26}",
                spread(before)
            )
            .expect("text grows");
            let after = self
                .after
                .as_ref()
                .and_then(|after| after.get(before.quantity));
            if let Some(after) = after {
                let failed = after.failures().count();
                write!(text, " {:>26} {failed:>7}", spread(after)).expect("text grows");
            }
            text.push('\n');
        }
        text
    }
}

/// Mean and standard deviation of what could be measured.
fn spread(measured: &Measured) -> String {
    let mut seen = measured.clone();
    seen.reached.retain(|value| value.is_finite());
    let (mean, sd) = seen.mean_and_sd();
    match measured.reached.len() - seen.reached.len() {
        0 => format!("{mean:.2} +- {sd:.2}"),
        missing => format!("{mean:.2} +- {sd:.2} ({missing} unseen)"),
    }
}
