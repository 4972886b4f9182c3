//! The correlation ADC: all columns in parallel, 8 bit.

use bss2_event::{Seconds, Site};
use serde::{Deserialize, Serialize};

use crate::mismatch::FixedPattern;

/// Volts of one code: 256 codes span 1.2 V.
///
/// # Source
/// The paper's code; hardware fact sheet, section 5.
pub const VOLTS_PER_LSB: f64 = 1.2 / 256.0;

/// Largest code.
pub(crate) const MAX_CODE: f32 = 255.0;

/// When the CADC samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CadcSchedule {
    /// Time of the first sample.
    pub start: Seconds,
    /// Time between two samples of a channel.
    pub period: Seconds,
    /// Number of samples; none only where the run has a duration of its own.
    pub samples: usize,
}

impl Default for CadcSchedule {
    /// 20 samples 1.7 us apart, the first at time zero, as in the paper.
    fn default() -> Self {
        Self {
            start: Seconds::new(0.0),
            period: Seconds::micro(1.7),
            samples: 20,
        }
    }
}

/// The 512 causal channels, one per neuron circuit, with the digital offset that
/// a user adds to each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cadc {
    /// `[channel]`: signed digital offset.
    digital_offset: Vec<i8>,
}

impl Default for Cadc {
    fn default() -> Self {
        Self {
            digital_offset: vec![0; Site::CIRCUITS],
        }
    }
}

impl Cadc {
    /// Digital offset of a channel.
    #[must_use]
    pub fn digital_offset(&self, channel: u16) -> i8 {
        self.digital_offset[usize::from(channel)]
    }

    /// Sets the digital offset of a channel.
    pub fn set_digital_offset(&mut self, channel: u16, offset: i8) {
        self.digital_offset[usize::from(channel)] = offset;
    }

    /// Scale (codes per volt) and offset (codes) of a channel.
    pub(crate) fn transfer(&self, pattern: &FixedPattern, channel: u16) -> (f64, f64) {
        let c = usize::from(channel);
        let offset = pattern.cadc_offset[c] + f64::from(self.digital_offset[c]);
        (pattern.cadc_gain[c] / VOLTS_PER_LSB, offset)
    }
}
