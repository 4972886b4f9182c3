//! Progress over all jobs, with the time that is left.

use std::collections::BTreeSet;
use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use super::engine::Watcher;
use super::plan::{Job, Plan};

/// Tells on the terminal how far the whole is.
pub(super) struct Progress {
    jobs: usize,
    /// Expected cost of the whole, and of the jobs that are over.
    total: f64,
    over: f64,
    /// Cost of the job at hand, and the share of it that earlier sessions did.
    cost: f64,
    share: f64,
    earlier: Option<f64>,
    /// Cost of all that this session did.
    worked: f64,
    place: usize,
    label: String,
    /// Warnings that were given, without their numbers.
    warned: BTreeSet<String>,
    begin: Instant,
    shown: Instant,
}

impl Progress {
    pub(super) fn new(plan: &Plan) -> Self {
        let now = Instant::now();
        Self {
            jobs: plan.jobs.len(),
            total: plan.jobs.iter().map(|job| job.cost).sum(),
            over: 0.0,
            cost: 0.0,
            share: 0.0,
            earlier: None,
            worked: 0.0,
            place: 0,
            label: String::new(),
            warned: BTreeSet::new(),
            begin: now,
            shown: now,
        }
    }

    /// Cost that this session has done of the job at hand.
    fn of_this_job(&self) -> f64 {
        self.cost * (self.share - self.earlier.unwrap_or(self.share)).max(0.0)
    }

    fn line(&self) -> String {
        let done = self.over + self.cost * self.share;
        let worked = self.worked + self.of_this_job();
        let left = if worked > 0.0 {
            let seconds = self.begin.elapsed().as_secs_f64() * (self.total - done) / worked;
            duration(seconds) + " left"
        } else {
            "time left unknown yet".into()
        };
        format!(
            "[{}/{}] {:3.0} %, {left}: {}",
            self.place + 1,
            self.jobs,
            100.0 * done / self.total.max(1.0),
            self.label
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
        self.place = place;
        self.label.clone_from(&job.label);
        self.cost = job.cost;
        self.share = 0.0;
        self.earlier = None;
    }

    fn at(&mut self, share: f64) {
        // The first step that is seen stands for those before it.
        self.earlier.get_or_insert(share);
        self.share = share;
        if stderr().is_terminal() && self.shown.elapsed() > Duration::from_millis(200) {
            eprint!("\r\x1b[K{}", self.line());
            self.shown = Instant::now();
        }
    }

    fn end(&mut self, known: bool) {
        if !known {
            self.earlier.get_or_insert(0.0);
            self.share = 1.0;
            self.worked += self.of_this_job();
        }
        self.over += self.cost;
        (self.cost, self.share) = (0.0, 0.0);
        if !known {
            let clear = if stderr().is_terminal() {
                "\r\x1b[K"
            } else {
                ""
            };
            eprintln!("{clear}{}", self.line());
        }
    }

    fn warning(&mut self, text: &str) {
        // Once, whatever its numbers: most runs have something in common.
        let words: String = text.chars().filter(|c| !c.is_ascii_digit()).collect();
        if self.warned.insert(words) {
            eprintln!("warning: {}: {text}", self.label);
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
