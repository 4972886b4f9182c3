//! Parts of a chip by name: `chip.profile = "ideal"` and `chip.measured = "FILE"`
//! stand for whole tables, so that a run folder needs no other file.

use std::fs;
use std::path::Path;

use bss2_analog::{AnalogError, MeasuredChip, MismatchProfile};
use serde::Serialize;
use serde::de::DeserializeOwned;

const PROFILE: &str = "chip.profile";
const MEASURED: &str = "chip.measured";

/// Replaces the name of a profile and the paths of files that hold a profile or a
/// measured chip by what they stand for; `none` is a drawn chip.
///
/// # Errors
/// The key of a name or a file, and what is wrong with it.
pub(super) fn expand(table: &mut toml::Table) -> Result<(), (&'static str, String)> {
    let Some(chip) = table.get_mut("chip").and_then(toml::Value::as_table_mut) else {
        return Ok(());
    };
    replace(chip, PROFILE, |name| {
        if Path::new(name).extension().is_some_and(|end| end == "toml") {
            read(name, MismatchProfile::validate)
        } else {
            MismatchProfile::named(name).map_err(|error| error.to_string())
        }
    })?;
    if chip.get("measured").and_then(toml::Value::as_str) == Some("none") {
        chip.remove("measured");
        return Ok(());
    }
    replace(chip, MEASURED, |path| read(path, MeasuredChip::validate))
}

fn replace<T: Serialize>(
    chip: &mut toml::Table,
    key: &'static str,
    of: impl FnOnce(&str) -> Result<T, String>,
) -> Result<(), (&'static str, String)> {
    let last = key.rsplit('.').next().expect("a key has a last part");
    let Some(value) = chip.get_mut(last) else {
        return Ok(());
    };
    let Some(name) = value.as_str() else {
        return Ok(());
    };
    let part = of(name).map_err(|fault| (key, fault))?;
    *value = toml::Value::try_from(part).map_err(|error| (key, error.to_string()))?;
    Ok(())
}

fn read<T: DeserializeOwned>(
    path: &str,
    validate: impl FnOnce(&T) -> Result<(), AnalogError>,
) -> Result<T, String> {
    let named = |error: &dyn std::fmt::Display| format!("{path}: {error}");
    let text = fs::read_to_string(path).map_err(|error| named(&error))?;
    let part = toml::from_str(&text).map_err(|error| named(&error))?;
    validate(&part).map_err(|error| named(&error))?;
    Ok(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_profile_survives_being_written() {
        for name in ["ideal", "cube66"] {
            let mut table: toml::Table = format!("[chip]\nprofile = \"{name}\"").parse().unwrap();
            expand(&mut table).unwrap();
            let once = table.clone();
            expand(&mut table).unwrap();
            assert_eq!(table, once, "a table stays as it is");
            let text = toml::to_string(&table["chip"]["profile"]).unwrap();
            let profile: MismatchProfile = toml::from_str(&text).unwrap();
            assert_eq!(profile, MismatchProfile::named(name).unwrap());
        }
    }

    #[test]
    fn a_measured_chip_gives_way_to_a_drawn_one() {
        let mut table: toml::Table = "[chip]\nmeasured = \"none\"".parse().unwrap();
        expand(&mut table).unwrap();
        assert!(table["chip"].as_table().unwrap().is_empty());
    }

    #[test]
    fn an_unknown_profile_is_refused() {
        for name in ["none", "none.toml"] {
            let mut table: toml::Table = format!("[chip]\nprofile = \"{name}\"").parse().unwrap();
            let (key, fault) = expand(&mut table).unwrap_err();
            assert!(key == PROFILE && fault.contains(name), "{key}: {fault}");
        }
    }
}
