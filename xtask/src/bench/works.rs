//! The work whose speed is measured, ready to be done again and again.

use std::env;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bss2::analog::calib::{CalibrationConfig, NeuronTargets, calibrate};
use bss2::analog::{AnalogCore, MismatchProfile};
use bss2::config::{self, Assignment, DataSet, Experiment, SubstrateKind};
use bss2::data::Data;
use bss2::encode::{
    Audio, Cochlea, EncodeError, GeneratedSpeech, Recording, SpeechConfig, Upsampled,
};
use bss2::event::{NeuronCircuits, Seconds, Seed, SpikeBatch};
use bss2::learn::{NetworkShape, Trainer};
use bss2::note;
use bss2::routing::{
    Arrivals, Compiled, Delivery, Fabric, FabricTiming, NetworkConfig, Placement, Traffic,
};
use bss2::substrates::network_shape;
use bss2::workload::{Tally, Workload};
use miette::{IntoDiagnostic, bail, miette};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::memory;
use super::rows::{
    CALIBRATE, COCHLEA, DELIVER, INFER_CHIP, INFER_SOFTWARE, MEMORY, RECURRENT, SCALING,
    TRAIN_CHIP, TRAIN_SOFTWARE,
};
use super::stopwatch::Stopwatch;

/// Threads that the goals are meant for.
pub(super) const THREADS: usize = 2;
/// The network of the images in the paper.
pub(super) const PAPER_SHAPE: NetworkShape = NetworkShape {
    inputs: 256,
    hidden: 246,
    outputs: 10,
    recurrent: false,
};
/// The network of the Heidelberg digits in the paper.
pub(super) const RECURRENT_SHAPE: NetworkShape = NetworkShape {
    inputs: 70,
    hidden: 186,
    outputs: 20,
    recurrent: true,
};

/// The recipe for speech in half as fast a time, on 200 steps, and as the recordings are.
const RECURRENT_SETTINGS: [&str; 11] = [
    "recipe=speech",
    "batch=100",
    "time.steps=200",
    "speech.compression=2000.0",
    "speech.augmentation.channel_shift=0.0",
    "speech.augmentation.stretch=0.0",
    "train.model.tau_mem=10 us",
    "train.model.tau_syn=10 us",
    "chip.targets.tau_mem=10 us",
    "chip.targets.tau_syn_exc=10 us",
    "chip.targets.tau_syn_inh=10 us",
];

/// Numbers that a turn gives, by key.
pub(super) type Values = Vec<(String, f64)>;

/// One piece of work.
pub(super) struct Work<'a> {
    pool: &'a ThreadPool,
    turn: Box<dyn FnMut() -> miette::Result<Values> + Send + 'a>,
}

impl<'a> Work<'a> {
    fn new(pool: &'a ThreadPool, turn: impl FnMut() -> miette::Result<Values> + Send + 'a) -> Self {
        Self {
            pool,
            turn: Box::new(turn),
        }
    }

    /// Does it once.
    pub(super) fn turn(&mut self) -> miette::Result<Values> {
        self.pool.install(&mut self.turn)
    }
}

/// What work is made of: data, settings, and pools of one and of [`THREADS`] threads.
pub(super) struct Stock {
    pub(super) images: Data,
    recordings: Data,
    chip: Experiment,
    software: Experiment,
    speech: Experiment,
    sounds: Vec<Recording>,
    one: ThreadPool,
    all: ThreadPool,
    /// This program, which holds the command `bss2`.
    program: PathBuf,
    folder: Option<String>,
    /// Batches of a turn are multiplied by this.
    length: usize,
}

impl Stock {
    /// Finds MNIST in a folder or where it usually lies, or generates digits;
    /// generates speech, which is kept as spikes in `datasets/cache`.
    pub(super) fn new(data: Option<&Path>, length: usize) -> miette::Result<Self> {
        let mut chip = Experiment::default();
        chip.data.folder = data.map(Into::into);
        chip.chip.seed = Seed(66);
        let images = Data::load(&mut chip)?;
        for line in images.announcement() {
            note!("{line}");
        }
        let software = Experiment {
            substrate: SubstrateKind::Software,
            ..chip.clone()
        };
        let settings = RECURRENT_SETTINGS
            .iter()
            .map(|text| Assignment::parse(text));
        let settings: Result<Vec<_>, _> = settings.collect();
        let settings = settings.map_err(|hint| miette!("{hint}"))?;
        let mut speech = config::load(None, &settings)?;
        speech.chip.seed = Seed(66);
        speech.data.set = DataSet::GeneratedSpeech;
        speech.data.train_images = speech.batch;
        let recordings = Data::load(&mut speech)?;
        let voices = GeneratedSpeech {
            voices: 1,
            takes: 1,
            ..GeneratedSpeech::default()
        };
        let mut sounds = voices.generate().map_err(bss2::Error::from)?;
        sounds.truncate(4);
        Ok(Self {
            folder: chip
                .data
                .folder
                .as_ref()
                .map(|path| path.display().to_string()),
            program: env::current_exe().into_diagnostic()?,
            images,
            recordings,
            chip,
            software,
            speech,
            sounds,
            one: pool(1)?,
            all: pool(THREADS)?,
            length,
        })
    }

    /// All work, in the order of its turns.
    pub(super) fn works(&self) -> miette::Result<Vec<Work<'_>>> {
        let mut works = Vec::new();
        let chip = (&self.chip, INFER_CHIP, TRAIN_CHIP, [50, 50]);
        let software = (&self.software, INFER_SOFTWARE, TRAIN_SOFTWARE, [300, 150]);
        for (experiment, infer, train, batches) in [chip, software] {
            let shape = network_shape(experiment, &self.images);
            let trained = self.all.install(|| {
                let mut workload = Workload::new(experiment, &self.images, shape)?;
                // An epoch of MNIST, so that as many neurons fire as in a training.
                workload.train(60_000 / experiment.batch)?;
                Ok::<Trainer, bss2::Error>(workload.trainer().clone())
            })?;
            for (pool, suffix) in [(&self.all, ""), (&self.one, ONE_THREAD)] {
                let build = || Workload::new(experiment, &self.images, shape);
                let (mut workload, begin) = (pool.install(build)?, trained.clone());
                let [infer_batches, train_batches] = batches.map(|count| count * self.length);
                works.push(Work::new(pool, move || {
                    workload.begin_with(begin.clone())?;
                    let mut values = rate(infer, suffix, || workload.infer(infer_batches))?;
                    workload.begin_with(begin.clone())?;
                    values.extend(rate(train, suffix, || workload.train(train_batches))?);
                    Ok(values)
                }));
            }
        }
        works.push(self.recurrent()?);
        works.push(self.calibration()?);
        works.push(self.delivery()?);
        works.extend(self.cochlea()?);
        works.push(Work::new(&self.all, || self.memory()));
        Ok(works)
    }

    fn recurrent(&self) -> miette::Result<Work<'_>> {
        let data = &self.recordings;
        let software = Experiment {
            substrate: SubstrateKind::Software,
            ..self.speech.clone()
        };
        let (mut workload, begin) = self.all.install(|| {
            // As many spikes as a trained network has; software makes them sooner.
            let mut software = Workload::new(&software, data, RECURRENT_SHAPE)?;
            software.train(200)?;
            let mut workload = Workload::new(&self.speech, data, RECURRENT_SHAPE)?;
            workload.begin_with(software.trainer().clone())?;
            workload.train(20)?;
            let begin = workload.trainer().clone();
            Ok::<_, bss2::Error>((workload, begin))
        })?;
        Ok(Work::new(&self.all, move || {
            workload.begin_with(begin.clone())?;
            rate(RECURRENT, "", || workload.train(4 * self.length))
        }))
    }

    fn calibration(&self) -> miette::Result<Work<'_>> {
        let neurons: Vec<_> = (0..512)
            .map(|membrane| NeuronCircuits {
                membrane,
                partner: None,
            })
            .collect();
        let targets = vec![NeuronTargets::default(); neurons.len()];
        let core = AnalogCore::new(MismatchProfile::cube66(), Seed(66)).into_diagnostic()?;
        Ok(Work::new(&self.all, move || {
            let mut core = core.clone();
            let watch = Stopwatch::start();
            let config = CalibrationConfig::default();
            calibrate(&mut core, &neurons, &targets, &config, |_| ()).into_diagnostic()?;
            Ok(vec![(CALIBRATE.into(), watch.seconds())])
        }))
    }

    /// Events of images from the link to the rows, each thread with buses of its own.
    fn delivery(&self) -> miette::Result<Work<'_>> {
        let batch = spikes(&self.chip, &self.images, 100)?;
        let buses = (0..THREADS).map(|_| Buses::new());
        let mut buses: Vec<_> = buses.collect::<miette::Result<_>>()?;
        let turns = 200 * self.length;
        Ok(Work::new(&self.all, move || {
            let watch = Stopwatch::start();
            let deliver = |buses: &mut Buses| -> usize {
                (0..turns)
                    .map(|_| buses.deliver(&batch, 0..batch.len()))
                    .sum()
            };
            let events: usize = buses.par_iter_mut().map(deliver).sum();
            Ok(watch.rates(DELIVER, events as f64))
        }))
    }

    /// Recordings as `bss2 encode audio` encodes them, on all threads and on one.
    fn cochlea(&self) -> miette::Result<[Work<'_>; 2]> {
        let config = SpeechConfig::default();
        let least = config.least_rate;
        let Some(first) = self.sounds.first() else {
            bail!("no speech was generated");
        };
        let fine = Upsampled::to(&first.sound, least).map_err(bss2::Error::from)?;
        let rate = fine.rate();
        let cochlea = Cochlea::new(&config.cochlea, rate).map_err(bss2::Error::from)?;
        let cochlea = Arc::new(cochlea);
        let work = |pool, suffix: &'static str| {
            let cochlea = Arc::clone(&cochlea);
            Work::new(pool, move || {
                let watch = Stopwatch::start();
                let encode = |recording: &Recording| {
                    let fine = Upsampled::to(&recording.sound, least)?;
                    let train = cochlea.encode(&fine, Seed(0), 0)?;
                    Ok(f64::from(train.steps) / f64::from(train.rate))
                };
                let seconds: Result<Vec<f64>, EncodeError> =
                    self.sounds.par_iter().map(encode).collect();
                let seconds: f64 = seconds.map_err(bss2::Error::from)?.iter().sum();
                Ok(watch.rates(&format!("{COCHLEA}{suffix}"), seconds))
            })
        };
        Ok([work(&self.all, ""), work(&self.one, ONE_THREAD)])
    }

    /// An epoch with its test, in a process of its own, on all images.
    fn memory(&self) -> miette::Result<Values> {
        let folder = tempfile::tempdir().into_diagnostic()?;
        let out = folder.path().join("run").display().to_string();
        let threads = THREADS.to_string();
        let mut arguments = vec![
            "bss2",
            "train",
            "mnist",
            "--epochs",
            "1",
            "--chip-seed",
            "66",
        ];
        arguments.extend(["--threads", &threads, "--out", &out]);
        if let Some(folder) = &self.folder {
            arguments.extend(["--data", folder]);
        }
        let peak = memory::peak_mib(&self.program, &arguments)?;
        Ok(peak
            .map(|mib| (MEMORY.to_owned(), mib))
            .into_iter()
            .collect())
    }
}

/// The fabric of the paper's network, with its buses.
pub(super) struct Buses {
    delivery: Delivery,
    traffic: Traffic,
    arrivals: Arrivals,
}

impl Buses {
    pub(super) fn new() -> miette::Result<Self> {
        let placement = Placement::new(&NetworkConfig::default()).into_diagnostic()?;
        let fabric = Fabric::of(placement.addressing());
        let compiled = Compiled::new(&fabric, &placement.synram(), &placement.endpoints())
            .into_diagnostic()?;
        let delivery = Delivery::new(&compiled, FabricTiming::default()).into_diagnostic()?;
        Ok(Self {
            traffic: Traffic::new(&delivery, Seconds::micro(40.0)).into_diagnostic()?,
            arrivals: Arrivals::default(),
            delivery,
        })
    }

    /// Brings the events of some samples to the rows; how many arrive.
    pub(super) fn deliver(&mut self, batch: &SpikeBatch, samples: Range<usize>) -> usize {
        let Self {
            delivery,
            traffic,
            arrivals,
        } = self;
        let events = samples.map(|i| {
            let sample = batch.sample(i);
            traffic.begin_sample();
            delivery.inputs(sample.times(), sample.channels(), traffic, arrivals);
            arrivals.times().len()
        });
        events.sum()
    }
}

/// A learner whose weights are drawn and make about as many hidden spikes as trained ones.
pub(super) fn lively(drawn: &Trainer) -> miette::Result<Trainer> {
    let mut trainer = drawn.clone();
    let mut weights = drawn.weights().clone();
    weights.hidden.apply(|w| *w = 3.8 * *w + 0.0033);
    trainer.set_weights(&weights).map_err(bss2::Error::from)?;
    Ok(trainer)
}

/// The first training images as spikes.
pub(super) fn spikes(
    experiment: &Experiment,
    data: &Data,
    images: usize,
) -> miette::Result<SpikeBatch> {
    let mut feed = data.train_feed(experiment).map_err(bss2::Error::from)?;
    let mut batch = SpikeBatch::new(feed.channels());
    let indices: Vec<u32> = (0..images as u32).collect();
    let encoded = feed.encode(&indices, 0, &mut batch);
    encoded.map_err(bss2::Error::from)?;
    Ok(batch)
}

/// Ends the key of what was measured on one thread.
const ONE_THREAD: &str = "_one_thread";

/// How many times as fast all threads are, for the works of which both were measured
/// in a round.
pub(super) fn scaling(round: &Values) -> Values {
    let of = |key: &str| {
        round
            .iter()
            .find(|(k, _)| k == key)
            .map(|(_, value)| *value)
    };
    let keys = [
        (SCALING.to_owned(), INFER_CHIP),
        (format!("{SCALING}_{TRAIN_CHIP}"), TRAIN_CHIP),
        (format!("{SCALING}_{TRAIN_SOFTWARE}"), TRAIN_SOFTWARE),
        (format!("{SCALING}_{INFER_SOFTWARE}"), INFER_SOFTWARE),
        (format!("{SCALING}_{COCHLEA}"), COCHLEA),
    ];
    let ratios = keys.into_iter().filter_map(|(name, key)| {
        let one = of(&format!("{key}{ONE_THREAD}"))?;
        Some((name, of(key)? / one))
    });
    ratios.collect()
}

pub(super) fn pool(threads: usize) -> miette::Result<ThreadPool> {
    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
    pool.into_diagnostic()
}

/// Samples per second of some work, and how many spikes they have.
fn rate(
    key: &str,
    suffix: &str,
    work: impl FnOnce() -> Result<Tally, bss2::Error>,
) -> miette::Result<Values> {
    let watch = Stopwatch::start();
    let tally = work()?;
    let mut values = watch.rates(&format!("{key}{suffix}"), tally.samples as f64);
    let (inputs, hidden) = tally.spikes_per_sample();
    if suffix.is_empty() {
        values.push((format!("{key}_input_spikes"), inputs));
        values.push((format!("{key}_hidden_spikes"), hidden));
    }
    Ok(values)
}
