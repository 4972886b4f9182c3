//! The digital part of the synapse array: a weight and a label per synapse.

use bss2_event::{RangeError, Site, Weight};

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
    ///
    /// # Errors
    /// [`RangeError`] for a label above 63.
    pub fn new(label: u8) -> Result<Self, RangeError> {
        RangeError::check("synapse label", label.into(), 0.0, Self::MAX.into(), "")?;
        Ok(Self {
            weights: vec![0; Self::LEN],
            labels: vec![label; Self::LEN],
        })
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
    #[must_use]
    pub const fn index(site: Site) -> usize {
        let circuit = site.circuit as usize;
        (circuit / COLUMNS) * Self::HALF + site.row as usize * COLUMNS + circuit % COLUMNS
    }
    /// The synapse at a place of the flat arrays.
    #[must_use]
    pub const fn site(index: usize) -> Site {
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
    /// Labels of one row.
    #[must_use]
    pub fn row_labels(&self, half: usize, row: usize) -> &[u8] {
        &self.labels[half * Self::HALF + row * COLUMNS..][..COLUMNS]
    }
    /// Sets one weight.
    pub fn set_weight(&mut self, site: Site, weight: Weight) {
        self.weights[Self::index(site)] = weight.get();
    }
    /// Sets one label.
    ///
    /// # Errors
    /// [`RangeError`] for a label above 63.
    pub fn set_label(&mut self, site: Site, label: u8) -> Result<(), RangeError> {
        RangeError::check("synapse label", label.into(), 0.0, Self::MAX.into(), "")?;
        self.labels[Self::index(site)] = label;
        Ok(())
    }

    /// Weights for writing. Whoever writes has checked `0..=MAX`.
    pub(crate) fn weights_mut(&mut self) -> &mut [u8] {
        &mut self.weights
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_and_site_are_inverse() {
        for index in 0..Synram::LEN {
            assert_eq!(Synram::index(Synram::site(index)), index);
        }
        let site = Site {
            circuit: 257,
            row: 3,
        };
        assert_eq!(Synram::index(site), 65_536 + 3 * 256 + 1);
    }

    #[test]
    fn arrays_are_checked() {
        assert!(Synram::new(64).is_err());
        let ok = || vec![63; Synram::LEN];
        assert!(Synram::from_arrays(ok(), ok()).is_ok());
        assert!(Synram::from_arrays(ok(), vec![0; 5]).is_err());
        assert!(Synram::from_arrays(vec![64; Synram::LEN], ok()).is_err());
    }
}
