//! How circuits of a kind deviate, and what noise they make.

use bss2_event::{Farads, RangeError, Seconds, Volts};
use serde::{Deserialize, Serialize};

use crate::capmem::Cell;
use crate::error::AnalogError;
use crate::mismatch::mixing;

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
    pub cadc_start: Seconds,
    /// The halves' CADCs differ by up to this much, anew for each sample.
    pub cadc_skew: Seconds,
    /// Delay of the spike comparator.
    pub comparator_delay: Seconds,
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
        mixing(self).map(|_| ())
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
}
