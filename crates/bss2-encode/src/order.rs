//! The order in which an epoch shows the samples.

use bss2_event::random::{Address, Domain};
use bss2_event::{RangeError, Seed};

/// A permutation of the samples, drawn for one epoch.
///
/// It depends on seed, epoch and number of samples alone, so a resumed run
/// sees the same batches as one that was never stopped.
///
/// ```
/// use bss2_encode::EpochOrder;
/// use bss2_event::Seed;
///
/// let order = EpochOrder::new(Seed(3), 0, 10);
/// let sizes: Vec<usize> = order.batches(4).map(<[u32]>::len).collect();
/// assert_eq!(sizes, [4, 4, 2]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochOrder {
    indices: Vec<u32>,
}

impl EpochOrder {
    /// The order of an epoch (below 2^24) over `len` samples (below 2^32).
    ///
    /// # Source
    /// Fisher and Yates' shuffle, with bounded draws free of bias.
    ///
    /// # Panics
    /// If epoch or number are larger.
    #[must_use]
    pub fn new(seed: Seed, epoch: u32, len: usize) -> Self {
        let mut order = Self {
            indices: Vec::with_capacity(len),
        };
        order.redraw(seed, epoch, len);
        order
    }

    /// Becomes the order of another epoch and keeps the memory.
    ///
    /// # Panics
    /// As [`EpochOrder::new`].
    pub fn redraw(&mut self, seed: Seed, epoch: u32, len: usize) {
        assert!(epoch < 1 << 24, "epochs are counted by 24 bits");
        assert!(u32::try_from(len).is_ok(), "samples are counted by 32 bits");
        self.indices.clear();
        self.indices.extend(0..len as u32);
        let address = Address::new(seed, Domain::Shuffle).presentation(epoch);
        shuffle(&mut self.indices, address);
    }

    /// All samples in order.
    #[must_use]
    pub fn indices(&self) -> &[u32] {
        &self.indices
    }

    /// Batches of `size` samples, the last one perhaps smaller.
    ///
    /// # Panics
    /// If `size` is zero.
    pub fn batches(&self, size: usize) -> impl ExactSizeIterator<Item = &[u32]> {
        self.indices.chunks(size)
    }
}

/// Of `len` samples the places of those that stay and of `count` others, both in
/// order; which ones depends on seed and numbers alone.
///
/// # Errors
/// Unless at least one is on either side.
pub(crate) fn hold_out(
    len: usize,
    count: usize,
    seed: Seed,
) -> Result<(Vec<u32>, Vec<u32>), RangeError> {
    let most = len.saturating_sub(1) as f64;
    RangeError::check("hold_out", count as f64, 1.0, most, "")?;
    // Epochs use element 0 of this domain.
    let address = Address::new(seed, Domain::Shuffle).element(1);
    let mut stay: Vec<u32> = (0..len as u32).collect();
    shuffle(&mut stay, address);
    let mut held = stay.split_off(len - count);
    stay.sort_unstable();
    held.sort_unstable();
    Ok((stay, held))
}

pub(crate) fn shuffle(indices: &mut [u32], address: Address) {
    let mut stream = address.stream();
    for last in (1..indices.len()).rev() {
        indices.swap(last, stream.bounded(last as u32 + 1) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_comes_once_and_epochs_differ() {
        let first = EpochOrder::new(Seed(1), 0, 1000);
        let mut again = EpochOrder::new(Seed(1), 1, 1000);
        assert_ne!(first, again);
        let mut sorted = first.indices().to_vec();
        sorted.sort_unstable();
        assert!(sorted.iter().copied().eq(0..1000));
        again.redraw(Seed(1), 0, 1000);
        assert_eq!(first, again);
        assert_ne!(first, EpochOrder::new(Seed(2), 0, 1000));
        assert!(EpochOrder::new(Seed(1), 0, 0).indices().is_empty());
    }

    #[test]
    #[should_panic(expected = "epochs are counted by 24 bits")]
    fn an_epoch_without_draws_of_its_own_has_no_order() {
        let _ = EpochOrder::new(Seed(0), 1 << 24, 1);
    }

    #[test]
    fn what_is_held_out_leaves_a_sample_or_is_named_by_its_key() {
        let (stay, held) = hold_out(3, 2, Seed(0)).unwrap();
        assert_eq!((stay.len(), held.len()), (1, 2));
        for count in [0, 3] {
            let error = hold_out(3, count, Seed(0)).unwrap_err().to_string();
            assert_eq!(error, format!("hold_out is {count}, allowed are 1 to 2"));
        }
    }

    #[test]
    fn places_are_uniform() {
        let mut counts = [[0_u32; 5]; 5];
        for epoch in 0..5000 {
            for (place, &i) in EpochOrder::new(Seed(7), epoch, 5)
                .indices()
                .iter()
                .enumerate()
            {
                counts[place][i as usize] += 1;
            }
        }
        // Expected 1000 each; five standard deviations are 141.
        assert!(
            counts.iter().flatten().all(|&c| (860..1140).contains(&c)),
            "{counts:?}"
        );
    }
}
