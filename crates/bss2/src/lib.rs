//! A BrainScaleS-2 chip in software, and the learner that trains spiking
//! networks on it in the loop.
//!
//! This crate composes the others and holds no model of its own:
//!
//! - [`chip`]: event fabric and analog core behind one
//!   [`Substrate`](bss2_learn::Substrate);
//! - [`fleet`]: several chips that share the work;
//! - [`config`]: an experiment as one TOML file;
//! - [`data`], [`substrates`], [`training`], [`evaluation`]: what an experiment
//!   is made of, and how it runs;
//! - [`run_folder`], [`metrics`], [`plot`]: what it leaves behind;
//! - [`observation`], [`exchange`]: what a trained network does with single images,
//!   in arrays for other programs;
//! - [`workload`]: an experiment without a run folder, whose speed is measured;
//! - [`cli`]: the `bss2` command.
//!
//! The member crates are re-exported, so that a user imports one crate:
//!
//! ```
//! use bss2::event::{Recording, Seconds, SpikeBatch, TimeGrid};
//! use bss2::learn::{Ideal, InitConfig, NetworkShape, NeuronModel, Reset, Substrate};
//!
//! let shape = NetworkShape { inputs: 4, hidden: 8, outputs: 2, recurrent: false };
//! let grid = TimeGrid { steps: 20, dt: Seconds::micro(1.7) };
//! let model = NeuronModel::default();
//! let mut network = Ideal::<f32>::new(shape, grid, &model, Reset::default())?;
//! network.write_weights(&InitConfig::default().draw(Default::default(), shape, &model, grid.dt))?;
//!
//! let mut batch = SpikeBatch::new(4);
//! batch.push(0, [(Seconds::micro(2.0), 1), (Seconds::micro(5.0), 3)])?;
//! let mut recording = Recording::default();
//! network.run(&batch, &mut recording)?;
//! assert_eq!(recording.sample_traces(0).len(), 20 * 10);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// A line that nobody reads must not end the work: see `tell`.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod awake;
pub mod characterisation;
pub mod chip;
pub mod chip_report;
pub mod cli;
pub mod config;
pub mod data;
pub mod download;
pub mod error;
pub mod evaluation;
pub mod exchange;
pub mod files;
pub mod fleet;
pub mod import;
pub mod metrics;
pub mod npz;
pub mod observation;
pub mod plot;
pub mod power_report;
pub mod run_folder;
pub mod substrates;
pub mod tell;
pub mod training;
pub mod workload;

pub use bss2_analog as analog;
pub use bss2_encode as encode;
pub use bss2_event as event;
pub use bss2_learn as learn;
pub use bss2_routing as routing;

pub use error::Error;

/// The examples of the README, which must run.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
