//! An experiment as data: one TOML file of `xtask/experiments`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use miette::{IntoDiagnostic, WrapErr, bail, miette};
use serde::{Deserialize, Serialize};

use super::claims::Claim;
use super::measure::{Measure, Spread};

/// A table or a figure of the paper: what is run for it, what is shown of it, and
/// what the paper says.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Declaration {
    /// Name for `--only`; that of the file.
    pub(super) id: String,
    pub(super) title: String,
    pub(super) about: String,
    /// What its samples are.
    #[serde(default = "images")]
    pub(super) samples: String,
    /// What differs from the general size of a quick run.
    #[serde(default)]
    pub(super) quick: Scale,
    /// What differs from the general size of a full run.
    #[serde(default)]
    pub(super) full: Scale,
    /// Keys of all series that say nothing else about them.
    #[serde(default)]
    set: BTreeMap<String, toml::Value>,
    /// Rows of the table, curves of the figure.
    pub(super) series: Vec<Series>,
    /// Columns of its table.
    pub(super) columns: Vec<Measure>,
    #[serde(default)]
    pub(super) figure: Option<Figure>,
    #[serde(default)]
    pub(super) distributions: Vec<Distribution>,
    /// Series whose answers are shown, class by class.
    #[serde(default)]
    pub(super) confusions: Vec<String>,
    #[serde(default)]
    pub(super) speakers: Option<Speakers>,
    #[serde(default)]
    pub(super) scenes: Option<Scenes>,
    #[serde(default)]
    pub(super) claims: Vec<Claim>,
}

fn images() -> String {
    "images".to_owned()
}

/// Size of an experiment; what is left out is that of the next larger frame.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Scale {
    pub(super) seeds: Option<u32>,
    pub(super) epochs: Option<u32>,
    /// From the first; 0 for all.
    pub(super) train_images: Option<u32>,
    pub(super) test_images: Option<u32>,
    /// Choices of the silenced neurons for each seed, one where it is left out; a run's
    /// measures are the means over them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) draws: Option<NonZeroU32>,
}

/// Trainings that differ in their seed, and along a sweep.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Series {
    pub(super) id: String,
    pub(super) name: String,
    /// What is done with each of its settings.
    #[serde(default)]
    pub(super) work: SeriesWork,
    /// Keys of the experiment that differ from its default, joined by dots.
    #[serde(default)]
    pub(super) set: BTreeMap<String, toml::Value>,
    /// Keys that take the number of the seed.
    #[serde(default = "training_seed")]
    pub(super) seeded: Vec<String>,
    #[serde(default)]
    pub(super) sweep: Option<Sweep>,
    /// How the trained weights are trained further.
    #[serde(default)]
    pub(super) tune: Option<Tune>,
    /// Where the trained weights are tested, if not where they were trained.
    #[serde(default)]
    pub(super) deploy: Option<Deploy>,
    /// How many test images are recorded at the end, from the first.
    #[serde(default)]
    pub(super) record: u32,
    /// Whether the answer to each test sample is kept.
    #[serde(default)]
    pub(super) answers: bool,
    /// What the paper reports of it.
    #[serde(default)]
    pub(super) paper: BTreeMap<Measure, Spread>,
}

impl Series {
    /// Whether hidden neurons are silenced anywhere.
    fn silences(&self) -> bool {
        let swept = self.sweep.as_ref().and_then(|sweep| sweep.key.as_deref());
        let deploy = self.deploy.as_ref();
        swept == Some(SILENCE) || deploy.is_some_and(|deploy| deploy.silence > 0.0)
    }
}

/// What is done with a setting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum SeriesWork {
    /// The spiking network is trained.
    #[default]
    Training,
    /// A network without spikes is trained.
    Reference,
    /// The neurons of a chip are measured; nothing is trained.
    Calibration,
}

fn training_seed() -> Vec<String> {
    vec!["train.seed".into()]
}

/// A second training, from the weights of the first.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Tune {
    /// Keys that differ from those of the first training.
    pub(super) set: BTreeMap<String, toml::Value>,
    /// Takes over nothing but the recurrent weights, in another order.
    pub(super) shuffle_recurrence: bool,
}

/// A test of trained weights under other settings.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Deploy {
    /// Keys that differ from those of the training.
    pub(super) set: BTreeMap<String, toml::Value>,
    /// Share of hidden neurons that are silenced, 0 to 1.
    pub(super) silence: f64,
    /// How many training images are shown as well, from the first, not augmented.
    pub(super) train_images: u32,
}

/// One key over several values, or several keys over cases.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sweep {
    /// A key of the experiment, or `silence` of a deployment; none with cases.
    #[serde(default)]
    pub(super) key: Option<String>,
    /// Which part of a run has it.
    pub(super) of: Stage,
    #[serde(default)]
    pub(super) values: Vec<toml::Value>,
    /// The values of a quick run, if they are others.
    #[serde(default)]
    pub(super) quick: Option<Vec<toml::Value>>,
    #[serde(default)]
    pub(super) cases: Vec<Case>,
    /// In place of all these: each speaker of the data is held out, in a quick run
    /// the first alone.
    #[serde(default)]
    pub(super) speakers: bool,
}

/// One step of a sweep over cases.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    pub(super) name: String,
    /// Its place on an axis; its number where there is no axis.
    #[serde(default)]
    pub(super) x: Option<f64>,
    #[serde(default)]
    pub(super) set: BTreeMap<String, toml::Value>,
    /// Whether a quick run has it.
    #[serde(default)]
    pub(super) quick: bool,
}

/// A step of a sweep: where it stands, and the keys that it sets.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    pub(super) x: f64,
    pub(super) name: Option<String>,
    pub(super) set: Vec<(String, toml::Value)>,
}

/// A part of a run: training, further training, or a test of its weights elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Stage {
    Training,
    Tuning,
    Deployment,
}

/// What is drawn of an experiment.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Figure {
    pub(super) x: Horizontal,
    /// Title of the horizontal axis, with unit.
    #[serde(default)]
    pub(super) x_label: String,
    /// Swept values are multiplied by it.
    #[serde(default = "one")]
    pub(super) x_factor: f64,
    /// Then this is added.
    #[serde(default)]
    pub(super) x_offset: f64,
    /// Swept values have nothing between them, so no lines join their points.
    #[serde(default)]
    pub(super) apart: bool,
    pub(super) panels: Vec<Panel>,
}

fn one() -> f64 {
    1.0
}

/// What runs along the horizontal axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Horizontal {
    Epoch,
    Sweep,
    HiddenSpikes,
    /// Nothing: cases lie below each other, values run to the right.
    Case,
}

/// Distributions of a measured parameter, of all points of some series.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Distribution {
    pub(super) title: String,
    pub(super) quantity: Quantity,
    pub(super) series: Vec<String>,
}

/// A parameter of a neuron.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Quantity {
    TauMem,
    TauSyn,
    Threshold,
}

impl Quantity {
    /// Name and unit.
    pub(super) fn label(self) -> (&'static str, &'static str) {
        match self {
            Self::TauMem => ("tau_mem", "us"),
            Self::TauSyn => ("tau_syn", "us"),
            Self::Threshold => ("threshold", "LSB"),
        }
    }
}

/// Errors by speaker.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Speakers {
    pub(super) title: String,
    /// Of voices that were heard, series whose answers are kept; of voices that were
    /// not, series that hold out each speaker.
    pub(super) series: Vec<String>,
}

/// Recorded images of a series.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scenes {
    pub(super) series: String,
    pub(super) kind: SceneKind,
}

/// How recorded images are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum SceneKind {
    /// Each for itself.
    Images,
    /// One after the other.
    Succession,
    /// Recordings, each for itself, with the sums of the readout.
    Recordings,
}

/// One coordinate system.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Panel {
    pub(super) title: String,
    /// Title of its horizontal axis, if it is another one than the figure's.
    #[serde(default)]
    pub(super) x_label: Option<String>,
    pub(super) y: Measure,
    /// Ids of the curves.
    pub(super) series: Vec<String>,
    /// What the paper reports: lines at a `y` or an `x`, or points.
    #[serde(default)]
    pub(super) marks: Vec<Mark>,
}

/// A published value in a figure, in units of its axes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mark {
    #[serde(default)]
    pub(super) x: Option<f64>,
    #[serde(default)]
    pub(super) y: Option<f64>,
    /// In place of `y`: against the first point of the series, in %.
    #[serde(default)]
    pub(super) change: Option<f64>,
    /// The series of the panel that it is about, whose colour it has.
    #[serde(default)]
    pub(super) series: Option<String>,
    pub(super) text: String,
}

impl Mark {
    fn fault(&self, panel: &Panel) -> Option<String> {
        let named = self.series.as_ref();
        let fault = if let Some(name) = named.filter(|name| !panel.series.contains(name)) {
            format!("there is no series {name} in its panel")
        } else if self.change.is_some() && (self.x.is_none() || self.y.is_some() || named.is_none())
        {
            "a change has a series and a place x, and no y".to_owned()
        } else {
            return None;
        };
        Some(format!("mark {:?}: {fault}", self.text))
    }
}

impl Sweep {
    /// The steps of a full or quick run, but those of speakers, who are in the data.
    pub(super) fn steps(&self, quick: bool) -> Vec<Step> {
        let values = match &self.quick {
            Some(values) if quick => values,
            _ => &self.values,
        };
        let values = self.key.iter().flat_map(|key| {
            values.iter().filter_map(|value| {
                Some(Step {
                    x: number(value)?,
                    name: None,
                    set: vec![(key.clone(), value.clone())],
                })
            })
        });
        let cases = self.cases.iter().enumerate();
        let cases = cases.filter(|(_, case)| case.quick || !quick);
        let cases = cases.map(|(place, case)| Step {
            x: case.x.unwrap_or(place as f64),
            name: Some(case.name.clone()),
            set: case.set.clone().into_iter().collect(),
        });
        values.chain(cases).collect()
    }

    /// What runs along it, for the head of a table.
    pub(super) fn title(&self) -> &str {
        let other = if self.speakers { "held out" } else { "case" };
        self.key.as_deref().unwrap_or(other)
    }

    fn faults(&self, series: &Series) -> Vec<String> {
        let mut faults = Vec::new();
        let mut fault = |text: String| faults.push(format!("{}: {text}", series.id));
        let all = self.values.iter().chain(self.quick.iter().flatten());
        if let Some(value) = all.clone().find(|value| number(value).is_none()) {
            fault(format!("{value} is no number to sweep over"));
        }
        let ways = [self.key.is_some(), !self.cases.is_empty(), self.speakers];
        if ways.into_iter().filter(|&way| way).count() != 1
            || self.key.is_none() != self.values.is_empty()
        {
            fault("a sweep has either a key with values, or cases, or speakers".to_owned());
        }
        if self.speakers && self.of != Stage::Training {
            fault("speakers are held out of a training".to_owned());
        }
        if self.steps(true).is_empty() && !self.speakers {
            fault("nothing of its sweep is left in a quick run".to_owned());
        }
        match self.of {
            Stage::Deployment if series.deploy.is_none() => {
                fault("no deployment to sweep over".to_owned());
            }
            Stage::Tuning if series.tune.is_none() => {
                fault("no further training to sweep over".to_owned());
            }
            Stage::Training | Stage::Tuning if self.key.as_deref() == Some(SILENCE) => {
                fault("only deployments silence neurons".to_owned());
            }
            _ => {}
        }
        faults
    }
}

/// The key of a sweep over [`Deploy::silence`].
pub(super) const SILENCE: &str = "silence";

/// A swept value as a number.
fn number(value: &toml::Value) -> Option<f64> {
    value
        .as_float()
        .or_else(|| value.as_integer().map(|whole| whole as f64))
}

impl Declaration {
    /// Reads and checks one declaration.
    pub(super) fn parse(text: &str) -> miette::Result<Self> {
        let mut declaration: Self = toml::from_str(text).into_diagnostic()?;
        for series in &mut declaration.series {
            for (key, value) in &declaration.set {
                let of_series = series.set.entry(key.clone());
                of_series.or_insert_with(|| value.clone());
            }
        }
        let faults = declaration.faults();
        if faults.is_empty() {
            return Ok(declaration);
        }
        bail!("{}", faults.join("\n"))
    }

    /// Series that are drawn case by case in one panel must have the same cases.
    fn fault_of_cases(&self) -> Option<String> {
        let figure = self.figure.as_ref()?;
        let names = |id: &String| -> Option<Vec<Option<String>>> {
            let series = self.series.iter().find(|series| series.id == *id)?;
            let steps = series.sweep.as_ref()?.steps(false);
            Some(steps.into_iter().map(|step| step.name).collect())
        };
        let mut panels = figure.panels.iter();
        let unlike = panels.find(|panel| {
            let all: BTreeSet<_> = panel.series.iter().filter_map(names).collect();
            figure.x == Horizontal::Case && all.len() > 1
        })?;
        Some(format!("{}: its series have other cases", unlike.title))
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut ids = BTreeSet::new();
        for series in &self.series {
            if !ids.insert(series.id.as_str()) {
                faults.push(format!("two series are called {}", series.id));
            }
            faults.extend(series.sweep.iter().flat_map(|sweep| sweep.faults(series)));
            let weights = series.tune.is_some()
                || series.deploy.is_some()
                || series.record > 0
                || series.answers;
            if weights && series.work != SeriesWork::Training {
                faults.push(format!("{}: only spiking networks are moved", series.id));
            }
        }
        let draws = self.full.draws.or(self.quick.draws);
        if draws.is_some() && !self.series.iter().any(Series::silences) {
            faults.push("draws are of silenced neurons, and none are".to_owned());
        }
        faults.extend(self.fault_of_cases());
        let panels = self.figure.iter().flat_map(|figure| &figure.panels);
        faults.extend(panels.clone().flat_map(|panel| {
            let marks = panel.marks.iter();
            marks.filter_map(|mark| mark.fault(panel))
        }));
        let named = panels
            .flat_map(|panel| &panel.series)
            .chain(self.distributions.iter().flat_map(|of| &of.series))
            .chain(self.scenes.iter().map(|scenes| &scenes.series))
            .chain(&self.confusions)
            .chain(self.speakers.iter().flat_map(|of| &of.series))
            .chain(self.claims.iter().map(|claim| &claim.series));
        for name in named {
            if !ids.contains(name.as_str()) {
                faults.push(format!("there is no series {name}"));
            }
        }
        for name in &self.confusions {
            let kept = |series: &Series| series.id == *name && series.answers;
            if !self.series.iter().any(kept) {
                faults.push(format!("{name}: its answers are not kept"));
            }
        }
        for claim in &self.claims {
            faults.extend(claim.fault());
            let of = self.series.iter().find(|series| series.id == claim.series);
            let sweep = of.and_then(|series| series.sweep.as_ref());
            if sweep.is_some() && claim.at.is_none() && claim.hidden_spikes_at_most.is_none() {
                faults.push(format!("{}: where of its sweep is not said", claim.id));
            }
            for x in claim.at.into_iter().chain(claim.relative_to) {
                let has = |steps: Vec<Step>| steps.iter().any(|step| step.x == x);
                if !sweep.is_some_and(|s| has(s.steps(false)) && has(s.steps(true))) {
                    faults.push(format!("{}: {x} is not swept over", claim.id));
                }
            }
        }
        faults
    }
}

/// Where the experiments of the paper lie.
pub(super) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments")
}

/// All experiments of a folder in the order of a report, or those named.
pub(super) fn load(folder: &Path, only: &[String]) -> miette::Result<Vec<Declaration>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .into_diagnostic()
        .wrap_err_with(|| format!("{} cannot be read", folder.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    // Tables of the paper, its figures, what lies beyond it.
    paths.sort_by_key(|path| {
        let name = path.file_stem().unwrap_or_default().to_owned();
        let begins = |with: &str| name.to_string_lossy().starts_with(with);
        (!begins("table"), begins("beyond"), name)
    });
    let mut found = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).into_diagnostic()?;
        let declaration = Declaration::parse(&text).wrap_err_with(|| path.display().to_string())?;
        if path
            .file_stem()
            .is_none_or(|stem| stem != declaration.id.as_str())
        {
            bail!("{}: it calls itself {}", path.display(), declaration.id);
        }
        found.push(declaration);
    }
    let known: Vec<String> = found.iter().map(|d| d.id.clone()).collect();
    if let Some(name) = only.iter().find(|name| !known.contains(name)) {
        return Err(miette!(
            help = format!("there are {}", known.join(", ")),
            "there is no experiment {name}"
        ));
    }
    found.retain(|declaration| only.is_empty() || only.contains(&declaration.id));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
        id = "a"
        title = "A"
        about = "of"
        columns = ["test_accuracy"]
        [[series]]
        id = "s"
        name = "S"
        set = { "substrate" = "software" }
        sweep = { key = "train.dropout", of = "training", values = [0, 0.5] }
    "#;

    #[test]
    fn every_experiment_of_the_paper_is_sound() {
        let all = load(&folder(), &[]).unwrap();
        let places = [
            "table1",
            "table2",
            "fig3a",
            "fig4c",
            "speech",
            "beyond-cadc",
        ]
        .map(|id| {
            all.iter()
                .position(|declaration| declaration.id == id)
                .unwrap()
        });
        assert!(places.is_sorted(), "{places:?}");
        let mut claims = BTreeSet::new();
        for claim in all.iter().flat_map(|declaration| &declaration.claims) {
            assert!(claims.insert(&claim.id), "two claims {}", claim.id);
        }
        assert_eq!(load(&folder(), &["table1".into()]).unwrap().len(), 1);
        assert!(load(&folder(), &["table9".into()]).is_err());
    }

    #[test]
    fn faults_are_named() {
        Declaration::parse(TEXT).unwrap();
        for (change, by, named) in [
            ("0.5]", "\"x\"]", "no number"),
            ("of = \"training\"", "of = \"deployment\"", "no deployment"),
            ("train.dropout", "silence", "only deployments"),
            ("key = \"train.dropout\", ", "", "either a key"),
            (
                "of = \"training\"",
                "of = \"tuning\"",
                "no further training",
            ),
            (
                "name = \"S\"",
                "name = \"S\"\nwork = \"reference\"\nrecord = 1",
                "only spiking",
            ),
            (
                "[[series]]",
                "full = { draws = 2 }\n[[series]]",
                "draws are of",
            ),
            ("[[series]]", "quick = { draws = 0 }\n[[series]]", "nonzero"),
            ("about", "abuot", "abuot"),
            ("test_accuracy", "test_acuracy", "test_acuracy"),
        ] {
            let error = Declaration::parse(&TEXT.replace(change, by)).unwrap_err();
            assert!(format!("{error}").contains(named), "{error}");
        }
        for (mark, named) in [
            (
                "{ x = 0.5, y = 2.0, series = \"t\", text = \"m\" }",
                "no series t",
            ),
            ("{ x = 0.5, change = 9.0, text = \"m\" }", "a change has"),
        ] {
            let text = format!(
                "{TEXT}\n[figure]\nx = \"sweep\"\n[[figure.panels]]\ntitle = \"p\"\n\
                 y = \"test_accuracy\"\nseries = [\"s\"]\nmarks = [{mark}]"
            );
            let error = Declaration::parse(&text).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
        let claim = |line: &str| {
            let text = format!(
                "{TEXT}\n[[claims]]\nid = \"c\"\ntext = \"t\"\nmeasure = \"test_error\"\n\
                 paper = 2.0\nbetter = \"lower\"\n{line}"
            );
            Declaration::parse(&text).map_err(|error| error.to_string())
        };
        claim("series = \"s\"\nat = 0.5\nband = [1.0, 2.5]").unwrap();
        for (line, named) in [
            ("series = \"s\"\nat = 0.4\nband = [1.0, 2.5]", "not swept"),
            ("series = \"t\"\nband = [1.0, 2.5]", "no series t"),
            ("series = \"s\"\nband = [3.0, 2.5]", "band"),
            ("series = \"s\"\nband = [1.0, 2.5]", "where of its sweep"),
        ] {
            let error = claim(line).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }
}
