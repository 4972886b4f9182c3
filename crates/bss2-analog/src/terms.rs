//! From codes to the terms of a circuit beside leak and current-based inputs:
//! exponential term, adaptation, conductance-based inputs.

use bss2_event::RangeError;
use serde::{Deserialize, Serialize};

use crate::cadc::VOLTS_PER_LSB;
use crate::capmem::Cell;
use crate::circuit::{CircuitConfig, TAU_NOMINAL};
use crate::neuron::terms::{Adaptation, Exponential, Reversal, Terms};

/// Switches of a circuit's adaptation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdaptationConfig {
    /// Whether the circuit adapts.
    pub enabled: bool,
    /// Flips the sign of the adaptation by the membrane.
    pub invert_a: bool,
    /// Flips the sign of the adaptation by spikes.
    pub invert_b: bool,
    /// A spike charges the adaptation for 2^(scale + 1) / 250 MHz, 0..=15; the
    /// same for all circuits of a half.
    pub pulse_scale: u8,
}

impl Default for AdaptationConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            invert_a: false,
            invert_b: false,
            pulse_scale: NOMINAL_PULSE_SCALE,
        }
    }
}

impl AdaptationConfig {
    pub(crate) fn validate(self) -> Result<(), RangeError> {
        let scale = f64::from(self.pulse_scale);
        RangeError::check("adaptation.pulse_scale", scale, 0.0, 15.0, "")
    }
}

/// Pulse of 256 ns. DEFAULT.
const NOMINAL_PULSE_SCALE: u8 = 5;

/// Slope of the exponential term at the nominal code, volts.
///
/// # Source
/// Default of the experiment software, hardware fact sheet, section 2.
const NOMINAL_SLOPE: f64 = 50e-3;

/// CADC code that the nominal code of the exponential threshold stands for.
///
/// # Source
/// Default of the experiment software, hardware fact sheet, section 2.
const NOMINAL_V_EXP_LSB: f64 = 110.0;

/// Adaptation time constant at the nominal code, microseconds.
///
/// # Source
/// Default of the experiment software, hardware fact sheet, section 2.
const NOMINAL_TAU_W: f64 = 100.0;

/// A spike's step of the adaptation at nominal code and pulse, in volts that the
/// membrane of a nominal leak would fall if it lasted. DEFAULT.
const NOMINAL_B: f64 = 40e-3;

/// CADC code that the nominal code of the adaptation's leak stands for. DEFAULT:
/// that of the membrane's.
const NOMINAL_V_ADAPT_LSB: f64 = 80.0;

/// Volts on the adaptation's capacitor that the nominal code of its reference
/// stands for, and its largest: DEFAULT, the middle of the range and the supply.
const NOMINAL_V_ADAPT_REF: f64 = 0.6;
const ADAPTATION_SUPPLY: f64 = 1.2;

/// CADC codes that the nominal codes of the reversal potentials stand for. DEFAULT.
const NOMINAL_REVERSAL_LSB: [f64; 2] = [200.0, 60.0];

/// Distance to the reversal potential, at the nominal code, at which a
/// conductance-based input has the current of a current-based one, CADC codes.
/// DEFAULT: that of the nominal threshold to the leak.
const NOMINAL_DRIVING_LSB: f64 = 70.0;

/// The terms of one circuit on a membrane of nominal capacitance, in microseconds
/// and volts.
///
/// `potential(cell, lsb)` is what a cell holds, in volts, if its nominal code
/// stands for `lsb`; `bias(cell)` is relative to the nominal bias. The conductance
/// of the exponential term and of adaptation are nominal ones, not those of the
/// leak as it is set: DEFAULT.
pub(crate) fn of(
    config: &CircuitConfig,
    potential: impl Fn(Cell, f64) -> f64,
    bias: impl Fn(Cell) -> f64,
) -> Terms {
    // Nominal conductance over capacitance, per microsecond.
    let rate = 1.0 / (1e6 * TAU_NOMINAL);
    let switches = &config.adaptation;
    let sign = |inverted: bool| if inverted { -1.0 } else { 1.0 };
    let exponential = config.exponential.then(|| Exponential {
        tau: 1.0 / rate,
        slope: NOMINAL_SLOPE / bias(Cell::IBiasExp),
        threshold: potential(Cell::VExp, NOMINAL_V_EXP_LSB),
    });
    let adaptation = switches.enabled.then(|| {
        let pulse = 2_f64.powi(i32::from(switches.pulse_scale) - i32::from(NOMINAL_PULSE_SCALE));
        let baseline = potential(Cell::VAdaptRef, NOMINAL_V_ADAPT_REF / VOLTS_PER_LSB);
        let baseline = baseline.clamp(0.0, ADAPTATION_SUPPLY);
        Adaptation {
            tau: NOMINAL_TAU_W / bias(Cell::IBiasAdaptTau),
            a: sign(switches.invert_a) * rate * bias(Cell::IBiasAdaptA),
            b: sign(switches.invert_b) * rate * NOMINAL_B * bias(Cell::IBiasAdaptB) * pulse,
            leak: potential(Cell::VAdaptLeak, NOMINAL_V_ADAPT_LSB),
            range: (-rate * baseline, rate * (ADAPTATION_SUPPLY - baseline)),
        }
    });
    let input = |sign: usize, reversal: Cell, coba: Cell| {
        config.conductance_based[sign].then(|| Reversal {
            potential: potential(reversal, NOMINAL_REVERSAL_LSB[sign]),
            scale: NOMINAL_DRIVING_LSB * VOLTS_PER_LSB / bias(coba),
        })
    };
    Terms {
        exponential,
        adaptation,
        reversal: [
            input(0, Cell::ESyninExcRev, Cell::IBiasSyninExcCoba),
            input(1, Cell::ESyninInhRev, Cell::IBiasSyninInhCoba),
            None,
            None,
        ],
        leak_range: f64::INFINITY,
    }
}
