//! Firing patterns of neurons with exponential term and adaptation under a constant
//! current: the same circuit at other codes.
//!
//! `cargo run --release --example adex_patterns [FILE.svg]`

use std::error::Error;
use std::path::Path;

use bss2::analog::{
    AnalogCore, CadcSchedule, Cell, Integration, MismatchProfile, OffsetCurrent, Start, Stimulus,
};
use bss2::event::{CapMemCode, NeuronCircuits, Seconds, Seed};
use bss2::plot::{Figure, Panel, Series};

/// A pattern and the codes that differ from the nominal ones.
const PATTERNS: [(&str, &[(Cell, i64)]); 4] = [
    ("tonic: hardly any adaptation", &[(Cell::IBiasAdaptB, 1)]),
    ("adapting: by spikes, slowly", &[(Cell::IBiasAdaptB, 90)]),
    (
        "initial burst: a higher reset",
        &[
            (Cell::IBiasAdaptB, 270),
            (Cell::IBiasAdaptTau, 170),
            (Cell::VReset, 677),
        ],
    ),
    (
        "bursting: reset above the exponential's threshold",
        &[
            (Cell::IBiasAdaptB, 320),
            (Cell::IBiasAdaptTau, 170),
            (Cell::VReset, 715),
        ],
    ),
];
/// Common to all: a sharp upswing, no adaptation by the membrane, and a current.
const COMMON: [(Cell, i64); 3] = [
    (Cell::IBiasExp, 440),
    (Cell::IBiasAdaptA, 1),
    (Cell::IMemOffset, 130),
];

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1);
    run(Path::new(path.as_deref().unwrap_or("adex_patterns.svg")))
}

pub(crate) fn run(path: &Path) -> Result<(), Box<dyn Error>> {
    let mut panels = Vec::new();
    for (name, codes) in PATTERNS {
        let mut chip = AnalogCore::new(MismatchProfile::ideal(), Seed(0))?;
        let switches = &mut chip.circuits_mut()[0];
        switches.exponential = true;
        switches.adaptation.enabled = true;
        switches.offset_current = OffsetCurrent::Positive;
        for (cell, code) in COMMON.iter().chain(codes) {
            chip.capmem_mut().set(*cell, 0, CapMemCode::new(*code)?);
        }
        let schedule = CadcSchedule {
            period: Seconds::micro(0.6),
            samples: 500,
            ..CadcSchedule::default()
        };
        let stimulus = Stimulus {
            neurons: vec![NeuronCircuits::single(0)],
            start: Start::Held {
                until: Seconds::micro(10.0),
            },
            integration: Integration {
                schedule,
                ..Integration::default()
            },
            ..Stimulus::default()
        };
        let recording = &stimulus.record(&chip, Seed(0), 1)?[0];
        let times: Vec<f64> = recording.spikes().iter().map(|s| 1e6 * s.time).collect();
        let intervals = times
            .windows(2)
            .map(|pair| format!("{:.1}", pair[1] - pair[0]));
        let first: Vec<String> = intervals.take(8).collect();
        println!(
            "{name}: {} spikes, intervals {} us",
            times.len(),
            first.join(", ")
        );

        let at = |sample: usize| schedule.period.as_micro() * sample as f64;
        let trace = (0..schedule.samples).map(|s| (at(s), f64::from(recording.codes_at(s)[0])));
        let series = vec![Series::line("", 0, trace.collect())];
        let panel = Panel::fitting(name, "time / us", "membrane / LSB", series);
        panels.push(Panel {
            y_range: (70.0, 160.0),
            ..panel
        });
    }
    let title = "Exponential term and adaptation".into();
    Figure { title, panels }.write(path)?;
    Ok(())
}
