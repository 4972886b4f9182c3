//! From gradients to weights.

mod adam;
mod rule;
mod sgd;
mod smorms3;

use bss2_event::{Fault, SimdPath};
use serde::{Deserialize, Serialize};

pub use adam::AdamConfig;
pub use sgd::SgdConfig;
pub use smorms3::Smorms3Config;

use crate::error::LearnError;
use crate::network::{Layer, NetworkShape, Weights};
use crate::real::Real;
pub(crate) use rule::clamp;
use rule::{Rule, apply, state_len};

/// Which rule moves the weights, and its settings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum OptimiserConfig {
    /// Adam, the paper's choice.
    Adam(AdamConfig),
    /// SMORMS3, which finds its own averaging time for each weight.
    Smorms3(Smorms3Config),
    /// Gradient descent with momentum.
    Sgd(SgdConfig),
}

impl Default for OptimiserConfig {
    fn default() -> Self {
        Self::Adam(AdamConfig::default())
    }
}

impl OptimiserConfig {
    /// Numbers that the rule remembers for each weight.
    fn moments(&self) -> usize {
        match self {
            Self::Adam(_) => adam::MOMENTS,
            Self::Smorms3(_) => smorms3::MOMENTS,
            Self::Sgd(_) => sgd::MOMENTS,
        }
    }

    /// A number that keeps the quotient of a weight without a gradient finite: it is not
    /// zero as an f32.
    pub(crate) fn epsilon_fault(&self) -> Option<Fault> {
        let epsilon = match self {
            Self::Adam(c) => c.epsilon,
            Self::Smorms3(c) => c.epsilon,
            Self::Sgd(_) => return None,
        };
        let fits = epsilon >= f32::MIN_POSITIVE.into() && epsilon.is_finite();
        let fault = || Fault::new("optimiser.epsilon", epsilon, "finite numbers from 1.2e-38");
        (!fits).then(fault)
    }

    /// (field, value, end of the range that begins at zero).
    pub(crate) fn ranges(&self) -> Vec<(&'static str, f64, f64)> {
        match self {
            Self::Adam(c) => vec![
                ("optimiser.beta1", c.beta1, 1.0),
                ("optimiser.beta2", c.beta2, 1.0),
                ("optimiser.weight_decay", c.weight_decay, f64::INFINITY),
            ],
            Self::Smorms3(_) => vec![],
            Self::Sgd(c) => vec![("optimiser.momentum", c.momentum, 1.0)],
        }
    }
}

/// What an optimiser remembers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OptimiserState<T = f32> {
    steps: u64,
    /// One array for each projection, as [`rule`] lays it out.
    moments: Vec<Vec<T>>,
}

/// An optimiser of the weights of a network.
#[derive(Debug, Clone, PartialEq)]
pub struct Optimiser<T = f32> {
    config: OptimiserConfig,
    /// Projections that stay as they are.
    frozen: Vec<Layer>,
    /// Magnitude within which hidden and recurrent weights stay.
    limit: Option<T>,
    path: SimdPath,
    state: OptimiserState<T>,
}

impl<T: Real> Optimiser<T> {
    /// An optimiser that has not seen a gradient.
    #[must_use]
    pub fn new(config: OptimiserConfig, shape: NetworkShape) -> Self {
        let recurrent = shape.recurrent.then_some(shape.hidden * shape.hidden);
        let lengths = std::iter::once(shape.hidden * shape.inputs)
            .chain(recurrent)
            .chain(std::iter::once(shape.outputs * shape.hidden));
        let zeros = |weights| vec![T::ZERO; state_len(weights, config.moments())];
        Self {
            config,
            frozen: Vec::new(),
            limit: None,
            path: SimdPath::Native,
            state: OptimiserState {
                steps: 0,
                moments: lengths.map(zeros).collect(),
            },
        }
    }

    /// Leaves the weights of some projections as they are.
    #[must_use]
    pub fn freeze(mut self, layers: &[Layer]) -> Self {
        self.frozen = layers.to_vec();
        self
    }

    /// Keeps hidden and recurrent weights within a magnitude, as where hardware holds no
    /// larger ones: what an update moves beyond is set to it.
    #[must_use]
    pub fn within(mut self, limit: T) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Forces an instruction set, to compare their results.
    #[must_use]
    pub fn with_path(self, path: SimdPath) -> Self {
        Self { path, ..self }
    }

    /// What it remembers.
    #[must_use]
    pub fn state(&self) -> &OptimiserState<T> {
        &self.state
    }

    /// Goes on from what another one of the same kind remembered.
    ///
    /// # Errors
    /// [`LearnError::Restore`] when it was of another network or kind.
    pub fn restore(&mut self, state: OptimiserState<T>) -> Result<(), LearnError> {
        let (found, wanted) = (&state.moments, &self.state.moments);
        if found.iter().map(Vec::len).ne(wanted.iter().map(Vec::len)) {
            return Err(LearnError::Restore { part: "optimiser" });
        }
        self.state = state;
        Ok(())
    }

    /// Moves the weights once against their gradient.
    ///
    /// # Panics
    /// If weights or gradient are of another network than the optimiser.
    pub fn update(&mut self, rate: f64, weights: &mut Weights<T>, gradient: &Weights<T>) {
        self.state.steps += 1;
        match self.config {
            OptimiserConfig::Adam(config) => {
                self.apply(
                    adam::Adam::new(&config, rate, self.state.steps),
                    weights,
                    gradient,
                );
            }
            OptimiserConfig::Smorms3(config) => {
                self.apply(smorms3::Smorms3::new(&config, rate), weights, gradient);
            }
            OptimiserConfig::Sgd(config) => {
                self.apply(sgd::Sgd::new(&config, rate), weights, gradient);
            }
        }
    }

    fn apply<const N: usize>(
        &mut self,
        rule: impl Rule<T, N>,
        weights: &mut Weights<T>,
        gradient: &Weights<T>,
    ) {
        let parts = weights.layers_mut().zip(gradient.layers());
        for (((layer, w), (_, g)), state) in parts.zip(&mut self.state.moments) {
            if !self.frozen.contains(&layer) {
                let limit = self.limit.filter(|_| layer != Layer::Output);
                apply(
                    self.path,
                    rule,
                    limit,
                    w.as_mut_slice(),
                    g.as_slice(),
                    state,
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::DMatrix;

    use super::*;

    const SHAPE: NetworkShape = NetworkShape {
        inputs: 5,
        hidden: 37,
        outputs: 3,
        recurrent: true,
    };

    /// Every rule finds the minimum of a quadratic bowl, in both number types.
    fn descend<T: Real>(config: OptimiserConfig, rate: f64) -> f64 {
        let mut weights = Weights::<T>::zeros(SHAPE);
        weights.hidden = DMatrix::from_fn(37, 5, |i, j| T::from_f64((i as f64 - j as f64) / 9.0));
        let mut optimiser = Optimiser::new(config, SHAPE);
        for _ in 0..400 {
            let gradient = weights.clone();
            optimiser.update(rate, &mut weights, &gradient);
        }
        assert_eq!(optimiser.state().steps, 400);
        assert!(weights.output.iter().all(|w| *w == T::ZERO));
        weights
            .hidden
            .iter()
            .fold(0.0, |m: f64, w| m.max(w.to_f64().abs()))
    }

    #[test]
    fn rules_descend() {
        for (config, rate) in [
            (OptimiserConfig::default(), 0.03),
            (OptimiserConfig::Smorms3(Smorms3Config::default()), 0.03),
            (OptimiserConfig::Sgd(SgdConfig { momentum: 0.5 }), 0.1),
        ] {
            for left in [descend::<f32>(config, rate), descend::<f64>(config, rate)] {
                assert!(left < 0.02, "{config:?}: {left}");
            }
        }
    }

    #[test]
    fn hidden_and_recurrent_weights_stay_within_a_limit() {
        let mut weights = Weights::<f32>::zeros(SHAPE);
        let mut gradient = weights.clone();
        gradient.layers_mut().for_each(|(_, g)| g.fill(-1.0));
        gradient.hidden[(3, 2)] = 1.0;
        let mut optimiser = Optimiser::new(OptimiserConfig::default(), SHAPE).within(0.25);
        for _ in 0..3 {
            optimiser.update(0.1, &mut weights, &gradient);
        }
        assert_eq!(weights.hidden[(3, 2)], -0.25);
        for (layer, w) in weights.layers() {
            let largest = if layer == Layer::Output { 0.3 } else { 0.25 };
            assert!((w[(1, 4)] - largest).abs() < 1e-6, "{layer}: {w}");
        }
    }

    #[test]
    fn frozen_weights_stay() {
        let decaying = OptimiserConfig::Adam(AdamConfig {
            weight_decay: 0.1,
            ..AdamConfig::default()
        });
        for config in [decaying, OptimiserConfig::Smorms3(Smorms3Config::default())] {
            let mut weights = Weights::<f32>::zeros(SHAPE);
            weights.layers_mut().for_each(|(_, w)| w.fill(0.1));
            let (begin, gradient) = (weights.clone(), weights.clone());
            let mut optimiser = Optimiser::new(config, SHAPE).freeze(&[Layer::Recurrent]);
            optimiser.update(0.01, &mut weights, &gradient);
            assert_eq!(weights.recurrent, begin.recurrent);
            assert_ne!(weights.hidden, begin.hidden);
            assert_ne!(weights.output, begin.output);
        }
    }

    #[test]
    fn an_optimiser_of_another_network_is_noticed() {
        let mut optimiser = Optimiser::<f32>::new(OptimiserConfig::default(), SHAPE);
        let of = |config, shape| Optimiser::new(config, shape).state().clone();
        let adam = OptimiserConfig::default();
        optimiser.restore(of(adam, SHAPE)).unwrap();
        let larger = NetworkShape {
            hidden: 300,
            ..SHAPE
        };
        assert!(optimiser.restore(of(adam, larger)).is_err());
        let sgd = OptimiserConfig::Sgd(SgdConfig::default());
        assert!(optimiser.restore(of(sgd, SHAPE)).is_err());
    }
}
