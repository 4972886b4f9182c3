//! Which targets the neurons of a chip have, and calibrations in files.

use std::fs;
use std::path::Path;

use bss2_analog::AnalogCore;
use bss2_analog::calib::{self, CalibrationReport, NeuronTargets, SavedCalibration, TargetTable};
use bss2_event::NeuronCircuits;
use serde::de::DeserializeOwned;

use super::{ChipConfig, ChipError};
use crate::files::write_atomically;

/// What the neurons of a chip are calibrated to.
#[derive(Debug, Clone, PartialEq)]
pub struct ChipTargets {
    /// `[neuron]`
    pub of: Vec<NeuronTargets>,
    /// Draws of the decalibration that no chip could have met, and were repeated.
    pub repeated: usize,
}

impl ChipTargets {
    /// Those of a configuration: the common ones, on a measured chip with the
    /// capacitors that it was measured with; those of the file in their place; then
    /// scattered.
    ///
    /// # Errors
    /// [`ChipError::File`] for a file that cannot be read or does not fit;
    /// [`ChipError::Analog`] for a decalibration that finds no target.
    pub fn new(config: &ChipConfig, neurons: &[NeuronCircuits]) -> Result<Self, ChipError> {
        let own = |neuron: &NeuronCircuits| {
            let mut targets = config.targets;
            if let Some(chip) = &config.measured {
                targets.capacitance = chip.membrane_capacitance[usize::from(neuron.membrane)];
            }
            targets
        };
        let mut of: Vec<NeuronTargets> = neurons.iter().map(own).collect();
        if let Some(path) = &config.targets_file {
            let table: TargetTable = read(path)?;
            let overlaid = table.overlay(&mut of);
            overlaid.map_err(|error| ChipError::file(path, &error))?;
        }
        let repeated = config.decalibration.scatter(&mut of)?;
        Ok(Self { of, repeated })
    }
}

/// Sets the neurons as the configuration says: calibrated anew, as a saved
/// calibration did, or not at all, when only their switches follow the targets. Tells
/// `progress` each stage of a new calibration.
///
/// # Errors
/// [`ChipError`], above all for a saved calibration of another chip, and for targets
/// that scatter without a calibration that brings neurons there.
pub fn set_up(
    core: &mut AnalogCore,
    neurons: &[NeuronCircuits],
    targets: &[NeuronTargets],
    config: &ChipConfig,
    progress: impl FnMut(&'static str),
) -> Result<Option<CalibrationReport>, ChipError> {
    if !config.calibrated {
        if config.decalibration.sigma > 0.0 {
            return Err(ChipError::ScatterUncalibrated(config.decalibration.sigma));
        }
        calib::configure(core, neurons, targets)?;
        return Ok(None);
    }
    if let Some(path) = config.calibration_file() {
        let saved: SavedCalibration = read(path)?;
        saved
            .apply(core, neurons, targets)
            .map_err(|error| ChipError::file(path, &error))?;
        return Ok(Some(saved.report().clone()));
    }
    let report = calib::calibrate(core, neurons, targets, &config.calibration, progress)?;
    Ok(Some(report))
}

/// Writes a calibration, in whole or not at all.
///
/// # Errors
/// [`ChipError::File`].
pub fn save(calibration: &SavedCalibration, path: &Path) -> Result<(), ChipError> {
    let text = toml::to_string(calibration).map_err(|error| ChipError::file(path, &error))?;
    write_atomically(path, text.as_bytes()).map_err(|error| ChipError::file(path, &error))
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, ChipError> {
    let text = fs::read_to_string(path).map_err(|error| ChipError::file(path, &error))?;
    toml::from_str(&text).map_err(|error| ChipError::file(path, &error))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use bss2_analog::{Cell, LeakScale, MeasuredChip, MismatchProfile};
    use bss2_event::Seed;

    fn config() -> ChipConfig {
        let mut config = ChipConfig::default();
        config.decalibration.sigma = 0.3;
        config.calibration.trials = 8;
        config
    }

    fn neurons() -> Vec<NeuronCircuits> {
        (0..6)
            .map(|n| NeuronCircuits {
                membrane: 2 * n,
                partner: Some(2 * n + 1),
            })
            .collect()
    }

    fn fresh(profile: &MismatchProfile) -> AnalogCore {
        AnalogCore::new(profile.clone(), Seed(5)).unwrap()
    }

    #[test]
    fn a_saved_calibration_is_loaded_as_it_was_and_for_its_targets_alone() {
        // Infinite limits and unmet targets must survive a file as well.
        for profile in [MismatchProfile::cube66(), MismatchProfile::ideal()] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("calibration.toml");
            let mut config = config();
            let targets = ChipTargets::new(&config, &neurons()).unwrap().of;
            let (mut core, neurons) = (fresh(&profile), neurons());
            let report = set_up(&mut core, &neurons, &targets, &config, |_| ()).unwrap();
            let mut report = report.unwrap();
            report.quantities[0].reached[3] = f64::NAN;
            let saved = SavedCalibration::new(&core, &neurons, &targets, report.clone());
            save(&saved, &path).unwrap();
            config.calibration_file = Some(path.clone());
            let mut loaded = fresh(&profile);
            let again = set_up(&mut loaded, &neurons, &targets, &config, |_| {
                panic!("no stage")
            });
            let again = again.unwrap().unwrap();
            let codes = |core: &AnalogCore| Cell::ALL.map(|c| core.capmem().column(c).to_vec());
            assert_eq!(codes(&loaded), codes(&core));
            assert_eq!(loaded.circuits(), core.circuits());
            assert_eq!(again.quantities[1..], report.quantities[1..]);
            assert!(again.quantities[0].reached[3].is_nan());

            config.decalibration.seed = Seed(1);
            let targets = ChipTargets::new(&config, &neurons).unwrap().of;
            let error = set_up(&mut loaded, &neurons, &targets, &config, |_| ()).unwrap_err();
            let error = error.to_string();
            assert!(
                error.contains("calibration.toml") && error.contains("targets."),
                "{error}"
            );
            fs::write(&path, &fs::read(&path).unwrap()[..2000]).unwrap();
            let error = set_up(&mut loaded, &neurons, &targets, &config, |_| ()).unwrap_err();
            assert!(matches!(error, ChipError::File { .. }), "{error}");
        }
    }

    #[test]
    fn without_a_calibration_switches_are_those_of_the_common_targets() {
        let mut config = ChipConfig {
            calibrated: false,
            ..config()
        };
        config.decalibration.sigma = 0.5;
        let (mut core, neurons) = (fresh(&MismatchProfile::cube66()), neurons());
        let targets = ChipTargets::new(&config, &neurons).unwrap().of;
        // Time constants that scatter would switch the leaks of some neurons.
        let error = set_up(&mut core, &neurons, &targets, &config, |_| ()).unwrap_err();
        assert!(
            error.to_string().contains("decalibration.sigma is 0.5"),
            "{error}"
        );
        let faults = config.faults();
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].field, "decalibration.sigma");
        config.decalibration.sigma = 0.0;
        assert_eq!(config.faults(), []);
        let targets = ChipTargets::new(&config, &neurons).unwrap().of;
        set_up(&mut core, &neurons, &targets, &config, |_| ()).unwrap();
        let scales = |offset: usize| core.circuits()[offset].leak_scale;
        assert!((0..6).all(|n| scales(2 * n) == LeakScale::Unity));
        assert!((0..6).all(|n| scales(2 * n + 1) == LeakScale::Eighth));
    }

    #[test]
    fn a_measured_chip_keeps_its_capacitors_under_a_file_that_does_not_list_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("targets.toml");
        let chip = MeasuredChip {
            name: "w7".into(),
            codes: BTreeMap::new(),
            membrane_capacitance: (0..512).map(|n| (n % 60) as u8).collect(),
            cadc_offset: None,
            targets: NeuronTargets::default(),
        };
        let config = ChipConfig {
            measured: Some(chip),
            targets_file: Some(path.clone()),
            ..ChipConfig::default()
        };
        let capacitors = |text: &str| {
            fs::write(&path, text).unwrap();
            let targets = ChipTargets::new(&config, &neurons()[..3]).unwrap().of;
            assert_eq!(targets[1].threshold, 110.0);
            targets.iter().map(|t| t.capacitance).collect::<Vec<_>>()
        };
        let thresholds = "threshold = [100.0, 110.0, 120.0]\n";
        assert_eq!(capacitors(thresholds), [0, 2, 4]);
        let listed = format!("{thresholds}capacitance = [9, 8, 7]\n");
        assert_eq!(capacitors(&listed), [9, 8, 7]);
    }

    #[test]
    fn targets_come_from_a_file_and_are_scattered_after() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("targets.toml");
        fs::write(
            &path,
            "threshold = [100.0, 110.0]\ntau_mem = [\"6 us\", \"9 us\"]\n",
        )
        .unwrap();
        let mut config = ChipConfig {
            targets_file: Some(path.clone()),
            ..ChipConfig::default()
        };
        let targets = ChipTargets::new(&config, &neurons()[..2]).unwrap();
        assert_eq!(targets.repeated, 0);
        assert_eq!(targets.of.iter().map(|t| t.threshold).sum::<f64>(), 210.0);
        assert_eq!(targets.of[1].leak, 80.0);
        config.decalibration.sigma = 0.1;
        assert_ne!(
            ChipTargets::new(&config, &neurons()[..2]).unwrap().of,
            targets.of
        );
        let error = ChipTargets::new(&config, &neurons()[..3])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("targets.toml: threshold has targets for 2"),
            "{error}"
        );
    }
}
