//! The pictures of an experiment.

use super::super::declaration::{
    Distribution, Figure, Horizontal, Panel, Quantity, SceneKind, Speakers,
};
use super::super::measure::{Measure, Spread};
use super::super::outcome::{Answers, Found, Outcome, Parameters};
use super::chart::{Chart, Line, Mark};
use super::dots::{self, Dots};
use super::ridge::{Ridge, Row};
use super::svg::Svg;
use super::{Points, Section, confusion, recorded, scene};

/// Names and content of the files of an experiment's pictures.
pub(super) fn files(section: &Section) -> Vec<(String, String)> {
    let pictures = of(section).into_iter().enumerate();
    pictures
        .map(|(i, picture)| {
            let name = format!("{}-{}.svg", section.declaration.id, i + 1);
            (name, picture.whole(true))
        })
        .collect()
}

/// All pictures: scenes, curves or cases, confusions, speakers, distributions.
pub(super) fn of(section: &Section) -> Vec<Svg> {
    let declaration = section.declaration;
    let mut pictures = Vec::new();
    if let Some(scenes) = &declaration.scenes {
        let points = section.points(&scenes.series);
        let recorded = points.map_or(&[][..], |points| recorded(points));
        match scenes.kind {
            SceneKind::Succession if !recorded.is_empty() => {
                pictures.push(scene::succession(recorded));
            }
            SceneKind::Succession => {}
            SceneKind::Recordings => {
                let numbered = (1..).zip(recorded);
                pictures.extend(numbered.map(|(number, scene)| scene::recording(number, scene)));
            }
            SceneKind::Images => {
                let numbered = (1..).zip(recorded);
                pictures.extend(numbered.map(|(number, scene)| scene::single(number, scene)));
            }
        }
    }
    if let Some(figure) = &declaration.figure {
        let panels = figure.panels.iter();
        pictures.extend(panels.map(|panel| match figure.x {
            Horizontal::Case => cases(section, panel).draw(),
            _ => chart(section, figure, panel).draw(),
        }));
    }
    pictures.extend(declaration.confusions.iter().filter_map(|id| {
        let (name, points) = named(section, id)?;
        let answers: Vec<&Answers> = points.first()?.runs.iter().filter_map(of_answers).collect();
        let title = format!("Answers: {name}");
        (!answers.is_empty()).then(|| confusion::draw(&title, &answers))
    }));
    pictures.extend(
        declaration
            .speakers
            .iter()
            .map(|of| speakers(section, of).draw()),
    );
    let distributions = declaration.distributions.iter();
    pictures.extend(distributions.map(|of| ridge(section, of).draw()));
    pictures
}

fn of_answers(run: &Outcome) -> Option<&Answers> {
    run.answers.as_ref()
}

/// Name and points of a series that was run.
fn named<'a>(section: &'a Section, id: &str) -> Option<(&'a str, &'a Points)> {
    let series = section.declaration.series.iter().find(|s| s.id == id)?;
    Some((&series.name, section.points(id)?))
}

/// Errors by speaker: from kept answers, or of a test on somebody who was held out.
fn speakers(section: &Section, of: &Speakers) -> Dots {
    let all: Vec<(&str, &Points)> = of
        .series
        .iter()
        .filter_map(|id| named(section, id))
        .collect();
    let runs = all.iter().flat_map(|(_, points)| points.iter());
    let answers = runs.flat_map(|point| point.runs.iter().filter_map(of_answers));
    let cases: Vec<String> = answers
        .map(|a| a.speakers.clone())
        .next()
        .unwrap_or_default();
    let errors = |points: &Points, speaker: &String| -> Vec<f64> {
        let held_out = points
            .iter()
            .find(|point| point.name.as_ref() == Some(speaker));
        match (held_out, &points[..]) {
            (Some(point), _) => point
                .runs
                .iter()
                .filter_map(|run| Measure::TestError.of(run))
                .collect(),
            (None, [own]) => own
                .runs
                .iter()
                .filter_map(|run| of_answers(run)?.error_of(speaker))
                .collect(),
            _ => Vec::new(),
        }
    };
    let series = all.iter().map(|(name, points)| dots::Series {
        name: (*name).to_owned(),
        values: cases
            .iter()
            .map(|speaker| errors(points, speaker))
            .collect(),
    });
    Dots {
        title: of.title.clone(),
        x_label: Measure::TestError.label().to_owned(),
        against_first: false,
        series: series.collect(),
        cases,
    }
}

fn cases(section: &Section, panel: &Panel) -> Dots {
    let all = panel.series.iter().filter_map(|id| {
        let series = section.declaration.series.iter().find(|s| s.id == *id)?;
        Some((series.name.clone(), section.points(id)?))
    });
    let all: Vec<(String, &Points)> = all.collect();
    let name = |point: &Found| point.label().unwrap_or_default();
    let names = all.first().map(|(_, points)| points.iter().map(name));
    let series = all.iter().map(|(name, points)| dots::Series {
        name: name.clone(),
        values: points
            .iter()
            .map(|point| {
                point
                    .runs
                    .iter()
                    .filter_map(|run| panel.y.of(run))
                    .collect()
            })
            .collect(),
    });
    Dots {
        title: panel.title.clone(),
        x_label: section.head(panel.y),
        against_first: true,
        cases: names.into_iter().flatten().collect(),
        series: series.collect(),
    }
}

fn ridge(section: &Section, of: &Distribution) -> Ridge {
    let values = |parameters: &Parameters| {
        let all = match of.quantity {
            Quantity::TauMem => &parameters.tau_mem_us,
            Quantity::TauSyn => &parameters.tau_syn_us,
            Quantity::Threshold => &parameters.threshold_lsb,
        };
        all.iter().flatten().copied().collect::<Vec<f64>>()
    };
    let (mut rows, mut target, mut scale) = (Vec::new(), 0.0, 0.0);
    for id in &of.series {
        let series = section.declaration.series.iter().find(|s| s.id == *id);
        let points = section.points(id);
        let (Some(series), Some(points)) = (series, points) else {
            continue;
        };
        for point in points {
            let measured: Vec<&Parameters> = point
                .runs
                .iter()
                .filter_map(|run| run.parameters.as_ref())
                .collect();
            if let Some(first) = measured.first() {
                (target, scale) = match of.quantity {
                    Quantity::TauMem => (first.target_tau_mem_us, first.target_tau_mem_us),
                    Quantity::TauSyn => (first.target_tau_syn_us, first.target_tau_syn_us),
                    Quantity::Threshold => (
                        first.target_threshold_lsb,
                        first.target_threshold_lsb - first.target_leak_lsb,
                    ),
                };
            }
            rows.push(Row {
                name: point.label().unwrap_or_else(|| series.name.clone()),
                values: measured.into_iter().flat_map(values).collect(),
                asked: point.x.map(|sigma| sigma * scale),
            });
        }
    }
    let (name, unit) = of.quantity.label();
    Ridge {
        title: of.title.clone(),
        x_label: format!("{name} / {unit}"),
        rows,
        target,
        target_name: format!("target {target} {unit}"),
    }
}

fn chart(section: &Section, figure: &Figure, panel: &Panel) -> Chart {
    let named = panel.series.iter().filter_map(|id| {
        let series = section.declaration.series.iter().find(|s| s.id == *id)?;
        let points = section.points(id)?;
        let (seeds, mean) = match figure.x {
            Horizontal::Epoch => over_epochs(points, panel.y),
            Horizontal::Sweep | Horizontal::Case => {
                let x = |x: Option<f64>, _: &Outcome| Some(figure.x_factor * x? + figure.x_offset);
                over_points(points, x, panel.y)
            }
            Horizontal::HiddenSpikes => {
                let x = |_: Option<f64>, run: &Outcome| Measure::HiddenSpikes.of(run);
                over_points(points, x, panel.y)
            }
        };
        let name = series.name.clone();
        Some((id, Line { name, seeds, mean }))
    });
    let (ids, lines): (Vec<&String>, Vec<Line>) = named.unzip();
    // What is about a series that was not run has no place.
    let marks = panel.marks.iter().filter_map(|mark| {
        let of = mark.series.as_ref();
        let line = match of {
            Some(of) => Some(ids.iter().position(|id| *id == of)?),
            None => None,
        };
        let y = match (mark.change, line) {
            (Some(change), Some(line)) => {
                let (_, first) = lines[line].mean.first()?;
                Some(first * (1.0 + 0.01 * change))
            }
            _ => mark.y,
        };
        Some(Mark {
            x: mark.x,
            y,
            line,
            text: mark.text.clone(),
        })
    });
    let marks = marks.collect();
    Chart {
        title: panel.title.clone(),
        x_label: panel.x_label.as_ref().unwrap_or(&figure.x_label).clone(),
        y_label: section.head(panel.y),
        apart: figure.apart,
        lines,
        marks,
    }
}

type Curves = (Vec<Vec<(f64, f64)>>, Vec<(f64, f64)>);

fn over_epochs(points: &Points, y: Measure) -> Curves {
    let runs = points.first().map_or(&[][..], |point| &point.runs);
    let point = |(x, y): (f64, Option<f64>)| Some((x, y?));
    let seeds = runs.iter().map(|run| {
        let epochs = (1..).map(f64::from).zip(y.of_epochs(run));
        epochs.map(point).collect()
    });
    // `[seed][epoch]`, none where it was not measured.
    let seeds: Vec<Vec<Option<(f64, f64)>>> = seeds.collect();
    let epochs = seeds.iter().map(Vec::len).min().unwrap_or(0);
    let mean = (0..epochs).filter_map(|i| {
        let all: Option<Vec<_>> = seeds.iter().map(|seed| seed[i]).collect();
        mean(all?.into_iter())
    });
    let mean = mean.collect();
    let measured = |seed: Vec<Option<_>>| seed.into_iter().flatten().collect();
    (seeds.into_iter().map(measured).collect(), mean)
}

fn over_points(
    points: &Points,
    x: impl Fn(Option<f64>, &Outcome) -> Option<f64>,
    y: Measure,
) -> Curves {
    let place = |at: Option<f64>, run: &Outcome| Some((x(at, run)?, y.of(run)?));
    let count = points.first().map_or(0, |point| point.runs.len());
    let seeds = (0..count).map(|seed| {
        let all = points.iter();
        all.filter_map(|point| place(point.x, point.runs.get(seed)?))
            .collect()
    });
    let mean = points.iter().filter_map(|point| {
        let runs = point.runs.iter();
        let all: Option<Vec<(f64, f64)>> = runs.map(|run| place(point.x, run)).collect();
        mean(all?.into_iter())
    });
    (seeds.collect(), mean.collect())
}

fn mean(points: impl Iterator<Item = (f64, f64)>) -> Option<(f64, f64)> {
    let (x, y): (Vec<f64>, Vec<f64>) = points.unzip();
    Some((Spread::of(&x)?.mean, Spread::of(&y)?.mean))
}
