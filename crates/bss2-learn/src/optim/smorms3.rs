//! SMORMS3.

use serde::{Deserialize, Serialize};

use super::rule::Rule;
use crate::real::Real;

pub(super) const MOMENTS: usize = 3;

/// Settings of SMORMS3.
///
/// With `r = 1 / (age + 2)` where `age` starts at 0: `m = (1 - r) m + r g`,
/// `v = (1 - r) v + r g^2`, `x = m^2 / (v + epsilon)`,
/// `w -= g min(rate, x) / (sqrt(v) + epsilon)`, `age = (age + 1) (1 - x)`.
///
/// # Source
/// S. Funk, "RMSprop loses to SMORMS3" (2015); `age + 1` is called `mem` there.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Smorms3Config {
    /// Keeps the quotients finite.
    pub epsilon: f64,
}

impl Default for Smorms3Config {
    fn default() -> Self {
        Self { epsilon: 1e-16 }
    }
}

#[derive(Clone, Copy)]
pub(super) struct Smorms3<T> {
    epsilon: T,
    rate: T,
}

impl<T: Real> Smorms3<T> {
    pub(super) fn new(config: &Smorms3Config, rate: f64) -> Self {
        Self {
            epsilon: T::from_f64(config.epsilon),
            rate: T::from_f64(rate),
        }
    }
}

impl<T: Real> Rule<T, MOMENTS> for Smorms3<T> {
    #[inline(always)]
    fn step(self, weight: T, g: T, [age, m, v]: [T; 3]) -> (T, [T; 3]) {
        // Kept from zero, so that fresh state is all zero as for other rules.
        let memory = age + T::ONE;
        let r = T::ONE / (memory + T::ONE);
        let m = (T::ONE - r) * m + r * g;
        let v = (T::ONE - r) * v + r * (g * g);
        let x = m * m / (v + self.epsilon);
        let step = g * self.rate.smaller(x) / (v.sqrt() + self.epsilon);
        (weight - step, [memory * (T::ONE - x), m, v])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_steps_agree_with_the_definition() {
        let rule = Smorms3::new(&Smorms3Config::default(), 0.2);
        let (w, state) = rule.step(1.0_f64, 2.0, [0.0; 3]);
        // mem 1, r 1/2: m 1, v 2, x 1/2.
        assert!((w - (1.0 - 2.0 * 0.2 / 2.0_f64.sqrt())).abs() < 1e-12);
        assert!((state[0] - 0.5).abs() < 1e-12);
        let (_, state) = rule.step(w, 2.0, state);
        // mem 1.5, r 0.4: m 1.4, v 2.8, x 0.7, mem 1 + 1.5 * 0.3.
        assert!((state[0] - 0.45).abs() < 1e-12 && (state[2] - 2.8).abs() < 1e-12);
    }
}
