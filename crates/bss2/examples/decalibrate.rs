//! Calibration to targets that are scattered on purpose.
//!
//! `cargo run --release --example decalibrate [FILE.svg]`

use std::error::Error;
use std::path::Path;

use bss2::analog::calib::{CalibrationConfig, CalibrationReport, Decalibration, NeuronTargets};
use bss2::analog::calib::{Quantity, calibrate};
use bss2::analog::{AnalogCore, MismatchProfile};
use bss2::event::{NeuronCircuits, Seed};
use bss2::files::write_atomically;
use bss2::plot;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1);
    run(Path::new(path.as_deref().unwrap_or("decalibrate.svg")))
}

pub(crate) fn run(path: &Path) -> Result<(), Box<dyn Error>> {
    let mut chip = AnalogCore::new(MismatchProfile::cube66(), Seed(66))?;
    let neurons: Vec<_> = (0..256).map(NeuronCircuits::pair).collect();
    let mut targets = vec![NeuronTargets::default(); neurons.len()];
    let decalibration = Decalibration {
        sigma: 0.3,
        ..Decalibration::default()
    };
    let repeated = decalibration.scatter(&mut targets)?;
    println!("{repeated} targets were out of a chip's range and drawn again");

    let report = calibrate(
        &mut chip,
        &neurons,
        &targets,
        &CalibrationConfig::default(),
        |_| (),
    )?;
    let shown = [
        Quantity::Threshold,
        Quantity::TauMem,
        Quantity::TauSynExc,
        Quantity::TauSynInh,
    ];
    let quantities = report
        .quantities
        .into_iter()
        .filter(|m| shown.contains(&m.quantity));
    let report = CalibrationReport {
        quantities: quantities.collect(),
    };
    for measured in &report.quantities {
        let (name, unit) = measured.quantity.label();
        let (mean, sd) = measured.mean_and_sd();
        let missed = measured.rms_error();
        println!("{name}: {mean:.2} +- {sd:.2} {unit}, {missed:.3} {unit} rms from its targets");
    }
    let title = "Targets scattered by 30 %";
    let figure = plot::calibration(title, &CalibrationReport::default(), &report)?;
    write_atomically(path, figure.as_bytes())?;
    Ok(())
}
