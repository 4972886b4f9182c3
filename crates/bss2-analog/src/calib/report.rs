//! Target against reached, quantity by quantity and neuron by neuron.

use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};

/// What a calibrated, or merely measured, quantity is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Resting potential, CADC codes.
    Leak,
    /// Reset potential, CADC codes.
    Reset,
    /// Threshold, CADC codes.
    Threshold,
    /// Refractory period, microseconds: shortest time between two spikes.
    Refractory,
    /// Membrane capacitance, picofarads.
    Capacitance,
    /// Membrane time constant, microseconds.
    TauMem,
    /// Excitatory synaptic time constant of the membrane's circuit, microseconds.
    TauSynExc,
    /// Inhibitory synaptic time constant of the membrane's circuit, microseconds.
    TauSynInh,
    /// Excitatory time constant of the joined circuit, microseconds.
    PartnerTauSynExc,
    /// Inhibitory time constant of the joined circuit, microseconds.
    PartnerTauSynInh,
    /// Relative excitatory strength of the membrane's circuit.
    StrengthExc,
    /// Relative inhibitory strength of the membrane's circuit.
    StrengthInh,
    /// Relative excitatory strength of the joined circuit.
    PartnerStrengthExc,
    /// Relative inhibitory strength of the joined circuit.
    PartnerStrengthInh,
}

impl Quantity {
    /// Name and unit for tables.
    #[must_use]
    pub fn label(self) -> (&'static str, &'static str) {
        match self {
            Self::Leak => ("leak", "LSB"),
            Self::Reset => ("reset", "LSB"),
            Self::Threshold => ("threshold", "LSB"),
            Self::Refractory => ("refractory", "us"),
            Self::Capacitance => ("capacitance", "pF"),
            Self::TauMem => ("tau_mem", "us"),
            Self::TauSynExc => ("tau_syn exc", "us"),
            Self::TauSynInh => ("tau_syn inh", "us"),
            Self::PartnerTauSynExc => ("tau_syn exc, partner", "us"),
            Self::PartnerTauSynInh => ("tau_syn inh, partner", "us"),
            Self::StrengthExc => ("strength exc", ""),
            Self::StrengthInh => ("strength inh", ""),
            Self::PartnerStrengthExc => ("strength exc, partner", ""),
            Self::PartnerStrengthInh => ("strength inh, partner", ""),
        }
    }

    /// Distance from the target beyond which a neuron counts as failed: six
    /// times what the calibration is expected to leave.
    ///
    /// # Source
    /// Hardware fact sheet, section 8, last column. Refractory period: 3 % of
    /// rounding as in the calibration library, and DEFAULT 50 ns for comparator
    /// and time stamps. Capacitance, DEFAULT: six times 2.5 %, as of two time
    /// constants.
    #[must_use]
    pub fn tolerance(self, target: f64) -> f64 {
        match self {
            Self::Leak | Self::Reset => 6.0,
            Self::Threshold => 9.0,
            Self::Refractory => 0.03 * target + 0.05,
            Self::Capacitance => 0.15 * target,
            Self::TauMem => 0.21 * target,
            Self::TauSynExc | Self::TauSynInh | Self::PartnerTauSynExc | Self::PartnerTauSynInh => {
                0.18 * target
            }
            _ => 0.24 * target,
        }
    }
}

/// Target and measurement of one quantity for every neuron.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// Which quantity.
    pub quantity: Quantity,
    /// `[neuron]`: what it should be.
    pub target: Vec<f64>,
    /// `[neuron]`: what was measured.
    pub reached: Vec<f64>,
}

impl Measured {
    /// Mean and standard deviation of what was reached.
    #[must_use]
    pub fn mean_and_sd(&self) -> (f64, f64) {
        let n = self.reached.len().max(1) as f64;
        let mean = self.reached.iter().sum::<f64>() / n;
        let variance = self.reached.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
        (mean, variance.sqrt())
    }

    /// Root mean square distance from the targets.
    #[must_use]
    pub fn rms_error(&self) -> f64 {
        let n = self.reached.len().max(1) as f64;
        let sum: f64 = self
            .reached
            .iter()
            .zip(&self.target)
            .map(|(r, t)| (r - t).powi(2))
            .sum();
        (sum / n).sqrt()
    }

    /// What became of each neuron.
    fn outcomes(&self) -> impl Iterator<Item = Outcome> + '_ {
        let pairs = self.target.iter().zip(&self.reached).enumerate();
        pairs.map(|(neuron, (&target, &reached))| Outcome {
            neuron,
            quantity: self.quantity,
            target,
            reached,
            allowed: self.quantity.tolerance(target),
        })
    }

    /// Neurons that are too far from their target.
    pub fn failures(&self) -> impl Iterator<Item = Outcome> + '_ {
        self.outcomes().filter(|outcome| !outcome.is_met())
    }
}

/// One quantity of one neuron.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// Neuron as the network counts it.
    pub neuron: usize,
    /// Which quantity.
    pub quantity: Quantity,
    /// What it should be.
    pub target: f64,
    /// What was measured.
    pub reached: f64,
    /// Allowed distance between the two.
    pub allowed: f64,
}

impl Outcome {
    /// Whether the target was met; what could not be measured was not.
    #[must_use]
    pub fn is_met(&self) -> bool {
        (self.reached - self.target).abs() <= self.allowed
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, unit) = self.quantity.label();
        let unit = if unit.is_empty() {
            String::new()
        } else {
            format!(" {unit}")
        };
        let Self {
            neuron,
            target,
            reached,
            allowed,
            ..
        } = self;
        write!(
            f,
            "neuron {neuron}: {name} is {reached:.2}{unit}, allowed are {:.2}{unit} to {:.2}{unit}",
            target - allowed,
            target + allowed
        )
    }
}

/// Every quantity of every neuron.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibrationReport {
    /// One entry per quantity.
    pub quantities: Vec<Measured>,
}

impl CalibrationReport {
    /// The entry of a quantity, if the network has it.
    #[must_use]
    pub fn get(&self, quantity: Quantity) -> Option<&Measured> {
        self.quantities.iter().find(|m| m.quantity == quantity)
    }

    /// Every missed target, quantity by quantity.
    pub fn failures(&self) -> impl Iterator<Item = Outcome> + '_ {
        self.quantities.iter().flat_map(Measured::failures)
    }

    /// Neurons that failed in any quantity, ascending.
    #[must_use]
    pub fn failed_neurons(&self) -> Vec<usize> {
        let mut failed: Vec<_> = self.failures().map(|failure| failure.neuron).collect();
        failed.sort_unstable();
        failed.dedup();
        failed
    }

    /// All neurons and quantities as text, a line each, separated by tabs.
    #[must_use]
    pub fn neuron_table(&self) -> String {
        let mut text = "neuron\tquantity\tunit\ttarget\treached\tallowed\tmet\n".to_owned();
        for outcome in self.quantities.iter().flat_map(Measured::outcomes) {
            let (name, unit) = outcome.quantity.label();
            writeln!(
                text,
                "{}\t{name}\t{unit}\t{:.4}\t{:.4}\t{:.4}\t{}",
                outcome.neuron,
                outcome.target,
                outcome.reached,
                outcome.allowed,
                if outcome.is_met() { "yes" } else { "no" }
            )
            .expect("text grows");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_named_and_what_was_not_measured_failed() {
        let report = CalibrationReport {
            quantities: vec![Measured {
                quantity: Quantity::TauMem,
                target: vec![6.0, 10.0, 6.0],
                reached: vec![6.1, 13.0, f64::NAN],
            }],
        };
        assert_eq!(report.failed_neurons(), [1, 2]);
        let first = report.failures().next().unwrap().to_string();
        assert_eq!(
            first,
            "neuron 1: tau_mem is 13.00 us, allowed are 7.90 us to 12.10 us"
        );
        let table = report.neuron_table();
        assert_eq!(table.lines().count(), 4);
        assert!(
            table.contains("0\ttau_mem\tus\t6.0000\t6.1000\t1.2600\tyes"),
            "{table}"
        );
    }
}
