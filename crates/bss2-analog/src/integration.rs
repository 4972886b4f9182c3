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

/// Slack, so that multiples of a step or a period stay what they are in spite of
/// rounding.
const ROUNDING: f64 = 1e-9;

/// Microseconds by which a step ends after the sample that it ends with: rounding must not
/// take that into the next step. The readout takes it for the step's end if steps last 0.1 us
/// at least.
const BEYOND_US: f64 = 1e-7;

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
    /// What a run lasts at most. Moments are f32 microseconds since its beginning: below
    /// 2^16 they lie 2^-8 us = 3.9 ns apart. The end of a refractory period and the
    /// beginning of the step that it ends in are rounded by half of that each, so it is met
    /// to 4 ns.
    pub const LONGEST: Seconds = Seconds::micro(65_536.0);

    /// Length of a step in microseconds.
    pub(crate) fn step_us(&self) -> f64 {
        let longest = self.schedule.period.as_micro() / self.steps_per_sample as f64;
        self.duration.map_or(longest, |duration| {
            let duration = duration.as_micro();
            duration / (duration / longest - ROUNDING).ceil()
        })
    }

    /// Where the grid of a run begins whose first sample is taken at `first` microseconds and that
    /// may begin and end with any part of a step: less than a step before zero, such that samples
    /// are taken when steps end. At zero where that begins a step as well.
    pub(crate) fn origin(&self, first: f64) -> f64 {
        let h = self.step_us();
        let past = first.rem_euclid(h);
        let whole = past.min(h - past) < ROUNDING;
        if whole || self.grid == Grid::Snapped || self.duration.is_some() {
            return 0.0;
        }
        -(h - past - BEYOND_US).rem_euclid(h)
    }

    /// Steps that a run lasts whose last sample is taken at `last` microseconds.
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
        let [shortest, longest] = CadcSchedule::PERIODS.map(|period| period.as_micro());
        RangeError::check("schedule.period", period, shortest, longest, "us")?;
        let (least, most) = match self.duration {
            None => (1.0, 1e6),
            Some(duration) => {
                let duration = duration.as_micro();
                RangeError::check("duration", duration, 0.01, Self::LONGEST.as_micro(), "us")?;
                (0.0, schedule.room(Seconds::micro(duration), late) as f64)
            }
        };
        let samples = schedule.samples as f64;
        RangeError::check("schedule.samples", samples, least, most, "")?;
        let sampled = start + period * (samples - 1.0).max(0.0);
        let end = sampled.max(self.madc.map_or(0.0, |madc| madc.end_us()));
        RangeError::check("length of a run", end, 0.0, Self::LONGEST.as_micro(), "us")?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Step;

    #[test]
    fn samples_are_taken_just_before_steps_end_however_late_they_are() {
        let of_period = [1.0, 1.5, 3.0, 4.5].map(|part| Seconds::micro(1.7 * part).as_micro());
        for steps_per_sample in [1, 2, 7] {
            let integration = Integration {
                steps_per_sample,
                ..Integration::default()
            };
            let h = integration.step_us();
            let late = (1..1000).map(|i| 0.003 * f64::from(i));
            for first in late.chain(of_period) {
                let origin = integration.origin(first);
                assert!(origin <= 0.0 && origin > -h, "{first}: {origin}");
                for sample in (0..100).map(|i| first + 1.7 * f64::from(i)) {
                    let index = ((sample - origin) / h).round() as usize - 1;
                    let past = Step { index, origin, h }.end() - sample;
                    // Whole steps from the run's beginning on the grid begins with it.
                    let whole = origin == 0.0 && past.abs() < ROUNDING;
                    assert!(whole || past > 0.5e-7 && past < 2e-7, "{first}: {past}");
                }
            }
        }
    }

    #[test]
    fn a_grid_begins_with_the_run_where_that_has_a_duration_or_learns() {
        let duration = Some(Seconds::micro(40.0));
        let grid = Grid::Snapped;
        for integration in [
            Integration {
                duration,
                ..Integration::default()
            },
            Integration {
                grid,
                ..Integration::default()
            },
        ] {
            assert_eq!(integration.origin(0.13), 0.0);
        }
    }
}
