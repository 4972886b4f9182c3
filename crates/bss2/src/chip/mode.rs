//! How images follow each other on the chip.

use bss2_analog::ArtificialReset;
use bss2_event::Seconds;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::config::TimeConfig;

/// How images follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum RunMode {
    /// 200 us apart: each image meets circuits at rest.
    #[default]
    Training,
    /// 11.8 us apart, with an artificial reset in between: 85,000 images per
    /// second, each with the residues of the one before.
    Inference,
}

impl RunMode {
    /// The word for it in files and flags.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::Inference => "inference",
        }
    }
}

/// Timing of [`RunMode::Inference`].
///
/// An image's slot ends with the artificial reset; before it the CADC takes as
/// many samples as there is room for, the first at time zero. Input spikes that
/// would come later are not sent.
///
/// # Source
/// Hardware fact sheet, section 12: the paper's code. That the reset is the end
/// of the slot, 9.6 us after its beginning, is derived from the three times; the
/// paper speaks of 10 us after the first input spike.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InferenceConfig {
    /// From one image to the next.
    pub interval: Seconds,
    /// What ends the slot of an image.
    pub reset: ArtificialReset,
}

impl Default for InferenceConfig {
    fn default() -> Self {
        Self {
            interval: Seconds::micro(11.8),
            reset: ArtificialReset::default(),
        }
    }
}

/// Bytes that the FPGA records in one hardware run.
const FPGA_BYTES: usize = 131_072;
/// Bytes of one CADC sample of one half.
const ROW_BYTES: usize = 128;

impl InferenceConfig {
    /// Time from an image's beginning to its reset.
    #[must_use]
    pub fn window(&self) -> Seconds {
        self.interval - self.reset.duration
    }

    /// The samples that lie before the reset.
    #[must_use]
    pub fn time(&self, whole: TimeConfig) -> TimeConfig {
        // Times that are multiples of the period stay what they are in spite of rounding.
        let room = (self.window() / whole.dt + 1e-9).floor().max(0.0) as usize;
        TimeConfig {
            steps: whole.steps.min(room),
            ..whole
        }
    }

    /// Images of one hardware run: as many as the FPGA's memory holds, which is 25
    /// for 20 samples of both halves. The first image of a run meets circuits at
    /// rest.
    #[must_use]
    pub fn images_per_run(samples: usize, halves: usize) -> usize {
        (FPGA_BYTES / (samples * halves * ROW_BYTES).max(1)).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_numbers_follow() {
        assert_eq!(InferenceConfig::images_per_run(20, 2), 25);
        assert_eq!(InferenceConfig::images_per_run(20, 1), 51);
        let whole = TimeConfig::default();
        let config = InferenceConfig::default();
        assert_eq!(config.time(whole).steps, 5);
        let six = InferenceConfig {
            interval: Seconds::micro(12.4),
            ..config
        };
        assert_eq!(six.time(whole).steps, 6, "10.2 us are six periods");
        assert_eq!(config.time(TimeConfig { steps: 3, ..whole }).steps, 3);
    }
}
