//! Measured codes become traces in the learner's units.

use bss2_event::{SimdPath, Volts};
use serde::{Deserialize, Serialize};

use crate::network::NetworkShape;
use crate::quantise::QuantiseConfig;

/// What a step of a code means for a membrane.
///
/// `trace = (V - v_leak) / swing` with `V = code / 256 * full_scale`, then the
/// first sample of each neuron is subtracted. The leak of 0.38 V cancels by
/// that subtraction, so it is no setting here.
///
/// # Source
/// Cramer et al. 2022, public code: 1.2 V and 0.33 V.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TraceScale {
    /// Voltage of 256 codes.
    pub full_scale: Volts,
    /// Voltage from leak to threshold.
    pub swing: Volts,
    /// Bits of a code that the learner is told, 1 to 8: of fewer than 8 the rest is
    /// rounded away. The calibration has all of them.
    pub bits: u32,
}

impl Default for TraceScale {
    fn default() -> Self {
        Self {
            full_scale: Volts::new(1.2),
            swing: Volts::new(0.33),
            bits: 8,
        }
    }
}

impl TraceScale {
    /// Change of the trace per code, for each neuron of a network: output
    /// traces are scaled back by `hidden_scale / output_scale`, so that they are those of the
    /// learned weights (ours; the public code leaves them as they are).
    #[must_use]
    pub fn gains(
        &self,
        shape: NetworkShape,
        quantise: &QuantiseConfig,
        output_scale: f32,
    ) -> Vec<f32> {
        let hidden = (self.full_scale / self.swing / 256.0) as f32;
        let output = hidden * (quantise.hidden_scale / output_scale);
        let mut gains = vec![hidden; shape.hidden];
        gains.resize(shape.neurons(), output);
        gains
    }
}

/// A code to so many bits, in steps of `2^(8 - bits)`; with 8 it stays, rounded or not.
#[must_use]
pub fn coarse_code(code: f32, bits: u32) -> f32 {
    if bits >= 8 {
        return code;
    }
    let step = (1 << (8 - bits)) as f32;
    (code / step).round_ties_even().min(255.0 / step).floor() * step
}

/// Normalises the codes of one sample: `traces[t][n] = (codes[t][n] -
/// codes[0][n]) gains[n]`; both are `[time, neuron]`.
///
/// Codes may be unrounded. Gains come from [`TraceScale::gains`]. Neurons before
/// `from` are left out: their traces stay what they were.
///
/// # Panics
/// If the slices differ in length or are no whole number of rows, or there are no
/// more than `from` neurons.
pub fn normalise_traces(codes: &[f32], gains: &[f32], from: usize, traces: &mut [f32]) {
    assert_eq!(codes.len(), traces.len(), "a trace for each code");
    let neurons = gains.len();
    assert!(
        neurons > 0 && codes.len().is_multiple_of(neurons),
        "rows of one code per neuron"
    );
    SimdPath::Native.dispatch(
        #[inline(always)]
        || {
            for (row, out) in codes
                .chunks_exact(neurons)
                .zip(traces.chunks_exact_mut(neurons))
            {
                let (row, out) = (&row[from..], &mut out[from..]);
                let (first, gains) = (&codes[from..neurons], &gains[from..]);
                for n in 0..out.len() {
                    out[n] = (row[n] - first[n]) * gains[n];
                }
            }
        },
    );
}

/// What a trace does between two samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interpolation {
    /// It keeps the last sample.
    #[default]
    Hold,
    /// It runs straight to the next sample; after the last one it stays.
    Linear,
}

/// Puts the traces of one sample on a grid that is `k` times finer: `coarse`
/// is `[time, neuron]`, `fine` is `[k time, neuron]`.
///
/// # Panics
/// If `fine` is not `k` times as long as `coarse`, `coarse` is no whole number of rows, or
/// there are no neurons.
pub fn interpolate_traces(
    coarse: &[f32],
    neurons: usize,
    k: usize,
    between: Interpolation,
    fine: &mut [f32],
) {
    assert_eq!(fine.len(), k * coarse.len(), "k fine rows for each row");
    assert!(coarse.len().is_multiple_of(neurons), "rows of neurons");
    let last = coarse.len().saturating_sub(neurons);
    for (i, out) in fine.chunks_exact_mut(neurons).enumerate() {
        let at = i / k * neurons;
        let here = &coarse[at..][..neurons];
        let next = &coarse[(at + neurons).min(last)..][..neurons];
        let weight = match between {
            Interpolation::Hold => 0.0,
            Interpolation::Linear => (i % k) as f32 / k as f32,
        };
        for n in 0..neurons {
            out[n] = here[n] + weight * (next[n] - here[n]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_few_bits_lie_on_few_levels() {
        for bits in 1..=8 {
            let mut levels: Vec<f32> = (0..256).map(|c| coarse_code(c as f32, bits)).collect();
            for (code, level) in levels.iter().enumerate() {
                let step = (1 << (8 - bits)) as f32;
                let top = level + step > 255.0;
                assert!((level - code as f32).abs() <= if top { step } else { step / 2.0 });
            }
            levels.dedup();
            assert_eq!(levels.len(), 1 << bits, "{bits} bits");
        }
        assert_eq!(coarse_code(7.3, 8), 7.3);
    }

    const SHAPE: NetworkShape = NetworkShape {
        inputs: 1,
        hidden: 1,
        outputs: 1,
        recurrent: false,
    };

    #[test]
    fn a_threshold_of_seventy_codes_is_one() {
        let gains = TraceScale::default().gains(SHAPE, &QuantiseConfig::default(), 120.0);
        let mut traces = [0.0; 4];
        normalise_traces(&[80.0, 81.5, 150.0, 151.5], &gains, 0, &mut traces);
        assert_eq!(traces[..2], [0.0, 0.0]);
        assert!((traces[2] - 70.0 / 256.0 * 1.2 / 0.33).abs() < 1e-6);
        assert!((traces[3] - 2.0 * traces[2]).abs() < 1e-6);
    }

    #[test]
    fn traces_are_held_or_run_straight() {
        let coarse = [0.0, 10.0, 4.0, 30.0];
        let mut fine = [0.0; 8];
        interpolate_traces(&coarse, 2, 2, Interpolation::Hold, &mut fine);
        assert_eq!(fine, [0.0, 10.0, 0.0, 10.0, 4.0, 30.0, 4.0, 30.0]);
        interpolate_traces(&coarse, 2, 2, Interpolation::Linear, &mut fine);
        assert_eq!(fine, [0.0, 10.0, 2.0, 20.0, 4.0, 30.0, 4.0, 30.0]);
    }
}
