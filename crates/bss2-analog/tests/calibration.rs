//! Calibration from observations only, on chips as drawn.

use bss2_analog::calib::{CalibrationConfig, NeuronTargets, Quantity, calibrate, characterise};
use bss2_analog::{AnalogCore, MismatchProfile};
use bss2_event::{NeuronCircuits, Seed};

fn joined() -> Vec<NeuronCircuits> {
    (0..256).map(NeuronCircuits::pair).collect()
}

#[test]
fn a_drawn_chip_reaches_the_published_targets() {
    let neurons = joined();
    let targets = vec![NeuronTargets::default(); 256];
    let config = CalibrationConfig::default();
    let mut core = AnalogCore::new(MismatchProfile::cube66(), Seed(66)).unwrap();
    let start = std::time::Instant::now();
    let report = calibrate(&mut core, &neurons, &targets, &config, |_| ()).unwrap();
    eprintln!("calibrated in {:.2?}", start.elapsed());
    for measured in &report.quantities {
        let ((name, unit), (mean, sd)) = (measured.quantity.label(), measured.mean_and_sd());
        let failures = measured.failures().count();
        eprintln!("{name:22} {mean:8.3} +- {sd:.3} {unit}, {failures} failures");
    }
    let relative = |q| report.get(q).unwrap().rms_error() / report.get(q).unwrap().target[0];
    // What the fact sheet suggests remains after calibration.
    assert!(report.get(Quantity::Leak).unwrap().rms_error() < 1.0);
    assert!(report.get(Quantity::Reset).unwrap().rms_error() < 1.0);
    assert!(report.get(Quantity::Threshold).unwrap().rms_error() < 1.5);
    assert!(relative(Quantity::TauMem) < 0.035);
    for tau in [
        Quantity::TauSynExc,
        Quantity::TauSynInh,
        Quantity::PartnerTauSynExc,
    ] {
        assert!(relative(tau) < 0.04, "{tau:?}");
    }
    assert!(relative(Quantity::StrengthExc) < 0.04);
    assert!(
        report.failed_neurons().len() <= 3,
        "{:?}",
        report.failed_neurons()
    );

    let before = AnalogCore::new(MismatchProfile::cube66(), Seed(66)).unwrap();
    let before = characterise(&before, &neurons, &targets, &config).unwrap();
    let spread = |q| before.get(q).unwrap().mean_and_sd().1;
    assert!(spread(Quantity::Leak) > 5.0 && spread(Quantity::TauSynExc) > 0.6);
}

#[test]
fn one_seed_gives_the_same_codes_on_any_number_of_threads() {
    let neurons: Vec<_> = (0..40)
        .map(|membrane| NeuronCircuits {
            membrane,
            partner: None,
        })
        .collect();
    let targets = vec![NeuronTargets::default(); 40];
    let codes = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let mut core = AnalogCore::new(MismatchProfile::cube66(), Seed(3)).unwrap();
            let config = CalibrationConfig {
                trials: 16,
                ..CalibrationConfig::default()
            };
            calibrate(&mut core, &neurons, &targets, &config, |_| ()).unwrap();
            core.capmem().clone()
        })
    };
    assert_eq!(codes(1), codes(3));
}

#[test]
fn targets_outside_their_range_are_named() {
    let mut core = AnalogCore::new(MismatchProfile::ideal(), Seed(0)).unwrap();
    let neurons = [NeuronCircuits {
        membrane: 0,
        partner: None,
    }];
    let targets = [NeuronTargets {
        threshold: 300.0,
        ..NeuronTargets::default()
    }];
    let error = calibrate(
        &mut core,
        &neurons,
        &targets,
        &CalibrationConfig::default(),
        |_| (),
    );
    let error = error.unwrap_err().to_string();
    assert_eq!(error, "targets.threshold is 300, allowed are 50 to 220");
}
