//! What differs between two configurations.

use super::Experiment;

/// A key whose values differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The key's path, joined by dots.
    pub key: String,
    /// Value in the first configuration.
    pub was: String,
    /// Value in the second.
    pub asked: String,
}

/// Keys that may change when a run is resumed: they bear on how long, how fast,
/// from which folder and with how many tests, not on what is learned.
const FREE: [&str; 5] = [
    "epochs",
    "run.threads",
    "run.checkpoint_every",
    "run.test_every",
    "data.folder",
];

const NOT_SET: &str = "not set";

/// The keys that forbid resuming a run of the first configuration under the
/// second.
///
/// # Panics
/// For seeds beyond [`i64::MAX`], which [`Experiment::faults`] names.
#[must_use]
pub fn obstacles(was: &Experiment, asked: &Experiment) -> Vec<Difference> {
    let (mut old, mut new) = (Vec::new(), Vec::new());
    flatten("", &table(was), &mut old);
    flatten("", &table(asked), &mut new);
    let find = |list: &[(String, String)], key: &str| {
        list.iter()
            .find(|(k, _)| k == key)
            .map_or_else(|| NOT_SET.to_owned(), |(_, value)| value.clone())
    };
    let mut keys: Vec<&String> = old.iter().chain(&new).map(|(key, _)| key).collect();
    keys.sort();
    keys.dedup();
    keys.into_iter()
        .filter(|key| !FREE.contains(&key.as_str()))
        .map(|key| Difference {
            key: key.clone(),
            was: find(&old, key),
            asked: find(&new, key),
        })
        .filter(|difference| difference.was != difference.asked)
        // A run of an older version did not take every checksum.
        .filter(|d| !(d.key.ends_with("checksum") && d.was == NOT_SET))
        .collect()
}

fn table(experiment: &Experiment) -> toml::Table {
    toml::Table::try_from(experiment).expect("an experiment is a TOML table")
}

fn flatten(prefix: &str, table: &toml::Table, out: &mut Vec<(String, String)>) {
    for (key, value) in table {
        let path = if prefix.is_empty() {
            key.clone()
        } else {
            format!("{prefix}.{key}")
        };
        match value {
            toml::Value::Table(inner) => flatten(&path, inner, out),
            value => out.push((path, abridged(value))),
        }
    }
}

/// A value as text; of long lists the beginning and a checksum, which differs
/// where they do.
fn abridged(value: &toml::Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) if value.is_array() => {
            format!(
                "{}... (CRC {:08x})",
                &text[..end],
                crc32fast::hash(text.as_bytes())
            )
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_that_change_the_result_forbid_resuming() {
        let was = Experiment::default();
        let mut asked = was.clone();
        asked.epochs += 1;
        asked.run.threads = 7;
        assert_eq!(obstacles(&was, &asked), []);
        asked.train.seed.0 += 1;
        let found = obstacles(&was, &asked);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].key, "train.seed");
        assert_eq!((found[0].was.as_str(), found[0].asked.as_str()), ("0", "1"));
    }
}
