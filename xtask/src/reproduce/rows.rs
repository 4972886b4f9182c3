//! The trainings behind the rows.

use std::io::IsTerminal;
use std::path::Path;

use bss2::config::{Experiment, SubstrateKind};
use bss2::data::Data;
use bss2::evaluation::{self, Evaluation};
use bss2::event::Seed;
use bss2::metrics::{self, EpochMetrics};
use bss2::run_folder::{self, RunFolder};
use bss2::substrates;
use bss2::training::{Ending, Observer, StepReport, Training};
use miette::{IntoDiagnostic, bail};

use super::table::{Row, Spread};

/// All that the report shows.
pub(super) struct Results {
    pub(super) rows: Vec<Row>,
    /// Metrics of each seed in software and on the chip.
    pub(super) software: Vec<Vec<EpochMetrics>>,
    pub(super) chip: Vec<Vec<EpochMetrics>>,
}

/// Table 1 of the paper, in percent: training and test.
pub(super) const PAPER_CHIP: (Spread, Spread) =
    (Spread::published(100.0, 0.0), Spread::published(97.2, 0.1));
pub(super) const PAPER_SOFTWARE: (Spread, Spread) =
    (Spread::published(100.0, 0.0), Spread::published(97.5, 0.1));

pub(super) fn train_all(
    base: &Experiment,
    data: &Data,
    seeds: u32,
    out: &Path,
) -> miette::Result<Results> {
    let (mut software, mut chip, mut moved) = (Vec::new(), Vec::new(), Vec::new());
    for seed in 0..seeds {
        let run = |kind: SubstrateKind| {
            let mut experiment = base.clone();
            experiment.substrate = kind;
            experiment.train.seed = Seed(u64::from(seed));
            // A run of another length is another run.
            let name = format!("{}-epochs{}-seed{seed}", kind.name(), base.epochs);
            let path = out.join("runs").join(name);
            train(&experiment, data, &path).map(|metrics| (experiment, path, metrics))
        };
        let (_, software_path, metrics) = run(SubstrateKind::Software)?;
        software.push(metrics);
        let (on_chip, _, metrics) = run(SubstrateKind::Chip)?;
        chip.push(metrics);
        moved.push(move_to(&on_chip, data, &software_path)?);
    }
    let rows = vec![
        trained("MNIST, chip, in the loop", PAPER_CHIP, &chip),
        trained("MNIST, software", PAPER_SOFTWARE, &software),
        Row {
            name: "MNIST, software weights moved to the chip".into(),
            paper: None,
            train: None,
            test: Spread::of(&moved.iter().map(|e| e.accuracy).collect::<Vec<_>>()),
            images_per_s: mean(moved.iter().map(|e| e.images_per_s)),
        },
    ];
    Ok(Results {
        rows,
        software,
        chip,
    })
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as f64;
    values.sum::<f64>() / count
}

fn trained(name: &str, paper: (Spread, Spread), runs: &[Vec<EpochMetrics>]) -> Row {
    let last: Vec<&EpochMetrics> = runs.iter().filter_map(|run| run.last()).collect();
    let train: Vec<f64> = last.iter().map(|epoch| epoch.train_accuracy).collect();
    let test: Vec<f64> = last.iter().map(|epoch| epoch.test_accuracy).collect();
    Row {
        name: name.into(),
        paper: Some(paper),
        train: Some(Spread::of(&train)),
        test: Spread::of(&test),
        images_per_s: mean(last.iter().map(|epoch| epoch.images_per_s)),
    }
}

/// Trains in a run folder, or goes on there, or finds the run complete.
fn train(experiment: &Experiment, data: &Data, path: &Path) -> miette::Result<Vec<EpochMetrics>> {
    println!("{}", path.display());
    let mut substrate = substrates::build(experiment, data)?;
    let folder = if RunFolder::config_path(path).is_ok() {
        RunFolder::resume(path, experiment)?
    } else {
        RunFolder::create(path, experiment)?
    };
    let training = Training::open(experiment, data, substrate.as_mut(), &folder)?;
    match training.run(&mut Lines)? {
        Ending::Complete => Ok(metrics::read(&folder.metrics()).into_diagnostic()?),
        Ending::Stopped => bail!("the training in {} was stopped", path.display()),
    }
}

/// The weights of a run on the substrate of another experiment.
fn move_to(experiment: &Experiment, data: &Data, run: &Path) -> miette::Result<Evaluation> {
    let mut substrate = substrates::build(experiment, data)?;
    let checkpoint = run_folder::last_checkpoint_path(run);
    Ok(evaluation::evaluate(
        experiment,
        data,
        substrate.as_mut(),
        &checkpoint,
    )?)
}

/// One line per epoch.
struct Lines;

impl Observer for Lines {
    fn step(&mut self, report: &StepReport) {
        if std::io::stderr().is_terminal() && report.step.is_multiple_of(50) {
            eprint!("\r  step {}/{}   ", report.step, report.steps);
        }
    }
    fn epoch(&mut self, metrics: &EpochMetrics, _: f64) {
        println!(
            "  epoch {}: loss {:.4}, train {:.2} %, test {:.2} %, {:.0} images/s",
            metrics.epoch,
            metrics.loss,
            100.0 * metrics.train_accuracy,
            100.0 * metrics.test_accuracy,
            metrics.images_per_s
        );
    }
    fn warning(&mut self, text: &str) {
        println!("  warning: {text}");
    }
}
