//! Reading IDX files, plain or gzip.
//!
//! Layout: two zero bytes, 0x08 for unsigned bytes, the number of dimensions,
//! each dimension as a big-endian 32-bit number, then the values, the last
//! dimension running fastest.
//!
//! # Source
//! The format's description on MNIST's home page.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::error::EncodeError;

/// Largest payload that is read, so that a damaged header cannot ask for more
/// memory than any of our data sets needs.
const LARGEST_PAYLOAD: u64 = 1 << 30;

/// What an IDX file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdxKind {
    /// One byte per sample.
    Labels,
    /// One matrix of bytes per sample.
    Images,
}

impl IdxKind {
    fn rank(self) -> usize {
        match self {
            Self::Labels => 1,
            Self::Images => 3,
        }
    }
    fn magic(self) -> u32 {
        0x0800 | self.rank() as u32
    }
    fn noun(self) -> &'static str {
        match self {
            Self::Labels => "labels",
            Self::Images => "images",
        }
    }
}

/// The content of an IDX file of unsigned bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idx {
    header: Vec<u8>,
    /// Dimensions: the number of samples, then the shape of one.
    pub dimensions: Vec<u32>,
    /// Values, the last dimension running fastest.
    pub values: Vec<u8>,
}

impl Idx {
    /// The unzipped file in two pieces, for checksums.
    #[must_use]
    pub fn pieces(&self) -> [&[u8]; 2] {
        [&self.header, &self.values]
    }
}

/// Reads a file; whether it is compressed is told from its content.
///
/// # Errors
/// Everything that can be wrong with the file but its checksum: unreadable, a
/// web page, a damaged or truncated archive, wrong magic number, impossible
/// dimensions, too few or too many bytes.
pub fn read(path: &Path, kind: IdxKind) -> Result<Idx, EncodeError> {
    let file = File::open(path).map_err(|error| EncodeError::io(path, error))?;
    read_from(BufReader::with_capacity(1 << 16, file), path, kind)
}

/// Reads bytes that came from `path`, which errors name.
///
/// # Errors
/// As [`read`].
pub fn read_from(mut source: impl BufRead, path: &Path, kind: IdxKind) -> Result<Idx, EncodeError> {
    let head = source
        .fill_buf()
        .map_err(|error| EncodeError::io(path, error))?;
    if head.starts_with(&[0x1f, 0x8b]) {
        parse(MultiGzDecoder::new(source), path, kind)
    } else {
        parse(source, path, kind)
    }
}

fn parse(mut source: impl Read, path: &Path, kind: IdxKind) -> Result<Idx, EncodeError> {
    let header_len = 4 + 4 * kind.rank();
    let mut header = Vec::with_capacity(header_len);
    read_up_to(&mut source, header_len as u64, &mut header, path)?;
    let text = header.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&header);
    if text.trim_ascii_start().starts_with(b"<") {
        return Err(EncodeError::Html { path: path.into() });
    }
    let word = |i: usize| u32::from_be_bytes(header[4 * i..][..4].try_into().expect("four bytes"));
    if header.len() >= 4 && word(0) != kind.magic() {
        return Err(EncodeError::Magic {
            path: path.into(),
            found: word(0),
            expected: kind.noun(),
            magic: kind.magic(),
            hint: match word(0) {
                0x0801 => "; these are labels",
                0x0803 => "; these are images",
                _ => "",
            },
        });
    }
    if header.len() < header_len {
        return Err(EncodeError::Truncated {
            path: path.into(),
            expected: header_len as u64,
            found: header.len() as u64,
        });
    }
    let dimensions: Vec<u32> = (1..=kind.rank()).map(word).collect();
    let payload = payload_len(&dimensions).map_err(|reason| EncodeError::Dimensions {
        path: path.into(),
        dimensions: dimensions.clone(),
        reason,
    })?;
    // Not more than a data set needs: the header is not to be trusted yet.
    let mut values = Vec::with_capacity(payload.min(1 << 26) as usize);
    // One byte too many shows that the file goes on; it also makes the decoder
    // reach its trailer and compare the checksum there.
    read_up_to(&mut source, payload + 1, &mut values, path)?;
    let (found, expected) = (values.len() as u64, payload);
    let head = header_len as u64;
    if found < expected {
        return Err(EncodeError::Truncated {
            path: path.into(),
            expected: expected + head,
            found: found + head,
        });
    }
    if found > expected {
        return Err(EncodeError::TrailingBytes {
            path: path.into(),
            expected: expected + head,
        });
    }
    Ok(Idx {
        header,
        dimensions,
        values,
    })
}

fn payload_len(dimensions: &[u32]) -> Result<u64, &'static str> {
    if dimensions.contains(&0) {
        return Err("no dimension may be zero");
    }
    dimensions
        .iter()
        .try_fold(1_u64, |product, &d| product.checked_mul(d.into()))
        .filter(|&bytes| bytes <= LARGEST_PAYLOAD)
        .ok_or("more than 1 GiB cannot be right")
}

fn read_up_to(
    source: &mut impl Read,
    limit: u64,
    into: &mut Vec<u8>,
    path: &Path,
) -> Result<(), EncodeError> {
    match source.take(limit).read_to_end(into) {
        Ok(_) => Ok(()),
        Err(error) => Err(match error.kind() {
            io::ErrorKind::UnexpectedEof => EncodeError::TruncatedGzip { path: path.into() },
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => EncodeError::DamagedGzip {
                path: path.into(),
                reason: error.to_string(),
            },
            _ => EncodeError::io(path, error),
        }),
    }
}
