//! Derivatives that stand in for the one of a threshold.

use serde::{Deserialize, Serialize};

use crate::real::Real;

/// `dS/dV` as a function of the distance `x = V - 1` from threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Surrogate {
    /// `1 / (beta |x| + 1)^2`.
    ///
    /// # Source
    /// Zenke & Ganguli, Neural Computation 30 (2018); beta = 50 in Cramer et
    /// al. 2022.
    SuperSpike {
        /// Steepness.
        beta: f64,
    },
    /// `gamma max(0, 1 - |x|)`.
    ///
    /// # Source
    /// Bellec et al., NeurIPS 2018, with gamma = 0.3 there.
    Triangle {
        /// Height at threshold.
        gamma: f64,
    },
    /// `(alpha / 2) / (1 + (pi alpha x / 2)^2)`: of an arc tangent.
    ///
    /// # Source
    /// Fang et al., ICCV 2021, with alpha = 2 there.
    ArcTangent {
        /// Steepness.
        alpha: f64,
    },
}

impl Default for Surrogate {
    fn default() -> Self {
        Self::SuperSpike { beta: 50.0 }
    }
}

/// A surrogate whose kind is known to the compiler, for hot loops.
pub(crate) trait Derivative<T>: Copy {
    fn at(self, membrane: T) -> T;
}

#[derive(Clone, Copy)]
pub(crate) struct SuperSpike<T>(pub(crate) T);
#[derive(Clone, Copy)]
pub(crate) struct Triangle<T>(pub(crate) T);
/// Height, and the factor of x.
#[derive(Clone, Copy)]
pub(crate) struct ArcTangent<T>(pub(crate) T, pub(crate) T);

impl<T: Real> Derivative<T> for SuperSpike<T> {
    #[inline(always)]
    fn at(self, membrane: T) -> T {
        let d = self.0 * (membrane - T::ONE).abs() + T::ONE;
        T::ONE / (d * d)
    }
}

impl<T: Real> Derivative<T> for Triangle<T> {
    #[inline(always)]
    fn at(self, membrane: T) -> T {
        let height = T::ONE - (membrane - T::ONE).abs();
        // Not zero: what is no number stays none.
        self.0 * height.larger(height * T::ZERO)
    }
}

impl<T: Real> Derivative<T> for ArcTangent<T> {
    #[inline(always)]
    fn at(self, membrane: T) -> T {
        let x = self.1 * (membrane - T::ONE);
        self.0 / (T::ONE + x * x)
    }
}

impl Surrogate {
    /// The derivative at a membrane potential in units of the threshold.
    #[must_use]
    pub fn derivative(&self, membrane: f64) -> f64 {
        match *self {
            Self::SuperSpike { beta } => SuperSpike(beta).at(membrane),
            Self::Triangle { gamma } => Triangle(gamma).at(membrane),
            Self::ArcTangent { alpha } => arc_tangent(alpha).at(membrane),
        }
    }

    pub(crate) fn parameter(&self) -> (&'static str, f64) {
        match *self {
            Self::SuperSpike { beta } => ("surrogate.beta", beta),
            Self::Triangle { gamma } => ("surrogate.gamma", gamma),
            Self::ArcTangent { alpha } => ("surrogate.alpha", alpha),
        }
    }
}

pub(crate) fn arc_tangent<T: Real>(alpha: f64) -> ArcTangent<T> {
    ArcTangent(
        T::from_f64(alpha / 2.0),
        T::from_f64(std::f64::consts::FRAC_PI_2 * alpha),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_peak_at_threshold_and_are_even() {
        for (surrogate, peak, at_half) in [
            (Surrogate::default(), 1.0, 1.0 / (26.0 * 26.0)),
            (Surrogate::Triangle { gamma: 0.3 }, 0.3, 0.15),
            (
                Surrogate::ArcTangent { alpha: 2.0 },
                1.0,
                1.0 / (1.0 + 0.25 * std::f64::consts::PI.powi(2)),
            ),
        ] {
            assert_eq!(surrogate.derivative(1.0), peak);
            assert!((surrogate.derivative(1.5) - at_half).abs() < 1e-15);
            assert_eq!(surrogate.derivative(0.5), surrogate.derivative(1.5));
            for extreme in [-1e6, 1e6] {
                assert!((0.0..1e-10).contains(&surrogate.derivative(extreme)));
            }
        }
    }
}
