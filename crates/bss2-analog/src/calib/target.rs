//! What neurons are calibrated to.

use bss2_event::{RangeError, Seconds};
use serde::{Deserialize, Serialize};

use crate::error::AnalogError;

/// What a neuron is calibrated to.
///
/// # Source
/// Allowed ranges: hardware fact sheet, section 8; strength ours.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NeuronTargets {
    /// Resting potential, CADC codes, 50..=160.
    pub leak: f64,
    /// Reset potential, CADC codes, 50..=160.
    pub reset: f64,
    /// Threshold, CADC codes, 50..=220. Below the leak, the neuron fires without
    /// input.
    pub threshold: f64,
    /// Membrane time constant, 0.5 to 60 us.
    pub tau_mem: Seconds,
    /// Time constant of the excitatory synaptic inputs, 0.3 to 30 us.
    pub tau_syn_exc: Seconds,
    /// Time constant of the inhibitory synaptic inputs, 0.3 to 30 us.
    pub tau_syn_inh: Seconds,
    /// Refractory period, 40 ns to 32 us.
    pub refractory: Seconds,
    /// How fast an excitatory event of weight 63 begins to move the membrane,
    /// relative to the nominal slew, with which a weight of 240 moves the membrane
    /// as far as a weight of 1 moves the learner's; 0.1 to 4.
    pub strength_exc: f64,
    /// The same of inhibitory events.
    pub strength_inh: f64,
    /// Digital setting of the membrane capacitor, 0..=63.
    pub capacitance: u8,
}

impl Default for NeuronTargets {
    /// Those of the published chip.
    fn default() -> Self {
        Self {
            leak: 80.0,
            reset: 80.0,
            threshold: 150.0,
            tau_mem: Seconds::micro(6.0),
            tau_syn_exc: Seconds::micro(6.0),
            tau_syn_inh: Seconds::micro(6.0),
            refractory: Seconds::micro(2.0),
            strength_exc: 1.0,
            strength_inh: 1.0,
            capacitance: 63,
        }
    }
}

/// Name, value, allowed range and unit of a target.
pub(crate) type Field = (&'static str, f64, (f64, f64), &'static str);

/// Allowed thresholds, CADC codes.
pub(crate) const THRESHOLD_RANGE: (f64, f64) = (50.0, 220.0);
/// Allowed membrane time constants, microseconds.
pub(crate) const TAU_MEM_RANGE: (f64, f64) = (0.5, 60.0);
/// Allowed synaptic time constants, microseconds.
pub(crate) const TAU_SYN_RANGE: (f64, f64) = (0.3, 30.0);

impl NeuronTargets {
    /// Name, value, allowed range and unit of every target.
    pub(crate) fn fields(&self) -> [Field; 10] {
        let potential = (50.0, 160.0);
        let strength = (0.1, 4.0);
        let tau_mem = self.tau_mem.as_micro();
        let refractory = self.refractory.as_micro();
        let capacitance = self.capacitance.into();
        [
            ("targets.leak", self.leak, potential, ""),
            ("targets.reset", self.reset, potential, ""),
            ("targets.threshold", self.threshold, THRESHOLD_RANGE, ""),
            ("targets.tau_mem", tau_mem, TAU_MEM_RANGE, "us"),
            ("targets.tau_syn_exc", self.tau_syn(0), TAU_SYN_RANGE, "us"),
            ("targets.tau_syn_inh", self.tau_syn(1), TAU_SYN_RANGE, "us"),
            ("targets.refractory", refractory, (0.04, 32.0), "us"),
            ("targets.strength_exc", self.strength(0), strength, ""),
            ("targets.strength_inh", self.strength(1), strength, ""),
            ("targets.capacitance", capacitance, (0.0, 63.0), ""),
        ]
    }

    /// Checks every target.
    ///
    /// # Errors
    /// The first target outside its range.
    pub fn validate(&self) -> Result<(), RangeError> {
        let mut fields = self.fields().into_iter();
        fields.try_for_each(|(field, value, (min, max), unit)| {
            RangeError::check(field, value, min, max, unit)
        })
    }

    /// Synaptic time constant in microseconds; sign 0 is excitatory.
    pub(crate) fn tau_syn(&self, sign: usize) -> f64 {
        [self.tau_syn_exc, self.tau_syn_inh][sign].as_micro()
    }

    /// Strength; sign 0 is excitatory.
    pub(crate) fn strength(&self, sign: usize) -> f64 {
        [self.strength_exc, self.strength_inh][sign]
    }
}

/// Targets neuron by neuron: one list per quantity, one value per neuron. What
/// has no list stays as it is.
///
/// ```
/// use bss2_analog::calib::{NeuronTargets, TargetTable};
///
/// let table = TargetTable { threshold: Some(vec![150.0, 120.0]), ..TargetTable::default() };
/// let mut targets = [NeuronTargets::default(); 2];
/// table.overlay(&mut targets)?;
/// assert_eq!((targets[1].threshold, targets[1].leak), (120.0, 80.0));
/// # Ok::<(), bss2_analog::AnalogError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)] // As in `NeuronTargets`.
pub struct TargetTable {
    pub leak: Option<Vec<f64>>,
    pub reset: Option<Vec<f64>>,
    pub threshold: Option<Vec<f64>>,
    pub tau_mem: Option<Vec<Seconds>>,
    pub tau_syn_exc: Option<Vec<Seconds>>,
    pub tau_syn_inh: Option<Vec<Seconds>>,
    pub refractory: Option<Vec<Seconds>>,
    pub strength_exc: Option<Vec<f64>>,
    pub strength_inh: Option<Vec<f64>>,
    pub capacitance: Option<Vec<u8>>,
}

impl TargetTable {
    /// Puts the lists in the place of what the neurons' targets were.
    ///
    /// # Errors
    /// [`AnalogError::TargetCount`] for a list of another length, or the first
    /// target outside its range; the targets are then of no use.
    pub fn overlay(&self, targets: &mut [NeuronTargets]) -> Result<(), AnalogError> {
        let expected = targets.len();
        macro_rules! take {
            ($($field:ident)*) => {$(
                if let Some(list) = &self.$field {
                    if list.len() != expected {
                        return Err(AnalogError::TargetCount {
                            target: stringify!($field),
                            found: list.len(),
                            expected,
                        });
                    }
                    for (target, value) in targets.iter_mut().zip(list) {
                        target.$field = *value;
                    }
                }
            )*};
        }
        take!(leak reset threshold tau_mem tau_syn_exc tau_syn_inh refractory);
        take!(strength_exc strength_inh capacitance);
        Ok(targets.iter().try_for_each(NeuronTargets::validate)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_another_length_and_bad_values_are_named() {
        let mut table = TargetTable {
            tau_mem: Some(vec![Seconds::micro(6.0); 3]),
            ..TargetTable::default()
        };
        let common = NeuronTargets::default();
        let mut three = [common; 3];
        table.overlay(&mut three).unwrap();
        assert_eq!(three, [common; 3]);
        let error = table.overlay(&mut [common; 4]).unwrap_err().to_string();
        assert_eq!(
            error,
            "tau_mem has targets for 3 neurons, the network has 4"
        );
        table.strength_inh = Some(vec![1.0, 1.0, 9.0]);
        let error = table.overlay(&mut three).unwrap_err().to_string();
        assert_eq!(error, "targets.strength_inh is 9, allowed are 0.1 to 4");
    }
}
