//! A whole chip before and after its calibration.
//!
//! `cargo run --release --example calibrate_chip [FILE.svg]`

use std::error::Error;
use std::path::Path;

use bss2::analog::calib::{CalibrationConfig, NeuronTargets, calibrate, characterise, configure};
use bss2::analog::{AnalogCore, MismatchProfile};
use bss2::event::{NeuronCircuits, Seed};
use bss2::files::write_atomically;
use bss2::plot;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1);
    run(Path::new(path.as_deref().unwrap_or("calibrate_chip.svg")))
}

pub(crate) fn run(path: &Path) -> Result<(), Box<dyn Error>> {
    let mut chip = AnalogCore::new(MismatchProfile::cube66(), Seed(66))?;
    // Pairs of circuits, as in the paper.
    let neurons: Vec<_> = (0..256).map(NeuronCircuits::pair).collect();
    let targets = vec![NeuronTargets::default(); neurons.len()];
    let settings = CalibrationConfig::default();

    configure(&mut chip, &neurons, &targets)?;
    let before = characterise(&chip, &neurons, &targets, &settings)?;
    let after = calibrate(&mut chip, &neurons, &targets, &settings, |stage| {
        eprintln!("{stage}")
    })?;
    for measured in &after.quantities {
        let (name, unit) = measured.quantity.label();
        let (mean, sd) = measured.mean_and_sd();
        println!("{name}: {mean:.2} +- {sd:.2} {unit}");
    }
    println!("{} targets were missed", after.failures().count());
    let figure = plot::calibration("Chip 66, neurons of two circuits", &before, &after)?;
    write_atomically(path, figure.as_bytes())?;
    Ok(())
}
