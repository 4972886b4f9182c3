//! The reference of Table 1: a network of the same size without spikes.
//!
//! ```text
//! h = max(0, W x),  z = O h,  loss = -ln softmax(z)[label]
//! ```
//!
//! `x` is the reduced image, 0 to 1, that the spiking networks get as times. Batch,
//! epochs, order of images, optimiser, schedule, dropout and augmentation are theirs
//! too. There are no biases, as on the chip. It lies here and not in the learner,
//! which knows networks by what a substrate recorded of them.
//!
//! # Source
//! That it is of the same size and has ReLUs: Cramer et al. 2022. Its initial weights
//! are normal with variance 2/sources (He et al. 2015) and kept neurons are scaled by
//! `1 / (1 - dropout)`: DEFAULT, as is all else that is said above.

use std::path::Path;
use std::time::Instant;

use bss2::config::{Experiment, SubstrateKind};
use bss2::data::{Data, Samples};
use bss2::encode::{AugmentationConfig, Encoder, EncoderConfig, EpochOrder, ImageSet};
use bss2::event::SimdPath;
use bss2::event::random::{Address, Domain};
use bss2::learn::{
    DropoutMask, NetworkShape, Optimiser, OptimiserState, TrainConfig, Weights, read_checkpoint,
    write_checkpoint,
};
use bss2::metrics::EpochMetrics;
use bss2::substrates::network_shape;
use miette::{IntoDiagnostic, bail};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Samples of a task; no result depends on it.
const CHUNK: usize = 10;

/// The settings that bear on a reference network; all others at their defaults.
pub(super) fn canonical(experiment: &Experiment) -> Experiment {
    let train = &experiment.train;
    Experiment {
        substrate: SubstrateKind::Software,
        epochs: experiment.epochs,
        batch: experiment.batch,
        data: experiment.data.clone(),
        encoder: EncoderConfig {
            reduction: experiment.encoder.reduction,
            augmentation: experiment.encoder.augmentation,
            ..EncoderConfig::default()
        },
        network: experiment.network.clone(),
        train: TrainConfig {
            seed: train.seed,
            learning_rate: train.learning_rate,
            dropout: train.dropout,
            optimiser: train.optimiser,
            schedule: train.schedule,
            ..TrainConfig::default()
        },
        ..Experiment::default()
    }
}

/// What is kept at the end of each epoch.
#[derive(Serialize, Deserialize)]
struct State {
    weights: Weights,
    optimiser: OptimiserState,
    epochs: Vec<EpochMetrics>,
}

/// Trains, or goes on after the last epoch that is kept in `checkpoint`. Tells `at`
/// the share that is done; it says whether to stop.
pub(super) fn train(
    experiment: &Experiment,
    data: &Data,
    checkpoint: &Path,
    mut at: impl FnMut(f64) -> bool,
) -> miette::Result<Vec<EpochMetrics>> {
    let (Samples::Images(train), Samples::Images(test)) = (&data.train, &data.test) else {
        bail!("the reference network takes images");
    };
    let mut network = Network::new(experiment, data);
    let mut epochs = Vec::new();
    if checkpoint.is_file() {
        let state: State = read_checkpoint(checkpoint).into_diagnostic()?;
        network.weights = state.weights;
        network
            .optimiser
            .restore(state.optimiser)
            .into_diagnostic()?;
        epochs = state.epochs;
    }
    let begin = Instant::now();
    let earlier = epochs.last().map_or(0.0, |epoch| epoch.wall_s);
    while epochs.len() < experiment.epochs as usize {
        let (epoch, start) = (epochs.len() as u32, Instant::now());
        let trained = network.train_epoch(experiment, train, epoch)?;
        let seconds = start.elapsed().as_secs_f64();
        let tested = network.test(experiment, test)?;
        epochs.push(EpochMetrics {
            epoch: epoch + 1,
            loss: trained.loss / train.len() as f64,
            train_accuracy: trained.correct as f64 / train.len() as f64,
            test_accuracy: Some(tested.correct as f64 / test.len() as f64),
            hidden_spikes_per_image: 0.0,
            lost_events_per_image: 0.0,
            lost_inputs_per_image: 0.0,
            images_per_s: train.len() as f64 / seconds,
            wall_s: earlier + begin.elapsed().as_secs_f64(),
            data: data.name().to_owned(),
        });
        let state = State {
            weights: network.weights.clone(),
            optimiser: network.optimiser.state().clone(),
            epochs: epochs.clone(),
        };
        write_checkpoint(checkpoint, &state).into_diagnostic()?;
        if at(epochs.len() as f64 / f64::from(experiment.epochs)) {
            bail!("stopped; the same command goes on");
        }
    }
    Ok(epochs)
}

/// Sums over images.
#[derive(Default)]
struct Totals {
    loss: f64,
    correct: usize,
}

struct Network {
    shape: NetworkShape,
    weights: Weights,
    optimiser: Optimiser,
    gradient: Weights,
    mask: DropoutMask,
    /// `[sample, hidden]`, `[sample, output]`: activities and what the loss says of them.
    hidden: Vec<f32>,
    hidden_error: Vec<f32>,
    output_error: Vec<f32>,
    /// `[sample]`: loss, and whether it was right.
    verdicts: Vec<(f64, bool)>,
}

impl Network {
    fn new(experiment: &Experiment, data: &Data) -> Self {
        let shape = network_shape(experiment, data);
        let mut weights = Weights::zeros(shape);
        for (index, (_, matrix)) in weights.layers_mut().enumerate() {
            let address = Address::new(experiment.train.seed, Domain::WeightInit);
            let address = address.sample(index as u64);
            let sd = (2.0 / matrix.ncols() as f64).sqrt();
            for (i, w) in matrix.iter_mut().enumerate() {
                *w = (sd * address.element(i as u32).normal(0)) as f32;
            }
        }
        Self {
            shape,
            weights,
            optimiser: Optimiser::new(experiment.train.optimiser, shape),
            gradient: Weights::zeros(shape),
            mask: DropoutMask::all(shape.hidden),
            hidden: Vec::new(),
            hidden_error: Vec::new(),
            output_error: Vec::new(),
            verdicts: Vec::new(),
        }
    }

    fn train_epoch(
        &mut self,
        experiment: &Experiment,
        images: &ImageSet,
        epoch: u32,
    ) -> miette::Result<Totals> {
        let train = &experiment.train;
        let mut encoder = Encoder::new(&experiment.encoder, train.seed).into_diagnostic()?;
        let order = EpochOrder::new(train.seed, epoch, images.len());
        let steps = images.len().div_ceil(experiment.batch) as u64;
        let rate = train.learning_rate * train.schedule.factor(epoch);
        let mut totals = Totals::default();
        let (mut bytes, mut labels) = (Vec::new(), Vec::new());
        for (step, indices) in order.batches(experiment.batch).enumerate() {
            let step = u64::from(epoch) * steps + step as u64;
            self.mask.draw(train.seed, step, train.dropout);
            encoder
                .inputs(images, indices, epoch, &mut bytes)
                .into_diagnostic()?;
            labels.clear();
            labels.extend(indices.iter().map(|&i| images.labels()[i as usize]));
            let inputs = unit(&bytes);
            let scale = 1.0 / (1.0 - train.dropout as f32);
            let keep: Vec<f32> = self.mask.keep().iter().map(|k| k * scale).collect();
            self.run(&inputs, &labels, &keep);
            self.differentiate(&inputs);
            self.optimiser
                .update(rate, &mut self.weights, &self.gradient);
            self.count(&mut totals);
        }
        Ok(totals)
    }

    fn test(&mut self, experiment: &Experiment, images: &ImageSet) -> miette::Result<Totals> {
        let config = EncoderConfig {
            augmentation: AugmentationConfig::default(),
            ..experiment.encoder
        };
        let mut encoder = Encoder::new(&config, experiment.train.seed).into_diagnostic()?;
        let keep = vec![1.0; self.shape.hidden];
        let all: Vec<u32> = (0..images.len() as u32).collect();
        let (mut totals, mut bytes) = (Totals::default(), Vec::new());
        for indices in all.chunks(experiment.batch) {
            encoder
                .inputs(images, indices, 0, &mut bytes)
                .into_diagnostic()?;
            let labels = &images.labels()[indices[0] as usize..][..indices.len()];
            self.run(&unit(&bytes), labels, &keep);
            self.count(&mut totals);
        }
        Ok(totals)
    }

    fn count(&self, totals: &mut Totals) {
        for &(loss, right) in &self.verdicts {
            totals.loss += loss;
            totals.correct += usize::from(right);
        }
    }

    /// Forward, and the errors of both layers, of the mean loss of the batch. Hidden
    /// neurons are scaled by `keep`.
    fn run(&mut self, inputs: &[f32], labels: &[u8], keep: &[f32]) {
        let (samples, shape) = (labels.len(), self.shape);
        self.hidden.resize(samples * shape.hidden, 0.0);
        self.hidden_error.resize(samples * shape.hidden, 0.0);
        self.output_error.resize(samples * shape.outputs, 0.0);
        self.verdicts.resize(samples, (0.0, false));
        let weights = &self.weights;
        let share = 1.0 / samples as f32;
        inputs
            .par_chunks(CHUNK * shape.inputs)
            .zip(labels.par_chunks(CHUNK))
            .zip(self.hidden.par_chunks_mut(CHUNK * shape.hidden))
            .zip(self.hidden_error.par_chunks_mut(CHUNK * shape.hidden))
            .zip(self.output_error.par_chunks_mut(CHUNK * shape.outputs))
            .zip(self.verdicts.par_chunks_mut(CHUNK))
            .for_each(
                |(((((inputs, labels), hidden), hidden_error), output_error), verdicts)| {
                    for (i, &label) in labels.iter().enumerate() {
                        let x = &inputs[i * shape.inputs..][..shape.inputs];
                        let h = &mut hidden[i * shape.hidden..][..shape.hidden];
                        let dh = &mut hidden_error[i * shape.hidden..][..shape.hidden];
                        let dz = &mut output_error[i * shape.outputs..][..shape.outputs];
                        SimdPath::Native.dispatch(
                            #[inline(always)]
                            || forward(weights, x, keep, h, dz),
                        );
                        verdicts[i] = judge(dz, usize::from(label), share);
                        SimdPath::Native.dispatch(
                            #[inline(always)]
                            || backward(weights, h, keep, dz, dh),
                        );
                    }
                },
            );
    }

    /// Sums over samples in their order, one source at a time.
    fn differentiate(&mut self, inputs: &[f32]) {
        let shape = self.shape;
        let sum = |gradient: &mut [f32], activities: &[f32], errors: &[f32], sources, targets| {
            gradient
                .par_chunks_mut(targets)
                .with_min_len(16)
                .enumerate()
                .for_each(|(source, gradient)| {
                    SimdPath::Native.dispatch(
                        #[inline(always)]
                        || {
                            gradient.fill(0.0);
                            let samples = activities.chunks_exact(sources);
                            for (x, error) in samples.zip(errors.chunks_exact(targets)) {
                                add_scaled(gradient, x[source], error);
                            }
                        },
                    );
                });
        };
        let gradient = &mut self.gradient;
        sum(
            gradient.hidden.as_mut_slice(),
            inputs,
            &self.hidden_error,
            shape.inputs,
            shape.hidden,
        );
        sum(
            gradient.output.as_mut_slice(),
            &self.hidden,
            &self.output_error,
            shape.hidden,
            shape.outputs,
        );
    }
}

/// 0 to 255 becomes 0 to 1.
fn unit(bytes: &[u8]) -> Vec<f32> {
    bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect()
}

/// `to += factor from`; most inputs are black.
#[inline(always)]
fn add_scaled(to: &mut [f32], factor: f32, from: &[f32]) {
    if factor != 0.0 {
        for (to, from) in to.iter_mut().zip(from) {
            *to += factor * from;
        }
    }
}

#[inline(always)]
fn forward(weights: &Weights, x: &[f32], keep: &[f32], h: &mut [f32], z: &mut [f32]) {
    h.fill(0.0);
    for (&x, w) in x
        .iter()
        .zip(weights.hidden.as_slice().chunks_exact(h.len()))
    {
        add_scaled(h, x, w);
    }
    for (h, keep) in h.iter_mut().zip(keep) {
        *h = h.max(0.0) * keep;
    }
    z.fill(0.0);
    for (&h, w) in h
        .iter()
        .zip(weights.output.as_slice().chunks_exact(z.len()))
    {
        add_scaled(z, h, w);
    }
}

#[inline(always)]
fn backward(weights: &Weights, h: &[f32], keep: &[f32], dz: &[f32], dh: &mut [f32]) {
    let outgoing = weights.output.as_slice().chunks_exact(dz.len());
    for (((dh, h), keep), w) in dh.iter_mut().zip(h).zip(keep).zip(outgoing) {
        let mut sum = 0.0;
        for (w, dz) in w.iter().zip(dz) {
            sum += w * dz;
        }
        *dh = if *h > 0.0 { sum * keep } else { 0.0 };
    }
}

/// Scores become the derivative of `share` times their loss; gives back that loss and
/// whether the label had the highest score.
fn judge(z: &mut [f32], label: usize, share: f32) -> (f64, bool) {
    let largest = z.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let first = z.iter().position(|&score| score == largest);
    let exp = |score: f32| libm::exp(f64::from(score - largest));
    let sum: f64 = z.iter().map(|&score| exp(score)).sum();
    let loss = libm::log(sum) - f64::from(z[label] - largest);
    for (class, score) in z.iter_mut().enumerate() {
        let hit = if class == label { 1.0 } else { 0.0 };
        *score = share * (exp(*score) / sum - hit) as f32;
    }
    (loss, first == Some(label))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bss2::config::DataSet;

    fn experiment() -> Experiment {
        let mut experiment = Experiment::default();
        experiment.data.set = DataSet::Generated;
        (experiment.data.train_images, experiment.data.test_images) = (600, 100);
        (experiment.epochs, experiment.batch) = (6, 20);
        experiment.train.learning_rate = 5e-3;
        experiment.network.hidden = 37;
        experiment.train.dropout = 0.1;
        canonical(&experiment)
    }

    #[test]
    fn it_learns_and_goes_on_to_the_same_bits_on_any_number_of_threads() {
        let mut experiment = experiment();
        let data = Data::load(&mut experiment).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let run = |name: &str, threads, stop| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            let path = folder.path().join(name);
            let work = || train(&experiment, &data, &path, |_| stop);
            pool.build().unwrap().install(work)
        };
        let whole = run("whole", 1, false).unwrap();
        for _ in 0..6 {
            assert!(run("parts", 3, true).is_err());
        }
        let parts = run("parts", 2, false).unwrap();
        let numbers = |epochs: &[EpochMetrics]| -> Vec<(f64, f64, Option<f64>)> {
            let of = |e: &EpochMetrics| (e.loss, e.train_accuracy, e.test_accuracy);
            epochs.iter().map(of).collect()
        };
        assert_eq!(numbers(&whole), numbers(&parts));
        assert!(whole[5].test_accuracy > Some(0.6), "{whole:?}");
        assert!(whole[5].loss < whole[0].loss);
    }

    #[test]
    fn the_gradient_is_a_central_difference() {
        let mut experiment = experiment();
        let data = Data::load(&mut experiment).unwrap();
        let mut network = Network::new(&experiment, &data);
        let Samples::Images(images) = &data.train else {
            panic!("generated digits are images");
        };
        let inputs = unit(&images.pixels()[..4 * network.shape.inputs]);
        let labels = &data.train.labels()[..4];
        let keep: Vec<f32> = (0..37)
            .map(|n| if n % 5 == 0 { 0.0 } else { 1.25 })
            .collect();
        network.run(&inputs, labels, &keep);
        network.differentiate(&inputs);
        let gradient = network.gradient.clone();
        let mut loss = |change: &dyn Fn(&mut Weights, f32), by: f32| {
            change(&mut network.weights, by);
            network.run(&inputs, labels, &keep);
            change(&mut network.weights, -by);
            network.verdicts.iter().map(|v| v.0).sum::<f64>() / 4.0
        };
        let bright = (0..256).find(|&i| inputs[i] > 0.5).unwrap();
        for neuron in [0, 1, 8, 33] {
            let hidden = |w: &mut Weights, by| w.hidden[(neuron, bright)] += by;
            let output = |w: &mut Weights, by| w.output[(3, neuron)] += by;
            for (change, found) in [
                (
                    &hidden as &dyn Fn(&mut Weights, f32),
                    gradient.hidden[(neuron, bright)],
                ),
                (&output, gradient.output[(3, neuron)]),
            ] {
                let h = 1e-3;
                let difference = (loss(change, h) - loss(change, -h)) / (2.0 * f64::from(h));
                assert!(
                    (difference - f64::from(found)).abs() < 2e-4,
                    "neuron {neuron}: {difference} {found}"
                );
            }
        }
    }
}
