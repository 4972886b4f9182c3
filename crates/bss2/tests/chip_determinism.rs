//! Same seed, same result, bit for bit (invariant 7): whatever the number of
//! threads, the split into batches and the instruction set.

use bss2::analog::calib::CalibrationConfig;
use bss2::chip::{Chip, ChipConfig};
use bss2::config::TimeConfig;
use bss2::event::random::{Address, Domain};
use bss2::event::{Recording, Seconds, Seed, SpikeBatch};
use bss2::learn::{NetworkShape, Substrate, Weights};
use bss2::routing::FabricTiming;
use proptest::prelude::*;

/// A mismatched, noisy chip; calibrated roughly, for speed.
fn rough(seed: u64) -> ChipConfig {
    ChipConfig {
        seed: Seed(seed),
        calibration: CalibrationConfig {
            trials: 8,
            ..CalibrationConfig::default()
        },
        ..ChipConfig::default()
    }
}

/// Membranes as they were sampled, whatever the spikes say.
fn as_recorded(seed: u64) -> ChipConfig {
    ChipConfig {
        membrane_at_spike: 0.0,
        ..rough(seed)
    }
}

fn chip(shape: NetworkShape, seed: u64) -> Chip {
    with(rough(seed), TimeConfig::default(), shape)
}

/// A chip with random weights.
fn with(config: ChipConfig, time: TimeConfig, shape: NetworkShape) -> Chip {
    let seed = config.seed.0;
    let mut chip = Chip::new(config, shape, time).unwrap();
    let mut weights = Weights::zeros(shape);
    for (index, (_, matrix)) in weights.layers_mut().enumerate() {
        let address = Address::new(Seed(seed), Domain::Test).element(index as u32);
        for (i, w) in matrix.iter_mut().enumerate() {
            *w = (0.05 + 0.1 * address.normal(i as u32)).clamp(-0.26, 0.26) as f32;
        }
    }
    chip.write_weights(&weights).unwrap();
    chip
}

fn batch(shape: NetworkShape, seed: u64, ids: &[u64]) -> SpikeBatch {
    let mut batch = SpikeBatch::new(shape.inputs);
    batch.set_presentation(3);
    for &id in ids {
        let address = Address::new(Seed(seed), Domain::Test).sample(id);
        let spikes = (0..shape.inputs as u32).map(|i| {
            (
                Seconds::micro(20.0 * address.element(i).uniform(1)),
                i as u16,
            )
        });
        batch.push(id, spikes).unwrap();
    }
    batch
}

fn record(chip: &mut Chip, batch: &SpikeBatch) -> Recording {
    let mut recording = Recording::default();
    chip.run(batch, &mut recording).unwrap();
    recording
}

/// A network on a chip, and how many samples it is given.
fn cases() -> impl Strategy<Value = (NetworkShape, u64, usize)> {
    let shape = (20_usize..50, 20_usize..50, any::<bool>());
    let shape = shape.prop_map(|(inputs, hidden, recurrent)| NetworkShape {
        inputs,
        hidden,
        outputs: 5,
        recurrent,
    });
    (shape, any::<u64>(), 1_usize..30)
}

/// Codes of all cells, and the recording of all samples.
type Result = (Vec<bss2::event::CapMemCode>, Recording);

fn assert_the_same(
    config: &ChipConfig,
    shape: NetworkShape,
    samples: usize,
) -> std::result::Result<(), TestCaseError> {
    let seed = config.seed.0;
    let new = || with(config.clone(), TimeConfig::default(), shape);
    let ids: Vec<u64> = (0..samples as u64).map(|i| 1000 + 7 * i).collect();
    let whole = batch(shape, seed, &ids);
    let on_threads = |threads| -> Result {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(|| {
            let mut chip = new();
            let cells = bss2::analog::Cell::ALL.iter();
            let codes = cells.flat_map(|&cell| chip.core().capmem().column(cell).to_vec());
            (codes.collect(), record(&mut chip, &whole))
        })
    };
    let results = [1, 2, 7].map(on_threads);
    prop_assert!(results[0].1.spikes().contains(&1), "the network fires");
    prop_assert!(results.iter().all(|r| *r == results[0]));

    let mut chip = new();
    for (place, &id) in ids.iter().enumerate() {
        let alone = record(&mut chip, &batch(shape, seed, &[id]));
        prop_assert_eq!(alone.sample_traces(0), results[0].1.sample_traces(place));
        prop_assert_eq!(alone.sample_spikes(0), results[0].1.sample_spikes(place));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]
    #[test]
    fn threads_and_batches_change_nothing((shape, seed, samples) in cases()) {
        assert_the_same(&rough(seed), shape, samples)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
    /// Most of the time of the test above is the calibration.
    #[test]
    fn threads_and_batches_change_nothing_without_a_calibration(
        (shape, seed, samples) in cases(),
    ) {
        let config = ChipConfig { calibrated: false, ..rough(seed) };
        assert_the_same(&config, shape, samples)?;
    }
}

#[test]
fn every_presentation_meets_other_noise() {
    let mut chip = chip(SMALL, 1);
    let mut spikes = batch(SMALL, 1, &[5]);
    let first = record(&mut chip, &spikes);
    spikes.set_presentation(4);
    assert_ne!(first, record(&mut chip, &spikes));
}

#[test]
fn events_that_queues_have_no_place_for_are_counted_once() {
    let lost = |fabric: FabricTiming, spikes: &SpikeBatch| {
        let config = ChipConfig { fabric, ..rough(1) };
        let mut chip = with(config, TimeConfig::default(), SMALL);
        let mut recording = Recording::default();
        let report = chip.run(spikes, &mut recording).unwrap();
        let fired = recording.spikes().iter().filter(|&&s| s == 1).count();
        (report.lost_events, fired as u64)
    };
    // All inputs at once: without a queue the link takes the first.
    let mut spikes = SpikeBatch::new(SMALL.inputs);
    for id in [5, 6] {
        let times = (0..SMALL.inputs as u16).map(|i| (Seconds::micro(2.0), i));
        spikes.push(id, times).unwrap();
    }
    let default = FabricTiming::default();
    assert_eq!(lost(default, &spikes).0, 0);
    let link = FabricTiming {
        link_in_depth: 0,
        ..default
    };
    assert_eq!(lost(link, &spikes), (2 * 29, 0));
    // Time stands still for 1 us, so that spikes meet at their outputs and nodes.
    let slow = FabricTiming {
        clock: Seconds::micro(1.0),
        link_in_depth: 1_000,
        neuron_output_depth: 0,
        node_depth: 1,
        link_out_depth: 0,
        ..default
    };
    let (lost, recorded) = lost(slow, &spikes);
    assert!(lost > 0 && recorded > 0, "{lost}, {recorded}");
}

const SMALL: NetworkShape = NetworkShape {
    inputs: 30,
    hidden: 20,
    outputs: 3,
    recurrent: false,
};

#[test]
fn a_membrane_in_the_bin_of_a_spike_is_lifted_where_asked() {
    let spikes = batch(SMALL, 1, &[5, 6, 7]);
    let told = record(&mut chip(SMALL, 1), &spikes);
    let recorded = record(
        &mut with(as_recorded(1), TimeConfig::default(), SMALL),
        &spikes,
    );
    assert_eq!(told.spikes(), recorded.spikes());
    assert!(told.spikes().contains(&1));
    for (i, &spike) in told.spikes().iter().enumerate() {
        let (told, recorded) = (told.traces()[i], recorded.traces()[i]);
        assert_eq!(
            told,
            if spike == 1 {
                recorded.max(1.03)
            } else {
                recorded
            }
        );
    }
}

#[test]
fn a_finer_grid_holds_samples_and_resolves_spikes() {
    let spikes = batch(SMALL, 2, &[5, 6, 7]);
    let coarse = TimeConfig::default();
    let fine = TimeConfig {
        interpolation: 3,
        ..coarse
    };
    let coarse = record(&mut with(as_recorded(2), coarse, SMALL), &spikes);
    let fine = record(&mut with(as_recorded(2), fine, SMALL), &spikes);
    let neurons = SMALL.neurons();
    for sample in 0..3 {
        let (coarse_spikes, fine_spikes) =
            (coarse.sample_spikes(sample), fine.sample_spikes(sample));
        let traces = fine.sample_traces(sample);
        for (i, &trace) in coarse.sample_traces(sample).iter().enumerate() {
            let (step, neuron) = (i / neurons, i % neurons);
            let parts = || (0..3).map(|part| (3 * step + part) * neurons + neuron);
            assert!(parts().all(|at| traces[at] == trace));
            let spiked = parts().any(|at| fine_spikes[at] == 1);
            assert_eq!(
                spiked,
                coarse_spikes[i] == 1,
                "step {step}, neuron {neuron}"
            );
        }
    }
    assert!(coarse.spikes().contains(&1));
}
