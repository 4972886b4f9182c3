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
//! - `neuron`: in which order.

mod neuron;
mod observe;
mod probe;
mod search;
mod stage;
#[cfg(test)]
mod tests;

use bss2_event::{RangeError, Seconds, Seed};
use serde::{Deserialize, Serialize};

use crate::error::AnalogError;

pub use neuron::{calibrate, characterise, configure};

/// What a neuron is calibrated to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NeuronTargets {
    /// Resting potential, CADC codes, 50..=160.
    pub leak: f64,
    /// Reset potential, CADC codes, 50..=160.
    pub reset: f64,
    /// Threshold, CADC codes, 50..=220.
    pub threshold: f64,
    /// Membrane time constant, 0.5 to 60 us.
    pub tau_mem: Seconds,
    /// Time constant of both synaptic inputs, 0.3 to 30 us.
    pub tau_syn: Seconds,
    /// Refractory period, 40 ns to 32 us.
    pub refractory: Seconds,
    /// Charge of an event of weight 63 relative to the nominal one, with which
    /// a weight of 240 moves the membrane as far as a weight of 1 moves the
    /// learner's; 0.1 to 4.
    pub strength: f64,
}

impl Default for NeuronTargets {
    /// Those of the published chip.
    fn default() -> Self {
        Self {
            leak: 80.0,
            reset: 80.0,
            threshold: 150.0,
            tau_mem: Seconds::micro(6.0),
            tau_syn: Seconds::micro(6.0),
            refractory: Seconds::micro(2.0),
            strength: 1.0,
        }
    }
}

impl NeuronTargets {
    /// Checks every target.
    ///
    /// # Errors
    /// The first target outside its range.
    pub fn validate(&self) -> Result<(), RangeError> {
        RangeError::check("targets.leak", self.leak, 50.0, 160.0, "")?;
        RangeError::check("targets.reset", self.reset, 50.0, 160.0, "")?;
        RangeError::check("targets.threshold", self.threshold, 50.0, 220.0, "")?;
        RangeError::check("targets.tau_mem", self.tau_mem.as_micro(), 0.5, 60.0, "us")?;
        RangeError::check("targets.tau_syn", self.tau_syn.as_micro(), 0.3, 30.0, "us")?;
        RangeError::check(
            "targets.refractory",
            self.refractory.as_micro(),
            0.04,
            32.0,
            "us",
        )?;
        RangeError::check("targets.strength", self.strength, 0.1, 4.0, "")
    }
}

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

/// What a calibrated, or merely measured, quantity is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Resting potential, CADC codes.
    Leak,
    /// Reset potential, CADC codes.
    Reset,
    /// Threshold, CADC codes.
    Threshold,
    /// Membrane time constant, microseconds.
    TauMem,
    /// Excitatory synaptic time constant of the membrane's circuit, microseconds.
    TauSynExc,
    /// Inhibitory synaptic time constant of the membrane's circuit, microseconds.
    TauSynInh,
    /// Excitatory time constant of the joined circuit, microseconds.
    PartnerTauSynExc,
    /// Inhibitory time constant of the joined circuit, microseconds.
    PartnerTauSynInh,
    /// Relative excitatory strength of the membrane's circuit.
    StrengthExc,
    /// Relative inhibitory strength of the membrane's circuit.
    StrengthInh,
    /// Relative excitatory strength of the joined circuit.
    PartnerStrengthExc,
    /// Relative inhibitory strength of the joined circuit.
    PartnerStrengthInh,
}

impl Quantity {
    /// Name and unit for tables.
    #[must_use]
    pub fn label(self) -> (&'static str, &'static str) {
        match self {
            Self::Leak => ("leak", "LSB"),
            Self::Reset => ("reset", "LSB"),
            Self::Threshold => ("threshold", "LSB"),
            Self::TauMem => ("tau_mem", "us"),
            Self::TauSynExc => ("tau_syn exc", "us"),
            Self::TauSynInh => ("tau_syn inh", "us"),
            Self::PartnerTauSynExc => ("tau_syn exc, partner", "us"),
            Self::PartnerTauSynInh => ("tau_syn inh, partner", "us"),
            Self::StrengthExc => ("strength exc", ""),
            Self::StrengthInh => ("strength inh", ""),
            Self::PartnerStrengthExc => ("strength exc, partner", ""),
            Self::PartnerStrengthInh => ("strength inh, partner", ""),
        }
    }

    /// Distance from the target beyond which a neuron counts as failed: six
    /// times what the calibration is expected to leave.
    ///
    /// # Source
    /// Hardware fact sheet, section 8, last column.
    fn tolerance(self, target: f64) -> f64 {
        match self {
            Self::Leak | Self::Reset => 6.0,
            Self::Threshold => 9.0,
            Self::TauMem => 0.21 * target,
            Self::TauSynExc | Self::TauSynInh | Self::PartnerTauSynExc | Self::PartnerTauSynInh => {
                0.18 * target
            }
            _ => 0.24 * target,
        }
    }
}

/// Target and measurement of one quantity for every neuron.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Which quantity.
    pub quantity: Quantity,
    /// `[neuron]`: what it should be.
    pub target: Vec<f64>,
    /// `[neuron]`: what was measured.
    pub reached: Vec<f64>,
}

impl Measured {
    /// Mean and standard deviation of what was reached.
    #[must_use]
    pub fn mean_and_sd(&self) -> (f64, f64) {
        let n = self.reached.len().max(1) as f64;
        let mean = self.reached.iter().sum::<f64>() / n;
        let variance = self.reached.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
        (mean, variance.sqrt())
    }

    /// Root mean square distance from the targets.
    #[must_use]
    pub fn rms_error(&self) -> f64 {
        let n = self.reached.len().max(1) as f64;
        let sum: f64 = self
            .reached
            .iter()
            .zip(&self.target)
            .map(|(r, t)| (r - t).powi(2))
            .sum();
        (sum / n).sqrt()
    }

    /// Neurons that are too far from their target.
    pub fn failures(&self) -> impl Iterator<Item = usize> + '_ {
        self.reached
            .iter()
            .zip(&self.target)
            .enumerate()
            .filter_map(|(neuron, (reached, target))| {
                // Not `>`: a quantity that could not be measured failed as well.
                let good = (reached - target).abs() <= self.quantity.tolerance(*target);
                (!good).then_some(neuron)
            })
    }
}

/// Every quantity of every neuron.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CalibrationReport {
    /// One entry per quantity.
    pub quantities: Vec<Measured>,
}

impl CalibrationReport {
    /// The entry of a quantity, if the network has it.
    #[must_use]
    pub fn get(&self, quantity: Quantity) -> Option<&Measured> {
        self.quantities.iter().find(|m| m.quantity == quantity)
    }

    /// Neurons that failed in any quantity, ascending.
    #[must_use]
    pub fn failed_neurons(&self) -> Vec<usize> {
        let mut failed: Vec<_> = self
            .quantities
            .iter()
            .flat_map(Measured::failures)
            .collect();
        failed.sort_unstable();
        failed.dedup();
        failed
    }
}
