//! Every bad input is one clear error, and leaves nothing behind.

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::support::{bss2, fail, stderr, succeed, train};

const FILES: [&str; 4] = [
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
];

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn images(count: u32) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, 3];
    for size in [count, 28, 28] {
        bytes.extend(size.to_be_bytes());
    }
    bytes.extend(vec![7; count as usize * 784]);
    bytes
}

fn labels(count: u32) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, 1];
    bytes.extend(count.to_be_bytes());
    bytes.extend((0..count).map(|i| (i % 10) as u8));
    bytes
}

/// A data folder of well-formed files, but for one of them.
fn data_folder(at: &Path, bad: usize, content: &[u8]) {
    let folder = at.join("data");
    fs::create_dir_all(&folder).unwrap();
    let right = [images(3), labels(3), images(2), labels(2)];
    for (i, name) in FILES.iter().enumerate() {
        let content = if i == bad {
            content.to_vec()
        } else {
            gzip(&right[i])
        };
        fs::write(folder.join(name), content).unwrap();
    }
}

fn train_on_folder(at: &Path) -> std::process::Command {
    let mut command = bss2(at);
    command.args(["train", "mnist", "--substrate", "software", "--epochs", "1"]);
    command.args(["--data", "data", "--out", "run"]);
    command
}

#[test]
fn bad_data_files_are_named_with_what_is_wrong() {
    let mut wrong_magic = images(3);
    wrong_magic[2] = 9;
    let mut truncated = gzip(&images(3));
    truncated.truncate(truncated.len() / 2);
    let page = b"<!DOCTYPE html><html><body>Sign in</body></html>".to_vec();
    let short = gzip(&images(3)[..500]);
    let cases: [(&str, usize, Vec<u8>, &[&str]); 6] = [
        (
            "wrong magic",
            0,
            gzip(&wrong_magic),
            &["begin with 0x00000803"],
        ),
        ("truncated gzip", 0, truncated, &["ends too early"]),
        ("web page", 1, page, &["HTML"]),
        ("fewer bytes than said", 2, short, &["ends too early"]),
        (
            "counts differ",
            1,
            gzip(&labels(2)),
            &["3 images", "2 labels"],
        ),
        ("empty", 3, Vec::new(), &[]),
    ];
    for (name, bad, content, words) in cases {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        data_folder(at, bad, &content);
        let mut command = train_on_folder(at);
        command.args(["--set", "data.verify=false"]);
        let error = fail(command, words);
        assert!(error.contains(FILES[bad]), "{name}: {error}");
        assert!(!at.join("run").exists(), "{name}: a run folder was left");
    }
}

#[test]
fn well_formed_files_that_are_not_mnist_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    data_folder(folder.path(), usize::MAX, &[]);
    fail(train_on_folder(folder.path()), &["ubyte.gz is not MNIST's"]);
}

#[test]
fn a_run_does_not_go_on_with_other_images() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for (name, count) in [("few", 40), ("more", 60)] {
        let data = at.join(name);
        fs::create_dir(&data).unwrap();
        let contents = [images(count), labels(count), images(count), labels(count)];
        for (file, content) in FILES.iter().zip(contents) {
            fs::write(data.join(file), gzip(&content)).unwrap();
        }
    }
    let mut command = bss2(at);
    command.args(["train", "mnist", "--substrate", "software", "--out", "run"]);
    command.args([
        "--data",
        "few",
        "--epochs",
        "1",
        "--set",
        "data.verify=false",
    ]);
    succeed(command);
    let config = || fs::read_to_string(at.join("run/config.toml")).unwrap();
    let before = config();
    let mut command = bss2(at);
    command.args(["train", "mnist", "--resume", "--out", "run"]);
    command.args(["--data", "more", "--epochs", "2"]);
    fail(command, &["begun with other images", "--data"]);
    assert_eq!(config(), before);
    // To test it on others is no mistake where they are named.
    let other = "other data than those that the run was trained with";
    for (folder, warned) in [("few", false), ("more", true)] {
        let mut eval = bss2(at);
        eval.args(["eval", "run", "--data", folder]);
        let said = stderr(&succeed(eval));
        assert_eq!(said.contains(other), warned, "{said}");
        let mut export = bss2(at);
        export.args(["export", "run", "--out", "a.npz", "--data", folder]);
        let said = stderr(&succeed(export));
        assert_eq!(said.contains(other), warned, "{said}");
    }
    // From another folder it finds its own again, unless they are gone.
    let eval = || {
        let mut command = bss2(&at.join("few"));
        command.args(["eval", "../run"]);
        command
    };
    succeed(eval());
    for file in FILES {
        fs::remove_file(at.join("few").join(file)).unwrap();
    }
    let folder = at.join("few").display().to_string();
    fail(
        eval(),
        &["was not found", &folder, "`--data DIR` names another"],
    );
}

#[test]
fn a_data_folder_without_data_is_said() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    fail(train_on_folder(folder.path()), &["was not found", "data"]);
}

#[test]
fn configurations_are_refused_with_place_and_range() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let with = |text: &str| {
        fs::write(at.join("c.toml"), text).unwrap();
        train(at, "run", &["--config", "c.toml"])
    };
    fail(
        with("[train]\ndropuot = 3\n"),
        &["unknown field `dropuot`", "c.toml:2:1", "dropout"],
    );
    fail(with("[train\n"), &["c.toml:1"]);
    fail(with("batch = 50\nepochs = \"many\"\n"), &["c.toml:2:10"]);
    fail(
        with("[encoder.latency]\ntau_in = 8\n"),
        &["c.toml:2:10", "unit"],
    );
    let error = fail(
        with("epochs = 0\n[time]\nsteps = 0\n"),
        &["epochs is 0", "time.steps is 0", "c.toml:1:10"],
    );
    assert!(error.contains("allowed are 1 to"), "{error}");
    fail(train(at, "run", &["--config", "none.toml"]), &["none.toml"]);
    fail(
        train(at, "run", &["--set", "train.no_such=1"]),
        &["--set train.no_such=1"],
    );
    fail(train(at, "run", &["--epochs", "0"]), &["epochs is 0"]);
    fail(
        train(at, "run", &["--set", "train.frozen=[\"recurrent\"]"]),
        &[
            "train.frozen is recurrent, allowed are hidden and output, and recurrent with network.recurrent = true",
        ],
    );
    let mut speech = bss2(at);
    speech.args([
        "train",
        "speech",
        "--out",
        "run",
        "--set",
        "speech.bin=1 ms",
    ]);
    fail(speech, &["speech.bin is 1 ms", "the length of a run"]);
    assert!(!at.join("run").exists());

    let usage = train(at, "run", &["--no-such-flag"]).output().unwrap();
    assert_eq!(usage.status.code(), Some(2), "{}", stderr(&usage));
}

#[test]
fn damaged_and_foreign_checkpoints_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    succeed(train(at, "run", &["--epochs", "1"]));
    let checkpoint = at.join("run/last.ckpt");
    let right = fs::read(&checkpoint).unwrap();
    let resume = || {
        let mut command = bss2(at);
        command.args([
            "train", "mnist", "--resume", "--epochs", "2", "--out", "run",
        ]);
        command
    };
    let metrics = fs::read(at.join("run/metrics.jsonl")).unwrap();
    let mut flipped = right.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    let mut other_version = right.clone();
    // The version follows the magic; see the checkpoint's format.
    other_version[8] ^= 0x40;
    let cases: [(&str, Vec<u8>, &str); 5] = [
        ("a flipped bit", flipped, "checksum"),
        ("another version", other_version, "version"),
        ("cut in half", right[..middle].to_vec(), "bytes"),
        ("empty", Vec::new(), "not a checkpoint"),
        (
            "something else",
            b"<html></html>".to_vec(),
            "not a checkpoint",
        ),
    ];
    for (name, content, word) in cases {
        fs::write(&checkpoint, content).unwrap();
        let error = fail(resume(), &["last.ckpt", word]);
        assert!(!error.is_empty(), "{name}");
        assert_eq!(
            fs::read(at.join("run/metrics.jsonl")).unwrap(),
            metrics,
            "{name}"
        );
        let mut eval = bss2(at);
        eval.args(["eval", "run"]);
        fail(eval, &[".ckpt"]);
    }
    fs::write(&checkpoint, right).unwrap();
    succeed(resume());
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_is_said() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let closed = at.join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).unwrap();
    if fs::File::create(closed.join("probe")).is_ok() {
        // Such as root, whom no permission stops: a file in the folder's place does.
        fs::remove_file(closed.join("probe")).unwrap();
        fs::remove_dir(&closed).unwrap();
        fs::write(&closed, "a file").unwrap();
    }
    fail(train(at, "closed/run", &["--epochs", "1"]), &["closed"]);
}

#[test]
fn images_that_cannot_be_augmented_are_refused_before_there_is_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let flags = ["--rotation", "15", "--set", "encoder.reduction.side=28"];
    let mut command = bss2(at);
    command.args([
        "train",
        "mnist",
        "--out",
        "run",
        "--set",
        "data.set=generated",
    ]);
    command.args(["--substrate", "software"]).args(flags);
    fail(command, &["augmentation", "larger than 28 x 28"]);
    assert!(!at.join("run").exists());
}

#[test]
fn settings_without_effect_are_refused_or_told() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let mut speech = bss2(at);
    speech.args(["train", "speech", "--out", "run", "--rotation", "15"]);
    fail(speech, &["--rotation has no effect", "speech.augmentation"]);
    let mut speech = bss2(at);
    speech.args(["train", "speech", "--out", "run", "--data", "data"]);
    speech.args(["--set", "data.set=recordings", "--set", "data.file=a.h5"]);
    fail(
        speech,
        &["data.folder is data, allowed are none with data.set = recordings"],
    );
    for command in [&["train", "mnist", "--out", "run"][..], &["chip", "info"]] {
        let mut detuned = bss2(at);
        detuned.args(command).args(["--detune", "threshold"]);
        fail(
            detuned,
            &["--detune has no effect", "--decalibration SIGMA"],
        );
    }
    assert!(!at.join("run").exists());
    let said = |more: &[&str]| {
        let _ = fs::remove_dir_all(at.join("run"));
        let small = ["--epochs", "1", "--set", "data.train_images=20"];
        stderr(&succeed(train(at, "run", &[&small[..], more].concat())))
    };
    let software = "software_epochs has no effect";
    assert!(said(&["--set", "software_epochs=1"]).contains(software));
    let plain = said(&[]);
    assert!(!plain.contains("warning"), "{plain}");
}
