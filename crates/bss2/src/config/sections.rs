//! The sections of a configuration and the ranges of their values.

use std::path::PathBuf;

use bss2_event::Seconds;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

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
    /// Digits drawn by the program itself.
    Generated,
}

/// Which images are learned.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// Name of the set.
    pub set: DataSet,
    /// Folder of its files; searched for where it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// How many training images are used, from the first; 0 for all.
    pub train_images: usize,
    /// How many test images are used, from the first; 0 for all.
    pub test_images: usize,
}

/// Size of the network; inputs and outputs follow from the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkConfig {
    /// Neurons of the hidden layer.
    pub hidden: usize,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self { hidden: 246 }
    }
}

/// How the network is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// Passes over the training images.
    pub epochs: u32,
    /// Images per step.
    pub batch: usize,
    /// Seed of initial weights, order and augmentation.
    pub seed: u32,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            epochs: 50,
            batch: 100,
            seed: 0,
        }
    }
}

/// What bears on the work alone and not on its result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunConfig {
    /// Worker threads; 0 for one per processor.
    pub threads: usize,
    /// Longest time without a checkpoint.
    pub checkpoint_every: Seconds,
}

impl Default for RunConfig {
    fn default() -> Self {
        Self {
            threads: 0,
            checkpoint_every: Seconds::new(10.0),
        }
    }
}
