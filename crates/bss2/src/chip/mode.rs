//! How images follow each other on the chip.

use bss2_analog::ArtificialReset;
use bss2_event::{Seconds, Site};
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

/// How long queues of the fabric are followed: through the last sample's period, and to
/// the end of an image's slot where that comes later.
pub(super) fn followed(time: TimeConfig, inference: Option<InferenceConfig>) -> Seconds {
    let read = time.dt * (time.steps + 1) as f64;
    match inference.map(|inference| inference.window()) {
        Some(window) if window > read => window,
        _ => read,
    }
}

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
    /// for 20 samples of both halves where neurons have two circuits, of which one is
    /// read. The first image of a run meets circuits at rest.
    #[must_use]
    pub fn images_per_run(samples: usize, halves: usize, circuits_per_neuron: usize) -> usize {
        let sample_bytes = halves * Site::COLUMNS / circuits_per_neuron.max(1);
        (FPGA_BYTES / (samples * sample_bytes).max(1)).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_numbers_follow() {
        assert_eq!(InferenceConfig::images_per_run(20, 2, 2), 25);
        assert_eq!(InferenceConfig::images_per_run(20, 1, 2), 51);
        assert_eq!(
            InferenceConfig::images_per_run(20, 2, 1),
            12,
            "neurons of one circuit are twice as many"
        );
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

    #[test]
    fn queues_are_followed_to_the_end_of_samples_and_slot() {
        let micro = |time, inference| followed(time, inference).as_micro();
        let whole = TimeConfig::default();
        assert!((micro(whole, None) - 35.7).abs() < 1e-9);
        let config = InferenceConfig::default();
        assert!((micro(config.time(whole), Some(config)) - 10.2).abs() < 1e-9);
        let long = InferenceConfig {
            interval: Seconds::micro(60.0),
            ..config
        };
        assert!((micro(long.time(whole), Some(long)) - 57.8).abs() < 1e-9);
    }
}
