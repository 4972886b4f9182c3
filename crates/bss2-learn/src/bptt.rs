//! Backpropagation through time on a recording.
//!
//! One path serves every substrate: membranes and spikes are taken as recorded
//! and derivatives are those of the model (an injected value has derivative 1
//! by the model's and 0 by the recorded one). For the ideal substrate, whose
//! recording is the model's own, this is the model's gradient.

use bss2_event::random::Address;
use bss2_event::{Recording, SimdPath, SpikeBatch, TimeGrid};
use rayon::prelude::*;

use crate::adjoint::{Adjoint, BackwardWeights, Pass};
use crate::error::LearnError;
use crate::gradient::{Sums, finish};
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
/// Memory: for each of four parts of a batch the weights, and one number for each step and
/// neuron, rounded up to blocks of 64 neurons.
#[derive(Debug, Clone)]
pub struct Bptt<T = f32> {
    shape: NetworkShape,
    path: SimdPath,
    weights: BackwardWeights<T>,
    parts: Vec<Part<T>>,
    samples: Vec<SampleLoss<T>>,
    /// All numbers of the last gradient.
    usable: bool,
}

/// Parts of a batch, each the work of one thread: a few, since each has sums of its own
/// which have to be joined.
const PARTS: usize = 4;

/// What a part of a batch needs, and gives.
#[derive(Debug, Clone)]
struct Part<T> {
    /// Of the sample at hand.
    adjoint: Adjoint<T>,
    /// None before the first gradient.
    sums: Option<Sums<T>>,
    tally: Tally,
}

/// Counted over the samples of a part.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    /// Without the terms of weights.
    loss: LossTerms,
    correct: usize,
    hidden_spikes: u64,
}

impl<T: Real> Bptt<T> {
    /// Buffers for a network.
    #[must_use]
    pub fn new(shape: NetworkShape) -> Self {
        let zeros = || BlockedMatrix::zeros(shape.hidden, shape.hidden);
        Self {
            shape,
            path: SimdPath::Native,
            weights: BackwardWeights {
                output: BlockedMatrix::zeros(shape.hidden, shape.outputs),
                recurrent: shape.recurrent.then(zeros),
            },
            parts: Vec::new(),
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
        self.samples.iter()
    }

    /// Samples of the last call whose label was predicted.
    #[must_use]
    pub fn correct(&self) -> usize {
        self.parts.iter().map(|part| part.tally.correct).sum()
    }

    /// Hidden spikes of all samples of the last call.
    #[must_use]
    pub fn hidden_spikes(&self) -> u64 {
        self.parts.iter().map(|p| p.tally.hidden_spikes).sum()
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
        self.read_out(objective, batch, ties, |_| (), |_, _, _| ());
        Ok(self.terms(&objective.regularisers, pass.weights))
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
        self.usable = self.finish(&objective.regularisers, pass, gradient);
        Ok(self.terms(&objective.regularisers, pass.weights))
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

    fn terms(&self, terms: &Regularisers, weights: &Weights<T>) -> LossTerms {
        let mut loss = LossTerms::default();
        // In the order of samples, whoever computed them.
        for of_part in self.parts.iter().map(|part| &part.tally.loss) {
            loss.nll += of_part.nll;
            loss.bursts += of_part.bursts;
            loss.readout += of_part.readout;
            loss.homeostatic += of_part.homeostatic;
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
        let weights = std::mem::take(&mut self.weights);
        let back = Pass {
            weights: &weights,
            decay: Decay::new(&objective.model, batch.grid.dt),
            surrogate,
            hidden: shape.hidden,
            outputs: shape.outputs,
            steps,
            burst_slope: T::from_f64(2.0 * terms.bursts * share / shape.hidden.max(1) as f64),
        };
        let begin = |part: &mut Part<T>| {
            part.sums.get_or_insert_with(|| Sums::zeros(shape)).clear();
        };
        self.read_out(objective, batch, ties, begin, |i, loss, part| {
            let (inputs, adjoint) = (batch.inputs.sample(i), &mut part.adjoint);
            adjoint.inputs.fill(inputs, batch.grid);
            let excess = terms.excess(adjoint.hidden_spikes());
            let slope = T::from_f64(2.0 * terms.homeostatic * excess * share);
            // One kernel each: in a common one the compiler runs out of registers.
            path.dispatch(
                #[inline(always)]
                || adjoint.run(back, recording.sample_traces(i), loss, slope),
            );
            if let Some(sums) = &mut part.sums {
                path.dispatch(
                    #[inline(always)]
                    || sums.add(adjoint, inputs, steps),
                );
            }
        });
        self.weights = weights;
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
        let layers = gradient.layers_mut().zip(pass.weights.layers());
        for ((layer, to), (_, weights)) in layers {
            let decay = 2.0 * terms.weights(layer) / weights.len().max(1) as f64;
            let decay = (T::from_f64(decay), weights);
            let sums = self.parts.iter().filter_map(|part| part.sums.as_ref());
            usable &= match layer {
                Layer::Hidden => {
                    let parts: Vec<_> = sums.map(|sums| &sums.hidden).collect();
                    finish(&parts, pass.keep, decay, self.path, to)
                }
                Layer::Recurrent => {
                    let parts: Vec<_> = sums.filter_map(|sums| sums.recurrent.as_ref()).collect();
                    finish(&parts, None, decay, self.path, to)
                }
                Layer::Output => {
                    let parts: Vec<_> = sums.map(|sums| &sums.output).collect();
                    finish(&parts, None, decay, self.path, to)
                }
            };
        }
        usable
    }

    /// Finds spikes, readout and loss of each sample; `then` goes on with it while it is in
    /// a near cache, with the buffers of its part.
    fn read_out(
        &mut self,
        objective: &Objective,
        batch: RecordedBatch<'_, T>,
        ties: Option<Address>,
        begin: impl Fn(&mut Part<T>) + Sync,
        then: impl Fn(usize, &SampleLoss<T>, &mut Part<T>) + Sync,
    ) {
        let (shape, path, recording) = (self.shape, self.path, batch.recording);
        let (hidden, outputs) = (shape.hidden.max(1) as f64, shape.outputs.max(1) as f64);
        let (terms, share) = (&objective.regularisers, batch.share());
        let score_slope = 2.0 * terms.readout * share / outputs;
        let (config, samples) = (&objective.loss, batch.labels.len());
        self.samples.resize_with(samples, SampleLoss::default);
        let of_part = samples.div_ceil(PARTS).max(1);
        self.parts.resize_with(samples.div_ceil(of_part), || Part {
            adjoint: Adjoint::default(),
            sums: None,
            tally: Tally::default(),
        });
        let parts = self.samples.par_chunks_mut(of_part).zip(&mut self.parts);
        parts.enumerate().for_each(|(p, (samples, part))| {
            begin(part);
            let mut tally = Tally::default();
            let places = p * of_part..p * of_part + samples.len();
            // What was recorded last is still in a near cache.
            for (i, loss) in places.zip(samples).rev() {
                let id = batch.inputs.sample(i).id();
                let presentation = batch.inputs.presentation();
                let ties = ties.map(|ties| ties.sample(id).presentation(presentation));
                let mut squared_counts = 0.0;
                path.dispatch(
                    #[inline(always)]
                    || {
                        let traces = recording.sample_traces(i);
                        let (spikes, neurons) = (recording.sample_spikes(i), shape.neurons());
                        squared_counts = part.adjoint.collect(spikes, shape.hidden, neurons);
                        loss.read(config, traces, neurons, shape.hidden, ties);
                    },
                );
                let label = usize::from(batch.labels[i]);
                loss.weigh(config, label, share, score_slope);
                let spikes = part.adjoint.hidden_spikes();
                let excess = terms.excess(spikes);
                tally.hidden_spikes += spikes;
                tally.correct += usize::from(loss.prediction == label);
                tally.loss.nll += loss.nll * share;
                tally.loss.bursts += terms.bursts * squared_counts * share / hidden;
                tally.loss.readout += terms.readout * loss.squared_scores * share / outputs;
                tally.loss.homeostatic += terms.homeostatic * excess * excess * share;
                then(i, loss, part);
            }
            part.tally = tally;
        });
    }
}
