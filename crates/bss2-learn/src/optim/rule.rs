//! Applying the rule of one weight to all of them.
//!
//! State is laid out `[block of 32 weights][moment][lane]`, the last block
//! padded: what a block needs lies together, whatever the number of moments.

use bss2_event::SimdPath;
use rayon::prelude::*;

use crate::lanes::{LANES, Lanes, blocks};
use crate::real::Real;

/// How one weight moves; `N` numbers are remembered for it.
pub(crate) trait Rule<T, const N: usize>: Copy + Sync + Send {
    /// Weight and moments after a gradient.
    fn step(self, weight: T, gradient: T, moments: [T; N]) -> (T, [T; N]);
}

/// Length of the state of so many weights.
pub(crate) fn state_len(weights: usize, moments: usize) -> usize {
    blocks(weights) * LANES * moments
}

/// Weights that one task updates.
const TASK: usize = 256 * LANES;

pub(crate) fn apply<T: Real, const N: usize>(
    rule: impl Rule<T, N>,
    weights: &mut [T],
    gradient: &[T],
    state: &mut [T],
) {
    assert_eq!(weights.len(), gradient.len(), "a gradient for each weight");
    assert_eq!(
        state.len(),
        state_len(weights.len(), N),
        "state of these weights"
    );
    weights
        .par_chunks_mut(TASK)
        .zip(gradient.par_chunks(TASK))
        .zip(state.par_chunks_mut(N * TASK))
        .for_each(|((weights, gradient), state)| {
            SimdPath::Native.dispatch(
                #[inline(always)]
                || apply_task(rule, weights, gradient, state),
            );
        });
}

#[inline(always)]
fn apply_task<T: Real, const N: usize>(
    rule: impl Rule<T, N>,
    weights: &mut [T],
    gradient: &[T],
    state: &mut [T],
) {
    let (state, _) = state.as_chunks_mut::<LANES>();
    let parts = weights.chunks_mut(LANES).zip(gradient.chunks(LANES));
    for ((weights, gradient), state) in parts.zip(state.chunks_exact_mut(N)) {
        let mut w = Lanes::read(weights, T::ZERO);
        let g = Lanes::read(gradient, T::ZERO);
        let state: &mut [[T; LANES]; N] = state.try_into().expect("chunks of N blocks");
        for l in 0..LANES {
            let mut moments = [T::ZERO; N];
            for k in 0..N {
                moments[k] = state[k][l];
            }
            let (weight, moments) = rule.step(w.0[l], g.0[l], moments);
            w.0[l] = weight;
            for k in 0..N {
                state[k][l] = moments[k];
            }
        }
        w.write(weights);
    }
}
