//! From averaged traces to the quantity that a cell controls.

use bss2_event::Seconds;

use crate::calib::NeuronTargets;
use crate::calib::probe::{Averages, Probe, Protocol, SynapticInput};
use crate::core::AnalogCore;
use crate::error::AnalogError;
use crate::lowered::Start;
use crate::neuron::lif::response;

/// Samples that give the baseline of a response: before the event, or long
/// after the release of a reset.
const BASELINE: usize = 10;

/// Samples in which the responses of one neuron are summed. Long enough to hold
/// what a time constant changes, short enough that the far tail, which counts
/// most in a first moment, does not bring in noise alone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Window {
    pub(crate) relaxation: usize,
    /// `[excitatory, inhibitory]`
    pub(crate) response: [usize; 2],
    /// Seconds in which the neuron has to fire to count.
    climb: f64,
}

/// Membrane time constants after which a neuron that did not fire by itself counts
/// as silent. It climbs from reset to a rest 70 codes higher in four; with less,
/// slow neurons just above their threshold are missed, with more, noise lifts
/// neurons below it.
const CLIMB: f64 = 6.8;

/// Windows of all neurons.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Windows {
    pub(crate) of: Vec<Window>,
    /// Samples of an experiment with a response.
    total: usize,
    /// Samples of an experiment in which neurons may fire.
    climb: usize,
}

impl Windows {
    pub(crate) fn new(targets: &[NeuronTargets]) -> Self {
        let dt = Probe::period().as_micro();
        let samples = |time: f64| (time / dt).ceil() as usize;
        // A moment needs a few samples, however fast the neuron is.
        let window = |t: &NeuronTargets| {
            let tau_mem = t.tau_mem.as_micro();
            Window {
                relaxation: samples(3.0 * tau_mem).max(2),
                response: [0, 1].map(|sign| samples(3.0 * (tau_mem + t.tau_syn(sign))).max(4)),
                climb: 1e-6 * CLIMB * tau_mem,
            }
        };
        let of: Vec<_> = targets.iter().map(window).collect();
        let slowest = targets.iter().map(|t| t.tau_mem.as_micro());
        let slowest = slowest.fold(0.0, f64::max);
        // At the end of an experiment the membranes are at rest to exp(-8).
        let settled = samples(8.0 * slowest);
        let longest = of.iter().flat_map(|w| w.response).fold(settled, usize::max);
        Self {
            of,
            total: BASELINE + longest,
            climb: samples(CLIMB * slowest),
        }
    }
}

/// Mean code at rest, per neuron.
pub(crate) fn rest(
    probe: &mut Probe<'_>,
    core: &AnalogCore,
    trials: usize,
) -> Result<Vec<f64>, AnalogError> {
    let protocol = Protocol {
        samples: 8,
        start: Start::Rest,
        event: None,
        trials,
    };
    Ok(mean(&probe.run(core, &protocol)?))
}

/// Mean code while the membrane is held at reset.
pub(crate) fn reset(
    probe: &mut Probe<'_>,
    core: &AnalogCore,
    trials: usize,
) -> Result<Vec<f64>, AnalogError> {
    let start = Start::Held {
        until: Seconds::new(1.0),
    };
    let protocol = Protocol {
        samples: 8,
        start,
        event: None,
        trials,
    };
    Ok(mean(&probe.run(core, &protocol)?))
}

/// Fraction of trials in which a neuron fires without input.
pub(crate) fn fires(
    probe: &mut Probe<'_>,
    core: &AnalogCore,
    windows: &Windows,
    trials: usize,
) -> Result<Vec<f64>, AnalogError> {
    let protocol = Protocol {
        samples: windows.climb,
        start: Start::Rest,
        event: None,
        trials,
    };
    let until: Vec<f64> = windows.of.iter().map(|w| w.climb).collect();
    Ok(probe.run_until(core, &protocol, &until)?.fired)
}

/// Mean time between two spikes without input, microseconds, of neurons that fire
/// at intervals of at most `longest` microseconds.
pub(crate) fn intervals(
    probe: &mut Probe<'_>,
    core: &AnalogCore,
    longest: f64,
) -> Result<Vec<f64>, AnalogError> {
    let protocol = Protocol {
        samples: 8 + (3.0 * longest / Probe::period().as_micro()).ceil() as usize,
        start: Start::Rest,
        event: None,
        // Hardly any noise reaches an interval.
        trials: 4,
    };
    Ok(probe.run(core, &protocol)?.interval)
}

/// First moment, in microseconds, of the relaxation from reset to rest after
/// the release of the reset, which must lie well below rest.
pub(crate) fn relaxation(
    probe: &mut Probe<'_>,
    core: &AnalogCore,
    windows: &Windows,
    trials: usize,
) -> Result<Vec<f64>, AnalogError> {
    let start = Start::Held {
        until: Seconds::new(0.0),
    };
    let samples = windows.total;
    let averages = probe.run(
        core,
        &Protocol {
            samples,
            start,
            event: None,
            trials,
        },
    )?;
    let dt = Probe::period().as_micro();
    Ok((0..averages.fired.len())
        .map(|n| {
            let rest = average(&averages, n, samples - BASELINE..samples);
            let (area, moment) = moments(&averages, n, rest, 0..windows.of[n].relaxation);
            dt * moment / area
        })
        .collect())
}

/// The moment that [`relaxation`] would see for a membrane time constant
/// (microseconds). It does not depend on when the first sample is taken.
pub(crate) fn expected_relaxation(tau_mem: f64, window: usize) -> f64 {
    let dt = Probe::period().as_micro();
    let (mut area, mut moment) = (0.0, 0.0);
    for k in 0..window {
        let v = libm::exp(-(k as f64) * dt / tau_mem);
        area += v;
        moment += v * k as f64;
    }
    dt * moment / area
}

/// The membrane time constant, microseconds, that a moment of [`relaxation`]
/// stands for.
pub(crate) fn tau_mem_of(moment: f64, window: usize) -> f64 {
    let (mut low, mut high) = (0.05, 500.0);
    for _ in 0..50 {
        let middle = 0.5 * (low + high);
        if expected_relaxation(middle, window) < moment {
            low = middle
        } else {
            high = middle
        }
    }
    low
}

/// A neuron's response to one event of weight 63.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Response {
    /// Area in codes times microseconds; negative for inhibition.
    pub(crate) area: f64,
    /// Mean delay in microseconds.
    pub(crate) delay: f64,
}

/// Responses of all neurons.
pub(crate) fn responses(
    probe: &mut Probe<'_>,
    core: &AnalogCore,
    input: SynapticInput,
    windows: &Windows,
    trials: usize,
) -> Result<Vec<Response>, AnalogError> {
    let event = Some((input, Probe::period() * BASELINE as f64));
    let protocol = Protocol {
        samples: windows.total,
        start: Start::Rest,
        event,
        trials,
    };
    let averages = probe.run(core, &protocol)?;
    let dt = Probe::period().as_micro();
    Ok((0..averages.fired.len())
        .map(|n| {
            let rest = average(&averages, n, 0..BASELINE);
            let window = BASELINE..BASELINE + windows.of[n].response[input.sign];
            let (area, moment) = moments(&averages, n, rest, window);
            Response {
                area: dt * area,
                delay: dt * moment / area,
            }
        })
        .collect())
}

/// The response that [`responses`] would see for given time constants
/// (microseconds) and slew (codes per microsecond), so that what sampling does
/// to area and delay cancels. `late` is the mean delay of the CADC.
pub(crate) fn expected_response(
    (tau_mem, tau_syn): (f64, f64),
    slew: f64,
    late: f64,
    window: usize,
) -> Response {
    let dt = Probe::period().as_micro();
    let (mut area, mut moment) = (0.0, 0.0);
    for k in 0..window {
        let v = slew * response(k as f64 * dt + late, tau_syn, tau_mem);
        area += v;
        moment += v * k as f64;
    }
    Response {
        area: dt * area,
        delay: dt * moment / area,
    }
}

fn mean(averages: &Averages) -> Vec<f64> {
    (0..averages.fired.len())
        .map(|n| average(averages, n, 0..averages.traces.len()))
        .collect()
}

fn average(averages: &Averages, neuron: usize, samples: std::ops::Range<usize>) -> f64 {
    let count = samples.len() as f64;
    samples.map(|k| averages.traces[k][neuron]).sum::<f64>() / count
}

/// Sum and first moment, in samples, of a trace's distance from rest.
fn moments(
    averages: &Averages,
    neuron: usize,
    rest: f64,
    samples: std::ops::Range<usize>,
) -> (f64, f64) {
    let (mut area, mut moment) = (0.0, 0.0);
    for (k, sample) in samples.enumerate() {
        let v = averages.traces[sample][neuron] - rest;
        area += v;
        moment += v * k as f64;
    }
    (area, moment)
}
