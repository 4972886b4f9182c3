//! Repository tasks: `cargo xtask reproduce|bench|tidy`.

// A line that nobody reads must not end the work: see `bss2::tell`.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod bench;
mod cli;
mod document;
mod reproduce;
mod revision;
mod tidy;

use std::process::ExitCode;

use clap::Parser;

fn main() -> miette::Result<ExitCode> {
    match cli::Arguments::parse().task {
        cli::Task::Tidy => tidy::run()?,
        cli::Task::Reproduce(arguments) => reproduce::run(&arguments)?,
        cli::Task::Bench(arguments) => bench::run(&arguments)?,
        cli::Task::Bss2 { arguments } => {
            let program = std::iter::once("bss2".into());
            return Ok(bss2::cli::run(program.chain(arguments)));
        }
    }
    Ok(ExitCode::SUCCESS)
}
