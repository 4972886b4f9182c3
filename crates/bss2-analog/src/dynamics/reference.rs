//! The equations in float64 by the classical Runge-Kutta method at 2 ns.

use super::Setting;
use crate::Start;
use crate::neuron::lif::LaneParameters;
use crate::neuron::terms::{CEILING, Terms};

const STEP: f64 = 2e-3;

#[derive(Clone, Copy)]
struct State {
    v: f64,
    w: f64,
    /// Excitatory and inhibitory, not negative.
    current: [f64; 2],
}

impl State {
    fn plus(self, d: Self, s: f64) -> Self {
        Self {
            v: self.v + s * d.v,
            w: self.w + s * d.w,
            current: [0, 1].map(|g| self.current[g] + s * d.current[g]),
        }
    }
}

fn saturate(x: f64) -> f64 {
    let size = x.abs().min(2.0);
    (size - size.powi(3) / 4.0 + size.powi(4) / 16.0).copysign(x)
}

fn slope(p: &LaneParameters, s: State, held: bool) -> State {
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
    for g in 0..2 {
        let current = p.saturation[g] * saturate(s.current[g] / p.saturation[g]);
        let sign = [1.0, -1.0][g];
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
        current: [0, 1].map(|g| -s.current[g] / p.tau_syn[g]),
    }
}

/// Spikes of a neuron in microseconds.
pub(super) fn spikes(setting: &Setting, p: &LaneParameters) -> Vec<f64> {
    let (mut spikes, mut next, mut t, mut until) = (Vec::new(), 0, 0.0, 0.0);
    let mut s = State {
        v: match setting.start {
            Start::Held { .. } => p.v_reset,
            Start::Rest => p.terms.rest(p).expect("it does not fire by itself"),
        },
        w: p.terms.at_rest(p),
        current: [0.0; 2],
    };
    let (low, high) = p.terms.adaptation.map_or((0.0, 0.0), |a| a.range);
    while t < setting.duration {
        while next < setting.events.len() && setting.events[next].0 <= t {
            let weight = setting.events[next].1;
            s.current[usize::from(weight < 0.0)] += weight.abs() * setting.slew;
            next += 1;
        }
        let held = t < until;
        let mut h = STEP;
        if held {
            s.v = p.v_reset;
            h = h.min(until - t);
        }
        if next < setting.events.len() {
            h = h.min(setting.events[next].0 - t);
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
        if !held && s.v > p.v_threshold {
            let at = t + h * (p.v_threshold - before) / (s.v - before);
            spikes.push(at);
            until = at + p.refractory;
            s.v = p.v_reset;
            s.w = (s.w + p.terms.adaptation.map_or(0.0, |a| a.b)).clamp(low, high);
        }
        t += h;
    }
    spikes
}

/// Median error in ns of the spikes found, of neurons that fire as often as they
/// should, and how many are missed or extra.
pub(super) fn compare_all(found: &[Vec<f64>], reference: &[Vec<f64>]) -> (f64, usize) {
    let (mut errors, mut mismatched) = (Vec::new(), 0);
    for (found, reference) in found.iter().zip(reference) {
        mismatched += found.len().abs_diff(reference.len());
        if found.len() == reference.len() {
            let pairs = found.iter().zip(reference);
            errors.extend(pairs.map(|(a, b)| 1e3 * (a - b).abs()));
        }
    }
    errors.sort_by(f64::total_cmp);
    (errors[errors.len() / 2], mismatched)
}
