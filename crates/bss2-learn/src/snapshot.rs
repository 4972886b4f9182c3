//! What a training is, between two steps.

use bss2_event::TimeGrid;
use serde::{Deserialize, Serialize};

use crate::config::TrainConfig;
use crate::network::{NetworkShape, Weights};
use crate::optim::OptimiserState;

/// A training between two steps. Random draws are addressed by seed, epoch and
/// step, so there is no generator to be stored, and a training that goes on
/// from here ends with the same bits as one that was never stopped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    pub(crate) digest: u32,
    pub(crate) epoch: u32,
    pub(crate) step: u64,
    pub(crate) weights: Weights,
    /// Averaged weights, of a training that keeps them.
    pub(crate) average: Option<Weights>,
    pub(crate) optimiser: OptimiserState,
}

impl Snapshot {
    /// Epochs that were over.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.epoch
    }
    /// Steps that were over, in all epochs.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.step
    }
    /// Weights as they were learned.
    #[must_use]
    pub fn weights(&self) -> &Weights {
        &self.weights
    }
    /// Weights that tests use: averaged ones where there are any.
    #[must_use]
    pub fn tested_weights(&self) -> &Weights {
        self.average.as_ref().unwrap_or(&self.weights)
    }

    /// A number that tells configurations apart.
    pub(crate) fn digest(config: &TrainConfig, shape: NetworkShape, grid: TimeGrid) -> u32 {
        let parts = (config, shape, grid);
        let bytes = bincode::serde::encode_to_vec(parts, bincode::config::standard())
            .expect("plain settings are encoded into memory");
        crc32fast::hash(&bytes)
    }
}
