//! The slow obvious network: dense products, one number at a time, all states
//! kept; the equations as they are written down.

use bss2_learn::{NetworkShape, Objective, Readout, Reset, Weights};
use nalgebra::{DMatrix, DVector};

/// What a neuron does at threshold.
#[derive(Clone, Copy)]
pub(crate) enum Spiking {
    /// A step, and a reset.
    Hard(Reset),
    /// The integral of SuperSpike with this beta, without reset: a network
    /// whose surrogate gradient is its gradient.
    Smooth(f64),
}

/// States of one sample, each by step.
pub(crate) struct States {
    pub(crate) v: Vec<DVector<f64>>,
    pub(crate) s: Vec<DVector<f64>>,
    pub(crate) v_out: Vec<DVector<f64>>,
}

/// One sample: `input[t]` counts the spikes of each channel.
pub(crate) fn forward(
    shape: NetworkShape,
    weights: &Weights<f64>,
    (a, b): (f64, f64),
    spiking: Spiking,
    input: &[DVector<f64>],
) -> States {
    let zero = DVector::zeros(shape.hidden);
    let zero_out = DVector::zeros(shape.outputs);
    let mut states = States {
        v: vec![zero.clone()],
        s: vec![zero.clone()],
        v_out: vec![zero_out.clone()],
    };
    let (mut current, mut current_out) = (zero, zero_out);
    let mut quiet_until = vec![0; shape.hidden];
    if let Spiking::Smooth(beta) = spiking {
        states.s[0] = states.v[0].map(|v| smooth(v, beta));
    }
    for t in 1..input.len() {
        let s = &states.s[t - 1];
        current = &current * a + &weights.hidden * &input[t - 1];
        if let Some(recurrent) = &weights.recurrent {
            current += recurrent * s;
        }
        let mut v = &states.v[t - 1] * b + &current;
        let mut spikes = DVector::zeros(shape.hidden);
        for n in 0..shape.hidden {
            match spiking {
                Spiking::Hard(Reset::Subtract) => v[n] -= s[n],
                Spiking::Hard(Reset::ToLeak { .. }) if t <= quiet_until[n] => v[n] = 0.0,
                _ => {}
            }
            spikes[n] = match spiking {
                Spiking::Hard(_) => f64::from(u8::from(v[n] > 1.0)),
                Spiking::Smooth(beta) => smooth(v[n], beta),
            };
            if let Spiking::Hard(Reset::ToLeak { refractory_steps }) = spiking
                && v[n] > 1.0
            {
                quiet_until[n] = t + refractory_steps as usize;
            }
        }
        current_out = &current_out * a + &weights.output * s;
        let v_out = &states.v_out[t - 1] * b + &current_out;
        states.v.push(v);
        states.s.push(spikes);
        states.v_out.push(v_out);
    }
    states
}

fn smooth(v: f64, beta: f64) -> f64 {
    (v - 1.0) / (beta * (v - 1.0).abs() + 1.0)
}

/// Loss of one sample but for weight terms; its scores' derivative by readout.
fn loss_and_slope(
    shape: NetworkShape,
    objective: &Objective,
    states: &States,
    label: usize,
) -> (f64, Vec<DVector<f64>>, DVector<f64>) {
    let (terms, steps) = (&objective.regularisers, states.v.len());
    let mut by_trace = vec![DVector::zeros(shape.outputs); steps];
    let mut scores = DVector::zeros(shape.outputs);
    let mut argmax = vec![0; shape.outputs];
    for o in 0..shape.outputs {
        let column: Vec<f64> = states.v_out.iter().map(|v| v[o]).collect();
        scores[o] = objective.loss.scaling
            * match objective.loss.readout {
                Readout::SumOverTime => column.iter().sum(),
                Readout::MaxOverTime | Readout::MaxAfterFirst => {
                    let after_first = objective.loss.readout == Readout::MaxAfterFirst;
                    let skipped = usize::from(after_first && steps > 1);
                    let read = &column[skipped..];
                    let max = read.iter().copied().fold(f64::MIN, f64::max);
                    argmax[o] = skipped + read.iter().position(|&v| v == max).unwrap();
                    max
                }
            };
    }
    let total: f64 = scores.iter().map(|z| (z - scores.max()).exp()).sum();
    let mut loss = total.ln() + scores.max() - scores[label];
    loss += terms.readout * scores.norm_squared() / shape.outputs as f64;
    for o in 0..shape.outputs {
        let p = (scores[o] - scores.max()).exp() / total;
        let slope = objective.loss.scaling
            * (p - f64::from(u8::from(o == label))
                + 2.0 * terms.readout * scores[o] / shape.outputs as f64);
        match objective.loss.readout {
            Readout::SumOverTime => by_trace.iter_mut().for_each(|g| g[o] = slope),
            Readout::MaxOverTime | Readout::MaxAfterFirst => by_trace[argmax[o]][o] = slope,
        }
    }
    let counts: DVector<f64> = states.s.iter().sum();
    let excess = (counts.sum() - terms.theta_homeostatic).max(0.0);
    loss += terms.bursts * counts.norm_squared() / shape.hidden as f64;
    loss += terms.homeostatic * excess * excess;
    let by_spike = counts
        .map(|c| 2.0 * terms.bursts * c / shape.hidden as f64 + 2.0 * terms.homeostatic * excess);
    (loss, by_trace, by_spike)
}

/// Mean loss of a batch.
pub(crate) fn loss(
    shape: NetworkShape,
    objective: &Objective,
    weights: &Weights<f64>,
    samples: &[(States, usize)],
) -> f64 {
    let mean: f64 = samples
        .iter()
        .map(|(states, label)| loss_and_slope(shape, objective, states, *label).0)
        .sum();
    let terms = &objective.regularisers;
    let decay = |strength: f64, w: &DMatrix<f64>| strength * w.norm_squared() / w.len() as f64;
    let recurrent = weights.recurrent.as_ref();
    mean / samples.len() as f64
        + decay(terms.weights_hidden, &weights.hidden)
        + recurrent.map_or(0.0, |w| decay(terms.weights_recurrent, w))
        + decay(terms.weights_output, &weights.output)
}

/// Gradient of a batch; each sample is (states, label, input).
pub(crate) fn gradient(
    shape: NetworkShape,
    objective: &Objective,
    weights: &Weights<f64>,
    (a, b): (f64, f64),
    samples: &[(States, usize)],
    inputs: &[Vec<DVector<f64>>],
) -> Weights<f64> {
    let mut sum = Weights::<f64>::zeros(shape);
    for ((states, label), input) in samples.iter().zip(inputs) {
        let (_, by_trace, by_spike) = loss_and_slope(shape, objective, states, *label);
        let mut g_v = DVector::zeros(shape.hidden);
        let mut g_i = DVector::zeros(shape.hidden);
        let mut g_v_out = DVector::zeros(shape.outputs);
        let mut g_i_out = DVector::zeros(shape.outputs);
        for t in (1..input.len()).rev() {
            let mut g_s = by_spike.clone() + weights.output.transpose() * &g_i_out;
            if let Some(recurrent) = &weights.recurrent {
                g_s += recurrent.transpose() * &g_i;
            }
            g_v_out = &by_trace[t] + g_v_out * b;
            g_i_out = &g_v_out + g_i_out * a;
            let sigma = states.v[t].map(|v| objective.surrogate.derivative(v));
            g_v = sigma.component_mul(&g_s) + g_v * b;
            g_i = &g_v + g_i * a;
            sum.output += &g_i_out * states.s[t - 1].transpose();
            sum.hidden += &g_i * input[t - 1].transpose();
            if let Some(recurrent) = &mut sum.recurrent {
                *recurrent += &g_i * states.s[t - 1].transpose();
            }
        }
    }
    let (terms, n) = (&objective.regularisers, samples.len() as f64);
    let finish = |sum: &DMatrix<f64>, strength: f64, w: &DMatrix<f64>| {
        sum / n + w * (2.0 * strength / w.len() as f64)
    };
    Weights {
        hidden: finish(&sum.hidden, terms.weights_hidden, &weights.hidden),
        recurrent: sum
            .recurrent
            .zip(weights.recurrent.as_ref())
            .map(|(sum, w)| finish(&sum, terms.weights_recurrent, w)),
        output: finish(&sum.output, terms.weights_output, &weights.output),
    }
}
