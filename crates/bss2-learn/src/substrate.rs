//! What a network can be trained on: a chip, or the ideal software network.

use std::iter::Sum;

use bss2_event::{Recording, SpikeBatch, TimeGrid};

use crate::network::{Layer, NetworkShape, Weights};

/// Something that runs a network: given weights and input spikes it returns
/// membrane traces and spikes.
///
/// The learner knows no more of it than this. Traces are in the learner's
/// units (leak 0, threshold 1); a substrate that measures anything else, such
/// as CADC codes, converts it (see [`crate::TraceScale`]).
pub trait Substrate: Send {
    /// Sizes of the network that it runs.
    fn shape(&self) -> NetworkShape;

    /// The grid of its recordings.
    fn time_grid(&self) -> TimeGrid;

    /// What a user should know before anything is run, such as neurons that
    /// could not be calibrated.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// How many samples a test should hand over at once at least, so that all threads have
    /// work: more than one where many of them are one task.
    fn least_batch(&self) -> usize {
        1
    }

    /// Takes new weights, rounded as it must.
    ///
    /// # Errors
    /// When the weights do not fit the network.
    fn write_weights(&mut self, weights: &Weights) -> Result<WriteReport, SubstrateError>;

    /// Runs every sample and fills `recording` with
    /// `[sample, time, neuron]`, hidden neurons first, then outputs.
    ///
    /// Where samples are run from rest, each one's result depends on the weights, the substrate's seed, the
    /// sample's identity and the batch's presentation alone: not on its place
    /// in the batch, nor on the number of threads. A substrate that is set to run
    /// them in close succession says how a batch is cut into successions.
    ///
    /// # Errors
    /// When the batch does not fit the network.
    fn run(
        &mut self,
        batch: &SpikeBatch,
        recording: &mut Recording,
    ) -> Result<RunReport, SubstrateError>;
}

/// What a substrate made of the weights it was given.
#[derive(Debug, Clone, PartialEq)]
pub struct WriteReport {
    /// Hardware weight for an output weight of 1, which adjusts itself; 1
    /// where weights are not rounded. Recorded output traces are already
    /// scaled back, so this is for information.
    pub output_scale: f32,
    /// Projections whose weights all became zero although some were not.
    pub silent_layers: Vec<Layer>,
}

/// What happened during a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunReport {
    /// Input spikes and spikes of neurons, of all samples, that did not arrive everywhere
    /// since a link or a bus had more than it can carry; each counts once.
    pub lost_events: u64,
    /// Events that were on their way to the neurons when these were reset for the next
    /// sample, which lost them.
    pub reset_events: u64,
    /// Input spikes that came too late in their sample to be sent.
    pub unsent_inputs: u64,
}

impl Sum for RunReport {
    fn sum<I: Iterator<Item = Self>>(reports: I) -> Self {
        reports.fold(Self::default(), |sum, report| Self {
            lost_events: sum.lost_events + report.lost_events,
            reset_events: sum.reset_events + report.reset_events,
            unsent_inputs: sum.unsent_inputs + report.unsent_inputs,
        })
    }
}

/// Why a substrate could not do what was asked: its own error, boxed.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct SubstrateError(Box<dyn std::error::Error + Send + Sync>);

impl SubstrateError {
    /// Wraps the substrate's own error.
    pub fn new(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(error.into())
    }

    /// The substrate's own error.
    #[must_use]
    pub fn get_ref(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        &*self.0
    }
}
