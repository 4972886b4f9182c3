//! Sound that can be gone through more than once.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use bss2_event::RangeError;

use crate::error::EncodeError;

/// Rates of the recordings that are taken, in Hz: 1 to 384 kHz.
pub const RATES: RangeInclusive<u32> = 1_000..=384_000;

/// Samples of one recording, in order.
pub type Samples<'a> = Box<dyn Iterator<Item = Result<f64, EncodeError>> + 'a>;

/// A recording of one channel. Its level and its length are known only after a
/// first pass, so whoever encodes it goes through it twice; no pass keeps it
/// in memory.
pub trait Audio: Sync {
    /// The file, or a name in place of one, for messages.
    fn name(&self) -> &Path;
    /// Samples per second.
    fn rate(&self) -> u32;
    /// All samples from the beginning, -1 to 1 at full scale.
    ///
    /// # Errors
    /// Where the recording cannot be read.
    fn samples(&self) -> Result<Samples<'_>, EncodeError>;
}

/// Whether recordings of this rate, in Hz, are taken.
pub(crate) fn check_rate(rate: u32) -> Result<(), RangeError> {
    let (least, most) = (f64::from(*RATES.start()), f64::from(*RATES.end()));
    RangeError::check("rate", rate.into(), least, most, "Hz")
}

/// A recording in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    /// What it is, for messages.
    pub name: PathBuf,
    /// Samples per second.
    pub rate: u32,
    /// Samples, -1 to 1 at full scale.
    pub samples: Vec<f64>,
}

impl Audio for Track {
    fn name(&self) -> &Path {
        &self.name
    }
    fn rate(&self) -> u32 {
        self.rate
    }
    fn samples(&self) -> Result<Samples<'_>, EncodeError> {
        Ok(Box::new(self.samples.iter().map(|&sample| Ok(sample))))
    }
}
