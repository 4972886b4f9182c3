//! Which synapses an event reaches: the contract of fabric and array.

use serde::{Deserialize, Serialize};

use crate::error::EventError;

/// One synapse: a row of a synapse array and the neuron circuit below its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Site {
    /// Neuron circuit, 0..512; circuits 0..256 are the top half.
    pub circuit: u16,
    /// Row of the circuit's own half, 0..256.
    pub row: u16,
}

impl Site {
    /// Neuron circuits, hence columns of both halves together.
    pub const CIRCUITS: usize = 512;
    /// Columns of one half, hence neuron circuits below one row.
    pub const COLUMNS: usize = Self::CIRCUITS / 2;
    /// Synapse rows per half.
    pub const ROWS: usize = 256;
    /// Synapses of one half.
    pub const HALF: usize = Self::ROWS * Self::COLUMNS;
    /// Synapses of both halves.
    pub const COUNT: usize = 2 * Self::HALF;

    /// Place in flat arrays of all synapses, shape `[half, row, column]` =
    /// `[2, 256, 256]`, the column running fastest; half 0 is the top one.
    ///
    /// # Panics
    /// If there is no such synapse.
    #[must_use]
    pub const fn index(self) -> usize {
        let (circuit, row) = (self.circuit as usize, self.row as usize);
        assert!(circuit < Self::CIRCUITS, "circuits are below 512");
        assert!(row < Self::ROWS, "rows are below 256");
        circuit / Self::COLUMNS * Self::HALF + row * Self::COLUMNS + circuit % Self::COLUMNS
    }
    /// The synapse at a place of such arrays.
    ///
    /// # Panics
    /// If there is no such place.
    #[must_use]
    pub const fn at(index: usize) -> Self {
        assert!(index < Self::COUNT, "places are below 131,072");
        Self {
            circuit: (index / Self::HALF * Self::COLUMNS + index % Self::COLUMNS) as u16,
            row: (index % Self::HALF / Self::COLUMNS) as u16,
        }
    }
}

/// What a synapse row adds to the columns it reaches: a setting of its driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowMode {
    /// Nothing.
    #[default]
    Disabled,
    /// Excitatory current.
    Excitatory,
    /// Inhibitory current.
    Inhibitory,
    /// Both at once.
    Both,
}

/// The one or two neuron circuits that make a logical neuron. The first one
/// carries membrane capacitor, comparator and readout; the second one lends
/// its synapses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NeuronCircuits {
    /// Circuit with the membrane, 0..512.
    pub membrane: u16,
    /// Circuit joined to it, if any.
    pub partner: Option<u16>,
}

impl NeuronCircuits {
    /// Neuron `n` of those that are two neighbouring circuits each.
    #[must_use]
    pub const fn pair(n: u16) -> Self {
        Self {
            membrane: 2 * n,
            partner: Some(2 * n + 1),
        }
    }

    /// A neuron of one circuit.
    #[must_use]
    pub const fn single(membrane: u16) -> Self {
        Self {
            membrane,
            partner: None,
        }
    }
}

/// For every source of a network the synapses that conduct when it fires.
///
/// Sources are counted as the network counts them: first its external inputs,
/// then its neurons. The fabric fills the table once per configuration; the
/// synapse array joins it with weights. Sites of a source are sorted and
/// without repetition: an event that reaches a synapse twice does so by two
/// sources or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteTable {
    inputs: usize,
    offsets: Vec<u32>,
    sites: Vec<Site>,
}

impl SiteTable {
    /// Builds the table from the sites of each source, `inputs` of which are
    /// external.
    ///
    /// # Errors
    /// [`EventError::Site`] when a site lies outside the arrays.
    ///
    /// # Panics
    /// If there are fewer sources than inputs.
    pub fn new(inputs: usize, per_source: Vec<Vec<Site>>) -> Result<Self, EventError> {
        assert!(inputs <= per_source.len(), "every input is a source");
        let mut offsets = vec![0];
        let mut sites = Vec::with_capacity(per_source.iter().map(Vec::len).sum());
        for (source_index, mut list) in per_source.into_iter().enumerate() {
            for site in &list {
                for (what, value, limit) in [
                    ("circuit", site.circuit, Site::CIRCUITS),
                    ("row", site.row, Site::ROWS),
                ] {
                    if usize::from(value) >= limit {
                        return Err(EventError::Site {
                            source_index,
                            what,
                            value: value.into(),
                            limit,
                        });
                    }
                }
            }
            list.sort_unstable();
            list.dedup();
            sites.extend(list);
            offsets.push(u32::try_from(sites.len()).expect("1,024 sources x 131,072 synapses fit"));
        }
        Ok(Self {
            inputs,
            offsets,
            sites,
        })
    }

    /// Number of external inputs; sources from here on are neurons.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }
    /// Number of sources.
    #[must_use]
    pub fn sources(&self) -> usize {
        self.offsets.len() - 1
    }
    /// The synapses that a source reaches, sorted by (circuit, row).
    ///
    /// # Panics
    /// If there is no such source.
    #[must_use]
    pub fn of(&self, source: usize) -> &[Site] {
        &self.sites[self.offsets[source] as usize..self.offsets[source + 1] as usize]
    }
    /// Number of sites of all sources.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sites.len()
    }
    /// Whether no source reaches a synapse.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sites.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_sites_are_inverse() {
        for index in 0..Site::COUNT {
            assert_eq!(Site::at(index).index(), index);
        }
        let site = Site {
            circuit: 257,
            row: 3,
        };
        assert_eq!(site.index(), 65_536 + 3 * 256 + 1);
        for (circuit, row) in [(512, 0), (0, 256)] {
            assert!(std::panic::catch_unwind(|| Site { circuit, row }.index()).is_err());
        }
        assert!(std::panic::catch_unwind(|| Site::at(Site::COUNT)).is_err());
    }
}
