//! `bss2 train`.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bss2_learn::Schedule;
use clap::{Args, Subcommand};
use miette::miette;

use crate::config::{self, Assignment, Experiment, SubstrateKind};
use crate::data::Data;
use crate::run_folder::{self, RunFolder};
use crate::substrates;
use crate::training::{Ending, Training};
use crate::{note, tell};

use super::progress::{self, Terminal, TranscriptBar};
use super::{PlaceFlags, SubstrateFlags};

/// What is trained.
#[derive(Debug, Subcommand)]
pub(super) enum Task {
    /// 16x16 MNIST, or generated digits where it is not found.
    Mnist(Arguments),
    /// Spoken digits on a recurrent network: FSDD, or generated speech where it is
    /// not found. Begins with the recipe `speech` unless a file or --recipe says
    /// otherwise.
    Speech(Arguments),
}

impl Task {
    fn name(&self) -> &'static str {
        match self {
            Self::Mnist(_) => "mnist",
            Self::Speech(_) => "speech",
        }
    }

    fn arguments(&self) -> &Arguments {
        match self {
            Self::Mnist(arguments) | Self::Speech(arguments) => arguments,
        }
    }

    /// The experiment that is asked for; a resumed run's own unless a file says
    /// otherwise.
    fn experiment(&self) -> miette::Result<Experiment> {
        let arguments = self.arguments();
        let own = match (&arguments.config, &arguments.out) {
            (None, Some(out)) if arguments.resume => Some(RunFolder::config_path(out)?),
            (file, _) => file.clone(),
        };
        let mut assignments = arguments.assignments();
        let beneath = assignments.iter().find(|a| a.key == config::RECIPE);
        if let (Some(assignment), true, None) = (beneath, arguments.resume, &arguments.config) {
            return Err(miette!(
                help = "leave it out, or start a new run with another --out",
                "{} has no effect on a run that goes on: it has settings of its own",
                assignment.origin
            ));
        }
        let bare = own.is_none() && arguments.recipe.is_none();
        if bare && matches!(self, Self::Speech(_)) {
            assignments.insert(0, Assignment::of_flag("speech", "recipe", "speech"));
        }
        let mut experiment = config::load(own.as_deref(), &assignments)?;
        arguments.substrate.check(&experiment)?;
        if arguments.rotation.is_some() && experiment.data.set.is_speech() {
            return Err(miette!(
                help = "recordings are changed by the keys of speech.augmentation",
                "--rotation has no effect: it turns images, and speech has none"
            ));
        }
        if let Some(assignment) = arguments.schedule_of_epochs(&experiment) {
            assignments.push(assignment);
            experiment = config::load(own.as_deref(), &assignments)?;
        }
        let (fitting, own) = (Self::of(&experiment), self.name());
        if fitting == own {
            return Ok(experiment);
        }
        Err(match (self, arguments.resume) {
            (_, true) => miette!(
                help = format!("go on with it by `bss2 train {fitting} --resume`"),
                "the run is no {own} run, but one of `bss2 train {fitting}`"
            ),
            (Self::Speech(_), false) => miette!(
                help = "use --recipe speech, or let the file say `recipe = \"speech\"`; images are \
                        learned by `bss2 train mnist`",
                "`bss2 train speech` learns no images, but data.set names some (as auto does)"
            ),
            (Self::Mnist(_), false) => miette!(
                help = "speech is learned by `bss2 train speech`",
                "`bss2 train mnist` learns no speech, but data.set names some"
            ),
        })
    }

    /// Name of the task that goes on with an experiment.
    fn of(experiment: &Experiment) -> &'static str {
        if experiment.data.set.is_speech() {
            "speech"
        } else {
            "mnist"
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    substrate: SubstrateFlags,
    #[command(flatten)]
    place: PlaceFlags,
    /// Settings by name, beneath those of file and flags: `paper`, `tuned` for the
    /// highest accuracy on images, or `speech`.
    #[arg(long, value_name = "NAME")]
    recipe: Option<String>,
    /// Passes over the training images; in a new run a cosine schedule ends with them,
    /// unless --set names the schedule.
    #[arg(long, value_name = "N")]
    epochs: Option<u32>,
    /// Seed of initial weights, order of images, dropout and augmentation.
    #[arg(long, value_name = "N")]
    seed: Option<u32>,
    /// Share of hidden neurons that are dropped in each step.
    #[arg(long, value_name = "SHARE")]
    dropout: Option<f64>,
    /// Largest angle by which training images are turned, in degrees.
    #[arg(long, value_name = "DEGREES")]
    rotation: Option<f64>,
    /// Begin with the weights of this archive, which `bss2 export` wrote.
    #[arg(long, value_name = "FILE.npz")]
    init: Option<PathBuf>,
    /// Any other key of the configuration.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = Assignment::parse)]
    set: Vec<Assignment>,
    /// Configuration file; flags win over it.
    #[arg(long, value_name = "FILE.toml")]
    config: Option<PathBuf>,
    /// Folder of the run; else the next free one below runs/.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Go on with the run in --out.
    #[arg(long, requires = "out")]
    resume: bool,
    /// Print the whole configuration and stop.
    #[arg(long)]
    print_config: bool,
}

impl Arguments {
    /// The length of the schedule that goes with --epochs. What a run that goes on
    /// has learned came from the schedule that it has.
    fn schedule_of_epochs(&self, experiment: &Experiment) -> Option<Assignment> {
        // What `--set` says wins over flags, of epochs as well.
        let named = |a: &Assignment| a.key.starts_with(SCHEDULE) || a.key == "epochs";
        let named = self.set.iter().any(named);
        let cosine = matches!(experiment.train.schedule, Schedule::Cosine { .. });
        let epochs = self.epochs.filter(|_| cosine && !named && !self.resume)?;
        let key = format!("{SCHEDULE}.epochs");
        Some(Assignment::of_flag("--epochs", &key, i64::from(epochs)))
    }

    fn assignments(&self) -> Vec<Assignment> {
        let mut list = self.substrate.assignments();
        list.extend(self.place.assignments());
        if let Some(name) = self.recipe.clone() {
            list.push(Assignment::of_flag("--recipe", "recipe", name));
        }
        if let Some(epochs) = self.epochs {
            list.push(Assignment::of_flag("--epochs", "epochs", i64::from(epochs)));
        }
        if let Some(seed) = self.seed {
            list.push(Assignment::of_flag("--seed", "train.seed", i64::from(seed)));
        }
        if let Some(share) = self.dropout {
            list.push(Assignment::of_flag("--dropout", "train.dropout", share));
        }
        if let Some(degrees) = self.rotation {
            list.push(Assignment::of_flag(
                "--rotation",
                "encoder.augmentation.rotation_degrees",
                degrees,
            ));
        }
        if let Some(file) = &self.init {
            list.push(Assignment::of_flag(
                "--init",
                "init.file",
                super::text(file),
            ));
        }
        list.extend(self.set.iter().cloned());
        list
    }
}

const SCHEDULE: &str = "train.schedule";

/// What a user should know of settings that have not the effect that they seem to have. They
/// are no error: what is one here may be right for the test on another substrate.
fn remarks(experiment: &Experiment) -> impl Iterator<Item = String> {
    let on_chip = experiment.substrate == SubstrateKind::Chip;
    let (epochs, begun) = (experiment.epochs, experiment.software_epochs);
    let software = match begun {
        0 => None,
        _ if !on_chip => Some("software_epochs has no effect: the substrate is software".into()),
        _ if begun >= epochs => Some(format!(
            "software_epochs is {begun} of {epochs} epochs: the loop is never closed over the chip"
        )),
        _ => None,
    };
    let chip = on_chip.then(|| super::remark_of_chip(&experiment.chip));
    [remark_of_schedule(experiment), software, chip.flatten()]
        .into_iter()
        .flatten()
}

/// What a user should know of a schedule that does not end with the run.
fn remark_of_schedule(experiment: &Experiment) -> Option<String> {
    let Schedule::Cosine { epochs: ends, .. } = experiment.train.schedule else {
        return None;
    };
    let epochs = experiment.epochs;
    let why = match ends.cmp(&epochs) {
        Ordering::Less => format!("nothing is learned after epoch {ends}"),
        Ordering::Equal => return None,
        Ordering::Greater => "the learning rate does not come down to zero".to_owned(),
    };
    Some(format!(
        "the schedule takes {ends} epochs ({SCHEDULE}.epochs), the run {epochs}: {why}"
    ))
}

pub(super) fn run(task: Task) -> miette::Result<ExitCode> {
    let arguments = task.arguments();
    let mut experiment = task.experiment()?;
    if arguments.print_config {
        tell!("{}", config::to_toml(&experiment).trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    let out = arguments.out.as_deref();
    let resumed = out.filter(|_| arguments.resume);
    if let (Some(out), None) = (out, resumed) {
        RunFolder::check_free(out)?;
    }
    experiment.seal().map_err(crate::Error::from)?;
    super::use_threads(experiment.run.threads)?;
    let bar = TranscriptBar::new();
    let data = Data::load_watched(&mut experiment, &|state| bar.show(&state))?;
    bar.finish();
    for line in data.announcement() {
        note!("{line}");
    }
    note!("substrate: {}", experiment.place());
    for remark in remarks(&experiment) {
        note!("warning: {remark}");
    }
    let shape = substrates::network_shape(&experiment, &data);
    let limit = experiment.train.weight_limit;
    // A run that stands somewhere needs them no more.
    let begun = resumed.is_some_and(|run| run_folder::last_checkpoint_path(run).exists());
    let init = experiment.init.as_mut().filter(|_| !begun);
    let init = init.map(|init| init.read(shape, limit)).transpose()?;
    let mut substrate = substrates::build(&experiment, &data)?;
    let folder = match (resumed, out) {
        (Some(out), _) => RunFolder::resume(out, &experiment)?,
        (None, Some(out)) => RunFolder::create(out, &experiment)?,
        (None, None) => {
            let name = format!("{}-{}", task.name(), experiment.substrate.name());
            RunFolder::create_next(Path::new("runs"), &name, &experiment)?
        }
    };
    progress::catch_interrupts()?;
    let mut terminal = Terminal::new(&experiment);
    let mut training = Training::open(&experiment, &data, substrate.as_mut(), &folder)?;
    if let Some(weights) = &init {
        training.begin_with(weights)?;
    }
    let ending = training.run(&mut terminal)?;
    drop(terminal);
    let out = folder.path().display();
    match ending {
        Ending::Complete => {
            note!("complete; the run is in {out}");
            Ok(ExitCode::SUCCESS)
        }
        Ending::Stopped => {
            note!(
                "stopped; go on with: bss2 train {} --resume --out {out}",
                task.name()
            );
            Ok(ExitCode::from(progress::INTERRUPTED))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_without_effect_are_told() {
        let told = |change: &dyn Fn(&mut Experiment)| {
            let mut experiment = Experiment::default();
            change(&mut experiment);
            remarks(&experiment).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(told(&|_| ()), "");
        assert_eq!(told(&|e| e.software_epochs = e.epochs - 1), "");
        assert!(told(&|e| e.software_epochs = e.epochs).contains("never closed"));
        let software = told(&|e| {
            e.software_epochs = 1;
            e.substrate = SubstrateKind::Software;
        });
        assert!(software.contains("no effect"), "{software}");
        let old = |e: &mut Experiment| e.chip.age = bss2_event::Seconds::new(3600.0);
        assert!(told(&old).contains("chip.age has no effect"));
        let drifting = told(&|e| {
            old(e);
            e.chip.profile.noise.drift = 1.0;
        });
        assert_eq!(drifting, "");
    }
}
