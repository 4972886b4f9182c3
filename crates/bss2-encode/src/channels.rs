//! Fewer channels: the first so many are dropped, of the others every n-th is
//! kept, or so many neighbours become one.

use bss2_event::RangeError;
use serde::{Deserialize, Serialize};

use crate::error::EncodeError;
use crate::spike_set::SpikeSet;

/// Which channels of a recording become inputs of a chip.
///
/// # Source
/// Cramer et al., PNAS 2022: of 700 channels the first 70 are dropped and every
/// ninth of the others is kept, which leaves 70. Joining them is ours: it keeps
/// what the other eight know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChannelReduction {
    /// Channels that are dropped, from the first on, 0 to 65,535.
    pub skip: usize,
    /// Of the others one of so many is kept, 1 to 65,536, the first to begin with.
    pub every: usize,
    /// 0 for none but that one, at most 65,536. Otherwise the spikes of all `every` channels are
    /// joined, and of each so many that follow each other on an input the middle
    /// one is kept: as many spikes at an even distance tell a rate better than
    /// as many of a single channel.
    pub join: usize,
}

impl Default for ChannelReduction {
    fn default() -> Self {
        Self {
            skip: 70,
            every: 9,
            join: 0,
        }
    }
}

impl ChannelReduction {
    /// Keeps every channel.
    #[must_use]
    pub fn none() -> Self {
        Self {
            skip: 0,
            every: 1,
            join: 0,
        }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`RangeError`] with the field's name and range.
    pub fn validate(&self) -> Result<(), RangeError> {
        RangeError::check("reduction.skip", self.skip as f64, 0.0, 65_535.0, "")?;
        RangeError::check("reduction.every", self.every as f64, 1.0, 65_536.0, "")?;
        RangeError::check("reduction.join", self.join as f64, 0.0, 65_536.0, "")
    }

    /// How many of so many channels are kept.
    ///
    /// # Panics
    /// If `every` is 0, which [`ChannelReduction::validate`] refuses.
    #[must_use]
    pub fn channels(&self, of: usize) -> usize {
        of.saturating_sub(self.skip).div_ceil(self.every)
    }

    /// As [`ChannelReduction::channels`], at least one.
    ///
    /// # Errors
    /// [`RangeError`] of `reduction.skip`, which alone can leave none, and unless there
    /// are 1 to 65,536 channels.
    ///
    /// # Panics
    /// As [`ChannelReduction::channels`].
    pub(crate) fn some_channels(&self, of: usize) -> Result<usize, RangeError> {
        RangeError::check("channels", of as f64, 1.0, 65_536.0, "")?;
        let most = of as f64 - 1.0;
        RangeError::check("reduction.skip", self.skip as f64, 0.0, most, "")?;
        Ok(self.channels(of))
    }

    /// The input that a channel, 0..65,536, becomes, if it is kept.
    ///
    /// # Panics
    /// As [`ChannelReduction::channels`].
    #[must_use]
    pub fn input(&self, channel: usize) -> Option<u16> {
        let place = channel.checked_sub(self.skip)?;
        (self.join > 0 || place.is_multiple_of(self.every)).then_some((place / self.every) as u16)
    }

    /// What is left of joined channels of a sample, whose spikes come in the order
    /// of their times.
    pub(crate) fn thinning(&self, inputs: usize) -> Thinning {
        Thinning {
            period: self.join.max(1) as u32,
            seen: vec![0; inputs],
        }
    }

    /// The same samples on fewer channels.
    ///
    /// # Errors
    /// [`EncodeError::Range`] where no channel is left.
    pub fn reduce(&self, set: &SpikeSet) -> Result<SpikeSet, EncodeError> {
        self.validate()?;
        let channels = self.some_channels(set.channels())?;
        let all: Vec<u32> = (0..set.len() as u32).collect();
        let mut thinning = self.thinning(channels);
        let mut last = usize::MAX;
        let kept = |sample: usize, unit: u16| {
            if sample != last {
                thinning.begin();
                last = sample;
            }
            self.input(unit.into())
                .filter(|&input| thinning.keeps(input))
        };
        Ok(set.map_spikes(channels, &all, kept))
    }
}

/// Keeps the middle one of each so many spikes of an input.
#[derive(Debug, Clone)]
pub(crate) struct Thinning {
    period: u32,
    /// Spikes of each input since the last that completed a period.
    seen: Vec<u32>,
}

impl Thinning {
    /// Another sample begins.
    pub(crate) fn begin(&mut self) {
        self.seen.fill(0);
    }

    /// Whether the next spike of an input is kept.
    #[inline]
    pub(crate) fn keeps(&mut self, input: u16) -> bool {
        let seen = &mut self.seen[usize::from(input)];
        let kept = *seen == self.period / 2;
        *seen = (*seen + 1) % self.period;
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seventy_of_seven_hundred_are_kept() {
        let reduction = ChannelReduction::default();
        assert_eq!(reduction.channels(700), 70);
        assert_eq!(reduction.input(69), None);
        assert_eq!(reduction.input(70), Some(0));
        assert_eq!(reduction.input(71), None);
        assert_eq!(reduction.input(691), Some(69));
        assert!((692..700).all(|channel| reduction.input(channel).is_none()));
        assert_eq!(reduction.channels(70), 0);
        assert_eq!(reduction.some_channels(71), Ok(1));
        let text = |channels| reduction.some_channels(channels).unwrap_err().to_string();
        assert_eq!(text(70), "reduction.skip is 70, allowed are 0 to 69");
        assert!(text(0).starts_with("channels is 0"), "{}", text(0));
        assert!(text(65_537).starts_with("channels is 65537"));
        let none = ChannelReduction {
            every: 0,
            ..reduction
        };
        assert!(none.validate().is_err());
    }

    #[test]
    fn neighbours_are_joined_and_the_middle_of_each_three_is_kept() {
        let reduction = ChannelReduction {
            join: 3,
            ..Default::default()
        };
        assert_eq!(reduction.channels(700), 70);
        assert_eq!(reduction.input(69), None);
        assert_eq!(reduction.input(78), Some(0));
        assert_eq!(reduction.input(79), Some(1));
        let mut set = SpikeSet::new("t", 700, vec!["a".into()], vec![Default::default()]).unwrap();
        let times: Vec<f32> = (0..8).map(|i| 0.1 * i as f32).collect();
        for _ in 0..2 {
            let units = [70, 71, 79, 72, 73, 74, 80, 75];
            set.push(0, Default::default(), &times, &units).unwrap();
        }
        let reduced = reduction.reduce(&set).unwrap();
        for sample in 0..2 {
            let expected = (&[times[1], times[5], times[6]][..], &[0, 0, 1][..]);
            assert_eq!(reduced.spikes(sample), expected);
        }
    }
}
