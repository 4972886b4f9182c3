//! Everything that can keep an experiment from running.

use std::path::PathBuf;

use bss2_encode::EncodeError;
use bss2_event::RangeError;
use bss2_learn::{LearnError, SubstrateError};
use miette::Diagnostic;
use thiserror::Error;

use crate::chip::ChipError;
use crate::config::ConfigError;
use crate::metrics::MetricsError;
use crate::npz::NpzError;
use crate::plot::PlotError;
use crate::run_folder::RunFolderError;

/// Errors of this crate.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
pub enum Error {
    /// The configuration.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Config(#[from] ConfigError),
    /// The folder of the run.
    #[error(transparent)]
    #[diagnostic(transparent)]
    RunFolder(#[from] RunFolderError),
    /// The data set or the encoder.
    #[error(transparent)]
    #[diagnostic(help(
        "`--data DIR` names another folder, `--set data.file=FILE` another file of recordings; \
         `bss2 data check` looks at all data sets, `bss2 data fetch` downloads MNIST"
    ))]
    Encode(#[from] EncodeError),
    /// Learning, or a checkpoint.
    #[error(transparent)]
    Learn(#[from] LearnError),
    /// The substrate failed.
    #[error(transparent)]
    Substrate(#[from] SubstrateError),
    /// The chip refuses its settings or the network.
    #[error(transparent)]
    Chip(#[from] ChipError),
    /// A number outside its range.
    #[error(transparent)]
    Range(#[from] RangeError),
    /// An archive of arrays.
    #[error(transparent)]
    Npz(#[from] NpzError),
    /// The file that a run began with holds other weights now.
    #[error(
        "{path} holds other weights than when the run was begun; restore it, or begin a new run"
    )]
    InitChanged {
        /// The file.
        path: PathBuf,
    },
    /// The metrics file.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// A figure.
    #[error(transparent)]
    Plot(#[from] PlotError),
    /// A run goes on with other samples.
    #[error("this run was begun with other {sample}s; {again}, or begin a new one")]
    OtherData {
        /// The word for a sample.
        sample: &'static str,
        /// How it gets its own again.
        again: String,
    },
    /// A run is asked to end before where it stands.
    #[error("{done} epochs of this run are done and {asked} were asked for; begin a new run")]
    FewerEpochs {
        /// Epochs that are done.
        done: u32,
        /// Epochs that were asked for.
        asked: u32,
    },
    /// The metrics do not reach as far as the checkpoint.
    #[error(
        "the checkpoint of this run stands in epoch {checkpoint}, but metrics.jsonl has {metrics} \
         epochs: a file of the run was replaced or lost"
    )]
    MetricsBehind {
        /// Epochs that the checkpoint has completed.
        checkpoint: u32,
        /// Epochs in the metrics file.
        metrics: usize,
    },
}
