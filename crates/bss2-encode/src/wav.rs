//! WAV files, read sample by sample and mixed down to one channel.
//!
//! The format's chunks are walked here, since real files hold things that
//! `hound` refuses (an odd-sized chunk before the data, the length of a
//! stream); `hound` then gets a clean header and decodes the samples.
//! Integers become `value / 2^(bits - 1)`, floats stay; frames of several
//! channels become the mean of their channels.
//!
//! | file | treatment |
//! |---|---|
//! | 8, 16, 24, 32 bit integers, 32 bit float, plain or extensible | read |
//! | any rate of 1 to 384 kHz | read, never resampled |
//! | data length of a stream (`0xFFFF_FFFF`, or 0 in an unfinished file) | read to the end of the file |
//! | odd-sized chunks before the data | skipped with their pad byte |
//! | everything else, NaN and infinite samples included | an [`AudioFault`] |
//!
//! # Source
//! Multimedia Programming Interface and Data Specifications 1.0 (IBM and
//! Microsoft, 1991), RIFF and WAVE.

use std::fs::File;
use std::io::{self, BufReader, Chain, Cursor, Read, Seek, SeekFrom, Take};
use std::path::{Path, PathBuf};

use hound::{SampleFormat, WavIntoSamples, WavReader};
use thiserror::Error;

use crate::audio::{Audio, Samples};
use crate::error::EncodeError;

/// Chunks that may come before the data.
const MOST_CHUNKS: usize = 256;
/// Bytes of the longest format chunk in use (extensible) and some room.
const LONGEST_FORMAT: u32 = 64;
/// Length that a writer to a pipe gives.
const STREAMED: u32 = u32::MAX;
const RATES: std::ops::RangeInclusive<u32> = 1_000..=384_000;
const MOST_CHANNELS: u16 = 64;

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
        allowed: &'static str,
    },
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
    /// What the decoder says.
    #[error("it cannot be decoded: {0}")]
    Decoder(String),
}

/// A WAV file whose header was checked.
#[derive(Debug, Clone)]
pub struct WavFile {
    path: PathBuf,
    rate: u32,
    channels: u16,
    scale: f64,
    float: bool,
    /// A header without surprises, for the decoder.
    header: Vec<u8>,
    data_at: u64,
    data_len: u64,
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
        let header = parts.header();
        let spec = WavReader::new(Cursor::new(&header))
            .map_err(|error| decoder_fault(&error, &parts.format))?
            .spec();
        let unsupported = |what, found: String, allowed| AudioFault::Unsupported {
            what,
            found,
            allowed,
        };
        if !RATES.contains(&spec.sample_rate) {
            let found = format!("{} Hz", spec.sample_rate);
            return Err(unsupported("rate", found, "1 to 384 kHz"));
        }
        if spec.channels == 0 || spec.channels > MOST_CHANNELS {
            let found = spec.channels.to_string();
            return Err(unsupported("number of channels", found, "1 to 64"));
        }
        // The decoder takes the bits that an extensible header calls valid as they are.
        let bytes = parts.frame() / spec.channels;
        let known = match spec.sample_format {
            SampleFormat::Float => (bytes, spec.bits_per_sample) == (4, 32),
            SampleFormat::Int => {
                let known = [(1, 8), (2, 16), (3, 24), (4, 24), (4, 32)];
                known.contains(&(bytes, spec.bits_per_sample))
            }
        };
        if !known {
            let found = format!("{} in {bytes} bytes", spec.bits_per_sample);
            let allowed = "8, 16, 24 or 32, and 32 of floats";
            return Err(unsupported("number of bits", found, allowed));
        }
        let frame = u64::from(parts.frame());
        if frame == 0 || (!parts.streamed && !parts.data_len.is_multiple_of(frame)) {
            return Err(AudioFault::Truncated {
                what: "last frame",
                expected: frame,
                found: parts.data_len % frame.max(1),
            });
        }
        let frames = parts.data_len / frame;
        if frames == 0 {
            return Err(AudioFault::Empty);
        }
        Ok(Self {
            path: path.to_owned(),
            rate: spec.sample_rate,
            channels: spec.channels,
            scale: match spec.sample_format {
                SampleFormat::Float => 1.0,
                SampleFormat::Int => 1.0 / f64::from(1_u32 << (spec.bits_per_sample - 1)),
            },
            float: spec.sample_format == SampleFormat::Float,
            header,
            data_at: parts.data_at,
            data_len: frames * frame,
            frames,
        })
    }

    /// Samples per second and channel.
    #[must_use]
    pub fn rate(&self) -> u32 {
        self.rate
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
        self.rate
    }
    fn samples(&self) -> Result<Samples<'_>, EncodeError> {
        let io = |error| EncodeError::io(&self.path, error);
        let mut file = File::open(&self.path).map_err(io)?;
        file.seek(SeekFrom::Start(self.data_at)).map_err(io)?;
        let source = Cursor::new(self.header.clone())
            .chain(BufReader::with_capacity(1 << 16, file).take(self.data_len));
        let reader = WavReader::new(source)
            .map_err(|e| EncodeError::audio(&self.path, AudioFault::Decoder(e.to_string())))?;
        let values = if self.float {
            Values::Float(reader.into_samples())
        } else {
            Values::Integer(reader.into_samples())
        };
        Ok(Box::new(Frames {
            file: self,
            values,
            index: 0,
        }))
    }
}

type Source = Chain<Cursor<Vec<u8>>, Take<BufReader<File>>>;

enum Values {
    Integer(WavIntoSamples<Source, i32>),
    Float(WavIntoSamples<Source, f32>),
}

/// Mixes frames down to samples.
struct Frames<'a> {
    file: &'a WavFile,
    values: Values,
    index: u64,
}

impl Frames<'_> {
    fn value(&mut self) -> Result<f64, EncodeError> {
        let value = match &mut self.values {
            Values::Integer(values) => values.next().map(|v| v.map(f64::from)),
            Values::Float(values) => values.next().map(|v| v.map(f64::from)),
        };
        let path = &self.file.path;
        match value {
            Some(Ok(value)) if value.is_finite() => Ok(value * self.file.scale),
            Some(Ok(_)) => Err(AudioFault::NotFinite { index: self.index }),
            Some(Err(error)) => Err(AudioFault::Decoder(error.to_string())),
            None => Err(AudioFault::Truncated {
                what: "samples",
                expected: self.file.frames,
                found: self.index,
            }),
        }
        .map_err(|fault| EncodeError::audio(path, fault))
    }
}

impl Iterator for Frames<'_> {
    type Item = Result<f64, EncodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.index == self.file.frames {
            return None;
        }
        let mut sum = 0.0;
        for _ in 0..self.file.channels {
            match self.value() {
                Ok(value) => sum += value,
                Err(error) => {
                    self.index = self.file.frames; // no way to go on
                    return Some(Err(error));
                }
            }
        }
        self.index += 1;
        Some(Ok(sum / f64::from(self.file.channels)))
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
    format: Vec<u8>,
    data_at: u64,
    data_len: u64,
    streamed: bool,
}

impl Parts {
    /// Bytes per frame.
    fn frame(&self) -> u16 {
        u16::from_le_bytes([self.format[12], self.format[13]])
    }

    fn header(&self) -> Vec<u8> {
        let frame = u64::from(self.frame().max(1));
        let data = (self.data_len / frame * frame) as u32;
        let mut bytes = b"RIFF".to_vec();
        let before = 20 + self.format.len() as u32;
        bytes.extend(data.saturating_add(before).to_le_bytes());
        bytes.extend(b"WAVEfmt ");
        bytes.extend((self.format.len() as u32).to_le_bytes());
        bytes.extend(&self.format);
        bytes.extend(b"data");
        bytes.extend(data.to_le_bytes());
        bytes
    }
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
                let streamed = size == STREAMED || (size == 0 && riff_length == 0);
                if !streamed && u64::from(size) > rest {
                    return Err(truncated("data", size, rest).into());
                }
                let data_len = if streamed { rest } else { size.into() };
                if data_len >= STREAMED.into() {
                    return Err(AudioFault::Unsupported {
                        what: "length",
                        found: format!("{data_len} bytes"),
                        allowed: "less than 4 GiB",
                    }
                    .into());
                }
                return Ok(Parts {
                    format,
                    data_at: at,
                    data_len,
                    streamed,
                });
            }
            b"fmt " => {
                if !(16..=LONGEST_FORMAT).contains(&size) {
                    return Err(AudioFault::Unsupported {
                        what: "format chunk",
                        found: format!("{size} bytes long"),
                        allowed: "16 to 64 bytes",
                    }
                    .into());
                }
                let mut bytes = Vec::new();
                reader.take(size.into()).read_to_end(&mut bytes)?;
                if bytes.len() < size as usize {
                    return Err(truncated("format chunk", size, bytes.len() as u64).into());
                }
                reader.seek_relative(i64::from(size % 2))?;
                format = Some(bytes);
            }
            _ if u64::from(size) > rest => return Err(truncated("chunks", size, rest).into()),
            _ => reader.seek_relative(i64::from(size) + i64::from(size % 2))?,
        }
        at += u64::from(size) + u64::from(size % 2);
    }
    Err(AudioFault::Chunks("there are hundreds before the data").into())
}

fn truncated(what: &'static str, expected: u32, found: u64) -> AudioFault {
    AudioFault::Truncated {
        what,
        expected: expected.into(),
        found,
    }
}

/// A refusal of the decoder in terms of the file.
fn decoder_fault(error: &hound::Error, format: &[u8]) -> AudioFault {
    match error {
        hound::Error::Unsupported => AudioFault::Unsupported {
            what: "encoding",
            found: format!(
                "{} bit of format tag {:#06x}",
                u16::from_le_bytes([format[14], format[15]]),
                u16::from_le_bytes([format[0], format[1]])
            ),
            allowed: "8, 16, 24 and 32 bit integers and 32 bit floats",
        },
        other => AudioFault::Decoder(other.to_string()),
    }
}

fn le_u32(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(bytes.try_into().expect("four bytes"))
}
