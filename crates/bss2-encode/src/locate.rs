//! Where the files of a data set lie.

use std::env;
use std::path::{Path, PathBuf};

use crate::dataset::file_of;
use crate::error::EncodeError;
use crate::manifest::{DataSet, Part};
use crate::recordings::is_recording;

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
    search(set, &candidates(explicit))
}

/// Files of the Spiking Heidelberg Digits, unzipped: to train and to test on.
pub const SHD_FILES: [&str; 2] = ["shd_train.h5", "shd_test.h5"];

/// Finds the folder of the Spiking Heidelberg Digits, where [`find_mnist`]
/// would look; its name may be `shd`.
///
/// # Errors
/// [`EncodeError::NotFound`] with every folder that was searched.
pub fn find_shd(explicit: Option<&Path>) -> Result<Found, EncodeError> {
    let holds =
        |folder: &Path| Holds::all_if(SHD_FILES.iter().all(|name| folder.join(name).is_file()));
    let candidates = candidates(explicit);
    find("Spiking Heidelberg Digits", &["shd"], &candidates, holds)
}

/// Finds the recordings of the Free Spoken Digit Dataset, where [`find_mnist`]
/// would look: any folder `recordings`, `fsdd` or `fsdd/recordings`, or the
/// named one itself, with files that end in `.wav`, or in `.WAV`, which
/// [`crate::list_recordings`] then complains of.
///
/// # Errors
/// [`EncodeError::NotFound`] with every folder that was searched.
pub fn find_fsdd(explicit: Option<&Path>) -> Result<Found, EncodeError> {
    let names = [
        "fsdd/recordings",
        "free-spoken-digit-dataset/recordings",
        "recordings",
        "fsdd",
    ];
    let candidates = candidates(explicit);
    let find = |fits: fn(&Path) -> bool| {
        find(
            "Free Spoken Digit Dataset",
            &names,
            &candidates,
            |folder: &Path| {
                Holds::all_if(std::fs::read_dir(folder).is_ok_and(|entries| {
                    let mut files = entries.filter_map(|entry| Some(entry.ok()?.path()));
                    files.any(|path| fits(&path))
                }))
            },
        )
    };
    // Names in capitals are an error that is told, where there are no others anywhere.
    let named = |path: &Path| is_recording(path) && path.extension().is_some_and(|e| e == "wav");
    find(named).or_else(|missing| find(is_recording).map_err(|_| missing))
}

/// What a folder is that may hold a data set.
enum Holds {
    All,
    /// Only some of its files: what is missing.
    Part(EncodeError),
    Nothing,
}

impl Holds {
    fn all_if(all: bool) -> Self {
        if all { Self::All } else { Self::Nothing }
    }
}

/// The first of some folders, or of subfolders in them, that holds all of a data set.
fn find(
    data_set: &'static str,
    subfolders: &[impl AsRef<Path>],
    candidates: &[(Origin, PathBuf)],
    holds: impl Fn(&Path) -> Holds,
) -> Result<Found, EncodeError> {
    let mut incomplete = None;
    for (origin, folder) in candidates {
        let within = subfolders.iter().map(|name| folder.join(name));
        for folder in std::iter::once(folder.clone()).chain(within) {
            match holds(&folder) {
                Holds::All => {
                    return Ok(Found {
                        folder,
                        origin: *origin,
                    });
                }
                Holds::Part(missing) => _ = incomplete.get_or_insert(missing),
                Holds::Nothing => {}
            }
        }
    }
    let folders = candidates.iter().map(|(_, folder)| folder.clone());
    Err(incomplete.unwrap_or_else(|| EncodeError::NotFound {
        data_set,
        searched: folders.collect(),
    }))
}

/// Folders to search, in their order.
fn candidates(explicit: Option<&Path>) -> Vec<(Origin, PathBuf)> {
    if let Some(folder) = explicit {
        return vec![(Origin::Explicit, folder.to_owned())];
    }
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

fn search(set: DataSet, candidates: &[(Origin, PathBuf)]) -> Result<Found, EncodeError> {
    let manifest = set.manifest();
    find(&manifest.name, &manifest.folders, candidates, |folder| {
        let missing = Part::ALL
            .into_iter()
            .filter_map(|part| file_of(folder, part).err());
        let mut missing: Vec<EncodeError> = missing.collect();
        match missing.len() {
            0 => Holds::All,
            all if all == Part::ALL.len() => Holds::Nothing,
            _ => Holds::Part(missing.remove(0)),
        }
    })
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

    #[test]
    fn recordings_are_found_whether_their_ending_is_large_or_small() {
        let root = tempfile::tempdir().unwrap();
        let at = root.path();
        fs::create_dir_all(at.join("recordings/more.wav")).unwrap();
        fs::write(at.join("recordings/._0_a_0.wav"), b"x").unwrap();
        assert!(find_fsdd(Some(at)).is_err());
        fs::write(at.join("recordings/0_a_0.WAV"), b"x").unwrap();
        let found = find_fsdd(Some(at)).unwrap();
        assert_eq!(found.folder, at.join("recordings"));
    }

    #[test]
    fn speech_is_found_by_its_files() {
        let root = tempfile::tempdir().unwrap();
        let at = root.path();
        let error = find_shd(Some(at)).unwrap_err().to_string();
        assert!(
            error.starts_with("Spiking Heidelberg Digits was not found"),
            "{error}"
        );
        assert!(find_fsdd(Some(at)).is_err());
        for name in [
            "shd/shd_train.h5",
            "fsdd/recordings/0_a_0.wav",
            "shd/shd_test.h5",
        ] {
            assert!(find_shd(Some(at)).is_err());
            let path = at.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"x").unwrap();
        }
        assert_eq!(find_shd(Some(at)).unwrap().folder, at.join("shd"));
        let found = find_fsdd(Some(at)).unwrap();
        assert_eq!(found.folder, at.join("fsdd/recordings"));
        assert_eq!(found.origin, Origin::Explicit);
    }
}
