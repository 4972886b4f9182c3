//! One neuron's response to one input, excitatory and inhibitory: a single trial,
//! the mean of many, and the closed form.
//!
//! `cargo run --release --example single_input [FILE.svg]`

use std::error::Error;
use std::path::Path;

use bss2::analog::calib::{CalibrationConfig, NeuronTargets, calibrate};
use bss2::analog::{AnalogCore, CadcSchedule, Integration, MismatchProfile, Row, Stimulus};
use bss2::event::{NeuronCircuits, RowMode, Seconds, Seed};
use bss2::plot::{Figure, Panel, Series};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1);
    run(Path::new(path.as_deref().unwrap_or("single_input.svg")))
}

pub(crate) fn run(path: &Path) -> Result<(), Box<dyn Error>> {
    const EVENT: usize = 6; // at this sample
    const TRIALS: u64 = 200;
    let mut chip = AnalogCore::new(MismatchProfile::cube66(), Seed(66))?;
    let neurons = vec![NeuronCircuits::single(5)];
    let targets = NeuronTargets::default();
    calibrate(
        &mut chip,
        &neurons,
        &[targets],
        &CalibrationConfig::default(),
        |_| (),
    )?;

    let schedule = CadcSchedule {
        samples: 40,
        ..CadcSchedule::default()
    };
    let at = |sample: usize| schedule.period.as_micro() * sample as f64;
    let mut series = Vec::new();
    for (color, (name, mode)) in [
        ("excitatory", RowMode::Excitatory),
        ("inhibitory", RowMode::Inhibitory),
    ]
    .into_iter()
    .enumerate()
    {
        let stimulus = Stimulus {
            neurons: neurons.clone(),
            rows: vec![Row {
                mode,
                weight: 63,
                partner: false,
            }],
            events: vec![(Seconds::micro(at(EVENT)), 0)],
            integration: Integration {
                schedule,
                ..Integration::default()
            },
            ..Stimulus::default()
        };
        let trials = stimulus.record(&chip, Seed(0), TRIALS)?;
        let code = |trial: usize, sample: usize| f64::from(trials[trial].codes_at(sample)[0]);
        let mean = |sample| (0..trials.len()).map(|t| code(t, sample)).sum::<f64>() / TRIALS as f64;
        let rest = (0..EVENT).map(mean).sum::<f64>() / EVENT as f64;
        let response: Vec<f64> = (0..schedule.samples)
            .map(|sample| mean(sample) - rest)
            .collect();
        let peak = response
            .iter()
            .copied()
            .max_by(|a, b| a.abs().total_cmp(&b.abs()));
        let peak = peak.unwrap_or(0.0);
        println!("{name}: {peak:.1} LSB at the peak, from a rest of {rest:.1} LSB");

        // Both time constants are 6 us: an alpha function.
        let alpha = |time: f64| (time / 6.0).max(0.0) * (1.0 - time / 6.0).exp();
        let line = |value: &dyn Fn(usize) -> f64| -> Vec<(f64, f64)> {
            (0..schedule.samples)
                .map(|sample| (at(sample), value(sample)))
                .collect()
        };
        series.push(Series::line("", 4, line(&|sample| code(0, sample) - rest)).dashed());
        series.push(Series::line(name, color, line(&|sample| response[sample])));
        let expected = line(&|sample| peak * alpha(at(sample) - at(EVENT)));
        series.push(Series::line("", 3, expected).dashed());
    }
    let panel = Panel::fitting(
        "mean of 200 trials; dashed: one trial, and the closed form",
        "time / us",
        "membrane from rest / LSB",
        series,
    );
    let title = "One input of weight 63".into();
    Figure {
        title,
        panels: vec![panel],
    }
    .write(path)?;
    Ok(())
}
