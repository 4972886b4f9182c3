//! How the core advances time: its grid, its steps, the length of a run.

use bss2_event::{RangeError, Seconds};
use serde::{Deserialize, Serialize};

use crate::cadc::CadcSchedule;
use crate::error::AnalogError;
use crate::madc::Madc;
use crate::neuron::lif::LaneParameters;

/// Steps that the shortest time constant lasts at least, for the expansion about
/// the middle of a step to hold.
const STEPS_PER_TAU: f64 = 2.5;

/// Microseconds that a run lasts at most. Moments are f32 microseconds since its
/// beginning: below 2^16 they lie 2^-8 us = 3.9 ns apart. The end of a refractory period
/// and the beginning of the step that it ends in are rounded by half of that each, so it
/// is met to 4 ns.
const LONGEST_US: f64 = 65_536.0;

/// Slack, so that multiples of a step or a period stay what they are in spite of
/// rounding.
const ROUNDING: f64 = 1e-9;

/// How time is advanced.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Integration {
    /// When the CADC samples.
    pub schedule: CadcSchedule,
    /// Steps between two CADC samples, at least; on [`Grid::Exact`] there are more
    /// where the shortest time constant of the network asks for it.
    pub steps_per_sample: usize,
    /// Where events and spikes may lie.
    pub grid: Grid,
    /// How long a run lasts, at most 65.536 ms; until its last CADC sample where it is
    /// not given.
    /// Steps are shortened so that they divide it: a run that goes on from this
    /// one ([`LoweredCore::resume`](crate::LoweredCore::resume)) begins at its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<Seconds>,
    /// What the MADC records, if it is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub madc: Option<Madc>,
}

/// Where events and spikes may lie between two steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grid {
    /// Anywhere, as on the chip.
    #[default]
    Exact,
    /// At the beginning of the step they fall into: the discrete-time model of
    /// the learner, whose equations are this propagator's with the currents
    /// read one step later. Refractory periods are whole steps, at least one.
    Snapped,
}

impl Default for Integration {
    fn default() -> Self {
        Self {
            schedule: CadcSchedule::default(),
            steps_per_sample: 2,
            grid: Grid::Exact,
            duration: None,
            madc: None,
        }
    }
}

impl Integration {
    /// Length of a step in microseconds.
    pub(crate) fn step_us(&self) -> f64 {
        let longest = self.schedule.period.as_micro() / self.steps_per_sample as f64;
        self.duration.map_or(longest, |duration| {
            let duration = duration.as_micro();
            duration / (duration / longest - ROUNDING).ceil()
        })
    }

    /// Steps of a run whose last sample is taken at `last` microseconds.
    pub(crate) fn steps(&self, last: f64) -> usize {
        let h = self.step_us();
        self.duration.map_or((last / h) as usize + 1, |duration| {
            (duration.as_micro() / h).round() as usize
        })
    }

    /// As fine as the shortest time constant asks for.
    pub(crate) fn refined(self, lanes: &[LaneParameters]) -> Self {
        if self.grid == Grid::Snapped {
            return self;
        }
        let shortest = lanes
            .iter()
            .flat_map(|p| p.tau_syn)
            .chain(lanes.iter().map(|p| p.tau_mem))
            .chain(lanes.iter().filter_map(|p| Some(p.terms.exponential?.tau)));
        let shortest = shortest.fold(f64::INFINITY, f64::min);
        let needed = (STEPS_PER_TAU * self.schedule.period.as_micro() / shortest).ceil() as usize;
        Self {
            steps_per_sample: self.steps_per_sample.max(needed),
            ..self
        }
    }

    /// `late`: how much later than scheduled a sample may be taken.
    pub(crate) fn validate(&self, late: Seconds) -> Result<(), AnalogError> {
        let schedule = &self.schedule;
        let (start, period) = (schedule.start.as_micro(), schedule.period.as_micro());
        RangeError::check("schedule.start", start, 0.0, 1e6, "us")?;
        RangeError::check("schedule.period", period, 0.54, 1e3, "us")?;
        let (least, most) = match self.duration {
            None => (1.0, 1e6),
            Some(duration) => {
                let duration = duration.as_micro();
                RangeError::check("duration", duration, 0.01, LONGEST_US, "us")?;
                let room = (duration - start - late.as_micro()) / period;
                (0.0, (room + ROUNDING + 1.0).floor().max(0.0))
            }
        };
        let samples = schedule.samples as f64;
        RangeError::check("schedule.samples", samples, least, most, "")?;
        let sampled = start + period * (samples - 1.0).max(0.0);
        let end = sampled.max(self.madc.map_or(0.0, |madc| madc.end_us()));
        RangeError::check("length of a run", end, 0.0, LONGEST_US, "us")?;
        if let Some(madc) = &self.madc {
            if self.grid == Grid::Snapped {
                return Err(AnalogError::MadcOnSnappedGrid);
            }
            if let Some(duration) = self.duration {
                let (end, duration) = (madc.end_us(), duration.as_micro());
                RangeError::check("end of madc.samples", end, 0.0, duration, "us")?;
            }
        }
        RangeError::check(
            "steps_per_sample",
            self.steps_per_sample as f64,
            1.0,
            1e4,
            "",
        )?;
        Ok(())
    }
}
