//! Firing rate against a constant current.

use bss2_analog::calib::{CalibrationReport, Quantity};
use bss2_analog::{
    AnalogCore, CadcSchedule, Cell, Integration, OffsetCurrent, Stimulus, VOLTS_PER_LSB,
    nominal_current,
};
use bss2_event::{Amperes, CapMemCode, Hertz, NeuronCircuits, Seconds, Seed};

use super::quantiles;
use crate::chip::ChipError;

/// Firing rates of all neurons under the current of their offset cell.
#[derive(Debug, Clone, PartialEq)]
pub struct Rates {
    /// Nominal current onto the membrane.
    pub current: Vec<Amperes>,
    /// `[current][neuron]`
    pub rate: Vec<Vec<Hertz>>,
    /// `[current]`: closed form of a neuron whose every quantity is the measured
    /// median.
    pub expected: Vec<Hertz>,
}

/// Currents from zero to full scale.
const CURRENTS: usize = 32;
/// Samples of the CADC that the neurons fire for.
const SAMPLES: usize = 201;

pub(super) fn measure(
    core: &AnalogCore,
    neurons: &[NeuronCircuits],
    calibrated: &CalibrationReport,
    run: Seed,
) -> Result<Rates, ChipError> {
    let mut core = core.clone();
    for neuron in neurons {
        core.circuits_mut()[usize::from(neuron.membrane)].offset_current = OffsetCurrent::Positive;
    }
    let schedule = CadcSchedule {
        samples: SAMPLES,
        ..CadcSchedule::default()
    };
    let window = schedule.period * (SAMPLES - 1) as f64;
    let stimulus = Stimulus {
        neurons: neurons.to_vec(),
        integration: Integration {
            schedule,
            ..Integration::default()
        },
        ..Stimulus::default()
    };
    let typical = Typical::of(calibrated);
    let mut rates = Rates {
        current: Vec::new(),
        rate: Vec::new(),
        expected: Vec::new(),
    };
    for step in 0..CURRENTS {
        let code = CapMemCode::saturating((1022 * step / (CURRENTS - 1)) as i64);
        for neuron in neurons {
            core.capmem_mut()
                .set(Cell::IMemOffset, neuron.membrane, code);
        }
        let recorded = stimulus.record(&core, run, 1).map_err(ChipError::from)?;
        let mut counts = vec![0.0; neurons.len()];
        for spike in recorded.iter().flat_map(|observation| observation.spikes()) {
            if spike.time < window.get() {
                counts[usize::from(spike.neuron)] += 1.0;
            }
        }
        let rate = |count: &f64| Hertz::new(count / window.get());
        let current = nominal_current(code);
        rates.current.push(current);
        rates.rate.push(counts.iter().map(rate).collect());
        rates.expected.push(typical.rate(current));
    }
    Ok(rates)
}

impl Rates {
    /// `[current]`: median of the neurons, and the rates that 5 % lie below and
    /// above.
    #[must_use]
    pub fn quantiles(&self) -> Vec<[Hertz; 3]> {
        let of = |rates: &Vec<Hertz>| {
            let rates: Vec<f64> = rates.iter().map(|rate| rate.get()).collect();
            quantiles(&rates).map(Hertz::new)
        };
        self.rate.iter().map(of).collect()
    }
}

/// A leaky neuron of the median of every measured quantity.
struct Typical {
    capacitance: f64,
    tau_mem: f64,
    leak: f64,
    reset: f64,
    threshold: f64,
    refractory: Seconds,
}

impl Typical {
    fn of(report: &CalibrationReport) -> Self {
        let median = |quantity| {
            let measured = report.get(quantity);
            measured.map_or(f64::NAN, |measured| quantiles(&measured.reached)[0])
        };
        Self {
            capacitance: 1e-12 * median(Quantity::Capacitance),
            tau_mem: 1e-6 * median(Quantity::TauMem),
            leak: VOLTS_PER_LSB * median(Quantity::Leak),
            reset: VOLTS_PER_LSB * median(Quantity::Reset),
            threshold: VOLTS_PER_LSB * median(Quantity::Threshold),
            refractory: Seconds::micro(median(Quantity::Refractory)),
        }
    }

    fn rate(&self, current: Amperes) -> Hertz {
        let rest = self.leak + current.get() * self.tau_mem / self.capacitance;
        if rest <= self.threshold {
            return Hertz::new(0.0);
        }
        let rise = (rest - self.reset) / (rest - self.threshold);
        // The membrane climbs from the last 8 ns of the refractory period on: left out.
        Hertz::new(1.0 / (self.refractory.get() + self.tau_mem * rise.ln()))
    }
}
