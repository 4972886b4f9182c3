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

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::Path;

use miette::IntoDiagnostic;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::Asked;
use super::claims::{Verdict, side};
use super::declaration::{Declaration, Scale};
use super::engine::Results;
use super::measure::{Measure, Spread};
use super::outcome::{Found, Outcome, Scene};
use super::plan::{Plan, PlannedExperiment};
use crate::document::{self, Document};
use crate::tidy;

/// The part of `docs/results.md` with all claims; the others are called as their experiments.
pub(super) const CLAIMS: &str = "claims";

/// Everything that is told.
pub(super) struct Report<'a> {
    command: String,
    /// What a reader must know before all else.
    cautions: Vec<String>,
    /// Which data were found.
    announcements: Vec<String>,
    /// What made it.
    made: Vec<String>,
    sections: Vec<Section<'a>>,
}

/// One experiment.
struct Section<'a> {
    declaration: &'a Declaration,
    scale: Scale,
    /// Least and most of its trainings: epochs, training images, test images.
    trainings: Option<[[usize; 2]; 3]>,
    command: String,
    /// What made it.
    made: Vec<String>,
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
    /// None where the paper has words alone.
    pub(super) paper: Option<f64>,
    /// None where it is unbounded.
    pub(super) band: [Option<f64>; 2],
    pub(super) value: Option<f64>,
    pub(super) sd: Option<f64>,
    pub(super) verdict: Verdict,
    pub(super) by_construction: bool,
    /// Why it was not run, where it was not.
    pub(super) not_run: Option<String>,
    /// Name of the data that its runs were trained on.
    pub(super) data: Option<String>,
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
    /// `program` is what makes it.
    pub(super) fn new(plan: &'a Plan, results: &Results, asked: &Asked, program: &str) -> Self {
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
            let points = experiment.series.iter().flatten().flatten();
            Section {
                made: made(program, &results.revisions(points)),
                declaration,
                scale: experiment.scale,
                trainings: trainings(plan, experiment),
                command,
                series,
                claims,
            }
        });
        let series = plan.experiments.iter().flat_map(|e| &e.series);
        let points = series.flatten().flatten();
        Self {
            made: made(program, &results.revisions(points)),
            command: asked.command(None),
            cautions,
            announcements: plan.announcements.clone(),
            sections: sections.collect(),
        }
    }

    pub(super) fn claims(&self) -> impl Iterator<Item = &JudgedClaim> {
        self.sections.iter().flat_map(|section| &section.claims)
    }

    /// All that stands before the claims.
    fn notes(&self) -> impl Iterator<Item = &String> {
        self.cautions
            .iter()
            .chain(&self.announcements)
            .chain(&self.made)
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.claims()
            .filter(|claim| claim.verdict == verdict)
            .count()
    }

    /// How claims ended, in words.
    fn counts(&self) -> String {
        let constructed = self.claims().filter(|claim| claim.by_construction).count();
        counts(|verdict| self.count(verdict), constructed)
    }

    /// For the terminal: what must be known of the data, one line per claim, and the
    /// counts.
    pub(super) fn summary(&self) -> String {
        let mut lines: Vec<String> = self.notes().cloned().collect();
        lines.extend(self.claims().map(|claim| {
            let [paper, _, value] = claim_numbers(claim);
            let (verdict, id) = (claim.verdict.label(), &claim.id);
            let why = claim.not_run.iter().map(|reason| format!(": {reason}"));
            let why: String = why.collect();
            format!("{verdict:15} {id:32} {value:>15} (paper {paper}){why}")
        }));
        lines.push(self.counts());
        lines.join("\n")
    }

    /// Writes all files.
    pub(super) fn write(&self, out: &Path) -> miette::Result<()> {
        super::write(&out.join("results.npz"), &arrays::npz(self)?)?;
        super::write(&out.join("report.json"), self.json()?.as_bytes())?;
        for (name, svg) in self.sections.iter().flat_map(figures::files) {
            super::write(&out.join("figures").join(name), svg.as_bytes())?;
        }
        super::write(&out.join("report.md"), markdown::page(self).as_bytes())?;
        super::write(&out.join("report.html"), html::page(self).as_bytes())
    }

    /// Puts tables and figures into `docs/results.md`, whose table of all claims follows.
    pub(super) fn document(&self) -> miette::Result<()> {
        let day = OffsetDateTime::now_utc().date();
        let figures = tidy::root().join("docs/figures");
        let mut document = Document::open(document::RESULTS)?;
        for section in &self.sections {
            for (name, svg) in figures::files(section) {
                super::write(&figures.join(name), svg.as_bytes())?;
            }
            let stamp = format!("{day}, {}", section.made.join("; "));
            document.replace(&section.declaration.id, &markdown::part(section, &stamp))?;
        }
        let claims = markdown::gathered(&document.beside(CLAIMS)?.concat());
        document.replace(CLAIMS, &claims)?;
        document.write()
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
        let Scale { seeds, draws, .. } = self.scale;
        let seeds = match seeds.unwrap_or(1) {
            1 => "one seed".to_owned(),
            n => format!("{n} seeds"),
        };
        let Some(trainings) = self.trainings else {
            return seeds;
        };
        let number = |number: usize| match number {
            ALL => "all".to_owned(),
            number => number.to_string(),
        };
        let [epochs, train_images, test_images] = trainings.map(|[least, most]| {
            let to = (least < most).then(|| format!(" to {}", number(most)));
            number(least) + &to.unwrap_or_default()
        });
        let choices = draws.filter(|draws| draws.get() > 1);
        let choices = choices.map(|draws| format!(", {draws} choices of silenced neurons"));
        format!(
            "{seeds}, {epochs} epochs, {train_images} training and {test_images} test {}{}",
            self.declaration.samples,
            choices.unwrap_or_default()
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

/// All images that there are.
const ALL: usize = usize::MAX;

/// Least and most of the trainings of an experiment: epochs, training images, test images.
fn trainings(plan: &Plan, experiment: &PlannedExperiment) -> Option<[[usize; 2]; 3]> {
    let images = |asked: usize| if asked == 0 { ALL } else { asked };
    Some([
        plan.range(experiment, |e| e.epochs as usize)?,
        plan.range(experiment, |e| images(e.data.train_images))?,
        plan.range(experiment, |e| images(e.data.test_images))?,
    ])
}

/// The samples that were recorded of a series: by the first point and seed.
fn recorded(points: &[Found]) -> &[Scene] {
    let first = points.first().and_then(|point| point.runs.first());
    first.map_or(&[], |run| &run.scenes)
}

/// What makes a report, and which programs have made its outcomes if any is another one.
fn made(program: &str, revisions: &BTreeMap<&str, usize>) -> Vec<String> {
    let other = revisions.keys().any(|&revision| revision != program);
    let counts = revisions.iter();
    let counts = counts.map(|(revision, count)| format!("{count} of {revision}"));
    let counts: Vec<String> = counts.collect();
    let by = format!("made by {program}");
    let outcomes = format!("outcomes by revision: {}", counts.join("; "));
    std::iter::once(by)
        .chain(other.then_some(outcomes))
        .collect()
}

fn judge(
    declaration: &Declaration,
    series: &[Result<Points, &str>],
    command: &str,
) -> Vec<JudgedClaim> {
    let of = |id: &str| {
        let place = declaration.series.iter().position(|s| s.id == id);
        &series[place.expect("a declaration's claims are about its series")]
    };
    let claims = declaration.claims.iter().map(|claim| {
        let points = of(&claim.series);
        let not_run = match points {
            Ok(points) => claim.obstacle(points),
            Err(reason) => Some((*reason).to_owned()),
        };
        let points = points.as_deref().unwrap_or_default();
        let (value, verdict) = match not_run {
            Some(_) => (None, Verdict::NotRun),
            None => {
                let value = claim.value(points);
                (value, claim.verdict(value))
            }
        };
        let mut runs = points.iter().flat_map(|point| &point.runs);
        let data = runs.find_map(Outcome::data);
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
            by_construction: claim.by_construction,
            not_run,
            data: data.map(str::to_owned),
            command: command.to_owned(),
        }
    });
    claims.collect()
}

/// How many claims ended how, of which some are made to hold.
fn counts(of: impl Fn(Verdict) -> usize, constructed: usize) -> String {
    let ends = Verdict::ALL.map(|verdict| format!("{} {}", of(verdict), verdict.label()));
    let mut text = ends.join(", ");
    if constructed > 0 {
        text += &format!("; {constructed} of these are {CONSTRUCTED}");
    }
    text
}

/// What is said of a claim that the model is made to fulfil.
const CONSTRUCTED: &str = "by construction";

/// A claim's numbers as text: paper, band, and what was found.
fn claim_numbers(claim: &JudgedClaim) -> [String; 3] {
    // Published values and bands to the same decimals.
    let given = claim.band.iter().flatten().chain(&claim.paper);
    let decimals = |value: &f64| {
        value
            .to_string()
            .split_once('.')
            .map_or(0, |(_, d)| d.len())
    };
    let digits = given.map(decimals).max().unwrap_or(0);
    let band = match claim.band {
        [Some(low), Some(high)] => format!("{low:.digits$} to {high:.digits$}"),
        [Some(low), None] => format!("{low:.digits$} or more"),
        [None, Some(high)] => format!("{high:.digits$} or less"),
        [None, None] => "any".to_owned(),
    };
    let none = || "–".to_owned();
    let value = match claim.value {
        Some(value) => {
            let found = found_digits(claim, value);
            let sd = claim
                .sd
                .map_or(String::new(), |sd| format!(" ± {sd:.found$}"));
            format!("{value:.found$}{sd}")
        }
        None => none(),
    };
    let paper = claim
        .paper
        .map_or_else(none, |paper| format!("{paper:.digits$}"));
    [paper, band, value]
}

/// Decimals of what was found: two, or none beside thousands; more where rounding would
/// take it across an end of the band.
fn found_digits(claim: &JudgedClaim, value: f64) -> usize {
    let [low, high] = claim.band;
    let band = [
        low.unwrap_or(f64::NEG_INFINITY),
        high.unwrap_or(f64::INFINITY),
    ];
    let seen = |digits: usize| -> Ordering {
        let shown = format!("{value:.digits$}").parse();
        side(band, shown.expect("a number was written"))
    };
    let size = claim.paper.or(low).or(high).unwrap_or(value);
    let least = if size.abs() < 1000.0 { 2 } else { 0 };
    // Beyond nine decimals a value belongs to the band's end.
    (least..9)
        .find(|&digits| seen(digits) == side(band, value))
        .unwrap_or(9)
}

#[cfg(test)]
mod tests {
    use bss2::metrics::EpochMetrics;

    use super::super::outcome::{Silicon, TestOutcome};
    use super::*;

    const CLAIMS: &str = r#"
        id = "a"
        title = "A"
        about = "of"
        columns = []
        [[series]]
        id = "s"
        name = "S"
        [[claims]]
        id = "accuracy"
        text = "t"
        series = "s"
        measure = "test_accuracy"
        paper = 97.6
        band = [97.2, 97.8]
        [[claims]]
        id = "energy"
        text = "t"
        series = "s"
        measure = "energy"
        paper = 2.4
        band = [2.16, 2.64]
    "#;

    fn judged(data: &str, accuracy: f64) -> Vec<JudgedClaim> {
        let test = TestOutcome {
            accuracy,
            train_accuracy: None,
            hidden_spikes: 20.0,
            images_per_s: 1.0,
            silicon: Some(Silicon {
                power_mw: 200.0,
                energy_uj: 2.4,
                images_per_s: 85_000.0,
                latency_us: 8.5,
            }),
        };
        let epoch = EpochMetrics {
            epoch: 1,
            loss: 0.1,
            train_accuracy: 1.0,
            test_accuracy: Some(accuracy),
            hidden_spikes_per_image: 20.0,
            lost_events_per_image: 0.0,
            lost_inputs_per_image: 0.0,
            images_per_s: 1.0,
            wall_s: 1.0,
            data: data.to_owned(),
        };
        let run = Outcome {
            training: vec![epoch],
            tests: vec![test],
            ..Outcome::default()
        };
        let found = Found {
            x: None,
            name: None,
            runs: vec![run],
        };
        judge(&Declaration::parse(CLAIMS).unwrap(), &[Ok(vec![found])], "")
    }

    #[test]
    fn accuracies_on_generated_data_are_no_verdict_on_the_paper() {
        for data in [
            "generated digits",
            "generated speech, validated on 10 held-out recordings",
        ] {
            let [accuracy, energy] = &judged(data, 0.976)[..] else {
                panic!("there are two claims");
            };
            assert_eq!((accuracy.verdict, accuracy.value), (Verdict::NotRun, None));
            assert!(accuracy.not_run.as_ref().unwrap().contains(data));
            assert_eq!(energy.verdict, Verdict::Reproduced);
            assert_eq!(
                (energy.data.as_deref(), &energy.not_run),
                (Some(data), &None)
            );
        }
        let claims = judged("MNIST", 0.976);
        assert!(claims.iter().all(|c| c.verdict == Verdict::Reproduced));
    }

    #[test]
    fn outcomes_of_other_programs_are_counted() {
        let told = |of: &[(&'static str, usize)]| made("b", &of.iter().copied().collect());
        assert_eq!(told(&[("b", 4)]), ["made by b"]);
        let all = told(&[("unknown", 2), ("b", 1), ("a", 3)]);
        let counts = "outcomes by revision: 3 of a; 1 of b; 2 of unknown";
        assert_eq!(all, ["made by b", counts]);
        let others = told(&[("a", 3)]);
        assert_eq!(others, ["made by b", "outcomes by revision: 3 of a"]);
    }

    #[test]
    fn what_is_shown_has_the_verdict() {
        for (accuracy, shown) in [(0.975, "97.50"), (0.97198, "97.198"), (0.971999, "97.1999")] {
            let claim = &judged("MNIST", accuracy)[0];
            let [paper, band, found] = claim_numbers(claim);
            assert_eq!([&*paper, &band, &found], ["97.6", "97.2 to 97.8", shown]);
        }
    }
}
