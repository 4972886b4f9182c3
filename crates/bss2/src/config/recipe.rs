//! Recipes: settings by name, `recipe = "tuned"`, that stand beneath those of the
//! file and the flags. A run folder holds what they stand for, not their name.

use toml::{Table, Value};

/// Name and text of each recipe; `paper` is the default of every key.
const RECIPES: [(&str, &str); 3] = [
    ("paper", ""),
    ("tuned", include_str!("recipes/tuned.toml")),
    ("speech", include_str!("recipes/speech.toml")),
];

/// The key that names a recipe.
pub(crate) const KEY: &str = "recipe";

/// The settings of a recipe.
///
/// # Errors
/// The names that there are.
pub(super) fn named(name: &Value) -> Result<Table, String> {
    let found = RECIPES
        .iter()
        .find(|(known, _)| name.as_str() == Some(known));
    let Some((_, text)) = found else {
        let known: Vec<&str> = RECIPES.iter().map(|(known, _)| *known).collect();
        return Err(format!(
            "recipe is {name}, allowed are {}",
            known.join(", ")
        ));
    };
    Ok(text.parse().expect("recipes are tested"))
}

/// Puts the values of `above` over those of `table`, key by key. Where a table says
/// of another `kind`, the keys of the one below mean nothing and go.
pub(super) fn overlay(table: &mut Table, above: Table) {
    for (key, value) in above {
        match (table.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => {
                let (was, is) = (below.get("kind"), above.get("kind"));
                if is.is_some() && is != was {
                    below.clear();
                }
                overlay(below, above);
            }
            (_, value) => {
                table.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::config::Experiment;

    #[test]
    fn every_recipe_is_valid_and_those_of_images_keep_the_papers_network_and_chip() {
        for (name, _) in RECIPES {
            let table = named(&name.into()).unwrap();
            let experiment = Experiment::deserialize(table).unwrap();
            assert_eq!(experiment.faults(), [], "{name}");
            if experiment.data.set.is_speech() {
                continue;
            }
            let paper = Experiment::default();
            assert_eq!(experiment.network, paper.network, "{name}");
            assert_eq!(experiment.chip, paper.chip, "{name}");
            assert_eq!(experiment.time, paper.time, "{name}");
            assert_eq!(experiment.encoder.latency, paper.encoder.latency, "{name}");
        }
    }

    #[test]
    fn an_unknown_recipe_is_refused_with_those_there_are() {
        let error = named(&"none".into()).unwrap_err();
        assert!(error.contains("none") && error.contains("tuned"), "{error}");
        assert!(named(&3.into()).is_err());
    }

    #[test]
    fn what_lies_above_wins_key_by_key() {
        let mut table: Table =
            "a = 1\nb = 2\n[t]\nx = 1\n[s]\nkind = \"p\"\nx = 1\n[u]\nkind = \"p\"\nx = 1"
                .parse()
                .unwrap();
        let above = "b = 3\n[t]\ny = 2\n[s]\nkind = \"q\"\ny = 2\n[u]\ny = 3";
        overlay(&mut table, above.parse().unwrap());
        let expected = "a = 1\nb = 3\n[t]\nx = 1\ny = 2\n[s]\nkind = \"q\"\ny = 2\n[u]\nkind = \"p\"\nx = 1\ny = 3";
        assert_eq!(table, expected.parse().unwrap());
    }
}
