//! Invariants of the way from a spike set to a batch.

use bss2_encode::{
    ChannelReduction, SampleInfo, Speaker, SpeechConfig, SpikeAugmentation, SpikeEncoder, SpikeSet,
};
use bss2_event::{Seconds, Seed, SpikeBatch};
use proptest::prelude::*;

const CHANNELS: u16 = 140;
const WINDOW: f64 = 400e-6;

/// Samples of up to 60 spikes in 1.2 s, of which 0.8 s are in the window.
fn sets() -> impl Strategy<Value = SpikeSet> {
    let spike = (0.0_f32..1.2, 0..CHANNELS);
    prop::collection::vec(prop::collection::vec(spike, 0..60), 1..12).prop_map(|samples| {
        let speakers = vec![Speaker::default()];
        let keys = vec!["a".into()];
        let mut set = SpikeSet::new("any", usize::from(CHANNELS), keys, speakers).unwrap();
        for spikes in samples {
            let (times, units): (Vec<f32>, Vec<u16>) = spikes.into_iter().unzip();
            set.push(0, SampleInfo::default(), &times, &units).unwrap();
        }
        set
    })
}

fn reductions() -> impl Strategy<Value = ChannelReduction> {
    (0_usize..100, 1_usize..12, 0_usize..4).prop_map(|(skip, every, join)| ChannelReduction {
        skip,
        every,
        join,
    })
}

fn augmentations() -> impl Strategy<Value = SpikeAugmentation> {
    let each = (0.0..30.0, 0.0..0.05, 0.0..0.5);
    let together = (0.0..50.0, 0.0..0.5, 0.0..0.1);
    (each, together).prop_map(
        |((channel_jitter, jitter, deletion), (channel_shift, stretch, shift))| SpikeAugmentation {
            channel_jitter,
            time_jitter: Seconds::new(jitter),
            deletion,
            channel_shift,
            stretch,
            time_shift: Seconds::new(shift),
        },
    )
}

fn encoder(config: &SpeechConfig, set: &SpikeSet) -> SpikeEncoder {
    SpikeEncoder::new(config, set.channels(), Seconds::new(WINDOW), Seed(7)).unwrap()
}

fn encode(config: &SpeechConfig, set: &SpikeSet, indices: &[u32]) -> (SpikeBatch, u64) {
    let mut encoder = encoder(config, set);
    let mut batch = SpikeBatch::new(encoder.channels());
    let lost = encoder.encode(set, indices, 5, &mut batch).unwrap();
    (batch, lost)
}

fn all(set: &SpikeSet) -> Vec<u32> {
    (0..set.len() as u32).collect()
}

/// Spikes that inputs get.
fn used(set: &SpikeSet, reduction: ChannelReduction) -> u64 {
    reduction.reduce(set).unwrap().spike_count() as u64
}

fn pool(threads: usize) -> rayon::ThreadPool {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn threads_and_batches_change_nothing(
        set in sets(),
        reduction in reductions(),
        augmentation in augmentations(),
    ) {
        let config = SpeechConfig { reduction, augmentation, ..Default::default() };
        let (whole, lost) = pool(1).install(|| encode(&config, &set, &all(&set)));
        for threads in [2, 7] {
            let found = pool(threads).install(|| encode(&config, &set, &all(&set)));
            prop_assert_eq!(&found, &(whole.clone(), lost));
        }
        let mut singles = 0;
        for (i, &index) in all(&set).iter().rev().enumerate() {
            let (single, lost) = encode(&config, &set, &[index]);
            singles += lost;
            prop_assert_eq!(single.sample(0), whole.sample(set.len() - 1 - i));
        }
        prop_assert_eq!(singles, lost);
    }

    /// Nothing comes from nowhere, and nothing goes without being counted.
    #[test]
    fn sent_and_lost_are_all(set in sets(), reduction in reductions(), jitter in 0.0..0.1) {
        let mut config = SpeechConfig { reduction, ..Default::default() };
        let (batch, lost) = encode(&config, &set, &all(&set));
        prop_assert_eq!(batch.spike_count() as u64 + lost, used(&set, reduction));
        config.augmentation.time_jitter = Seconds::new(jitter);
        let (batch, lost) = encode(&config, &set, &all(&set));
        prop_assert_eq!(batch.spike_count() as u64 + lost, used(&set, reduction));
        config.augmentation.channel_jitter = 9.0;
        config.augmentation.deletion = 0.3;
        let (batch, lost) = encode(&config, &set, &all(&set));
        prop_assert!(batch.spike_count() as u64 + lost <= set.spike_count() as u64);
    }

    #[test]
    fn every_spike_lies_in_its_bin_of_the_window(
        set in sets(),
        reduction in reductions(),
        augmentation in augmentations(),
        nanoseconds in 8.0..5e4,
    ) {
        let bin = Seconds::nano(nanoseconds);
        let mut config = SpeechConfig { reduction, augmentation, bin, ..Default::default() };
        let grid = encoder(&config, &set).grid();
        let window = grid.steps as f64 * bin.get();
        prop_assert!(window <= WINDOW * (1.0 + 1e-9) && window > WINDOW - bin.get());
        let (batch, _) = encode(&config, &set, &all(&set));
        for &time in batch.samples().flat_map(|sample| sample.times()) {
            let place = grid.bin(time);
            prop_assert!(place.is_some(), "{} is past the window", time);
            prop_assert!((time - place.unwrap() as f64 * bin.get()).abs() < 1e-15);
        }
        // Without augmentation it is the nearest bin, in order of time and channel.
        config.augmentation = SpikeAugmentation::default();
        let (batch, _) = encode(&config, &set, &all(&set));
        let reduced = reduction.reduce(&set).unwrap();
        for (index, sample) in batch.samples().enumerate() {
            let (times, units) = reduced.spikes(index);
            let mut wanted: Vec<(usize, u16)> = times
                .iter()
                .zip(units)
                .map(|(&time, &unit)| {
                    let bin = (f64::from(time) / (2000.0 * bin.get())).round() as usize;
                    (bin, unit)
                })
                .filter(|&(bin, _)| bin < grid.steps)
                .collect();
            wanted.sort_unstable();
            let found = sample.iter().map(|(time, channel)| (grid.bin(time).unwrap(), channel));
            prop_assert!(found.eq(wanted));
        }
    }

    #[test]
    fn reducing_first_is_reducing_on_the_way(set in sets(), reduction in reductions()) {
        let config = SpeechConfig { reduction, ..Default::default() };
        let reduced = reduction.reduce(&set).unwrap();
        let rest = SpeechConfig { reduction: ChannelReduction::none(), ..config };
        prop_assert_eq!(
            encode(&config, &set, &all(&set)),
            encode(&rest, &reduced, &all(&reduced))
        );
    }
}
