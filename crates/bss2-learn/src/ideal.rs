//! The ideal software substrate: homogeneous neurons without noise, integrated
//! on the learner's grid.
//!
//! Leak 0, threshold 1; `a = exp(-dt/tau_syn)`, `b = exp(-dt/tau_mem)`. For
//! t = 1, 2, ...:
//!
//! ```text
//! I[t] = a I[t-1] + W S_in[t-1] + R S[t-1]
//! V[t] = b V[t-1] + I[t], then the reset
//! S[t] = V[t] > 1
//! ```
//!
//! The output layer integrates hidden spikes the same way and has no threshold.
//! `S_in` counts: of an input channel that fires twice within a step both spikes
//! act, as they do on a chip. The public code keeps one.
//!
//! # Source
//! Cramer et al. 2022, public code.

use bss2_event::{Fault, Recording, SimdPath, SpikeBatch, TimeGrid};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::LearnError;
use crate::events::{InputSteps, SpikeList, StepEvents};
use crate::lanes::{BlockedMatrix, LANES, Lanes, OUTPUT_LANES, blocks, write_first};
use crate::network::{NetworkShape, Weights, grid_faults};
use crate::neuron::{
    BlockState, Decay, HoldAtLeak, Integrate, MembraneRule, NeuronModel, Subtract, add_events,
};
use crate::real::Real;
use crate::substrate::{RunReport, Substrate, SubstrateError, WriteReport};

/// What a spike does to its membrane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Reset {
    /// 1 is subtracted one step later: the software mode of the paper.
    #[default]
    Subtract,
    /// The membrane is 0 in the steps `t+1 ..= t+refractory_steps` after a
    /// spike at `t`, then integrates again; the synaptic current goes on. This
    /// is what an ideal chip does on the learner's grid.
    ToLeak {
        /// At least 1.
        refractory_steps: u32,
    },
}

/// Samples that one task takes: enough that a block of weights is read from the
/// first level of cache, few enough that tasks spread over threads: a batch of 100
/// evenly over two or five of them.
const SAMPLES_PER_TASK: usize = 10;

/// The ideal software network.
#[derive(Debug, Clone)]
pub struct Ideal<T = f32> {
    shape: NetworkShape,
    grid: TimeGrid,
    reset: Reset,
    decay: Decay<T>,
    path: SimdPath,
    hidden: BlockedMatrix<T>,
    recurrent: Option<BlockedMatrix<T>>,
    output: BlockedMatrix<T, OUTPUT_LANES>,
    scratch: Vec<Scratch<T>>,
}

/// Buffers of one task.
#[derive(Debug, Clone, Default)]
struct Scratch<T> {
    /// Of each sample.
    inputs: Vec<InputSteps>,
    states: Vec<BlockState<T>>,
    spikes: SpikeList,
}

impl<T: Real> Ideal<T> {
    /// A network with all weights zero.
    ///
    /// # Errors
    /// [`LearnError::Config`] for a time constant that is not positive, a grid without
    /// steps or time, sizes above 65,536 or a refractory period of no step.
    pub fn new(
        shape: NetworkShape,
        grid: TimeGrid,
        model: &NeuronModel,
        reset: Reset,
    ) -> Result<Self, LearnError> {
        let mut faults = model.faults();
        faults.extend(grid_faults(grid));
        faults.extend(shape.faults());
        if reset
            == (Reset::ToLeak {
                refractory_steps: 0,
            })
        {
            faults.push(Fault::new("refractory_steps", 0, "1 and more"));
        }
        LearnError::from_faults(faults)?;
        Ok(Self {
            shape,
            grid,
            reset,
            decay: Decay::new(model, grid.dt),
            path: SimdPath::Native,
            hidden: BlockedMatrix::zeros(shape.hidden, shape.inputs),
            recurrent: shape
                .recurrent
                .then(|| BlockedMatrix::zeros(shape.hidden, shape.hidden)),
            output: BlockedMatrix::zeros(shape.outputs, shape.hidden),
            scratch: Vec::new(),
        })
    }

    /// Forces an instruction set, to compare their results.
    #[must_use]
    pub fn with_path(self, path: SimdPath) -> Self {
        Self { path, ..self }
    }

    /// Takes new weights as they are.
    ///
    /// # Errors
    /// [`LearnError::WeightShape`].
    pub fn load(&mut self, weights: &Weights<T>) -> Result<(), LearnError> {
        weights.check(self.shape)?;
        self.hidden.fill(&weights.hidden);
        self.output.fill(&weights.output);
        if let (Some(table), Some(weights)) = (&mut self.recurrent, &weights.recurrent) {
            table.fill(weights);
        }
        Ok(())
    }

    /// Runs every sample from rest: [`Substrate::run`] for either number type.
    ///
    /// # Errors
    /// [`LearnError::Inputs`] when the batch has other input channels.
    pub fn forward(
        &mut self,
        batch: &SpikeBatch,
        recording: &mut Recording<T>,
    ) -> Result<RunReport, LearnError> {
        LearnError::check_inputs(self.shape, batch)?;
        let (steps, neurons) = (self.grid.steps, self.shape.neurons());
        recording.resize(batch.len(), steps, neurons);
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.resize_with(batch.len().div_ceil(SAMPLES_PER_TASK), Scratch::default);
        let per_task = SAMPLES_PER_TASK * steps * neurons;
        let trace_from = recording.traced_from();
        let (traces, spikes) = recording.parts_mut();
        if !traces.is_empty() {
            traces
                .par_chunks_mut(per_task)
                .zip(spikes.par_chunks_mut(per_task))
                .zip(&mut scratch)
                .enumerate()
                .for_each(|(task, ((traces, spikes), scratch))| {
                    let first = task * SAMPLES_PER_TASK;
                    let count = SAMPLES_PER_TASK.min(batch.len() - first);
                    let mut inputs = std::mem::take(&mut scratch.inputs);
                    inputs.resize_with(count, InputSteps::default);
                    for (i, inputs) in inputs.iter_mut().enumerate() {
                        inputs.fill(batch.sample(first + i), self.grid);
                    }
                    let samples = Samples {
                        batch,
                        first,
                        inputs: &inputs,
                        trace_from,
                    };
                    self.path.dispatch(
                        #[inline(always)]
                        || self.run_task(samples, traces, spikes, scratch),
                    );
                    scratch.inputs = inputs;
                });
        }
        self.scratch = scratch;
        Ok(RunReport::default())
    }

    #[inline(always)]
    fn run_task(
        &self,
        samples: Samples<'_>,
        traces: &mut [T],
        spikes: &mut [u8],
        scratch: &mut Scratch<T>,
    ) {
        match self.reset {
            Reset::Subtract => self.run_rule(Subtract, samples, traces, spikes, scratch),
            Reset::ToLeak { refractory_steps } => {
                let steps = T::from_f64(refractory_steps.into());
                self.run_rule(HoldAtLeak { steps }, samples, traces, spikes, scratch);
            }
        }
    }

    #[inline(always)]
    fn run_rule(
        &self,
        rule: impl MembraneRule<T>,
        samples: Samples<'_>,
        traces: &mut [T],
        spikes: &mut [u8],
        scratch: &mut Scratch<T>,
    ) {
        let (steps, neurons) = (self.grid.steps, self.shape.neurons());
        let hidden_blocks = blocks::<LANES>(self.shape.hidden);
        let len = steps * neurons;
        // Without recurrence blocks do not meet: each runs through all samples
        // and steps while its weights stay near.
        if self.recurrent.is_none() {
            for block in 0..hidden_blocks {
                let sample_parts = traces
                    .chunks_exact_mut(len)
                    .zip(spikes.chunks_exact_mut(len));
                for (i, (traces, spikes)) in sample_parts.enumerate() {
                    let input = samples.events(i);
                    let mut state = BlockState::REST;
                    let mut rows = Rows {
                        traces,
                        spikes,
                        neurons,
                        trace_from: samples.trace_from,
                    };
                    rows.write(0, (block * LANES, self.shape.hidden), &state.membrane, true);
                    for t in 1..steps {
                        let mut drive = Lanes::ZERO;
                        add_events(&mut drive, &self.hidden, block, input, t - 1);
                        state.advance(self.decay, &drive, rule);
                        rows.write(t, (block * LANES, self.shape.hidden), &state.membrane, true);
                    }
                }
            }
        }
        let sample_parts = traces
            .chunks_exact_mut(len)
            .zip(spikes.chunks_exact_mut(len));
        for (i, (traces, spikes)) in sample_parts.enumerate() {
            let mut rows = Rows {
                traces,
                spikes,
                neurons,
                trace_from: samples.trace_from,
            };
            scratch.spikes.clear();
            if let Some(recurrent) = &self.recurrent {
                let input = samples.events(i);
                self.run_recurrent(rule, recurrent, input, &mut rows, scratch);
            } else {
                for t in 0..steps {
                    let row = &rows.spikes[t * neurons..];
                    scratch.spikes.push_step(row, self.shape.hidden);
                }
            }
            self.read_out(scratch.spikes.events(), &mut rows);
        }
    }

    #[inline(always)]
    fn run_recurrent(
        &self,
        rule: impl MembraneRule<T>,
        recurrent: &BlockedMatrix<T>,
        input: StepEvents<'_>,
        rows: &mut Rows<'_, T>,
        scratch: &mut Scratch<T>,
    ) {
        let hidden = self.shape.hidden;
        scratch.states.clear();
        scratch
            .states
            .resize(blocks::<LANES>(hidden), BlockState::REST);
        for t in 0..self.grid.steps {
            for (block, state) in scratch.states.iter_mut().enumerate() {
                if t > 0 {
                    let mut drive = Lanes::ZERO;
                    add_events(&mut drive, &self.hidden, block, input, t - 1);
                    add_events(&mut drive, recurrent, block, scratch.spikes.events(), t - 1);
                    state.advance(self.decay, &drive, rule);
                }
                rows.write(t, (block * LANES, hidden), &state.membrane, true);
            }
            let row = &rows.spikes[t * rows.neurons..];
            scratch.spikes.push_step(row, hidden);
        }
    }

    #[inline(always)]
    fn read_out(&self, hidden: StepEvents<'_>, rows: &mut Rows<'_, T>) {
        for block in 0..blocks::<OUTPUT_LANES>(self.shape.outputs) {
            let first = self.shape.hidden + block * OUTPUT_LANES;
            let mut state: BlockState<T, OUTPUT_LANES> = BlockState::REST;
            for t in 0..self.grid.steps {
                if t > 0 {
                    let mut drive = Lanes::ZERO;
                    add_events(&mut drive, &self.output, block, hidden, t - 1);
                    state.advance(self.decay, &drive, Integrate);
                }
                rows.write(t, (first, rows.neurons), &state.membrane, false);
            }
        }
    }
}

/// The samples of one task.
#[derive(Clone, Copy)]
struct Samples<'a> {
    batch: &'a SpikeBatch,
    first: usize,
    inputs: &'a [InputSteps],
    trace_from: usize,
}

impl<'a> Samples<'a> {
    #[inline(always)]
    fn events(self, i: usize) -> StepEvents<'a> {
        self.inputs[i].events(self.batch.sample(self.first + i))
    }
}

/// Recording of one sample, `[time, neuron]`; outputs are written once all hidden blocks are.
struct Rows<'a, T> {
    traces: &'a mut [T],
    spikes: &'a mut [u8],
    neurons: usize,
    /// Layers that end before are not traced.
    trace_from: usize,
}

impl<T: Real> Rows<'_, T> {
    /// Writes a block of membranes that begins at neuron `first` of a layer
    /// that ends before neuron `end`, and whether they are above threshold.
    #[inline(always)]
    fn write<const N: usize>(
        &mut self,
        t: usize,
        (first, end): (usize, usize),
        membrane: &Lanes<T, N>,
        spiking: bool,
    ) {
        // To the end of the block or of the row: lanes past the end of the hidden layer are
        // those of outputs, which come later.
        let (begin, count) = (t * self.neurons + first, N.min(self.neurons - first));
        if end > self.trace_from {
            write_first(&membrane.0, count, &mut self.traces[begin..]);
        }
        let mut above = [0; N];
        if spiking {
            for l in 0..N {
                above[l] = u8::from(membrane.0[l] > T::ONE);
            }
        }
        write_first(&above, count, &mut self.spikes[begin..]);
    }
}

impl Substrate for Ideal {
    fn shape(&self) -> NetworkShape {
        self.shape
    }
    fn time_grid(&self) -> TimeGrid {
        self.grid
    }
    fn write_weights(&mut self, weights: &Weights) -> Result<WriteReport, SubstrateError> {
        self.load(weights).map_err(SubstrateError::new)?;
        Ok(WriteReport {
            output_scale: 1.0,
            silent_layers: Vec::new(),
        })
    }
    fn run(
        &mut self,
        batch: &SpikeBatch,
        recording: &mut Recording,
    ) -> Result<RunReport, SubstrateError> {
        self.forward(batch, recording).map_err(SubstrateError::new)
    }
}
