//! Learning with surrogate gradients on measured traces and spikes.
//!
//! This crate knows neither how a chip works inside nor what the data are.

mod adjoint;
pub mod bptt;
pub mod error;
mod events;
mod gradient;
pub mod ideal;
mod lanes;
pub mod loss;
pub mod network;
pub mod neuron;
pub mod quantise;
pub mod real;
pub mod regulariser;
pub mod substrate;
pub mod surrogate;
pub mod trace;

pub use bptt::{Bptt, Objective, PassWeights, RecordedBatch};
pub use error::LearnError;
pub use ideal::{Ideal, Reset};
pub use loss::{LossConfig, Readout, SampleLoss};
pub use network::{Layer, NetworkShape, Weights};
pub use neuron::NeuronModel;
pub use quantise::{QuantiseConfig, QuantisedWeights, SignedMatrix};
pub use real::Real;
pub use regulariser::{LossTerms, Regularisers};
pub use substrate::{RunReport, Substrate, SubstrateError, WriteReport};
pub use surrogate::Surrogate;
pub use trace::{Interpolation, TraceScale, interpolate_traces, normalise_traces};
