//! Learning with surrogate gradients on measured traces and spikes.
//!
//! This crate knows neither how a chip works inside nor what the data are.

pub mod error;
pub mod network;
pub mod substrate;

pub use error::LearnError;
pub use network::{Layer, NetworkShape, Weights};
pub use substrate::{RunReport, Substrate, SubstrateError, WriteReport};
