//! From declarations to jobs: every run with its full configuration, each only
//! once, each after the one whose weights it needs.

use std::num::NonZeroU32;
use std::path::PathBuf;

use bss2::analog::calib::Decalibration;
use bss2::chip::ChipConfig;
use bss2::config::{self, Assignment, DataSet, Experiment, RunConfig, SubstrateKind};
use bss2::encode::{EncodeError, find_fsdd};
use bss2::event::RangeError;
use miette::IntoDiagnostic;
use sha2::{Digest, Sha256};

use super::declaration::{Declaration, SILENCE, Scale, Series, SeriesWork, Stage, Step};
use super::library::Library;
use super::reference;

/// How much is run, on what.
#[derive(Debug, Clone, Default)]
pub(super) struct Request {
    pub(super) quick: bool,
    /// General size; a declaration's own and `seeds` go before it.
    pub(super) general: Scale,
    pub(super) seeds: Option<u32>,
    pub(super) data: Option<PathBuf>,
    /// Keys that are set for every run.
    pub(super) set: Vec<Assignment>,
}

/// One thing to do.
#[derive(Debug, Clone)]
pub(super) struct Job {
    /// The beginning of the hash of all that its result depends on.
    pub(super) name: String,
    /// For the user.
    pub(super) label: String,
    pub(super) experiment: Experiment,
    pub(super) work: Work,
    /// Expected, in images through the software network.
    pub(super) cost: f64,
}

impl Job {
    /// Neurons are measured without any samples.
    fn learns_of_generated(&self) -> bool {
        let set = self.experiment.data.set;
        self.work != Work::Calibration
            && matches!(set, DataSet::Generated | DataSet::GeneratedSpeech)
    }
}

/// What is done, in terms of the places of other jobs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Work {
    /// Trains, from the weights of another training if one is named; if asked for,
    /// from its recurrent weights alone, in another order.
    Training { from: Option<usize>, shuffled: bool },
    /// Trains a network without spikes.
    Reference,
    /// Tests the weights of a training, with a share of hidden neurons silenced that are
    /// chosen by a draw, also on so many of the images that they were trained on.
    Test {
        training: usize,
        silence: f64,
        draw: u32,
        train_images: u32,
    },
    /// Records the first test images with the weights of a training.
    Record { training: usize, images: u32 },
    /// Keeps the answer to every test sample with the weights of a training.
    Answers { training: usize },
    /// Measures the neurons of a chip.
    Calibration,
}

impl Work {
    /// A training from drawn weights.
    pub(super) const NEW: Self = Self::Training {
        from: None,
        shuffled: false,
    };

    /// Whether it is a training, with or without spikes.
    pub(super) fn trains(self) -> bool {
        matches!(self, Self::Training { .. } | Self::Reference)
    }

    /// The training whose weights it needs.
    pub(super) fn needs(self) -> Option<usize> {
        match self {
            Self::Training { from, .. } => from,
            Self::Test { training, .. }
            | Self::Record { training, .. }
            | Self::Answers { training } => Some(training),
            Self::Reference | Self::Calibration => None,
        }
    }
}

/// All jobs, and which of them make which experiment.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// A job's place is after that of the training that it needs.
    pub(super) jobs: Vec<Job>,
    pub(super) experiments: Vec<PlannedExperiment>,
    /// Lines about the data that were found.
    pub(super) announcements: Vec<String>,
}

#[derive(Debug)]
pub(super) struct PlannedExperiment {
    pub(super) declaration: Declaration,
    pub(super) scale: Scale,
    /// In the order of the declaration: the points, or why there are none.
    pub(super) series: Vec<Result<Vec<Point>, String>>,
}

impl PlannedExperiment {
    /// The places of its jobs.
    fn jobs(&self) -> impl Iterator<Item = usize> + Clone {
        let points = self.series.iter().flatten().flatten();
        points.flat_map(|point| &point.runs).flatten().copied()
    }
}

/// One swept value.
#[derive(Debug)]
pub(super) struct Point {
    pub(super) x: Option<f64>,
    pub(super) name: Option<String>,
    pub(super) runs: Vec<Run>,
}

/// The jobs that make one run, each with a part of its outcome.
pub(super) type Run = Vec<usize>;

/// An experiment in full, and the digest of its images.
struct Resolved {
    experiment: Experiment,
    images: [u8; 32],
}

impl Scale {
    /// This one, and where it is silent the other.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            seeds: self.seeds.or(other.seeds),
            epochs: self.epochs.or(other.epochs),
            train_images: self.train_images.or(other.train_images),
            test_images: self.test_images.or(other.test_images),
            draws: self.draws.or(other.draws),
        }
    }

    fn assignments(self) -> Vec<Assignment> {
        [
            ("epochs", self.epochs),
            ("data.train_images", self.train_images),
            ("data.test_images", self.test_images),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some(Assignment::of_flag(key, key, i64::from(value?))))
        .collect()
    }
}

impl Plan {
    pub(super) fn new(
        declarations: Vec<Declaration>,
        request: &Request,
        library: &mut Library,
    ) -> miette::Result<Self> {
        let mut plan = Self::default();
        for declaration in declarations {
            let own = if request.quick {
                declaration.quick
            } else {
                declaration.full
            };
            let asked = Scale {
                seeds: request.seeds,
                ..Scale::default()
            };
            let scale = asked.or(own).or(request.general);
            let mut all = Vec::new();
            for series in &declaration.series {
                let label = format!("{}: {}", declaration.id, series.name);
                all.push(plan.series(series, &label, scale, request, library)?);
            }
            plan.experiments.push(PlannedExperiment {
                declaration,
                scale,
                series: all,
            });
        }
        Ok(plan)
    }

    /// Least and most of a number of the trainings of an experiment, if it has any.
    pub(super) fn range(
        &self,
        experiment: &PlannedExperiment,
        of: impl Fn(&Experiment) -> usize,
    ) -> Option<[usize; 2]> {
        let jobs = experiment.jobs().map(|place| &self.jobs[place]);
        let trainings = jobs.filter(|job| job.work.trains());
        let numbers = trainings.map(|job| of(&job.experiment));
        numbers.fold(None, |range, number| {
            let [least, most] = range.unwrap_or([number; 2]);
            Some([least.min(number), most.max(number)])
        })
    }

    /// Ids of the experiments that learn of samples which the program draws itself.
    pub(super) fn of_generated(&self) -> Vec<&str> {
        let generated = |place: usize| self.jobs[place].learns_of_generated();
        let experiments = self.experiments.iter();
        let experiments = experiments.filter(|experiment| experiment.jobs().any(generated));
        experiments.map(|e| e.declaration.id.as_str()).collect()
    }

    fn series(
        &mut self,
        series: &Series,
        label: &str,
        scale: Scale,
        request: &Request,
        library: &mut Library,
    ) -> miette::Result<Result<Vec<Point>, String>> {
        let steps = match &series.sweep {
            Some(sweep) if sweep.speakers => {
                match self.speakers(series, label, scale, request, library)? {
                    Ok(steps) => steps.into_iter().map(Some).collect(),
                    Err(reason) => return Ok(Err(reason)),
                }
            }
            Some(sweep) => sweep.steps(request.quick).into_iter().map(Some).collect(),
            None => vec![None],
        };
        let seeds = scale.seeds.unwrap_or(1);
        let draws = scale.draws.map_or(1, NonZeroU32::get);
        let mut points = Vec::new();
        for step in steps {
            let mut runs = Vec::new();
            for seed in 0..seeds {
                let step = step.as_ref();
                let at = match step {
                    Some(Step {
                        name: Some(name), ..
                    }) => format!(", {name}"),
                    Some(Step { x, .. }) => format!(", {x}"),
                    None => String::new(),
                };
                let settings = Settings::of(format!("{label}{at}, seed {seed}"), scale, request);
                let draft = Draft {
                    series,
                    step,
                    seed,
                    draws,
                };
                match self.run(&draft, settings, request, library)? {
                    Ok(run) => runs.push(run),
                    Err(reason) => return Ok(Err(reason)),
                }
            }
            points.push(Point {
                x: step.as_ref().map(|step| step.x),
                name: step.and_then(|step| step.name),
                runs,
            });
        }
        Ok(Ok(points))
    }

    /// One step for every speaker of the data, who is held out; for the first alone
    /// in a quick run.
    fn speakers(
        &mut self,
        series: &Series,
        label: &str,
        scale: Scale,
        request: &Request,
        library: &mut Library,
    ) -> miette::Result<Result<Vec<Step>, String>> {
        let mut settings = Settings::of(label.to_owned(), scale, request);
        settings.set(&series.set);
        let mut resolved = match self.resolve(&settings.list, request, library)? {
            Ok(resolved) => resolved,
            Err(reason) => return Ok(Err(reason)),
        };
        let loaded = library.load(&mut resolved.experiment)?;
        let mut names = loaded.data.train.speakers();
        if names.is_empty() {
            return Ok(Err("these data do not tell who speaks".to_owned()));
        }
        if request.quick {
            names.truncate(1);
        }
        let step = |(place, name): (usize, String)| Step {
            x: place as f64,
            set: vec![("data.held_out".to_owned(), vec![name.clone()].into())],
            name: Some(name),
        };
        Ok(Ok(names.into_iter().enumerate().map(step).collect()))
    }

    /// The jobs of one run.
    fn run(
        &mut self,
        draft: &Draft,
        mut settings: Settings,
        request: &Request,
        library: &mut Library,
    ) -> miette::Result<Result<Run, String>> {
        let Draft { series, seed, .. } = *draft;
        settings.set(&series.set);
        let seed_value = i64::from(seed).into();
        settings.set(series.seeded.iter().map(|key| (key, &seed_value)));
        settings.set(draft.swept(Stage::Training));
        let first = match series.work {
            SeriesWork::Training => Work::NEW,
            SeriesWork::Reference => Work::Reference,
            SeriesWork::Calibration => Work::Calibration,
        };
        let mut run = Vec::new();
        let mut add = |plan: &mut Self, settings: &Settings, work: Work, run: &mut Run| {
            let resolved = plan.resolve(&settings.list, request, library)?;
            Ok::<_, miette::Report>(resolved.map(|resolved| {
                let place = plan.add(settings.label.clone(), resolved, work);
                run.push(place);
                place
            }))
        };
        let mut training = match add(self, &settings, first, &mut run)? {
            Ok(place) => place,
            Err(reason) => return Ok(Err(reason)),
        };
        if let Some(tune) = &series.tune {
            settings.set(&tune.set);
            settings.set(draft.swept(Stage::Tuning));
            let work = Work::Training {
                from: Some(training),
                shuffled: tune.shuffle_recurrence,
            };
            match add(self, &settings, work, &mut run)? {
                Ok(place) => training = place,
                Err(reason) => return Ok(Err(reason)),
            }
        }
        if let Some(deploy) = &series.deploy {
            settings.set(&deploy.set);
            settings.set(draft.swept(Stage::Deployment));
            let silence = draft.silence().unwrap_or(deploy.silence);
            RangeError::check(SILENCE, silence, 0.0, 1.0, "").into_diagnostic()?;
            // Where none are silenced every draw is the same.
            let draws = if silence > 0.0 { draft.draws } else { 1 };
            let label = settings.label.clone();
            for draw in 0..draws {
                if draws > 1 {
                    settings.label = format!("{label}, choice {}", draw + 1);
                }
                let work = Work::Test {
                    training,
                    silence,
                    draw,
                    train_images: deploy.train_images,
                };
                if let Err(reason) = add(self, &settings, work, &mut run)? {
                    return Ok(Err(reason));
                }
            }
            settings.label = label;
        }
        if series.answers {
            let work = Work::Answers { training };
            if let Err(reason) = add(self, &settings, work, &mut run)? {
                return Ok(Err(reason));
            }
        }
        if series.record > 0 && seed == 0 {
            let images = series.record;
            let work = Work::Record { training, images };
            if let Err(reason) = add(self, &settings, work, &mut run)? {
                return Ok(Err(reason));
            }
        }
        Ok(Ok(run))
    }

    /// The experiment in full, or why its data are not there.
    fn resolve(
        &mut self,
        assignments: &[Assignment],
        request: &Request,
        library: &mut Library,
    ) -> miette::Result<Result<Resolved, String>> {
        let mut experiment = config::load(None, assignments)?;
        experiment.seal().map_err(bss2::Error::from)?;
        let named = experiment.data.set;
        // Generated speech stands in for recordings in a folder of images as well.
        let elsewhere = |folder| named == DataSet::Speech && find_fsdd(Some(folder)).is_err();
        if let Some(folder) = request.data.as_deref().filter(|&folder| !elsewhere(folder)) {
            experiment.data.folder = Some(folder.to_owned());
        }
        match library.load(&mut experiment) {
            Ok(images) => {
                for line in images.data.announcement() {
                    if !self.announcements.contains(line) {
                        self.announcements.push(line.clone());
                    }
                }
                let images = images.digest;
                Ok(Ok(Resolved { experiment, images }))
            }
            // A set beside the main one may be missing.
            Err(bss2::Error::Encode(error)) if beside(named).is_some() => {
                let (name, remedy) = beside(named).unwrap_or_default();
                let why = match error {
                    EncodeError::NotFound { .. } => format!("{name} was not found"),
                    error => error.to_string(),
                };
                Ok(Err(format!("{why}; {remedy}")))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The place of a job, which may have been there before.
    fn add(&mut self, label: String, resolved: Resolved, work: Work) -> usize {
        let experiment = canonical(resolved.experiment, work);
        let name = self.name(&experiment, &resolved.images, work);
        if let Some(place) = self.jobs.iter().position(|job| job.name == name) {
            let job = &mut self.jobs[place];
            let every = &mut job.experiment.run.test_every;
            *every = common(*every, experiment.run.test_every);
            job.cost = cost(&job.experiment, work);
            return place;
        }
        let cost = cost(&experiment, work);
        self.jobs.push(Job {
            name,
            label,
            experiment,
            work,
            cost,
        });
        self.jobs.len() - 1
    }

    fn name(&self, experiment: &Experiment, images: &[u8; 32], work: Work) -> String {
        let mut of = experiment.clone();
        of.run = RunConfig::default();
        of.data.folder = None;
        let mut hash = Sha256::new();
        hash.update(images);
        hash.update(config::to_toml(&of));
        if let Some(training) = work.needs() {
            hash.update(&self.jobs[training].name);
        }
        match work {
            Work::Training { shuffled, .. } if shuffled => hash.update("shuffled"),
            Work::Training { .. } => {}
            Work::Reference => hash.update("reference"),
            Work::Test {
                silence,
                draw,
                train_images,
                ..
            } => {
                hash.update(silence.to_le_bytes());
                if draw > 0 {
                    hash.update(format!("draw {draw}"));
                }
                if train_images > 0 {
                    hash.update(format!("train {train_images}"));
                }
            }
            Work::Record { images, .. } => hash.update(format!("record {images}")),
            Work::Answers { .. } => hash.update("answers"),
            Work::Calibration => hash.update("calibration"),
        }
        let digest = hash.finalize();
        digest[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// One run of a series, before its settings are joined.
struct Draft<'a> {
    series: &'a Series,
    step: Option<&'a Step>,
    seed: u32,
    /// Of silenced neurons.
    draws: u32,
}

impl Draft<'_> {
    /// Keys that the sweep sets in a part of the run.
    fn swept(&self, stage: Stage) -> impl Iterator<Item = (&String, &toml::Value)> {
        let here = self.series.sweep.as_ref().is_some_and(|s| s.of == stage);
        let step = self.step.filter(|_| here);
        let keys = step.into_iter().flat_map(|step| &step.set);
        keys.filter(|(key, _)| key != SILENCE)
            .map(|(key, value)| (key, value))
    }

    /// The share of silenced neurons, where it is swept.
    fn silence(&self) -> Option<f64> {
        let step = self.step?;
        let swept = step.set.iter().any(|(key, _)| key == SILENCE);
        swept.then_some(step.x)
    }
}

/// Keys of an experiment in the order in which they are set.
struct Settings {
    label: String,
    list: Vec<Assignment>,
}

impl Settings {
    /// What holds for every series.
    fn of(label: String, scale: Scale, request: &Request) -> Self {
        let mut list = scale.assignments();
        list.extend(request.set.iter().cloned());
        Self { label, list }
    }

    fn set<'a>(&mut self, keys: impl IntoIterator<Item = (&'a String, &'a toml::Value)>) {
        let label = &self.label;
        let keys = keys.into_iter().map(|(key, value)| Assignment {
            key: key.clone(),
            value: value.clone(),
            origin: format!("{label}: {key} = {value}"),
        });
        self.list.extend(keys);
    }
}

/// Name of a set that may be missing, and what brings it.
fn beside(set: DataSet) -> Option<(&'static str, &'static str)> {
    match set {
        DataSet::FashionMnist => Some((
            "Fashion-MNIST",
            "`bss2 data fetch fashion-mnist` downloads it, with `--out` into the folder of --data",
        )),
        DataSet::Shd => Some((
            "SHD",
            "shd_train.h5 and shd_test.h5 of the Spiking Heidelberg Digits (zenkelab.org), \
             unzipped, belong into datasets/cache/shd",
        )),
        _ => None,
    }
}

/// Settings without effect at their defaults, so that runs with the same result
/// have the same name.
fn canonical(mut experiment: Experiment, work: Work) -> Experiment {
    if work == Work::Reference {
        return reference::canonical(&experiment);
    }
    if experiment.substrate == SubstrateKind::Software {
        experiment.chip = ChipConfig::default();
        experiment.software_epochs = 0;
    }
    if experiment.chip.decalibration.sigma == 0.0 {
        experiment.chip.decalibration = Decalibration::default();
    }
    experiment
}

/// The largest period of which both are multiples, as 0 is of any.
fn common(one: u32, other: u32) -> u32 {
    if other == 0 {
        one
    } else {
        common(other, one % other)
    }
}

/// Images through the software network, which take as long as the samples of this
/// job: a chip is calibrated first.
fn cost(experiment: &Experiment, work: Work) -> f64 {
    let speech = experiment.data.set.is_speech();
    let whole = if speech {
        [2_250.0, 250.0]
    } else {
        [60_000.0, 10_000.0]
    };
    // Recurrent networks take two to three times as long for a step.
    let each = if speech {
        0.13 * experiment.time.steps as f64
    } else {
        1.0
    };
    let count = |asked: usize, whole: f64| each * if asked == 0 { whole } else { asked as f64 };
    let (train, test) = (
        count(experiment.data.train_images, whole[0]),
        count(experiment.data.test_images, whole[1]),
    );
    let images = match work {
        Work::Training { .. } | Work::Reference => {
            let epochs = experiment.epochs;
            let tests = (1..=epochs).filter(|&epoch| experiment.tests_after(epoch));
            f64::from(epochs) * train + 0.5 * tests.count() as f64 * test
        }
        Work::Test { train_images, .. } => 0.5 * (test + each * f64::from(train_images)),
        Work::Answers { .. } => 0.5 * test,
        Work::Record { images, .. } => images.into(),
        Work::Calibration => 0.0,
    };
    match experiment.substrate {
        SubstrateKind::Software => images,
        SubstrateKind::Chip => 4.5 * images + 50_000.0 * experiment.chip.fleet as f64,
    }
}
