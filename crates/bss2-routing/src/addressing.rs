//! The published numbering of sources, and which rows listen to them.
//!
//! A chip in this scheme knows 1,024 sources: four groups of 256 addresses on
//! four buses. Neurons are the first of them (256 of two circuits, or 512 of
//! one), inputs from outside use the groups that neurons leave free.
//!
//! With n circuits per neuron and source s:
//!
//! ```text
//! block   b = (s / (32/n)) % 8               event output of the neuron
//! bus       = b % 4
//! u         = s % (32/n) + (32/n) * ((s % 256) / (128/n))
//! address   = (u & 3) << 6  |  (u >> 2) << 2  |  s / 256
//! ```
//!
//! Bits 7:6 of the address select rows (four values, compared by drivers with
//! the mask 0b00011), bits 5:0 are the synapse label.
//!
//! # Source
//! Routing of the authors' public code (`strobe/routing.py`). A test compares with
//! arrays that it made, where the environment variable `BSS2_GOLDEN` names a folder
//! with them (`routing.npz`).

use std::fmt;

use bss2_event::{RangeError, Site};

use crate::label::{LinkLabel, NeuronLabel};
use crate::padi::PadiBus;
use crate::synram::Synram;

/// How sources are numbered and rows assigned to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Addressing {
    circuits_per_neuron: u8,
    signed: bool,
}

impl Addressing {
    /// Sources that have an address.
    pub const SOURCES: usize = 1024;
    /// Sources that differ in bus and address, apart from the group.
    pub const SLOTS: usize = 256;
    /// Groups of [`Addressing::SLOTS`] sources: the two low bits of an address.
    pub const GROUPS: usize = 4;
    /// Row-select bits that drivers compare in this scheme.
    pub const ROW_MASK: u8 = 0b0_0011;

    /// Numbering for neurons of one or two circuits, with a pair of an
    /// excitatory and an inhibitory row per source (`signed`) or one
    /// excitatory row.
    ///
    /// # Errors
    /// [`RangeError`] for more than two circuits or none.
    pub fn new(circuits_per_neuron: usize, signed: bool) -> Result<Self, RangeError> {
        RangeError::check(
            "circuits_per_neuron",
            circuits_per_neuron as f64,
            1.0,
            2.0,
            "",
        )?;
        Ok(Self {
            circuits_per_neuron: circuits_per_neuron as u8,
            signed,
        })
    }

    /// Neuron circuits that make one logical neuron: 1 or 2.
    #[must_use]
    pub const fn circuits_per_neuron(self) -> usize {
        self.circuits_per_neuron as usize
    }
    /// Whether a weight is a pair of an excitatory and an inhibitory row.
    #[must_use]
    pub const fn signed(self) -> bool {
        self.signed
    }
    /// All four schemes.
    pub(crate) fn all() -> [Self; 4] {
        [(1, true), (2, true), (1, false), (2, false)].map(|(circuits_per_neuron, signed)| Self {
            circuits_per_neuron,
            signed,
        })
    }
    /// Logical neurons on the chip; they are the first sources.
    #[must_use]
    pub const fn neurons(self) -> usize {
        512 / self.circuits_per_neuron as usize
    }
    /// Rows or pairs of rows, each reached by its own slots.
    #[must_use]
    pub const fn lines(self) -> usize {
        if self.signed { 128 } else { 256 }
    }
    /// Synapses of one neuron that each hear a source of their own: all lines of
    /// all its circuits.
    #[must_use]
    pub const fn cells(self) -> usize {
        self.lines() * self.circuits_per_neuron()
    }
    /// Group, 0..4, of a source, 0..1024; larger numbers count anew.
    #[must_use]
    pub const fn group(source: usize) -> usize {
        source / Self::SLOTS % Self::GROUPS
    }

    /// Bus (0..4 within each half) of a source, 0..1024.
    ///
    /// # Panics
    /// If there is no such source.
    #[must_use]
    pub const fn neuron_bus(self, source: usize) -> u8 {
        assert!(source < Self::SOURCES, "sources are below 1024");
        (source / self.span() % 8 % PadiBus::PER_HALF) as u8
    }

    /// Eight-bit address of a source, 0..1024.
    ///
    /// # Panics
    /// If there is no such source.
    #[must_use]
    pub const fn neuron_address(self, source: usize) -> u8 {
        assert!(source < Self::SOURCES, "sources are below 1024");
        let span = self.span();
        let blocks = 128 / self.circuits_per_neuron as usize;
        let unshifted = source % span + span * (source % Self::SLOTS / blocks);
        ((unshifted & 0b11) << 6 | (unshifted >> 2) << 2 | Self::group(source)) as u8
    }

    /// The source with an address on a bus (0..4, of which the two low bits count);
    /// the inverse of
    /// [`Addressing::neuron_bus`] with [`Addressing::neuron_address`].
    #[must_use]
    pub const fn source(self, bus: u8, address: u8) -> usize {
        let span = self.span();
        let address = address as usize;
        let unshifted = address >> 6 | (address >> 2 & 0b1111) << 2;
        // Blocks repeat on a bus after four; two-circuit neurons fit four
        // blocks below an address of 64, one-circuit neurons two.
        let block = unshifted / span * PadiBus::PER_HALF + bus as usize % PadiBus::PER_HALF;
        (address & 0b11) * Self::SLOTS + block * span + unshifted % span
    }

    /// Label by which a source from outside, 0..1024, enters the chip.
    ///
    /// # Panics
    /// If there is no such source.
    #[must_use]
    pub const fn input_label(self, source: usize) -> LinkLabel {
        let label = NeuronLabel::truncated(self.neuron_address(source) as u16);
        LinkLabel::new(self.neuron_bus(source), label)
    }

    /// The source of an event from the chip, of which it reads the bus in bits
    /// 9:8 and the address in bits 7:0.
    #[must_use]
    pub const fn decode(self, label: NeuronLabel) -> usize {
        self.source(label.event_output() & 0b11, label.address())
    }

    /// Bus (0..4 within its half) of a row, 0..256.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub const fn row_bus(self, row: usize) -> u8 {
        assert!(row < Site::ROWS, "rows are below 256");
        (row / 2 % PadiBus::PER_HALF) as u8
    }

    /// The two row-select bits that reach a row, 0..256.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub const fn row_select(self, row: usize) -> u8 {
        assert!(row < Site::ROWS, "rows are below 256");
        (row / 8 % 4) as u8
    }

    /// Label of the synapses of a row, 0..256, for sources of group 0; the group is
    /// added. Sources of slot 128 and above of a signed row add 32.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub const fn row_label(self, row: usize) -> u8 {
        assert!(row < Site::ROWS, "rows are below 256");
        // Bits 2:0 of the driver's block, reversed into bits 4:2.
        let block = row / 32;
        let reversed = (block & 1) << 2 | (block & 2) | block >> 2;
        let odd = if self.signed { 0 } else { row % 2 };
        (odd << 5 | reversed << 2) as u8
    }

    /// The source of group 0 (its lowest slot) that reaches a row, 0..256.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub const fn row_source(self, row: usize) -> usize {
        let address = self.row_select(row) << 6 | self.row_label(row);
        self.source(self.row_bus(row), address)
    }

    /// Label of the synapses that listen to a source, 0..1024.
    ///
    /// # Panics
    /// If there is no such source.
    #[must_use]
    pub const fn synapse_label(self, source: usize) -> u8 {
        self.neuron_address(source) & Synram::MAX
    }

    /// For every line (see [`Addressing::lines`]; line = source % lines) the
    /// row that its sources reach; of a signed pair the even, excitatory one.
    #[must_use]
    pub fn line_rows(self) -> Vec<usize> {
        let mut rows = vec![0; self.lines()];
        let step = if self.signed { 2 } else { 1 };
        for row in (0..256).step_by(step) {
            rows[self.row_source(row)] = row;
        }
        rows
    }

    const fn span(self) -> usize {
        32 / self.circuits_per_neuron as usize
    }
}

impl fmt::Display for Addressing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.circuits_per_neuron == 1 {
            ""
        } else {
            "s"
        };
        let sign = if self.signed { "signed" } else { "unsigned" };
        let circuits = self.circuits_per_neuron;
        write!(
            f,
            "{circuits} circuit{plural} per neuron and {sign} weights"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_to_address_to_source_is_the_identity() {
        for scheme in Addressing::all() {
            for source in 0..Addressing::SOURCES {
                let (bus, address) = (scheme.neuron_bus(source), scheme.neuron_address(source));
                assert_eq!(scheme.source(bus, address), source, "{scheme:?}");
                assert_eq!(scheme.input_label(source).spl1_address(), bus);
            }
        }
    }

    #[test]
    fn sources_and_rows_that_there_are_not_are_no_others() {
        let scheme = Addressing::new(2, true).unwrap();
        type Call = fn(Addressing) -> u8;
        let wrong: [(&str, Call); 5] = [
            ("input_label", |scheme| {
                scheme.input_label(1024).spl1_address()
            }),
            ("neuron_address", |scheme| scheme.neuron_address(1024)),
            ("row_label", |scheme| scheme.row_label(256)),
            ("row_bus", |scheme| scheme.row_bus(256)),
            ("of_driver", |_| PadiBus::of_driver(2, 0).index() as u8),
        ];
        for (name, call) in wrong {
            assert!(std::panic::catch_unwind(|| call(scheme)).is_err(), "{name}");
        }
    }

    #[test]
    fn the_published_order_of_drivers() {
        let scheme = Addressing::new(2, true).unwrap();
        let sources: Vec<usize> = (0..20).map(|d| scheme.row_source(2 * d) % 128).collect();
        let published = [
            0, 16, 32, 48, 1, 17, 33, 49, 2, 18, 34, 50, 3, 19, 35, 51, 64, 80, 96, 112,
        ];
        assert_eq!(sources, published);
    }

    #[test]
    fn the_numbering_is_its_equation() {
        for scheme in Addressing::all() {
            let n = scheme.circuits_per_neuron();
            for s in 0..Addressing::SOURCES {
                let bus = s / (32 / n) % 8 % 4;
                let u = s % (32 / n) + (32 / n) * ((s % 256) / (128 / n));
                let address = (u % 4) * 64 + (u / 4) * 4 + s / 256;
                assert_eq!(usize::from(scheme.neuron_bus(s)), bus, "{scheme}, {s}");
                assert_eq!(
                    usize::from(scheme.neuron_address(s)),
                    address,
                    "{scheme}, {s}"
                );
            }
        }
    }

    #[test]
    fn rows_of_all_schemes_are_those_that_hear_their_source() {
        for scheme in Addressing::all() {
            let fabric = crate::Fabric::of(scheme);
            for row in 0..Site::ROWS {
                let source = scheme.row_source(row);
                let bus = PadiBus::of_driver(0, row / 2);
                assert_eq!(scheme.neuron_bus(source), scheme.row_bus(row));
                assert_eq!(usize::from(scheme.row_bus(row)), bus.index());
                let event = scheme.input_label(source).neuron_label().into();
                let label = fabric.drivers[row / 2].receive((row / 8) as u8, event);
                assert_eq!(label, Some(scheme.row_label(row)), "{scheme}, row {row}");
            }
        }
    }

    #[test]
    fn lines_and_rows_are_one_to_one() {
        for scheme in Addressing::all() {
            let mut rows = scheme.line_rows();
            for (line, &row) in rows.iter().enumerate() {
                assert_eq!(scheme.row_source(row), line);
            }
            rows.sort_unstable();
            rows.dedup();
            assert_eq!(rows.len(), scheme.lines());
        }
        assert!(Addressing::new(3, true).is_err());
    }
}
