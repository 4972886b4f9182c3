//! Level and window of a track.
//!
//! All samples are scaled so that their root mean square is the wanted level,
//! then the first half rises and the last half falls as a Hann window; the
//! middle sample of an odd number stays. Both need the whole track, so it is
//! gone through twice: here for level and length, then sample by sample.

use std::f64::consts::TAU;

use crate::audio::Audio;
use crate::error::EncodeError;
use crate::wav::AudioFault;

/// What a first pass through a track finds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level {
    samples: u64,
    gain: f64,
}

impl Level {
    /// Goes through a track; `level` is the wanted root mean square.
    pub(super) fn measure(audio: &dyn Audio, level: f64, least: u64) -> Result<Self, EncodeError> {
        let refuse = |fault| Err(EncodeError::audio(audio.name(), fault));
        let (mut samples, mut energy) = (0_u64, 0.0);
        for sample in audio.samples()? {
            let sample = sample?;
            if !sample.is_finite() {
                return refuse(AudioFault::NotFinite { index: samples });
            }
            energy += sample * sample;
            samples += 1;
        }
        if samples == 0 {
            return refuse(AudioFault::Empty);
        }
        if samples < least {
            return refuse(AudioFault::TooShort { samples, least });
        }
        if energy == 0.0 {
            return refuse(AudioFault::Silent);
        }
        let gain = level / (energy / samples as f64).sqrt();
        Ok(Self { samples, gain })
    }

    /// Samples of the track.
    pub(super) fn samples(&self) -> u64 {
        self.samples
    }

    /// A sample of the track, scaled and windowed.
    pub(super) fn apply(&self, index: u64, sample: f64) -> f64 {
        let half = self.samples / 2;
        let from_end = index.min(self.samples - 1 - index);
        if from_end >= half {
            return sample * self.gain;
        }
        let turn = from_end as f64 / (2 * half - 1) as f64;
        sample * self.gain * (0.5 - 0.5 * libm::cos(TAU * turn))
    }
}
