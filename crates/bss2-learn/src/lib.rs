//! Learning with surrogate gradients on measured traces and spikes.
//!
//! This crate knows neither how a chip works inside nor what the data are.

pub mod error;
pub mod network;
pub mod quantise;
pub mod substrate;
pub mod trace;

pub use error::LearnError;
pub use network::{Layer, NetworkShape, Weights};
pub use quantise::{QuantiseConfig, QuantisedWeights, SignedMatrix};
pub use substrate::{RunReport, Substrate, SubstrateError, WriteReport};
pub use trace::{Interpolation, TraceScale, interpolate_traces, normalise_traces};
