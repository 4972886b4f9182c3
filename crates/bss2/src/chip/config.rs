//! What a chip is, as a user writes it.

use std::path::{Path, PathBuf};

use bss2_analog::calib::{CalibrationConfig, Decalibration, NeuronTargets};
use bss2_analog::{Grid, Integration, MismatchProfile, PowerConfig};
use bss2_event::{RangeError, Seconds, Seed};
use bss2_learn::{QuantiseConfig, TraceScale};
use bss2_routing::FabricTiming;
use serde::{Deserialize, Serialize};

/// Settings of an emulated chip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChipConfig {
    /// Which chip: the seed of its fixed-pattern deviations.
    pub seed: Seed,
    /// Seed of its noise in time.
    pub noise_seed: Seed,
    /// How chips of this kind deviate, and what noise they make.
    pub profile: MismatchProfile,
    /// Circuits that make a neuron: 2 give 256 neurons with 256 signed inputs,
    /// 1 gives 512 with 128.
    pub circuits_per_neuron: usize,
    /// Whether the neurons are calibrated; otherwise all cells are at their
    /// nominal codes.
    pub calibrated: bool,
    /// What every neuron is calibrated to.
    pub targets: NeuronTargets,
    /// A TOML file with targets neuron by neuron
    /// ([`TargetTable`](bss2_analog::calib::TargetTable)), in place of those of
    /// `targets` that it lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub targets_file: Option<PathBuf>,
    /// Scatters the targets.
    pub decalibration: Decalibration,
    /// A calibration that `bss2 chip calibrate` has saved, used in place of a new
    /// one; an empty path is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calibration_file: Option<PathBuf>,
    /// How it is calibrated.
    pub calibration: CalibrationConfig,
    /// Integration steps per CADC sample, at least.
    pub steps_per_sample: usize,
    /// Where events and spikes may lie in time.
    pub grid: Grid,
    /// Delays and queues of the event fabric.
    pub fabric: FabricTiming,
    /// How weights become those of the hardware.
    pub quantise: QuantiseConfig,
    /// Subtracted from the time of a spike before it is binned, -17 to 17 us; what
    /// then lies before the first bin falls into it.
    ///
    /// One CADC period in the paper's code. In our time base, where the first
    /// sample is taken at time zero, it also trains best: each spike stands
    /// beside the traces that led to it (measured in `docs/results.md`).
    pub spike_shift: Seconds,
    /// How codes become traces.
    pub trace: TraceScale,
    /// What the parts of the chip draw.
    pub power: PowerConfig,
}

impl ChipConfig {
    /// The saved calibration to use, if there is one.
    pub(crate) fn calibration_file(&self) -> Option<&Path> {
        let file = self.calibration_file.as_deref();
        file.filter(|path| !path.as_os_str().is_empty())
    }

    /// Every setting outside its range, as `FIELD is VALUE, allowed are RANGE`;
    /// of the profile, the targets and the fabric the first each.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let range = |field, value, min, max, unit| {
            RangeError::check(field, value, min, max, unit).map_err(|error| error.to_string())
        };
        let in_section = |section: &str, error: String| format!("{section}.{error}");
        let steps = self.steps_per_sample as f64;
        [
            self.profile
                .validate()
                .map_err(|error| in_section("profile", error.to_string())),
            self.targets.validate().map_err(|error| error.to_string()),
            self.decalibration
                .validate()
                .map_err(|error| error.to_string()),
            self.power.validate().map_err(|error| error.to_string()),
            match self.calibration_file() {
                Some(file) if !self.calibrated => Err(format!(
                    "calibration_file is {}, allowed are none while calibrated is false",
                    file.display()
                )),
                _ => Ok(()),
            },
            self.fabric
                .validate()
                .map_err(|error| in_section("fabric", error.to_string())),
            range(
                "circuits_per_neuron",
                self.circuits_per_neuron as f64,
                1.0,
                2.0,
                "",
            ),
            range(
                "calibration.trials",
                self.calibration.trials as f64,
                8.0,
                4096.0,
                "",
            ),
            range("steps_per_sample", steps, 1.0, 1e4, ""),
            range(
                "quantise.hidden_scale",
                self.quantise.hidden_scale.into(),
                1.0,
                1e4,
                "",
            ),
            range(
                "quantise.output_scale_max",
                self.quantise.output_scale_max.into(),
                1.0,
                1e4,
                "",
            ),
            range(
                "spike_shift",
                self.spike_shift.as_micro(),
                -17.0,
                17.0,
                "us",
            ),
            range(
                "trace.full_scale",
                self.trace.full_scale.get(),
                0.1,
                10.0,
                "V",
            ),
            range("trace.swing", self.trace.swing.get(), 0.01, 10.0, "V"),
        ]
        .into_iter()
        .filter_map(Result::err)
        .collect()
    }
}

impl Default for ChipConfig {
    /// A chip like the published one, calibrated to its targets.
    fn default() -> Self {
        let integration = Integration::default();
        Self {
            seed: Seed(0),
            noise_seed: Seed(0),
            profile: MismatchProfile::cube66(),
            circuits_per_neuron: 2,
            calibrated: true,
            targets: NeuronTargets::default(),
            targets_file: None,
            decalibration: Decalibration::default(),
            calibration_file: None,
            calibration: CalibrationConfig::default(),
            steps_per_sample: integration.steps_per_sample,
            grid: integration.grid,
            fabric: FabricTiming::default(),
            quantise: QuantiseConfig::default(),
            spike_shift: Seconds::micro(1.7),
            trace: TraceScale::default(),
            power: PowerConfig::default(),
        }
    }
}
