//! Analog parameter memory: a 10-bit code per cell and neuron circuit.

use bss2_event::{Amperes, CapMemCode, Site};
use serde::{Deserialize, Serialize};

/// A cell of the analog parameter memory that belongs to one neuron circuit.
///
/// Names are those of the chip's containers.
///
/// # Source
/// Hardware fact sheet, section 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cell {
    /// Leak potential.
    VLeak,
    /// Reset potential.
    VReset,
    /// Spike threshold.
    VThreshold,
    /// Leak conductance, hence membrane time constant.
    IBiasLeak,
    /// Excitatory synaptic time constant.
    IBiasSyninExcTau,
    /// Inhibitory synaptic time constant.
    IBiasSyninInhTau,
    /// Excitatory synaptic strength.
    IBiasSyninExcGm,
    /// Inhibitory synaptic strength.
    IBiasSyninInhGm,
    /// Offset of the excitatory input's amplifier.
    IBiasSyninExcShift,
    /// Offset of the inhibitory input's amplifier.
    IBiasSyninInhShift,
    /// Constant current onto the membrane, used by calibrations.
    IMemOffset,
    /// Reset conductance. The membrane is at reset at once whatever the code.
    IBiasReset,
    /// Source follower of the excitatory line. Without effect in this model.
    IBiasSyninExcDrop,
    /// Source follower of the inhibitory line. Without effect in this model.
    IBiasSyninInhDrop,
    /// Reversal potential of a conductance-based excitatory input.
    ESyninExcRev,
    /// Reversal potential of a conductance-based inhibitory input.
    ESyninInhRev,
    /// How strongly a conductance-based excitatory input follows the membrane.
    IBiasSyninExcCoba,
    /// How strongly a conductance-based inhibitory input follows the membrane.
    IBiasSyninInhCoba,
    /// Membrane potential at which adaptation is neither charged nor discharged.
    VAdaptLeak,
    /// Potential that the adaptation's state returns to; its current is zero there.
    VAdaptRef,
    /// Adaptation time constant.
    IBiasAdaptTau,
    /// Adaptation by the membrane.
    IBiasAdaptA,
    /// Adaptation by spikes.
    IBiasAdaptB,
    /// Threshold of the exponential term.
    VExp,
    /// Slope of the exponential term.
    IBiasExp,
    /// Conductance between compartments. Without effect: circuits are joined
    /// outright.
    IBiasNmda,
}

impl Cell {
    /// Every cell.
    pub const ALL: [Self; 26] = [
        Self::VLeak,
        Self::VReset,
        Self::VThreshold,
        Self::IBiasLeak,
        Self::IBiasSyninExcTau,
        Self::IBiasSyninInhTau,
        Self::IBiasSyninExcGm,
        Self::IBiasSyninInhGm,
        Self::IBiasSyninExcShift,
        Self::IBiasSyninInhShift,
        Self::IMemOffset,
        Self::IBiasReset,
        Self::IBiasSyninExcDrop,
        Self::IBiasSyninInhDrop,
        Self::ESyninExcRev,
        Self::ESyninInhRev,
        Self::IBiasSyninExcCoba,
        Self::IBiasSyninInhCoba,
        Self::VAdaptLeak,
        Self::VAdaptRef,
        Self::IBiasAdaptTau,
        Self::IBiasAdaptA,
        Self::IBiasAdaptB,
        Self::VExp,
        Self::IBiasExp,
        Self::IBiasNmda,
    ];

    /// The code at which a circuit without any deviation reaches the targets of
    /// the published calibration (leak and reset at CADC 80, threshold at 150,
    /// 6 us time constants). For the terms that it leaves off, the code at which
    /// they have the value named in `docs/model.md`; digital switches turn them on.
    ///
    /// # Source
    /// Means over the 512 circuits of the published chip, hardware fact sheet,
    /// section 9; the start value 310 of the calibration library for the shift;
    /// DEFAULT for conductance-based inputs, adaptation and the exponential term.
    #[must_use]
    pub const fn nominal(self) -> u16 {
        match self {
            Self::VLeak => 629,
            Self::VReset => 625,
            Self::VThreshold => 389,
            Self::IBiasLeak => 158,
            Self::IBiasSyninExcTau => 84,
            Self::IBiasSyninInhTau => 78,
            Self::IBiasSyninExcGm => 487,
            Self::IBiasSyninInhGm => 539,
            Self::IBiasSyninExcShift | Self::IBiasSyninInhShift => 310,
            Self::IMemOffset | Self::IBiasNmda => 0,
            Self::IBiasReset => 1015,
            Self::IBiasSyninExcDrop | Self::IBiasSyninInhDrop => 300,
            Self::ESyninExcRev => 917,
            Self::ESyninInhRev => 581,
            Self::IBiasSyninExcCoba | Self::IBiasSyninInhCoba => 300,
            Self::VAdaptLeak => 629,
            Self::VAdaptRef => 500,
            Self::IBiasAdaptTau => 100,
            Self::IBiasAdaptA | Self::IBiasAdaptB => 200,
            Self::VExp => 701,
            Self::IBiasExp => 250,
        }
    }
}

impl std::fmt::Display for Cell {
    /// The cell's name as in a configuration.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.serialize(f)
    }
}

impl Cell {
    /// Whether the cell holds a potential; all others hold a current.
    #[must_use]
    pub const fn is_potential(self) -> bool {
        matches!(
            self,
            Self::VLeak
                | Self::VReset
                | Self::VThreshold
                | Self::ESyninExcRev
                | Self::ESyninInhRev
                | Self::VAdaptLeak
                | Self::VAdaptRef
                | Self::VExp
        )
    }
}

impl Cell {
    /// Whether deviations add to the code instead of scaling it.
    pub(crate) const fn is_in_codes(self) -> bool {
        self.is_potential() || matches!(self, Self::IBiasSyninExcShift | Self::IBiasSyninInhShift)
    }
}

/// The codes of all cells of the 512 neuron circuits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CapMem {
    /// `[cell][circuit]`, in the order of [`Cell::ALL`].
    codes: Vec<Vec<CapMemCode>>,
    /// As above: how often each was written. Every write ends elsewhere.
    #[serde(skip, default = "never_written")]
    writes: Vec<Vec<u32>>,
}

fn never_written() -> Vec<Vec<u32>> {
    vec![vec![0; Site::CIRCUITS]; Cell::ALL.len()]
}

impl Default for CapMem {
    /// All circuits at the nominal codes.
    fn default() -> Self {
        let code = |cell: Cell| CapMemCode::saturating(cell.nominal().into());
        Self {
            codes: Cell::ALL
                .iter()
                .map(|&cell| vec![code(cell); Site::CIRCUITS])
                .collect(),
            writes: never_written(),
        }
    }
}

impl CapMem {
    /// The code of a cell of a circuit.
    ///
    /// # Panics
    /// If `circuit` is not below 512.
    #[must_use]
    pub fn get(&self, cell: Cell, circuit: u16) -> CapMemCode {
        self.codes[cell as usize][usize::from(circuit)]
    }

    /// Writes the code of a cell of a circuit.
    ///
    /// # Panics
    /// If `circuit` is not below 512.
    pub fn set(&mut self, cell: Cell, circuit: u16, code: CapMemCode) {
        self.codes[cell as usize][usize::from(circuit)] = code;
        self.writes[cell as usize][usize::from(circuit)] += 1;
    }

    /// Writes the same code to a cell of all circuits.
    pub fn set_all(&mut self, cell: Cell, code: CapMemCode) {
        for circuit in 0..Site::CIRCUITS as u16 {
            self.set(cell, circuit, code);
        }
    }

    /// Takes the codes of a cell as they were when the memory came up.
    pub(crate) fn load(&mut self, cell: Cell, codes: &[CapMemCode]) {
        self.codes[cell as usize].copy_from_slice(codes);
    }

    /// How often a cell was written since the memory came up.
    pub(crate) fn writes(&self, cell: Cell, circuit: u16) -> u32 {
        self.writes[cell as usize][usize::from(circuit)]
    }

    /// The codes of a cell in circuit order.
    #[must_use]
    pub fn column(&self, cell: Cell) -> &[CapMemCode] {
        &self.codes[cell as usize]
    }
}

/// Full scale of a current cell, in amperes.
///
/// # Source
/// Hardware fact sheet, section 7.
const CURRENT_FULL_SCALE: f64 = 1e-6;

/// Current of a cell without deviations: linear in the code, 1 uA at 1022.
///
/// # Source
/// Hardware fact sheet, section 7.
#[must_use]
pub fn nominal_current(code: CapMemCode) -> Amperes {
    Amperes::new(current(code.get().into()))
}

/// Current of a cell in amperes: linear in the code.
#[must_use]
pub(crate) fn current(code: f64) -> f64 {
    CURRENT_FULL_SCALE * code / 1022.0
}

/// Current at which an amplifier's conductance grows half as fast, in amperes.
const BIAS_SATURATION: f64 = 2e-6;

/// Bias current as an amplifier feels it, in amperes: its conductance grows
/// more slowly above weak inversion, `I / (1 + I / 2 uA)`.
///
/// # Source
/// DEFAULT of the hardware fact sheet, section 2.
#[must_use]
pub(crate) fn effective_bias(code: f64) -> f64 {
    let current = current(code);
    current / (1.0 + current / BIAS_SATURATION)
}

/// The code whose [`effective_bias`] this is; infinite where none is large enough.
#[must_use]
pub(crate) fn code_of_effective_bias(effective: f64) -> f64 {
    let current = effective / (1.0 - effective / BIAS_SATURATION);
    if current < 0.0 {
        f64::INFINITY
    } else {
        1022.0 * current / CURRENT_FULL_SCALE
    }
}

/// Volts per code of a potential cell, at the cell: 1.8 V full scale.
///
/// # Source
/// Hardware fact sheet, section 7.
pub(crate) const CELL_VOLTS_PER_CODE: f64 = 1.8 / 1022.0;

/// Volts per code of a potential cell, referred to the membrane: 2.4 codes move
/// the CADC by one.
///
/// # Source
/// Derived in the hardware fact sheet, section 9.
pub(crate) const VOLTS_PER_CODE: f64 = crate::cadc::VOLTS_PER_LSB / 2.4;
