//! An experiment as data: one TOML file of `xtask/experiments`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
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
    /// What differs from the general size of a quick run.
    #[serde(default)]
    pub(super) quick: Scale,
    /// What differs from the general size of a full run.
    #[serde(default)]
    pub(super) full: Scale,
    /// Rows of the table, curves of the figure.
    pub(super) series: Vec<Series>,
    /// Columns of its table.
    pub(super) columns: Vec<Measure>,
    #[serde(default)]
    pub(super) figure: Option<Figure>,
    #[serde(default)]
    pub(super) claims: Vec<Claim>,
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
}

/// Trainings that differ in their seed, and along a sweep.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Series {
    pub(super) id: String,
    pub(super) name: String,
    /// Keys of the experiment that differ from its default, joined by dots.
    #[serde(default)]
    pub(super) set: BTreeMap<String, toml::Value>,
    /// Keys that take the number of the seed.
    #[serde(default = "training_seed")]
    pub(super) seeded: Vec<String>,
    #[serde(default)]
    pub(super) sweep: Option<Sweep>,
    /// Where the trained weights are tested, if not where they were trained.
    #[serde(default)]
    pub(super) deploy: Option<Deploy>,
    /// What the paper reports of it.
    #[serde(default)]
    pub(super) paper: BTreeMap<Measure, Spread>,
    /// Why it cannot be run at all.
    #[serde(default)]
    pub(super) unavailable: Option<String>,
}

fn training_seed() -> Vec<String> {
    vec!["train.seed".into()]
}

/// A test of trained weights under other settings.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Deploy {
    /// Keys that differ from those of the training.
    pub(super) set: BTreeMap<String, toml::Value>,
    /// Share of hidden neurons that are silenced, 0 to 1.
    pub(super) silence: f64,
}

/// One key over several values.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sweep {
    /// A key of the experiment, or `silence` of a deployment.
    pub(super) key: String,
    /// Whether the training has it, or the test of its weights alone.
    pub(super) of: Stage,
    pub(super) values: Vec<toml::Value>,
    /// The values of a quick run, if they are others.
    #[serde(default)]
    pub(super) quick: Option<Vec<toml::Value>>,
}

/// Of a run: training, or a test of its weights elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Stage {
    Training,
    Deployment,
}

/// What is drawn of an experiment.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Figure {
    pub(super) x: Horizontal,
    /// Title of the horizontal axis, with unit.
    pub(super) x_label: String,
    /// Swept values are multiplied by it.
    #[serde(default = "one")]
    pub(super) x_factor: f64,
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
}

/// One coordinate system.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Panel {
    pub(super) title: String,
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
    pub(super) text: String,
}

impl Sweep {
    /// The values of a full or quick run.
    pub(super) fn values(&self, quick: bool) -> &[toml::Value] {
        match &self.quick {
            Some(values) if quick => values,
            _ => &self.values,
        }
    }
}

/// A swept value as a number.
pub(super) fn number(value: &toml::Value) -> Option<f64> {
    value
        .as_float()
        .or_else(|| value.as_integer().map(|whole| whole as f64))
}

impl Declaration {
    /// Reads and checks one declaration.
    pub(super) fn parse(text: &str) -> miette::Result<Self> {
        let declaration: Self = toml::from_str(text).into_diagnostic()?;
        let faults = declaration.faults();
        if faults.is_empty() {
            return Ok(declaration);
        }
        bail!("{}", faults.join("\n"))
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut ids = BTreeSet::new();
        for series in &self.series {
            if !ids.insert(series.id.as_str()) {
                faults.push(format!("two series are called {}", series.id));
            }
            let Some(sweep) = &series.sweep else { continue };
            let all = sweep.values.iter().chain(sweep.quick.iter().flatten());
            if let Some(value) = all.clone().find(|value| number(value).is_none()) {
                faults.push(format!("{}: {value} is no number to sweep over", series.id));
            }
            if all.count() == 0 {
                faults.push(format!("{}: a sweep without values", series.id));
            }
            if sweep.of == Stage::Deployment && series.deploy.is_none() {
                faults.push(format!("{}: no deployment to sweep over", series.id));
            }
            if sweep.of == Stage::Training && sweep.key == "silence" {
                faults.push(format!("{}: only deployments silence neurons", series.id));
            }
        }
        let panels = self.figure.iter().flat_map(|figure| &figure.panels);
        let named = panels
            .flat_map(|panel| &panel.series)
            .chain(self.claims.iter().map(|claim| &claim.series));
        for name in named {
            if !ids.contains(name.as_str()) {
                faults.push(format!("there is no series {name}"));
            }
        }
        for claim in &self.claims {
            faults.extend(claim.fault());
            let of = self.series.iter().find(|series| series.id == claim.series);
            let sweep = of.and_then(|series| series.sweep.as_ref());
            for x in claim.at.into_iter().chain(claim.relative_to) {
                let has = |values: &[toml::Value]| values.iter().any(|v| number(v) == Some(x));
                if !sweep.is_some_and(|s| has(s.values(false)) && has(s.values(true))) {
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

/// All experiments of a folder by name, or those named.
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
    paths.sort();
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
        assert!(all.iter().any(|declaration| declaration.id == "table1"));
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
            ("about", "abuot", "abuot"),
            ("test_accuracy", "test_acuracy", "test_acuracy"),
        ] {
            let error = Declaration::parse(&TEXT.replace(change, by)).unwrap_err();
            assert!(format!("{error}").contains(named), "{error}");
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
        ] {
            let error = claim(line).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }
}
