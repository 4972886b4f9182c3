//! The crossbar: 20 inputs, 12 outputs, and a node at 76 of their crossings.

use bss2_event::RangeError;

use crate::error::RoutingError;
use crate::label::NeuronLabel;
use crate::padi::PadiBus;

/// An input of the crossbar.
///
/// | index | is | may reach |
/// |---|---|---|
/// | 0..8 | neuron event output `i` | buses `i % 4` and `4 + i % 4`, link output `i % 4` |
/// | 8..12 | link input `s` | all eight buses, link output `s` |
/// | 12..20 | background source `k` | bus `k`, link output `k % 4` |
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CrossbarInput(u8);

/// An output of the crossbar: 0..8 are PADI buses, 8..12 link outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CrossbarOutput(u8);

/// One node: it passes a label when `label & mask == target`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CrossbarNode {
    /// Bits that are compared, 14 bits.
    pub mask: u16,
    /// What they must be, 14 bits.
    pub target: u16,
}

/// All nodes of a chip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crossbar {
    nodes: [[CrossbarNode; CrossbarOutput::COUNT]; CrossbarInput::COUNT],
}

impl CrossbarInput {
    /// Number of inputs.
    pub const COUNT: usize = 20;

    /// Input by index, 0..20.
    ///
    /// # Errors
    /// [`RangeError`] for any other index.
    pub fn new(index: usize) -> Result<Self, RangeError> {
        RangeError::check("crossbar input", index as f64, 0.0, 19.0, "")?;
        Ok(Self(index as u8))
    }
    /// All inputs in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT as u8).map(Self)
    }
    /// The input behind a neuron event output, the low three bits of `output`.
    #[must_use]
    pub const fn neurons(output: u8) -> Self {
        Self(output & 0b111)
    }
    /// The input behind a link address, the low two bits of `spl1_address`.
    #[must_use]
    pub const fn link(spl1_address: u8) -> Self {
        Self(8 + (spl1_address & 0b11))
    }
    /// The input behind a background source, the low three bits of `source`.
    #[must_use]
    pub const fn background(source: u8) -> Self {
        Self(12 + (source & 0b111))
    }
    /// Index, 0..20.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl CrossbarOutput {
    /// Number of outputs.
    pub const COUNT: usize = 12;

    /// Output by index, 0..12.
    ///
    /// # Errors
    /// [`RangeError`] for any other index.
    pub fn new(index: usize) -> Result<Self, RangeError> {
        RangeError::check("crossbar output", index as f64, 0.0, 11.0, "")?;
        Ok(Self(index as u8))
    }
    /// All outputs in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT as u8).map(Self)
    }
    /// The output that feeds a bus.
    #[must_use]
    pub const fn bus(bus: PadiBus) -> Self {
        Self(bus.index() as u8)
    }
    /// The bus that it feeds; `None` for the outputs that feed links.
    #[must_use]
    pub fn to_bus(self) -> Option<PadiBus> {
        PadiBus::new(self.index()).ok()
    }
    /// The output that feeds a link, the low two bits of `spl1_address`.
    #[must_use]
    pub const fn link(spl1_address: u8) -> Self {
        Self(8 + (spl1_address & 0b11))
    }
    /// Index, 0..12.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl CrossbarNode {
    /// Passes nothing: no label is 0x3fff under a mask of 0.
    pub const SILENT: Self = Self {
        mask: 0,
        target: NeuronLabel::MAX,
    };
    /// Passes everything.
    pub const OPEN: Self = Self { mask: 0, target: 0 };

    /// Whether a label passes.
    #[must_use]
    pub const fn passes(self, label: NeuronLabel) -> bool {
        label.bits() & self.mask == self.target
    }
}

impl Default for Crossbar {
    /// All nodes silent.
    fn default() -> Self {
        Self {
            nodes: [[CrossbarNode::SILENT; CrossbarOutput::COUNT]; CrossbarInput::COUNT],
        }
    }
}

impl Crossbar {
    /// Whether the chip has a node there.
    #[must_use]
    pub const fn exists(input: CrossbarInput, output: CrossbarOutput) -> bool {
        let (input, output) = (input.0, output.0);
        match input {
            // Neuron outputs and link outputs have the same period of four.
            0..8 => output % 4 == input % 4,
            8..12 => output < 8 || output == input,
            _ => output == input - 12 || output == 8 + (input - 12) % 4,
        }
    }

    /// The node at a crossing.
    #[must_use]
    pub fn node(&self, input: CrossbarInput, output: CrossbarOutput) -> CrossbarNode {
        self.nodes[input.index()][output.index()]
    }

    /// Sets a node.
    ///
    /// # Errors
    /// [`RoutingError::NoSuchNode`] where the chip has none, and
    /// [`RoutingError::Range`] for a mask or target of more than 14 bits.
    pub fn set(
        &mut self,
        input: CrossbarInput,
        output: CrossbarOutput,
        node: CrossbarNode,
    ) -> Result<(), RoutingError> {
        if !Self::exists(input, output) {
            return Err(RoutingError::NoSuchNode {
                input: input.index(),
                output: output.index(),
            });
        }
        for (field, bits) in [
            ("crossbar mask", node.mask),
            ("crossbar target", node.target),
        ] {
            RangeError::check(field, bits.into(), 0.0, NeuronLabel::MAX.into(), "")?;
        }
        self.nodes[input.index()][output.index()] = node;
        Ok(())
    }

    /// The outputs that a label leaves by.
    pub fn outputs(
        &self,
        input: CrossbarInput,
        label: NeuronLabel,
    ) -> impl Iterator<Item = CrossbarOutput> + '_ {
        CrossbarOutput::all().filter(move |&output| {
            Self::exists(input, output) && self.node(input, output).passes(label)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_has_its_76_nodes() {
        let of = |range: std::ops::Range<usize>| {
            CrossbarInput::all()
                .filter(|input| range.contains(&input.index()))
                .flat_map(|input| CrossbarOutput::all().map(move |output| (input, output)))
                .filter(|&(input, output)| Crossbar::exists(input, output))
                .count()
        };
        assert_eq!((of(0..8), of(8..12), of(12..20)), (24, 36, 16));
        assert!(Crossbar::exists(
            CrossbarInput::neurons(6),
            CrossbarOutput(10)
        ));
        assert!(Crossbar::exists(
            CrossbarInput::link(2),
            CrossbarOutput::link(2)
        ));
        assert!(!Crossbar::exists(
            CrossbarInput::link(2),
            CrossbarOutput::link(1)
        ));
        assert!(Crossbar::exists(
            CrossbarInput::background(5),
            CrossbarOutput::link(1)
        ));
    }

    #[test]
    fn absent_nodes_and_wide_masks_are_refused() {
        let mut crossbar = Crossbar::default();
        let (input, output) = (CrossbarInput::neurons(0), CrossbarOutput(1));
        let error = crossbar.set(input, output, CrossbarNode::OPEN).unwrap_err();
        assert!(error.to_string().contains("input 0"), "{error}");
        let wide = CrossbarNode {
            mask: 0x4000,
            target: 0,
        };
        assert!(crossbar.set(input, CrossbarOutput(0), wide).is_err());
        crossbar
            .set(input, CrossbarOutput(0), CrossbarNode::OPEN)
            .unwrap();
        let any = NeuronLabel::truncated(1234);
        assert!(crossbar.outputs(input, any).eq([CrossbarOutput(0)]));
        assert!(!CrossbarNode::SILENT.passes(NeuronLabel::truncated(NeuronLabel::MAX)));
    }
}
