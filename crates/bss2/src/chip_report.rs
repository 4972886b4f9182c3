//! What a chip is like before and after its calibration.

mod spread;

pub use spread::{Spread, robust_spread, spread};

use std::fmt::Write;
use std::path::Path;

use bss2_analog::AnalogCore;
use bss2_analog::calib::{self, CalibrationReport, Decalibration, Measured, SavedCalibration};
use bss2_event::{NeuronCircuits, Seconds};
use bss2_learn::NetworkShape;

use crate::chip::calibration::{ChipTargets, save, set_up};
use crate::chip::{Chip, ChipConfig, ChipError};
use crate::config::Experiment;
use crate::error::Error;
use crate::files::write_texts;
use crate::plot;

/// A chip whose neurons are joined as the experiment's network needs them,
/// as it was measured. Targets scatter once it is calibrated to them.
#[derive(Debug, Clone)]
pub struct ChipReport {
    /// The chip, for titles.
    pub label: String,
    /// Targets of the decalibration that were drawn again.
    pub repeated: usize,
    /// Every quantity at the nominal codes, or at those of a saved calibration.
    pub before: CalibrationReport,
    /// The calibration that was made.
    pub calibration: Option<SavedCalibration>,
}

/// Measures the chip of an experiment, whose network has so many outputs, at its age: as a saved calibration set it if
/// there is one, else at its nominal codes.
///
/// # Errors
/// [`ChipError`].
pub fn characterise(experiment: &Experiment, outputs: usize) -> Result<ChipReport, ChipError> {
    let bench = Bench::new(experiment, outputs)?;
    let mut core = bench.chip.core().clone();
    let config = &experiment.chip;
    let mut targets = bench.chip.targets();
    if config.calibration_file().is_some() {
        targets = &bench.targets;
        set_up(&mut core, bench.neurons(), &targets.of, config, |_| ())?;
    }
    core.set_age(config.age);
    let before = bench.measure(&core, targets)?;
    Ok(ChipReport {
        label: config.label(),
        repeated: targets.repeated,
        before,
        calibration: None,
    })
}

/// Measures the chip of an experiment, whose network has so many outputs, calibrates it and
/// measures again; tells `progress` the name of each stage.
///
/// # Errors
/// [`ChipError`].
pub fn calibrate(
    experiment: &Experiment,
    outputs: usize,
    progress: impl FnMut(&'static str),
) -> Result<ChipReport, ChipError> {
    let bench = Bench::new(experiment, outputs)?;
    let mut core = bench.chip.core().clone();
    let before = bench.measure(&core, bench.chip.targets())?;
    let (neurons, targets) = (bench.neurons(), &bench.targets.of);
    let settings = &experiment.chip.calibration;
    let after = calib::calibrate(&mut core, neurons, targets, settings, progress)?;
    let calibration = SavedCalibration::new(&core, neurons, targets, after);
    Ok(ChipReport {
        label: experiment.chip.label(),
        repeated: bench.targets.repeated,
        before,
        calibration: Some(calibration),
    })
}

/// Outputs of a network that tells digits apart.
pub const DIGITS: usize = 10;

/// A network that shows how the experiment uses circuits, whatever its samples are: so many
/// classes, and as many inputs as there are signed rows that recurrence leaves free.
#[must_use]
pub fn network(experiment: &Experiment, outputs: usize) -> NetworkShape {
    let network = &experiment.network;
    let (rows, hidden) = (128 * experiment.chip.circuits_per_neuron, network.hidden);
    let taken = if network.recurrent { hidden } else { 0 };
    NetworkShape {
        inputs: rows.saturating_sub(taken).max(1),
        hidden,
        outputs,
        recurrent: network.recurrent,
    }
}

/// The chip of an experiment as it comes, with its neurons joined and their
/// switches set.
pub(crate) struct Bench {
    /// Its targets do not scatter: nothing has brought its neurons anywhere yet.
    pub(crate) chip: Chip,
    /// What a calibration brings its neurons to.
    pub(crate) targets: ChipTargets,
}

impl Bench {
    pub(crate) fn new(experiment: &Experiment, outputs: usize) -> Result<Self, ChipError> {
        let config = ChipConfig {
            calibrated: false,
            calibration_file: None,
            decalibration: Decalibration::default(),
            // A chip is calibrated first and ages afterwards.
            age: Seconds::new(0.0),
            ..experiment.chip.clone()
        };
        let chip = Chip::new(config, network(experiment, outputs), experiment.time)?;
        let targets = ChipTargets::new(&experiment.chip, chip.placement().circuits())?;
        Ok(Self { chip, targets })
    }

    pub(crate) fn neurons(&self) -> &[NeuronCircuits] {
        self.chip.placement().circuits()
    }

    pub(crate) fn measure(
        &self,
        core: &AnalogCore,
        targets: &ChipTargets,
    ) -> Result<CalibrationReport, ChipError> {
        let settings = &self.chip.config().calibration;
        let core = self.with_comparators(core, true);
        let report = calib::characterise(&core, self.neurons(), &targets.of, settings);
        Ok(report?)
    }

    /// The chip with all comparators on, those of the readout as well, or all off.
    pub(crate) fn with_comparators(&self, core: &AnalogCore, on: bool) -> AnalogCore {
        let mut core = core.clone();
        for neuron in self.neurons() {
            core.circuits_mut()[usize::from(neuron.membrane)].threshold_enabled = on;
        }
        core
    }
}

impl ChipReport {
    /// Every quantity after the calibration.
    #[must_use]
    pub fn after(&self) -> Option<&CalibrationReport> {
        self.calibration.as_ref().map(SavedCalibration::report)
    }

    /// A table of every quantity: target, and mean and spread over the neurons
    /// before and after.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!("{:<24} {:<5} {:>16}", "quantity", "unit", "target");
        let now = if self.calibration.is_some() {
            "uncalibrated"
        } else {
            "measured"
        };
        write!(text, " {now:>26}").expect("text grows");
        if self.calibration.is_some() {
            write!(text, " {:>26} {:>7}", "reached", "failed").expect("text grows");
        }
        text.push('\n');
        for before in &self.before.quantities {
            let (name, unit) = before.quantity.label();
            let after = self.after().and_then(|after| after.get(before.quantity));
            let target = target(after.unwrap_or(before));
            write!(
                text,
                "{name:<24} {unit:<5} {target:>16} {:>26}",
                spread_of(before)
            )
            .expect("text grows");
            if let Some(after) = after {
                let failed = after.failures().count();
                write!(text, " {:>26} {failed:>7}", spread_of(after)).expect("text grows");
            }
            text.push('\n');
        }
        text
    }

    /// Writes the calibration into a folder: `report.txt`, the table;
    /// `neurons.tsv`, every neuron and quantity; `calibration.svg`, the
    /// distributions; and `calibration.toml`, which can be loaded again.
    ///
    /// # Errors
    /// [`Error`] when a file cannot be written; nothing without a calibration.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        let (Some(calibration), Some(after)) = (&self.calibration, self.after()) else {
            return Ok(());
        };
        let figure = plot::calibration(&self.label, &self.before, after)?;
        let texts = [
            ("report.txt", &self.table()[..]),
            ("neurons.tsv", &after.neuron_table()),
            ("calibration.svg", &figure),
        ];
        write_texts(folder, &texts)?;
        Ok(save(calibration, &folder.join("calibration.toml"))?)
    }
}

/// The target of all neurons, or mean and spread of theirs.
fn target(measured: &Measured) -> String {
    let targets = Measured {
        reached: measured.target.clone(),
        ..measured.clone()
    };
    match targets.mean_and_sd() {
        (mean, sd) if sd < 1e-9 * mean => format!("{mean:.2}"),
        (mean, sd) => format!("{mean:.2} +- {sd:.2}"),
    }
}

/// Mean and standard deviation of what could be measured.
fn spread_of(measured: &Measured) -> String {
    let mut seen = measured.clone();
    seen.reached.retain(|value| value.is_finite());
    let (mean, sd) = seen.mean_and_sd();
    match measured.reached.len() - seen.reached.len() {
        0 => format!("{mean:.2} +- {sd:.2}"),
        missing => format!("{mean:.2} +- {sd:.2} ({missing} unseen)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bss2_analog::LeakScale;
    use bss2_analog::calib::NeuronTargets;

    #[test]
    fn before_its_calibration_nothing_of_a_chip_scatters() {
        let mut experiment = Experiment::default();
        experiment.chip.decalibration.sigma = 0.5;
        let bench = Bench::new(&experiment, DIGITS).unwrap();
        let common = experiment.chip.targets;
        assert!(bench.chip.targets().of.iter().all(|t| *t == common));
        // A tenth of the time constants ask for another switch of the leak.
        let quick = |t: &&NeuronTargets| t.tau_mem < Seconds::micro(2.0);
        assert!(bench.targets.of.iter().filter(quick).count() > 10);
        let circuits = bench.chip.core().circuits();
        for neuron in bench.neurons() {
            let scale = |circuit: u16| circuits[usize::from(circuit)].leak_scale;
            assert_eq!(scale(neuron.membrane), LeakScale::Unity);
            assert_eq!(neuron.partner.map(scale), Some(LeakScale::Eighth));
        }
    }
}
