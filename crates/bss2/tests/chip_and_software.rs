//! An ideal chip on the learner's grid is the software network (invariant 8 of
//! `docs/architecture.md`): traces agree to 1e-5, spikes exactly.

use bss2::analog::{CadcSpread, Grid, MismatchProfile};
use bss2::chip::{Chip, ChipConfig};
use bss2::config::TimeConfig;
use bss2::event::random::{Address, Domain};
use bss2::event::{Recording, Seconds, Seed, SpikeBatch, Volts};
use bss2::learn::{
    Ideal, NetworkShape, NeuronModel, QuantiseConfig, Reset, Substrate, TraceScale, Weights,
};
use bss2::routing::FabricTiming;
use proptest::prelude::*;

/// Weights that are whole on the hardware, so that rounding changes nothing.
fn whole_weights(shape: NetworkShape, seed: Seed, drive: f64) -> Weights {
    let mut weights = Weights::zeros(shape);
    for (index, (_, matrix)) in weights.layers_mut().enumerate() {
        let address = Address::new(seed, Domain::WeightInit).element(index as u32);
        let fan_in = (matrix.ncols() as f64).sqrt();
        for (i, w) in matrix.iter_mut().enumerate() {
            let whole = 240.0 * (drive + 1.2 * address.normal(i as u32)) / fan_in;
            *w = (whole.round().clamp(-63.0, 63.0) / 240.0) as f32;
        }
    }
    weights
}

fn spikes(shape: NetworkShape, samples: u64, seed: Seed) -> SpikeBatch {
    let mut batch = SpikeBatch::new(shape.inputs);
    for id in 0..samples {
        let address = Address::new(seed, Domain::Test).sample(id);
        let spikes = (0..2 * shape.inputs as u32).map(|i| {
            let channel = (i as usize % shape.inputs) as u16;
            (
                Seconds::micro(30.0 * address.element(i).uniform(0)),
                channel,
            )
        });
        batch.push(id, spikes).unwrap();
    }
    batch
}

fn ideal_chip() -> ChipConfig {
    let ideal = MismatchProfile::ideal();
    ChipConfig {
        profile: MismatchProfile {
            cadc: CadcSpread {
                quantise: false,
                ..ideal.cadc
            },
            ..ideal
        },
        calibrated: false,
        circuits_per_neuron: 1,
        steps_per_sample: 1,
        grid: Grid::Snapped,
        fabric: FabricTiming::ideal(),
        spike_shift: Seconds::new(0.0),
        quantise: QuantiseConfig {
            output_scale_max: 240.0,
            ..QuantiseConfig::default()
        },
        // Exactly the distance from leak to threshold.
        trace: TraceScale {
            swing: Volts::new(70.0 / 256.0 * 1.2),
            ..TraceScale::default()
        },
        membrane_at_spike: 0.0,
        ..ChipConfig::default()
    }
}

fn compare(shape: NetworkShape, seed: u64, drive: f64) -> Result<usize, TestCaseError> {
    let time = TimeConfig::default();
    let weights = whole_weights(shape, Seed(seed), drive);
    let batch = spikes(shape, 3, Seed(seed));
    let mut chip = Chip::new(ideal_chip(), shape, time).unwrap();
    let reset = Reset::ToLeak {
        refractory_steps: 1,
    };
    let mut software =
        Ideal::<f32>::new(shape, time.grid(), &NeuronModel::default(), reset).unwrap();
    let (mut measured, mut modelled) = (Recording::default(), Recording::default());
    chip.write_weights(&weights).unwrap();
    software.write_weights(&weights).unwrap();
    chip.run(&batch, &mut measured).unwrap();
    software.run(&batch, &mut modelled).unwrap();
    // A membrane within rounding of its threshold may fall to either side.
    let neurons = shape.neurons();
    let close = |(i, v): (usize, &f32)| i % neurons < shape.hidden && (v - 1.0).abs() < 1e-5;
    prop_assume!(!modelled.traces().iter().enumerate().any(close));
    let differs =
        (0..measured.spikes().len()).find(|&i| measured.spikes()[i] != modelled.spikes()[i]);
    prop_assert_eq!(differs, None);
    for (i, (chip, model)) in measured.traces().iter().zip(modelled.traces()).enumerate() {
        prop_assert!(
            (chip - model).abs() < 1e-5 * model.abs().max(1.0),
            "{i}: {chip} {model}"
        );
    }
    Ok(measured.spikes().iter().map(|&s| usize::from(s)).sum())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn an_ideal_chip_on_the_learners_grid_is_the_software_network(
        inputs in 1_usize..60,
        hidden in 1_usize..60,
        outputs in 1_usize..12,
        recurrent in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let shape = NetworkShape { inputs, hidden, outputs, recurrent };
        compare(shape, seed, 0.4)?;
    }
}

#[test]
fn the_compared_networks_do_fire() {
    for recurrent in [false, true] {
        let shape = NetworkShape {
            inputs: 50,
            hidden: 40,
            outputs: 5,
            recurrent,
        };
        assert!(compare(shape, 1, 0.4).unwrap() > 100);
    }
}
