//! Arrays behind tables and figures, as npz.
//!
//! `EXPERIMENT.SERIES.x` is `[point]`, `EXPERIMENT.SERIES.MEASURE` is
//! `[point, seed]`, and `EXPERIMENT.SERIES.epochs.MEASURE` is
//! `[point, seed, epoch]` of the trainings, NaN for what was not tested. Measured neurons are
//! `EXPERIMENT.SERIES.tau_mem_us`, `.tau_syn_us` (excitatory, then inhibitory) and
//! `.threshold_lsb`, `[point, seed, neuron]`. Answers to test samples are counted in
//! `EXPERIMENT.SERIES.confusion`, `[point, seed, class, answer]`. Of the test samples that are
//! drawn one by one, those of the first point and seed, `EXPERIMENT.SERIES.sample0` and on have
//! `.label` and `.prediction`, `.pixels` (`[row, column]`, of images), `.input_us` and
//! `.input_channel`, `.hidden_us` and `.hidden_neuron` (`[spike]`), and `.readout`
//! (`[sample, output]`), in thresholds of a hidden neuron above the first sample.

use bss2::npz::{self, Arrays};
use miette::IntoDiagnostic;

use super::super::measure::Measure;
use super::super::outcome::{Answers, Found, Parameters, Scene};
use super::{Report, recorded, values};

pub(super) fn npz(report: &Report) -> miette::Result<Vec<u8>> {
    npz::write(|arrays| {
        for section in &report.sections {
            let all = section.declaration.series.iter().zip(&section.series);
            for (series, points) in all {
                let Ok(points) = points else { continue };
                let name = format!("{}.{}", section.declaration.id, series.id);
                let (count, seeds) = (points.len(), points.first().map_or(0, |p| p.runs.len()));
                add_parameters(arrays, &name, points, [count, seeds])?;
                add_confusion(arrays, &name, points, [count, seeds])?;
                for (number, scene) in recorded(points).iter().enumerate() {
                    add_scene(arrays, &format!("{name}.sample{number}"), scene)?;
                }
                if let Some(x) = points.iter().map(|p| p.x).collect::<Option<Vec<f64>>>() {
                    arrays.add(&format!("{name}.x"), &[count], x)?;
                }
                for measure in Measure::ALL {
                    let all = points.iter().map(|point| values(measure, &point.runs));
                    if let Some(all) = all.collect::<Option<Vec<Vec<f64>>>>() {
                        let name = format!("{name}.{}", measure.name());
                        arrays.add(&name, &[count, seeds], all.concat())?;
                    }
                    let runs = points.iter().flat_map(|point| &point.runs);
                    let of_epochs: Vec<Vec<Option<f64>>> =
                        runs.map(|run| measure.of_epochs(run).collect()).collect();
                    let epochs = of_epochs.first().map_or(0, Vec::len);
                    let alike = of_epochs.iter().all(|run| run.len() == epochs);
                    let all = of_epochs.concat();
                    if alike && all.iter().any(Option::is_some) {
                        let name = format!("{name}.epochs.{}", measure.name());
                        let all = all.into_iter().map(|value| value.unwrap_or(f64::NAN));
                        arrays.add(&name, &[count, seeds, epochs], all)?;
                    }
                }
            }
        }
        Ok(())
    })
    .into_diagnostic()
}

fn add_scene(arrays: &mut Arrays, name: &str, scene: &Scene) -> std::io::Result<()> {
    let mut add = |what: &str, shape: &[usize], values: &mut dyn Iterator<Item = f64>| {
        arrays.add(&format!("{name}.{what}"), shape, values)
    };
    let one = |value: u8| std::iter::once(f64::from(value));
    add("label", &[], &mut one(scene.label))?;
    add("prediction", &[], &mut one(scene.prediction))?;
    if scene.side > 0 {
        let shape = [scene.side, scene.pixels.len() / scene.side];
        add(
            "pixels",
            &shape,
            &mut scene.pixels.iter().map(|&p| p.into()),
        )?;
    }
    for (times, places, spikes) in [
        ("input_us", "input_channel", &scene.inputs),
        ("hidden_us", "hidden_neuron", &scene.hidden),
    ] {
        let count = [spikes.len()];
        add(times, &count, &mut spikes.iter().map(|spike| spike.0))?;
        add(
            places,
            &count,
            &mut spikes.iter().map(|spike| spike.1.into()),
        )?;
    }
    let shape = [
        scene.readout.len(),
        scene.readout.first().map_or(0, Vec::len),
    ];
    let values = scene.readout.iter().flatten();
    add("readout", &shape, &mut values.map(|&value| value.into()))
}

fn add_confusion(
    arrays: &mut Arrays,
    name: &str,
    points: &[Found],
    [count, seeds]: [usize; 2],
) -> std::io::Result<()> {
    let runs = points.iter().flat_map(|point| &point.runs);
    let answers: Option<Vec<&Answers>> = runs.map(|run| run.answers.as_ref()).collect();
    let answers = answers.unwrap_or_default();
    let Some(classes) = answers.first().map(|first| first.classes.len()) else {
        return Ok(());
    };
    let counts = answers.iter().flat_map(|a| a.confusion().concat());
    let shape = [count, seeds, classes, classes];
    arrays.add(&format!("{name}.confusion"), &shape, counts)
}

fn add_parameters(
    arrays: &mut Arrays,
    name: &str,
    points: &[Found],
    [count, seeds]: [usize; 2],
) -> std::io::Result<()> {
    let runs = points.iter().flat_map(|point| &point.runs);
    let measured: Vec<&Parameters> = runs.filter_map(|run| run.parameters.as_ref()).collect();
    type Of = fn(&Parameters) -> &Vec<Option<f64>>;
    let quantities: [(&str, Of); 3] = [
        ("tau_mem_us", |p| &p.tau_mem_us),
        ("tau_syn_us", |p| &p.tau_syn_us),
        ("threshold_lsb", |p| &p.threshold_lsb),
    ];
    for (quantity, of) in quantities {
        let Some(neurons) = measured.first().map(|first| of(first).len()) else {
            continue;
        };
        let all = measured.iter().flat_map(|p| of(p));
        let all = all.map(|value| value.unwrap_or(f64::NAN));
        arrays.add(&format!("{name}.{quantity}"), &[count, seeds, neurons], all)?;
    }
    Ok(())
}
