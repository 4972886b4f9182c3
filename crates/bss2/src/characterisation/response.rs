//! Responses of membranes to single synaptic inputs.

use bss2_analog::calib::NeuronTargets;
use bss2_analog::{AnalogCore, AnalogError, CadcSchedule, Integration, Observation, Row, Stimulus};
use bss2_event::{NeuronCircuits, RowMode, Seconds, Seed};

use crate::chip::ChipError;

/// Responses to single events of every weight.
#[derive(Debug, Clone, PartialEq)]
pub struct Responses {
    /// Time between two samples of a trace; the event arrives at the first one.
    pub period: Seconds,
    /// `[weight][sample]`: mean of the neurons, codes from rest.
    pub traces: Vec<Vec<f64>>,
    /// `[weight][neuron]`: codes from rest at the sample where the mean response to
    /// the largest weight is largest; negative for inhibition.
    pub amplitudes: Vec<Vec<f64>>,
}

/// Weights of a synapse.
const WEIGHTS: u8 = 64;
/// Rows that are stimulated one after the other, so that single synapses average
/// out.
const ROWS: u16 = 16;
const TRIALS: u64 = 4;

/// Excitatory and inhibitory responses.
pub(super) fn measure(
    core: &AnalogCore,
    neurons: &[NeuronCircuits],
    targets: &[NeuronTargets],
    run: Seed,
) -> Result<[Responses; 2], ChipError> {
    let slowest = targets
        .iter()
        .flat_map(|t| [t.tau_mem, t.tau_syn_exc, t.tau_syn_inh])
        .fold(0.0, |slowest: f64, tau| slowest.max(tau.as_micro()));
    let period = CadcSchedule::default().period;
    // After ten time constants nothing is left of an event.
    let gap = (10.0 * slowest / period.as_micro()).ceil() as usize;
    let mut stimulus = Stimulus {
        neurons: neurons.to_vec(),
        events: (0..ROWS)
            .map(|row| (period * (gap * usize::from(row)) as f64, row))
            .collect(),
        integration: Integration {
            schedule: CadcSchedule {
                samples: gap * usize::from(ROWS),
                ..CadcSchedule::default()
            },
            ..Integration::default()
        },
        ..Stimulus::default()
    };
    let mut of = |mode| -> Result<Responses, AnalogError> {
        let mut by_weight = Vec::new();
        for weight in 0..WEIGHTS {
            stimulus.rows = vec![
                Row {
                    mode,
                    weight,
                    partner: false
                };
                ROWS.into()
            ];
            let recorded = stimulus.record(core, run, TRIALS)?;
            by_weight.push(average(&recorded, gap, neurons.len()));
        }
        Ok(Responses::new(period, &by_weight))
    };
    Ok([of(RowMode::Excitatory)?, of(RowMode::Inhibitory)?])
}

/// `[sample][neuron]`: mean over all events and trials.
fn average(recorded: &[Observation], gap: usize, neurons: usize) -> Vec<Vec<f64>> {
    let mut mean = vec![vec![0.0; neurons]; gap];
    let scale = 1.0 / (recorded.len() * usize::from(ROWS)) as f64;
    for observation in recorded {
        for sample in 0..gap * usize::from(ROWS) {
            let codes = observation.codes_at(sample);
            for (mean, code) in mean[sample % gap].iter_mut().zip(codes) {
                *mean += scale * f64::from(*code);
            }
        }
    }
    mean
}

impl Responses {
    /// From `[weight][sample][neuron]`: what weight 0 does is no response.
    fn new(period: Seconds, by_weight: &[Vec<Vec<f64>>]) -> Self {
        let difference = |weight: &Vec<Vec<f64>>, sample: usize| -> Vec<f64> {
            let pairs = weight[sample].iter().zip(&by_weight[0][sample]);
            pairs.map(|(code, rest)| code - rest).collect()
        };
        let traces: Vec<Vec<f64>> = by_weight
            .iter()
            .map(|weight| {
                let samples = 0..weight.len();
                samples
                    .map(|sample| mean(&difference(weight, sample)))
                    .collect()
            })
            .collect();
        let largest = traces[by_weight.len() - 1].iter().enumerate();
        let largest = largest.max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()));
        let peak = largest.map_or(0, |(sample, _)| sample);
        let amplitudes = by_weight.iter().map(|weight| difference(weight, peak));
        Self {
            period,
            amplitudes: amplitudes.collect(),
            traces,
        }
    }

    /// `[weight]`: mean amplitude of the neurons, codes.
    #[must_use]
    pub fn mean_amplitudes(&self) -> Vec<f64> {
        self.amplitudes.iter().map(|of| mean(of)).collect()
    }

    /// `[weight]`: distance of the mean amplitude from the straight line through
    /// zero that fits best, in per cent of the largest amplitude.
    #[must_use]
    pub fn nonlinearity(&self) -> Vec<f64> {
        let amplitudes = self.mean_amplitudes();
        let weights = || (0..amplitudes.len()).map(|w| w as f64);
        let products = weights().zip(&amplitudes).map(|(w, a)| w * a);
        let gain = products.sum::<f64>() / weights().map(|w| w * w).sum::<f64>();
        let full = amplitudes.last().copied().unwrap_or(f64::NAN);
        let distances = weights().zip(&amplitudes);
        distances
            .map(|(w, a)| 100.0 * (a - gain * w) / full)
            .collect()
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amplitudes_are_taken_from_rest_at_the_largest_response() {
        // Two neurons at rest at 80 and 90; the response is largest at sample 1.
        let weight = |a: f64| vec![vec![80.0, 90.0], vec![80.0 + a, 90.0 + 3.0 * a]];
        let responses = Responses::new(
            Seconds::micro(1.7),
            &[weight(0.0), weight(-1.0), weight(-2.2)],
        );
        assert_eq!(responses.amplitudes[1], [-1.0, -3.0]);
        assert_eq!(responses.traces[1], [0.0, -2.0]);
        // The line through (1, -2) and (2, -4.4) with slope -(2 + 8.8) / 5.
        let expected = [0.0, 100.0 * 0.16 / -4.4, 100.0 * -0.08 / -4.4];
        for (found, expected) in responses.nonlinearity().iter().zip(expected) {
            assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        }
    }
}
