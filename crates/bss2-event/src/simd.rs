//! The one place where an instruction set is chosen.
//!
//! Kernels are plain loops over flat slices, marked `#[inline(always)]`, and
//! compiled once for the baseline and once for each instruction set that
//! `pulp` knows; which copy runs is decided when a kernel is entered, at the
//! grain of a sample or a tile. Multiply and add are separate operations unless
//! the source says `mul_add`, so every path gives the same bits.

use pulp::{Arch, NullaryFnOnce};

/// Which copy of a kernel runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SimdPath {
    /// The best instruction set of this processor.
    #[default]
    Native,
    /// The baseline of the build target, to test that it gives the same bits.
    Baseline,
}

struct Kernel<F>(F);

impl<R, F: FnOnce() -> R> NullaryFnOnce for Kernel<F> {
    type Output = R;
    #[inline(always)]
    fn call(self) -> R {
        (self.0)()
    }
}

impl SimdPath {
    /// Runs a kernel on this path. The kernel, and what it calls, should be
    /// `#[inline(always)]`, or it keeps the baseline's instructions.
    #[inline]
    pub fn dispatch<R>(self, kernel: impl FnOnce() -> R) -> R {
        match self {
            // `Arch::new` reads a cached detection.
            Self::Native => Arch::new().dispatch(Kernel(kernel)),
            Self::Baseline => kernel(),
        }
    }
}
