//! Properties over random configurations and data.

use std::path::Path;

use bss2_encode::idx::{self, IdxKind};
use bss2_encode::{
    AugmentationConfig, AugmentationOrder, Encoder, EncoderConfig, GeneratedDigits, ImageSet,
    LatencyConfig, ReductionConfig, ReferenceTime, Split,
};
use bss2_event::{Seconds, Seed, SpikeBatch};
use proptest::prelude::*;

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..Default::default()
    }
}

fn digits() -> Split {
    GeneratedDigits {
        train: 80,
        test: 10,
        seed: Seed(3),
    }
    .generate()
}

fn encode(config: &EncoderConfig, set: &ImageSet, indices: &[u32], epoch: u32) -> SpikeBatch {
    let mut encoder = Encoder::new(config, Seed(11)).unwrap();
    let mut batch = SpikeBatch::new(encoder.channels());
    encoder.encode(set, indices, epoch, &mut batch).unwrap();
    batch
}

fn with_threads<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.unwrap().install(work)
}

fn references() -> impl Strategy<Value = ReferenceTime> {
    prop_oneof![
        Just(ReferenceTime::Onset),
        Just(ReferenceTime::Batch),
        Just(ReferenceTime::Sample),
        Just(ReferenceTime::Brightest),
    ]
}

fn augmentations() -> impl Strategy<Value = AugmentationConfig> {
    let order = prop_oneof![
        Just(AugmentationOrder::BeforeReduction),
        Just(AugmentationOrder::AfterReduction),
    ];
    let ranges = (0.0..180.0, 0.0..64.0, 0.0..0.5_f64);
    (ranges, order, 0..4_u8).prop_map(|((rotation, shift, zoom), order, on)| {
        if on == 0 {
            return AugmentationConfig::default();
        }
        AugmentationConfig {
            rotation_degrees: rotation,
            shift_pixels: shift,
            zoom_fraction: zoom,
            order,
        }
    })
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn arbitrary_bytes_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        gzip in any::<bool>(),
        magic in any::<bool>(),
        kind in prop_oneof![Just(IdxKind::Images), Just(IdxKind::Labels)],
    ) {
        let mut content = Vec::new();
        if magic {
            content.extend([0, 0, 8, if kind == IdxKind::Images { 3 } else { 1 }]);
        }
        content.extend(bytes);
        if gzip {
            content.splice(0..0, [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);
        }
        if let Err(error) = idx::read_from(&content[..], Path::new("a file"), kind) {
            prop_assert!(error.to_string().contains("a file"));
        }
    }

    #[test]
    fn any_image_gives_sorted_spikes_of_its_bright_pixels(
        pixels in prop::collection::vec(any::<u8>(), 3 * 25),
        theta in 0.001..1.0_f64,
        tau_in in 1.0..50.0_f64,
        reference in references(),
    ) {
        let latency = LatencyConfig { theta, tau_in: Seconds::micro(tau_in), reference, ..Default::default() };
        let code = latency.compile().unwrap();
        let set = ImageSet::new("noise", 5, pixels, vec![0; 3], 1).unwrap();
        let config = EncoderConfig {
            latency,
            reduction: ReductionConfig { crop: Some(0), side: 5 },
            ..Default::default()
        };
        let batch = encode(&config, &set, &[2, 0, 1], 5);
        prop_assert_eq!(batch.presentation(), 5);
        let mut earliest = f64::INFINITY;
        for (sample, id) in batch.samples().zip([2, 0, 1]) {
            prop_assert_eq!(sample.id(), id);
            let image = set.image(id as usize);
            let spikes: Vec<(f64, u16)> = sample.iter().collect();
            prop_assert!(spikes.is_sorted_by(|a, b| a < b));
            let mut channels: Vec<u16> = sample.channels().to_vec();
            channels.sort_unstable();
            let bright: Vec<u16> = (0..25).filter(|&c| code.spikes(image[usize::from(c)])).collect();
            prop_assert_eq!(channels, bright);
            for pair in spikes.windows(2) {
                prop_assert!(image[usize::from(pair[0].1)] >= image[usize::from(pair[1].1)]);
            }
            if let Some(first) = spikes.first() {
                prop_assert!(reference != ReferenceTime::Sample || first.0 == 0.0);
                earliest = earliest.min(first.0);
            }
        }
        prop_assert!(reference != ReferenceTime::Batch || batch.spike_count() == 0 || earliest == 0.0);
    }

    #[test]
    fn any_zoom_equals_the_slow_spline(
        pixels in prop::collection::vec(any::<u8>(), 20 * 20),
        input in 2_usize..20,
        output in 2_usize..40,
    ) {
        let pixels = pixels[..input * input].to_vec();
        let slow = slow_zoom(&pixels, input, output);
        let set = ImageSet::new("noise", input, pixels, vec![0], 1).unwrap();
        let reduced = ReductionConfig { crop: Some(0), side: output }.reduce(&set).unwrap();
        for (&pixel, exact) in reduced.pixels().iter().zip(slow) {
            let exact = exact.clamp(0.0, 255.0);
            prop_assert!((f64::from(pixel) - exact).abs() <= 0.5 + 1e-9, "{pixel} {exact}");
        }
    }
}

/// The spline through an image on another grid, the slow and obvious way: solve
/// for the coefficients along both directions, then add up all basis functions.
fn slow_zoom(pixels: &[u8], n: usize, m: usize) -> Vec<f64> {
    let mut c: Vec<f64> = pixels.iter().map(|&p| p.into()).collect();
    for line in 0..n {
        solve(&mut c, line * n, 1, n);
    }
    for line in 0..n {
        solve(&mut c, line, n, n);
    }
    let basis = |distance: f64| match distance.abs() {
        d if d < 1.0 => 2.0 / 3.0 - d * d + d * d * d / 2.0,
        d if d < 2.0 => (2.0 - d).powi(3) / 6.0,
        _ => 0.0,
    };
    // Coefficient `i` also stands for its mirror images.
    let weight = |to: usize, i: usize| {
        let at = (to * (n - 1)) as f64 / (m - 1) as f64;
        let last = 2.0 * (n - 1) as f64;
        let mut places = vec![i as f64, -(i as f64), last - i as f64];
        places.sort_unstable_by(f64::total_cmp);
        places.dedup();
        places.iter().map(|place| basis(at - place)).sum::<f64>()
    };
    let mut out = Vec::new();
    for y in 0..m {
        for x in 0..m {
            let terms = (0..n * n).map(|k| weight(y, k / n) * weight(x, k % n) * c[k]);
            out.push(terms.sum());
        }
    }
    out
}

/// Solves `(c[i-1] + 4 c[i] + c[i+1]) / 6 = s[i]` with mirrored ends in place.
fn solve(s: &mut [f64], start: usize, step: usize, n: usize) {
    let at = |i: usize| start + i * step;
    let mut ratio = vec![0.0; n];
    for i in 0..n {
        let below = if i == n - 1 { 2.0 } else { 1.0 };
        let above = if i == 0 { 2.0 } else { 1.0 };
        let (previous, factor) = if i == 0 {
            (0.0, 4.0)
        } else {
            (s[at(i - 1)], 4.0 - below * ratio[i - 1])
        };
        ratio[i] = above / factor;
        s[at(i)] = (6.0 * s[at(i)] - below * previous) / factor;
    }
    for i in (0..n - 1).rev() {
        s[at(i)] -= ratio[i] * s[at(i + 1)];
    }
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn threads_and_batches_change_nothing(
        augmentation in augmentations(),
        reference in references(),
        epoch in 0_u32..1 << 24,
        count in 1_usize..80,
    ) {
        let config = EncoderConfig {
            latency: LatencyConfig { reference, ..Default::default() },
            augmentation,
            ..Default::default()
        };
        let set = digits().train;
        let indices: Vec<u32> = (0..count as u32).rev().collect();
        let whole = encode(&config, &set, &indices, epoch);
        for threads in [1, 2, 7] {
            prop_assert_eq!(&with_threads(threads, || encode(&config, &set, &indices, epoch)), &whole);
        }
        if reference != ReferenceTime::Batch {
            let mut joined = SpikeBatch::new(256);
            joined.set_presentation(epoch);
            for index in indices {
                joined.append(&encode(&config, &set, &[index], epoch));
            }
            prop_assert_eq!(&joined, &whole);
        }
        // Reducing first, or on the way, gives the same where nothing is augmented before.
        if !config.augmentation.is_on() || config.augmentation.order == AugmentationOrder::AfterReduction {
            let indices: Vec<u32> = (0..count as u32).rev().collect();
            let reduced = config.reduction.reduce(&set).unwrap();
            prop_assert_eq!(&encode(&config, &reduced, &indices, epoch), &whole);
        }
    }
}

#[test]
fn epochs_are_augmented_differently_and_misuse_is_named() {
    let split = digits();
    let config = EncoderConfig {
        augmentation: AugmentationConfig::paper(),
        ..Default::default()
    };
    assert_ne!(
        encode(&config, &split.train, &[0, 1], 0),
        encode(&config, &split.train, &[0, 1], 1).clone()
    );
    let mut encoder = Encoder::new(&config, Seed(0)).unwrap();
    let mut batch = SpikeBatch::new(256);
    let mut fails = |set: &ImageSet, index, epoch, batch: &mut SpikeBatch| {
        encoder
            .encode(set, &[index], epoch, batch)
            .unwrap_err()
            .to_string()
    };
    let reduced = split.reduce().unwrap();
    let message = fails(&reduced.train, 0, 0, &mut batch);
    assert!(
        message.contains("pass those that were not reduced"),
        "{message}"
    );
    let message = fails(&split.train, 80, 0, &mut batch);
    assert!(
        message.contains("80 samples, there is no sample 80"),
        "{message}"
    );
    assert!(fails(&split.train, 0, 1 << 24, &mut batch).contains("epoch is"));
    let mut narrow = SpikeBatch::new(10);
    assert!(fails(&split.train, 0, 0, &mut narrow).contains("channels of the batch is 10"));
}

#[test]
fn reduced_images_are_turned_by_angles_of_their_own() {
    let split = digits();
    let reduced = split.reduce().unwrap().train;
    let config = EncoderConfig {
        augmentation: AugmentationConfig {
            order: AugmentationOrder::AfterReduction,
            ..AugmentationConfig::paper()
        },
        ..Default::default()
    };
    let inputs = |set: &ImageSet, seed, epoch| {
        let mut encoder = Encoder::new(&config, Seed(seed)).unwrap();
        encoder.check(set).unwrap();
        let mut inputs = Vec::new();
        let indices: Vec<u32> = (0..40).collect();
        encoder.inputs(set, &indices, epoch, &mut inputs).unwrap();
        inputs
    };
    let turned = inputs(&reduced, 1, 0);
    assert_eq!(inputs(&split.train, 1, 0), turned);
    assert_eq!(inputs(&reduced, 1, 0), turned);
    assert_ne!(inputs(&reduced, 2, 0), turned);
    assert_ne!(inputs(&reduced, 1, 1), turned);
    // Nothing is interpolated; small angles leave every pixel where it is.
    let mut moved = 0;
    for (turned, i) in turned.chunks(256).zip(0..) {
        let image = reduced.image(i);
        moved += u32::from(turned != image);
        assert!(turned.iter().all(|p| *p == 0 || image.contains(p)), "{i}");
    }
    assert!(moved > 20, "{moved} of 40");
}

#[test]
fn images_as_large_as_the_inputs_are_cropped_whether_reduced_before_or_on_the_way() {
    let digits = digits().train;
    for (crop, changed) in [(Some(2), true), (None, true), (Some(0), false)] {
        let config = EncoderConfig {
            reduction: ReductionConfig { crop, side: 28 },
            ..Default::default()
        };
        let reduced = config.reduction.reduce(&digits).unwrap();
        assert_eq!(reduced.pixels() != digits.pixels(), changed);
        let at_once = encode(&config, &digits, &[0, 1], 0);
        assert_eq!(encode(&config, &reduced, &[0, 1], 0), at_once, "{crop:?}");
    }
}

/// One encoder takes sets of different borders one after the other.
#[test]
fn the_crop_is_that_of_the_set_at_hand() {
    let digits = digits().train;
    let whole = digits.clone().with_crop(0);
    let config = EncoderConfig::default();
    let mut encoder = Encoder::new(&config, Seed(11)).unwrap();
    for set in [&digits, &whole, &digits] {
        let mut batch = SpikeBatch::new(256);
        encoder.encode(set, &[0, 1], 0, &mut batch).unwrap();
        assert_eq!(batch, encode(&config, set, &[0, 1], 0));
    }
    assert_ne!(
        encode(&config, &digits, &[0], 0),
        encode(&config, &whole, &[0], 0)
    );
}

#[test]
fn inputs_are_the_images_that_are_encoded() {
    let split = digits();
    let indices: Vec<u32> = (0..40).rev().collect();
    let inputs = |config: &EncoderConfig, set: &ImageSet, epoch| {
        let mut encoder = Encoder::new(config, Seed(3)).unwrap();
        let mut inputs = vec![7];
        encoder.inputs(set, &indices, epoch, &mut inputs).unwrap();
        inputs
    };
    let plain = EncoderConfig::default();
    let reduced = split.reduce().unwrap();
    let expected: Vec<u8> = (0..40)
        .rev()
        .flat_map(|i| reduced.train.image(i).to_vec())
        .collect();
    assert_eq!(inputs(&plain, &reduced.train, 0), expected);
    assert_eq!(inputs(&plain, &split.train, 0), expected);
    let turned = EncoderConfig {
        augmentation: AugmentationConfig::paper(),
        ..plain
    };
    let first = inputs(&turned, &split.train, 0);
    assert_ne!(first, expected);
    assert_ne!(first, inputs(&turned, &split.train, 1));
    // An input that is turned is silent where it is black.
    let mut encoder = Encoder::new(&turned, Seed(3)).unwrap();
    let mut batch = SpikeBatch::new(256);
    encoder
        .encode(&split.train, &indices, 0, &mut batch)
        .unwrap();
    for (sample, image) in batch.samples().zip(first.chunks(256)) {
        assert!(!sample.is_empty());
        assert!(sample.channels().iter().all(|&c| image[usize::from(c)] > 0));
    }
}

#[test]
fn held_out_images_are_a_seeded_choice_that_leaves_the_rest() {
    let split = digits();
    let held = split.clone().hold_out(20, Seed(1)).unwrap();
    assert_eq!((held.train.len(), held.test.len()), (60, 20));
    let mut all: Vec<&[u8]> = (0..60).map(|i| held.train.image(i)).collect();
    all.extend((0..20).map(|i| held.test.image(i)));
    let mut original: Vec<&[u8]> = (0..80).map(|i| split.train.image(i)).collect();
    all.sort_unstable();
    original.sort_unstable();
    assert!(all == original);
    assert_eq!(split.clone().hold_out(20, Seed(1)).unwrap(), held);
    assert_ne!(split.clone().hold_out(20, Seed(2)).unwrap(), held);
    assert!(split.clone().hold_out(0, Seed(1)).is_err());
    assert!(split.hold_out(80, Seed(1)).is_err());
}

#[test]
fn the_paper_s_protocol_is_the_default_and_reads_back() {
    let config = EncoderConfig {
        augmentation: AugmentationConfig::paper(),
        ..Default::default()
    };
    let text = toml::to_string(&config).unwrap();
    assert!(text.contains("tau_in = \"8 us\""), "{text}");
    assert_eq!(toml::from_str::<EncoderConfig>(&text).unwrap(), config);
    assert!(toml::from_str::<EncoderConfig>("[latency]\ntau = \"8 us\"").is_err());
}
