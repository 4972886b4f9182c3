//! What can go wrong with a chip.

use std::path::{Path, PathBuf};

use bss2_analog::AnalogError;
use bss2_routing::RoutingError;
use thiserror::Error;

/// Why a chip could not be made or used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ChipError {
    /// The analog core refuses its settings.
    #[error(transparent)]
    Analog(#[from] AnalogError),
    /// The fabric refuses its settings.
    #[error(transparent)]
    Routing(#[from] RoutingError),
    /// The network is too large.
    #[error(
        "the network does not fit on the chip with chip.circuits_per_neuron = \
         {circuits_per_neuron}: {wanted} {what} wanted, {free} free; {remedy}"
    )]
    DoesNotFit {
        /// What is short, in the plural.
        what: String,
        /// How many the network needs.
        wanted: usize,
        /// How many there are for it.
        free: usize,
        /// Circuits of each neuron.
        circuits_per_neuron: usize,
        /// Settings under which it would fit.
        remedy: String,
    },
    /// A file of targets or a saved calibration cannot be used.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Targets scatter, and nothing brings the neurons there.
    #[error("chip.decalibration.sigma is {0}, allowed is 0 while chip.calibrated is false")]
    ScatterUncalibrated(f64),
    /// The membranes would never be read.
    #[error("no sample of the CADC fits: there are 0 steps before the end of an image")]
    NoSample,
    /// Chips are to be drawn by their seeds, but one was measured.
    #[error("{0} is one measured chip: there is no spread of it; --chip none draws chips")]
    OneChip(String),
    /// A source takes several ways through the fabric.
    #[error("a source of the network takes several ways through the fabric; placed ones take one")]
    SplitSource,
}

impl ChipError {
    /// What is wrong with a file or folder.
    pub(crate) fn file(path: &Path, reason: &impl ToString) -> Self {
        Self::File {
            path: path.to_owned(),
            reason: reason.to_string().trim_end().to_owned(),
        }
    }
}
