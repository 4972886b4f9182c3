//! The digital part of the synapse array: a weight and a label per synapse.

use bss2_event::{RangeError, Site, SynapseLabel, Weight};

use crate::backend::COLUMNS;
use crate::error::RoutingError;

/// Weights and labels of all 131,072 synapses.
///
/// Both arrays are flat, shape `[half, row, column]` = `[2, 256, 256]`, the
/// column running fastest; half 0 is the top one, with neuron circuits 0..256.
/// Weights and labels are 6 bit, 0..=63.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synram {
    weights: Vec<u8>,
    labels: Vec<u8>,
}

impl Synram {
    /// Number of synapses.
    pub const LEN: usize = 2 * Self::HALF;
    /// Synapses of one half.
    pub const HALF: usize = Site::ROWS * COLUMNS;
    /// Largest weight and label.
    pub const MAX: u8 = 63;

    /// All weights 0, all labels the given one.
    #[must_use]
    pub fn new(label: SynapseLabel) -> Self {
        Self {
            weights: vec![0; Self::LEN],
            labels: vec![label.get(); Self::LEN],
        }
    }

    /// Takes whole arrays, shape `[half, row, column]`.
    ///
    /// # Errors
    /// [`RoutingError::Length`] and [`RoutingError::Range`].
    pub fn from_arrays(weights: Vec<u8>, labels: Vec<u8>) -> Result<Self, RoutingError> {
        for (what, array) in [("synapse weight", &weights), ("synapse label", &labels)] {
            if array.len() != Self::LEN {
                return Err(RoutingError::Length {
                    what: format!("array of {what}s"),
                    found: array.len(),
                    expected: Self::LEN,
                });
            }
            let largest = array.iter().copied().max().unwrap_or(0);
            RangeError::check(what, largest.into(), 0.0, Self::MAX.into(), "")?;
        }
        Ok(Self { weights, labels })
    }

    /// Place of a synapse in the flat arrays.
    ///
    /// # Errors
    /// [`RangeError`] for a circuit from 512 or a row from 256 on.
    pub fn index(site: Site) -> Result<usize, RangeError> {
        let last = |count: usize| (count - 1) as f64;
        let (circuit, row) = (site.circuit.into(), site.row.into());
        RangeError::check("site.circuit", circuit, 0.0, last(Site::CIRCUITS), "")?;
        RangeError::check("site.row", row, 0.0, last(Site::ROWS), "")?;
        let (circuit, row) = (usize::from(site.circuit), usize::from(site.row));
        Ok((circuit / COLUMNS) * Self::HALF + row * COLUMNS + circuit % COLUMNS)
    }
    /// The synapse at a place of the flat arrays.
    ///
    /// # Panics
    /// If `index >= LEN`.
    #[must_use]
    pub const fn site(index: usize) -> Site {
        assert!(index < Self::LEN, "places are below `Synram::LEN`");
        Site {
            circuit: (index / Self::HALF * COLUMNS + index % COLUMNS) as u16,
            row: (index % Self::HALF / COLUMNS) as u16,
        }
    }

    /// All weights, `[half, row, column]`.
    #[must_use]
    pub fn weights(&self) -> &[u8] {
        &self.weights
    }
    /// All labels, `[half, row, column]`.
    #[must_use]
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }
    /// Labels of a row, 0..256, of a half, 0 or 1.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub fn row_labels(&self, half: usize, row: usize) -> &[u8] {
        assert!(row < Site::ROWS, "rows are below 256");
        &self.labels[half * Self::HALF + row * COLUMNS..][..COLUMNS]
    }
    /// Sets one weight.
    ///
    /// # Errors
    /// As [`Synram::index`].
    pub fn set_weight(&mut self, site: Site, weight: Weight) -> Result<(), RangeError> {
        self.weights[Self::index(site)?] = weight.get();
        Ok(())
    }
    /// Sets one label.
    ///
    /// # Errors
    /// As [`Synram::index`].
    pub fn set_label(&mut self, site: Site, label: SynapseLabel) -> Result<(), RangeError> {
        self.labels[Self::index(site)?] = label.get();
        Ok(())
    }

    /// Weights for writing. Whoever writes has checked `0..=MAX`.
    pub(crate) fn weights_mut(&mut self) -> &mut [u8] {
        &mut self.weights
    }
    /// The same of labels.
    pub(crate) fn labels_mut(&mut self) -> &mut [u8] {
        &mut self.labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_and_site_are_inverse() {
        for index in 0..Synram::LEN {
            assert_eq!(Synram::index(Synram::site(index)), Ok(index));
        }
        let site = Site {
            circuit: 257,
            row: 3,
        };
        assert_eq!(Synram::index(site), Ok(65_536 + 3 * 256 + 1));
    }

    #[test]
    fn synapses_that_there_are_not_are_neither_written_nor_another() {
        let mut synram = Synram::new(SynapseLabel::default());
        let before = synram.clone();
        for (circuit, row, words) in [
            (0, 300, "site.row is 300, allowed are 0 to 255"),
            (512, 0, "site.circuit is 512, allowed are 0 to 511"),
        ] {
            let site = Site { circuit, row };
            for written in [
                synram.set_weight(site, Weight::MAX),
                synram.set_label(site, SynapseLabel::MAX),
            ] {
                assert_eq!(written.unwrap_err().to_string(), words);
            }
        }
        assert_eq!(synram, before);
    }

    #[test]
    fn arrays_are_checked() {
        let ok = || vec![63; Synram::LEN];
        assert!(Synram::from_arrays(ok(), ok()).is_ok());
        assert!(Synram::from_arrays(ok(), vec![0; 5]).is_err());
        assert!(Synram::from_arrays(vec![64; Synram::LEN], ok()).is_err());
    }
}
