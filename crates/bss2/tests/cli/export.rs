//! Weights, spikes and traces out, and weights in.

use std::fs;
use std::path::Path;

use bss2::npz::{self, Npz};

use crate::support::{bss2, fail, stdout, succeed, train};

fn export(at: &Path, run: &str, out: &str) -> String {
    let mut command = bss2(at);
    command.args(["export", run, "--out", out, "--images", "30"]);
    stdout(&succeed(command))
}

fn floats(at: &Path, file: &str, name: &str, shape: &[u64]) -> Vec<f64> {
    let mut archive = Npz::open(&at.join(file)).unwrap();
    archive.floats(name, shape).unwrap().unwrap()
}

/// An archive of a network with 40 hidden neurons, all of the same weights.
fn archive(path: &Path, hidden: f64, output: f64) {
    let bytes = npz::write(|arrays| {
        arrays.add("weights_hidden", &[40, 256], vec![hidden; 40 * 256])?;
        arrays.add("weights_output", &[10, 40], vec![output; 400])
    });
    fs::write(path, bytes.unwrap()).unwrap();
}

#[test]
fn exported_arrays_are_what_the_run_did_and_a_run_begins_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    succeed(train(at, "a", &["--epochs", "1"]));
    let said = export(at, "a", "a.npz");
    assert!(said.contains("30 test images"), "{said}");
    let hidden = floats(at, "a.npz", "weights_hidden", &[40, 256]);
    let output = floats(at, "a.npz", "weights_output", &[10, 40]);
    let traces = floats(at, "a.npz", "traces", &[30, 20, 50]);
    let spikes = floats(at, "a.npz", "spikes", &[30, 20, 50]);
    let predictions = floats(at, "a.npz", "predictions", &[30]);
    let times = floats(at, "a.npz", "time_us", &[20]);
    assert!((times[19] - 19.0 * 1.7).abs() < 1e-9);
    assert!(spikes.iter().sum::<f64>() > 0.0);
    // The highest membrane of an output is the prediction.
    for (image, &prediction) in predictions.iter().enumerate() {
        let highest = |class: usize| {
            let of = (0..20).map(|t| traces[(image * 20 + t) * 50 + 40 + class]);
            of.fold(f64::MIN, f64::max)
        };
        assert!((0..10).all(|class| highest(class) <= highest(prediction as usize)));
    }
    let mut archive = Npz::open(&at.join("a.npz")).unwrap();
    let names = archive.names();
    for name in [
        "images",
        "labels",
        "input_image",
        "input_time_us",
        "input_channel",
    ] {
        assert!(names.iter().any(|n| n == name), "{name} in {names:?}");
    }
    assert_eq!(archive.pickled(), [""; 0]);

    // Nothing is learned at a rate of zero, so the weights stay what they were.
    let still = ["--epochs", "1", "--init", "a.npz", "--seed", "9"];
    let mut again = train(at, "b", &still);
    again.args(["--set", "train.learning_rate=0"]);
    succeed(again);
    export(at, "b", "b.npz");
    assert_eq!(floats(at, "b.npz", "weights_hidden", &[40, 256]), hidden);
    assert_eq!(floats(at, "b.npz", "weights_output", &[10, 40]), output);

    // A run that died before its first checkpoint begins with them again.
    let ended = fs::read(at.join("b/last.ckpt")).unwrap();
    for name in ["last.ckpt", "best.ckpt", "metrics.jsonl"] {
        fs::remove_file(at.join("b").join(name)).unwrap();
    }
    let resume = || {
        let mut command = bss2(at);
        command.args(["train", "mnist", "--resume", "--out", "b"]);
        command
    };
    succeed(resume());
    assert_eq!(fs::read(at.join("b/last.ckpt")).unwrap(), ended);
    // It needs the file no more then, and refuses another one in its place.
    fs::rename(at.join("a.npz"), at.join("kept.npz")).unwrap();
    succeed(resume());
    // A file of settings as somebody writes it: without a checksum.
    let own = fs::read_to_string(at.join("b/config.toml")).unwrap();
    let lines = own.lines().filter(|line| !line.starts_with("checksum"));
    let written: String = lines.map(|line| format!("{line}\n")).collect();
    assert!(written.len() < own.len());
    fs::write(at.join("b.toml"), written).unwrap();
    let mut named = resume();
    named.args(["--config", "b.toml", "--init", "a.npz"]);
    succeed(named);
    assert_eq!(fs::read_to_string(at.join("b/config.toml")).unwrap(), own);
    fs::remove_file(at.join("b/last.ckpt")).unwrap();
    fail(resume(), &["a.npz cannot be read"]);
    self::archive(&at.join("a.npz"), 0.01, 0.0);
    fail(resume(), &["a.npz holds other weights"]);
}

#[test]
fn a_network_of_a_million_bytes_begins_with_what_was_exported() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let run = |out: &str, more: &[&str]| {
        let mut command = train(at, out, &["--epochs", "1"]);
        command.args(["--set", "network.hidden=1024"]);
        command.args(["--set", "data.train_images=20"]);
        command.args(more);
        succeed(command);
    };
    run("a", &[]);
    export(at, "a", "a.npz");
    run("b", &["--init", "a.npz"]);
}

#[test]
fn a_chip_s_weights_are_exported_as_it_holds_them() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let chip = ["--set", "substrate=chip", "--set", "chip.calibrated=false"];
    let mut command = train(
        at,
        "a",
        &["--epochs", "1", "--set", "data.train_images=100"],
    );
    command.args(chip);
    succeed(command);
    export(at, "a", "a.npz");
    let learned = floats(at, "a.npz", "weights_hidden", &[40, 256]);
    let held = floats(at, "a.npz", "hardware_hidden", &[40, 256]);
    for (learned, held) in learned.iter().zip(&held) {
        assert!((240.0 * learned - held).abs() <= 0.501, "{learned} {held}");
    }
    let scale = floats(at, "a.npz", "output_scale", &[])[0];
    let learned = floats(at, "a.npz", "weights_output", &[10, 40]);
    let held = floats(at, "a.npz", "hardware_output", &[10, 40]);
    for (learned, held) in learned.iter().zip(&held) {
        assert!((scale * learned - held).abs() <= 0.501, "{learned} {held}");
    }
}

#[test]
fn weights_of_few_bits_are_exported_on_their_levels() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let mut command = train(
        at,
        "a",
        &["--epochs", "1", "--set", "data.train_images=100"],
    );
    command.args(["--set", "substrate=chip", "--set", "chip.calibrated=false"]);
    command.args(["--set", "network.weight_bits=3"]);
    succeed(command);
    export(at, "a", "a.npz");
    let held = floats(at, "a.npz", "hardware_hidden", &[40, 256]);
    assert!(
        held.iter().all(|w| w.abs() % 21.0 == 0.0),
        "levels are 0, 21, 42, 63"
    );
}

#[test]
fn weights_that_do_not_fit_are_refused_by_name_and_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let refused = |file: &str, more: &[&str], words: &[&str]| {
        let mut command = train(at, "out", &["--init", file]);
        command.args(more);
        fail(command, words);
        assert!(!at.join("out").exists(), "{words:?}");
    };
    refused("none.npz", &[], &["none.npz cannot be read"]);
    fs::write(at.join("text.npz"), "weights").unwrap();
    refused("text.npz", &[], &["text.npz is no whole npz archive"]);
    archive(&at.join("w.npz"), 0.02, 1.0);
    let words = ["w.npz: weights_hidden has shape [40, 256], needed is [39, 256]"];
    refused("w.npz", &["--set", "network.hidden=39"], &words);
    let words = ["weights_hidden[0, 0] is 0.02, needed is -0.0100 to 0.0100"];
    refused("w.npz", &["--set", "train.weight_limit=0.01"], &words);
    archive(&at.join("w.npz"), 0.02, f64::NAN);
    refused(
        "w.npz",
        &[],
        &["weights_output[0, 0] is NaN", "a finite number"],
    );
    let other = npz::write(|arrays| arrays.add("weights_output", &[10, 40], vec![0.0; 400]));
    fs::write(at.join("w.npz"), other.unwrap()).unwrap();
    refused("w.npz", &[], &["w.npz has no array weights_hidden"]);
    let mut command = bss2(at);
    command.args(["export", "nowhere", "--out", "a.npz"]);
    fail(command, &["nowhere holds no run"]);
}
