//! Calibration: codes from observations.
//!
//! Sees only what a user of the chip sees - CADC codes and spikes - and sets
//! only what a user sets - CapMem codes and digital switches. Neurons are
//! calibrated as they will be used: joined circuits stay joined.
//!
//! - `probe`: runs experiments and averages them;
//! - `observe`: from averaged traces to the quantity that a cell controls;
//! - `search`: the binary search that all cells share;
//! - `stage`: which cell is searched by which observation;
//! - `neuron`: in which order;
//! - `report`: target against reached;
//! - `target`, `decalibration`: what each neuron is calibrated to;
//! - `saved`: what is kept.

mod decalibration;
mod neuron;
mod observe;
mod probe;
mod report;
mod saved;
mod search;
mod stage;
mod target;
#[cfg(test)]
mod tests;
mod verify;

use bss2_event::{RangeError, Seed};
use serde::{Deserialize, Serialize};

use crate::error::AnalogError;

pub use decalibration::{Decalibration, Detuned};
pub use neuron::{calibrate, characterise, configure};
pub use report::{CalibrationReport, Measured, Outcome, Quantity};
pub use saved::SavedCalibration;
pub use target::{NeuronTargets, TargetTable};

/// How a calibration is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CalibrationConfig {
    /// Seed of the noise that the measurements meet.
    pub seed: Seed,
    /// Repetitions of a measurement near the end of a search, 8..=4096; its
    /// beginning takes a quarter.
    pub trials: usize,
}

impl Default for CalibrationConfig {
    fn default() -> Self {
        Self {
            seed: Seed(0),
            trials: 64,
        }
    }
}

impl CalibrationConfig {
    fn validate(&self) -> Result<(), AnalogError> {
        Ok(RangeError::check(
            "calibration.trials",
            self.trials as f64,
            8.0,
            4096.0,
            "",
        )?)
    }
}
