//! Seconds of sound that the cochlea encodes per second, at 700 channels, and
//! two ways of solving its membrane.
//!
//! Criterion counts samples: `elem/s` divided by the rate in the name is the
//! speed against real time.
//!
//! The floor, per second of sound at 8 kHz: 700 channels of 4,000 steps make
//! 2.8 M steps of channels. Each takes ten taps of a complex answer (40
//! operations), half a transform of 4,050 points (30) and about 100 operations
//! of cells: 0.5 G operations.

use std::hint::black_box;

use bss2_encode::{Cochlea, CochleaConfig, Track};
use bss2_event::{Seed, SimdPath};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rustfft::num_complex::Complex;

fn track(rate: u32) -> Track {
    let at = |i: u32| {
        let t = f64::from(i) / f64::from(rate);
        (0.5 + 0.5 * (9.0 * t).sin()) * ((1_500.0 * t).sin() + 0.4 * (7_000.0 * t).sin())
    };
    Track {
        name: "tones".into(),
        rate,
        samples: (0..rate).map(at).collect(),
    }
}

fn pool(threads: usize) -> rayon::ThreadPool {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.expect("a thread pool")
}

/// One second of sound, all stages.
fn encode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cochlea/encode");
    group.sample_size(10);
    for rate in [8_000, 48_000] {
        let track = track(rate);
        group.throughput(Throughput::Elements(rate.into()));
        for (name, exact_length, path, threads) in [
            ("padded", false, SimdPath::Native, 1),
            ("padded", false, SimdPath::Native, 2),
            ("padded/baseline", false, SimdPath::Baseline, 1),
            ("exact", true, SimdPath::Native, 1),
        ] {
            let config = CochleaConfig {
                exact_length,
                ..Default::default()
            };
            let cochlea = Cochlea::new(&config, rate)
                .expect("valid settings")
                .on(path);
            let id = BenchmarkId::new(format!("{rate}hz/{name}"), format!("{threads}thread"));
            group.bench_function(id, |bench| {
                pool(threads).install(|| bench.iter(|| cochlea.encode(&track, Seed(0), 0)));
            });
        }
    }
    group.finish();
}

fn table(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cochlea/table");
    group.sample_size(10);
    for rate in [8_000, 48_000] {
        group.bench_function(format!("{rate}hz/1thread"), |bench| {
            pool(1).install(|| bench.iter(|| Cochlea::new(&CochleaConfig::default(), rate)));
        });
    }
    group.finish();
}

/// Other ways to the membrane's velocities alone, per step of one channel at
/// 8 kHz: `cochlea/encode` does all stages in the time that its throughput
/// gives for 350 such steps.
fn membrane(criterion: &mut Criterion) {
    const STEPS: usize = 4_000;
    let mut group = criterion.benchmark_group("cochlea/membrane");
    group.sample_size(10);

    // In time: an answer of 0.25 s, sampled at 8 kHz, for every second sample.
    let sound = track(8_000).samples;
    let answer: Vec<f64> = (0..2_000).map(|i| (-0.01 * f64::from(i)).exp()).collect();
    group.throughput(Throughput::Elements(((8_000 - 2_000) / 2) as u64));
    group.bench_function("convolution", |bench| {
        bench.iter(|| {
            SimdPath::Native.dispatch(
                #[inline(always)]
                || {
                    let windows = sound.windows(answer.len()).step_by(2);
                    windows
                        .map(|window| product(window, black_box(&answer)))
                        .sum::<f64>()
                },
            )
        });
    });

    // As a linear system over all places, one frequency after another: less
    // than the transform to velocities in time that has to follow.
    let (places, frequencies) = (700, 100);
    let stiffness: Vec<f64> = (0..places).map(|i| (-0.015 * f64::from(i)).exp()).collect();
    group.throughput(Throughput::Elements(places as u64 * frequencies));
    group.bench_function("linear_solve", |bench| {
        let mut scratch = vec![Complex::default(); stiffness.len()];
        bench.iter(|| {
            for k in 0..frequencies {
                tridiagonal(black_box(&stiffness), k as f64 / STEPS as f64, &mut scratch);
            }
        });
    });
    group.finish();
}

#[inline(always)]
fn product(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; 64];
    for (a, b) in a.chunks_exact(64).zip(b.chunks_exact(64)) {
        for l in 0..64 {
            lanes[l] += a[l] * b[l];
        }
    }
    lanes.iter().sum()
}

/// `p'' = -w^2 p / (s - w^2 - i w r)` on a line of places, by elimination.
fn tridiagonal(stiffness: &[f64], omega: f64, scratch: &mut [Complex<f64>]) {
    let square = omega * omega;
    let mut above = Complex::new(0.0, 0.0);
    for (slot, s) in scratch.iter_mut().zip(stiffness) {
        let impedance = Complex::new(s - square, -0.15 * omega * s);
        let diagonal = Complex::new(square, 0.0) / impedance - 2.0 - above;
        above = 1.0 / diagonal;
        *slot = above;
    }
    let mut pressure = Complex::new(1.0, 0.0);
    for slot in scratch.iter_mut() {
        pressure *= -*slot;
        *slot = pressure;
    }
}

criterion_group!(benches, encode, table, membrane);
criterion_main!(benches);
