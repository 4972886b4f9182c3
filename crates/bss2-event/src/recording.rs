//! What an experiment gives back.

use serde::{Deserialize, Serialize};

use crate::units::Seconds;

/// The times at which traces are sampled: `steps` samples `dt` apart, the
/// first at time zero.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeGrid {
    /// Number of samples.
    pub steps: usize,
    /// Time between two samples.
    pub dt: Seconds,
}

impl TimeGrid {
    /// Bins by which a time may lie before the bin that holds it: a time that is a multiple
    /// of `dt` is that multiple in spite of rounding.
    pub const SLACK: f64 = 1e-6;

    /// The bin that holds a time: `floor(t / dt)`, or `None` before the first bin or past the
    /// last one.
    #[must_use]
    pub fn bin(&self, seconds: f64) -> Option<usize> {
        let bin = (seconds / self.dt.get() + Self::SLACK).floor();
        (bin >= 0.0 && bin < self.steps as f64).then_some(bin as usize)
    }
}

/// Traces and spikes of a batch on a [`TimeGrid`].
///
/// Both arrays have the shape `[sample, time, neuron]`, flat, the neuron index
/// running fastest; neurons are counted as the network counts them, hidden
/// layers first. Traces are membranes in units of the learner: leak 0,
/// threshold 1. Spikes are 0 or 1 per bin: of several spikes of a neuron in a
/// bin one is kept.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Recording<T = f32> {
    samples: usize,
    steps: usize,
    neurons: usize,
    trace_from: usize,
    traces: Vec<T>,
    spikes: Vec<u8>,
}

impl<T: Copy + Default> Recording<T> {
    /// A silent recording.
    #[must_use]
    pub fn new(samples: usize, steps: usize, neurons: usize) -> Self {
        let mut recording = Self {
            samples: 0,
            steps: 0,
            neurons: 0,
            trace_from: 0,
            traces: Vec::new(),
            spikes: Vec::new(),
        };
        recording.resize(samples, steps, neurons);
        recording
    }

    /// From now on the traces of neurons before this one are not asked for: whoever fills
    /// the recording may leave them as they are. Spikes are always those of all.
    pub fn trace_from(&mut self, neuron: usize) {
        self.trace_from = neuron;
    }

    /// First neuron whose traces are asked for; 0 at first.
    #[must_use]
    pub fn traced_from(&self) -> usize {
        self.trace_from
    }

    /// Takes a new shape and keeps the memory where it suffices. The content is
    /// unspecified afterwards; whoever fills a recording writes all of it.
    pub fn resize(&mut self, samples: usize, steps: usize, neurons: usize) {
        (self.samples, self.steps, self.neurons) = (samples, steps, neurons);
        let len = samples * steps * neurons;
        self.traces.resize(len, T::default());
        self.spikes.resize(len, 0);
    }

    /// Number of samples.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.samples
    }
    /// Number of time steps.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.steps
    }
    /// Number of neurons.
    #[must_use]
    pub fn neurons(&self) -> usize {
        self.neurons
    }
    /// Elements of one sample: `steps * neurons`.
    #[must_use]
    pub fn sample_len(&self) -> usize {
        self.steps * self.neurons
    }
    /// All traces, `[sample, time, neuron]`.
    #[must_use]
    pub fn traces(&self) -> &[T] {
        &self.traces
    }
    /// All spikes, `[sample, time, neuron]`.
    #[must_use]
    pub fn spikes(&self) -> &[u8] {
        &self.spikes
    }
    /// Traces of one sample, `[time, neuron]`.
    ///
    /// # Panics
    /// If there is no such sample.
    #[must_use]
    pub fn sample_traces(&self, sample: usize) -> &[T] {
        &self.traces[sample * self.sample_len()..][..self.steps * self.neurons]
    }
    /// Spikes of one sample, `[time, neuron]`.
    ///
    /// # Panics
    /// If there is no such sample.
    #[must_use]
    pub fn sample_spikes(&self, sample: usize) -> &[u8] {
        &self.spikes[sample * self.sample_len()..][..self.steps * self.neurons]
    }
    /// Both arrays for writing.
    pub fn parts_mut(&mut self) -> (&mut [T], &mut [u8]) {
        (&mut self.traces, &mut self.spikes)
    }
}
