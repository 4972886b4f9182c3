//! The format chunk of a WAV file, and the values of samples in it.
//!
//! Byte rate, size of the extension and valid bits are not looked at: files with
//! wrong ones abound, and the samples do not depend on them. An extensible format
//! has its valid bits at the top of their bytes, so that all bits of the bytes are
//! decoded; 24 bits in four bytes of the plain format are at the bottom, as ALSA
//! writes them (`S24_LE`).
//!
//! # Source
//! Multiple Channel Audio Data and WAVE Files (Microsoft, 2007), for the
//! extensible format.

use super::AudioFault;

const RATES: std::ops::RangeInclusive<u32> = 1_000..=384_000;
const MOST_CHANNELS: u16 = 64;
const INTEGERS: u16 = 1;
const FLOATS: u16 = 3;
const EXTENSIBLE: u16 = 0xfffe;
/// Bytes of an extensible format.
const EXTENSIBLE_BYTES: usize = 40;
/// What follows the tag in the sub-format of an extensible one.
const SUBFORMAT: [u8; 14] = [0, 0, 0, 0, 16, 0, 128, 0, 0, 170, 0, 56, 155, 113];

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Format {
    pub(super) rate: u32,
    pub(super) channels: u16,
    /// Bytes of a frame, a multiple of the channels.
    pub(super) frame: u16,
    encoding: Encoding,
}

/// What a sample is; the first byte is the lowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    /// One byte, 128 is silence.
    Byte,
    /// The lowest so many bits, with a sign.
    Integer {
        bits: u16,
    },
    Float,
    Double,
}

impl Format {
    /// Reads a format chunk of at least 16 bytes.
    pub(super) fn parse(chunk: &[u8]) -> Result<Self, AudioFault> {
        let number = |at: usize| u16::from_le_bytes([chunk[at], chunk[at + 1]]);
        let (tag, channels, frame, bits) = (number(0), number(2), number(12), number(14));
        let extensible = tag == EXTENSIBLE;
        let kind = if !extensible {
            tag
        } else if chunk.len() < EXTENSIBLE_BYTES {
            let found = format!("extensible, but {} bytes long", chunk.len());
            return unsupported("format chunk", found, "40 bytes then");
        } else if chunk[26..EXTENSIBLE_BYTES] == SUBFORMAT {
            number(24)
        } else {
            return unsupported("encoding", "none of WAVE".into(), "integers and floats");
        };
        if ![INTEGERS, FLOATS].contains(&kind) {
            let found = format!("{kind:#06x}");
            return unsupported("encoding", found, "integers (1) and floats (3)");
        }
        let rate = u32::from_le_bytes(chunk[4..8].try_into().expect("four bytes"));
        if !RATES.contains(&rate) {
            return unsupported("rate", format!("{rate} Hz"), "1 to 384 kHz");
        }
        if channels == 0 || channels > MOST_CHANNELS {
            return unsupported("number of channels", channels.to_string(), "1 to 64");
        }
        if frame % channels != 0 {
            let found = format!("{frame} bytes for {channels} channels");
            return unsupported("frame", found, "equal bytes for every channel");
        }
        let encoding = match (kind, frame / channels, bits) {
            (INTEGERS, 1, 8) => Encoding::Byte,
            (INTEGERS, 2, 16) | (INTEGERS, 3, 24) | (INTEGERS, 4, 32) => Encoding::Integer { bits },
            (INTEGERS, 4, 24) if !extensible => Encoding::Integer { bits },
            (FLOATS, 4, 32) => Encoding::Float,
            (FLOATS, 8, 64) => Encoding::Double,
            (_, bytes, _) => {
                let found = format!("{bits} in {bytes} bytes");
                let allowed = "8, 16, 24 or 32, and 32 or 64 of floats";
                return unsupported("number of bits", found, allowed);
            }
        };
        Ok(Self {
            rate,
            channels,
            frame,
            encoding,
        })
    }

    /// Mean of the channels of a frame.
    pub(super) fn mean(&self, frame: &[u8]) -> f64 {
        let samples = frame.chunks_exact(usize::from(self.frame / self.channels));
        let sum: f64 = samples.map(|sample| self.encoding.value(sample)).sum();
        sum / f64::from(self.channels)
    }
}

impl Encoding {
    /// Integers as parts of their range, from -1 on.
    fn value(self, sample: &[u8]) -> f64 {
        match self {
            Self::Byte => (f64::from(sample[0]) - 128.0) / 128.0,
            Self::Integer { bits } => {
                let mut bytes = [0; 4];
                bytes[..sample.len()].copy_from_slice(sample);
                // The sign comes to the top, what is above it falls off.
                let word = u32::from_le_bytes(bytes) << (32 - bits);
                f64::from(word.cast_signed()) / 2_147_483_648.0
            }
            Self::Float => f32::from_le_bytes(sample.try_into().expect("four bytes")).into(),
            Self::Double => f64::from_le_bytes(sample.try_into().expect("eight bytes")),
        }
    }
}

fn unsupported<T>(
    what: &'static str,
    found: String,
    allowed: &'static str,
) -> Result<T, AudioFault> {
    Err(AudioFault::Unsupported {
        what,
        found,
        allowed,
    })
}
