//! The folder of a run and what lies in it.
//!
//! | file | content |
//! |---|---|
//! | `config.toml` | the whole experiment, resolved; `--config` reads it back |
//! | `metrics.jsonl` | one line per epoch ([`crate::metrics::EpochMetrics`]) |
//! | `last.ckpt` | state of training, from which the run goes on |
//! | `best.ckpt` | state after the epoch of highest test accuracy, of those that were tested |
//! | `learning_curve.svg` | loss and accuracy over epochs |
//! | `.lock` | empty, held by the process at work |
//!
//! Every file is replaced as a whole, so that a run killed at any moment can
//! be resumed.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use thiserror::Error;

use crate::config::{self, ConfigError, Difference, Experiment};
use crate::files::{TEMPORARY_PREFIX, write_atomically};

const CONFIG: &str = "config.toml";
/// Empty; locked by the process that holds the folder. A file of its own, since
/// all others are replaced.
const LOCK: &str = ".lock";

/// The folder of a run, held by this process alone.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// What its configuration becomes once the training has accepted it.
    asked: Option<Experiment>,
    /// Locked as long as the folder is held.
    _lock: File,
}

/// Why a folder cannot hold a run.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
pub enum RunFolderError {
    /// The system refuses.
    #[error("{path}: {source}")]
    #[diagnostic(help("the run folder must be writable; choose another with --out"))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Something is there already.
    #[error("the folder {path} is not empty")]
    #[diagnostic(help("go on with the run in it by --resume, or choose another with --out"))]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// There is no run to go on with.
    #[error("{path} holds no run: there is no config.toml")]
    NoRun {
        /// The folder.
        path: PathBuf,
    },
    /// Another process works here.
    #[error("another process is at work in {path}")]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// The run was started with another configuration.
    #[error("the run in {path} was started with another configuration:\n{}", list(.differences))]
    #[diagnostic(help(
        "leave these settings as they were, or start a new run with another --out; \
         only epochs, the keys of [run] and data.folder may change"
    ))]
    Different {
        /// The folder.
        path: PathBuf,
        /// Every key that differs.
        differences: Vec<Difference>,
    },
    /// The run's configuration cannot be read.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Config(#[from] ConfigError),
}

fn list(differences: &[Difference]) -> String {
    let lines: Vec<String> = differences
        .iter()
        .map(|d| format!("  {} was {} and now is {}", d.key, d.was, d.asked))
        .collect();
    lines.join("\n")
}

impl RunFolder {
    /// Starts a run in a new or empty folder and writes its configuration.
    ///
    /// # Errors
    /// [`RunFolderError::NotEmpty`], [`RunFolderError::Io`].
    pub fn create(path: &Path, experiment: &Experiment) -> Result<Self, RunFolderError> {
        Self::check_free(path)?;
        fs::create_dir_all(path).map_err(|error| at(path, error))?;
        let folder = Self::hold(path)?;
        // Another process may have been faster.
        Self::check_free(path)?;
        write_config(path, experiment)?;
        Ok(folder)
    }

    /// Starts a run in the first folder `NAME-1`, `NAME-2`, ... below `parent` that is free,
    /// whoever else looks for one meanwhile.
    ///
    /// # Errors
    /// [`RunFolderError::Io`].
    pub fn create_next(
        parent: &Path,
        name: &str,
        experiment: &Experiment,
    ) -> Result<Self, RunFolderError> {
        let mut paths = (1_u64..).map(|i| parent.join(format!("{name}-{i}")));
        loop {
            let path = paths.find(|path| !path.exists());
            let path = path.expect("there are more numbers than folders");
            match Self::create(&path, experiment) {
                Err(RunFolderError::NotEmpty { .. } | RunFolderError::Busy { .. }) => {}
                other => return other,
            }
        }
    }

    /// Whether a run could be started here, without touching anything.
    ///
    /// # Errors
    /// [`RunFolderError::NotEmpty`], [`RunFolderError::Io`].
    pub fn check_free(path: &Path) -> Result<(), RunFolderError> {
        // A lock and half-written files of a process that was killed are nothing.
        let nothing = |entry: fs::DirEntry| is_temporary(&entry) || entry.file_name() == LOCK;
        let free = |entries: fs::ReadDir| entries.flatten().all(nothing);
        match fs::read_dir(path).map(free) {
            Ok(true) => Ok(()),
            Ok(false) => Err(RunFolderError::NotEmpty {
                path: path.to_owned(),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(at(path, error)),
        }
    }

    /// The configuration of the run in a folder.
    ///
    /// # Errors
    /// [`RunFolderError::NoRun`], [`RunFolderError::Config`].
    pub fn read_config(path: &Path) -> Result<Experiment, RunFolderError> {
        Ok(config::load(Some(&Self::config_path(path)?), &[])?)
    }

    /// Where the configuration of the run in a folder lies.
    ///
    /// # Errors
    /// [`RunFolderError::NoRun`].
    pub fn config_path(path: &Path) -> Result<PathBuf, RunFolderError> {
        let config = path.join(CONFIG);
        if config.is_file() {
            Ok(config)
        } else {
            Err(RunFolderError::NoRun {
                path: path.to_owned(),
            })
        }
    }

    /// Holds the folder of a run to go on with it, under a configuration that may differ
    /// from the run's where that cannot change its result. It is written by
    /// [`RunFolder::accept`]: a run that refuses it stays as it was.
    ///
    /// # Errors
    /// [`RunFolderError::Different`] with every key; the others as
    /// [`RunFolder::read_config`], [`RunFolderError::Busy`].
    pub fn resume(path: &Path, experiment: &Experiment) -> Result<Self, RunFolderError> {
        Self::config_path(path)?;
        let mut folder = Self::hold(path)?;
        let mut was = Self::read_config(path)?;
        let mut experiment = experiment.clone();
        // As they are recorded; an older version kept them as they were given.
        was.make_paths_absolute();
        experiment.make_paths_absolute();
        // Nobody writes a checksum into a file: the run's own counts.
        if let (Some(asked), Some(was)) = (&mut experiment.init, &was.init)
            && asked.file == was.file
        {
            asked.checksum = asked.checksum.or(was.checksum);
        }
        let differences = config::obstacles(&was, &experiment);
        if !differences.is_empty() {
            return Err(RunFolderError::Different {
                path: path.to_owned(),
                differences,
            });
        }
        folder.asked = (was != experiment).then_some(experiment);
        Ok(folder)
    }

    /// Writes the configuration under which the run goes on.
    ///
    /// # Errors
    /// [`RunFolderError::Io`].
    pub fn accept(&self) -> Result<(), RunFolderError> {
        (self.asked.as_ref()).map_or(Ok(()), |experiment| write_config(&self.path, experiment))
    }

    fn hold(path: &Path) -> Result<Self, RunFolderError> {
        let file = path.join(LOCK);
        let lock = File::create(&file).map_err(|error| at(&file, error))?;
        match lock.try_lock() {
            Ok(()) => {
                remove_temporaries(path);
                Ok(Self {
                    path: path.to_owned(),
                    asked: None,
                    _lock: lock,
                })
            }
            Err(TryLockError::WouldBlock) => Err(RunFolderError::Busy {
                path: path.to_owned(),
            }),
            Err(TryLockError::Error(error)) => Err(at(&file, error)),
        }
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
    /// The metrics of all epochs.
    #[must_use]
    pub fn metrics(&self) -> PathBuf {
        metrics_path(&self.path)
    }
    /// The state from which the run goes on.
    #[must_use]
    pub fn last_checkpoint(&self) -> PathBuf {
        last_checkpoint_path(&self.path)
    }
    /// The state of highest test accuracy; there is none before the first test.
    #[must_use]
    pub fn best_checkpoint(&self) -> PathBuf {
        best_checkpoint_path(&self.path)
    }

    /// Writes the picture of the learning curve.
    ///
    /// # Errors
    /// [`RunFolderError::Io`].
    pub fn write_curve(&self, svg: &str) -> Result<(), RunFolderError> {
        let path = self.path.join("learning_curve.svg");
        write_atomically(&path, svg.as_bytes()).map_err(|error| at(&path, error))
    }
}

/// Where the state of a run lies.
#[must_use]
pub fn last_checkpoint_path(run: &Path) -> PathBuf {
    run.join("last.ckpt")
}

/// Where the state of highest test accuracy lies.
#[must_use]
pub fn best_checkpoint_path(run: &Path) -> PathBuf {
    run.join("best.ckpt")
}

/// Where the metrics of a run lie.
#[must_use]
pub fn metrics_path(run: &Path) -> PathBuf {
    run.join("metrics.jsonl")
}

/// Whether a file was being written when its process died.
fn is_temporary(entry: &fs::DirEntry) -> bool {
    entry
        .file_name()
        .to_string_lossy()
        .starts_with(TEMPORARY_PREFIX)
}

/// Cleans up after processes that were killed; what cannot be removed does no harm.
fn remove_temporaries(path: &Path) {
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if is_temporary(&entry) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn write_config(path: &Path, experiment: &Experiment) -> Result<(), RunFolderError> {
    let config = path.join(CONFIG);
    let mut experiment = experiment.clone();
    // So that it is the same from every folder.
    experiment.make_paths_absolute();
    let text = config::to_toml(&experiment);
    write_atomically(&config, text.as_bytes()).map_err(|error| at(&config, error))
}

fn at(path: &Path, source: io::Error) -> RunFolderError {
    RunFolderError::Io {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_started_once_resumed_often_and_held_by_one() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("run");
        let experiment = Experiment::default();
        assert!(matches!(
            RunFolder::resume(&path, &experiment),
            Err(RunFolderError::NoRun { .. })
        ));
        fs::create_dir(&path).unwrap();
        // What somebody else put there is not ours to remove.
        fs::write(path.join(".tmp123"), "notes").unwrap();
        assert!(matches!(
            RunFolder::create(&path, &experiment),
            Err(RunFolderError::NotEmpty { .. })
        ));
        fs::remove_file(path.join(".tmp123")).unwrap();
        let half = path.join(format!("{TEMPORARY_PREFIX}123"));
        fs::write(&half, "half").unwrap();
        let held = RunFolder::create(&path, &experiment).unwrap();
        assert!(!half.exists());
        assert_eq!(RunFolder::read_config(&path).unwrap(), experiment);
        assert!(matches!(
            RunFolder::create(&path, &experiment),
            Err(RunFolderError::NotEmpty { .. })
        ));
        assert!(matches!(
            RunFolder::resume(&path, &experiment),
            Err(RunFolderError::Busy { .. })
        ));
        drop(held);
        let mut longer = experiment.clone();
        longer.epochs += 1;
        let held = RunFolder::resume(&path, &longer).unwrap();
        assert_eq!(RunFolder::read_config(&path).unwrap(), experiment);
        held.accept().unwrap();
        drop(held);
        assert_eq!(RunFolder::read_config(&path).unwrap(), longer);
        longer.train.seed.0 += 1;
        let error = RunFolder::resume(&path, &longer).unwrap_err().to_string();
        assert!(error.contains("train.seed was 0 and now is 1"), "{error}");
    }

    #[test]
    fn runs_that_begin_together_take_folders_of_their_own() {
        let parent = tempfile::tempdir().unwrap();
        fs::create_dir(parent.path().join("run-3")).unwrap();
        let experiment = Experiment::default();
        let create = || RunFolder::create_next(parent.path(), "run", &experiment).unwrap();
        let mut names: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(create)).collect();
            let folders = threads.into_iter().map(|thread| thread.join().unwrap());
            folders.map(|folder| folder.path().to_owned()).collect()
        });
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 8, "{names:?}");
        assert!(
            names
                .iter()
                .all(|name| *name != parent.path().join("run-3"))
        );
    }
}
