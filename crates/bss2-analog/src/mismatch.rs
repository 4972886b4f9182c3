//! The fixed-pattern deviations of one chip: a seed and a profile.

use bss2_event::random::{Address, Domain, Seed};
use bss2_event::{RangeError, Site};
use nalgebra::{Cholesky, SMatrix, SVector};

use crate::capmem::Cell;
use crate::curve::Curve;
use crate::error::AnalogError;
use crate::profile::{Correlation, MismatchProfile, PairCorrelation, log_normal};

/// Number of cells of a circuit.
pub(crate) const CELLS: usize = Cell::ALL.len();
/// Quadrants of the chip.
const QUADRANTS: usize = 4;
/// Circuits of one quadrant.
pub(crate) const QUADRANT_CIRCUITS: usize = Site::CIRCUITS / QUADRANTS;

/// The deviations of one chip.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FixedPattern {
    /// `[circuit][cell]`: what a circuit makes of its codes.
    pub(crate) curves: Vec<[Curve; CELLS]>,
    /// `[circuit]`: whether it does not work.
    pub(crate) dead: Vec<bool>,
    /// Relative strength of each synapse without that of its circuit,
    /// `[half][row][column]`.
    pub(crate) synapse_gain: Vec<f32>,
    /// `[channel]`, causal channels of the 512 columns: codes added.
    pub(crate) cadc_offset: Vec<f64>,
    /// `[channel]`: relative gain.
    pub(crate) cadc_gain: Vec<f64>,
}

impl FixedPattern {
    /// Draws a chip.
    pub(crate) fn draw(profile: &MismatchProfile, chip: Seed) -> Result<Self, AnalogError> {
        profile.validate()?;
        let mixing = Mixing::new(profile)?;
        let address = |domain| Address::new(chip, domain);
        let neuron = address(Domain::MismatchNeuron);
        let independent = |n: usize| {
            let single = neuron.element(n as u32);
            SVector::<f64, CELLS>::from_fn(|i, _| single.normal(i as u32))
        };
        let curves = (0..Site::CIRCUITS)
            .step_by(2)
            .flat_map(|n| {
                let pair = mixing.pair(independent(n), independent(n + 1));
                [(n, pair[0]), (n + 1, pair[1])]
            })
            .map(|(n, z)| Cell::ALL.map(|cell| curve(profile, chip, n, cell, z[cell as usize])))
            .collect();
        let dead = address(Domain::MismatchDead);
        let is_dead = |element, draw, fraction| {
            fraction > 0.0 && dead.element(element).uniform(draw) < fraction
        };
        let s = &profile.synapse;
        let synapse = address(Domain::MismatchSynapse);
        let driver = address(Domain::MismatchDriver);
        let mut synapse_gain = Vec::with_capacity(Site::CIRCUITS * Site::ROWS);
        for half_row in 0..2 * Site::ROWS as u32 {
            let row_gain = 1.0 + s.row_gain * driver.element(half_row).normal(0);
            for column in 0..256 {
                let single = 1.0 + s.synapse_gain * synapse.element(half_row).normal(column);
                let dead = is_dead(half_row, column + 1, profile.dead.synapses);
                let gain = if dead { 0.0 } else { row_gain * single };
                synapse_gain.push(gain.max(0.0) as f32);
            }
        }
        let cadc = address(Domain::MismatchCadc);
        let channel = |n: usize, draw| cadc.element(n as u32).normal(draw);
        Ok(Self {
            curves,
            dead: (0..Site::CIRCUITS as u32)
                .map(|n| is_dead(n, 0, profile.dead.circuits))
                .collect(),
            synapse_gain,
            cadc_offset: (0..Site::CIRCUITS)
                .map(|n| profile.cadc.offset * channel(n, 0))
                .collect(),
            cadc_gain: (0..Site::CIRCUITS)
                .map(|n| {
                    let quadrant = channel(Site::CIRCUITS + n / QUADRANT_CIRCUITS, 0);
                    let gain = 1.0
                        + profile.cadc.channel_gain * channel(n, 1)
                        + profile.cadc.quadrant_gain * quadrant;
                    // Codes rise with the voltage, however wide the spread.
                    gain.max(0.05)
                })
                .collect(),
        })
    }
}

/// Draws the curve of a cell of circuit `n`; `z` is its own normal number.
fn curve(profile: &MismatchProfile, chip: Seed, n: usize, cell: Cell, z: f64) -> Curve {
    let nominal = f64::from(cell.nominal());
    let in_codes =
        cell.is_potential() || matches!(cell, Cell::IBiasSyninExcShift | Cell::IBiasSyninInhShift);
    // Cells that are nominally off have no code to be relative to.
    let scale = if in_codes { nominal.max(1.0) } else { 1.0 };
    let (draw, quadrant_spread) = profile.quadrant.of(cell);
    let quadrant = Address::new(chip, Domain::MismatchQuadrant)
        .element((n / QUADRANT_CIRCUITS) as u32)
        .normal(draw);
    let single = profile
        .distribution
        .of(cell)
        .factor(z, profile.within.of(cell) / scale);
    // From -1/2 at the left edge of a quadrant to 1/2 at the right one.
    let place = (n % QUADRANT_CIRCUITS) as f64 / (QUADRANT_CIRCUITS - 1) as f64 - 0.5;
    let trend = profile.trend.of(cell) * place / scale;
    let factor = if in_codes {
        single + (quadrant_spread * quadrant) / scale + trend
    } else {
        single * log_normal(quadrant, quadrant_spread) * (1.0 + trend)
    };
    let factor = match cell {
        // The published chip has no circuit outside 40..800.
        Cell::IBiasSyninExcShift | Cell::IBiasSyninInhShift => {
            factor.clamp(40.0 / nominal, 800.0 / nominal)
        }
        _ => factor.max(0.05),
    };
    let own = Address::new(chip, Domain::MismatchCurve).element(n as u32);
    let draw = 2 * cell as u32;
    // A mirror with twice the current needs half the code.
    let slope = if in_codes { 1.0 } else { 1.0 / factor };
    let gain = slope * (1.0 + profile.capmem.gain * own.normal(draw)).max(0.2);
    Curve {
        reference: nominal * factor,
        nominal,
        gain,
        bend: Curve::rising_bend(gain, profile.capmem.bend * own.normal(draw + 1)),
    }
}

type Matrix = SMatrix<f64, CELLS, CELLS>;
type Normals = SVector<f64, CELLS>;

/// Turns independent normals into those of a pair of circuits, correlated within each
/// circuit and between the two: the second is drawn given the first.
#[derive(Debug, Clone)]
pub(crate) struct Mixing {
    first: Matrix,
    /// What the second takes from the first.
    shared: Matrix,
    second: Matrix,
}

impl Mixing {
    pub(crate) fn new(profile: &MismatchProfile) -> Result<Self, AnalogError> {
        let within = within_circuits(&profile.correlations)?;
        let between = between_circuits(&profile.pair_correlations, &within)?;
        let factor = |covariance: Matrix, reason: &str| {
            let reason = reason.to_owned();
            Cholesky::new(covariance).ok_or(AnalogError::Correlations { reason })
        };
        let first = factor(
            within,
            "the matrix of `correlations` is not positive definite",
        )?;
        let shared = between * first.inverse();
        let second = factor(
            within - shared * between,
            "cells that `correlations` binds to each other need smaller coefficients in \
             `pair_correlations`, or more similar ones",
        )?;
        Ok(Self {
            first: first.l(),
            shared,
            second: second.l(),
        })
    }

    fn pair(&self, first: Normals, second: Normals) -> [Normals; 2] {
        let first = self.first * first;
        [first, self.shared * first + self.second * second]
    }
}

/// Correlation matrix of the cells of a circuit.
fn within_circuits(correlations: &[Correlation]) -> Result<Matrix, AnalogError> {
    let mut within = Matrix::identity();
    for &Correlation { a, b, r } in correlations {
        RangeError::check("correlations.r", r, -1.0, 1.0, "")?;
        let (a, b) = (a as usize, b as usize);
        if a == b {
            return Err(AnalogError::Correlations {
                reason: "a pair must name two different cells".to_owned(),
            });
        }
        within[(a, b)] = r;
        within[(b, a)] = r;
    }
    Ok(within)
}

/// Correlation matrix of the cells of a circuit with those of its partner.
fn between_circuits(
    correlations: &[PairCorrelation],
    within: &Matrix,
) -> Result<Matrix, AnalogError> {
    let (mut root, mut named) = (Normals::zeros(), [false; CELLS]);
    for &PairCorrelation { cell, r } in correlations {
        RangeError::check("pair_correlations.r", r, 0.0, 0.99, "")?;
        root[cell as usize] = r.sqrt();
        if std::mem::replace(&mut named[cell as usize], true) {
            return Err(AnalogError::Correlations {
                reason: format!("pair_correlations names {cell} twice"),
            });
        }
    }
    Ok(within.component_mul(&(root * root.transpose())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_channel_falls_with_its_voltage_however_wide_the_spread() {
        let mut profile = MismatchProfile::cube66();
        profile.cadc.channel_gain = 0.2;
        profile.cadc.quadrant_gain = 0.2;
        let pattern = FixedPattern::draw(&profile, Seed(0)).unwrap();
        let least = pattern.cadc_gain.iter().copied().fold(1.0, f64::min);
        assert_eq!(least, 0.05);
    }

    #[test]
    fn the_sampler_reproduces_the_published_spread() {
        // 40 chips: quadrant means and neurons within a quadrant.
        let profile = MismatchProfile::cube66();
        let (mut within, mut count, mut cross) = ([0.0; 2], 0.0, 0.0);
        for chip in 0..40 {
            let pattern = FixedPattern::draw(&profile, Seed(chip)).unwrap();
            for quadrant in pattern.curves.chunks(QUADRANT_CIRCUITS) {
                let code = |cell: Cell, n: usize| quadrant[n][cell as usize].reference;
                let cells = [Cell::VLeak, Cell::VReset];
                let mean = cells.map(|cell| {
                    (0..QUADRANT_CIRCUITS).map(|n| code(cell, n)).sum::<f64>()
                        / QUADRANT_CIRCUITS as f64
                });
                for n in 0..QUADRANT_CIRCUITS {
                    let [leak, reset] = [0, 1].map(|i| code(cells[i], n) - mean[i]);
                    within[0] += leak.powi(2);
                    within[1] += reset.powi(2);
                    cross += leak * reset;
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

    #[test]
    fn circuits_of_a_pair_correlate_as_asked() {
        let mut profile = MismatchProfile::cube66();
        profile.quadrant = crate::QuadrantSpread::NONE;
        profile.trend = crate::SpatialTrend::NONE;
        let named = [
            (Cell::VLeak, 0.6),
            (Cell::VReset, 0.4),
            (Cell::VThreshold, 0.0),
        ];
        let correlated = named.map(|(cell, r)| PairCorrelation { cell, r });
        // (a cell, another of the partner, without and with correlation)
        let expected = [
            (Cell::VLeak, Cell::VLeak, [0.0, 0.6]),
            (Cell::VReset, Cell::VReset, [0.0, 0.4]),
            (Cell::VThreshold, Cell::VThreshold, [0.0, 0.0]),
            (Cell::VLeak, Cell::VReset, [0.0, 0.61 * 0.24_f64.sqrt()]),
            (Cell::VReset, Cell::VLeak, [0.0, 0.61 * 0.24_f64.sqrt()]),
        ];
        for (case, list) in [Vec::new(), correlated.to_vec()].into_iter().enumerate() {
            profile.pair_correlations = list;
            let mut codes = Vec::new();
            for chip in 0..40 {
                let pattern = FixedPattern::draw(&profile, Seed(chip)).unwrap();
                codes.extend(
                    pattern
                        .curves
                        .into_iter()
                        .map(|curves| Cell::ALL.map(|cell| curves[cell as usize].reference)),
                );
            }
            let mean = |cell: Cell| {
                codes.iter().map(|c| c[cell as usize]).sum::<f64>() / codes.len() as f64
            };
            let correlation = |a: Cell, b: Cell, distance: usize| {
                let (mut sums, means) = ([0.0; 3], [mean(a), mean(b)]);
                for n in (0..codes.len()).step_by(2) {
                    let x = codes[n][a as usize] - means[0];
                    let y = codes[n + distance][b as usize] - means[1];
                    for (sum, product) in sums.iter_mut().zip([x * y, x * x, y * y]) {
                        *sum += product;
                    }
                }
                sums[0] / (sums[1] * sums[2]).sqrt()
            };
            // Of 10,240 pairs: standard error 0.01.
            for (a, b, r) in expected {
                let found = correlation(a, b, 1);
                assert!((found - r[case]).abs() < 0.04, "{a:?} {b:?} {found}");
            }
            let own = correlation(Cell::VLeak, Cell::VReset, 0);
            assert!((own - 0.61).abs() < 0.04, "within a circuit {own}");
        }
    }
}
