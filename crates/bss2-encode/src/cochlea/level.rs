//! Level and window of a track.
//!
//! All samples are scaled so that their root mean square is the wanted level,
//! then the first half rises and the last half falls as a Hann window, or so much
//! of it as is asked for; the middle sample of an odd number stays. Both need the
//! whole track, so it is gone through twice: here for level and length, then
//! sample by sample.

use std::f64::consts::TAU;

use bss2_event::Seconds;

use crate::audio::Audio;
use crate::error::EncodeError;
use crate::wav::AudioFault;

/// What a first pass through a track finds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level {
    samples: u64,
    gain: f64,
    /// Samples that rise, and that fall.
    ramp: u64,
}

impl Level {
    /// Goes through a track; `level` is the wanted root mean square, `ramp` the most
    /// that rises and falls, half of the track where none is given.
    pub(super) fn measure(
        audio: &dyn Audio,
        level: f64,
        ramp: Option<Seconds>,
        least: u64,
    ) -> Result<Self, EncodeError> {
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
        if !energy.is_finite() {
            // Of doubles: no level brings them down.
            return refuse(AudioFault::TooLoud);
        }
        if energy == 0.0 {
            return refuse(AudioFault::Silent);
        }
        let gain = level / (energy / samples as f64).sqrt();
        let ramp = ramp.map_or(u64::MAX, |ramp| {
            (ramp.get() * f64::from(audio.rate())) as u64
        });
        Ok(Self {
            samples,
            gain,
            ramp: ramp.min(samples / 2),
        })
    }

    /// Samples of the track.
    pub(super) fn samples(&self) -> u64 {
        self.samples
    }

    /// A sample of the track, scaled and windowed.
    pub(super) fn apply(&self, index: u64, sample: f64) -> f64 {
        let from_end = index.min(self.samples - 1 - index);
        if from_end >= self.ramp {
            return sample * self.gain;
        }
        let turn = from_end as f64 / (2 * self.ramp - 1) as f64;
        sample * self.gain * (0.5 - 0.5 * libm::cos(TAU * turn))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::Track;

    #[test]
    fn a_short_ramp_leaves_the_middle_and_a_long_one_is_the_whole_window() {
        let track = Track {
            name: "ones".into(),
            rate: 1_000,
            samples: vec![1.0; 101],
        };
        let measure = |ramp: Option<f64>| {
            let ramp = ramp.map(Seconds::milli);
            let level = Level::measure(&track, 0.5, ramp, 16).unwrap();
            (0..101).map(|i| level.apply(i, 1.0)).collect::<Vec<_>>()
        };
        let short = measure(Some(10.0));
        assert!(short[10..91].iter().all(|&s| s == 0.5));
        assert!(short[..10].is_sorted() && short[0] == 0.0 && short[100] == 0.0);
        assert_eq!(short[3], short[97]);
        assert_eq!(measure(Some(0.0)), [0.5; 101]);
        let whole = measure(None);
        assert_eq!(measure(Some(80.0)), whole);
        assert!(whole[..50].iter().all(|&s| s < 0.5) && whole[50] == 0.5);
    }
}
