//! The examples run, and draw what they promise.

#[allow(dead_code)] // their `main`
#[path = "../examples/adex_patterns.rs"]
mod adex_patterns;
#[allow(dead_code)]
#[path = "../examples/calibrate_chip.rs"]
mod calibrate_chip;
#[allow(dead_code)]
#[path = "../examples/decalibrate.rs"]
mod decalibrate;
#[allow(dead_code)]
#[path = "../examples/fi_curve.rs"]
mod fi_curve;
#[allow(dead_code)]
#[path = "../examples/fleet.rs"]
mod fleet;
#[allow(dead_code)]
#[path = "../examples/single_input.rs"]
mod single_input;

use std::error::Error;
use std::path::Path;

#[test]
fn examples_draw_their_figures() {
    type Example = fn(&Path) -> Result<(), Box<dyn Error>>;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("figure.svg");
    for (example, words) in [
        (
            single_input::run as Example,
            ["excitatory", "membrane from rest / LSB"],
        ),
        (fi_curve::run, ["closed form", "firing rate / kHz"]),
        (adex_patterns::run, ["bursting", "membrane / LSB"]),
        (calibrate_chip::run, ["uncalibrated", "threshold"]),
        (decalibrate::run, ["scattered by 30 %", "tau_syn"]),
        (
            |path| fleet::run(path, 2),
            ["2 chips of 256 neurons", "uncalibrated"],
        ),
    ] {
        example(&path).unwrap();
        let figure = std::fs::read_to_string(&path).unwrap();
        for word in words {
            assert!(figure.contains(word), "{word}");
        }
    }
}
