//! Runs the jobs of a plan.
//!
//! What was done before is read first. Trainings follow, side by side, each on its share of
//! the threads; then all else, one job at a time on all of them, so that the rates that tests
//! tell have no neighbours. A training is a run folder `runs/NAME`, from which it goes on; what
//! is complete has an outcome beside it that was written last and is only read from then on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bss2::analog::AnalogCore;
use bss2::chip::{Chip, RunMode};
use bss2::config::{Experiment, SubstrateKind};
use bss2::data::Data;
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

use super::lanes::{Task, side_by_side};
use super::library::{Library, Loaded};
use super::outcome::{Answer, Answers, Found, Outcome, Parameters, Scene, Silicon, TestOutcome};
use super::plan::{Job, Plan, Point, Run, Work};
use super::stored::Stored;
use super::{look, reference};

/// Who watches the jobs, of which several may be at work.
pub(super) trait Watcher: Send {
    /// A job begins; it may turn out to be done already.
    fn begin(&mut self, place: usize, job: &Job);
    /// So much of it is over, 0 to 1.
    fn at(&mut self, place: usize, share: f64);
    /// It is over; whether it had been before.
    fn end(&mut self, place: usize, known: bool);
    /// Something a user should know.
    fn warning(&mut self, place: usize, text: &str);
    /// Whether to stop as soon as possible.
    fn stop_requested(&self) -> bool {
        false
    }
}

/// Outcomes of the jobs of a plan, in their order.
#[derive(Debug)]
pub(super) struct Results(Vec<Stored<Done>>);

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
                match self.0[job].outcome.clone() {
                    Done::Trained(epochs) => outcome.training = epochs,
                    Done::Reference(epochs) => {
                        (outcome.training, outcome.reference) = (epochs, true);
                    }
                    Done::Tested(test) => outcome.tests.push(test),
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

    /// How many outcomes of some points each program has made.
    pub(super) fn revisions<'p>(
        &self,
        points: impl Iterator<Item = &'p Point>,
    ) -> BTreeMap<&str, usize> {
        let jobs: BTreeSet<usize> = points
            .flat_map(|p| p.runs.iter().flatten().copied())
            .collect();
        let mut counts = BTreeMap::new();
        for job in jobs {
            *counts.entry(self.0[job].revision.as_str()).or_default() += 1;
        }
        counts
    }
}

/// What the jobs share.
pub(super) struct Shared<'a> {
    plan: &'a Plan,
    out: &'a Path,
    /// Which one this is.
    program: &'a str,
    library: Mutex<&'a mut Library>,
    watcher: Mutex<&'a mut dyn Watcher>,
    /// Another training has failed: those at work need not go on.
    failed: AtomicBool,
}

impl<'a> Shared<'a> {
    fn watcher(&self) -> MutexGuard<'_, &'a mut dyn Watcher> {
        self.watcher.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop_requested(&self) -> bool {
        self.failed.load(Ordering::Relaxed) || self.watcher().stop_requested()
    }

    /// The settings of a job with what its data say of them, and those data.
    pub(super) fn load(&self, job: &Job) -> miette::Result<(Experiment, Arc<Loaded>)> {
        let mut experiment = job.experiment.clone();
        let library = self.library.lock();
        let mut library = library.unwrap_or_else(PoisonError::into_inner);
        let images = library.load(&mut experiment)?;
        Ok((experiment, images))
    }

    /// The run folder of a training.
    fn run(&self, place: usize) -> PathBuf {
        self.out.join("runs").join(&self.plan.jobs[place].name)
    }

    /// The outcome of a training.
    fn trained(&self, place: usize) -> PathBuf {
        self.run(place).join("outcome.json")
    }

    /// The outcome of any other job.
    fn tested(&self, place: usize) -> PathBuf {
        let name = &self.plan.jobs[place].name;
        self.out.join("tests").join(format!("{name}.json"))
    }

    /// Whether a job was done before.
    fn is_known(&self, place: usize) -> bool {
        if self.plan.jobs[place].work.trains() {
            return self.is_trained(place);
        }
        self.tested(place).is_file()
    }

    /// Whether a training is complete, with weights that others may need and all tests that are
    /// asked for now.
    fn is_trained(&self, place: usize) -> bool {
        let path = self.trained(place);
        let checkpoint = run_folder::last_checkpoint_path(&self.run(place));
        let needed = self.plan.jobs[place].work != Work::Reference;
        if !path.is_file() || needed && !checkpoint.is_file() {
            return false;
        }
        // Whoever needs what cannot be read says so.
        Stored::<Vec<EpochMetrics>>::read(&path).map_or(true, |stored| {
            !lacks_tests(&stored.outcome, &self.plan.jobs[place].experiment)
        })
    }

    /// Forgets what was made of weights that are to be made again, by another program perhaps:
    /// it is made again as well.
    fn forget_what_follows(&self) -> miette::Result<()> {
        // Each comes after the one that it needs, so what follows from it is forgotten, too.
        for (place, job) in self.plan.jobs.iter().enumerate() {
            if job
                .work
                .needs()
                .is_none_or(|training| self.is_known(training))
            {
                continue;
            }
            if job.work.trains() {
                remove(&self.trained(place))?;
                remove(&run_folder::last_checkpoint_path(&self.run(place)))?;
            } else {
                remove(&self.tested(place))?;
            }
        }
        Ok(())
    }

    /// Does a job that is not done yet.
    fn done(&self, place: usize) -> miette::Result<Stored<Done>> {
        let job = &self.plan.jobs[place];
        self.watcher().begin(place, job);
        let result = self.result(place, job);
        let (result, known) = result.wrap_err_with(|| job.label.clone())?;
        self.watcher().end(place, known);
        Ok(result)
    }

    /// The result of a job, and whether it was known before.
    fn result(&self, place: usize, job: &Job) -> miette::Result<(Stored<Done>, bool)> {
        let folder = self.run(place);
        let trained = self.trained(place);
        let tested = self.tested(place);
        let steps = Steps {
            shared: self,
            place,
            epochs: f64::from(job.experiment.epochs),
        };
        Ok(match job.work {
            Work::Training { from, shuffled } => {
                let from = from.map(|training| self.run(training));
                let from = from.as_deref().map(|run| Origin { run, shuffled });
                let known = self.is_trained(place);
                let make = || train(job, &folder, from, steps);
                let epochs = self.unless(known, &trained, make)?;
                (epochs.map(Done::Trained), known)
            }
            Work::Reference => {
                let make = || train_reference(job, &folder, steps);
                let (epochs, known) = self.once(&trained, make)?;
                (epochs.map(Done::Reference), known)
            }
            Work::Test {
                training,
                silence,
                draw,
                train_images,
            } => {
                let run = self.run(training);
                let make = || test(job, self, &run, (draw, silence), train_images);
                let (outcome, known) = self.once(&tested, make)?;
                (outcome.map(Done::Tested), known)
            }
            Work::Record { training, images } => {
                let make = || look::record(job, self, &self.run(training), images);
                let (scenes, known) = self.once(&tested, make)?;
                (scenes.map(Done::Recorded), known)
            }
            Work::Answers { training } => {
                let make = || answers(job, self, &self.run(training));
                let (given, known) = self.once(&tested, make)?;
                (given.map(Done::Answered), known)
            }
            Work::Calibration => {
                let (parameters, known) = self.once(&tested, || look::measure(job))?;
                (parameters.map(Done::Measured), known)
            }
        })
    }

    /// What a file holds, or, where there is none, what is made and written to it; and whether
    /// there was one.
    fn once<T: Serialize + DeserializeOwned>(
        &self,
        path: &Path,
        make: impl FnOnce() -> miette::Result<T>,
    ) -> miette::Result<(Stored<T>, bool)> {
        let known = path.is_file();
        Ok((self.unless(known, path, make)?, known))
    }

    /// What a file holds that is known, or what is made and written to it. It is read in
    /// either case, so that both give the same bits.
    fn unless<T: Serialize + DeserializeOwned>(
        &self,
        known: bool,
        path: &Path,
        make: impl FnOnce() -> miette::Result<T>,
    ) -> miette::Result<Stored<T>> {
        if !known {
            let made = Stored {
                revision: self.program.to_owned(),
                outcome: make()?,
            };
            made.write(path)?;
        }
        Stored::read(path)
    }
}

/// Runs what is not done yet, on the threads of the pool that it is called in. What is made is
/// kept as that of `program`.
pub(super) fn run(
    plan: &Plan,
    library: &mut Library,
    out: &Path,
    program: &str,
    watcher: &mut dyn Watcher,
) -> miette::Result<Results> {
    let shared = Shared {
        plan,
        out,
        program,
        library: Mutex::new(library),
        watcher: Mutex::new(watcher),
        failed: AtomicBool::new(false),
    };
    shared.forget_what_follows()?;
    // What was done before takes no lane, and none of the time that is said to be left.
    let (known, new): (Vec<usize>, Vec<usize>) =
        (0..plan.jobs.len()).partition(|&place| shared.is_known(place));
    let known = known
        .into_iter()
        .map(|place| Ok((place, shared.done(place)?)));
    let mut done: BTreeMap<usize, Stored<Done>> = known.collect::<miette::Result<_>>()?;
    let trains = |place: &usize| plan.jobs[*place].work.trains();
    let places: Vec<usize> = new.into_iter().filter(trains).collect();
    let task = |place: &usize| Task {
        place: *place,
        needs: plan.jobs[*place]
            .work
            .needs()
            .filter(|other| places.contains(other)),
    };
    let mut tasks: Vec<Task> = places.iter().map(task).collect();
    // The longest first: little is left for one thread while the others have nothing to do.
    tasks.sort_by(|a, b| plan.jobs[b.place].cost.total_cmp(&plan.jobs[a.place].cost));
    let threads = rayon::current_num_threads();
    let work = |place| shared.done(place);
    done.extend(side_by_side(tasks, threads, &shared.failed, work)?);
    let results = (0..plan.jobs.len()).map(|place| match done.remove(&place) {
        Some(result) => Ok(result),
        None => shared.done(place),
    });
    Ok(Results(results.collect::<miette::Result<_>>()?))
}

/// Whether there is a test missing that is asked for.
fn lacks_tests(epochs: &[EpochMetrics], experiment: &Experiment) -> bool {
    let missing = |e: &EpochMetrics| e.test_accuracy.is_none() && experiment.tests_after(e.epoch);
    epochs.iter().any(missing)
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
    path: &Path,
    from: Option<Origin>,
    mut steps: Steps<'_, '_>,
) -> miette::Result<Vec<EpochMetrics>> {
    let (experiment, images) = steps.shared.load(job)?;
    let data = &images.data;
    let folder = if RunFolder::config_path(path).is_ok() {
        RunFolder::resume(path, &experiment)?
    } else {
        RunFolder::create(path, &experiment)?
    };
    let before = metrics::read(&folder.metrics()).into_diagnostic()?;
    let checkpoint = folder.last_checkpoint();
    // Before the checkpoint: whenever it is killed from here on, it is not taken for complete,
    // whatever tests are asked for then.
    remove(&steps.shared.trained(steps.place))?;
    // Without one it begins anew in any case.
    if checkpoint.is_file() && lacks_tests(&before, &experiment) {
        steps.warning("trained again, since it was not tested after all epochs that are asked for");
        remove(&checkpoint)?;
    }
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
    match training.run(&mut steps)? {
        Ending::Complete => Ok(metrics::read(&folder.metrics()).into_diagnostic()?),
        Ending::Stopped => bail!("stopped; the same command goes on"),
    }
}

/// Removes a file that may be missing.
fn remove(path: &Path) -> miette::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error)
            .into_diagnostic()
            .wrap_err_with(|| format!("{} cannot be removed", path.display())),
        _ => Ok(()),
    }
}

/// Trains a network without spikes, or goes on with it.
fn train_reference(
    job: &Job,
    folder: &Path,
    steps: Steps<'_, '_>,
) -> miette::Result<Vec<EpochMetrics>> {
    let Steps { shared, place, .. } = steps;
    let (experiment, images) = shared.load(job)?;
    fs::create_dir_all(folder).into_diagnostic()?;
    let checkpoint = run_folder::last_checkpoint_path(folder);
    reference::train(&experiment, &images.data, &checkpoint, |share| {
        shared.watcher().at(place, share);
        shared.stop_requested()
    })
}

/// The weights of a run on the substrate of another experiment, with a share of the hidden
/// neurons of a draw silenced; also on so many of the images that they were trained on.
fn test(
    job: &Job,
    shared: &Shared<'_>,
    run: &Path,
    (draw, share): (u32, f64),
    train_images: u32,
) -> miette::Result<TestOutcome> {
    let (experiment, images) = shared.load(job)?;
    let data = &images.data;
    let checkpoint: PathBuf = run_folder::last_checkpoint_path(run);
    let evaluate = |data: &Data, substrate: &mut dyn Substrate| {
        let seed = experiment.train.seed;
        let state = State::read(&checkpoint)?;
        evaluation::evaluate_changed(&experiment, data, substrate, state, |weights| {
            silence(weights, seed, draw, share).expect("the plan checks shares");
        })
    };
    let shape = substrates::network_shape(&experiment, data);
    let inference =
        experiment.substrate == SubstrateKind::Chip && experiment.chip.mode == RunMode::Inference;
    let (mut substrate, core) = if inference {
        let chip = Chip::new(experiment.chip.clone(), shape, experiment.time)
            .map_err(bss2::Error::from)?;
        let core = chip.core().clone();
        let substrate = substrates::rounding(&experiment, Box::new(chip))?;
        (substrate, Some(core))
    } else {
        (substrates::build(&experiment, data)?, None)
    };
    let evaluation = evaluate(data, substrate.as_mut())?;
    let train_accuracy = match train_images {
        0 => None,
        count => {
            let learned = data.tested_on_training(count as usize);
            let learned = learned.map_err(bss2::Error::from)?;
            Some(evaluate(&learned, substrate.as_mut())?.accuracy)
        }
    };
    let silicon = core.map(|core| silicon(&core, shape, &experiment, &evaluation));
    let silicon = silicon.transpose()?;
    Ok(TestOutcome {
        accuracy: evaluation.accuracy,
        train_accuracy,
        hidden_spikes: evaluation.hidden_spikes_per_image,
        images_per_s: evaluation.images_per_s,
        silicon,
    })
}

/// The answers to all test samples where the network was trained.
fn answers(job: &Job, shared: &Shared<'_>, run: &Path) -> miette::Result<Answers> {
    let (experiment, loaded) = shared.load(job)?;
    let data = &loaded.data;
    let mut substrate = substrates::build(&experiment, data)?;
    let state = State::read(&run_folder::last_checkpoint_path(run))?;
    let evaluation = evaluation::evaluate(&experiment, data, substrate.as_mut(), state)?;
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
#[derive(Clone, Copy)]
struct Steps<'a, 'b> {
    shared: &'a Shared<'b>,
    place: usize,
    epochs: f64,
}

impl Observer for Steps<'_, '_> {
    fn step(&mut self, report: &StepReport) {
        let epochs = f64::from(report.epoch) + f64::from(report.step) / f64::from(report.steps);
        self.shared.watcher().at(self.place, epochs / self.epochs);
    }
    fn epoch(&mut self, metrics: &EpochMetrics, _: Option<f64>) {
        let share = f64::from(metrics.epoch) / self.epochs;
        self.shared.watcher().at(self.place, share);
    }
    fn warning(&mut self, text: &str) {
        self.shared.watcher().warning(self.place, text);
    }
    fn stop_requested(&self) -> bool {
        self.shared.stop_requested()
    }
}
