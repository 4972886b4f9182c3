//! The equations in float64 by the classical Runge-Kutta method in steps of some
//! nanoseconds: slow, plain, and independent of the kernels that it judges.

use crate::lowered::Start;
use crate::neuron::lif::LaneParameters;
use crate::neuron::terms::{CEILING, Terms};

/// An event that opens currents, volts per microsecond, not negative.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Event<const G: usize> {
    /// Microseconds.
    pub(crate) time: f64,
    /// Excitatory and inhibitory input of the membrane's circuit, then of its
    /// partner.
    pub(crate) slew: [f64; G],
}

/// How long a neuron is followed, and in which steps, microseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Span {
    pub(crate) duration: f64,
    pub(crate) step: f64,
}

#[derive(Clone, Copy)]
struct State<const G: usize> {
    v: f64,
    w: f64,
    /// Not negative.
    current: [f64; G],
}

impl<const G: usize> State<G> {
    fn plus(self, d: Self, s: f64) -> Self {
        Self {
            v: self.v + s * d.v,
            w: self.w + s * d.w,
            current: std::array::from_fn(|g| self.current[g] + s * d.current[g]),
        }
    }
}

fn saturate(x: f64) -> f64 {
    let size = x.abs().min(2.0);
    (size - size.powi(3) / 4.0 + size.powi(4) / 16.0).copysign(x)
}

fn slope<const G: usize>(p: &LaneParameters, s: State<G>, held: bool) -> State<G> {
    let Terms {
        exponential,
        adaptation,
        reversal,
        leak_range,
    } = p.terms;
    let mut v = leak_range * saturate((p.v_rest - s.v) / leak_range) / p.tau_mem;
    if leak_range.is_infinite() {
        v = (p.v_rest - s.v) / p.tau_mem;
    }
    for g in 0..G {
        let current = p.saturation[g] * saturate(s.current[g] / p.saturation[g]);
        let sign = [1.0, -1.0][g % 2];
        v += match reversal[g] {
            None => sign * current,
            Some(r) => current * (r.potential - s.v) / r.scale,
        };
    }
    if let Some(e) = exponential {
        // No stage may shoot far beyond a threshold that ends it.
        let v_exp = s.v.min(p.v_threshold).min(CEILING.into());
        v += e.slope / e.tau * ((v_exp - e.threshold) / e.slope).exp();
    }
    let w = adaptation.map_or(0.0, |a| (a.a * (s.v - a.leak) - s.w) / a.tau);
    State {
        v: if held { 0.0 } else { v - s.w },
        w,
        current: std::array::from_fn(|g| -s.current[g] / p.tau_syn[g]),
    }
}

/// Spikes of a neuron in microseconds. It must not fire without input where it
/// starts at rest.
pub(crate) fn spikes<const G: usize>(
    p: &LaneParameters,
    start: Start,
    events: &[Event<G>],
    span: Span,
) -> Vec<f64> {
    let (mut spikes, mut next, mut t) = (Vec::new(), 0, 0.0);
    let (v, mut until) = match start {
        Start::Held { until } => (p.v_reset, until.as_micro()),
        Start::Rest => (p.terms.rest(p).unwrap_or(p.v_rest), f64::NEG_INFINITY),
    };
    let mut s = State {
        v,
        w: p.terms.at_rest(p),
        current: [0.0; G],
    };
    let (low, high) = p.terms.adaptation.map_or((0.0, 0.0), |a| a.range);
    while t < span.duration {
        while next < events.len() && events[next].time <= t {
            for g in 0..G {
                s.current[g] += events[next].slew[g];
            }
            next += 1;
        }
        let (held, deaf) = (t < until, t < until + p.holdoff);
        let mut h = span.step;
        if held {
            s.v = p.v_reset;
            h = h.min(until - t);
        } else if deaf {
            h = h.min(until + p.holdoff - t);
        }
        if next < events.len() {
            h = h.min(events[next].time - t);
        }
        let k1 = slope(p, s, held);
        let k2 = slope(p, s.plus(k1, 0.5 * h), held);
        let k3 = slope(p, s.plus(k2, 0.5 * h), held);
        let k4 = slope(p, s.plus(k3, h), held);
        let before = s.v;
        s = s
            .plus(k1, h / 6.0)
            .plus(k2, h / 3.0)
            .plus(k3, h / 3.0)
            .plus(k4, h / 6.0);
        s.w = s.w.clamp(low, high);
        if p.terms.exponential.is_some() {
            s.v = s.v.min(before.max(CEILING.into()));
        }
        if !deaf && s.v > p.v_threshold {
            // Above it already where the refractory period ends.
            let share = (p.v_threshold - before) / (s.v - before);
            let at = t + h * if before > p.v_threshold { 0.0 } else { share };
            spikes.push(at);
            until = at + p.refractory;
            s.v = p.v_reset;
            s.w = (s.w + p.terms.adaptation.map_or(0.0, |a| a.b)).clamp(low, high);
        }
        t += h;
    }
    spikes
}
