//! What a calibration reports is what the circuits have.

use bss2_event::{NeuronCircuits, Seed};

use crate::calib::{CalibrationConfig, NeuronTargets, Quantity, calibrate};
use crate::{AnalogCore, Integration, MismatchProfile};

#[test]
fn reports_agree_with_the_hidden_truth() {
    let neurons: Vec<_> = (0..256)
        .map(|n| NeuronCircuits {
            membrane: 2 * n,
            partner: Some(2 * n + 1),
        })
        .collect();
    let targets = vec![NeuronTargets::default(); neurons.len()];
    let mut core = AnalogCore::new(MismatchProfile::cube66(), Seed(7)).unwrap();
    let report = calibrate(
        &mut core,
        &neurons,
        &targets,
        &CalibrationConfig::default(),
        |_| (),
    )
    .unwrap();
    let lanes: Vec<_> = neurons
        .iter()
        .map(|neuron| core.lane(neuron, &Integration::default()).unwrap().0)
        .collect();
    // (quantity, truth, mean and rms distance that measuring may add)
    let code = |volts: f64, n: usize| volts * lanes[n].cadc.0 + lanes[n].cadc.1;
    type Truth<'a> = &'a dyn Fn(usize) -> f64;
    let cases: [(Quantity, Truth<'_>, f64, f64); 6] = [
        (Quantity::Leak, &|n| code(lanes[n].v_rest, n), 0.1, 0.4),
        (Quantity::Reset, &|n| code(lanes[n].v_reset, n), 0.1, 0.4),
        (
            Quantity::Threshold,
            &|n| code(lanes[n].v_threshold, n),
            0.3,
            0.6,
        ),
        (Quantity::TauMem, &|n| lanes[n].tau_mem, 0.06, 0.15),
        (Quantity::TauSynExc, &|n| lanes[n].tau_syn[0], 0.12, 0.3),
        (
            Quantity::PartnerTauSynInh,
            &|n| lanes[n].tau_syn[3],
            0.12,
            0.3,
        ),
    ];
    for (quantity, truth, mean_limit, rms_limit) in cases {
        let reached = &report.get(quantity).unwrap().reached;
        let errors: Vec<f64> = reached
            .iter()
            .enumerate()
            .map(|(n, r)| r - truth(n))
            .collect();
        let mean = errors.iter().sum::<f64>() / errors.len() as f64;
        let rms = (errors.iter().map(|e| e * e).sum::<f64>() / errors.len() as f64).sqrt();
        eprintln!("{quantity:?}: measured - true {mean:.3}, rms {rms:.3}");
        assert!(
            mean.abs() < mean_limit && rms < rms_limit,
            "{quantity:?}: {mean} {rms}"
        );
    }
}
