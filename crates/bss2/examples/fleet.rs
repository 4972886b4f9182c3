//! Spread of a hundred chips before and after calibration.
//!
//! `cargo run --release --example fleet [FILE.svg [CHIPS]]`

use std::error::Error;
use std::path::Path;

use bss2::analog::calib::{
    CalibrationConfig, CalibrationReport, NeuronTargets, Quantity, calibrate, characterise,
    configure,
};
use bss2::analog::{AnalogCore, MismatchProfile};
use bss2::chip_report::robust_spread;
use bss2::event::{NeuronCircuits, Seed};
use bss2::plot::{Figure, Panel, Series};

const SHOWN: [(Quantity, &str); 4] = [
    (Quantity::Leak, "leak, sd / LSB"),
    (Quantity::Threshold, "threshold, sd / LSB"),
    (Quantity::TauMem, "tau_mem, sd / us"),
    (Quantity::TauSynExc, "tau_syn exc, sd / us"),
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().unwrap_or("fleet.svg".into());
    let chips = arguments.next().map_or(Ok(100), |chips| chips.parse())?;
    run(Path::new(&path), chips)
}

pub(crate) fn run(path: &Path, chips: u64) -> Result<(), Box<dyn Error>> {
    let mut reports = Vec::new();
    for seed in 0..chips {
        eprintln!("chip {seed}");
        reports.push(chip(Seed(seed))?);
    }
    let failures = reports
        .iter()
        .map(|(_, after)| after.failed_neurons().len());
    println!(
        "{} of {} neurons missed a target",
        failures.sum::<usize>(),
        256 * chips
    );
    let mut panels = Vec::new();
    for (quantity, label) in SHOWN {
        let before = sorted(reports.iter().map(|(before, _)| spread(before, quantity)));
        let after = sorted(reports.iter().map(|(_, after)| spread(after, quantity)));
        let middle = before.len() / 2;
        println!(
            "{label}: {:.3} before, {:.3} after (median chip)",
            before[middle].1, after[middle].1
        );
        let top = 1.5 * before.iter().map(|p| p.1).fold(0.0, f64::max);
        let least = after.iter().map(|p| p.1).fold(top, f64::min);
        panels.push(Panel {
            x_label: "chips, by spread".into(),
            y_label: label.into(),
            x_range: (1.0, chips as f64 + 1.0),
            y_range: (0.2 * least, top),
            logarithmic: (false, true),
            series: vec![
                Series::line("uncalibrated", 4, before),
                Series::line("calibrated", 0, after),
            ],
            ..Panel::default()
        });
    }
    let title = format!("{chips} chips of 256 neurons");
    Figure { title, panels }.write(path)?;
    Ok(())
}

/// A chip before and after its calibration.
fn chip(seed: Seed) -> Result<(CalibrationReport, CalibrationReport), Box<dyn Error>> {
    let mut chip = AnalogCore::new(MismatchProfile::cube66(), seed)?;
    let neurons: Vec<_> = (0..256).map(NeuronCircuits::pair).collect();
    let targets = vec![NeuronTargets::default(); neurons.len()];
    let settings = CalibrationConfig::default();
    configure(&mut chip, &neurons, &targets)?;
    let before = characterise(&chip, &neurons, &targets, &settings)?;
    Ok((
        before,
        calibrate(&mut chip, &neurons, &targets, &settings, |_| ())?,
    ))
}

/// Standard deviation that single outliers do not move.
fn spread(report: &CalibrationReport, quantity: Quantity) -> f64 {
    report
        .get(quantity)
        .map_or(f64::NAN, |measured| robust_spread(&measured.reached).1)
}

/// (rank, value), ascending.
fn sorted(values: impl Iterator<Item = f64>) -> Vec<(f64, f64)> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
        .into_iter()
        .enumerate()
        .map(|(i, v)| (i as f64 + 1.0, v))
        .collect()
}
