//! Fixed-pattern deviations: a chip is a seed and a profile.

use bss2_event::random::{Address, Domain, Seed};
use bss2_event::{Farads, RangeError, Site, Volts};
use nalgebra::{Cholesky, SMatrix, SVector};
use serde::{Deserialize, Serialize};

use crate::capmem::Cell;
use crate::error::AnalogError;

/// How the circuits of a chip deviate from each other, and what noise they make.
///
/// Spreads of potentials and shifts are given in CapMem codes, spreads of
/// conductances as the standard deviation of a natural logarithm: both say
/// which codes a calibration will find.
///
/// # Source
/// Hardware fact sheet, sections 3, 5, 9 and 10; each default is listed in
/// `docs/model.md`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MismatchProfile {
    /// Name that results are labelled with.
    pub name: String,
    /// Spread of each neuron cell within a quadrant.
    pub within: CellSpread,
    /// Correlations between cells of one circuit, within a quadrant.
    pub correlations: Vec<Correlation>,
    /// Spread of quadrant means.
    pub quadrant: QuadrantSpread,
    /// Synapses and their drivers.
    pub synapse: SynapseSpread,
    /// CADC channels.
    pub cadc: CadcSpread,
    /// Noise in time.
    pub noise: NoiseProfile,
    /// Capacitance of every circuit beside its adjustable capacitor.
    pub parasitic_capacitance: Farads,
    /// Membrane rails: potentials stay between zero and this.
    pub rail: Volts,
    /// Where a synaptic input saturates, in currents of one event of full
    /// weight; infinite where it does not.
    pub synaptic_saturation: f64,
}

/// Spread of the cells of one circuit, without what is common to its quadrant.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CellSpread {
    /// Leak potential, codes.
    pub v_leak: f64,
    /// Reset potential, codes.
    pub v_reset: f64,
    /// Threshold, codes.
    pub v_threshold: f64,
    /// Leak conductance, logarithmic.
    pub leak: f64,
    /// Synaptic time constants, logarithmic.
    pub tau_syn: f64,
    /// Synaptic strength, logarithmic.
    pub strength: f64,
    /// Offset of the synaptic amplifiers, codes.
    pub shift: f64,
}

/// Correlation between two cells of a circuit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Correlation {
    /// One cell.
    pub a: Cell,
    /// The other.
    pub b: Cell,
    /// Coefficient, -1 to 1.
    pub r: f64,
}

/// Spread of what the circuits of a quadrant share.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QuadrantSpread {
    /// Logarithmic spread of synaptic strength; the same draw moves both signs.
    pub strength: f64,
    /// Logarithmic spread of synaptic time constants; the same draw as strength.
    pub tau_syn: f64,
    /// Logarithmic spread of leak conductance.
    pub leak: f64,
    /// Leak potential, codes.
    pub v_leak: f64,
    /// Reset potential, codes.
    pub v_reset: f64,
    /// Threshold, codes.
    pub v_threshold: f64,
}

/// Spread of synapses and drivers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SynapseSpread {
    /// Relative spread of single synapses.
    pub synapse_gain: f64,
    /// Relative spread of rows.
    pub row_gain: f64,
    /// Largest deviation of the weight DAC from a straight line, in steps of 1/63.
    pub integral_nonlinearity: f64,
}

/// Spread and noise of CADC channels, in codes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CadcSpread {
    /// Spread of channel offsets.
    pub offset: f64,
    /// Relative spread of channel gains.
    pub channel_gain: f64,
    /// Relative spread of quadrant gains.
    pub quadrant_gain: f64,
    /// White noise of one read.
    pub noise: f64,
    /// Whether codes are rounded to whole numbers and clipped to 0..255.
    pub quantise: bool,
}

/// Noise in time and from trial to trial.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NoiseProfile {
    /// Standard deviation of the membrane noise; its correlation time is the
    /// membrane time constant.
    pub membrane: Volts,
    /// Trial-to-trial spread of the leak potential, CADC codes.
    pub trial_leak: f64,
    /// Trial-to-trial spread of the threshold, CADC codes.
    pub trial_threshold: f64,
    /// Trial-to-trial relative spread of synaptic strength.
    pub trial_strength: f64,
    /// Trial-to-trial relative spread of time constants.
    pub trial_tau: f64,
    /// The CADC starts up to this much late, anew for each sample.
    pub cadc_start: bss2_event::Seconds,
    /// The halves' CADCs differ by up to this much, anew for each sample.
    pub cadc_skew: bss2_event::Seconds,
    /// Delay of the spike comparator.
    pub comparator_delay: bss2_event::Seconds,
}

impl Default for CellSpread {
    fn default() -> Self {
        Self {
            v_leak: 34.4,
            v_reset: 32.6,
            v_threshold: 14.3,
            leak: 0.125,
            tau_syn: 0.22,
            strength: 0.055,
            shift: 120.0,
        }
    }
}
impl Default for QuadrantSpread {
    fn default() -> Self {
        Self {
            strength: 0.29,
            tau_syn: 0.20,
            leak: 0.06,
            v_leak: 22.0,
            v_reset: 26.0,
            v_threshold: 12.0,
        }
    }
}
impl Default for SynapseSpread {
    fn default() -> Self {
        Self {
            synapse_gain: 0.05,
            row_gain: 0.02,
            integral_nonlinearity: 0.5,
        }
    }
}
impl Default for CadcSpread {
    fn default() -> Self {
        Self {
            offset: 10.0,
            channel_gain: 0.01,
            quadrant_gain: 0.01,
            noise: 1.0,
            quantise: true,
        }
    }
}
impl Default for NoiseProfile {
    fn default() -> Self {
        use bss2_event::Seconds;
        Self {
            membrane: Volts::milli(1.5),
            trial_leak: 0.5,
            trial_threshold: 0.5,
            trial_strength: 0.01,
            trial_tau: 0.005,
            cadc_start: Seconds::nano(200.0),
            cadc_skew: Seconds::nano(100.0),
            comparator_delay: Seconds::nano(20.0),
        }
    }
}
impl Default for MismatchProfile {
    fn default() -> Self {
        Self::cube66()
    }
}

impl MismatchProfile {
    /// The spread measured on the published chip, and the fact sheet's defaults
    /// for what was not published.
    #[must_use]
    pub fn cube66() -> Self {
        let pairs = [
            (Cell::VLeak, Cell::VReset, 0.61),
            (Cell::VLeak, Cell::VThreshold, 0.21),
            (Cell::VReset, Cell::VThreshold, 0.28),
            (Cell::VLeak, Cell::IBiasLeak, -0.25),
            (Cell::VReset, Cell::IBiasLeak, -0.17),
            (Cell::IBiasSyninExcGm, Cell::IBiasSyninInhGm, 0.42),
            (Cell::IBiasSyninExcGm, Cell::IBiasSyninExcShift, -0.28),
        ];
        Self {
            name: "cube66".to_owned(),
            within: CellSpread::default(),
            correlations: pairs.map(|(a, b, r)| Correlation { a, b, r }).to_vec(),
            quadrant: QuadrantSpread::default(),
            synapse: SynapseSpread::default(),
            cadc: CadcSpread::default(),
            noise: NoiseProfile::default(),
            parasitic_capacitance: Farads::pico(0.2),
            rail: Volts::new(1.2),
            synaptic_saturation: 8.0,
        }
    }

    /// No deviation, no noise, no limit: codes are still codes, weights still
    /// have six bits and the CADC still rounds.
    #[must_use]
    pub fn ideal() -> Self {
        use bss2_event::Seconds;
        Self {
            name: "ideal".to_owned(),
            within: CellSpread {
                v_leak: 0.0,
                v_reset: 0.0,
                v_threshold: 0.0,
                leak: 0.0,
                tau_syn: 0.0,
                strength: 0.0,
                shift: 0.0,
            },
            correlations: Vec::new(),
            quadrant: QuadrantSpread {
                strength: 0.0,
                tau_syn: 0.0,
                leak: 0.0,
                v_leak: 0.0,
                v_reset: 0.0,
                v_threshold: 0.0,
            },
            synapse: SynapseSpread {
                synapse_gain: 0.0,
                row_gain: 0.0,
                integral_nonlinearity: 0.0,
            },
            cadc: CadcSpread {
                offset: 0.0,
                channel_gain: 0.0,
                quadrant_gain: 0.0,
                noise: 0.0,
                quantise: true,
            },
            noise: NoiseProfile {
                membrane: Volts::new(0.0),
                trial_leak: 0.0,
                trial_threshold: 0.0,
                trial_strength: 0.0,
                trial_tau: 0.0,
                cadc_start: Seconds::new(0.0),
                cadc_skew: Seconds::new(0.0),
                comparator_delay: Seconds::new(0.0),
            },
            parasitic_capacitance: Farads::new(0.0),
            rail: Volts::new(f64::INFINITY),
            synaptic_saturation: f64::INFINITY,
        }
    }

    /// A built-in profile by name.
    ///
    /// # Errors
    /// [`AnalogError::UnknownProfile`].
    pub fn named(name: &str) -> Result<Self, AnalogError> {
        match name {
            "ideal" => Ok(Self::ideal()),
            "cube66" => Ok(Self::cube66()),
            _ => Err(AnalogError::UnknownProfile {
                name: name.to_owned(),
            }),
        }
    }

    /// Checks every number.
    ///
    /// # Errors
    /// The first value outside its range, or correlations that contradict each other.
    pub fn validate(&self) -> Result<(), AnalogError> {
        let (w, q, s, c, n) = (
            &self.within,
            &self.quadrant,
            &self.synapse,
            &self.cadc,
            &self.noise,
        );
        for (field, value, max) in [
            ("within.v_leak", w.v_leak, 200.0),
            ("within.v_reset", w.v_reset, 200.0),
            ("within.v_threshold", w.v_threshold, 200.0),
            ("within.leak", w.leak, 1.0),
            ("within.tau_syn", w.tau_syn, 1.0),
            ("within.strength", w.strength, 1.0),
            ("within.shift", w.shift, 400.0),
            ("quadrant.strength", q.strength, 1.0),
            ("quadrant.tau_syn", q.tau_syn, 1.0),
            ("quadrant.leak", q.leak, 1.0),
            ("quadrant.v_leak", q.v_leak, 200.0),
            ("quadrant.v_reset", q.v_reset, 200.0),
            ("quadrant.v_threshold", q.v_threshold, 200.0),
            ("synapse.synapse_gain", s.synapse_gain, 0.3),
            ("synapse.row_gain", s.row_gain, 0.3),
            (
                "synapse.integral_nonlinearity",
                s.integral_nonlinearity,
                10.0,
            ),
            ("cadc.offset", c.offset, 40.0),
            ("cadc.channel_gain", c.channel_gain, 0.2),
            ("cadc.quadrant_gain", c.quadrant_gain, 0.2),
            ("cadc.noise", c.noise, 20.0),
            ("noise.trial_leak", n.trial_leak, 20.0),
            ("noise.trial_threshold", n.trial_threshold, 20.0),
            ("noise.trial_strength", n.trial_strength, 0.3),
            ("noise.trial_tau", n.trial_tau, 0.1),
        ] {
            RangeError::check(field, value, 0.0, max, "")?;
        }
        RangeError::check("noise.membrane", n.membrane.as_milli(), 0.0, 50.0, "mV")?;
        for (field, time, max) in [
            ("noise.cadc_start", n.cadc_start, 1.0),
            ("noise.cadc_skew", n.cadc_skew, 0.5),
            ("noise.comparator_delay", n.comparator_delay, 1.0),
        ] {
            RangeError::check(field, time.as_micro(), 0.0, max, "us")?;
        }
        let pico = self.parasitic_capacitance.get() * 1e12;
        RangeError::check("parasitic_capacitance", pico, 0.0, 2.0, "pF")?;
        RangeError::check("rail", self.rail.get(), 0.5, f64::INFINITY, "V")?;
        RangeError::check(
            "synaptic_saturation",
            self.synaptic_saturation,
            0.5,
            f64::INFINITY,
            "",
        )?;
        self.mixing().map(|_| ())
    }

    /// Lower triangular matrix that turns independent into correlated normals.
    fn mixing(&self) -> Result<SMatrix<f64, MIXED, MIXED>, AnalogError> {
        let mut correlation = SMatrix::<f64, MIXED, MIXED>::identity();
        for &Correlation { a, b, r } in &self.correlations {
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
}

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
        let mixing = profile.mixing()?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_survives_its_own_text_and_says_what_is_wrong() {
        let mut profile = MismatchProfile::cube66();
        profile.validate().unwrap();
        profile.within.tau_syn = 1.5;
        let error = profile.validate().unwrap_err().to_string();
        assert_eq!(error, "within.tau_syn is 1.5, allowed are 0 to 1");
        let mut profile = MismatchProfile::cube66();
        profile.correlations.push(Correlation {
            a: Cell::VLeak,
            b: Cell::VReset,
            r: 0.9,
        });
        profile.correlations.push(Correlation {
            a: Cell::VLeak,
            b: Cell::VThreshold,
            r: -0.9,
        });
        assert!(matches!(
            profile.validate(),
            Err(AnalogError::Correlations { .. })
        ));
    }

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
