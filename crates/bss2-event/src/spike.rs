//! Batches of spikes: one allocation for many samples.

use crate::error::EventError;
use crate::units::Seconds;

/// The input spikes of many samples, compressed by sample.
///
/// Spikes of a sample are sorted by (time, channel). Times are seconds from the
/// beginning of the sample, finite and not negative. Every sample carries the
/// identity it has in its data set, which addresses its random draws: results
/// do not depend on a sample's place in a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct SpikeBatch {
    channels: usize,
    presentation: u32,
    ids: Vec<u64>,
    offsets: Vec<usize>,
    times: Vec<f64>,
    sources: Vec<u16>,
}

/// The spikes of one sample, borrowed from a [`SpikeBatch`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SampleSpikes<'a> {
    id: u64,
    times: &'a [f64],
    channels: &'a [u16],
}

impl SpikeBatch {
    /// An empty batch for inputs of so many channels.
    ///
    /// # Panics
    /// Above 65,536 channels.
    #[must_use]
    pub fn new(channels: usize) -> Self {
        assert!(channels <= 1 << 16, "channels are addressed by 16 bits");
        Self {
            channels,
            presentation: 0,
            ids: Vec::new(),
            offsets: vec![0],
            times: Vec::new(),
            sources: Vec::new(),
        }
    }

    /// Removes all samples and keeps the memory.
    pub fn clear(&mut self) {
        self.ids.clear();
        self.offsets.truncate(1);
        self.times.clear();
        self.sources.clear();
    }

    /// Which showing of the data this is (the epoch in training): the same
    /// sample shown again meets fresh noise. Zero unless set.
    #[must_use]
    pub fn presentation(&self) -> u32 {
        self.presentation
    }

    /// Sets [`SpikeBatch::presentation`], 0 to 2^24 - 1.
    ///
    /// # Panics
    /// Above.
    pub fn set_presentation(&mut self, presentation: u32) {
        assert!(
            presentation < 1 << 24,
            "presentations are addressed by 24 bits"
        );
        self.presentation = presentation;
    }

    /// Adds a sample; its spikes may come in any order.
    ///
    /// # Errors
    /// [`EventError::Channel`] and [`EventError::Time`]; the batch then is as before.
    pub fn push(
        &mut self,
        id: u64,
        spikes: impl IntoIterator<Item = (Seconds, u16)>,
    ) -> Result<(), EventError> {
        let mut spikes: Vec<(f64, u16)> = spikes
            .into_iter()
            // Negative zero is zero.
            .map(|(time, channel)| (time.get() + 0.0, channel))
            .collect();
        for &(time, channel) in &spikes {
            self.check(id, time, channel)?;
        }
        spikes.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        self.times.extend(spikes.iter().map(|s| s.0));
        self.sources.extend(spikes.iter().map(|s| s.1));
        self.ids.push(id);
        self.offsets.push(self.times.len());
        Ok(())
    }

    /// Adds a sample whose spikes already are sorted by (time, channel).
    ///
    /// # Errors
    /// As [`SpikeBatch::push`]; the batch then is as before.
    ///
    /// # Panics
    /// If both slices differ in length or the spikes are not sorted.
    pub fn push_sorted(
        &mut self,
        id: u64,
        times: &[f64],
        channels: &[u16],
    ) -> Result<(), EventError> {
        assert_eq!(times.len(), channels.len(), "one channel per time");
        for (i, (&time, &channel)) in times.iter().zip(channels).enumerate() {
            self.check(id, time, channel)?;
            assert!(
                i == 0 || (times[i - 1], channels[i - 1]) <= (time, channel),
                "spikes are sorted by (time, channel)"
            );
        }
        self.times.extend_from_slice(times);
        self.sources.extend_from_slice(channels);
        self.ids.push(id);
        self.offsets.push(self.times.len());
        Ok(())
    }

    /// Adds all samples of another batch, in its order; the presentation stays that of
    /// this one.
    ///
    /// # Panics
    /// If the numbers of channels differ.
    pub fn append(&mut self, other: &Self) {
        assert_eq!(self.channels, other.channels, "batches have equal channels");
        let shift = self.times.len();
        self.times.extend_from_slice(&other.times);
        self.sources.extend_from_slice(&other.sources);
        self.ids.extend_from_slice(&other.ids);
        self.offsets
            .extend(other.offsets[1..].iter().map(|&offset| offset + shift));
    }

    fn check(&self, sample: u64, time: f64, channel: u16) -> Result<(), EventError> {
        if usize::from(channel) >= self.channels {
            return Err(EventError::Channel {
                sample,
                channel: channel.into(),
                channels: self.channels,
            });
        }
        // -0.0 would sort before 0.0 under a total order.
        if !(time.is_finite() && time >= 0.0 && time.is_sign_positive()) {
            return Err(EventError::Time { sample, time });
        }
        Ok(())
    }

    /// Number of samples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no sample.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Number of input channels.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Number of spikes of all samples.
    #[must_use]
    pub fn spike_count(&self) -> usize {
        self.times.len()
    }

    /// The sample at a place of the batch.
    ///
    /// # Panics
    /// If `index >= len()`.
    #[must_use]
    pub fn sample(&self, index: usize) -> SampleSpikes<'_> {
        let range = self.offsets[index]..self.offsets[index + 1];
        SampleSpikes {
            id: self.ids[index],
            times: &self.times[range.clone()],
            channels: &self.sources[range],
        }
    }

    /// All samples in order.
    pub fn samples(&self) -> impl ExactSizeIterator<Item = SampleSpikes<'_>> {
        (0..self.len()).map(|i| self.sample(i))
    }
}

impl<'a> SampleSpikes<'a> {
    /// Identity of the sample in its data set.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }
    /// Times in seconds, ascending.
    #[must_use]
    pub fn times(&self) -> &'a [f64] {
        self.times
    }
    /// Channel of each spike, parallel to [`SampleSpikes::times`].
    #[must_use]
    pub fn channels(&self) -> &'a [u16] {
        self.channels
    }
    /// Number of spikes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.times.len()
    }
    /// Whether the sample is silent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }
    /// (time in seconds, channel) in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (f64, u16)> + 'a {
        self.times
            .iter()
            .copied()
            .zip(self.channels.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_are_ordered_by_time_then_channel() {
        let mut batch = SpikeBatch::new(10);
        let t = Seconds::micro(1.0);
        batch
            .push(0, [(t, 9), (t, 2), (Seconds::new(0.0), 5), (t, 4)])
            .unwrap();
        assert_eq!(batch.sample(0).channels(), &[5, 2, 4, 9]);
        assert_eq!(batch.len(), 1);
    }

    #[test]
    fn negative_zero_is_zero() {
        let mut batch = SpikeBatch::new(10);
        let spikes = [(0.0, 5), (-0.0, 3)].map(|(time, channel)| (Seconds::new(time), channel));
        batch.push(0, spikes).unwrap();
        assert_eq!(batch.sample(0).channels(), &[3, 5]);
        assert!(batch.sample(0).times().iter().all(|t| t.is_sign_positive()));
    }

    #[test]
    fn appended_parts_are_the_whole() {
        let spikes = |id: u64| (0..id).map(move |i| (Seconds::micro(i as f64), i as u16));
        let mut whole = SpikeBatch::new(10);
        let mut parts = [SpikeBatch::new(10), SpikeBatch::new(10)];
        for id in 0..6 {
            whole.push(id, spikes(id)).unwrap();
            parts[usize::from(id > 2)].push(id, spikes(id)).unwrap();
        }
        let [mut first, second] = parts;
        first.append(&second);
        assert_eq!(first, whole);
    }

    #[test]
    fn bad_spikes_leave_the_batch_as_it_was() {
        let mut batch = SpikeBatch::new(10);
        batch.push(3, [(Seconds::new(0.0), 1)]).unwrap();
        let before = batch.clone();
        assert!(
            batch
                .push(4, [(Seconds::new(0.0), 1), (Seconds::new(0.0), 10)])
                .is_err()
        );
        assert!(batch.push(4, [(Seconds::new(-1.0), 1)]).is_err());
        assert!(batch.push(4, [(Seconds::new(f64::NAN), 1)]).is_err());
        assert_eq!(batch, before);
    }
}
