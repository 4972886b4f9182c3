//! Sums of weight gradients over a batch.
//!
//! `dL/dW = sum over samples and t of gI[t] S[t-1]'`: each event adds one row
//! of adjoint currents. Tasks share out blocks of targets, not samples, and
//! each goes through the samples in their order: there are no partial sums to
//! join, and the result cannot depend on the number of threads.

use bss2_event::SimdPath;
use nalgebra::DMatrix;
use rayon::prelude::*;

use crate::adjoint::SampleAdjoint;
use crate::events::StepEvents;
use crate::lanes::{BlockedMatrix, LANES, Lanes};
use crate::real::Real;

/// Sums a projection's gradient over all samples into `gradient`. `of` gives, for a sample
/// and a block of targets, their adjoint currents `[time]` and the events that meet them.
pub(crate) fn sum<'a, T: Real>(
    gradient: &mut BlockedMatrix<T>,
    samples: &'a [SampleAdjoint<T>],
    path: SimdPath,
    of: impl Fn(usize, &'a SampleAdjoint<T>, usize) -> (&'a [Lanes<T>], StepEvents<'a>) + Sync,
) {
    if gradient.sources() == 0 {
        return;
    }
    gradient.blocks_mut().enumerate().for_each(|(block, rows)| {
        path.dispatch(
            #[inline(always)]
            || {
                rows.fill(Lanes::ZERO);
                for (i, sample) in samples.iter().enumerate() {
                    let (currents, events) = of(i, sample, block);
                    add_sample(rows, currents, events);
                }
            },
        );
    });
}

#[inline(always)]
fn add_sample<T: Real>(rows: &mut [Lanes<T>], currents: &[Lanes<T>], events: StepEvents<'_>) {
    for (t, current) in currents.iter().enumerate().skip(1) {
        let current = *current;
        for &source in events.at(t - 1) {
            let row = &mut rows[usize::from(source)];
            *row = row.plus(&current);
        }
    }
}

/// Numbers of a matrix that one task writes, about.
const TASK: usize = 1 << 13;

/// Gradients from here on have no place in f32 once they are squared: a moment that became
/// infinite would hold its weight for ever.
const LARGEST: f64 = 1e18;

/// Writes a blocked gradient as a matrix: each row times `keep[target]`, plus
/// `decay` times the weight. Says whether all of it are numbers within [`LARGEST`].
pub(crate) fn finish<T: Real>(
    gradient: &BlockedMatrix<T>,
    keep: Option<&[T]>,
    weights: &DMatrix<T>,
    decay: T,
    path: SimdPath,
    to: &mut DMatrix<T>,
) -> bool {
    let targets = to.nrows();
    if to.is_empty() {
        return true;
    }
    let weights = weights.as_slice().par_chunks(targets);
    to.as_mut_slice()
        .par_chunks_mut(targets)
        .zip(weights)
        .enumerate()
        .with_min_len((TASK / targets).max(1))
        .map(|(source, (column, weights))| {
            path.dispatch(
                #[inline(always)]
                || {
                    for (block, first) in (0..targets).step_by(LANES).enumerate() {
                        let row = &gradient.block(block)[source];
                        row.write(&mut column[first..]);
                    }
                    if let Some(keep) = keep {
                        for (g, &keep) in column.iter_mut().zip(keep) {
                            *g = *g * keep;
                        }
                    }
                    let (limit, mut within) = (T::from_f64(LARGEST), true);
                    for (g, &w) in column.iter_mut().zip(weights) {
                        *g += decay * w;
                        // Not with a NaN.
                        within &= g.abs() <= limit;
                    }
                    within
                },
            )
        })
        .reduce(|| true, |a, b| a & b)
}
