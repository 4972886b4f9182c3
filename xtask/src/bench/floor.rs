//! The least work that an image asks for, whatever the program.
//!
//! An operation is one addition, multiplication, comparison or bit operation on a
//! number of 32 bits; a vector instruction does as many as it has lanes. Memory is not
//! counted: all of it stays in the first two levels of cache. `docs/performance.md`
//! derives the numbers.

use bss2::learn::NetworkShape;
use bss2::workload::Tally;
use serde::{Deserialize, Serialize};

use super::instructions::Counted;
use super::kernels::Kernel;

/// What some samples did.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Activity {
    pub(super) samples: f64,
    pub(super) input_spikes: f64,
    pub(super) hidden_spikes: f64,
    /// T.
    pub(super) steps: usize,
}

impl Activity {
    pub(super) fn of(tally: &Tally, steps: usize) -> Self {
        Self {
            samples: tally.samples as f64,
            input_spikes: tally.input_spikes as f64,
            hidden_spikes: tally.hidden_spikes as f64,
            steps,
        }
    }
}

/// Least work of an image or an event.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Floor(Vec<Part>);

#[derive(Debug, Clone, Copy, PartialEq)]
struct Part {
    kernel: Kernel,
    operations: f64,
    /// Whether they are done on all lanes at once, or one after the other.
    wide: bool,
}

/// Samples that share an update.
const BATCH: f64 = 100.0;

/// A Philox word: seven rounds of 14 operations, the fewest that pass all tests of
/// randomness, give four.
const WORD: f64 = 24.5;
/// A synaptic input of a neuron, per step: two decays with what events add, the
/// saturation, the sum.
const INPUT: f64 = 4.0 + 6.0 + 2.0;
/// Leak, range, refractory period and threshold of a membrane, per step.
const MEMBRANE: f64 = 9.0;
/// A byte of a word as a kick, per step.
const KICK: f64 = 6.0;
/// For how many steps a word of kicks lasts.
const KICKS: f64 = 4.0;
/// A code, per sample: the channel's line and bend, two bytes of noise with their
/// cubic, limits.
const CODE: f64 = 6.0 + 8.0 + 4.0;
/// How many codes the noise of a word serves.
const CODES: f64 = 2.0;
/// An event on a synapse: current and membrane.
const SYNAPSE: f64 = 2.0;
/// A spike: its crossing by three steps of Newton's method with two exponentials
/// each, and its way through the fabric.
const SPIKE: f64 = 100.0;
/// An input event: cycle, link, slot, time and row.
const EVENT: f64 = 10.0;
/// The ideal neuron, per step.
const IDEAL: f64 = 6.0;
/// Its adjoint with surrogate and burst term, per step.
const ADJOINT: f64 = 16.0;
/// Adam, per weight.
const ADAM: f64 = 12.0;
/// Rounding a weight and writing it to its two synapses.
const WRITE: f64 = 10.0;

impl Floor {
    pub(super) fn of(counted: Counted, shape: NetworkShape, activity: &Activity) -> Self {
        let Activity {
            samples,
            input_spikes,
            hidden_spikes,
            steps,
        } = *activity;
        let (inputs, hidden) = (input_spikes / samples, hidden_spikes / samples);
        let [channels, neurons, outputs] =
            [shape.inputs, shape.hidden, shape.outputs].map(|size| size as f64);
        // Targets of a hidden spike.
        let fan_out = outputs + if shape.recurrent { neurons } else { 0.0 };
        let weights = neurons * (channels + fan_out);
        let states = (neurons + outputs) * steps as f64;
        let events = inputs * neurons + hidden * fan_out;
        // Tests look at the outputs alone.
        let codes = match counted {
            Counted::TrainChip => states,
            _ => outputs * steps as f64,
        };
        let wide = |kernel, operations| Part {
            kernel,
            operations,
            wide: true,
        };
        let alone = |kernel, operations| Part {
            kernel,
            operations,
            wide: false,
        };
        let chip = [
            wide(Kernel::Neurons, states * (4.0 * INPUT + MEMBRANE + KICK)),
            wide(Kernel::Synapses, events * SYNAPSE),
            wide(Kernel::Noise, (states / KICKS + codes / CODES) * WORD),
            wide(Kernel::Codes, codes * CODE),
            alone(Kernel::Spikes, hidden * SPIKE),
            alone(Kernel::Fabric, inputs * EVENT),
        ];
        let ideal = [
            wide(Kernel::Neurons, states * IDEAL),
            wide(Kernel::Synapses, events),
        ];
        let learned = [
            wide(Kernel::Backward, events + states * ADJOINT),
            wide(Kernel::Update, weights * ADAM / BATCH),
        ];
        let written = [wide(Kernel::Writing, weights * WRITE / BATCH)];
        Self(match counted {
            Counted::InferChip => chip.to_vec(),
            Counted::TrainChip => [&chip[..], &learned, &written].concat(),
            Counted::InferSoftware => ideal.to_vec(),
            Counted::TrainSoftware => [ideal, learned].concat(),
            Counted::Deliver => vec![alone(Kernel::Fabric, EVENT)],
        })
    }

    /// Instructions on vectors of so many lanes.
    pub(super) fn instructions(&self, lanes: usize) -> f64 {
        self.0.iter().map(|part| part.instructions(lanes)).sum()
    }

    /// Those of one kernel, if it has to do anything.
    pub(super) fn of_kernel(&self, kernel: Kernel, lanes: usize) -> Option<f64> {
        let part = self.0.iter().find(|part| part.kernel == kernel)?;
        Some(part.instructions(lanes))
    }
}

impl Part {
    fn instructions(&self, lanes: usize) -> f64 {
        let at_once = if self.wide { lanes as f64 } else { 1.0 };
        self.operations / at_once
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAPER: NetworkShape = NetworkShape {
        inputs: 256,
        hidden: 246,
        outputs: 10,
        recurrent: false,
    };

    #[test]
    fn wider_vectors_lower_the_floor_but_not_below_what_is_scalar() {
        let activity = Activity {
            samples: 10.0,
            input_spikes: 1_300.0,
            hidden_spikes: 350.0,
            steps: 20,
        };
        let floor = Floor::of(Counted::InferChip, PAPER, &activity);
        let (narrow, wide) = (floor.instructions(8), floor.instructions(16));
        assert!(wide < narrow && 2.0 * wide > narrow);
        let silent = Activity {
            input_spikes: 0.0,
            hidden_spikes: 0.0,
            ..activity
        };
        // 256 neurons, 20 steps, six operations on eight lanes.
        let ideal = Floor::of(Counted::InferSoftware, PAPER, &silent);
        assert_eq!(ideal.instructions(8), 3_840.0);
        let event = Floor::of(Counted::Deliver, PAPER, &activity);
        assert_eq!(event.instructions(8), EVENT);
        assert_eq!(event.of_kernel(Kernel::Fabric, 8), Some(EVENT));
        assert_eq!(event.of_kernel(Kernel::Codes, 8), None);
    }
}
