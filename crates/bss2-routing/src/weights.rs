//! Weights of a network to the synapse array, and back.

use std::ops::Range;

use bss2_event::{SimdPath, Site};

use crate::addressing::Addressing;
use crate::error::RoutingError;
use crate::fan_in::Cell;
use crate::place::Placement;
use crate::synram::Synram;

/// The synapses of one projection, as rows of the flat synram arrays.
///
/// A projection's source sits on one row (and its partner) and one circuit of
/// every target; targets are neighbours, so its synapses are one or two runs
/// of equal stride: one per half.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    signed: bool,
    /// Circuits per neuron, hence columns from target to target.
    stride: usize,
    sources: Vec<Cell>,
    /// Targets (relative to the projection) and first column, per half.
    halves: [(Range<usize>, usize); 2],
}

impl Block {
    pub(crate) fn new(addressing: Addressing, targets: Range<usize>, sources: Vec<Cell>) -> Self {
        let stride = addressing.circuits_per_neuron();
        let per_half = Site::COLUMNS / stride;
        let halves = [0, 1].map(|half: usize| {
            let start = (half * per_half).clamp(targets.start, targets.end);
            let end = ((half + 1) * per_half).clamp(targets.start, targets.end);
            let column = start.saturating_sub(half * per_half) * stride;
            (start - targets.start..end - targets.start, column)
        });
        Self {
            signed: addressing.signed(),
            stride,
            sources,
            halves,
        }
    }

    /// Calls for every source and half: source, its cell, targets, and the
    /// place of the first target's first circuit.
    #[inline(always)]
    fn runs(&self, mut run: impl FnMut(usize, &Cell, Range<usize>, usize)) {
        for (source, cell) in self.sources.iter().enumerate() {
            for (half, (targets, column)) in self.halves.iter().enumerate() {
                let place = half * Site::HALF + cell.row * Site::COLUMNS + column;
                if !targets.is_empty() {
                    run(source, cell, targets.clone(), place);
                }
            }
        }
    }

    pub(crate) fn write_labels(&self, synram: &mut Synram) {
        let rows = if self.signed { 2 } else { 1 };
        self.runs(|_, cell, targets, place| {
            for row in 0..rows {
                for target in 0..targets.len() {
                    let index = place + row * Site::COLUMNS + target * self.stride + cell.circuit;
                    synram.labels_mut()[index] = cell.label;
                }
            }
        });
    }

    /// `weights` is `[source, target]`, already checked.
    #[inline(always)]
    fn write(&self, weights: &[i8], targets: usize, synram: &mut [u8]) {
        self.runs(|source, cell, range, place| {
            let weights = &weights[source * targets..][range];
            let span = weights.len() * self.stride;
            let run = &mut synram[place..];
            match (self.stride, cell.circuit) {
                (1, _) => write_run::<1, 0>(run, weights, span, self.signed),
                (_, 0) => write_run::<2, 0>(run, weights, span, self.signed),
                _ => write_run::<2, 1>(run, weights, span, self.signed),
            }
        });
    }

    fn read(
        &self,
        synram: &Synram,
        weights: &mut [i8],
        targets: usize,
    ) -> Result<(), RoutingError> {
        let mut fault = None;
        self.runs(|source, cell, range, place| {
            for (target, weight) in weights[source * targets..][range].iter_mut().enumerate() {
                let index = place + target * self.stride + cell.circuit;
                let even = synram.weights()[index];
                let odd = if self.signed {
                    synram.weights()[index + Site::COLUMNS]
                } else {
                    0
                };
                if even != 0 && odd != 0 {
                    fault.get_or_insert((index, even, odd));
                }
                *weight = even as i8 - odd as i8;
            }
        });
        match fault {
            None => Ok(()),
            Some((index, excitatory, inhibitory)) => Err(RoutingError::NotASignedWeight {
                half: index / Site::HALF,
                row: Site::at(index).row.into(),
                column: index % Site::COLUMNS,
                excitatory,
                inhibitory,
            }),
        }
    }
}

/// Writes one source's weights: circuit `K` of every `N` columns.
#[inline(always)]
fn write_run<const N: usize, const K: usize>(
    run: &mut [u8],
    weights: &[i8],
    span: usize,
    signed: bool,
) {
    if signed {
        let (even, odd) = run[..Site::COLUMNS + span].split_at_mut(Site::COLUMNS);
        write_row::<N, K>(even, weights, |weight| weight.max(0) as u8);
        write_row::<N, K>(odd, weights, |weight| weight.min(0).unsigned_abs());
    } else {
        write_row::<N, K>(&mut run[..span], weights, |weight| weight as u8);
    }
}

#[inline(always)]
fn write_row<const N: usize, const K: usize>(
    row: &mut [u8],
    weights: &[i8],
    magnitude: impl Fn(i8) -> u8,
) {
    for (columns, &weight) in row.as_chunks_mut::<N>().0.iter_mut().zip(weights) {
        // The neighbour is written back unchanged: so whole vectors move.
        let mut new = *columns;
        new[K] = magnitude(weight);
        *columns = new;
    }
}

impl Placement {
    /// Smallest and largest weight of a connection.
    #[must_use]
    pub fn weight_range(&self) -> (i8, i8) {
        let max = Synram::MAX as i8;
        (if self.addressing().signed() { -max } else { 0 }, max)
    }

    /// Writes all weights of the network, one flat matrix per projection,
    /// shape `[source, target]`, the target running fastest.
    ///
    /// Signed weights go to `max(w, 0)` in the even and `max(-w, 0)` in the odd
    /// row of a pair. Synapses of no connection are left as they are. Nothing is
    /// written unless every weight is in range.
    ///
    /// # Errors
    /// [`RoutingError::Length`] and [`RoutingError::Weight`].
    pub fn write_weights<W: AsRef<[i8]>>(
        &self,
        weights: &[W],
        synram: &mut Synram,
    ) -> Result<(), RoutingError> {
        check_length(
            "list of weight matrices",
            weights.len(),
            self.projections().len(),
        )?;
        let (min, max) = self.weight_range();
        for (index, (projection, weights)) in self.projections().iter().zip(weights).enumerate() {
            let weights = weights.as_ref();
            let expected = projection.sources * projection.targets;
            check_length(
                &format!("weight matrix of projection {index}"),
                weights.len(),
                expected,
            )?;
            // No early exit in the common case, so that wide lanes can be used.
            let smallest = weights.iter().fold(max, |least, &w| least.min(w));
            let largest = weights.iter().fold(min, |most, &w| most.max(w));
            if smallest < min || largest > max {
                let place = weights
                    .iter()
                    .position(|&w| w < min || w > max)
                    .unwrap_or(0);
                return Err(RoutingError::Weight {
                    projection: index,
                    source_index: place / projection.targets,
                    target: place % projection.targets,
                    value: weights[place].into(),
                    min: min.into(),
                    max: max.into(),
                });
            }
        }
        let parts = self.blocks().iter().zip(self.projections()).zip(weights);
        for ((block, projection), weights) in parts {
            SimdPath::Native.dispatch(
                #[inline(always)]
                || block.write(weights.as_ref(), projection.targets, synram.weights_mut()),
            );
        }
        Ok(())
    }

    /// Reads the weights of one projection back, shape `[source, target]`.
    ///
    /// # Errors
    /// [`RoutingError::Length`], and [`RoutingError::NotASignedWeight`] where
    /// both synapses of a pair are set.
    ///
    /// # Panics
    /// If there is no such projection.
    pub fn read_weights(
        &self,
        projection: usize,
        synram: &Synram,
        weights: &mut [i8],
    ) -> Result<(), RoutingError> {
        let shape = self.projections()[projection];
        let expected = shape.sources * shape.targets;
        check_length("matrix to read weights into", weights.len(), expected)?;
        self.blocks()[projection].read(synram, weights, shape.targets)
    }
}

fn check_length(what: &str, found: usize, expected: usize) -> Result<(), RoutingError> {
    if found == expected {
        return Ok(());
    }
    Err(RoutingError::Length {
        what: what.to_owned(),
        found,
        expected,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LayerConfig, NetworkConfig};

    #[test]
    fn a_signed_weight_is_one_of_a_pair() {
        // A target for each weight, so that each is written once.
        let all: Vec<i8> = (-63..=63).collect();
        let placement = Placement::new(&NetworkConfig {
            inputs: 1,
            layers: vec![LayerConfig::feed_forward(all.len())],
            circuits_per_neuron: 2,
            signed: true,
        })
        .unwrap();
        let mut synram = placement.synram();
        placement.write_weights(&[&all], &mut synram).unwrap();
        let block = &placement.blocks()[0];
        let mut pairs = Vec::new();
        block.runs(|_, cell, targets, place| {
            for target in 0..targets.len() {
                let even = place + target * block.stride + cell.circuit;
                pairs.push([even, even + Site::COLUMNS].map(|cell| synram.weights()[cell]));
            }
        });
        let expected = all.iter().map(|w| [(*w).max(0) as u8, (-*w).max(0) as u8]);
        assert_eq!(pairs, expected.collect::<Vec<_>>());
        let set = synram.weights().iter().filter(|w| **w > 0).count();
        assert_eq!(set, 126, "nothing else is written");
        let mut back = vec![0; all.len()];
        placement.read_weights(0, &synram, &mut back).unwrap();
        assert_eq!(back, all);
    }
}
