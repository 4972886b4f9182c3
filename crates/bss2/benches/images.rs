//! Images per second of whole steps, from stored pixels to new weights.
//!
//! What bounds them is in `docs/performance.md`; `cargo xtask bench` measures the same
//! work on MNIST.

use bss2::config::{DataSet, Experiment, SubstrateKind};
use bss2::data::Data;
use bss2::substrates::network_shape;
use bss2::workload::Workload;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn images(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("images");
    for kind in [SubstrateKind::Software, SubstrateKind::Chip] {
        let mut experiment = Experiment {
            substrate: kind,
            ..Experiment::default()
        };
        experiment.data.set = DataSet::Generated;
        experiment.data.train_images = 10 * experiment.batch;
        experiment.data.test_images = 1;
        let data = Data::load(&mut experiment).expect("digits are generated");
        let shape = network_shape(&experiment, &data);
        let mut workload = Workload::new(&experiment, &data, shape).expect("the network fits");
        group
            .throughput(Throughput::Elements(experiment.batch as u64))
            .sample_size(20);
        let name = kind.name();
        group.bench_function(format!("train/256-246-10/{name}"), |bencher| {
            bencher.iter(|| workload.train(1).expect("finite"));
        });
        group.bench_function(format!("infer/256-246-10/{name}"), |bencher| {
            bencher.iter(|| workload.infer(1).expect("finite"));
        });
    }
    group.finish();
}

criterion_group!(benches, images);
criterion_main!(benches);
