//! Bytes of a dataset become numbers, by the type that the file gives.

use half::f16;
use rust_hdf5::{ByteOrder, DatatypeMessage};

/// How floating-point numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Floats {
    size: usize,
    big_endian: bool,
}

/// How integers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Integers {
    size: usize,
    big_endian: bool,
    signed: bool,
}

impl Floats {
    /// IEEE numbers of 2, 4 or 8 bytes, or nothing.
    pub(super) fn of(datatype: &DatatypeMessage) -> Option<Self> {
        let mut plain = datatype.clone();
        let DatatypeMessage::FloatingPoint {
            size, byte_order, ..
        } = &mut plain
        else {
            return None;
        };
        let floats = Self {
            size: *size as usize,
            big_endian: *byte_order == ByteOrder::BigEndian,
        };
        *byte_order = ByteOrder::LittleEndian;
        let ieee = [
            DatatypeMessage::f16_type(),
            DatatypeMessage::f32_type(),
            DatatypeMessage::f64_type(),
        ];
        ieee.contains(&plain).then_some(floats)
    }

    /// The numbers, double precision rounded to single; nothing where bytes are
    /// left over.
    pub(super) fn decode(self, bytes: &[u8]) -> Option<Vec<f32>> {
        let number = |bytes: &[u8]| match self.size {
            2 => f16::from_le_bytes(ordered(bytes, self.big_endian)).to_f32(),
            4 => f32::from_le_bytes(ordered(bytes, self.big_endian)),
            _ => f64::from_le_bytes(ordered(bytes, self.big_endian)) as f32,
        };
        let chunks = bytes.chunks_exact(self.size);
        chunks
            .remainder()
            .is_empty()
            .then(|| chunks.map(number).collect())
    }
}

impl Integers {
    /// Whole numbers of 1, 2, 4 or 8 bytes, or nothing.
    pub(super) fn of(datatype: &DatatypeMessage) -> Option<Self> {
        match *datatype {
            DatatypeMessage::FixedPoint {
                size: size @ (1 | 2 | 4 | 8),
                byte_order,
                signed,
                bit_offset: 0,
                bit_precision,
            } if u32::from(bit_precision) == 8 * size => Some(Self {
                size: size as usize,
                big_endian: byte_order == ByteOrder::BigEndian,
                signed,
            }),
            _ => None,
        }
    }

    /// The numbers; nothing where bytes are left over.
    pub(super) fn decode(self, bytes: &[u8]) -> Option<Vec<i128>> {
        let number = |bytes: &[u8]| {
            let mut wide = [0; 8];
            wide[..self.size].copy_from_slice(bytes);
            if self.big_endian {
                wide[..self.size].reverse();
            }
            let value = u64::from_le_bytes(wide);
            // The sign bit moves to the top and back.
            let shift = 64 - 8 * self.size as u32;
            if self.signed {
                i128::from((value << shift).cast_signed() >> shift)
            } else {
                i128::from(value)
            }
        };
        let chunks = bytes.chunks_exact(self.size);
        chunks
            .remainder()
            .is_empty()
            .then(|| chunks.map(number).collect())
    }
}

fn ordered<const N: usize>(bytes: &[u8], big_endian: bool) -> [u8; N] {
    let mut array: [u8; N] = bytes.try_into().expect("a chunk of this size");
    if big_endian {
        array.reverse();
    }
    array
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integers(size: u32, signed: bool, byte_order: ByteOrder) -> Integers {
        Integers::of(&DatatypeMessage::FixedPoint {
            size,
            byte_order,
            signed,
            bit_offset: 0,
            bit_precision: 8 * size as u16,
        })
        .unwrap()
    }

    #[test]
    fn integers_of_every_size_sign_and_order() {
        let little = |size, signed| integers(size, signed, ByteOrder::LittleEndian);
        let minus_two = (-2_i64).to_le_bytes();
        for size in [1, 2, 4, 8] {
            let bytes = &minus_two[..size as usize];
            assert_eq!(little(size, true).decode(bytes), Some(vec![-2]));
            let unsigned = (1_i128 << (8 * size)) - 2;
            assert_eq!(little(size, false).decode(bytes), Some(vec![unsigned]));
        }
        let big = integers(2, false, ByteOrder::BigEndian);
        assert_eq!(big.decode(&[2, 187, 0, 1]), Some(vec![699, 1]));
        assert_eq!(big.decode(&[2, 187, 0]), None);
        assert_eq!(Integers::of(&DatatypeMessage::f32_type()), None);
    }

    #[test]
    fn floats_of_every_size_and_order() {
        let half = Floats::of(&DatatypeMessage::f16_type()).unwrap();
        assert_eq!(half.decode(&[0, 0x3c, 0, 0xb8]), Some(vec![1.0, -0.5]));
        let single = Floats::of(&DatatypeMessage::f32_type()).unwrap();
        assert_eq!(single.decode(&0.1_f32.to_le_bytes()), Some(vec![0.1]));
        let double = Floats::of(&DatatypeMessage::f64_type()).unwrap();
        assert_eq!(double.decode(&0.1_f64.to_le_bytes()), Some(vec![0.1]));
        assert_eq!(double.decode(&[0; 7]), None);
        let swapped = Floats {
            big_endian: true,
            ..single
        };
        assert_eq!(swapped.decode(&0.1_f32.to_be_bytes()), Some(vec![0.1]));
        assert_eq!(Floats::of(&DatatypeMessage::u16_type()), None);
    }
}
