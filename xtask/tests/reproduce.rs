//! `cargo xtask reproduce` as its users run it: killed, gone on with, refused.

#![cfg(unix)] // for SIGKILL

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Two seeds of Figure 3C on a few generated digits: trainings, each tested at five readout
/// intervals. A checkpoint after every step.
const ASKED: [&str; 7] = [
    "--quick",
    "--only",
    "fig3c",
    "--seeds",
    "2",
    "--threads",
    "2",
];
const SET: [&str; 8] = [
    "data.set=generated",
    "data.train_images=400",
    "data.test_images=100",
    "epochs=3",
    "batch=20",
    "network.hidden=32",
    "chip.calibration.trials=8",
    "run.checkpoint_every=0 s",
];

/// The command in a folder where neither data nor git are found: commits that are made
/// meanwhile do not change what reports say of the program.
fn reproduce(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command
        .current_dir(folder)
        .env_remove("BSS2_DATA")
        .env_remove("RUST_BACKTRACE")
        .env("NO_COLOR", "1")
        .env("PATH", folder)
        .arg("reproduce")
        .args(arguments);
    command
}

/// The whole of it into `out`.
fn all(folder: &Path, out: &str) -> Command {
    let mut command = reproduce(folder, &ASKED);
    command.args(SET.iter().flat_map(|set| ["--set", set]));
    command.args(["--out", out]);
    command
}

/// Standard error as words on one line, however it was wrapped.
fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let words = text.split_whitespace().filter(|word| *word != "│");
    words.collect::<Vec<_>>().join(" ")
}

fn succeed(mut command: Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", said(&output));
}

/// Runs a command that must be refused, and gives what it says.
fn refused(mut command: Command) -> String {
    let output = command.output().unwrap();
    let error = said(&output);
    assert_eq!(output.status.code(), Some(1), "{command:?}\n{error}");
    assert!(!error.contains("panicked"), "{error}");
    error
}

/// Name and content of everything that is reported; arrays hold images per second.
fn report(out: &Path) -> Vec<(OsString, Vec<u8>)> {
    let figures = fs::read_dir(out.join("figures")).unwrap();
    let mut paths: Vec<PathBuf> = figures.map(|figure| figure.unwrap().path()).collect();
    assert!(!paths.is_empty());
    paths.sort();
    paths.extend(["report.json", "report.md", "report.html"].map(|name| out.join(name)));
    let content = |path: PathBuf| (path.file_name().unwrap().into(), fs::read(&path).unwrap());
    paths.into_iter().map(content).collect()
}

/// How many checkpoints and outcomes there are.
fn progress(folder: &Path) -> usize {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    let count = |path: PathBuf| match path.extension() {
        None => progress(&path),
        Some(extension) => usize::from(extension == "ckpt" || extension == "json"),
    };
    entries.map(|entry| count(entry.unwrap().path())).sum()
}

/// Kills a command a moment after it has left something new behind; whether it was still at
/// work.
fn kill(mut command: Command, out: &Path, moment: Duration) -> bool {
    let (before, start) = (progress(out), Instant::now());
    let silent = command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = Killed(silent.spawn().unwrap());
    let mut at_work = || child.0.try_wait().unwrap().is_none();
    while progress(out) == before && at_work() {
        assert!(start.elapsed() < Duration::from_secs(300), "{command:?}");
        sleep(Duration::from_millis(2));
    }
    sleep(moment);
    at_work()
}

/// A process that is killed when the test is done with it, however that ends.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // SIGKILL; it may be over already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn killed_and_resumed_the_report_is_that_of_an_undisturbed_run() {
    let folder = tempfile::tempdir().unwrap();
    let (at, out) = (folder.path(), folder.path().join("cut"));
    succeed(all(at, "whole"));
    let resume = |more: &[&str]| {
        let mut command = reproduce(at, &["--resume", "--threads", "2", "--out", "cut"]);
        command.args(more);
        command
    };
    let kill = |command, ms| usize::from(kill(command, &out, Duration::from_millis(ms)));
    let mut kills = kill(all(at, "cut"), 3);
    for ms in [30, 0, 12, 1, 7] {
        kills += kill(resume(&[]), ms);
    }
    assert!(kills >= 4, "it was too short to be killed: {kills}");
    succeed(resume(&[]));
    let (cut, whole) = (report(&out), report(&at.join("whole")));
    assert_eq!(cut.len(), whole.len());
    for (cut, whole) in cut.iter().zip(&whole) {
        assert!(cut == whole, "{} differs", cut.0.display());
    }
    let error = refused(resume(&["--full", "--only", "fig3a"]));
    let named = "not asked for like this before: --full, --only; --resume goes on with";
    assert!(error.contains(named), "{error}");

    // A page that needs nothing else, on any screen.
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    for outside in ["src=", "<link", "url(http", "<script"] {
        assert!(!page.contains(outside), "{outside}");
    }
    for inside in ["name=\"viewport\"", "prefers-color-scheme:dark"] {
        assert!(page.contains(inside), "{inside}");
    }
}

#[test]
fn an_unknown_experiment_is_refused_with_those_that_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let error = refused(reproduce(
        folder.path(),
        &["--quick", "--only", "fig3c,fig9"],
    ));
    for words in [
        "there is no experiment fig9",
        "table1, ",
        "fig3c, ",
        "beyond-",
    ] {
        assert!(error.contains(words), "{words}: {error}");
    }
    assert!(!folder.path().join("reproduce").exists());
}
