//! Firing rate against constant current: neurons as they come, calibrated ones,
//! and the closed form.
//!
//! `cargo run --release --example fi_curve [FILE.svg]`

use std::error::Error;
use std::path::Path;

use bss2::analog::calib::{CalibrationConfig, NeuronTargets, calibrate};
use bss2::analog::{
    AnalogCore, CadcSchedule, Cell, Integration, MismatchProfile, OffsetCurrent, Stimulus,
    VOLTS_PER_LSB, nominal_current,
};
use bss2::event::{CapMemCode, NeuronCircuits, Seed};
use bss2::plot::{Figure, Panel, Series};

/// Samples of the CADC that a neuron fires for.
const SAMPLES: usize = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1);
    run(Path::new(path.as_deref().unwrap_or("fi_curve.svg")))
}

pub(crate) fn run(path: &Path) -> Result<(), Box<dyn Error>> {
    let neurons: Vec<_> = (0..8).map(|n| NeuronCircuits::single(61 * n)).collect();
    let mut chip = AnalogCore::new(MismatchProfile::cube66(), Seed(66))?;
    let before = curves(&chip, &neurons)?;
    let targets = NeuronTargets::default();
    calibrate(
        &mut chip,
        &neurons,
        &[targets; 8],
        &CalibrationConfig::default(),
        |_| (),
    )?;
    let after = curves(&chip, &neurons)?;

    // 2.5 pF with a time constant of 6 us, 70 LSB from rest to threshold.
    let expected = |nano: f64| {
        let lift = 1e-9 * nano * 6e-6 / 2.5e-12 / VOLTS_PER_LSB;
        if lift > 70.0 {
            1e3 / (2.0 + 6.0 * (lift / (lift - 70.0)).ln())
        } else {
            0.0
        }
    };
    let expected: Vec<_> = before[0]
        .iter()
        .map(|&(nano, _)| (nano, expected(nano)))
        .collect();
    for (step, (nano, kilohertz)) in expected.iter().enumerate().step_by(8) {
        let rate = after.iter().map(|curve| curve[step].1).sum::<f64>() / after.len() as f64;
        println!("{nano:5.0} nA: {rate:5.1} kHz, closed form {kilohertz:5.1} kHz");
    }
    let panel = |title, curves: Vec<Curve>| {
        let mut series: Vec<_> = curves.into_iter().map(|c| Series::line("", 0, c)).collect();
        series[0].name = "neurons".into();
        series.push(Series::line("closed form", 1, expected.clone()).dashed());
        let y_range = (0.0, 500.0);
        Panel {
            y_range,
            ..Panel::fitting(title, "current / nA", "firing rate / kHz", series)
        }
    };
    let title = "Eight neurons of one chip".into();
    let panels = vec![panel("as they come", before), panel("calibrated", after)];
    Figure { title, panels }.write(path)?;
    Ok(())
}

/// (nA, kHz).
type Curve = Vec<(f64, f64)>;

/// The curve of each neuron.
fn curves(chip: &AnalogCore, neurons: &[NeuronCircuits]) -> Result<Vec<Curve>, Box<dyn Error>> {
    let mut chip = chip.clone();
    for neuron in neurons {
        chip.circuits_mut()[usize::from(neuron.membrane)].offset_current = OffsetCurrent::Positive;
    }
    let schedule = CadcSchedule {
        samples: SAMPLES,
        ..CadcSchedule::default()
    };
    let stimulus = Stimulus {
        neurons: neurons.to_vec(),
        integration: Integration {
            schedule,
            ..Integration::default()
        },
        ..Stimulus::default()
    };
    let milliseconds = 1e-3 * schedule.period.as_micro() * (SAMPLES - 1) as f64;
    let mut curves = vec![Vec::new(); neurons.len()];
    for code in (0..=1000).step_by(25) {
        let code = CapMemCode::new(code)?;
        chip.capmem_mut().set_all(Cell::IMemOffset, code);
        let recording = &stimulus.record(&chip, Seed(0), 1)?[0];
        for (n, curve) in curves.iter_mut().enumerate() {
            let spikes = recording
                .spikes()
                .iter()
                .filter(|s| usize::from(s.neuron) == n);
            let rate = spikes.count() as f64 / milliseconds;
            curve.push((1e9 * nominal_current(code).get(), rate));
        }
    }
    Ok(curves)
}
