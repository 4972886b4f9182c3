//! The digital part of the synapse array: a weight and a label per synapse.

use bss2_event::{RangeError, Site, SynapseLabel, Weight};

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
    pub const LEN: usize = Site::COUNT;
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
    /// [`RoutingError::Length`] and [`RoutingError::Register`].
    pub fn from_arrays(weights: Vec<u8>, labels: Vec<u8>) -> Result<Self, RoutingError> {
        for (what, array) in [("synapse weight", &weights), ("synapse label", &labels)] {
            if array.len() != Self::LEN {
                return Err(RoutingError::Length {
                    what: format!("array of {what}s"),
                    found: array.len(),
                    expected: Self::LEN,
                });
            }
            if let Some(index) = array.iter().position(|&value| value > Self::MAX) {
                let site = Site::at(index);
                return Err(RoutingError::Register {
                    register: what,
                    of: format!("circuit {} and row {}", site.circuit, site.row),
                    value: array[index],
                    max: Self::MAX,
                });
            }
        }
        Ok(Self { weights, labels })
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
        &self.labels[half * Site::HALF + row * Site::COLUMNS..][..Site::COLUMNS]
    }
    /// Sets one weight.
    ///
    /// # Errors
    /// [`RangeError`] for a circuit from 512 or a row from 256 on.
    pub fn set_weight(&mut self, site: Site, weight: Weight) -> Result<(), RangeError> {
        self.weights[place(site)?] = weight.get();
        Ok(())
    }
    /// Sets one label.
    ///
    /// # Errors
    /// [`RangeError`] for a circuit from 512 or a row from 256 on.
    pub fn set_label(&mut self, site: Site, label: SynapseLabel) -> Result<(), RangeError> {
        self.labels[place(site)?] = label.get();
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

/// The place of a synapse, if there is such a one.
fn place(site: Site) -> Result<usize, RangeError> {
    for (field, value, count) in [
        ("site.circuit", site.circuit, Site::CIRCUITS),
        ("site.row", site.row, Site::ROWS),
    ] {
        RangeError::check(field, value.into(), 0.0, (count - 1) as f64, "")?;
    }
    Ok(site.index())
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let mut labels = ok();
        labels[65_536 + 3 * 256 + 1] = 70;
        assert_eq!(
            Synram::from_arrays(ok(), labels).unwrap_err().to_string(),
            "synapse label of circuit 257 and row 3 is 70, allowed are 0 to 63"
        );
    }
}
