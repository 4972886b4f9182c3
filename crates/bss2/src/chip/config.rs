//! What a chip is, as a user writes it.

use std::fs;
use std::path::{Path, PathBuf};

use bss2_analog::calib::{CalibrationConfig, Decalibration, NeuronTargets};
use bss2_analog::{
    AnalogCore, AnalogError, Grid, Integration, MeasuredChip, MismatchProfile, PowerConfig,
};
use bss2_event::{Fault, RangeError, Seconds, Seed};
use bss2_learn::{QuantiseConfig, TraceScale};
use bss2_routing::FabricTiming;
use serde::{Deserialize, Serialize};

use super::ChipError;
use super::mode::{InferenceConfig, RunMode};

/// Settings of an emulated chip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChipConfig {
    /// Which chip: the seed of its fixed-pattern deviations.
    pub seed: Seed,
    /// Chips that share the work, 1 to 64: this one and those of the next seeds, each
    /// calibrated for itself. A sample is run by chip `(id + epoch) mod fleet`, so
    /// every image meets every chip.
    pub fleet: usize,
    /// Seed of its noise in time.
    pub noise_seed: Seed,
    /// How chips of this kind deviate, and what noise they make.
    pub profile: MismatchProfile,
    /// The neurons of a measured chip in place of drawn ones, at the codes that were
    /// found for it. In a file or an assignment the path of a file that `bss2 chip
    /// import` wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measured: Option<MeasuredChip>,
    /// Time that has passed since the chip was calibrated.
    pub age: Seconds,
    /// How images follow each other.
    pub mode: RunMode,
    /// Timing of the inference mode.
    pub inference: InferenceConfig,
    /// Circuits that make a neuron: 2 give 256 neurons with 256 signed inputs,
    /// 1 gives 512 with 128.
    pub circuits_per_neuron: usize,
    /// Whether the neurons are calibrated; otherwise all cells are at their
    /// nominal codes, and of the targets only those of digital settings count.
    pub calibrated: bool,
    /// What every neuron is calibrated to.
    pub targets: NeuronTargets,
    /// A TOML file with targets neuron by neuron
    /// ([`TargetTable`](bss2_analog::calib::TargetTable)), in place of those of
    /// `targets` that it lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub targets_file: Option<PathBuf>,
    /// Filled in when a run begins, so that it never goes on with other targets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub targets_checksum: Option<u32>,
    /// Scatters the targets.
    pub decalibration: Decalibration,
    /// A calibration that `bss2 chip calibrate` has saved, used in place of a new
    /// one; an empty path is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calibration_file: Option<PathBuf>,
    /// Filled in when a run begins, so that it never goes on with another calibration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calibration_checksum: Option<u32>,
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
    /// With 0 a spike stands beside the last sample before it, since the first
    /// sample is taken at time zero. The paper's code takes one CADC period; what
    /// that means depends on when its samples are taken against its time stamps,
    /// which is not published.
    pub spike_shift: Seconds,
    /// The least that the learner is told of a membrane in the bin of a spike, 0
    /// to 2 thresholds; 0 leaves samples as they are, as the paper's code does.
    ///
    /// In the learner's model a spike is a membrane above 1. The CADC samples
    /// before the crossing or after the reset, so the surrogate, a fiftieth of a
    /// threshold wide, would be evaluated beside its peak: neurons that fire would
    /// get less gradient than those which almost do, among it that of the burst
    /// regulariser. But a spike is a measurement of the membrane too. In a recurrent
    /// network with a broad surrogate the gradient explodes for values near 1: 0 there,
    /// as in the recipe `speech`; a training warns.
    /// `docs/results.md` compares.
    pub membrane_at_spike: f32,
    /// How codes become traces.
    pub trace: TraceScale,
    /// What the parts of the chip draw.
    pub power: PowerConfig,
}

impl ChipConfig {
    /// The chip for titles: `chip 3 (cube66)`, or the name of a measured one.
    #[must_use]
    pub fn label(&self) -> String {
        let name = match &self.measured {
            Some(measured) => measured.name.clone(),
            None => self.seed.0.to_string(),
        };
        let profile = self.profile.label();
        match self.fleet {
            0 | 1 => format!("chip {name} ({profile})"),
            n => format!("chips {name} to {} ({profile})", self.seed.0 + n as u64 - 1),
        }
    }

    /// The chip as it comes: drawn at nominal codes, or as it was measured.
    pub(super) fn core(&self) -> Result<AnalogCore, AnalogError> {
        let profile = self.profile.clone();
        match &self.measured {
            Some(measured) => AnalogCore::measured(profile, self.seed, measured),
            None => AnalogCore::new(profile, self.seed),
        }
    }

    /// The saved calibration to use, if there is one.
    pub(crate) fn calibration_file(&self) -> Option<&Path> {
        let file = self.calibration_file.as_deref();
        file.filter(|path| !path.as_os_str().is_empty())
    }

    /// Takes the checksums of the files that it names, or compares them.
    ///
    /// # Errors
    /// [`ChipError::File`] for a file that cannot be read, or holds something else than
    /// when its checksum was taken.
    pub fn seal(&mut self) -> Result<(), ChipError> {
        let calibration = self.calibration_file().map(Path::to_owned);
        for (path, known) in [
            (self.targets_file.clone(), &mut self.targets_checksum),
            (calibration, &mut self.calibration_checksum),
        ] {
            *known = path.map(|path| checksum(path, *known)).transpose()?;
        }
        Ok(())
    }

    /// Every setting outside its range; of the profile, the targets and the
    /// fabric the first each.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        let profile = self.profile.validate().map_err(|error| match error {
            AnalogError::Range(error) => Fault::from(error).within("profile"),
            error => Fault::new("profile", &self.profile.name, error.to_string()),
        });
        let within = |error, section| Fault::from(error).within(section);
        let reset = self.inference.reset.validate();
        let sections = [
            profile,
            reset.map_err(|error| within(error, "inference.reset")),
            (self.fabric.validate()).map_err(|error| within(error, "fabric")),
        ];
        let sections = sections.into_iter().filter_map(Result::err);
        let ranges = self.ranges().into_iter().filter_map(Result::err);
        self.contradictions()
            .chain(sections)
            .chain(ranges.map(Fault::from))
            .collect()
    }

    /// Settings that exclude each other.
    fn contradictions(&self) -> impl Iterator<Item = Fault> {
        let uncalibrated = !self.calibrated;
        let saved = self.calibration_file();
        let file = saved.filter(|_| uncalibrated).map(|file| {
            let allowed = "none while calibrated is false";
            Fault::new("calibration_file", file.display(), allowed)
        });
        let sigma = self.decalibration.sigma;
        let scatter = (sigma > 0.0 && uncalibrated)
            .then(|| Fault::new("decalibration.sigma", sigma, "0 while calibrated is false"));
        let alone = [
            (self.mode == RunMode::Inference, "1 in inference mode"),
            (self.measured.is_some(), "1 with a measured chip"),
            (saved.is_some(), "1 with a saved calibration"),
        ];
        let fleet = alone
            .into_iter()
            .find(|(holds, _)| *holds && self.fleet > 1)
            .map(|(_, allowed)| Fault::new("fleet", self.fleet, allowed));
        [file, scatter, fleet].into_iter().flatten()
    }

    fn ranges(&self) -> impl IntoIterator<Item = Result<(), RangeError>> {
        let number = |field, value: f64, min, max| RangeError::check(field, value, min, max, "");
        let (quantise, trace, inference) = (&self.quantise, &self.trace, &self.inference);
        [
            self.targets.validate(),
            self.decalibration.validate(),
            self.power.validate(),
            RangeError::check(
                "inference.interval",
                inference.interval.as_micro(),
                inference.reset.duration.as_micro(),
                1e4,
                "us",
            ),
            number("fleet", self.fleet as f64, 1.0, 64.0),
            number("trace.bits", trace.bits.into(), 1.0, 8.0),
            number(
                "circuits_per_neuron",
                self.circuits_per_neuron as f64,
                1.0,
                2.0,
            ),
            number(
                "calibration.trials",
                self.calibration.trials as f64,
                8.0,
                4096.0,
            ),
            number("steps_per_sample", self.steps_per_sample as f64, 1.0, 1e4),
            number(
                "quantise.hidden_scale",
                quantise.hidden_scale.into(),
                1.0,
                1e4,
            ),
            number(
                "quantise.output_scale_max",
                quantise.output_scale_max.into(),
                1.0,
                1e4,
            ),
            RangeError::check(
                "spike_shift",
                self.spike_shift.as_micro(),
                -17.0,
                17.0,
                "us",
            ),
            number("membrane_at_spike", self.membrane_at_spike.into(), 0.0, 2.0),
            RangeError::check("age", self.age.get(), 0.0, 1e8, "s"),
            RangeError::check("trace.full_scale", trace.full_scale.get(), 0.1, 10.0, "V"),
            RangeError::check("trace.swing", trace.swing.get(), 0.01, 10.0, "V"),
        ]
    }
}

/// The checksum of a file, which must be the known one if there is one.
fn checksum(path: PathBuf, known: Option<u32>) -> Result<u32, ChipError> {
    let found = match fs::read(&path) {
        Ok(content) => Ok(crc32fast::hash(&content)),
        Err(error) => Err(error.to_string()),
    };
    let changed = "it holds something else than when the run was begun; restore it, or for a \
                   new run or a test name it again by a flag";
    match found {
        Ok(found) if known.is_none_or(|known| known == found) => Ok(found),
        Ok(_) => Err(changed.to_owned()),
        Err(reason) => Err(reason),
    }
    .map_err(|reason| ChipError::File { path, reason })
}

impl Default for ChipConfig {
    /// A chip like the published one, calibrated to its targets.
    fn default() -> Self {
        let integration = Integration::default();
        Self {
            seed: Seed(0),
            fleet: 1,
            noise_seed: Seed(0),
            profile: MismatchProfile::cube66(),
            measured: None,
            age: Seconds::new(0.0),
            mode: RunMode::default(),
            inference: InferenceConfig::default(),
            circuits_per_neuron: 2,
            calibrated: true,
            targets: NeuronTargets::default(),
            targets_file: None,
            targets_checksum: None,
            decalibration: Decalibration::default(),
            calibration_file: None,
            calibration_checksum: None,
            calibration: CalibrationConfig::default(),
            steps_per_sample: 1,
            grid: integration.grid,
            fabric: FabricTiming::default(),
            quantise: QuantiseConfig::default(),
            spike_shift: Seconds::micro(0.0),
            membrane_at_spike: 1.03,
            trace: TraceScale::default(),
            power: PowerConfig::default(),
        }
    }
}
