//! Settings of a training.

use bss2_event::{Fault, Seed};
use serde::{Deserialize, Serialize};

use crate::bptt::Objective;
use crate::error::LearnError;
use crate::init::InitConfig;
use crate::loss::LossConfig;
use crate::network::Layer;
use crate::neuron::NeuronModel;
use crate::optim::OptimiserConfig;
use crate::quantise::QuantiseConfig;
use crate::regulariser::Regularisers;
use crate::schedule::Schedule;
use crate::surrogate::Surrogate;

/// How a network is trained. The default is the paper's protocol for 16x16
/// MNIST.
///
/// # Source
/// Cramer et al. 2022, public code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// Seed of initial weights, dropout and ties.
    pub seed: Seed,
    /// Learning rate of the first epoch.
    pub learning_rate: f64,
    /// Probability that a hidden neuron sits out a step, 0 to below 1.
    pub dropout: f64,
    /// Largest magnitude of hidden and recurrent weights: what the hardware
    /// can hold, 63/240.
    pub weight_limit: f64,
    /// The learner's idea of a neuron.
    pub model: NeuronModel,
    /// Derivative of the threshold.
    pub surrogate: Surrogate,
    /// Cross entropy of the readout.
    pub loss: LossConfig,
    /// Further terms of the loss.
    pub regularisers: Regularisers,
    /// From gradients to weights.
    pub optimiser: OptimiserConfig,
    /// Learning rate by epoch.
    pub schedule: Schedule,
    /// Initial weights.
    pub init: InitConfig,
    /// Projections whose weights are not learned: of `hidden`, `recurrent` and
    /// `output`.
    pub frozen: Vec<Layer>,
    /// Memory in steps of the averaged weights, which tests then use in place of
    /// those of the last step: the mean of all steps so far, and from this many on one
    /// that forgets earlier steps exponentially. 0 for no average.
    pub average_steps: f64,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            seed: Seed(0),
            learning_rate: 1.5e-3,
            dropout: 0.0,
            weight_limit: QuantiseConfig::default().hidden_limit(),
            model: NeuronModel::default(),
            surrogate: Surrogate::default(),
            loss: LossConfig::default(),
            regularisers: Regularisers::default(),
            optimiser: OptimiserConfig::default(),
            schedule: Schedule::default(),
            init: InitConfig::default(),
            frozen: Vec::new(),
            average_steps: 0.0,
        }
    }
}

impl TrainConfig {
    /// Checks every field.
    ///
    /// # Errors
    /// [`LearnError::Config`] with all faults.
    pub fn validate(&self) -> Result<(), LearnError> {
        let mut faults = self.model.faults();
        faults.extend(self.schedule.faults());
        faults.extend(self.optimiser.epsilon_fault());
        let (surrogate, steepness) = self.surrogate.parameter();
        let from_zero = [
            ("learning_rate", self.learning_rate, f64::INFINITY),
            ("dropout", self.dropout, 1.0),
            ("weight_limit", self.weight_limit, f64::INFINITY),
            ("loss.scaling", self.loss.scaling, f64::INFINITY),
            ("init.gain", self.init.gain, f64::INFINITY),
            ("loss.label_smoothing", self.loss.label_smoothing, 1.0),
            (surrogate, steepness, f64::INFINITY),
        ];
        let regularisers = self
            .regularisers
            .named()
            .map(|(name, v)| (name, v, f64::INFINITY));
        let ranges = from_zero
            .into_iter()
            .chain(regularisers)
            .chain(self.optimiser.ranges());
        for (name, value, end) in ranges {
            if !(0.0..end).contains(&value) {
                let allowed = if end.is_finite() {
                    format!("0 to below {end}")
                } else {
                    "finite numbers from 0".to_owned()
                };
                faults.push(Fault::new(name, value, allowed));
            }
        }
        for (name, value) in [
            ("init.mean_hidden", self.init.mean_hidden),
            ("init.mean_output", self.init.mean_output),
        ] {
            if !value.is_finite() {
                faults.push(Fault::new(name, value, "finite numbers"));
            }
        }
        let steps = self.average_steps;
        if steps != 0.0 && !(1.0..f64::INFINITY).contains(&steps) {
            faults.push(Fault::new("average_steps", steps, "0, or 1 and more"));
        }
        LearnError::from_faults(faults)
    }

    pub(crate) fn objective(&self) -> Objective {
        Objective {
            model: self.model,
            surrogate: self.surrogate,
            loss: self.loss,
            regularisers: self.regularisers,
        }
    }
}

#[cfg(test)]
mod tests {
    use bss2_event::Seconds;

    use super::*;

    #[test]
    fn the_default_is_valid_and_all_faults_are_reported() {
        TrainConfig::default().validate().unwrap();
        let mut config = TrainConfig {
            dropout: 1.0,
            learning_rate: f64::NAN,
            schedule: Schedule::Cosine {
                epochs: 0,
                warm_up: 0,
            },
            average_steps: 0.5,
            ..TrainConfig::default()
        };
        config.model.tau_mem = Seconds::new(0.0);
        config.regularisers.bursts = -1.0;
        let text = config.validate().unwrap_err().to_string();
        for field in [
            "model.tau_mem is 0 s",
            "dropout is 1, allowed are 0 to below 1",
            "learning_rate is NaN",
            "schedule.epochs",
            "average_steps is 0.5, allowed are 0, or 1 and more",
            "regularisers.bursts is -1",
        ] {
            assert!(text.contains(field), "{field}: {text}");
        }
    }

    #[test]
    fn text_round_trips_and_unknown_keys_are_refused() {
        use crate::optim::{AdamConfig, SgdConfig, Smorms3Config};

        for optimiser in [
            OptimiserConfig::Adam(AdamConfig::default()),
            OptimiserConfig::Smorms3(Smorms3Config::default()),
            OptimiserConfig::Sgd(SgdConfig { momentum: 0.9 }),
        ] {
            let config = TrainConfig {
                optimiser,
                ..TrainConfig::default()
            };
            let text = toml::to_string(&config).unwrap();
            assert_eq!(toml::from_str::<TrainConfig>(&text).unwrap(), config);
        }
        let some = "[surrogate]\nkind = \"triangle\"\ngamma = 0.3\n[optimiser]\nkind = \"adam\"";
        let config: TrainConfig = toml::from_str(some).unwrap();
        assert_eq!(config.surrogate, Surrogate::Triangle { gamma: 0.3 });
        assert_eq!(config.optimiser, OptimiserConfig::default());
        for unknown in [
            "learningrate = 1.0",
            "[surrogate]\nkind = \"super-spike\"\nbeta = 1.0\ngamma = 0.3",
            "[optimiser]\nkind = \"adam\"\nmomentum = 0.9",
            "[optimiser]\nkind = \"adamw\"",
            "[schedule]\nkind = \"constant\"\nfactor = 0.5",
            "[model]\ntau_mem = 6e-6",
        ] {
            assert!(toml::from_str::<TrainConfig>(unknown).is_err(), "{unknown}");
        }
    }
}
