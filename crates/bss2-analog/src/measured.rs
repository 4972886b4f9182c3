//! Chips that were measured instead of drawn.

use std::collections::BTreeMap;

use bss2_event::{CapMemCode, RangeError, Site};
use serde::{Deserialize, Serialize};

use crate::cadc::VOLTS_PER_LSB;
use crate::calib::NeuronTargets;
use crate::capmem::{Cell, VOLTS_PER_CODE, code_of_effective_bias, effective_bias};
use crate::circuit::{
    NOMINAL_LEAK_LSB, NOMINAL_RESET_LSB, NOMINAL_THRESHOLD_LSB, TAU_NOMINAL, membrane_capacitance,
};
use crate::core::AnalogCore;
use crate::error::AnalogError;
use crate::mismatch::FixedPattern;
use crate::profile::MismatchProfile;

/// The calibration of a real chip: the codes at which each circuit, used alone,
/// meets common targets. With them a chip is known as far as its neurons go.
///
/// All lists are in the order of circuits, `n = 256 half + column`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeasuredChip {
    /// Name of the chip, for titles.
    pub name: String,
    /// `[cell][circuit]`: the codes, for each of [`MeasuredChip::CELLS`].
    pub codes: BTreeMap<Cell, Vec<CapMemCode>>,
    /// Membrane capacitors, 0..=63.
    pub membrane_capacitance: Vec<u8>,
    /// Digital offsets of the 512 causal CADC channels; where they are not known
    /// the channels stay as drawn, with what corrects them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cadc_offset: Option<Vec<i8>>,
    /// What every circuit meets at these codes.
    pub targets: NeuronTargets,
}

impl MeasuredChip {
    /// Cells whose codes are known of a measured chip.
    pub const CELLS: [Cell; 10] = [
        Cell::VLeak,
        Cell::VReset,
        Cell::VThreshold,
        Cell::IBiasLeak,
        Cell::IBiasSyninExcTau,
        Cell::IBiasSyninInhTau,
        Cell::IBiasSyninExcGm,
        Cell::IBiasSyninInhGm,
        Cell::IBiasSyninExcShift,
        Cell::IBiasSyninInhShift,
    ];

    /// Checks every list.
    ///
    /// # Errors
    /// The first list that is missing, unknown or not of 512 entries, capacitor
    /// beyond 63 or target outside its range.
    pub fn validate(&self) -> Result<(), AnalogError> {
        let length = |list: &str, found| {
            let list = list.to_owned();
            match found {
                Site::CIRCUITS => Ok(()),
                found => Err(AnalogError::MeasuredLength { list, found }),
            }
        };
        for cell in Self::CELLS.iter().chain(self.codes.keys()) {
            let codes = self.codes.get(cell).filter(|_| Self::CELLS.contains(cell));
            length(&format!("codes.{cell}"), codes.map_or(0, Vec::len))?;
        }
        length("membrane_capacitance", self.membrane_capacitance.len())?;
        for &capacitance in &self.membrane_capacitance {
            RangeError::check("membrane_capacitance", capacitance.into(), 0.0, 63.0, "")?;
        }
        if let Some(offsets) = &self.cadc_offset {
            length("cadc_offset", offsets.len())?;
        }
        Ok(self.targets.validate()?)
    }

    /// Turns a drawn chip into this one: what was measured replaces what was
    /// drawn, and the codes are as they were found.
    pub(crate) fn impose(&self, core: &mut AnalogCore) {
        for channel in 0..Site::CIRCUITS {
            let offset = match &self.cadc_offset {
                Some(offsets) => {
                    core.pattern.correct_cadc(channel, offsets[channel]);
                    offsets[channel]
                }
                // The chip's owner had corrected what was drawn here.
                None => core.pattern.cadc_correction(channel),
            };
            core.cadc_mut().set_digital_offset(channel as u16, offset);
        }
        let settings = self.membrane_capacitance.iter();
        for (circuit, &setting) in core.circuits_mut().iter_mut().zip(settings) {
            circuit.capacitance = setting;
        }
        for (&cell, codes) in &self.codes {
            for (circuit, &code) in codes.iter().enumerate() {
                let transfer = core.cadc().transfer(&core.pattern, circuit as u16);
                let nominal = self.nominal(cell, circuit, transfer, core.profile());
                core.pattern.curves[circuit][cell as usize].pass(cell, code, nominal);
            }
            core.capmem_mut().load(cell, codes);
        }
    }

    /// The code at which a circuit without deviations would meet the targets.
    fn nominal(
        &self,
        cell: Cell,
        circuit: usize,
        (scale, offset): (f64, f64),
        profile: &MismatchProfile,
    ) -> f64 {
        let nominal = f64::from(cell.nominal());
        // The chip's owner saw potentials through the CADC.
        let potential = |target: f64, nominal_lsb: f64| {
            let volts = (target - offset) / scale;
            nominal + (volts - nominal_lsb * VOLTS_PER_LSB) / VOLTS_PER_CODE
        };
        let bias = |factor: f64| code_of_effective_bias(factor * effective_bias(nominal));
        let t = &self.targets;
        match cell {
            Cell::VLeak => potential(t.leak, NOMINAL_LEAK_LSB),
            Cell::VReset => potential(t.reset, NOMINAL_RESET_LSB),
            Cell::VThreshold => potential(t.threshold, NOMINAL_THRESHOLD_LSB),
            Cell::IBiasLeak => {
                let capacitance = |setting| membrane_capacitance(setting, profile);
                let own = capacitance(self.membrane_capacitance[circuit]);
                bias(own / capacitance(63) * TAU_NOMINAL / t.tau_mem.get())
            }
            Cell::IBiasSyninExcTau => bias(TAU_NOMINAL / t.tau_syn_exc.get()),
            Cell::IBiasSyninInhTau => bias(TAU_NOMINAL / t.tau_syn_inh.get()),
            Cell::IBiasSyninExcGm => bias(t.strength_exc),
            Cell::IBiasSyninInhGm => bias(t.strength_inh),
            _ => nominal,
        }
    }
}

/// Code at which the channels of a calibrated CADC read alike.
const MIDDLE: f64 = 128.0;

impl FixedPattern {
    /// Makes a channel one that reads right at mid-range with a digital offset.
    fn correct_cadc(&mut self, channel: usize, digital_offset: i8) {
        self.cadc_offset[channel] =
            MIDDLE - MIDDLE * self.cadc_gain[channel] - f64::from(digital_offset);
    }

    /// The digital offset with which a channel reads right at mid-range.
    fn cadc_correction(&self, channel: usize) -> i8 {
        let error = MIDDLE * self.cadc_gain[channel] + self.cadc_offset[channel] - MIDDLE;
        (-error).round().clamp(-128.0, 127.0) as i8
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Integration;
    use crate::calib::{CalibrationConfig, calibrate};
    use bss2_event::{NeuronCircuits, Seed};

    fn singles() -> Vec<NeuronCircuits> {
        let single = |membrane| NeuronCircuits {
            membrane,
            partner: None,
        };
        (0..512).map(single).collect()
    }

    /// A chip that was drawn, calibrated and written down.
    fn measured() -> MeasuredChip {
        let mut core = AnalogCore::new(MismatchProfile::cube66(), Seed(66)).unwrap();
        let targets = vec![NeuronTargets::default(); 512];
        let config = CalibrationConfig::default();
        calibrate(&mut core, &singles(), &targets, &config, |_| ()).unwrap();
        let offset = |channel| core.cadc().digital_offset(channel);
        MeasuredChip {
            name: "copy".into(),
            codes: MeasuredChip::CELLS
                .iter()
                .map(|&cell| (cell, core.capmem().column(cell).to_vec()))
                .collect(),
            membrane_capacitance: vec![63; 512],
            cadc_offset: Some((0..512).map(offset).collect()),
            targets: NeuronTargets::default(),
        }
    }

    #[test]
    fn at_its_codes_every_neuron_of_a_measured_chip_meets_the_targets() {
        let targets = NeuronTargets {
            leak: 90.0,
            threshold: 160.0,
            tau_mem: bss2_event::Seconds::micro(9.0),
            tau_syn_exc: bss2_event::Seconds::micro(4.0),
            tau_syn_inh: bss2_event::Seconds::micro(5.0),
            strength_exc: 0.8,
            strength_inh: 0.9,
            ..NeuronTargets::default()
        };
        let chip = MeasuredChip {
            targets,
            ..measured()
        };
        // Of another seed: what was drawn for its neurons does not matter.
        let core = AnalogCore::measured(MismatchProfile::cube66(), Seed(1), &chip).unwrap();
        let strength = crate::circuit::nominal_slew() * 1e-6;
        for neuron in &singles() {
            let (lane, slew) = core.lane(neuron, &Integration::default()).unwrap();
            let code = |volts: f64| volts * lane.cadc.0 + lane.cadc.1;
            for (found, wanted) in [
                (code(lane.v_rest), 90.0),
                (code(lane.v_reset), 80.0),
                (code(lane.v_threshold), 160.0),
                (lane.tau_mem, 9.0),
                (lane.tau_syn[0], 4.0),
                (lane.tau_syn[1], 5.0),
                (slew[0], 0.8 * strength),
                (slew[1], 0.9 * strength),
            ] {
                assert!(
                    (found / wanted - 1.0).abs() < 1e-9,
                    "{neuron:?} {found} {wanted}"
                );
            }
        }
    }

    #[test]
    fn capacitors_are_those_of_the_measured_chip() {
        let chip = MeasuredChip {
            membrane_capacitance: (0..512).map(|n| (n % 64) as u8).collect(),
            ..measured()
        };
        let core = AnalogCore::measured(MismatchProfile::cube66(), Seed(1), &chip).unwrap();
        for (circuit, &setting) in core.circuits().iter().zip(&chip.membrane_capacitance) {
            assert_eq!(circuit.capacitance, setting);
        }
    }

    #[test]
    fn calibrating_a_measured_chip_finds_its_codes() {
        let chip = measured();
        let mut core = AnalogCore::measured(MismatchProfile::cube66(), Seed(1), &chip).unwrap();
        // A calibration knows nothing of the codes that the chip came with.
        *core.capmem_mut() = crate::CapMem::default();
        let targets = vec![chip.targets; 512];
        let config = CalibrationConfig::default();
        calibrate(&mut core, &singles(), &targets, &config, |_| ()).unwrap();
        for (&cell, wanted) in &chip.codes {
            let found = core.capmem().column(cell);
            let distance = |n: usize| f64::from(found[n].get()) - f64::from(wanted[n].get());
            let rms = ((0..512).map(|n| distance(n).powi(2)).sum::<f64>() / 512.0).sqrt();
            let mean = (0..512).map(distance).sum::<f64>() / 512.0;
            println!("{cell}: {mean:+.2} mean, {rms:.2} rms codes");
            // Small against the published spreads of 14 to 132 codes.
            let limit = match cell {
                Cell::VLeak | Cell::VReset | Cell::VThreshold => 2.5,
                Cell::IBiasSyninExcShift | Cell::IBiasSyninInhShift => 6.0,
                Cell::IBiasSyninExcTau | Cell::IBiasSyninInhTau => 1.5,
                Cell::IBiasLeak => 2.0,
                // The synapses that stimulate are others: 5 % each, over 32 rows.
                _ => 15.0,
            };
            assert!(rms < limit, "{cell}: {rms}");
        }
    }

    #[test]
    fn lists_of_another_length_are_named() {
        let mut chip = measured();
        chip.codes.get_mut(&Cell::VReset).unwrap().pop();
        let error = chip.validate().unwrap_err().to_string();
        assert!(
            error.contains("codes.v_reset") && error.contains("511"),
            "{error}"
        );
        chip.codes.remove(&Cell::VReset);
        assert!(chip.validate().is_err());
    }
}
