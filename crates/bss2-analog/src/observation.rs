//! What a run of one sample gives back.

/// A spike as the comparator sends it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NeuronSpike {
    /// Seconds from the beginning of the sample.
    pub time: f64,
    /// Neuron as the network counts it.
    pub neuron: u16,
}

/// CADC codes and spikes of one sample; reused from run to run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observation {
    pub(crate) neurons: usize,
    pub(crate) codes: Vec<f32>,
    pub(crate) spikes: Vec<NeuronSpike>,
}

impl Observation {
    /// CADC codes `[time, neuron]`: whole numbers 0..=255 unless the profile
    /// switches rounding off.
    #[must_use]
    pub fn codes(&self) -> &[f32] {
        &self.codes
    }

    /// Codes of all neurons at one sample time.
    ///
    /// # Panics
    /// If there is no such sample.
    #[must_use]
    pub fn codes_at(&self, sample: usize) -> &[f32] {
        &self.codes[sample * self.neurons..][..self.neurons]
    }

    /// Spikes ordered by (time, neuron).
    #[must_use]
    pub fn spikes(&self) -> &[NeuronSpike] {
        &self.spikes
    }
}
