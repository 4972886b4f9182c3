//! Random numbers of a whole core at one step, addressed by lane.
//!
//! Element `e` of a draw serves four lanes, one per word: lanes `e`, `e + n/4`,
//! `e + n/2` and `e + 3n/4` of `n` padded lanes. That order keeps every store
//! contiguous.

use bss2_event::random::{Address, normal_pair};

use crate::lanes::{L, Lanes, VECTOR, vector_at, vector_mut};

/// One random word per lane, from lane `from` on; those before are left or drawn
/// as it comes.
#[inline(always)]
pub(crate) fn fill_words(address: Address, step: u32, from: usize, out: &mut [Lanes<u32>]) {
    let quarter = out.len() * L / 4 / VECTOR;
    // The last of the four lanes that an element serves.
    let first = from.saturating_sub(3 * quarter * VECTOR) / VECTOR;
    for number in first..quarter {
        let words = address.element((number * VECTOR) as u32).lanes(step);
        for (w, word) in words.iter().enumerate() {
            let (block, which) = vector_at(w * quarter + number);
            *vector_mut(&mut out[block], which) = *word;
        }
    }
}

/// One standard normal number per lane.
#[inline(always)]
pub(crate) fn fill_normals(address: Address, step: u32, out: &mut [Lanes]) {
    let quarter = out.len() * L / 4 / VECTOR;
    for number in 0..quarter {
        let words = address.element((number * VECTOR) as u32).lanes(step);
        for pair in 0..2 {
            let (mut x, mut y) = ([0.0; VECTOR], [0.0; VECTOR]);
            for i in 0..VECTOR {
                (x[i], y[i]) = normal_pair(words[2 * pair][i], words[2 * pair + 1][i]);
            }
            for (w, z) in [(2 * pair, x), (2 * pair + 1, y)] {
                let (block, which) = vector_at(w * quarter + number);
                *vector_mut(&mut out[block], which) = z;
            }
        }
    }
}

/// A number that is nearly normal, of mean 0 and variance 1, from the lower 16 bits
/// of a word: the sum of their two bytes, stretched by a cubic to the kurtosis of a
/// normal number. It ends at 2.98 standard deviations; for reads that are rounded
/// to whole codes that is close enough, at an eighth of the cost.
#[inline(always)]
pub(crate) fn nearly_normal(word: u32) -> f32 {
    let sum = (word & 0xff) + (word >> 8 & 0xff);
    let x = sum as i32 as f32 - 2.0 * BYTE_MEAN;
    x * (STRETCH[0] + STRETCH[1] * (x * x))
}

/// Coefficients of the cubic, for sums of two bytes: mean square 1, mean fourth power 3.
const STRETCH: [f32; 2] = [8.068_898e-3, 5.575_492e-8];

/// Standard deviation of a byte drawn uniformly from 0..=255: sqrt((256^2 - 1) / 12).
pub(crate) const BYTE_SD: f32 = 73.900_83;
/// Its mean.
pub(crate) const BYTE_MEAN: f32 = 127.5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearly_normal_numbers_have_the_moments_and_nearly_the_tails_of_normal_ones() {
        let n = f64::from(1 << 16);
        let numbers = || (0..1_u32 << 16).map(|word| f64::from(nearly_normal(word)));
        let moment = |power| numbers().map(|z| z.powi(power)).sum::<f64>() / n;
        assert!(moment(1).abs() < 1e-6);
        assert!((moment(2) - 1.0).abs() < 1e-5, "{}", moment(2));
        assert!((moment(4) - 3.0).abs() < 1e-4, "{}", moment(4));
        let beyond = |limit: f64| numbers().filter(|z| z.abs() > limit).count() as f64 / n;
        for (limit, normal) in [(1.0, 0.3173), (2.0, 0.0455), (2.5, 0.0124)] {
            assert!(
                (beyond(limit) - normal).abs() < 0.011,
                "{limit}: {}",
                beyond(limit)
            );
        }
        // The upper half of a word has no part in it.
        assert_eq!(nearly_normal(0xffff_1234), nearly_normal(0x1234));
    }

    #[test]
    fn words_of_some_lanes_are_those_of_all() {
        let address = Address::new(bss2_event::Seed(4), bss2_event::random::Domain::Test);
        for blocks in 1..6 {
            let mut all = vec![Lanes::all(0); blocks];
            fill_words(address, 9, 0, &mut all);
            for from in [0, 15, 16, 60, 64 * blocks - 10] {
                let mut some = vec![Lanes::all(0); blocks];
                fill_words(address, 9, from, &mut some);
                let words = |of: &[Lanes<u32>]| {
                    of.iter()
                        .flat_map(|block| **block)
                        .skip(from)
                        .collect::<Vec<_>>()
                };
                assert_eq!(words(&some), words(&all));
            }
        }
    }
}
