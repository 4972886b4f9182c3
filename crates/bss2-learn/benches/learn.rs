//! Stages of a training step on 256-246-10, T = 20, a batch of 100.
//!
//! The floor per image, at 130 input and 35 hidden spikes, in additions of 8
//! floats: forward 130 * 31 rows of weights + 20 * 32 * 6 of neurons = 8,000;
//! backward the same rows of the gradient + 20 * 32 * 16 of adjoints = 14,000.
//! Adam moves 65,436 weights: four streams of 262 kB.

use std::hint::black_box;

use bss2_event::random::{Address, Domain};
use bss2_event::{Recording, Seconds, Seed, SpikeBatch, TimeGrid};
use bss2_learn::{
    Bptt, Ideal, NetworkShape, NeuronModel, Objective, Optimiser, OptimiserConfig, PassWeights,
    QuantiseConfig, QuantisedWeights, RecordedBatch, Reset, Substrate, TrainConfig, Trainer,
    Weights,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const SHAPE: NetworkShape = NetworkShape {
    inputs: 256,
    hidden: 246,
    outputs: 10,
    recurrent: false,
};
const BATCH: usize = 100;
const GRID: TimeGrid = TimeGrid {
    steps: 20,
    dt: Seconds::nano(1700.0),
};

fn batch() -> (SpikeBatch, Vec<u8>) {
    let mut batch = SpikeBatch::new(SHAPE.inputs);
    for sample in 0..BATCH as u64 {
        let at = Address::new(Seed(1), Domain::Test).sample(sample);
        let spikes = (0..SHAPE.inputs as u32).filter_map(|channel| {
            let [fires, when, ..] = at.element(channel).words(0);
            let late = f64::from(when) / f64::from(u32::MAX);
            (fires < u32::MAX / 2).then(|| (Seconds::micro(34.0 * late * late), channel as u16))
        });
        batch.push(sample, spikes).expect("channels of the network");
    }
    (batch, (0..BATCH).map(|i| (i % 10) as u8).collect())
}

/// Weights that make about 35 hidden spikes per image.
fn weights() -> Weights {
    let mut weights =
        TrainConfig::default()
            .init
            .draw(Seed(1), SHAPE, &NeuronModel::default(), GRID.dt);
    weights.hidden.apply(|w| *w = 2.6 * *w + 0.0015);
    weights
}

fn stages(c: &mut Criterion) {
    let (batch, labels) = batch();
    let weights = weights();
    let model = NeuronModel::default();
    let mut ideal = Ideal::new(SHAPE, GRID, &model, Reset::Subtract).expect("valid settings");
    ideal.load(&weights).expect("weights of the network");
    let mut recording = Recording::default();
    let mut bptt = Bptt::new(SHAPE);
    let mut gradient = Weights::zeros(SHAPE);

    let mut group = c.benchmark_group("learn");
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function("forward/256-246-10/ideal", |b| {
        b.iter(|| {
            ideal
                .forward(&batch, &mut recording)
                .expect("a batch of the network")
        });
    });
    let mut backward = || {
        bptt.gradient(
            &Objective::default(),
            PassWeights {
                weights: &weights,
                keep: None,
            },
            RecordedBatch {
                inputs: &batch,
                labels: &labels,
                recording: &recording,
                grid: GRID,
            },
            None,
            &mut gradient,
        )
        .expect("a batch of the network")
    };
    group.bench_function("backward/256-246-10/ideal", |b| b.iter(&mut backward));
    println!(
        "hidden spikes per image: {}",
        bptt.hidden_spikes() as f64 / BATCH as f64
    );

    let mut trainer = Trainer::new(TrainConfig::default(), SHAPE, GRID).expect("valid settings");
    trainer
        .set_weights(&weights)
        .expect("weights of the network");
    group.bench_function("step/256-246-10/ideal", |b| {
        b.iter(|| {
            trainer
                .step(&mut ideal, &batch, &labels)
                .expect("a batch of the network")
        });
    });
    group.finish();

    let mut group = c.benchmark_group("weights");
    group.throughput(Throughput::Elements((246 * 266) as u64));
    let mut optimiser = Optimiser::new(OptimiserConfig::default(), SHAPE);
    let mut moving = weights.clone();
    group.bench_function("adam/256-246-10/update", |b| {
        b.iter(|| optimiser.update(1e-9, &mut moving, &gradient));
    });
    group.bench_function("write/256-246-10/ideal", |b| {
        b.iter(|| {
            ideal
                .write_weights(&weights)
                .expect("weights of the network")
        });
    });
    let mut quantised = QuantisedWeights::default();
    group.bench_function("quantise/256-246-10/signed", |b| {
        b.iter(|| {
            let config = QuantiseConfig::default();
            quantised
                .fill(black_box(&weights), &config)
                .expect("weights in range");
        });
    });
    group.finish();
}

criterion_group!(benches, stages);
criterion_main!(benches);
