//! Plain arrays of numbers in an npz archive. Nothing that a file says is trusted: of
//! an array no more is read than the shape that is wanted of it needs, and pickled
//! objects never.

mod write;

pub use write::{Arrays, write};

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use npyz::npz::{NpzArchive, file_name_from_array_name};
use npyz::{DType, NpyFile, Order, TypeChar};
use thiserror::Error;

/// Most bytes of an array's header: magic, version, its length and what it says.
const HEADER: u64 = 10 + 1024;
/// Bytes of the largest number.
const NUMBER: u64 = 8;
/// Most bytes that a header may tell of, so that no product of them overflows.
const LIMIT: u64 = 1 << 40;

/// Why an archive, or an array in it, cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NpzError {
    /// The file cannot be read.
    #[error("{path} cannot be read: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file cannot be written.
    #[error("{path} cannot be written: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is no archive, or a part of one.
    #[error("{path} is no whole npz archive: {reason}")]
    NoArchive {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// An array is needed and not there.
    #[error("{path} has no array {array}{}", left_out(pickled))]
    Missing {
        /// The file.
        path: PathBuf,
        /// Its name, or names.
        array: String,
        /// Arrays of the file that are pickled objects.
        pickled: Vec<String>,
    },
    /// An array is a pickled object.
    #[error(
        "{path}: {array} holds pickled Python objects, which are never read; save plain arrays"
    )]
    Pickled {
        /// The file.
        path: PathBuf,
        /// The array.
        array: String,
    },
    /// An array is not what is needed of it.
    #[error("{path}: {array} {found}, needed is {needed}")]
    Unfit {
        /// The file.
        path: PathBuf,
        /// The array, or one entry of it.
        array: String,
        /// What it is.
        found: String,
        /// What it should be.
        needed: String,
    },
}

fn left_out(pickled: &[String]) -> String {
    if pickled.is_empty() {
        return String::new();
    }
    format!(
        "; {} in it hold pickled Python objects, which are never read: save the codes as plain arrays",
        pickled.join(", ")
    )
}

/// An open archive.
pub struct Npz {
    path: PathBuf,
    archive: NpzArchive<BufReader<File>>,
}

impl std::fmt::Debug for Npz {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Npz").field(&self.path).finish()
    }
}

impl Npz {
    /// Opens an archive.
    ///
    /// # Errors
    /// [`NpzError::Io`], [`NpzError::NoArchive`].
    pub fn open(path: &Path) -> Result<Self, NpzError> {
        let path = path.to_owned();
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(source) => return Err(NpzError::Io { path, source }),
        };
        match NpzArchive::new(BufReader::new(file)) {
            Ok(archive) => Ok(Self { path, archive }),
            Err(error) => Err(NpzError::NoArchive {
                path,
                reason: error.to_string(),
            }),
        }
    }

    /// Names of all arrays, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.archive.array_names().map(str::to_owned).collect();
        names.sort_unstable();
        names
    }

    /// Names of the arrays that are pickled objects.
    pub fn pickled(&mut self) -> Vec<String> {
        let mut names = self.names();
        names.retain(|name| matches!(self.array(name, None), Err(NpzError::Pickled { .. })));
        names
    }

    /// Whole numbers of an array of the given shape, in C order, and its name: the
    /// first of several that exists, or nothing.
    ///
    /// # Errors
    /// [`NpzError`]: a pickled or damaged array, another shape, other numbers.
    pub fn integers(
        &mut self,
        names: &[&str],
        shape: &[u64],
    ) -> Result<Option<(String, Vec<i64>)>, NpzError> {
        let Some(name) = self.first_of(names) else {
            return Ok(None);
        };
        let array = self.array(&name, Some(shape))?;
        match array.values {
            Values::Integers(values) => Ok(Some((name, values))),
            Values::Floats(_) => Err(self.unfit(
                &name,
                &format!("holds numbers of type {}", array.dtype),
                "a type of whole numbers",
            )),
        }
    }

    /// Numbers of an array of the given shape, in C order, if an array of the name
    /// exists.
    ///
    /// # Errors
    /// As [`Npz::integers`].
    pub fn floats(&mut self, name: &str, shape: &[u64]) -> Result<Option<Vec<f64>>, NpzError> {
        let Some(name) = self.first_of(&[name]) else {
            return Ok(None);
        };
        Ok(Some(self.array(&name, Some(shape))?.values.into_floats()))
    }

    /// A single number, whole or not, if an array of the name exists.
    ///
    /// # Errors
    /// As [`Npz::integers`].
    pub fn scalar(&mut self, name: &str) -> Result<Option<f64>, NpzError> {
        let Some(name) = self.first_of(&[name]) else {
            return Ok(None);
        };
        Ok(self
            .array(&name, None)?
            .values
            .into_floats()
            .first()
            .copied())
    }

    /// The error of an array, or an entry of one, that does not fit.
    #[must_use]
    pub fn unfit(&self, array: &str, found: &str, needed: &str) -> NpzError {
        NpzError::Unfit {
            path: self.path.clone(),
            array: array.to_owned(),
            found: found.to_owned(),
            needed: needed.to_owned(),
        }
    }

    /// The error of an array that is needed and not there.
    pub fn missing(&mut self, names: &[&str]) -> NpzError {
        NpzError::Missing {
            array: names.join(" or "),
            pickled: self.pickled(),
            path: self.path.clone(),
        }
    }

    fn first_of(&self, names: &[&str]) -> Option<String> {
        let there = self.names();
        let name = names.iter().find(|name| there.iter().any(|t| t == *name))?;
        Some((*name).to_owned())
    }

    /// An array of a shape, or a single number of any.
    fn array(&mut self, name: &str, shape: Option<&[u64]>) -> Result<Array, NpzError> {
        let path = self.path.clone();
        let damaged = |reason: String| NpzError::Unfit {
            path: path.clone(),
            array: name.to_owned(),
            found: format!("is damaged ({reason})"),
            needed: "a whole array".to_owned(),
        };
        let numbers = shape.map_or(1, |shape| shape.iter().product());
        let mut bytes = Vec::new();
        self.archive
            .zip_archive()
            .by_name(&file_name_from_array_name(name))
            .map_err(|error| damaged(error.to_string()))?
            .take(HEADER + NUMBER * numbers)
            .read_to_end(&mut bytes)
            .map_err(|error| damaged(error.to_string()))?;
        check_header(&bytes).map_err(|reason| damaged(reason.to_owned()))?;
        let array = NpyFile::new(&bytes[..]).map_err(|error| damaged(error.to_string()))?;
        if array.header().uses_pickled_array() {
            return Err(NpzError::Pickled {
                path,
                array: name.to_owned(),
            });
        }
        let found = array.shape();
        let fits = match shape {
            Some(shape) => found == shape,
            None => found.iter().product::<u64>() == 1,
        };
        if !fits {
            let needed = shape.map_or("a single number".into(), |shape| format!("{shape:?}"));
            return Err(self.unfit(name, &format!("has shape {found:?}"), &needed));
        }
        Array::read(array).map_err(damaged)
    }
}

/// Refuses what the reader of arrays would stumble over: sizes beyond any of ours.
fn check_header(bytes: &[u8]) -> Result<(), &'static str> {
    if bytes.len() < 10 || !bytes.starts_with(b"\x93NUMPY\x01") {
        return Err("no array of version 1");
    }
    let length = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = bytes.get(10..10 + length).ok_or("its header is cut off")?;
    if length as u64 > HEADER - 10 {
        return Err("its header is longer than any of numbers");
    }
    let header = String::from_utf8_lossy(header);
    // Such as 0x10 and 1_000, which Python can read and numpy does not write.
    let odd = |pair: &[u8]| {
        pair[0].is_ascii_digit() && (pair[1] == b'_' || pair[1].is_ascii_alphabetic())
    };
    if header.as_bytes().windows(2).any(odd) {
        return Err("its header writes numbers as numpy does not");
    }
    // Every number of the header: those of the shape, and the bytes of the type. None
    // counts as less than one, so that no zero hides another.
    let product = header
        .split(|c: char| !c.is_ascii_digit())
        .filter(|digits| !digits.is_empty())
        .map(|digits| digits.parse().unwrap_or(u64::MAX).max(1))
        .fold(1, u64::saturating_mul);
    if product > LIMIT {
        return Err("larger than any memory");
    }
    Ok(())
}

enum Values {
    Integers(Vec<i64>),
    Floats(Vec<f64>),
}

impl Values {
    fn into_floats(self) -> Vec<f64> {
        match self {
            Self::Integers(values) => values.into_iter().map(|v| v as f64).collect(),
            Self::Floats(values) => values,
        }
    }
}

struct Array {
    dtype: String,
    values: Values,
}

impl Array {
    fn read(array: NpyFile<&[u8]>) -> Result<Self, String> {
        let DType::Plain(of) = array.dtype() else {
            return Err("not of plain numbers".to_owned());
        };
        if array.order() == Order::Fortran && array.shape().len() > 1 {
            return Err("in Fortran order".to_owned());
        }
        let dtype = of.to_string();
        macro_rules! read {
            ($number:ty) => {
                array
                    .into_vec::<$number>()
                    .map_err(|error| error.to_string())?
                    .into_iter()
            };
        }
        let whole = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let values = match (of.type_char(), of.size_field()) {
            (TypeChar::Int, 1) => Values::Integers(read!(i8).map(i64::from).collect()),
            (TypeChar::Int, 2) => Values::Integers(read!(i16).map(i64::from).collect()),
            (TypeChar::Int, 4) => Values::Integers(read!(i32).map(i64::from).collect()),
            (TypeChar::Int, 8) => Values::Integers(read!(i64).collect()),
            (TypeChar::Uint, 1) => Values::Integers(read!(u8).map(i64::from).collect()),
            (TypeChar::Uint, 2) => Values::Integers(read!(u16).map(i64::from).collect()),
            (TypeChar::Uint, 4) => Values::Integers(read!(u32).map(i64::from).collect()),
            (TypeChar::Uint, 8) => Values::Integers(read!(u64).map(whole).collect()),
            (TypeChar::Float, 4) => Values::Floats(read!(f32).map(f64::from).collect()),
            (TypeChar::Float, 8) => Values::Floats(read!(f64).collect()),
            _ => return Err(format!("of type {dtype}, not of numbers")),
        };
        Ok(Self { dtype, values })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_of_any_size_are_read_when_their_shape_is_the_wanted_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.npz");
        // A million bytes and two, without their headers.
        let shape = [1024, 256];
        let value = |i: usize| i as f32 / 1024.0;
        let bytes = write(|arrays| {
            arrays.add("single", &shape, (0..1024 * 256).map(value))?;
            let double = (0..1024 * 256).map(|i| f64::from(value(i)));
            arrays.add("double", &shape, double)
        });
        std::fs::write(&path, bytes.unwrap()).unwrap();
        let mut npz = Npz::open(&path).unwrap();
        for name in ["single", "double"] {
            let values = npz.floats(name, &[1024, 256]).unwrap().unwrap();
            assert_eq!(values.len(), 1024 * 256);
            assert_eq!(values[1024 * 256 - 1], f64::from(value(1024 * 256 - 1)));
            // No more is read than what is wanted, and what is there is named.
            let error = npz.floats(name, &[10, 2]).unwrap_err().to_string();
            assert!(
                error.contains("has shape [1024, 256], needed is [10, 2]"),
                "{error}"
            );
            let error = npz.scalar(name).unwrap_err().to_string();
            assert!(error.contains("needed is a single number"), "{error}");
        }
        assert!(npz.pickled().is_empty());
    }
}
