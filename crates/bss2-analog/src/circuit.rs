//! From codes to the physical parameters of one neuron circuit.

use bss2_event::{RangeError, Seconds};
use serde::{Deserialize, Serialize};

use crate::cadc::VOLTS_PER_LSB;
use crate::capmem::{Cell, VOLTS_PER_CODE, current, effective_bias};
use crate::error::AnalogError;
use crate::mismatch::CELLS;
use crate::neuron::terms::Terms;
use crate::profile::MismatchProfile;
use crate::terms::{self, AdaptationConfig};
use crate::trial::refresh_volts;

/// Full scale of the adjustable membrane capacitor, farads.
///
/// # Source
/// Hardware fact sheet, section 2.
const CAPACITOR_FULL_SCALE: f64 = 2.3e-12;

/// Membrane time constant and synaptic time constants of a circuit without
/// deviations at nominal codes, seconds.
pub(crate) const TAU_NOMINAL: f64 = 6e-6;

/// Slew of the membrane by one event of weight 63 on a circuit without
/// deviations at nominal codes, volts per second.
///
/// # Source
/// Our choice, because no absolute strength is published: a weight of 240 then
/// moves the membrane as far as a weight of 1 moves the learner's, which
/// advances in steps of 1.7 us. The learner's impulse response `w (k + 1) a^k`
/// with `a = exp(-dt/tau)` is that of a current of `w exp(dt/tau) / dt`
/// thresholds per second; 63/240 of that, with the threshold 70 CADC codes
/// above the leak.
pub(crate) fn nominal_slew() -> f64 {
    const DT: f64 = 1.7e-6;
    let threshold_distance = 70.0 * VOLTS_PER_LSB;
    63.0 / 240.0 * threshold_distance * libm::exp(DT / TAU_NOMINAL) / DT
}

/// Resting potential moved by one code of a synaptic offset cell, volts.
///
/// # Source
/// DEFAULT: 0.15 CADC codes at the nominal membrane.
const SHIFT_VOLTS_PER_CODE: f64 = 0.15 * VOLTS_PER_LSB;

/// CADC codes that the nominal codes of the potential cells stand for.
pub(crate) const NOMINAL_LEAK_LSB: f64 = 80.0;
pub(crate) const NOMINAL_RESET_LSB: f64 = 80.0;
pub(crate) const NOMINAL_THRESHOLD_LSB: f64 = 150.0;

/// Digital factor on the leak conductance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeakScale {
    /// No leak.
    Off,
    /// Divided by eight.
    Eighth,
    /// As set by the bias.
    #[default]
    Unity,
    /// Multiplied by eight.
    Eightfold,
}

impl LeakScale {
    fn factor(self) -> f64 {
        match self {
            Self::Off => 0.0,
            Self::Eighth => 0.125,
            Self::Unity => 1.0,
            Self::Eightfold => 8.0,
        }
    }
}

/// Digital settings of one neuron circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CircuitConfig {
    /// Membrane capacitor, 0..=63.
    pub capacitance: u8,
    /// Factor on the leak conductance.
    pub leak_scale: LeakScale,
    /// Whether the excitatory and the inhibitory synaptic input are connected.
    pub synaptic_input: [bool; 2],
    /// Whether the spike comparator is on.
    pub threshold_enabled: bool,
    /// Sign of the offset current.
    pub offset_current: OffsetCurrent,
    /// Refractory counter.
    pub refractory: RefractoryCounter,
    /// Whether the excitatory and the inhibitory synaptic input are
    /// conductance-based; else they are current-based.
    pub conductance_based: [bool; 2],
    /// Whether the exponential term is on.
    pub exponential: bool,
    /// Adaptation.
    pub adaptation: AdaptationConfig,
}

impl Default for CircuitConfig {
    fn default() -> Self {
        Self {
            capacitance: 63,
            leak_scale: LeakScale::Unity,
            synaptic_input: [true; 2],
            threshold_enabled: true,
            offset_current: OffsetCurrent::Off,
            refractory: RefractoryCounter::default(),
            conductance_based: [false; 2],
            exponential: false,
            adaptation: AdaptationConfig::default(),
        }
    }
}

/// Direction of the offset current onto the membrane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OffsetCurrent {
    /// No current.
    #[default]
    Off,
    /// Raises the membrane.
    Positive,
    /// Lowers the membrane.
    Negative,
}

/// The digital counter that times refractoriness.
///
/// The clock is 250 MHz / 2^(scale + 1); the period lasts `counter` cycles, and
/// the reset is released 31 - 2 `holdoff` cycles (at least one) before its end.
///
/// # Source
/// Hardware fact sheet, section 2 (exact).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RefractoryCounter {
    /// Clock divider exponent, 0..=15.
    pub clock_scale: u8,
    /// Cycles of the refractory period; more than the hold-off has.
    pub counter: u8,
    /// Setting of the early release, 0..=15.
    pub holdoff: u8,
}

impl Default for RefractoryCounter {
    /// 2 us, as on the published chip.
    fn default() -> Self {
        Self {
            clock_scale: 0,
            counter: 250,
            holdoff: 15,
        }
    }
}

impl RefractoryCounter {
    fn clock_hz(self) -> f64 {
        250e6 / f64::from(1_u32 << (self.clock_scale + 1))
    }

    fn holdoff_cycles(self) -> u8 {
        (0x1f - 2 * self.holdoff.min(15)).max(1)
    }

    /// The counter nearest to a refractory period, on the fastest clock that
    /// reaches it.
    ///
    /// # Errors
    /// [`RangeError`] outside 40 ns to 32 us.
    pub fn for_period(period: Seconds) -> Result<Self, RangeError> {
        RangeError::check("refractory period", period.as_micro(), 0.04, 32.0, "us")?;
        for clock_scale in 0..16 {
            let candidate = Self {
                clock_scale,
                ..Self::default()
            };
            let cycles = (period.get() * candidate.clock_hz()).round();
            if cycles <= 255.0 {
                return Ok(Self {
                    counter: cycles as u8,
                    ..candidate
                });
            }
        }
        unreachable!("the slowest clock counts to more than 32 us")
    }

    /// Time during which no spike is sent.
    #[must_use]
    pub fn period(self) -> Seconds {
        Seconds::new(f64::from(self.counter) / self.clock_hz())
    }

    /// Time from the release of the reset to the end of the refractory period: the membrane
    /// moves already, and the comparator is not listened to yet.
    #[must_use]
    pub fn holdoff(self) -> Seconds {
        self.period() - self.reset_duration()
    }

    /// Time during which the membrane is held at the reset potential.
    #[must_use]
    pub fn reset_duration(self) -> Seconds {
        Seconds::new(
            f64::from(self.counter.saturating_sub(self.holdoff_cycles())) / self.clock_hz(),
        )
    }

    pub(crate) fn validate(self, circuit: u16) -> Result<(), AnalogError> {
        RangeError::check(
            "refractory.clock_scale",
            self.clock_scale.into(),
            0.0,
            15.0,
            "",
        )?;
        RangeError::check("refractory.holdoff", self.holdoff.into(), 0.0, 15.0, "")?;
        let holdoff_cycles = self.holdoff_cycles();
        if self.counter <= holdoff_cycles {
            return Err(AnalogError::HoldoffTooLong {
                circuit,
                counter: self.counter,
                holdoff_cycles,
            });
        }
        Ok(())
    }
}

/// Capacitances of a logical neuron with which the model counts, picofarads.
pub(crate) const CAPACITANCES: (f64, f64) = (0.05, 10.0);

/// The smallest setting of a capacitor with which a neuron of so many circuits, the others
/// without theirs, reaches [`CAPACITANCES`].
pub(crate) fn least_capacitor(circuits: usize, profile: &MismatchProfile) -> f64 {
    let parasitic = 1e12 * profile.parasitic_capacitance.get() * circuits as f64;
    let least = (CAPACITANCES.0 - parasitic) / (1e12 * CAPACITOR_FULL_SCALE / 63.0);
    least.max(0.0).ceil()
}

/// Capacitance of a membrane, in farads, for a setting of its capacitor.
pub(crate) fn membrane_capacitance(setting: u8, profile: &MismatchProfile) -> f64 {
    profile.parasitic_capacitance.get() + CAPACITOR_FULL_SCALE * f64::from(setting) / 63.0
}

/// What the codes of a circuit stand for: for each cell of [`Cell::ALL`] the code
/// with which a circuit without deviations has the same effect.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct NominalCodes(pub(crate) [f64; CELLS]);

impl NominalCodes {
    pub(crate) fn get(&self, cell: Cell) -> f64 {
        self.0[cell as usize]
    }
}

/// Physical parameters of one circuit, from codes and digital settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct CircuitParameters {
    /// Volts, as the following potentials.
    pub(crate) v_leak: f64,
    pub(crate) v_reset: f64,
    pub(crate) v_threshold: f64,
    /// Siemens.
    pub(crate) g_leak: f64,
    /// Farads.
    pub(crate) capacitance: f64,
    /// Amperes onto the membrane that flow without any event.
    pub(crate) standing_current: f64,
    /// Standard deviation of what drives the membrane at rest, amperes, at a
    /// refresh of the cells.
    pub(crate) standing_sd: f64,
    /// `[excitatory, inhibitory]`, seconds.
    pub(crate) tau_syn: [f64; 2],
    /// Amperes at the peak of one event of weight 63, not negative.
    pub(crate) strength: [f64; 2],
    /// On a membrane of nominal capacitance.
    pub(crate) terms: Terms,
}

/// Capacitance of a membrane at the largest setting.
pub(crate) fn nominal_capacitance(profile: &MismatchProfile) -> f64 {
    membrane_capacitance(63, profile)
}

/// Leak conductance below which a membrane never comes, siemens: its time constant
/// is 2 ms then.
///
/// # Source
/// DEFAULT: the longest that the calibration library's fits allow, hardware fact
/// sheet, section 2.
pub(crate) fn least_conductance(profile: &MismatchProfile) -> f64 {
    nominal_capacitance(profile) / 2e-3
}

impl CircuitParameters {
    /// As of a circuit that no event reaches.
    pub(crate) fn without_inputs(self) -> Self {
        Self {
            strength: [0.0; 2],
            ..self
        }
    }

    pub(crate) fn of(
        codes: &NominalCodes,
        config: &CircuitConfig,
        profile: &MismatchProfile,
    ) -> Self {
        let potential = |cell: Cell, nominal_lsb: f64| {
            nominal_lsb * VOLTS_PER_LSB
                + VOLTS_PER_CODE * (codes.get(cell) - f64::from(cell.nominal()))
        };
        // Effect of a bias relative to that of the nominal one.
        // A mirror at code 0 still leaks about a code: DEFAULT.
        let relative_bias = |cell: Cell| {
            effective_bias(codes.get(cell).max(1.0)) / effective_bias(f64::from(cell.nominal()))
        };
        let nominal_capacitance = nominal_capacitance(profile);
        let nominal_leak = nominal_capacitance / TAU_NOMINAL;
        let inputs = [
            (
                Cell::IBiasSyninExcTau,
                Cell::IBiasSyninExcGm,
                Cell::IBiasSyninExcShift,
                1.0,
            ),
            (
                Cell::IBiasSyninInhTau,
                Cell::IBiasSyninInhGm,
                Cell::IBiasSyninInhShift,
                -1.0,
            ),
        ];
        let offset_current = current(codes.get(Cell::IMemOffset).max(0.0));
        let mut standing_current = match config.offset_current {
            OffsetCurrent::Off => 0.0,
            OffsetCurrent::Positive => offset_current,
            OffsetCurrent::Negative => -offset_current,
        };
        let mut standing_variance = 0.0;
        let (mut tau_syn, mut strength) = ([0.0; 2], [0.0; 2]);
        for (sign, (tau, gm, shift, direction)) in inputs.into_iter().enumerate() {
            tau_syn[sign] = TAU_NOMINAL / relative_bias(tau);
            if config.synaptic_input[sign] {
                let gain = relative_bias(gm);
                strength[sign] = gain * nominal_slew() * nominal_capacitance;
                let off = codes.get(shift) - f64::from(shift.nominal());
                let per_code = gain * SHIFT_VOLTS_PER_CODE * nominal_leak;
                standing_current += direction * per_code * off;
                let refresh = profile.capmem.refresh_current * codes.get(shift);
                standing_variance += (per_code * refresh).powi(2);
            }
        }
        let g_leak = nominal_leak * relative_bias(Cell::IBiasLeak) * config.leak_scale.factor();
        standing_variance += (g_leak * refresh_volts(&profile.capmem)).powi(2);
        Self {
            v_leak: potential(Cell::VLeak, NOMINAL_LEAK_LSB),
            v_reset: potential(Cell::VReset, NOMINAL_RESET_LSB),
            v_threshold: potential(Cell::VThreshold, NOMINAL_THRESHOLD_LSB),
            g_leak,
            capacitance: membrane_capacitance(config.capacitance, profile),
            standing_current,
            standing_sd: standing_variance.sqrt(),
            tau_syn,
            strength,
            terms: terms::of(config, potential, relative_bias),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AnalogCore;

    #[test]
    fn the_published_counter_lasts_two_microseconds() {
        let counter = RefractoryCounter::for_period(Seconds::micro(2.0)).unwrap();
        assert_eq!(counter, RefractoryCounter::default());
        assert_eq!(counter.period(), Seconds::micro(2.0));
        // All but the last cycle of 8 ns.
        assert!((counter.reset_duration().as_micro() - 1.992).abs() < 1e-9);
        let slow = RefractoryCounter::for_period(Seconds::micro(32.0)).unwrap();
        assert!((slow.period().as_micro() - 32.0).abs() < 0.2);
        assert!(RefractoryCounter::for_period(Seconds::micro(33.0)).is_err());
        // A reset of no length would end as it begins, and a membrane whose reset lies
        // above threshold fire for ever at one moment.
        for (counter, holdoff, least) in [(20, 0, 32), (31, 0, 32), (1, 15, 2)] {
            let glitch = RefractoryCounter {
                counter,
                holdoff,
                ..slow
            };
            let error = glitch.validate(3).unwrap_err().to_string();
            let told = format!("circuit 3 is {counter}, allowed are {least} to 255");
            assert!(error.contains(&told), "{error}");
            let shortest = RefractoryCounter {
                counter: least,
                ..glitch
            };
            shortest.validate(3).unwrap();
            assert!(shortest.reset_duration() > Seconds::new(0.0));
        }
    }

    #[test]
    fn without_deviations_nominal_codes_give_the_targets() {
        let profile = MismatchProfile::ideal();
        let core = AnalogCore::new(profile.clone(), bss2_event::Seed(1)).unwrap();
        let codes = core.nominal_codes(17);
        assert_eq!(codes.0, Cell::ALL.map(|cell| f64::from(cell.nominal())));
        let p = CircuitParameters::of(&codes, &CircuitConfig::default(), &profile);
        assert!((p.capacitance / p.g_leak - 6e-6).abs() < 1e-15);
        assert!(p.tau_syn.iter().all(|tau| (tau - 6e-6).abs() < 1e-15));
        assert!((p.v_leak / VOLTS_PER_LSB - 80.0).abs() < 1e-9);
        assert!((p.v_threshold / VOLTS_PER_LSB - 150.0).abs() < 1e-9);
        assert_eq!(p.standing_current, 0.0);
    }
}
