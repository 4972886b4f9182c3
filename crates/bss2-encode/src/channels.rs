//! Fewer channels: the first so many are dropped, of the others every n-th is
//! kept.

use bss2_event::RangeError;
use serde::{Deserialize, Serialize};

use crate::error::EncodeError;
use crate::spike_set::SpikeSet;

/// Which channels of a recording become inputs of a chip.
///
/// # Source
/// Cramer et al., PNAS 2022: of 700 channels the first 70 are dropped and every
/// ninth of the others is kept, which leaves 70.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChannelReduction {
    /// Channels that are dropped, from the first on.
    pub skip: usize,
    /// Of the others one of so many is kept, 1 or more, the first to begin with.
    pub every: usize,
}

impl Default for ChannelReduction {
    fn default() -> Self {
        Self { skip: 70, every: 9 }
    }
}

impl ChannelReduction {
    /// Keeps every channel.
    #[must_use]
    pub fn none() -> Self {
        Self { skip: 0, every: 1 }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`RangeError`] with the field's name and range.
    pub fn validate(&self) -> Result<(), RangeError> {
        RangeError::check("reduction.skip", self.skip as f64, 0.0, 65_535.0, "")?;
        RangeError::check("reduction.every", self.every as f64, 1.0, 65_536.0, "")
    }

    /// How many of so many channels are kept.
    #[must_use]
    pub fn channels(&self, of: usize) -> usize {
        of.saturating_sub(self.skip).div_ceil(self.every)
    }

    /// The input that a channel becomes, if it is kept.
    #[must_use]
    pub fn input(&self, channel: usize) -> Option<u16> {
        let place = channel.checked_sub(self.skip)?;
        place
            .is_multiple_of(self.every)
            .then_some((place / self.every) as u16)
    }

    /// The same samples on fewer channels.
    ///
    /// # Errors
    /// [`EncodeError::Range`] where no channel is left.
    pub fn reduce(&self, set: &SpikeSet) -> Result<SpikeSet, EncodeError> {
        self.validate()?;
        let channels = self.channels(set.channels());
        RangeError::check("channels that are kept", channels as f64, 1.0, 65_536.0, "")?;
        let all: Vec<u32> = (0..set.len() as u32).collect();
        let input = |unit: u16| self.input(unit.into());
        Ok(set.map_spikes(channels, &all, input))
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
        assert!(ChannelReduction { skip: 0, every: 0 }.validate().is_err());
    }
}
