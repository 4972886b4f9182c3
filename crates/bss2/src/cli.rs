//! The command line: one file per command.

mod chip;
mod data;
mod encode;
mod eval;
mod export;
mod import;
mod progress;
mod train;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bss2_learn::Layer;
use clap::{Args, CommandFactory, Parser, Subcommand};
use miette::{IntoDiagnostic, MietteHandlerOpts, miette};

use crate::chip::ChipConfig;
use crate::config::{Assignment, DataConfig, Experiment, SubstrateKind};
use crate::data::Data;
use crate::evaluation;
use crate::note;
use crate::run_folder::{self, RunFolder};
use crate::training::State;

use progress::TranscriptBar;

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
    /// Write weights, spikes and traces of a trained run as an npz archive.
    Export(export::Arguments),
    /// Look at an emulated chip.
    #[command(subcommand)]
    Chip(chip::Task),
    /// Turn recordings into spikes.
    #[command(subcommand)]
    Encode(encode::Task),
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
    #[command(flatten)]
    chip: ChipFlags,
    #[command(flatten)]
    calibration: CalibrationFlag,
}

impl SubstrateFlags {
    fn assignments(&self) -> Vec<Assignment> {
        let mut list = self.of_chip();
        if let Some(kind) = self.substrate {
            list.push(Assignment::of_flag("--substrate", "substrate", kind.name()));
        }
        list
    }

    fn of_chip(&self) -> Vec<Assignment> {
        let mut list = self.chip.assignments();
        list.extend(self.calibration.assignment());
        list
    }

    /// Refuses flags of a chip for an experiment that has none. What `--set` says of one is
    /// kept with the run, which may be moved to a chip later.
    fn check(&self, experiment: &Experiment) -> miette::Result<()> {
        refuse_without_chip(experiment, &self.of_chip())?;
        self.chip.check(&experiment.chip)
    }
}

/// What a user should know of a chip's setting without effect.
fn remark_of_chip(chip: &ChipConfig) -> Option<String> {
    let steady = chip.age.get() > 0.0 && chip.profile.noise.drift == 0.0;
    steady.then(|| "chip.age has no effect: chip.profile.noise.drift is 0".to_owned())
}

/// Refuses assignments to a chip for an experiment that has none.
fn refuse_without_chip(experiment: &Experiment, list: &[Assignment]) -> miette::Result<()> {
    match list.first() {
        Some(flag) if experiment.substrate == SubstrateKind::Software => Err(miette!(
            help = "leave it out, or ask for a chip by --substrate chip",
            "{} has no effect: the substrate is software",
            flag.origin
        )),
        _ => Ok(()),
    }
}

/// Tells what does not get through the network: whole layers, and so many events of each
/// sample.
fn warn_of_losses(silent_layers: &[Layer], lost_events: f64, sample: &str) {
    for &layer in silent_layers {
        note!("warning: {}", evaluation::silence_warning(layer));
    }
    if lost_events > 0.0 {
        note!("warning: {}", evaluation::loss_warning(lost_events, sample));
    }
}

/// A trained run and its data, to be looked at.
struct Trained {
    experiment: Experiment,
    data: Data,
    state: State,
}

impl Trained {
    /// Of an experiment, the run's own or a changed one, with the weights of a checkpoint.
    fn load(
        mut experiment: Experiment,
        run: &Path,
        checkpoint: &CheckpointFlag,
    ) -> miette::Result<Self> {
        let own = RunFolder::read_config(run)?;
        // Who asks for other samples, or for other changes of them, need not be told.
        let asked = DataConfig {
            folder: own.data.folder.clone(),
            file: own.data.file.clone(),
            ..experiment.data.clone()
        };
        let same = own.data == asked
            && own.encoder == experiment.encoder
            && own.speech == experiment.speech;
        experiment.seal().map_err(crate::Error::from)?;
        use_threads(experiment.run.threads)?;
        let bar = TranscriptBar::new();
        let data = Data::load_watched(&mut experiment, &|state| bar.show(&state))?;
        bar.finish();
        let state = State::read(&checkpoint.path(run))?;
        if same && !state.knows(&data) {
            note!("warning: these are other data than those that the run was trained with");
        }
        Ok(Self {
            experiment,
            data,
            state,
        })
    }
}

/// Which of a run's checkpoints.
#[derive(Debug, Args)]
struct CheckpointFlag {
    /// Take the weights of highest test accuracy, of the epochs that were tested, in place of the last.
    #[arg(long)]
    best: bool,
}

impl CheckpointFlag {
    fn path(&self, run: &Path) -> PathBuf {
        if self.best {
            run_folder::best_checkpoint_path(run)
        } else {
            run_folder::last_checkpoint_path(run)
        }
    }
}

/// Which chip and what it is calibrated to.
#[derive(Debug, Args)]
struct ChipFlags {
    /// Which chip: every seed is another one.
    #[arg(long, value_name = "N")]
    chip_seed: Option<u32>,
    /// Mismatch of the chip: ideal, cube66, or a TOML file.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// A measured chip: a TOML file that `bss2 chip import` wrote; none: a drawn one.
    #[arg(long, value_name = "FILE")]
    chip: Option<PathBuf>,
    /// TOML file with targets neuron by neuron: lists such as threshold = [...].
    #[arg(long, value_name = "FILE")]
    targets: Option<PathBuf>,
    /// Scatter the targets by this standard deviation, 0 to 0.5.
    #[arg(long, value_name = "SIGMA")]
    decalibration: Option<f64>,
    /// Which targets are scattered.
    #[arg(long, value_name = "WHAT", value_parser = ["time-constants", "threshold", "all"])]
    detune: Option<String>,
}

impl ChipFlags {
    fn assignments(&self) -> Vec<Assignment> {
        let mut list = Vec::new();
        let mut add = |flag: &str, key: &str, value: Option<toml::Value>| {
            list.extend(value.map(|value| Assignment::of_flag(flag, key, value)));
        };
        let seed = self.chip_seed.map(|seed| i64::from(seed).into());
        add("--chip-seed", "chip.seed", seed);
        let profile = self.profile.clone().map(Into::into);
        add("--profile", "chip.profile", profile);
        add("--chip", "chip.measured", self.chip.as_deref().map(text));
        add(
            "--targets",
            "chip.targets_file",
            self.targets.as_deref().map(text),
        );
        let sigma = self.decalibration.map(Into::into);
        add("--decalibration", "chip.decalibration.sigma", sigma);
        let what = self.detune.clone().map(Into::into);
        add("--detune", "chip.decalibration.what", what);
        list
    }

    /// Refuses to say which targets are scattered where none is.
    fn check(&self, chip: &ChipConfig) -> miette::Result<()> {
        if self.detune.is_some() && chip.decalibration.sigma == 0.0 {
            return Err(miette!(
                help = "leave it out, or say how far by --decalibration SIGMA",
                "--detune has no effect: chip.decalibration.sigma is 0, so no target is scattered"
            ));
        }
        Ok(())
    }
}

/// A saved calibration in place of a new one.
#[derive(Debug, Args)]
struct CalibrationFlag {
    /// Calibration that `bss2 chip calibrate --out` has saved, in place of a new
    /// one; `none` for a new one.
    #[arg(long, value_name = "FILE")]
    calibration: Option<PathBuf>,
}

impl CalibrationFlag {
    fn assignment(&self) -> Option<Assignment> {
        let path = match self.calibration.as_deref()? {
            none if none == Path::new("none") => "".into(),
            path => text(path),
        };
        Some(Assignment::of_flag(
            "--calibration",
            "chip.calibration_file",
            path,
        ))
    }
}

fn text(path: &Path) -> toml::Value {
    path.to_string_lossy().into_owned().into()
}

/// Where and how a command works, shared by `train` and `eval`.
#[derive(Debug, Args)]
struct PlaceFlags {
    /// Folder of the data set; else BSS2_DATA, datasets/cache and ../shared/data
    /// are searched, and digits are generated where nothing is found.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    threads: ThreadsFlag,
}

/// How many processors a command takes.
#[derive(Debug, Args)]
struct ThreadsFlag {
    /// Worker threads, 0 for one per processor; the result is the same.
    #[arg(long, value_name = "N")]
    threads: Option<u32>,
}

impl ThreadsFlag {
    fn assignment(&self) -> Option<Assignment> {
        let threads = self.threads.map(i64::from)?;
        Some(Assignment::of_flag("--threads", "run.threads", threads))
    }
}

impl PlaceFlags {
    fn assignments(&self) -> Vec<Assignment> {
        let mut list = Vec::new();
        if let Some(folder) = &self.data {
            list.push(Assignment::of_flag("--data", "data.folder", text(folder)));
        }
        list.extend(self.threads.assignment());
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
    run(std::env::args_os())
}

/// Runs a command line, its first word being the name of the program, as [`main`]
/// does. It sets the threads of the whole process, so a process can run but one.
#[must_use]
pub fn run<T: Into<OsString> + Clone>(arguments: impl IntoIterator<Item = T>) -> ExitCode {
    // Long lines stay whole: paths and keys are copied from errors.
    let _ = miette::set_hook(Box::new(|_| {
        Box::new(MietteHandlerOpts::new().wrap_lines(false).build())
    }));
    let result = match Arguments::parse_from(arguments).command {
        Command::Train(task) => train::run(task),
        Command::Eval(arguments) => eval::run(&arguments),
        Command::Export(arguments) => export::run(&arguments),
        Command::Chip(task) => chip::run(task),
        Command::Encode(task) => encode::run(task),
        Command::Data(task) => data::run(task),
    };
    result.unwrap_or_else(|report| {
        note!("error: {report:?}");
        ExitCode::FAILURE
    })
}

/// Sets the number of worker threads of this process.
fn use_threads(threads: usize) -> miette::Result<()> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .use_current_thread()
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
