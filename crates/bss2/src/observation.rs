//! What a trained network does with single samples.

use bss2_event::{Seconds, SpikeBatch, TimeGrid};
use bss2_learn::{Layer, NetworkShape, Substrate, Trainer};

use crate::config::Experiment;
use crate::data::Data;
use crate::error::Error;
use crate::evaluation::{TESTS, test_batch};
use crate::substrates::network_shape;
use crate::training::State;

/// Spikes and membranes of some test samples, images or recordings, from the first.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// Sizes of the network.
    pub shape: NetworkShape,
    /// Samples of each membrane.
    pub grid: TimeGrid,
    /// `[image]`
    pub labels: Vec<u8>,
    /// `[image]`: the output that was highest.
    pub predictions: Vec<u8>,
    /// Input spikes of each image.
    pub inputs: SpikeBatch,
    /// `[image, time, neuron]`, hidden neurons first: membranes, leak 0, threshold 1.
    pub traces: Vec<f32>,
    /// `[image, time, neuron]`: 1 where a neuron fired in the time after a sample.
    pub spikes: Vec<u8>,
    /// Hardware weight for an output weight of 1; 1 where weights are not rounded.
    pub output_scale: f32,
    /// Layers whose weights all round to zero.
    pub silent_layers: Vec<Layer>,
    /// Mean number of an image's input spikes and spikes that a link or a bus of the chip
    /// could not carry everywhere, or that the reset of inference mode took.
    pub lost_events_per_image: f64,
}

impl Observation {
    /// Shows the first `count` test images to the network of a checkpoint, with the
    /// noise that they met in the last test of its training, and keeps everything.
    ///
    /// # Errors
    /// When encoder or substrate fail, or the weights are of another network.
    pub fn new(
        experiment: &Experiment,
        data: &Data,
        substrate: &mut dyn Substrate,
        state: State,
        count: usize,
    ) -> Result<Self, Error> {
        let (shape, grid) = (network_shape(experiment, data), substrate.time_grid());
        let mut trainer = Trainer::new(experiment.train.clone(), shape, grid)?;
        trainer.take_weights(&state.into_snapshot())?;
        let written = trainer.write_weights(substrate)?;
        let mut feed = data.test_feed(experiment)?;
        let indices: Vec<u32> = (0..count.min(data.test.len()) as u32).collect();
        let mut observation = Self {
            shape,
            grid,
            labels: data.test.labels()[..indices.len()].to_vec(),
            predictions: Vec::new(),
            inputs: SpikeBatch::new(shape.inputs),
            traces: Vec::new(),
            spikes: Vec::new(),
            output_scale: written.output_scale,
            silent_layers: written.silent_layers,
            lost_events_per_image: 0.0,
        };
        let presentation = TESTS + trainer.epoch();
        // So that they meet this noise again wherever they are run.
        observation.inputs.set_presentation(presentation);
        let mut batch = SpikeBatch::new(shape.inputs);
        let mut lost_events = 0;
        // In the batches of a test, since times may count from a batch's first spike.
        for indices in indices.chunks(test_batch(experiment, &*substrate)) {
            feed.encode(indices, presentation, &mut batch)?;
            let labels = &observation.labels[indices[0] as usize..][..indices.len()];
            let run = trainer.observe(substrate, &batch, labels)?.run;
            lost_events += run.lost_events + run.reset_events;
            let predictions = trainer.predictions().map(|class| class as u8);
            observation.predictions.extend(predictions);
            observation.inputs.append(&batch);
            let recording = trainer.recording();
            observation.traces.extend_from_slice(recording.traces());
            observation.spikes.extend_from_slice(recording.spikes());
        }
        observation.lost_events_per_image = lost_events as f64 / observation.len() as f64;
        Ok(observation)
    }

    /// Number of images.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Spikes of the hidden neurons of an image: the beginning of the bin, and the
    /// neuron.
    pub fn hidden_spikes(&self, image: usize) -> impl Iterator<Item = (Seconds, u16)> {
        let (neurons, hidden) = (self.shape.neurons(), self.shape.hidden);
        let bins = self.of_image(&self.spikes, image).chunks_exact(neurons);
        bins.enumerate().flat_map(move |(bin, fired)| {
            let time = self.grid.dt * bin as f64;
            let fired = fired[..hidden].iter().enumerate();
            fired
                .filter(|(_, spike)| **spike != 0)
                .map(move |(neuron, _)| (time, neuron as u16))
        })
    }

    /// Membranes of the outputs of an image, sample by sample.
    pub fn readout(&self, image: usize) -> impl Iterator<Item = &[f32]> {
        let (neurons, hidden) = (self.shape.neurons(), self.shape.hidden);
        let samples = self.of_image(&self.traces, image).chunks_exact(neurons);
        samples.map(move |sample| &sample[hidden..])
    }

    fn of_image<'a, T>(&self, all: &'a [T], image: usize) -> &'a [T] {
        let length = self.grid.steps * self.shape.neurons();
        &all[image * length..][..length]
    }
}

#[cfg(test)]
mod tests {
    use bss2_event::Recording;

    use super::*;
    use crate::config::DataSet;
    use crate::metrics::EpochMetrics;
    use crate::run_folder::RunFolder;
    use crate::substrates;
    use crate::training::{Observer, StepReport, Training};

    struct Silent;

    impl Observer for Silent {
        fn step(&mut self, _: &StepReport) {}
        fn epoch(&mut self, _: &EpochMetrics, _: Option<f64>) {}
        fn warning(&mut self, _: &str) {}
    }

    #[test]
    fn its_inputs_run_again_give_its_traces_and_spikes() {
        let mut experiment = Experiment {
            epochs: 1,
            batch: 4,
            ..Experiment::default()
        };
        experiment.data.set = DataSet::Generated;
        experiment.data.train_images = 20;
        experiment.data.test_images = 10;
        experiment.network.hidden = 20;
        experiment.chip.calibrated = false;
        let data = Data::load(&mut experiment).unwrap();
        let mut substrate = substrates::build(&experiment, &data).unwrap();
        let at = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(&at.path().join("run"), &experiment).unwrap();
        let training = Training::open(&experiment, &data, substrate.as_mut(), &folder).unwrap();
        training.run(&mut Silent).unwrap();

        let state = State::read(&folder.last_checkpoint()).unwrap();
        let observed = Observation::new(&experiment, &data, substrate.as_mut(), state, 10).unwrap();
        let mut again = Recording::default();
        substrate.run(&observed.inputs, &mut again).unwrap();
        assert_eq!(again.spikes(), observed.spikes);
        assert_eq!(again.traces(), observed.traces);
        let mut other = observed.inputs.clone();
        other.set_presentation(0);
        substrate.run(&other, &mut again).unwrap();
        assert_ne!(again.traces(), observed.traces, "there is noise");
    }
}
