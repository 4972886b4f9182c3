//! The charts of an experiment.

use super::super::declaration::{Figure, Horizontal, Panel};
use super::super::measure::{Measure, Spread};
use super::super::outcome::Outcome;
use super::chart::{Chart, Line, Mark};
use super::{Points, Section};

/// Names and content of the files of an experiment's figure.
pub(super) fn of(section: &Section) -> Vec<(String, String)> {
    let charts = charts(section).into_iter().enumerate();
    charts
        .map(|(i, chart)| {
            let name = format!("{}-{}.svg", section.declaration.id, i + 1);
            (name, chart.svg(true))
        })
        .collect()
}

/// One chart for each panel.
pub(super) fn charts(section: &Section) -> Vec<Chart> {
    let Some(figure) = &section.declaration.figure else {
        return Vec::new();
    };
    let panels = figure.panels.iter();
    panels.map(|panel| chart(section, figure, panel)).collect()
}

fn chart(section: &Section, figure: &Figure, panel: &Panel) -> Chart {
    let all = section.declaration.series.iter().zip(&section.series);
    let lines = panel.series.iter().filter_map(|id| {
        let (series, points) = all.clone().find(|(series, _)| series.id == *id)?;
        let points = points.as_ref().ok()?;
        let (seeds, mean) = match figure.x {
            Horizontal::Epoch => over_epochs(points, panel.y),
            Horizontal::Sweep => {
                let x = |x: Option<f64>, _: &Outcome| Some(figure.x_factor * x?);
                over_points(points, x, panel.y)
            }
            Horizontal::HiddenSpikes => {
                let x = |_: Option<f64>, run: &Outcome| Measure::HiddenSpikes.of(run);
                over_points(points, x, panel.y)
            }
        };
        Some(Line {
            name: series.name.clone(),
            seeds,
            mean,
        })
    });
    Chart {
        title: panel.title.clone(),
        x_label: figure.x_label.clone(),
        y_label: panel.y.label().to_owned(),
        lines: lines.collect(),
        marks: panel
            .marks
            .iter()
            .map(|mark| Mark {
                x: mark.x,
                y: mark.y,
                text: mark.text.clone(),
            })
            .collect(),
    }
}

type Curves = (Vec<Vec<(f64, f64)>>, Vec<(f64, f64)>);

fn over_epochs(points: &Points, y: Measure) -> Curves {
    let runs = points.first().map_or(&[][..], |(_, runs)| runs);
    let seeds: Vec<Vec<(f64, f64)>> = runs
        .iter()
        .map(|run| {
            let epochs = run.training.iter();
            epochs
                .filter_map(|epoch| Some((epoch.epoch.into(), y.of_epoch(epoch)?)))
                .collect()
        })
        .collect();
    let epochs = seeds.iter().map(Vec::len).min().unwrap_or(0);
    let mean = (0..epochs).filter_map(|i| mean(seeds.iter().map(|seed| seed[i])));
    let mean = mean.collect();
    (seeds, mean)
}

fn over_points(
    points: &Points,
    x: impl Fn(Option<f64>, &Outcome) -> Option<f64>,
    y: Measure,
) -> Curves {
    let place = |at: Option<f64>, run: &Outcome| Some((x(at, run)?, y.of(run)?));
    let count = points.first().map_or(0, |(_, runs)| runs.len());
    let seeds = (0..count).map(|seed| {
        let all = points.iter();
        all.filter_map(|(at, runs)| place(*at, runs.get(seed)?))
            .collect()
    });
    let mean = points.iter().filter_map(|(at, runs)| {
        let all: Option<Vec<(f64, f64)>> = runs.iter().map(|run| place(*at, run)).collect();
        mean(all?.into_iter())
    });
    (seeds.collect(), mean.collect())
}

fn mean(points: impl Iterator<Item = (f64, f64)>) -> Option<(f64, f64)> {
    let (x, y): (Vec<f64>, Vec<f64>) = points.unzip();
    Some((Spread::of(&x)?.mean, Spread::of(&y)?.mean))
}
