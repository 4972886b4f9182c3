//! Weights as the hardware holds them: signed 7 bit.

use bss2_event::{SignedWeight, SimdPath};
use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use crate::error::LearnError;
use crate::network::{Layer, Weights};

/// How learned weights become weights of the hardware.
///
/// Hidden and recurrent weights: `round(hidden_scale w)`. Output weights:
/// `round(s w)` with the self-adjusting scale `s = min(63 / max |w|,
/// output_scale_max)`, since the readout's traces can be scaled back.
///
/// # Source
/// Cramer et al. 2022, public code: 240 and 250, both for steps of 1.7 us; in proportion for
/// a learner whose steps are shorter. That traces are scaled back is ours.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QuantiseConfig {
    /// Hardware weight for a hidden weight of 1: so much drive brings a
    /// membrane from leak to threshold in one step.
    pub hidden_scale: f32,
    /// Upper bound of the output scale.
    pub output_scale_max: f32,
}

impl Default for QuantiseConfig {
    fn default() -> Self {
        Self {
            hidden_scale: 240.0,
            output_scale_max: 250.0,
        }
    }
}

impl QuantiseConfig {
    /// The largest hidden weight that the hardware can hold: 63 over [`Self::hidden_scale`].
    #[must_use]
    pub fn hidden_limit(&self) -> f64 {
        f64::from(SignedWeight::MAX.get()) / f64::from(self.hidden_scale)
    }
}

/// A matrix of signed weights, `[source][target]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SignedMatrix {
    targets: usize,
    weights: Vec<i8>,
}

impl SignedMatrix {
    /// Number of targets.
    #[must_use]
    pub fn targets(&self) -> usize {
        self.targets
    }
    /// All weights, `[source][target]`, each -63..=63.
    #[must_use]
    pub fn as_slice(&self) -> &[i8] {
        &self.weights
    }
    /// The weights of one source, by target.
    ///
    /// # Panics
    /// If there is no such source.
    #[must_use]
    pub fn of(&self, source: usize) -> &[i8] {
        &self.weights[source * self.targets..][..self.targets]
    }

    fn fill(&mut self, layer: Layer, from: &DMatrix<f32>, scale: f32) -> Result<Sums, LearnError> {
        self.targets = from.nrows();
        self.weights.resize(from.len(), 0);
        let weights = &mut self.weights[..];
        let sums = SimdPath::Native.dispatch(
            #[inline(always)]
            || round(from.as_slice(), scale, weights),
        );
        // Written so that a NaN is refused as well.
        if !sums.in_range {
            let value = from.iter().copied().find(|w| !fits(w * scale));
            let limit = match layer {
                Layer::Hidden | Layer::Recurrent => f32::from(SignedWeight::MAX.get()) / scale,
                // Their scale makes all that are finite fit.
                Layer::Output => f32::MAX,
            };
            return Err(LearnError::WeightRange {
                layer,
                value: value.unwrap_or(f32::NAN),
                limit,
                limited_by: "chip.quantise.hidden_scale",
            });
        }
        Ok(sums)
    }
}

struct Sums {
    in_range: bool,
    /// Whether all rounded weights are zero.
    silent: bool,
    /// Whether some weight was not zero.
    meant: bool,
}

#[inline(always)]
fn fits(scaled: f32) -> bool {
    // 63.5 rounds to 64, the even neighbour.
    scaled.abs() < 63.5
}

/// Rounds to the nearest whole number, halves to even.
#[inline(always)]
fn round(from: &[f32], scale: f32, to: &mut [i8]) -> Sums {
    // Adding and taking away 1.5 * 2^23 leaves no room for fractions; this is
    // the same on every processor, and a conversion to i32 is a vector
    // instruction where one to i8 is not.
    const NO_FRACTION: f32 = 12_582_912.0;
    let (mut out_of_range, mut any, mut meant) = (0_u32, 0_i32, 0_u32);
    for (w, to) in from.iter().zip(to) {
        let scaled = w * scale;
        out_of_range |= u32::from(!fits(scaled));
        meant |= u32::from(*w != 0.0);
        let rounded = (scaled + NO_FRACTION).to_bits() as i32 - NO_FRACTION.to_bits() as i32;
        any |= rounded;
        *to = rounded as i8;
    }
    Sums {
        in_range: out_of_range == 0,
        silent: any == 0,
        meant: meant != 0,
    }
}

/// All weights of a network as the hardware holds them; reusable.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct QuantisedWeights {
    /// Inputs to hidden neurons.
    pub hidden: SignedMatrix,
    /// Hidden to hidden neurons.
    pub recurrent: Option<SignedMatrix>,
    /// Hidden neurons to outputs.
    pub output: SignedMatrix,
    /// Hardware weight for an output weight of 1.
    pub output_scale: f32,
    /// Projections whose weights all rounded to zero although some were not.
    pub silent_layers: Vec<Layer>,
}

impl QuantisedWeights {
    /// Quantises all weights into this buffer.
    ///
    /// # Errors
    /// [`LearnError::WeightRange`] when a hidden or recurrent weight is beyond
    /// what the hardware can hold, or any weight is not a number. The buffer's
    /// content is then unspecified.
    pub fn fill(&mut self, weights: &Weights, config: &QuantiseConfig) -> Result<(), LearnError> {
        self.silent_layers.clear();
        self.output_scale = output_scale(&weights.output, config);
        if weights.recurrent.is_none() {
            self.recurrent = None;
        }
        for (layer, from) in weights.layers() {
            let (to, scale) = match layer {
                Layer::Hidden => (&mut self.hidden, config.hidden_scale),
                Layer::Recurrent => (self.recurrent.get_or_insert_default(), config.hidden_scale),
                Layer::Output => (&mut self.output, self.output_scale),
            };
            let sums = to.fill(layer, from, scale)?;
            if sums.silent && sums.meant {
                self.silent_layers.push(layer);
            }
        }
        Ok(())
    }
}

/// `min(63 / max |w|, output_scale_max)`.
fn output_scale(output: &DMatrix<f32>, config: &QuantiseConfig) -> f32 {
    // Many maxima side by side: one alone waits for each comparison.
    let (whole, rest) = output.as_slice().as_chunks::<16>();
    let mut most = [0.0_f32; 16];
    for weights in whole {
        for (most, w) in most.iter_mut().zip(weights) {
            *most = most.max(w.abs());
        }
    }
    let all = rest.iter().chain(&most);
    let largest = all.fold(0.0_f32, |largest, w| largest.max(w.abs()));
    (f32::from(SignedWeight::MAX.get()) / largest).min(config.output_scale_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(hidden: &[f32], output: &[f32]) -> Weights {
        Weights {
            hidden: DMatrix::from_column_slice(hidden.len(), 1, hidden),
            recurrent: None,
            output: DMatrix::from_column_slice(1, hidden.len(), output),
        }
    }

    #[test]
    fn weights_are_rounded_and_the_output_fills_its_range() {
        let mut q = QuantisedWeights::default();
        let w = weights(&[63.0 / 240.0, -0.1, 0.0021], &[0.5, -2.0, 0.7]);
        q.fill(&w, &QuantiseConfig::default()).unwrap();
        assert_eq!(q.hidden.as_slice(), &[63, -24, 1]);
        assert_eq!(q.output_scale, 31.5);
        assert_eq!(q.output.as_slice(), &[16, -63, 22]);
        assert_eq!(q.output.of(1), &[-63]);
        assert!(q.silent_layers.is_empty());
    }

    #[test]
    fn what_cannot_be_held_is_refused_and_silence_is_named() {
        let mut q = QuantisedWeights::default();
        for bad in [0.27, -1e30, f32::NAN] {
            let w = weights(&[0.0, bad], &[0.1, 0.1]);
            let error = q.fill(&w, &QuantiseConfig::default()).unwrap_err();
            let text = format!(
                "a hidden weight is {bad}, allowed are -0.2625 to 0.2625 (chip.quantise.hidden_scale)"
            );
            assert_eq!(error.to_string(), text);
        }
        for bad in [f32::NAN, f32::INFINITY] {
            let w = weights(&[0.0, 0.1], &[0.1, bad]);
            let error = q.fill(&w, &QuantiseConfig::default()).unwrap_err();
            let text = error.to_string();
            assert!(text.starts_with("an output weight is"), "{text}");
            assert!(text.ends_with("allowed are finite numbers"), "{text}");
        }
        let w = weights(&[0.002, -0.002], &[0.0, 0.0]);
        q.fill(&w, &QuantiseConfig::default()).unwrap();
        assert_eq!(q.silent_layers, [Layer::Hidden]);
        assert_eq!(q.output_scale, 250.0);
    }
}
