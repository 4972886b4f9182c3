//! The description of an experiment: one TOML file, one structure.
//!
//! `Experiment::default()` is the protocol of the paper on the emulated chip.
//! Every section refuses unknown keys; quantities carry their unit
//! (`tau_in = "8 us"`).

mod check;
mod difference;
mod load;
mod profile;
mod recipe;
mod sections;

pub use difference::{Difference, obstacles};
pub use load::{Assignment, ConfigError, load};
pub(crate) use recipe::KEY as RECIPE;
pub use sections::{
    DataConfig, DataSet, InitialWeights, NetworkConfig, RunConfig, SubstrateKind, TimeConfig,
};

use bss2_encode::{EncoderConfig, SpeechConfig};
use bss2_learn::TrainConfig;
use serde::{Deserialize, Serialize};

use crate::chip::{ChipConfig, ChipError, RunMode};

/// A whole experiment.
///
/// # Source
/// Defaults are the protocol for 16x16 MNIST of Cramer et al., PNAS 2022, and
/// its public code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Experiment {
    /// What the network runs on.
    pub substrate: SubstrateKind,
    /// Passes over the training images.
    pub epochs: u32,
    /// How many of them, from the first, train in software before the loop is
    /// closed over the chip. Tests are on the chip all along.
    pub software_epochs: u32,
    /// Images per step.
    pub batch: usize,
    /// Which images or recordings are learned.
    pub data: DataConfig,
    /// From images to spikes.
    pub encoder: EncoderConfig,
    /// From recordings to spikes.
    pub speech: SpeechConfig,
    /// When membranes are read.
    pub time: TimeConfig,
    /// Size of the network.
    pub network: NetworkConfig,
    /// Weights that training begins with, in place of drawn ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<InitialWeights>,
    /// How it is trained.
    pub train: TrainConfig,
    /// The emulated chip.
    pub chip: ChipConfig,
    /// What bears on the work alone and not on what is learned.
    pub run: RunConfig,
}

impl Default for Experiment {
    fn default() -> Self {
        Self {
            substrate: SubstrateKind::default(),
            epochs: 50,
            software_epochs: 0,
            batch: 100,
            data: DataConfig::default(),
            encoder: EncoderConfig::default(),
            speech: SpeechConfig::default(),
            time: TimeConfig::default(),
            network: NetworkConfig::default(),
            init: None,
            train: TrainConfig::default(),
            chip: ChipConfig::default(),
            run: RunConfig::default(),
        }
    }
}

impl Experiment {
    /// Takes the checksums of the files that set its chip, or compares them: a run never
    /// goes on with other ones.
    ///
    /// # Errors
    /// [`ChipError::File`].
    pub fn seal(&mut self) -> Result<(), ChipError> {
        match self.substrate {
            SubstrateKind::Software => Ok(()),
            SubstrateKind::Chip => self.chip.seal(),
        }
    }

    /// Makes the paths of all files and folders that it names absolute, from the current folder.
    pub fn make_paths_absolute(&mut self) {
        let (data, chip) = (&mut self.data, &mut self.chip);
        let paths = [
            &mut data.folder,
            &mut data.file,
            &mut chip.targets_file,
            &mut chip.calibration_file,
        ];
        let named = paths.into_iter().flatten();
        for path in named.chain(self.init.as_mut().map(|init| &mut init.file)) {
            // An empty one is none, and what is not UTF-8 cannot be told in a file.
            match std::path::absolute(&*path) {
                Ok(absolute) if absolute.to_str().is_some() => *path = absolute,
                _ => {}
            }
        }
    }

    /// Whether a test follows an epoch, counted from 1.
    #[must_use]
    pub fn tests_after(&self, epoch: u32) -> bool {
        epoch == self.epochs || epoch.checked_rem(self.run.test_every) == Some(0)
    }

    /// Whether samples follow each other on a chip, each in a slot of its own.
    pub(crate) fn shows_slots(&self) -> bool {
        self.substrate == SubstrateKind::Chip && self.chip.mode == RunMode::Inference
    }

    /// What the network runs on, for titles: `software` or `chip 3 (cube66)`.
    #[must_use]
    pub fn place(&self) -> String {
        match self.substrate {
            SubstrateKind::Software => "software".into(),
            SubstrateKind::Chip => self.chip.label(),
        }
    }
}

/// The experiment as the text of a configuration file.
#[must_use]
pub fn to_toml(experiment: &Experiment) -> String {
    toml::to_string(experiment).expect("an experiment is a TOML table")
}
