//! Learning with surrogate gradients on measured traces and spikes.
//!
//! This crate knows neither how a chip works inside nor what the data are.

mod adjoint;
pub mod bptt;
pub mod checkpoint;
pub mod config;
pub mod dropout;
pub mod error;
mod events;
mod gradient;
pub mod ideal;
pub mod init;
mod lanes;
pub mod loss;
pub mod network;
pub mod neuron;
pub mod optim;
pub mod quantise;
pub mod real;
pub mod regulariser;
pub mod schedule;
pub mod snapshot;
pub mod substrate;
pub mod surrogate;
pub mod trace;
pub mod train;

pub use bptt::{Bptt, Objective, PassWeights, RecordedBatch};
pub use checkpoint::{CheckpointError, read_checkpoint, write_checkpoint};
pub use config::TrainConfig;
pub use dropout::DropoutMask;
pub use error::LearnError;
pub use ideal::{Ideal, Reset};
pub use init::InitConfig;
pub use loss::{LossConfig, Readout, SampleLoss};
pub use network::{Layer, NetworkShape, Weights};
pub use neuron::NeuronModel;
pub use optim::{AdamConfig, Optimiser, OptimiserConfig, OptimiserState, SgdConfig, Smorms3Config};
pub use quantise::{QuantiseConfig, QuantisedWeights, SignedMatrix};
pub use real::Real;
pub use regulariser::{LossTerms, Regularisers};
pub use schedule::Schedule;
pub use snapshot::Snapshot;
pub use substrate::{RunReport, Substrate, SubstrateError, WriteReport};
pub use surrogate::Surrogate;
pub use trace::{Interpolation, TraceScale, interpolate_traces, normalise_traces};
pub use train::{Evaluation, StepReport, Trainer};
