//! Training as a whole: it learns, and it goes on where it stopped.

mod support;

use bss2_event::{Recording, SpikeBatch, TimeGrid};
use bss2_learn::{
    Ideal, NetworkShape, OptimiserConfig, Reset, RunReport, SgdConfig, Smorms3Config, Snapshot,
    Substrate, SubstrateError, TrainConfig, Trainer, Weights, WriteReport, read_checkpoint,
    write_checkpoint,
};
use proptest::prelude::*;
use support::network::Random;

const SHAPE: NetworkShape = NetworkShape {
    inputs: 30,
    hidden: 50,
    outputs: 5,
    recurrent: false,
};

fn ideal(random: &Random) -> Ideal {
    let model = TrainConfig::default().model;
    Ideal::new(random.shape, random.grid, &model, Reset::Subtract).unwrap()
}

#[test]
fn random_patterns_are_learned() {
    for recurrent in [false, true] {
        let shape = NetworkShape { recurrent, ..SHAPE };
        let random = Random::new(5, shape, 20, 25);
        let config = TrainConfig {
            learning_rate: 5e-3,
            ..TrainConfig::default()
        };
        let mut trainer = Trainer::new(config, shape, random.grid).unwrap();
        let mut substrate = ideal(&random);
        trainer.write_weights(&mut substrate).unwrap();
        let before = trainer
            .evaluate(&mut substrate, &random.batch, &random.labels)
            .unwrap();
        for _ in 0..150 {
            trainer
                .step(&mut substrate, &random.batch, &random.labels)
                .unwrap();
        }
        trainer.write_weights(&mut substrate).unwrap();
        let after = trainer
            .evaluate(&mut substrate, &random.batch, &random.labels)
            .unwrap();
        assert!(before.correct < 15, "{before:?}");
        assert_eq!(after.correct, 25, "{after:?}");
        let predicted: Vec<_> = trainer.predictions().collect();
        assert!(
            predicted
                .iter()
                .zip(&random.labels)
                .all(|(p, l)| *p == usize::from(*l))
        );
        assert!(trainer.weights().hidden.amax() <= 63.0 / 240.0);
    }
}

fn config(optimiser: OptimiserConfig) -> TrainConfig {
    TrainConfig {
        optimiser,
        dropout: 0.3,
        average_steps: 4.0,
        ..TrainConfig::default()
    }
}

/// Trains to a step, two steps an epoch, each batch in its own presentation.
fn go_on(trainer: &mut Trainer, random: &Random, until: u64) {
    let mut substrate = ideal(random);
    let mut batch = random.batch.clone();
    while trainer.steps() < until {
        batch.set_presentation(trainer.epoch());
        trainer
            .step(&mut substrate, &batch, &random.labels)
            .unwrap();
        if trainer.steps().is_multiple_of(2) {
            trainer.end_epoch();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Invariant 10 of the design, up to the file system: `bss2` adds the
    /// processes that are killed.
    #[test]
    fn a_training_stopped_anywhere_ends_with_the_same_bits(
        optimiser in prop_oneof![
            Just(OptimiserConfig::default()),
            Just(OptimiserConfig::Smorms3(Smorms3Config::default())),
            Just(OptimiserConfig::Sgd(SgdConfig { momentum: 0.9 })),
        ],
        recurrent in any::<bool>(),
        hidden in 1_usize..70,
        samples in 1_usize..12,
        seed in any::<u64>(),
        stops in prop::collection::btree_set(0_u64..9, 0..4),
    ) {
        let shape = NetworkShape { hidden, recurrent, ..SHAPE };
        let random = Random::new(seed, shape, 20, samples);
        let fresh = || Trainer::new(config(optimiser), shape, random.grid).unwrap();
        let mut whole = fresh();
        go_on(&mut whole, &random, 9);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last.ckpt");
        let mut trainer = fresh();
        for stop in stops {
            go_on(&mut trainer, &random, stop);
            write_checkpoint(&path, &trainer.snapshot()).unwrap();
            let snapshot: Snapshot = read_checkpoint(&path).unwrap();
            prop_assert_eq!(snapshot.steps(), stop);
            trainer = fresh();
            trainer.restore(snapshot).unwrap();
        }
        go_on(&mut trainer, &random, 9);
        prop_assert_eq!(trainer.snapshot(), whole.snapshot());
    }
}

#[test]
fn a_snapshot_of_another_training_is_refused() {
    let random = Random::new(7, SHAPE, 20, 5);
    let trainer = |config| Trainer::new(config, SHAPE, random.grid).unwrap();
    let snapshot = trainer(TrainConfig::default()).snapshot();
    let mut other = trainer(config(OptimiserConfig::default()));
    let before = other.snapshot();
    let error = other.restore(snapshot).unwrap_err().to_string();
    assert!(error.contains("configuration"), "{error}");
    assert_eq!(other.snapshot(), before);
}

/// A substrate that measures NaN.
struct Broken(Ideal);

impl Substrate for Broken {
    fn shape(&self) -> NetworkShape {
        self.0.shape()
    }
    fn time_grid(&self) -> TimeGrid {
        self.0.time_grid()
    }
    fn write_weights(&mut self, weights: &Weights) -> Result<WriteReport, SubstrateError> {
        self.0.write_weights(weights)
    }
    fn run(
        &mut self,
        batch: &SpikeBatch,
        recording: &mut Recording,
    ) -> Result<RunReport, SubstrateError> {
        let report = self.0.run(batch, recording)?;
        // A hidden neuron's trace, which the loss does not see.
        recording.parts_mut().0[5 * SHAPE.neurons()] = f32::NAN;
        Ok(report)
    }
}

#[test]
fn traces_that_are_no_numbers_leave_the_weights_alone() {
    let random = Random::new(8, SHAPE, 20, 5);
    let mut trainer = Trainer::new(TrainConfig::default(), SHAPE, random.grid).unwrap();
    let before = trainer.snapshot();
    let mut broken = Broken(ideal(&random));
    let error = trainer
        .step(&mut broken, &random.batch, &random.labels)
        .unwrap_err();
    assert!(error.to_string().contains("not finite"), "{error}");
    assert_eq!(trainer.snapshot(), before);
}
