//! `bss2 export`.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::config::{self, SubstrateKind};
use crate::exchange;
use crate::observation::Observation;
use crate::run_folder::RunFolder;
use crate::substrates;
use crate::tell;

use super::{CheckpointFlag, PlaceFlags, Trained};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Folder of the run.
    run: PathBuf,
    /// Archive to write.
    #[arg(long, value_name = "FILE.npz")]
    out: PathBuf,
    #[command(flatten)]
    place: PlaceFlags,
    /// How many test images are shown to the network, from the first.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    images: u32,
    #[command(flatten)]
    checkpoint: CheckpointFlag,
}

pub(super) fn run(arguments: &Arguments) -> miette::Result<ExitCode> {
    let own = RunFolder::config_path(&arguments.run)?;
    let experiment = config::load(Some(&own), &arguments.place.assignments())?;
    let Trained {
        experiment,
        data,
        state,
    } = Trained::load(experiment, &arguments.run, &arguments.checkpoint)?;
    let weights = state.weights().clone();
    let mut substrate = substrates::build(&experiment, &data)?;
    let images = arguments.images as usize;
    let observation = Observation::new(&experiment, &data, substrate.as_mut(), state, images)?;
    let sample = experiment.data.sample();
    super::warn_of_losses(
        &observation.silent_layers,
        observation.lost_events_per_image,
        sample,
    );
    let archive = exchange::export(&experiment, &data, &weights, &observation)?;
    exchange::save(&archive, &arguments.out).map_err(crate::Error::from)?;
    let rounded = match experiment.substrate {
        SubstrateKind::Chip => ", as learned and as the chip holds them",
        SubstrateKind::Software => "",
    };
    tell!(
        "{}: weights{rounded}, and spikes and traces of {} {} {}s",
        arguments.out.display(),
        observation.len(),
        experiment.data.tested(),
        sample,
    );
    Ok(ExitCode::SUCCESS)
}
