//! Applying the rule of one weight to all of them.
//!
//! State is laid out `[block of 32 weights][moment][lane]`, the last block
//! padded: what a block needs lies together, whatever the number of moments.
//! Checkpoints hold it so: another layout is another version of the format.

use bss2_event::SimdPath;
use rayon::prelude::*;

use crate::real::Real;

/// How one weight moves; `N` numbers are remembered for it.
pub(crate) trait Rule<T, const N: usize>: Copy + Sync + Send {
    /// Weight and moments after a gradient.
    fn step(self, weight: T, gradient: T, moments: [T; N]) -> (T, [T; N]);
}

/// Weights of a block.
const BLOCK: usize = 32;

/// Length of the state of so many weights.
pub(crate) fn state_len(weights: usize, moments: usize) -> usize {
    weights.next_multiple_of(BLOCK) * moments
}

/// Weights that one task updates.
const TASK: usize = 256 * BLOCK;

/// Moves weights once; those that are limited end within it.
pub(crate) fn apply<T: Real, const N: usize>(
    path: SimdPath,
    rule: impl Rule<T, N>,
    limit: Option<T>,
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
            path.dispatch(
                #[inline(always)]
                || {
                    apply_task(rule, weights, gradient, state);
                    // While they are in a near cache.
                    if let Some(limit) = limit {
                        clamp(weights, limit);
                    }
                },
            );
        });
}

/// Keeps numbers within a magnitude; what is no number stays so.
#[inline(always)]
pub(crate) fn clamp<T: Real>(weights: &mut [T], limit: T) {
    for w in weights {
        *w = (-limit).larger(limit.smaller(*w));
    }
}

#[inline(always)]
fn apply_task<T: Real, const N: usize>(
    rule: impl Rule<T, N>,
    weights: &mut [T],
    gradient: &[T],
    state: &mut [T],
) {
    let (weights, last_weights) = weights.as_chunks_mut::<BLOCK>();
    let (gradient, last_gradient) = gradient.as_chunks::<BLOCK>();
    let (state, _) = state.as_chunks_mut::<BLOCK>();
    let (whole, last) = state.split_at_mut(N * weights.len());
    let blocks = weights.iter_mut().zip(gradient);
    for ((weights, gradient), state) in blocks.zip(whole.chunks_exact_mut(N)) {
        *weights = apply_block(rule, *weights, gradient, state);
    }
    if !last.is_empty() {
        let (mut w, mut g) = ([T::ZERO; BLOCK], [T::ZERO; BLOCK]);
        w[..last_weights.len()].copy_from_slice(last_weights);
        g[..last_gradient.len()].copy_from_slice(last_gradient);
        w = apply_block(rule, w, &g, last);
        last_weights.copy_from_slice(&w[..last_weights.len()]);
    }
}

/// Weights after their gradient.
#[inline(always)]
fn apply_block<T: Real, const N: usize>(
    rule: impl Rule<T, N>,
    mut weights: [T; BLOCK],
    gradient: &[T; BLOCK],
    state: &mut [[T; BLOCK]],
) -> [T; BLOCK] {
    let state: &mut [[T; BLOCK]; N] = state.try_into().expect("chunks of N blocks");
    for l in 0..BLOCK {
        let mut moments = [T::ZERO; N];
        for k in 0..N {
            moments[k] = state[k][l];
        }
        let (weight, moments) = rule.step(weights[l], gradient[l], moments);
        weights[l] = weight;
        for k in 0..N {
            state[k][l] = moments[k];
        }
    }
    weights
}
