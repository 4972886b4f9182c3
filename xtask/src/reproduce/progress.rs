//! Progress over all jobs, with the time that is left.

use bss2::note;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

use super::engine::Watcher;
use super::plan::{Job, Plan};

/// Tells on the terminal how far the whole is.
pub(super) struct Progress {
    jobs: usize,
    /// Expected cost of the whole, and of the jobs that are over.
    total: f64,
    over: f64,
    /// How many are over.
    ended: usize,
    /// Those at work, by place.
    running: BTreeMap<usize, Running>,
    /// Cost of all that this session did in jobs that are over.
    worked: f64,
    /// Warnings that were given, without their numbers.
    warned: BTreeSet<String>,
    begin: Instant,
    shown: Instant,
}

/// A job at work.
struct Running {
    label: String,
    cost: f64,
    /// The share of it that is over, and the one that earlier sessions did.
    share: f64,
    earlier: Option<f64>,
}

impl Running {
    /// Cost of what is over.
    fn over(&self) -> f64 {
        self.cost * self.share
    }

    /// Cost of what this session has done.
    fn worked(&self) -> f64 {
        self.cost * (self.share - self.earlier.unwrap_or(self.share)).max(0.0)
    }
}

impl Progress {
    pub(super) fn new(plan: &Plan) -> Self {
        let now = Instant::now();
        Self {
            jobs: plan.jobs.len(),
            total: plan.jobs.iter().map(|job| job.cost).sum(),
            over: 0.0,
            ended: 0,
            running: BTreeMap::new(),
            worked: 0.0,
            warned: BTreeSet::new(),
            begin: now,
            shown: now,
        }
    }

    fn line(&self, label: &str) -> String {
        let running = || self.running.values();
        let done = self.over + running().map(Running::over).sum::<f64>();
        let worked = self.worked + running().map(Running::worked).sum::<f64>();
        let left = if worked > 0.0 {
            let seconds = self.begin.elapsed().as_secs_f64() * (self.total - done) / worked;
            duration(seconds) + " left"
        } else {
            "time left unknown yet".into()
        };
        format!(
            "[{}/{}] {:3.0} %, {left}: {label}",
            self.ended,
            self.jobs,
            100.0 * done / self.total.max(1.0),
        )
    }
}

/// Seconds as a reader wants them.
pub(super) fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

impl Watcher for Progress {
    fn begin(&mut self, place: usize, job: &Job) {
        let running = Running {
            label: job.label.clone(),
            cost: job.cost,
            share: 0.0,
            earlier: None,
        };
        self.running.insert(place, running);
    }

    fn at(&mut self, place: usize, share: f64) {
        let Some(job) = self.running.get_mut(&place) else {
            return;
        };
        // The first step that is seen stands for those before it.
        job.earlier.get_or_insert(share);
        job.share = share;
        if stderr().is_terminal() && self.shown.elapsed() > Duration::from_millis(200) {
            let label = self.running[&place].label.as_str();
            let others = match self.running.len() - 1 {
                0 => String::new(),
                others => format!(", and {others} beside it"),
            };
            let line = self.line(&(label.to_owned() + &others));
            // Whether or not anybody reads it.
            let _ = write!(stderr(), "\r\x1b[K{line}");
            self.shown = Instant::now();
        }
    }

    fn end(&mut self, place: usize, known: bool) {
        let Some(mut job) = self.running.remove(&place) else {
            return;
        };
        self.over += job.cost;
        self.ended += 1;
        if !known {
            job.earlier.get_or_insert(0.0);
            job.share = 1.0;
            self.worked += job.worked();
            let clear = if stderr().is_terminal() {
                "\r\x1b[K"
            } else {
                ""
            };
            note!("{clear}{}", self.line(&job.label));
        }
    }

    fn warning(&mut self, place: usize, text: &str) {
        // Once, whatever its numbers: most runs have something in common.
        let words: String = text.chars().filter(|c| !c.is_ascii_digit()).collect();
        if self.warned.insert(words) {
            let label = self.running.get(&place).map(|job| job.label.clone() + ": ");
            note!("warning: {}{text}", label.unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        assert_eq!(duration(61.4), "61 s");
        assert_eq!(duration(600.0), "10 min");
        assert_eq!(duration(9000.0), "2.5 h");
    }
}
