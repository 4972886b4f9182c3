//! `cargo xtask reproduce`: the MNIST rows of Table 1.
//!
//! Every training is a run folder below the output; a second call goes on
//! where the first was stopped and trains nothing twice.

mod report;
mod rows;
mod table;

use std::env;
use std::path::PathBuf;
use std::process::Command;

use clap::Args;
use miette::{IntoDiagnostic, WrapErr, bail};

use bss2::config::{DataConfig, Experiment};
use bss2::data::Data;

/// What is reproduced, from which data, and where the report goes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Train for 4 epochs only, in less than five minutes.
    #[arg(long)]
    quick: bool,
    /// Folder of the data set; searched for where it is not given.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Folder of the report and its runs.
    #[arg(long, value_name = "DIR", default_value = "reproduce")]
    out: PathBuf,
    /// Seeds per row.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seeds: u32,
    /// Epochs per training: 50, or 4 with --quick, where it is not given.
    #[arg(long, value_name = "N")]
    epochs: Option<u32>,
    /// Use only so many training images, from the first; 0 for all.
    #[arg(long, value_name = "N", default_value_t = 0)]
    train_images: usize,
}

/// Runs here in a release build, and in one that is started for it elsewhere:
/// what is reproduced is also measured.
pub(crate) fn run_in_release(arguments: &Arguments) -> miette::Result<()> {
    if !cfg!(debug_assertions) {
        return run(arguments);
    }
    let status = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--release", "--package", "xtask", "--"])
        .args(env::args_os().skip(1))
        .status()
        .into_diagnostic()
        .wrap_err("cargo could not be started")?;
    if status.success() {
        Ok(())
    } else {
        bail!("the release build failed ({status})")
    }
}

/// Trains what is missing, then writes `report.md` and its figures.
fn run(arguments: &Arguments) -> miette::Result<()> {
    let epochs = arguments
        .epochs
        .unwrap_or(if arguments.quick { 4 } else { 50 });
    if arguments.seeds == 0 || epochs == 0 {
        bail!("--seeds and --epochs are 1 at least");
    }
    let mut base = Experiment {
        epochs,
        data: DataConfig {
            folder: arguments.data.clone(),
            train_images: arguments.train_images,
            ..DataConfig::default()
        },
        ..Experiment::default()
    };
    let data = Data::load(&mut base)?;
    for line in data.announcement() {
        println!("{line}");
    }
    let results = rows::train_all(&base, &data, arguments.seeds, &arguments.out)?;
    let report = report::write(&arguments.out, &data, &base, arguments.seeds, &results)?;
    println!("\n{}", table::table(&results.rows));
    println!("the report is {}", report.display());
    Ok(())
}

/// Writes a file of the report as a whole.
fn write(path: &std::path::Path, text: &str) -> miette::Result<()> {
    bss2::files::write_atomically(path, text.as_bytes())
        .into_diagnostic()
        .wrap_err_with(|| format!("{} cannot be written", path.display()))
}
