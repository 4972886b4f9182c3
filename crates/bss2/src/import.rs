//! The calibration of a real chip, from the archive that it was saved in.

use std::collections::BTreeMap;
use std::path::Path;

use bss2_analog::calib::NeuronTargets;
use bss2_analog::{Cell, MeasuredChip};
use bss2_event::{CapMemCode, Seconds};

use crate::npz::{Npz, NpzError};

/// Names of each cell's array: by the chip's containers, and as the calibration
/// library keeps them.
///
/// # Source
/// `electronicvisions/calix`, hardware fact sheet, sections 8 and 9.
const ARRAYS: [(Cell, [&str; 2]); 10] = [
    (Cell::VLeak, ["leak_v", "v_leak"]),
    (Cell::VReset, ["reset_v", "v_reset"]),
    (Cell::VThreshold, ["threshold_v", "v_threshold"]),
    (Cell::IBiasLeak, ["leak_i_bias", "i_bias_leak"]),
    (Cell::IBiasSyninExcTau, ["exc_i_bias_tau", "i_syn_exc_tau"]),
    (Cell::IBiasSyninInhTau, ["inh_i_bias_tau", "i_syn_inh_tau"]),
    (Cell::IBiasSyninExcGm, ["exc_i_bias_gm", "i_syn_exc_gm"]),
    (Cell::IBiasSyninInhGm, ["inh_i_bias_gm", "i_syn_inh_gm"]),
    (
        Cell::IBiasSyninExcShift,
        ["exc_i_shift_reference", "i_syn_exc_shift"],
    ),
    (
        Cell::IBiasSyninInhShift,
        ["inh_i_shift_reference", "i_syn_inh_shift"],
    ),
];

const CAPACITANCE: &str = "membrane_capacitance";
const CADC_OFFSET: &str = "cadc_channel_offset";

/// A chip that was read, and what its file left open.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The chip.
    pub chip: MeasuredChip,
    /// Arrays that were not there, whose defaults are used.
    pub assumed: Vec<String>,
    /// Arrays that are pickled objects and were left alone.
    pub pickled: Vec<String>,
}

/// Reads the calibration of a real chip from an npz archive.
///
/// Needed are 512 codes of each cell, whole numbers of 0..=1022, in circuit order.
/// Optional are `membrane_capacitance` (512, 0..=63), `cadc_channel_offset`
/// (2 x 2 x 256: half, causal or not, column) and the targets `target_leak`,
/// `target_reset`, `target_threshold`, `target_i_synin_gm`, `target_tau_mem_us`,
/// `target_tau_syn_us`, `target_refractory_us`; other arrays are ignored.
///
/// # Errors
/// [`NpzError`], naming file and array.
pub fn read(path: &Path, name: &str) -> Result<Imported, NpzError> {
    let mut npz = Npz::open(path)?;
    let mut codes = BTreeMap::new();
    for (cell, names) in ARRAYS {
        let found = npz.integers(&names, &[512])?;
        let (name, found) = found.ok_or_else(|| npz.missing(&names))?;
        let max = CapMemCode::MAX.get().into();
        let found = within(&npz, &name, found, 0, max)?;
        codes.insert(
            cell,
            found.into_iter().map(CapMemCode::saturating).collect(),
        );
    }
    let mut assumed = Vec::new();
    let membrane_capacitance = match npz.integers(&[CAPACITANCE], &[512])? {
        Some((_, found)) => within(&npz, CAPACITANCE, found, 0, 63)?
            .into_iter()
            .map(|setting| setting as u8)
            .collect(),
        None => {
            assumed.push(format!("{CAPACITANCE} (63)"));
            vec![63; 512]
        }
    };
    let cadc_offset = match npz.integers(&[CADC_OFFSET], &[2, 2, 256])? {
        Some((_, found)) => {
            let found = within(&npz, CADC_OFFSET, found, -128, 127)?;
            // Of each half the causal channels.
            let causal = found.chunks(256).step_by(2).flatten();
            Some(causal.map(|&offset| offset as i8).collect())
        }
        None => {
            assumed.push(format!("{CADC_OFFSET} (drawn)"));
            None
        }
    };
    let chip = MeasuredChip {
        name: name.to_owned(),
        codes,
        membrane_capacitance,
        cadc_offset,
        targets: targets(&mut npz, &mut assumed)?,
    };
    if let Err(error) = chip.validate() {
        return Err(npz.unfit(
            "a target",
            &format!("is wrong ({error})"),
            "one in its range",
        ));
    }
    Ok(Imported {
        chip,
        assumed,
        pickled: npz.pickled(),
    })
}

fn targets(npz: &mut Npz, assumed: &mut Vec<String>) -> Result<NeuronTargets, NpzError> {
    let default = NeuronTargets::default();
    let mut target = |array: &str, default: f64| -> Result<f64, NpzError> {
        Ok(npz.scalar(array)?.unwrap_or_else(|| {
            assumed.push(format!("{array} ({default})"));
            default
        }))
    };
    let leak = target("target_leak", default.leak)?;
    let reset = target("target_reset", default.reset)?;
    let threshold = target("target_threshold", default.threshold)?;
    let mut time = |array: &str, default: Seconds| -> Result<Seconds, NpzError> {
        let microseconds = target(array, default.as_micro())?;
        Ok(Seconds::micro(microseconds))
    };
    let tau_mem = time("target_tau_mem_us", default.tau_mem)?;
    let tau_syn = time("target_tau_syn_us", default.tau_syn_exc)?;
    let refractory = time("target_refractory_us", default.refractory)?;
    // The library's target is the median code; 500 on the published chip.
    let strength = target("target_i_synin_gm", PUBLISHED_GM)? / PUBLISHED_GM;
    Ok(NeuronTargets {
        leak,
        reset,
        threshold,
        tau_mem,
        tau_syn_exc: tau_syn,
        tau_syn_inh: tau_syn,
        refractory,
        strength_exc: strength,
        strength_inh: strength,
        ..default
    })
}

/// Median code of synaptic strength that the published chip was calibrated to,
/// where our relative strength is one.
const PUBLISHED_GM: f64 = 500.0;

fn within(
    npz: &Npz,
    array: &str,
    values: Vec<i64>,
    min: i64,
    max: i64,
) -> Result<Vec<i64>, NpzError> {
    match values.iter().position(|value| !(min..=max).contains(value)) {
        None => Ok(values),
        Some(at) => Err(npz.unfit(
            &format!("{array}, entry {at},"),
            &format!("is {}", values[at]),
            &format!("{min} to {max}"),
        )),
    }
}
