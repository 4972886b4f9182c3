//! Images per second of whole steps, from stored pixels to new weights.
//!
//! Floor of a software step at batch 100: two dense products of the backward
//! pass, 2 x 2 x 256 x 246 operations for each time step that carries a
//! gradient, and each weight read and written once for Adam (1 MB with moments).

use bss2::config::{Experiment, SubstrateKind};
use bss2::encode::{Encoder, GeneratedDigits};
use bss2::event::{Seed, SpikeBatch};
use bss2::learn::{NetworkShape, Substrate, Trainer};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const BATCH: usize = 100;
const SHAPE: NetworkShape = NetworkShape {
    inputs: 256,
    hidden: 246,
    outputs: 10,
    recurrent: false,
};

fn substrate(experiment: &Experiment) -> Box<dyn Substrate> {
    bss2::substrates::of_shape(experiment, SHAPE).expect("the default network fits")
}

fn images(criterion: &mut Criterion) {
    let digits = GeneratedDigits {
        train: 10 * BATCH,
        test: 1,
        seed: Seed(0),
    };
    let train = digits
        .generate()
        .reduce()
        .expect("digits can be reduced")
        .train;
    let indices: Vec<u32> = (0..train.len() as u32).collect();
    let mut group = criterion.benchmark_group("images");
    group
        .throughput(Throughput::Elements(BATCH as u64))
        .sample_size(20);
    for kind in [SubstrateKind::Software, SubstrateKind::Chip] {
        let experiment = Experiment {
            substrate: kind,
            ..Experiment::default()
        };
        let mut substrate = substrate(&experiment);
        let mut encoder = Encoder::new(&experiment.encoder, Seed(0)).expect("valid");
        let mut batch = SpikeBatch::new(encoder.channels());
        let grid = experiment.time.grid();
        let mut trainer = Trainer::new(experiment.train.clone(), SHAPE, grid).expect("valid");
        let mut place = 0;
        trainer
            .write_weights(substrate.as_mut())
            .expect("the weights fit");
        for work in ["train", "infer"] {
            group.bench_function(format!("{work}/256-246-10/{}", kind.name()), |bencher| {
                bencher.iter(|| {
                    let chosen = &indices[place..][..BATCH];
                    let labels = &train.labels()[place..][..BATCH];
                    place = (place + BATCH) % indices.len();
                    encoder
                        .encode(&train, chosen, 0, &mut batch)
                        .expect("digits fit");
                    let substrate = substrate.as_mut();
                    if work == "train" {
                        trainer
                            .step(substrate, &batch, labels)
                            .expect("finite")
                            .correct
                    } else {
                        trainer
                            .evaluate(substrate, &batch, labels)
                            .expect("finite")
                            .correct
                    }
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, images);
criterion_main!(benches);
