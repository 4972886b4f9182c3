//! `bss2 chip`.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use miette::{IntoDiagnostic, WrapErr};

use crate::chip_report::{self, ChipReport};
use crate::config::{self, Assignment, Experiment};
use crate::files::write_atomically;

/// What is done with a chip.
#[derive(Debug, Subcommand)]
pub(super) enum Task {
    /// Measure a chip as it is, uncalibrated.
    Info(ChipFlags),
    /// Calibrate a chip and show how close it comes to its targets.
    Calibrate(CalibrateArguments),
}

#[derive(Debug, Args)]
pub(super) struct ChipFlags {
    /// Which chip: every seed is another one.
    #[arg(long, value_name = "N")]
    chip_seed: Option<u32>,
    /// Mismatch of the chip: ideal, cube66, or a TOML file.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Any other key of the configuration.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = Assignment::parse)]
    set: Vec<Assignment>,
}

#[derive(Debug, Args)]
pub(super) struct CalibrateArguments {
    #[command(flatten)]
    chip: ChipFlags,
    /// Folder that calibration.json goes to: every neuron, and all codes.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl ChipFlags {
    fn experiment(&self) -> miette::Result<Experiment> {
        let mut assignments = super::chip_assignments(self.chip_seed, self.profile.as_deref());
        assignments.extend(self.set.iter().cloned());
        Ok(config::load(None, &assignments)?)
    }
}

pub(super) fn run(task: Task) -> miette::Result<ExitCode> {
    match task {
        Task::Info(flags) => {
            let report = chip_report::characterise(&flags.experiment()?).into_diagnostic()?;
            introduce(&report);
            print!("{}", report.table());
        }
        Task::Calibrate(arguments) => calibrate(&arguments)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn introduce(report: &ChipReport) {
    println!(
        "chip {} ({}): 512 neuron circuits, 2 x 256 x 256 synapses; {} neurons measured",
        report.chip,
        report.profile,
        report
            .before
            .quantities
            .first()
            .map_or(0, |m| m.reached.len())
    );
}

fn calibrate(arguments: &CalibrateArguments) -> miette::Result<()> {
    let experiment = arguments.chip.experiment()?;
    let report = chip_report::calibrate(&experiment, |stage| eprintln!("calibrating: {stage}"))
        .into_diagnostic()?;
    introduce(&report);
    print!("{}", report.table());
    match report.failed_neurons.as_slice() {
        [] => println!("every neuron met its targets"),
        failed => println!("{} neurons missed a target: {failed:?}", failed.len()),
    }
    if let Some(out) = &arguments.out {
        let path = out.join("calibration.json");
        let text = serde_json::to_string_pretty(&report).into_diagnostic()?;
        fs::create_dir_all(out)
            .and_then(|()| write_atomically(&path, text.as_bytes()))
            .into_diagnostic()
            .wrap_err_with(|| format!("{} cannot be written", path.display()))?;
        println!("all neurons and codes are in {}", path.display());
    }
    Ok(())
}
