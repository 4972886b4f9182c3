//! The published chip, where its calibration is in reach.

#[path = "../../bss2-event/tests/support/reference.rs"]
mod reference;

use bss2::analog::calib::{CalibrationConfig, calibrate, characterise};
use bss2::analog::{AnalogCore, CapMem, MismatchProfile};
use bss2::event::{NeuronCircuits, Seed};
use bss2::import;
use reference::{folder, skip};

#[test]
fn the_published_chip_meets_its_targets_and_is_found_again() {
    let Some(folder) = folder("BSS2_DATA", "data") else {
        return;
    };
    let path = folder.join("cube66/calibration.npz");
    if !path.exists() {
        return skip(&format!("{} is missing", path.display()));
    }
    let imported = import::read(&path, "cube66").unwrap();
    assert!(imported.assumed.is_empty() && imported.pickled.is_empty());
    let chip = imported.chip;
    let neurons: Vec<_> = (0..512)
        .map(|membrane| NeuronCircuits {
            membrane,
            partner: None,
        })
        .collect();
    let targets = vec![chip.targets; 512];
    let config = CalibrationConfig::default();
    let mut core = AnalogCore::measured(MismatchProfile::cube66(), Seed(0), &chip).unwrap();
    let report = characterise(&core, &neurons, &targets, &config).unwrap();
    for measured in &report.quantities {
        let ((name, unit), (mean, sd)) = (measured.quantity.label(), measured.mean_and_sd());
        println!(
            "{name}: {mean:.2} ± {sd:.2} {unit}, target {:.2}",
            measured.target[0]
        );
        assert_eq!(measured.failures().count(), 0, "{name}");
    }

    *core.capmem_mut() = CapMem::default();
    calibrate(&mut core, &neurons, &targets, &config, |_| ()).unwrap();
    for (&cell, codes) in &chip.codes {
        let codes: Vec<f64> = codes.iter().map(|code| code.get().into()).collect();
        let found = core
            .capmem()
            .column(cell)
            .iter()
            .map(|code| f64::from(code.get()));
        let distances: Vec<f64> = found
            .zip(&codes)
            .map(|(found, code)| found - code)
            .collect();
        let mean = |values: &[f64]| values.iter().sum::<f64>() / 512.0;
        let rms = |values: &[f64], about: f64| {
            (values.iter().map(|v| (v - about).powi(2)).sum::<f64>() / 512.0).sqrt()
        };
        let (distance, spread) = (rms(&distances, 0.0), rms(&codes, mean(&codes)));
        println!(
            "| {cell} | {spread:.1} | {:+.2} | {distance:.2} | {:.1} % |",
            mean(&distances),
            100.0 * distance / spread
        );
        // The uncertainty of a write, and for strengths other synapses than the chip has.
        assert!(distance < 0.15 * spread, "{cell}: {distance} of {spread}");
    }
}
