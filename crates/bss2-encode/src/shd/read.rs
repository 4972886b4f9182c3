//! A spike file becomes a [`SpikeSet`].

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::iter;
use std::path::Path;

use rust_hdf5::{DatatypeMessage, H5Dataset, H5File, Hdf5Error, LinkClass, StorageLayout};

use super::decode::{Floats, Integers};
use super::heap;
use super::{
    AGE, BODY_HEIGHT, CHANNELS, CHANNELS_ATTRIBUTE, GENDER, KEYS, LABELS, MOST_ROWS, RECORDING,
    SPEAKER, SPEAKER_NAMES, SpikeFileFault, TIMES, UNITS, check_count, check_samples,
};
use crate::error::EncodeError;
use crate::spike_set::{MOST_CHANNELS, MOST_CLASSES, SampleInfo, Speaker, SpikeSet};

const MOST_PER_CHUNK: usize = 1 << 22;
/// Largest value, a fixed text, and most bytes of a list or a chunk of it; rows of
/// variable length are references of 16 bytes here.
const MOST_PER_VALUE: usize = 4096;
const MOST_BYTES: usize = 1 << 26;
const SIGNATURE: &[u8; 8] = b"\x89HDF\r\n\x1a\n";

/// Reads a spike file; its path is the set's name.
///
/// # Errors
/// [`EncodeError::Io`]; [`EncodeError::SpikeFile`] for a file that is no
/// spike file, incomplete, inconsistent or without samples; [`EncodeError::Sample`]
/// for a sample that is wrong.
pub fn read_spikes(path: &Path) -> Result<SpikeSet, EncodeError> {
    check_header(path)?;
    let fault = |fault| EncodeError::SpikeFile {
        path: path.to_owned(),
        fault,
    };
    let file = H5File::options()
        .best_effort_locking()
        .open(path)
        .map_err(|error| fault(hdf5("the file", error)))?;
    let content = Content::read(&Source { file, path }).map_err(fault)?;
    content.into_set(path)
}

/// Whether the file is HDF5 and as long as it says. Other content may come before:
/// a user block of 512 bytes or a power of two more.
fn check_header(path: &Path) -> Result<(), EncodeError> {
    let io = |error| EncodeError::io(path, error);
    let fault = |fault| EncodeError::SpikeFile {
        path: path.to_owned(),
        fault,
    };
    let mut file = File::open(path).map_err(io)?;
    let found = file.metadata().map_err(io)?.len();
    let blocks = (9..64).map(|power| 1 << power);
    let starts = iter::once(0).chain(blocks.take_while(|&start| start < found));
    let mut head = Vec::new();
    for start in starts {
        file.seek(SeekFrom::Start(start)).map_err(io)?;
        head.clear();
        (&file).take(64).read_to_end(&mut head).map_err(io)?;
        if head.starts_with(SIGNATURE) {
            break;
        }
    }
    if !head.starts_with(SIGNATURE) {
        return Err(fault(SpikeFileFault::NotHdf5));
    }
    // Where the superblock says how many bytes an address has and at which byte the
    // file ends, user block included. What is not known is left to the library.
    let (size_at, end_at) = match head.get(8) {
        Some(0) => (13, 40),
        Some(1) => (13, 44),
        Some(2 | 3) => (9, 28),
        _ => return Ok(()),
    };
    if head.get(size_at).is_some_and(|&size| size != 8) {
        return Ok(());
    }
    let Some(end) = head.get(end_at..end_at + 8) else {
        return Err(fault(SpikeFileFault::Truncated {
            expected: 64,
            found,
        }));
    };
    let expected = u64::from_le_bytes(end.try_into().expect("eight bytes"));
    if found < expected {
        return Err(fault(SpikeFileFault::Truncated { expected, found }));
    }
    Ok(())
}

/// The datasets of a file, decoded but not yet brought together.
struct Content {
    times: Vec<Vec<f32>>,
    units: Vec<Vec<u16>>,
    labels: Vec<u8>,
    speaker: Vec<u16>,
    keys: Vec<String>,
    channels: usize,
    speakers: Vec<Speaker>,
    recording: Vec<String>,
}

impl Content {
    fn read(file: &Source<'_>) -> Result<Self, SpikeFileFault> {
        let keys = file.strings(KEYS)?;
        check_count("classes", KEYS, keys.len(), MOST_CLASSES)?;
        let largest_label = keys.len() as u64 - 1;
        let labels = narrow(LABELS, &file.integers(LABELS)?, largest_label)?;
        let speaker = file.optional(SPEAKER, Source::integers)?;
        let speaker: Option<Vec<u16>> = speaker
            .map(|speaker| narrow(SPEAKER, &speaker, 65_535))
            .transpose()?;
        let units = file.rows(UNITS)?;
        let times = file.rows(TIMES)?;
        let channels = file.channels()?;
        let recording = file.optional(RECORDING, Source::strings)?;
        for (second, other) in [
            (UNITS, units.len()),
            (LABELS, labels.len()),
            (SPEAKER, speaker.as_ref().map_or(times.len(), Vec::len)),
            (RECORDING, recording.as_ref().map_or(times.len(), Vec::len)),
        ] {
            if other != times.len() {
                return Err(SpikeFileFault::Rows {
                    first: TIMES,
                    rows: times.len(),
                    second,
                    other,
                });
            }
        }
        check_samples(times.len())?;
        Ok(Self {
            times: file.decode_times(&times)?,
            units: file.decode_units(&units)?,
            speakers: match &speaker {
                Some(speaker) => file.speakers(speaker.iter().copied().max())?,
                None => vec![Speaker::default()],
            },
            recording: recording.unwrap_or_else(|| vec![String::new(); labels.len()]),
            speaker: speaker.unwrap_or_else(|| vec![0; labels.len()]),
            labels,
            keys,
            channels,
        })
    }

    fn into_set(self, path: &Path) -> Result<SpikeSet, EncodeError> {
        let name = path.display().to_string();
        let mut set = SpikeSet::new(name, self.channels, self.keys, self.speakers)?;
        let rows = self.times.iter().zip(&self.units);
        let infos = self.speaker.iter().zip(self.recording);
        for (((times, units), label), (&speaker, recording)) in rows.zip(self.labels).zip(infos) {
            set.push(label, SampleInfo { speaker, recording }, times, units)?;
        }
        Ok(set)
    }
}

struct Source<'a> {
    file: H5File,
    path: &'a Path,
}

impl Source<'_> {
    /// A list, once its size is known to be sound.
    fn list(&self, name: &'static str) -> Result<H5Dataset, SpikeFileFault> {
        let dataset = self.file.dataset(name).map_err(|e| hdf5(name, e))?;
        let shape = dataset.shape();
        let chunk: usize = dataset
            .chunk_dims()
            .iter()
            .flatten()
            .fold(1, |product, &dim| product.saturating_mul(dim));
        if shape.len() != 1 || shape[0] > MOST_ROWS || chunk > MOST_PER_CHUNK {
            let chunks = match dataset.chunk_dims() {
                Some(dims) if chunk > MOST_PER_CHUNK => format!(" in chunks of {dims:?}"),
                _ => String::new(),
            };
            return Err(SpikeFileFault::Shape {
                dataset: name,
                shape,
                chunks,
                most: MOST_ROWS,
            });
        }
        let bytes = dataset.element_size();
        let values = shape[0].max(chunk);
        if bytes > MOST_PER_VALUE || values * bytes > MOST_BYTES {
            return Err(SpikeFileFault::Bytes {
                dataset: name,
                values,
                bytes,
                most_each: MOST_PER_VALUE,
                most: MOST_BYTES,
            });
        }
        let root = self.file.root_group();
        let groups = name.match_indices('/').map(|(end, _)| &name[..end]);
        let linked = groups
            .chain([name])
            .any(|path| !matches!(root.link_class(path), Ok(LinkClass::Hard)));
        let layout = dataset.storage_layout().map_err(|e| hdf5(name, e))?;
        let external = dataset.external_files().map_err(|e| hdf5(name, e))?;
        if linked || layout == StorageLayout::Virtual || !external.is_empty() {
            return Err(SpikeFileFault::Elsewhere { dataset: name });
        }
        Ok(dataset)
    }

    fn optional<T>(
        &self,
        name: &'static str,
        read: impl FnOnce(&Self, &'static str) -> Result<T, SpikeFileFault>,
    ) -> Result<Option<T>, SpikeFileFault> {
        match self.file.dataset(name) {
            Err(Hdf5Error::NotFound(_)) => Ok(None),
            _ => read(self, name).map(Some),
        }
    }

    fn integers(&self, name: &'static str) -> Result<Vec<i128>, SpikeFileFault> {
        let dataset = self.list(name)?;
        let datatype = dataset.datatype().map_err(|e| hdf5(name, e))?;
        let integers = Integers::of(&datatype).ok_or_else(|| kind(name, &datatype, "integers"))?;
        let bytes = dataset.read_raw_bytes().map_err(|e| hdf5(name, e))?;
        integers.decode(&bytes).ok_or_else(|| ragged(name))
    }

    fn strings(&self, name: &'static str) -> Result<Vec<String>, SpikeFileFault> {
        let dataset = self.list(name)?;
        let datatype = dataset.datatype().map_err(|e| hdf5(name, e))?;
        if matches!(datatype, DatatypeMessage::VarLenString { .. }) {
            self.references(name, &dataset)?;
        }
        dataset.read_strings_lossy().map_err(|e| hdf5(name, e))
    }

    /// What is said about speakers, as text: of any type that a list has, since no spike
    /// depends on it. What is no number or of another type is unknown.
    fn said(&self, name: &'static str) -> Result<Vec<String>, SpikeFileFault> {
        let dataset = self.list(name)?;
        let datatype = dataset.datatype().map_err(|e| hdf5(name, e))?;
        if matches!(
            datatype,
            DatatypeMessage::FixedString { .. } | DatatypeMessage::VarLenString { .. }
        ) {
            return self.strings(name);
        }
        if Integers::of(&datatype).is_some() {
            let values = self.integers(name)?;
            return Ok(values.iter().map(i128::to_string).collect());
        }
        let Some(floats) = Floats::of(&datatype) else {
            return Ok(Vec::new());
        };
        let bytes = dataset.read_raw_bytes().map_err(|e| hdf5(name, e))?;
        let values = floats.decode(&bytes).ok_or_else(|| ragged(name))?;
        let text = |value: f32| value.is_finite().then(|| value.to_string());
        Ok(values
            .into_iter()
            .map(|value| text(value).unwrap_or_default())
            .collect())
    }

    fn rows(&self, name: &'static str) -> Result<Vec<Vec<u8>>, SpikeFileFault> {
        let dataset = self.list(name)?;
        let bytes = self.base(name)?.element_size() as usize;
        let lengths = self.references(name, &dataset)?;
        if lengths.iter().all(|&length| length == 0) {
            // Rows that were never written have no heap to look into.
            return Ok(vec![Vec::new(); lengths.len()]);
        }
        let rows = dataset.read_vlen_bytes().map_err(|e| hdf5(name, e))?;
        let found = rows.iter().map(Vec::len);
        if found.eq(lengths.into_iter().map(|length| length * bytes)) {
            Ok(rows)
        } else {
            Err(SpikeFileFault::Hdf5 {
                dataset: name,
                reason: "a row is not as long as it says".into(),
            })
        }
    }

    /// Lengths of the rows of a list, once it is known that they fit in the file.
    fn references(
        &self,
        name: &'static str,
        dataset: &H5Dataset,
    ) -> Result<Vec<usize>, SpikeFileFault> {
        let bytes = dataset.read_raw_bytes().map_err(|e| hdf5(name, e))?;
        let base = self.file.userblock_size();
        heap::lengths(self.path, base, &bytes).map_err(|reason| SpikeFileFault::Hdf5 {
            dataset: name,
            reason,
        })
    }

    /// Type of the values in rows of variable length.
    fn base(&self, name: &'static str) -> Result<DatatypeMessage, SpikeFileFault> {
        let dataset = self.file.dataset(name).map_err(|e| hdf5(name, e))?;
        match dataset.datatype().map_err(|e| hdf5(name, e))? {
            DatatypeMessage::VarLenSequence { base } => Ok(*base),
            other => Err(kind(name, &other, "rows of variable length")),
        }
    }

    fn decode_times(&self, rows: &[Vec<u8>]) -> Result<Vec<Vec<f32>>, SpikeFileFault> {
        let base = self.base(TIMES)?;
        let allowed = "floating-point numbers of 2, 4 or 8 bytes";
        let floats = Floats::of(&base).ok_or_else(|| kind(TIMES, &base, allowed))?;
        rows.iter()
            .map(|row| floats.decode(row).ok_or_else(|| ragged(TIMES)))
            .collect()
    }

    fn decode_units(&self, rows: &[Vec<u8>]) -> Result<Vec<Vec<u16>>, SpikeFileFault> {
        let base = self.base(UNITS)?;
        let integers = Integers::of(&base).ok_or_else(|| kind(UNITS, &base, "integers"))?;
        rows.iter()
            .enumerate()
            .map(|(row, bytes)| {
                let values = integers.decode(bytes).ok_or_else(|| ragged(UNITS))?;
                values
                    .into_iter()
                    .map(|value| u16::try_from(value).map_err(|_| bad(UNITS, row, value, 65_535)))
                    .collect()
            })
            .collect()
    }

    fn channels(&self) -> Result<usize, SpikeFileFault> {
        let dataset = self.file.dataset(UNITS).map_err(|e| hdf5(UNITS, e))?;
        match dataset.attr(CHANNELS_ATTRIBUTE) {
            Err(Hdf5Error::NotFound(_)) => Ok(CHANNELS),
            Err(error) => Err(hdf5(UNITS, error)),
            Ok(attribute) => {
                let values = attribute
                    .read_numeric_as::<i64>()
                    .map_err(|e| hdf5(UNITS, e))?;
                let value = values.first().copied().unwrap_or(0);
                usize::try_from(value)
                    .ok()
                    .filter(|channels| (1..=MOST_CHANNELS).contains(channels))
                    .ok_or(SpikeFileFault::Attribute {
                        attribute: CHANNELS_ATTRIBUTE,
                        dataset: UNITS,
                        value,
                        most: MOST_CHANNELS,
                    })
            }
        }
    }

    /// Everybody up to the speaker of the highest number, or up to the last one
    /// with a name.
    fn speakers(&self, highest: Option<u16>) -> Result<Vec<Speaker>, SpikeFileFault> {
        let names = self
            .optional(SPEAKER_NAMES, Self::strings)?
            .unwrap_or_default();
        let gender = self.optional(GENDER, Self::said)?.unwrap_or_default();
        let age = self.optional(AGE, Self::said)?.unwrap_or_default();
        let height = self.optional(BODY_HEIGHT, Self::said)?.unwrap_or_default();
        let count = highest.map_or(0, |highest| usize::from(highest) + 1);
        let count = count.max(names.len().min(1 << 16));
        let speaker = |i: usize| Speaker {
            name: names.get(i).cloned().unwrap_or_else(|| i.to_string()),
            gender: gender.get(i).cloned().unwrap_or_default(),
            age: age.get(i).map_or(0, |age| whole(age)),
            body_height: height.get(i).map_or(0, |height| whole(height)),
        };
        Ok((0..count).map(speaker).collect())
    }
}

/// The nearest whole number, 0 for what is none or out of range.
fn whole(text: &str) -> u16 {
    let value = text.trim().parse().unwrap_or(f64::NAN).round();
    let known = (0.0..=f64::from(u16::MAX)).contains(&value);
    if known { value as u16 } else { 0 }
}

/// Integers in the range 0 to `largest`, which fits their new type.
fn narrow<T: TryFrom<i128>>(
    dataset: &'static str,
    values: &[i128],
    largest: u64,
) -> Result<Vec<T>, SpikeFileFault> {
    let narrow = |(row, &value): (usize, &i128)| {
        let fault = || bad(dataset, row, value, largest);
        if value > largest.into() {
            return Err(fault());
        }
        T::try_from(value).map_err(|_| fault())
    };
    values.iter().enumerate().map(narrow).collect()
}

fn bad(dataset: &'static str, row: usize, value: i128, largest: u64) -> SpikeFileFault {
    SpikeFileFault::Value {
        dataset,
        row,
        value,
        largest,
    }
}

fn kind(dataset: &'static str, found: &DatatypeMessage, allowed: &'static str) -> SpikeFileFault {
    let found = match found {
        DatatypeMessage::FixedPoint { size, .. } => format!("integers of {size} bytes"),
        DatatypeMessage::FloatingPoint { size, .. } => {
            format!("floating-point numbers of {size} bytes")
        }
        DatatypeMessage::FixedString { .. } | DatatypeMessage::VarLenString { .. } => "text".into(),
        DatatypeMessage::VarLenSequence { .. } => "rows of variable length".into(),
        _ => "values of another kind".into(),
    };
    SpikeFileFault::Type {
        dataset,
        found,
        allowed,
    }
}

fn ragged(dataset: &'static str) -> SpikeFileFault {
    SpikeFileFault::Hdf5 {
        dataset,
        reason: "a row ends within a number".into(),
    }
}

fn hdf5(dataset: &'static str, error: Hdf5Error) -> SpikeFileFault {
    SpikeFileFault::Hdf5 {
        dataset,
        reason: error.to_string(),
    }
}
