//! Random networks and inputs from a seed.

use bss2_event::random::{Address, Domain};
use bss2_event::{Seconds, Seed, SpikeBatch, TimeGrid};
use bss2_learn::{NetworkShape, Weights};
use nalgebra::DVector;

use super::batch_from_bins;

pub(crate) struct Random {
    pub(crate) shape: NetworkShape,
    pub(crate) grid: TimeGrid,
    pub(crate) weights: Weights<f64>,
    pub(crate) batch: SpikeBatch,
    /// `[sample][time]`.
    pub(crate) inputs: Vec<Vec<DVector<f64>>>,
    pub(crate) labels: Vec<u8>,
}

impl Random {
    /// A network whose hidden neurons fire a few times per sample.
    pub(crate) fn new(seed: u64, shape: NetworkShape, steps: usize, samples: usize) -> Self {
        let at = |what: u64| Address::new(Seed(seed), Domain::Test).sample(what);
        let mut weights = Weights::zeros(shape);
        let gain = 4.0 / (shape.inputs as f64).sqrt();
        for (k, (_, matrix)) in weights.layers_mut().enumerate() {
            let address = at(k as u64);
            for (i, w) in matrix.iter_mut().enumerate() {
                *w = gain * (0.02 + 0.25 * address.element(i as u32).normal(0));
            }
        }
        let grid = TimeGrid {
            steps,
            dt: Seconds::micro(1.7),
        };
        let draws = at(9);
        let bins: Vec<u8> = (0..(samples * steps * shape.inputs) as u32)
            .map(|i| draws.element(i).uniform(0))
            .map(|draw| u8::from(draw < 0.12) + u8::from(draw < 0.03))
            .collect();
        let inputs = bins
            .chunks_exact(steps * shape.inputs)
            .map(|sample| {
                let rows = sample.chunks_exact(shape.inputs);
                rows.map(|row| DVector::from_iterator(row.len(), row.iter().map(|&n| n.into())))
                    .collect()
            })
            .collect();
        Self {
            shape,
            grid,
            weights,
            batch: batch_from_bins(&bins, shape.inputs, grid),
            inputs,
            labels: (0..samples).map(|i| (i % shape.outputs) as u8).collect(),
        }
    }

    /// The weights in single precision.
    pub(crate) fn weights_f32(&self) -> Weights {
        let narrow = |w: &nalgebra::DMatrix<f64>| w.map(|v| v as f32);
        Weights {
            hidden: narrow(&self.weights.hidden),
            recurrent: self.weights.recurrent.as_ref().map(narrow),
            output: narrow(&self.weights.output),
        }
    }
}
