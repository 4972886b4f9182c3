//! Learning with surrogate gradients on measured traces and spikes.
//!
//! This crate knows neither how a chip works inside nor what the data are. It
//! meets whatever runs the network through one trait, [`Substrate`]: weights
//! and input spikes go in, membrane traces and spikes come out. The
//! [`Ideal`] software network implements it, and so does an emulated chip.
//!
//! There is one path of training for all of them. A recording's values are
//! taken as they are; derivatives are those of an ideal model with homogeneous
//! neurons ([`bptt`]). For the ideal network, whose recording is the model's
//! own, this is the gradient of the model; for a chip it is learning in the
//! loop. The way of a gradient, module by module:
//!
//! [`substrate`] -> [`trace`] (codes become traces) -> [`loss`] and
//! [`regulariser`] -> [`bptt`] with a [`surrogate`] -> [`optim`] at the rate of
//! a [`schedule`] -> [`quantise`] (weights become signed 7 bit) -> substrate;
//! [`train`] closes the loop and [`checkpoint`] keeps it.
//!
//! Results do not depend on the number of threads or the instruction set, and a
//! training that was stopped goes on to the same bits.
//!
//! ```
//! use bss2_event::{Seconds, SpikeBatch, TimeGrid};
//! use bss2_learn::{Ideal, NetworkShape, Reset, TrainConfig, Trainer};
//!
//! let shape = NetworkShape { inputs: 40, hidden: 20, outputs: 2, recurrent: false };
//! let grid = TimeGrid { steps: 20, dt: Seconds::micro(1.7) };
//! let config = TrainConfig { learning_rate: 1e-2, ..TrainConfig::default() };
//! let mut substrate = Ideal::new(shape, grid, &config.model, Reset::Subtract)?;
//! let mut trainer = Trainer::new(config, shape, grid)?;
//!
//! // Which half of the inputs fires first?
//! let mut batch = SpikeBatch::new(40);
//! for first in 0..2_u16 {
//!     let time = |channel| Seconds::micro(if channel / 20 == first { 1.0 } else { 12.0 });
//!     batch.push(first.into(), (0..40).map(|channel| (time(channel), channel)))?;
//! }
//! for _ in 0..200 {
//!     trainer.step(&mut substrate, &batch, &[0, 1])?;
//! }
//! trainer.write_weights(&mut substrate)?;
//! let test = trainer.evaluate(&mut substrate, &batch, &[0, 1])?;
//! assert_eq!(test.correct, 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod adjoint;
mod average;
pub mod bptt;
pub mod checkpoint;
pub mod coarse;
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
pub mod reading;
mod real;
pub mod regulariser;
pub mod rewire;
pub mod schedule;
pub mod silence;
pub mod snapshot;
pub mod substrate;
pub mod surrogate;
pub mod trace;
pub mod train;

pub use bptt::{Bptt, Objective, PassWeights, RecordedBatch};
pub use checkpoint::{CheckpointError, read_checkpoint, write_checkpoint};
pub use coarse::{Coarse, WeightLevels};
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
pub use rewire::shuffle_recurrence;
pub use schedule::Schedule;
pub use silence::silence;
pub use snapshot::Snapshot;
pub use substrate::{RunReport, Substrate, SubstrateError, WriteReport};
pub use surrogate::Surrogate;
pub use trace::{Interpolation, TraceScale, coarse_code, interpolate_traces, normalise_traces};
pub use train::{Evaluation, StepReport, Trainer};
