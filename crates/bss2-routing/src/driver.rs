//! Synapse drivers: row select and the sign of rows.

use bss2_event::{RowMode, Site};

use crate::padi::PadiEvent;

/// One synapse driver: it feeds rows `2 d` ("bottom") and `2 d + 1` ("top") of
/// its half.
///
/// It fires when `position & mask == row_select & mask`, where the position on
/// the bus is `d / 4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SynapseDriver {
    /// Whether it listens to its bus at all.
    pub enable_receiver: bool,
    /// Whether it passes on all six bits of the label; without, only the top
    /// bit is sent and the others are 0.
    pub enable_address_out: bool,
    /// Bits of the row select that it compares, 5 bits.
    pub row_address_compare_mask: u8,
    /// Modes of its rows `[2 d, 2 d + 1]`.
    pub row_modes: [RowMode; 2],
}

impl Default for SynapseDriver {
    /// Silent.
    fn default() -> Self {
        Self {
            enable_receiver: false,
            enable_address_out: true,
            row_address_compare_mask: Self::MASK_MAX,
            row_modes: [RowMode::Disabled; 2],
        }
    }
}

impl SynapseDriver {
    /// Drivers of one half.
    pub const PER_HALF: usize = Site::ROWS / 2;
    /// Largest mask, of 5 bits.
    pub const MASK_MAX: u8 = 0b1_1111;

    /// The label that reaches the rows, or `None` where the driver stays
    /// silent: receiver off or row select of somebody else.
    #[must_use]
    pub fn receive(&self, position: u8, event: PadiEvent) -> Option<u8> {
        let mask = self.row_address_compare_mask & Self::MASK_MAX;
        let fires = self.enable_receiver && position & mask == event.row_select & mask;
        fires.then_some(if self.enable_address_out {
            event.label
        } else {
            event.label & 0b10_0000
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_masked_bits_are_compared() {
        let event = PadiEvent {
            row_select: 0b1_0110,
            label: 0b11_0101,
        };
        let mut driver = SynapseDriver {
            enable_receiver: true,
            row_address_compare_mask: 0b0_0011,
            ..SynapseDriver::default()
        };
        let fires = |driver: &SynapseDriver| {
            (0..32)
                .filter(|&p| driver.receive(p, event).is_some())
                .collect::<Vec<_>>()
        };
        assert_eq!(fires(&driver), [2, 6, 10, 14, 18, 22, 26, 30]);
        driver.row_address_compare_mask = 0b1_1111;
        assert_eq!(fires(&driver), [0b1_0110]);
        assert_eq!(driver.receive(22, event), Some(0b11_0101));
        driver.enable_address_out = false;
        assert_eq!(driver.receive(22, event), Some(0b10_0000));
        driver.enable_receiver = false;
        assert_eq!(fires(&driver), []);
    }
}
