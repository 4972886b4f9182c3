//! What a recurrent network learns in the loop on an ideal chip is what it would learn
//! in software: the gradients of the same weights and inputs point the same way and
//! are of about the same size. They are not where the learner is told that membranes are
//! just above threshold in the bins of spikes: in its model they overshoot, since many
//! events come in a step. Each spike then passes on several times as much as in the
//! model, and what goes back through one recurrent spike after another explodes.

use bss2::analog::MismatchProfile;
use bss2::chip::{Chip, ChipConfig};
use bss2::config::TimeConfig;
use bss2::event::random::{Address, Domain};
use bss2::event::{Recording, Seconds, Seed, SpikeBatch};
use bss2::learn::{
    Bptt, Ideal, LossConfig, NetworkShape, NeuronModel, Objective, PassWeights, Readout,
    RecordedBatch, Regularisers, Reset, Substrate, Surrogate, Weights,
};

const SHAPE: NetworkShape = NetworkShape {
    inputs: 60,
    hidden: 60,
    outputs: 10,
    recurrent: true,
};
const SAMPLES: u64 = 20;

fn time() -> TimeConfig {
    TimeConfig {
        steps: 100,
        ..TimeConfig::default()
    }
}

/// As strong as those of a network that has learned speech.
fn weights() -> Weights {
    let mut weights = Weights::zeros(SHAPE);
    for (index, (_, matrix)) in weights.layers_mut().enumerate() {
        let address = Address::new(Seed(5), Domain::WeightInit).element(index as u32);
        let sd = [0.05, 1.1 / (SHAPE.hidden as f64).sqrt(), 0.05][index];
        for (i, w) in matrix.iter_mut().enumerate() {
            *w = (sd * address.normal(i as u32)).clamp(-0.26, 0.26) as f32;
        }
    }
    weights
}

/// 25 spikes of each input, spread over the run.
fn inputs() -> SpikeBatch {
    let mut batch = SpikeBatch::new(SHAPE.inputs);
    for id in 0..SAMPLES {
        let address = Address::new(Seed(5), Domain::Test).sample(id);
        let spikes = (0..25 * SHAPE.inputs as u32).map(|i| {
            let time = Seconds::micro(160.0 * address.element(i).uniform(0));
            (time, (i as usize % SHAPE.inputs) as u16)
        });
        batch.push(id, spikes).unwrap();
    }
    batch
}

/// The gradient of the recurrent weights, from what a substrate recorded.
fn gradient(substrate: &mut dyn Substrate) -> (Vec<f32>, Recording) {
    let (weights, inputs) = (weights(), inputs());
    let labels: Vec<u8> = (0..SAMPLES).map(|id| (id % 10) as u8).collect();
    let objective = Objective {
        surrogate: Surrogate::SuperSpike { beta: 10.0 },
        loss: LossConfig {
            readout: Readout::SumOverTime,
            scaling: 0.1,
            ..LossConfig::default()
        },
        regularisers: Regularisers::NONE,
        ..Objective::default()
    };
    let mut recording = Recording::default();
    substrate.write_weights(&weights).unwrap();
    substrate.run(&inputs, &mut recording).unwrap();
    let mut gradient = Weights::zeros(SHAPE);
    let batch = RecordedBatch {
        inputs: &inputs,
        labels: &labels,
        recording: &recording,
        grid: time().grid(),
    };
    let pass = PassWeights {
        weights: &weights,
        keep: None,
    };
    Bptt::new(SHAPE)
        .gradient(&objective, pass, batch, None, &mut gradient)
        .unwrap();
    let recurrent = gradient.recurrent.unwrap();
    (recurrent.as_slice().to_vec(), recording)
}

fn on_the_chip(membrane_at_spike: f32) -> Vec<f32> {
    let config = ChipConfig {
        profile: MismatchProfile::ideal(),
        calibrated: false,
        circuits_per_neuron: 1,
        membrane_at_spike,
        ..ChipConfig::default()
    };
    gradient(&mut Chip::new(config, SHAPE, time()).unwrap()).0
}

fn norm(gradient: &[f32]) -> f64 {
    gradient
        .iter()
        .map(|g| f64::from(*g).powi(2))
        .sum::<f64>()
        .sqrt()
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let product: f64 = a
        .iter()
        .zip(b)
        .map(|(a, b)| f64::from(*a) * f64::from(*b))
        .sum();
    product / norm(a) / norm(b)
}

#[test]
fn in_the_loop_gradients_of_a_recurrent_network_are_those_of_software() {
    let mut software = Ideal::<f32>::new(
        SHAPE,
        time().grid(),
        &NeuronModel::default(),
        Reset::ToLeak {
            refractory_steps: 1,
        },
    )
    .unwrap();
    let (expected, recording) = gradient(&mut software);
    // What the model's membranes are in the bins of spikes.
    let hidden = |i: &usize| i % SHAPE.neurons() < SHAPE.hidden;
    let spikes = (0..recording.spikes().len()).filter(hidden);
    let spikes = spikes.filter(|&i| recording.spikes()[i] == 1);
    let mut membranes: Vec<f32> = spikes.map(|i| recording.traces()[i]).collect();
    membranes.sort_by(f32::total_cmp);
    let median = membranes[membranes.len() / 2];
    assert!((1.3..1.5).contains(&median), "{median}");

    // As recorded, or told what the model's are.
    for told in [0.0, median] {
        let chip = on_the_chip(told);
        let (size, alike) = (norm(&chip) / norm(&expected), cosine(&chip, &expected));
        assert!((0.1..1.0).contains(&size), "{told}: {size}");
        assert!(alike > 0.7, "{told}: {alike}");
    }
    // Just above the threshold all spikes sit near the peak of the surrogate.
    let size = norm(&on_the_chip(1.05)) / norm(&expected);
    assert!(size > 1e3, "{size}");
}
