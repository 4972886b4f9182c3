//! What was found, for programs and for readers.
//!
//! | file | content |
//! |---|---|
//! | `report.html` | one page with everything |
//! | `report.md`, `figures/` | the same as text |
//! | `report.json` | claims and means, without anything that timing changes |
//! | `results.npz` | arrays behind the figures |

mod arrays;
mod axis;
mod chart;
mod confusion;
mod dots;
mod figures;
mod html;
mod markdown;
mod ridge;
#[cfg(test)]
mod sample;
mod scene;
mod svg;

use std::collections::BTreeMap;
use std::path::Path;

use miette::IntoDiagnostic;
use serde::{Deserialize, Serialize};

use super::Asked;
use super::claims::Verdict;
use super::declaration::{Declaration, Scale, SeriesWork};
use super::engine::Results;
use super::measure::{Measure, Spread};
use super::outcome::{Found, Outcome};
use super::plan::Plan;

/// Everything that is told.
pub(super) struct Report<'a> {
    command: String,
    /// What a reader must know before all else.
    cautions: Vec<String>,
    /// Which data were found.
    notes: Vec<String>,
    sections: Vec<Section<'a>>,
}

/// One experiment.
struct Section<'a> {
    declaration: &'a Declaration,
    scale: Scale,
    command: String,
    /// The points of each series, or why there are none.
    series: Vec<Result<Points, &'a str>>,
    claims: Vec<JudgedClaim>,
}

/// Point by point.
type Points = Vec<Found>;

/// A claim at its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct JudgedClaim {
    pub(super) id: String,
    pub(super) experiment: String,
    pub(super) text: String,
    pub(super) unit: String,
    pub(super) paper: f64,
    /// None where it is unbounded.
    pub(super) band: [Option<f64>; 2],
    pub(super) value: Option<f64>,
    pub(super) sd: Option<f64>,
    pub(super) verdict: Verdict,
    pub(super) command: String,
}

/// A row of a table: series, swept value, and a spread for each column.
struct Row<'a> {
    name: &'a str,
    /// The swept value, or the name of the case.
    at: Option<String>,
    cells: Vec<Cell>,
    not_run: Option<&'a str>,
}

struct Cell {
    paper: Option<Spread>,
    found: Option<Spread>,
}

#[derive(Serialize)]
struct Json<'a> {
    command: &'a str,
    notes: Vec<&'a String>,
    claims: Vec<&'a JudgedClaim>,
    experiments: Vec<JsonExperiment<'a>>,
}

#[derive(Serialize)]
struct JsonExperiment<'a> {
    id: &'a str,
    title: &'a str,
    scale: Scale,
    series: Vec<JsonSeries<'a>>,
}

#[derive(Serialize)]
struct JsonSeries<'a> {
    id: &'a str,
    name: &'a str,
    not_run: Option<&'a str>,
    points: Vec<JsonPoint<'a>>,
}

#[derive(Serialize)]
struct JsonPoint<'a> {
    x: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    /// Seed by seed.
    measures: BTreeMap<&'static str, Vec<f64>>,
}

/// The quantity of every seed, if all have it.
fn values(measure: Measure, runs: &[Outcome]) -> Option<Vec<f64>> {
    runs.iter().map(|run| measure.of(run)).collect()
}

impl<'a> Report<'a> {
    pub(super) fn new(plan: &'a Plan, results: &Results, asked: &Asked) -> Self {
        let mut cautions = Vec::new();
        if asked.quick {
            cautions.push(
                "A quick run: fewer images and epochs than in the paper. Its numbers show that \
                 everything works; the bands are those of full runs."
                    .to_owned(),
            );
        }
        if !asked.set.is_empty() {
            cautions.push(format!("Changed for every run: {}.", asked.set.join(", ")));
        }
        let sections = plan.experiments.iter().map(|experiment| {
            let declaration = &experiment.declaration;
            let command = asked.command(Some(&declaration.id));
            let series: Vec<Result<Points, &str>> = experiment
                .series
                .iter()
                .map(|series| match series {
                    Ok(points) => Ok(points.iter().map(|point| results.of(point)).collect()),
                    Err(reason) => Err(reason.as_str()),
                })
                .collect();
            let claims = judge(declaration, &series, &command);
            Section {
                declaration,
                scale: experiment.scale,
                command,
                series,
                claims,
            }
        });
        Self {
            command: asked.command(None),
            cautions,
            notes: plan.announcements.clone(),
            sections: sections.collect(),
        }
    }

    pub(super) fn claims(&self) -> impl Iterator<Item = &JudgedClaim> {
        self.sections.iter().flat_map(|section| &section.claims)
    }

    /// All that stands before the claims.
    fn notes(&self) -> impl Iterator<Item = &String> {
        self.cautions.iter().chain(&self.notes)
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.claims()
            .filter(|claim| claim.verdict == verdict)
            .count()
    }

    /// One line for the terminal per claim, and the counts.
    pub(super) fn summary(&self) -> String {
        let mut lines: Vec<String> = self
            .claims()
            .map(|claim| {
                let value = claim.value.map_or("-".to_owned(), |v| format!("{v:.2}"));
                let (verdict, id) = (claim.verdict.label(), &claim.id);
                format!("{verdict:15} {id:32} {value:>9} (paper {})", claim.paper)
            })
            .collect();
        let counts = Verdict::ALL.map(|v| format!("{} {}", self.count(v), v.label()));
        lines.push(counts.join(", "));
        lines.join("\n")
    }

    /// Writes all files.
    pub(super) fn write(&self, out: &Path) -> miette::Result<()> {
        super::write(&out.join("results.npz"), &arrays::npz(self)?)?;
        super::write(&out.join("report.json"), self.json()?.as_bytes())?;
        for section in &self.sections {
            for (name, svg) in figures::files(section) {
                super::write(&out.join("figures").join(name), svg.as_bytes())?;
            }
        }
        super::write(&out.join("report.md"), markdown::page(self).as_bytes())?;
        super::write(&out.join("report.html"), html::page(self).as_bytes())
    }

    pub(super) fn json(&self) -> miette::Result<String> {
        let experiments = self.sections.iter().map(|section| JsonExperiment {
            id: &section.declaration.id,
            title: &section.declaration.title,
            scale: section.scale,
            series: section.json(),
        });
        let json = Json {
            command: &self.command,
            notes: self.notes().collect(),
            claims: self.claims().collect(),
            experiments: experiments.collect(),
        };
        serde_json::to_string_pretty(&json).into_diagnostic()
    }
}

impl Section<'_> {
    /// The points of a series, if it was run.
    fn points(&self, id: &str) -> Option<&Points> {
        let place = self.declaration.series.iter().position(|s| s.id == id)?;
        self.series[place].as_ref().ok()
    }

    fn rows(&self) -> Vec<Row<'_>> {
        let columns = &self.declaration.columns;
        let mut rows = Vec::new();
        for (series, points) in self.declaration.series.iter().zip(&self.series) {
            let row = |point: Option<&Found>, not_run| Row {
                name: &series.name,
                at: point.and_then(Found::label),
                not_run,
                cells: columns
                    .iter()
                    .map(|&column| Cell {
                        paper: series.paper.get(&column).copied(),
                        found: point
                            .and_then(|point| values(column, &point.runs))
                            .and_then(|values| Spread::of(&values)),
                    })
                    .collect(),
            };
            match points {
                Ok(points) => {
                    rows.extend(points.iter().map(|point| row(Some(point), None)));
                }
                Err(reason) => rows.push(row(None, Some(*reason))),
            }
        }
        rows
    }

    /// Name of a quantity with its unit, for what the samples are.
    fn head(&self, measure: Measure) -> String {
        let samples = &self.declaration.samples;
        let one = samples.trim_end_matches('s');
        let label = measure.label().replace("images", samples);
        label.replace("image", one)
    }

    /// Columns for which the paper has a number.
    fn published(&self) -> Vec<bool> {
        let series = &self.declaration.series;
        let columns = self.declaration.columns.iter();
        columns
            .map(|column| series.iter().any(|s| s.paper.contains_key(column)))
            .collect()
    }

    /// Titles of the swept values, where there are any.
    fn swept(&self) -> Option<String> {
        let series = &self.declaration.series;
        let titles = series
            .iter()
            .filter_map(|s| Some(s.sweep.as_ref()?.title()));
        let mut all: Vec<&str> = Vec::new();
        for title in titles {
            if !all.contains(&title) {
                all.push(title);
            }
        }
        (!all.is_empty()).then(|| all.join(", "))
    }

    fn size(&self) -> String {
        let Scale {
            seeds,
            epochs,
            train_images,
            test_images,
        } = self.scale;
        let most = seeds.unwrap_or(1);
        let seeds = match most {
            1 => "one seed".to_owned(),
            n => format!("{n} seeds"),
        };
        let series = &self.declaration.series;
        let fewest = series.iter().filter_map(|s| s.sweep.as_ref()?.seeds).min();
        let seeds = match fewest {
            Some(fewest) if fewest < most => format!("{fewest} to {seeds}"),
            _ => seeds,
        };
        if series.iter().all(|s| s.work == SeriesWork::Calibration) {
            return seeds;
        }
        let images = |count: Option<u32>| match count.unwrap_or(0) {
            0 => "all".to_owned(),
            count => count.to_string(),
        };
        format!(
            "{seeds}, {} epochs, {} training and {} test {}",
            epochs.unwrap_or(0),
            images(train_images),
            images(test_images),
            self.declaration.samples
        )
    }

    fn json(&self) -> Vec<JsonSeries<'_>> {
        let all = self.declaration.series.iter().zip(&self.series);
        all.map(|(series, points)| JsonSeries {
            id: &series.id,
            name: &series.name,
            not_run: points.as_ref().err().copied(),
            points: points
                .iter()
                .flatten()
                .map(|point| JsonPoint {
                    x: point.x,
                    name: point.name.as_deref(),
                    measures: Measure::ALL
                        .into_iter()
                        .filter(|measure| !measure.is_timing())
                        .filter_map(|measure| Some((measure.name(), values(measure, &point.runs)?)))
                        .collect(),
                })
                .collect(),
        })
        .collect()
    }
}

fn judge(
    declaration: &Declaration,
    series: &[Result<Points, &str>],
    command: &str,
) -> Vec<JudgedClaim> {
    let place = |id: &str| declaration.series.iter().position(|series| series.id == id);
    let claims = declaration.claims.iter().map(|claim| {
        let points = place(&claim.series).map(|place| &series[place]);
        let (value, verdict) = match points {
            Some(Ok(points)) => {
                let value = claim.value(points);
                (value, claim.verdict(value))
            }
            _ => (None, Verdict::NotRun),
        };
        JudgedClaim {
            id: claim.id.clone(),
            experiment: declaration.id.clone(),
            text: claim.text.clone(),
            unit: claim.unit(),
            paper: claim.paper,
            band: claim.band.map(|end| end.is_finite().then_some(end)),
            value: value.map(|value| value.mean),
            sd: value.and_then(|value| value.sd),
            verdict,
            command: command.to_owned(),
        }
    });
    claims.collect()
}

/// A claim's numbers as text: paper, band, and what was found.
fn claim_numbers(claim: &JudgedClaim) -> [String; 3] {
    // Published values and bands to the same decimals, and what was found to two,
    // or to none beside thousands.
    let given = claim.band.iter().flatten().chain([&claim.paper]);
    let decimals = |value: &f64| {
        value
            .to_string()
            .split_once('.')
            .map_or(0, |(_, d)| d.len())
    };
    let digits = given.map(decimals).max().unwrap_or(0);
    let found = if claim.paper.abs() < 1000.0 { 2 } else { 0 };
    let band = match claim.band {
        [Some(low), Some(high)] => format!("{low:.digits$} to {high:.digits$}"),
        [Some(low), None] => format!("{low:.digits$} or more"),
        [None, Some(high)] => format!("{high:.digits$} or less"),
        [None, None] => "any".to_owned(),
    };
    let value = match (claim.value, claim.sd) {
        (Some(value), Some(sd)) => format!("{value:.found$} ± {sd:.found$}"),
        (Some(value), None) => format!("{value:.found$}"),
        (None, _) => "–".to_owned(),
    };
    [format!("{:.digits$}", claim.paper), band, value]
}
