//! The loop: write weights, run, differentiate, update.

use bss2_event::random::{Address, Domain};
use bss2_event::{Recording, SimdPath, SpikeBatch, TimeGrid};

use crate::average;
use crate::bptt::{Bptt, Objective, PassWeights, RecordedBatch};
use crate::config::TrainConfig;
use crate::dropout::DropoutMask;
use crate::error::LearnError;
use crate::network::{Layer, NetworkShape, Weights, grid_faults};
use crate::optim::{self, Optimiser};
use crate::regulariser::LossTerms;
use crate::snapshot::Snapshot;
use crate::substrate::{RunReport, Substrate, WriteReport};

/// What a step of training found, before its update.
#[derive(Debug, Clone, PartialEq)]
pub struct StepReport {
    /// Loss of the batch.
    pub loss: LossTerms,
    /// Samples whose label was predicted.
    pub correct: usize,
    /// Samples of the batch.
    pub samples: usize,
    /// Hidden spikes of all samples.
    pub hidden_spikes: u64,
    /// Learning rate of the update.
    pub learning_rate: f64,
    /// What the substrate made of the weights.
    pub write: WriteReport,
    /// What happened while it ran.
    pub run: RunReport,
}

/// What a batch of a test gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Loss of the batch.
    pub loss: LossTerms,
    /// Samples whose label was predicted.
    pub correct: usize,
    /// Samples of the batch.
    pub samples: usize,
    /// Hidden spikes of all samples.
    pub hidden_spikes: u64,
    /// What happened while the substrate ran.
    pub run: RunReport,
}

/// Trains a network on any [`Substrate`].
///
/// All that a training depends on is its configuration, its weights, the
/// optimiser's state, and the numbers of epoch and step: see [`Snapshot`].
#[derive(Debug, Clone)]
pub struct Trainer {
    config: TrainConfig,
    shape: NetworkShape,
    grid: TimeGrid,
    objective: Objective,
    weights: Weights,
    /// Averaged weights, if the configuration asks for them.
    average: Option<Weights>,
    optimiser: Optimiser,
    epoch: u32,
    step: u64,
    bptt: Bptt,
    gradient: Weights,
    masked: Weights,
    mask: DropoutMask,
    recording: Recording,
    path: SimdPath,
}

impl Trainer {
    /// A training with fresh weights, of a network on a time grid: those of the
    /// substrate to come.
    ///
    /// # Errors
    /// [`LearnError::Config`] with every fault of the configuration, or with those of shape
    /// and grid: sizes above 65,536, a grid without steps or time.
    pub fn new(
        config: TrainConfig,
        shape: NetworkShape,
        grid: TimeGrid,
    ) -> Result<Self, LearnError> {
        config.validate()?;
        let mut faults = grid_faults(grid);
        faults.extend(shape.faults());
        LearnError::from_faults(faults)?;
        let mut weights = config.init.draw(config.seed, shape, &config.model, grid.dt);
        // What the hardware can hold.
        let limit = config.weight_limit as f32;
        for matrix in std::iter::once(&mut weights.hidden).chain(&mut weights.recurrent) {
            optim::clamp(matrix.as_mut_slice(), limit);
        }
        let optimiser = Optimiser::new(config.optimiser, shape)
            .freeze(&config.frozen)
            .within(limit);
        let mut trainer = Self {
            objective: config.objective(),
            weights,
            average: None,
            optimiser,
            epoch: 0,
            step: 0,
            bptt: Bptt::new(shape),
            gradient: Weights::zeros(shape),
            masked: Weights::zeros(shape),
            mask: DropoutMask::all(shape.hidden),
            recording: Recording::default(),
            path: SimdPath::Native,
            config,
            shape,
            grid,
        };
        trainer.begin_average();
        Ok(trainer)
    }

    /// Forces an instruction set, to compare their results.
    #[must_use]
    pub fn with_path(self, path: SimdPath) -> Self {
        Self {
            bptt: self.bptt.with_path(path),
            optimiser: self.optimiser.with_path(path),
            path,
            ..self
        }
    }

    /// Settings.
    #[must_use]
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }
    /// Weights as they are learned.
    #[must_use]
    pub fn weights(&self) -> &Weights {
        &self.weights
    }
    /// Weights that tests use: averaged ones where the configuration asks for
    /// them.
    #[must_use]
    pub fn tested_weights(&self) -> &Weights {
        self.average.as_ref().unwrap_or(&self.weights)
    }
    /// Epochs that are over.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.epoch
    }
    /// Steps that are over, in all epochs.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.step
    }
    /// Learning rate of this epoch.
    #[must_use]
    pub fn learning_rate(&self) -> f64 {
        self.config.learning_rate * self.config.schedule.factor(self.epoch)
    }
    /// What the substrate returned at the last step or evaluation.
    #[must_use]
    pub fn recording(&self) -> &Recording {
        &self.recording
    }
    /// Predicted class of each sample of the last step or evaluation.
    pub fn predictions(&self) -> impl ExactSizeIterator<Item = usize> {
        self.bptt.samples().map(|sample| sample.prediction)
    }

    /// Ends an epoch: the next step has the next learning rate.
    pub fn end_epoch(&mut self) {
        self.epoch += 1;
    }

    /// Goes on from other weights, also as their average; the optimiser's state
    /// stays.
    ///
    /// # Errors
    /// [`LearnError::WeightShape`], or [`LearnError::WeightRange`] for a weight that is not
    /// finite, or a hidden or recurrent one beyond `weight_limit`; nothing is changed then.
    pub fn set_weights(&mut self, weights: &Weights) -> Result<(), LearnError> {
        // A weight at the limit may have been rounded.
        let limit = self.config.weight_limit as f32 * (1.0 + 1e-6);
        self.adopt(weights.clone(), limit.min(f32::MAX))
    }

    /// Goes on from weights that fit, the hidden and recurrent ones within a limit.
    fn adopt(&mut self, weights: Weights, limit: f32) -> Result<(), LearnError> {
        weights.check(self.shape)?;
        check_range(&weights, limit)?;
        self.weights = weights;
        self.begin_average();
        Ok(())
    }

    /// One step: writes the weights, runs the batch, differentiates, updates.
    ///
    /// # Errors
    /// As [`Trainer::begin_step`] and [`Trainer::finish_step`].
    pub fn step(
        &mut self,
        substrate: &mut dyn Substrate,
        batch: &SpikeBatch,
        labels: &[u8],
    ) -> Result<StepReport, LearnError> {
        let write = self.begin_step(substrate)?;
        self.finish_step(substrate, write, batch, labels)
    }

    /// The first part of a step, which needs no batch: writes the weights, with dropout.
    ///
    /// # Errors
    /// When the substrate fails or is of another shape.
    pub fn begin_step(&mut self, substrate: &mut dyn Substrate) -> Result<WriteReport, LearnError> {
        self.check(substrate)?;
        let (seed, dropout) = (self.config.seed, self.config.dropout);
        let written = if dropout > 0.0 {
            self.mask.draw(seed, self.step, dropout);
            self.mask.apply(&self.weights, &mut self.masked);
            &self.masked
        } else {
            &self.weights
        };
        Ok(substrate.write_weights(written)?)
    }

    /// The rest of the step that [`Trainer::begin_step`] began on the same substrate, of which
    /// `write` is the report: runs the batch, differentiates, updates. In between the trainer's
    /// weights must stay as they are and nothing else be written to the substrate, or the
    /// gradient is that of other weights than those that ran.
    ///
    /// # Errors
    /// When the substrate fails, the batch does not fit, or loss or gradient are not finite
    /// or beyond 1e18, as with traces that are no numbers; nothing is updated then.
    pub fn finish_step(
        &mut self,
        substrate: &mut dyn Substrate,
        write: WriteReport,
        batch: &SpikeBatch,
        labels: &[u8],
    ) -> Result<StepReport, LearnError> {
        self.check(substrate)?;
        let seed = self.config.seed;
        let keep = (self.config.dropout > 0.0).then(|| self.mask.keep());
        self.recording.trace_from(0);
        let run = substrate.run(batch, &mut self.recording)?;
        let ties = self.config.loss.random_ties;
        let ties = ties.then(|| Address::new(seed, Domain::TieBreak));
        let loss = self.bptt.gradient(
            &self.objective,
            PassWeights {
                weights: &self.weights,
                keep,
            },
            RecordedBatch {
                inputs: batch,
                labels,
                recording: &self.recording,
                grid: self.grid,
            },
            ties,
            &mut self.gradient,
        )?;
        if !(loss.total().is_finite() && self.bptt.is_usable()) {
            return Err(LearnError::NotFinite { step: self.step });
        }
        let learning_rate = self.learning_rate();
        self.optimiser
            .update(learning_rate, &mut self.weights, &self.gradient);
        self.step += 1;
        if let Some(mean) = &mut self.average {
            let memory = self.config.average_steps;
            average::follow(self.path, mean, &self.weights, self.step, memory);
        }
        Ok(StepReport {
            loss,
            correct: self.bptt.correct(),
            samples: labels.len(),
            hidden_spikes: self.bptt.hidden_spikes(),
            learning_rate,
            write,
            run,
        })
    }

    /// Writes the weights that tests use, without dropout: what a test begins
    /// with.
    ///
    /// # Errors
    /// When the substrate fails or is of another shape.
    pub fn write_weights(&self, substrate: &mut dyn Substrate) -> Result<WriteReport, LearnError> {
        self.check(substrate)?;
        Ok(substrate.write_weights(self.tested_weights())?)
    }

    /// Runs a batch on the weights that the substrate holds and counts what is
    /// predicted right. Call [`Trainer::write_weights`] before the first batch
    /// of a test: a training step leaves those of before its update.
    ///
    /// The paper reads out `max_t (V - 0.15)` at test time on hardware. One
    /// offset for all outputs and times shifts every readout alike, so it
    /// changes neither prediction nor softmax and is left out.
    ///
    /// Of the traces only those of the outputs are asked for; [`Trainer::observe`] asks
    /// for all.
    ///
    /// # Errors
    /// When the substrate fails, the batch does not fit, or its loss is not finite.
    pub fn evaluate(
        &mut self,
        substrate: &mut dyn Substrate,
        batch: &SpikeBatch,
        labels: &[u8],
    ) -> Result<Evaluation, LearnError> {
        self.test(substrate, batch, labels, self.shape.hidden)
    }

    /// As [`Trainer::evaluate`], with the traces of all neurons in
    /// [`Trainer::recording`].
    ///
    /// # Errors
    /// As [`Trainer::evaluate`].
    pub fn observe(
        &mut self,
        substrate: &mut dyn Substrate,
        batch: &SpikeBatch,
        labels: &[u8],
    ) -> Result<Evaluation, LearnError> {
        self.test(substrate, batch, labels, 0)
    }

    fn test(
        &mut self,
        substrate: &mut dyn Substrate,
        batch: &SpikeBatch,
        labels: &[u8],
        trace_from: usize,
    ) -> Result<Evaluation, LearnError> {
        self.check(substrate)?;
        self.recording.trace_from(trace_from);
        let run = substrate.run(batch, &mut self.recording)?;
        let loss = self.bptt.loss(
            &self.objective,
            PassWeights {
                weights: self.average.as_ref().unwrap_or(&self.weights),
                keep: None,
            },
            RecordedBatch {
                inputs: batch,
                labels,
                recording: &self.recording,
                grid: self.grid,
            },
            None,
        )?;
        if !loss.total().is_finite() {
            return Err(LearnError::NotFinite { step: self.step });
        }
        Ok(Evaluation {
            loss,
            correct: self.bptt.correct(),
            samples: labels.len(),
            hidden_spikes: self.bptt.hidden_spikes(),
            run,
        })
    }

    /// Everything needed to go on later.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            digest: Snapshot::digest(&self.config, self.shape, self.grid),
            epoch: self.epoch,
            step: self.step,
            weights: self.weights.clone(),
            average: self.average.clone(),
            optimiser: self.optimiser.state().clone(),
        }
    }

    /// Goes on from a snapshot of a training with the same configuration.
    ///
    /// # Errors
    /// [`LearnError::Restore`] or [`LearnError::WeightShape`] when it is of
    /// another one; nothing is changed then.
    pub fn restore(&mut self, snapshot: Snapshot) -> Result<(), LearnError> {
        if snapshot.digest != Snapshot::digest(&self.config, self.shape, self.grid) {
            return Err(LearnError::Restore {
                part: "configuration",
            });
        }
        snapshot.weights.check(self.shape)?;
        if let Some(average) = &snapshot.average {
            average.check(self.shape)?;
        }
        self.optimiser.restore(snapshot.optimiser)?;
        self.weights = snapshot.weights;
        self.average = snapshot.average;
        self.epoch = snapshot.epoch;
        self.step = snapshot.step;
        Ok(())
    }

    /// Takes the tested weights and the epoch of a snapshot to test them,
    /// whatever settings and time grid they were trained with.
    ///
    /// # Errors
    /// [`LearnError::WeightShape`], or [`LearnError::WeightRange`] for a weight that is not
    /// finite; nothing is changed then.
    pub fn take_weights(&mut self, snapshot: &Snapshot) -> Result<(), LearnError> {
        self.take_changed_weights(snapshot, |_| ())
    }

    /// The same after a change of the weights.
    ///
    /// # Errors
    /// As [`Trainer::take_weights`].
    pub fn take_changed_weights(
        &mut self,
        snapshot: &Snapshot,
        change: impl FnOnce(&mut Weights),
    ) -> Result<(), LearnError> {
        let mut weights = snapshot.tested_weights().clone();
        change(&mut weights);
        self.adopt(weights, f32::MAX)?;
        self.epoch = snapshot.epoch;
        Ok(())
    }

    fn check(&self, substrate: &dyn Substrate) -> Result<(), LearnError> {
        let (shape, grid) = (substrate.shape(), substrate.time_grid());
        if shape == self.shape && grid == self.grid {
            Ok(())
        } else {
            Err(LearnError::OtherSubstrate {
                found: shape,
                wanted: self.shape,
                found_grid: grid,
                wanted_grid: self.grid,
            })
        }
    }

    /// Lets the average of the weights begin with them.
    fn begin_average(&mut self) {
        let averaged = self.config.average_steps > 0.0;
        self.average = averaged.then(|| self.weights.clone());
    }
}

/// Refuses weights that are no numbers, and hidden or recurrent ones beyond a limit.
fn check_range(weights: &Weights, limit: f32) -> Result<(), LearnError> {
    for (layer, matrix) in weights.layers() {
        let limit = match layer {
            Layer::Hidden | Layer::Recurrent => limit,
            Layer::Output => f32::MAX,
        };
        if !all_within(matrix.as_slice(), limit) {
            let value = matrix.iter().copied().find(|w| !within(*w, limit));
            return Err(LearnError::WeightRange {
                layer,
                value: value.unwrap_or(f32::NAN),
                limit,
                limited_by: "train.weight_limit",
            });
        }
    }
    Ok(())
}

/// Written so that a NaN is outside.
#[inline(always)]
fn within(value: f32, limit: f32) -> bool {
    value.abs() <= limit
}

fn all_within(values: &[f32], limit: f32) -> bool {
    SimdPath::Native.dispatch(
        #[inline(always)]
        || values.iter().fold(true, |all, v| all & within(*v, limit)),
    )
}
