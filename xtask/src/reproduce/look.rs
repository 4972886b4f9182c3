//! Work that trains nothing: images that are recorded, neurons that are measured.

use std::path::Path;

use bss2::analog::calib::Quantity;
use bss2::chip::{Chip, RunMode};
use bss2::chip_report::{self, DIGITS};
use bss2::config::SubstrateKind;
use bss2::data::Samples;
use bss2::encode::ImageSet;
use bss2::learn::Interpolation;
use bss2::observation::Observation;
use bss2::run_folder;
use bss2::substrates;
use bss2::training::State;
use miette::{IntoDiagnostic, bail, miette};

use super::engine::Shared;
use super::outcome::{Parameters, Scene};
use super::plan::Job;

/// Time bins of spikes for each CADC sample: 0.1 us at 1.7 us.
const BINS: usize = 17;

/// Shows the first test images to the network of a run on a chip.
pub(super) fn record(
    job: &Job,
    shared: &Shared<'_>,
    run: &Path,
    images: u32,
) -> miette::Result<Vec<Scene>> {
    let (mut experiment, loaded) = shared.load(job)?;
    if experiment.substrate != SubstrateKind::Chip {
        bail!(
            "{}: only a chip's spikes have times to be recorded",
            job.label
        );
    }
    // The grid on which spikes are counted; the chip and its samples stay the same.
    experiment.time.interpolation = BINS;
    experiment.time.between = Interpolation::Hold;
    let mut substrate = substrates::build(&experiment, &loaded.data)?;
    let state = State::read(&run_folder::last_checkpoint_path(run))?;
    let (data, count) = (&loaded.data, images as usize);
    let shown = match &data.test {
        Samples::Images(images) => Some(images),
        Samples::Spikes(_) => None,
    };
    let seen = Observation::new(&experiment, data, substrate.as_mut(), state, count)?;
    let interval = experiment.chip.inference.interval.as_micro();
    let closely = experiment.chip.mode == RunMode::Inference;
    let scene = |image: usize| Scene {
        label: seen.labels[image],
        prediction: seen.predictions[image],
        spoken: data.test.speaker(image).map(|speaker| {
            let label = usize::from(seen.labels[image]);
            [
                data.test.class_names().swap_remove(label),
                data.test.speakers().swap_remove(usize::from(speaker)),
            ]
        }),
        channels: data.inputs(),
        side: shown.map_or(0, ImageSet::side),
        pixels: shown.map_or(Vec::new(), |images| images.image(image).to_vec()),
        inputs: seen
            .inputs
            .sample(image)
            .iter()
            .map(|(time, channel)| (1e6 * time, channel))
            .collect(),
        hidden: seen
            .hidden_spikes(image)
            .map(|(time, neuron)| (time.as_micro(), neuron))
            .collect(),
        readout: seen
            .readout(image)
            .step_by(BINS)
            .map(<[f32]>::to_vec)
            .collect(),
        period_us: experiment.time.dt.as_micro(),
        interval_us: closely.then_some(interval),
    };
    Ok((0..seen.len()).map(scene).collect())
}

/// Measures the neurons of a chip as its user can: after its calibration, or as it
/// comes.
pub(super) fn measure(job: &Job) -> miette::Result<Parameters> {
    let experiment = &job.experiment;
    let config = &experiment.chip;
    let report = if config.calibrated {
        let network = chip_report::network(experiment, DIGITS);
        let chip = Chip::new(config.clone(), network, experiment.time).into_diagnostic()?;
        chip.calibration().cloned()
    } else {
        let report = chip_report::characterise(experiment, DIGITS).into_diagnostic()?;
        Some(report.before)
    };
    let of = |quantity: Quantity| {
        let measured = report.as_ref().and_then(|report| report.get(quantity));
        let measured = measured.ok_or_else(|| miette!("{quantity:?} was not measured"))?;
        let finite = |&value: &f64| value.is_finite().then_some(value);
        Ok::<Vec<Option<f64>>, miette::Report>(measured.reached.iter().map(finite).collect())
    };
    let inputs = [of(Quantity::TauSynExc)?, of(Quantity::TauSynInh)?];
    Ok(Parameters {
        tau_mem_us: of(Quantity::TauMem)?,
        tau_syn_us: inputs.concat(),
        threshold_lsb: of(Quantity::Threshold)?,
        target_tau_mem_us: config.targets.tau_mem.as_micro(),
        target_tau_syn_us: config.targets.tau_syn_exc.as_micro(),
        target_threshold_lsb: config.targets.threshold,
        target_leak_lsb: config.targets.leak,
    })
}
