//! Properties of random networks: agreement with a slow oracle, whose own
//! gradient agrees with central differences; independence of threads, batch
//! split and instruction set.

mod support;

use bss2_event::{Recording, Seconds, SimdPath, SpikeBatch, TimeGrid};
use bss2_learn::{
    Bptt, Ideal, LossConfig, LossTerms, NetworkShape, NeuronModel, Objective, PassWeights, Readout,
    RecordedBatch, Regularisers, Reset, Surrogate, TrainConfig, Trainer, Weights,
};
use proptest::prelude::*;
use support::network::Random;
use support::oracle::{self, Spiking, States};
use support::relative_error;

fn shapes() -> impl Strategy<Value = NetworkShape> {
    (1..20_usize, 1..150_usize, 1..90_usize, any::<bool>()).prop_map(
        |(inputs, hidden, outputs, recurrent)| NetworkShape {
            inputs,
            hidden,
            outputs,
            recurrent,
        },
    )
}

fn objectives() -> impl Strategy<Value = Objective> {
    let surrogate = prop_oneof![
        Just(Surrogate::SuperSpike { beta: 5.0 }),
        Just(Surrogate::Triangle { gamma: 0.3 }),
        Just(Surrogate::ArcTangent { alpha: 2.0 }),
    ];
    let readout = prop_oneof![
        Just(Readout::MaxOverTime),
        Just(Readout::MaxAfterFirst),
        Just(Readout::SumOverTime)
    ];
    (surrogate, readout, 3.0..10.0).prop_map(|(surrogate, readout, tau)| Objective {
        model: NeuronModel {
            tau_mem: Seconds::micro(tau),
            tau_syn: Seconds::micro(6.0),
        },
        surrogate,
        loss: LossConfig {
            readout,
            scaling: 0.7,
            random_ties: false,
            label_smoothing: 0.0,
        },
        regularisers: Regularisers {
            bursts: 0.01,
            weights_hidden: 0.3,
            weights_recurrent: 0.2,
            weights_output: 0.1,
            readout: 0.02,
            homeostatic: 1e-3,
            theta_homeostatic: 5.0,
        },
    })
}

fn resets() -> impl Strategy<Value = Reset> {
    prop_oneof![
        Just(Reset::Subtract),
        (1..4_u32).prop_map(|refractory_steps| Reset::ToLeak { refractory_steps }),
    ]
}

fn decays(objective: &Objective, grid: TimeGrid) -> (f64, f64) {
    let decay = |tau: Seconds| (-(grid.dt / tau)).exp();
    (
        decay(objective.model.tau_syn),
        decay(objective.model.tau_mem),
    )
}

fn run_oracle(
    random: &Random,
    weights: &Weights<f64>,
    objective: &Objective,
    spiking: Spiking,
) -> Vec<(States, usize)> {
    let decays = decays(objective, random.grid);
    let inputs = random.inputs.iter().zip(&random.labels);
    inputs
        .map(|(input, &label)| {
            let states = oracle::forward(random.shape, weights, decays, spiking, input);
            (states, usize::from(label))
        })
        .collect()
}

fn differentiate(
    random: &Random,
    objective: &Objective,
    keep: Option<&[f64]>,
    recording: &Recording<f64>,
) -> (f64, Weights<f64>) {
    let mut gradient = Weights::zeros(random.shape);
    let terms = Bptt::new(random.shape)
        .gradient(
            objective,
            PassWeights {
                weights: &random.weights,
                keep,
            },
            RecordedBatch {
                inputs: &random.batch,
                labels: &random.labels,
                recording,
                grid: random.grid,
            },
            None,
            &mut gradient,
        )
        .unwrap();
    (terms.total(), gradient)
}

fn assert_close(found: &Weights<f64>, wanted: &Weights<f64>, tolerance: f64) {
    for ((layer, found), (_, wanted)) in found.layers().zip(wanted.layers()) {
        let error = relative_error(found.as_slice(), wanted.as_slice());
        assert!(error < tolerance, "{layer}: {error}");
    }
}

/// Gradients that vanished but for the terms of weights would agree with anything.
#[test]
fn random_networks_are_active() {
    let objective = Objective {
        regularisers: Regularisers::NONE,
        ..Objective::default()
    };
    let to_leak = Reset::ToLeak {
        refractory_steps: 2,
    };
    for (seed, reset) in (0..10).flat_map(|seed| [(seed, Reset::Subtract), (seed, to_leak)]) {
        let shape = NetworkShape {
            inputs: 10,
            hidden: 70,
            outputs: 5,
            recurrent: true,
        };
        let random = Random::new(seed, shape, 12, 6);
        let mut ideal = Ideal::new(shape, random.grid, &objective.model, reset).unwrap();
        ideal.load(&random.weights).unwrap();
        let mut recording = Recording::default();
        ideal.forward(&random.batch, &mut recording).unwrap();
        let (_, gradient) = differentiate(&random, &objective, None, &recording);
        for (layer, gradient) in gradient.layers() {
            assert!(gradient.amax() > 1e-3, "{layer}: {}", gradient.amax());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn forward_and_gradient_equal_the_oracle(
        seed: u64, shape in shapes(), objective in objectives(), reset in resets(),
        steps in 1..25_usize, samples in 1..12_usize,
    ) {
        let random = Random::new(seed, shape, steps, samples);
        let wanted = run_oracle(&random, &random.weights, &objective, Spiking::Hard(reset));
        let mut ideal = Ideal::new(shape, random.grid, &objective.model, reset).unwrap();
        ideal.load(&random.weights).unwrap();
        let mut recording = Recording::default();
        ideal.forward(&random.batch, &mut recording).unwrap();
        for (i, (states, _)) in wanted.iter().enumerate() {
            let (traces, spikes) = (recording.sample_traces(i), recording.sample_spikes(i));
            for t in 0..steps {
                let row = &traces[t * shape.neurons()..][..shape.neurons()];
                let fired = &spikes[t * shape.neurons()..][..shape.neurons()];
                for n in 0..shape.hidden {
                    prop_assert!((row[n] - states.v[t][n]).abs() < 1e-10);
                    prop_assert_eq!(f64::from(fired[n]), states.s[t][n]);
                }
                for o in 0..shape.outputs {
                    prop_assert!((row[shape.hidden + o] - states.v_out[t][o]).abs() < 1e-10);
                    prop_assert_eq!(fired[shape.hidden + o], 0);
                }
            }
        }
        let (loss, gradient) = differentiate(&random, &objective, None, &recording);
        let wanted_loss = oracle::loss(shape, &objective, &random.weights, &wanted);
        prop_assert!((loss - wanted_loss).abs() < 1e-10 * (1.0 + wanted_loss));
        let wanted = oracle::gradient(
            shape, &objective, &random.weights, decays(&objective, random.grid), &wanted, &random.inputs,
        );
        assert_close(&gradient, &wanted, 1e-9);
    }

    #[test]
    fn the_gradient_of_output_weights_is_a_central_difference(
        seed: u64, objective in objectives(), recurrent: bool,
    ) {
        // Spikes do not depend on output weights, so the graph is smooth in them.
        let shape = NetworkShape { inputs: 8, hidden: 11, outputs: 4, recurrent };
        let mut random = Random::new(seed, shape, 15, 3);
        let mut ideal = Ideal::new(shape, random.grid, &objective.model, Reset::Subtract).unwrap();
        let mut recording = Recording::default();
        let mut run = |random: &Random| {
            ideal.load(&random.weights).unwrap();
            ideal.forward(&random.batch, &mut recording).unwrap();
            differentiate(random, &objective, None, &recording)
        };
        let (_, gradient) = run(&random);
        let scale = gradient.output.amax();
        for i in 0..random.weights.output.len() {
            let (w, h) = (random.weights.output[i], 1e-6);
            random.weights.output[i] = w + h;
            let (above, _) = run(&random);
            random.weights.output[i] = w - h;
            let (below, _) = run(&random);
            random.weights.output[i] = w;
            let difference = (above - below) / (2.0 * h);
            prop_assert!((difference - gradient.output[i]).abs() < 1e-6 * (1.0 + scale));
        }
    }

    #[test]
    fn the_oracle_is_the_gradient_of_a_smooth_network(
        seed: u64, mut objective in objectives(), recurrent: bool,
    ) {
        let beta = 2.0;
        objective.surrogate = Surrogate::SuperSpike { beta };
        let shape = NetworkShape { inputs: 5, hidden: 6, outputs: 3, recurrent };
        let random = Random::new(seed, shape, 9, 2);
        let spiking = Spiking::Smooth(beta);
        let samples = run_oracle(&random, &random.weights, &objective, spiking);
        let decays = decays(&objective, random.grid);
        let gradient = oracle::gradient(
            shape, &objective, &random.weights, decays, &samples, &random.inputs,
        );
        let loss = |weights: &Weights<f64>| {
            let samples = run_oracle(&random, weights, &objective, spiking);
            oracle::loss(shape, &objective, weights, &samples)
        };
        let mut weights = random.weights.clone();
        let h = 1e-6;
        for layer in 0..gradient.layers().count() {
            let (_, wanted) = gradient.layers().nth(layer).unwrap();
            for i in 0..wanted.len() {
                let mut shifted = |by: f64| {
                    weights.layers_mut().nth(layer).unwrap().1[i] += by;
                    let loss = loss(&weights);
                    weights.clone_from(&random.weights);
                    loss
                };
                let difference = (shifted(h) - shifted(-h)) / (2.0 * h);
                prop_assert!((difference - wanted[i]).abs() < 1e-6 * (1.0 + wanted.amax()));
            }
        }
    }

    #[test]
    fn dropped_neurons_keep_their_recurrence_and_weight_terms(
        seed: u64, objective in objectives(), recurrent: bool,
    ) {
        let shape = NetworkShape { inputs: 9, hidden: 40, outputs: 5, recurrent };
        let random = Random::new(seed, shape, 12, 4);
        let keep: Vec<f64> = (0..shape.hidden).map(|n| f64::from(u8::from(n % 3 != 0))).collect();
        let mut masked = random.weights.clone();
        let mask = |matrix: &mut nalgebra::DMatrix<f64>| {
            for (mut row, keep) in matrix.row_iter_mut().zip(&keep) {
                row *= *keep;
            }
        };
        mask(&mut masked.hidden);
        let mut ideal = Ideal::new(shape, random.grid, &objective.model, Reset::Subtract).unwrap();
        ideal.load(&masked).unwrap();
        let mut recording = Recording::default();
        ideal.forward(&random.batch, &mut recording).unwrap();
        let (_, gradient) = differentiate(&random, &objective, Some(&keep), &recording);
        // The oracle differentiates by the masked weights; the mask is the
        // chain rule's last factor, and weight terms are of the weights.
        let samples = run_oracle(&random, &masked, &objective, Spiking::Hard(Reset::Subtract));
        let no_decay = Objective {
            regularisers: Regularisers {
                weights_hidden: 0.0, weights_recurrent: 0.0, weights_output: 0.0,
                ..objective.regularisers
            },
            ..objective
        };
        let decays = decays(&objective, random.grid);
        let mut wanted = oracle::gradient(
            shape, &no_decay, &masked, decays, &samples, &random.inputs,
        );
        let terms = objective.regularisers;
        let decay = |g: &mut nalgebra::DMatrix<f64>, w: &nalgebra::DMatrix<f64>, strength: f64| {
            *g += w * (2.0 * strength / w.len() as f64);
        };
        mask(&mut wanted.hidden);
        decay(&mut wanted.hidden, &random.weights.hidden, terms.weights_hidden);
        if let (Some(g), Some(w)) = (&mut wanted.recurrent, &random.weights.recurrent) {
            decay(g, w, terms.weights_recurrent);
        }
        decay(&mut wanted.output, &random.weights.output, terms.weights_output);
        assert_close(&gradient, &wanted, 1e-9);
    }
}

fn recorded(random: &Random) -> Recording {
    let model = NeuronModel::default();
    let mut ideal = Ideal::<f32>::new(random.shape, random.grid, &model, Reset::Subtract).unwrap();
    ideal.load(&random.weights_f32()).unwrap();
    let mut recording = Recording::default();
    ideal.forward(&random.batch, &mut recording).unwrap();
    recording
}

/// Loss, gradient, right predictions and hidden spikes.
type Found = (LossTerms, Weights, usize, u64);

fn find(bptt: &mut Bptt, objective: &Objective, random: &Random, recording: &Recording) -> Found {
    let weights = random.weights_f32();
    let mut gradient = Weights::zeros(random.shape);
    // What is not written differs from anything.
    gradient.layers_mut().for_each(|(_, g)| g.fill(f32::NAN));
    let pass = PassWeights {
        weights: &weights,
        keep: None,
    };
    let batch = RecordedBatch {
        inputs: &random.batch,
        labels: &random.labels,
        recording,
        grid: random.grid,
    };
    let terms = bptt.gradient(objective, pass, batch, None, &mut gradient);
    (
        terms.unwrap(),
        gradient,
        bptt.correct(),
        bptt.hidden_spikes(),
    )
}

fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap()
}

/// Some steps of training; returns the weights, their average and the last recording.
fn train(random: &Random, path: SimdPath, reset: Reset) -> (Weights, Weights, Recording) {
    let config = TrainConfig {
        dropout: 0.2,
        average_steps: 2.0,
        weight_limit: 10.0,
        ..TrainConfig::default()
    };
    let mut ideal = Ideal::new(random.shape, random.grid, &config.model, reset)
        .unwrap()
        .with_path(path);
    let mut trainer = Trainer::new(config, random.shape, random.grid)
        .unwrap()
        .with_path(path);
    trainer.set_weights(&random.weights_f32()).unwrap();
    for _ in 0..3 {
        let report = trainer
            .step(&mut ideal, &random.batch, &random.labels)
            .unwrap();
        assert!(report.hidden_spikes > 0);
    }
    let [weights, tested] = [trainer.weights(), trainer.tested_weights()].map(Clone::clone);
    assert_ne!(weights, tested);
    (weights, tested, trainer.recording().clone())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn threads_and_instruction_sets_change_no_bit(
        seed: u64, shape in shapes(), reset in resets(), samples in 1..40_usize,
    ) {
        // Large enough that limited weights make some neuron spike.
        let shape = NetworkShape { inputs: shape.inputs + 30, hidden: shape.hidden + 30, ..shape };
        let random = Random::new(seed, shape, 15, samples);
        let wanted = pool(1).install(|| train(&random, SimdPath::Native, reset));
        for threads in [2, 7] {
            prop_assert_eq!(&pool(threads).install(|| train(&random, SimdPath::Native, reset)), &wanted);
        }
        for path in [SimdPath::Narrow, SimdPath::Baseline] {
            prop_assert_eq!(&train(&random, path, reset), &wanted);
        }
    }

    #[test]
    fn a_batch_is_as_many_batches_of_one(
        seed: u64, shape in shapes(), reset in resets(), samples in 1..20_usize,
    ) {
        let random = Random::new(seed, shape, 10, samples);
        let mut ideal = Ideal::<f32>::new(shape, random.grid, &NeuronModel::default(), reset).unwrap();
        ideal.load(&random.weights_f32()).unwrap();
        let (mut together, mut alone) = (Recording::default(), Recording::default());
        ideal.forward(&random.batch, &mut together).unwrap();
        for (i, sample) in random.batch.samples().enumerate() {
            let mut one = SpikeBatch::new(shape.inputs);
            one.push_sorted(sample.id(), sample.times(), sample.channels()).unwrap();
            ideal.forward(&one, &mut alone).unwrap();
            prop_assert_eq!(alone.traces(), together.sample_traces(i));
            prop_assert_eq!(alone.spikes(), together.sample_spikes(i));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn threads_and_instruction_sets_change_no_bit_of_loss_and_gradient(
        seed: u64, shape in shapes(), objective in objectives(), samples in 0..40_usize,
    ) {
        let random = Random::new(seed, shape, 15, samples);
        let recording = recorded(&random);
        let with =
            |path| find(&mut Bptt::new(shape).with_path(path), &objective, &random, &recording);
        let wanted = pool(1).install(|| with(SimdPath::Native));
        for threads in [2, 3, 7] {
            prop_assert_eq!(&pool(threads).install(|| with(SimdPath::Native)), &wanted);
        }
        for path in [SimdPath::Narrow, SimdPath::Baseline] {
            prop_assert_eq!(&with(path), &wanted);
        }
    }

    #[test]
    fn what_batches_before_left_in_the_buffers_changes_no_bit(
        seed: u64, shape in shapes(), objective in objectives(),
    ) {
        let mut used = Bptt::new(shape);
        // Four parts, one, three, none, four and three.
        let calls = [(8, 12), (1, 3), (5, 20), (0, 7), (40, 1), (6, 9)];
        for (i, (samples, steps)) in calls.into_iter().enumerate() {
            let random = Random::new(seed.wrapping_add(i as u64), shape, steps, samples);
            let recording = recorded(&random);
            let fresh = find(&mut Bptt::new(shape), &objective, &random, &recording);
            prop_assert_eq!(&find(&mut used, &objective, &random, &recording), &fresh);
            let right = used.samples().zip(&random.labels);
            let right = right.filter(|(s, l)| s.prediction == usize::from(**l)).count();
            prop_assert_eq!(used.correct(), right);
            // A loss in between counts the same and leaves nothing in the sums.
            let weights = random.weights_f32();
            let pass = PassWeights { weights: &weights, keep: None };
            let batch = RecordedBatch {
                inputs: &random.batch,
                labels: &random.labels,
                recording: &recording,
                grid: random.grid,
            };
            let terms = used.loss(&objective, pass, batch, None).unwrap();
            let (loss, total) = (terms.total(), fresh.0.total());
            prop_assert!((loss - total).abs() <= 1e-12 * total, "{} {}", loss, total);
            prop_assert_eq!((used.correct(), used.hidden_spikes()), (fresh.2, fresh.3));
            prop_assert_eq!(&find(&mut used.clone(), &objective, &random, &recording), &fresh);
        }
    }

    #[test]
    fn what_a_recording_held_before_does_not_show(
        seed: u64, shape in shapes(), reset in resets(),
        steps in 1..6_usize, samples in 1..13_usize,
    ) {
        let random = Random::new(seed, shape, steps, samples);
        let model = NeuronModel::default();
        let mut ideal = Ideal::<f32>::new(shape, random.grid, &model, reset).unwrap();
        ideal.load(&random.weights_f32()).unwrap();
        let mut clean = Recording::default();
        ideal.forward(&random.batch, &mut clean).unwrap();
        let (hidden, neurons) = (shape.hidden, shape.neurons());
        for from in [0, hidden - 1, hidden, neurons - 1] {
            let mut used = Recording::new(samples, steps, neurons);
            let (traces, spikes) = used.parts_mut();
            traces.fill(f32::NAN);
            spikes.fill(7);
            used.trace_from(from);
            ideal.forward(&random.batch, &mut used).unwrap();
            prop_assert_eq!(used.spikes(), clean.spikes());
            let rows = used.traces().chunks_exact(neurons);
            for (row, wanted) in rows.zip(clean.traces().chunks_exact(neurons)) {
                for (layer, end) in [(0..hidden, hidden), (hidden..neurons, neurons)] {
                    if end > from {
                        prop_assert_eq!(&row[layer.clone()], &wanted[layer]);
                    }
                }
            }
        }
    }
}
