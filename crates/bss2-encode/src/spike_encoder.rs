//! From samples of spikes to a batch: fewer channels, faster, on a fixed grid.
//!
//! A time t of the recording becomes `t / compression` on the chip and lands in
//! the nearest bin of a grid that begins with the recording: bin k is the time
//! `k * bin`. The grid is the same for all samples, so distances are kept, a
//! late first spike stays late, and a spike past the window is lost and
//! counted. No spike is ever moved to another place of the window.

use bss2_event::{Hertz, RangeError, Seconds, Seed, SpikeBatch, TimeGrid};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::channels::{ChannelReduction, Thinning};
use crate::cochlea::CochleaConfig;
use crate::error::EncodeError;
use crate::spike_augment::SpikeAugmentation;
use crate::spike_set::SpikeSet;
use crate::upsample::check_least;

/// Samples per task; no result depends on it.
const CHUNK: usize = 4;

/// Everything between a recording and the spikes that a chip gets.
///
/// # Source
/// Cramer et al., PNAS 2022, for reduction and compression. The grid is our
/// choice: a cycle of the chip's link, below which no time can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SpeechConfig {
    /// From sound to spikes, where a data set is sound.
    pub cochlea: CochleaConfig,
    /// Recordings of a lower rate are interpolated to the least whole multiple
    /// of theirs that reaches it before they enter the cochlea; 0 to 96 kHz. Of
    /// recordings of different rates: [`crate::Upsampled`].
    pub least_rate: Hertz,
    /// Seed of the auditory nerve.
    pub seed: Seed,
    /// Which channels are used.
    pub reduction: ChannelReduction,
    /// Seconds of a recording per second on the chip, 1 to 1e6.
    pub compression: f64,
    /// Grid of the spikes on the chip, 1 ns to 1 ms.
    pub bin: Seconds,
    /// Random changes of spikes.
    pub augmentation: SpikeAugmentation,
}

impl Default for SpeechConfig {
    fn default() -> Self {
        Self {
            cochlea: CochleaConfig::default(),
            least_rate: Hertz::new(24_000.0),
            seed: Seed(0),
            reduction: ChannelReduction::default(),
            compression: 2000.0,
            bin: Seconds::nano(8.0),
            augmentation: SpikeAugmentation::default(),
        }
    }
}

impl SpeechConfig {
    /// Checks all settings but those of the cochlea, which depend on the rate
    /// of the sound.
    ///
    /// # Errors
    /// [`RangeError`] with the field's name and range.
    pub fn validate(&self) -> Result<(), RangeError> {
        check_least(self.least_rate)?;
        self.reduction.validate()?;
        RangeError::check("compression", self.compression, 1.0, 1e6, "")?;
        RangeError::check("bin", self.bin.get(), 1e-9, 1e-3, "s")?;
        self.augmentation.validate()
    }
}

/// Puts samples into batches, in parallel.
///
/// The result is a pure function of configuration, seed, set, indices and
/// epoch; a sample's spikes depend on itself alone.
#[derive(Debug)]
pub struct SpikeEncoder {
    reduction: ChannelReduction,
    /// Channels of the sets that are encoded.
    from: usize,
    /// Inputs of the chip.
    channels: usize,
    compression: f64,
    grid: TimeGrid,
    augmentation: SpikeAugmentation,
    seed: Seed,
    tasks: Vec<Task>,
}

/// What one task works in.
#[derive(Debug)]
struct Task {
    /// Bin, and channel in the lowest 16 bits: ordered as spikes are.
    spikes: Vec<u64>,
    thinning: Thinning,
    times: Vec<f64>,
    channels: Vec<u16>,
    batch: SpikeBatch,
    lost: u64,
}

impl SpikeEncoder {
    /// An encoder of sets with `channels` channels for runs of length `window`
    /// on the chip; `seed` is the run's and enters augmentation only.
    ///
    /// Without augmentation, a set that was reduced before
    /// ([`ChannelReduction::reduce`]) is encoded with
    /// [`ChannelReduction::none`] to the same spikes, in a tenth of the time.
    ///
    /// # Errors
    /// [`EncodeError::Range`] for settings outside their range, a reduction that leaves
    /// no channel, or a window of no bin or of more than 2^32.
    pub fn new(
        config: &SpeechConfig,
        channels: usize,
        window: Seconds,
        seed: Seed,
    ) -> Result<Self, EncodeError> {
        config.validate()?;
        let inputs = config.reduction.some_channels(channels)?;
        // A window that is a multiple of the bin must not lose one to rounding.
        let bins = (window.get() / config.bin.get() * (1.0 + 1e-12)).floor();
        RangeError::check("bins of the window", bins, 1.0, f64::from(u32::MAX), "")?;
        Ok(Self {
            reduction: config.reduction,
            from: channels,
            channels: inputs,
            compression: config.compression,
            grid: TimeGrid {
                steps: bins as usize,
                dt: config.bin,
            },
            augmentation: config.augmentation,
            seed,
            tasks: Vec::new(),
        })
    }

    /// Number of input channels.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// The grid that spikes land on.
    #[must_use]
    pub fn grid(&self) -> TimeGrid {
        self.grid
    }

    /// Fills `batch` with some samples, in the order of `indices`, and returns
    /// how many spikes of the inputs were lost: those that come past
    /// the window, or that jitter moved out of it on either side.
    ///
    /// A sample's identity is its index in the set, the batch's presentation is
    /// the epoch.
    ///
    /// # Errors
    /// [`EncodeError::Index`]; [`EncodeError::Range`] for an epoch of 2^24 or
    /// more, or for a batch or set of another number of channels. The batch then
    /// is as before.
    pub fn encode(
        &mut self,
        set: &SpikeSet,
        indices: &[u32],
        epoch: u32,
        batch: &mut SpikeBatch,
    ) -> Result<u64, EncodeError> {
        for (field, found, wanted) in [
            ("channels of the batch", batch.channels(), self.channels),
            ("channels of the set", set.channels(), self.from),
        ] {
            let wanted = wanted as f64;
            RangeError::check(field, found as f64, wanted, wanted, "")?;
        }
        RangeError::check("epoch", epoch.into(), 0.0, f64::from((1 << 24) - 1), "")?;
        set.check_indices(indices)?;

        let mut tasks = std::mem::take(&mut self.tasks);
        tasks.resize_with(indices.len().div_ceil(CHUNK), || {
            Task::new(self.channels, self.reduction)
        });
        let done = tasks
            .par_iter_mut()
            .zip(indices.par_chunks(CHUNK))
            .try_for_each(|(task, indices)| task.encode(self, set, indices, epoch));
        if done.is_ok() {
            batch.clear();
            batch.set_presentation(epoch);
            for task in &tasks {
                batch.append(&task.batch);
            }
        }
        let lost = tasks.iter().map(|task| task.lost).sum();
        self.tasks = tasks;
        done.map(|()| lost)
    }

    /// The bin of a time in seconds of the recording, from 1; what lies before or
    /// after the window is in the bin beside it.
    fn bin(&self, time: f64) -> u64 {
        let bin = libm::round(time / (self.compression * self.grid.dt.get()));
        (bin + 1.0).clamp(0.0, self.grid.steps as f64 + 1.0) as u64
    }
}

/// The beginning of a bin.
fn time_of(bin: u32, dt: f64) -> f64 {
    f64::from(bin) * dt
}

impl Task {
    fn new(channels: usize, reduction: ChannelReduction) -> Self {
        Self {
            spikes: Vec::new(),
            thinning: reduction.thinning(channels),
            times: Vec::new(),
            channels: Vec::new(),
            batch: SpikeBatch::new(channels),
            lost: 0,
        }
    }

    fn encode(
        &mut self,
        encoder: &SpikeEncoder,
        set: &SpikeSet,
        indices: &[u32],
        epoch: u32,
    ) -> Result<(), EncodeError> {
        self.batch.clear();
        self.lost = 0;
        let augmentation = encoder.augmentation;
        for &index in indices {
            let changes = augmentation
                .is_on()
                .then(|| augmentation.draw(encoder.seed, epoch, index.into()));
            self.spikes.clear();
            let (times, units) = set.spikes(index as usize);
            for (i, (&time, &unit)) in times.iter().zip(units).enumerate() {
                let (mut time, mut channel) = (f64::from(time), i32::from(unit));
                if let Some(changes) = &changes {
                    let Some(changed) = changes.apply(i as u32, time, unit) else {
                        continue;
                    };
                    (time, channel) = changed;
                }
                let there = usize::try_from(channel)
                    .ok()
                    .filter(|&channel| channel < encoder.from);
                let Some(input) = there.and_then(|channel| encoder.reduction.input(channel)) else {
                    continue;
                };
                self.spikes.push(encoder.bin(time) << 16 | u64::from(input));
            }
            self.spikes.sort_unstable();
            self.thinning.begin();
            self.spikes.retain(|&s| self.thinning.keeps(s as u16));
            let sent = self.spikes.len();
            let window = 1..=encoder.grid.steps as u64;
            self.spikes.retain(|&s| window.contains(&(s >> 16)));
            self.lost += (sent - self.spikes.len()) as u64;
            let dt = encoder.grid.dt.get();
            self.times.clear();
            self.times.extend(
                self.spikes
                    .iter()
                    .map(|s| time_of((s >> 16) as u32 - 1, dt)),
            );
            self.channels.clear();
            self.channels.extend(self.spikes.iter().map(|&s| s as u16));
            self.batch
                .push_sorted(index.into(), &self.times, &self.channels)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spike_set::{SampleInfo, Speaker};

    fn set(samples: &[&[(f32, u16)]]) -> SpikeSet {
        let mut set =
            SpikeSet::new("test", 700, vec!["a".into()], vec![Speaker::default()]).unwrap();
        for sample in samples {
            let times: Vec<f32> = sample.iter().map(|s| s.0).collect();
            let units: Vec<u16> = sample.iter().map(|s| s.1).collect();
            set.push(0, SampleInfo::default(), &times, &units).unwrap();
        }
        set
    }

    fn encode(config: &SpeechConfig, window: Seconds, set: &SpikeSet) -> (SpikeBatch, u64) {
        let mut encoder = SpikeEncoder::new(config, set.channels(), window, Seed(1)).unwrap();
        let mut batch = SpikeBatch::new(encoder.channels());
        let all: Vec<u32> = (0..set.len() as u32).collect();
        let lost = encoder.encode(set, &all, 0, &mut batch).unwrap();
        (batch, lost)
    }

    /// Bins of a grid of 1 us: 2 ms of the recording each.
    fn bins(samples: &[&[(f32, u16)]]) -> (Vec<Vec<usize>>, u64) {
        let config = SpeechConfig {
            bin: Seconds::micro(1.0),
            ..Default::default()
        };
        let (batch, lost) = encode(&config, Seconds::micro(500.0), &set(samples));
        let grid = TimeGrid {
            steps: 500,
            dt: config.bin,
        };
        let of = |times: &[f64]| times.iter().map(|&t| grid.bin(t).unwrap()).collect();
        (batch.samples().map(|s| of(s.times())).collect(), lost)
    }

    #[test]
    fn a_second_of_sound_is_half_a_millisecond_on_the_chip() {
        let set = set(&[&[(0.0, 70), (0.5, 79), (0.998, 691), (0.5, 71)]]);
        let (batch, lost) = encode(&SpeechConfig::default(), Seconds::micro(500.0), &set);
        assert_eq!(lost, 0);
        let sample = batch.sample(0);
        assert_eq!(sample.channels(), [0, 1, 69]);
        for (&time, wanted) in sample.times().iter().zip([0.0, 250e-6, 499e-6]) {
            assert!((time - wanted).abs() <= 4e-9, "{time}");
        }
    }

    #[test]
    fn distances_are_kept() {
        let (found, _) = bins(&[&[(0.1, 70), (0.12, 70)], &[(0.7, 70), (0.72, 70)]]);
        assert_eq!(found, [[50, 60], [350, 360]]);
    }

    #[test]
    fn a_late_first_spike_keeps_its_bin() {
        let (found, lost) = bins(&[&[(0.9, 70)], &[(0.0, 70), (0.9, 70)]]);
        assert_eq!(found, [vec![450], vec![0, 450]]);
        assert_eq!(lost, 0);
    }

    #[test]
    fn spikes_past_the_window_are_counted_and_never_wrapped() {
        let late: &[(f32, u16)] = &[(0.998, 70), (1.0, 70), (1.37, 79), (60.0, 88), (1.0, 71)];
        let (found, lost) = bins(&[late, &[(1.5, 70)]]);
        assert_eq!(found, [vec![499], vec![]]);
        // The spike of channel 71 is not among those that are used.
        assert_eq!(lost, 4);
    }

    #[test]
    fn the_beginning_of_a_bin_lies_in_it() {
        for dt in [8e-9, 1e-7, 1.7e-6, 1e-6, 3.3e-7] {
            let grid = TimeGrid {
                steps: usize::MAX,
                dt: Seconds::new(dt),
            };
            for bin in 0..100_000 {
                assert_eq!(grid.bin(time_of(bin, dt)), Some(bin as usize), "{dt}");
            }
        }
    }

    #[test]
    fn settings_and_sets_that_do_not_fit_are_refused() {
        let window = Seconds::micro(500.0);
        let config = SpeechConfig::default();
        let error = SpikeEncoder::new(&config, 70, window, Seed(0)).unwrap_err();
        let text = "reduction.skip is 70, allowed are 0 to 69";
        assert_eq!(error.to_string(), text);
        assert!(SpikeEncoder::new(&config, 700, Seconds::nano(3.0), Seed(0)).is_err());
        let slow = SpeechConfig {
            compression: 0.5,
            ..config
        };
        let error = SpikeEncoder::new(&slow, 700, window, Seed(0)).unwrap_err();
        assert!(error.to_string().contains("compression is 0.5"), "{error}");
        let mut encoder = SpikeEncoder::new(&config, 140, window, Seed(0)).unwrap();
        let mut batch = SpikeBatch::new(encoder.channels());
        let error = encoder
            .encode(&set(&[&[]]), &[0], 0, &mut batch)
            .unwrap_err();
        assert!(
            error.to_string().contains("channels of the set is 700"),
            "{error}"
        );
    }
}
