//! `bss2 eval`.

use std::path::PathBuf;
use std::process::ExitCode;

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
    let checkpoint = arguments.checkpoint.path(&arguments.run);
    let Trained {
        experiment,
        data,
        state,
    } = Trained::load(experiment, &checkpoint)?;
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
    if evaluation.unsent_inputs_per_image > 0.0 {
        tell!(
            "input spikes come after the reset and are not sent, {}",
            evaluation::rate(evaluation.unsent_inputs_per_image, sample),
        );
    }
    if evaluation.reset_events_per_image > 0.0 {
        tell!(
            "events are on their way when the reset comes and are lost in it, {}",
            evaluation::rate(evaluation.reset_events_per_image, sample),
        );
    }
    if evaluation.lost_inputs_per_image > 0.0 {
        tell!(
            "input spikes come past the window and are lost, {}",
            evaluation::rate(evaluation.lost_inputs_per_image, sample),
        );
    }
    Ok(ExitCode::SUCCESS)
}
