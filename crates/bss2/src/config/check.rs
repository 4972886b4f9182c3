//! The ranges of all values; every fault is reported, not the first.

use bss2_encode::{EncodeError, Encoder};
use bss2_learn::LearnError;

use super::{Experiment, Fault, SubstrateKind};

impl Experiment {
    /// Every value that lies outside its range, as far as the sections know
    /// their ranges themselves: the encoder reports its first.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        let mut check = Check(Vec::new());
        check.range("epochs", self.epochs, 1.0, 100_000.0);
        check.range("batch", self.batch as f64, 1.0, 65_536.0);
        check.range("network.hidden", self.network.hidden as f64, 1.0, 65_536.0);
        check.range("time.steps", self.time.steps as f64, 1.0, 65_536.0);
        check.range("time.dt", self.time.dt.as_micro(), 1e-3, 1e6);
        check.range("run.threads", self.run.threads as f64, 0.0, 1024.0);
        let every = self.run.checkpoint_every.get();
        check.range("run.checkpoint_every", every, 0.0, 1e6);
        if let Err(error) = self.train.validate() {
            check.learn(error);
        }
        if let Err(error) = Encoder::new(&self.encoder, self.train.seed) {
            check.encoder(error);
        }
        for fault in self.chip.faults() {
            check.text("chip", &fault);
        }
        let limit = self.chip.quantise.hidden_limit();
        if self.substrate == SubstrateKind::Chip {
            // A learned weight beyond it could not be written.
            check.range("train.weight_limit", self.train.weight_limit, 0.0, limit);
        }
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

    /// Takes the message of a section, `FIELD is VALUE, allowed are RANGE`, apart.
    fn text(&mut self, section: &str, message: &str) {
        let parts = message
            .split_once(" is ")
            .and_then(|(key, rest)| Some((key, rest.split_once(", allowed are ")?)));
        let (key, value, allowed) = match parts {
            Some((key, (value, allowed))) => (format!("{section}.{key}"), value, allowed),
            None => (section.to_owned(), message, "others"),
        };
        self.0.push(Fault {
            key,
            value: value.into(),
            allowed: allowed.into(),
        });
    }

    fn learn(&mut self, error: LearnError) {
        match error {
            LearnError::Config { faults } => {
                faults.iter().for_each(|fault| self.text("train", fault));
            }
            error => self.text("train", &error.to_string()),
        }
    }

    fn encoder(&mut self, error: EncodeError) {
        self.text("encoder", &error.to_string());
    }
}
