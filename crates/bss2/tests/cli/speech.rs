//! Speech, from spike files to a trained network.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use bss2::encode::{SampleInfo, Speaker, SpikeSet, TimePrecision, read_spikes, write_spikes};

use crate::support::{bss2, fail, metrics, stderr, stdout, succeed, timeless};

/// Two classes that excite different channels, spoken by three voices.
fn spikes() -> SpikeSet {
    let keys = ["0", "1"].map(String::from).to_vec();
    let speakers = ["ann", "bob", "cid"].map(|name| Speaker {
        name: name.into(),
        ..Default::default()
    });
    let mut set = SpikeSet::new("two tones", 700, keys, speakers.to_vec()).unwrap();
    for take in 0..25_u16 {
        for speaker in 0..3_u16 {
            for label in 0..2_u8 {
                let spikes = (0..160_u16).map(|i| {
                    let time = 0.002 * f32::from(i) + 0.01 * f32::from(take % 5);
                    let unit = 70 + 300 * u16::from(label) + (i * 63 + 9 * speaker) % 300;
                    (time, unit)
                });
                let (times, units): (Vec<f32>, Vec<u16>) = spikes.unzip();
                let name = &set.speakers()[usize::from(speaker)].name;
                let recording = format!("{label}_{name}_{take}.wav");
                let info = SampleInfo { speaker, recording };
                set.push(label, info, &times, &units).unwrap();
            }
        }
    }
    set
}

fn train(folder: &Path, out: &str, more: &[&str]) -> Command {
    let mut command = bss2(folder);
    command
        .args(["train", "speech", "--recipe", "paper"])
        .args(["--substrate", "software", "--out", out])
        .args(["--epochs", "2", "--set", "time.steps=120"])
        .args(["--set", "network.hidden=30", "--set", "batch=10"])
        .args(["--set", "train.learning_rate=0.01"])
        .args(more);
    command
}

#[test]
fn a_spike_file_is_learned_from_with_and_without_augmentation() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write_spikes(&at.join("two.h5"), &spikes(), TimePrecision::Half).unwrap();
    let file = ["--set", "data.set=recordings", "--set", "data.file=two.h5"];
    let output = succeed(train(at, "own", &file));
    let text = stderr(&output);
    assert!(
        text.contains("two.h5, 120 training and 30 test recordings of 2 classes"),
        "{text}"
    );
    let last = metrics(&at.join("own")).pop().unwrap();
    assert!(last["test_accuracy"].as_f64().unwrap() > 0.9, "{last}");
    assert_eq!(last["lost_inputs_per_image"], 0.0);

    let mut more = file.to_vec();
    for assignment in [
        "data.held_out=[\"bob\"]",
        "speech.augmentation.channel_jitter=20",
        "speech.augmentation.deletion=0.1",
        "time.steps=60",
    ] {
        more.extend(["--set", assignment]);
    }
    let output = succeed(train(at, "bob", &more));
    let text = stderr(&output);
    assert!(
        text.contains("100 training and 50 test recordings"),
        "{text}"
    );
    let late = "input spikes come past the window";
    assert!(text.contains(late), "{text}");
    let last = metrics(&at.join("bob")).pop().unwrap();
    // Each has 160 spikes on 700 channels, of which 70 are used.
    let lost = last["lost_inputs_per_image"].as_f64().unwrap();
    assert!(lost > 0.0 && lost < 16.0, "{lost}");
    let mut eval = bss2(at);
    eval.args(["eval", "bob"]);
    succeed(eval);
}

/// Of the small recurrent network: the recurrent weights that a run ends with.
fn recurrent_weights(at: &Path, run: &str) -> Vec<f32> {
    let mut export = bss2(at);
    export.args(["export", run, "--out", "weights.npz"]);
    succeed(export);
    let mut archive = npyz::npz::NpzArchive::open(at.join("weights.npz")).unwrap();
    let array = archive.by_name("weights_recurrent").unwrap().unwrap();
    std::fs::remove_file(at.join("weights.npz")).unwrap();
    array.into_vec().unwrap()
}

#[test]
fn a_recurrent_network_learns_speech_in_the_loop_and_recurrence_can_be_frozen() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write_spikes(&at.join("two.h5"), &spikes(), TimePrecision::Single).unwrap();
    let run = |out: &str, epochs: &str, more: &[&str]| {
        let mut command = bss2(at);
        command.args(["train", "speech", "--out", out, "--epochs", epochs]);
        for assignment in [
            "data.set=recordings",
            "data.file=two.h5",
            "software_epochs=0",
            "time.steps=120",
            "network.hidden=30",
            "batch=10",
            "train.learning_rate=0.01",
            "chip.calibration.trials=16",
        ] {
            command.args(["--set", assignment]);
        }
        command.args(more);
        succeed(command);
        (
            metrics(&at.join(out)).pop().unwrap(),
            recurrent_weights(at, out),
        )
    };
    let (last, learned) = run("chip", "2", &[]);
    assert!(last["test_accuracy"].as_f64().unwrap() > 0.9, "{last}");
    assert!(last["hidden_spikes_per_image"].as_f64().unwrap() > 1.0);
    assert_eq!(learned.len(), 30 * 30);
    let frozen = ["--set", "train.frozen=[\"recurrent\"]"];
    let (_, one) = run("one", "1", &frozen);
    let (_, two) = run("two", "2", &frozen);
    assert!(one == two && two != learned);
    // In software, and a file that says where it begins.
    std::fs::write(at.join("own.toml"), "recipe = \"speech\"\n").unwrap();
    let own = ["--substrate", "software", "--config", "own.toml"];
    let (last, _) = run("software", "2", &own);
    assert!(last["test_accuracy"].as_f64().unwrap() > 0.9, "{last}");
}

#[test]
fn speech_that_cannot_be_used_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let with = |assignments: &[&str]| {
        let mut more = Vec::new();
        for assignment in assignments {
            more.extend(["--set", assignment]);
        }
        train(at, "run", &more)
    };
    let recordings = "data.set=recordings";
    fail(with(&[recordings]), &["data.file", "spike file"]);
    fail(
        with(&["data.set=speech", "data.file=two.h5"]),
        &["data.file is two.h5", "data.set = recordings"],
    );
    fail(
        with(&["data.set=shd", "data.held_out=[\"ann\"]"]),
        &["data.held_out", "ann"],
    );
    let named = |name: &str| format!("data.file={name}");
    fail(with(&[recordings, &named("no.h5")]), &["no.h5"]);
    fs::write(at.join("text.h5"), b"dear diary").unwrap();
    fail(
        with(&[recordings, &named("text.h5")]),
        &["text.h5", "no HDF5 file"],
    );
    write_spikes(&at.join("two.h5"), &spikes(), TimePrecision::Single).unwrap();
    let whole = fs::read(at.join("two.h5")).unwrap();
    fs::write(at.join("cut.h5"), &whole[..whole.len() / 2]).unwrap();
    fail(
        with(&[recordings, &named("cut.h5")]),
        &["cut.h5", "ends too early"],
    );
    fail(
        with(&[recordings, &named("two.h5"), "data.held_out=[\"eve\"]"]),
        &["nobody is called \"eve\"; there are ann, bob, cid"],
    );
    fail(
        with(&["data.set=shd"]),
        &["Spiking Heidelberg Digits was not found"],
    );
    fail(
        with(&[recordings, &named("two.h5"), "speech.compression=0"]),
        &["speech.compression is 0"],
    );
    fail(
        with(&[recordings, &named("two.h5"), "speech.reduction.skip=700"]),
        &["speech.reduction.skip is 700, allowed are 0 to 699"],
    );
    fail(
        with(&[recordings, &named("two.h5"), "data.hold_out=120"]),
        &["data.hold_out is 120, allowed are 1 to 119"],
    );
    assert!(!at.join("run").exists());
}

/// A folder of tones in the place of words.
fn recordings(at: &Path, takes: u32) {
    let folder = at.join("recordings");
    fs::create_dir(&folder).unwrap();
    for take in 0..takes {
        for speaker in ["ann", "bob"] {
            for label in 0..2_u32 {
                let hertz = 300.0 + 900.0 * f64::from(label) + 10.0 * f64::from(take);
                let samples = (0..2_400).map(|i| {
                    let sample = (f64::from(i) * hertz * 7.854e-4).sin();
                    (20_000.0 * sample) as i16
                });
                let data: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
                let name = format!("{label}_{speaker}_{take}.wav");
                fs::write(folder.join(name), wav(&data)).unwrap();
            }
        }
    }
}

/// A WAV file of 16 bit at 8 kHz.
fn wav(data: &[u8]) -> Vec<u8> {
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((36 + data.len() as u32).to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    bytes.extend(8_000_u32.to_le_bytes());
    bytes.extend(16_000_u32.to_le_bytes());
    bytes.extend(b"\x02\0\x10\0data");
    bytes.extend((data.len() as u32).to_le_bytes());
    bytes.extend(data);
    bytes
}

fn encode(folder: &Path, out: &str, more: &[&str]) -> Command {
    let mut command = bss2(folder);
    command.args(["encode", "audio", "recordings", "--out", out]);
    command.args(more);
    command
}

#[test]
fn a_folder_is_encoded_and_its_file_is_trained_on() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    recordings(at, 8);
    let few = ["--set", "speech.cochlea.channels=140"];
    succeed(encode(at, "a.h5", &few));
    let set = read_spikes(&at.join("a.h5")).unwrap();
    assert_eq!((set.len(), set.classes(), set.channels()), (32, 2, 140));
    assert_eq!(set.samples()[2].recording, "0_bob_0.wav");
    assert!(!at.join("a.h5.partial").exists());
    // The file beside it makes the same spikes again.
    succeed(encode(
        at,
        "b.h5",
        &["--config", "a.toml", "--threads", "1"],
    ));
    assert_eq!(
        read_spikes(&at.join("b.h5")).unwrap().named("x"),
        set.named("x")
    );
    let settings = fs::read_to_string(at.join("a.toml")).unwrap();
    let command = "# bss2 encode audio \"recordings\" --times float32 --config FILE, this one\n";
    assert!(settings.starts_with(command), "{settings}");
    fail(
        encode(at, "d.h5", &["--set", "run.threads=1"]),
        &["--set run.threads=1 has no effect", "--threads"],
    );
    // What cannot be read is not replaced.
    fs::create_dir(at.join("d.toml")).unwrap();
    fail(encode(at, "d.h5", &few), &["d.toml cannot be read"]);
    fs::remove_dir(at.join("d.toml")).unwrap();
    fail(encode(at, "a.h5", &few), &["a.h5 exists already"]);
    fail(encode(at, "a.hdf", &few), &["does not end in .h5"]);
    let output = encode(at, "d.h5", &["--threads", "1025"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    assert!(text.contains("1025 is not in 0..=1024"), "{text}");
    // Its settings are not written over those of somebody else.
    fs::write(at.join("c.toml"), "epochs = 3\n").unwrap();
    fail(encode(at, "c.h5", &few), &["c.toml exists already", "c.h5"]);
    assert_eq!(fs::read(at.join("c.toml")).unwrap(), b"epochs = 3\n");
    assert!(!at.join("c.h5").exists() && !at.join("c.h5.partial").exists());
    fs::copy(at.join("a.toml"), at.join("c.toml")).unwrap();
    succeed(encode(at, "c.h5", &few));

    let mut more = Vec::new();
    for assignment in [
        "data.set=recordings",
        "data.file=a.h5",
        "speech.reduction.skip=0",
        "speech.reduction.every=5",
        "time.steps=100",
        "epochs=20",
    ] {
        more.extend(["--set", assignment]);
    }
    let output = succeed(train(at, "run", &more));
    assert!(stderr(&output).contains("12 training and 20 test recordings"));
    let last = metrics(&at.join("run")).pop().unwrap();
    assert!(last["test_accuracy"].as_f64().unwrap() > 0.9, "{last}");
}

#[test]
fn the_settings_of_generated_speech_tell_how_it_was_made() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let made = [
        "encode",
        "generated-speech",
        "--voices",
        "1",
        "--takes",
        "1",
        "--speech-seed",
        "5",
        "--times",
        "float16",
    ];
    let mut command = bss2(at);
    command
        .args(made)
        .args(["--out", "a.h5", "--set", "speech.cochlea.channels=70"]);
    succeed(command);
    let settings = fs::read_to_string(at.join("a.toml")).unwrap();
    let told = settings.lines().next().unwrap();
    assert_eq!(
        told,
        format!("# bss2 {} --config FILE, this one", made.join(" "))
    );
    let mut command = bss2(at);
    command
        .args(made)
        .args(["--out", "b.h5", "--config", "a.toml"]);
    succeed(command);
    let [a, b] = ["a.h5", "b.h5"].map(|name| read_spikes(&at.join(name)).unwrap());
    assert_eq!(a.named("x"), b.named("x"));
    assert_eq!(fs::read_to_string(at.join("b.toml")).unwrap(), settings);
}

#[test]
fn encoding_killed_many_times_ends_with_the_same_spikes() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    recordings(at, 12);
    let few = ["--set", "speech.cochlea.channels=140", "--threads", "1"];
    succeed(encode(at, "whole.h5", &few));
    let partial = at.join("cut.h5.partial");
    let (mut kills, mut length) = (0, 0);
    while !at.join("cut.h5").exists() {
        let mut child = encode(at, "cut.h5", &few)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Killed as soon as there is more than before.
        while child.try_wait().unwrap().is_none() {
            let now = fs::metadata(&partial).map_or(0, |file| file.len());
            if now > length + 20_000 && kills < 4 {
                child.kill().unwrap();
                child.wait().unwrap();
                kills += 1;
                length = now;
                assert!(!at.join("cut.h5").exists() && !at.join("cut.toml").exists());
            }
            sleep(Duration::from_millis(1));
        }
    }
    assert!(kills > 1, "{kills} kills");
    assert!(!partial.exists());
    let [whole, cut] = ["whole.h5", "cut.h5"].map(|name| read_spikes(&at.join(name)).unwrap());
    assert_eq!(cut.named("x"), whole.named("x"));
}

#[test]
fn recordings_that_cannot_be_used_are_all_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fail(encode(at, "a.h5", &[]), &["recordings"]);
    recordings(at, 1);
    let put =
        |name: &str, bytes: &[u8]| fs::write(at.join("recordings").join(name), bytes).unwrap();
    put("noise.wav", &wav(&[1, 2]));
    put("0_eve_x.wav", &wav(&[1, 2]));
    fail(
        encode(at, "a.h5", &[]),
        &[
            "noise.wav: its name is not {label}_{speaker}_{take}.wav",
            "0_eve_x.wav: its take",
        ],
    );
    fs::remove_file(at.join("recordings/noise.wav")).unwrap();
    fs::remove_file(at.join("recordings/0_eve_x.wav")).unwrap();
    put("0_eve_0.wav", b"dear diary, today I renamed a file");
    let whole = wav(&[1, 2, 3, 4]);
    put("1_eve_0.wav", &whole[..whole.len() - 1]);
    fail(
        encode(at, "a.h5", &[]),
        &[
            "0_eve_0.wav",
            "no WAV file",
            "1_eve_0.wav",
            "ends too early",
        ],
    );
    fs::remove_file(at.join("recordings/0_eve_0.wav")).unwrap();
    put("1_eve_0.wav", &wav(&[0; 2_000]));
    fail(encode(at, "a.h5", &[]), &["1_eve_0.wav", "silent"]);
    fail(
        encode(at, "a.h5", &["--set", "speech.cochlea.channels=1"]),
        &["speech.cochlea.channels is 1"],
    );
    assert!(!at.join("a.h5").exists() && !at.join("a.toml").exists());
}

#[test]
fn generated_speech_stands_in_and_is_called_so() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let mut more = Vec::new();
    for assignment in [
        "data.set=speech",
        "data.train_images=60",
        "data.test_images=60",
        "speech.cochlea.channels=70",
        "speech.reduction.skip=0",
        "speech.reduction.every=1",
        "time.steps=200",
    ] {
        more.extend(["--set", assignment]);
    }
    let text = stderr(&succeed(train(at, "run", &more)));
    assert!(
        text.contains("Free Spoken Digit Dataset was not found"),
        "{text}"
    );
    assert!(
        text.contains("warning: speech is generated in its place"),
        "{text}"
    );
    assert!(
        text.contains("data: generated speech, 60 training and 60 test recordings"),
        "{text}"
    );
    let last = metrics(&at.join("run")).pop().unwrap();
    assert_eq!(last["data"], "generated speech");
    // The second run finds the spikes of the first.
    let cache = at.join("datasets/cache");
    let names: Vec<_> = fs::read_dir(&cache)
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(names.len(), 1, "{names:?}");
    let before = fs::metadata(cache.join(&names[0]))
        .unwrap()
        .modified()
        .unwrap();
    succeed(train(at, "again", &more));
    let after = fs::metadata(cache.join(&names[0]))
        .unwrap()
        .modified()
        .unwrap();
    assert_eq!(before, after);
    assert_eq!(timeless(&at.join("run")), timeless(&at.join("again")));
    fail(
        train(at, "no", &["--set", "data.set=fsdd"]),
        &["Free Spoken Digit Dataset was not found"],
    );
}

#[test]
fn data_check_looks_at_speech() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let check = || {
        let mut command = bss2(at);
        command.args(["data", "check"]);
        command.output().unwrap()
    };
    let text = stdout(&check());
    for words in [
        "FSDD: not there",
        "SHD: not there",
        "generated speech: always there",
    ] {
        assert!(text.contains(words), "{words:?} is missing in\n{text}");
    }
    recordings(at, 2);
    let cache = at.join("datasets/cache");
    fs::create_dir_all(cache.join("shd")).unwrap();
    fs::rename(at.join("recordings"), cache.join("recordings")).unwrap();
    for name in ["shd_train.h5", "shd_test.h5"] {
        write_spikes(
            &cache.join("shd").join(name),
            &spikes(),
            TimePrecision::Half,
        )
        .unwrap();
    }
    let output = check();
    let text = stdout(&output);
    assert!(output.status.success(), "{text}");
    for words in [
        "FSDD: 8 recordings",
        "SHD: 150 training and 150 test samples",
    ] {
        assert!(text.contains(words), "{words:?} is missing in\n{text}");
    }
    // And the second is learned from.
    let text = stderr(&succeed(train(at, "shd", &["--set", "data.set=shd"])));
    assert!(
        text.contains("data: SHD, 150 training and 150 test"),
        "{text}"
    );
    fs::write(cache.join("shd/shd_test.h5"), b"<html>").unwrap();
    let output = check();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout(&output).contains("SHD: wrong"),
        "{}",
        stdout(&output)
    );
}
