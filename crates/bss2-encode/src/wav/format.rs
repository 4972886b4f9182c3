//! The format chunk of a WAV file.
//!
//! Byte rate, size of the extension and valid bits are not looked at: files with
//! wrong ones abound, and the samples do not depend on them. What is left goes to the
//! decoder as a header of the plainest kind. An extensible format
//! has its valid bits at the top of their bytes, so that all bits of the bytes are
//! decoded; 24 bits in four bytes of the plain format are at the bottom, as ALSA
//! writes them (`S24_LE`).
//!
//! # Source
//! Multiple Channel Audio Data and WAVE Files (Microsoft, 2007), for the
//! extensible format.

use super::AudioFault;
use crate::audio::RATES;

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
    pub(super) encoding: Encoding,
}

/// What a sample is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Of so many bits.
    Integer {
        bits: u16,
    },
    Float,
    /// Of eight bytes, which the decoder does not know.
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
            let allowed = format!("{} to {} Hz", RATES.start(), RATES.end());
            return unsupported("rate", format!("{rate} Hz"), allowed);
        }
        if channels == 0 || channels > MOST_CHANNELS {
            let allowed = format!("1 to {MOST_CHANNELS}");
            return unsupported("number of channels", channels.to_string(), allowed);
        }
        if frame % channels != 0 {
            let found = format!("{frame} bytes for {channels} channels");
            return unsupported("frame", found, "equal bytes for every channel");
        }
        let encoding = match (kind, frame / channels, bits) {
            (INTEGERS, 1, 8) | (INTEGERS, 2, 16) | (INTEGERS, 3, 24) | (INTEGERS, 4, 32) => {
                Encoding::Integer { bits }
            }
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

    /// A header of the plain format for so many bytes of data.
    pub(super) fn header(&self, data: u32) -> Vec<u8> {
        let (tag, bits) = match self.encoding {
            Encoding::Integer { bits } => (INTEGERS, bits),
            Encoding::Float | Encoding::Double => (FLOATS, 8 * self.frame / self.channels),
        };
        let bytes_per_s = self.rate.saturating_mul(self.frame.into());
        let mut header = b"RIFF".to_vec();
        header.extend(data.saturating_add(36).to_le_bytes());
        header.extend(b"WAVEfmt ");
        header.extend(16_u32.to_le_bytes());
        header.extend(tag.to_le_bytes());
        header.extend(self.channels.to_le_bytes());
        header.extend(self.rate.to_le_bytes());
        header.extend(bytes_per_s.to_le_bytes());
        header.extend(self.frame.to_le_bytes());
        header.extend(bits.to_le_bytes());
        header.extend(b"data");
        header.extend(data.to_le_bytes());
        header
    }
}

fn unsupported<T>(
    what: &'static str,
    found: String,
    allowed: impl Into<String>,
) -> Result<T, AudioFault> {
    Err(AudioFault::Unsupported {
        what,
        found,
        allowed: allowed.into(),
    })
}
