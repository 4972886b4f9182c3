//! Adam.

use serde::{Deserialize, Serialize};

use super::rule::Rule;
use crate::real::Real;

pub(super) const MOMENTS: usize = 2;

/// Settings of Adam.
///
/// `m = beta1 m + (1 - beta1) g`, `v = beta2 v + (1 - beta2) g^2`,
/// `w -= rate m' / (sqrt(v') + epsilon)` with `m' = m / (1 - beta1^t)`,
/// `v' = v / (1 - beta2^t)`.
///
/// # Source
/// Kingma & Ba, ICLR 2015, and their values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdamConfig {
    /// Memory of the mean gradient.
    pub beta1: f64,
    /// Memory of the mean squared gradient.
    pub beta2: f64,
    /// Keeps the quotient finite.
    pub epsilon: f64,
}

impl Default for AdamConfig {
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
        }
    }
}

/// Adam at one step.
#[derive(Clone, Copy)]
pub(super) struct Adam<T> {
    beta1: T,
    one_less_beta1: T,
    beta2: T,
    one_less_beta2: T,
    epsilon: T,
    rate: T,
    second_correction: T,
}

impl<T: Real> Adam<T> {
    pub(super) fn new(config: &AdamConfig, rate: f64, step: u64) -> Self {
        let correction = |beta: f64| 1.0 - libm::pow(beta, step as f64);
        Self {
            beta1: T::from_f64(config.beta1),
            one_less_beta1: T::from_f64(1.0 - config.beta1),
            beta2: T::from_f64(config.beta2),
            one_less_beta2: T::from_f64(1.0 - config.beta2),
            epsilon: T::from_f64(config.epsilon),
            rate: T::from_f64(rate / correction(config.beta1)),
            second_correction: T::from_f64(1.0 / libm::sqrt(correction(config.beta2))),
        }
    }
}

impl<T: Real> Rule<T, MOMENTS> for Adam<T> {
    #[inline(always)]
    fn step(self, weight: T, gradient: T, [m, v]: [T; 2]) -> (T, [T; 2]) {
        let m = self.beta1 * m + self.one_less_beta1 * gradient;
        let v = self.beta2 * v + self.one_less_beta2 * (gradient * gradient);
        let scale = v.sqrt() * self.second_correction + self.epsilon;
        (weight - self.rate * m / scale, [m, v])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_step_has_the_length_of_the_rate() {
        let rule = Adam::new(&AdamConfig::default(), 0.01, 1);
        for gradient in [1e-4, -3.0_f64] {
            let (w, _) = rule.step(1.0, gradient, [0.0; 2]);
            assert!((w - 1.0 + 0.01 * gradient.signum()).abs() < 2e-6, "{w}");
        }
        // Two steps by hand, gradients 1 and 2.
        let (w, m) = rule.step(0.0, 1.0, [0.0; 2]);
        let rule = Adam::new(&AdamConfig::default(), 0.01, 2);
        let (w, _) = rule.step(w, 2.0, m);
        let (m, v) = (
            0.29 / 0.19,
            (0.001 * 0.999 + 0.004) / (1.0 - 0.999_f64.powi(2)),
        );
        assert!((w + 0.01 + 0.01 * m / v.sqrt()).abs() < 1e-9);
    }
}
