//! Pre-emphasis: a recording whose high tones are louder.
//!
//! `y[n] = x[n] - a x[n-1]` with `a = exp(-2 pi f / rate)` rises by 6 dB per octave
//! from f on. The voice falls by about as much, so that without it only the lowest
//! formant of a vowel comes above the cochlea's threshold, and hardly a fricative.
//!
//! # Source
//! Rabiner & Schafer, *Digital Processing of Speech Signals* (1978).

use std::f64::consts::TAU;
use std::path::Path;

use bss2_event::Hertz;

use crate::audio::{Audio, Samples};
use crate::error::EncodeError;

/// A recording through the filter, or as it is where there is none.
pub(super) struct Emphasised<'a> {
    audio: &'a dyn Audio,
    factor: Option<f64>,
}

impl<'a> Emphasised<'a> {
    pub(super) fn new(audio: &'a dyn Audio, from: Option<Hertz>) -> Self {
        let rate = f64::from(audio.rate());
        let factor = from.map(|from| libm::exp(-TAU * from.get() / rate));
        Self { audio, factor }
    }
}

impl Audio for Emphasised<'_> {
    fn name(&self) -> &Path {
        self.audio.name()
    }
    fn rate(&self) -> u32 {
        self.audio.rate()
    }
    fn samples(&self) -> Result<Samples<'_>, EncodeError> {
        let samples = self.audio.samples()?;
        let Some(factor) = self.factor else {
            return Ok(samples);
        };
        let mut before = 0.0;
        Ok(Box::new(samples.map(move |sample| {
            let here = sample?;
            let emphasised = here - factor * before;
            before = here;
            Ok(emphasised)
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::Track;

    /// Root mean square of a tone after the filter, over the one before it.
    fn gain(tone: f64, from: Option<Hertz>) -> f64 {
        let rate = 24_000;
        let samples: Vec<f64> = (0..rate)
            .map(|i| libm::sin(TAU * tone * f64::from(i) / f64::from(rate)))
            .collect();
        let track = Track {
            name: "tone".into(),
            rate,
            samples,
        };
        let energy = |audio: &dyn Audio| -> f64 {
            let samples = audio.samples().unwrap();
            samples.map(|sample| sample.unwrap().powi(2)).sum()
        };
        (energy(&Emphasised::new(&track, from)) / energy(&track)).sqrt()
    }

    #[test]
    fn an_octave_is_six_decibels_above_the_corner_and_few_below() {
        let from = Some(Hertz::new(200.0));
        let octave = gain(1_000.0, from) / gain(500.0, from);
        assert!((1.8..2.0).contains(&octave), "{octave}");
        let octave = gain(50.0, from) / gain(25.0, from);
        assert!((1.0..1.1).contains(&octave), "{octave}");
        assert_eq!(gain(300.0, None), 1.0);
    }
}
