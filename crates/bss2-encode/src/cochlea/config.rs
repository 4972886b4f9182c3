//! Parameters of the cochlea.

use bss2_event::{Hertz, RangeError, Seconds};
use serde::{Deserialize, Serialize};

use super::bushy::BushyConfig;
use super::haircell::HairCellConfig;
use super::membrane::MembraneConfig;
use super::nerve::NerveConfig;
use super::response::Grid;
use crate::audio::check_rate;

/// Everything between a recording and its spikes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CochleaConfig {
    /// Places along the membrane, evenly spaced from base to apex.
    pub channels: usize,
    /// Root mean square that every recording is scaled to.
    pub level: f64,
    /// From which frequency on high tones are made louder, by 6 dB per octave, 1 Hz
    /// to 20 kHz, before the level is set; not at all by default, as published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emphasis: Option<Hertz>,
    /// How long a recording rises at its beginning and falls at its end, as halves
    /// of a Hann window, 0 to 10 s. By default, as published, and where it is
    /// shorter, half of the recording each: then its ends, where the consonants
    /// are, are hardly heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ramp: Option<Seconds>,
    /// The basilar membrane.
    pub membrane: MembraneConfig,
    /// The hair cells.
    pub hair_cell: HairCellConfig,
    /// The auditory nerve.
    pub nerve: NerveConfig,
    /// The bushy cells.
    pub bushy: BushyConfig,
    /// Longest recording that is transformed as one, 0.5 to 60 s.
    pub block: Seconds,
    /// Whether a recording is transformed at exactly its own length and by a finer
    /// table of the membrane, which gives the published encoder's velocities up to
    /// rounding; one that is longer than `block` then is an error. Otherwise zeros are added
    /// up to a length of small prime factors, which is up to ten times as fast and shifts
    /// spikes by less than a step.
    pub exact_length: bool,
}

impl Default for CochleaConfig {
    /// The published values, and blocks of ten seconds.
    fn default() -> Self {
        Self {
            channels: 700,
            level: 0.3,
            emphasis: None,
            ramp: None,
            membrane: MembraneConfig::default(),
            hair_cell: HairCellConfig::default(),
            nerve: NerveConfig::default(),
            bushy: BushyConfig::default(),
            block: Seconds::new(10.0),
            exact_length: false,
        }
    }
}

impl CochleaConfig {
    /// Checks all settings, for recordings of a rate in Hz, one of
    /// [`RATES`](crate::audio::RATES). The higher it is, the faster hair cells may be.
    ///
    /// # Errors
    /// The first setting that is outside its range.
    pub fn validate(&self, rate: u32) -> Result<(), RangeError> {
        check_rate(rate)?;
        RangeError::check("channels", self.channels as f64, 2.0, 65_536.0, "")?;
        RangeError::check("level", self.level, 1e-6, 1e6, "")?;
        if let Some(emphasis) = self.emphasis {
            RangeError::check("emphasis", emphasis.get(), 1.0, 2e4, "Hz")?;
        }
        if let Some(ramp) = self.ramp {
            RangeError::check("ramp", ramp.get(), 0.0, 10.0, "s")?;
        }
        self.membrane.validate()?;
        self.hair_cell.validate(f64::from(rate / 2))?;
        self.nerve.validate()?;
        self.bushy.validate()?;
        RangeError::check("block", self.block.get(), 0.5, 60.0, "s")
    }

    /// Where the membrane's answers are tabulated.
    pub(super) fn grid(&self) -> Grid {
        if self.exact_length {
            Grid::FINE
        } else {
            Grid::FAST
        }
    }
}
