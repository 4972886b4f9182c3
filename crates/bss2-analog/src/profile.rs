//! How circuits of a kind deviate, and what noise they make.

use bss2_event::{Farads, RangeError, Seconds, Volts};
use serde::{Deserialize, Serialize};

use crate::capmem::Cell;
use crate::error::AnalogError;
use crate::mismatch::Mixing;

mod cells;

pub(crate) use cells::log_normal;
pub use cells::{
    CellDistributions, CellSpread, Correlation, Distribution, PairCorrelation, QuadrantSpread,
    SpatialTrend,
};

/// How the circuits of a chip deviate from each other, and what noise they make.
///
/// Spreads of potentials and offsets are given in CapMem codes, all others
/// relative to the nominal code: both say which codes a calibration will find.
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
    /// Correlations between the two circuits of a pair, within a quadrant; cells
    /// that are not named are independent. Two different cells of a pair correlate
    /// as they do within a circuit, times the geometric mean of their coefficients
    /// here.
    pub pair_correlations: Vec<PairCorrelation>,
    /// Shape of that spread.
    pub distribution: CellDistributions,
    /// Spread of quadrant means.
    pub quadrant: QuadrantSpread,
    /// Change across every quadrant from left to right.
    pub trend: SpatialTrend,
    /// Curves and noise of the parameter memory.
    pub capmem: CapMemSpread,
    /// Parts that do not work.
    pub dead: DeadFraction,
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
    /// Where the leak's amplifier saturates, volts from the leak potential;
    /// infinite where it is linear. A finite one takes every neuron off the exact
    /// propagator.
    pub leak_saturation: Volts,
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

/// Curves and noise of the cells of the parameter memory.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CapMemSpread {
    /// Relative spread of the gain with which a cell follows its code, about its
    /// working point.
    pub gain: f64,
    /// Spread of a curve's bend: its deviation from a straight line 1022 codes
    /// away, over 1022 codes.
    pub bend: f64,
    /// A write ends up to this many codes beside the code, anew for each write.
    pub write: f64,
    /// Standard deviation of a potential at a refresh, anew for each sample.
    pub refresh_voltage: Volts,
    /// Relative standard deviation of a current at a refresh, anew for each sample.
    pub refresh_current: f64,
}

/// Parts of a chip that do not work, each 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeadFraction {
    /// Of neuron circuits: no event reaches their membrane, and they never fire.
    pub circuits: f64,
    /// Of synapses: no weight conducts.
    pub synapses: f64,
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
    /// Codes that the bend of the ramp, which begins at 210, adds to code 255.
    pub bend: f64,
    /// Time that the ramp takes for 256 codes: a code is the membrane's when the
    /// ramp crosses it. Zero samples all membranes at the beginning of the ramp.
    pub conversion: Seconds,
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
    /// White noise of a read of the MADC, in its codes.
    pub madc: f64,
    /// Delay of the spike comparator.
    pub comparator_delay: Seconds,
    /// Standard deviation of the time of an event about that of its crossing,
    /// within the step of the crossing.
    pub spike_jitter: Seconds,
    /// Standard deviation of how far the potentials of a circuit drift in an hour,
    /// CADC codes.
    pub drift: f64,
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
impl Default for CapMemSpread {
    fn default() -> Self {
        Self {
            gain: 0.02,
            bend: 0.02,
            write: 1.0,
            refresh_voltage: Volts::milli(0.5),
            refresh_current: 0.003,
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
            bend: 9.0,
            conversion: Seconds::new(0.0),
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
            madc: 1.5,
            comparator_delay: Seconds::nano(20.0),
            spike_jitter: Seconds::new(0.0),
            drift: 0.0,
        }
    }
}
impl Default for MismatchProfile {
    fn default() -> Self {
        Self::cube66()
    }
}

impl MismatchProfile {
    /// How much later than scheduled a CADC sample may be taken.
    #[must_use]
    pub fn sample_delay(&self) -> Seconds {
        self.noise.cadc_start + self.noise.cadc_skew + self.cadc.conversion
    }

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
            pair_correlations: Vec::new(),
            distribution: CellDistributions::default(),
            quadrant: QuadrantSpread::default(),
            trend: SpatialTrend::default(),
            capmem: CapMemSpread::default(),
            dead: DeadFraction::default(),
            synapse: SynapseSpread::default(),
            cadc: CadcSpread::default(),
            noise: NoiseProfile::default(),
            parasitic_capacitance: Farads::pico(0.2),
            rail: Volts::new(1.2),
            synaptic_saturation: 8.0,
            leak_saturation: Volts::new(f64::INFINITY),
        }
    }

    /// No deviation, no noise, no limit: codes are still codes, weights still
    /// have six bits and the CADC still rounds.
    #[must_use]
    pub fn ideal() -> Self {
        Self {
            name: "ideal".to_owned(),
            within: CellSpread::NONE,
            correlations: Vec::new(),
            pair_correlations: Vec::new(),
            distribution: CellDistributions::default(),
            quadrant: QuadrantSpread::NONE,
            trend: SpatialTrend::NONE,
            capmem: CapMemSpread {
                gain: 0.0,
                bend: 0.0,
                write: 0.0,
                refresh_voltage: Volts::new(0.0),
                refresh_current: 0.0,
            },
            dead: DeadFraction::default(),
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
                bend: 0.0,
                conversion: Seconds::new(0.0),
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
                madc: 0.0,
                comparator_delay: Seconds::new(0.0),
                spike_jitter: Seconds::new(0.0),
                drift: 0.0,
            },
            parasitic_capacitance: Farads::new(0.0),
            rail: Volts::new(f64::INFINITY),
            synaptic_saturation: f64::INFINITY,
            leak_saturation: Volts::new(f64::INFINITY),
        }
    }

    /// The profile's name for titles: a built-in one that was changed says so.
    #[must_use]
    pub fn label(&self) -> String {
        match Self::named(&self.name) {
            Ok(built_in) if built_in != *self => format!("{}, changed", self.name),
            _ => self.name.clone(),
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
        self.within.validate(&self.distribution)?;
        self.quadrant.validate()?;
        self.trend.validate()?;
        let (m, d, s) = (&self.capmem, &self.dead, &self.synapse);
        let (c, n) = (&self.cadc, &self.noise);
        for (field, value, max) in [
            ("capmem.gain", m.gain, 0.2),
            ("capmem.bend", m.bend, 0.2),
            ("capmem.write", m.write, 20.0),
            ("capmem.refresh_current", m.refresh_current, 0.1),
            ("dead.circuits", d.circuits, 1.0),
            ("dead.synapses", d.synapses, 1.0),
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
            ("noise.madc", n.madc, 100.0),
            ("cadc.bend", c.bend, 45.0),
            ("noise.trial_leak", n.trial_leak, 20.0),
            ("noise.trial_threshold", n.trial_threshold, 20.0),
            ("noise.trial_strength", n.trial_strength, 0.3),
            ("noise.trial_tau", n.trial_tau, 0.1),
            ("noise.drift", n.drift, 100.0),
        ] {
            RangeError::check(field, value, 0.0, max, "")?;
        }
        for (field, voltage) in [
            ("capmem.refresh_voltage", m.refresh_voltage),
            ("noise.membrane", n.membrane),
        ] {
            RangeError::check(field, voltage.as_milli(), 0.0, 50.0, "mV")?;
        }
        for (field, time, max) in [
            ("cadc.conversion", c.conversion, 0.54),
            ("noise.cadc_start", n.cadc_start, 1.0),
            ("noise.cadc_skew", n.cadc_skew, 0.5),
            ("noise.comparator_delay", n.comparator_delay, 1.0),
            ("noise.spike_jitter", n.spike_jitter, 0.1),
        ] {
            RangeError::check(field, time.as_micro(), 0.0, max, "us")?;
        }
        let pico = self.parasitic_capacitance.get() * 1e12;
        RangeError::check("parasitic_capacitance", pico, 0.0, 2.0, "pF")?;
        RangeError::check("rail", self.rail.get(), 0.5, f64::INFINITY, "V")?;
        let leak = self.leak_saturation.get();
        RangeError::check("leak_saturation", leak, 0.05, f64::INFINITY, "V")?;
        RangeError::check(
            "synaptic_saturation",
            self.synaptic_saturation,
            0.5,
            f64::INFINITY,
            "",
        )?;
        Mixing::new(self).map(|_| ())
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
        assert_eq!(profile.label(), "cube66, changed");
        assert_eq!(MismatchProfile::cube66().label(), "cube66");
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
        // Leaks that are nearly the same, resets that are not, both bound to each other.
        let mut profile = MismatchProfile::cube66();
        let leak = |r| PairCorrelation {
            cell: Cell::VLeak,
            r,
        };
        profile.pair_correlations.push(leak(0.9));
        let error = profile.validate().unwrap_err();
        assert!(matches!(error, AnalogError::Correlations { .. }));
        assert!(error.to_string().contains("pair_correlations"), "{error}");
        profile.pair_correlations = vec![leak(0.0), leak(0.5)];
        let error = profile.validate().unwrap_err();
        assert!(error.to_string().contains("v_leak twice"), "{error}");
        profile.pair_correlations = vec![leak(1.2)];
        let error = profile.validate().unwrap_err().to_string();
        assert_eq!(error, "pair_correlations.r is 1.2, allowed are 0 to 0.99");
    }
}
