//! Weights of a network to the synapse array, and back.

use std::ops::Range;

use bss2_event::RangeError;

use crate::addressing::Addressing;
use crate::backend::COLUMNS;
use crate::error::RoutingError;
use crate::place::{Cell, Placement};
use crate::synram::Synram;

/// The synapses of one projection, as rows of the flat synram arrays.
///
/// A projection's source sits on one row (and its partner) and one circuit of
/// every target; targets are neighbours, so its synapses are one or two runs
/// of equal stride: one per half.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    signed: bool,
    stride: usize,
    /// First place of a source's run in each half, relative to `[half, 0, 0]`.
    sources: Vec<(usize, u8)>,
    /// Targets (relative to the projection) and first column, per half.
    halves: [(Range<usize>, usize); 2],
}

impl Block {
    pub(crate) fn new(addressing: Addressing, targets: Range<usize>, cells: &[Cell]) -> Self {
        let stride = addressing.circuits_per_neuron();
        let per_half = COLUMNS / stride;
        let halves = [0, 1].map(|half: usize| {
            let range = (half * per_half).clamp(targets.start, targets.end)
                ..((half + 1) * per_half).clamp(targets.start, targets.end);
            let column = range.start.saturating_sub(half * per_half) * stride;
            (
                range.start - targets.start..range.end - targets.start,
                column,
            )
        });
        Self {
            signed: addressing.signed(),
            stride,
            sources: cells
                .iter()
                .map(|cell| (cell.row * COLUMNS + cell.circuit, cell.label))
                .collect(),
            halves,
        }
    }

    /// Calls for every source and half: source, targets, first place.
    #[inline(always)]
    fn runs(&self, mut run: impl FnMut(usize, Range<usize>, usize)) {
        for (source, &(place, _)) in self.sources.iter().enumerate() {
            for (half, (targets, column)) in self.halves.iter().enumerate() {
                if !targets.is_empty() {
                    run(
                        source,
                        targets.clone(),
                        half * Synram::HALF + place + column,
                    );
                }
            }
        }
    }

    /// Places from the first of a run to its last, inclusive.
    fn span(&self, targets: usize) -> usize {
        (targets - 1) * self.stride + 1
    }

    pub(crate) fn write_labels(&self, synram: &mut Synram) {
        let rows = if self.signed { 2 } else { 1 };
        self.runs(|source, targets, place| {
            for row in 0..rows {
                for target in 0..targets.len() {
                    let index = place + row * COLUMNS + target * self.stride;
                    synram
                        .set_label(Synram::site(index), self.sources[source].1)
                        .expect("labels of sources have 6 bits");
                }
            }
        });
    }

    /// `weights` is `[source, target]`, already checked.
    fn write(&self, weights: &[i8], targets: usize, synram: &mut [u8]) {
        self.runs(|source, range, place| {
            let weights = &weights[source * targets..][range];
            let span = self.span(weights.len());
            if self.signed {
                let pair = &mut synram[place..place + COLUMNS + span];
                let (even, odd) = pair.split_at_mut(COLUMNS);
                let cells = even
                    .chunks_mut(self.stride)
                    .zip(odd.chunks_mut(self.stride));
                for (&weight, (even, odd)) in weights.iter().zip(cells) {
                    even[0] = weight.max(0) as u8;
                    odd[0] = weight.min(0).unsigned_abs();
                }
            } else {
                let row = &mut synram[place..place + span];
                for (&weight, cell) in weights.iter().zip(row.chunks_mut(self.stride)) {
                    cell[0] = weight as u8;
                }
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
        self.runs(|source, range, place| {
            for (target, weight) in weights[source * targets..][range].iter_mut().enumerate() {
                let index = place + target * self.stride;
                let even = synram.weights()[index];
                let odd = if self.signed {
                    synram.weights()[index + COLUMNS]
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
                half: index / Synram::HALF,
                row: index % Synram::HALF / COLUMNS,
                column: index % COLUMNS,
                excitatory,
                inhibitory,
            }),
        }
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
            // Counting needs no early exit, so the compiler can use wide lanes.
            let outside = weights
                .iter()
                .map(|&w| usize::from(w < min || w > max))
                .sum::<usize>();
            if outside > 0 {
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
        for ((block, projection), weights) in
            self.blocks().iter().zip(self.projections()).zip(weights)
        {
            block.write(weights.as_ref(), projection.targets, synram.weights_mut());
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

impl Addressing {
    /// Fills the whole synapse array from full matrices, as the published
    /// scheme does: `weights` and label `offsets` have the shape
    /// `[circuit of the neuron, source of group 0, neuron]`, that is
    /// `[n, lines, 512 / n]`; a synapse's label is its row's label plus the
    /// offset (the group, or group + 32 for slots from 128).
    ///
    /// # Errors
    /// [`RoutingError::Length`], and [`RoutingError::Range`] for a weight that
    /// the rows cannot hold or a label above 63.
    pub fn full_synram(self, weights: &[i16], offsets: &[u8]) -> Result<Synram, RoutingError> {
        let (lines, neurons) = (self.lines(), self.neurons());
        let expected = self.circuits_per_neuron() * lines * neurons;
        check_length("full weight matrix", weights.len(), expected)?;
        check_length("full matrix of label offsets", offsets.len(), expected)?;
        let max = f64::from(Synram::MAX);
        let min = if self.signed() { -max } else { 0.0 };

        let mut synram = Synram::new(0)?;
        for index in 0..Synram::LEN {
            let site = Synram::site(index);
            let (row, circuit) = (usize::from(site.row), usize::from(site.circuit));
            let n = self.circuits_per_neuron();
            let place = (circuit % n * lines + self.row_source(row)) * neurons + circuit / n;
            RangeError::check("weight", weights[place].into(), min, max, "")?;
            let weight = match (self.signed(), row % 2) {
                (true, 1) => (-weights[place]).max(0),
                _ => weights[place].max(0),
            };
            synram.set_label(site, self.row_label(row).saturating_add(offsets[place]))?;
            synram.weights_mut()[index] = weight as u8;
        }
        Ok(synram)
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
