//! Event labels: 16 bits on the links, 14 of them in the fabric.

use bss2_event::RangeError;

/// What crossbar, drivers and synapses see of an event: 14 bits.
///
/// | bits | are |
/// |---|---|
/// | 10:6 | row select, compared by synapse drivers |
/// | 5:0 | synapse label, compared by synapses |
/// | 10:8 | event output, in labels that neurons send |
/// | 7:0 | address of the neuron backend, in labels that neurons send |
///
/// The fields overlap on purpose: that is how an on-chip spike selects rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NeuronLabel(u16);

/// An event on a link: two bits of address above a [`NeuronLabel`].
///
/// Towards the chip the address (bits 15:14, "SPL1 address") names the crossbar
/// input, from the chip the crossbar output that the event uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LinkLabel(pub u16);

impl NeuronLabel {
    /// Largest label.
    pub const MAX: u16 = 0x3fff;

    /// A label of 14 bits.
    ///
    /// # Errors
    /// [`RangeError`] above [`NeuronLabel::MAX`].
    pub fn new(bits: u16) -> Result<Self, RangeError> {
        RangeError::check("neuron label", bits.into(), 0.0, Self::MAX.into(), "")?;
        Ok(Self(bits))
    }
    /// The low 14 bits of a number, as a register of that width keeps them.
    #[must_use]
    pub const fn truncated(bits: u16) -> Self {
        Self(bits & Self::MAX)
    }
    /// The label that a neuron sends: its event output (0..8) above its address.
    #[must_use]
    pub const fn of_neuron(event_output: u8, address: u8) -> Self {
        Self((event_output as u16 & 0b111) << 8 | address as u16)
    }
    /// All 14 bits.
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }
    /// Bits 10:6, compared by synapse drivers.
    #[must_use]
    pub const fn row_select(self) -> u8 {
        (self.0 >> 6) as u8 & 0b1_1111
    }
    /// Bits 5:0, compared by synapses.
    #[must_use]
    pub const fn synapse_label(self) -> u8 {
        self.0 as u8 & 0b11_1111
    }
    /// Bits 10:8: the event output of an on-chip spike.
    #[must_use]
    pub const fn event_output(self) -> u8 {
        (self.0 >> 8) as u8 & 0b111
    }
    /// Bits 7:0: the backend address of an on-chip spike.
    #[must_use]
    pub const fn address(self) -> u8 {
        self.0 as u8
    }
}

impl LinkLabel {
    /// Joins the low two bits of `spl1_address` with a neuron label.
    #[must_use]
    pub const fn new(spl1_address: u8, label: NeuronLabel) -> Self {
        Self((spl1_address as u16 & 0b11) << 14 | label.0)
    }
    /// Bits 15:14: which crossbar input (to the chip) or output (from it).
    #[must_use]
    pub const fn spl1_address(self) -> u8 {
        (self.0 >> 14) as u8
    }
    /// Bits 13:0.
    #[must_use]
    pub const fn neuron_label(self) -> NeuronLabel {
        NeuronLabel::truncated(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_sit_where_the_chip_has_them() {
        let label = NeuronLabel::of_neuron(0b101, 0b1001_0110);
        assert_eq!(label.bits(), 0b101_1001_0110);
        assert_eq!(label.row_select(), 0b1_0110);
        assert_eq!(label.synapse_label(), 0b01_0110);
        assert_eq!((label.event_output(), label.address()), (5, 0b1001_0110));
        let link = LinkLabel::new(3, label);
        assert_eq!(link.0, 0b1100_0101_1001_0110);
        assert_eq!((link.spl1_address(), link.neuron_label()), (3, label));
        assert!(NeuronLabel::new(0x4000).is_err());
    }
}
