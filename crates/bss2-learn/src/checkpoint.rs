//! Files that a stopped training goes on from.
//!
//! `"BSS2CKPT"`, then little-endian: format version (u32), length of the
//! content (u64), CRC-32 of the content (u32), and the content: bincode 2
//! (standard configuration) of any serde type, such as [`crate::Snapshot`].
//!
//! A file is written beside its final name, synced and renamed, so a kill at
//! any moment leaves the old file or the new one.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bss2_event::files::write_atomically;
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

const MAGIC: [u8; 8] = *b"BSS2CKPT";
const HEADER: usize = 24;

/// The version of the format that this crate writes and reads.
pub const VERSION: u32 = 2;

/// What can be wrong with a checkpoint. Every message names the file.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The system refused.
    #[error("cannot {action} checkpoint {path}: {source}", path = path.display())]
    Io {
        /// Read or write.
        action: &'static str,
        /// File.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file does not begin as a checkpoint does.
    #[error("{path} is not a checkpoint", path = path.display())]
    NotACheckpoint {
        /// File.
        path: PathBuf,
    },
    /// The file is of another version.
    #[error(
        "checkpoint {path} has format version {found}, this program reads version {VERSION}; \
         use the program that wrote it, or start anew",
        path = path.display()
    )]
    Version {
        /// File.
        path: PathBuf,
        /// Version of the file.
        found: u32,
    },
    /// The file ends early, or goes on after its end.
    #[error(
        "checkpoint {path} is {found} bytes long where its header announces {wanted}; \
         it was cut or overwritten, use an older one",
        path = path.display()
    )]
    Length {
        /// File.
        path: PathBuf,
        /// Bytes there are.
        found: u64,
        /// Bytes there should be.
        wanted: u64,
    },
    /// The content is not what was written.
    #[error(
        "checkpoint {path} is damaged: its checksum is {found:08x}, its header says {wanted:08x}; \
         use an older one",
        path = path.display()
    )]
    Checksum {
        /// File.
        path: PathBuf,
        /// Of the content.
        found: u32,
        /// In the header.
        wanted: u32,
    },
    /// The content is whole but of another type.
    #[error("checkpoint {path} holds something else: {reason}", path = path.display())]
    Content {
        /// File.
        path: PathBuf,
        /// What the decoder met.
        reason: String,
    },
}

fn io_error(action: &'static str, path: &Path) -> impl Fn(io::Error) -> CheckpointError {
    let path = path.to_owned();
    move |source| CheckpointError::Io {
        action,
        path: path.clone(),
        source,
    }
}

/// Writes a checkpoint, atomically.
///
/// # Errors
/// [`CheckpointError::Io`]; a file of that name is then as it was.
pub fn write_checkpoint<C: Serialize>(path: &Path, content: &C) -> Result<(), CheckpointError> {
    let fail = io_error("write", path);
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes.resize(HEADER, 0);
    bincode::serde::encode_into_std_write(content, &mut bytes, bincode::config::standard())
        .map_err(|error| CheckpointError::Content {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
    let content = &bytes[HEADER..];
    let (length, checksum) = (content.len() as u64, crc32fast::hash(content));
    bytes[12..20].copy_from_slice(&length.to_le_bytes());
    bytes[20..24].copy_from_slice(&checksum.to_le_bytes());

    write_atomically(path, &bytes).map_err(fail)
}

/// Reads a checkpoint.
///
/// # Errors
/// One [`CheckpointError`] for each way a file can be wrong.
pub fn read_checkpoint<C: DeserializeOwned>(path: &Path) -> Result<C, CheckpointError> {
    let fail = io_error("read", path);
    let path_buf = || path.to_owned();
    let mut bytes = Vec::new();
    let size = fs::metadata(path).map_err(&fail)?.len();
    File::open(path)
        .and_then(|file| file.take(size).read_to_end(&mut bytes))
        .map_err(&fail)?;
    if !bytes.starts_with(&MAGIC) {
        return Err(CheckpointError::NotACheckpoint { path: path_buf() });
    }
    let wrong_length = |wanted| CheckpointError::Length {
        path: path_buf(),
        found: bytes.len() as u64,
        wanted,
    };
    let (Some(version), Some(length), Some(wanted)) =
        (field(&bytes, 8), field(&bytes, 12), field(&bytes, 20))
    else {
        return Err(wrong_length(HEADER as u64));
    };
    let version = u32::from_le_bytes(version);
    if version != VERSION {
        return Err(CheckpointError::Version {
            path: path_buf(),
            found: version,
        });
    }
    let (length, wanted) = (u64::from_le_bytes(length), u32::from_le_bytes(wanted));
    let content = &bytes[HEADER..];
    if content.len() as u64 != length {
        return Err(wrong_length(length.saturating_add(HEADER as u64)));
    }
    let found = crc32fast::hash(content);
    if found != wanted {
        return Err(CheckpointError::Checksum {
            path: path_buf(),
            found,
            wanted,
        });
    }
    let content_error = |reason| CheckpointError::Content {
        path: path_buf(),
        reason,
    };
    let (value, used) = bincode::serde::decode_from_slice(content, bincode::config::standard())
        .map_err(|error| content_error(error.to_string()))?;
    if used != content.len() {
        return Err(content_error(format!(
            "{} bytes are left over",
            content.len() - used
        )));
    }
    Ok(value)
}

/// Bytes of a header field.
fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<u64>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.ckpt");
        fs::write(&path, bytes).unwrap();
        read_checkpoint(&path).map_err(|error| {
            let text = error.to_string();
            assert!(text.contains("some.ckpt"), "{text}");
            text
        })
    }

    #[test]
    fn what_was_written_is_read_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.ckpt");
        let content: Vec<u64> = (0..20).map(|i| i * i * i).collect();
        write_checkpoint(&path, &content).unwrap();
        write_checkpoint(&path, &content).unwrap();
        assert_eq!(read_checkpoint::<Vec<u64>>(&path).unwrap(), content);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(read_checkpoint::<String>(&path).is_err());

        let bytes = fs::read(&path).unwrap();
        for bit in 0..8 * bytes.len() {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let error = read(&flipped).unwrap_err();
            let wanted = match bit / 8 {
                0..8 => "not a checkpoint",
                8..12 => "version",
                12..20 => "announces",
                _ => "damaged",
            };
            assert!(error.contains(wanted), "bit {bit}: {error}");
        }
        for len in 0..bytes.len() {
            let error = read(&bytes[..len]).unwrap_err();
            let wanted = if len < 8 {
                "not a checkpoint"
            } else {
                "announces"
            };
            assert!(error.contains(wanted), "{len} bytes: {error}");
        }
        assert!(
            read(&[&bytes[..], b"x"].concat())
                .unwrap_err()
                .contains("announces")
        );
    }

    #[test]
    fn a_missing_folder_or_file_is_named() {
        let path = Path::new("no/such/folder/some.ckpt");
        let error = write_checkpoint(path, &1_u8).unwrap_err().to_string();
        assert!(
            error.contains("cannot write") && error.contains("some.ckpt"),
            "{error}"
        );
        let error = read_checkpoint::<u8>(path).unwrap_err().to_string();
        assert!(
            error.contains("cannot read") && error.contains("some.ckpt"),
            "{error}"
        );
    }
}
