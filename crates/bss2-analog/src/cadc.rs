//! The correlation ADC: all columns in parallel, 8 bit.

use bss2_event::{CapMemCode, RangeError, Seconds, Site};
use serde::{Deserialize, Serialize};

use crate::error::AnalogError;
use crate::mismatch::{FixedPattern, QUADRANT_CIRCUITS};

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

impl CadcSchedule {
    /// Shortest and longest period that is computed.
    pub const PERIODS: [Seconds; 2] = [Seconds::micro(0.54), Seconds::micro(1e3)];

    /// How many samples a run of some length has room for, each of them taken up to `late` after
    /// its time.
    #[must_use]
    pub fn room(&self, duration: Seconds, late: Seconds) -> usize {
        // Times that are multiples of the period stay what they are in spite of rounding.
        let last = (duration - self.start - late) / self.period + 1e-9;
        (last.floor() + 1.0).max(0.0) as usize
    }
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

/// From here on the ramp bends: trusted codes are 30 to 210.
///
/// # Source
/// Calix; hardware fact sheet, section 5.
const KNEE: f32 = 210.0;

/// The bend of the ramp near its top: the ramp slows down, so that a potential is
/// reached later, at a higher code. That it bends: calix; this form: DEFAULT.
///
/// ```text
/// x' = x + strength max(0, x - 210)^2
/// ```
#[inline(always)]
pub(crate) fn bend(code: f32, strength: f32) -> f32 {
    let above = if code > KNEE { code - KNEE } else { 0.0 };
    code + strength * above * above
}

/// Strength of a bend that adds so many codes to code 255.
pub(crate) fn bend_strength(codes_at_top: f64) -> f32 {
    codes_at_top as f32 / ((MAX_CODE - KNEE) * (MAX_CODE - KNEE))
}

/// The ramp that the channels of a quadrant compare their membranes with.
///
/// Code 0 stands for `(offset - 31) 1.76 mV`, a code for `slope / 369` of
/// [`VOLTS_PER_LSB`].
///
/// # Source
/// Nominal cells: means of the published chip, whose quadrants have offsets 40,
/// 25, 34, 26 and slopes 389, 379, 348, 359 (hardware fact sheet, section 5).
/// That the codes are proportional: DEFAULT; volts of a cell: section 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ramp {
    /// Voltage cell of its beginning.
    pub offset: CapMemCode,
    /// Current cell of its slope, at least 100.
    pub slope: CapMemCode,
}

const NOMINAL_OFFSET: i64 = 31;
const NOMINAL_SLOPE: i64 = 369;
const VOLTS_PER_CELL_CODE: f64 = 1.76e-3;

impl Default for Ramp {
    fn default() -> Self {
        let code = |code| CapMemCode::new(code).expect("a code of a cell");
        Self {
            offset: code(NOMINAL_OFFSET),
            slope: code(NOMINAL_SLOPE),
        }
    }
}

impl Ramp {
    fn begin_volts(self) -> f64 {
        (f64::from(self.offset.get()) - NOMINAL_OFFSET as f64) * VOLTS_PER_CELL_CODE
    }

    fn volts_per_code(self) -> f64 {
        VOLTS_PER_LSB * f64::from(self.slope.get()) / NOMINAL_SLOPE as f64
    }
}

/// The 512 causal channels, one per neuron circuit, with the digital offset that
/// a user adds to each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cadc {
    /// `[channel]`: signed digital offset.
    digital_offset: Vec<i8>,
    /// `[quadrant]`.
    ramps: [Ramp; 4],
}

impl Default for Cadc {
    fn default() -> Self {
        Self {
            digital_offset: vec![0; Site::CIRCUITS],
            ramps: [Ramp::default(); 4],
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

    /// Ramps of the quadrants.
    #[must_use]
    pub fn ramps(&self) -> &[Ramp; 4] {
        &self.ramps
    }

    /// Ramps of the quadrants, to set them.
    pub fn ramps_mut(&mut self) -> &mut [Ramp; 4] {
        &mut self.ramps
    }

    pub(crate) fn validate(&self) -> Result<(), AnalogError> {
        for ramp in &self.ramps {
            RangeError::check("ramp slope", ramp.slope.get().into(), 100.0, 1022.0, "")?;
        }
        Ok(())
    }

    /// Scale (codes per volt) and offset (codes) of a channel.
    pub(crate) fn transfer(&self, pattern: &FixedPattern, channel: u16) -> (f64, f64) {
        let c = usize::from(channel);
        let ramp = self.ramps[c / QUADRANT_CIRCUITS];
        let scale = pattern.cadc_gain[c] / ramp.volts_per_code();
        let offset = pattern.cadc_offset[c] + f64::from(self.digital_offset[c]);
        (scale, offset - scale * ramp.begin_volts())
    }
}
