//! How tests call the command.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// The command in a folder of its own, where no data set is in reach.
pub(crate) fn bss2(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bss2"));
    command
        .current_dir(folder)
        .env_remove("BSS2_DATA")
        .env_remove("RUST_BACKTRACE")
        .env("NO_COLOR", "1");
    command
}

/// `bss2 train mnist` on a few generated digits, in software, into `out`.
pub(crate) fn train(folder: &Path, out: &str, more: &[&str]) -> Command {
    let mut command = bss2(folder);
    command
        .args(["train", "mnist", "--substrate", "software", "--out", out])
        .args(["--set", "data.set=generated"])
        .args(["--set", "data.train_images=600"])
        .args(["--set", "data.test_images=200"])
        .args(["--set", "network.hidden=40"])
        .args(["--set", "batch=20", "--set", "train.learning_rate=0.01"])
        .args(more);
    command
}

/// Standard error as text.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Standard output as text.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs a command that must succeed.
pub(crate) fn succeed(mut command: Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", stderr(&output));
    output
}

/// Runs a command that must fail with one clear error, and gives it back: exit
/// code 1, no panic, all of `words` in it.
pub(crate) fn fail(mut command: Command, words: &[&str]) -> String {
    let output = command.output().unwrap();
    let error = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{command:?}\n{error}");
    assert_eq!(error.matches("error:").count(), 1, "{error}");
    assert!(!error.contains("panicked"), "{error}");
    for word in words {
        assert!(error.contains(word), "{word:?} is missing in\n{error}");
    }
    error
}

/// The lines of a run's metrics.
pub(crate) fn metrics(run: &Path) -> Vec<Value> {
    fs::read_to_string(run.join("metrics.jsonl"))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The metrics without what a clock measured, as text.
pub(crate) fn timeless(run: &Path) -> String {
    let mut text = String::new();
    for mut line in metrics(run) {
        let object = line.as_object_mut().unwrap();
        for key in ["images_per_s", "wall_s"] {
            assert!(object.remove(key).is_some(), "{key}");
        }
        text += &format!("{line}\n");
    }
    text
}
