//! Training in a run folder: interrupted at any moment, it goes on to the same
//! result.
//!
//! A checkpoint may also stand between an epoch's last step and its test, from which the run goes
//! on with the test. The order at the end of an epoch is metrics, curve, best checkpoint, last
//! checkpoint. A process that dies in between has told the metrics of an epoch
//! that its last checkpoint does not know yet; when the run is resumed they are
//! cut back to the checkpoint, and the epoch's end is repeated bit for bit.

use std::path::Path;
use std::time::Instant;

use bss2_encode::EpochOrder;
use bss2_event::SpikeBatch;
use bss2_learn::checkpoint::{read_checkpoint, write_checkpoint};
use bss2_learn::{Layer, LearnError, Snapshot, Substrate, Trainer, Weights};
use serde::{Deserialize, Serialize};

use crate::awake::awake;
use crate::chip::RunMode;
use crate::config::{Experiment, SubstrateKind};
use crate::data::{Data, Feed};
use crate::error::Error;
use crate::evaluation;
use crate::metrics::{self, EpochMetrics};
use crate::plot;
use crate::run_folder::RunFolder;
use crate::substrates::{self, network_shape};

/// Who watches a training.
pub trait Observer {
    /// A step is over.
    fn step(&mut self, report: &StepReport);
    /// An epoch is over; its test, if there was one, ran at so many images per second.
    fn epoch(&mut self, metrics: &EpochMetrics, test_images_per_s: Option<f64>);
    /// Something a user should know.
    fn warning(&mut self, text: &str);
    /// Whether the training should stop after this step.
    fn stop_requested(&self) -> bool {
        false
    }
}

/// The state of an epoch after one of its steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepReport {
    /// Epochs that are over.
    pub epoch: u32,
    /// Steps of this epoch that are over.
    pub step: u32,
    /// Steps of an epoch.
    pub steps: u32,
    /// Mean loss of the epoch so far.
    pub loss: f64,
    /// Accuracy of the epoch so far, 0 to 1.
    pub accuracy: f64,
    /// Training images per second of the epoch so far.
    pub images_per_s: f64,
}

/// How a training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// All epochs are over.
    Complete,
    /// The observer asked for it; the run can be resumed.
    Stopped,
}

/// The content of a run's checkpoints.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    snapshot: Snapshot,
    totals: Totals,
    /// Checksum of the data that the run was made with.
    data: u32,
}

impl State {
    /// The state that a checkpoint holds.
    ///
    /// # Errors
    /// [`LearnError::Checkpoint`] for a file that is missing, damaged or no checkpoint
    /// of a run.
    pub fn read(checkpoint: &Path) -> Result<Self, Error> {
        Ok(read_checkpoint(checkpoint).map_err(LearnError::from)?)
    }

    /// Whether the run was made with these data.
    #[must_use]
    pub fn knows(&self, data: &Data) -> bool {
        self.data == data.checksum()
    }

    /// The weights that tests use: averaged ones where the configuration asks for them.
    #[must_use]
    pub fn weights(&self) -> &Weights {
        self.snapshot.tested_weights()
    }

    /// What the trainer needs.
    #[must_use]
    pub fn into_snapshot(self) -> Snapshot {
        self.snapshot
    }
}

/// Sums over the steps of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Totals {
    images: u64,
    loss: f64,
    correct: u64,
    hidden_spikes: u64,
    lost_events: u64,
    /// Input spikes past the window.
    lost_inputs: u64,
}

impl Totals {
    fn per_image(&self, sum: f64) -> f64 {
        sum / self.images.max(1) as f64
    }
}

/// A training at work in a run folder.
pub struct Training<'a> {
    experiment: &'a Experiment,
    data: &'a Data,
    substrate: &'a mut dyn Substrate,
    /// What the first epochs of a chip train on, if they do so in software.
    software: Option<Box<dyn Substrate + 'a>>,
    folder: &'a RunFolder,
    trainer: Trainer,
    feed: Feed<'a>,
    epochs: Vec<EpochMetrics>,
    totals: Totals,
    /// Of the data.
    checksum: u32,
    /// Layers that a warning was given for.
    silent: Vec<Layer>,
    /// Seconds that earlier sessions took, as far as they are known.
    earlier: f64,
    begin: Instant,
}

/// The surrogate at a told membrane beyond which the gradient of a recurrent network grows
/// from spike to spike: measured with 0.11 and 0.25, see `docs/results.md`.
const MOST_AT_SPIKE: f64 = 0.12;

/// A warning where the gradient may explode by what the learner is told of spikes.
fn explosive(experiment: &Experiment) -> Option<String> {
    let told = experiment.chip.membrane_at_spike;
    let surrogate = experiment.train.surrogate.derivative(told.into());
    let tells = experiment.substrate == SubstrateKind::Chip && told > 0.0;
    (experiment.network.recurrent && tells && surrogate > MOST_AT_SPIKE).then(|| {
        format!(
            "chip.membrane_at_spike = {told}: the surrogate derivative there is {surrogate:.2} (above \
             {MOST_AT_SPIKE}), so gradients of a recurrent network may explode; 0 uses the recorded \
             membrane"
        )
    })
}

impl<'a> Training<'a> {
    /// Prepares a training; it begins at the folder's last checkpoint if there
    /// is one, under the configuration that the folder then holds.
    ///
    /// # Errors
    /// A damaged checkpoint or metrics file, or those of another experiment.
    pub fn open(
        experiment: &'a Experiment,
        data: &'a Data,
        substrate: &'a mut dyn Substrate,
        folder: &'a RunFolder,
    ) -> Result<Self, Error> {
        let shape = network_shape(experiment, data);
        let mut trainer = Trainer::new(experiment.train.clone(), shape, substrate.time_grid())?;
        let (mut epochs, mut totals) = (Vec::new(), Totals::default());
        let checksum = data.checksum();
        let checkpoint = folder.last_checkpoint();
        if checkpoint.exists() {
            let state = State::read(&checkpoint)?;
            if !state.knows(data) {
                let data = &experiment.data;
                return Err(Error::OtherData {
                    sample: data.sample(),
                    again: match (&data.folder, &data.file) {
                        (Some(_), _) => "give it those again with --data".into(),
                        (None, Some(file)) => format!("restore {}", file.display()),
                        (None, None) => "go on with the program that generated them".into(),
                    },
                });
            }
            let done = state.snapshot.epoch();
            if done > experiment.epochs {
                let asked = experiment.epochs;
                return Err(Error::FewerEpochs { done, asked });
            }
            trainer.restore(state.snapshot)?;
            totals = state.totals;
            epochs = metrics::read(&folder.metrics())?;
            if epochs.len() < trainer.epoch() as usize {
                return Err(Error::MetricsBehind {
                    checkpoint: trainer.epoch(),
                    metrics: epochs.len(),
                });
            }
            epochs.truncate(trainer.epoch() as usize);
        }
        let begins_in_software =
            experiment.software_epochs > 0 && experiment.substrate == SubstrateKind::Chip;
        let software = begins_in_software
            .then(|| {
                let ideal = substrates::ideal_chip(experiment, shape, substrate.time_grid())?;
                substrates::rounding(experiment, Box::new(ideal))
            })
            .transpose()?;
        let feed = data.train_feed(experiment)?;
        folder.accept()?;
        Ok(Self {
            software,
            feed,
            earlier: epochs.last().map_or(0.0, |epoch| epoch.wall_s),
            begin: Instant::now(),
            silent: Vec::new(),
            checksum,
            experiment,
            data,
            substrate,
            folder,
            trainer,
            epochs,
            totals,
        })
    }

    /// The weights as they are.
    #[must_use]
    pub fn weights(&self) -> &Weights {
        self.trainer.weights()
    }

    /// Begins with these weights, unless the run has begun already.
    ///
    /// # Errors
    /// [`LearnError::WeightShape`] for weights of another network,
    /// [`LearnError::WeightRange`] for some beyond `train.weight_limit`.
    pub fn begin_with(&mut self, weights: &Weights) -> Result<(), Error> {
        if self.trainer.steps() == 0 {
            self.trainer.set_weights(weights)?;
        }
        Ok(())
    }

    /// Trains until all epochs are over or the observer asks to stop. Each batch needs all
    /// threads of the pool that this is called in: none may wait for what comes afterwards.
    ///
    /// # Errors
    /// When encoder, substrate or learner fail, or a file cannot be written.
    pub fn run(mut self, observer: &mut dyn Observer) -> Result<Ending, Error> {
        metrics::write(&self.folder.metrics(), &self.epochs)?;
        let warnings = self.substrate.warnings().into_iter();
        for warning in warnings.chain(explosive(self.experiment)) {
            observer.warning(&warning);
        }
        while self.trainer.epoch() < self.experiment.epochs {
            let Some(images_per_s) = self.train_epoch(observer)? else {
                return Ok(Ending::Stopped);
            };
            self.end_epoch(images_per_s, observer)?;
            if observer.stop_requested() && self.trainer.epoch() < self.experiment.epochs {
                return Ok(Ending::Stopped);
            }
        }
        Ok(Ending::Complete)
    }

    /// The rest of the epoch that has begun: training images per second, or
    /// nothing when it was stopped.
    fn train_epoch(&mut self, observer: &mut dyn Observer) -> Result<Option<f64>, Error> {
        let train = &self.data.train;
        let (seed, epoch) = (self.experiment.train.seed, self.trainer.epoch());
        let order = EpochOrder::new(seed, epoch, train.len());
        let steps = order.batches(self.experiment.batch).len();
        let done = self.trainer.steps() as usize - epoch as usize * steps;
        let mut batch = SpikeBatch::new(self.feed.channels());
        let mut labels = Vec::with_capacity(self.experiment.batch);
        let interval = self.experiment.run.checkpoint_every.get();
        let (begin, mut images, mut saved) = (Instant::now(), 0, Instant::now());
        let mut images_per_s = 0.0;
        for (step, indices) in order.batches(self.experiment.batch).enumerate().skip(done) {
            labels.clear();
            labels.extend(indices.iter().map(|&i| train.labels()[i as usize]));
            let substrate = match &mut self.software {
                Some(software) if epoch < self.experiment.software_epochs => software.as_mut(),
                _ => &mut *self.substrate,
            };
            let (trainer, feed) = (&mut self.trainer, &mut self.feed);
            let (report, lost_inputs) = awake(|| -> Result<_, Error> {
                // One thread writes weights; the others encode meanwhile.
                let (written, lost_inputs) = rayon::join(
                    || trainer.begin_step(substrate),
                    || feed.encode(indices, epoch, &mut batch),
                );
                let (lost_inputs, written) = (lost_inputs?, written?);
                let report = trainer.finish_step(substrate, written, &batch, &labels)?;
                Ok((report, lost_inputs))
            })?;
            self.warn_of_silence(&report.write.silent_layers, observer);
            let totals = &mut self.totals;
            totals.images += report.samples as u64;
            totals.loss += report.loss.total() * report.samples as f64;
            totals.correct += report.correct as u64;
            totals.hidden_spikes += report.hidden_spikes;
            totals.lost_events += report.run.lost_events + report.run.reset_events;
            totals.lost_inputs += lost_inputs + report.run.unsent_inputs;
            images += report.samples;
            images_per_s = images as f64 / begin.elapsed().as_secs_f64();
            observer.step(&StepReport {
                epoch,
                step: step as u32 + 1,
                steps: steps as u32,
                loss: totals.per_image(totals.loss),
                accuracy: totals.per_image(totals.correct as f64),
                images_per_s,
            });
            let stop = observer.stop_requested();
            if stop || saved.elapsed().as_secs_f64() >= interval {
                self.save()?;
                saved = Instant::now();
            }
            if stop {
                return Ok(None);
            }
        }
        Ok(Some(images_per_s))
    }

    fn end_epoch(&mut self, images_per_s: f64, observer: &mut dyn Observer) -> Result<(), Error> {
        self.trainer.end_epoch();
        let due = self.experiment.tests_after(self.trainer.epoch());
        let test = due.then(|| {
            let trainer = &mut self.trainer;
            evaluation::test(self.experiment, self.data, trainer, self.substrate)
        });
        let test = test.transpose()?;
        let totals = std::mem::take(&mut self.totals);
        let metrics = EpochMetrics {
            epoch: self.trainer.epoch(),
            loss: totals.per_image(totals.loss),
            train_accuracy: totals.per_image(totals.correct as f64),
            test_accuracy: test.as_ref().map(|test| test.accuracy),
            hidden_spikes_per_image: totals.per_image(totals.hidden_spikes as f64),
            lost_events_per_image: totals.per_image(totals.lost_events as f64),
            lost_inputs_per_image: totals.per_image(totals.lost_inputs as f64),
            images_per_s,
            wall_s: self.earlier + self.begin.elapsed().as_secs_f64(),
            data: self.data.name().to_owned(),
        };
        // No test is less than any.
        let best = test.is_some()
            && self
                .epochs
                .iter()
                .all(|e| e.test_accuracy < metrics.test_accuracy);
        observer.epoch(&metrics, test.map(|test| test.images_per_s));
        let sample = self.experiment.data.sample();
        let lost = metrics.lost_events_per_image;
        if lost > 0.0 && self.epochs.iter().all(|e| e.lost_events_per_image == 0.0) {
            let resets = self.experiment.chip.mode == RunMode::Inference;
            let or = if resets {
                ", or the reset comes first"
            } else {
                ""
            };
            observer.warning(&(evaluation::loss_warning(lost, sample) + or));
        }
        let late = metrics.lost_inputs_per_image;
        if late > 0.0 && self.epochs.iter().all(|e| e.lost_inputs_per_image == 0.0) {
            let rate = evaluation::rate(late, sample);
            let shorter = if self.experiment.data.set.is_speech() {
                "speech.compression"
            } else {
                "encoder.latency.tau_in"
            };
            let longer = if self.experiment.shows_slots() {
                "chip.inference.interval"
            } else {
                "time.steps"
            };
            observer.warning(&format!(
                "input spikes come past the window of the run and are lost, {rate}: \
                 {longer} makes it longer, {shorter} the input shorter"
            ));
        }
        self.epochs.push(metrics);
        metrics::write(&self.folder.metrics(), &self.epochs)?;
        let tested = self.experiment.data.tested();
        let curve = plot::learning_curve(&self.title(), tested, &self.epochs)?;
        self.folder.write_curve(&curve)?;
        if best {
            write_checkpoint(&self.folder.best_checkpoint(), &self.state())
                .map_err(LearnError::from)?;
        }
        self.save()
    }

    fn title(&self) -> String {
        format!(
            "{}, {}, seed {}",
            self.data.name(),
            self.experiment.place(),
            self.experiment.train.seed.0
        )
    }

    fn state(&self) -> State {
        State {
            snapshot: self.trainer.snapshot(),
            totals: self.totals,
            data: self.checksum,
        }
    }

    fn save(&self) -> Result<(), Error> {
        write_checkpoint(&self.folder.last_checkpoint(), &self.state())
            .map_err(LearnError::from)?;
        Ok(())
    }

    fn warn_of_silence(&mut self, layers: &[Layer], observer: &mut dyn Observer) {
        for &layer in layers {
            if !self.silent.contains(&layer) {
                self.silent.push(layer);
                observer.warning(&evaluation::silence_warning(layer));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::config::DataSet;
    use bss2_learn::Surrogate;

    /// Asks to stop after the last step of an epoch, if at all.
    struct Stopping(bool, Cell<bool>);

    impl Observer for Stopping {
        fn step(&mut self, report: &StepReport) {
            self.1.set(self.0 && report.step == report.steps);
        }
        fn epoch(&mut self, _: &EpochMetrics, _: Option<f64>) {}
        fn warning(&mut self, _: &str) {}
        fn stop_requested(&self) -> bool {
            self.1.get()
        }
    }

    #[test]
    fn a_run_that_was_stopped_before_a_test_goes_on_with_it() {
        let parent = tempfile::tempdir().unwrap();
        let mut experiment = Experiment {
            substrate: SubstrateKind::Software,
            epochs: 2,
            batch: 20,
            ..Experiment::default()
        };
        experiment.data.set = DataSet::Generated;
        experiment.data.train_images = 60;
        experiment.data.test_images = 20;
        experiment.network.hidden = 10;
        let data = Data::load(&mut experiment).unwrap();
        let train = |folder: &RunFolder, stops: bool| {
            let mut substrate = substrates::build(&experiment, &data).unwrap();
            let training = Training::open(&experiment, &data, substrate.as_mut(), folder);
            let mut observer = Stopping(stops, Cell::new(false));
            training.unwrap().run(&mut observer).unwrap()
        };
        let create = |name| RunFolder::create(&parent.path().join(name), &experiment).unwrap();
        let (whole, cut) = (create("whole"), create("cut"));
        assert_eq!(train(&whole, false), Ending::Complete);
        assert_eq!(train(&cut, true), Ending::Stopped);
        assert!(metrics::read(&cut.metrics()).unwrap().is_empty());
        assert_eq!(train(&cut, false), Ending::Complete);
        let checkpoint = |run: &RunFolder| std::fs::read(run.last_checkpoint()).unwrap();
        assert!(checkpoint(&whole) == checkpoint(&cut));
        let tests = |run: &RunFolder| {
            let epochs = metrics::read(&run.metrics()).unwrap();
            let told = epochs.iter().map(|e| (e.loss, e.test_accuracy));
            told.collect::<Vec<_>>()
        };
        assert_eq!(tests(&whole), tests(&cut));
    }

    #[test]
    fn explosive_gradients_are_warned_of() {
        let warns = |told: f32, beta: f64, recurrent: bool, substrate: SubstrateKind| {
            let mut experiment = Experiment::default();
            experiment.chip.membrane_at_spike = told;
            experiment.train.surrogate = Surrogate::SuperSpike { beta };
            experiment.network.recurrent = recurrent;
            experiment.substrate = substrate;
            explosive(&experiment).is_some()
        };
        let (chip, software) = (SubstrateKind::Chip, SubstrateKind::Software);
        assert!(warns(1.03, 10.0, true, chip));
        assert!(warns(1.03, 50.0, true, chip));
        assert!(!warns(1.05, 50.0, true, chip));
        assert!(!warns(1.3, 10.0, true, chip));
        assert!(!warns(0.0, 10.0, true, chip));
        assert!(!warns(1.03, 10.0, false, chip));
        assert!(!warns(1.03, 10.0, true, software));
    }
}
