//! Generated speech: spoken digits that need no files.
//!
//! Ten words, spelled as segments of our own (`voices/words.rs`) and spoken by
//! a formant synthesiser (`voices/formants.rs`) in several voices: a source of
//! pulses and noise through resonators whose frequencies glide from segment to
//! segment. Voices differ in pitch, length of the vocal tract, pace, breath and
//! accent; takes of a voice differ in all of them again, a little, and in
//! loudness, pauses and background. They are named as the recordings of the
//! Free Spoken Digit Dataset and take its way, but results on them say nothing
//! about it: the set is called [`NAME`], for every output to show.
//!
//! # Source
//! Our own; the scheme is that of Klatt, J. Acoust. Soc. Am. 67, 971 (1980), and
//! vowels lie near the means of Peterson and Barney, J. Acoust. Soc. Am. 24, 175
//! (1952).

mod formants;
mod words;

use std::path::PathBuf;

use bss2_event::random::{Address, Domain};
use bss2_event::{RangeError, Seed};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::audio::Track;
use crate::recordings::RecordingName;
use crate::transcript::{Recording, Sound};

use formants::Utterance;
use words::WORDS;

/// Name of the data set.
pub const NAME: &str = "generated speech";
/// Samples per second.
pub const RATE: u32 = 8_000;

/// How much speech to generate, and from which seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GeneratedSpeech {
    /// Voices, 1 to 26.
    pub voices: u32,
    /// Recordings of each digit by each voice, 1 to 10,000.
    pub takes: u32,
    /// What voices and takes are drawn from.
    pub seed: Seed,
}

impl Default for GeneratedSpeech {
    fn default() -> Self {
        Self {
            voices: 6,
            takes: 20,
            seed: Seed(0),
        }
    }
}

impl GeneratedSpeech {
    /// Speaks all digits, in parallel, in the order of [`RecordingName`]. A
    /// recording depends on seed, digit, voice and take alone.
    ///
    /// # Errors
    /// [`RangeError`] with the field's name and range.
    pub fn generate(&self) -> Result<Vec<Recording>, RangeError> {
        RangeError::check("voices", self.voices.into(), 1.0, 26.0, "")?;
        RangeError::check("takes", self.takes.into(), 1.0, 10_000.0, "")?;
        let digits = WORDS.len() as u32;
        let count = self.voices * self.takes * digits;
        Ok((0..count)
            .into_par_iter()
            .map(|i| {
                self.speak(
                    i % digits,
                    i / digits % self.voices,
                    i / digits / self.voices,
                )
            })
            .collect())
    }

    fn speak(&self, digit: u32, voice: u32, take: u32) -> Recording {
        let name = RecordingName {
            take,
            speaker: format!("voice{}", char::from(b'a' + voice as u8)),
            label: digit.to_string(),
        };
        let address = Address::new(self.seed, Domain::GeneratedSpeech);
        let voice = Voice::draw(address.sample(voice.into()), voice);
        let draws = address.sample(1 << 16 | u64::from(take)).element(
            // A voice's number is below 26, so no two share an element.
            digit << 8 | voice.number,
        );
        let utterance = Utterance::new(&voice.vary(draws), WORDS[digit as usize], draws);
        let track = Track {
            name: PathBuf::from(name.file_name()),
            rate: RATE,
            samples: utterance.sound(),
        };
        Recording {
            name,
            sound: Sound::Track(track),
        }
    }
}

/// How somebody sounds.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Voice {
    number: u32,
    /// Pitch in Hz at the beginning of a word.
    pitch: f64,
    /// Pitch at its end, relative to the beginning.
    fall: f64,
    /// Formants relative to those of the table: short tracts have higher ones.
    tract: f64,
    /// Each formant by itself, relative.
    accent: [f64; 3],
    /// Durations relative to those of the table.
    pace: f64,
    /// Noise in the source of vowels, relative to its pulses.
    breath: f64,
    /// Background noise, relative to full scale.
    background: f64,
}

impl Voice {
    fn draw(draws: Address, number: u32) -> Self {
        let u = |step| draws.uniform(step);
        // Low and high voices take turns.
        let (pitch, tract) = if number.is_multiple_of(2) {
            (95.0 + 45.0 * u(0), 0.94 + 0.1 * u(1))
        } else {
            (175.0 + 65.0 * u(0), 1.08 + 0.14 * u(1))
        };
        Self {
            number,
            pitch,
            fall: 0.7 + 0.3 * u(2),
            tract,
            accent: [3, 4, 5].map(|step| 0.94 + 0.12 * u(step)),
            pace: 0.8 + 0.4 * u(6),
            breath: 0.02 + 0.08 * u(7),
            background: 0.000_5 + 0.003 * u(8),
        }
    }

    /// The same voice on another day.
    fn vary(&self, draws: Address) -> Self {
        let about = |step, spread: f64| 1.0 + spread * draws.normal(step).clamp(-2.5, 2.5);
        Self {
            pitch: self.pitch * about(0, 0.06),
            fall: self.fall * about(1, 0.06),
            tract: self.tract * about(2, 0.015),
            accent: [0, 1, 2].map(|i| self.accent[i] * about(3 + i as u32, 0.03)),
            pace: self.pace * about(6, 0.1),
            breath: self.breath * about(7, 0.2),
            background: self.background * about(8, 0.2),
            ..*self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracks(speech: GeneratedSpeech) -> Vec<Track> {
        let recordings = speech.generate().unwrap().into_iter();
        let track = |recording: Recording| match recording.sound {
            Sound::Track(track) => track,
            Sound::File(_) => unreachable!("nothing comes from files"),
        };
        recordings.map(track).collect()
    }

    const SMALL: GeneratedSpeech = GeneratedSpeech {
        voices: 3,
        takes: 2,
        seed: Seed(4),
    };

    #[test]
    fn a_recording_is_a_function_of_seed_digit_voice_and_take() {
        let all = tracks(SMALL);
        assert_eq!(all.len(), 60);
        assert!(all.is_sorted_by_key(|track| {
            RecordingName::parse(track.name.to_str().unwrap()).unwrap()
        }));
        let more = tracks(GeneratedSpeech {
            voices: 4,
            takes: 3,
            ..SMALL
        });
        for track in &all {
            let same = more.iter().find(|other| other.name == track.name);
            assert_eq!(same, Some(track));
            // And no two are alike.
            let alike = all.iter().filter(|other| other.samples == track.samples);
            assert_eq!(alike.count(), 1);
        }
        let other = tracks(GeneratedSpeech {
            seed: Seed(5),
            ..SMALL
        });
        assert_ne!(other, all);
        assert!(
            GeneratedSpeech {
                voices: 27,
                ..SMALL
            }
            .generate()
            .is_err()
        );
    }

    #[test]
    fn words_are_as_long_and_as_loud_as_speech() {
        for track in tracks(SMALL) {
            let seconds = track.samples.len() as f64 / f64::from(RATE);
            assert!(
                (0.2..1.2).contains(&seconds),
                "{:?}: {seconds} s",
                track.name
            );
            let peak = track
                .samples
                .iter()
                .fold(0.0_f64, |peak, s| peak.max(s.abs()));
            assert!((0.1..=1.0).contains(&peak), "{:?}: {peak}", track.name);
            assert!(track.samples.iter().all(|sample| sample.is_finite()));
        }
    }
}
