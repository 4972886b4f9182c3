//! Sound at a multiple of its rate.
//!
//! The hair cells of the cochlea are unstable below 9.08 kHz, where they fire
//! nearly all the time, and up to 18.16 kHz overshoot from step to step. A
//! recording of a low rate is interpolated before it is encoded:
//!
//! `y[k n + p] = sum_j x[n + j] sinc(p/k - j) w(p/k - j)`, j from 1 - H to H,
//!
//! with Kaiser's window w of half-width H. Samples of the recording stay as they
//! are; what lies before its beginning and after its end is silent.
//!
//! # Source
//! Our choice. Window: Kaiser and Schafer, IEEE Trans. Acoust. Speech Signal
//! Process. 28, 105 (1980).

use std::collections::VecDeque;
use std::f64::consts::PI;
use std::path::Path;

use bss2_event::{Hertz, RangeError};

use crate::audio::{Audio, Samples, check_rate};
use crate::error::EncodeError;

/// H: samples of the recording on either side that enter.
const HALF_WIDTH: usize = 32;
/// Shape of the window: what it lets through beyond is below -90 dB.
const BETA: f64 = 9.0;

/// A recording with `factor` times its samples.
///
/// The factor is whole, so recordings of different rates end at different ones: with
/// 24 kHz asked for, those of 8 kHz at 24, of 11.025 at 33.075, of 16 at 32 and of
/// 44.1 at 44.1 kHz. The cochlea gives them different numbers of spikes, the
/// fewer the higher the rate ([`crate::Cochlea`]).
pub struct Upsampled<'a> {
    audio: &'a dyn Audio,
    factor: u32,
    /// Weights of `2 H` samples, for each phase but 0.
    phases: Vec<[f64; 2 * HALF_WIDTH]>,
}

impl<'a> Upsampled<'a> {
    /// The recording, of 1 to 384 kHz, at the least whole multiple of its rate that
    /// is `least` or more, 0 to 96 kHz.
    ///
    /// # Errors
    /// [`EncodeError::Range`] for rates outside these ranges.
    pub fn to(audio: &'a dyn Audio, least: Hertz) -> Result<Self, EncodeError> {
        let factor = upsampling(audio.rate(), least)?;
        let phase = |p: u32| {
            std::array::from_fn(|i| {
                let distance =
                    f64::from(p) / f64::from(factor) + (HALF_WIDTH - 1) as f64 - i as f64;
                kernel(distance)
            })
        };
        Ok(Self {
            audio,
            factor,
            phases: (1..factor).map(phase).collect(),
        })
    }
}

/// The factor that brings recordings of this rate to `least` or more.
pub(crate) fn upsampling(rate: u32, least: Hertz) -> Result<u32, RangeError> {
    check_least(least)?;
    check_rate(rate)?;
    Ok((least.get() / f64::from(rate)).ceil().max(1.0) as u32)
}

/// Whether recordings can be brought to such a rate.
pub(crate) fn check_least(rate: Hertz) -> Result<(), RangeError> {
    RangeError::check("least_rate", rate.get(), 0.0, 96_000.0, "Hz")
}

/// Sinc under Kaiser's window, at a distance in samples.
fn kernel(distance: f64) -> f64 {
    let place = distance / HALF_WIDTH as f64;
    if place.abs() >= 1.0 {
        return 0.0;
    }
    let window = bessel_i0(BETA * libm::sqrt(1.0 - place * place)) / bessel_i0(BETA);
    let angle = PI * distance;
    let sinc = if angle == 0.0 {
        1.0
    } else {
        libm::sin(angle) / angle
    };
    sinc * window
}

/// Modified Bessel function of the first kind, by its series.
fn bessel_i0(x: f64) -> f64 {
    let quarter = 0.25 * x * x;
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..64 {
        term *= quarter / f64::from(k * k);
        sum += term;
    }
    sum
}

impl Audio for Upsampled<'_> {
    fn name(&self) -> &Path {
        self.audio.name()
    }
    fn rate(&self) -> u32 {
        self.audio.rate() * self.factor
    }
    fn samples(&self) -> Result<Samples<'_>, EncodeError> {
        let samples = self.audio.samples()?;
        if self.factor == 1 {
            return Ok(samples);
        }
        Ok(Box::new(Interpolation {
            of: self,
            samples,
            around: VecDeque::from(vec![0.0; HALF_WIDTH]),
            left: None,
            phase: 0,
        }))
    }
}

/// Goes through a recording with the samples around the present one at hand.
struct Interpolation<'a> {
    of: &'a Upsampled<'a>,
    samples: Samples<'a>,
    /// `2 H` samples, the present one at place H - 1; fewer at the beginning.
    around: VecDeque<f64>,
    /// Samples of the recording from the present one on, once it has ended.
    left: Option<usize>,
    phase: usize,
}

impl Interpolation<'_> {
    /// Takes the next sample of the recording, or silence after its end.
    fn pull(&mut self) -> Result<(), EncodeError> {
        if self.left.is_none() {
            match self.samples.next() {
                Some(Ok(sample)) => {
                    self.around.push_back(sample);
                    return Ok(());
                }
                Some(Err(error)) => {
                    self.left = Some(0); // no way to go on
                    return Err(error);
                }
                None => self.left = Some((self.around.len() + 1).saturating_sub(HALF_WIDTH)),
            }
        }
        self.around.push_back(0.0);
        Ok(())
    }
}

impl Iterator for Interpolation<'_> {
    type Item = Result<f64, EncodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.phase == 0 {
            // The sample before goes; at the very beginning it is silence.
            self.around.pop_front();
            self.left = self.left.map(|left| left.saturating_sub(1));
            while self.around.len() < 2 * HALF_WIDTH {
                if let Err(error) = self.pull() {
                    return Some(Err(error));
                }
            }
        }
        if self.left == Some(0) {
            return None;
        }
        let value = match self.phase.checked_sub(1) {
            None => self.around[HALF_WIDTH - 1],
            Some(phase) => {
                let weights = &self.of.phases[phase];
                self.around.iter().zip(weights).map(|(x, w)| x * w).sum()
            }
        };
        self.phase = (self.phase + 1) % self.of.factor as usize;
        Some(Ok(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::Track;
    use crate::wav::AudioFault;

    fn track(samples: Vec<f64>) -> Track {
        Track {
            name: "test".into(),
            rate: 8_000,
            samples,
        }
    }

    fn upsample(samples: Vec<f64>, least: f64) -> (u32, Vec<f64>) {
        let track = track(samples);
        let fine = Upsampled::to(&track, Hertz::new(least)).unwrap();
        let samples = fine.samples().unwrap().collect::<Result<_, _>>();
        (fine.rate(), samples.unwrap())
    }

    #[test]
    fn samples_stay_and_others_lie_between_them() {
        let tone = |hertz: f64, rate: f64, n: usize| {
            (std::f64::consts::TAU * hertz / rate * n as f64).sin()
        };
        for hertz in [90.0, 1_000.0, 3_400.0] {
            let samples: Vec<f64> = (0..2_000).map(|n| tone(hertz, 8_000.0, n)).collect();
            let (rate, fine) = upsample(samples.clone(), 24_000.0);
            assert_eq!((rate, fine.len()), (24_000, 6_000));
            assert!(fine.iter().step_by(3).eq(&samples));
            // Away from the ends, where silence begins.
            let error = (300..5_700).map(|n| (fine[n] - tone(hertz, 24_000.0, n)).abs());
            let error = error.fold(0.0, f64::max);
            assert!(error < 1e-4, "{hertz} Hz: {error:e}");
        }
    }

    #[test]
    fn recordings_of_any_length_are_as_long_as_they_should_be() {
        for length in [0, 1, 2, 31, 32, 33, 63, 64, 65, 100] {
            let samples: Vec<f64> = (0..length).map(|n| 1.0 + n as f64).collect();
            for (least, factor) in [(0.0, 1), (8_000.0, 1), (8_001.0, 2), (24_000.0, 3)] {
                let (rate, fine) = upsample(samples.clone(), least);
                assert_eq!((rate, fine.len()), (8_000 * factor as u32, factor * length));
                assert!(fine.iter().step_by(factor).eq(&samples));
            }
        }
    }

    #[test]
    fn rates_outside_their_ranges_are_refused() {
        let error = |rate, least| {
            let track = Track {
                rate,
                ..track(vec![0.5; 100])
            };
            let fine = Upsampled::to(&track, Hertz::new(least));
            fine.err().expect("it is refused").to_string()
        };
        for rate in [0, 999, 384_001, u32::MAX] {
            let wanted = format!("rate is {rate} Hz, allowed are 1000 Hz to 384000 Hz");
            assert_eq!(error(rate, 24_000.0), wanted);
        }
        for least in [-1.0, 96_001.0, f64::INFINITY, f64::NAN] {
            let wanted = format!("least_rate is {least} Hz, allowed are 0 Hz to 96000 Hz");
            assert_eq!(error(8_000, least), wanted);
        }
    }

    struct Broken;

    impl Audio for Broken {
        fn name(&self) -> &Path {
            Path::new("broken")
        }
        fn rate(&self) -> u32 {
            8_000
        }
        fn samples(&self) -> Result<Samples<'_>, EncodeError> {
            let fault = || EncodeError::audio(self.name(), AudioFault::NotFinite { index: 99 });
            let samples = (0..200).map(move |n| if n == 99 { Err(fault()) } else { Ok(0.5) });
            Ok(Box::new(samples))
        }
    }

    #[test]
    fn what_cannot_be_read_is_said_once() {
        let fine = Upsampled::to(&Broken, Hertz::new(24_000.0)).unwrap();
        let samples: Vec<_> = fine.samples().unwrap().collect();
        assert!(samples.last().unwrap().is_err());
        assert_eq!(samples.iter().filter(|sample| sample.is_err()).count(), 1);
    }
}
