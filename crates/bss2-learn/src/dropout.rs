//! Hidden neurons that sit out a step of training.

use bss2_event::Seed;
use bss2_event::random::{Address, Domain};

use crate::network::Weights;

/// The neurons that stay, for one step of training: 1 for those kept, 0 for
/// those whose weights from the inputs are written as zero. Kept neurons are not
/// rescaled. In a recurrent network dropped neurons still get what others send.
///
/// # Source
/// Cramer et al. 2022, public code: one mask for all samples of a step, on the weights of
/// the inputs alone (of recurrent networks read from it: no reference array has both).
#[derive(Debug, Clone, PartialEq)]
pub struct DropoutMask {
    keep: Vec<f32>,
}

impl DropoutMask {
    /// A mask for so many neurons that keeps all.
    #[must_use]
    pub fn all(hidden: usize) -> Self {
        Self {
            keep: vec![1.0; hidden],
        }
    }

    /// Draws the mask of a step of training, counted from 0 over all epochs.
    pub fn draw(&mut self, seed: Seed, step: u64, probability: f64) {
        let address = Address::new(seed, Domain::Dropout).sample(step);
        for (neuron, keep) in self.keep.iter_mut().enumerate() {
            let dropped = address.element(neuron as u32).uniform(0) < probability;
            *keep = if dropped { 0.0 } else { 1.0 };
        }
    }

    /// `[hidden]`: 1 for a neuron that is kept, else 0.
    #[must_use]
    pub fn keep(&self) -> &[f32] {
        &self.keep
    }

    /// Copies weights, those from the inputs to dropped neurons as zero.
    pub fn apply(&self, weights: &Weights, masked: &mut Weights) {
        for ((_, from), (_, to)) in weights.layers().zip(masked.layers_mut()) {
            to.copy_from(from);
        }
        for mut column in masked.hidden.column_iter_mut() {
            for (w, keep) in column.iter_mut().zip(&self.keep) {
                *w *= keep;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_drops_its_share_and_differs_by_step() {
        let draw = |step| {
            let mut mask = DropoutMask::all(10_000);
            mask.draw(Seed(3), step, 0.4);
            mask
        };
        let kept: f32 = draw(0).keep().iter().sum();
        assert!((kept - 6_000.0).abs() < 5.0 * 2_400_f32.sqrt(), "{kept}");
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(0), draw(1));
    }
}
