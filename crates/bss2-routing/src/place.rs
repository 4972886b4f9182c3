//! Placement: a layered network onto circuits, rows and labels.

use std::ops::Range;

use bss2_event::{NeuronCircuits, SynapseLabel};

use crate::addressing::Addressing;
use crate::compile::Endpoints;
use crate::error::RoutingError;
use crate::fan_in::{Cell, FanIn};
use crate::network::{LayerConfig, NetworkConfig};
use crate::synram::Synram;
use crate::weights::Block;

/// Connections from one group of sources to one layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Projection {
    /// First source, counted as the network counts: inputs, then neurons.
    pub first_source: usize,
    /// Number of sources.
    pub sources: usize,
    /// First target, counted in neurons.
    pub first_target: usize,
    /// Number of targets.
    pub targets: usize,
}

/// A network on the chip.
///
/// Neuron j is source j of the [`Addressing`] and takes circuits n j to
/// n j + n - 1. In every layer a source has one cell per target: a line (row,
/// or pair of rows) fixed by its address, and one of the target's circuits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    addressing: Addressing,
    circuits: Vec<NeuronCircuits>,
    /// Address number of each input.
    inputs: Vec<usize>,
    projections: Vec<Projection>,
    /// Parallel to `projections`.
    blocks: Vec<Block>,
}

/// Label of synapses that belong to no connection: group 3, which no source
/// of a placed network uses.
const PARKED_LABEL: u8 = 0b11;

impl Placement {
    /// Places a network.
    ///
    /// Projections are ordered by layer, the feed-forward one before the
    /// recurrent one. Inputs take the lines that recurrence leaves free.
    ///
    /// # Errors
    /// As [`NetworkConfig::validate`].
    pub fn new(network: &NetworkConfig) -> Result<Self, RoutingError> {
        let addressing = Addressing::new(network.circuits_per_neuron, network.signed)?;
        network.validate()?;
        let mut placement = Self {
            addressing,
            circuits: (0..network.neurons())
                .map(|neuron| circuits_of(neuron, addressing))
                .collect(),
            inputs: Vec::new(),
            projections: Vec::new(),
            blocks: Vec::new(),
        };
        let mut before = 0..0;
        for (index, layer) in network.layers.iter().enumerate() {
            let own = before.end..before.end + layer.neurons;
            placement.place_layer(index, layer, before, own.clone(), network.inputs);
            before = own;
        }
        Ok(placement)
    }

    /// Finds cells for all sources of a layer: the layer `before` it (or the
    /// network's inputs), then itself.
    fn place_layer(
        &mut self,
        index: usize,
        layer: &LayerConfig,
        before: Range<usize>,
        own: Range<usize>,
        inputs: usize,
    ) {
        let mut fan_in = FanIn::new(self.addressing);
        let recurrent = if layer.recurrent { own.clone() } else { 0..0 };
        // Sources on the chip have fixed addresses and choose first; they are
        // neighbours, which `take_all` relies on.
        let forward_cells = fan_in.take_all(before.clone());
        let recurrent_cells = fan_in.take_all(recurrent);
        if index == 0 {
            let (sources, cells) = fan_in.take_inputs(inputs);
            self.inputs = sources;
            self.add(0, &own, cells);
        } else {
            self.add(inputs + before.start, &own, forward_cells);
        }
        if layer.recurrent {
            self.add(inputs + own.start, &own, recurrent_cells);
        }
    }

    fn add(&mut self, first_source: usize, targets: &Range<usize>, cells: Vec<Cell>) {
        self.projections.push(Projection {
            first_source,
            sources: cells.len(),
            first_target: targets.start,
            targets: targets.len(),
        });
        self.blocks
            .push(Block::new(self.addressing, targets.clone(), cells));
    }

    /// The numbering in use.
    #[must_use]
    pub fn addressing(&self) -> Addressing {
        self.addressing
    }
    /// Number of inputs from outside.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs.len()
    }
    /// Circuits of every logical neuron, in network order.
    #[must_use]
    pub fn circuits(&self) -> &[NeuronCircuits] {
        &self.circuits
    }
    /// Connections, in the order in which weights are given.
    #[must_use]
    pub fn projections(&self) -> &[Projection] {
        &self.projections
    }
    /// Address number (0..1024) of a source of the network: inputs, then
    /// neurons. `None` past the last.
    #[must_use]
    pub fn source_number(&self, source: usize) -> Option<usize> {
        let neuron = source.checked_sub(self.inputs.len());
        match neuron {
            None => Some(self.inputs[source]),
            Some(neuron) => (neuron < self.circuits.len()).then_some(neuron),
        }
    }
    /// Where events begin and which neuron an address means.
    #[must_use]
    pub fn endpoints(&self) -> Endpoints {
        Endpoints {
            addressing: self.addressing,
            inputs: self
                .inputs
                .iter()
                .map(|&s| self.addressing.input_label(s))
                .collect(),
            neurons: self.circuits.clone(),
        }
    }
    /// The synapse array of this network: labels set, weights 0.
    #[must_use]
    pub fn synram(&self) -> Synram {
        let parked = SynapseLabel::new(PARKED_LABEL.into()).expect("it has 6 bits");
        let mut synram = Synram::new(parked);
        for block in &self.blocks {
            block.write_labels(&mut synram);
        }
        synram
    }

    pub(crate) fn blocks(&self) -> &[Block] {
        &self.blocks
    }
}

fn circuits_of(neuron: usize, addressing: Addressing) -> NeuronCircuits {
    let membrane = (neuron * addressing.circuits_per_neuron()) as u16;
    NeuronCircuits {
        membrane,
        partner: (addressing.circuits_per_neuron() == 2).then_some(membrane + 1),
    }
}
