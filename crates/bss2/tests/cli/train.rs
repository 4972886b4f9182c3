//! What a run leaves behind.

use std::fs;
use std::path::Path;

use crate::support::{bss2, fail, metrics, stderr, stdout, succeed, timeless, train};

#[test]
fn a_run_folder_is_complete_and_its_configuration_repeats_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let output = succeed(train(at, "a", &["--epochs", "3", "--seed", "2"]));
    let said = stderr(&output);
    assert!(said.contains("images/s"), "{said}");
    assert!(said.contains("generated digits"), "{said}");
    let run = at.join("a");
    let mut names: Vec<_> = fs::read_dir(&run)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let expected = [
        ".lock",
        "best.ckpt",
        "config.toml",
        "last.ckpt",
        "learning_curve.svg",
        "metrics.jsonl",
    ];
    assert_eq!(names, expected);

    let lines = metrics(&run);
    assert_eq!(lines.len(), 3);
    for (i, line) in lines.iter().enumerate() {
        assert_eq!(line["epoch"], i + 1);
        assert_eq!(line["data"], "generated digits");
        for key in ["loss", "hidden_spikes_per_image", "images_per_s", "wall_s"] {
            assert!(line[key].as_f64().unwrap() > 0.0, "{key} in {line}");
        }
        for key in ["train_accuracy", "test_accuracy"] {
            assert!((0.0..=1.0).contains(&line[key].as_f64().unwrap()), "{line}");
        }
    }
    // It learned: chance is 0.1.
    for (key, least) in [("train_accuracy", 0.3), ("test_accuracy", 0.2)] {
        assert!(lines[2][key].as_f64().unwrap() > least, "{lines:?}");
    }
    let svg = fs::read_to_string(run.join("learning_curve.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("generated digits"));
    let config = fs::read_to_string(run.join("config.toml")).unwrap();
    for text in [
        "seed = 2",
        "epochs = 3",
        "set = \"generated\"",
        "substrate = \"software\"",
    ] {
        assert!(config.contains(text), "{text} in {config}");
    }

    let mut again = bss2(at);
    again.args(["train", "mnist", "--config", "a/config.toml", "--out", "b"]);
    succeed(again);
    assert_eq!(timeless(&run), timeless(&at.join("b")));
    let read = |name: &str| fs::read(at.join(name).join("last.ckpt")).unwrap();
    assert_eq!(read("a"), read("b"));

    let mut eval = bss2(at);
    eval.args(["eval", "a"]);
    let said = stdout(&succeed(eval));
    let accuracy = format!(
        "{:.2} %",
        100.0 * lines[2]["test_accuracy"].as_f64().unwrap()
    );
    assert!(said.contains(&accuracy), "{accuracy} in {said}");
    assert!(said.contains("generated digits"), "{said}");
}

#[test]
fn threads_do_not_change_a_result() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for threads in ["1", "2", "7"] {
        succeed(train(at, threads, &["--epochs", "1", "--threads", threads]));
    }
    for other in ["2", "7"] {
        assert_eq!(timeless(&at.join("1")), timeless(&at.join(other)));
        let read = |name: &str| fs::read(at.join(name).join("last.ckpt")).unwrap();
        assert_eq!(read("1"), read(other));
    }
}

#[test]
fn dropout_and_rotation_are_flags_and_make_another_run() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    succeed(train(at, "plain", &["--epochs", "1"]));
    let flags = ["--epochs", "1", "--dropout", "0.1", "--rotation", "15"];
    succeed(train(at, "augmented", &flags));
    let config = fs::read_to_string(at.join("augmented/config.toml")).unwrap();
    for text in ["dropout = 0.1", "rotation_degrees = 15.0"] {
        assert!(config.contains(text), "{text} in {config}");
    }
    assert_ne!(timeless(&at.join("plain")), timeless(&at.join("augmented")));
    succeed(train(at, "again", &flags));
    assert_eq!(timeless(&at.join("again")), timeless(&at.join("augmented")));
}

#[test]
fn held_out_images_take_the_place_of_the_test_images() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let run = |out: &str, more: &[&str]| {
        let mut flags = vec!["--epochs", "1", "--set", "data.hold_out=100"];
        flags.extend(more);
        stderr(&succeed(train(at, out, &flags)))
    };
    let said = run("some", &[]);
    let name = "validated on 100 held-out images";
    assert!(said.contains(name), "{said}");
    assert!(said.contains("500 training and 100 test"), "{said}");
    assert!(timeless(&at.join("some")).contains(name));
    // Whatever shows them says what they are.
    let mut export = bss2(at);
    export.args(["export", "some", "--out", "some.npz"]);
    let exported = stdout(&succeed(export));
    assert!(exported.contains("held out images"), "{exported}");
    let curve = fs::read_to_string(at.join("some/learning_curve.svg")).unwrap();
    assert!(
        curve.contains("held out") && !curve.contains(">test<"),
        "{curve}"
    );
    // The test images bear on nothing.
    run("others", &["--set", "data.test_images=50"]);
    assert_eq!(timeless(&at.join("some")), timeless(&at.join("others")));
    fail(
        train(at, "all", &["--set", "data.hold_out=600"]),
        &["data.hold_out is 600, allowed are 1 to 599"],
    );
    assert!(!at.join("all").exists());
}

#[test]
fn averaged_weights_are_those_that_are_tested() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    succeed(train(at, "last", &["--epochs", "2"]));
    let flags = ["--epochs", "2", "--set", "train.average_steps=20"];
    succeed(train(at, "mean", &flags));
    let [last, mean] = ["last", "mean"].map(|run| metrics(&at.join(run)).remove(1));
    // Training itself is the same; the test is not.
    assert_eq!(last["loss"], mean["loss"]);
    assert_ne!(last["test_accuracy"], mean["test_accuracy"]);
    let mut eval = bss2(at);
    eval.args(["eval", "mean"]);
    let said = stdout(&succeed(eval));
    let accuracy = 100.0 * mean["test_accuracy"].as_f64().unwrap();
    assert!(said.contains(&format!("{accuracy:.2} %")), "{said}");
}

#[test]
fn an_epoch_without_a_test_learns_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for substrate in ["software", "chip"] {
        let run = |name: &str, every: &str| {
            let name = format!("{name}-{substrate}");
            let mut command = bss2(at);
            command.args(["train", "mnist", "--substrate", substrate, "--epochs", "4"]);
            command.args(["--set", "data.set=generated", "--set", "network.hidden=40"]);
            command.args([
                "--set",
                "data.train_images=60",
                "--set",
                "data.test_images=20",
            ]);
            command.args(["--set", "train.average_steps=5", "--set", "batch=20"]);
            command.args(["--set", every, "--out", &name]);
            let said = stderr(&succeed(command));
            let lines: Vec<&str> = said.lines().filter(|l| l.contains("  train ")).collect();
            let told: Vec<bool> = lines.iter().map(|l| l.contains("  test ")).collect();
            (at.join(name), told)
        };
        let (all, told) = run("all", "run.test_every=1");
        assert_eq!(told, [true; 4]);
        let cases: [(&str, &[u64]); 3] = [("0", &[4]), ("3", &[3, 4]), ("9", &[4])];
        for (every, tested) in cases {
            let (some, told) = run(every, &format!("run.test_every={every}"));
            let expected: Vec<bool> = (1..=4).map(|e| tested.contains(&e)).collect();
            assert_eq!(told, expected);
            assert_eq!(metrics(&some).len(), 4);
            for (mut all, mut some) in metrics(&all).into_iter().zip(metrics(&some)) {
                if !tested.contains(&all["epoch"].as_u64().unwrap()) {
                    assert!(some["test_accuracy"].is_null(), "{some}");
                    all["test_accuracy"] = some["test_accuracy"].clone();
                }
                for line in [&mut all, &mut some] {
                    line["images_per_s"].take();
                    line["wall_s"].take();
                }
                assert_eq!(all, some);
            }
            let last = |run: &Path| fs::read(run.join("last.ckpt")).unwrap();
            assert!(last(&all) == last(&some), "{substrate}, {every}");
            // Of a run that was tested once that is the best.
            let best = fs::read(some.join("best.ckpt")).unwrap();
            assert!(tested.len() > 1 || best == last(&some));
        }
        // One that goes on may be tested at other times, and its curve has a gap.
        let mut command = bss2(at);
        let name = format!("0-{substrate}");
        command.args([
            "train", "mnist", "--resume", "--epochs", "6", "--out", &name,
        ]);
        command.args(["--set", "run.test_every=1"]);
        succeed(command);
        let lines = metrics(&at.join(&name));
        let tested = lines.iter().map(|line| line["test_accuracy"].is_number());
        assert_eq!(
            tested.collect::<Vec<bool>>(),
            [false, false, false, true, true, true]
        );
    }
    fail(
        train(at, "never", &["--set", "run.test_every=100001"]),
        &["run.test_every", "100001", "0 to 100000"],
    );
}

#[test]
fn without_data_the_digits_are_generated_and_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = bss2(folder.path());
    command.args([
        "train",
        "mnist",
        "--substrate",
        "software",
        "--epochs",
        "1",
        "--out",
        "run",
    ]);
    command.args([
        "--set",
        "data.train_images=100",
        "--set",
        "data.test_images=50",
    ]);
    let said = stderr(&succeed(command));
    assert!(said.contains("MNIST was not found"), "{said}");
    assert!(said.contains("generated digits"), "{said}");
    let config = fs::read_to_string(folder.path().join("run/config.toml")).unwrap();
    assert!(config.contains("set = \"generated\""), "{config}");
}

#[test]
fn the_printed_configuration_is_the_whole_of_it_and_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = bss2(folder.path());
    command.args(["train", "mnist", "--print-config", "--epochs", "9"]);
    let text = stdout(&succeed(command));
    assert!(
        text.contains("epochs = 9") && text.contains("batch = 100"),
        "{text}"
    );
    fs::write(folder.path().join("c.toml"), &text).unwrap();
    let mut again = bss2(folder.path());
    again.args(["train", "mnist", "--print-config", "--config", "c.toml"]);
    assert_eq!(stdout(&succeed(again)), text);
    // Nothing else happened.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_cosine_schedule_ends_with_the_run_unless_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fs::write(
        at.join("c.toml"),
        "epochs = 7\n[train.schedule]\nkind = \"cosine\"\nepochs = 7\n",
    )
    .unwrap();
    let lengths = |more: &[&str]| {
        let mut command = bss2(at);
        command
            .args(["train", "mnist", "--print-config"])
            .args(more);
        let text = stdout(&succeed(command));
        let config: toml::Table = text.parse().unwrap();
        let schedule = &config["train"]["schedule"];
        let ends = schedule.get("epochs").and_then(toml::Value::as_integer);
        (config["epochs"].as_integer().unwrap(), ends)
    };
    for beneath in [["--recipe", "tuned"], ["--config", "c.toml"]] {
        let [flag, value] = beneath;
        let (epochs, ends) = lengths(&beneath);
        assert_eq!(Some(epochs), ends, "{beneath:?}");
        assert_eq!(lengths(&[flag, value, "--epochs", "9"]), (9, Some(9)));
        let named = ["--epochs", "9", "--set", "train.schedule.epochs=11"];
        assert_eq!(lengths(&[&beneath[..], &named].concat()), (9, Some(11)));
        // `--set` wins over the flag, and the schedule does not follow what has lost.
        let both = ["--epochs", "9", "--set", "epochs=5"];
        assert_eq!(lengths(&[&beneath[..], &both].concat()), (5, ends));
    }
    // The default is no cosine, and has no end.
    assert_eq!(lengths(&["--epochs", "9"]), (9, None));
}

#[test]
fn a_schedule_that_does_not_end_with_the_run_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let cosine = ["--set", "train.schedule={kind=\"cosine\", epochs=2}"];
    let said = |command| stderr(&succeed(command));
    let shorter = said(train(at, "a", &[&cosine[..], &["--epochs", "1"]].concat()));
    assert!(
        shorter.contains("2 epochs (train.schedule.epochs), the run 1"),
        "{shorter}"
    );
    assert!(shorter.contains("does not come down"), "{shorter}");
    let goes_on = |epochs| {
        let mut command = bss2(at);
        command
            .args(["train", "mnist", "--resume", "--out", "a"])
            .args(["--epochs", epochs]);
        said(command)
    };
    let equal = goes_on("2");
    assert!(!equal.contains("warning"), "{equal}");
    let longer = goes_on("3");
    assert!(
        longer.contains("nothing is learned after epoch 2"),
        "{longer}"
    );
}

#[test]
fn a_window_too_short_for_images_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let short = ["--epochs", "2", "--set", "time.steps=6"];
    let said = stderr(&succeed(train(at, "short", &short)));
    let warning = "input spikes come past the window of the run and are lost, ";
    assert_eq!(said.matches(warning).count(), 1, "{said}");
    assert!(said.contains("encoder.latency.tau_in"), "{said}");
    let lost = metrics(&at.join("short"))[1]["lost_inputs_per_image"].clone();
    assert!(lost.as_f64().unwrap() > 1.0, "{lost}");
    let mut eval = bss2(at);
    eval.args(["eval", "short", "--json"]);
    let output = succeed(eval);
    let said = stderr(&output);
    let warning = "warning: input spikes come past the window and are lost, ";
    assert!(said.contains(warning), "{said}");
    let result: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    let last = &metrics(&at.join("short"))[1];
    for (key, of_run) in [("accuracy", "test_accuracy"), ("data", "data")] {
        assert_eq!(result[key], last[of_run], "{key}");
    }
    assert_eq!(result["samples"], 200);
    assert_eq!(result["substrate"], "software");
    assert!(result["lost_inputs_per_image"].as_f64().unwrap() > 1.0);
}
