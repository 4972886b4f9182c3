//! Which synapses of a layer's neurons hear which source.

use crate::addressing::Addressing;

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
    addressing: Addressing,
    rows: Vec<usize>,
    taken: Vec<bool>,
}

impl FanIn {
    pub(crate) fn new(addressing: Addressing) -> Self {
        Self {
            addressing,
            rows: addressing.line_rows(),
            taken: vec![false; addressing.cells()],
        }
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
