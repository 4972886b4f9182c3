//! A [`SpikeSet`] becomes a spike file.

use std::io;
use std::path::Path;

use bss2_event::files::replace;
use half::f16;
use rust_hdf5::{DatatypeMessage, H5File, H5Type, Hdf5Error};

use super::{
    AGE, BODY_HEIGHT, CHANNELS_ATTRIBUTE, GENDER, KEYS, LABELS, RECORDING, SPEAKER, SPEAKER_NAMES,
    TIMES, UNITS, check_samples,
};
use crate::error::EncodeError;
use crate::spike_set::{SampleInfo, Speaker, SpikeSet};

/// How times are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimePrecision {
    /// As the published files have them: steps of half a millisecond from 0.5 s
    /// on, of one from 1 s and of two from 2 s on. Times beyond 65504 s become infinite and are refused.
    Half,
    /// Exact.
    #[default]
    Single,
}

/// A half-precision number, for the library.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Half(#[allow(dead_code, reason = "the library reads its bytes")] u16);

impl H5Type for Half {
    fn hdf5_type() -> DatatypeMessage {
        DatatypeMessage::f16_type()
    }
    fn element_size() -> usize {
        2
    }
}

/// Writes a spike file beside its final name and renames it: after a crash at
/// any moment there is the old file or the new one.
///
/// # Errors
/// [`EncodeError::Write`]; [`EncodeError::SpikeFile`], also for a set that could not be
/// read again, without samples or with too many; [`EncodeError::Sample`] for a time that
/// half precision cannot hold.
pub fn write_spikes(
    path: &Path,
    set: &SpikeSet,
    precision: TimePrecision,
) -> Result<(), EncodeError> {
    check_samples(set.len()).map_err(|fault| EncodeError::SpikeFile {
        path: path.to_owned(),
        fault,
    })?;
    let halves = match precision {
        TimePrecision::Half => Some(halves(set)?),
        TimePrecision::Single => None,
    };
    replace(
        path,
        |temporary| write(temporary, path, set, halves.as_deref()),
        |error| EncodeError::write(path, error),
    )
}

/// Fills a temporary file; errors name the one that it is to be.
fn write(
    temporary: &Path,
    path: &Path,
    set: &SpikeSet,
    halves: Option<&[Half]>,
) -> Result<(), EncodeError> {
    fill(temporary, set, halves).map_err(|error| {
        let error = match error {
            Hdf5Error::Io(error) => error,
            error => io::Error::other(error),
        };
        EncodeError::write(path, error)
    })
}

fn halves(set: &SpikeSet) -> Result<Vec<Half>, EncodeError> {
    let mut halves = Vec::with_capacity(set.spike_count());
    for sample in 0..set.len() {
        for &time in set.spikes(sample).0 {
            let half = f16::from_f32(time);
            if half.is_infinite() {
                return Err(EncodeError::Sample {
                    set: set.name().to_owned(),
                    sample,
                    fault: format!("a time is {time} s, half precision ends at 65504"),
                });
            }
            halves.push(Half(half.to_bits()));
        }
    }
    Ok(halves)
}

fn fill(path: &Path, set: &SpikeSet, halves: Option<&[Half]>) -> Result<(), Hdf5Error> {
    let file = H5File::create(path)?;
    for group in ["spikes", "extra", "extra/meta_info"] {
        file.create_group(group)?;
    }
    match halves {
        Some(halves) => file.write_vlen_numeric(TIMES, &rows(set, halves))?,
        None => file.write_vlen_numeric(TIMES, &rows(set, set.all_times()))?,
    };
    let units = file.write_vlen_numeric(UNITS, &rows(set, set.all_units()))?;
    let channels = units
        .new_attr::<u32>()
        .shape(())
        .create(CHANNELS_ATTRIBUTE)?;
    channels.write_numeric(&(set.channels() as u32))?;

    let labels: Vec<u16> = set.labels().iter().map(|&label| label.into()).collect();
    list(&file, LABELS, &labels)?;
    let speaker = |info: &SampleInfo| info.speaker;
    list(
        &file,
        SPEAKER,
        &set.samples().iter().map(speaker).collect::<Vec<_>>(),
    )?;
    strings(&file, KEYS, set.keys().iter().map(String::as_str))?;
    let recordings = set.samples().iter().map(|info| info.recording.as_str());
    strings(&file, RECORDING, recordings)?;

    let speakers = set.speakers();
    let of = |field: fn(&Speaker) -> u16| speakers.iter().map(field).collect::<Vec<_>>();
    strings(
        &file,
        SPEAKER_NAMES,
        speakers.iter().map(|s| s.name.as_str()),
    )?;
    strings(&file, GENDER, speakers.iter().map(|s| s.gender.as_str()))?;
    list(&file, AGE, &of(|speaker| speaker.age))?;
    list(&file, BODY_HEIGHT, &of(|speaker| speaker.body_height))?;
    file.close()
}

/// Parts of a flat array, one for each sample.
fn rows<'a, T>(set: &SpikeSet, mut values: &'a [T]) -> Vec<&'a [T]> {
    (0..set.len())
        .map(|sample| {
            let (row, rest) = values.split_at(set.spikes(sample).0.len());
            values = rest;
            row
        })
        .collect()
}

fn list<T: H5Type>(file: &H5File, name: &str, values: &[T]) -> Result<(), Hdf5Error> {
    let dataset = file.new_dataset::<T>().shape([values.len()]).create(name)?;
    dataset.write_raw(values)
}

fn strings<'a>(
    file: &H5File,
    name: &str,
    values: impl Iterator<Item = &'a str>,
) -> Result<(), Hdf5Error> {
    let values: Vec<&str> = values.collect();
    file.write_vlen_strings(name, &values)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_library_cannot_write_is_told_of_the_file_to_be() {
        let folder = tempfile::tempdir().unwrap();
        let set = SpikeSet::new("x", 2, vec!["a".into()], vec![]).unwrap();
        let temporary = folder.path().join("no/such");
        let error = write(&temporary, Path::new("out.h5"), &set, None).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("out.h5 cannot be written: "), "{text}");
    }
}
