//! Silent networks, extreme membranes, and what does not fit.

mod support;

use bss2_event::{Recording, Seconds, SpikeBatch, TimeGrid};
use bss2_learn::{
    Bptt, Ideal, LearnError, LossConfig, NetworkShape, NeuronModel, Objective, PassWeights,
    Readout, RecordedBatch, Regularisers, Reset, RunReport, Substrate, SubstrateError, Surrogate,
    TrainConfig, Trainer, Weights, WriteReport,
};
use support::network::Random;

const SHAPE: NetworkShape = NetworkShape {
    inputs: 12,
    hidden: 35,
    outputs: 4,
    recurrent: true,
};

#[test]
fn a_network_in_which_no_neuron_spikes_has_finite_gradients_and_learns() {
    let random = Random::new(1, SHAPE, 20, 6);
    for random_ties in [false, true] {
        let config = TrainConfig {
            loss: LossConfig {
                random_ties,
                ..LossConfig::default()
            },
            surrogate: Surrogate::SuperSpike { beta: 2.0 },
            weight_limit: 10.0,
            ..TrainConfig::default()
        };
        let mut ideal = Ideal::new(SHAPE, random.grid, &config.model, Reset::Subtract).unwrap();
        let mut trainer = Trainer::new(config, SHAPE, random.grid).unwrap();
        let mut weights = random.weights_f32();
        weights.hidden *= 0.05;
        trainer.set_weights(&weights).unwrap();
        let report = trainer
            .step(&mut ideal, &random.batch, &random.labels)
            .unwrap();
        assert_eq!(report.hidden_spikes, 0);
        assert!((report.loss.nll - 4.0_f64.ln()).abs() < 1e-9);
        // Ties broken at random reach hidden weights; the first bin does not.
        let decay_alone = weights
            .hidden
            .zip_map(&trainer.weights().hidden, |before, after| {
                (before - after) * before.signum()
            });
        let only_decayed = decay_alone.iter().all(|&d| d > 0.0);
        assert_eq!(only_decayed, !random_ties);
    }
}

#[test]
fn extreme_membranes_give_finite_numbers() {
    let random = Random::new(2, SHAPE, 20, 6);
    let objective = |surrogate, readout| Objective {
        surrogate,
        loss: LossConfig {
            readout,
            scaling: 10.0,
            random_ties: false,
            label_smoothing: 0.0,
        },
        regularisers: Regularisers {
            readout: 0.02,
            homeostatic: 1e-3,
            weights_output: 0.1,
            ..Regularisers::default()
        },
        ..Objective::default()
    };
    let weights = random.weights_f32();
    for spike in [0, 1] {
        for pattern in 0..4_usize {
            let mut recording = Recording::<f32>::new(6, 20, SHAPE.neurons());
            let (traces, spikes) = recording.parts_mut();
            spikes.fill(spike);
            for (i, v) in traces.iter_mut().enumerate() {
                *v = [1e6, -1e6, 0.0, 1.0][(i * (pattern + 1) + i / 7) % 4];
            }
            for surrogate in [
                Surrogate::default(),
                Surrogate::Triangle { gamma: 0.3 },
                Surrogate::ArcTangent { alpha: 2.0 },
            ] {
                for readout in [Readout::MaxOverTime, Readout::SumOverTime] {
                    let mut gradient = Weights::zeros(SHAPE);
                    let terms = Bptt::new(SHAPE)
                        .gradient(
                            &objective(surrogate, readout),
                            PassWeights {
                                weights: &weights,
                                keep: None,
                            },
                            RecordedBatch {
                                inputs: &random.batch,
                                labels: &random.labels,
                                recording: &recording,
                                grid: random.grid,
                            },
                            None,
                            &mut gradient,
                        )
                        .unwrap();
                    assert!(terms.total().is_finite());
                    let all = gradient.layers().flat_map(|(_, g)| g.as_slice());
                    assert!(all.into_iter().all(|g| g.is_finite()));
                }
            }
        }
    }
}

#[test]
fn traces_that_were_not_asked_for_have_no_gradient() {
    let random = Random::new(8, SHAPE, 10, 3);
    let weights = random.weights_f32();
    let objective = Objective::default();
    let mut ideal = Ideal::new(SHAPE, random.grid, &objective.model, Reset::Subtract).unwrap();
    ideal.load(&weights).unwrap();
    let mut bptt = Bptt::new(SHAPE);
    let pass = PassWeights {
        weights: &weights,
        keep: None,
    };
    for (from, loss, gradient) in [
        (0, true, true),
        (1, true, false),
        (SHAPE.hidden, true, false),
        (SHAPE.hidden + 1, false, false),
    ] {
        let mut recording = Recording::default();
        recording.trace_from(from);
        ideal.forward(&random.batch, &mut recording).unwrap();
        let batch = RecordedBatch {
            inputs: &random.batch,
            labels: &random.labels,
            recording: &recording,
            grid: random.grid,
        };
        let found = bptt.loss(&objective, pass, batch, None);
        assert_eq!(found.is_ok(), loss, "{from}: {found:?}");
        let mut into = Weights::zeros(SHAPE);
        let found = bptt.gradient(&objective, pass, batch, None, &mut into);
        assert_eq!(found.is_ok(), gradient, "{from}: {found:?}");
        if let Err(error) = found {
            let words =
                format!("the traces of neuron {from} and later ones, needed are those from 0");
            assert!(error.to_string().contains(&words), "{error}");
        }
    }
}

#[test]
fn empty_batches_and_single_steps_are_no_exception() {
    for steps in [1, 2] {
        let random = Random::new(3, SHAPE, steps, 3);
        let mut ideal =
            Ideal::new(SHAPE, random.grid, &NeuronModel::default(), Reset::Subtract).unwrap();
        let mut trainer = Trainer::new(TrainConfig::default(), SHAPE, random.grid).unwrap();
        trainer
            .step(&mut ideal, &random.batch, &random.labels)
            .unwrap();
        let empty = SpikeBatch::new(SHAPE.inputs);
        let report = trainer.step(&mut ideal, &empty, &[]).unwrap();
        assert_eq!((report.samples, report.correct), (0, 0));
        assert!(report.loss.total().is_finite());
    }
}

#[test]
fn traces_that_are_no_numbers_change_nothing() {
    /// Hands out what it was given.
    struct Told(Recording, TimeGrid);
    impl Substrate for Told {
        fn shape(&self) -> NetworkShape {
            SHAPE
        }
        fn time_grid(&self) -> TimeGrid {
            self.1
        }
        fn write_weights(&mut self, _: &Weights) -> Result<WriteReport, SubstrateError> {
            Ok(WriteReport {
                output_scale: 1.0,
                silent_layers: Vec::new(),
            })
        }
        fn run(&mut self, _: &SpikeBatch, to: &mut Recording) -> Result<RunReport, SubstrateError> {
            to.clone_from(&self.0);
            Ok(RunReport::default())
        }
    }
    let random = Random::new(5, SHAPE, 10, 3);
    let last = SHAPE.neurons() - 1;
    // A hidden neuron in a late step, an output in any.
    for (step, neuron, value) in [
        (8, 0, f32::NAN),
        (0, last, f32::NAN),
        (4, last, f32::NAN),
        (4, last, f32::INFINITY),
        (9, last, f32::NEG_INFINITY),
        (4, last, 3e38),
    ] {
        for surrogate in [
            Surrogate::default(),
            Surrogate::Triangle { gamma: 0.3 },
            Surrogate::ArcTangent { alpha: 2.0 },
        ] {
            let config = TrainConfig {
                surrogate,
                ..TrainConfig::default()
            };
            let mut trainer = Trainer::new(config, SHAPE, random.grid).unwrap();
            let before = trainer.weights().clone();
            let mut recording = Recording::new(3, 10, SHAPE.neurons());
            // Each output has its maximum where the gradient passes by the hidden neuron.
            for (i, v) in recording.parts_mut().0.iter_mut().enumerate() {
                *v = (i / SHAPE.neurons() % 10) as f32 * 0.01;
            }
            recording.parts_mut().0[step * SHAPE.neurons() + neuron] = value;
            let mut told = Told(recording, random.grid);
            let error = trainer.step(&mut told, &random.batch, &random.labels);
            let error = error.map(|report| report.loss);
            let finite = value == 3e38;
            let refused = matches!(&error, Err(LearnError::NotFinite { .. }));
            let fits = if finite { error.is_ok() } else { refused };
            assert!(fits, "{value} of neuron {neuron} in step {step}: {error:?}");
            if !finite {
                assert_eq!(trainer.weights(), &before);
            }
            if neuron == last && !finite {
                let tested = trainer.evaluate(&mut told, &random.batch, &random.labels);
                assert!(
                    matches!(tested, Err(LearnError::NotFinite { .. })),
                    "{tested:?}"
                );
            }
        }
    }
}

#[test]
fn weights_beyond_the_limit_are_refused_and_tested_ones_kept() {
    let random = Random::new(6, SHAPE, 10, 3);
    let wide = TrainConfig {
        weight_limit: 1.0,
        ..TrainConfig::default()
    };
    let narrow = TrainConfig::default();
    let mut weights = random.weights_f32();
    weights.hidden[(1, 2)] = 0.9;
    let mut trainer = Trainer::new(wide, SHAPE, random.grid).unwrap();
    trainer.set_weights(&weights).unwrap();
    let mut other = Trainer::new(narrow, SHAPE, random.grid).unwrap();
    let before = other.weights().clone();
    let error = other.set_weights(&weights).unwrap_err().to_string();
    assert!(
        error.contains("a hidden weight is") && error.contains("0.2625 (train.weight_limit)"),
        "{error}"
    );
    assert_eq!(other.weights(), &before);
    other.take_weights(&trainer.snapshot()).unwrap();
    assert_eq!(other.weights(), &weights);
    weights.output[(0, 0)] = f32::NAN;
    let error = trainer.set_weights(&weights).unwrap_err().to_string();
    assert!(error.contains("an output weight is NaN"), "{error}");
}

#[test]
fn gradients_that_cannot_be_squared_change_nothing() {
    let random = Random::new(7, SHAPE, 10, 3);
    let config = TrainConfig {
        loss: LossConfig {
            scaling: 1e25,
            ..LossConfig::default()
        },
        ..TrainConfig::default()
    };
    let mut ideal = Ideal::new(SHAPE, random.grid, &config.model, Reset::Subtract).unwrap();
    let mut trainer = Trainer::new(config, SHAPE, random.grid).unwrap();
    let before = trainer.weights().clone();
    let error = trainer.step(&mut ideal, &random.batch, &random.labels);
    assert!(
        matches!(error, Err(LearnError::NotFinite { .. })),
        "{error:?}"
    );
    assert_eq!(trainer.weights(), &before);
}

#[test]
fn networks_of_any_size_are_run_or_refused() {
    let none = NetworkShape { hidden: 0, ..SHAPE };
    let random = Random::new(8, none, 5, 3);
    let mut ideal =
        Ideal::new(none, random.grid, &NeuronModel::default(), Reset::Subtract).unwrap();
    let mut trainer = Trainer::new(TrainConfig::default(), none, random.grid).unwrap();
    let report = trainer.step(&mut ideal, &random.batch, &random.labels);
    assert_eq!(report.unwrap().hidden_spikes, 0);
    let many = NetworkShape {
        hidden: 65_537,
        recurrent: false,
        ..SHAPE
    };
    let error = Trainer::new(TrainConfig::default(), many, random.grid).unwrap_err();
    assert!(
        error.to_string().contains("network.hidden is 65537"),
        "{error}"
    );
}

#[test]
fn what_does_not_fit_is_named() {
    let random = Random::new(4, SHAPE, 10, 3);
    let mut ideal =
        Ideal::new(SHAPE, random.grid, &NeuronModel::default(), Reset::Subtract).unwrap();
    let mut trainer = Trainer::new(TrainConfig::default(), SHAPE, random.grid).unwrap();
    let mut message = |batch: &SpikeBatch, labels: &[u8]| {
        let error = trainer.step(&mut ideal, batch, labels).unwrap_err();
        error.to_string()
    };
    let other = SpikeBatch::new(5);
    for (batch, labels, wanted) in [
        (
            &other,
            &[][..],
            "the batch has 5 input channels, the network has 12",
        ),
        (
            &random.batch,
            &[0, 1],
            "there are 2 labels, but 3 are needed",
        ),
        (
            &random.batch,
            &[0, 4, 1],
            "sample 1 has label 4, but the network has 4 outputs",
        ),
    ] {
        let text = message(batch, labels);
        assert!(text.contains(wanted), "{text}");
    }
    let wrong = Weights::zeros(NetworkShape { hidden: 3, ..SHAPE });
    let error = trainer.set_weights(&wrong).unwrap_err();
    assert!(matches!(error, LearnError::WeightShape { .. }), "{error}");
    let grid = TimeGrid {
        steps: 0,
        dt: Seconds::new(-1.0),
    };
    let error = Trainer::new(TrainConfig::default(), SHAPE, grid).unwrap_err();
    assert!(
        error.to_string().contains("time.steps is 0") && error.to_string().contains("dt is"),
        "{error}"
    );
    let mut finer = Ideal::new(
        SHAPE,
        TimeGrid {
            steps: 20,
            ..random.grid
        },
        &NeuronModel::default(),
        Reset::Subtract,
    )
    .unwrap();
    assert!(
        trainer
            .step(&mut finer, &random.batch, &random.labels)
            .is_err()
    );
}
