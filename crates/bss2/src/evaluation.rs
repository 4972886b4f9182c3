//! Tests of a trained network.

use std::time::Instant;

use bss2_analog::RunAddress;
use bss2_event::SpikeBatch;
use bss2_learn::{Layer, Substrate, Trainer, Weights};

use crate::awake::awake;
use crate::config::Experiment;
use crate::data::Data;
use crate::error::Error;
use crate::substrates::network_shape;
use crate::training::State;

/// What a test gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// `[sample]`: the output that was highest.
    pub predictions: Vec<u8>,
    /// Share of images that were classified rightly, 0 to 1.
    pub accuracy: f64,
    /// Mean loss.
    pub loss: f64,
    /// Mean number of hidden spikes per image.
    pub hidden_spikes_per_image: f64,
    /// Mean number of input spikes per image, unsent ones included.
    pub input_spikes_per_image: f64,
    /// Mean number of an image's input spikes that came too late to be sent.
    pub unsent_inputs_per_image: f64,
    /// Mean number of an image's input spikes that come past the window.
    pub lost_inputs_per_image: f64,
    /// Mean number of an image's input spikes and spikes that a link or a bus of the chip
    /// could not carry everywhere; each counts once.
    pub lost_events_per_image: f64,
    /// Mean number of an image's events that were on their way when the reset came, which
    /// loses them.
    pub reset_events_per_image: f64,
    /// Layers whose weights all round to zero.
    pub silent_layers: Vec<Layer>,
    /// Images per second, their encoding included.
    pub images_per_s: f64,
}

/// Presentations from here on are tests: the noise that test images meet is
/// never that of training images of the same index.
pub(crate) const TESTS: u32 = 1 << 23;
// The tests of the most epochs that a configuration may ask for come before what belongs
// to calibrations.
const _: () = assert!(TESTS + 100_000 < RunAddress::CALIBRATIONS);

/// Samples of a test that are run at once.
pub(crate) fn test_batch(experiment: &Experiment, substrate: &dyn Substrate) -> usize {
    experiment.batch.max(substrate.least_batch())
}

/// What a user must know of a silent layer.
pub(crate) fn silence_warning(layer: Layer) -> String {
    format!("all {layer} weights round to zero: nothing gets through")
}

/// What a user must know where so many events are lost for each sample.
pub(crate) fn loss_warning(each: f64, sample: &str) -> String {
    let rate = rate(each, sample);
    format!("events are lost, {rate}: links and buses of the chip carry no more")
}

/// So many per sample; of what is rare, one per so many samples.
pub(crate) fn rate(each: f64, sample: &str) -> String {
    if each < 0.1 {
        format!("one per {:.0} {sample}s", 1.0 / each)
    } else {
        format!("{each:.1} per {sample}")
    }
}

/// Shows all test images, not augmented and in their order, to the network as
/// the trainer holds it. Every epoch's test meets its own noise. Each batch needs all threads
/// of the pool that this is called in: none may wait for what comes afterwards.
///
/// # Errors
/// When encoder or substrate fail.
pub fn test(
    experiment: &Experiment,
    data: &Data,
    trainer: &mut Trainer,
    substrate: &mut dyn Substrate,
) -> Result<Evaluation, Error> {
    let start = Instant::now();
    let written = trainer.write_weights(substrate)?;
    let mut feed = data.test_feed(experiment)?;
    let mut batch = SpikeBatch::new(feed.channels());
    let presentation = TESTS + trainer.epoch();
    let indices: Vec<u32> = (0..data.test.len() as u32).collect();
    let (mut correct, mut inputs, mut spikes, mut unsent, mut loss) = (0, 0, 0, 0, 0.0);
    let (mut lost, mut predictions) = (0, Vec::with_capacity(indices.len()));
    let (mut lost_events, mut reset_events) = (0, 0);
    for indices in indices.chunks(test_batch(experiment, &*substrate)) {
        let first = indices[0] as usize;
        let labels = &data.test.labels()[first..][..indices.len()];
        let result = awake(|| -> Result<_, Error> {
            lost += feed.encode(indices, presentation, &mut batch)?;
            Ok(trainer.evaluate(substrate, &batch, labels)?)
        })?;
        predictions.extend(trainer.predictions().map(|class| class as u8));
        correct += result.correct;
        inputs += batch.spike_count();
        spikes += result.hidden_spikes;
        unsent += result.run.unsent_inputs;
        lost_events += result.run.lost_events;
        reset_events += result.run.reset_events;
        loss += result.loss.total() * labels.len() as f64;
    }
    let images = data.test.len() as f64;
    Ok(Evaluation {
        predictions,
        accuracy: correct as f64 / images,
        loss: loss / images,
        hidden_spikes_per_image: spikes as f64 / images,
        input_spikes_per_image: inputs as f64 / images,
        unsent_inputs_per_image: unsent as f64 / images,
        lost_inputs_per_image: lost as f64 / images,
        lost_events_per_image: lost_events as f64 / images,
        reset_events_per_image: reset_events as f64 / images,
        silent_layers: written.silent_layers,
        images_per_s: images / start.elapsed().as_secs_f64(),
    })
}

/// Tests the weights of a checkpoint on any substrate.
///
/// # Errors
/// A checkpoint of another network, and as [`test()`].
pub fn evaluate(
    experiment: &Experiment,
    data: &Data,
    substrate: &mut dyn Substrate,
    state: State,
) -> Result<Evaluation, Error> {
    evaluate_changed(experiment, data, substrate, state, |_| ())
}

/// Tests the weights of a checkpoint after a change, such as
/// [`bss2_learn::silence()`].
///
/// # Errors
/// As [`evaluate`].
pub fn evaluate_changed(
    experiment: &Experiment,
    data: &Data,
    substrate: &mut dyn Substrate,
    state: State,
    change: impl FnOnce(&mut Weights),
) -> Result<Evaluation, Error> {
    let shape = network_shape(experiment, data);
    // In another mode a chip records more or less than in training.
    let mut trainer = Trainer::new(experiment.train.clone(), shape, substrate.time_grid())?;
    trainer.take_changed_weights(&state.into_snapshot(), change)?;
    test(experiment, data, &mut trainer, substrate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_losses_are_told_as_one_in_many() {
        assert_eq!(rate(0.004, "image"), "one per 250 images");
        assert_eq!(rate(0.1, "image"), "0.1 per image");
        assert_eq!(rate(12.34, "recording"), "12.3 per recording");
    }
}
