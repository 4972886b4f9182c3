//! Placement: a layered network onto circuits, rows and labels.

use bss2_event::Site;
use serde::{Deserialize, Serialize};

use crate::addressing::Addressing;
use crate::compile::Endpoints;
use crate::error::RoutingError;
use crate::synram::Synram;
use crate::weights::Block;

/// One layer of neurons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerConfig {
    /// Neurons of the layer.
    pub neurons: usize,
    /// Whether its neurons also feed themselves and each other.
    #[serde(default)]
    pub recurrent: bool,
}

impl LayerConfig {
    /// A layer that hears only the one before it.
    #[must_use]
    pub const fn feed_forward(neurons: usize) -> Self {
        Self {
            neurons,
            recurrent: false,
        }
    }
    /// A layer that also hears itself.
    #[must_use]
    pub const fn recurrent(neurons: usize) -> Self {
        Self {
            neurons,
            recurrent: true,
        }
    }
}

/// A layered network: inputs from outside feed the first layer, each layer
/// feeds the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkConfig {
    /// Inputs from outside the chip.
    pub inputs: usize,
    /// Layers in order, the readout last.
    pub layers: Vec<LayerConfig>,
    /// Neuron circuits that are joined into one logical neuron: 1 or 2.
    pub circuits_per_neuron: usize,
    /// Weights -63..=63 in pairs of rows, or 0..=63 in single rows.
    pub signed: bool,
}

impl Default for NetworkConfig {
    /// The paper's network: 256-246-10, two circuits per neuron, signed.
    fn default() -> Self {
        Self {
            inputs: 256,
            layers: vec![
                LayerConfig::feed_forward(246),
                LayerConfig::feed_forward(10),
            ],
            circuits_per_neuron: 2,
            signed: true,
        }
    }
}

/// The circuits of a logical neuron.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Circuits {
    /// Carries membrane, threshold, reset and readout, and sends the spikes.
    pub first: u16,
    /// Lends its column of synapses, where there is one.
    pub second: Option<u16>,
}

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
    circuits: Vec<Circuits>,
    /// Address number of each input.
    inputs: Vec<usize>,
    projections: Vec<Projection>,
    /// Parallel to `projections`.
    blocks: Vec<Block>,
}

/// Label of synapses that belong to no connection: group 3, which no source
/// of a placed network uses.
pub const PARKED_LABEL: u8 = 0b11;

impl Placement {
    /// Places a network.
    ///
    /// Projections are ordered by layer, the feed-forward one before the
    /// recurrent one. Inputs take the lines that recurrence leaves free.
    ///
    /// # Errors
    /// [`RoutingError::DoesNotFit`] with what would fit, [`RoutingError::Empty`]
    /// and [`RoutingError::Range`].
    pub fn new(network: &NetworkConfig) -> Result<Self, RoutingError> {
        let addressing = Addressing::new(network.circuits_per_neuron, network.signed)?;
        check_not_empty(network)?;
        let neurons = network.layers.iter().map(|layer| layer.neurons).sum();
        check_neurons(neurons, addressing)?;

        let mut placement = Self {
            addressing,
            circuits: (0..neurons)
                .map(|neuron| circuits_of(neuron, addressing))
                .collect(),
            inputs: Vec::new(),
            projections: Vec::new(),
            blocks: Vec::new(),
        };
        let mut first = 0;
        let mut before = 0;
        for (index, layer) in network.layers.iter().enumerate() {
            let own = first..first + layer.neurons;
            let mut fan_in = FanIn::new(index, addressing);
            let from_chip = if index == 0 {
                first..first
            } else {
                before..first
            };
            let recurrent = if layer.recurrent {
                own.clone()
            } else {
                own.start..own.start
            };
            fan_in.check(
                from_chip.len() + recurrent.len() + if index == 0 { network.inputs } else { 0 },
            )?;
            // Sources on the chip have fixed addresses and choose first.
            let from_chip_cells = fan_in.take_all(from_chip.clone());
            let recurrent_cells = fan_in.take_all(recurrent.clone());
            let (first_source, cells) = if index == 0 {
                let cells;
                (placement.inputs, cells) = fan_in.take_inputs(network.inputs);
                (0, cells)
            } else {
                (network.inputs + before, from_chip_cells)
            };
            placement.add(first_source, &own, cells);
            if layer.recurrent {
                placement.add(network.inputs + own.start, &own, recurrent_cells);
            }
            before = first;
            first = own.end;
        }
        Ok(placement)
    }

    fn add(&mut self, first_source: usize, targets: &std::ops::Range<usize>, cells: Vec<Cell>) {
        self.projections.push(Projection {
            first_source,
            sources: cells.len(),
            first_target: targets.start,
            targets: targets.len(),
        });
        self.blocks
            .push(Block::new(self.addressing, targets.clone(), &cells));
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
    pub fn circuits(&self) -> &[Circuits] {
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
        let mut synram = Synram::new(PARKED_LABEL).expect("the parked label has 6 bits");
        for block in &self.blocks {
            block.write_labels(&mut synram);
        }
        synram
    }

    pub(crate) fn blocks(&self) -> &[Block] {
        &self.blocks
    }
}

/// Where a source meets every target of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cell {
    /// Row or first row of the pair.
    pub(crate) row: usize,
    /// Which of the target's circuits.
    pub(crate) circuit: usize,
    /// Label of the synapses.
    pub(crate) label: u8,
}

/// The cells of a layer's neurons: `lines x circuits`, each for one source.
struct FanIn {
    layer: usize,
    addressing: Addressing,
    rows: Vec<usize>,
    taken: Vec<bool>,
}

impl FanIn {
    fn new(layer: usize, addressing: Addressing) -> Self {
        Self {
            layer,
            addressing,
            rows: addressing.line_rows(),
            taken: vec![false; addressing.lines() * addressing.circuits_per_neuron()],
        }
    }

    fn check(&self, wanted: usize) -> Result<(), RoutingError> {
        let free = self.taken.len();
        if wanted <= free {
            return Ok(());
        }
        let layer = self.layer;
        let alternatives = [(1, true), (2, true), (1, false), (2, false)]
            .map(|(circuits, signed)| (circuits, signed, circuits * if signed { 128 } else { 256 }))
            .into_iter()
            .filter(|&(_, _, cells)| cells >= wanted)
            .map(|(circuits, signed, cells)| {
                format!(
                    "{cells} {} ones with {circuits} circuit{} per neuron",
                    if signed { "signed" } else { "unsigned" },
                    if circuits == 1 { "" } else { "s" },
                )
            })
            .next();
        let mut fits = format!("up to {free} sources per neuron would fit");
        if let Some(alternative) = alternatives {
            fits = format!("{fits}, or {alternative}");
        }
        Err(RoutingError::DoesNotFit {
            what: format!("synapses per neuron of layer {layer}"),
            wanted,
            free,
            fits,
        })
    }

    /// Takes a cell on the line of a source, at the preferred circuit or, if
    /// allowed, at another.
    fn take(&mut self, source: usize, any_circuit: bool) -> Option<Cell> {
        let lines = self.addressing.lines();
        let circuits = self.addressing.circuits_per_neuron();
        let slot = source % Addressing::SLOTS;
        let preferred = slot / lines % circuits;
        let tries = if any_circuit { circuits } else { 1 };
        let circuit = (0..tries)
            .map(|k| (preferred + k) % circuits)
            .find(|k| !self.taken[slot % lines * circuits + k])?;
        self.taken[slot % lines * circuits + circuit] = true;
        Some(Cell {
            row: self.rows[slot % lines],
            circuit,
            label: self.addressing.synapse_label(source),
        })
    }

    fn take_all(&mut self, sources: std::ops::Range<usize>) -> Vec<Cell> {
        sources
            .map(|source| {
                self.take(source, true)
                    .expect("consecutive sources share a line at most once per circuit")
            })
            .collect()
    }

    /// Chooses sources for inputs: first those whose preferred cell is free, as
    /// the published scheme does, then any whose line has a cell left.
    fn take_inputs(&mut self, count: usize) -> (Vec<usize>, Vec<Cell>) {
        let first = self.addressing.neurons();
        // Group 3 stays unused: parked synapses listen to it.
        let outside = first..Addressing::SOURCES - Addressing::SLOTS;
        let mut chosen: Vec<(usize, Cell)> = Vec::with_capacity(count);
        for any_circuit in [false, true] {
            for source in outside.clone() {
                let used = any_circuit && chosen.iter().any(|&(other, _)| other == source);
                if chosen.len() < count && !used {
                    chosen.extend(self.take(source, any_circuit).map(|cell| (source, cell)));
                }
            }
        }
        assert_eq!(
            chosen.len(),
            count,
            "groups outside the chip reach every free cell"
        );
        chosen.into_iter().unzip()
    }
}

fn circuits_of(neuron: usize, addressing: Addressing) -> Circuits {
    let first = (neuron * addressing.circuits_per_neuron()) as u16;
    Circuits {
        first,
        second: (addressing.circuits_per_neuron() == 2).then_some(first + 1),
    }
}

fn check_not_empty(network: &NetworkConfig) -> Result<(), RoutingError> {
    let empty = |what: String| Err(RoutingError::Empty { what });
    if network.inputs == 0 {
        return empty("the input".into());
    }
    if network.layers.is_empty() {
        return empty("the list of layers".into());
    }
    match network.layers.iter().position(|layer| layer.neurons == 0) {
        Some(layer) => empty(format!("layer {layer}")),
        None => Ok(()),
    }
}

fn check_neurons(wanted: usize, addressing: Addressing) -> Result<(), RoutingError> {
    let free = addressing.neurons();
    if wanted <= free {
        return Ok(());
    }
    let single = Site::CIRCUITS;
    let fits = if wanted <= single {
        format!(
            "up to {free} neurons of two circuits would fit, or {single} of one circuit, \
             which hear half as many sources"
        )
    } else {
        format!(
            "at most {single} neurons of one circuit or {} of two would fit",
            single / 2
        )
    };
    Err(RoutingError::DoesNotFit {
        what: "neurons".into(),
        wanted,
        free,
        fits,
    })
}
