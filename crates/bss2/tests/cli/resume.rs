//! A run that is stopped, at any moment and by any means, ends as one that is not.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::{bss2, fail, stderr, succeed, timeless, train};

/// A checkpoint after every step, so that kills fall between many of them.
const RUN: [&str; 8] = [
    "--epochs",
    "12",
    "--set",
    "run.checkpoint_every=0 s",
    "--set",
    "data.train_images=2000",
    "--threads",
    "1",
];

fn start(at: &Path, out: &str) -> Child {
    train(at, out, &RUN)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn resume(at: &Path, out: &str) -> Command {
    let mut command = bss2(at);
    command.args(["train", "mnist", "--resume", "--out", out]);
    command
}

fn wait_for(path: &Path) {
    let start = Instant::now();
    while !path.exists() {
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "{}",
            path.display()
        );
        sleep(Duration::from_millis(5));
    }
}

fn assert_same(at: &Path, a: &str, b: &str) {
    assert_eq!(timeless(&at.join(a)), timeless(&at.join(b)));
    for name in ["last.ckpt", "best.ckpt"] {
        let read = |run: &str| fs::read(at.join(run).join(name)).unwrap();
        assert!(read(a) == read(b), "{name} differs");
    }
}

#[test]
fn killed_many_times_it_ends_bit_equal() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    succeed(train(at, "whole", &RUN));
    let mut kills = 0;
    for (i, delay) in [3_u64, 40, 90, 150, 70, 20].into_iter().enumerate() {
        let mut child = if i == 0 {
            start(at, "cut")
        } else {
            let mut command = resume(at, "cut");
            command.stdout(Stdio::null()).stderr(Stdio::null());
            command.spawn().unwrap()
        };
        wait_for(&at.join("cut/last.ckpt"));
        sleep(Duration::from_millis(delay));
        kills += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap(); // SIGKILL
        child.wait().unwrap();
    }
    assert!(kills >= 2, "the run was too short to be killed: {kills}");
    let said = stderr(&succeed(resume(at, "cut")));
    assert!(said.contains("epoch 12/12"), "{said}");
    assert_same(at, "whole", "cut");
    // Nothing half-written is left.
    assert_eq!(fs::read_dir(at.join("cut")).unwrap().count(), 6);
}

#[test]
fn metrics_that_run_ahead_of_the_checkpoint_are_cut_back() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    succeed(train(at, "whole", &["--epochs", "3"]));
    succeed(train(at, "cut", &["--epochs", "2"]));
    // As if the process had died after the metrics of epoch 3 and before its checkpoint.
    let metrics = fs::read(at.join("whole/metrics.jsonl")).unwrap();
    fs::write(at.join("cut/metrics.jsonl"), metrics).unwrap();
    let mut command = resume(at, "cut");
    command.args(["--epochs", "3"]);
    succeed(command);
    assert_same(at, "whole", "cut");
}

#[test]
fn fewer_epochs_than_are_done_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    succeed(train(at, "run", &["--epochs", "3"]));
    let files =
        || ["metrics.jsonl", "config.toml"].map(|f| fs::read(at.join("run").join(f)).unwrap());
    let before = files();
    let mut command = resume(at, "run");
    command.args(["--epochs", "1"]);
    fail(command, &["3 epochs of this run are done", "1 were asked"]);
    assert!(files() == before, "a refused run was changed");
    succeed(resume(at, "run"));
}

#[cfg(unix)]
#[test]
fn an_interrupt_leaves_a_resumable_run_and_says_how() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    succeed(train(at, "whole", &RUN));
    let child = start(at, "cut");
    wait_for(&at.join("cut/last.ckpt"));
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
    let output = child.wait_with_output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("--resume --out cut"), "{said}");
    assert!(said.contains("Ctrl-C again ends at once"), "{said}");
    succeed(resume(at, "cut"));
    assert_same(at, "whole", "cut");
}

#[test]
fn what_resume_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    succeed(train(at, "run", &["--epochs", "1"]));
    fail(
        train(at, "run", &["--epochs", "1"]),
        &["not empty", "--resume"],
    );
    let mut other = resume(at, "run");
    other.args(["--seed", "4", "--set", "batch=50"]);
    fail(
        other,
        &[
            "train.seed was 0 and now is 4",
            "batch was 20 and now is 50",
        ],
    );
    fail(resume(at, "none"), &["holds no run"]);
    // It has all its settings, so a recipe beneath them would change nothing.
    for recipe in [["--recipe", "tuned"], ["--set", "recipe=tuned"]] {
        let mut beneath = resume(at, "run");
        beneath.args(recipe);
        fail(beneath, &["recipe", "has no effect on a run that goes on"]);
    }
    let mut speech = bss2(at);
    speech.args(["train", "speech", "--resume", "--out", "run"]);
    fail(speech, &["no speech run", "bss2 train mnist --resume"]);
    // Nor does a new run learn what it is not called for.
    for (task, more, hint) in [
        (
            "speech",
            ["--config", "run/config.toml"],
            "recipe = \"speech\"",
        ),
        ("speech", ["--set", "data.set=mnist"], "recipe = \"speech\""),
        ("speech", ["--recipe", "tuned"], "recipe = \"speech\""),
        ("mnist", ["--recipe", "speech"], "bss2 train speech"),
    ] {
        let mut other = bss2(at);
        other.args(["train", task, "--out", "other"]).args(more);
        fail(other, &[hint, "data.set names some"]);
        assert!(!at.join("other").exists());
    }
    let mut nowhere = bss2(at);
    nowhere.args(["train", "mnist", "--resume"]);
    let output = nowhere.output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("--out"));
    // More epochs are no other experiment.
    let mut longer = resume(at, "run");
    longer.args(["--epochs", "2", "--threads", "1"]);
    succeed(longer);
    succeed(train(at, "whole", &["--epochs", "2"]));
    assert_same(at, "whole", "run");
    let said = stderr(&succeed(resume(at, "run")));
    assert!(said.contains("complete"), "{said}");
}
