//! Random numbers of a whole core at one step, addressed by lane.
//!
//! Element `e` of a draw serves four lanes, one per word: lanes `e`, `e + n/4`,
//! `e + n/2` and `e + 3n/4` of `n` padded lanes. That order keeps every store
//! contiguous.

use bss2_event::random::{Address, LANES, normal_pair};

use crate::synapse::L;

/// One random word per lane.
#[inline(always)]
pub(crate) fn fill_words(address: Address, step: u32, out: &mut [[u32; L]]) {
    let out = out.as_flattened_mut();
    let quarter = out.len() / 4;
    for e in (0..quarter).step_by(LANES) {
        let words = address.element(e as u32).lanes(step);
        for (w, word) in words.iter().enumerate() {
            out[w * quarter + e..][..LANES].copy_from_slice(word);
        }
    }
}

/// One standard normal number per lane.
#[inline(always)]
pub(crate) fn fill_normals(address: Address, step: u32, out: &mut [[f32; L]]) {
    let out = out.as_flattened_mut();
    let quarter = out.len() / 4;
    for e in (0..quarter).step_by(LANES) {
        let words = address.element(e as u32).lanes(step);
        for pair in 0..2 {
            let (mut x, mut y) = ([0.0; LANES], [0.0; LANES]);
            for l in 0..LANES {
                (x[l], y[l]) = normal_pair(words[2 * pair][l], words[2 * pair + 1][l]);
            }
            out[2 * pair * quarter + e..][..LANES].copy_from_slice(&x);
            out[(2 * pair + 1) * quarter + e..][..LANES].copy_from_slice(&y);
        }
    }
}

/// One number of mean 0 and variance 1 per lane that is nearly normal: the sum of
/// the four bytes of a word. Its excess kurtosis is -0.3 and it ends at 3.5
/// standard deviations; for reads that are rounded to whole codes that is close
/// enough, at a quarter of the cost.
#[inline(always)]
pub(crate) fn fill_sums(address: Address, step: u32, out: &mut [[f32; L]]) {
    let out = out.as_flattened_mut();
    let quarter = out.len() / 4;
    for e in (0..quarter).step_by(LANES) {
        let words = address.element(e as u32).lanes(step);
        for (w, word) in words.iter().enumerate() {
            let out = &mut out[w * quarter + e..][..LANES];
            for l in 0..LANES {
                // Two bytes at a time: neither half overflows into the other.
                let pairs = (word[l] & 0x00ff_00ff) + ((word[l] >> 8) & 0x00ff_00ff);
                let sum = (pairs & 0xffff) + (pairs >> 16);
                out[l] = (sum as i32 as f32 - 4.0 * BYTE_MEAN) * (0.5 / BYTE_SD);
            }
        }
    }
}

/// Standard deviation of a byte drawn uniformly from 0..=255: sqrt((256^2 - 1) / 12).
pub(crate) const BYTE_SD: f32 = 73.900_83;
/// Its mean.
pub(crate) const BYTE_MEAN: f32 = 127.5;
