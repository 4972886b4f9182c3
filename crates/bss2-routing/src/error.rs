//! What can be wrong with a configuration of the fabric.

use bss2_event::{EventError, RangeError};
use thiserror::Error;

use crate::addressing::Addressing;

/// Errors of this crate.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum RoutingError {
    /// A number is outside its range.
    #[error(transparent)]
    Range(#[from] RangeError),
    /// A number is larger than its register.
    #[error("{register} of {of} is {value}, allowed are 0 to {max}")]
    Register {
        /// Which register.
        register: &'static str,
        /// Which part of the chip it belongs to.
        of: String,
        /// The value that was given.
        value: u8,
        /// The largest that it holds.
        max: u8,
    },
    /// A table could not be built.
    #[error(transparent)]
    Event(#[from] EventError),
    /// The chip has no crossbar node there.
    #[error(
        "the crossbar has no node from input {input} to output {output}; \
         see `Crossbar::exists` for those it has"
    )]
    NoSuchNode {
        /// Crossbar input, 0..20.
        input: usize,
        /// Crossbar output, 0..12.
        output: usize,
    },
    /// A background source runs, whose events have no place among compiled routes.
    #[error(
        "background source {index} is enabled, but compiled routes are those of inputs and \
         neurons; switch it off, or take its events through the fabric one by one"
    )]
    BackgroundSource {
        /// Which one, 0..8.
        index: usize,
    },
    /// A network is too large for the chip.
    #[error("the network does not fit: {wanted} {what} wanted, {free} free; {}", offer(.alternatives))]
    DoesNotFit {
        /// What is short, in the plural.
        what: String,
        /// How many the network needs.
        wanted: usize,
        /// How many there are for it.
        free: usize,
        /// Kinds of neurons with which the whole network would fit.
        alternatives: Vec<Addressing>,
    },
    /// A network has no layers, or a layer or its input is empty.
    #[error("{what} of the network is empty; at least one is needed")]
    Empty {
        /// Which part.
        what: String,
    },
    /// An array has the wrong number of elements.
    #[error("{what} has {found} elements, {expected} are expected")]
    Length {
        /// Which array.
        what: String,
        /// Elements that were given.
        found: usize,
        /// Elements that are needed.
        expected: usize,
    },
    /// A weight is outside what its synapse can hold.
    #[error(
        "weight from source {source_index} to target {target} of projection {projection} \
         is {value}, allowed are {min} to {max}"
    )]
    Weight {
        /// Projection, counted as in the placement.
        projection: usize,
        /// Source within the projection.
        source_index: usize,
        /// Target within the projection.
        target: usize,
        /// The value that was given.
        value: i32,
        /// Smallest weight.
        min: i32,
        /// Largest weight.
        max: i32,
    },
    /// Both synapses of a signed pair have a weight, which no write produces.
    #[error(
        "rows {row} and {next} of column {column} in half {half} both have a weight \
         ({excitatory} and {inhibitory}); a signed weight uses one of the two",
        next = .row + 1
    )]
    NotASignedWeight {
        /// 0 top, 1 bottom.
        half: usize,
        /// Even row of the pair.
        row: usize,
        /// Column.
        column: usize,
        /// Weight in the even row.
        excitatory: u8,
        /// Weight in the odd row.
        inhibitory: u8,
    },
    /// An endpoint names a circuit that does not exist.
    #[error("neuron {neuron} is on circuit {circuit}, but there are 512")]
    Circuit {
        /// Neuron, counted as the network counts.
        neuron: usize,
        /// The circuit as given.
        circuit: u16,
    },
}

fn offer(alternatives: &[Addressing]) -> String {
    if alternatives.is_empty() {
        return "no other kind of neurons makes room for it".to_owned();
    }
    let kinds: Vec<_> = alternatives.iter().map(Addressing::to_string).collect();
    format!("it would fit with {}", kinds.join(", or with "))
}
