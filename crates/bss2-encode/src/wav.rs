//! WAV files, read sample by sample and mixed down to one channel.
//!
//! hound decodes the samples. The chunks are walked here, since real files hold
//! things that it refuses or misreads (`format`, and below): it gets the data behind a
//! clean header.
//! Integers become `value / 2^(bits - 1)`, floats stay; frames of several
//! channels become the mean of their channels.
//!
//! | file | treatment |
//! |---|---|
//! | 8, 16, 24, 32 bit integers, 32 and 64 bit float, plain or extensible | read |
//! | any rate of 1 to 384 kHz | read, never resampled |
//! | data length of a stream, or 0 in an unfinished file | read to the end of the file |
//! | odd-sized chunks before the data | skipped with their pad byte |
//! | everything else, NaN and infinite samples included | an [`AudioFault`] |
//!
//! # Source
//! Multimedia Programming Interface and Data Specifications 1.0 (IBM and
//! Microsoft, 1991), RIFF and WAVE.

mod format;

use std::fs::File;
use std::io::{self, BufReader, Chain, Cursor, ErrorKind, Read, Seek, SeekFrom, Take};
use std::path::{Path, PathBuf};

use hound::{WavIntoSamples, WavReader};
use thiserror::Error;

use crate::audio::{Audio, Samples};
use crate::error::EncodeError;

use format::{Encoding, Format};

/// Chunks that may come before the data.
const MOST_CHUNKS: usize = 256;
/// Bytes of the longest format chunk in use (extensible) and some room.
const LONGEST_FORMAT: u32 = 64;
/// Lengths from here on may be those of a writer to a pipe: SoX gives `0x7FFF_F000`
/// and arecord about `0x8000_0000`, rounded to frames, others [`u32::MAX`].
const STREAMED: u32 = 0x7fff_0000;
/// More data would have more steps than can be counted.
const MOST_DATA: u64 = u32::MAX as u64;

/// What is wrong with a recording.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AudioFault {
    /// The file is something else.
    #[error("it is no WAV file: it begins with {0:?}")]
    NotWav(String),
    /// The file ends before what its header promises.
    #[error("it ends too early: {found} of {expected} bytes of its {what} are there")]
    Truncated {
        /// Which part.
        what: &'static str,
        /// Bytes that the header asks for.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// Sound of a kind that is not read.
    #[error("its {what} is {found}, read are {allowed}")]
    Unsupported {
        /// Which setting.
        what: &'static str,
        /// Its value.
        found: String,
        /// What is read.
        allowed: String,
    },
    /// The samples cannot be decoded.
    #[error("its samples cannot be decoded: {0}")]
    Decoder(String),
    /// The chunks do not make a WAV file.
    #[error("its chunks are out of order: {0}")]
    Chunks(&'static str),
    /// There is no sound at all.
    #[error("it has no samples")]
    Empty,
    /// All samples are zero, so that there is no level to normalise.
    #[error("it is silent: all its samples are zero")]
    Silent,
    /// Too short to be cut into frequencies.
    #[error("it has {samples} samples, at least {least} are needed")]
    TooShort {
        /// Samples of one channel.
        samples: u64,
        /// Smallest number.
        least: u64,
    },
    /// Too long for what is asked.
    #[error("it has {samples} samples, at most {most} are read: {reason}")]
    TooLong {
        /// Samples of one channel.
        samples: u64,
        /// Largest number.
        most: u64,
        /// What sets it.
        reason: &'static str,
    },
    /// The squares of samples have no place among numbers.
    #[error("its samples are too large: the sum of their squares is infinite")]
    TooLoud,
    /// A sample that is not a number.
    #[error("sample {index} is not a finite number")]
    NotFinite {
        /// Frame of the sample.
        index: u64,
    },
    /// Another rate than the cochlea was made for.
    #[error("its rate is {found} Hz, but this cochlea was made for {made_for} Hz")]
    Rate {
        /// Rate of the recording.
        found: u32,
        /// Rate that was given to the cochlea.
        made_for: u32,
    },
}

/// A WAV file whose header was checked.
#[derive(Debug, Clone)]
pub struct WavFile {
    path: PathBuf,
    format: Format,
    data_at: u64,
    frames: u64,
}

impl WavFile {
    /// Checks the header of a file.
    ///
    /// # Errors
    /// [`EncodeError::Io`], [`EncodeError::Audio`].
    pub fn open(path: &Path) -> Result<Self, EncodeError> {
        let file = File::open(path).map_err(|error| EncodeError::io(path, error))?;
        let length = file.metadata().map_err(|e| EncodeError::io(path, e))?.len();
        let mut reader = BufReader::new(file);
        let parts = walk(&mut reader, length).map_err(|error| match error {
            WalkError::Io(error) => EncodeError::io(path, error),
            WalkError::Fault(fault) => EncodeError::audio(path, fault),
        })?;
        Self::check(path, parts).map_err(|fault| EncodeError::audio(path, fault))
    }

    fn check(path: &Path, parts: Parts) -> Result<Self, AudioFault> {
        let frame = u64::from(parts.format.frame);
        if !parts.streamed && !parts.data_len.is_multiple_of(frame) {
            return Err(AudioFault::Truncated {
                what: "last frame",
                expected: frame,
                found: parts.data_len % frame,
            });
        }
        let frames = parts.data_len / frame;
        if frames == 0 {
            return Err(AudioFault::Empty);
        }
        Ok(Self {
            path: path.to_owned(),
            format: parts.format,
            data_at: parts.data_at,
            frames,
        })
    }

    /// Samples per second and channel.
    #[must_use]
    pub fn rate(&self) -> u32 {
        self.format.rate
    }

    /// Number of frames: samples after mixing down.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.frames
    }
}

impl Audio for WavFile {
    fn name(&self) -> &Path {
        &self.path
    }
    fn rate(&self) -> u32 {
        self.format.rate
    }
    fn samples(&self) -> Result<Samples<'_>, EncodeError> {
        let io = |error| EncodeError::io(&self.path, error);
        let mut file = File::open(&self.path).map_err(io)?;
        file.seek(SeekFrom::Start(self.data_at)).map_err(io)?;
        let length = self.frames * u64::from(self.format.frame);
        let data = BufReader::with_capacity(1 << 16, file).take(length);
        let values = Values::new(data, self.format, length as u32)
            .map_err(|fault| EncodeError::audio(&self.path, fault))?;
        Ok(Box::new(Frames {
            file: self,
            values,
            index: 0,
        }))
    }
}

type Data = Take<BufReader<File>>;
type Decoded<T> = WavIntoSamples<Chain<Cursor<Vec<u8>>, Data>, T>;

/// Samples, channel by channel.
enum Values {
    /// With the part of the range that one step is.
    Integer(Decoded<i32>, f64),
    Float(Decoded<f32>),
    Double(Data),
}

impl Values {
    fn new(data: Data, format: Format, length: u32) -> Result<Self, AudioFault> {
        let bits = match format.encoding {
            Encoding::Double => return Ok(Self::Double(data)),
            Encoding::Integer { bits } => Some(bits),
            Encoding::Float => None,
        };
        let source = Cursor::new(format.header(length)).chain(data);
        let reader = WavReader::new(source).map_err(|e| AudioFault::Decoder(e.to_string()))?;
        Ok(match bits {
            Some(bits) => {
                Self::Integer(reader.into_samples(), 1.0 / f64::from(1_u32 << (bits - 1)))
            }
            None => Self::Float(reader.into_samples()),
        })
    }

    fn next(&mut self) -> Option<Result<f64, hound::Error>> {
        match self {
            Self::Integer(values, step) => {
                let step = *step;
                values.next().map(|v| v.map(|v| f64::from(v) * step))
            }
            Self::Float(values) => values.next().map(|v| v.map(f64::from)),
            Self::Double(data) => {
                let mut bytes = [0; 8];
                let read = data.read_exact(&mut bytes);
                Some(read.map(|()| f64::from_le_bytes(bytes)).map_err(Into::into))
            }
        }
    }
}

/// Mixes frames down to samples.
struct Frames<'a> {
    file: &'a WavFile,
    values: Values,
    index: u64,
}

impl Frames<'_> {
    fn value(&mut self) -> Result<f64, EncodeError> {
        let frame = u64::from(self.file.format.frame);
        let truncated = || AudioFault::Truncated {
            what: "frames",
            expected: self.file.frames * frame,
            found: self.index * frame,
        };
        let path = &self.file.path;
        let fault = match self.values.next() {
            Some(Ok(value)) if value.is_finite() => return Ok(value),
            Some(Ok(_)) => AudioFault::NotFinite { index: self.index },
            // The decoder says of the end of a file that it is something else.
            Some(Err(hound::Error::IoError(error)))
                if ![ErrorKind::UnexpectedEof, ErrorKind::Other].contains(&error.kind()) =>
            {
                return Err(EncodeError::io(path, error));
            }
            Some(Err(hound::Error::IoError(_))) | None => truncated(),
            Some(Err(error)) => AudioFault::Decoder(error.to_string()),
        };
        Err(EncodeError::audio(path, fault))
    }

    fn sample(&mut self) -> Result<f64, EncodeError> {
        let mut sum = 0.0;
        for _ in 0..self.file.format.channels {
            sum += self.value()?;
        }
        Ok(sum / f64::from(self.file.format.channels))
    }
}

impl Iterator for Frames<'_> {
    type Item = Result<f64, EncodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.index == self.file.frames {
            return None;
        }
        let sample = self.sample();
        match sample {
            Ok(_) => self.index += 1,
            Err(_) => self.index = self.file.frames, // no way to go on
        }
        Some(sample)
    }
}

enum WalkError {
    Io(io::Error),
    Fault(AudioFault),
}

impl From<io::Error> for WalkError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<AudioFault> for WalkError {
    fn from(fault: AudioFault) -> Self {
        Self::Fault(fault)
    }
}

/// What the chunks say.
struct Parts {
    format: Format,
    data_at: u64,
    data_len: u64,
    streamed: bool,
}

/// Finds format and data in a file of `length` bytes.
fn walk(reader: &mut (impl Read + Seek), length: u64) -> Result<Parts, WalkError> {
    let mut head = Vec::new();
    reader.take(12).read_to_end(&mut head)?;
    if head.is_empty() {
        return Err(AudioFault::Empty.into());
    }
    if head.len() < 12 || &head[..4] != b"RIFF" || &head[8..] != b"WAVE" {
        let text = String::from_utf8_lossy(&head).into_owned();
        return Err(AudioFault::NotWav(text).into());
    }
    let riff_length = le_u32(&head[4..8]);
    let mut format = None;
    let mut at = 12;
    for _ in 0..MOST_CHUNKS {
        let mut chunk = Vec::new();
        reader.take(8).read_to_end(&mut chunk)?;
        if chunk.len() < 8 {
            return Err(AudioFault::Chunks("the file ends without a data chunk").into());
        }
        at += 8;
        let size = le_u32(&chunk[4..]);
        let rest = length.saturating_sub(at);
        match &chunk[..4] {
            b"data" => {
                let Some(format) = format else {
                    return Err(AudioFault::Chunks("data come before their format").into());
                };
                // An unfinished file ends with this chunk by its own account.
                let unfinished = size == 0 && u64::from(riff_length) <= at - 8;
                let endless = size >= STREAMED && u64::from(size) > rest;
                let streamed = unfinished || endless;
                return Ok(Parts {
                    format,
                    data_at: at,
                    data_len: data_length(size, streamed, rest)?,
                    streamed,
                });
            }
            b"fmt " => format = Some(format_chunk(reader, size)?),
            _ if u64::from(size) > rest => return Err(truncated("chunks", size, rest).into()),
            _ => reader.seek_relative(i64::from(size) + i64::from(size % 2))?,
        }
        at += u64::from(size) + u64::from(size % 2);
    }
    Err(AudioFault::Chunks("there are hundreds before the data").into())
}

/// Bytes of data in the `rest` of a file whose chunk says that there are `size`.
fn data_length(size: u32, streamed: bool, rest: u64) -> Result<u64, AudioFault> {
    if !streamed && u64::from(size) > rest {
        return Err(truncated("data", size, rest));
    }
    let length = if streamed { rest } else { size.into() };
    if length >= MOST_DATA {
        return Err(AudioFault::Unsupported {
            what: "length",
            found: format!("{length} bytes"),
            allowed: "less than 4 GiB".into(),
        });
    }
    Ok(length)
}

/// Reads a format chunk of `size` bytes, with its pad byte.
fn format_chunk(reader: &mut (impl Read + Seek), size: u32) -> Result<Format, WalkError> {
    if !(16..=LONGEST_FORMAT).contains(&size) {
        return Err(AudioFault::Unsupported {
            what: "format chunk",
            found: format!("{size} bytes long"),
            allowed: format!("16 to {LONGEST_FORMAT} bytes"),
        }
        .into());
    }
    let mut bytes = Vec::new();
    reader.take(size.into()).read_to_end(&mut bytes)?;
    if bytes.len() < size as usize {
        return Err(truncated("format chunk", size, bytes.len() as u64).into());
    }
    reader.seek_relative(i64::from(size % 2))?;
    Ok(Format::parse(&bytes)?)
}

fn truncated(what: &'static str, expected: u32, found: u64) -> AudioFault {
    AudioFault::Truncated {
        what,
        expected: expected.into(),
        found,
    }
}

fn le_u32(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(bytes.try_into().expect("four bytes"))
}
