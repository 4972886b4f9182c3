//! The command line of the tasks.

use std::ffi::OsString;

use clap::{Parser, Subcommand};

use crate::{bench, reproduce};

/// Repository tasks of bss2.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) task: Task,
}

/// A task.
#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Checks the rules of the repository: layers, links, commands in docs.
    Tidy,
    /// Rebuild what the paper reports.
    Reproduce(reproduce::Arguments),
    /// Measure how fast everything is, beside goals and floors.
    Bench(bench::Arguments),
    /// The command `bss2` as it is built into this program: a process to be measured.
    #[command(hide = true)]
    Bss2 {
        /// Its arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}
