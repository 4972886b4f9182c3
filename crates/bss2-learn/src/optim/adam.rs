//! Adam.

use serde::{Deserialize, Serialize};

use super::rule::Rule;
use crate::real::Real;

pub(super) const MOMENTS: usize = 2;

/// Settings of Adam.
///
/// `m = beta1 m + (1 - beta1) g`, `v = beta2 v + (1 - beta2) g^2`,
/// `w = (1 - rate weight_decay) w - rate m' / (sqrt(v') + epsilon)` with
/// `m' = m / (1 - beta1^t)`, `v' = v / (1 - beta2^t)`.
///
/// # Source
/// Kingma & Ba, ICLR 2015, and their values; Loshchilov & Hutter, ICLR 2019, for
/// the decay beside the gradient ("AdamW"), DEFAULT 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdamConfig {
    /// Memory of the mean gradient.
    pub beta1: f64,
    /// Memory of the mean squared gradient.
    pub beta2: f64,
    /// Keeps the quotient finite.
    pub epsilon: f64,
    /// Decay of all weights per step, at a rate of 1.
    pub weight_decay: f64,
}

impl Default for AdamConfig {
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
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
    stay: T,
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
            stay: T::from_f64(1.0 - rate * config.weight_decay),
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
        (self.stay * weight - self.rate * m / scale, [m, v])
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

    #[test]
    fn weights_decay_beside_the_gradient() {
        let config = AdamConfig {
            weight_decay: 0.5,
            ..AdamConfig::default()
        };
        let [plain, decaying] =
            [AdamConfig::default(), config].map(|config| Adam::new(&config, 0.01, 1));
        for weight in [-2.0_f64, 3.0] {
            let (w, moments) = plain.step(weight, 0.7, [0.0; 2]);
            let (decayed, same) = decaying.step(weight, 0.7, [0.0; 2]);
            assert!((w - decayed - 0.005 * weight).abs() < 1e-12);
            assert_eq!(moments, same);
        }
    }
}
