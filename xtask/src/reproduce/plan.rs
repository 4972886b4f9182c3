//! From declarations to jobs: every run with its full configuration, each only
//! once, each after the one whose weights it needs.

use std::path::PathBuf;

use bss2::analog::calib::Decalibration;
use bss2::chip::ChipConfig;
use bss2::config::{self, Assignment, DataSet, Experiment, RunConfig, SubstrateKind};
use bss2::encode::EncodeError;
use bss2::event::RangeError;
use miette::IntoDiagnostic;
use sha2::{Digest, Sha256};

use super::declaration::{Declaration, Scale, Series, Stage, number};
use super::library::Library;

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

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Work {
    Training,
    /// Tests the weights of another job, with a share of hidden neurons silenced.
    Test {
        training: usize,
        silence: f64,
    },
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

/// One swept value.
#[derive(Debug)]
pub(super) struct Point {
    pub(super) x: Option<f64>,
    /// Seed by seed: the training, and the test of its weights.
    pub(super) runs: Vec<(usize, Option<usize>)>,
}

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

    fn series(
        &mut self,
        series: &Series,
        label: &str,
        scale: Scale,
        request: &Request,
        library: &mut Library,
    ) -> miette::Result<Result<Vec<Point>, String>> {
        if let Some(reason) = &series.unavailable {
            return Ok(Err(reason.clone()));
        }
        let sweep = series.sweep.as_ref();
        let values = sweep.map_or(vec![None], |sweep| {
            sweep.values(request.quick).iter().map(Some).collect()
        });
        let mut points = Vec::new();
        for value in values {
            let x = value.and_then(number);
            let mut runs = Vec::new();
            for seed in 0..scale.seeds.unwrap_or(1) {
                let mut assignments = scale.assignments();
                assignments.extend(request.set.iter().cloned());
                assignments.extend(series.set.iter().map(|(k, v)| assign(label, k, v)));
                let seed_value = i64::from(seed).into();
                let seeded = series.seeded.iter();
                assignments.extend(seeded.map(|key| assign(label, key, &seed_value)));
                let swept = |stage| {
                    let of = sweep.filter(|s| s.of == stage && s.key != "silence");
                    of.zip(value).map(|(s, value)| assign(label, &s.key, value))
                };
                assignments.extend(swept(Stage::Training));
                let label = match x {
                    Some(x) => format!("{label}, {x}, seed {seed}"),
                    None => format!("{label}, seed {seed}"),
                };
                let training = match self.resolve(&assignments, request, library)? {
                    Ok(resolved) => self.add(label.clone(), resolved, Work::Training),
                    Err(reason) => return Ok(Err(reason)),
                };
                let mut test = None;
                if let Some(deploy) = &series.deploy {
                    assignments.extend(deploy.set.iter().map(|(k, v)| assign(&label, k, v)));
                    assignments.extend(swept(Stage::Deployment));
                    let silence = match x {
                        Some(x) if sweep.is_some_and(|s| s.key == "silence") => x,
                        _ => deploy.silence,
                    };
                    RangeError::check("silence", silence, 0.0, 1.0, "").into_diagnostic()?;
                    let resolved = match self.resolve(&assignments, request, library)? {
                        Ok(resolved) => resolved,
                        Err(reason) => return Ok(Err(reason)),
                    };
                    let work = Work::Test { training, silence };
                    test = Some(self.add(label, resolved, work));
                }
                runs.push((training, test));
            }
            points.push(Point { x, runs });
        }
        Ok(Ok(points))
    }

    /// The experiment in full, or why its data are not there.
    fn resolve(
        &mut self,
        assignments: &[Assignment],
        request: &Request,
        library: &mut Library,
    ) -> miette::Result<Result<Resolved, String>> {
        let mut experiment = config::load(None, assignments)?;
        if request.data.is_some() {
            experiment.data.folder.clone_from(&request.data);
        }
        let named = experiment.data.set;
        match library.load(&mut experiment) {
            Ok(images) => {
                for line in images.data.announcement() {
                    if !self.announcements.contains(line) {
                        self.announcements.push(line.clone());
                    }
                }
                Ok(Ok(Resolved {
                    experiment: canonical(experiment),
                    images: images.digest,
                }))
            }
            // A set beside the main one may be missing.
            Err(bss2::Error::Encode(error)) if named == DataSet::FashionMnist => {
                let why = match error {
                    EncodeError::NotFound { .. } => "Fashion-MNIST was not found".to_owned(),
                    error => error.to_string(),
                };
                Ok(Err(format!(
                    "{why}; `bss2 data fetch fashion-mnist` downloads it"
                )))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The place of a job, which may have been there before.
    fn add(&mut self, label: String, resolved: Resolved, work: Work) -> usize {
        let name = self.name(&resolved, work);
        if let Some(place) = self.jobs.iter().position(|job| job.name == name) {
            return place;
        }
        let experiment = resolved.experiment;
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

    fn name(&self, resolved: &Resolved, work: Work) -> String {
        let mut of = resolved.experiment.clone();
        of.run = RunConfig::default();
        of.data.folder = None;
        let mut hash = Sha256::new();
        hash.update(resolved.images);
        hash.update(config::to_toml(&of));
        if let Work::Test { training, silence } = work {
            hash.update(&self.jobs[training].name);
            hash.update(silence.to_le_bytes());
        }
        let digest = hash.finalize();
        digest[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

fn assign(label: &str, key: &str, value: &toml::Value) -> Assignment {
    Assignment {
        key: key.to_owned(),
        value: value.clone(),
        origin: format!("{label}: {key} = {value}"),
    }
}

/// Settings without effect at their defaults, so that runs with the same result
/// have the same name.
fn canonical(mut experiment: Experiment) -> Experiment {
    if experiment.substrate == SubstrateKind::Software {
        experiment.chip = ChipConfig::default();
    }
    if experiment.chip.decalibration.sigma == 0.0 {
        experiment.chip.decalibration = Decalibration::default();
    }
    experiment
}

/// Images, weighted by what one costs about; a chip is calibrated first.
fn cost(experiment: &Experiment, work: Work) -> f64 {
    let count = |asked: usize, whole: f64| if asked == 0 { whole } else { asked as f64 };
    let (train, test) = (
        count(experiment.data.train_images, 60_000.0),
        count(experiment.data.test_images, 10_000.0),
    );
    let images = match work {
        Work::Training => f64::from(experiment.epochs) * (train + 0.5 * test),
        Work::Test { .. } => 0.5 * test,
    };
    match experiment.substrate {
        SubstrateKind::Software => images,
        SubstrateKind::Chip => 3.5 * images + 50_000.0,
    }
}
