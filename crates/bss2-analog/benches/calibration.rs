//! A whole chip, from nominal codes to a verified calibration.

use bss2_analog::calib::{CalibrationConfig, NeuronTargets, calibrate};
use bss2_analog::{AnalogCore, MismatchProfile};
use bss2_event::{NeuronCircuits, Seed};
use criterion::{Criterion, criterion_group, criterion_main};

fn calibration(c: &mut Criterion) {
    let single: Vec<_> = (0..512)
        .map(|membrane| NeuronCircuits {
            membrane,
            partner: None,
        })
        .collect();
    let joined: Vec<_> = (0..256).map(NeuronCircuits::pair).collect();
    let core = AnalogCore::new(MismatchProfile::cube66(), Seed(66)).unwrap();
    let config = CalibrationConfig::default();
    let mut group = c.benchmark_group("calibration");
    group.sample_size(10);
    for (name, neurons) in [("512 single", &single), ("256 joined", &joined)] {
        let targets = vec![NeuronTargets::default(); neurons.len()];
        group.bench_function(name, |b| {
            b.iter(|| calibrate(&mut core.clone(), neurons, &targets, &config, |_| ()).unwrap());
        });
    }
    group.finish();
}

criterion_group!(benches, calibration);
criterion_main!(benches);
