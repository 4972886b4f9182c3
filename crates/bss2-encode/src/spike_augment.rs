//! Augmentation of spikes: each moves to another channel, to another time, or
//! goes; and all of a sample move together, as with another voice or pace.

use bss2_event::random::{Address, Domain, normal_pair};
use bss2_event::{RangeError, Seconds, Seed};
use serde::{Deserialize, Serialize};

/// How spikes vary from one showing of a sample to the next. Zero switches a
/// change off; all are off by default.
///
/// # Source
/// Cramer et al., PNAS 2022, for channels, before their number is reduced;
/// all else is our choice: on the logarithmic axis of a cochlea a common shift
/// of channels is a longer or shorter vocal tract (Jaitly and Hinton, ICML
/// workshop 2013, who stretch spectra).
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
    /// Largest shift of all channels of a sample, to either side, 0 to 1000
    /// channels; uniform. What leaves the channels is gone.
    pub channel_shift: f64,
    /// Largest change of a sample's length, to either side, 0 to 0.9 of it;
    /// uniform.
    pub stretch: f64,
    /// Largest shift of a sample's times, to either side, 0 to 1 s of the
    /// recording; uniform.
    pub time_shift: Seconds,
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
        RangeError::check("augmentation.deletion", self.deletion, 0.0, 0.9, "")?;
        let (shift, late) = (self.channel_shift, self.time_shift.get());
        RangeError::check("augmentation.channel_shift", shift, 0.0, 1000.0, "")?;
        RangeError::check("augmentation.stretch", self.stretch, 0.0, 0.9, "")?;
        RangeError::check("augmentation.time_shift", late, 0.0, 1.0, "s")
    }

    /// The changes of one sample in one epoch.
    pub(crate) fn draw(&self, seed: Seed, epoch: u32, id: u64) -> SpikeChanges {
        let draws = |domain| Address::new(seed, domain).presentation(epoch).sample(id);
        let common = draws(Domain::RecordingAugmentation);
        let spread = |step, largest: f64| (2.0 * common.uniform(step) - 1.0) * largest;
        SpikeChanges {
            each: self.channel_jitter > 0.0 || self.time_jitter.get() > 0.0 || self.deletion > 0.0,
            channel_jitter: self.channel_jitter as f32,
            channel_shift: spread(0, self.channel_shift) as f32,
            time_jitter: self.time_jitter.get(),
            stretch: 1.0 + spread(1, self.stretch),
            time_shift: spread(2, self.time_shift.get()),
            deleted_below: (self.deletion * 4_294_967_296.0) as u32,
            draws: draws(Domain::SpikeAugmentation),
        }
    }
}

/// A [`SpikeAugmentation`] at work on one sample: one counter per spike.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SpikeChanges {
    /// Whether spikes differ in their changes.
    each: bool,
    channel_jitter: f32,
    channel_shift: f32,
    time_jitter: f64,
    /// Factor of all times.
    stretch: f64,
    time_shift: f64,
    /// A word below it deletes the spike.
    deleted_below: u32,
    draws: Address,
}

impl SpikeChanges {
    /// Time in seconds and channel of a sample's spike number `index` after the
    /// change, neither kept within any bounds; nothing if it is deleted.
    #[inline]
    pub(crate) fn apply(&self, index: u32, time: f64, channel: u16) -> Option<(f64, i32)> {
        let (mut channels, mut seconds) = (self.channel_shift, self.time_shift);
        // What is common to a sample needs no draws here, which cost most of the time.
        if self.each {
            let [a, b, c, _] = self.draws.words(index);
            if c < self.deleted_below {
                return None;
            }
            let (x, y) = normal_pair(a, b);
            channels += self.channel_jitter * x;
            seconds += self.time_jitter * f64::from(y);
        }
        let channel = i32::from(channel) + libm::roundf(channels) as i32;
        Some((time * self.stretch + seconds, channel))
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
            ..Default::default()
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
    fn a_sample_moves_as_a_whole_within_the_bounds_and_differently_each_time() {
        let config = SpikeAugmentation {
            channel_shift: 30.0,
            stretch: 0.2,
            time_shift: Seconds::milli(10.0),
            ..Default::default()
        };
        let (mut channels, mut lengths, mut begins) = (Vec::new(), Vec::new(), Vec::new());
        for epoch in 0..2000 {
            let changes = config.draw(Seed(3), epoch, 11);
            let (begin, channel) = changes.apply(0, 0.0, 300).unwrap();
            let (end, other) = changes.apply(1, 1.0, 400).unwrap();
            assert_eq!(other - channel, 100);
            channels.push(f64::from(channel));
            begins.push(begin);
            lengths.push(end - begin);
        }
        // A uniform spread has a standard deviation of its half width over root 3.
        for (values, middle, half) in [
            (channels, 300.0, 30.0),
            (begins, 0.0, 0.01),
            (lengths, 1.0, 0.2),
        ] {
            assert!(values.iter().all(|v| (v - middle).abs() <= half + 1e-9));
            let (mean, sd) = moments(values.into_iter());
            assert!((mean - middle).abs() < 0.07 * half, "{mean}");
            assert!((sd / half - 0.577).abs() < 0.03, "{sd}");
        }
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
