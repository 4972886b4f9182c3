//! The command line: one file per command, no logic of its own.

mod chip;
mod data;
mod eval;
mod progress;
mod train;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};
use miette::{IntoDiagnostic, MietteHandlerOpts};

use crate::config::{Assignment, SubstrateKind};

/// A BrainScaleS-2 chip in software, and training of spiking networks on it.
#[derive(Debug, Parser)]
#[command(name = "bss2", version, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Train a network, in software or in the loop on a chip.
    #[command(subcommand)]
    Train(train::Task),
    /// Test a trained run, on its own substrate or on another.
    Eval(eval::Arguments),
    /// Look at an emulated chip.
    #[command(subcommand)]
    Chip(chip::Task),
    /// Find, verify or download data sets.
    #[command(subcommand)]
    Data(data::Task),
}

/// Which substrate, shared by `train` and `eval`.
#[derive(Debug, Args)]
struct SubstrateFlags {
    /// What the network runs on.
    #[arg(long)]
    substrate: Option<SubstrateKind>,
    /// Which chip: every seed is another one.
    #[arg(long, value_name = "N")]
    chip_seed: Option<u32>,
    /// Mismatch of the chip: ideal, cube66, or a TOML file.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
}

impl SubstrateFlags {
    fn assignments(&self) -> Vec<Assignment> {
        let mut list = chip_assignments(self.chip_seed, self.profile.as_deref());
        if let Some(kind) = self.substrate {
            list.push(Assignment::of_flag("--substrate", "substrate", kind.name()));
        }
        list
    }
}

fn chip_assignments(seed: Option<u32>, profile: Option<&str>) -> Vec<Assignment> {
    let mut list = Vec::new();
    if let Some(seed) = seed {
        list.push(Assignment::of_flag(
            "--chip-seed",
            "chip.seed",
            i64::from(seed),
        ));
    }
    if let Some(profile) = profile {
        list.push(Assignment::of_flag("--profile", "chip.profile", profile));
    }
    list
}

/// Where and how a command works, shared by `train` and `eval`.
#[derive(Debug, Args)]
struct PlaceFlags {
    /// Folder of the data set; else BSS2_DATA, datasets/cache and ../shared/data
    /// are searched, and digits are generated where nothing is found.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Worker threads, 0 for one per processor; the result is the same.
    #[arg(long, value_name = "N")]
    threads: Option<u32>,
}

impl PlaceFlags {
    fn assignments(&self) -> Vec<Assignment> {
        let mut list = Vec::new();
        if let Some(folder) = &self.data {
            let folder = folder.to_string_lossy().into_owned();
            list.push(Assignment::of_flag("--data", "data.folder", folder));
        }
        if let Some(threads) = self.threads {
            list.push(Assignment::of_flag(
                "--threads",
                "run.threads",
                i64::from(threads),
            ));
        }
        list
    }
}

/// The whole command line, for tests and completion.
#[must_use]
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Runs the command line of this process: 0 when it succeeded, 1 when
/// something failed, 2 for a command line that does not parse, 130 when it was
/// interrupted.
#[must_use]
pub fn main() -> ExitCode {
    // Long lines stay whole: paths and keys are copied from errors.
    let _ = miette::set_hook(Box::new(|_| {
        Box::new(MietteHandlerOpts::new().wrap_lines(false).build())
    }));
    let result = match Arguments::parse().command {
        Command::Train(task) => train::run(task),
        Command::Eval(arguments) => eval::run(&arguments),
        Command::Chip(task) => chip::run(task),
        Command::Data(task) => data::run(task),
    };
    result.unwrap_or_else(|report| {
        eprintln!("error: {report:?}");
        ExitCode::FAILURE
    })
}

/// Sets the number of worker threads of this process.
fn use_threads(threads: usize) -> miette::Result<()> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .into_diagnostic()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }
}
