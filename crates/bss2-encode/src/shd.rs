//! Spike files in the layout of the Spiking Heidelberg Digits (HDF5).
//!
//! | dataset | content |
//! |---|---|
//! | `spikes/times` | a row of seconds for each sample, of its own length |
//! | `spikes/units` | the channels of these spikes |
//! | `labels` | class of each sample |
//! | `extra/speaker` | speaker of each sample |
//! | `extra/keys` | name of each class |
//! | `extra/meta_info/gender`, `age`, `body_height` | of each speaker |
//! | `extra/speaker_names`, `extra/recording` | ours: name of each speaker, recording of each sample |
//!
//! The number of channels is the attribute `channels` of `spikes/units`, which
//! is ours, and 700 where a file lacks it. What of `extra/meta_info` and of our
//! own datasets is missing is unknown, and without `extra/speaker` all samples are
//! of one unknown speaker; everything else must be there.
//!
//! | found in a file | treatment |
//! |---|---|
//! | times in half or single precision, of either byte order | read exactly |
//! | times in double precision | rounded to single: less than 0.1 us at 1 s |
//! | units, labels, speakers, the attribute as integers of any size | read; out of range is an error |
//! | `extra/meta_info` as integers, floating-point numbers or text | read, ages and heights rounded; out of range is unknown |
//! | a user block before the content | passed over |
//! | spikes that are not in order | sorted by (time, channel) |
//! | negative, infinite or missing (NaN) times | an error with the sample |
//! | rows of times and units, or labels, of different numbers | an error with both numbers |
//! | no sample, no class or more than 256 classes | an error with the number |
//! | more than a million samples, chunks of more than four million, values of more than 4 KiB or 64 MiB of them | an error before anything is read |
//! | rows that share their bytes, datasets that are links or lie in other files | an error before any is read |
//!
//! # Source
//! Cramer et al., IEEE Trans. Neural Netw. Learn. Syst. 33, 2744 (2022), and
//! the published files' description.

mod decode;
mod heap;
mod read;
mod write;

use thiserror::Error;

pub use read::read_spikes;
pub use write::{TimePrecision, write_spikes};

/// Channels of a file that does not say how many it has.
pub const CHANNELS: usize = 700;

const TIMES: &str = "spikes/times";
const UNITS: &str = "spikes/units";
const LABELS: &str = "labels";
const SPEAKER: &str = "extra/speaker";
const KEYS: &str = "extra/keys";
const GENDER: &str = "extra/meta_info/gender";
const AGE: &str = "extra/meta_info/age";
const BODY_HEIGHT: &str = "extra/meta_info/body_height";
const SPEAKER_NAMES: &str = "extra/speaker_names";
const RECORDING: &str = "extra/recording";
const CHANNELS_ATTRIBUTE: &str = "channels";

/// Longest list. What a damaged file asks for beyond would be allocated before
/// anybody can say no.
const MOST_ROWS: usize = 1 << 20;

/// What is wrong with a spike file as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SpikeFileFault {
    /// The file is something else.
    #[error("it is no HDF5 file")]
    NotHdf5,
    /// The file ends before its header says.
    #[error("it ends too early: {found} of {expected} bytes are there")]
    Truncated {
        /// Bytes that the header asks for.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// Datasets differ in their numbers of samples.
    #[error("{first} has {rows} rows, but {second} has {other}")]
    Rows {
        /// A dataset.
        first: &'static str,
        /// Its number of rows.
        rows: usize,
        /// Another one.
        second: &'static str,
        /// Its number of rows.
        other: usize,
    },
    /// There is nothing in the file, or more than a set has room for.
    #[error("it has {found} {what} in {dataset}, read are 1 to {most}")]
    Count {
        /// What is counted.
        what: &'static str,
        /// Dataset that has a row for each.
        dataset: &'static str,
        /// How many there are.
        found: usize,
        /// Largest number.
        most: usize,
    },
    /// A dataset is larger than any that makes sense, or not a list.
    #[error("{dataset} has the shape {shape:?}{chunks}, read are lists of up to {most} rows")]
    Shape {
        /// Which one.
        dataset: &'static str,
        /// Its dimensions.
        shape: Vec<usize>,
        /// Its chunks, if they are the trouble.
        chunks: String,
        /// Longest list.
        most: usize,
    },
    /// A dataset asks for more memory than any that makes sense.
    #[error(
        "{dataset} has {values} values of {bytes} bytes, in all or per chunk, read are \
         up to {most_each} bytes each and {most} in all"
    )]
    Bytes {
        /// Which one.
        dataset: &'static str,
        /// Its values, or those of a chunk.
        values: usize,
        /// Bytes of each.
        bytes: usize,
        /// Most bytes of a value.
        most_each: usize,
        /// Most bytes of all.
        most: usize,
    },
    /// A dataset is a link or refers to other files.
    #[error("{dataset} lies elsewhere or in other files, read are datasets in their place")]
    Elsewhere {
        /// Which one.
        dataset: &'static str,
    },
    /// A dataset holds values of another kind.
    #[error("{dataset} holds {found}, read are {allowed}")]
    Type {
        /// Which one.
        dataset: &'static str,
        /// Kind of its values.
        found: String,
        /// What is read.
        allowed: &'static str,
    },
    /// A number is outside its range.
    #[error("{dataset}, row {row}: {value} is not among 0 to {largest}")]
    Value {
        /// Which dataset.
        dataset: &'static str,
        /// Row of the value.
        row: usize,
        /// The value.
        value: i128,
        /// Largest value.
        largest: u64,
    },
    /// The number of channels is none that a set can have.
    #[error("the attribute {attribute} of {dataset} is {value}, read are 1 to {most}")]
    Attribute {
        /// Which attribute.
        attribute: &'static str,
        /// Dataset that has it.
        dataset: &'static str,
        /// Its value.
        value: i64,
        /// Largest value.
        most: usize,
    },
    /// What the HDF5 library says.
    #[error("{dataset} cannot be read: {reason}")]
    Hdf5 {
        /// Dataset, or the file.
        dataset: &'static str,
        /// Reason.
        reason: String,
    },
}

/// Refuses a file without samples, of which no share could be right, and one with more
/// than are read.
fn check_samples(found: usize) -> Result<(), SpikeFileFault> {
    check_count("samples", TIMES, found, MOST_ROWS)
}

/// Refuses none of something, and more than `most`.
fn check_count(
    what: &'static str,
    dataset: &'static str,
    found: usize,
    most: usize,
) -> Result<(), SpikeFileFault> {
    if (1..=most).contains(&found) {
        return Ok(());
    }
    Err(SpikeFileFault::Count {
        what,
        dataset,
        found,
        most,
    })
}
