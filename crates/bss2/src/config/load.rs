//! A configuration file and flags become a checked experiment.
//!
//! Precedence: defaults, then the recipe that file or assignments name, then the
//! file, then assignments in their order.

use std::fs;
use std::path::{Path, PathBuf};

use bss2_event::Fault;
use miette::{Diagnostic, LabeledSpan, NamedSource, SourceSpan};
use serde::Deserialize;
use thiserror::Error;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Experiment, profile, recipe};

/// One value set from outside the file: `epochs = 3`.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// The key's path, joined by dots.
    pub key: String,
    /// The new value.
    pub value: toml::Value,
    /// What the user wrote, for errors.
    pub origin: String,
}

impl Assignment {
    /// An assignment that a flag stands for.
    #[must_use]
    pub fn of_flag(flag: &str, key: &str, value: impl Into<toml::Value>) -> Self {
        Self {
            key: key.into(),
            value: value.into(),
            origin: flag.into(),
        }
    }

    /// Reads `key=value`; the value is TOML, or text if it is none.
    ///
    /// # Errors
    /// A hint when there is no `=` or no key.
    pub fn parse(text: &str) -> Result<Self, String> {
        let hint = || format!("{text:?} is no key=value, such as batch=50");
        let (key, value) = text.split_once('=').ok_or_else(hint)?;
        let (key, value) = (key.trim(), value.trim());
        if key.is_empty() || key.split('.').any(str::is_empty) {
            return Err(hint());
        }
        let value = format!("v = {value}")
            .parse::<toml::Table>()
            .ok()
            .and_then(|mut table| table.remove("v"))
            .unwrap_or_else(|| toml::Value::String(value.into()));
        Ok(Self {
            key: key.into(),
            value,
            origin: format!("--set {text}"),
        })
    }
}

/// Why there is no experiment.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration {path} cannot be read: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is no TOML, names an unknown key or gives a value of the wrong kind.
    #[error("{message}")]
    #[diagnostic(help("`bss2 train mnist --print-config` shows every key with its default"))]
    Parse {
        /// What is wrong.
        message: String,
        /// The file.
        #[source_code]
        file: NamedSource<String>,
        /// Where.
        #[label("here")]
        place: Option<SourceSpan>,
    },
    /// A flag does not fit the configuration.
    #[error("{origin}: {message}")]
    #[diagnostic(help("`bss2 train mnist --print-config` shows every key with its default"))]
    Assignment {
        /// The flag or assignment as written.
        origin: String,
        /// What is wrong.
        message: String,
    },
    /// Values outside their ranges: all of them.
    #[error("{}", list(faults))]
    Invalid {
        /// Each fault.
        faults: Vec<Fault>,
        /// The file, if values came from one.
        #[source_code]
        file: Option<NamedSource<String>>,
        /// Those faults that stand in the file.
        #[label(collection)]
        places: Vec<LabeledSpan>,
    },
}

fn list(faults: &[Fault]) -> String {
    let lines: Vec<String> = faults.iter().map(Fault::to_string).collect();
    lines.join("\n")
}

/// Reads and checks an experiment.
///
/// # Errors
/// [`ConfigError`], naming the file, the key and what would be right.
pub fn load(path: Option<&Path>, assignments: &[Assignment]) -> Result<Experiment, ConfigError> {
    let text = match path {
        Some(path) => fs::read_to_string(path).map_err(|source| ConfigError::Io {
            path: path.to_owned(),
            source,
        })?,
        None => String::new(),
    };
    let named = || {
        NamedSource::new(
            path.unwrap_or(Path::new("")).to_string_lossy(),
            text.clone(),
        )
    };
    let file_error = |error: toml::de::Error| ConfigError::Parse {
        message: match (error.span(), path) {
            // Where no place can be shown, the key must do.
            (None, Some(path)) => {
                let told = error.to_string();
                format!("{}: {}", path.display(), told.trim_end().replace('\n', " "))
            }
            _ => error.message().to_owned(),
        },
        place: error.span().map(SourceSpan::from),
        file: named(),
    };
    let bad_name = |key: &'static str| {
        let named = &named;
        let text = &text;
        move |message| ConfigError::Parse {
            message,
            place: place(text, key),
            file: named(),
        }
    };
    let mut table: toml::Table = text.parse().map_err(file_error)?;
    profile::expand(&mut table).map_err(|(key, message)| bad_name(key)(message))?;
    let recipe = table.remove(recipe::KEY);
    let mut base = match &recipe {
        Some(name) => recipe::named(name).map_err(bad_name(recipe::KEY))?,
        None => toml::Table::new(),
    };
    let (recipes, assignments): (Vec<_>, Vec<_>) =
        (assignments.iter()).partition(|assignment| assignment.key == recipe::KEY);
    if let Some(assignment) = recipes.last() {
        base = recipe::named(&assignment.value).map_err(|message| ConfigError::Assignment {
            origin: assignment.origin.clone(),
            message,
        })?;
    }
    recipe::overlay(&mut base, table);
    let mut table = base;
    let mut experiment = Experiment::deserialize(table.clone()).map_err(|error| {
        // The text knows places, but not what a recipe says beneath it.
        let placed = error_in(&text);
        let same = |placed: &toml::de::Error| {
            recipes.is_empty() && recipe.is_none() || placed.message() == error.message()
        };
        file_error(placed.filter(same).unwrap_or(error))
    })?;
    let mut stages = Vec::new();
    for assignment in &assignments {
        let fail = |message| ConfigError::Assignment {
            origin: assignment.origin.clone(),
            message,
        };
        assign(&mut table, assignment).map_err(fail)?;
        profile::expand(&mut table).map_err(|(_, message)| fail(message))?;
        stages.push(table.clone());
    }
    // As a whole, since another kind may need several keys.
    if let Err(error) = Experiment::deserialize(table).map(|whole| experiment = whole) {
        return Err(origin(&stages, &assignments, &error));
    }
    let faults = experiment.faults();
    if faults.is_empty() {
        return Ok(experiment);
    }
    let set = |fault: &Fault| assignments.iter().any(|a| a.key == fault.field);
    let places = faults
        .iter()
        .filter(|fault| !set(fault))
        .filter_map(|fault| Some((place(&text, &fault.field)?, fault)))
        .map(|(span, fault)| LabeledSpan::new_with_span(Some(fault.allowed.clone()), span))
        .collect::<Vec<_>>();
    Err(ConfigError::Invalid {
        faults,
        file: (!places.is_empty()).then(named),
        places,
    })
}

/// What is wrong with the values of a text, with its place. Names that stand for whole tables
/// are right.
fn error_in(text: &str) -> Option<toml::de::Error> {
    let mut root = DeTable::parse(text).ok()?;
    root.get_mut().remove(recipe::KEY);
    if let Some(DeValue::Table(chip)) = root.get_mut().get_mut("chip").map(Spanned::get_mut) {
        for name in ["profile", "measured"] {
            if chip.get(name).is_some_and(|value| value.get_ref().is_str()) {
                chip.remove(name);
            }
        }
    }
    Experiment::deserialize(toml::Deserializer::from(root)).err()
}

/// An error of assignments with its origin: the one after which all stages have it.
fn origin(
    stages: &[toml::Table],
    assignments: &[&Assignment],
    error: &toml::de::Error,
) -> ConfigError {
    let mut place = stages.len() - 1;
    while let Some(before) = place.checked_sub(1)
        && let Err(earlier) = Experiment::deserialize(stages[before].clone())
        && earlier.message() == error.message()
    {
        place = before;
    }
    ConfigError::Assignment {
        origin: assignments[place].origin.clone(),
        message: error.message().to_owned(),
    }
}

/// Sets a key. What belongs to its old value alone goes: where it is another `kind`, the
/// keys beside it; where it is a file, its checksum.
fn assign(table: &mut toml::Table, assignment: &Assignment) -> Result<(), String> {
    let mut table = table;
    let (path, last) = match assignment.key.rsplit_once('.') {
        Some((path, last)) => (path.split('.').collect(), last),
        None => (Vec::new(), assignment.key.as_str()),
    };
    for part in path {
        table = table
            .entry(part)
            .or_insert_with(|| toml::Table::new().into())
            .as_table_mut()
            .ok_or_else(|| format!("{part} is a value and has no keys below it"))?;
    }
    let other = |was: &toml::Value| *was != assignment.value;
    if last == "kind" && table.get(last).is_some_and(other) {
        table.clear();
    }
    if let Some(of) = last
        .strip_suffix("file")
        .filter(|of| of.is_empty() || of.ends_with('_'))
    {
        table.remove(&format!("{of}checksum"));
    }
    table.insert(last.into(), assignment.value.clone());
    Ok(())
}

/// Where a key's value stands in the text.
fn place(text: &str, key: &str) -> Option<SourceSpan> {
    let root = DeTable::parse(text).ok()?;
    let mut parts = key.split('.');
    let mut value = root.get_ref().get(parts.next()?)?;
    for part in parts {
        value = match value.get_ref() {
            DeValue::Table(table) => table.get(part)?,
            _ => return None,
        };
    }
    Some(value.span().into())
}

#[cfg(test)]
mod tests {
    use bss2_learn::Schedule;

    use super::*;

    fn load_text(text: &str, assignments: &[&str]) -> Result<Experiment, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        fs::write(&path, text).unwrap();
        let assignments: Vec<_> = assignments
            .iter()
            .map(|text| Assignment::parse(text).unwrap())
            .collect();
        load(Some(&path), &assignments)
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let experiment = load_text("epochs = 7\nbatch = 50\n", &["epochs=3"]).unwrap();
        assert_eq!(experiment.epochs, 3);
        assert_eq!(experiment.batch, 50);
        assert_eq!(experiment.network, Experiment::default().network);
    }

    #[test]
    fn a_recipe_lies_beneath_the_file_and_a_flag_names_another() {
        let tuned = load_text("", &["recipe=tuned"]).unwrap();
        assert_ne!(tuned, Experiment::default());
        assert_eq!(load_text("recipe = \"tuned\"", &[]).unwrap(), tuned);
        let text = "recipe = \"tuned\"\nepochs = 7\n[train]\nlearning_rate = 0.5";
        let changed = load_text(text, &["train.dropout=0.25"]).unwrap();
        let mut expected = tuned.clone();
        expected.epochs = 7;
        expected.train.learning_rate = 0.5;
        expected.train.dropout = 0.25;
        assert_eq!(changed, expected);
        let paper = load_text("recipe = \"tuned\"", &["recipe=paper"]).unwrap();
        assert_eq!(paper, Experiment::default());
        let whole = crate::config::to_toml(&paper);
        assert_eq!(load_text(&whole, &["recipe=tuned"]).unwrap(), paper);
    }

    #[test]
    fn an_unknown_recipe_is_pointed_at() {
        let error = load_text("recipe = \"no\"\n", &[]).unwrap_err();
        let ConfigError::Parse { place, .. } = &error else {
            panic!("a parse error is due: {error}");
        };
        assert!(
            place.is_some() && error.to_string().contains("tuned"),
            "{error}"
        );
        let error = load_text("", &["recipe=no"]).unwrap_err().to_string();
        assert!(error.contains("--set recipe=no"), "{error}");
    }

    /// What is wrong with a text, and the part of it that is pointed at.
    fn pointed_at(text: &str) -> (String, String) {
        let ConfigError::Parse { message, place, .. } = load_text(text, &[]).unwrap_err() else {
            panic!("a parse error is due");
        };
        let place = place.unwrap();
        let at = &text[place.offset()..][..place.len()];
        (message, at.to_owned())
    }

    #[test]
    fn a_measured_chip_that_is_missing_is_pointed_at() {
        let text = "[chip]\nprofile = \"ideal\"\nmeasured = \"no.toml\"\n";
        let (message, at) = pointed_at(text);
        assert!(message.contains("no.toml"), "{message}");
        assert!(at.contains("no.toml"), "{at}");
    }

    #[test]
    fn what_a_chip_cannot_sample_is_refused_by_the_key_of_the_user() {
        let refused = |set: &[&str], key: &str| {
            let chip = [&["substrate=chip"], set].concat();
            let error = load_text("", &chip).unwrap_err().to_string();
            assert!(error.contains(key), "{error}");
        };
        refused(
            &["time.dt=2 ms"],
            "time.dt is 2 ms, allowed are 540 ns to 1 ms",
        );
        let most = "1 to 66: a run on the chip lasts 65.536 ms at most";
        refused(&["time.dt=1 ms", "time.steps=67"], most);
        for set in ["generated", "generated-speech"] {
            let set = format!("data.set={set}");
            let error = load_text("", &[&set, "data.folder=x"]).unwrap_err();
            assert!(
                error
                    .to_string()
                    .contains("data.folder is x, allowed are none"),
                "{error}"
            );
        }
        load_text("", &["data.set=mnist", "data.folder=x"]).unwrap();
        let ideal = |set| {
            let error = load_text("", set).unwrap_err().to_string();
            assert!(
                error.contains("time.steps is 2, allowed are 3 to"),
                "{error}"
            );
        };
        ideal(&["substrate=software", "time.steps=2"]);
        ideal(&["substrate=chip", "time.steps=2", "software_epochs=1"]);
        load_text("", &["substrate=chip", "time.steps=2"]).unwrap();
        for both in ["time.dt is 2 ms", "time.steps is 0"] {
            refused(&["time.dt=2 ms", "time.steps=0"], both);
        }
        // What is wrong itself is not blamed on the interval.
        for set in [
            &["time.steps=0"][..],
            &["time.dt=-1 us"],
            &["chip.inference.interval=2 us"],
        ] {
            let chip = [&["substrate=chip", "chip.mode=inference"], set].concat();
            let error = load_text("", &chip).unwrap_err();
            let ConfigError::Invalid { faults, .. } = &error else {
                panic!("faults are due: {error}");
            };
            assert_eq!(faults.len(), 1, "{error}");
        }
        for set in [
            &["substrate=chip", "time.dt=1 ms", "time.steps=66"][..],
            &[
                "substrate=chip",
                "chip.mode=inference",
                "time.dt=20 us",
                "time.steps=4000",
                "chip.inference.interval=1 ms",
            ],
            &["substrate=software", "time.dt=2 ms"],
            // A sample fits in beside the reset.
            &[
                "substrate=chip",
                "time.dt=1 us",
                "chip.mode=inference",
                "chip.inference.interval=3.5 us",
            ],
        ] {
            load_text("", set).unwrap();
        }
        let many = load_text("", &["data.train_images=1000000000000"]);
        let error = many.unwrap_err().to_string();
        assert!(error.contains("data.train_images"), "{error}");
    }

    #[test]
    fn an_unknown_key_is_pointed_at() {
        let (message, at) = pointed_at("[train]\ndropuot = 0.1\n");
        assert!(message.contains("dropuot"), "{message}");
        assert_eq!(at, "dropuot");
    }

    #[test]
    fn a_wrong_value_is_pointed_at_above_a_recipe_or_a_profile_too() {
        for named in ["recipe = \"tuned\"\n", "chip.profile = \"ideal\"\n"] {
            for (wrong, at) in [
                ("epochs = \"many\"", "\"many\""),
                ("[train]\ndropuot = 0.1", "dropuot"),
                ("[time]\ndt = 2", "2"),
            ] {
                let (_, found) = pointed_at(&format!("{named}{wrong}\n"));
                assert_eq!(found, at);
            }
        }
        // Alone it would lack its kind: where it is wrong is told by file and key.
        let text = "recipe = \"tuned\"\n[train.schedule]\nepochs = \"many\"";
        let error = load_text(text, &[]).unwrap_err().to_string();
        for told in ["c.toml: ", "string \"many\"", "train.schedule"] {
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn every_value_out_of_range_is_reported_at_once() {
        let text = "batch = 0\n[network]\nhidden = 0\n";
        let error = load_text(text, &["run.threads=5000"]).unwrap_err();
        let ConfigError::Invalid { faults, places, .. } = error else {
            panic!("faults are due: {error}");
        };
        let keys: Vec<_> = faults.iter().map(|fault| fault.field.as_str()).collect();
        for key in ["batch", "network.hidden", "run.threads"] {
            assert!(keys.contains(&key), "{key} in {keys:?}");
        }
        assert_eq!(places.len(), 2);
    }

    #[test]
    fn an_inference_without_a_sample_is_refused() {
        let text = "[time]\ndt = \"10 us\"\n[chip]\nmode = \"inference\"\n";
        let error = load_text(text, &[]).unwrap_err().to_string();
        assert!(
            error.contains("chip.inference.interval is 11.8 us"),
            "{error}"
        );
        assert!(load_text("[time]\ndt = \"10 us\"\n", &[]).is_ok());
        load_text(text, &["substrate=software"]).unwrap();
        // One that comes after the reset.
        let late = [
            "chip.mode=inference",
            "time.dt=0.6 us",
            "chip.profile.noise.cadc_start=1 us",
        ];
        let error = load_text("", &late).unwrap_err().to_string();
        assert!(
            error.contains("time.steps is 20, allowed are 1 to 15 with this chip.inference"),
            "{error}"
        );
        load_text("", &[&late[..], &["time.steps=15"]].concat()).unwrap();
    }

    #[test]
    fn seeds_that_no_file_can_hold_are_refused() {
        let mut experiment = Experiment::default();
        experiment.chip.noise_seed.0 = i64::MAX as u64;
        assert_eq!(experiment.faults(), []);
        experiment.chip.noise_seed.0 += 1;
        let faults = experiment.faults();
        assert_eq!(faults.len(), 1);
        assert!(
            faults[0].to_string().contains("chip.noise_seed"),
            "{}",
            faults[0]
        );
    }

    #[test]
    fn another_kind_leaves_the_keys_of_the_old_one_behind() {
        let constant = load_text("", &["recipe=tuned", "train.schedule.kind=constant"]).unwrap();
        assert!(matches!(constant.train.schedule, Schedule::Constant { .. }));
        let whole = crate::config::to_toml(&Experiment::default());
        assert!(whole.contains("beta1"), "{whole}");
        load_text(&whole, &["train.optimiser.kind=smorms3"]).unwrap();
        let same = load_text(&whole, &["train.optimiser.kind=adam"]).unwrap();
        assert_eq!(same, Experiment::default());
        // A kind that needs a key gets it afterwards.
        let schedule = ["train.schedule.kind=cosine", "train.schedule.epochs=7"];
        let cosine = load_text("", &schedule).unwrap().train.schedule;
        assert!(matches!(cosine, Schedule::Cosine { epochs: 7, .. }));
        let error = load_text("", &schedule[..1]).unwrap_err().to_string();
        assert!(
            error.contains(schedule[0]) && error.contains("epochs"),
            "{error}"
        );
        // What was given before a first kind stays, in either order.
        let mut decay = [
            "train.optimiser.weight_decay=0.01",
            "train.optimiser.kind=adam",
        ];
        let decayed = load_text("", &decay).unwrap();
        assert_ne!(decayed, Experiment::default());
        decay.reverse();
        assert_eq!(load_text("", &decay).unwrap(), decayed);
        // The flag that is wrong is named, not one that it would have completed.
        let wrong = ["train.schedule.kind=cosine", "train.schedule.epochs=many"];
        let error = load_text("", &wrong).unwrap_err().to_string();
        assert!(error.contains(wrong[1]), "{error}");
    }

    #[test]
    fn another_file_has_another_checksum() {
        let text = "[init]\nfile = \"a.npz\"\nchecksum = 3\n\
                    [chip]\ntargets_file = \"a.toml\"\ntargets_checksum = 4";
        let kept = load_text(text, &["epochs=3"]).unwrap();
        assert_eq!(kept.init.unwrap().checksum, Some(3));
        assert_eq!(kept.chip.targets_checksum, Some(4));
        let set = ["init.file=b.npz", "chip.targets_file=b.toml"];
        let other = load_text(text, &set).unwrap();
        assert_eq!(other.init.unwrap().checksum, None);
        assert_eq!(other.chip.targets_checksum, None);
    }

    #[test]
    fn a_bad_assignment_names_itself() {
        for text in ["train.no_such=1", "epochs=many", "epochs.x=1"] {
            for all in [&[text][..], &["batch=3", text], &[text, "batch=3"]] {
                let error = load_text("", all).unwrap_err().to_string();
                assert!(error.contains(text), "{error}");
            }
        }
        assert!(Assignment::parse("epochs").is_err());
        assert!(Assignment::parse("=3").is_err());
        assert!(Assignment::parse("a..b=3").is_err());
    }
}
