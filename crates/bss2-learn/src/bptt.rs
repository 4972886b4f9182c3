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
use crate::reading::{Reading, Tally};
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
    pub(crate) fn share(&self) -> f64 {
        1.0 / self.labels.len().max(1) as f64
    }
}

/// Parts of a batch that go backwards, each the work of one thread: a few, since each has sums of
/// its own which have to be joined.
const PARTS: usize = 4;

/// Samples of a part that is only read out.
const READ: usize = 4;

/// Backpropagation through time; owns its buffers.
///
/// Memory, for each of at most four parts of a batch: sums as large as the weights, once there
/// was a gradient, and one number for each step and neuron; with hidden neurons rounded up to
/// blocks of 64 and outputs to blocks of 32.
#[derive(Debug, Clone)]
pub struct Bptt<T = f32> {
    shape: NetworkShape,
    path: SimdPath,
    weights: BackwardWeights<T>,
    /// Of the samples at hand, one for each part of the batch.
    adjoints: Vec<Adjoint<T>>,
    /// Gradients of the parts.
    sums: Vec<Sums<T>>,
    samples: Vec<SampleLoss<T>>,
    tallies: Vec<Tally>,
    /// All numbers of the last gradient.
    usable: bool,
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
            adjoints: Vec::new(),
            sums: Vec::new(),
            samples: Vec::new(),
            tallies: Vec::new(),
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
        self.tallies.iter().map(|part| part.correct).sum()
    }

    /// Hidden spikes of all samples of the last call.
    #[must_use]
    pub fn hidden_spikes(&self) -> u64 {
        self.tallies.iter().map(|part| part.hidden_spikes).sum()
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
        let reading = self.reading(objective, batch, ties);
        self.part(batch, READ);
        self.samples
            .par_chunks_mut(READ)
            .zip(&mut self.adjoints)
            .enumerate()
            .map(|(p, (samples, adjoint))| reading.read(p * READ, samples, adjoint, |_, _, _| ()))
            .collect_into_vec(&mut self.tallies);
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

    fn reading<'a>(
        &self,
        objective: &'a Objective,
        batch: RecordedBatch<'a, T>,
        ties: Option<Address>,
    ) -> Reading<'a, T> {
        Reading {
            shape: self.shape,
            path: self.path,
            objective,
            batch,
            ties,
        }
    }

    /// Makes room for a batch in parts of so many samples, and says how many parts it has.
    fn part(&mut self, batch: RecordedBatch<'_, T>, of_part: usize) -> usize {
        let samples = batch.labels.len();
        self.samples.resize_with(samples, SampleLoss::default);
        let parts = samples.div_ceil(of_part);
        if self.adjoints.len() < parts {
            self.adjoints.resize_with(parts, Adjoint::default);
        }
        parts
    }

    fn terms(&self, regularisers: &Regularisers, weights: &Weights<T>) -> LossTerms {
        // In the order of parts, whoever computed them.
        let mut loss = (self.tallies.iter())
            .fold(Tally::default(), Tally::plus)
            .loss;
        for (layer, matrix) in weights.layers() {
            let strength = regularisers.weights(layer);
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
        let of_part = batch.labels.len().div_ceil(PARTS).max(1);
        let parts = self.part(batch, of_part);
        if self.sums.len() < parts {
            self.sums.resize_with(parts, || Sums::zeros(shape));
        }
        let reading = self.reading(objective, batch, ties);
        let back = Pass {
            weights: &self.weights,
            decay: Decay::new(&objective.model, batch.grid.dt),
            surrogate,
            hidden: shape.hidden,
            outputs: shape.outputs,
            steps,
            burst_slope: T::from_f64(2.0 * terms.bursts * share / shape.hidden.max(1) as f64),
        };
        self.samples
            .par_chunks_mut(of_part)
            .zip(&mut self.adjoints)
            .zip(&mut self.sums)
            .enumerate()
            .map(|(p, ((samples, adjoint), sums))| {
                sums.clear();
                reading.read(p * of_part, samples, adjoint, |i, loss, adjoint| {
                    let inputs = batch.inputs.sample(i);
                    adjoint.inputs.fill(inputs, batch.grid);
                    let excess = terms.excess(adjoint.hidden_spikes());
                    let slope = T::from_f64(2.0 * terms.homeostatic * excess * share);
                    path.dispatch(
                        #[inline(always)]
                        || adjoint.run(back, recording.sample_traces(i), loss, slope),
                    );
                    path.dispatch(
                        #[inline(always)]
                        || sums.add(adjoint, inputs, steps),
                    );
                })
            })
            .collect_into_vec(&mut self.tallies);
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
            // A part's tally for each that has been summed.
            let sums = self.sums[..self.tallies.len()].iter();
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
}
