//! Nothing is allocated for a sample, whether it is run on a chip or in software, or
//! learned from: what a batch takes does not depend on how many samples it has.

use std::alloc::System;

use bss2::chip::{Chip, ChipConfig};
use bss2::config::TimeConfig;
use bss2::event::random::{Address, Domain};
use bss2::event::{Recording, Seconds, Seed, SpikeBatch};
use bss2::learn::{Ideal, InitConfig, NetworkShape, Reset, Substrate, TrainConfig, Trainer};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const SHAPE: NetworkShape = NetworkShape {
    inputs: 60,
    hidden: 40,
    outputs: 5,
    recurrent: true,
};
/// More than there are workers of a chip.
const FEW: usize = 40;
const MANY: usize = 400;
/// A list of results grows by doubling now and then, and threads take work from each other.
const SLACK: usize = 20;

fn batch(samples: usize) -> SpikeBatch {
    let mut batch = SpikeBatch::new(SHAPE.inputs);
    for id in 0..samples as u64 {
        let address = Address::new(Seed(5), Domain::Test).sample(id);
        let time = |i| Seconds::micro(20.0 * address.element(i).uniform(0));
        let spikes = (0..SHAPE.inputs as u32).map(|i| (time(i), i as u16));
        batch.push(id, spikes).unwrap();
    }
    batch
}

/// Allocations of one call, when those before it have brought all memory to its size.
fn allocations(mut call: impl FnMut()) -> usize {
    (0..3).for_each(|_| call());
    let region = Region::new(ALLOCATOR);
    call();
    let change = region.change();
    change.allocations + change.reallocations
}

fn assert_independent_of_samples(what: &str, mut call: impl FnMut(&SpikeBatch)) {
    let [few, many] = [FEW, MANY].map(|samples| {
        let batch = batch(samples);
        allocations(|| call(&batch))
    });
    println!("{what}: {few} allocations for {FEW} samples, {many} for {MANY}");
    assert!(
        many <= few + SLACK,
        "{what}: {many}, and {few} for a tenth of the samples"
    );
}

/// One test for all, since others would allocate at the same time.
#[test]
fn a_batch_allocates_alike_whatever_its_size() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build();
    pool.unwrap().install(|| {
        let time = TimeConfig::default();
        let config = ChipConfig {
            calibrated: false,
            ..ChipConfig::default()
        };
        // Nothing is learned, so that every step is like the one before.
        let train = TrainConfig {
            learning_rate: 0.0,
            init: InitConfig {
                gain: 2.0,
                ..InitConfig::default()
            },
            ..TrainConfig::default()
        };
        let model = train.model;
        let mut recording = Recording::default();
        let mut chip = Chip::new(config, SHAPE, time).unwrap();
        let mut software = Ideal::<f32>::new(SHAPE, time.grid(), &model, Reset::Subtract).unwrap();
        let mut trainer = Trainer::new(train, SHAPE, time.grid()).unwrap();
        let substrates: [(&str, &mut dyn Substrate); 2] =
            [("the chip", &mut chip), ("the software", &mut software)];
        for (what, substrate) in substrates {
            trainer.write_weights(substrate).unwrap();
            assert_independent_of_samples(what, |batch| {
                substrate.run(batch, &mut recording).unwrap();
            });
            assert!(recording.spikes().contains(&1), "{what} fires");
            let labels = [0; MANY];
            assert_independent_of_samples(&format!("a step on {what}"), |batch| {
                let labels = &labels[..batch.len()];
                trainer.step(substrate, batch, labels).unwrap();
            });
        }
    });
}
