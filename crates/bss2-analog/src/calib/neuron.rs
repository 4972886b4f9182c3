//! The order in which a chip is calibrated.

use bss2_event::{CapMemCode, NeuronCircuits, RangeError, Site, Volts};

use crate::cadc::VOLTS_PER_LSB;
use crate::calib::probe::Probe;
use crate::calib::stage::{Calibration, windows};
use crate::calib::{CalibrationConfig, CalibrationReport, NeuronTargets};
use crate::capmem::Cell;
use crate::circuit::{CircuitConfig, LeakScale, RefractoryCounter};
use crate::core::AnalogCore;
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
    check(neurons, targets, config)?;
    configure(core, neurons, targets)?;
    progress("CADC offsets");
    calibrate_cadc_offsets(core, config);
    let mut calibration = Calibration {
        core,
        probe: Probe::new(neurons, config.seed),
        targets,
        windows: windows(targets),
        trials: config.trials,
    };
    let c = &mut calibration;
    c.set_all(Cell::VThreshold, CapMemCode::MAX);
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
    progress("leak and threshold");
    c.leak()?;
    c.threshold()?;
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
    check(neurons, targets, config)?;
    let mut core = core.clone();
    let probe = Probe::new(neurons, config.seed);
    Calibration {
        core: &mut core,
        probe,
        targets,
        windows: windows(targets),
        trials: config.trials,
    }
    .report()
}

fn check(
    neurons: &[NeuronCircuits],
    targets: &[NeuronTargets],
    config: &CalibrationConfig,
) -> Result<(), AnalogError> {
    config.validate()?;
    let n = neurons.len() as f64;
    RangeError::check("number of targets", targets.len() as f64, n, n, "")?;
    Ok(targets.iter().try_for_each(NeuronTargets::validate)?)
}

/// Sets the digital switches of single and of joined circuits and the
/// refractory counters, and leaves the cells as they are.
///
/// # Errors
/// A refractory period outside its range.
///
/// # Source
/// The paper's code: the joined circuit lends no capacitor, an eighth of its
/// leak, and neither comparator nor readout.
pub fn configure(
    core: &mut AnalogCore,
    neurons: &[NeuronCircuits],
    targets: &[NeuronTargets],
) -> Result<(), AnalogError> {
    for (neuron, target) in neurons.iter().zip(targets) {
        let refractory = RefractoryCounter::for_period(target.refractory)?;
        let membrane = CircuitConfig {
            refractory,
            ..CircuitConfig::default()
        };
        core.circuits_mut()[usize::from(neuron.membrane)] = membrane;
        if let Some(partner) = neuron.partner {
            core.circuits_mut()[usize::from(partner)] = CircuitConfig {
                capacitance: 0,
                leak_scale: LeakScale::Eighth,
                threshold_enabled: false,
                ..CircuitConfig::default()
            };
        }
    }
    Ok(())
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
