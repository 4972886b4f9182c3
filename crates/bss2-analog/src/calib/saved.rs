//! A calibration as it is kept and loaded.

use std::collections::BTreeMap;

use bss2_event::{CapMemCode, NeuronCircuits, Seed, Site};
use serde::{Deserialize, Serialize};

use crate::calib::{CalibrationReport, NeuronTargets};
use crate::capmem::Cell;
use crate::circuit::CircuitConfig;
use crate::core::AnalogCore;
use crate::error::AnalogError;
use crate::measured::MeasuredChip;
use crate::profile::MismatchProfile;

/// Everything that a calibration set on a chip, what it was calibrated to and
/// what it reached. It fits that chip, network and those targets alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedCalibration {
    /// [`SavedCalibration::FORMAT`].
    format: u32,
    /// The chip.
    chip: Seed,
    /// `[neuron]`: circuit with the membrane.
    membranes: Vec<u16>,
    /// `[neuron]`: joined circuit; empty if there are none.
    partners: Vec<u16>,
    /// `[channel]`: digital offsets of the CADC.
    cadc_offsets: Vec<i8>,
    /// `[circuit]`: codes of all cells, by name.
    codes: BTreeMap<Cell, Vec<CapMemCode>>,
    profile: MismatchProfile,
    /// The measured chip whose neurons it has, if they were not drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    measured: Option<MeasuredChip>,
    /// `[neuron]`
    targets: Vec<NeuronTargets>,
    /// `[circuit]`: digital settings.
    circuits: Vec<CircuitConfig>,
    report: CalibrationReport,
}

impl SavedCalibration {
    /// Version of what is saved. Another version is refused.
    pub const FORMAT: u32 = 2;

    /// What a calibration has just set on a chip.
    #[must_use]
    pub fn new(
        core: &AnalogCore,
        neurons: &[NeuronCircuits],
        targets: &[NeuronTargets],
        report: CalibrationReport,
    ) -> Self {
        let codes = |&cell: &Cell| (cell, core.capmem().column(cell).to_vec());
        Self {
            format: Self::FORMAT,
            chip: core.chip(),
            membranes: neurons.iter().map(|n| n.membrane).collect(),
            partners: neurons.iter().filter_map(|n| n.partner).collect(),
            cadc_offsets: (0..Site::CIRCUITS as u16)
                .map(|channel| core.cadc().digital_offset(channel))
                .collect(),
            codes: Cell::ALL.iter().map(codes).collect(),
            profile: core.profile().clone(),
            measured: core.measured_chip().cloned(),
            targets: targets.to_vec(),
            circuits: core.circuits().to_vec(),
            report,
        }
    }

    /// What the calibration reached.
    #[must_use]
    pub fn report(&self) -> &CalibrationReport {
        &self.report
    }

    /// Sets the chip as the calibration did.
    ///
    /// # Errors
    /// [`AnalogError::ForeignCalibration`] unless chip, profile, circuits and
    /// targets are those of the calibration; the chip is left as it was.
    pub fn apply(
        &self,
        core: &mut AnalogCore,
        neurons: &[NeuronCircuits],
        targets: &[NeuronTargets],
    ) -> Result<(), AnalogError> {
        self.check(core, neurons, targets)?;
        for (&cell, codes) in &self.codes {
            for (circuit, &code) in codes.iter().enumerate() {
                core.capmem_mut().set(cell, circuit as u16, code);
            }
        }
        for (channel, &offset) in self.cadc_offsets.iter().enumerate() {
            core.cadc_mut().set_digital_offset(channel as u16, offset);
        }
        core.circuits_mut().copy_from_slice(&self.circuits);
        Ok(())
    }

    fn check(
        &self,
        core: &AnalogCore,
        neurons: &[NeuronCircuits],
        targets: &[NeuronTargets],
    ) -> Result<(), AnalogError> {
        let foreign = |what, was: String, asked: String| {
            Err(AnalogError::ForeignCalibration { what, was, asked })
        };
        if self.format != Self::FORMAT {
            let (was, asked) = (self.format.to_string(), Self::FORMAT.to_string());
            return foreign("format", was, asked);
        }
        if self.chip != core.chip() {
            let (was, asked) = (self.chip.0.to_string(), core.chip().0.to_string());
            return foreign("chip", was, asked);
        }
        if self.profile != *core.profile() {
            let (was, asked) = (&self.profile.name, &core.profile().name);
            return foreign("profile", or_other_values(was, asked), asked.clone());
        }
        if self.measured.as_ref() != core.measured_chip() {
            let name = |chip: Option<&MeasuredChip>| chip.map_or("none".into(), |c| c.name.clone());
            let (was, asked) = (name(self.measured.as_ref()), name(core.measured_chip()));
            return foreign("measured chip", or_other_values(&was, &asked), asked);
        }
        let membranes = neurons.iter().map(|n| n.membrane);
        let partners = neurons.iter().filter_map(|n| n.partner);
        if !self.membranes.iter().copied().eq(membranes)
            || !self.partners.iter().copied().eq(partners)
        {
            let size = |n: usize, joined| format!("{n} neurons, {joined} of two circuits");
            let was = size(self.membranes.len(), self.partners.len());
            let joined = neurons.iter().filter(|n| n.partner.is_some()).count();
            return foreign("placement", was, size(neurons.len(), joined));
        }
        for (n, (was, asked)) in self.targets.iter().zip(targets).enumerate() {
            for (was, asked) in was.fields().into_iter().zip(asked.fields()) {
                if was != asked {
                    let (name, _, _, unit) = was;
                    let (was, asked) = (format!("{} {unit}", was.1), asked.1.to_string());
                    return foreign(name, format!("{was} for neuron {n}"), asked);
                }
            }
        }
        let sizes = [
            self.targets.len() == targets.len(),
            self.circuits.len() == Site::CIRCUITS,
            self.cadc_offsets.len() == Site::CIRCUITS,
            self.codes.len() == Cell::ALL.len(),
            self.codes.values().all(|c| c.len() == Site::CIRCUITS),
        ];
        if sizes.contains(&false) {
            let (was, asked) = ("lists that are cut short", "one entry per circuit");
            return foreign("content", was.into(), asked.into());
        }
        Ok(())
    }
}

/// A name that tells the two apart even where they share it.
fn or_other_values(was: &str, asked: &str) -> String {
    let detail = if was == asked {
        " with other values"
    } else {
        ""
    };
    format!("{was}{detail}")
}
