//! The synthesiser: pulses and noise through resonators.
//!
//! Per sample: parameters glide along the segment, smoothed over 8 ms; pulses
//! (the derivative of Rosenberg's) and noise make the source; four resonators
//! in a row, `y = a x + b y1 - c y2`, shape vowels, one more shapes hiss.

use std::f64::consts::{PI, TAU};

use bss2_event::random::Address;

use super::words::Segment;
use super::{RATE, Voice};

const DT: f64 = 1.0 / RATE as f64;
/// Samples between two settings of the resonators.
const FRAME: usize = 16;
/// Smoothing of parameters, per frame.
const FOLLOW: f64 = 0.22;
/// Widths of the formants in Hz.
const WIDTHS: [f64; 4] = [70.0, 90.0, 130.0, 250.0];
const FOURTH: f64 = 3500.0;
/// First draws that voices and durations do not use.
const DURATIONS: u32 = 16;
const NOISE: u32 = 64;

/// A word about to be spoken.
pub(super) struct Utterance<'a> {
    voice: Voice,
    word: &'a [Segment],
    draws: Address,
}

/// What the source and the resonators are set to.
#[derive(Clone, Copy)]
struct Setting {
    formants: [f64; 3],
    voice: f64,
    noise: f64,
    band: [f64; 2],
}

impl<'a> Utterance<'a> {
    pub(super) fn new(voice: &Voice, word: &'a [Segment], draws: Address) -> Self {
        Self {
            voice: *voice,
            word,
            draws,
        }
    }

    /// The samples, -1 to 1 at full scale.
    pub(super) fn sound(&self) -> Vec<f64> {
        let frames = self.frames();
        let mut samples = Vec::with_capacity(frames.len() * FRAME);
        let mut tract = [Resonator::default(); 4];
        let mut hiss = Resonator::default();
        let (mut phase, mut step) = (0.0, NOISE);
        for (i, frame) in frames.iter().enumerate() {
            let place = i as f64 / frames.len() as f64;
            let pitch = self.voice.pitch * (1.0 + (self.voice.fall - 1.0) * place);
            for (n, resonator) in tract.iter_mut().enumerate() {
                let hertz = frame.formants.get(n).copied().unwrap_or(FOURTH);
                let accent = self.voice.accent.get(n).copied().unwrap_or(1.0);
                resonator.set(hertz * accent * self.voice.tract, WIDTHS[n]);
            }
            hiss.set(frame.band[0] * self.voice.tract, frame.band[1]);
            for _ in 0..FRAME {
                // Two uniform numbers make noise that is normal enough.
                let [a, b, c, _] = self.draws.words(step);
                step += 1;
                let unit = |word: u32| f64::from(word) / f64::from(u32::MAX) - 0.5;
                let noise = unit(a) + unit(b);
                phase += pitch * DT;
                phase -= libm::floor(phase);
                let source = frame.voice * (pulse(phase) + self.voice.breath * noise);
                let vowel = tract.iter_mut().fold(source, |x, r| r.pass(x));
                let consonant = hiss.pass(noise * frame.noise);
                samples.push(0.3 * vowel + consonant + self.voice.background * unit(c));
            }
        }
        self.scale(&mut samples);
        samples
    }

    /// Settings frame by frame, with a pause on either side.
    fn frames(&self) -> Vec<Setting> {
        let pause = |step| 1.0 + 9.0 * self.draws.uniform(step);
        let silent = |segment: &Segment, at: usize| Setting {
            formants: segment.formants[at],
            voice: 0.0,
            noise: 0.0,
            band: segment.band,
        };
        let (first, last) = (self.word[0], self.word[self.word.len() - 1]);
        let mut targets = vec![silent(&first, 0); pause(DURATIONS) as usize];
        for (i, segment) in self.word.iter().enumerate() {
            let vary = self.draws.normal(DURATIONS + 2 + i as u32).clamp(-2.0, 2.0);
            let ms = segment.ms * self.voice.pace * (1.0 + 0.12 * vary);
            let count = (ms * 1e-3 / (DT * FRAME as f64)).max(1.0) as usize;
            let [from, to] = segment.formants;
            targets.extend((0..count).map(|frame| {
                let share = frame as f64 / count as f64;
                Setting {
                    formants: [0, 1, 2].map(|n| from[n] + share * (to[n] - from[n])),
                    voice: segment.voice,
                    noise: segment.noise,
                    band: segment.band,
                }
            }));
        }
        targets.extend(vec![silent(&last, 1); 6 + pause(DURATIONS + 1) as usize]);
        let mut now = targets[0];
        for target in &mut targets {
            let follow = |now: f64, to: f64| now + FOLLOW * (to - now);
            now = Setting {
                formants: [0, 1, 2].map(|n| follow(now.formants[n], target.formants[n])),
                voice: follow(now.voice, target.voice),
                // Bursts begin at once.
                noise: follow(now.noise.max(0.6 * target.noise), target.noise),
                band: target.band,
            };
            *target = now;
        }
        targets
    }

    /// Brings the word to the loudness of this take.
    fn scale(&self, samples: &mut [f64]) {
        let peak = samples.iter().fold(0.0_f64, |peak, s| peak.max(s.abs()));
        let loudness = 0.25 + 0.6 * self.draws.uniform(DURATIONS + 40);
        for sample in samples {
            *sample *= loudness / peak;
        }
    }
}

/// Flow of the glottis, derived: it opens slowly over 40 % of a period and
/// closes fast over the next 16 %.
fn pulse(phase: f64) -> f64 {
    const OPEN: f64 = 0.4;
    const CLOSED: f64 = 0.56;
    if phase < OPEN {
        0.4 * libm::sin(PI * phase / OPEN)
    } else if phase < CLOSED {
        -libm::sin(0.5 * PI * (phase - OPEN) / (CLOSED - OPEN))
    } else {
        0.0
    }
}

/// Two poles at a frequency, unit gain at 0 Hz.
#[derive(Debug, Clone, Copy, Default)]
struct Resonator {
    a: f64,
    b: f64,
    c: f64,
    y1: f64,
    y2: f64,
}

impl Resonator {
    fn set(&mut self, hertz: f64, width: f64) {
        let hertz = hertz.min(0.48 * f64::from(RATE));
        let radius = libm::exp(-PI * width * DT);
        self.c = radius * radius;
        self.b = 2.0 * radius * libm::cos(TAU * hertz * DT);
        self.a = 1.0 - self.b + self.c;
    }

    fn pass(&mut self, x: f64) -> f64 {
        let y = self.a * x + self.b * self.y1 - self.c * self.y2;
        self.y2 = self.y1;
        self.y1 = y;
        y
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resonator_rings_at_its_frequency() {
        let mut resonator = Resonator::default();
        resonator.set(1000.0, 50.0);
        let response: Vec<f64> = (0..4_000)
            .map(|i| resonator.pass(if i == 0 { 1.0 } else { 0.0 }))
            .collect();
        let power = |hertz: f64| {
            let sum = |f: fn(f64) -> f64| -> f64 {
                let terms = response.iter().enumerate();
                terms.map(|(i, y)| y * f(TAU * hertz * DT * i as f64)).sum()
            };
            sum(f64::cos).powi(2) + sum(f64::sin).powi(2)
        };
        assert!(
            power(1000.0) > 1.9 * power(1025.0),
            "half power at half the width"
        );
        assert!(power(1000.0) > 50.0 * power(1500.0));
        // Unit gain at 0 Hz.
        assert!((response.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    }
}
