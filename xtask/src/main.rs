//! Repository tasks: `cargo xtask ci|tidy|reproduce`.

mod ci;
mod cli;
mod reproduce;
mod tidy;

use clap::Parser;

fn main() -> miette::Result<()> {
    match cli::Arguments::parse().task {
        cli::Task::Ci => ci::run(),
        cli::Task::Tidy => tidy::run(),
        cli::Task::Reproduce(arguments) => reproduce::run_in_release(&arguments),
    }
}
