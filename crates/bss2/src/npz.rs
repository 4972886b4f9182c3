//! Plain arrays of numbers in an npz archive. Nothing that a file says is trusted: of
//! an array no more is read than the shape that is wanted of it needs, and pickled
//! objects never.

mod write;

pub use write::{Arrays, write};

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use npyz::npz::{NpzArchive, file_name_from_array_name};
use npyz::{DType, NpyFile, Order, TypeChar};
use thiserror::Error;

/// Most bytes of what an array's header says.
const TEXT: usize = 1024;
/// Most bytes of a header: magic, version, its length and what it says.
const HEADER: u64 = 12 + TEXT as u64;
/// Bytes of the largest number.
const NUMBER: u64 = 8;
/// Most bytes that a header may tell of, so that no product of them overflows.
const LIMIT: u64 = 1 << 40;
/// What an array may hold.
const NUMBERS: &str = "integers of 1, 2, 4 or 8 bytes or floating-point numbers of 4 or 8";

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
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("{path} cannot be written: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
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

    /// Whole numbers of an array of the given shape, in C order however they are stored,
    /// and its name: the first of several that exists, or nothing.
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
        let dtype = array.dtype().descr();
        match Array::read(array) {
            Ok(Some(array)) => Ok(array),
            Ok(None) => Err(self.unfit(name, &format!("holds values of type {dtype}"), NUMBERS)),
            Err(error) => Err(damaged(error.to_string())),
        }
    }
}

/// What a header says, in any version of the format: only the first has two bytes for
/// its length.
fn header_text(bytes: &[u8]) -> Result<&[u8], &'static str> {
    let rest = bytes.strip_prefix(b"\x93NUMPY").ok_or("no array")?;
    let (length, rest) = match *rest {
        [1, 0, a, b, ref rest @ ..] => (u16::from_le_bytes([a, b]).into(), rest),
        [2 | 3, 0, a, b, c, d, ref rest @ ..] => (u32::from_le_bytes([a, b, c, d]), rest),
        [1..=3, 0, ..] => return Err("its header is cut off"),
        _ => return Err("no array of version 1, 2 or 3"),
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > TEXT {
        return Err("its header is longer than any of numbers");
    }
    rest.get(..length).ok_or("its header is cut off")
}

/// Refuses what the reader of arrays would stumble over: sizes beyond any of ours.
fn check_header(bytes: &[u8]) -> Result<(), &'static str> {
    let header = String::from_utf8_lossy(header_text(bytes)?);
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
    /// The numbers of an array in C order; nothing where it holds something else.
    fn read(array: NpyFile<&[u8]>) -> io::Result<Option<Self>> {
        let DType::Plain(of) = array.dtype() else {
            return Ok(None);
        };
        let dtype = of.to_string();
        let (shape, strides) = (array.shape().to_vec(), array.strides().to_vec());
        let ordered = array.order() == Order::C || shape.len() < 2;
        macro_rules! read {
            ($number:ty) => {{
                let values = array.into_vec::<$number>()?;
                let values = if ordered {
                    values
                } else {
                    in_c_order(&values, &shape, &strides)
                };
                values.into_iter()
            }};
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
            _ => return Ok(None),
        };
        Ok(Some(Self { dtype, values }))
    }
}

/// Values in C order, of which those of neighbours along a dimension are its stride
/// apart. There are as many as the shape says.
fn in_c_order<T: Copy>(values: &[T], shape: &[u64], strides: &[u64]) -> Vec<T> {
    let mut places = vec![0];
    for (&length, &stride) in shape.iter().zip(strides) {
        let along = |place: u64| (0..length).map(move |i| place + i * stride);
        places = places.into_iter().flat_map(along).collect();
    }
    let value = |place: u64| values[place as usize];
    places.into_iter().map(value).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use npyz::npz::NpzWriter;

    use super::*;

    /// An archive with an array `w` of a version and with a header as given.
    fn archive(version: u8, header: &str, bytes: &[u8]) -> (tempfile::TempDir, Npz) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.npz");
        let mut writer = NpzWriter::create(&path).unwrap();
        let zip = writer.zip_writer();
        zip.start_file("w.npy", Default::default()).unwrap();
        let length = (header.len() as u32).to_le_bytes();
        let length = &length[..if version == 1 { 2 } else { 4 }];
        let parts = [
            b"\x93NUMPY".as_slice(),
            &[version, 0],
            length,
            header.as_bytes(),
            bytes,
        ];
        zip.write_all(&parts.concat()).unwrap();
        zip.finish().unwrap();
        let npz = Npz::open(&path).unwrap();
        (folder, npz)
    }

    fn header(dtype: &str, fortran: &str, shape: &str) -> String {
        format!("{{'descr': '{dtype}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n")
    }

    /// 0, 1, 2 and so on in single precision.
    fn numbers(count: u16) -> Vec<u8> {
        let values = (0..count).map(f32::from);
        values.flat_map(f32::to_le_bytes).collect()
    }

    /// As `numpy.savez(path, w=w.T)` writes them.
    #[test]
    fn arrays_in_fortran_order_are_read_in_c_order() {
        let read = |shape: &str, dims: &[u64]| {
            let count = dims.iter().product::<u64>() as u16;
            let header = header("<f4", "True", shape);
            let (_folder, mut npz) = archive(1, &header, &numbers(count));
            npz.floats("w", dims).unwrap().unwrap()
        };
        assert_eq!(read("(4,)", &[4]), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(read("(2, 3)", &[2, 3]), [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]);
        let solid = read("(2, 3, 4)", &[2, 3, 4]);
        for (place, value) in solid.into_iter().enumerate() {
            let (i, j, k) = (place / 12, place / 4 % 3, place % 4);
            assert_eq!(value, (i + 2 * j + 6 * k) as f64);
        }
        assert_eq!(read("(0, 3)", &[0, 3]), [0.0; 0]);
        let (_folder, mut npz) = archive(1, &header("<i2", "True", "(1, 1)"), &[7, 0]);
        assert_eq!(npz.scalar("w").unwrap(), Some(7.0));
        let whole = npz.integers(&["w"], &[1, 1]).unwrap().unwrap();
        assert_eq!(whole.1, [7]);
    }

    #[test]
    fn headers_of_every_version_are_read_and_looked_at() {
        let plain = header("<f4", "False", "(2, 2)");
        for version in 1..=3 {
            let (_folder, mut npz) = archive(version, &plain, &numbers(4));
            let found = npz.floats("w", &[2, 2]).unwrap().unwrap();
            assert_eq!(found, [0.0, 1.0, 2.0, 3.0], "version {version}");
            let long = format!("{}{plain}", " ".repeat(2000));
            for (header, bytes, words) in [
                (&long, 16, "longer than any"),
                (&header("<f4", "False", "(2_2,)"), 16, "as numpy does not"),
                (&header("<f4", "False", "(1099511627776, 2)"), 16, "memory"),
                (&plain, 15, "damaged"),
            ] {
                let (_folder, mut npz) = archive(version, header, &numbers(4)[..bytes]);
                let error = npz.floats("w", &[2, 2]).unwrap_err().to_string();
                assert!(error.contains(words), "version {version}: {error}");
            }
        }
        let (_folder, mut npz) = archive(4, &plain, &numbers(4));
        let error = npz.floats("w", &[2, 2]).unwrap_err().to_string();
        assert!(error.contains("no array of version 1, 2 or 3"), "{error}");
        let whole = [b"\x93NUMPY\x02\0", &[4, 0, 0, 0][..], b"text"].concat();
        assert_eq!(header_text(&whole), Ok(&b"text"[..]));
        for length in 0..whole.len() {
            assert!(header_text(&whole[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn values_that_are_no_numbers_are_told_from_damage() {
        for dtype in ["<f2", "|b1", "<c8", "<U2"] {
            let (_folder, mut npz) = archive(1, &header(dtype, "False", "(2,)"), &[0; 16]);
            let error = npz.floats("w", &[2]).unwrap_err().to_string();
            let words = format!("w holds values of type '{dtype}', needed is integers");
            assert!(error.contains(&words), "{error}");
        }
    }

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
