//! The synapse array: 6-bit weights to flat tables of strengths.

use bss2_event::{NeuronCircuits, RowMode, Site, SiteTable};

use crate::error::AnalogError;
use crate::lanes::{L, Lanes, VECTOR};
use crate::mismatch::FixedPattern;

/// Synapses of both halves.
pub const SYNAPSES: usize = Site::COUNT;

/// Strength of every synapse that a source reaches, for contiguous access.
///
/// A source has one row per synaptic input ("group": excitatory and inhibitory
/// input of the membrane circuit, then of its partner) that it reaches; a row
/// covers a contiguous range of lane blocks.
#[derive(Debug, Clone)]
pub(crate) struct SynapseTable {
    groups: usize,
    /// `[source][group]`.
    rows: Vec<Row>,
    /// `[source]`: whether it reaches a neuron that may fire.
    heard: Vec<bool>,
    /// Blocks of all rows; volts per microsecond at the peak of one event.
    strengths: Vec<Lanes>,
    /// What each conducting synapse moves, in the order of their weights
    /// `[half][row][column]`.
    cells: Vec<Cell>,
    /// `[synapse]`: first of its cells; one more at the end.
    first_cell: Vec<u32>,
    /// Whether several cells add to one strength.
    shared: bool,
    /// The weights that `strengths` stand for: zeros at first, as they are zero then.
    written: Vec<u8>,
    /// Buffer: the synapses whose weights change.
    changed: Vec<u32>,
    /// Current of each weight relative to weight 63.
    dac: [f32; 64],
}

/// A neuron as its synapses see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub(crate) circuits: NeuronCircuits,
    /// `[group]`: what one event of weight 63 does, volts per microsecond.
    pub(crate) full_strength: [f64; 4],
    /// Whether it may fire.
    pub(crate) fires: bool,
}

/// A synapse of a source.
#[derive(Debug, Clone, Copy)]
struct Cell {
    /// Lane of the strengths, counted over all blocks.
    target: u32,
    /// At weight 63.
    full_strength: f32,
}

/// Blocks `first..last` of a source's row begin at `base`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Row {
    pub(crate) base: u32,
    pub(crate) first: u16,
    pub(crate) last: u16,
    /// Lanes below this one are not reached in any block: what few neurons at
    /// the end of a block need, such as a readout, is not done for all.
    pub(crate) from_lane: u8,
}

impl Row {
    /// The vectors of lanes that the row reaches in a block.
    #[inline(always)]
    pub(crate) fn vectors(self) -> std::ops::Range<usize> {
        usize::from(self.from_lane) / VECTOR..L / VECTOR
    }

    /// Whether the row reaches a block.
    #[inline(always)]
    pub(crate) fn reaches(self, block: usize) -> bool {
        (usize::from(self.first)..usize::from(self.last)).contains(&block)
    }

    /// The first block that the row reaches, and its strengths from there on.
    #[inline(always)]
    pub(crate) fn blocks(self, strengths: &[Lanes]) -> (usize, &[Lanes]) {
        let (base, first) = (self.base as usize, usize::from(self.first));
        (
            first,
            &strengths[base..base + usize::from(self.last) - first],
        )
    }

    /// The strengths of the row on a block, if it reaches the block.
    #[inline(always)]
    pub(crate) fn on(self, strengths: &[Lanes], block: usize) -> Option<&Lanes> {
        let offset = block.wrapping_sub(self.first.into());
        (offset < usize::from(self.last - self.first))
            .then(|| &strengths[self.base as usize + offset])
    }
}

impl SynapseTable {
    /// Joins the sites of sources with row modes and gains; `targets[lane]`.
    pub(crate) fn new(
        targets: &[Target],
        groups: usize,
        sites: &SiteTable,
        row_modes: &[RowMode],
        pattern: &FixedPattern,
        integral_nonlinearity: f64,
    ) -> Self {
        // Circuit -> (lane, first group).
        let mut lane_of = [None; Site::CIRCUITS];
        for (lane, target) in targets.iter().enumerate() {
            let neuron = target.circuits;
            lane_of[usize::from(neuron.membrane)] = Some((lane, 0));
            if let Some(partner) = neuron.partner {
                lane_of[usize::from(partner)] = Some((lane, 2));
            }
        }
        let mut rows = Vec::with_capacity(sites.sources() * groups);
        let mut heard = Vec::with_capacity(sites.sources());
        let mut cells = Vec::with_capacity(sites.len());
        let mut blocks = 0_u32;
        for source in 0..sites.sources() {
            // (lane, synapse index) by group.
            let mut reached: [Vec<(usize, u32)>; 4] = Default::default();
            for site in sites.of(source) {
                let Some((lane, group)) = lane_of[usize::from(site.circuit)] else {
                    continue;
                };
                let synapse = site.index();
                let mode = row_modes[synapse / Site::COLUMNS];
                let synapse = synapse as u32;
                if matches!(mode, RowMode::Excitatory | RowMode::Both) {
                    reached[group].push((lane, synapse));
                }
                if matches!(mode, RowMode::Inhibitory | RowMode::Both) {
                    reached[group + 1].push((lane, synapse));
                }
            }
            heard.push(reached.iter().flatten().any(|r| targets[r.0].fires));
            for (group, reached) in reached.iter().enumerate().take(groups) {
                let first = reached.iter().map(|r| r.0 / L).min().unwrap_or(0);
                let last = reached.iter().map(|r| r.0 / L + 1).max().unwrap_or(0);
                let lowest = reached.iter().map(|r| r.0 % L).min().unwrap_or(0);
                rows.push(Row {
                    base: blocks,
                    first: first as u16,
                    last: last as u16,
                    // Whole vectors.
                    from_lane: (lowest / VECTOR * VECTOR) as u8,
                });
                for &(lane, synapse) in reached {
                    let target = (blocks as usize - first) * L + lane;
                    let gain = f64::from(pattern.synapse_gain[synapse as usize]);
                    let full_strength = (gain * targets[lane].full_strength[group]) as f32;
                    let target = target as u32;
                    cells.push((
                        synapse,
                        Cell {
                            target,
                            full_strength,
                        },
                    ));
                }
                blocks += (last - first) as u32;
            }
        }
        let dac = std::array::from_fn(|w| {
            let w = w as f64;
            // DEFAULT: an s-shaped deviation that leaves both ends in place.
            let bow = integral_nonlinearity * libm::sin(std::f64::consts::TAU * w / 63.0);
            ((w + bow).max(0.0) / 63.0) as f32
        });
        let mut reached = vec![false; L * blocks as usize];
        let mut shared = false;
        for (_, cell) in &cells {
            shared |= std::mem::replace(&mut reached[cell.target as usize], true);
        }
        cells.sort_by_key(|&(synapse, _)| synapse);
        let mut first_cell = vec![0; SYNAPSES + 1];
        for (synapse, _) in &cells {
            first_cell[*synapse as usize + 1] += 1;
        }
        for synapse in 0..SYNAPSES {
            first_cell[synapse + 1] += first_cell[synapse];
        }
        Self {
            groups,
            rows,
            heard,
            strengths: vec![Lanes::ZERO; blocks as usize],
            first_cell,
            cells: cells.into_iter().map(|(_, cell)| cell).collect(),
            shared,
            written: vec![0; SYNAPSES],
            changed: Vec::new(),
            dac,
        }
    }

    /// Takes weights `[half][row][column]` of all synapses.
    pub(crate) fn write(&mut self, weights: &[u8]) -> Result<(), AnalogError> {
        if weights.len() != SYNAPSES {
            return Err(AnalogError::SynramSize {
                found: weights.len(),
                expected: SYNAPSES,
            });
        }
        if self.shared {
            // Sums begin anew: they must not depend on the weights of before.
            self.strengths.fill(Lanes::ZERO);
            self.written.fill(0);
        }
        // From step to step of a training few weights change: words of eight that are the same
        // are passed over. All changes are found before the first is written, since each waits
        // for tables in a far cache, and the next one's wait could not begin before its branch.
        let mut changed = std::mem::take(&mut self.changed);
        changed.clear();
        let (new, old) = (weights.as_chunks().0, self.written.as_chunks_mut().0);
        for (word, (new, old)) in new.iter().zip(old).enumerate() {
            let mut differ = u64::from_le_bytes(*new) ^ u64::from_le_bytes(*old);
            *old = *new;
            while differ != 0 {
                let byte = differ.trailing_zeros() / 8;
                differ &= !(0xff << (8 * byte));
                changed.push(8 * word as u32 + byte);
            }
        }
        for &synapse in &changed {
            let synapse = synapse as usize;
            let share = self.dac[usize::from(weights[synapse] & 63)];
            let cells = self.first_cell[synapse]..self.first_cell[synapse + 1];
            for cell in &self.cells[cells.start as usize..cells.end as usize] {
                let target = cell.target as usize;
                let strength = &mut self.strengths[target / L][target % L];
                let others = if self.shared { *strength } else { 0.0 };
                *strength = others + share * cell.full_strength;
            }
        }
        self.changed = changed;
        Ok(())
    }

    /// `[group]`: the rows of a source.
    #[inline(always)]
    pub(crate) fn rows(&self, source: u16) -> &[Row] {
        &self.rows[usize::from(source) * self.groups..][..self.groups]
    }

    /// Whether a source reaches a neuron that may fire.
    #[inline(always)]
    pub(crate) fn is_heard(&self, source: u16) -> bool {
        self.heard[usize::from(source)]
    }

    /// Number of sources.
    pub(crate) fn sources(&self) -> usize {
        self.rows.len() / self.groups
    }

    /// Strengths of all rows, in blocks.
    #[inline(always)]
    pub(crate) fn strengths(&self) -> &[Lanes] {
        &self.strengths
    }
}

#[cfg(test)]
mod tests {
    use bss2_event::Seed;
    use bss2_event::random::{Address, Domain};

    use super::*;
    use crate::profile::MismatchProfile;

    /// Four neurons and six sources, each on a row of its own, the first on one that adds to
    /// both inputs; on two further rows if `shared`.
    fn table(shared: bool) -> SynapseTable {
        let targets: Vec<Target> = (0..4)
            .map(|circuit| Target {
                circuits: NeuronCircuits {
                    membrane: circuit,
                    partner: None,
                },
                full_strength: [0.1; 4],
                fires: true,
            })
            .collect();
        let rows = if shared { [0, 1, 2] } else { [2; 3] };
        let sites = |source: u16| {
            let all = (0..4).flat_map(|circuit| {
                rows.map(|row| Site {
                    circuit,
                    row: 3 * source + row,
                })
            });
            let mut sites: Vec<Site> = all.collect();
            sites.sort_by_key(|site| (site.circuit, site.row));
            sites.dedup();
            sites
        };
        let sites = SiteTable::new(2, (0..6).map(sites).collect()).unwrap();
        let mut modes = [RowMode::Excitatory; 512];
        modes[2] = RowMode::Both;
        let pattern = FixedPattern::draw(&MismatchProfile::cube66(), Seed(3)).unwrap();
        SynapseTable::new(&targets, 2, &sites, &modes, &pattern, 0.3)
    }

    #[test]
    fn strengths_are_those_of_the_weights_whatever_was_written_before() {
        let draw = |seed: u64| -> Vec<u8> {
            let address = Address::new(Seed(seed), Domain::Test);
            let weight = |synapse: u32| (127.9 * address.element(synapse).uniform(0)) as u8;
            (0..SYNAPSES as u32).map(weight).collect()
        };
        for shared in [false, true] {
            let mut table_of_all = table(shared);
            assert_eq!(table_of_all.shared, shared);
            for weights in [draw(1), draw(2), vec![0; SYNAPSES], draw(1)] {
                table_of_all.write(&weights).unwrap();
                let mut fresh = table(shared);
                fresh.write(&weights).unwrap();
                assert_eq!(table_of_all.strengths, fresh.strengths);
                // Six bits of a weight count.
                let low: Vec<u8> = weights.iter().map(|w| w & 63).collect();
                table_of_all.write(&low).unwrap();
                assert_eq!(table_of_all.strengths, fresh.strengths);
            }
            assert!(
                table_of_all
                    .strengths
                    .iter()
                    .any(|block| block.iter().any(|s| *s > 0.0))
            );
            let before = table_of_all.strengths.clone();
            assert!(table_of_all.write(&[1; SYNAPSES - 1]).is_err());
            assert_eq!(table_of_all.strengths, before);
        }
    }
}
