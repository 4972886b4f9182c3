//! Neuron backends: from a comparator to a label.

use bss2_event::Site;

use crate::label::NeuronLabel;

/// Neuron event outputs; both halves share them.
pub const EVENT_OUTPUTS: usize = 8;

/// The digital end of a neuron circuit, as far as its spikes are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct NeuronBackend {
    /// Low eight bits of the label that it sends.
    pub address_out: u8,
    /// Whether its spikes leave it.
    pub enable_spike_out: bool,
}

/// The event output of a neuron circuit, 0..512, fixed by its column.
///
/// # Panics
/// If there is no such circuit.
#[must_use]
pub const fn event_output(circuit: u16) -> u8 {
    let circuit = circuit as usize;
    assert!(circuit < Site::CIRCUITS, "circuits are below 512");
    (circuit % Site::COLUMNS / (Site::COLUMNS / EVENT_OUTPUTS)) as u8
}

impl NeuronBackend {
    /// The label that a spike of this circuit carries, or `None` where spikes
    /// are switched off. Bits 13:11 are 0.
    ///
    /// # Panics
    /// If spikes are on and there is no such circuit.
    #[must_use]
    pub fn label(&self, circuit: u16) -> Option<NeuronLabel> {
        self.enable_spike_out
            .then(|| NeuronLabel::of_neuron(event_output(circuit), self.address_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixty_four_circuits_share_an_event_output() {
        let mut circuits = [0; EVENT_OUTPUTS];
        for circuit in 0..Site::CIRCUITS as u16 {
            circuits[usize::from(event_output(circuit))] += 1;
        }
        assert_eq!(circuits, [64; EVENT_OUTPUTS]);
        assert_eq!(event_output(256 + 95), 2);
        assert!(std::panic::catch_unwind(|| event_output(600)).is_err());
    }
}
