//! What the files of a data set must contain, and where they are published.
//!
//! The manifests are the TOML files in the project's `datasets` folder. They
//! hold no data.

use std::fmt;
use std::path::Path;
use std::sync::LazyLock;

use md5::Md5;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::error::EncodeError;
use crate::idx::{self, IdxKind};

/// An image data set that is published as four IDX files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DataSet {
    /// Handwritten digits.
    Mnist,
    /// Articles of clothing in MNIST's format.
    FashionMnist,
}

/// One of the four files of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Images to train on.
    TrainImages,
    /// Classes of the images to train on.
    TrainLabels,
    /// Images to test on.
    TestImages,
    /// Classes of the images to test on.
    TestLabels,
}

impl DataSet {
    /// All data sets with a manifest.
    pub const ALL: [Self; 2] = [Self::Mnist, Self::FashionMnist];

    /// What is known about its files.
    #[must_use]
    pub fn manifest(self) -> &'static Manifest {
        static MANIFESTS: LazyLock<[Manifest; 2]> = LazyLock::new(|| {
            [
                include_str!("../../../datasets/mnist.toml"),
                include_str!("../../../datasets/fashion-mnist.toml"),
            ]
            .map(|text| toml::from_str(text).expect("manifests are tested"))
        });
        &MANIFESTS[self as usize]
    }
}

impl Part {
    /// All four files.
    pub const ALL: [Self; 4] = [
        Self::TrainImages,
        Self::TrainLabels,
        Self::TestImages,
        Self::TestLabels,
    ];

    /// Name of the file without `.gz`.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Self::TrainImages => "train-images-idx3-ubyte",
            Self::TrainLabels => "train-labels-idx1-ubyte",
            Self::TestImages => "t10k-images-idx3-ubyte",
            Self::TestLabels => "t10k-labels-idx1-ubyte",
        }
    }

    /// The other spelling of the name that is in use.
    #[must_use]
    pub fn alternative_name(self) -> &'static str {
        match self {
            Self::TrainImages => "train-images.idx3-ubyte",
            Self::TrainLabels => "train-labels.idx1-ubyte",
            Self::TestImages => "t10k-images.idx3-ubyte",
            Self::TestLabels => "t10k-labels.idx1-ubyte",
        }
    }

    /// What the file holds.
    #[must_use]
    pub fn kind(self) -> IdxKind {
        match self {
            Self::TrainImages | Self::TestImages => IdxKind::Images,
            Self::TrainLabels | Self::TestLabels => IdxKind::Labels,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TrainImages => "training images",
            Self::TrainLabels => "training labels",
            Self::TestImages => "test images",
            Self::TestLabels => "test labels",
        })
    }
}

/// Sources, licence and checksums of a data set.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Name for people.
    pub name: String,
    /// Names of the folder the files usually lie in, the preferred one first.
    pub folders: Vec<String>,
    /// Where the data set is described.
    pub homepage: String,
    /// Licence of the data.
    pub licence: String,
    /// What to cite.
    pub citation: String,
    /// Addresses that the name of an archive is appended to.
    mirrors: Vec<String>,
    train_images: FileRecord,
    train_labels: FileRecord,
    test_images: FileRecord,
    test_labels: FileRecord,
}

/// Size and checksums of an unzipped file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRecord {
    /// Bytes.
    pub bytes: u64,
    /// SHA-256 in lower-case hexadecimal digits; decides where it is known.
    pub sha256: Option<String>,
    /// MD5 in lower-case hexadecimal digits.
    pub md5: String,
}

impl Manifest {
    /// Size and checksums of one file.
    #[must_use]
    pub fn file(&self, part: Part) -> &FileRecord {
        match part {
            Part::TrainImages => &self.train_images,
            Part::TrainLabels => &self.train_labels,
            Part::TestImages => &self.test_images,
            Part::TestLabels => &self.test_labels,
        }
    }

    /// Addresses of one file's archive, in the order to try them.
    #[must_use]
    pub fn urls(&self, part: Part) -> Vec<String> {
        self.mirrors
            .iter()
            .map(|mirror| format!("{mirror}{}.gz", part.file_name()))
            .collect()
    }

    /// Checks the bytes of a downloaded file, compressed or not, before they
    /// are trusted. Errors call it `path`.
    ///
    /// # Errors
    /// As [`idx::read`], and [`EncodeError::Checksum`].
    pub fn verify(&self, part: Part, bytes: &[u8], path: &Path) -> Result<(), EncodeError> {
        self.verify_pieces(
            part,
            idx::read_from(bytes, path, part.kind())?.pieces(),
            path,
        )
    }

    pub(crate) fn verify_pieces(
        &self,
        part: Part,
        pieces: [&[u8]; 2],
        path: &Path,
    ) -> Result<(), EncodeError> {
        let record = self.file(part);
        if record.matches(pieces) {
            return Ok(());
        }
        let found = match identify(pieces) {
            Some((other, other_part)) => {
                format!("this is {}'s {other_part}", other.manifest().name)
            }
            None => record.difference(pieces),
        };
        Err(EncodeError::Checksum {
            path: path.to_owned(),
            expected: format!("{}'s {part}", self.name),
            found,
        })
    }
}

impl FileRecord {
    fn matches(&self, pieces: [&[u8]; 2]) -> bool {
        if self.bytes != pieces.iter().map(|p| p.len() as u64).sum::<u64>() {
            return false;
        }
        match &self.sha256 {
            Some(sha256) => *sha256 == digest::<Sha256>(pieces),
            None => self.md5 == digest::<Md5>(pieces),
        }
    }

    fn difference(&self, pieces: [&[u8]; 2]) -> String {
        let bytes = pieces.iter().map(|p| p.len() as u64).sum::<u64>();
        if bytes != self.bytes {
            return format!("unzipped it has {bytes} bytes in place of {}", self.bytes);
        }
        let (name, wanted, found) = match &self.sha256 {
            Some(sha256) => ("SHA-256", sha256, digest::<Sha256>(pieces)),
            None => ("MD5", &self.md5, digest::<Md5>(pieces)),
        };
        format!("its {name} is {found} in place of {wanted}; it is damaged, fetch it again")
    }
}

/// Which published file this is, told by its unzipped content.
#[must_use]
pub fn identify(pieces: [&[u8]; 2]) -> Option<(DataSet, Part)> {
    DataSet::ALL
        .into_iter()
        .flat_map(|set| Part::ALL.map(|part| (set, part)))
        .find(|&(set, part)| set.manifest().file(part).matches(pieces))
}

fn digest<D: Digest>(pieces: [&[u8]; 2]) -> String {
    let mut hash = D::new();
    for piece in pieces {
        hash.update(piece);
    }
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_are_complete() {
        for set in DataSet::ALL {
            let manifest = set.manifest();
            assert!(!manifest.licence.is_empty() && !manifest.citation.is_empty());
            for part in Part::ALL {
                let record = manifest.file(part);
                assert!(record.bytes > 10_000);
                assert_eq!(record.md5.len(), 32, "{} {part}", manifest.name);
                assert!(record.sha256.as_ref().is_none_or(|sum| sum.len() == 64));
                let urls = manifest.urls(part);
                assert!(urls.len() > 1);
                assert!(urls.iter().all(|url| url.ends_with("ubyte.gz")));
            }
        }
        assert!(DataSet::Mnist.manifest().train_images.sha256.is_some());
    }

    #[test]
    fn digests_are_the_published_ones() {
        let pieces: [&[u8]; 2] = [b"a", b"bc"];
        assert_eq!(digest::<Md5>(pieces), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(
            digest::<Sha256>(pieces),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
