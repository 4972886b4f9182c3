//! A recording in stretches that are transformed one by one.
//!
//! The membrane answers from half a second before a click to a quarter after it
//! where it is slowest, at the apex; what lies beyond is below 1e-5 of its
//! largest velocity (tested), elsewhere below 1e-6. So a stretch of a
//! long recording overlaps its neighbours by that much, and the ends of what
//! comes out are left away. Beyond that the stretch fades out: near half the
//! rate the membrane's answer is cut off, and a sharp edge would ring through
//! all of it.

use std::f64::consts::PI;

use crate::audio::Samples;
use crate::error::EncodeError;
use crate::wav::AudioFault;

use super::basilar::Plan;
use super::config::CochleaConfig;
use super::level::Level;

/// How long velocities depend on sound that has gone by, in seconds.
const BEFORE: f64 = 0.25;
/// How early they depend on sound that is to come, in seconds.
const AFTER: f64 = 0.5;
/// How long the ends of a stretch fade, in seconds.
const FADE: f64 = 0.125;

/// Cuts one recording into stretches.
pub(super) struct Blocks {
    plan: Plan,
    /// Samples of a stretch that were new in the one before.
    lead: usize,
    /// New samples per stretch.
    hop: usize,
    steps: u32,
    /// Steps handed out.
    done: u32,
    /// Samples read from the recording.
    read: u64,
    buffer: Vec<f64>,
    /// Weights of the first samples of a stretch and, mirrored, of its last.
    fade: Vec<f64>,
    faded: Vec<f64>,
}

/// One stretch, and which of its velocities count.
pub(super) struct Block<'a> {
    pub(super) plan: &'a Plan,
    pub(super) samples: &'a [f64],
    /// First velocity that counts.
    pub(super) from: usize,
    /// Step of the recording that it is.
    pub(super) first: u32,
    /// Number of velocities that count.
    pub(super) count: usize,
}

impl Blocks {
    /// Refuses a recording that cannot be transformed at exactly its length.
    pub(super) fn new(
        config: &CochleaConfig,
        rate: u32,
        level: &Level,
    ) -> Result<Self, AudioFault> {
        let samples = level.samples();
        let steps = (samples / 2 + 1) as u32;
        let seconds = |s: f64| 2 * (0.5 * s * f64::from(rate)).ceil() as usize;
        // The published encoder's frequencies: from 1 Hz to half the rate,
        // rounded down, both included.
        let span = f64::from(rate / 2) - 1.0;
        let longest = seconds(config.block.get());
        if samples > longest as u64 {
            if config.exact_length {
                return Err(AudioFault::TooLong {
                    samples,
                    most: longest as u64,
                    reason: "with `exact_length` a recording is transformed as one, \
                             which `block` limits",
                });
            }
            let (lead, tail) = (seconds(BEFORE + FADE), seconds(AFTER + FADE));
            let outputs = smooth((lead + longest + tail) / 2);
            let plan = Plan::new(2 * outputs, outputs, span / outputs as f64, config.grid());
            let fade = seconds(FADE);
            let rise = |i| 0.5 - 0.5 * libm::cos(PI * (f64::from(i) + 0.5) / fade as f64);
            let mut blocks = Self::of(plan, lead, 2 * outputs - lead - tail, steps);
            blocks.fade = (0..fade as u32).map(rise).collect();
            return Ok(blocks);
        }
        let samples = samples as usize;
        let plan = if config.exact_length {
            let outputs = samples / 2 + 1;
            Plan::new(samples, outputs, span / (outputs - 1) as f64, config.grid())
        } else {
            let outputs = smooth(samples.div_ceil(2) + 1);
            let step = span / (outputs - 1) as f64;
            Plan::new(2 * (outputs - 1), outputs, step, config.grid())
        };
        let hop = plan.inputs() + 2;
        Ok(Self::of(plan, 0, hop, steps))
    }

    fn of(plan: Plan, lead: usize, hop: usize, steps: u32) -> Self {
        Self {
            buffer: vec![0.0; plan.inputs()],
            plan,
            lead,
            hop,
            steps,
            done: 0,
            read: 0,
            fade: Vec::new(),
            faded: Vec::new(),
        }
    }

    /// Steps of the whole recording.
    pub(super) fn steps(&self) -> u32 {
        self.steps
    }

    /// The next stretch; `samples` goes on where the last call left it.
    pub(super) fn next(
        &mut self,
        level: &Level,
        samples: &mut Samples<'_>,
    ) -> Result<Option<Block<'_>>, EncodeError> {
        if self.done == self.steps {
            return Ok(None);
        }
        let kept = if self.done == 0 {
            self.lead // silence before the beginning
        } else {
            self.buffer.copy_within(self.hop.., 0);
            self.buffer.len() - self.hop
        };
        for slot in &mut self.buffer[kept..] {
            *slot = match samples.next() {
                Some(sample) => {
                    self.read += 1;
                    level.apply(self.read - 1, sample?)
                }
                None => 0.0, // and after the end
            };
        }
        self.faded.clone_from(&self.buffer);
        for (i, weight) in self.fade.iter().enumerate() {
            self.faded[i] *= weight;
            let last = self.faded.len() - 1;
            self.faded[last - i] *= weight;
        }
        let first = self.done;
        let count = (self.hop / 2).min((self.steps - first) as usize);
        self.done += count as u32;
        Ok(Some(Block {
            plan: &self.plan,
            samples: &self.faded,
            from: self.lead / 2,
            first,
            count,
        }))
    }
}

/// The next number without prime factors above five.
fn smooth(least: usize) -> usize {
    let without = |mut n: usize, p| {
        while n.is_multiple_of(p) {
            n /= p;
        }
        n
    };
    (least..)
        .find(|&n| without(without(without(n, 2), 3), 5) == 1)
        .expect("powers of two have no end")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smooth_numbers_are_the_next_ones() {
        for (least, wanted) in [(1, 1), (7, 8), (31, 32), (1_223, 1_250), (4_001, 4_050)] {
            assert_eq!(smooth(least), wanted);
        }
    }
}
