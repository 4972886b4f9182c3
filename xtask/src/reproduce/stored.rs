//! Outcomes in files, each with the program that made it.

use std::fs;
use std::path::Path;

use miette::{IntoDiagnostic, WrapErr};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// An outcome, and the program that made it: of a training that went on, the last one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored<T> {
    pub(super) revision: String,
    pub(super) outcome: T,
}

impl<T> Stored<T> {
    pub(super) fn map<U>(self, change: impl FnOnce(T) -> U) -> Stored<U> {
        Stored {
            revision: self.revision,
            outcome: change(self.outcome),
        }
    }
}

impl<T: Serialize> Stored<T> {
    pub(super) fn write(&self, path: &Path) -> miette::Result<()> {
        let text = serde_json::to_string_pretty(self).into_diagnostic()?;
        super::write(path, text.as_bytes())
    }
}

impl<T: DeserializeOwned> Stored<T> {
    pub(super) fn read(path: &Path) -> miette::Result<Self> {
        let text = fs::read_to_string(path).into_diagnostic();
        let stored = text.and_then(|text| Self::parse(&text).into_diagnostic());
        stored.wrap_err_with(|| {
            let path = path.display();
            format!("{path} is no outcome of this program; remove it to have it made again")
        })
    }

    /// Files were once outcomes alone.
    fn parse(text: &str) -> serde_json::Result<Self> {
        let value: serde_json::Value = serde_json::from_str(text)?;
        if value.get("revision").is_some() {
            return serde_json::from_str(text);
        }
        Ok(Self {
            revision: "unknown".to_owned(),
            outcome: serde_json::from_str(text)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_read_with_its_revision_and_an_old_one_without() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        let stored = Stored {
            revision: "a program".to_owned(),
            outcome: vec![0.1, 0.2],
        };
        stored.write(&path).unwrap();
        assert_eq!(Stored::read(&path).unwrap(), stored);
        for (old, outcome) in [("[0.1, 0.2]", stored.outcome), ("[]", Vec::new())] {
            fs::write(&path, old).unwrap();
            let read = Stored::<Vec<f64>>::read(&path).unwrap();
            assert_eq!((read.revision.as_str(), read.outcome), ("unknown", outcome));
        }
        fs::write(&path, "{\"revision\": \"a program\"}").unwrap();
        let error = Stored::<Vec<f64>>::read(&path).unwrap_err();
        let chain = format!("{error:?}");
        assert!(
            chain.contains("remove it") && chain.contains("outcome"),
            "{chain}"
        );
    }
}
