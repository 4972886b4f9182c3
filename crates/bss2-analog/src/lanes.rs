//! Neurons side by side: blocks of lanes, and vectors of them.

use std::ops::{Deref, DerefMut};

use bss2_event::random::LANES;

/// Lanes that a kernel advances together; neurons are padded to whole blocks.
///
/// Long enough that a compiler keeps a loop over lanes as a loop and vectorises
/// it (of 16 lanes it makes 16 scalars), short enough that a block's state and
/// coefficients stay in the first-level cache.
pub(crate) const L: usize = 64;

/// A number per lane of a block, or of a part of it, on cache lines of its own: a vector that
/// lies across two lines takes twice as long to be read.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(align(64))]
pub(crate) struct Lanes<T = f32, const N: usize = L>(pub(crate) [T; N]);

impl<T: Copy, const N: usize> Lanes<T, N> {
    /// The same number in every lane.
    #[inline(always)]
    pub(crate) const fn all(number: T) -> Self {
        Self([number; N])
    }
}

impl Lanes {
    pub(crate) const ZERO: Self = Self::all(0.0);
}

impl<T, const N: usize> Deref for Lanes<T, N> {
    type Target = [T; N];
    #[inline(always)]
    fn deref(&self) -> &[T; N] {
        &self.0
    }
}

impl<T, const N: usize> DerefMut for Lanes<T, N> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T; N] {
        &mut self.0
    }
}

/// Lanes that are done together where only some of a block are; for as many random words
/// are drawn at once.
pub(crate) const VECTOR: usize = LANES;

/// A number for each of them.
pub(crate) type Vector = [f32; VECTOR];

/// Some of the lanes of a block, by value: loops over such arrays become vector
/// instructions where those over parts of a slice would not.
#[inline(always)]
pub(crate) fn vector<T: Copy>(lanes: &Lanes<T>, which: usize) -> [T; VECTOR] {
    lanes.as_chunks::<VECTOR>().0[which]
}

/// The same to be written.
#[inline(always)]
pub(crate) fn vector_mut<T>(lanes: &mut Lanes<T>, which: usize) -> &mut [T; VECTOR] {
    &mut lanes.as_chunks_mut::<VECTOR>().0[which]
}

/// Block of a vector that is counted over all blocks, and which of the block's it is.
#[inline(always)]
pub(crate) fn vector_at(number: usize) -> (usize, usize) {
    (number / (L / VECTOR), number % (L / VECTOR))
}

/// Block and lane of a neuron.
#[inline(always)]
pub(crate) fn place(neuron: u16) -> (usize, usize) {
    (usize::from(neuron) / L, usize::from(neuron) % L)
}

/// The neuron in a lane of a block.
#[inline(always)]
pub(crate) fn neuron_at((block, l): (usize, usize)) -> u16 {
    (block * L + l) as u16
}
