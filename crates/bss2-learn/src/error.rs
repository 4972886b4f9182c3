//! What can go wrong while learning.

use bss2_event::{Fault, SpikeBatch, TimeGrid};
use thiserror::Error;

use crate::checkpoint::CheckpointError;
use crate::network::{Layer, NetworkShape};
use crate::substrate::SubstrateError;

/// Errors of this crate.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LearnError {
    /// A weight matrix does not belong to the network.
    #[error(
        "the {layer} weights are {} x {} (targets x sources), the network needs {} x {}",
        found.0, found.1, wanted.0, wanted.1
    )]
    WeightShape {
        /// Projection.
        layer: Layer,
        /// (targets, sources) as given.
        found: (usize, usize),
        /// (targets, sources) of the network.
        wanted: (usize, usize),
    },
    /// A batch has other inputs than the network.
    #[error("the batch has {found} input channels, the network has {wanted}")]
    Inputs {
        /// Channels of the batch.
        found: usize,
        /// Inputs of the network.
        wanted: usize,
    },
    /// Two parts of a batch do not belong together.
    #[error("there are {found} {what}, but {wanted} are needed")]
    Count {
        /// What was counted.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there should be.
        wanted: usize,
    },
    /// A recording was made without traces that are needed.
    #[error(
        "the recording has the traces of neuron {traced_from} and later ones, needed are those from {first} on (`Recording::trace_from`)"
    )]
    Untraced {
        /// First neuron whose traces were asked for.
        traced_from: usize,
        /// First neuron whose traces are needed.
        first: usize,
    },
    /// A label has no output neuron.
    #[error("sample {sample} has label {label}, but the network has {outputs} outputs")]
    Label {
        /// Identity of the sample.
        sample: u64,
        /// Its label.
        label: u8,
        /// Outputs of the network.
        outputs: usize,
    },
    /// Settings outside their ranges: all of them.
    #[error("{}", list(faults))]
    Config {
        /// Each field, its value and what is allowed.
        faults: Vec<Fault>,
    },
    /// A weight is no number, or beyond what the hardware or a training's `weight_limit` allows.
    #[error("{} {layer} weight is {value}, allowed are {}", article(*layer), within(*limit, limited_by))]
    WeightRange {
        /// Projection.
        layer: Layer,
        /// The first offending weight.
        value: f32,
        /// Largest magnitude; of output weights, which are finite only, the largest number.
        limit: f32,
        /// The setting that the limit comes from.
        limited_by: &'static str,
    },
    /// A stored state does not belong to this training.
    #[error(
        "the stored {part} is of another training; start anew, or resume with the configuration it was made with"
    )]
    Restore {
        /// Which part differs.
        part: &'static str,
    },
    /// A substrate is not the one that a training was made for.
    #[error(
        "the substrate runs {found:?} on {found_grid:?}, the training is of {wanted:?} on {wanted_grid:?}"
    )]
    OtherSubstrate {
        /// Network of the substrate.
        found: NetworkShape,
        /// Network of the training.
        wanted: NetworkShape,
        /// Grid of the substrate.
        found_grid: TimeGrid,
        /// Grid of the training.
        wanted_grid: TimeGrid,
    },
    /// A loss is infinite or not a number, or a gradient larger than an optimiser can square.
    #[error(
        "after {step} steps the loss is not finite, or its gradient beyond 1e18: the substrate recorded such traces, or they overflow"
    )]
    NotFinite {
        /// Step of the training.
        step: u64,
    },
    /// The substrate failed.
    #[error("the substrate could not go on: {0}")]
    Substrate(#[from] SubstrateError),
    /// A checkpoint could not be written, or not read as one.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

/// The range of a weight; a limit may be wider than it says by rounding.
fn within(limit: f32, limited_by: &str) -> String {
    if limit < f32::MAX {
        format!("-{limit:.4} to {limit:.4} ({limited_by})")
    } else {
        "finite numbers".to_owned()
    }
}

fn article(layer: Layer) -> &'static str {
    match layer {
        Layer::Hidden | Layer::Recurrent => "a",
        Layer::Output => "an",
    }
}

fn list(faults: &[Fault]) -> String {
    let texts: Vec<String> = faults.iter().map(Fault::to_string).collect();
    texts.join("; ")
}

impl LearnError {
    /// An error where there are faults.
    pub(crate) fn from_faults(faults: Vec<Fault>) -> Result<(), Self> {
        if faults.is_empty() {
            Ok(())
        } else {
            Err(Self::Config { faults })
        }
    }

    /// Refuses a batch of other input channels than the network has.
    ///
    /// # Errors
    /// [`LearnError::Inputs`].
    pub fn check_inputs(shape: NetworkShape, batch: &SpikeBatch) -> Result<(), Self> {
        let (found, wanted) = (batch.channels(), shape.inputs);
        if found == wanted {
            Ok(())
        } else {
            Err(Self::Inputs { found, wanted })
        }
    }
}
