//! What can go wrong while learning.

use std::path::PathBuf;

use thiserror::Error;

use crate::network::Layer;
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
    /// A weight is beyond what the hardware can hold.
    #[error(
        "a {layer} weight is {value}, the hardware holds -{limit} to {limit}; clamp weights after each step"
    )]
    WeightRange {
        /// Projection.
        layer: Layer,
        /// The first offending weight.
        value: f32,
        /// Largest magnitude.
        limit: f32,
    },
    /// The substrate failed.
    #[error("the substrate could not go on: {0}")]
    Substrate(#[from] SubstrateError),
    /// A checkpoint could not be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// File.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}
