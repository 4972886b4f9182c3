//! One sample backwards in time: how its loss depends on the synaptic current
//! of each neuron at each step.
//!
//! With `V`, `S` as recorded, `sigma` the surrogate and `Wo` the output
//! weights, for t = T-1 ... 1:
//!
//! ```text
//! gVo[t] = dL/dVo[t] + b gVo[t+1]         gIo[t] = gVo[t] + a gIo[t+1]
//! gS[t]  = dL/dS + Wo' gIo[t+1] + R' gI[t+1]
//! gV[t]  = sigma(V[t]) gS[t] + b gV[t+1]  gI[t]  = gV[t] + a gI[t+1]
//! ```
//!
//! No gradient flows through the reset. `Wo' gIo` obeys the same recursion as
//! `gIo`, driven by `Wo' dL/dVo`: a maximum over time touches one step of each
//! output, so the output weights of a class are needed once for a sample and
//! not once for a step.

use crate::events::{InputSteps, SpikeList};
use crate::lanes::{BlockedMatrix, LANES, Lanes, OUTPUT_LANES, blocks};
use crate::loss::SampleLoss;
use crate::neuron::Decay;
use crate::real::Real;
use crate::surrogate::Derivative;

/// Weights by which errors travel back: `[source]` rows over hidden blocks.
#[derive(Debug, Clone, Default)]
pub(crate) struct BackwardWeights<T> {
    /// `Wo'`: a row for each output.
    pub(crate) output: BlockedMatrix<T>,
    /// `R'`: a row for each target of the recurrent projection.
    pub(crate) recurrent: Option<BlockedMatrix<T>>,
}

/// Buffers for a sample at a time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Adjoint<T> {
    pub(crate) inputs: InputSteps,
    pub(crate) spikes: SpikeList,
    /// `[block][time]`: `gI` of hidden neurons; step 0 is unused.
    hidden: Vec<Lanes<T>>,
    /// `[block][time]`: `gIo`.
    output: Vec<Lanes<T, OUTPUT_LANES>>,
    /// `[block]`: spikes of each hidden neuron.
    counts: Vec<Lanes<T>>,
    /// Outputs whose readout is the trace at this step; none for sums.
    maxima: SpikeList,
    /// Of blocks that meet by recurrence.
    states: Vec<BlockAdjoint<T>>,
}

/// Adjoints of a block at the step last visited.
#[derive(Debug, Clone, Copy)]
struct BlockAdjoint<T> {
    /// `Wo' dL/dVo` where it is the same at each step: of sums over time.
    every_step: Lanes<T>,
    /// `Wo' gVo` and `Wo' gIo`.
    readout_membrane: Lanes<T>,
    readout_current: Lanes<T>,
    membrane: Lanes<T>,
    current: Lanes<T>,
}

/// What all samples of a batch share.
#[derive(Clone, Copy)]
pub(crate) struct Pass<'a, T, D> {
    pub(crate) weights: &'a BackwardWeights<T>,
    pub(crate) decay: Decay<T>,
    pub(crate) surrogate: D,
    pub(crate) hidden: usize,
    pub(crate) outputs: usize,
    pub(crate) steps: usize,
    /// Derivative of the burst term by a spike, per spike of the neuron.
    pub(crate) burst_slope: T,
}

impl<T: Real> Adjoint<T> {
    /// Finds the spikes of hidden neurons, and says what the squares of each neuron's number
    /// add up to.
    #[inline(always)]
    pub(crate) fn collect(&mut self, spikes: &[u8], hidden: usize, neurons: usize) -> f64 {
        self.spikes.clear();
        for begin in (0..spikes.len()).step_by(neurons) {
            self.spikes.push_step(&spikes[begin..], hidden);
        }
        self.counts.clear();
        self.counts.resize(blocks::<LANES>(hidden), Lanes::ZERO);
        let mut squared_counts = 0.0;
        for &source in self.spikes.sources() {
            let source = usize::from(source);
            let count = &mut self.counts[source / LANES].0[source % LANES];
            // (n + 1)^2 = n^2 + 2 n + 1.
            squared_counts += 2.0 * count.to_f64() + 1.0;
            *count += T::ONE;
        }
        squared_counts
    }

    /// Hidden spikes of the sample.
    pub(crate) fn hidden_spikes(&self) -> u64 {
        self.spikes.sources().len() as u64
    }

    /// `[time]`: `gI` of a block of hidden neurons; step 0 is unused.
    #[inline(always)]
    pub(crate) fn hidden(&self, block: usize, steps: usize) -> &[Lanes<T>] {
        &self.hidden[block * steps..][..steps]
    }

    /// `[time]`: `gIo` of a block of outputs.
    #[inline(always)]
    pub(crate) fn output(&self, block: usize, steps: usize) -> &[Lanes<T, OUTPUT_LANES>] {
        &self.output[block * steps..][..steps]
    }

    /// Runs backwards. `traces` is `[time, neuron]`; `spike_slope` is the derivative of the
    /// loss by any spike of the sample.
    #[inline(always)]
    pub(crate) fn run<D: Derivative<T>>(
        &mut self,
        pass: Pass<'_, T, D>,
        traces: &[T],
        loss: &SampleLoss<T>,
        spike_slope: T,
    ) {
        self.run_output(&pass, loss);
        let hidden_blocks = blocks::<LANES>(pass.hidden);
        self.hidden.resize(hidden_blocks * pass.steps, Lanes::ZERO);
        let Some(recurrent) = &pass.weights.recurrent else {
            for block in 0..hidden_blocks {
                let mut state = BlockAdjoint::begin(&pass, block, loss);
                for t in (1..pass.steps).rev() {
                    let error = self.error(&pass, block, &state, spike_slope);
                    self.step_back(&pass, (block, t), traces, loss, &error, &mut state);
                }
            }
            return;
        };
        let mut states = std::mem::take(&mut self.states);
        states.clear();
        for block in 0..hidden_blocks {
            states.push(BlockAdjoint::begin(&pass, block, loss));
        }
        // Blocks meet at every step.
        for t in (1..pass.steps).rev() {
            for (block, state) in states.iter_mut().enumerate() {
                let mut error = self.error(&pass, block, state, spike_slope);
                self.add_recurrent(&pass, recurrent, block, t, &mut error);
                self.step_back(&pass, (block, t), traces, loss, &error, state);
            }
        }
        self.states = states;
    }

    /// Adjoint currents of the output layer, and the maxima of each step.
    #[inline(always)]
    fn run_output<D>(&mut self, pass: &Pass<'_, T, D>, loss: &SampleLoss<T>) {
        self.maxima.clear();
        for t in 0..pass.steps {
            self.maxima
                .push_where(loss.argmax.iter().map(|&at| at as usize == t));
        }
        let output_blocks = blocks::<OUTPUT_LANES>(pass.outputs);
        self.output.resize(output_blocks * pass.steps, Lanes::ZERO);
        for block in 0..output_blocks {
            let range = block * OUTPUT_LANES..(block + 1) * OUTPUT_LANES;
            let slope = Lanes::read(&loss.slope[range.start..]);
            let every_step = if loss.argmax.is_empty() {
                slope
            } else {
                Lanes::ZERO
            };
            let Decay {
                membrane: b,
                current: a,
            } = pass.decay;
            let (mut membrane, mut current) = (Lanes::ZERO, Lanes::ZERO);
            for t in (1..pass.steps).rev() {
                membrane = every_step.zip(&membrane, |every, m| every + b * m);
                for &o in self.maxima.events().at(t) {
                    let o = usize::from(o);
                    if range.contains(&o) {
                        membrane.0[o % OUTPUT_LANES] += slope.0[o % OUTPUT_LANES];
                    }
                }
                current = membrane.zip(&current, |m, i| m + a * i);
                self.output[block * pass.steps + t] = current;
            }
        }
    }

    /// `gS` without recurrence.
    #[inline(always)]
    fn error<D>(
        &self,
        pass: &Pass<'_, T, D>,
        block: usize,
        state: &BlockAdjoint<T>,
        spike_slope: T,
    ) -> Lanes<T> {
        let direct = |error, count| error + (pass.burst_slope * count + spike_slope);
        state.readout_current.zip(&self.counts[block], direct)
    }

    /// `R' gI[t+1]`.
    #[inline(always)]
    fn add_recurrent<D>(
        &self,
        pass: &Pass<'_, T, D>,
        recurrent: &BlockedMatrix<T>,
        block: usize,
        t: usize,
        error: &mut Lanes<T>,
    ) {
        if t + 1 == pass.steps {
            return;
        }
        let mut sum = *error;
        for (target_block, rows) in recurrent.block(block).chunks(LANES).enumerate() {
            let later = &self.hidden[target_block * pass.steps + t + 1];
            for (row, &factor) in rows.iter().zip(&later.0) {
                sum = sum.zip(row, |sum, w| sum + factor * w);
            }
        }
        *error = sum;
    }

    /// Moves a block to step `t`.
    #[inline(always)]
    fn step_back<D: Derivative<T>>(
        &mut self,
        pass: &Pass<'_, T, D>,
        (block, t): (usize, usize),
        traces: &[T],
        loss: &SampleLoss<T>,
        error: &Lanes<T>,
        state: &mut BlockAdjoint<T>,
    ) {
        let row = t * (pass.hidden + pass.outputs);
        // Lanes past the hidden neurons hold what comes next in the recording; nobody reads
        // what they make of it.
        let recorded = &traces[row + block * LANES..];
        let v = Lanes::read(recorded);
        let Decay {
            membrane: b,
            current: a,
        } = pass.decay;
        let here = v.zip(error, |v, error| pass.surrogate.at(v) * error);
        state.membrane = here.zip(&state.membrane, |here, later| here + b * later);
        state.current = (state.membrane).zip(&state.current, |m, later| m + a * later);
        self.hidden[block * pass.steps + t] = state.current;
        let mut readout = (state.every_step).zip(&state.readout_membrane, |every, m| every + b * m);
        let rows = pass.weights.output.block(block);
        for &o in self.maxima.events().at(t) {
            let slope = loss.slope[usize::from(o)];
            readout = readout.zip(&rows[usize::from(o)], |sum, w| sum + slope * w);
        }
        state.readout_membrane = readout;
        state.readout_current = readout.zip(&state.readout_current, |m, later| m + a * later);
    }
}

impl<T: Real> BlockAdjoint<T> {
    const NONE: Self = Self {
        every_step: Lanes::ZERO,
        readout_membrane: Lanes::ZERO,
        readout_current: Lanes::ZERO,
        membrane: Lanes::ZERO,
        current: Lanes::ZERO,
    };

    /// A block after the last step.
    #[inline(always)]
    fn begin<D>(pass: &Pass<'_, T, D>, block: usize, loss: &SampleLoss<T>) -> Self {
        let mut state = Self::NONE;
        if loss.argmax.is_empty() {
            let rows = pass.weights.output.block(block);
            for (row, &slope) in rows.iter().zip(&loss.slope) {
                state.every_step = state.every_step.zip(row, |sum, w| sum + slope * w);
            }
        }
        state
    }
}
