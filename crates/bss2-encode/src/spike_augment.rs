//! Augmentation of spikes: they move to other channels, to other times, or go.

use bss2_event::random::{Address, Domain, normal_pair};
use bss2_event::{RangeError, Seconds, Seed};
use serde::{Deserialize, Serialize};

/// How spikes vary from one showing of a sample to the next. Zero switches a
/// change off; all are off by default.
///
/// # Source
/// Cramer et al., PNAS 2022, for channels, before their number is reduced;
/// times and deletion are our choice.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SpikeAugmentation {
    /// Standard deviation of a spike's channel, 0 to 1000 channels. A spike
    /// that leaves the channels there are is gone.
    pub channel_jitter: f64,
    /// Standard deviation of a spike's time, 0 to 1 s of the recording.
    pub time_jitter: Seconds,
    /// Share of the spikes that is left out, 0 to 0.9.
    pub deletion: f64,
}

impl SpikeAugmentation {
    /// Whether spikes change at all.
    #[must_use]
    pub fn is_on(&self) -> bool {
        *self != Self::default()
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`RangeError`] with the field's name and range.
    pub fn validate(&self) -> Result<(), RangeError> {
        let (channels, seconds) = (self.channel_jitter, self.time_jitter.get());
        RangeError::check("augmentation.channel_jitter", channels, 0.0, 1000.0, "")?;
        RangeError::check("augmentation.time_jitter", seconds, 0.0, 1.0, "s")?;
        RangeError::check("augmentation.deletion", self.deletion, 0.0, 0.9, "")
    }

    /// The changes of one sample in one epoch.
    pub(crate) fn draw(&self, seed: Seed, epoch: u32, id: u64) -> SpikeChanges {
        SpikeChanges {
            channel_jitter: self.channel_jitter as f32,
            time_jitter: self.time_jitter.get(),
            deleted_below: (self.deletion * 4_294_967_296.0) as u32,
            draws: Address::new(seed, Domain::SpikeAugmentation)
                .presentation(epoch)
                .sample(id),
        }
    }
}

/// A [`SpikeAugmentation`] at work on one sample: one counter per spike.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SpikeChanges {
    channel_jitter: f32,
    time_jitter: f64,
    /// A word below it deletes the spike.
    deleted_below: u32,
    draws: Address,
}

impl SpikeChanges {
    /// Time in seconds and channel of a sample's spike number `index` after the
    /// change, neither kept within any bounds; nothing if it is deleted.
    #[inline]
    pub(crate) fn apply(&self, index: u32, time: f64, channel: u16) -> Option<(f64, i32)> {
        let [a, b, c, _] = self.draws.words(index);
        if c < self.deleted_below {
            return None;
        }
        let (x, y) = normal_pair(a, b);
        let moved = libm::roundf(self.channel_jitter * x) as i32;
        Some((
            time + self.time_jitter * f64::from(y),
            i32::from(channel) + moved,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNT: u32 = 20_000;

    fn changed(config: SpikeAugmentation, epoch: u32) -> Vec<Option<(f64, i32)>> {
        let changes = config.draw(Seed(3), epoch, 11);
        (0..COUNT).map(|i| changes.apply(i, 0.5, 300)).collect()
    }

    fn moments(values: impl Iterator<Item = f64>) -> (f64, f64) {
        let values: Vec<f64> = values.collect();
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
        (mean, variance.sqrt())
    }

    #[test]
    fn jitter_has_the_spread_that_is_asked_for() {
        let config = SpikeAugmentation {
            channel_jitter: 20.0,
            time_jitter: Seconds::milli(5.0),
            deletion: 0.0,
        };
        let spikes: Vec<(f64, i32)> = changed(config, 0).into_iter().map(Option::unwrap).collect();
        let (mean, sd) = moments(spikes.iter().map(|s| f64::from(s.1)));
        // Five standard errors, and what rounding adds.
        let error = 5.0 * 20.0 / f64::from(COUNT).sqrt();
        assert!(
            (mean - 300.0).abs() < error && (sd - 20.0).abs() < error,
            "{mean} {sd}"
        );
        let (mean, sd) = moments(spikes.iter().map(|s| s.0));
        let error = 5.0 * 0.005 / f64::from(COUNT).sqrt();
        assert!(
            (mean - 0.5).abs() < error && (sd - 0.005).abs() < error,
            "{mean} {sd}"
        );
        assert_ne!(changed(config, 0), changed(config, 1));
        assert_eq!(changed(config, 1), changed(config, 1));
    }

    #[test]
    fn the_share_that_is_asked_for_is_deleted() {
        let config = SpikeAugmentation {
            deletion: 0.2,
            ..Default::default()
        };
        let spikes = changed(config, 4);
        let gone = spikes.iter().filter(|spike| spike.is_none()).count() as f64;
        let (n, p) = (f64::from(COUNT), 0.2);
        assert!(
            (gone - n * p).abs() < 5.0 * (n * p * (1.0 - p)).sqrt(),
            "{gone}"
        );
        assert!(spikes.iter().flatten().all(|&spike| spike == (0.5, 300)));
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let config = SpikeAugmentation {
            deletion: 1.0,
            ..Default::default()
        };
        let error = config.validate().unwrap_err().to_string();
        assert!(error.contains("augmentation.deletion is 1"), "{error}");
        assert!(!SpikeAugmentation::default().is_on() && config.is_on());
    }
}
