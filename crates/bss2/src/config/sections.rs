//! The sections of a configuration and the ranges of their values.

use std::path::PathBuf;

use bss2_event::{Seconds, TimeGrid};
use bss2_learn::{Interpolation, NetworkShape, Weights};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::exchange;

/// What a network runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum SubstrateKind {
    /// An emulated chip with its mismatch and noise, calibrated.
    #[default]
    Chip,
    /// The learner's own model: ideal, homogeneous neurons.
    Software,
}

impl SubstrateKind {
    /// The word for it in files, flags and figures.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Chip => "chip",
            Self::Software => "software",
        }
    }
}

/// A data set by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataSet {
    /// MNIST where it is found, generated digits elsewhere.
    #[default]
    Auto,
    /// MNIST, an error where it is not found.
    Mnist,
    /// Fashion-MNIST, an error where it is not found.
    FashionMnist,
    /// Digits drawn by the program itself.
    Generated,
    /// The Free Spoken Digit Dataset (FSDD) where it is found, generated speech
    /// elsewhere.
    Speech,
    /// The Free Spoken Digit Dataset, an error where it is not found.
    Fsdd,
    /// Digits spoken by the program itself.
    GeneratedSpeech,
    /// Spiking Heidelberg Digits, an error where they are not found.
    Shd,
    /// Recordings in the spike file that `data.file` names, which
    /// `bss2 encode audio` has written.
    Recordings,
}

impl DataSet {
    /// The published files that hold it, if it comes from files.
    #[must_use]
    pub fn files(self) -> Option<bss2_encode::DataSet> {
        match self {
            Self::Auto | Self::Mnist => Some(bss2_encode::DataSet::Mnist),
            Self::FashionMnist => Some(bss2_encode::DataSet::FashionMnist),
            Self::Generated
            | Self::Speech
            | Self::Fsdd
            | Self::GeneratedSpeech
            | Self::Shd
            | Self::Recordings => None,
        }
    }

    /// Whether it is speech, and no image.
    #[must_use]
    pub fn is_speech(self) -> bool {
        match self {
            Self::Auto | Self::Mnist | Self::FashionMnist | Self::Generated => false,
            Self::Speech | Self::Fsdd | Self::GeneratedSpeech | Self::Shd | Self::Recordings => {
                true
            }
        }
    }
}

/// Which images or recordings are learned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// Name of the set.
    pub set: DataSet,
    /// Folder of its files; searched for where it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// Spike file of the recordings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// Speakers of recordings that are tested on and not learned from; where
    /// none is named, takes 0 to 4 of everybody are.
    pub held_out: Vec<String>,
    /// Whether files must have the published content; `false` lets cut-down and
    /// self-made files pass.
    pub verify: bool,
    /// How many training images or recordings are used, from the first; 0 for all.
    pub train_images: usize,
    /// How many test images or recordings are used, from the first; 0 for all.
    pub test_images: usize,
    /// How many of the training images are held out, to make choices on: they
    /// take the place of the test images, which such choices must not see.
    /// Which ones is the same for every seed of a run. 0 for none.
    pub hold_out: usize,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            set: DataSet::default(),
            folder: None,
            file: None,
            held_out: Vec::new(),
            verify: true,
            train_images: 0,
            test_images: 0,
            hold_out: 0,
        }
    }
}

impl DataConfig {
    /// The word for a sample in outputs.
    #[must_use]
    pub fn sample(&self) -> &'static str {
        if self.set.is_speech() {
            "recording"
        } else {
            "image"
        }
    }

    /// The word for what accuracies are measured on after an epoch.
    #[must_use]
    pub fn tested(&self) -> &'static str {
        if self.hold_out > 0 {
            "held out"
        } else {
            "test"
        }
    }
}

/// When membranes are read, and on which grid the learner computes.
///
/// # Source
/// Cramer et al. 2022, public code: 20 samples of the CADC, 1.7 us apart, on a
/// grid as coarse or k times finer ("interpolation").
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimeConfig {
    /// Samples of each membrane.
    pub steps: usize,
    /// Time between two samples.
    pub dt: Seconds,
    /// k: steps of the learner per sample, 1 to 64. A weight of the learner acts
    /// once per step: `chip.quantise.hidden_scale` of 240, `.output_scale_max` of 250 and
    /// `train.weight_limit` of 63/240 are for steps, `dt` / k, of 1.7 us. For steps half
    /// as long the first two should be twice as large and the limit half as large.
    pub interpolation: usize,
    /// What a measured trace does between two samples.
    pub between: Interpolation,
}

impl Default for TimeConfig {
    fn default() -> Self {
        Self {
            steps: 20,
            dt: Seconds::micro(1.7),
            interpolation: 1,
            between: Interpolation::Hold,
        }
    }
}

impl TimeConfig {
    /// Length of a run on the chip.
    #[must_use]
    pub fn window(&self) -> Seconds {
        self.dt * self.steps as f64
    }

    /// The grid of the learner, and so of recordings.
    #[must_use]
    pub fn grid(&self) -> TimeGrid {
        TimeGrid {
            steps: self.steps * self.interpolation,
            dt: self.dt / self.interpolation as f64,
        }
    }
}

/// Size of the network; inputs and outputs follow from the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkConfig {
    /// Neurons of the hidden layer.
    pub hidden: usize,
    /// Whether hidden neurons also feed each other.
    pub recurrent: bool,
    /// Signed bits that weights are rounded to before they are written
    /// ([`bss2_learn::Coarse`]): 2 to 8 in software, which else does not round, 2 to 7
    /// on a chip, whose own are 7.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_bits: Option<u32>,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            hidden: 246,
            recurrent: false,
            weight_bits: None,
        }
    }
}

/// Weights that a training begins with, in place of drawn ones.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InitialWeights {
    /// An archive with `weights_hidden` and `weights_output`, as `bss2 export` writes
    /// it.
    pub file: PathBuf,
    /// Filled in when the run begins, so that it never goes on from other weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum: Option<u32>,
}

impl InitialWeights {
    /// Reads the weights and takes their checksum, or compares it.
    ///
    /// # Errors
    /// [`Error::Npz`] with the array that does not fit; [`Error::InitChanged`].
    pub fn read(&mut self, shape: NetworkShape, limit: f64) -> Result<Weights, Error> {
        let weights = exchange::read_weights(&self.file, shape, limit)?;
        let checksum = exchange::checksum(&weights);
        if self.checksum.is_some_and(|known| known != checksum) {
            return Err(Error::InitChanged {
                path: self.file.clone(),
            });
        }
        self.checksum = Some(checksum);
        Ok(weights)
    }
}

/// What bears on the work alone and not on what is learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunConfig {
    /// Worker threads; 0 for one per processor.
    pub threads: usize,
    /// Longest time without a checkpoint.
    pub checkpoint_every: Seconds,
    /// Epochs from one test to the next; 0 tests after the last one alone, which is
    /// tested in any case when the run reaches it.
    pub test_every: u32,
}

impl Default for RunConfig {
    fn default() -> Self {
        Self {
            threads: 0,
            checkpoint_every: Seconds::new(10.0),
            test_every: 1,
        }
    }
}
