//! Which program it is.

use std::process::Command;

use crate::tidy;

/// Version and commit of the sources, for reports; the commit says `-dirty` where files
/// differ from it, and is unknown outside of a repository.
pub(crate) fn revision() -> String {
    let describe = ["describe", "--always", "--dirty", "--exclude", "*"];
    let output = Command::new("git")
        .current_dir(tidy::root())
        .args(describe)
        .output();
    let commit = output.ok().filter(|output| output.status.success());
    let commit = commit.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let commit = commit.unwrap_or_else(|| "unknown".to_owned());
    format!("bss2 {}, commit {commit}", env!("CARGO_PKG_VERSION"))
}
