//! PADI buses: four per half, each with 32 synapse drivers.

use bss2_event::RangeError;

use crate::label::NeuronLabel;

/// One of the eight buses from the crossbar to the synapse drivers; 0..4 are
/// the top half's, 4..8 the bottom half's, in the order of crossbar outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PadiBus(u8);

impl PadiBus {
    /// Number of buses.
    pub const COUNT: usize = 8;
    /// Buses of one half.
    pub const PER_HALF: usize = 4;
    /// Synapse drivers on one bus.
    pub const DRIVERS: usize = 32;

    /// Bus by index, 0..8.
    ///
    /// # Errors
    /// [`RangeError`] for any other index.
    pub fn new(index: usize) -> Result<Self, RangeError> {
        RangeError::check("PADI bus", index as f64, 0.0, 7.0, "")?;
        Ok(Self(index as u8))
    }
    /// All buses in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT as u8).map(Self)
    }
    /// The bus that a driver (0..128) of a half (0 top, 1 bottom) listens to.
    ///
    /// # Panics
    /// If there is no such driver.
    #[must_use]
    pub const fn of_driver(half: usize, driver: usize) -> Self {
        assert!(half < 2, "the chip has two halves");
        assert!(
            driver < Self::PER_HALF * Self::DRIVERS,
            "drivers are below 128"
        );
        Self((half * Self::PER_HALF + driver % Self::PER_HALF) as u8)
    }
    /// Index, 0..8.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
    /// Half of the chip: 0 top, 1 bottom.
    #[must_use]
    pub const fn half(self) -> usize {
        self.0 as usize / Self::PER_HALF
    }
    /// Drivers on this bus as (position on the bus, driver of the half).
    pub fn drivers(self) -> impl Iterator<Item = (u8, usize)> {
        let first = usize::from(self.0) % Self::PER_HALF;
        (0..Self::DRIVERS).map(move |position| (position as u8, position * Self::PER_HALF + first))
    }
}

/// What travels on a bus: 11 of the bits of a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PadiEvent {
    /// Compared by synapse drivers, 5 bits.
    pub row_select: u8,
    /// Compared by synapses, 6 bits.
    pub label: u8,
}

impl From<NeuronLabel> for PadiEvent {
    fn from(label: NeuronLabel) -> Self {
        Self {
            row_select: label.row_select(),
            label: label.synapse_label(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_driver_sits_on_one_bus_once() {
        let mut seen = [[0; 128]; 2];
        for bus in PadiBus::all() {
            for (position, driver) in bus.drivers() {
                assert_eq!(PadiBus::of_driver(bus.half(), driver), bus);
                assert_eq!(usize::from(position), driver / 4);
                seen[bus.half()][driver] += 1;
            }
        }
        assert_eq!(seen, [[1; 128]; 2]);
        assert!(PadiBus::new(8).is_err());
    }
}
