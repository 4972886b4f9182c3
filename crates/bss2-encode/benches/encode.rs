//! Reduction, latency code and augmentation of images.
//!
//! The floor of the zoom 24 -> 16 is two dense products, 24 x 24 x 16 and
//! 24 x 16 x 16: 15,360 multiply-adds in double precision, about 1 us with
//! four lanes and no fusing. The latency code touches 256 bytes and moves
//! about a hundred spikes of ten bytes.

use bss2_encode::{
    AugmentationConfig, Encoder, EncoderConfig, EpochOrder, GeneratedDigits, ReductionConfig, Split,
};
use bss2_event::{Seed, SpikeBatch};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const BATCH: usize = 100;

fn digits() -> Split {
    let digits = GeneratedDigits {
        train: 2_000,
        test: 0,
        ..Default::default()
    };
    digits.generate()
}

fn pool(threads: usize) -> rayon::ThreadPool {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.expect("a thread pool")
}

fn zoom(criterion: &mut Criterion) {
    let images = digits().train;
    let mut group = criterion.benchmark_group("zoom");
    group.throughput(Throughput::Elements(images.len() as u64));
    for (name, reduction) in [
        ("24to16", ReductionConfig::mnist()),
        ("28to16", ReductionConfig::uncropped()),
    ] {
        for threads in [1, 2] {
            let id = BenchmarkId::new(name, format!("{threads}thread"));
            group.bench_function(id, |bench| {
                pool(threads).install(|| bench.iter(|| reduction.reduce(&images)));
            });
        }
    }
    group.finish();
}

/// Batches of an epoch, of images reduced before or augmented on the way.
fn encode(criterion: &mut Criterion) {
    let full = digits();
    let reduced = full.reduce().expect("digits are 28 pixels wide").train;
    let augmentation = AugmentationConfig {
        rotation_degrees: 12.0,
        shift_pixels: 0.7,
        zoom_fraction: 0.08,
        ..AugmentationConfig::default()
    };
    let mut group = criterion.benchmark_group("encode");
    group.throughput(Throughput::Elements(reduced.len() as u64));
    for (name, images, augmentation) in [
        ("latency", &reduced, AugmentationConfig::default()),
        ("rotation", &full.train, AugmentationConfig::paper()),
        ("affine", &full.train, augmentation),
    ] {
        let config = EncoderConfig {
            augmentation,
            ..Default::default()
        };
        let order = EpochOrder::new(Seed(0), 0, images.len());
        for threads in [1, 2] {
            let mut encoder = Encoder::new(&config, Seed(0)).expect("valid settings");
            let mut batch = SpikeBatch::new(encoder.channels());
            let id = BenchmarkId::new(format!("{name}/batch{BATCH}"), format!("{threads}thread"));
            group.bench_function(id, |bench| {
                pool(threads).install(|| {
                    bench.iter(|| {
                        for indices in order.batches(BATCH) {
                            let done = encoder.encode(images, indices, 0, &mut batch);
                            done.expect("valid indices");
                        }
                    });
                });
            });
        }
    }
    group.finish();
}

fn shuffle(criterion: &mut Criterion) {
    let mut order = EpochOrder::new(Seed(0), 0, 0);
    let mut group = criterion.benchmark_group("shuffle");
    group.throughput(Throughput::Elements(60_000));
    group.bench_function("60000", |bench| {
        bench.iter(|| order.redraw(Seed(0), 1, 60_000))
    });
    group.finish();
}

criterion_group!(benches, zoom, encode, shuffle);
criterion_main!(benches);
