//! The ranges of all values; every fault is reported, not the first.

use super::{Experiment, Fault};

impl Experiment {
    /// Every value that lies outside its range.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        let mut check = Check(Vec::new());
        let train = &self.train;
        check.range("train.epochs", train.epochs, 1.0, 100_000.0);
        check.range("train.batch", train.batch as f64, 1.0, 65_536.0);
        check.range("network.hidden", self.network.hidden as f64, 1.0, 65_536.0);
        check.range("run.threads", self.run.threads as f64, 0.0, 1024.0);
        check.0
    }
}

struct Check(Vec<Fault>);

impl Check {
    /// Complains unless `min <= value <= max`; a NaN is outside every range.
    fn range(&mut self, key: &str, value: impl Into<f64>, min: f64, max: f64) {
        let value = value.into();
        if !(value >= min && value <= max) {
            self.0.push(Fault {
                key: key.into(),
                value: value.to_string(),
                allowed: format!("{min} to {max}"),
            });
        }
    }
}
