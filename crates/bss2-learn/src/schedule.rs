//! Learning rates by epoch.

use bss2_event::Fault;
use serde::{Deserialize, Serialize};

/// How the learning rate changes from epoch to epoch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// `rate factor^epoch`.
    ///
    /// # Source
    /// Cramer et al. 2022, public code: 0.97.
    Exponential {
        /// Factor per epoch.
        factor: f64,
    },
    /// `rate (1 + cos(pi epoch / epochs)) / 2`; zero from `epochs` on. During
    /// the first `warm_up` epochs times `(epoch + 1) / (warm_up + 1)`.
    ///
    /// # Source
    /// Loshchilov & Hutter, ICLR 2017 (one period); Goyal et al.,
    /// arXiv 1706.02677 (2017), for the warm-up.
    Cosine {
        /// Epochs until the rate is zero.
        epochs: u32,
        /// Epochs over which the rate rises; 0 for none, the DEFAULT.
        #[serde(default)]
        warm_up: u32,
    },
    /// The same rate always. (Braces, so that a stray key is refused.)
    Constant {},
}

impl Default for Schedule {
    fn default() -> Self {
        Self::Exponential { factor: 0.97 }
    }
}

impl Schedule {
    /// The factor of the learning rate in an epoch, counted from 0.
    #[must_use]
    pub fn factor(&self, epoch: u32) -> f64 {
        match *self {
            Self::Exponential { factor } => libm::pow(factor, epoch.into()),
            Self::Cosine { epochs, warm_up } => {
                let part = f64::from(epoch.min(epochs)) / f64::from(epochs);
                let rise = (f64::from(epoch.min(warm_up)) + 1.0) / (f64::from(warm_up) + 1.0);
                rise * f64::midpoint(1.0, libm::cos(std::f64::consts::PI * part))
            }
            Self::Constant {} => 1.0,
        }
    }

    pub(crate) fn faults(&self) -> Option<Fault> {
        match *self {
            Self::Exponential { factor } if !(0.0..=1.0).contains(&factor) => {
                Some(Fault::new("schedule.factor", factor, "0 to 1"))
            }
            Self::Cosine { epochs: 0, .. } => Some(Fault::new("schedule.epochs", 0, "1 and more")),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_begin_at_one_and_fall() {
        let exponential = Schedule::default();
        assert_eq!(exponential.factor(0), 1.0);
        assert!((exponential.factor(2) - 0.9409).abs() < 1e-12);
        let cosine = Schedule::Cosine {
            epochs: 10,
            warm_up: 0,
        };
        assert_eq!(cosine.factor(0), 1.0);
        assert!((cosine.factor(5) - 0.5).abs() < 1e-12);
        assert_eq!(cosine.factor(10), 0.0);
        assert_eq!(cosine.factor(99), 0.0);
        assert_eq!(Schedule::Constant {}.factor(99), 1.0);
    }

    #[test]
    fn a_warm_up_rises_to_the_plain_schedule() {
        let plain = Schedule::Cosine {
            epochs: 10,
            warm_up: 0,
        };
        let warmed = Schedule::Cosine {
            epochs: 10,
            warm_up: 3,
        };
        for (epoch, rise) in [(0, 0.25), (1, 0.5), (2, 0.75), (3, 1.0), (9, 1.0)] {
            assert_eq!(warmed.factor(epoch), rise * plain.factor(epoch), "{epoch}");
        }
    }
}
