//! Terms that keep activity and weights small.

use serde::{Deserialize, Serialize};

use crate::network::Layer;

/// Strengths of the regularisers; zero switches a term off.
///
/// # Source
/// Cramer et al. 2022, public code; defaults are those for MNIST.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Regularisers {
    /// Times the mean over samples and hidden neurons of `(sum_t S)^2`.
    pub bursts: f64,
    /// Times the mean of the squared hidden weights.
    pub weights_hidden: f64,
    /// Times the mean of the squared recurrent weights.
    pub weights_recurrent: f64,
    /// Times the mean of the squared output weights.
    pub weights_output: f64,
    /// Times the mean over samples and outputs of the squared scores `z^2`.
    pub readout: f64,
    /// Times the mean over samples of `max(0, sum_{i,t} S - theta)^2`.
    pub homeostatic: f64,
    /// Hidden spikes per sample, theta, from which the homeostatic term acts.
    pub theta_homeostatic: f64,
}

impl Default for Regularisers {
    fn default() -> Self {
        Self {
            bursts: 5e-4,
            weights_hidden: 0.1,
            ..Self::NONE
        }
    }
}

impl Regularisers {
    /// No term at all.
    pub const NONE: Self = Self {
        bursts: 0.0,
        weights_hidden: 0.0,
        weights_recurrent: 0.0,
        weights_output: 0.0,
        readout: 0.0,
        homeostatic: 0.0,
        theta_homeostatic: 0.0,
    };

    pub(crate) fn named(&self) -> [(&'static str, f64); 7] {
        [
            ("regularisers.bursts", self.bursts),
            ("regularisers.weights_hidden", self.weights_hidden),
            ("regularisers.weights_recurrent", self.weights_recurrent),
            ("regularisers.weights_output", self.weights_output),
            ("regularisers.readout", self.readout),
            ("regularisers.homeostatic", self.homeostatic),
            ("regularisers.theta_homeostatic", self.theta_homeostatic),
        ]
    }

    /// Strength of the term of a projection's weights.
    pub(crate) fn weights(&self, layer: Layer) -> f64 {
        match layer {
            Layer::Hidden => self.weights_hidden,
            Layer::Recurrent => self.weights_recurrent,
            Layer::Output => self.weights_output,
        }
    }

    /// How far a sample's hidden spikes are above theta.
    pub(crate) fn excess(&self, spikes: u64) -> f64 {
        (spikes as f64 - self.theta_homeostatic).max(0.0)
    }
}

/// The loss of a batch, term by term.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct LossTerms {
    /// Cross entropy.
    pub nll: f64,
    /// Burst regulariser.
    pub bursts: f64,
    /// Terms of hidden, recurrent and output weights.
    pub weights: f64,
    /// Readout regulariser.
    pub readout: f64,
    /// Homeostatic regulariser.
    pub homeostatic: f64,
}

impl LossTerms {
    /// Sum of all terms.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.nll + self.bursts + self.weights + self.readout + self.homeostatic
    }
}
