//! Routing: compiling, moving events, opening synapses, writing weights.
//!
//! Floor of `inputs`: 12 bytes in and 10 out per event; of `deliveries`: 4
//! bytes per synapse; of `write`: 2 bytes per signed weight.

use std::hint::black_box;

use bss2_event::Seconds;
use bss2_event::random::{Address, Domain, Seed};
use bss2_routing::{
    Arrivals, Compiled, Delivery, Fabric, FabricTiming, NetworkConfig, Placement, Traffic,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const WINDOW_US: f64 = 34.0;

/// Sorted times of so many events in the window, with channels.
fn events(count: u32) -> (Vec<f64>, Vec<u16>) {
    let draws = Address::new(Seed(1), Domain::Test);
    let mut times: Vec<f64> = (0..count)
        .map(|i| draws.uniform(i) * WINDOW_US * 1e-6)
        .collect();
    times.sort_by(f64::total_cmp);
    let channels = (0..count)
        .map(|i| (draws.words(i)[1] % 256) as u16)
        .collect();
    (times, channels)
}

fn bench(criterion: &mut Criterion) {
    let placement = Placement::new(&NetworkConfig::default()).expect("the paper's network fits");
    let fabric = Fabric::of(placement.addressing());
    let mut synram = placement.synram();
    let endpoints = placement.endpoints();
    let compiled = Compiled::new(&fabric, &synram, &endpoints).expect("a valid configuration");
    let delivery =
        Delivery::new(&compiled, FabricTiming::default()).expect("a valid configuration");
    let mut traffic = Traffic::new(&delivery, Seconds::micro(WINDOW_US)).expect("a short window");
    let mut arrivals = Arrivals::default();
    let (times, channels) = events(256);

    let mut group = criterion.benchmark_group("deliver");
    group.throughput(Throughput::Elements(256));
    group.bench_function("inputs/256/clocked", |bencher| {
        bencher.iter(|| {
            traffic.begin_sample();
            delivery.inputs(black_box(&times), &channels, &mut traffic, &mut arrivals);
        });
    });
    group.bench_function("spikes/256/clocked", |bencher| {
        bencher.iter(|| {
            traffic.begin_sample();
            let mut last = 0.0;
            for (&time, &neuron) in times.iter().zip(&channels) {
                let recorded =
                    delivery.spike(neuron.into(), time, &mut traffic, |time, _| last = time);
                black_box(recorded);
            }
            last
        });
    });
    // With a filter no benchmark before this one has run.
    traffic.begin_sample();
    delivery.inputs(&times, &channels, &mut traffic, &mut arrivals);
    let mut sites = 0;
    arrivals.for_each_delivery(compiled.sites(), |_, _| sites += 1);
    group.throughput(Throughput::Elements(sites));
    group.bench_function("deliveries/256x492/compiled", |bencher| {
        let mut charge = vec![0_u32; 512];
        bencher.iter(|| {
            arrivals.for_each_delivery(compiled.sites(), |_, site| {
                charge[usize::from(site.circuit)] += u32::from(site.row);
            });
            black_box(charge[0])
        });
    });
    group.finish();

    let mut group = criterion.benchmark_group("configure");
    let weights: Vec<Vec<i8>> = placement
        .projections()
        .iter()
        .map(|p| {
            (0..p.sources * p.targets)
                .map(|i| (i % 127) as i8 - 63)
                .collect()
        })
        .collect();
    let count: usize = weights.iter().map(Vec::len).sum();
    group.throughput(Throughput::Elements(count as u64));
    group.bench_function("write/256-246-10/signed", |bencher| {
        bencher.iter(|| placement.write_weights(black_box(&weights), &mut synram));
    });
    group.bench_function("compile/256-246-10/signed", |bencher| {
        bencher.iter(|| Compiled::new(&fabric, black_box(&synram), &endpoints));
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
