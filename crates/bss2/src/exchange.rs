//! Weights, spikes and traces in plain arrays, for other programs and from them.
//!
//! The arrays, their shapes and units are listed in the user guide.

use std::io;
use std::path::Path;

use bss2_learn::{Layer, NetworkShape, QuantisedWeights, WeightLevels, Weights};

use crate::config::{Experiment, SubstrateKind};
use crate::data::{Data, Samples};
use crate::error::Error;
use crate::npz::{self, Npz, NpzError};
use crate::observation::Observation;

/// The name of a projection's array.
fn name(layer: Layer) -> String {
    format!("weights_{layer}")
}

/// An archive of the weights of a run and of what the network did with images.
///
/// # Errors
/// [`Error::Learn`] for weights that the hardware cannot hold.
pub fn export(
    experiment: &Experiment,
    data: &Data,
    weights: &Weights,
    observation: &Observation,
) -> Result<Vec<u8>, Error> {
    let mut quantised = QuantisedWeights::default();
    let on_chip = experiment.substrate == SubstrateKind::Chip;
    if on_chip {
        let mut written = weights.clone();
        if let Some(bits) = experiment.network.weight_bits {
            WeightLevels::new(bits, experiment.train.weight_limit)?.round(weights, &mut written);
        }
        quantised.fill(&written, &experiment.chip.quantise)?;
    }
    let (shape, images, grid) = (observation.shape, observation.len(), observation.grid);
    let of_image = [images, grid.steps, shape.neurons()];
    let written = npz::write(|arrays| {
        for (layer, matrix) in weights.layers() {
            let (targets, sources) = matrix.shape();
            let all = (0..targets).flat_map(|t| (0..sources).map(move |s| matrix[(t, s)]));
            arrays.add(&name(layer), &[targets, sources], all)?;
            let on_hardware = match layer {
                _ if !on_chip => continue,
                Layer::Hidden => &quantised.hidden,
                Layer::Recurrent => quantised.recurrent.as_ref().expect("it was filled"),
                Layer::Output => &quantised.output,
            };
            let all = (0..targets).flat_map(|t| (0..sources).map(move |s| on_hardware.of(s)[t]));
            arrays.add(&format!("hardware_{layer}"), &[targets, sources], all)?;
        }
        let scale = f64::from(observation.output_scale);
        arrays.add("output_scale", &[], [scale])?;
        if let Samples::Images(set) = &data.test {
            let side = set.side();
            let pixels = set.pixels()[..images * side * side].iter().copied();
            arrays.add("images", &[images, side, side], pixels)?;
        }
        arrays.add("labels", &[images], observation.labels.iter().copied())?;
        let predictions = observation.predictions.iter().copied();
        arrays.add("predictions", &[images], predictions)?;
        let samples = || observation.inputs.samples().enumerate();
        let spikes = [observation.inputs.spike_count()];
        let of = samples().flat_map(|(image, sample)| vec![image as u32; sample.len()]);
        arrays.add("input_image", &spikes, of)?;
        let times = samples().flat_map(|(_, sample)| sample.times().iter().map(|t| 1e6 * t));
        arrays.add("input_time_us", &spikes, times)?;
        let channels = samples().flat_map(|(_, sample)| sample.channels().iter().copied());
        arrays.add("input_channel", &spikes, channels)?;
        let times = (0..grid.steps).map(|step| (grid.dt * step as f64).as_micro());
        arrays.add("time_us", &[grid.steps], times)?;
        arrays.add("traces", &of_image, observation.traces.iter().copied())?;
        arrays.add("spikes", &of_image, observation.spikes.iter().copied())
    });
    Ok(written.expect("every array has its shape, and memory does not fail"))
}

/// Reads the weights of a network: `weights_hidden`, `weights_output`, and
/// `weights_recurrent` of a recurrent one, `[target, source]`; other arrays are left
/// alone. Hidden and recurrent weights lie within `limit` of zero.
///
/// # Errors
/// [`NpzError`] with the array: missing, of another shape, or with an entry outside its
/// range.
pub fn read_weights(path: &Path, shape: NetworkShape, limit: f64) -> Result<Weights, NpzError> {
    let mut archive = Npz::open(path)?;
    let mut weights = Weights::zeros(shape);
    for (layer, matrix) in weights.layers_mut() {
        let (name, (targets, sources)) = (name(layer), matrix.shape());
        let wanted = [targets as u64, sources as u64];
        let Some(values) = archive.floats(&name, &wanted)? else {
            return Err(archive.missing(&[&name]));
        };
        let limit = match layer {
            // A weight at the limit may have gone through f32.
            Layer::Hidden | Layer::Recurrent => limit * (1.0 + 1e-6),
            Layer::Output => f64::from(f32::MAX),
        };
        for (place, value) in values.into_iter().enumerate() {
            let (target, source) = (place / sources, place % sources);
            if !(-limit..=limit).contains(&value) {
                let needed = match layer {
                    Layer::Output => "a finite number".to_owned(),
                    _ => format!("{:.4} to {limit:.4}", -limit),
                };
                let entry = format!("{name}[{target}, {source}]");
                return Err(archive.unfit(&entry, &format!("is {value}"), &needed));
            }
            matrix[(target, source)] = value as f32;
        }
    }
    Ok(weights)
}

/// A number that tells weights apart.
#[must_use]
pub fn checksum(weights: &Weights) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for (_, matrix) in weights.layers() {
        for weight in matrix.iter() {
            hasher.update(&weight.to_le_bytes());
        }
    }
    hasher.finalize()
}

/// Writes an archive, in whole or not at all.
///
/// # Errors
/// [`NpzError::Io`].
pub fn save(archive: &[u8], path: &Path) -> Result<(), NpzError> {
    let fail = |source: io::Error| NpzError::Write {
        path: path.to_owned(),
        source,
    };
    crate::files::write_atomically(path, archive).map_err(fail)
}
