//! What a run of one sample gives back.

/// A spike as the comparator sends it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NeuronSpike {
    /// Seconds from the beginning of the sample.
    pub time: f64,
    /// Neuron as the network counts it.
    pub neuron: u16,
}

/// Time from one edge of the digital clock to the next: 125 MHz.
///
/// # Source
/// Hardware fact sheet, section 4.
const CLOCK_S: f64 = 8e-9;

impl NeuronSpike {
    /// The time stamp that the digital part gives it: the next edge of its 8 ns
    /// clock. Queues of an event fabric come on top.
    #[must_use]
    pub fn time_stamp(&self) -> f64 {
        // A time that is a multiple of the clock is that multiple in spite of rounding.
        (self.time / CLOCK_S - 1e-6).ceil() * CLOCK_S
    }
}

/// Spikes of a neuron as its counter shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpikeCounter {
    /// Number of spikes modulo 256.
    pub count: u8,
    /// Whether there were more than 255.
    pub overflow: bool,
}

/// CADC codes, MADC codes and spikes of one sample; reused from run to run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observation {
    pub(crate) neurons: usize,
    pub(crate) read_from: usize,
    pub(crate) codes: Vec<f32>,
    pub(crate) spikes: Vec<NeuronSpike>,
    pub(crate) madc: Vec<u16>,
}

impl Observation {
    /// From now on the CADC channels of neurons before this one are not read out,
    /// which saves time: their codes are unspecified. What is read does not depend on it.
    pub fn read_from(&mut self, neuron: usize) {
        self.read_from = neuron;
    }

    /// First neuron whose channel is read out; 0 at first.
    #[must_use]
    pub fn first_read(&self) -> usize {
        self.read_from
    }

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

    /// MADC codes `[sample]`, 0..=1023; of two neurons in turn. Empty where none
    /// were recorded.
    #[must_use]
    pub fn madc(&self) -> &[u16] {
        &self.madc
    }

    /// What the 512 spike counters of the chip would show, `[neuron]`: eight bits
    /// and whether they overflowed.
    #[must_use]
    pub fn spike_counters(&self) -> Vec<SpikeCounter> {
        let mut counters = vec![SpikeCounter::default(); self.neurons];
        for spike in &self.spikes {
            let counter = &mut counters[usize::from(spike.neuron)];
            (counter.count, counter.overflow) = match counter.count.checked_add(1) {
                Some(count) => (count, counter.overflow),
                None => (0, true),
            };
        }
        counters
    }

    /// Spikes ordered by (time, neuron).
    #[must_use]
    pub fn spikes(&self) -> &[NeuronSpike] {
        &self.spikes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_stamps_are_the_next_edge_of_the_clock() {
        let stamp = |time| NeuronSpike { time, neuron: 0 }.time_stamp();
        for (time, cycles) in [(0.0, 0.0), (1e-12, 1.0), (8e-9, 1.0), (8.1e-9, 2.0)] {
            assert!((stamp(time) / 8e-9 - cycles).abs() < 1e-9, "{time}");
        }
        for cycle in 0..20_000 {
            let time = f64::from(cycle) * 8e-9;
            assert_eq!(stamp(time), time, "a time on the grid stays");
        }
    }

    #[test]
    fn counters_have_eight_bits() {
        let spikes = |neuron, count| vec![NeuronSpike { time: 0.0, neuron }; count];
        let observation = Observation {
            neurons: 3,
            spikes: [spikes(0, 255), spikes(2, 258)].concat(),
            ..Observation::default()
        };
        let shown: Vec<(u8, bool)> = observation
            .spike_counters()
            .iter()
            .map(|c| (c.count, c.overflow))
            .collect();
        assert_eq!(shown, [(255, false), (0, false), (2, true)]);
    }
}
