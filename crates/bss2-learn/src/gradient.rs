//! Sums of weight gradients over a batch.
//!
//! `dL/dW = sum over samples and t of gI[t] S[t-1]'`: each event adds one row
//! of adjoint currents. A batch is cut into a few parts, whatever the number of threads; each
//! is summed sample by sample, while what the sample went backwards with is in a near cache, and
//! parts are joined in their order: the result cannot depend on the number of threads.

use bss2_event::{SampleSpikes, SimdPath};
use nalgebra::DMatrix;
use rayon::prelude::*;

use crate::adjoint::Adjoint;
use crate::events::StepEvents;
use crate::lanes::{BlockedMatrix, Lanes, OUTPUT_LANES, write_first};
use crate::network::NetworkShape;
use crate::real::Real;

/// Sums over some samples.
#[derive(Debug, Clone)]
pub(crate) struct Sums<T> {
    pub(crate) hidden: BlockedMatrix<T>,
    pub(crate) recurrent: Option<BlockedMatrix<T>>,
    pub(crate) output: BlockedMatrix<T, OUTPUT_LANES>,
}

impl<T: Real> Sums<T> {
    pub(crate) fn zeros(shape: NetworkShape) -> Self {
        let to_hidden = |sources| BlockedMatrix::zeros(shape.hidden, sources);
        Self {
            hidden: to_hidden(shape.inputs),
            recurrent: shape.recurrent.then(|| to_hidden(shape.hidden)),
            output: BlockedMatrix::zeros(shape.outputs, shape.hidden),
        }
    }

    /// Begins anew.
    pub(crate) fn clear(&mut self) {
        self.hidden.clear();
        self.output.clear();
        if let Some(recurrent) = &mut self.recurrent {
            recurrent.clear();
        }
    }

    /// Adds a sample that went backwards.
    #[inline(always)]
    pub(crate) fn add(&mut self, adjoint: &Adjoint<T>, inputs: SampleSpikes<'_>, steps: usize) {
        let inputs = adjoint.inputs.events(inputs);
        let spikes = adjoint.spikes.events();
        for (block, rows) in self.hidden.blocks_mut().enumerate() {
            add_currents(rows, adjoint.hidden(block, steps), inputs);
        }
        if let Some(recurrent) = &mut self.recurrent {
            for (block, rows) in recurrent.blocks_mut().enumerate() {
                add_currents(rows, adjoint.hidden(block, steps), spikes);
            }
        }
        for (block, rows) in self.output.blocks_mut().enumerate() {
            add_currents(rows, adjoint.output(block, steps), spikes);
        }
    }
}

/// Adds to each source's row the adjoint currents of the steps after its events.
#[inline(always)]
fn add_currents<T: Real, const N: usize>(
    rows: &mut [Lanes<T, N>],
    currents: &[Lanes<T, N>],
    events: StepEvents<'_>,
) {
    for (t, current) in currents.iter().enumerate().skip(1) {
        let current = *current;
        for &source in events.at(t - 1) {
            let row = &mut rows[usize::from(source)];
            *row = row.plus(&current);
        }
    }
}

/// Numbers of a matrix that one task writes, about.
const TASK: usize = 1 << 12;

/// Gradients from here on have no place in f32 once they are squared: a moment that became
/// infinite would hold its weight for ever.
const LARGEST: f64 = 1e18;

/// Writes the sum of blocked gradients as a matrix: each row times `keep[target]`, plus
/// `decay` times the weight. Says whether all of it are numbers within [`LARGEST`].
pub(crate) fn finish<T: Real, const N: usize>(
    parts: &[&BlockedMatrix<T, N>],
    keep: Option<&[T]>,
    (decay, weights): (T, &DMatrix<T>),
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
        .with_min_len((TASK / targets.next_multiple_of(N)).max(1))
        .map(|(source, (column, weights))| {
            path.dispatch(
                #[inline(always)]
                || {
                    for (block, first) in (0..targets).step_by(N).enumerate() {
                        let mut row = Lanes::ZERO;
                        for part in parts {
                            row = row.plus(&part.block(block)[source]);
                        }
                        write_first(&row.0, N.min(targets - first), &mut column[first..]);
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
