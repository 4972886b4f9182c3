//! How the cells of neuron circuits deviate.

use bss2_event::RangeError;
use serde::{Deserialize, Serialize};

use crate::capmem::Cell;

/// Spread of the cells of one circuit, without what is common to its quadrant:
/// of the codes that its neurons need, in codes for potentials and offsets,
/// relative to the nominal code (or of its logarithm) for the rest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CellSpread {
    /// Leak potential, codes.
    pub v_leak: f64,
    /// Reset potential, codes.
    pub v_reset: f64,
    /// Threshold, codes.
    pub v_threshold: f64,
    /// Leak conductance, relative.
    pub leak: f64,
    /// Synaptic time constants, relative.
    pub tau_syn: f64,
    /// Synaptic strength, relative.
    pub strength: f64,
    /// Offset of the synaptic amplifiers, codes.
    pub shift: f64,
    /// Every other potential, codes.
    pub other_potentials: f64,
    /// Every other current, relative.
    pub other_currents: f64,
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

/// How much higher the right edge of every quadrant needs its codes than the
/// left: codes for potentials, relative for the rest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SpatialTrend {
    /// Leak potential, codes.
    pub v_leak: f64,
    /// Reset potential, codes.
    pub v_reset: f64,
    /// Threshold, codes.
    pub v_threshold: f64,
    /// Leak conductance, relative.
    pub leak: f64,
    /// Synaptic time constants, relative.
    pub tau_syn: f64,
    /// Synaptic strength, relative.
    pub strength: f64,
}

/// Shape of the spread of each quantity within a quadrant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CellDistributions {
    /// Leak, reset and threshold potential, and every other potential.
    pub potentials: Distribution,
    /// Leak conductance, and every current without a field of its own.
    pub leak: Distribution,
    /// Synaptic time constants.
    pub tau_syn: Distribution,
    /// Synaptic strength.
    pub strength: Distribution,
    /// Offset of the synaptic amplifiers.
    pub shift: Distribution,
}

/// Shape of a spread. Whatever the shape, the mean is the nominal code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// Normal.
    Normal,
    /// The logarithm is normal, and the spread is that of the logarithm.
    LogNormal,
    /// Uniform, of the given standard deviation.
    Uniform,
    /// Leaning to the left with a long tail to the right: a normal number and a
    /// tenth of its square, skewness 0.59.
    Skewed,
}

impl Distribution {
    /// Factor on a nominal code for a standard normal number and a relative
    /// spread.
    pub(crate) fn factor(self, z: f64, spread: f64) -> f64 {
        match self {
            Self::Normal => 1.0 + spread * z,
            Self::LogNormal => log_normal(z, spread),
            Self::Uniform => {
                let probability = 0.5 * libm::erfc(-z * std::f64::consts::FRAC_1_SQRT_2);
                1.0 + spread * 12.0_f64.sqrt() * (probability - 0.5)
            }
            Self::Skewed => 1.0 + spread * (z + 0.1 * (z * z - 1.0)) / 1.02_f64.sqrt(),
        }
    }
}

/// A log-normal number of mean 1.
pub(crate) fn log_normal(z: f64, spread: f64) -> f64 {
    libm::exp(spread * z - 0.5 * spread * spread)
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

/// Correlation of a cell between the two circuits of a pair, 2k and 2k + 1, which
/// may be joined to one neuron.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairCorrelation {
    /// The cell.
    pub cell: Cell,
    /// Coefficient within a quadrant, 0 to 0.99; less where the cell is correlated with
    /// others of its circuit whose coefficients differ.
    pub r: f64,
}

impl Default for CellSpread {
    fn default() -> Self {
        Self {
            v_leak: 34.4,
            v_reset: 32.6,
            v_threshold: 14.3,
            leak: 0.125,
            tau_syn: 0.20,
            strength: 0.055,
            shift: 120.0,
            other_potentials: 30.0,
            other_currents: 0.2,
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

impl Default for SpatialTrend {
    fn default() -> Self {
        Self {
            v_leak: 0.0,
            v_reset: 0.0,
            v_threshold: -6.0,
            leak: 0.0,
            tau_syn: 0.0,
            strength: 0.045,
        }
    }
}

impl Default for CellDistributions {
    fn default() -> Self {
        Self {
            potentials: Distribution::Normal,
            leak: Distribution::LogNormal,
            tau_syn: Distribution::LogNormal,
            strength: Distribution::LogNormal,
            shift: Distribution::Skewed,
        }
    }
}

impl CellSpread {
    /// No deviation.
    pub(crate) const NONE: Self = Self {
        v_leak: 0.0,
        v_reset: 0.0,
        v_threshold: 0.0,
        leak: 0.0,
        tau_syn: 0.0,
        strength: 0.0,
        shift: 0.0,
        other_potentials: 0.0,
        other_currents: 0.0,
    };

    /// Spread of a cell, in codes or relative.
    pub(crate) fn of(&self, cell: Cell) -> f64 {
        match cell {
            Cell::VLeak => self.v_leak,
            Cell::VReset => self.v_reset,
            Cell::VThreshold => self.v_threshold,
            Cell::IBiasLeak => self.leak,
            Cell::IBiasSyninExcTau | Cell::IBiasSyninInhTau => self.tau_syn,
            Cell::IBiasSyninExcGm | Cell::IBiasSyninInhGm => self.strength,
            Cell::IBiasSyninExcShift | Cell::IBiasSyninInhShift => self.shift,
            cell if cell.is_potential() => self.other_potentials,
            _ => self.other_currents,
        }
    }

    pub(crate) fn validate(&self, distributions: &CellDistributions) -> Result<(), RangeError> {
        for (field, value, max) in [
            ("within.v_leak", self.v_leak, 200.0),
            ("within.v_reset", self.v_reset, 200.0),
            ("within.v_threshold", self.v_threshold, 200.0),
            ("within.shift", self.shift, 400.0),
            ("within.other_potentials", self.other_potentials, 200.0),
        ] {
            RangeError::check(field, value, 0.0, max, "codes")?;
        }
        // Beyond these a current would turn negative too often to be cut off.
        let max = |distribution| match distribution {
            Distribution::LogNormal => 1.0,
            _ => 0.5,
        };
        let d = distributions;
        RangeError::check("within.leak", self.leak, 0.0, max(d.leak), "")?;
        RangeError::check("within.tau_syn", self.tau_syn, 0.0, max(d.tau_syn), "")?;
        RangeError::check("within.strength", self.strength, 0.0, max(d.strength), "")?;
        RangeError::check(
            "within.other_currents",
            self.other_currents,
            0.0,
            max(d.leak),
            "",
        )
    }
}

impl QuadrantSpread {
    /// No deviation.
    pub(crate) const NONE: Self = Self {
        strength: 0.0,
        tau_syn: 0.0,
        leak: 0.0,
        v_leak: 0.0,
        v_reset: 0.0,
        v_threshold: 0.0,
    };

    /// Number of the quadrant's draw that moves a cell, and its spread.
    pub(crate) fn of(&self, cell: Cell) -> (u32, f64) {
        match cell {
            Cell::VLeak => (1, self.v_leak),
            Cell::VReset => (2, self.v_reset),
            Cell::VThreshold => (3, self.v_threshold),
            Cell::IBiasLeak => (4, self.leak),
            Cell::IBiasSyninExcTau | Cell::IBiasSyninInhTau => (0, self.tau_syn),
            Cell::IBiasSyninExcGm | Cell::IBiasSyninInhGm => (0, self.strength),
            _ => (0, 0.0),
        }
    }

    pub(crate) fn validate(&self) -> Result<(), RangeError> {
        for (field, value, max) in [
            ("quadrant.strength", self.strength, 1.0),
            ("quadrant.tau_syn", self.tau_syn, 1.0),
            ("quadrant.leak", self.leak, 1.0),
            ("quadrant.v_leak", self.v_leak, 200.0),
            ("quadrant.v_reset", self.v_reset, 200.0),
            ("quadrant.v_threshold", self.v_threshold, 200.0),
        ] {
            RangeError::check(field, value, 0.0, max, "")?;
        }
        Ok(())
    }
}

impl SpatialTrend {
    /// No deviation.
    pub(crate) const NONE: Self = Self {
        v_leak: 0.0,
        v_reset: 0.0,
        v_threshold: 0.0,
        leak: 0.0,
        tau_syn: 0.0,
        strength: 0.0,
    };

    /// Trend of a cell, in codes or relative.
    pub(crate) fn of(&self, cell: Cell) -> f64 {
        match cell {
            Cell::VLeak => self.v_leak,
            Cell::VReset => self.v_reset,
            Cell::VThreshold => self.v_threshold,
            Cell::IBiasLeak => self.leak,
            Cell::IBiasSyninExcTau | Cell::IBiasSyninInhTau => self.tau_syn,
            Cell::IBiasSyninExcGm | Cell::IBiasSyninInhGm => self.strength,
            _ => 0.0,
        }
    }

    pub(crate) fn validate(&self) -> Result<(), RangeError> {
        for (field, value, max) in [
            ("trend.v_leak", self.v_leak, 200.0),
            ("trend.v_reset", self.v_reset, 200.0),
            ("trend.v_threshold", self.v_threshold, 200.0),
            ("trend.leak", self.leak, 1.0),
            ("trend.tau_syn", self.tau_syn, 1.0),
            ("trend.strength", self.strength, 1.0),
        ] {
            RangeError::check(field, value, -max, max, "")?;
        }
        Ok(())
    }
}

impl CellDistributions {
    /// Shape of a cell's spread.
    pub(crate) fn of(&self, cell: Cell) -> Distribution {
        match cell {
            Cell::IBiasSyninExcTau | Cell::IBiasSyninInhTau => self.tau_syn,
            Cell::IBiasSyninExcGm | Cell::IBiasSyninInhGm => self.strength,
            Cell::IBiasSyninExcShift | Cell::IBiasSyninInhShift => self.shift,
            cell if cell.is_potential() => self.potentials,
            _ => self.leak,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bss2_event::random::{Address, Domain, Seed};

    #[test]
    fn shapes_have_their_mean_spread_and_skewness() {
        let draw = Address::new(Seed(1), Domain::Test);
        let n = 100_000;
        // (shape, skewness of its deviation at a small spread)
        for (shape, skewness) in [
            (Distribution::Normal, 0.0),
            (Distribution::LogNormal, 0.15),
            (Distribution::Uniform, 0.0),
            (Distribution::Skewed, 0.59),
        ] {
            let spread = 0.05;
            let deviations: Vec<f64> = (0..n)
                .map(|i| shape.factor(draw.normal(i), spread) - 1.0)
                .collect();
            let moment = |k| deviations.iter().map(|d| d.powi(k)).sum::<f64>() / f64::from(n);
            let sd = moment(2).sqrt();
            assert!(moment(1).abs() < 1e-3, "{shape:?}");
            assert!((sd / spread - 1.0).abs() < 0.01, "{shape:?} {sd}");
            let skew = moment(3) / sd.powi(3);
            assert!((skew - skewness).abs() < 0.05, "{shape:?} {skew}");
        }
    }
}
