//! Which sources fire at which step of a grid.

use bss2_event::{SampleSpikes, TimeGrid};

/// Events of one sample by step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StepEvents<'a> {
    /// `[steps + 1]`.
    offsets: &'a [u32],
    sources: &'a [u16],
}

impl<'a> StepEvents<'a> {
    /// Sources that fire in a step.
    #[inline(always)]
    pub(crate) fn at(&self, step: usize) -> &'a [u16] {
        &self.sources[self.offsets[step] as usize..self.offsets[step + 1] as usize]
    }
}

/// Where the steps of a grid begin among the input spikes of a sample.
/// Spikes are sorted by time, so their channels need not be copied. A channel
/// that fires twice within a step counts twice.
#[derive(Debug, Clone, Default)]
pub(crate) struct InputSteps {
    /// `[steps + 1]`.
    offsets: Vec<u32>,
}

impl InputSteps {
    /// Indexes a sample; spikes past the grid's end belong to no step.
    pub(crate) fn fill(&mut self, spikes: SampleSpikes<'_>, grid: TimeGrid) {
        self.offsets.resize(grid.steps + 1, 0);
        index(spikes, grid, &mut self.offsets);
    }

    /// The events of the sample that was indexed last.
    #[inline(always)]
    pub(crate) fn events<'a>(&'a self, spikes: SampleSpikes<'a>) -> StepEvents<'a> {
        StepEvents {
            offsets: &self.offsets,
            sources: spikes.channels(),
        }
    }
}

fn index(spikes: SampleSpikes<'_>, grid: TimeGrid, offsets: &mut [u32]) {
    let dt = grid.dt.get();
    let mut step = 0;
    for (i, &time) in spikes.times().iter().enumerate() {
        // As `TimeGrid::bin`: times are not negative, so the conversion is the
        // floor; beyond the range of integers it saturates.
        let bin = ((time / dt + TimeGrid::SLACK) as usize).min(grid.steps);
        while step <= bin {
            offsets[step] = i as u32;
            step += 1;
        }
        if bin == grid.steps {
            return;
        }
    }
    offsets[step..].fill(spikes.len() as u32);
}

/// Neurons that are looked at together.
const STRETCH: usize = 64;

/// Spikes of neurons, found step by step.
#[derive(Debug, Clone, Default)]
pub(crate) struct SpikeList {
    offsets: Vec<u32>,
    sources: Vec<u16>,
}

impl SpikeList {
    pub(crate) fn clear(&mut self) {
        self.offsets.clear();
        self.offsets.push(0);
        self.sources.clear();
    }

    /// Adds a step: those of the first `neurons` entries that are not zero. What lies behind
    /// them is passed over: so whole vectors are read.
    #[inline(always)]
    pub(crate) fn push_step(&mut self, spikes: &[u8], neurons: usize) {
        debug_assert!(spikes.len() >= neurons);
        for first in (0..neurons).step_by(STRETCH) {
            let (spikes, count) = (&spikes[first..], neurons - first);
            let mut stretch = [0; STRETCH];
            if let Some(whole) = spikes.first_chunk() {
                stretch = *whole;
            } else {
                stretch[..spikes.len()].copy_from_slice(spikes);
            }
            if count < STRETCH {
                for i in 0..STRETCH {
                    stretch[i] = if i < count { stretch[i] } else { 0 };
                }
            }
            // Most neurons are silent: stretches of them are passed over at once.
            let mut any = 0;
            for i in 0..STRETCH {
                any |= stretch[i];
            }
            if any != 0 {
                self.push_stretch(first, &stretch);
            }
        }
        self.offsets.push(self.sources.len() as u32);
    }

    /// Adds neurons from `first` on to a step that is not over.
    #[inline(always)]
    fn push_stretch(&mut self, first: usize, spikes: &[u8; STRETCH]) {
        for (i, word) in spikes.as_chunks::<8>().0.iter().enumerate() {
            let mut word = u64::from_le_bytes(*word);
            while word != 0 {
                let byte = word.trailing_zeros() / 8;
                self.sources.push((first + 8 * i) as u16 + byte as u16);
                word &= !(0xff << (8 * byte));
            }
        }
    }

    /// Adds a step: sources for which the flag is set.
    #[inline(always)]
    pub(crate) fn push_where(&mut self, flags: impl Iterator<Item = bool>) {
        let here = flags.enumerate().filter(|(_, flag)| *flag);
        self.sources.extend(here.map(|(i, _)| i as u16));
        self.offsets.push(self.sources.len() as u32);
    }

    #[inline(always)]
    pub(crate) fn events(&self) -> StepEvents<'_> {
        StepEvents {
            offsets: &self.offsets,
            sources: &self.sources,
        }
    }

    /// All spikes, by step.
    #[inline(always)]
    pub(crate) fn sources(&self) -> &[u16] {
        &self.sources
    }
}

#[cfg(test)]
mod tests {
    use bss2_event::{Seconds, SpikeBatch};

    use super::*;

    #[test]
    fn spikes_fall_into_their_steps_and_late_ones_into_none() {
        let mut batch = SpikeBatch::new(9);
        let us = Seconds::micro;
        batch.push(0, []).unwrap();
        batch
            .push(
                1,
                [
                    (us(0.0), 4),
                    (us(1.0), 8),
                    (us(1.0), 8),
                    (us(3.5), 1),
                    (us(4.0), 2),
                ],
            )
            .unwrap();
        batch.push(2, [(us(9.0), 0), (us(10.0), 0)]).unwrap();
        let grid = TimeGrid {
            steps: 4,
            dt: us(1.0),
        };
        let mut steps = InputSteps::default();
        // What was there before is forgotten.
        let expected: [[&[u16]; 4]; 3] = [[&[]; 4], [&[4], &[8, 8], &[], &[1]], [&[]; 4]];
        for (sample, expected) in batch.samples().zip(expected) {
            steps.fill(sample, grid);
            let found = [0, 1, 2, 3].map(|t| steps.events(sample).at(t));
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn multiples_of_a_step_begin_it_however_they_were_computed() {
        for micro in [1.7, 0.85, 0.1, 1.0, 3.3] {
            let grid = TimeGrid {
                steps: 3000,
                dt: Seconds::micro(micro),
            };
            for step in 0..grid.steps as u32 {
                let n = f64::from(step);
                let times = [grid.dt * n, Seconds::micro(micro * n)];
                let spikes = times.map(|time| (time, 0));
                let mut batch = SpikeBatch::new(1);
                batch.push(0, spikes).unwrap();
                let mut steps = InputSteps::default();
                steps.fill(batch.sample(0), grid);
                let found = steps.events(batch.sample(0));
                assert_eq!(
                    found.at(step as usize).len(),
                    2,
                    "step {step} of {micro} us"
                );
                let bins = times.map(|time| grid.bin(time.get()));
                assert_eq!(bins, [Some(step as usize); 2]);
            }
        }
    }

    #[test]
    fn spikes_are_found_in_rows_of_any_length() {
        let mut list = SpikeList::default();
        list.clear();
        let mut row = [0; 213];
        for n in [0, 7, 8, 20, 63, 192, 212] {
            row[n] = 1;
        }
        // To the end of the row, within a stretch, and within one that the row does not fill.
        for neurons in [213, 7, 200] {
            list.push_step(&row, neurons);
        }
        assert_eq!(list.events().at(0), &[0, 7, 8, 20, 63, 192, 212]);
        assert_eq!(list.events().at(1), &[0]);
        assert_eq!(list.events().at(2), &[0, 7, 8, 20, 63, 192]);
    }
}
