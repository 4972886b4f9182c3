//! Targets in blocks of fixed width, so that kernels are plain loops over
//! arrays whose length a compiler knows.

use bss2_event::SimdPath;
use nalgebra::DMatrix;

use crate::real::Real;

/// Targets of a block: many, so that what is done once for a block and step
/// weighs little (64 is 10 % faster than 32 on 256-246-10).
pub(crate) const LANES: usize = 64;

/// Targets of a block of outputs, of which there are few.
pub(crate) const OUTPUT_LANES: usize = 32;

/// One number for each target of a block; on a cache line of its own.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(align(64))]
pub(crate) struct Lanes<T, const N: usize = LANES>(pub(crate) [T; N]);

impl<T: Real, const N: usize> Lanes<T, N> {
    pub(crate) const ZERO: Self = Self([T::ZERO; N]);

    /// Combines two blocks lane by lane. Values in, value out: a compiler need
    /// not ask whether blocks overlap.
    #[inline(always)]
    pub(crate) fn zip(&self, other: &Self, f: impl Fn(T, T) -> T) -> Self {
        // Not `array::from_fn`: its closure is not always inlined, and then
        // keeps the baseline's instructions.
        let mut lanes = [T::ZERO; N];
        for l in 0..N {
            lanes[l] = f(self.0[l], other.0[l]);
        }
        Self(lanes)
    }

    /// Sum of two blocks.
    #[inline(always)]
    pub(crate) fn plus(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a + b)
    }

    /// Reads the first `N` numbers; where there are fewer, lanes beyond are zero.
    #[inline(always)]
    pub(crate) fn read(from: &[T]) -> Self {
        if let Some(whole) = from.first_chunk() {
            return Self(*whole);
        }
        Self::read_part(from)
    }

    /// A function of its own, as that which writes: or else the copy of a whole block would
    /// be one of any length as well.
    #[inline(never)]
    fn read_part(from: &[T]) -> Self {
        let mut lanes = Self::ZERO;
        lanes.0[..from.len()].copy_from_slice(from);
        lanes
    }
}

/// Writes the first `count` lanes to the beginning of `to`. Where there is room for a
/// block, what lies behind them is read and written back: so whole vectors move.
#[inline(always)]
pub(crate) fn write_first<T: Copy, const N: usize>(lanes: &[T; N], count: usize, to: &mut [T]) {
    debug_assert!(count <= N);
    let Some(whole) = to.first_chunk_mut() else {
        return write_part(lanes, &mut to[..count]);
    };
    let (mut new, old) = (*lanes, *whole);
    if count < N {
        for l in 0..N {
            new[l] = if l < count { new[l] } else { old[l] };
        }
    }
    *whole = new;
}

/// Writes fewer numbers than a block has.
#[inline(never)]
fn write_part<T: Copy, const N: usize>(lanes: &[T; N], to: &mut [T]) {
    to.copy_from_slice(&lanes[..to.len()]);
}

/// Number of blocks of `N` lanes for so many targets.
pub(crate) fn blocks<const N: usize>(targets: usize) -> usize {
    targets.div_ceil(N)
}

/// A matrix by block of targets: `[block][source][lane]`. What one event adds
/// to a block is one row.
#[derive(Debug, Clone, Default)]
pub(crate) struct BlockedMatrix<T, const N: usize = LANES> {
    targets: usize,
    sources: usize,
    rows: Vec<Lanes<T, N>>,
}

impl<T: Real, const N: usize> BlockedMatrix<T, N> {
    pub(crate) fn zeros(targets: usize, sources: usize) -> Self {
        Self {
            targets,
            sources,
            rows: vec![Lanes::ZERO; blocks::<N>(targets) * sources],
        }
    }

    /// Copies a matrix `[target, source]`.
    pub(crate) fn fill(&mut self, from: &DMatrix<T>) {
        debug_assert_eq!(from.shape(), (self.targets, self.sources));
        if self.sources == 0 {
            return;
        }
        for (block, rows) in self.rows.chunks_exact_mut(self.sources).enumerate() {
            let first = block * N;
            for (column, row) in from.as_slice().chunks_exact(self.targets).zip(rows) {
                *row = Lanes::read(&column[first..]);
            }
        }
    }

    /// Copies the transpose of a matrix: its columns become the targets here.
    pub(crate) fn fill_transposed(&mut self, from: &DMatrix<T>) {
        debug_assert_eq!(from.shape(), (self.sources, self.targets));
        for (target, column) in from
            .as_slice()
            .chunks_exact(self.sources.max(1))
            .enumerate()
        {
            let (block, lane) = (target / N, target % N);
            let rows = &mut self.rows[block * self.sources..][..self.sources];
            for (row, &w) in rows.iter_mut().zip(column) {
                row.0[lane] = w;
            }
        }
    }

    /// Rows of a block, by source.
    #[inline(always)]
    pub(crate) fn block(&self, block: usize) -> &[Lanes<T, N>] {
        &self.rows[block * self.sources..][..self.sources]
    }

    /// Rows of each block.
    #[inline(always)]
    pub(crate) fn blocks_mut(&mut self) -> std::slice::ChunksExactMut<'_, Lanes<T, N>> {
        self.rows.chunks_exact_mut(self.sources.max(1))
    }

    pub(crate) fn clear(&mut self) {
        self.rows.fill(Lanes::ZERO);
    }
}

/// Sum of squares: lanes within a stretch, stretches in `f64`, always in the
/// same order.
pub(crate) fn sum_of_squares<T: Real>(values: &[T], path: SimdPath) -> f64 {
    path.dispatch(
        #[inline(always)]
        || {
            let mut total = 0.0;
            for stretch in values.chunks(LANES * LANES) {
                let mut sum: Lanes<T> = Lanes::ZERO;
                for part in stretch.chunks(LANES) {
                    sum = sum.zip(&Lanes::read(part), |sum, v| sum + v * v);
                }
                total += sum.0.iter().map(|v| v.to_f64()).sum::<f64>();
            }
            total
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_behind_the_first_lanes_stays() {
        let written = |count, room| {
            let mut to = vec![9; room];
            write_first(&[1, 2, 3, 4_u8], count, &mut to);
            to
        };
        assert_eq!(written(0, 6), [9; 6]);
        assert_eq!(written(2, 6), [1, 2, 9, 9, 9, 9]);
        assert_eq!(written(4, 6), [1, 2, 3, 4, 9, 9]);
        // No room for a block.
        assert_eq!(written(2, 3), [1, 2, 9]);
        assert_eq!(written(3, 3), [1, 2, 3]);
    }

    #[test]
    fn a_matrix_and_its_transpose_are_found_in_their_blocks() {
        let matrix = DMatrix::from_fn(LANES + 3, 5, |t, s| (100 * t + s) as f64);
        let mut blocked: BlockedMatrix<f64> = BlockedMatrix::zeros(LANES + 3, 5);
        blocked.fill(&matrix);
        let (last, at) = (LANES + 2, |t: usize, s: usize| (100 * t + s) as f64);
        assert_eq!(blocked.block(1)[4].0[2], at(last, 4));
        assert_eq!(blocked.block(1)[4].0[3], 0.0);
        let mut transposed: BlockedMatrix<f64> = BlockedMatrix::zeros(5, LANES + 3);
        transposed.fill_transposed(&matrix);
        let row = &transposed.block(0)[last].0;
        assert_eq!(
            row[..6],
            [0, 1, 2, 3, 4, 5].map(|s| if s < 5 { at(last, s) } else { 0.0 })
        );
    }
}
