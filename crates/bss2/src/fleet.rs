//! Several chips that share the samples of a batch.

use bss2_event::{Recording, Seed, SpikeBatch, TimeGrid};
use bss2_learn::{
    LearnError, NetworkShape, RunReport, Substrate, SubstrateError, Weights, WriteReport,
};

use crate::chip::{Chip, ChipConfig, ChipError};
use crate::config::TimeConfig;

/// Chips of successive seeds behind one [`Substrate`]: all hold the same weights, each
/// runs its share of the samples, and the learner averages over what they recorded.
///
/// Sample `id` of presentation `p` is run by chip `(id + p) mod n`, which is a matter of
/// neither batch nor threads.
#[derive(Debug)]
pub struct Fleet {
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    chip: Chip,
    batch: SpikeBatch,
    recording: Recording,
}

impl Fleet {
    /// Draws, places and calibrates every chip of `config.fleet`.
    ///
    /// # Errors
    /// As [`Chip::new`].
    pub fn new(
        config: &ChipConfig,
        shape: NetworkShape,
        time: TimeConfig,
    ) -> Result<Self, ChipError> {
        let members = (0..config.fleet.max(1) as u64).map(|n| {
            let config = ChipConfig {
                seed: Seed(config.seed.0.wrapping_add(n)),
                fleet: 1,
                ..config.clone()
            };
            Ok(Member {
                chip: Chip::new(config, shape, time)?,
                batch: SpikeBatch::new(shape.inputs),
                recording: Recording::default(),
            })
        });
        Ok(Self {
            members: members.collect::<Result<_, ChipError>>()?,
        })
    }

    fn member(&self, id: u64, presentation: u32) -> usize {
        ((id + u64::from(presentation)) % self.members.len() as u64) as usize
    }
}

impl Substrate for Fleet {
    fn shape(&self) -> NetworkShape {
        self.members[0].chip.shape()
    }

    fn time_grid(&self) -> TimeGrid {
        self.members[0].chip.time_grid()
    }

    fn warnings(&self) -> Vec<String> {
        let all = self.members.iter().flat_map(|member| {
            let seed = member.chip.config().seed.0;
            let warnings = member.chip.warnings().into_iter();
            warnings.map(move |warning| format!("chip {seed}: {warning}"))
        });
        all.collect()
    }

    fn least_batch(&self) -> usize {
        // One chip after the other, each on its part of the batch.
        let each = self.members.iter().map(|member| member.chip.least_batch());
        each.sum()
    }

    fn write_weights(&mut self, weights: &Weights) -> Result<WriteReport, SubstrateError> {
        let mut report = None;
        for member in &mut self.members {
            report = Some(member.chip.write_weights(weights)?);
        }
        Ok(report.expect("a fleet has a chip"))
    }

    fn run(
        &mut self,
        batch: &SpikeBatch,
        recording: &mut Recording,
    ) -> Result<RunReport, SubstrateError> {
        LearnError::check_inputs(self.shape(), batch).map_err(SubstrateError::new)?;
        let (grid, neurons) = (self.time_grid(), self.shape().neurons());
        recording.resize(batch.len(), grid.steps, neurons);
        for member in &mut self.members {
            member.batch.clear();
            member.batch.set_presentation(batch.presentation());
            member.recording.trace_from(recording.traced_from());
        }
        let owners: Vec<usize> = batch
            .samples()
            .map(|sample| self.member(sample.id(), batch.presentation()))
            .collect();
        for (sample, &owner) in batch.samples().zip(&owners) {
            let part = &mut self.members[owner].batch;
            part.push_sorted(sample.id(), sample.times(), sample.channels())
                .map_err(SubstrateError::new)?;
        }
        let length = recording.sample_len();
        let (traces, spikes) = recording.parts_mut();
        let mut reports = Vec::with_capacity(self.members.len());
        for (n, member) in self.members.iter_mut().enumerate() {
            reports.push(member.chip.run(&member.batch, &mut member.recording)?);
            let places = owners.iter().enumerate().filter(|(_, owner)| **owner == n);
            for (from, (to, _)) in places.enumerate() {
                let of = |place: usize| place * length..(place + 1) * length;
                traces[of(to)].copy_from_slice(member.recording.sample_traces(from));
                spikes[of(to)].copy_from_slice(member.recording.sample_spikes(from));
            }
        }
        Ok(reports.into_iter().sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bss2_event::Seconds;

    const SHAPE: NetworkShape = NetworkShape {
        inputs: 8,
        hidden: 12,
        outputs: 3,
        recurrent: false,
    };

    fn weights() -> Weights {
        let mut weights = Weights::zeros(SHAPE);
        weights.hidden.fill(0.12);
        weights.output.fill(0.1);
        weights
    }

    fn batch(ids: &[u64]) -> SpikeBatch {
        let mut batch = SpikeBatch::new(8);
        batch.set_presentation(3);
        for &id in ids {
            let spikes = (0..8).map(|i| (Seconds::micro(1.0 + (id + i) as f64), i as u16));
            batch.push(id, spikes).unwrap();
        }
        batch
    }

    fn run(substrate: &mut dyn Substrate, ids: &[u64]) -> Recording {
        let mut recording = Recording::default();
        substrate.write_weights(&weights()).unwrap();
        substrate.run(&batch(ids), &mut recording).unwrap();
        recording
    }

    #[test]
    fn each_sample_is_run_by_its_own_chip() {
        let config = ChipConfig {
            fleet: 3,
            calibrated: false,
            ..ChipConfig::default()
        };
        let time = TimeConfig::default();
        let ids = [4, 0, 1, 2, 9];
        let mut fleet = Fleet::new(&config, SHAPE, time).unwrap();
        let whole = run(&mut fleet, &ids);
        for (place, &id) in ids.iter().enumerate() {
            // Presentation 3 of 3 chips.
            let config = ChipConfig {
                seed: Seed(id % 3),
                fleet: 1,
                ..config.clone()
            };
            let mut chip = Chip::new(config, SHAPE, time).unwrap();
            let alone = run(&mut chip, &[id]);
            assert_eq!(whole.sample_traces(place), alone.sample_traces(0), "{id}");
            assert_eq!(whole.sample_spikes(place), alone.sample_spikes(0), "{id}");
        }
        assert!(whole.spikes().contains(&1));
        // What is not asked for is not read.
        let mut outputs = Recording::default();
        outputs.trace_from(SHAPE.hidden);
        fleet.run(&batch(&ids), &mut outputs).unwrap();
        let asked = |member: &Member| member.recording.traced_from();
        assert!(fleet.members.iter().all(|m| asked(m) == SHAPE.hidden));
        let wide = SpikeBatch::new(9);
        let refused = fleet.run(&wide, &mut Recording::default()).unwrap_err();
        assert!(
            refused.to_string().contains("9 input channels"),
            "{refused}"
        );
        assert_eq!(run(&mut fleet, &[9]).traces(), whole.sample_traces(4));
    }
}
