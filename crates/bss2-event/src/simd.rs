//! The one place where an instruction set is chosen.
//!
//! Kernels are plain loops over flat slices, marked `#[inline(always)]`, and
//! compiled once for the baseline and once for each instruction set that
//! `pulp` knows; which copy runs is decided when a kernel is entered, at the
//! grain of a sample or a tile. Multiply and add are separate operations unless
//! the source says `mul_add`, so every path gives the same bits.

use pulp::{Arch, NullaryFnOnce, Simd, WithSimd};

/// Which copy of a kernel runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SimdPath {
    /// The best instruction set of this processor.
    #[default]
    Native,
    /// AVX2 and FMA where the processor has them, else the baseline: what a processor
    /// without AVX-512 takes, to test that it gives the same bits.
    Narrow,
    /// The baseline of the build target, for the same.
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
            Self::Narrow => narrow(kernel),
            Self::Baseline => kernel(),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn narrow<R>(kernel: impl FnOnce() -> R) -> R {
    match pulp::x86::V3::try_new() {
        Some(simd) => simd.vectorize(Kernel(kernel)),
        None => kernel(),
    }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn narrow<R>(kernel: impl FnOnce() -> R) -> R {
    kernel()
}

/// An instruction set, for reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstructionSet {
    /// What it is called.
    pub name: &'static str,
    /// Numbers of 32 bits in a vector.
    pub lanes: usize,
}

impl InstructionSet {
    /// That of [`SimdPath::Native`] on this processor.
    #[must_use]
    pub fn native() -> Self {
        struct Width;
        impl WithSimd for Width {
            type Output = usize;
            fn with_simd<S: Simd>(self, _: S) -> usize {
                S::F32_LANES
            }
        }
        let lanes = Arch::new().dispatch(Width);
        let name = match lanes {
            16 => "AVX-512",
            8 => "AVX2 and FMA",
            _ if cfg!(target_arch = "aarch64") => "NEON",
            _ => "the baseline of the build",
        };
        // `pulp` counts the baseline as scalar; compilers take its vectors of 128 bits.
        let lanes = lanes.max(4);
        Self { name, lanes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn the_named_set_is_one_that_the_processor_has() {
        let set = InstructionSet::native();
        assert!(set.lanes < 16 || std::is_x86_feature_detected!("avx512f"));
        let vectors = std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma");
        assert_eq!(set.lanes >= 8, vectors, "{set:?}");
    }
}
