//! Backpropagation through time on a recording.
//!
//! One path serves every substrate: membranes and spikes are taken as recorded
//! and derivatives are those of the model (an injected value has derivative 1
//! by the model's and 0 by the recorded one). For the ideal substrate, whose
//! recording is the model's own, this is the model's gradient.

use bss2_event::random::Address;
use bss2_event::{Recording, SimdPath, SpikeBatch, TimeGrid};
use rayon::prelude::*;

use crate::adjoint::{BackwardWeights, Pass, SampleAdjoint};
use crate::error::LearnError;
use crate::gradient::{finish, sum};
use crate::lanes::{BlockedMatrix, sum_of_squares};
use crate::loss::{LossConfig, SampleLoss};
use crate::network::{Layer, NetworkShape, Weights, grid_faults};
use crate::neuron::{Decay, NeuronModel};
use crate::real::Real;
use crate::regulariser::{LossTerms, Regularisers};
use crate::surrogate::{Derivative, SuperSpike, Surrogate, Triangle, arc_tangent};

/// What a gradient is of.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Objective {
    /// Time constants of the model.
    pub model: NeuronModel,
    /// Stand-in for the derivative of the threshold.
    pub surrogate: Surrogate,
    /// Cross entropy.
    pub loss: LossConfig,
    /// Further terms.
    pub regularisers: Regularisers,
}

/// The weights of a pass.
#[derive(Debug, Clone, Copy)]
pub struct PassWeights<'a, T> {
    /// Weights as they are learned.
    pub weights: &'a Weights<T>,
    /// `[hidden]`: 1 for neurons that were kept, 0 for those whose weights from the
    /// inputs were written as zero.
    pub keep: Option<&'a [T]>,
}

/// A recorded batch.
#[derive(Debug, Clone, Copy)]
pub struct RecordedBatch<'a, T = f32> {
    /// Input spikes.
    pub inputs: &'a SpikeBatch,
    /// Class of each sample.
    pub labels: &'a [u8],
    /// What the substrate returned.
    pub recording: &'a Recording<T>,
    /// Time between two steps of the recording.
    pub grid: TimeGrid,
}

impl<T> RecordedBatch<'_, T> {
    /// Of a sample in what is averaged over the batch.
    fn share(&self) -> f64 {
        1.0 / self.labels.len().max(1) as f64
    }
}

/// Backpropagation through time; owns its buffers.
///
/// Memory: one number for each sample, step and neuron, rounded up to blocks of
/// 64 neurons.
#[derive(Debug, Clone)]
pub struct Bptt<T = f32> {
    shape: NetworkShape,
    path: SimdPath,
    weights: BackwardWeights<T>,
    hidden: BlockedMatrix<T>,
    recurrent: Option<BlockedMatrix<T>>,
    output: BlockedMatrix<T>,
    samples: Vec<SampleAdjoint<T>>,
    /// All numbers of the last gradient.
    usable: bool,
}

impl<T: Real> Bptt<T> {
    /// Buffers for a network.
    #[must_use]
    pub fn new(shape: NetworkShape) -> Self {
        let recurrent = || {
            let zeros = || BlockedMatrix::zeros(shape.hidden, shape.hidden);
            shape.recurrent.then(zeros)
        };
        Self {
            shape,
            path: SimdPath::Native,
            weights: BackwardWeights {
                output: BlockedMatrix::zeros(shape.hidden, shape.outputs),
                recurrent: recurrent(),
            },
            hidden: BlockedMatrix::zeros(shape.hidden, shape.inputs),
            recurrent: recurrent(),
            output: BlockedMatrix::zeros(shape.outputs, shape.hidden),
            samples: Vec::new(),
            usable: true,
        }
    }

    /// Forces an instruction set, to compare their results.
    #[must_use]
    pub fn with_path(self, path: SimdPath) -> Self {
        Self { path, ..self }
    }

    /// Readouts and losses of the samples of the last call.
    pub fn samples(&self) -> impl ExactSizeIterator<Item = &SampleLoss<T>> {
        self.samples.iter().map(|sample| &sample.loss)
    }

    /// Hidden spikes of all samples of the last call.
    #[must_use]
    pub fn hidden_spikes(&self) -> u64 {
        let counts = self.samples.iter().map(|s| s.spikes.sources().len() as u64);
        counts.sum()
    }

    /// The loss of a recorded batch. `ties` addresses draws among equal maxima;
    /// the sample's identity and the batch's presentation are added to it.
    ///
    /// # Errors
    /// When batch, labels, recording or weights do not fit each other; for a grid or model
    /// outside its range; [`LearnError::Untraced`] for a recording without the traces of the
    /// outputs.
    pub fn loss(
        &mut self,
        objective: &Objective,
        pass: PassWeights<'_, T>,
        batch: RecordedBatch<'_, T>,
        ties: Option<Address>,
    ) -> Result<LossTerms, LearnError> {
        self.check(objective, pass, batch, self.shape.hidden)?;
        let samples = &mut self.samples;
        read_out(
            samples,
            (self.shape, self.path),
            objective,
            batch,
            ties,
            |_, _| (),
        );
        Ok(self.terms(objective, pass.weights, batch))
    }

    /// The loss of a recorded batch and its gradient by the weights as they are
    /// learned: of neurons that were not kept only the weight regularisers
    /// remain.
    ///
    /// # Errors
    /// As [`Bptt::loss`], and [`LearnError::Untraced`] for a recording without the traces of
    /// all neurons.
    pub fn gradient(
        &mut self,
        objective: &Objective,
        pass: PassWeights<'_, T>,
        batch: RecordedBatch<'_, T>,
        ties: Option<Address>,
        gradient: &mut Weights<T>,
    ) -> Result<LossTerms, LearnError> {
        self.check(objective, pass, batch, 0)?;
        gradient.check(self.shape)?;
        self.load(pass.weights);
        match objective.surrogate {
            Surrogate::SuperSpike { beta } => {
                let surrogate = SuperSpike(T::from_f64(beta));
                self.run_back(objective, surrogate, batch, ties);
            }
            Surrogate::Triangle { gamma } => {
                let surrogate = Triangle(T::from_f64(gamma));
                self.run_back(objective, surrogate, batch, ties);
            }
            Surrogate::ArcTangent { alpha } => {
                self.run_back(objective, arc_tangent(alpha), batch, ties);
            }
        }
        self.sum_gradients(batch);
        let (usable, terms) = rayon::join(
            || self.finish(&objective.regularisers, pass, gradient),
            || self.terms(objective, pass.weights, batch),
        );
        self.usable = usable;
        Ok(terms)
    }

    /// Whether the last gradient can be followed: all of it are numbers up to 1e18.
    pub(crate) fn is_usable(&self) -> bool {
        self.usable
    }

    /// `first` is the first neuron whose traces are needed.
    fn check(
        &self,
        objective: &Objective,
        pass: PassWeights<'_, T>,
        batch: RecordedBatch<'_, T>,
        first: usize,
    ) -> Result<(), LearnError> {
        let mut faults = objective.model.faults();
        faults.extend(grid_faults(batch.grid));
        faults.extend(self.shape.faults());
        LearnError::from_faults(faults)?;
        let (shape, recording) = (self.shape, batch.recording);
        LearnError::check_inputs(shape, batch.inputs)?;
        pass.weights.check(shape)?;
        let samples = batch.inputs.len();
        for (what, found, wanted) in [
            ("labels", batch.labels.len(), samples),
            ("recorded samples", recording.samples(), samples),
            ("recorded neurons", recording.neurons(), shape.neurons()),
            ("recorded steps", recording.steps(), batch.grid.steps),
            (
                "entries of the dropout mask",
                pass.keep.map_or(shape.hidden, <[T]>::len),
                shape.hidden,
            ),
        ] {
            if found != wanted {
                return Err(LearnError::Count {
                    what,
                    found,
                    wanted,
                });
            }
        }
        let traced_from = recording.traced_from();
        if traced_from > first {
            return Err(LearnError::Untraced { traced_from, first });
        }
        for (i, &label) in batch.labels.iter().enumerate() {
            if usize::from(label) >= shape.outputs {
                return Err(LearnError::Label {
                    sample: batch.inputs.sample(i).id(),
                    label,
                    outputs: shape.outputs,
                });
            }
        }
        Ok(())
    }

    fn terms(
        &self,
        objective: &Objective,
        weights: &Weights<T>,
        batch: RecordedBatch<'_, T>,
    ) -> LossTerms {
        let (terms, share) = (&objective.regularisers, batch.share());
        let mut loss = LossTerms::default();
        // In the order of samples, whoever computed them.
        for sample in &self.samples {
            let bursts = sample.squared_counts;
            let excess = terms.excess(sample.spikes.sources().len() as u64);
            loss.nll += sample.loss.nll * share;
            loss.bursts += terms.bursts * bursts * share / self.shape.hidden.max(1) as f64;
            loss.readout += terms.readout * sample.loss.squared_scores * share
                / self.shape.outputs.max(1) as f64;
            loss.homeostatic += terms.homeostatic * excess * excess * share;
        }
        for (layer, matrix) in weights.layers() {
            let strength = terms.weights(layer);
            if strength != 0.0 && !matrix.is_empty() {
                let squares = sum_of_squares(matrix.as_slice(), self.path);
                loss.weights += strength * squares / matrix.len() as f64;
            }
        }
        loss
    }

    fn load(&mut self, weights: &Weights<T>) {
        self.weights.output.fill(&weights.output.transpose());
        if let (Some(table), Some(weights)) = (&mut self.weights.recurrent, &weights.recurrent) {
            table.fill_transposed(weights);
        }
    }

    /// Reads out each sample and goes back in it.
    fn run_back<D: Derivative<T> + Sync>(
        &mut self,
        objective: &Objective,
        surrogate: D,
        batch: RecordedBatch<'_, T>,
        ties: Option<Address>,
    ) {
        let (shape, path, terms) = (self.shape, self.path, &objective.regularisers);
        let (share, steps, recording) = (batch.share(), batch.grid.steps, batch.recording);
        let back = Pass {
            weights: &self.weights,
            decay: Decay::new(&objective.model, batch.grid.dt),
            surrogate,
            hidden: shape.hidden,
            outputs: shape.outputs,
            steps,
            burst_slope: T::from_f64(2.0 * terms.bursts * share / shape.hidden.max(1) as f64),
        };
        read_out(
            &mut self.samples,
            (shape, path),
            objective,
            batch,
            ties,
            |i, sample| {
                sample.inputs.fill(batch.inputs.sample(i), batch.grid);
                let excess = terms.excess(sample.spikes.sources().len() as u64);
                let slope = T::from_f64(2.0 * terms.homeostatic * excess * share);
                path.dispatch(
                    #[inline(always)]
                    || sample.run(back, recording.sample_traces(i), slope),
                );
            },
        );
    }

    /// Sums the gradients of the weights over all samples.
    fn sum_gradients(&mut self, batch: RecordedBatch<'_, T>) {
        let (samples, steps, path) = (&self.samples[..], batch.grid.steps, self.path);
        let (hidden, output, recurrent) = (&mut self.hidden, &mut self.output, &mut self.recurrent);
        let to_hidden = || {
            sum(
                hidden,
                samples,
                path,
                #[inline(always)]
                |i, sample, block| {
                    let events = sample.inputs.events(batch.inputs.sample(i));
                    (sample.hidden(block, steps), events)
                },
            );
        };
        let from_hidden = || {
            sum(
                output,
                samples,
                path,
                #[inline(always)]
                |_, sample, block| (sample.output(block, steps), sample.spikes.events()),
            );
            if let Some(recurrent) = recurrent {
                sum(
                    recurrent,
                    samples,
                    path,
                    #[inline(always)]
                    |_, sample, block| (sample.hidden(block, steps), sample.spikes.events()),
                );
            }
        };
        rayon::join(to_hidden, from_hidden);
    }

    /// Writes the sums as matrices, with what the weights' regularisers add, and says whether
    /// they can be used.
    fn finish(
        &self,
        terms: &Regularisers,
        pass: PassWeights<'_, T>,
        gradient: &mut Weights<T>,
    ) -> bool {
        let mut usable = true;
        for (layer, to) in gradient.layers_mut() {
            let (blocked, weights, keep) = match layer {
                Layer::Hidden => (&self.hidden, &pass.weights.hidden, pass.keep),
                Layer::Output => (&self.output, &pass.weights.output, None),
                Layer::Recurrent => {
                    let (Some(blocked), Some(weights)) = (&self.recurrent, &pass.weights.recurrent)
                    else {
                        continue;
                    };
                    (blocked, weights, None)
                }
            };
            let decay = 2.0 * terms.weights(layer) / weights.len().max(1) as f64;
            usable &= finish(blocked, keep, weights, T::from_f64(decay), self.path, to);
        }
        usable
    }
}

/// Finds spikes, readout and loss of each sample; `then` goes on with it while it is in
/// a near cache.
fn read_out<T: Real>(
    samples: &mut Vec<SampleAdjoint<T>>,
    (shape, path): (NetworkShape, SimdPath),
    objective: &Objective,
    batch: RecordedBatch<'_, T>,
    ties: Option<Address>,
    then: impl Fn(usize, &mut SampleAdjoint<T>) + Sync,
) {
    let recording = batch.recording;
    let share = batch.share();
    let score_slope = 2.0 * objective.regularisers.readout * share / shape.outputs.max(1) as f64;
    samples.resize_with(batch.labels.len(), SampleAdjoint::default);
    samples
        .par_iter_mut()
        .with_min_len(4)
        .enumerate()
        .for_each(|(i, sample)| {
            let id = batch.inputs.sample(i).id();
            let presentation = batch.inputs.presentation();
            let ties = ties.map(|ties| ties.sample(id).presentation(presentation));
            let (neurons, label) = (shape.neurons(), usize::from(batch.labels[i]));
            let config = &objective.loss;
            path.dispatch(
                #[inline(always)]
                || {
                    let traces = recording.sample_traces(i);
                    sample.collect(recording.sample_spikes(i), shape.hidden, neurons);
                    sample
                        .loss
                        .read(config, traces, neurons, shape.hidden, ties);
                },
            );
            sample.loss.weigh(config, label, share, score_slope);
            then(i, sample);
        });
}
