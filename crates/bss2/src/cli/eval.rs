//! `bss2 eval`.

use std::path::PathBuf;
use std::process::ExitCode;

use bss2_learn::Layer;
use serde_json::json;

use crate::chip::RunMode;
use crate::config::{self, Assignment};
use crate::evaluation;
use crate::run_folder::RunFolder;
use crate::substrates;
use crate::{note, tell};

use super::{CheckpointFlag, PlaceFlags, SubstrateFlags, Trained};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Folder of the run.
    run: PathBuf,
    #[command(flatten)]
    substrate: SubstrateFlags,
    #[command(flatten)]
    place: PlaceFlags,
    /// How images follow each other on the chip.
    #[arg(long)]
    mode: Option<RunMode>,
    #[command(flatten)]
    checkpoint: CheckpointFlag,
    /// Print the result as one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> miette::Result<ExitCode> {
    let mut assignments = arguments.substrate.assignments();
    assignments.extend(arguments.place.assignments());
    let mode = arguments.mode;
    let mode = mode.map(|mode| Assignment::of_flag("--mode", "chip.mode", mode.name()));
    assignments.extend(mode.clone());
    let own = RunFolder::config_path(&arguments.run)?;
    let experiment = config::load(Some(&own), &assignments)?;
    arguments.substrate.check(&experiment)?;
    super::refuse_without_chip(&experiment, mode.as_slice())?;
    let Trained {
        experiment,
        data,
        state,
    } = Trained::load(experiment, &arguments.run, &arguments.checkpoint)?;
    let mut substrate = substrates::build(&experiment, &data)?;
    for warning in substrate.warnings() {
        note!("warning: {warning}");
    }
    let evaluation = evaluation::evaluate(&experiment, &data, substrate.as_mut(), state)?;
    let sample = experiment.data.sample();
    super::warn_of_losses(
        &evaluation.silent_layers,
        evaluation.lost_events_per_image,
        sample,
    );
    let late = [
        (
            evaluation.unsent_inputs_per_image,
            "input spikes come after the reset and are not sent",
        ),
        (
            evaluation.reset_events_per_image,
            "events are on their way when the reset comes and are lost in it",
        ),
        (
            evaluation.lost_inputs_per_image,
            "input spikes come past the window and are lost",
        ),
    ];
    for (each, what) in late.into_iter().filter(|(each, _)| *each > 0.0) {
        note!("warning: {what}, {}", evaluation::rate(each, sample));
    }
    if arguments.json {
        let layers = &evaluation.silent_layers;
        let result = json!({
            "substrate": experiment.place(),
            "data": data.name(),
            "samples": data.test.len(),
            "accuracy": evaluation.accuracy,
            "loss": evaluation.loss,
            "hidden_spikes_per_image": evaluation.hidden_spikes_per_image,
            "input_spikes_per_image": evaluation.input_spikes_per_image,
            "unsent_inputs_per_image": evaluation.unsent_inputs_per_image,
            "lost_inputs_per_image": evaluation.lost_inputs_per_image,
            "lost_events_per_image": evaluation.lost_events_per_image,
            "reset_events_per_image": evaluation.reset_events_per_image,
            "silent_layers": layers.iter().map(Layer::to_string).collect::<Vec<_>>(),
            "images_per_s": evaluation.images_per_s,
        });
        tell!("{result}");
        return Ok(ExitCode::SUCCESS);
    }
    tell!(
        "{}: {} accuracy {:.2} % on {} {sample}s of {}, {:.1} hidden spikes/{sample}, {:.0} {sample}s/s",
        experiment.place(),
        experiment.data.tested(),
        100.0 * evaluation.accuracy,
        data.test.len(),
        data.name(),
        evaluation.hidden_spikes_per_image,
        evaluation.images_per_s,
    );
    Ok(ExitCode::SUCCESS)
}
