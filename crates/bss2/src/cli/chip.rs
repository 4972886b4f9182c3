//! `bss2 chip`.

use std::path::PathBuf;
use std::process::ExitCode;

use bss2_event::Seconds;
use clap::{Args, Subcommand};
use miette::{IntoDiagnostic, miette};

use crate::characterisation;
use crate::chip::{Chip, ChipConfig};
use crate::chip_report::{self, ChipReport};
use crate::config::{self, Assignment, Experiment};
use crate::power_report::{self, ImageLoad};
use crate::{note, tell};

use super::import::{self, ImportArguments};
use super::{CalibrationFlag, ChipFlags, ThreadsFlag};

/// What is done with a chip.
#[derive(Debug, Subcommand)]
pub(super) enum Task {
    /// Measure a chip as it is: uncalibrated, or as a saved calibration sets it.
    Info(InfoArguments),
    /// Measure everything of a chip, before and after its calibration, on one page.
    Characterise(CharacteriseArguments),
    /// Calibrate a chip and show how close it comes to its targets.
    Calibrate(CalibrateArguments),
    /// Spread of many chips before and after calibration, beside published numbers.
    Spread(SpreadArguments),
    /// Power by part, and energy per image.
    Power(PowerArguments),
    /// Make a chip of the calibration of a real one.
    Import(ImportArguments),
}

/// A chip, and any other key of the configuration.
#[derive(Debug, Args)]
struct Setting {
    #[command(flatten)]
    chip: ChipFlags,
    /// Outputs of the network: as many as there are classes. A saved calibration fits a network
    /// with as many neurons alone.
    #[arg(long, value_name = "N", default_value_t = chip_report::DIGITS as u16, value_parser = clap::value_parser!(u16).range(1..=512))]
    outputs: u16,
    /// Any other key of the configuration.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = Assignment::parse)]
    set: Vec<Assignment>,
    /// Configuration file, such as that of a run; flags win over it.
    #[arg(long, value_name = "FILE.toml")]
    config: Option<PathBuf>,
    #[command(flatten)]
    threads: ThreadsFlag,
}

#[derive(Debug, Args)]
pub(super) struct InfoArguments {
    #[command(flatten)]
    setting: Setting,
    #[command(flatten)]
    calibration: CalibrationFlag,
}

#[derive(Debug, Args)]
pub(super) struct CharacteriseArguments {
    #[command(flatten)]
    setting: Setting,
    #[command(flatten)]
    calibration: CalibrationFlag,
    /// Folder for characterise.svg, the figures, and characterise.json, the numbers.
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
    /// How many random neurons and inputs are compared with a slow reference.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    reference_neurons: u32,
}

#[derive(Debug, Args)]
pub(super) struct CalibrateArguments {
    #[command(flatten)]
    setting: Setting,
    /// Folder for report.txt, neurons.tsv, calibration.svg and calibration.toml,
    /// which --calibration reads back.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct SpreadArguments {
    #[command(flatten)]
    setting: Setting,
    /// How many chips: that of --chip-seed, and of the seeds after it.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    chips: u64,
}

#[derive(Debug, Args)]
pub(super) struct PowerArguments {
    #[command(flatten)]
    setting: Setting,
    #[command(flatten)]
    calibration: CalibrationFlag,
    /// Input spikes per image.
    #[arg(long, value_name = "N", default_value_t = ImageLoad::default().input_events)]
    input_events: f64,
    /// Hidden spikes per image.
    #[arg(long, value_name = "N", default_value_t = ImageLoad::default().hidden_spikes)]
    hidden_spikes: f64,
    /// CADC samples per image.
    #[arg(long, value_name = "N", default_value_t = ImageLoad::default().samples)]
    samples: f64,
    /// Time from image to image.
    #[arg(long, value_name = "TIME", default_value_t = ImageLoad::default().interval)]
    interval: Seconds,
}

impl Setting {
    /// What is asked for, on as many threads.
    fn experiment(&self, calibration: Option<&CalibrationFlag>) -> miette::Result<Experiment> {
        let mut assignments = self.chip.assignments();
        assignments.extend(calibration.and_then(CalibrationFlag::assignment));
        assignments.extend(self.threads.assignment());
        assignments.extend(self.set.iter().cloned());
        let experiment = config::load(self.config.as_deref(), &assignments)?;
        self.chip.check(&experiment.chip)?;
        if let Some(remark) = super::remark_of_chip(&experiment.chip) {
            note!("warning: {remark}");
        }
        let fleet = experiment.chip.fleet;
        if fleet > 1 {
            return Err(miette!(
                help = "--set chip.fleet=1 takes the first, --chip-seed names another",
                "chip.fleet is {fleet}: this looks at one chip"
            ));
        }
        super::use_threads(experiment.run.threads)?;
        Ok(experiment)
    }

    fn outputs(&self) -> usize {
        self.outputs.into()
    }
}

pub(super) fn run(task: Task) -> miette::Result<ExitCode> {
    match task {
        Task::Info(arguments) => {
            let experiment = arguments.setting.experiment(Some(&arguments.calibration))?;
            let report = chip_report::characterise(&experiment, arguments.setting.outputs())
                .into_diagnostic()?;
            introduce(&report);
            tell!("{}", report.table().trim_end());
        }
        Task::Characterise(arguments) => characterise(&arguments)?,
        Task::Calibrate(arguments) => calibrate(&arguments)?,
        Task::Spread(arguments) => {
            let experiment = arguments.setting.experiment(None)?;
            refuse_idle(&experiment.chip, "spread")?;
            let begun = |seed| note!("calibrating chip {seed}");
            let spread = chip_report::spread(
                &experiment,
                arguments.setting.outputs(),
                arguments.chips,
                begun,
            );
            tell!("{}", spread.into_diagnostic()?.table().trim_end());
        }
        Task::Power(arguments) => power(&arguments)?,
        Task::Import(arguments) => import::run(&arguments)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn introduce(report: &ChipReport) {
    tell!(
        "{}: 512 neuron circuits, 2 x 256 x 256 synapses; {} neurons measured",
        report.label,
        report
            .before
            .quantities
            .first()
            .map_or(0, |m| m.reached.len())
    );
    if report.repeated > 0 {
        tell!(
            "{} targets of the decalibration were drawn again: out of a chip's range",
            report.repeated
        );
    }
}

fn characterise(arguments: &CharacteriseArguments) -> miette::Result<()> {
    let experiment = arguments.setting.experiment(Some(&arguments.calibration))?;
    let measured = characterisation::measure(
        &experiment,
        arguments.setting.outputs(),
        arguments.reference_neurons,
        |stage| note!("measuring: {stage}"),
    )?;
    tell!("{}", measured.table().trim_end());
    measured.write(&arguments.out)?;
    for name in ["characterise.svg", "characterise.json"] {
        tell!("written: {}", arguments.out.join(name).display());
    }
    Ok(())
}

/// Refuses keys without effect on a command that makes a new calibration.
fn refuse_idle(chip: &ChipConfig, command: &str) -> miette::Result<()> {
    let idle = [
        (chip.calibration_file().is_some(), "chip.calibration_file"),
        (!chip.calibrated, "chip.calibrated = false"),
    ];
    match idle.into_iter().find(|&(given, _)| given) {
        Some((_, key)) => Err(miette!(
            help = "leave it out; `bss2 chip info` measures a chip as it is",
            "{key} has no effect on `bss2 chip {command}`, which makes a new calibration"
        )),
        None => Ok(()),
    }
}

fn calibrate(arguments: &CalibrateArguments) -> miette::Result<()> {
    /// Failures that are named on the terminal.
    const NAMED: usize = 20;
    let experiment = arguments.setting.experiment(None)?;
    refuse_idle(&experiment.chip, "calibrate")?;
    let report = chip_report::calibrate(&experiment, arguments.setting.outputs(), |stage| {
        note!("calibrating: {stage}");
    })
    .into_diagnostic()?;
    introduce(&report);
    tell!("{}", report.table().trim_end());
    let failures: Vec<_> = report
        .after()
        .into_iter()
        .flat_map(|r| r.failures())
        .collect();
    if failures.is_empty() {
        tell!("every neuron met its targets");
    } else {
        let neurons = report.after().map_or(0, |r| r.failed_neurons().len());
        tell!("{neurons} neurons missed a target:");
    }
    for failure in failures.iter().take(NAMED) {
        tell!("  {failure}");
    }
    if failures.len() > NAMED {
        tell!(
            "  and {} more, all in neurons.tsv of --out",
            failures.len() - NAMED
        );
    }
    if let Some(out) = &arguments.out {
        report.write(out)?;
        let path = out.join("calibration.toml");
        tell!("use it with: --calibration {}", path.display());
    }
    Ok(())
}

fn power(arguments: &PowerArguments) -> miette::Result<()> {
    let experiment = arguments.setting.experiment(Some(&arguments.calibration))?;
    let load = ImageLoad {
        input_events: arguments.input_events,
        hidden_spikes: arguments.hidden_spikes,
        samples: arguments.samples,
        interval: arguments.interval,
    };
    let shape = chip_report::network(&experiment, arguments.setting.outputs());
    let chip = Chip::new(experiment.chip.clone(), shape, experiment.time);
    let chip = chip.into_diagnostic()?;
    let power = chip.config().power;
    let (report, energy) =
        power_report::inference(power, chip.core(), shape, &load).into_diagnostic()?;
    tell!("{}", power_report::table(&report).trim_end());
    tell!(
        "{:.2} uJ per image, {:.0} images/s",
        energy.as_micro(),
        1.0 / load.interval.get()
    );
    Ok(())
}
