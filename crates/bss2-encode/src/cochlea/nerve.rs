//! The auditory nerve: fibres that fire at random and then pause.
//!
//! All fibres of a channel share their probability p of firing and differ only
//! in when they fired last. So each step, as many fire as a binomial draw
//! Bin(ready, p) says, where those that fired within the refractory time are
//! not ready: exactly the distribution of drawing every fibre for itself, at
//! the cost of one draw.
//!
//! # Source
//! Cramer et al., IEEE Trans. Neural Netw. Learn. Syst. 33, 2744 (2022): 40
//! fibres per channel, 1 ms.

use bss2_event::random::Address;
use bss2_event::{RangeError, Seconds};
use serde::{Deserialize, Serialize};

use super::response::{LANES, Lanes};

/// Most fibres per channel.
const MOST_FIBRES: usize = 256;
/// Steps that share the random words of one counter.
const WORDS: u32 = 4;

/// One number of fibres per channel of a group.
pub(super) type Counts = [i32; LANES];

/// Parameters of the nerve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NerveConfig {
    /// Fibres per channel.
    pub fibres: usize,
    /// Time in which a fibre cannot fire again.
    pub t_refrac: Seconds,
}

impl Default for NerveConfig {
    /// The published values.
    fn default() -> Self {
        Self {
            fibres: 40,
            t_refrac: Seconds::milli(1.0),
        }
    }
}

impl NerveConfig {
    pub(super) fn validate(&self) -> Result<(), RangeError> {
        RangeError::check(
            "nerve.fibres",
            self.fibres as f64,
            1.0,
            MOST_FIBRES as f64,
            "",
        )?;
        RangeError::check("nerve.t_refrac", self.t_refrac.get(), 0.0, 0.1, "s")
    }

    /// A nerve whose fibres all are ready; `draws` addresses its first channel.
    pub(super) fn compile(&self, rate: f64, draws: Address) -> Nerve {
        // A fibre may fire again when this many steps have passed.
        let steps = (self.t_refrac.get() * rate).ceil().max(1.0) as usize;
        Nerve {
            draws,
            words: [[0; LANES]; WORDS as usize],
            ready: [self.fibres as i32; LANES],
            fired: vec![[0; LANES]; steps - 1],
            reciprocals: (0..=self.fibres).map(|k| 1.0 / (k + 1) as f64).collect(),
        }
    }
}

/// The fibres of a group of channels.
#[derive(Debug, Clone)]
pub(super) struct Nerve {
    draws: Address,
    words: [[u32; LANES]; WORDS as usize],
    /// Fibres per channel that can fire.
    ready: Counts,
    /// How many fired in each of the last steps, as a ring.
    fired: Vec<Counts>,
    reciprocals: Vec<f64>,
}

impl Nerve {
    /// How many fibres of each channel fire in this step of the track.
    #[inline(always)]
    pub(super) fn step(&mut self, step: u32, probability: &Lanes) -> Counts {
        let word = step % WORDS;
        if word == 0 {
            self.words = self.draws.lanes(step / WORDS);
        }
        let uniform = &self.words[word as usize];
        let fired = binomial(&self.ready, probability, uniform, &self.reciprocals);
        if self.fired.is_empty() {
            return fired;
        }
        let at = step as usize % self.fired.len();
        for l in 0..LANES {
            self.ready[l] += self.fired[at][l] - fired[l];
        }
        self.fired[at] = fired;
        fired
    }
}

/// Binomial numbers by inversion: the smallest k whose distribution function
/// exceeds the uniform number. Where p is above one half those that do not fire are
/// drawn, from the other end, as (1 - p)^n is rounded to zero for many fibres.
#[inline(always)]
fn binomial(n: &Counts, p: &Lanes, uniform: &[u32; LANES], reciprocals: &[f64]) -> Counts {
    let (mut u, mut mass, mut odds) = ([0.0; LANES], [1.0; LANES], [0.0; LANES]);
    let (mut power, mut below, mut count) = ([0.0; LANES], [0.0; LANES], [0; LANES]);
    for l in 0..LANES {
        // 31 bits, as signed integers convert in one instruction.
        u[l] = (f64::from((uniform[l] >> 1) as i32) + 0.5) * (1.0 / 2_147_483_648.0);
        let likely = p[l] > 0.5;
        u[l] = if likely { 1.0 - u[l] } else { u[l] };
        let p = if likely { 1.0 - p[l] } else { p[l] };
        let p = if p > 0.0 { p } else { 0.0 };
        power[l] = 1.0 - p;
        odds[l] = p / power[l];
    }
    // mass = (1 - p)^n by squaring.
    let mut bit = 1;
    while bit < reciprocals.len() as i32 {
        for l in 0..LANES {
            mass[l] *= if n[l] & bit != 0 { power[l] } else { 1.0 };
            power[l] *= power[l];
        }
        bit *= 2;
    }
    for (k, reciprocal) in reciprocals.iter().enumerate() {
        let mut more = 0;
        for l in 0..LANES {
            below[l] += mass[l];
            let beyond = i32::from(u[l] >= below[l]) & i32::from(count[l] < n[l]);
            count[l] += beyond;
            more |= beyond;
            mass[l] *= (f64::from(n[l]) - k as f64) * reciprocal * odds[l];
        }
        if more == 0 {
            break;
        }
    }
    for l in 0..LANES {
        count[l] = if p[l] > 0.5 {
            n[l] - count[l]
        } else {
            count[l]
        };
    }
    count
}

#[cfg(test)]
mod tests {
    use bss2_event::Seed;
    use bss2_event::random::Domain;

    use super::*;

    fn nerve(config: NerveConfig, rate: f64, sample: u64) -> Nerve {
        let draws = Address::new(Seed(3), Domain::Test).sample(sample);
        config.compile(rate, draws)
    }

    /// Every fibre drawn for itself, as the model says.
    fn one_by_one(p: &[f64], config: NerveConfig, rate: f64, sample: u64) -> Vec<i32> {
        let draws = Address::new(Seed(4), Domain::Test).sample(sample);
        let mut counts = vec![0; p.len()];
        for fibre in 0..config.fibres as u32 {
            let mut last = f64::NEG_INFINITY;
            for (j, &p) in p.iter().enumerate() {
                let free = j as f64 - last >= config.t_refrac.get() * rate;
                if free && draws.element(fibre).uniform(j as u32) < p {
                    last = j as f64;
                    counts[j] += 1;
                }
            }
        }
        counts
    }

    #[test]
    fn counts_are_distributed_as_those_of_single_fibres() {
        let config = NerveConfig::default();
        let rate = 4_000.0;
        let p: Vec<f64> = (0..60)
            .map(|j| [0.02, 0.3, 0.9, 0.0, 1.2, 0.1][j % 6])
            .collect();
        let runs = 2_000;
        let mut sums = vec![[[0.0_f64; 2]; 2]; p.len()];
        for run in 0..runs / LANES {
            let mut nerve = nerve(config, rate, run as u64);
            for (j, &p) in p.iter().enumerate() {
                for count in nerve.step(j as u32, &[p; LANES]) {
                    sums[j][0][0] += f64::from(count);
                    sums[j][0][1] += f64::from(count * count);
                }
            }
        }
        let runs = runs / LANES * LANES;
        for run in 0..runs {
            let counts = one_by_one(&p, config, rate, run as u64);
            for (sum, count) in sums.iter_mut().zip(counts) {
                sum[1][0] += f64::from(count);
                sum[1][1] += f64::from(count * count);
            }
        }
        let n = runs as f64;
        for (j, [ours, theirs]) in sums.iter().enumerate() {
            let mean = |s: &[f64; 2]| s[0] / n;
            let variance = |s: &[f64; 2]| s[1] / n - mean(s) * mean(s);
            let sd = variance(theirs).sqrt().max(0.02);
            let error = (2.0 / n).sqrt();
            assert!(
                (mean(ours) - mean(theirs)).abs() < 5.0 * sd * error,
                "step {j}: {} {}",
                mean(ours),
                mean(theirs)
            );
            assert!(
                (variance(ours) - variance(theirs)).abs() < 10.0 * sd * sd * error + 0.02,
                "step {j}: {} {}",
                variance(ours),
                variance(theirs)
            );
        }
    }

    #[test]
    fn many_fibres_that_nearly_all_fire_are_distributed_alike() {
        let config = NerveConfig {
            fibres: 256,
            ..NerveConfig::default()
        };
        for p in [0.5, 0.501, 0.94, 0.99, 0.999] {
            let mut nerve = nerve(config, 500.0, 1);
            let runs = 1_000;
            let (mut sum, mut squares) = (0.0, 0.0);
            for step in 0..runs {
                for count in nerve.step(step, &[p; LANES]) {
                    sum += f64::from(count);
                    squares += f64::from(count).powi(2);
                }
            }
            let n = f64::from(runs) * LANES as f64;
            let (mean, variance) = (256.0 * p, 256.0 * p * (1.0 - p));
            let error = (sum / n - mean).abs();
            assert!(error < 4.0 * (variance / n).sqrt(), "{p}: {error}");
            let found = squares / n - (sum / n).powi(2);
            assert!((found / variance - 1.0).abs() < 0.1, "{p}: {found}");
        }
    }

    #[test]
    fn certain_fibres_fire_and_then_pause() {
        let mut nerve = nerve(NerveConfig::default(), 4_000.0, 0);
        for step in 0..12 {
            let wanted = if step % 4 == 0 { 40 } else { 0 };
            assert_eq!(nerve.step(step, &[1.5; LANES]), [wanted; LANES]);
        }
        // At a rate below 1 / t_refrac a fibre is ready at every step.
        let mut slow = self::nerve(NerveConfig::default(), 500.0, 0);
        for step in 0..5 {
            assert_eq!(slow.step(step, &[1.0; LANES]), [40; LANES]);
            assert_eq!(slow.step(step, &[0.0; LANES]), [0; LANES]);
        }
    }
}
