//! Initial weights.

use bss2_event::random::{Address, Domain};
use bss2_event::{Seconds, Seed};
use serde::{Deserialize, Serialize};

use crate::network::{Layer, NetworkShape, Weights};
use crate::neuron::NeuronModel;

/// Normal weights with standard deviation `gain (1 - e^(-dt/tau_mem)) /
/// sqrt(sources)`.
///
/// # Source
/// Cramer et al. 2022, public code, for hidden and output weights; recurrent
/// ones follow the same rule with mean 0, our choice.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InitConfig {
    /// Gain of the standard deviation.
    pub gain: f64,
    /// Mean of hidden weights.
    pub mean_hidden: f64,
    /// Mean of output weights.
    pub mean_output: f64,
}

impl Default for InitConfig {
    fn default() -> Self {
        Self {
            gain: 0.7,
            mean_hidden: 1e-3,
            mean_output: 0.0,
        }
    }
}

impl InitConfig {
    /// Draws the weights of a network; each is a pure function of the seed, its
    /// projection and its place.
    #[must_use]
    pub fn draw(
        &self,
        seed: Seed,
        shape: NetworkShape,
        model: &NeuronModel,
        dt: Seconds,
    ) -> Weights {
        let mut weights = Weights::zeros(shape);
        let scale = self.gain * (1.0 - libm::exp(-(dt / model.tau_mem)));
        for (layer, matrix) in weights.layers_mut() {
            let (index, mean) = match layer {
                Layer::Hidden => (0, self.mean_hidden),
                Layer::Recurrent => (1, 0.0),
                Layer::Output => (2, self.mean_output),
            };
            let address = Address::new(seed, Domain::WeightInit).sample(index);
            let sd = scale / libm::sqrt(matrix.ncols().max(1) as f64);
            for (i, w) in matrix.iter_mut().enumerate() {
                *w = (mean + sd * address.element(i as u32).normal(0)) as f32;
            }
        }
        weights
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_have_the_stated_moments() {
        let shape = NetworkShape {
            inputs: 256,
            hidden: 246,
            outputs: 10,
            recurrent: false,
        };
        let dt = Seconds::micro(1.7);
        let draw =
            |seed| InitConfig::default().draw(Seed(seed), shape, &NeuronModel::default(), dt);
        let weights = draw(1);
        let n = weights.hidden.len() as f64;
        let mean = weights.hidden.iter().map(|w| f64::from(*w)).sum::<f64>() / n;
        let square = weights
            .hidden
            .iter()
            .map(|w| f64::from(*w).powi(2))
            .sum::<f64>()
            / n;
        let sd = 0.7 * (1.0 - (-1.7_f64 / 6.0).exp()) / 16.0;
        assert!((mean - 1e-3).abs() < 5.0 * sd / n.sqrt());
        assert!((square - mean * mean - sd * sd).abs() < 5.0 * sd * sd * (2.0 / n).sqrt());
        assert_eq!(weights, draw(1));
        assert_ne!(weights, draw(2));
    }
}
