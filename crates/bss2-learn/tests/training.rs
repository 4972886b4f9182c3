//! Training as a whole: it learns, and it goes on where it stopped.

mod support;

use bss2_event::{Recording, SpikeBatch, TimeGrid};
use bss2_learn::{
    Ideal, NetworkShape, OptimiserConfig, Reset, RunReport, SgdConfig, Smorms3Config, Snapshot,
    Substrate, SubstrateError, TrainConfig, Trainer, Weights, WriteReport, read_checkpoint,
    write_checkpoint,
};
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

#[test]
fn a_resumed_training_ends_with_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    for (name, optimiser) in [
        ("adam", OptimiserConfig::default()),
        (
            "smorms3",
            OptimiserConfig::Smorms3(Smorms3Config::default()),
        ),
        ("sgd", OptimiserConfig::Sgd(SgdConfig { momentum: 0.9 })),
    ] {
        let shape = NetworkShape {
            recurrent: name == "adam",
            ..SHAPE
        };
        let random = Random::new(6, shape, 20, 9);
        let fresh = || Trainer::new(config(optimiser), shape, random.grid).unwrap();
        let mut whole = fresh();
        go_on(&mut whole, &random, 7);
        for stop in [0, 1, 4, 6] {
            let mut first = fresh();
            go_on(&mut first, &random, stop);
            let path = folder.path().join(name);
            write_checkpoint(&path, &first.snapshot()).unwrap();
            drop(first);
            let snapshot: Snapshot = read_checkpoint(&path).unwrap();
            assert_eq!(snapshot.steps(), stop);
            let mut second = fresh();
            second.restore(snapshot).unwrap();
            go_on(&mut second, &random, 7);
            assert_eq!(
                second.snapshot(),
                whole.snapshot(),
                "{name} stopped at {stop}"
            );
        }
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
