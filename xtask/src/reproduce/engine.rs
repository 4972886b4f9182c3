//! Runs the jobs of a plan.
//!
//! One job at a time, since each takes all threads. A training is a run folder
//! `runs/NAME`, from which it goes on; what is complete has an outcome beside it
//! that was written last and is only read from then on.

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use bss2::analog::AnalogCore;
use bss2::chip::{Chip, RunMode};
use bss2::config::{Experiment, SubstrateKind};
use bss2::evaluation;
use bss2::event::Joules;
use bss2::learn::{NetworkShape, Substrate, shuffle_recurrence, silence};
use bss2::metrics::{self, EpochMetrics};
use bss2::power_report::{self, ImageLoad};
use bss2::run_folder::{self, RunFolder};
use bss2::substrates;
use bss2::training::{Ending, Observer, State, StepReport, Training};
use miette::{IntoDiagnostic, WrapErr, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::library::{Library, Loaded};
use super::outcome::{Answer, Answers, Found, Outcome, Parameters, Scene, Silicon, TestOutcome};
use super::plan::{Job, Plan, Point, Run, Work};
use super::{look, reference};

/// Who watches the jobs.
pub(super) trait Watcher {
    /// A job begins; it may turn out to be done already.
    fn begin(&mut self, place: usize, job: &Job);
    /// So much of it is over, 0 to 1.
    fn at(&mut self, share: f64);
    /// It is over; whether it had been before.
    fn end(&mut self, known: bool);
    /// Something a user should know.
    fn warning(&mut self, text: &str);
    /// Whether to stop as soon as possible.
    fn stop_requested(&self) -> bool {
        false
    }
}

/// Outcomes of the jobs of a plan, in their order.
#[derive(Debug)]
pub(super) struct Results(Vec<Done>);

#[derive(Debug, Clone)]
enum Done {
    Trained(Vec<EpochMetrics>),
    Reference(Vec<EpochMetrics>),
    Tested(TestOutcome),
    Recorded(Vec<Scene>),
    Measured(Parameters),
    Answered(Answers),
}

impl Results {
    /// What the jobs of a point gave, seed by seed.
    pub(super) fn of(&self, point: &Point) -> Found {
        let run = |jobs: &Run| {
            let mut outcome = Outcome::default();
            for &job in jobs {
                match self.0[job].clone() {
                    Done::Trained(epochs) => outcome.training = epochs,
                    Done::Reference(epochs) => {
                        (outcome.training, outcome.reference) = (epochs, true);
                    }
                    Done::Tested(test) => outcome.test = Some(test),
                    Done::Recorded(scenes) => outcome.scenes = scenes,
                    Done::Measured(parameters) => outcome.parameters = Some(parameters),
                    Done::Answered(answers) => outcome.answers = Some(answers),
                }
            }
            outcome
        };
        Found {
            x: point.x,
            name: point.name.clone(),
            runs: point.runs.iter().map(run).collect(),
        }
    }
}

/// Runs what is not done yet.
pub(super) fn run(
    plan: &Plan,
    library: &mut Library,
    out: &Path,
    watcher: &mut dyn Watcher,
) -> miette::Result<Results> {
    let mut done = Vec::with_capacity(plan.jobs.len());
    for (place, job) in plan.jobs.iter().enumerate() {
        watcher.begin(place, job);
        let folder = out.join("runs").join(&job.name);
        let run = |training: usize| out.join("runs").join(&plan.jobs[training].name);
        let trained = folder.join("outcome.json");
        let tested = out.join("tests").join(format!("{}.json", job.name));
        let (result, known) = match job.work {
            Work::Training { from, shuffled } => {
                let from = from.map(run);
                let from = from.as_deref().map(|run| Origin { run, shuffled });
                let make = || train(job, library, &folder, from, watcher);
                let (epochs, known) = once(&trained, make)?;
                (Done::Trained(epochs), known)
            }
            Work::Reference => {
                let make = || train_reference(job, library, &folder, watcher);
                let (epochs, known) = once(&trained, make)?;
                (Done::Reference(epochs), known)
            }
            Work::Test { training, silence } => {
                let make = || test(job, library, &run(training), silence);
                let (outcome, known) = once(&tested, make)?;
                (Done::Tested(outcome), known)
            }
            Work::Record { training, images } => {
                let make = || look::record(job, library, &run(training), images);
                let (scenes, known) = once(&tested, make)?;
                (Done::Recorded(scenes), known)
            }
            Work::Answers { training } => {
                let (given, known) = once(&tested, || answers(job, library, &run(training)))?;
                (Done::Answered(given), known)
            }
            Work::Calibration => {
                let (parameters, known) = once(&tested, || look::measure(job))?;
                (Done::Measured(parameters), known)
            }
        };
        watcher.end(known);
        done.push(result);
    }
    Ok(Results(done))
}

/// What a file holds, or what is made and written to it. It is read in either
/// case, so that both give the same bits.
fn once<T: Serialize + DeserializeOwned>(
    path: &Path,
    make: impl FnOnce() -> miette::Result<T>,
) -> miette::Result<(T, bool)> {
    let known = path.is_file();
    if !known {
        let made = make()?;
        let text = serde_json::to_string_pretty(&made).into_diagnostic()?;
        super::write(path, text.as_bytes())?;
    }
    let text = fs::read_to_string(path).into_diagnostic();
    let value = text.and_then(|text| serde_json::from_str(&text).into_diagnostic());
    let value = value.wrap_err_with(|| {
        let path = path.display();
        format!("{path} is no outcome of this program; remove it to have it made again")
    })?;
    Ok((value, known))
}

pub(super) fn load(job: &Job, library: &mut Library) -> miette::Result<(Experiment, Rc<Loaded>)> {
    let mut experiment = job.experiment.clone();
    let images = library.load(&mut experiment)?;
    Ok((experiment, images))
}

/// Where a training takes weights from.
#[derive(Debug, Clone, Copy)]
struct Origin<'a> {
    run: &'a Path,
    /// The recurrent ones alone, in another order.
    shuffled: bool,
}

/// Trains in a run folder, or goes on there.
fn train(
    job: &Job,
    library: &mut Library,
    path: &Path,
    from: Option<Origin>,
    watcher: &mut dyn Watcher,
) -> miette::Result<Vec<EpochMetrics>> {
    let (experiment, images) = load(job, library)?;
    let data = &images.data;
    let folder = if RunFolder::config_path(path).is_ok() {
        RunFolder::resume(path, &experiment)?
    } else {
        RunFolder::create(path, &experiment)?
    };
    let mut substrate = substrates::build(&experiment, data)?;
    let mut training = Training::open(&experiment, data, substrate.as_mut(), &folder)?;
    if let Some(Origin { run, shuffled }) = from {
        let state = State::read(&run_folder::last_checkpoint_path(run))?;
        if shuffled {
            let mut weights = training.weights().clone();
            weights.recurrent.clone_from(&state.weights().recurrent);
            shuffle_recurrence(&mut weights, experiment.train.seed);
            training.begin_with(&weights)?;
        } else {
            training.begin_with(state.weights())?;
        }
    }
    let mut observer = Steps {
        epochs: f64::from(experiment.epochs),
        watcher,
    };
    match training.run(&mut observer)? {
        Ending::Complete => Ok(metrics::read(&folder.metrics()).into_diagnostic()?),
        Ending::Stopped => bail!("stopped; the same command goes on"),
    }
}

/// Trains a network without spikes, or goes on with it.
fn train_reference(
    job: &Job,
    library: &mut Library,
    folder: &Path,
    watcher: &mut dyn Watcher,
) -> miette::Result<Vec<EpochMetrics>> {
    let (experiment, images) = load(job, library)?;
    fs::create_dir_all(folder).into_diagnostic()?;
    let checkpoint = run_folder::last_checkpoint_path(folder);
    reference::train(&experiment, &images.data, &checkpoint, |share| {
        watcher.at(share);
        watcher.stop_requested()
    })
}

/// The weights of a run on the substrate of another experiment.
fn test(job: &Job, library: &mut Library, run: &Path, share: f64) -> miette::Result<TestOutcome> {
    let (experiment, images) = load(job, library)?;
    let data = &images.data;
    let checkpoint: PathBuf = run_folder::last_checkpoint_path(run);
    let evaluate = |substrate: &mut dyn Substrate| {
        let seed = experiment.train.seed;
        evaluation::evaluate_changed(&experiment, data, substrate, &checkpoint, |weights| {
            silence(weights, seed, share).expect("the plan checks shares");
        })
    };
    let inference =
        experiment.substrate == SubstrateKind::Chip && experiment.chip.mode == RunMode::Inference;
    let (evaluation, silicon) = if inference {
        let shape = substrates::network_shape(&experiment, data);
        let chip = Chip::new(experiment.chip.clone(), shape, experiment.time)
            .map_err(bss2::Error::from)?;
        let core = chip.core().clone();
        let mut substrate = substrates::rounding(&experiment, Box::new(chip))?;
        let evaluation = evaluate(substrate.as_mut())?;
        let silicon = silicon(&core, shape, &experiment, &evaluation)?;
        (evaluation, Some(silicon))
    } else {
        let mut substrate = substrates::build(&experiment, data)?;
        (evaluate(substrate.as_mut())?, None)
    };
    Ok(TestOutcome {
        accuracy: evaluation.accuracy,
        hidden_spikes: evaluation.hidden_spikes_per_image,
        images_per_s: evaluation.images_per_s,
        silicon,
    })
}

/// The answers to all test samples where the network was trained.
fn answers(job: &Job, library: &mut Library, run: &Path) -> miette::Result<Answers> {
    let (experiment, loaded) = load(job, library)?;
    let data = &loaded.data;
    let mut substrate = substrates::build(&experiment, data)?;
    let checkpoint = run_folder::last_checkpoint_path(run);
    let evaluation = evaluation::evaluate(&experiment, data, substrate.as_mut(), &checkpoint)?;
    let given = (0..data.test.len()).map(|sample| Answer {
        label: data.test.labels()[sample],
        prediction: evaluation.predictions[sample],
        speaker: data.test.speaker(sample).unwrap_or_default(),
    });
    Ok(Answers {
        classes: data.test.class_names(),
        speakers: data.test.speakers(),
        given: given.collect(),
    })
}

/// What the chip itself would take for the images that were shown.
fn silicon(
    core: &AnalogCore,
    shape: NetworkShape,
    experiment: &Experiment,
    evaluation: &evaluation::Evaluation,
) -> miette::Result<Silicon> {
    let inference = experiment.chip.inference;
    let samples = inference.time(experiment.time).steps as f64;
    let load = ImageLoad {
        input_events: evaluation.input_spikes_per_image - evaluation.unsent_inputs_per_image,
        hidden_spikes: evaluation.hidden_spikes_per_image,
        samples,
        interval: inference.interval,
    };
    let power = power_report::inference(experiment.chip.power, core, shape, &load);
    let (power, energy): (_, Joules) = power.into_diagnostic()?;
    Ok(Silicon {
        power_mw: power.total().as_milli(),
        energy_uj: energy.as_micro(),
        images_per_s: 1.0 / inference.interval.get(),
        latency_us: samples * experiment.time.dt.as_micro(),
    })
}

/// Passes the steps of a training on as shares of the whole.
struct Steps<'a> {
    epochs: f64,
    watcher: &'a mut dyn Watcher,
}

impl Observer for Steps<'_> {
    fn step(&mut self, report: &StepReport) {
        let epochs = f64::from(report.epoch) + f64::from(report.step) / f64::from(report.steps);
        self.watcher.at(epochs / self.epochs);
    }
    fn epoch(&mut self, metrics: &EpochMetrics, _: f64) {
        self.watcher.at(f64::from(metrics.epoch) / self.epochs);
    }
    fn warning(&mut self, text: &str) {
        self.watcher.warning(text);
    }
    fn stop_requested(&self) -> bool {
        self.watcher.stop_requested()
    }
}
