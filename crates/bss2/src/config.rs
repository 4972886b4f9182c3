//! The description of an experiment: one TOML file, one structure.
//!
//! `Experiment::default()` is the protocol of the paper on the emulated chip.
//! Every section refuses unknown keys; quantities carry their unit
//! (`tau_in = "8 us"`).

mod check;
mod difference;
mod load;
mod sections;

pub use difference::{Difference, obstacles};
pub use load::{Assignment, ConfigError, load};
pub use sections::{DataConfig, DataSet, NetworkConfig, RunConfig, SubstrateKind, TrainConfig};

use std::fmt;

use serde::{Deserialize, Serialize};

/// A whole experiment.
///
/// # Source
/// Defaults are the protocol for 16x16 MNIST of Cramer et al., PNAS 2022, and
/// its public code.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Experiment {
    /// What the network runs on.
    pub substrate: SubstrateKind,
    /// Which images are learned.
    pub data: DataConfig,
    /// Size of the network.
    pub network: NetworkConfig,
    /// How it is trained.
    pub train: TrainConfig,
    /// What bears on the work alone and not on its result.
    pub run: RunConfig,
}

/// One value outside its range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The key's path, joined by dots.
    pub key: String,
    /// The value as given.
    pub value: String,
    /// What would be right.
    pub allowed: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            key,
            value,
            allowed,
        } = self;
        write!(f, "{key} is {value}, allowed are {allowed}")
    }
}

/// The experiment as the text of a configuration file.
#[must_use]
pub fn to_toml(experiment: &Experiment) -> String {
    toml::to_string(experiment).expect("an experiment is a TOML table")
}
