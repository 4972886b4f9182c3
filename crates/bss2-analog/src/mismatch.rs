//! The fixed-pattern deviations of one chip: a seed and a profile.

use bss2_event::random::{Address, Domain, Seed};
use bss2_event::{RangeError, Site};
use nalgebra::{Cholesky, SMatrix, SVector};

use crate::capmem::Cell;
use crate::error::AnalogError;
use crate::profile::{Correlation, MismatchProfile};

/// Cells that deviate: all of [`Cell::ALL`] but the offset current.
const MIXED: usize = 10;
/// Quadrants of the chip.
const QUADRANTS: usize = 4;
/// Circuits of one quadrant.
pub(crate) const QUADRANT_CIRCUITS: usize = Site::CIRCUITS / QUADRANTS;

/// The deviations of one chip.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FixedPattern {
    /// `[circuit]`: how far every cell is off.
    pub(crate) circuits: Vec<CircuitDeviation>,
    /// Relative strength of each synapse without that of its circuit,
    /// `[half][row][column]`.
    pub(crate) synapse_gain: Vec<f32>,
    /// `[channel]`, causal channels of the 512 columns: codes added.
    pub(crate) cadc_offset: Vec<f64>,
    /// `[channel]`: relative gain.
    pub(crate) cadc_gain: Vec<f64>,
}

/// Deviations of one circuit. Where a factor is given, the circuit needs that
/// many times the nominal bias for the nominal effect.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct CircuitDeviation {
    pub(crate) v_leak_codes: f64,
    pub(crate) v_reset_codes: f64,
    pub(crate) v_threshold_codes: f64,
    pub(crate) leak_factor: f64,
    /// `[excitatory, inhibitory]`, as the following.
    pub(crate) tau_factor: [f64; 2],
    pub(crate) strength_factor: [f64; 2],
    pub(crate) shift_codes: [f64; 2],
}

impl FixedPattern {
    /// Draws a chip.
    pub(crate) fn draw(profile: &MismatchProfile, chip: Seed) -> Result<Self, AnalogError> {
        profile.validate()?;
        let mixing = mixing(profile)?;
        let quadrant_address = Address::new(chip, Domain::MismatchQuadrant);
        let neuron_address = Address::new(chip, Domain::MismatchNeuron);
        let (w, q) = (&profile.within, &profile.quadrant);
        let circuits = (0..Site::CIRCUITS)
            .map(|n| {
                let common = |draw| {
                    quadrant_address
                        .element((n / QUADRANT_CIRCUITS) as u32)
                        .normal(draw)
                };
                let single = neuron_address.element(n as u32);
                let z = mixing * SVector::<f64, MIXED>::from_fn(|i, _| single.normal(i as u32));
                let z = |cell: Cell| z[cell as usize];
                CircuitDeviation {
                    v_leak_codes: w.v_leak * z(Cell::VLeak) + q.v_leak * common(1),
                    v_reset_codes: w.v_reset * z(Cell::VReset) + q.v_reset * common(2),
                    v_threshold_codes: w.v_threshold * z(Cell::VThreshold)
                        + q.v_threshold * common(3),
                    leak_factor: libm::exp(w.leak * z(Cell::IBiasLeak) + q.leak * common(4)),
                    tau_factor: [Cell::IBiasSyninExcTau, Cell::IBiasSyninInhTau]
                        .map(|cell| libm::exp(w.tau_syn * z(cell) + q.tau_syn * common(0))),
                    strength_factor: [Cell::IBiasSyninExcGm, Cell::IBiasSyninInhGm]
                        .map(|cell| libm::exp(w.strength * z(cell) + q.strength * common(0))),
                    // The published chip has no circuit outside 40..800.
                    shift_codes: [Cell::IBiasSyninExcShift, Cell::IBiasSyninInhShift].map(|cell| {
                        let nominal = f64::from(cell.nominal());
                        (w.shift * z(cell)).clamp(40.0 - nominal, 800.0 - nominal)
                    }),
                }
            })
            .collect();
        let s = &profile.synapse;
        let synapse = Address::new(chip, Domain::MismatchSynapse);
        let driver = Address::new(chip, Domain::MismatchDriver);
        let mut synapse_gain = Vec::with_capacity(Site::CIRCUITS * Site::ROWS);
        for half_row in 0..2 * Site::ROWS as u32 {
            let row_gain = 1.0 + s.row_gain * driver.element(half_row).normal(0);
            for column in 0..256 {
                let single = 1.0 + s.synapse_gain * synapse.element(half_row).normal(column);
                synapse_gain.push((row_gain * single).max(0.0) as f32);
            }
        }
        let cadc = Address::new(chip, Domain::MismatchCadc);
        let channel = |n: usize, draw| cadc.element(n as u32).normal(draw);
        Ok(Self {
            circuits,
            synapse_gain,
            cadc_offset: (0..Site::CIRCUITS)
                .map(|n| profile.cadc.offset * channel(n, 0))
                .collect(),
            cadc_gain: (0..Site::CIRCUITS)
                .map(|n| {
                    let quadrant = channel(Site::CIRCUITS + n / QUADRANT_CIRCUITS, 0);
                    1.0 + profile.cadc.channel_gain * channel(n, 1)
                        + profile.cadc.quadrant_gain * quadrant
                })
                .collect(),
        })
    }
}

/// Lower triangular matrix that turns independent into correlated normals.
pub(crate) fn mixing(profile: &MismatchProfile) -> Result<SMatrix<f64, MIXED, MIXED>, AnalogError> {
    let mut correlation = SMatrix::<f64, MIXED, MIXED>::identity();
    for &Correlation { a, b, r } in &profile.correlations {
        RangeError::check("correlations.r", r, -1.0, 1.0, "")?;
        let (a, b) = (a as usize, b as usize);
        if a == b || a >= MIXED || b >= MIXED {
            return Err(AnalogError::Correlations {
                reason: "a pair must name two different cells, and not the offset current"
                    .to_owned(),
            });
        }
        correlation[(a, b)] = r;
        correlation[(b, a)] = r;
    }
    Cholesky::new(correlation)
        .map(|c| c.l())
        .ok_or_else(|| AnalogError::Correlations {
            reason: "the matrix is not positive definite".to_owned(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sampler_reproduces_the_published_spread() {
        // 40 chips: quadrant means and neurons within a quadrant.
        let profile = MismatchProfile::cube66();
        let (mut within, mut count, mut cross) = ([0.0; 2], 0.0, 0.0);
        for chip in 0..40 {
            let pattern = FixedPattern::draw(&profile, Seed(chip)).unwrap();
            for quadrant in pattern.circuits.chunks(QUADRANT_CIRCUITS) {
                let mean = |f: &dyn Fn(&CircuitDeviation) -> f64| {
                    quadrant.iter().map(f).sum::<f64>() / quadrant.len() as f64
                };
                let (leak, reset) = (mean(&|c| c.v_leak_codes), mean(&|c| c.v_reset_codes));
                for c in quadrant {
                    within[0] += (c.v_leak_codes - leak).powi(2);
                    within[1] += (c.v_reset_codes - reset).powi(2);
                    cross += (c.v_leak_codes - leak) * (c.v_reset_codes - reset);
                    count += 1.0;
                }
            }
        }
        let sd = within.map(|s: f64| (s / count).sqrt());
        assert!(
            (sd[0] - 34.4).abs() < 0.6 && (sd[1] - 32.6).abs() < 0.6,
            "{sd:?}"
        );
        let r = cross / (within[0] * within[1]).sqrt();
        assert!((r - 0.61).abs() < 0.02, "{r}");
    }
}
