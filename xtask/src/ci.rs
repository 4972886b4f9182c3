//! `cargo xtask ci`: what the CI runs, nothing else.

use std::process::Command;
use std::time::Instant;

use bss2::note;
use miette::{Context, IntoDiagnostic, bail};

use crate::tidy;

/// The stages: name, arguments of cargo, and one environment variable to set.
///
/// Clippy comes before tests, as it finds most faults in the least time.
const STAGES: [(&str, &[&str], (&str, &str)); 4] = [
    ("format", &["fmt", "--all", "--check"], ("", "")),
    (
        "clippy",
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ],
        ("", ""),
    ),
    (
        "docs",
        &["doc", "--workspace", "--no-deps"],
        ("RUSTDOCFLAGS", "-D warnings"),
    ),
    ("tests", &["test", "--workspace"], ("", "")),
];

/// Runs every stage and stops at the first that fails.
pub(crate) fn run() -> miette::Result<()> {
    let start = Instant::now();
    tidy::run()?;
    for (name, arguments, (variable, value)) in STAGES {
        note!("==> {name}: cargo {}", arguments.join(" "));
        let stage = Instant::now();
        let mut command = Command::new(env!("CARGO"));
        command.args(arguments).current_dir(tidy::root());
        if !variable.is_empty() {
            command.env(variable, value);
        }
        let status = command
            .status()
            .into_diagnostic()
            .wrap_err("cargo could not be started")?;
        if !status.success() {
            bail!("stage {name} failed ({status})");
        }
        note!("==> {name}: {:.0} s", stage.elapsed().as_secs_f64());
    }
    note!("==> all passed in {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}
