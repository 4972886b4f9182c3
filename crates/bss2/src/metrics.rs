//! What a run reports per epoch, and its file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::files::write_atomically;

/// The figures of one epoch: one line of `metrics.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochMetrics {
    /// Number of the epoch, from 1.
    pub epoch: u32,
    /// Mean loss over the training images, regularisers included.
    pub loss: f64,
    /// Share of training images that were classified rightly when they were
    /// shown, 0 to 1.
    pub train_accuracy: f64,
    /// Share of test images that are classified rightly after the epoch, 0 to 1; none
    /// after an epoch without a test.
    // By name, as a key that is missing would be none as well.
    #[serde(deserialize_with = "Option::deserialize")]
    pub test_accuracy: Option<f64>,
    /// Mean number of hidden spikes per training image.
    pub hidden_spikes_per_image: f64,
    /// Mean number of events per training image that a link or a bus of the chip
    /// could not carry, or that the reset of inference mode took.
    #[serde(default)]
    pub lost_events_per_image: f64,
    /// Mean number of input spikes per training image or recording that come
    /// past the window, in inference mode past its slot.
    #[serde(default)]
    pub lost_inputs_per_image: f64,
    /// Training images per second of this epoch, without the test.
    pub images_per_s: f64,
    /// Seconds that the run has taken so far, over all its sessions.
    pub wall_s: f64,
    /// Name of the data set.
    pub data: String,
}

/// What can be wrong with a metrics file.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MetricsError {
    /// The file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A line is not the metrics of the epoch that is due.
    #[error("{path}, line {line}: {reason}")]
    Line {
        /// The file.
        path: PathBuf,
        /// Number of the line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
}

/// Reads a metrics file; a missing one holds no epochs.
///
/// # Errors
/// [`MetricsError::Io`]; [`MetricsError::Line`] when a line cannot be read or
/// the epochs do not count 1, 2, 3, ...
pub fn read(path: &Path) -> Result<Vec<EpochMetrics>, MetricsError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => {
            return Err(MetricsError::Io {
                path: path.to_owned(),
                source,
            });
        }
    };
    text.lines()
        .enumerate()
        .map(|(i, line)| {
            let fail = |reason| MetricsError::Line {
                path: path.to_owned(),
                line: i + 1,
                reason,
            };
            let metrics: EpochMetrics =
                serde_json::from_str(line).map_err(|error| fail(error.to_string()))?;
            if metrics.epoch as usize != i + 1 {
                return Err(fail(format!(
                    "epoch {} stands where {} is due",
                    metrics.epoch,
                    i + 1
                )));
            }
            Ok(metrics)
        })
        .collect()
}

/// Writes all epochs, replacing the file as a whole.
///
/// # Errors
/// [`MetricsError::Io`]; the file then is as before.
pub fn write(path: &Path, epochs: &[EpochMetrics]) -> Result<(), MetricsError> {
    let mut text = String::new();
    for epoch in epochs {
        text += &serde_json::to_string(epoch).expect("numbers and text are JSON");
        text.push('\n');
    }
    write_atomically(path, text.as_bytes()).map_err(|source| MetricsError::Io {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(epoch: u32) -> EpochMetrics {
        EpochMetrics {
            epoch,
            loss: 0.1 + 0.2,
            train_accuracy: 0.9,
            test_accuracy: (epoch > 1).then_some(1.0 / 3.0),
            hidden_spikes_per_image: 12.5,
            lost_events_per_image: 0.0,
            lost_inputs_per_image: 0.0,
            images_per_s: 1e5,
            wall_s: 2.0,
            data: "generated digits".into(),
        }
    }

    #[test]
    fn what_is_written_is_read_back_to_the_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        assert_eq!(read(&path).unwrap(), []);
        let epochs = vec![epoch(1), epoch(2)];
        write(&path, &epochs).unwrap();
        assert_eq!(read(&path).unwrap(), epochs);
    }

    #[test]
    fn a_damaged_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        write(&path, &[epoch(1), epoch(3)]).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(
            error.contains("line 2: epoch 3 stands where 2 is due"),
            "{error}"
        );
        fs::write(&path, "{\"epoch\":1,").unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("line 1"));
        let line = serde_json::to_string(&epoch(1)).unwrap();
        assert!(line.contains("\"test_accuracy\":null,"), "{line}");
        fs::write(&path, line.replace("\"test_accuracy\":null,", "")).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("test_accuracy"), "{error}");
    }
}
