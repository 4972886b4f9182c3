//! Mismatch profiles by name: `chip.profile = "ideal"` stands for the whole table.

use std::fs;
use std::path::Path;

use bss2_analog::MismatchProfile;

/// Replaces the name of a profile, or the path of a file that holds one, by the
/// profile itself. Whether there was a name.
///
/// # Errors
/// What is wrong with the name or the file.
pub(super) fn expand(table: &mut toml::Table) -> Result<bool, String> {
    let chip = table.get_mut("chip").and_then(toml::Value::as_table_mut);
    let Some(value) = chip.and_then(|chip| chip.get_mut("profile")) else {
        return Ok(false);
    };
    let Some(name) = value.as_str() else {
        return Ok(false);
    };
    let profile = if Path::new(name).extension().is_some_and(|end| end == "toml") {
        read(name)?
    } else {
        MismatchProfile::named(name).map_err(|error| error.to_string())?
    };
    *value = toml::Value::try_from(profile).map_err(|error| error.to_string())?;
    Ok(true)
}

fn read(path: &str) -> Result<MismatchProfile, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    toml::from_str(&text).map_err(|error| format!("{path}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_profile_survives_being_written() {
        for name in ["ideal", "cube66"] {
            let mut table: toml::Table = format!("[chip]\nprofile = \"{name}\"").parse().unwrap();
            assert!(expand(&mut table).unwrap());
            assert!(!expand(&mut table).unwrap(), "a table stays as it is");
            let text = toml::to_string(&table["chip"]["profile"]).unwrap();
            let profile: MismatchProfile = toml::from_str(&text).unwrap();
            assert_eq!(profile, MismatchProfile::named(name).unwrap());
        }
    }

    #[test]
    fn an_unknown_profile_is_refused() {
        for name in ["none", "none.toml"] {
            let mut table: toml::Table = format!("[chip]\nprofile = \"{name}\"").parse().unwrap();
            assert!(expand(&mut table).unwrap_err().contains(name));
        }
    }
}
