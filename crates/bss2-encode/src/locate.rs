//! Where the files of a data set lie.

use std::env;
use std::path::{Path, PathBuf};

use crate::dataset::file_of;
use crate::error::EncodeError;
use crate::manifest::{DataSet, Part};

/// Environment variable that names a folder of data.
pub const DATA_VARIABLE: &str = "BSS2_DATA";
/// Folder that downloads go to.
pub const CACHE: &str = "datasets/cache";
/// Folder beside the project that several checkouts may share.
const SHARED: &str = "../shared/data";

/// How a folder came to be searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The caller named it.
    Explicit,
    /// [`DATA_VARIABLE`] names it.
    Environment,
    /// It is [`CACHE`].
    Cache,
    /// It is the shared folder beside the project.
    Shared,
}

/// A folder that holds a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The folder with the four files.
    pub folder: PathBuf,
    /// How it came to be searched.
    pub origin: Origin,
}

/// Finds the folder of a data set.
///
/// A folder that the caller names is the only one searched. Otherwise come
/// `BSS2_DATA`, `datasets/cache` and `../shared/data`, in this order; each
/// may hold the files themselves or in a subfolder named after the data set
/// ([`crate::Manifest::folders`]). All four files must be there. Relative
/// paths start at the current folder.
///
/// # Errors
/// [`EncodeError::NotFound`] with every folder that was searched;
/// [`EncodeError::MissingFile`] for a folder that holds some of the files.
pub fn find_mnist(set: DataSet, explicit: Option<&Path>) -> Result<Found, EncodeError> {
    let candidates = match explicit {
        Some(folder) => vec![(Origin::Explicit, folder.to_owned())],
        None => {
            let variable = env::var_os(DATA_VARIABLE).filter(|value| !value.is_empty());
            variable
                .map(|value| (Origin::Environment, PathBuf::from(value)))
                .into_iter()
                .chain([
                    (Origin::Cache, PathBuf::from(CACHE)),
                    (Origin::Shared, PathBuf::from(SHARED)),
                ])
                .collect()
        }
    };
    search(set, &candidates)
}

fn search(set: DataSet, candidates: &[(Origin, PathBuf)]) -> Result<Found, EncodeError> {
    let manifest = set.manifest();
    let mut incomplete = None;
    for (origin, folder) in candidates {
        let subfolders = manifest.folders.iter().map(|name| folder.join(name));
        for folder in std::iter::once(folder.clone()).chain(subfolders) {
            let missing: Vec<EncodeError> = Part::ALL
                .into_iter()
                .filter_map(|part| file_of(&folder, part).err())
                .collect();
            if missing.is_empty() {
                return Ok(Found {
                    folder,
                    origin: *origin,
                });
            }
            if missing.len() < Part::ALL.len() && incomplete.is_none() {
                incomplete = missing.into_iter().next();
            }
        }
    }
    Err(incomplete.unwrap_or_else(|| EncodeError::NotFound {
        data_set: &manifest.name,
        searched: candidates
            .iter()
            .map(|(_, folder)| folder.clone())
            .collect(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn fill(folder: &Path, parts: &[Part], alternative: bool) {
        fs::create_dir_all(folder).unwrap();
        for part in parts {
            let name = if alternative {
                part.alternative_name().to_owned()
            } else {
                format!("{}.gz", part.file_name())
            };
            fs::write(folder.join(name), b"x").unwrap();
        }
    }

    #[test]
    fn the_first_complete_folder_wins() {
        let root = tempfile::tempdir().unwrap();
        let place = |name: &str| root.path().join(name);
        let candidates = [
            (Origin::Environment, place("a")),
            (Origin::Cache, place("b")),
            (Origin::Shared, place("c")),
        ];
        let error = search(DataSet::Mnist, &candidates).unwrap_err().to_string();
        assert!(error.starts_with("MNIST was not found"), "{error}");
        assert!(error.contains("/c"), "{error}");

        fill(&place("a"), &Part::ALL[..3], false);
        let error = search(DataSet::Mnist, &candidates).unwrap_err().to_string();
        assert!(error.contains("has no t10k-labels-idx1-ubyte"), "{error}");

        fill(&place("c"), &Part::ALL, false);
        let found = search(DataSet::Mnist, &candidates).unwrap();
        assert_eq!(found.origin, Origin::Shared);

        fill(&place("b/mnist"), &Part::ALL, true);
        let found = search(DataSet::Mnist, &candidates).unwrap();
        assert_eq!(
            (found.origin, found.folder),
            (Origin::Cache, place("b/mnist"))
        );
        let fashion = search(DataSet::FashionMnist, &candidates[..2]);
        assert!(
            fashion.is_err(),
            "MNIST's folder is not taken for Fashion-MNIST's"
        );
    }
}
