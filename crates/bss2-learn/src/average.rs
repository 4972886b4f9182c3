//! Weights averaged over the steps of a training.
//!
//! Each step of gradient descent scatters the weights about the minimum that it
//! follows; their average scatters less, and so does what rounding makes of it.
//! After step t, counted from 1,
//!
//! `mean += (weights - mean) / min(t, N)`:
//!
//! the plain mean of all steps up to step N, from then on one that forgets
//! earlier steps exponentially with a memory of N steps.
//!
//! # Source
//! Polyak & Juditsky, SIAM J. Control Optim. 30 (1992), for the mean; its
//! exponential form is common practice. N is DEFAULT 0, without an average, as
//! in Cramer et al. 2022.

use bss2_event::SimdPath;

use crate::network::Weights;

/// Moves `mean` to the average after a step, counted from 1, of which `weights`
/// are the result; `memory` is N, 1 or more.
pub(crate) fn follow(
    path: SimdPath,
    mean: &mut Weights,
    weights: &Weights,
    step: u64,
    memory: f64,
) {
    let share = (1.0 / memory.min(step as f64)) as f32;
    for ((_, mean), (_, weights)) in mean.layers_mut().zip(weights.layers()) {
        let (mean, weights) = (mean.as_mut_slice(), weights.as_slice());
        path.dispatch(
            #[inline(always)]
            || {
                for (mean, &w) in mean.iter_mut().zip(weights) {
                    *mean += share * (w - *mean);
                }
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::NetworkShape;

    #[test]
    fn it_is_the_mean_first_and_forgets_later() {
        let shape = NetworkShape {
            inputs: 3,
            hidden: 2,
            outputs: 1,
            recurrent: true,
        };
        let mut mean = Weights::zeros(shape);
        mean.hidden.fill(9.0); // the first step replaces it
        let mut expected = 0.0_f32;
        for step in 1..=6_u64 {
            let mut weights = Weights::zeros(shape);
            let value = (step * step) as f32;
            weights.layers_mut().for_each(|(_, w)| w.fill(value));
            follow(SimdPath::Native, &mut mean, &weights, step, 4.0);
            let t = step as f32;
            expected = match step {
                1..=4 => (t + 1.0) * (2.0 * t + 1.0) / 6.0,
                _ => expected + (value - expected) / 4.0,
            };
            for (layer, found) in mean.layers() {
                let close = |w: &f32| (w - expected).abs() < 1e-5;
                assert!(found.iter().all(close), "{layer}, step {step}: {found}");
            }
        }
    }
}
