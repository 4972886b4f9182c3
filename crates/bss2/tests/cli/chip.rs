//! Training in the loop, and what a chip refuses.

use crate::support::{bss2, fail, metrics, stderr, stdout, succeed, timeless};

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
    // Nothing of a chip bears on the software.
    for flag in [["--chip-seed", "4"], ["--mode", "inference"]] {
        let mut command = bss2(at);
        command.args(["eval", "run", "--substrate", "software"]);
        command.args(flag);
        fail(command, &[flag[0], "the substrate is software"]);
    }
    let software = ["--substrate", "software", "--decalibration", "0.2"];
    fail(
        train_on_chip(at, &software),
        &["--decalibration", "--substrate chip"],
    );
}

#[test]
fn the_first_epochs_may_train_in_software_and_stopping_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let run = |name: &str, epochs: &str, more: &[&str]| {
        let at = folder.path().join(name);
        std::fs::create_dir_all(&at).unwrap();
        let mut command = train_on_chip(&at, &["--chip-seed", "3"]);
        command.args(["--set", "data.train_images=100", "--set", epochs]);
        command.args(more);
        succeed(command);
        timeless(&at.join("run"))
    };
    let software = ["--set", "software_epochs=1"];
    let whole = run("whole", "epochs=2", &software);
    run("parts", "epochs=1", &software);
    let parts = run(
        "parts",
        "epochs=2",
        &["--resume", "--set", "software_epochs=1"],
    );
    assert_eq!(parts, whole);
    let chip = run("chip", "epochs=2", &[]);
    for (mixed, chip) in whole.lines().zip(chip.lines()) {
        assert_ne!(mixed, chip);
    }
}

#[test]
fn neurons_that_missed_a_target_are_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    // Four times the nominal strength is out of reach of the strength cells.
    let more = [
        "--set",
        "chip.targets.strength_exc=4",
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
    for command in [&["eval", "run"][..], &["export", "run", "--out", "w.npz"]] {
        let mut again = bss2(at);
        again.args(command);
        let said = stderr(&succeed(again));
        assert_eq!(said.matches(warning).count(), 1, "{command:?}: {said}");
    }
}

#[test]
fn a_network_that_does_not_fit_is_refused_with_what_would() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fail(
        train_on_chip(at, &["--set", "network.hidden=300"]),
        &["310", "256", "network.hidden", "246"],
    );
    let single = ["--set", "chip.circuits_per_neuron=1"];
    fail(
        train_on_chip(
            at,
            &[&["--set", "network.hidden=300"], &single[..]].concat(),
        ),
        &["128", "chip.circuits_per_neuron", "246"],
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
    let said = stdout(&succeed(chip(
        at,
        &["calibrate", "--chip-seed", "3", "--out", "cal"],
    )));
    for word in ["target", "reached", "threshold", "tau_mem", "capacitance"] {
        assert!(said.contains(word), "{word} in {said}");
    }
    let read = |name| std::fs::read_to_string(at.join("cal").join(name)).unwrap();
    assert!(said.contains(&read("report.txt")));
    // A line for each of 256 neurons and 14 quantities.
    assert_eq!(read("neurons.tsv").lines().count(), 1 + 256 * 14);
    assert!(read("calibration.svg").contains("tau_mem / us"));
    let fleet = chip(at, &["info", "--set", "chip.fleet=4"]);
    fail(fleet, &["chip.fleet is 4", "one chip"]);
}

#[test]
fn a_calibrated_chip_is_measured_at_its_age() {
    let folder = tempfile::tempdir().unwrap();
    let drifting = [
        "--set",
        "chip.profile.noise.drift=5",
        "--set",
        "chip.calibration.trials=8",
    ];
    let measured = |more: &[&str]| {
        let command = chip(folder.path(), &[more, &drifting].concat());
        let said = stdout(&succeed(command));
        let leak = said.lines().find(|line| line.starts_with("leak"));
        leak.unwrap().to_owned()
    };
    measured(&["calibrate", "--out", "."]);
    let info = ["info", "--calibration", "calibration.toml"];
    let aged = [&info[..], &["--set", "chip.age=3600 s"]].concat();
    assert_ne!(measured(&aged), measured(&info));
}

#[test]
fn a_run_keeps_to_the_files_that_set_its_chip() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let quick = ["--set", "chip.calibration.trials=8"];
    let few = ["--set", "network.hidden=20", "--targets", "t.toml"];
    let targets = |threshold: u32| {
        let list = vec![f64::from(threshold); 30];
        std::fs::write(at.join("t.toml"), format!("threshold = {list:?}\n")).unwrap();
    };
    targets(140);
    let asked = [&quick[..], &few].concat();
    succeed(train_on_chip(at, &asked));
    let again = |command: &[&str]| {
        let mut again = bss2(at);
        again.args(command);
        again
    };
    let resume = [
        "train", "mnist", "--resume", "--out", "run", "--epochs", "2",
    ];
    let eval = ["eval", "run"];
    let export = ["export", "run", "--out", "w.npz", "--images", "1"];
    succeed(again(&resume));
    // A run from before checksums were kept goes on, and keeps them from then on.
    let config = at.join("run/config.toml");
    let whole = std::fs::read_to_string(&config).unwrap();
    let without = |line: &&str| !line.starts_with("targets_checksum");
    let lines: Vec<&str> = whole.lines().filter(without).collect();
    assert_eq!(lines.len() + 1, whole.lines().count());
    std::fs::write(&config, lines.join("\n")).unwrap();
    succeed(again(&resume));
    assert_eq!(std::fs::read_to_string(&config).unwrap(), whole);
    targets(150);
    for command in [&resume[..], &eval, &export] {
        fail(
            again(command),
            &["t.toml", "something else than when the run was begun"],
        );
    }
    // Named again, it is what it is now; but no run goes on with it.
    succeed(again(&[&eval[..], &["--targets", "t.toml"]].concat()));
    let named = [&resume[..], &["--targets", "t.toml"]].concat();
    fail(again(&named), &["chip.targets_checksum was"]);
}

fn chip(at: &std::path::Path, more: &[&str]) -> std::process::Command {
    let mut command = bss2(at);
    command.arg("chip").args(more);
    command
}

#[test]
fn a_chip_is_characterised_before_and_after_its_calibration() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let quick = [
        "--reference-neurons",
        "30",
        "--set",
        "chip.calibration.trials=8",
    ];
    let characterise = |more: &[&str]| {
        let mut command = chip(at, &["characterise", "--chip-seed", "3"]);
        command.args(quick).args(more);
        command
    };
    let said = stdout(&succeed(characterise(&["--out", "chip3"])));
    assert!(said.contains("chip 3 (cube66): 256 neurons"), "{said}");
    let read = |name| std::fs::read_to_string(at.join("chip3").join(name)).unwrap();
    let json: serde_json::Value = serde_json::from_str(&read("characterise.json")).unwrap();
    let number = |key: &str| {
        json[key]
            .as_f64()
            .unwrap_or_else(|| panic!("{key} in {json}"))
    };
    for (key, low, high) in [
        ("spike_time_error_median_ns", 0.1, 20.0),
        ("spike_mismatch_fraction", 0.0, 0.05),
        ("tau_mem_cv_before", 0.05, 0.4),
        ("tau_mem_cv_after", 0.001, 0.05),
        ("tau_syn_exc_cv_before", 0.1, 0.8),
        ("tau_syn_exc_cv_after", 0.001, 0.05),
        ("tau_syn_inh_cv_after", 0.001, 0.05),
        ("threshold_sd_after_lsb", 0.05, 2.6),
        ("leak_sd_after_lsb", 0.05, 2.0),
        ("trace_noise_lsb", 0.5, 5.0),
        ("calibration_failures", 0.0, 20.0),
        ("power_mw", 150.0, 250.0),
    ] {
        assert!(
            (low..=high).contains(&number(key)),
            "{key}: {}",
            number(key)
        );
    }
    let amplitude =
        |sign: &str, weight: usize| json[sign]["amplitude_lsb"][weight].as_f64().unwrap();
    for (sign, direction) in [("response_exc", 1.0), ("response_inh", -1.0)] {
        assert_eq!(amplitude(sign, 0), 0.0);
        let (half, full) = (amplitude(sign, 31), amplitude(sign, 63));
        assert!(full * direction > 5.0 && (full / half - 2.0).abs() < 0.3);
    }
    let rates = |key: &str| json["rate"][key].as_array().unwrap().clone();
    let pairs = rates("median_khz").into_iter().zip(rates("expected_khz"));
    for (found, expected) in pairs.skip(8) {
        let (found, expected) = (found.as_f64().unwrap(), expected.as_f64().unwrap());
        assert!(
            (found / expected - 1.0).abs() < 0.1,
            "{found} for {expected}"
        );
    }
    let page = read("characterise.svg");
    for text in [
        "weight",
        "tau_mem / us",
        "firing rate / kHz",
        "error / ns",
        "<text",
    ] {
        assert!(page.contains(text), "{text}");
    }
    let ideal = ["--profile", "ideal", "--out", "ideal"];
    succeed(characterise(&ideal));
    assert!(at.join("ideal/characterise.svg").exists());
    fail(
        characterise(&["--calibration", "none.toml"]),
        &["none.toml"],
    );
    fail(
        characterise(&["--out", "chip3/characterise.json/x"]),
        &["characterise.json"],
    );
}

#[test]
fn a_saved_calibration_is_used_again_and_by_its_own_chip_alone() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let quick = ["--set", "chip.calibration.trials=16"];
    let calibrate = |more: &[&str]| {
        chip(
            at,
            &[&["calibrate", "--out", "cal"], &quick[..], more].concat(),
        )
    };
    let said = stdout(&succeed(calibrate(&["--chip-seed", "3"])));
    assert!(
        said.contains("--calibration cal/calibration.toml"),
        "{said}"
    );
    let file = ["--calibration", "cal/calibration.toml"];
    let info = |more: &[&str]| chip(at, &[&["info"], &quick[..], &file[..], more].concat());
    let said = stdout(&succeed(info(&["--chip-seed", "3"])));
    let leak = said.lines().find(|line| line.starts_with("leak")).unwrap();
    assert!(leak.contains("80.0") || leak.contains("79.9"), "{leak}");
    fail(
        info(&["--chip-seed", "4"]),
        &["chip 3", "is 4", "calibrate again"],
    );
    for set in [
        "chip.calibrated=false",
        "chip.calibration_file=cal/calibration.toml",
    ] {
        let key = set.split('=').next().unwrap();
        fail(
            calibrate(&["--set", set]),
            &[key, "makes a new calibration"],
        );
    }
    let detuned = ["--chip-seed", "3", "--decalibration", "0.2"];
    fail(info(&detuned), &["calibration.toml", "targets.t"]);
    fail(
        info(&["--set", "chip.calibrated=false"]),
        &["calibration_file", "calibrated is false"],
    );
    let mut scattered = chip(at, &["info", "--decalibration", "0.2"]);
    scattered.args(["--set", "chip.calibrated=false"]);
    fail(
        scattered,
        &["chip.decalibration.sigma", "0 while calibrated is false"],
    );
    std::fs::write(at.join("cal/calibration.toml"), "format = 1\n").unwrap();
    fail(
        info(&["--chip-seed", "3"]),
        &["cal/calibration.toml", "missing field"],
    );

    // The same codes again, and a network that trains and is tested with them.
    let detuned = ["--chip-seed", "3", "--decalibration", "0.5"];
    let detuned = [&detuned[..], &["--detune", "threshold"]].concat();
    succeed(calibrate(&detuned));
    let codes = std::fs::read(at.join("cal/calibration.toml")).unwrap();
    // It is calibrated when it is new and ages afterwards.
    let age = ["--set", "chip.age=4 Ms"];
    succeed(calibrate(&[&detuned[..], &age].concat()));
    let aged = std::fs::read(at.join("cal/calibration.toml")).unwrap();
    assert!(aged == codes, "the age of a chip moved its codes");
    succeed(calibrate(&detuned));
    assert_eq!(
        std::fs::read(at.join("cal/calibration.toml")).unwrap(),
        codes
    );
    let more = [&detuned[..], &quick, &file].concat();
    let said = stderr(&succeed(train_on_chip(at, &more)));
    assert!(
        said.contains("of the decalibration were drawn again"),
        "{said}"
    );
    let mut eval = bss2(at);
    eval.args(["eval", "run"]);
    succeed(eval);
    let mut eval = bss2(at);
    eval.args(["eval", "run", "--chip-seed", "4"]);
    fail(eval, &["made for chip 3"]);
    let mut eval = bss2(at);
    eval.args(["eval", "run", "--chip-seed", "4", "--calibration", "none"]);
    succeed(eval);

    // The chip of a run by its configuration, and a network of more classes.
    let run = ["--config", "run/config.toml", "--threads", "1"];
    let none = ["--set", "chip.calibration_file="];
    succeed(calibrate(&[&run[..], &none].concat()));
    assert!(std::fs::read(at.join("cal/calibration.toml")).unwrap() == codes);
    let more = ["--config", "run/config.toml", "--outputs", "20"];
    let more = [&more[..], &["--set", "network.hidden=40"]].concat();
    fail(info(&more), &["calibration.toml", "60 neurons"]);
    succeed(calibrate(&[&more[..], &none].concat()));
    succeed(info(&more));
}

#[test]
fn power_is_shown_by_part_and_answers_to_its_settings() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let quick = ["--set", "chip.calibrated=false"];
    let power = |more: &[&str]| chip(at, &[&["power"], &quick[..], more].concat());
    let said = stdout(&succeed(power(&[])));
    for word in ["links", "CADC", "2.3", "uJ per image", "84746 images/s"] {
        assert!(said.contains(word), "{word} in {said}");
    }
    let milliwatts = |said: &str| -> f64 {
        let all = said.lines().find(|line| line.starts_with("all")).unwrap();
        all.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let more = stdout(&succeed(power(&["--set", "chip.power.links=8"])));
    assert!(
        (milliwatts(&more) - milliwatts(&said) - 120.0).abs() < 0.01,
        "{more}"
    );
    let slow = stdout(&succeed(power(&["--interval", "200us"])));
    assert!(milliwatts(&slow) < milliwatts(&said));
    fail(
        power(&["--set", "chip.power.links=9"]),
        &["chip.power.links", "0 to 8"],
    );
    fail(power(&["--hidden-spikes=-1"]), &["hidden"]);
}

#[test]
fn spread_of_chips_stands_beside_published_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let quick = ["--set", "chip.calibration.trials=8"];
    let command = chip(
        folder.path(),
        &[&["spread", "--chips", "2"], &quick[..]].concat(),
    );
    let said = stdout(&succeed(command));
    for word in ["published", "tau_syn exc", "26", "of 2 chips met"] {
        assert!(said.contains(word), "{word} in {said}");
    }
}

#[test]
fn a_reader_that_is_gone_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = bss2(folder.path());
    command.args(["chip", "calibrate", "--chip-seed", "3", "--out", "chip"]);
    // As `head` leaves a program that has more to tell.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let errors = writer.try_clone().unwrap();
    let status = command.stdout(writer).stderr(errors).status().unwrap();
    assert!(status.success(), "{status}");
    let written = std::fs::read_dir(folder.path().join("chip")).unwrap();
    assert!(written.count() > 1);
}
