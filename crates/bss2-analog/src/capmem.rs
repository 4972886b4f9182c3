//! Analog parameter memory: a 10-bit code per cell and neuron circuit.

use bss2_event::{CapMemCode, Site};
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
}

impl Cell {
    /// Every cell.
    pub const ALL: [Self; 11] = [
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
    ];

    /// The code at which a circuit without any deviation reaches the targets of
    /// the published calibration (leak and reset at CADC 80, threshold at 150,
    /// 6 us time constants); off for cells that it leaves off.
    ///
    /// # Source
    /// Means over the 512 circuits of the published chip, hardware fact sheet,
    /// section 9; the start value 310 of the calibration library for the shift.
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
            Self::IMemOffset => 0,
        }
    }
}

/// The codes of all cells of the 512 neuron circuits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CapMem {
    /// `[cell][circuit]`, in the order of [`Cell::ALL`].
    codes: Vec<Vec<CapMemCode>>,
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
    }

    /// Writes the same code to a cell of all circuits.
    pub fn set_all(&mut self, cell: Cell, code: CapMemCode) {
        self.codes[cell as usize].fill(code);
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

/// Current of a cell in amperes: linear in the code.
#[must_use]
pub(crate) fn current(code: f64) -> f64 {
    CURRENT_FULL_SCALE * code / 1022.0
}

/// Bias current as an amplifier feels it, in amperes: its conductance grows
/// more slowly above weak inversion, `I / (1 + I / 2 uA)`.
///
/// # Source
/// DEFAULT of the hardware fact sheet, section 2.
#[must_use]
pub(crate) fn effective_bias(code: f64) -> f64 {
    const SATURATION: f64 = 2e-6;
    let current = current(code);
    current / (1.0 + current / SATURATION)
}

/// Volts per code of a potential cell, referred to the membrane: 2.4 codes move
/// the CADC by one.
///
/// # Source
/// Derived in the hardware fact sheet, section 9.
pub(crate) const VOLTS_PER_CODE: f64 = crate::cadc::VOLTS_PER_LSB / 2.4;
