//! Which synapses of a layer's neurons hear which source.

use bss2_event::Site;

use crate::addressing::Addressing;
use crate::error::RoutingError;

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
pub(crate) struct FanIn {
    layer: usize,
    addressing: Addressing,
    rows: Vec<usize>,
    taken: Vec<bool>,
}

impl FanIn {
    pub(crate) fn new(layer: usize, addressing: Addressing) -> Self {
        Self {
            layer,
            addressing,
            rows: addressing.line_rows(),
            taken: vec![false; addressing.lines() * addressing.circuits_per_neuron()],
        }
    }

    /// Whether there are cells for so many sources, in a network of so many neurons.
    pub(crate) fn check(&self, wanted: usize, neurons: usize) -> Result<(), RoutingError> {
        let free = self.taken.len();
        if wanted <= free {
            return Ok(());
        }
        let layer = self.layer;
        let alternatives = [(1, true), (2, true), (1, false), (2, false)]
            .map(|(circuits, signed)| (circuits, signed, circuits * if signed { 128 } else { 256 }))
            .into_iter()
            .filter(|&(circuits, _, cells)| cells >= wanted && neurons * circuits <= Site::CIRCUITS)
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

    pub(crate) fn take_all(&mut self, sources: std::ops::Range<usize>) -> Vec<Cell> {
        sources
            .map(|source| {
                self.take(source, true)
                    .expect("consecutive sources share a line at most once per circuit")
            })
            .collect()
    }

    /// Chooses sources for inputs: first those whose preferred cell is free, as
    /// the published scheme does, then any whose line has a cell left.
    pub(crate) fn take_inputs(&mut self, count: usize) -> (Vec<usize>, Vec<Cell>) {
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
