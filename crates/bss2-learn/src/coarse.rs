//! Weights of fewer bits than a substrate holds.

use bss2_event::{Fault, Recording, SpikeBatch, TimeGrid};
use nalgebra::DMatrix;

use crate::error::LearnError;
use crate::network::{Layer, NetworkShape, Weights};
use crate::substrate::{RunReport, Substrate, SubstrateError, WriteReport};

/// A substrate whose weights are rounded to `bits` signed bits before they are written.
///
/// ```text
/// w' = round(w n / m) m / n,  n = 2^(bits - 1) - 1
/// ```
///
/// `m` is the limit of hidden and recurrent weights, and the largest magnitude of
/// output weights. A chip rounds to its own 7 bits afterwards.
///
/// # Source
/// Ours: the paper knows the chip's resolution only.
pub struct Coarse {
    inner: Box<dyn Substrate>,
    levels: WeightLevels,
    rounded: Weights,
}

/// The values that weights of so many bits can have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WeightLevels {
    /// On either side of zero.
    steps: f32,
    /// Of hidden and recurrent weights.
    limit: f32,
}

impl WeightLevels {
    /// Levels of 2 to 16 bits; `limit` is the largest hidden weight.
    ///
    /// # Errors
    /// [`LearnError::Config`] for other numbers of bits.
    pub fn new(bits: u32, limit: f64) -> Result<Self, LearnError> {
        if !(2..=16).contains(&bits) {
            let faults = vec![Fault::new("weight_bits", bits, "2 to 16")];
            return Err(LearnError::Config { faults });
        }
        Ok(Self {
            steps: ((1_u32 << (bits - 1)) - 1) as f32,
            limit: limit as f32,
        })
    }

    /// Rounds weights to the nearest level.
    ///
    /// # Panics
    /// If the two are of different networks.
    pub fn round(&self, weights: &Weights, rounded: &mut Weights) {
        for ((layer, from), (_, to)) in weights.layers().zip(rounded.layers_mut()) {
            let limit = match layer {
                Layer::Hidden | Layer::Recurrent => self.limit,
                Layer::Output => from.amax(),
            };
            round(from, to, limit, self.steps);
        }
    }
}

impl std::fmt::Debug for Coarse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Coarse")
            .field("levels", &self.levels)
            .finish_non_exhaustive()
    }
}

impl Coarse {
    /// Rounds to so many bits, 2 to 16; `limit` is the largest hidden weight.
    ///
    /// # Errors
    /// [`LearnError::Config`] for other numbers of bits.
    pub fn new(inner: Box<dyn Substrate>, bits: u32, limit: f64) -> Result<Self, LearnError> {
        Ok(Self {
            rounded: Weights::zeros(inner.shape()),
            levels: WeightLevels::new(bits, limit)?,
            inner,
        })
    }
}

fn round(from: &DMatrix<f32>, to: &mut DMatrix<f32>, limit: f32, steps: f32) {
    let (up, down) = if limit > 0.0 {
        (steps / limit, limit / steps)
    } else {
        (1.0, 1.0)
    };
    for (to, from) in to.iter_mut().zip(from) {
        *to = (from * up).round_ties_even() * down;
    }
}

impl Substrate for Coarse {
    fn shape(&self) -> NetworkShape {
        self.inner.shape()
    }

    fn time_grid(&self) -> TimeGrid {
        self.inner.time_grid()
    }

    fn warnings(&self) -> Vec<String> {
        self.inner.warnings()
    }

    fn least_batch(&self) -> usize {
        self.inner.least_batch()
    }

    fn write_weights(&mut self, weights: &Weights) -> Result<WriteReport, SubstrateError> {
        weights.check(self.shape()).map_err(SubstrateError::new)?;
        self.levels.round(weights, &mut self.rounded);
        let mut report = self.inner.write_weights(&self.rounded)?;
        // What is zero already, the substrate does not miss.
        for ((layer, from), (_, to)) in weights.layers().zip(self.rounded.layers()) {
            let vanished = to.iter().all(|w| *w == 0.0) && from.iter().any(|w| *w != 0.0);
            if vanished && !report.silent_layers.contains(&layer) {
                report.silent_layers.push(layer);
            }
        }
        Ok(report)
    }

    fn run(
        &mut self,
        batch: &SpikeBatch,
        recording: &mut Recording,
    ) -> Result<RunReport, SubstrateError> {
        self.inner.run(batch, recording)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Ideal, InitConfig, NeuronModel, Reset};
    use bss2_event::{Seconds, Seed};

    const SHAPE: NetworkShape = NetworkShape {
        inputs: 6,
        hidden: 9,
        outputs: 3,
        recurrent: false,
    };

    fn grid() -> TimeGrid {
        TimeGrid {
            steps: 12,
            dt: Seconds::micro(1.7),
        }
    }

    fn ideal() -> Box<dyn Substrate> {
        let model = NeuronModel::default();
        Box::new(Ideal::<f32>::new(SHAPE, grid(), &model, Reset::default()).unwrap())
    }

    fn drawn() -> Weights {
        let model = NeuronModel::default();
        InitConfig::default().draw(Seed(2), SHAPE, &model, grid().dt)
    }

    #[test]
    fn weights_lie_on_as_many_levels_as_bits_allow() {
        for bits in [2, 3, 7] {
            let mut coarse = Coarse::new(ideal(), bits, 0.3).unwrap();
            coarse.write_weights(&drawn()).unwrap();
            let steps = (1 << (bits - 1)) - 1;
            let output = drawn().output.amax();
            for (matrix, original, limit) in [
                (&coarse.rounded.hidden, &drawn().hidden, 0.3),
                (&coarse.rounded.output, &drawn().output, output),
            ] {
                let step = limit / steps as f32;
                for (w, original) in matrix.iter().zip(original) {
                    let level = w / step;
                    assert!((level - level.round()).abs() < 1e-4, "{bits} bits: {level}");
                    assert!((w - original).abs() <= 0.5001 * step);
                }
            }
            assert!((coarse.rounded.output.amax() - output).abs() < 1e-6 * output);
        }
        for bits in [0, 1, 17] {
            let error = Coarse::new(ideal(), bits, 0.3).unwrap_err().to_string();
            assert!(error.contains("weight_bits"), "{error}");
        }
    }

    #[test]
    fn layers_that_vanish_are_reported() {
        let silent = |bits| {
            let mut coarse = Coarse::new(ideal(), bits, 10.0).unwrap();
            coarse.write_weights(&drawn()).unwrap().silent_layers
        };
        assert_eq!(silent(2), [Layer::Hidden]);
        assert_eq!(silent(16), []);
    }

    #[test]
    fn many_bits_are_as_good_as_none_and_two_are_not() {
        let mut batch = SpikeBatch::new(6);
        let spikes = (0..6).map(|i| (Seconds::micro(1.0 + f64::from(i)), i as u16));
        batch.push(0, spikes).unwrap();
        let run = |substrate: &mut dyn Substrate| {
            let mut recording = Recording::default();
            substrate.write_weights(&drawn()).unwrap();
            substrate.run(&batch, &mut recording).unwrap();
            recording.traces().to_vec()
        };
        let distance = |bits| {
            let mut coarse = Coarse::new(ideal(), bits, 0.3).unwrap();
            let pairs = run(&mut coarse).into_iter().zip(run(ideal().as_mut()));
            pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
        };
        assert!(distance(16) < 1e-3, "{}", distance(16));
        assert!(distance(2) > 10.0 * distance(16));
    }
}
