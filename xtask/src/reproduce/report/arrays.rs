//! Arrays behind tables and figures, as npz.
//!
//! `EXPERIMENT.SERIES.x` is `[point]`, `EXPERIMENT.SERIES.MEASURE` is
//! `[point, seed]`, and `EXPERIMENT.SERIES.epochs.MEASURE` is
//! `[point, seed, epoch]` of the trainings.

use std::io::Cursor;

use miette::IntoDiagnostic;
use npyz::WriterBuilder;
use npyz::npz::NpzWriter;

use super::super::measure::Measure;
use super::super::outcome::Outcome;
use super::{Report, values};

pub(super) fn npz(report: &Report) -> miette::Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    let mut archive = NpzWriter::new(&mut bytes);
    let mut add = |name: String, shape: &[u64], values: Vec<f64>| -> std::io::Result<()> {
        let mut array = archive
            .array(&name, Default::default())?
            .default_dtype()
            .shape(shape)
            .begin_nd()?;
        array.extend(values)?;
        array.finish()
    };
    for section in &report.sections {
        let all = section.declaration.series.iter().zip(&section.series);
        for (series, points) in all {
            let Ok(points) = points else { continue };
            let name = format!("{}.{}", section.declaration.id, series.id);
            let count = points.len() as u64;
            let seeds = points.first().map_or(0, |(_, runs)| runs.len()) as u64;
            if let Some(x) = points.iter().map(|(x, _)| *x).collect::<Option<Vec<f64>>>() {
                add(format!("{name}.x"), &[count], x).into_diagnostic()?;
            }
            for measure in Measure::ALL {
                let all = points.iter().map(|(_, runs)| values(measure, runs));
                if let Some(all) = all.collect::<Option<Vec<Vec<f64>>>>() {
                    let name = format!("{name}.{}", measure.name());
                    add(name, &[count, seeds], all.concat()).into_diagnostic()?;
                }
                let runs: Vec<&Outcome> = points.iter().flat_map(|(_, runs)| runs).collect();
                let epochs = runs.first().map_or(0, |run| run.training.len());
                let of_epochs: Option<Vec<f64>> = runs
                    .iter()
                    .flat_map(|run| &run.training)
                    .map(|epoch| measure.of_epoch(epoch))
                    .collect();
                if let Some(all) = of_epochs.filter(|all| all.len() == runs.len() * epochs) {
                    let name = format!("{name}.epochs.{}", measure.name());
                    add(name, &[count, seeds, epochs as u64], all).into_diagnostic()?;
                }
            }
        }
    }
    drop(archive);
    Ok(bytes.into_inner())
}
