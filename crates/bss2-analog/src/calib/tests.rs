//! What a calibration reports is what the circuits have.

use bss2_event::{NeuronCircuits, RowMode, Seconds, Seed, SiteTable, Volts};

use crate::calib::{
    CalibrationConfig, CalibrationReport, Decalibration, Detuned, NeuronTargets, Quantity,
    SavedCalibration, calibrate, characterise,
};
use crate::circuit::{membrane_capacitance, nominal_slew};
use crate::neuron::lif::LaneParameters;
use crate::{
    AnalogCore, CadcSchedule, Cell, Integration, MismatchProfile, Network, NeuronSpike,
    Observation, RunAddress, Workspace,
};

fn joined() -> Vec<NeuronCircuits> {
    (0..256).map(NeuronCircuits::pair).collect()
}

fn single(count: u16) -> Vec<NeuronCircuits> {
    let neuron = |membrane| NeuronCircuits {
        membrane,
        partner: None,
    };
    (0..count).map(neuron).collect()
}

fn cube66(chip: u64) -> AnalogCore {
    AnalogCore::new(MismatchProfile::cube66(), Seed(chip)).unwrap()
}

/// What the circuits really have.
struct Truth {
    lanes: Vec<(LaneParameters, [f64; 4])>,
    /// Picofarads.
    capacitance: Vec<f64>,
}

impl Truth {
    fn of(core: &AnalogCore, neurons: &[NeuronCircuits]) -> Self {
        let lane = |neuron| core.lane(neuron, &Integration::default()).unwrap();
        let circuit = |c: u16| {
            membrane_capacitance(core.circuits()[usize::from(c)].capacitance, core.profile())
        };
        Self {
            lanes: neurons.iter().map(lane).collect(),
            capacitance: neurons
                .iter()
                .map(|n| 1e12 * (circuit(n.membrane) + n.partner.map_or(0.0, circuit)))
                .collect(),
        }
    }

    fn get(&self, quantity: Quantity, n: usize) -> f64 {
        let (lane, slew) = &self.lanes[n];
        let code = |volts: f64| volts * lane.cadc.0 + lane.cadc.1;
        let strength = |g: usize| slew[g] / (1e-6 * nominal_slew());
        match quantity {
            Quantity::Leak => code(lane.v_rest),
            Quantity::Reset => code(lane.v_reset),
            Quantity::Threshold => code(lane.v_threshold),
            Quantity::Refractory => lane.refractory + lane.holdoff,
            Quantity::Capacitance => self.capacitance[n],
            Quantity::TauMem => lane.tau_mem,
            Quantity::TauSynExc => lane.tau_syn[0],
            Quantity::TauSynInh => lane.tau_syn[1],
            Quantity::PartnerTauSynExc => lane.tau_syn[2],
            Quantity::PartnerTauSynInh => lane.tau_syn[3],
            Quantity::StrengthExc => strength(0),
            Quantity::StrengthInh => strength(1),
            Quantity::PartnerStrengthExc => strength(2),
            Quantity::PartnerStrengthInh => strength(3),
        }
    }
}

/// Mean and rms distance of what a report says from the truth that measuring may
/// add. Synapses are averaged over 32 rows only: 1 % of strength.
fn allowed(quantity: Quantity) -> (f64, f64) {
    match quantity {
        Quantity::Leak | Quantity::Reset => (0.1, 0.4),
        Quantity::Threshold => (0.3, 0.6),
        Quantity::Refractory => (0.03, 0.04),
        Quantity::Capacitance => (0.03, 0.06),
        Quantity::TauMem => (0.06, 0.15),
        Quantity::TauSynExc
        | Quantity::TauSynInh
        | Quantity::PartnerTauSynExc
        | Quantity::PartnerTauSynInh => (0.12, 0.3),
        _ => (0.02, 0.04),
    }
}

fn assert_true(report: &CalibrationReport, truth: &Truth, factor: f64) {
    let met = |n: &usize, failed: &[usize]| !failed.contains(n);
    let failed = report.failed_neurons();
    for measured in &report.quantities {
        let errors: Vec<f64> = (0..measured.reached.len())
            .filter(|n| met(n, &failed))
            .map(|n| measured.reached[n] - truth.get(measured.quantity, n))
            .collect();
        let count = errors.len() as f64;
        let mean = errors.iter().sum::<f64>() / count;
        let rms = (errors.iter().map(|e| e * e).sum::<f64>() / count).sqrt();
        let quantity = measured.quantity;
        eprintln!("{quantity:?}: measured - true {mean:.3}, rms {rms:.3}");
        let (mean_limit, rms_limit) = allowed(quantity);
        assert!(
            mean.abs() < factor * mean_limit && rms < factor * rms_limit,
            "{quantity:?}: {mean} {rms}"
        );
    }
}

#[test]
fn reports_agree_with_the_hidden_truth() {
    let neurons = joined();
    let targets = vec![NeuronTargets::default(); neurons.len()];
    let mut core = cube66(7);
    let config = CalibrationConfig::default();
    let report = calibrate(&mut core, &neurons, &targets, &config, |_| ()).unwrap();
    assert_eq!(report.quantities.len(), 14);
    assert_true(&report, &Truth::of(&core, &neurons), 1.0);
}

#[test]
fn a_slow_ramp_of_the_cadc_misleads_no_calibration() {
    let cube = MismatchProfile::cube66();
    let profile = MismatchProfile {
        cadc: crate::CadcSpread {
            conversion: Seconds::micro(0.5),
            ..cube.cadc
        },
        ..cube
    };
    let neurons = single(64);
    let mut core = AnalogCore::new(profile, Seed(7)).unwrap();
    let targets = vec![NeuronTargets::default(); neurons.len()];
    let config = CalibrationConfig::default();
    let report = calibrate(&mut core, &neurons, &targets, &config, |_| ()).unwrap();
    // The ramp meets a response that goes down earlier than the rest: that is left.
    assert_true(&report, &Truth::of(&core, &neurons), 1.5);
}

#[test]
fn every_neuron_has_targets_of_its_own() {
    let neurons = single(96);
    let spread = |n: usize, low: f64, high: f64| low + (high - low) * (n % 12) as f64 / 11.0;
    let targets: Vec<_> = (0..neurons.len())
        .map(|n| NeuronTargets {
            leak: spread(n, 70.0, 110.0),
            reset: spread(n + 5, 60.0, 90.0),
            threshold: spread(n + 3, 130.0, 200.0),
            tau_mem: Seconds::micro(spread(n + 1, 4.0, 15.0)),
            tau_syn_exc: Seconds::micro(spread(n + 7, 3.0, 10.0)),
            tau_syn_inh: Seconds::micro(spread(n + 2, 3.0, 10.0)),
            refractory: Seconds::micro(spread(n + 4, 0.5, 12.0)),
            strength_exc: spread(n + 8, 0.5, 1.1),
            strength_inh: spread(n + 6, 0.5, 1.1),
            capacitance: 63 - (n % 3) as u8 * 8,
        })
        .collect();
    let mut core = cube66(66);
    let config = CalibrationConfig::default();
    let report = calibrate(&mut core, &neurons, &targets, &config, |_| ()).unwrap();
    for failure in report.failures() {
        eprintln!("{failure}");
    }
    assert!(report.failed_neurons().len() <= 4);
    assert_true(&report, &Truth::of(&core, &neurons), 2.0);
}

#[test]
fn time_constants_at_the_ends_of_their_range_are_found() {
    let neurons = single(64);
    let taus = [0.7, 1.5, 3.0, 25.0];
    let targets: Vec<_> = (0..neurons.len())
        .map(|n| NeuronTargets {
            tau_mem: Seconds::micro(taus[n % 4]),
            ..NeuronTargets::default()
        })
        .collect();
    let mut core = cube66(66);
    let config = CalibrationConfig::default();
    let report = calibrate(&mut core, &neurons, &targets, &config, |_| ()).unwrap();
    let truth = Truth::of(&core, &neurons);
    let mut failed = 0;
    for (n, target) in targets.iter().enumerate() {
        let (tau, threshold) = (
            truth.get(Quantity::TauMem, n),
            truth.get(Quantity::Threshold, n),
        );
        let off = (tau / target.tau_mem.as_micro() - 1.0).abs() > 0.1;
        if off || (threshold - target.threshold).abs() > 2.0 {
            eprintln!(
                "neuron {n}: tau {tau:.3} for {}, threshold {threshold:.2}",
                target.tau_mem
            );
        }
        failed += usize::from(off || (threshold - target.threshold).abs() > 2.0);
    }
    assert!(
        failed <= 2,
        "{failed} neurons, {:?}",
        report.failed_neurons()
    );
}

/// Spikes per second without input, from their intervals in 340 us.
fn spontaneous_rates(core: &AnalogCore, neurons: &[NeuronCircuits]) -> Vec<f64> {
    let sites = SiteTable::new(1, vec![Vec::new(); 1 + neurons.len()]).unwrap();
    let network = Network {
        neurons,
        sites: &sites,
        row_modes: &[RowMode::Excitatory; 512],
    };
    let schedule = CadcSchedule {
        samples: 200,
        ..CadcSchedule::default()
    };
    let integration = Integration {
        schedule,
        ..Integration::default()
    };
    let lowered = core.lower(&network, &integration).unwrap();
    let mut observation = Observation::default();
    let address = RunAddress::new(core.chip(), Seed(1), 0, 0);
    let workspace = &mut Workspace::default();
    lowered.run(address, &[], &[], |_, _| None, workspace, &mut observation);
    let rate = |n: usize| {
        let own = |s: &&NeuronSpike| usize::from(s.neuron) == n;
        let times: Vec<f64> = observation
            .spikes()
            .iter()
            .filter(own)
            .map(|s| s.time)
            .collect();
        match times.as_slice() {
            [first, .., last] => (times.len() - 1) as f64 / (last - first),
            _ => 0.0,
        }
    };
    (0..neurons.len()).map(rate).collect()
}

#[test]
fn neurons_pushed_into_leak_over_threshold_fire_at_the_rate_of_the_closed_form() {
    // Thresholds from 30 codes below the leak to 30 above, and some below reset.
    let neurons = single(128);
    let targets: Vec<_> = (0..neurons.len())
        .map(|n| NeuronTargets {
            leak: 110.0,
            reset: 70.0,
            threshold: 140.0 - 80.0 * (n % 16) as f64 / 15.0,
            ..NeuronTargets::default()
        })
        .collect();
    let mut profile = MismatchProfile::cube66();
    // The closed form has no noise.
    profile.noise.membrane = Volts::new(0.0);
    profile.noise.trial_leak = 0.0;
    profile.noise.trial_threshold = 0.0;
    profile.noise.trial_tau = 0.0;
    profile.capmem.refresh_voltage = Volts::new(0.0);
    profile.capmem.refresh_current = 0.0;
    let mut core = AnalogCore::new(profile, Seed(66)).unwrap();
    let config = CalibrationConfig::default();
    let report = calibrate(&mut core, &neurons, &targets, &config, |_| ()).unwrap();
    assert!(
        report
            .get(Quantity::Threshold)
            .unwrap()
            .failures()
            .next()
            .is_none()
    );
    let truth = Truth::of(&core, &neurons);
    let delay = core.profile().noise.comparator_delay.as_micro();
    let rates = spontaneous_rates(&core, &neurons);
    let (mut over, mut below_reset) = (0, 0);
    for (n, rate) in rates.iter().enumerate() {
        let lane = &truth.lanes[n].0;
        let hold = lane.refractory + delay;
        if lane.v_threshold >= lane.v_rest {
            assert_eq!(*rate, 0.0, "neuron {n} rests below its threshold");
            continue;
        }
        over += 1;
        below_reset += usize::from(lane.v_threshold <= lane.v_reset);
        let climb = (lane.v_rest - lane.v_reset) / (lane.v_rest - lane.v_threshold);
        // Not before the refractory period is over.
        let period = hold + (lane.tau_mem * climb.max(1.0).ln()).max(lane.holdoff);
        let expected = 1e6 / period;
        assert!(
            (rate / expected - 1.0).abs() < 1e-3,
            "neuron {n}: {rate} {expected}"
        );
        // What was asked for is what fires.
        assert!(targets[n].threshold < targets[n].leak + 2.0);
    }
    assert!(over >= 64 && below_reset >= 8, "{over} {below_reset}");
}

#[test]
fn a_decalibrated_chip_is_calibrated_to_its_scattered_targets() {
    let neurons = joined();
    let mut targets = vec![NeuronTargets::default(); neurons.len()];
    let decalibration = Decalibration {
        sigma: 0.5,
        what: Detuned::All,
        seed: Seed(1),
    };
    let repeated = decalibration.scatter(&mut targets).unwrap();
    let mut core = cube66(66);
    let config = CalibrationConfig::default();
    let report = calibrate(&mut core, &neurons, &targets, &config, |_| ()).unwrap();
    let failed = |q| report.get(q).unwrap().failures().count();
    eprintln!("{repeated} draws repeated");
    for measured in &report.quantities {
        eprintln!(
            "{:?}: {} failed",
            measured.quantity,
            failed(measured.quantity)
        );
    }
    let truth = Truth::of(&core, &neurons);
    let mut off = [0; 3];
    for (n, t) in targets.iter().enumerate() {
        let over = |q, target: f64, limit: f64| (truth.get(q, n) - target).abs() > limit;
        off[0] += usize::from(over(Quantity::Threshold, t.threshold, 3.0));
        off[1] += usize::from(over(
            Quantity::TauMem,
            t.tau_mem.as_micro(),
            0.1 * t.tau_mem.as_micro(),
        ));
        off[2] += usize::from(over(Quantity::TauSynExc, t.tau_syn(0), 0.15 * t.tau_syn(0)));
    }
    eprintln!("off the target in truth: {off:?}");
    assert!(off[0] <= 2 && off[1] <= 3 && off[2] <= 10, "{off:?}");
    // Those below the leak fire without input.
    let rates = spontaneous_rates(&core, &neurons);
    let low = |n: &usize| targets[*n].threshold < targets[*n].leak - 3.0;
    assert!((0..256).filter(low).count() > 0);
    assert!((0..256).filter(low).all(|n| rates[n] > 1e4));
}

#[test]
fn a_saved_calibration_fits_its_own_chip_alone() {
    let neurons = single(8);
    let targets = vec![NeuronTargets::default(); 8];
    let config = CalibrationConfig {
        trials: 8,
        ..CalibrationConfig::default()
    };
    let mut core = cube66(3);
    let report = calibrate(&mut core, &neurons, &targets, &config, |_| ()).unwrap();
    let saved = SavedCalibration::new(&core, &neurons, &targets, report);
    let mut fresh = cube66(3);
    saved.apply(&mut fresh, &neurons, &targets).unwrap();
    let codes = |core: &AnalogCore| Cell::ALL.map(|cell| core.capmem().column(cell).to_vec());
    assert_eq!(codes(&fresh), codes(&core));
    assert_eq!(fresh.cadc(), core.cadc());
    assert_eq!(fresh.circuits(), core.circuits());

    let refused = |core: &mut AnalogCore, neurons: &[_], targets: &[_]| {
        let before = core.capmem().clone();
        let error = saved.apply(core, neurons, targets).unwrap_err().to_string();
        // Nothing was written.
        assert_eq!(*core.capmem(), before);
        error
    };
    let error = refused(&mut cube66(4), &neurons, &targets);
    assert_eq!(
        error,
        "the calibration was made for chip 3, asked for is 4; calibrate again"
    );
    let mut profile = MismatchProfile::cube66();
    profile.within.leak = 0.2;
    let mut other = AnalogCore::new(profile, Seed(3)).unwrap();
    let error = refused(&mut other, &neurons, &targets);
    assert!(
        error.contains("profile cube66 with other values"),
        "{error}"
    );
    let error = refused(&mut cube66(3), &single(9), &targets);
    assert!(
        error.contains("8 neurons") && error.contains("9 neurons"),
        "{error}"
    );
    let mut detuned = targets.clone();
    detuned[5].tau_mem = Seconds::micro(7.5);
    let error = refused(&mut cube66(3), &neurons, &detuned);
    assert!(
        error.contains("targets.tau_mem 6 us for neuron 5"),
        "{error}"
    );
}

#[test]
fn circuits_that_do_not_exist_or_serve_twice_are_refused() {
    let targets = [NeuronTargets::default(); 2];
    let refusals = [
        (vec![600, 1], "neuron circuit is 600, allowed are 0 to 511"),
        (vec![1, 1], "neuron circuit 1 is part of two neurons"),
        (vec![1], "number of targets is 2, allowed are 1 to 1"),
    ];
    for (circuits, refusal) in refusals {
        let neurons: Vec<_> = circuits.into_iter().map(NeuronCircuits::single).collect();
        let mut core = cube66(3);
        let before = core.clone();
        let errors = [
            crate::calib::configure(&mut core, &neurons, &targets)
                .unwrap_err()
                .to_string(),
            calibrate(
                &mut core,
                &neurons,
                &targets,
                &CalibrationConfig::default(),
                |_| (),
            )
            .unwrap_err()
            .to_string(),
        ];
        for error in errors {
            assert!(error.contains(refusal), "{error}");
        }
        assert_eq!(core.circuits(), before.circuits());
    }
}

#[test]
fn a_capacitor_that_is_too_small_for_its_circuits_is_refused_by_its_name() {
    let mut core = AnalogCore::new(MismatchProfile::ideal(), Seed(0)).unwrap();
    let mut set = |capacitance| {
        let target = NeuronTargets {
            capacitance,
            ..NeuronTargets::default()
        };
        crate::calib::configure(&mut core, &[NeuronCircuits::single(0)], &[target])
    };
    // 2.3 pF / 63 each, and 0.05 pF are needed where nothing is parasitic.
    set(2).unwrap();
    let error = set(1).unwrap_err().to_string();
    assert_eq!(error, "targets.capacitance is 1, allowed are 2 to 63");
}

#[test]
fn an_uncalibrated_chip_is_measured_as_it_is() {
    let neurons = joined();
    let targets = vec![NeuronTargets::default(); neurons.len()];
    let mut core = cube66(7);
    crate::calib::configure(&mut core, &neurons, &targets).unwrap();
    let config = CalibrationConfig::default();
    let report = characterise(&core, &neurons, &targets, &config).unwrap();
    let truth = Truth::of(&core, &neurons);
    let thresholds = &report.get(Quantity::Threshold).unwrap().reached;
    let errors = (0..256).map(|n| (thresholds[n] - truth.get(Quantity::Threshold, n)).abs());
    let off = errors.filter(|error| *error > 2.0).count();
    assert!(off <= 3, "{off} thresholds");
}
