//! What several test files share.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod golden;
pub(crate) mod network;
pub(crate) mod oracle;

use bss2_event::{Seconds, SpikeBatch, TimeGrid};

/// A batch with as many spikes in the middle of each bin as it counts:
/// `[sample, time, channel]`.
pub(crate) fn batch_from_bins(bins: &[u8], channels: usize, grid: TimeGrid) -> SpikeBatch {
    let mut batch = SpikeBatch::new(channels);
    for (id, sample) in bins.chunks_exact(channels * grid.steps).enumerate() {
        let spikes = sample.iter().enumerate().flat_map(|(i, &count)| {
            let middle = ((i / channels) as f64 + 0.5) * grid.dt.get();
            let spike = (Seconds::new(middle), (i % channels) as u16);
            std::iter::repeat_n(spike, count.into())
        });
        batch.push(id as u64, spikes).unwrap();
    }
    batch
}

/// Largest difference of two arrays, relative to the largest magnitude.
pub(crate) fn relative_error(found: &[f64], wanted: &[f64]) -> f64 {
    assert_eq!(found.len(), wanted.len());
    let scale = wanted.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
    let worst = found
        .iter()
        .zip(wanted)
        .fold(0.0_f64, |m, (a, b)| m.max((a - b).abs()));
    assert!(worst.is_finite(), "not a number");
    if scale == 0.0 { worst } else { worst / scale }
}
