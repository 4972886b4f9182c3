//! An experiment without a run folder, one batch after another: what speed is
//! measured on.
//!
//! A batch is the whole way from stored samples to new weights, or to predicted
//! classes: encoding, substrate, learner. Samples come in the order in which they are
//! stored, again and again.

use bss2_event::SpikeBatch;
use bss2_learn::{NetworkShape, Substrate, Trainer};

use crate::awake::awake;
use crate::config::Experiment;
use crate::data::{Data, Feed};
use crate::error::Error;
use crate::substrates;

/// Work of an experiment.
pub struct Workload<'a> {
    data: &'a Data,
    feed: Feed<'a>,
    /// Numbers of all training samples, and the place of the next one.
    indices: Vec<u32>,
    place: usize,
    batch_size: usize,
    batch: SpikeBatch,
    labels: Vec<u8>,
    substrate: Box<dyn Substrate>,
    trainer: Trainer,
}

/// What some batches were.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Tally {
    /// Samples shown.
    pub samples: usize,
    /// Those that were classified rightly.
    pub correct: usize,
    /// Input spikes of all samples.
    pub input_spikes: usize,
    /// Hidden spikes of all samples.
    pub hidden_spikes: u64,
}

impl Tally {
    /// Input and hidden spikes of a sample, on average.
    #[must_use]
    pub fn spikes_per_sample(&self) -> (f64, f64) {
        let samples = self.samples.max(1) as f64;
        (
            self.input_spikes as f64 / samples,
            self.hidden_spikes as f64 / samples,
        )
    }
}

impl<'a> Workload<'a> {
    /// A network of any shape with the inputs of the data, its weights as they are
    /// drawn, on the experiment's substrate. The chip counts on the threads of the
    /// pool that this is called in, and each batch needs all of them.
    ///
    /// # Errors
    /// As [`substrates::of_shape`], and for settings of learner and encoder outside
    /// their range.
    pub fn new(
        experiment: &Experiment,
        data: &'a Data,
        shape: NetworkShape,
    ) -> Result<Self, Error> {
        let substrate = substrates::of_shape(experiment, shape)?;
        let trainer = Trainer::new(experiment.train.clone(), shape, substrate.time_grid())?;
        let feed = data.train_feed(experiment)?;
        let mut workload = Self {
            indices: (0..data.train.len() as u32).collect(),
            place: 0,
            batch_size: experiment.batch.min(data.train.len()),
            batch: SpikeBatch::new(feed.channels()),
            labels: Vec::new(),
            data,
            feed,
            substrate,
            trainer,
        };
        workload.begin()?;
        Ok(workload)
    }

    /// The learner as it is now.
    #[must_use]
    pub fn trainer(&self) -> &Trainer {
        &self.trainer
    }

    /// Begins anew: with the first sample, and with this learner.
    ///
    /// # Errors
    /// A learner of another network.
    pub fn begin_with(&mut self, trainer: Trainer) -> Result<(), Error> {
        self.trainer = trainer;
        self.begin()
    }

    fn begin(&mut self) -> Result<(), Error> {
        self.place = 0;
        self.trainer.write_weights(self.substrate.as_mut())?;
        Ok(())
    }

    /// Trains on so many batches.
    ///
    /// # Errors
    /// When encoder, substrate or learner fail.
    pub fn train(&mut self, batches: usize) -> Result<Tally, Error> {
        self.repeat(
            batches,
            |trainer, substrate| Ok(trainer.begin_step(substrate)?),
            |trainer, substrate, written, batch, labels| {
                let report = trainer.finish_step(substrate, written, batch, labels)?;
                Ok((report.correct, report.hidden_spikes))
            },
        )
    }

    /// Classifies so many batches with the weights that the substrate holds: those of
    /// [`Workload::begin_with`], or of before the last training step.
    ///
    /// # Errors
    /// As [`Workload::train`].
    pub fn infer(&mut self, batches: usize) -> Result<Tally, Error> {
        self.repeat(
            batches,
            |_, _| Ok(()),
            |trainer, substrate, (), batch, labels| {
                let result = trainer.evaluate(substrate, batch, labels)?;
                Ok((result.correct, result.hidden_spikes))
            },
        )
    }

    /// `begin` while a batch is encoded, and `work` with it.
    fn repeat<B: Send>(
        &mut self,
        batches: usize,
        begin: impl Fn(&mut Trainer, &mut dyn Substrate) -> Result<B, Error> + Sync,
        work: impl Fn(
            &mut Trainer,
            &mut dyn Substrate,
            B,
            &SpikeBatch,
            &[u8],
        ) -> Result<(usize, u64), Error>
        + Sync,
    ) -> Result<Tally, Error> {
        let mut tally = Tally::default();
        for _ in 0..batches {
            if self.place + self.batch_size > self.indices.len() {
                self.place = 0;
            }
            let chosen = &self.indices[self.place..][..self.batch_size];
            self.place += self.batch_size;
            self.labels.clear();
            let labels = self.data.train.labels();
            self.labels
                .extend(chosen.iter().map(|&i| labels[i as usize]));
            let (trainer, substrate) = (&mut self.trainer, self.substrate.as_mut());
            let (feed, batch) = (&mut self.feed, &mut self.batch);
            let labels = &self.labels[..];
            let (correct, hidden) = awake(|| -> Result<_, Error> {
                let (begun, encoded) = rayon::join(
                    || begin(trainer, substrate),
                    || feed.encode(chosen, 0, batch),
                );
                encoded?;
                work(trainer, substrate, begun?, batch, labels)
            })?;
            tally.samples += chosen.len();
            tally.correct += correct;
            tally.input_spikes += self.batch.spike_count();
            tally.hidden_spikes += hidden;
        }
        Ok(tally)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{DataSet, SubstrateKind};

    #[test]
    fn batches_go_round_and_a_new_beginning_repeats_them() {
        let mut experiment = Experiment {
            substrate: SubstrateKind::Software,
            batch: 20,
            ..Experiment::default()
        };
        experiment.data.set = DataSet::Generated;
        experiment.data.train_images = 50;
        experiment.data.test_images = 1;
        let data = Data::load(&mut experiment).unwrap();
        let shape = substrates::network_shape(&experiment, &data);
        let mut workload = Workload::new(&experiment, &data, shape).unwrap();
        let begin = workload.trainer().clone();
        // Ten images are left over each time, and the third batch is the first one.
        let inputs: Vec<_> = (0..3)
            .map(|_| workload.infer(1).unwrap().input_spikes)
            .collect();
        assert_eq!(inputs[0], inputs[2]);
        assert_ne!(inputs[0], inputs[1]);

        let trained = workload.train(4).unwrap();
        assert_eq!(trained.samples, 80);
        assert!(trained.input_spikes > 0);
        assert_ne!(workload.trainer().weights(), begin.weights());
        workload.begin_with(begin).unwrap();
        let tally = workload.train(4).unwrap();
        workload.begin_with(workload.trainer().clone()).unwrap();
        assert_eq!(workload.infer(1).unwrap().input_spikes, inputs[0]);
        assert_eq!(tally.samples, trained.samples);
    }
}
