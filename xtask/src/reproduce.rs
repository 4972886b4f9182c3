//! `cargo xtask reproduce`: tables and figures of the paper, from declarations.
//!
//! [`declaration`] says what an experiment is, [`plan`] makes jobs of it,
//! [`engine`] runs them, [`claims`] judges, [`report`] tells.

mod claims;
mod declaration;
mod engine;
mod lanes;
mod library;
mod look;
mod measure;
mod outcome;
mod plan;
mod progress;
mod reference;
mod report;
mod stored;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use bss2::config::Assignment;
use bss2::{note, tell};
use clap::Args;
use miette::{IntoDiagnostic, WrapErr, bail, miette};
use serde::{Deserialize, Serialize};

use declaration::Scale;
use library::Library;
use plan::{Plan, Request};
use progress::Progress;

use crate::revision::revision;

/// What is reproduced, and where the report goes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    asked: Asked,
    /// Folder of the report and its runs; what is complete there is not run again.
    #[arg(long, value_name = "DIR", default_value = "reproduce")]
    out: PathBuf,
    /// Go on with what was asked for in --out before; flags beside it must agree with that.
    #[arg(long)]
    resume: bool,
    /// Worker threads; 0 for one per processor.
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,
    /// Put tables, figures and claims into docs/results.md as well.
    #[arg(long)]
    docs: bool,
}

/// What a report depends on; kept in the output folder.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Asked {
    /// Fewer images and epochs, in less than five minutes.
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// Full size, with the seeds that each experiment declares; without it, and without
    /// --quick, one.
    #[arg(long)]
    full: bool,
    /// Only these experiments, by their ids.
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    only: Vec<String>,
    /// Seeds of every run.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    seeds: Option<u32>,
    /// Folder of the data set; searched for where it is not given.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// A key of the configuration of every run.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

const ASKED: &str = "asked.toml";

impl Asked {
    fn request(&self) -> miette::Result<Request> {
        let general = if self.quick {
            Scale {
                seeds: Some(1),
                epochs: Some(4),
                train_images: Some(10_000),
                test_images: Some(2_000),
                draws: None,
            }
        } else {
            Scale {
                seeds: Some(5),
                epochs: Some(50),
                train_images: Some(0),
                test_images: Some(0),
                draws: None,
            }
        };
        let set = self.set.iter().map(|text| Assignment::parse(text));
        let set: Vec<_> = set
            .collect::<Result<_, _>>()
            .map_err(|hint| miette!("{hint}"))?;
        if let Some(threads) = set.iter().find(|set| set.key == "run.threads") {
            bail!(
                "{} has no effect: --threads says how many there are",
                threads.origin
            );
        }
        let begins = |set: &&Assignment| set.key == "init" || set.key.starts_with("init.");
        if let Some(init) = set.iter().find(begins) {
            bail!(
                "{} has no effect: experiments declare what their trainings begin with",
                init.origin
            );
        }
        Ok(Request {
            quick: self.quick,
            general,
            seeds: self.seeds.or((!self.full && !self.quick).then_some(1)),
            data: self.data.clone(),
            set,
        })
    }

    /// What is asked for beside `--resume` must be what was asked for before.
    fn check_resumed(&self, before: &Self) -> miette::Result<()> {
        let other = [
            ("--quick", self.quick && !before.quick),
            ("--full", self.full && !before.full),
            ("--only", !self.only.is_empty() && self.only != before.only),
            (
                "--seeds",
                self.seeds.is_some() && self.seeds != before.seeds,
            ),
            ("--data", self.data.is_some() && self.data != before.data),
            ("--set", !self.set.is_empty() && self.set != before.set),
        ];
        let other = other.iter().filter(|(_, differs)| *differs);
        let other: Vec<&str> = other.map(|(flag, _)| *flag).collect();
        if other.is_empty() {
            return Ok(());
        }
        Err(miette!(
            help = "leave out --resume to ask for something else: what is complete in --out is \
                    not run again",
            "not asked for like this before: {}; --resume goes on with `{}`",
            other.join(", "),
            before.command(None)
        ))
    }

    /// What was asked for in a folder before.
    fn before(out: &Path) -> miette::Result<Self> {
        let file = out.join(ASKED);
        let text = fs::read_to_string(&file)
            .into_diagnostic()
            .wrap_err_with(|| format!("{} holds nothing to go on with", out.display()))?;
        toml::from_str(&text)
            .into_diagnostic()
            .wrap_err_with(|| format!("{} does not say what was asked for", file.display()))
    }

    /// The command that asks for one of the experiments again.
    fn command(&self, experiment: Option<&str>) -> String {
        let mut command = "cargo xtask reproduce".to_owned();
        if self.quick {
            command += " --quick";
        }
        if self.full {
            command += " --full";
        }
        let only = experiment.map_or_else(|| self.only.join(","), str::to_owned);
        if !only.is_empty() {
            command += &format!(" --only {}", quoted(&only));
        }
        if let Some(seeds) = self.seeds {
            command += &format!(" --seeds {seeds}");
        }
        if let Some(folder) = &self.data {
            command += &format!(" --data {}", quoted(&folder.display().to_string()));
        }
        for set in &self.set {
            command += &format!(" --set {}", quoted(set));
        }
        command
    }
}

/// A word of a command as a POSIX shell takes it; in quotes only where it needs them.
fn quoted(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_alphanumeric() || "_@%+=:,./-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.into();
    }
    format!("'{}'", word.replace('\'', r"'\''")).into()
}

/// What stands beside the paper is learned of its data, not of samples that the program draws
/// where they are missing.
fn check_documented(plan: &Plan) -> miette::Result<()> {
    let generated = plan.of_generated();
    if generated.is_empty() {
        return Ok(());
    }
    Err(miette!(
        help = "--data names a folder that has the published samples, `bss2 data fetch` \
                downloads MNIST; or name other experiments by --only",
        "--docs is for results on published samples, and those of {} are generated",
        generated.join(", ")
    ))
}

/// Names of the parts of `docs/results.md` that `--docs` writes.
#[cfg(test)]
pub(crate) fn documented() -> miette::Result<Vec<String>> {
    let declarations = declaration::load(&declaration::folder(), &[])?;
    let experiments = declarations.into_iter().map(|declaration| declaration.id);
    Ok(experiments.chain([report::CLAIMS.to_owned()]).collect())
}

/// Plans, runs, reports.
pub(crate) fn run(arguments: &Arguments) -> miette::Result<()> {
    let asked = if arguments.resume {
        let before = Asked::before(&arguments.out)?;
        arguments.asked.check_resumed(&before)?;
        before
    } else {
        arguments.asked.clone()
    };
    if arguments.docs && (!asked.full || !asked.set.is_empty()) {
        bail!("--docs is for results of --full without --set");
    }
    if arguments.docs && asked.seeds.is_some() {
        bail!("--docs is for as many seeds as experiments declare, not for those of --seeds");
    }
    let declarations = declaration::load(&declaration::folder(), &asked.only)?;
    let request = asked.request()?;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(arguments.threads)
        .build()
        .into_diagnostic()?;
    // Now: while it works the sources may change.
    let program = revision();
    let begin = Instant::now();
    pool.install(|| {
        let mut library = Library::default();
        let plan = Plan::new(declarations, &request, &mut library)?;
        for line in &plan.announcements {
            note!("{line}");
        }
        if arguments.docs {
            check_documented(&plan)?;
        }
        let text = toml::to_string(&asked).into_diagnostic()?;
        write(&arguments.out.join(ASKED), text.as_bytes())?;
        let mut progress = Progress::new(&plan);
        let results = engine::run(&plan, &mut library, &arguments.out, &program, &mut progress)?;
        let report = report::Report::new(&plan, &results, &asked, &program);
        report.write(&arguments.out)?;
        tell!("{}", report.summary());
        if arguments.docs {
            // Documents know no folders of this machine.
            let asked = Asked {
                data: None,
                ..asked.clone()
            };
            report::Report::new(&plan, &results, &asked, &program).document()?;
        }
        Ok::<(), miette::Report>(())
    })?;
    tell!(
        "the report is {} (and report.md, report.json, results.npz beside it); this took {}",
        arguments.out.join("report.html").display(),
        progress::duration(begin.elapsed().as_secs_f64()),
    );
    Ok(())
}

/// Writes a file as a whole, with the folder that it lies in.
fn write(path: &Path, content: &[u8]) -> miette::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)
        .and_then(|()| bss2::files::write_atomically(path, content))
        .into_diagnostic()
        .wrap_err_with(|| format!("{} cannot be written", path.display()))
}
