//! Training in the loop, and what a chip refuses.

use crate::support::{bss2, fail, metrics, stderr, stdout, succeed};

fn train_on_chip(at: &std::path::Path, more: &[&str]) -> std::process::Command {
    let mut command = bss2(at);
    command.args(["train", "mnist", "--out", "run", "--epochs", "1"]);
    command.args([
        "--set",
        "data.set=generated",
        "--set",
        "data.train_images=300",
    ]);
    command.args(["--set", "data.test_images=100", "--set", "batch=20"]);
    command.args(["--set", "train.learning_rate=0.01"]);
    command.args(more);
    command
}

#[test]
fn a_network_is_trained_in_the_loop_and_moved_to_another_chip() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    succeed(train_on_chip(at, &["--chip-seed", "3"]));
    let run = metrics(&at.join("run"));
    assert!(run[0]["hidden_spikes_per_image"].as_f64().unwrap() > 0.0);
    let eval = |more: &[&str]| {
        let mut command = bss2(at);
        command.args(["eval", "run"]).args(more);
        stdout(&succeed(command))
    };
    let own = eval(&[]);
    assert!(own.contains("chip 3"), "{own}");
    let other = eval(&["--chip-seed", "4"]);
    assert!(other.contains("chip 4") && other != own, "{other}");
    assert!(eval(&["--substrate", "software"]).contains("software"));
}

#[test]
fn neurons_that_missed_a_target_are_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    // Four times the nominal strength is out of reach of the strength cells.
    let more = [
        "--set",
        "chip.targets.strength=4",
        "--set",
        "chip.calibration.trials=8",
    ];
    let said = stderr(&succeed(train_on_chip(folder.path(), &more)));
    let warning = "neurons missed a target of the calibration";
    assert_eq!(said.matches(warning).count(), 1, "{said}");
}

#[test]
fn weights_that_all_round_to_zero_are_warned_of_by_layer() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    // 240 times the mean of 0.001 rounds to zero.
    let output = succeed(train_on_chip(at, &["--set", "train.init.gain=0"]));
    let said = stderr(&output);
    let warning = "warning: all hidden weights round to zero";
    assert_eq!(said.matches(warning).count(), 1, "{said}");
}

#[test]
fn a_network_that_does_not_fit_is_refused_with_what_would() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fail(
        train_on_chip(at, &["--set", "network.hidden=300"]),
        &["310", "256"],
    );
    fail(
        train_on_chip(at, &["--profile", "none"]),
        &["none", "cube66"],
    );
    assert!(!at.join("run").exists());
}

#[test]
fn a_chip_can_be_looked_at_and_calibrated() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let mut info = bss2(at);
    info.args(["chip", "info", "--chip-seed", "3", "--profile", "cube66"]);
    let said = stdout(&succeed(info));
    assert!(said.contains("cube66") && said.contains("512"), "{said}");
    let mut calibrate = bss2(at);
    calibrate.args(["chip", "calibrate", "--chip-seed", "3", "--out", "cal"]);
    let said = stdout(&succeed(calibrate));
    for word in ["target", "reached", "threshold", "tau_mem"] {
        assert!(said.contains(word), "{word} in {said}");
    }
    assert!(at.join("cal").is_dir());
}
