//! What training shows on the terminal.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use bss2_encode::Transcribed;
use indicatif::{ProgressBar, ProgressStyle};
use miette::IntoDiagnostic;

use crate::config::Experiment;
use crate::metrics::EpochMetrics;
use crate::note;
use crate::training::{Observer, StepReport};

/// Interrupts so far.
static INTERRUPTS: AtomicU32 = AtomicU32::new(0);

/// Exit code of an interrupted run, as shells report SIGINT.
pub(super) const INTERRUPTED: u8 = 130;

/// From now on Ctrl-C asks for a clean stop; a second one ends the process at
/// once, which loses no more than the work since the last checkpoint and the test at hand.
pub(super) fn catch_interrupts() -> miette::Result<()> {
    ctrlc::set_handler(|| {
        if INTERRUPTS.fetch_add(1, Ordering::SeqCst) > 0 {
            std::process::exit(i32::from(INTERRUPTED));
        }
        note!("stopping after the step or test at hand; Ctrl-C again ends at once");
    })
    .into_diagnostic()
}

/// Shows a bar on a terminal, and one line per epoch everywhere.
pub(super) struct Terminal {
    bar: ProgressBar,
    epochs: u32,
    /// The words for a sample and for what is tested on.
    sample: &'static str,
    tested: &'static str,
    start: Instant,
    /// Share of the run that was done when this process began.
    done_at_start: Option<f64>,
}

impl Terminal {
    pub(super) fn new(experiment: &Experiment) -> Self {
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template("{prefix} [{bar:24}] {msg}")
            .expect("the template is correct")
            .progress_chars("=> ");
        bar.set_style(style);
        Self {
            bar,
            epochs: experiment.epochs,
            sample: experiment.data.sample(),
            tested: experiment.data.tested(),
            start: Instant::now(),
            done_at_start: None,
        }
    }

    fn line(&self, text: String) {
        // A hidden bar prints nothing at all.
        if self.bar.is_hidden() {
            note!("{text}");
        } else {
            self.bar.println(text);
        }
    }

    fn time_left(&mut self, done: f64) -> String {
        let begin = *self.done_at_start.get_or_insert(done);
        let share = done - begin;
        if share <= 0.0 {
            return "--:--".into();
        }
        let seconds = self.start.elapsed().as_secs_f64() * (1.0 - done) / share;
        let seconds = seconds.round() as u64;
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        match hours {
            0 => format!("{minutes:02}:{:02}", seconds % 60),
            _ => format!("{hours}:{minutes:02}:{:02}", seconds % 60),
        }
    }
}

impl Observer for Terminal {
    fn step(&mut self, report: &StepReport) {
        if self.bar.is_hidden() {
            return;
        }
        let steps = f64::from(report.steps);
        let whole = steps * f64::from(self.epochs);
        let done = (f64::from(report.epoch) * steps + f64::from(report.step)) / whole;
        let left = self.time_left(done);
        self.bar.set_length(u64::from(report.steps));
        self.bar.set_position(u64::from(report.step));
        self.bar
            .set_prefix(format!("epoch {}/{}", report.epoch + 1, self.epochs));
        self.bar.set_message(format!(
            "loss {:.4}  accuracy {:.2} %  {:.0} {}s/s  {left} left",
            report.loss,
            100.0 * report.accuracy,
            report.images_per_s,
            self.sample,
        ));
    }

    fn epoch(&mut self, metrics: &EpochMetrics, test_images_per_s: Option<f64>) {
        let Self { sample, tested, .. } = *self;
        let accuracy = metrics
            .test_accuracy
            .map(|share| format!("  {tested} {:.2} %", 100.0 * share));
        let speed = test_images_per_s.map(|images| format!("  ({tested} {images:.0} {sample}s/s)"));
        self.line(format!(
            "epoch {}/{}  loss {:.4}  train {:.2} %{}  {:.1} hidden spikes/{sample}  {:.0} {sample}s/s{}",
            metrics.epoch,
            self.epochs,
            metrics.loss,
            100.0 * metrics.train_accuracy,
            accuracy.unwrap_or_default(),
            metrics.hidden_spikes_per_image,
            metrics.images_per_s,
            speed.unwrap_or_default(),
        ));
    }

    fn warning(&mut self, text: &str) {
        self.line(format!("warning: {text}"));
    }

    fn stop_requested(&self) -> bool {
        INTERRUPTS.load(Ordering::SeqCst) > 0
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A bar for recordings on their way through the cochlea.
pub(super) struct TranscriptBar {
    bar: ProgressBar,
    begin: Instant,
}

impl TranscriptBar {
    pub(super) fn new() -> Self {
        let style = ProgressStyle::with_template("recordings [{bar:24}] {pos}/{len}  {msg}")
            .expect("the template is correct")
            .progress_chars("=> ");
        Self {
            bar: ProgressBar::new(0).with_style(style),
            begin: Instant::now(),
        }
    }

    pub(super) fn show(&self, state: &Transcribed) {
        self.bar.set_length(state.recordings as u64);
        self.bar.set_position(state.done as u64);
        let (fresh, seconds) = (state.done - state.found, self.begin.elapsed().as_secs_f64());
        if fresh == 0 {
            if state.found > 0 {
                let (found, all) = (state.found, state.recordings);
                self.bar
                    .suspend(|| note!("{found} of {all} recordings are done already"));
            }
            return;
        }
        let left = seconds * (state.recordings - state.done) as f64 / fresh as f64;
        let speed = state.seconds / seconds;
        self.bar.set_message(format!(
            "{speed:.1} times real time  {:02}:{:02} left",
            left as u64 / 60,
            left as u64 % 60
        ));
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
