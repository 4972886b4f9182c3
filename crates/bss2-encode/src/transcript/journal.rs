//! What a transcription has done so far, safe from a kill at any moment.
//!
//! A header (magic, SHA-256 of the settings), then a record for each recording
//! as it is done: its SHA-256, steps, rate and number of spikes, the steps and
//! channels of these, and a CRC-32 of the record. A record that was cut off is
//! dropped when the file is opened again, and all records when the settings are
//! others. A file that begins otherwise is somebody else's and refused.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::Fingerprint;
use crate::cochlea::{CochleaSpike, SpikeTrain};
use crate::error::EncodeError;

const MAGIC: &[u8; 16] = b"bss2 transcript1";
const HEADER: usize = 48;
/// Bytes of a record before its spikes.
const FIXED: usize = 32 + 12;
const PER_SPIKE: usize = 6;
const CHECKSUM: usize = 4;

/// An open journal with its content.
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    done: HashMap<Fingerprint, SpikeTrain>,
}

impl Journal {
    pub(super) fn open(path: &Path, settings: Fingerprint) -> Result<Self, EncodeError> {
        let io = |error| EncodeError::write(path, error);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(io)?;
        file.try_lock().map_err(|error| io(error.into()))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io)?;
        // A kill may have cut the magic itself.
        if !bytes.starts_with(MAGIC) && !MAGIC.starts_with(&bytes) {
            let fault = "it holds something else, it is no journal of a transcription";
            return Err(io(io::Error::other(fault)));
        }
        let header = [MAGIC.as_slice(), &settings].concat();
        let (mut done, mut sound) = (HashMap::new(), 0);
        if bytes.starts_with(&header) {
            sound = HEADER;
            while let Some((print, train, length)) = record(&bytes[sound..]) {
                done.insert(print, train);
                sound += length;
            }
        }
        file.set_len(sound as u64).map_err(io)?;
        file.seek(SeekFrom::End(0)).map_err(io)?;
        if sound == 0 {
            file.write_all(&header).map_err(io)?;
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            done,
        })
    }

    pub(super) fn contains(&self, print: &Fingerprint) -> bool {
        self.done.contains_key(print)
    }

    /// The spikes of a recording that is done.
    pub(super) fn get(&self, print: &Fingerprint) -> &SpikeTrain {
        &self.done[print]
    }

    pub(super) fn append(
        &mut self,
        print: Fingerprint,
        train: SpikeTrain,
    ) -> Result<(), EncodeError> {
        let mut bytes = print.to_vec();
        for number in [train.steps, train.rate, train.spikes.len() as u32] {
            bytes.extend(number.to_le_bytes());
        }
        for spike in &train.spikes {
            bytes.extend(spike.step.to_le_bytes());
            bytes.extend(spike.channel.to_le_bytes());
        }
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        let written = self.file.write_all(&bytes);
        written.map_err(|error| EncodeError::write(&self.path, error))?;
        self.done.insert(print, train);
        Ok(())
    }
}

/// The record at the beginning of `bytes` and its length, if it is whole.
fn record(bytes: &[u8]) -> Option<(Fingerprint, SpikeTrain, usize)> {
    let word = |at: usize| -> Option<u32> {
        let word = bytes.get(at..at + 4)?;
        Some(u32::from_le_bytes(word.try_into().expect("four bytes")))
    };
    let (steps, rate, count) = (word(32)?, word(36)?, word(40)? as usize);
    let end = FIXED + PER_SPIKE * count;
    let spikes = bytes.get(FIXED..end)?;
    if word(end)? != crc32fast::hash(&bytes[..end]) {
        return None;
    }
    let spikes = spikes.chunks_exact(PER_SPIKE).map(|spike| CochleaSpike {
        step: u32::from_le_bytes(spike[..4].try_into().expect("four bytes")),
        channel: u16::from_le_bytes(spike[4..].try_into().expect("two bytes")),
    });
    let train = SpikeTrain {
        rate,
        steps,
        spikes: spikes.collect(),
    };
    let print = bytes[..32].try_into().expect("32 bytes");
    Some((print, train, end + CHECKSUM))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn train(count: u32) -> SpikeTrain {
        SpikeTrain {
            rate: 4_000,
            steps: 100,
            spikes: (0..count)
                .map(|i| CochleaSpike {
                    step: 3 * i,
                    channel: 700 - i as u16,
                })
                .collect(),
        }
    }

    #[test]
    fn a_journal_that_was_cut_anywhere_keeps_its_whole_records() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.partial");
        let mut lengths = Vec::new();
        {
            let mut journal = Journal::open(&path, [1; 32]).unwrap();
            for (i, count) in [3, 0, 7].into_iter().enumerate() {
                journal.append([i as u8; 32], train(count)).unwrap();
                lengths.push(std::fs::metadata(&path).unwrap().len());
            }
            assert!(Journal::open(&path, [1; 32]).is_err(), "it is in use");
        }
        let whole = std::fs::read(&path).unwrap();
        for keep in 0..=whole.len() {
            std::fs::write(&path, &whole[..keep]).unwrap();
            let mut journal = Journal::open(&path, [1; 32]).unwrap();
            let records = lengths.iter().filter(|&&end| end <= keep as u64).count();
            assert_eq!(journal.done.len(), records, "cut at {keep}");
            assert!((0..records).all(|i| journal.contains(&[i as u8; 32])));
            // It goes on where it was cut.
            journal.append([9; 32], train(2)).unwrap();
            drop(journal);
            let journal = Journal::open(&path, [1; 32]).unwrap();
            assert_eq!(journal.get(&[9; 32]), &train(2));
            assert_eq!(journal.done.len(), records + 1);
        }
        // A damaged record ends what is believed; other settings end all of it.
        let mut damaged = whole.clone();
        damaged[lengths[0] as usize + 33] ^= 1;
        std::fs::write(&path, &damaged).unwrap();
        assert_eq!(Journal::open(&path, [1; 32]).unwrap().done.len(), 1);
        std::fs::write(&path, &whole).unwrap();
        assert_eq!(Journal::open(&path, [2; 32]).unwrap().done.len(), 0);
    }

    #[test]
    fn a_file_that_is_no_journal_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("thesis.tex");
        for content in [&b"\\documentclass{article}"[..], b"bss2 transcript0"] {
            std::fs::write(&path, content).unwrap();
            let error = Journal::open(&path, [1; 32]).err().unwrap().to_string();
            assert!(error.contains("thesis.tex cannot be written"), "{error}");
            assert!(error.contains("no journal"), "{error}");
            assert_eq!(std::fs::read(&path).unwrap(), content);
        }
    }
}
