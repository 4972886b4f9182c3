//! The bushy cell: a leaky integrator of all fibres of a channel.
//!
//! Per step dt: the current decays by e^(-dt / tau_syn) and rises by one for
//! each fibre that fired; outside of its refractory time the membrane decays by
//! e^(-dt / tau_mem) and rises by `w dt / fibres` times the new current. At
//! threshold 1 the cell spikes, and the membrane stays at zero for t_refrac.
//!
//! # Source
//! Rothman, Young, Manis, J. Neurophysiol. 70, 2562 (1993) for the cell; Cramer
//! et al., IEEE Trans. Neural Netw. Learn. Syst. 33, 2744 (2022) for the
//! numbers.

use bss2_event::{RangeError, Seconds};
use serde::{Deserialize, Serialize};

use super::nerve::Counts;
use super::response::{LANES, Lanes};

/// Parameters of the bushy cell.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BushyConfig {
    /// Time constant of the membrane.
    pub tau_mem: Seconds,
    /// Time constant of the current.
    pub tau_syn: Seconds,
    /// Refractory time.
    pub t_refrac: Seconds,
    /// Weight w of all fibres together, thresholds per second.
    pub weight: f64,
}

impl Default for BushyConfig {
    /// The published values.
    fn default() -> Self {
        Self {
            tau_mem: Seconds::milli(1.0),
            tau_syn: Seconds::milli(0.5),
            t_refrac: Seconds::milli(1.0),
            weight: 13_000.0,
        }
    }
}

impl BushyConfig {
    pub(super) fn validate(&self) -> Result<(), RangeError> {
        RangeError::check("bushy.tau_mem", self.tau_mem.get(), 1e-5, 1.0, "s")?;
        RangeError::check("bushy.tau_syn", self.tau_syn.get(), 1e-5, 1.0, "s")?;
        RangeError::check("bushy.t_refrac", self.t_refrac.get(), 0.0, 0.1, "s")?;
        RangeError::check("bushy.weight", self.weight, 0.0, 1e9, "")
    }

    pub(super) fn compile(&self, rate: f64, fibres: usize) -> BushyCell {
        BushyCell {
            keep_membrane: libm::exp(-1.0 / (self.tau_mem.get() * rate)),
            keep_current: libm::exp(-1.0 / (self.tau_syn.get() * rate)),
            weight: self.weight / fibres as f64 / rate,
            pause: (self.t_refrac.get() * rate).ceil(),
        }
    }
}

/// The cell at one rate, every constant per step.
#[derive(Debug, Clone, Copy)]
pub(super) struct BushyCell {
    keep_membrane: f64,
    keep_current: f64,
    weight: f64,
    pause: f64,
}

/// The cells of a group of channels.
#[derive(Debug, Clone, Default)]
pub(super) struct BushyState {
    membrane: Lanes,
    current: Lanes,
    /// Steps of the refractory time that are left.
    pause: Lanes,
}

impl BushyCell {
    /// One step; says which cells spike in it.
    #[inline(always)]
    pub(super) fn step(&self, state: &mut BushyState, fired: &Counts) -> [bool; LANES] {
        let mut spikes = [false; LANES];
        for l in 0..LANES {
            let current = state.current[l] * self.keep_current + f64::from(fired[l]);
            let membrane = state.membrane[l] * self.keep_membrane + current * self.weight;
            let awake = state.pause[l] <= 0.0;
            let spike = awake && membrane >= 1.0;
            state.current[l] = current;
            state.membrane[l] = if awake && !spike { membrane } else { 0.0 };
            state.pause[l] = if spike {
                self.pause
            } else {
                state.pause[l] - 1.0
            };
            spikes[l] = spike;
        }
        spikes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(config: BushyConfig, rate: f64, input: &[i32]) -> Vec<usize> {
        let cell = config.compile(rate, 40);
        let mut state = BushyState::default();
        let spiking = |&(_, &fired): &(usize, &i32)| cell.step(&mut state, &[fired; LANES])[3];
        input
            .iter()
            .enumerate()
            .filter(spiking)
            .map(|(i, _)| i)
            .collect()
    }

    #[test]
    fn a_volley_spikes_once_and_the_pause_is_kept() {
        // One volley of all fibres: 13,000 / 4,000 thresholds at once.
        assert_eq!(
            run(BushyConfig::default(), 4_000.0, &[0, 40, 0, 0, 0, 0]),
            [1]
        );
        // Without end: again as soon as 1 ms has passed.
        let spikes = run(BushyConfig::default(), 4_000.0, &[40; 30]);
        let all: Vec<usize> = (0..30).step_by(5).collect();
        assert_eq!(spikes, all);
    }

    /// The membrane of a single small input, against the difference equation
    /// solved by hand.
    #[test]
    fn the_membrane_is_a_sum_of_two_exponentials() {
        let cell = BushyConfig::default().compile(24_000.0, 40);
        let mut state = BushyState::default();
        let (a, b) = (cell.keep_current, cell.keep_membrane);
        for step in 0..100_i32 {
            let input = i32::from(step == 0);
            assert_eq!(cell.step(&mut state, &[input; LANES]), [false; LANES]);
            let wanted = cell.weight * (b.powi(step + 1) - a.powi(step + 1)) / (b - a);
            assert!((state.membrane[5] - wanted).abs() < 1e-14);
        }
    }
}
