//! Tasks that measure run in a release build.

use std::env;
use std::process::Command;

use miette::{IntoDiagnostic, WrapErr, bail};

/// Runs a task here in a release build, and in one that is started for it elsewhere,
/// with the command line of this process.
pub(crate) fn run(task: impl FnOnce() -> miette::Result<()>) -> miette::Result<()> {
    if !cfg!(debug_assertions) {
        return task();
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
