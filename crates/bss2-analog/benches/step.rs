//! One sample through the analog core, in the shape of the paper's network:
//! 256 logical neurons of two circuits, 256 inputs of which about 130 fire,
//! 20 CADC samples, all non-idealities on.
//!
//! Floor: 40 steps x 256 neurons x 4 synaptic inputs; about 60 operations per
//! neuron and step, 0.6 M in all, or 38 k vector instructions of 16 lanes.

use bss2_analog::calib::{CalibrationConfig, NeuronTargets, calibrate};
use std::time::Instant;

use bss2_analog::{
    AnalogCore, Cell, Integration, LoweredCore, MismatchProfile, Network, Observation, RunAddress,
    SYNAPSES, Workspace,
};
use bss2_event::random::{Address, Domain};
use bss2_event::{CapMemCode, NeuronCircuits, RowMode, Seed, SimdPath, Site, SiteTable};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn step(criterion: &mut Criterion) {
    let mut chip = AnalogCore::new(MismatchProfile::cube66(), Seed(1)).unwrap();
    let neurons: Vec<_> = (0..256).map(NeuronCircuits::pair).collect();
    let targets = vec![NeuronTargets::default(); 256];
    calibrate(
        &mut chip,
        &neurons,
        &targets,
        &CalibrationConfig::default(),
        |_| (),
    )
    .unwrap();
    let mut row_modes = [RowMode::Excitatory; 512];
    for row in (1..512).step_by(2) {
        row_modes[row] = RowMode::Inhibitory;
    }
    // Input i: rows 2(i % 128) and the next, on first or second circuits.
    let per_source = (0..512_u16)
        .map(|source| {
            let neurons = if source < 256 { 0..246 } else { 246..256 };
            neurons
                .flat_map(|n| {
                    let circuit = 2 * n + source % 256 / 128;
                    let row = 2 * (source % 128);
                    [
                        Site { circuit, row },
                        Site {
                            circuit,
                            row: row + 1,
                        },
                    ]
                })
                .collect()
        })
        .collect();
    let sites = SiteTable::new(256, per_source).unwrap();
    let network = Network {
        neurons: &neurons,
        sites: &sites,
        row_modes: &row_modes,
    };
    let mut core = chip.lower(&network, &Integration::default()).unwrap();
    let draw = Address::new(Seed(2), Domain::Test);
    // As trained: one of each pair is zero, the others average 6.
    let mut weights = vec![0_u8; SYNAPSES];
    for (pair, cells) in weights.chunks_mut(512).enumerate() {
        for column in 0..256 {
            let w = (7.0 * draw.element(pair as u32).normal(column as u32)).clamp(-63.0, 63.0);
            cells[column + if w < 0.0 { 256 } else { 0 }] = w.abs() as u8;
        }
    }
    core.write_weights(&weights).unwrap();
    let mut events: Vec<(f64, u16)> = (0..130)
        .map(|i| {
            let u = draw.element(1000 + i).uniform(0);
            (8e-6 * (1.0 / (1.0 - 0.7 * u)).ln(), (i * 2 % 256) as u16)
        })
        .collect();
    events.sort_by(|a, b| a.0.total_cmp(&b.0));
    let times: Vec<f64> = events.iter().map(|e| e.0).collect();
    let sources: Vec<u16> = events.iter().map(|e| e.1).collect();

    let (mut workspace, mut observation) = (Workspace::default(), Observation::default());
    let mut group = criterion.benchmark_group("step");
    group.throughput(Throughput::Elements(1));
    for (name, path) in [
        ("native", SimdPath::Native),
        ("baseline", SimdPath::Baseline),
    ] {
        let mut sample = 0;
        group.bench_function(format!("256-246-10/20/{name}"), |bencher| {
            bencher.iter(|| {
                sample += 1;
                core.run_on(
                    path,
                    RunAddress {
                        sample,
                        ..RunAddress::default()
                    },
                    &times,
                    &sources,
                    |_, time| Some(time + 1e-7),
                    &mut workspace,
                    &mut observation,
                );
                observation.spikes().len()
            });
        });
    }
    println!("spikes of the last sample: {}", observation.spikes().len());
    let mut adex = chip.clone();
    // An onset near the threshold, so that about as many neurons fire.
    let onset = CapMemCode::new(820).unwrap();
    adex.capmem_mut().set_all(Cell::VExp, onset);
    for neuron in &neurons {
        let circuit = &mut adex.circuits_mut()[usize::from(neuron.membrane)];
        circuit.exponential = true;
        circuit.adaptation.enabled = true;
    }
    let mut adex = adex.lower(&network, &Integration::default()).unwrap();
    adex.write_weights(&weights).unwrap();
    let mut run = |core: &LoweredCore, sample| {
        let address = RunAddress {
            sample,
            ..RunAddress::default()
        };
        let back = |_, time| Some(time + 1e-7);
        core.run(
            address,
            &times,
            &sources,
            back,
            &mut workspace,
            &mut observation,
        );
        observation.spikes().len()
    };
    let mut sample = 0;
    group.bench_function("256-246-10/20/adex", |bencher| {
        bencher.iter(|| {
            sample += 1;
            run(&adex, sample)
        });
    });
    // Turn by turn, so that both meet the same machine.
    let (mut ratios, mut spikes) = (Vec::new(), [0; 2]);
    for round in 0..200 {
        let mut spent = [0.0; 2];
        for (which, core) in [&core, &adex].into_iter().enumerate() {
            let begin = Instant::now();
            for sample in 0..10 {
                spikes[which] += run(core, 10 * round + sample);
            }
            spent[which] = begin.elapsed().as_secs_f64();
        }
        ratios.push(spent[1] / spent[0]);
    }
    ratios.sort_by(f64::total_cmp);
    println!(
        "time of adaptation and exponential term, relative to leaky neurons: {:.2} \
         (median of 200 turns; {} and {} spikes per sample)",
        ratios[100],
        spikes[1] / 2000,
        spikes[0] / 2000,
    );
    // As a step of a training does it: one weight in 64 has changed.
    let mut turn = 0;
    group.bench_function("write_weights", |bencher| {
        bencher.iter(|| {
            for weight in weights.iter_mut().skip(turn % 64).step_by(64) {
                *weight ^= 1;
            }
            turn += 1;
            core.write_weights(&weights).unwrap();
        });
    });
    group.finish();
}

criterion_group!(benches, step);
criterion_main!(benches);
