//! Chips from calibrations of real ones.

use std::fs;
use std::io::Write;
use std::path::Path;

use bss2::analog::{Cell, MeasuredChip};
use bss2::event::CapMemCode;
use npyz::npz::NpzWriter;

use crate::support::{bss2, fail, stdout, succeed};

/// Names of the arrays in the order of [`MeasuredChip::CELLS`].
const NAMES: [&str; 10] = [
    "leak_v",
    "reset_v",
    "threshold_v",
    "leak_i_bias",
    "exc_i_bias_tau",
    "inh_i_bias_tau",
    "exc_i_bias_gm",
    "inh_i_bias_gm",
    "exc_i_shift_reference",
    "inh_i_shift_reference",
];

/// An array of an archive: name, type, shape as Python writes it, and bytes.
type Array = (String, &'static str, String, Vec<u8>);

fn array(name: &str, codes: &[u16]) -> Array {
    let bytes = codes.iter().flat_map(|code| code.to_le_bytes()).collect();
    (name.into(), "<u2", format!("({},)", codes.len()), bytes)
}

/// A calibration that spreads every code by up to 20 about the nominal one.
fn calibration() -> Vec<Array> {
    let codes = |cell: Cell| -> Vec<u16> {
        (0..512)
            .map(|n| cell.nominal() + (n * 37) % 41 - 20)
            .collect()
    };
    MeasuredChip::CELLS
        .iter()
        .zip(NAMES)
        .map(|(&cell, name)| array(name, &codes(cell)))
        .collect()
}

fn save(path: &Path, arrays: &[Array]) {
    let mut npz = NpzWriter::create(path).unwrap();
    for (name, dtype, shape, bytes) in arrays {
        let zip = npz.zip_writer();
        zip.start_file(format!("{name}.npy"), Default::default())
            .unwrap();
        let header =
            format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}\n");
        zip.write_all(b"\x93NUMPY\x01\x00").unwrap();
        zip.write_all(&(header.len() as u16).to_le_bytes()).unwrap();
        zip.write_all(header.as_bytes()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    npz.zip_writer().finish().unwrap();
}

fn import(at: &Path, file: &str) -> std::process::Command {
    let mut command = bss2(at);
    command.args(["chip", "import", file, "--out", "chips"]);
    command
}

#[test]
fn an_imported_chip_is_calibrated_trained_on_and_kept_in_its_run() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let mut arrays = calibration();
    // By the names of the calibration library, with an object that nobody needs.
    arrays[0].0 = "v_leak".into();
    arrays.push(("neuron".into(), "|O", "()".into(), b"\x80\x04.".to_vec()));
    save(&at.join("w7.npz"), &arrays);
    let said = stdout(&succeed(import(at, "w7.npz")));
    for word in ["chips/w7.toml", "v_leak", "target_leak", "neuron"] {
        assert!(said.contains(word), "{word} in {said}");
    }

    let chip = |command: &[&str]| {
        let mut command_line = bss2(at);
        command_line.args(command).args(["--chip", "chips/w7.toml"]);
        stdout(&succeed(command_line))
    };
    let trials = ["--set", "chip.calibration.trials=8"];
    let info = chip(&[&["chip", "info"], &trials[..]].concat());
    assert!(info.contains("chip w7 (cube66)"), "{info}");
    // At its own codes neurons rest where each of their circuits does.
    let leak = info.lines().find(|line| line.starts_with("leak")).unwrap();
    let (mean, sd) = spread(leak);
    assert!((mean - 80.0).abs() < 0.5 && sd < 1.0, "{leak}");
    let calibrated = chip(&[&["chip", "calibrate", "--out", "cal"], &trials[..]].concat());
    assert!(calibrated.contains("chip w7 (cube66)"), "{calibrated}");
    let mut spread = bss2(at);
    spread.args(["chip", "spread", "--chip", "chips/w7.toml"]);
    fail(spread, &["w7", "one measured chip"]);
    // What was found for this chip is not for a drawn one.
    let mut drawn = bss2(at);
    drawn.args(["chip", "info", "--calibration", "cal/calibration.toml"]);
    fail(drawn, &["measured chip", "w7"]);
    // Nor for another of the same name.
    let file = at.join("chips/w7.toml");
    let whole = fs::read_to_string(&file).unwrap();
    let mut chip_7: MeasuredChip = toml::from_str(&whole).unwrap();
    chip_7.codes.get_mut(&Cell::VLeak).unwrap()[9] = CapMemCode::saturating(600);
    fs::write(&file, toml::to_string(&chip_7).unwrap()).unwrap();
    let mut other = bss2(at);
    other.args(["chip", "info", "--chip", "chips/w7.toml"]);
    other.args(["--calibration", "cal/calibration.toml"]);
    fail(other, &["measured chip w7 with other values"]);
    fs::write(&file, whole).unwrap();

    let small = [
        "train",
        "mnist",
        "--out",
        "run",
        "--epochs",
        "1",
        "--set",
        "data.set=generated",
        "--set",
        "data.train_images=100",
        "--set",
        "data.test_images=50",
        "--set",
        "network.hidden=20",
        "--set",
        "batch=20",
    ];
    chip(&[&small[..], &trials[..]].concat());
    fs::remove_dir_all(at.join("chips")).unwrap();
    let mut eval = bss2(at);
    eval.args(["eval", "run"]);
    let said = stdout(&succeed(eval));
    assert!(said.contains("chip w7 (cube66)"), "{said}");
    // Moved to a drawn chip.
    let mut moved = bss2(at);
    moved.args(["eval", "run", "--chip", "none", "--chip-seed", "3"]);
    let said = stdout(&succeed(moved));
    assert!(said.contains("chip 3 (cube66)"), "{said}");
}

/// Mean and spread of the first `mean +- sd` of a line.
fn spread(line: &str) -> (f64, f64) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let at = words.iter().position(|&word| word == "+-").unwrap();
    (
        words[at - 1].parse().unwrap(),
        words[at + 1].parse().unwrap(),
    )
}

#[test]
fn a_malformed_calibration_is_refused_with_its_fault() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let with = |change: &dyn Fn(&mut Vec<Array>)| {
        let mut arrays = calibration();
        change(&mut arrays);
        save(&at.join("bad.npz"), &arrays);
    };
    let refused = |words: &[&str]| {
        let said = fail(import(at, "bad.npz"), &[&["bad.npz"], words].concat());
        assert!(!at.join("chips").exists(), "{said}");
    };

    with(&|arrays| drop(arrays.remove(2)));
    refused(&["threshold_v"]);
    with(&|arrays| arrays[3] = array("leak_i_bias", &[158; 511]));
    refused(&["leak_i_bias", "[511]", "[512]"]);
    with(&|arrays| arrays[1].2 = "(512, 1)".into());
    refused(&["reset_v", "[512, 1]"]);
    with(&|arrays| {
        let bytes = [629.5_f64; 512].iter().flat_map(|code| code.to_le_bytes());
        arrays[0] = ("leak_v".into(), "<f8", "(512,)".into(), bytes.collect());
    });
    refused(&["leak_v", "<f8", "whole numbers"]);
    with(&|arrays| {
        let mut codes = [84; 512];
        codes[7] = 1023;
        arrays[4] = array("exc_i_bias_tau", &codes);
    });
    refused(&["exc_i_bias_tau, entry 7", "1023", "0 to 1022"]);
    with(&|arrays| {
        arrays.push(array("target_leak", &[20]));
    });
    refused(&["targets.leak", "50 to 160"]);
    with(&|arrays| arrays.push(array("membrane_capacitance", &[64; 512])));
    refused(&["membrane_capacitance, entry 0", "64", "0 to 63"]);
    // Numbers that Python reads and numpy does not write, a zero that hides a large
    // one, and a header that is too long for any list of numbers.
    for shape in ["(5_12,)", "(0x200,)", "(0, 4294967296, 4294967296)"] {
        with(&|arrays| arrays[0].2 = shape.into());
        refused(&["leak_v", "damaged"]);
    }
    with(&|arrays| arrays[0].2 = format!("({}512,)", " ".repeat(2000)));
    refused(&["leak_v", "damaged"]);
    // Shapes that no memory holds, and bytes that are not there.
    with(&|arrays| arrays[0].2 = "(4294967296, 4294967296, 2)".into());
    refused(&["leak_v", "larger than any memory"]);
    with(&|arrays| arrays[0].3.truncate(100));
    refused(&["leak_v", "damaged"]);

    // What the calibration library saves: two pickled objects.
    let object = |name: &str| {
        (
            name.to_owned(),
            "|O",
            "()".to_owned(),
            b"\x80\x04.".to_vec(),
        )
    };
    save(&at.join("bad.npz"), &[object("cadc"), object("neuron")]);
    refused(&["leak_v", "cadc, neuron", "pickled"]);
    with(&|arrays| arrays[0] = object("leak_v"));
    refused(&["leak_v", "pickled"]);

    with(&|_| ());
    let whole = fs::read(at.join("bad.npz")).unwrap();
    for length in [0, 10, whole.len() / 2, whole.len() - 10] {
        fs::write(at.join("bad.npz"), &whole[..length]).unwrap();
        refused(&["no whole npz archive"]);
    }
    // A flipped bit inside the first array.
    let mut flipped = whole;
    flipped[100] ^= 1;
    fs::write(at.join("bad.npz"), flipped).unwrap();
    refused(&["leak_v", "damaged"]);
    fs::remove_file(at.join("bad.npz")).unwrap();
    refused(&["cannot be read"]);
}

#[test]
fn a_chip_file_that_was_spoilt_is_refused_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    save(&at.join("w7.npz"), &calibration());
    succeed(import(at, "w7.npz"));
    let text = fs::read_to_string(at.join("chips/w7.toml")).unwrap();
    let info = || {
        let mut command = bss2(at);
        command.args(["chip", "info", "--chip", "bad.toml"]);
        command
    };
    fail(info(), &["bad.toml"]);
    for (from, to, words) in [
        ("v_leak = [", "v_leak = [1023, ", &["bad.toml", "1022"][..]),
        ("v_leak = [", "v_leak = [5, ", &["codes.v_leak", "513"]),
        ("v_leak = [", "v_lick = [", &["v_lick"]),
        ("leak = 80.0", "leak = 8.0", &["targets.leak", "50 to 160"]),
    ] {
        assert!(text.contains(from), "{text}");
        fs::write(at.join("bad.toml"), text.replacen(from, to, 1)).unwrap();
        fail(info(), words);
    }
}
