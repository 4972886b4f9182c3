//! The order in which a chip is calibrated.

use bss2_event::{NeuronCircuits, RangeError, Seconds, Site, Volts};

use crate::cadc::VOLTS_PER_LSB;
use crate::calib::stage::Calibration;
use crate::calib::{CalibrationConfig, CalibrationReport, NeuronTargets};
use crate::circuit::{CircuitConfig, LeakScale, RefractoryCounter, least_capacitor};
use crate::core::{AnalogCore, check_neurons};
use crate::error::AnalogError;

/// Sets every cell of the given neurons so that what a user can observe meets
/// the targets, one per neuron. Tells `progress` each stage's name.
///
/// # Errors
/// Targets outside their range or not one per neuron, circuits used twice.
pub fn calibrate(
    core: &mut AnalogCore,
    neurons: &[NeuronCircuits],
    targets: &[NeuronTargets],
    config: &CalibrationConfig,
    mut progress: impl FnMut(&'static str),
) -> Result<CalibrationReport, AnalogError> {
    check(core, neurons, targets, config)?;
    configure(core, neurons, targets)?;
    progress("CADC offsets");
    calibrate_cadc_offsets(core, config);
    let mut calibration = Calibration::new(core, neurons, targets, config);
    let c = &mut calibration;
    c.without_spikes(|c| {
        // Standing currents of several inputs may add up to more than the membrane
        // can show, so each is nulled alone.
        progress("leak potential");
        c.connect_all(false);
        c.leak()?;
        progress("synaptic input offsets");
        for input in c.inputs() {
            c.shift(input)?;
        }
        c.connect_all(true);
        progress("leak and reset");
        c.leak()?;
        c.reset()?;
        progress("membrane time constant");
        let tau_mem = c.tau_mem()?;
        progress("synaptic time constants");
        for input in c.inputs() {
            c.tau_syn(input, &tau_mem)?;
        }
        progress("synaptic strength");
        for input in c.inputs() {
            c.strength(input, &tau_mem)?;
        }
        // A standing current grows with the strength of its input.
        progress("synaptic input offsets");
        c.connect_all(false);
        for input in c.inputs() {
            c.shift(input)?;
        }
        c.connect_all(true);
        Ok(())
    })?;
    progress("threshold");
    c.threshold()?;
    // Cells that were moved for a measurement, and written back, ended elsewhere.
    progress("reset and leak");
    c.without_spikes(|c| {
        c.reset()?;
        c.leak()
    })?;
    progress("verification");
    calibration.report()
}

/// Measures every quantity of neurons as they are set, without calibrating.
///
/// # Errors
/// As [`calibrate`].
pub fn characterise(
    core: &AnalogCore,
    neurons: &[NeuronCircuits],
    targets: &[NeuronTargets],
    config: &CalibrationConfig,
) -> Result<CalibrationReport, AnalogError> {
    check(core, neurons, targets, config)?;
    let mut core = core.clone();
    Calibration::new(&mut core, neurons, targets, config).report()
}

fn check(
    core: &AnalogCore,
    neurons: &[NeuronCircuits],
    targets: &[NeuronTargets],
    config: &CalibrationConfig,
) -> Result<(), AnalogError> {
    config.validate()?;
    check_targets(core, neurons, targets)?;
    Ok(targets.iter().try_for_each(NeuronTargets::validate)?)
}

/// One target for each neuron, of circuits that exist, whose capacitor can be that small.
fn check_targets(
    core: &AnalogCore,
    neurons: &[NeuronCircuits],
    targets: &[NeuronTargets],
) -> Result<(), AnalogError> {
    check_neurons(neurons)?;
    let n = neurons.len() as f64;
    RangeError::check("number of targets", targets.len() as f64, n, n, "")?;
    for (neuron, target) in neurons.iter().zip(targets) {
        let circuits = 1 + usize::from(neuron.partner.is_some());
        let least = least_capacitor(circuits, core.profile());
        let capacitor = target.capacitance.into();
        RangeError::check("targets.capacitance", capacitor, least, 63.0, "")?;
    }
    Ok(())
}

/// Sets the digital switches of single and of joined circuits and the
/// refractory counters, and leaves the cells as they are.
///
/// # Errors
/// A refractory period outside its range, circuits that do not exist or serve twice, another
/// number of targets than of neurons; nothing is set then.
///
/// # Source
/// The paper's code: the joined circuit lends no capacitor, an eighth of its
/// leak, and neither comparator nor readout.
pub fn configure(
    core: &mut AnalogCore,
    neurons: &[NeuronCircuits],
    targets: &[NeuronTargets],
) -> Result<(), AnalogError> {
    check_targets(core, neurons, targets)?;
    let counters = targets
        .iter()
        .map(|t| RefractoryCounter::for_period(t.refractory));
    let counters = counters.collect::<Result<Vec<_>, _>>()?;
    for ((neuron, target), refractory) in neurons.iter().zip(targets).zip(counters) {
        let (leak_scale, partner_leak_scale) = leak_scales(target.tau_mem);
        core.circuits_mut()[usize::from(neuron.membrane)] = CircuitConfig {
            refractory,
            capacitance: target.capacitance,
            leak_scale,
            ..CircuitConfig::default()
        };
        if let Some(partner) = neuron.partner {
            core.circuits_mut()[usize::from(partner)] = CircuitConfig {
                capacitance: 0,
                leak_scale: partner_leak_scale,
                threshold_enabled: false,
                ..CircuitConfig::default()
            };
        }
    }
    Ok(())
}

/// Factors on the leaks of membrane and joined circuit, so that the leak cell
/// finds the time constant well inside its range.
///
/// # Source
/// That the switches are set by the target: hardware fact sheet, section 8. The
/// limits are ours: at 2 us the cell needs code 560 without the switch, at 20 us
/// 418 with it. Beyond that the joined circuit alone would leak too much.
fn leak_scales(tau_mem: Seconds) -> (LeakScale, LeakScale) {
    if tau_mem < Seconds::micro(2.0) {
        (LeakScale::Eightfold, LeakScale::Eighth)
    } else if tau_mem < Seconds::micro(20.0) {
        (LeakScale::Unity, LeakScale::Eighth)
    } else {
        (LeakScale::Eighth, LeakScale::Off)
    }
}

/// Digital offsets that make all channels read the same at mid-range.
fn calibrate_cadc_offsets(core: &mut AnalogCore, config: &CalibrationConfig) {
    const REFERENCE: f64 = 128.0;
    for channel in 0..Site::CIRCUITS as u16 {
        core.cadc_mut().set_digital_offset(channel, 0);
    }
    let codes = core.read_reference(
        Volts::new(REFERENCE * VOLTS_PER_LSB),
        config.seed,
        config.trials,
    );
    for (channel, code) in codes.into_iter().enumerate() {
        let offset = (REFERENCE - code).round().clamp(-128.0, 127.0) as i8;
        core.cadc_mut().set_digital_offset(channel as u16, offset);
    }
}
