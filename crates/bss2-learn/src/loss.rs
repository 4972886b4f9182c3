//! What training makes small, but for the regularisers.
//!
//! `z = scaling r`, with the readout `r = max_t V` or `r = sum_t V` of each
//! output; loss = mean over the batch of `-sum_c q_c ln softmax(z)_c`. The target
//! `q` is 1 for the label, or with label smoothing `e`: `q_c = (1 - e) [c = label]
//! + e / C` for C classes.

use bss2_event::random::Address;
use serde::{Deserialize, Serialize};

use crate::lanes::{Lanes, OUTPUT_LANES};
use crate::real::Real;

/// How the trace of an output becomes its score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Readout {
    /// `max_t V`; the gradient goes to the step of the maximum alone.
    #[default]
    MaxOverTime,
    /// The same without the first sample, which no weight reaches and which is the zero of a
    /// measured trace: an output that events without end keep below it still has a gradient,
    /// if the next sample differs from it. On a chip it does once neurons fire before it; in
    /// the ideal network the second step is zero, too.
    ///
    /// # Source
    /// Ours.
    MaxAfterFirst,
    /// `sum_t V`.
    SumOverTime,
}

/// Cross entropy of the scores.
///
/// # Source
/// Cramer et al. 2022: maximum over time and 10 for MNIST, sum over time for
/// speech.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LossConfig {
    /// From traces to scores.
    pub readout: Readout,
    /// Factor of the readout inside the softmax.
    pub scaling: f64,
    /// Whether one of several equal maxima is picked at random, instead of the
    /// first. Outputs of a silent network are equal at all times: the first
    /// bin, which no weight reaches, would get their whole gradient.
    pub random_ties: bool,
    /// e: share of the target that is spread over all classes, 0 to below 1.
    ///
    /// # Source
    /// Szegedy et al., CVPR 2016. DEFAULT 0, as in Cramer et al. 2022.
    pub label_smoothing: f64,
}

impl Default for LossConfig {
    fn default() -> Self {
        Self {
            readout: Readout::MaxOverTime,
            scaling: 10.0,
            random_ties: true,
            label_smoothing: 0.0,
        }
    }
}

/// Readouts of one sample and what they cost.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SampleLoss<T> {
    /// `[output]`: maximum or sum over time.
    pub readout: Vec<T>,
    /// `[output]`: step of the maximum; empty for sums.
    pub argmax: Vec<u32>,
    /// The output with the largest readout, the first of equals.
    pub prediction: usize,
    /// `-sum_c q_c ln softmax(z)_c`.
    pub nll: f64,
    /// `sum_c z_c^2`.
    pub squared_scores: f64,
    /// `[output]`: derivative of the sample's loss by its readout.
    pub(crate) slope: Vec<T>,
    scores: Vec<f64>,
}

impl<T: Real> SampleLoss<T> {
    /// Reads out one sample: `traces` is `[time, neuron]`, outputs begin at
    /// neuron `first`. `ties` addresses the draws among equal maxima. An output that is not
    /// finite at all times that are read is read out as NaN or infinite.
    #[inline(always)]
    pub(crate) fn read(
        &mut self,
        config: &LossConfig,
        traces: &[T],
        neurons: usize,
        first: usize,
        ties: Option<Address>,
    ) {
        let outputs = first..neurons;
        self.argmax.clear();
        self.readout.clear();
        match config.readout {
            Readout::MaxOverTime | Readout::MaxAfterFirst => {
                let after_first = config.readout == Readout::MaxAfterFirst;
                // A run of one sample has no other.
                let first_step = usize::from(after_first && traces.len() > neurons);
                for block in outputs.clone().step_by(OUTPUT_LANES) {
                    self.find_maxima(&traces[block..], neurons, neurons - block, first_step);
                }
                if let Some(ties) = ties {
                    let begin = &traces[first_step * neurons..];
                    for o in 0..outputs.len() {
                        let draw = ties.element(o as u32);
                        let column = begin[first + o..].iter().step_by(neurons);
                        self.argmax[o] = first_step as u32 + pick(column, self.readout[o], draw);
                    }
                }
            }
            Readout::SumOverTime => {
                self.readout.resize(outputs.len(), T::ZERO);
                for row in traces.chunks_exact(neurons) {
                    for (sum, &value) in self.readout.iter_mut().zip(&row[outputs.clone()]) {
                        *sum += value;
                    }
                }
            }
        }
        self.prediction = 0;
        for (o, &value) in self.readout.iter().enumerate() {
            if value > self.readout[self.prediction] {
                self.prediction = o;
            }
        }
    }

    /// Reads out the first outputs, a block at most, of traces that begin with them and have a
    /// row after each `neurons` numbers.
    #[inline(always)]
    fn find_maxima(&mut self, traces: &[T], neurons: usize, count: usize, first_step: usize) {
        let count = count.min(OUTPUT_LANES);
        // Comparisons pass over what is no number: a product with zero does not, and
        // a maximum that is none stays so.
        // Lanes behind the outputs hold what comes next in the recording.
        let begin: Lanes<T, OUTPUT_LANES> = Lanes::read(&traces[first_step * neurons..]);
        let mut best = begin.zip(&begin, |v, w| v + w * T::ZERO);
        let mut at = [first_step as u32; OUTPUT_LANES];
        for t in first_step + 1..traces.len().div_ceil(neurons) {
            let (values, former) = (Lanes::read(&traces[t * neurons..]), best);
            best = values.zip(&former, |value, best| value.larger(best) + value * T::ZERO);
            for l in 0..OUTPUT_LANES {
                at[l] = if values.0[l] > former.0[l] {
                    t as u32
                } else {
                    at[l]
                };
            }
        }
        self.readout.extend_from_slice(&best.0[..count]);
        self.argmax.extend_from_slice(&at[..count]);
    }

    /// Cost and slopes, of which `share` (1 / batch size) counts for the batch;
    /// `score_slope z` is the derivative of the readout regulariser by `z`.
    ///
    /// The largest score is subtracted before exponentials are taken, so any
    /// finite readout gives finite numbers.
    pub(crate) fn weigh(
        &mut self,
        config: &LossConfig,
        label: usize,
        share: f64,
        score_slope: f64,
    ) {
        let scaling = config.scaling;
        let rest = config.label_smoothing / self.readout.len().max(1) as f64;
        let target = |o| {
            if o == label {
                1.0 - config.label_smoothing + rest
            } else {
                rest
            }
        };
        self.scores.clear();
        let scaled = self.readout.iter().map(|r| scaling * r.to_f64());
        self.scores.extend(scaled);
        self.squared_scores = self.scores.iter().map(|z| z * z).sum();
        let largest = self.scores[self.prediction];
        let total: f64 = self.scores.iter().map(|z| libm::exp(z - largest)).sum();
        let log_total = libm::log(total);
        let aimed = self.scores.iter().enumerate();
        let aimed: f64 = aimed.map(|(o, z)| target(o) * (z - largest)).sum();
        self.nll = log_total - aimed;
        self.slope.clear();
        for (o, &z) in self.scores.iter().enumerate() {
            let probability = libm::exp(z - largest - log_total);
            let by_score = share * (probability - target(o)) + score_slope * z;
            self.slope.push(T::from_f64(scaling * by_score));
        }
    }
}

/// One of the steps at which the trace of a neuron has the value `max`.
#[inline(always)]
fn pick<'a, T: Real>(column: impl Iterator<Item = &'a T> + Clone, max: T, draw: Address) -> u32 {
    let steps = || {
        let column = column.clone().enumerate();
        column.filter(|(_, v)| **v == max).map(|(t, _)| t as u32)
    };
    let equal = steps().count();
    let chosen = if equal > 1 {
        (draw.words(0)[0] as u64 * equal as u64) >> 32
    } else {
        0
    };
    steps().nth(chosen as usize).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use bss2_event::{Domain, Seed};

    use super::*;

    fn read(traces: &[f64], ties: Option<Address>) -> SampleLoss<f64> {
        let mut loss = SampleLoss::default();
        loss.read(&LossConfig::default(), traces, 3, 1, ties);
        loss
    }

    // [time][a hidden neuron, two outputs]
    const TRACES: [f64; 9] = [9.0, 0.0, -2.0, 9.0, 0.5, -1.0, 9.0, 0.5, -1.0];

    #[test]
    fn the_first_of_equal_maxima_is_taken() {
        let loss = read(&TRACES, None);
        assert_eq!(loss.readout, [0.5, -1.0]);
        assert_eq!(loss.argmax, [1, 1]);
        assert_eq!(loss.prediction, 0);
    }

    #[test]
    fn the_first_sample_may_be_left_out() {
        let config = LossConfig {
            readout: Readout::MaxAfterFirst,
            ..LossConfig::default()
        };
        // The second output lies below its first sample from then on.
        let traces = [9.0, 0.0, 0.0, 9.0, 0.5, -2.0, 9.0, 0.4, -1.0];
        let mut loss = SampleLoss::default();
        loss.read(&config, &traces, 3, 1, None);
        assert_eq!(loss.readout, [0.5, -1.0]);
        assert_eq!(loss.argmax, [1, 2]);
        let ties = Address::new(Seed(1), Domain::TieBreak);
        loss.read(&config, &traces, 3, 1, Some(ties));
        assert_eq!(loss.argmax, [1, 2]);
        loss.read(&config, &traces[..3], 3, 1, Some(ties));
        assert_eq!(
            (&loss.readout[..], &loss.argmax[..]),
            (&[0.0, 0.0][..], &[0, 0][..])
        );
    }

    #[test]
    fn ties_are_broken_among_equals_only_and_evenly() {
        let mut late = 0;
        for sample in 0..1000 {
            let ties = Address::new(Seed(1), Domain::TieBreak).sample(sample);
            let loss = read(&TRACES, Some(ties));
            assert!(loss.argmax.iter().all(|&t| t == 1 || t == 2));
            late += usize::from(loss.argmax[0] == 2);
        }
        assert!((400..600).contains(&late), "{late}");
    }

    #[test]
    fn outputs_of_several_blocks_are_read_out_each_for_itself() {
        let sizes = [
            (0, 1, 1),
            (1, 31, 2),
            (3, 32, 5),
            (2, 33, 5),
            (5, 64, 3),
            (1, 70, 9),
        ];
        for (hidden, outputs, steps) in sizes {
            let neurons = hidden + outputs;
            let mut traces: Vec<f64> = (0..steps * neurons)
                .map(|i| (i * 7919 % 11) as f64)
                .collect();
            // They lie behind the outputs of the step before.
            for row in traces.chunks_exact_mut(neurons) {
                row[..hidden].fill(f64::NAN);
            }
            for readout in [Readout::MaxOverTime, Readout::MaxAfterFirst] {
                let config = LossConfig {
                    readout,
                    ..LossConfig::default()
                };
                let begin = usize::from(readout == Readout::MaxAfterFirst && steps > 1);
                for ties in [None, Some(Address::new(Seed(1), Domain::TieBreak))] {
                    let mut loss = SampleLoss::default();
                    loss.read(&config, &traces, neurons, hidden, ties);
                    assert_eq!((loss.readout.len(), loss.argmax.len()), (outputs, outputs));
                    for o in 0..outputs {
                        let at = |t: usize| traces[t * neurons + hidden + o];
                        let max = (begin..steps).map(at).fold(f64::MIN, f64::max);
                        let found = loss.argmax[o] as usize;
                        assert_eq!(loss.readout[o], max);
                        assert!(found >= begin && at(found) == max);
                        let first = (begin..steps).find(|&t| at(t) == max);
                        assert!(ties.is_some() || Some(found) == first);
                    }
                }
            }
        }
    }

    #[test]
    fn no_output_that_is_no_number_is_read_out_as_one() {
        for unfit in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for place in [1, 4, 7] {
                for readout in [Readout::MaxOverTime, Readout::SumOverTime] {
                    let mut traces = TRACES;
                    traces[place] = unfit;
                    let config = LossConfig {
                        readout,
                        ..LossConfig::default()
                    };
                    let mut loss = SampleLoss::default();
                    loss.read(&config, &traces, 3, 1, None);
                    assert!(!loss.readout[0].is_finite() && loss.readout[1].is_finite());
                    loss.weigh(&config, 1, 1.0, 0.0);
                    assert!(loss.nll.is_nan(), "{unfit} at {place}: {}", loss.nll);
                }
            }
        }
    }

    #[test]
    fn huge_readouts_cost_finite_numbers() {
        for scale in [0.0, 1e6, -1e6] {
            let traces = TRACES.map(|v| v * scale);
            let mut loss = read(&traces, None);
            loss.weigh(&LossConfig::default(), 1, 1.0, 0.0);
            assert!(loss.nll.is_finite() && loss.nll >= 0.0, "{}", loss.nll);
            assert!(loss.slope.iter().all(|s| s.is_finite()));
            assert!(loss.slope.iter().sum::<f64>().abs() < 1e-12);
        }
    }

    #[test]
    fn smoothed_labels_cost_the_cross_entropy_and_slope_is_its_derivative() {
        let config = LossConfig {
            label_smoothing: 0.2,
            ..LossConfig::default()
        };
        let cost = |readout: [f64; 3]| {
            let mut loss = SampleLoss::default();
            loss.read(&config, &readout, 3, 0, None);
            loss.weigh(&config, 2, 1.0, 0.0);
            loss
        };
        let readout = [0.05, -0.1, 0.2_f64];
        let total: f64 = readout.iter().map(|r| (10.0 * r).exp()).sum();
        let nll = |r: f64| total.ln() - 10.0 * r;
        let q = 0.2 / 3.0;
        let expected = q * (nll(0.05) + nll(-0.1)) + (0.8 + q) * nll(0.2);
        assert!((cost(readout).nll - expected).abs() < 1e-12);
        for o in 0..3 {
            let moved = |by: f64| {
                let mut readout = readout;
                readout[o] += by;
                cost(readout).nll
            };
            let difference = (moved(1e-6) - moved(-1e-6)) / 2e-6;
            assert!((cost(readout).slope[o] - difference).abs() < 1e-7, "{o}");
        }
    }
}
