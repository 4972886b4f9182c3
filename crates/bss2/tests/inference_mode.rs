//! The inference mode: images in close succession, within hardware runs of a
//! fixed number.

use bss2::analog::calib::CalibrationConfig;
use bss2::chip::{Chip, ChipConfig, RunMode};
use bss2::config::{DataSet, Experiment, TimeConfig};
use bss2::data::Data;
use bss2::evaluation;
use bss2::event::random::{Address, Domain};
use bss2::event::{Recording, Seconds, Seed, SpikeBatch};
use bss2::learn::{NetworkShape, RunReport, Substrate, Trainer, Weights};
use bss2::substrates;

const SHAPE: NetworkShape = NetworkShape {
    inputs: 40,
    hidden: 40,
    outputs: 5,
    recurrent: true,
};

fn chip(mode: RunMode) -> Chip {
    let config = ChipConfig {
        seed: Seed(4),
        mode,
        calibration: CalibrationConfig {
            trials: 8,
            ..CalibrationConfig::default()
        },
        ..ChipConfig::default()
    };
    let mut chip = Chip::new(config, SHAPE, TimeConfig::default()).unwrap();
    let mut weights = Weights::zeros(SHAPE);
    for (index, (_, matrix)) in weights.layers_mut().enumerate() {
        let address = Address::new(Seed(4), Domain::Test).element(index as u32);
        for (i, w) in matrix.iter_mut().enumerate() {
            *w = (0.05 + 0.1 * address.normal(i as u32)).clamp(-0.26, 0.26) as f32;
        }
    }
    chip.write_weights(&weights).unwrap();
    chip
}

fn batch(ids: std::ops::Range<u64>) -> SpikeBatch {
    let mut batch = SpikeBatch::new(SHAPE.inputs);
    for id in ids {
        let address = Address::new(Seed(4), Domain::Test).sample(id);
        let spikes = (0..SHAPE.inputs as u32).map(|i| {
            let time = Seconds::micro(12.0 * address.element(i).uniform(1));
            (time, i as u16)
        });
        batch.push(id, spikes).unwrap();
    }
    batch
}

fn record(chip: &mut Chip, batch: &SpikeBatch) -> (Recording, RunReport) {
    let mut recording = Recording::default();
    let report = chip.run(batch, &mut recording).unwrap();
    (recording, report)
}

#[test]
fn hardware_runs_depend_neither_on_threads_nor_on_the_split_into_whole_runs() {
    let results: Vec<(Recording, RunReport)> = [1, 2, 7]
        .into_iter()
        .map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| record(&mut chip(RunMode::Inference), &batch(0..450)))
        })
        .collect();
    assert!(results.iter().all(|result| *result == results[0]));
    let (whole, report) = &results[0];
    assert_eq!(whole.steps(), 5);
    assert!(whole.spikes().contains(&1), "the network fires");
    let late = batch(0..450);
    let late: usize = (0..450)
        .map(|i| {
            late.sample(i)
                .times()
                .iter()
                .filter(|&&t| t >= 9.6e-6)
                .count()
        })
        .sum();
    assert_eq!(report.unsent_inputs, late as u64);
    assert!(late > 0);
    assert!(
        report.reset_events > 0,
        "spikes are on their way at a reset"
    );
    assert_eq!(report.lost_events, 0, "no queue is full");

    let mut chip = chip(RunMode::Inference);
    // 131,072 bytes of 5 samples of one half.
    let per_run = chip.images_per_run();
    assert_eq!(per_run, 204);
    let cut = per_run as u64;
    let mut reset_events = 0;
    for (ids, from) in [
        (0..cut, 0),
        (cut..2 * cut, per_run),
        (2 * cut..450, 2 * per_run),
    ] {
        let (part, of_part) = record(&mut chip, &batch(ids));
        reset_events += of_part.reset_events;
        for i in 0..part.samples() {
            assert_eq!(part.sample_traces(i), whole.sample_traces(from + i));
            assert_eq!(part.sample_spikes(i), whole.sample_spikes(from + i));
        }
    }
    assert_eq!(reset_events, report.reset_events);
    // A reset ends the last image of a run as well.
    let alone = (0..450).map(|id| record(&mut chip, &batch(id..id + 1)).1.reset_events);
    assert!(alone.sum::<u64>() > 0);
    // Alone, an image meets no residues.
    let (alone, _) = record(&mut chip, &batch(1..2));
    assert_ne!(alone.sample_traces(0), whole.sample_traces(1));
}

#[test]
fn the_first_image_of_a_run_is_that_of_training_until_its_reset() {
    // But for the steps, which divide the slot of an image in inference.
    let (inference, _) = record(&mut chip(RunMode::Inference), &batch(7..8));
    let (training, report) = record(&mut chip(RunMode::Training), &batch(7..8));
    assert_eq!((training.steps(), report.unsent_inputs), (20, 0));
    let outputs = SHAPE.hidden..SHAPE.neurons();
    let distance = |at: usize| {
        let row =
            |r: &Recording| r.sample_traces(0)[at * SHAPE.neurons()..][outputs.clone()].to_vec();
        let (a, b) = (row(&inference), row(&training));
        a.iter()
            .zip(&b)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max)
    };
    for at in 0..5 {
        // Steps of another length meet other noise: a spike that it moves between bins
        // moves an output by a few codes.
        assert!(distance(at) < 0.25, "sample {at}: {}", distance(at));
    }
}

#[test]
fn a_test_is_cut_into_whole_runs_whatever_the_batch_of_training() {
    let least = chip(RunMode::Inference).least_batch();
    assert!(least >= 2 * 102 && least.is_multiple_of(102), "{least}");
    assert_eq!(chip(RunMode::Training).least_batch(), 1);
    let predictions = |batch: usize| {
        let mut experiment = Experiment {
            batch,
            ..Experiment::default()
        };
        experiment.data.set = DataSet::Generated;
        experiment.data.train_images = 1;
        experiment.data.test_images = 250;
        experiment.network.hidden = 40;
        experiment.chip.mode = RunMode::Inference;
        let data = Data::load(&mut experiment).unwrap();
        let shape = substrates::network_shape(&experiment, &data);
        let mut substrate = substrates::build(&experiment, &data).unwrap();
        let grid = substrate.time_grid();
        let mut trainer = Trainer::new(experiment.train.clone(), shape, grid).unwrap();
        evaluation::test(&experiment, &data, &mut trainer, substrate.as_mut())
            .unwrap()
            .predictions
    };
    let whole = predictions(50);
    assert_eq!(whole.len(), 250);
    assert!(whole.iter().any(|&class| class != whole[0]));
    assert_eq!(predictions(120), whole);
}
