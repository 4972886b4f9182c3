//! `cargo xtask bench`: how fast everything is.
//!
//! [`rows`] says what is asked for, [`works`] does it, [`floor`] knows the least work,
//! [`record`] tells. [`instructions`] counts, by [`kernels`], and [`growth`] asks for more and more.

mod floor;
mod growth;
mod instructions;
mod kernels;
mod machine;
mod memory;
mod record;
mod rows;
mod statistics;
mod stopwatch;
mod works;

use std::path::{Path, PathBuf};

use bss2::encode::builtin;
use bss2::files::write_atomically;
use bss2::{note, tell};
use clap::Args;
use miette::{IntoDiagnostic, WrapErr, bail};

use instructions::Counted;
use machine::Machine;
use record::{Record, Runs};
use works::Stock;

use crate::document::{self, Document};

/// What is measured, and where it goes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Less work in fewer rounds: below a minute, with more scatter.
    #[arg(long)]
    quick: bool,
    /// File for medians, runs and machine.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Folder of MNIST; searched for where it is not given.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Count instructions in place of time, and fail where they have grown.
    #[arg(long, conflicts_with_all = ["quick", "json", "data"])]
    instructions: bool,
    /// Take the new counts as those to compare with.
    #[arg(long, requires = "instructions")]
    accept: bool,
    /// Time and memory against sizes, as figures in docs/figures.
    #[arg(long, conflicts_with_all = ["instructions", "json", "data"])]
    growth: bool,
    /// Put the tables into docs/performance.md as well.
    #[arg(long, conflicts_with = "growth")]
    docs: bool,
    /// The work of which instructions are counted: the part of a child process.
    #[arg(long, hide = true, requires = "batches")]
    count: Option<Counted>,
    #[arg(long, hide = true)]
    batches: Option<usize>,
}

impl Arguments {
    /// Rounds, and how many times the shortest turn each work does in a round.
    fn effort(&self) -> (usize, usize) {
        if self.quick { (5, 1) } else { (9, 3) }
    }
}

/// Measures and tells.
pub(crate) fn run(arguments: &Arguments) -> miette::Result<()> {
    if let (Some(counted), Some(batches)) = (arguments.count, arguments.batches) {
        return instructions::count(counted, batches);
    }
    if arguments.instructions {
        return instructions::run(arguments.accept, arguments.docs);
    }
    if arguments.growth {
        return growth::run(arguments.quick);
    }
    let (rounds, length) = arguments.effort();
    let machine = Machine::look();
    if let Some(path) = &arguments.json {
        // Before anything is measured that could then not be kept.
        let folder = path.parent().filter(|folder| *folder != Path::new(""));
        if folder.is_some_and(|folder| !folder.is_dir()) || path.is_dir() {
            bail!(
                "{} cannot be written: --json names a file in a folder that is there",
                path.display()
            );
        }
    }
    let stock = Stock::new(arguments.data.as_deref(), length)?;
    if arguments.docs && stock.images.name() == builtin::NAME {
        bail!("--docs is for speeds on MNIST, which was not found: --data names its folder");
    }
    let mut works = stock.works()?;
    let mut runs = Runs::default();
    // Turn by turn, so that all works meet the same machine.
    for round in 1..=rounds {
        note!("round {round} of {rounds}");
        let mut values = Vec::new();
        for work in &mut works {
            values.extend(work.turn()?);
        }
        runs.add(values);
    }
    let record = Record {
        runs,
        machine,
        data: stock.images.name().to_owned(),
        threads: works::THREADS,
    };
    let table = record.table();
    tell!("{}", table.trim_end());
    if arguments.docs {
        let mut document = Document::open(document::PERFORMANCE)?;
        document.replace("bench", &table)?;
        document.write()?;
    }
    if let Some(path) = &arguments.json {
        let text = serde_json::to_string_pretty(&record.json()).into_diagnostic()?;
        write_atomically(path, (text + "\n").as_bytes())
            .into_diagnostic()
            .wrap_err_with(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(())
}
