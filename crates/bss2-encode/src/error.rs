//! What can be wrong with data and encoders.

use std::io;
use std::path::{Path, PathBuf};

use bss2_event::{EventError, RangeError};
use thiserror::Error;

use crate::shd::SpikeFileFault;
use crate::wav::AudioFault;

/// Why data cannot be read or encoded. Every message about a file names it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The system refuses to read a file.
    #[error("{path} cannot be read: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The system refuses to write a file, or to make or remove one.
    #[error("{path} cannot be written: {source}")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A folder lacks a file of the data set.
    #[error("{folder} has no {name}, nor the same name with .gz or spelled {alternative}")]
    MissingFile {
        /// Folder that was searched.
        folder: PathBuf,
        /// The usual name.
        name: &'static str,
        /// The other spelling.
        alternative: &'static str,
    },
    /// A data set is in none of the places where it is looked for.
    #[error("{data_set} was not found; searched were: {}", list(.searched))]
    NotFound {
        /// Name of the data set.
        data_set: &'static str,
        /// Every folder that was searched.
        searched: Vec<PathBuf>,
    },
    /// A web page was saved in place of the data.
    #[error("{path} looks like HTML: a web page was saved in place of the data, fetch it again")]
    Html {
        /// The file.
        path: PathBuf,
    },
    /// A compressed file ends too early.
    #[error("{path} is a gzip file that ends too early: fetch it again")]
    TruncatedGzip {
        /// The file.
        path: PathBuf,
    },
    /// A compressed file is damaged.
    #[error("{path} is a damaged gzip file ({reason}): fetch it again")]
    DamagedGzip {
        /// The file.
        path: PathBuf,
        /// What the decoder says.
        reason: String,
    },
    /// The magic number is that of another kind of file.
    #[error(
        "{path} begins with {found:#010x}, but IDX files of {expected} begin with {magic:#010x}{hint}"
    )]
    Magic {
        /// The file.
        path: PathBuf,
        /// First four bytes as a big-endian number.
        found: u32,
        /// What the file should hold.
        expected: &'static str,
        /// The right magic number.
        magic: u32,
        /// What the file seems to be, if known.
        hint: &'static str,
    },
    /// A file ends before its payload does.
    #[error("{path} ends too early: {found} of {expected} bytes are there")]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Unzipped bytes that the header asks for, itself included.
        expected: u64,
        /// Unzipped bytes found.
        found: u64,
    },
    /// A file goes on after its payload.
    #[error("{path} has bytes after its end at {expected}: its header and its data do not fit")]
    TrailingBytes {
        /// The file.
        path: PathBuf,
        /// Unzipped bytes that the header asks for, itself included.
        expected: u64,
    },
    /// A file's dimensions cannot be used.
    #[error("{path} holds {dimensions:?} values, but {reason}")]
    Dimensions {
        /// The file.
        path: PathBuf,
        /// Dimensions as the header gives them.
        dimensions: Vec<u32>,
        /// What is wrong with them.
        reason: &'static str,
    },
    /// The content of a file is not what the manifest says.
    #[error("{path} is not {expected}: {found}")]
    Checksum {
        /// The file.
        path: PathBuf,
        /// Data set and part that were expected.
        expected: String,
        /// What it is instead, or how the checksums differ.
        found: String,
    },
    /// Images and labels do not belong together.
    #[error("{images} images in {image_source}, but {labels} labels in {label_source}")]
    Count {
        /// Where the images come from.
        image_source: String,
        /// Number of images.
        images: usize,
        /// Where the labels come from.
        label_source: String,
        /// Number of labels.
        labels: usize,
    },
    /// A label names no class.
    #[error("{source_name}: label {index} is {label}, but classes are 0 to {largest}")]
    Label {
        /// Where the labels come from.
        source_name: String,
        /// Which label.
        index: usize,
        /// Its value.
        label: u8,
        /// The largest class.
        largest: u8,
    },
    /// An image has another size than is needed.
    #[error("{name}: images are {found} pixels wide, but {need}")]
    ImageSize {
        /// Name of the image set.
        name: String,
        /// Side of its images.
        found: usize,
        /// What is needed.
        need: String,
    },
    /// An index points past the end of a set.
    #[error("{name} has {len} samples, there is no sample {index}")]
    Index {
        /// Name of the set.
        name: String,
        /// The index as given.
        index: u64,
        /// Number of samples.
        len: usize,
    },
    /// A sample of spikes cannot be used.
    #[error("{set}, sample {sample}: {fault}")]
    Sample {
        /// File or set.
        set: String,
        /// Which sample, from 0.
        sample: usize,
        /// What is wrong with it.
        fault: String,
    },
    /// A folder of recordings cannot be used.
    #[error("{folder} cannot be used:\n{}", .faults.join("\n"))]
    Recordings {
        /// The folder.
        folder: PathBuf,
        /// What is wrong, file by file.
        faults: Vec<String>,
    },
    /// A set cannot be split as asked for.
    #[error("{name} cannot be split: {fault}")]
    Split {
        /// Name of the set.
        name: String,
        /// What is wrong.
        fault: String,
    },
    /// A spike file cannot be used.
    #[error("{path} cannot be used: {fault}")]
    SpikeFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: SpikeFileFault,
    },
    /// A recording cannot be used.
    #[error("{path} cannot be used: {fault}")]
    Audio {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: AudioFault,
    },
    /// A setting is outside its range.
    #[error(transparent)]
    Range(#[from] RangeError),
    /// A batch does not take the spikes.
    #[error(transparent)]
    Event(#[from] EventError),
}

fn list(folders: &[PathBuf]) -> String {
    let names: Vec<_> = folders.iter().map(|f| f.display().to_string()).collect();
    names.join(", ")
}

impl EncodeError {
    /// Refuses the first index that points past the end of a set.
    pub(crate) fn check_indices(name: &str, len: usize, indices: &[u32]) -> Result<(), Self> {
        match indices.iter().find(|&&index| index as usize >= len) {
            None => Ok(()),
            Some(&index) => Err(Self::Index {
                name: name.to_owned(),
                index: index.into(),
                len,
            }),
        }
    }

    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            source,
        }
    }

    /// What the system says of a file that is written.
    pub fn write(path: &Path, source: io::Error) -> Self {
        Self::Write {
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn audio(path: &Path, fault: AudioFault) -> Self {
        Self::Audio {
            path: path.to_owned(),
            fault,
        }
    }
}
