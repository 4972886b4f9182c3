//! Gradient descent with momentum.

use serde::{Deserialize, Serialize};

use super::rule::Rule;
use crate::real::Real;

pub(super) const MOMENTS: usize = 1;

/// Settings of gradient descent: `m = momentum m + g`, `w -= rate m`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SgdConfig {
    /// Memory of earlier gradients; 0 for plain descent.
    pub momentum: f64,
}

#[derive(Clone, Copy)]
pub(super) struct Sgd<T> {
    momentum: T,
    rate: T,
}

impl<T: Real> Sgd<T> {
    pub(super) fn new(config: &SgdConfig, rate: f64) -> Self {
        Self {
            momentum: T::from_f64(config.momentum),
            rate: T::from_f64(rate),
        }
    }
}

impl<T: Real> Rule<T, MOMENTS> for Sgd<T> {
    #[inline(always)]
    fn step(self, weight: T, gradient: T, [m]: [T; 1]) -> (T, [T; 1]) {
        let m = self.momentum * m + gradient;
        (weight - self.rate * m, [m])
    }
}
