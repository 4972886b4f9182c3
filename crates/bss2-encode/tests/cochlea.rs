//! Properties of the cochlea that need no reference.

use std::path::Path;

use bss2_encode::{
    Audio, AudioFault, Cochlea, CochleaConfig, CochleaTrace, EncodeError, SpikeTrain, Track,
    WavFile,
};
use bss2_event::{Seconds, Seed, SimdPath};
use hound::{SampleFormat, WavSpec, WavWriter};

const RATE: u32 = 8_000;

fn config(channels: usize) -> CochleaConfig {
    CochleaConfig {
        channels,
        ..Default::default()
    }
}

/// Tones that come and go, with some noise-like overtones.
fn track(rate: u32, samples: usize) -> Track {
    let at = |i: usize| {
        let t = i as f64 / f64::from(rate);
        let swell = 0.5 + 0.5 * (9.0 * t).sin();
        swell * (1_500.0 * t).sin() + 0.4 * (7_000.0 * t + 3.0 * (40.0 * t).sin()).sin()
    };
    Track {
        name: "tones".into(),
        rate,
        samples: (0..samples).map(at).collect(),
    }
}

fn pool(threads: usize) -> rayon::ThreadPool {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.unwrap()
}

#[test]
fn threads_and_instruction_sets_change_no_spike() {
    let track = track(RATE, 4_001);
    let wanted = Cochlea::new(&config(70), RATE)
        .unwrap()
        .encode(&track, Seed(5), 9)
        .unwrap();
    assert!(wanted.spikes.len() > 1_000);
    assert!(wanted.spikes.is_sorted());
    let paths = [SimdPath::Baseline, SimdPath::Native, SimdPath::Narrow];
    for (threads, path) in [1, 2, 7].into_iter().zip(paths) {
        let found = pool(threads).install(|| {
            let cochlea = Cochlea::new(&config(70), RATE).unwrap().on(path);
            cochlea.encode(&track, Seed(5), 9).unwrap()
        });
        assert!(found == wanted, "{threads} threads, {path:?}");
    }
    let cochlea = Cochlea::new(&config(70), RATE).unwrap();
    let other = |seed, sample| cochlea.encode(&track, Seed(seed), sample).unwrap();
    assert_ne!(other(5, 10), wanted);
    assert_ne!(other(6, 9), wanted);
}

/// Blocks of any length give the same velocities. A recording transformed as
/// one has slightly other instants (n/2 + 1 in the time of n/2), so that it
/// agrees in energy only.
#[test]
fn blocks_join_without_a_seam() {
    let track = track(RATE, 24_000);
    let trace = |block: f64| {
        let config = CochleaConfig {
            block: Seconds::new(block),
            ..config(20)
        };
        Cochlea::new(&config, RATE).unwrap().trace(&track).unwrap()
    };
    let (whole, short, long) = (trace(10.0), trace(0.5), trace(0.8));
    let steps = whole.steps;
    assert_eq!((short.steps, long.steps), (steps, steps));
    for channel in 0..20 {
        let of = |trace: &CochleaTrace| trace.velocity[channel * steps..][..steps].to_vec();
        let (whole, short, long) = (of(&whole), of(&short), of(&long));
        let scale = whole.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        let pairs = short.iter().zip(&long);
        let distance = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) / scale;
        let energy = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>();
        let ratio = energy(&short) / energy(&whole);
        println!("{channel}: {distance:e} {ratio}");
        let allowed = if channel == 19 { 1e-5 } else { 1e-6 };
        assert!(distance < allowed, "channel {channel}: {distance:e}");
        assert!((ratio - 1.0).abs() < 0.01, "channel {channel}: {ratio}");
    }
}

#[test]
fn a_stream_hands_out_every_step_once_and_in_order() {
    let track = track(RATE, 20_000);
    let config = CochleaConfig {
        block: Seconds::new(0.5),
        ..config(32)
    };
    let cochlea = Cochlea::new(&config, RATE).unwrap();
    let whole = cochlea.encode(&track, Seed(1), 2).unwrap();
    let (mut parts, mut done, mut spikes) = (0, 0, Vec::new());
    cochlea
        .stream(&track, Seed(1), 2, &mut |part| {
            assert!(
                part.spikes
                    .iter()
                    .all(|s| (done..part.done).contains(&s.step))
            );
            done = part.done;
            assert_eq!(part.steps, 10_001);
            spikes.extend_from_slice(part.spikes);
            parts += 1;
        })
        .unwrap();
    assert!(parts > 3, "{parts} parts");
    assert_eq!(done, 10_001);
    assert_eq!(spikes, whole.spikes);
}

/// A minute of sound that is never in memory.
struct Endless(u64);

impl Audio for Endless {
    fn name(&self) -> &Path {
        Path::new("endless")
    }
    fn rate(&self) -> u32 {
        RATE
    }
    fn samples(&self) -> Result<bss2_encode::audio::Samples<'_>, EncodeError> {
        Ok(Box::new((0..self.0).map(|i| Ok((0.3 * i as f64).sin()))))
    }
}

#[test]
fn parts_do_not_grow_with_the_recording() {
    let cochlea = Cochlea::new(&config(2), RATE).unwrap();
    let mut largest = 0;
    let mut last = 0;
    cochlea
        .stream(&Endless(480_000), Seed(1), 2, &mut |part| {
            largest = largest.max(part.done - last);
            last = part.done;
        })
        .unwrap();
    assert_eq!(last, 240_001);
    assert!((40_000..45_000).contains(&largest), "{largest}");
}

#[test]
fn one_sine_in_every_encoding_gives_the_same_spikes() {
    let folder = tempfile::tempdir().unwrap();
    let cochlea = Cochlea::new(&config(70), RATE).unwrap();
    let sine = |i: i32| (0.6 * f64::from(i)).sin() * 0.9;
    let encode = |bits, float: bool| -> SpikeTrain {
        let path = folder.path().join(format!("{bits}{float}.wav"));
        let spec = WavSpec {
            channels: 1,
            sample_rate: RATE,
            bits_per_sample: bits,
            sample_format: if float {
                SampleFormat::Float
            } else {
                SampleFormat::Int
            },
        };
        let mut writer = WavWriter::create(&path, spec).unwrap();
        for i in 0..4_000 {
            if float {
                writer.write_sample(sine(i) as f32).unwrap();
            } else {
                let full = f64::from(1_u32 << (bits - 1));
                writer
                    .write_sample((sine(i) * full).round() as i32)
                    .unwrap();
            }
        }
        writer.finalize().unwrap();
        cochlea
            .encode(&WavFile::open(&path).unwrap(), Seed(1), 0)
            .unwrap()
    };
    let wanted = encode(32, true);
    // The draws are the same, the probabilities differ by the rounding. Where a
    // fibre decides otherwise, the next few spikes of its channel move too.
    for (bits, common) in [(32, 0.999), (24, 0.995), (16, 0.85), (8, 0.4)] {
        let found = encode(bits, false);
        let same = found
            .spikes
            .iter()
            .filter(|s| wanted.spikes.binary_search(s).is_ok());
        let same = same.count() as f64 / wanted.spikes.len() as f64;
        println!("{bits} bit: {same} of {} in common", wanted.spikes.len());
        assert!(same > common, "{bits} bit: {same} in common");
        let counts = found.spikes.len() as f64 / wanted.spikes.len() as f64;
        assert!((counts - 1.0).abs() < 0.01, "{bits} bit: {counts}");
    }
}

#[test]
fn tones_excite_their_places() {
    let config = config(70);
    let cochlea = Cochlea::new(&config, 32_000).unwrap();
    let mut last = 70;
    for hertz in [200.0, 500.0, 1_200.0, 3_000.0, 7_000.0] {
        let samples = (0..8_000)
            .map(|i| (f64::from(i) * hertz * 1.963_495e-4).sin())
            .collect();
        let tone = Track {
            name: "tone".into(),
            rate: 32_000,
            samples,
        };
        let trace = cochlea.trace(&tone).unwrap();
        let energy = |c: &[f64]| c.iter().map(|v| v * v).sum::<f64>();
        let energies: Vec<f64> = trace.velocity.chunks(trace.steps).map(energy).collect();
        let best = (0..70)
            .max_by(|&a, &b| energies[a].total_cmp(&energies[b]))
            .unwrap();
        assert!(best < last, "{hertz} Hz is loudest at {best}, after {last}");
        last = best;
    }
}

#[test]
fn unusable_recordings_and_settings_are_refused() {
    let cochlea = Cochlea::new(&config(2), RATE).unwrap();
    let fault = |track: &Track| match cochlea.encode(track, Seed(0), 0) {
        Err(EncodeError::Audio { fault, .. }) => fault,
        other => panic!("no fault of the audio: {other:?}"),
    };
    let with = |samples: Vec<f64>| Track {
        name: "bad".into(),
        rate: RATE,
        samples,
    };
    assert_eq!(fault(&with(vec![])), AudioFault::Empty);
    assert_eq!(fault(&with(vec![0.0; 500])), AudioFault::Silent);
    let short = AudioFault::TooShort {
        samples: 15,
        least: 16,
    };
    assert_eq!(fault(&with(vec![0.5; 15])), short);
    let mut broken = vec![0.5; 500];
    broken[77] = f64::NAN;
    assert_eq!(fault(&with(broken)), AudioFault::NotFinite { index: 77 });
    let rate = AudioFault::Rate {
        found: 16_000,
        made_for: RATE,
    };
    assert_eq!(fault(&track(16_000, 500)), rate);
    for samples in 16..24 {
        assert_eq!(
            cochlea
                .encode(&track(RATE, samples), Seed(0), 0)
                .unwrap()
                .steps as usize,
            samples / 2 + 1
        );
    }

    // Blocks would not be the exact length that was asked for.
    let exact = CochleaConfig {
        block: Seconds::new(0.5),
        exact_length: true,
        ..config(2)
    };
    let exact = Cochlea::new(&exact, RATE).unwrap();
    let half = RATE as usize / 2;
    assert!(exact.encode(&track(RATE, half), Seed(0), 0).is_ok());
    let error = exact.encode(&track(RATE, half + 1), Seed(0), 0);
    let text = error.unwrap_err().to_string();
    for words in ["4001 samples, at most 4000", "`exact_length`", "`block`"] {
        assert!(text.contains(words), "{words} is missing in {text}");
    }
    assert!(exact.trace(&track(RATE, half + 1)).is_err());

    for (config, rate) in [
        (config(1), RATE),
        (config(2), 500),
        (
            CochleaConfig {
                level: f64::NAN,
                ..config(2)
            },
            RATE,
        ),
        (
            CochleaConfig {
                block: Seconds::new(0.1),
                ..config(2)
            },
            RATE,
        ),
    ] {
        assert!(matches!(
            Cochlea::new(&config, rate),
            Err(EncodeError::Range(_))
        ));
    }
}

/// Within the range of each field, but together no cochlea.
#[test]
fn hair_cells_too_fast_for_the_rate_and_membranes_without_a_response_are_refused() {
    let error = |change: fn(&mut CochleaConfig), rate| {
        let mut config = config(2);
        change(&mut config);
        Cochlea::new(&config, rate).err().map(|e| e.to_string())
    };
    let refused = |change, rate, words: &str| {
        let error = error(change, rate).expect(words);
        assert!(error.contains(words), "{error}");
    };
    // Published values are taken wherever the published encoder takes them.
    for rate in [1_000, 8_000, 18_000, 384_000] {
        assert_eq!(error(|_| (), rate), None);
    }
    let words = "hair_cell.loss + hair_cell.recovery is 16580 1/s, allowed are 0.001 1/s to 12000";
    refused(|c| c.hair_cell.loss = 10_000.0, 24_000, words);
    assert_eq!(error(|c| c.hair_cell.loss = 10_000.0, 48_000), None);
    let words = "hair_cell.release is 1000000 1/s";
    refused(|c| c.hair_cell.release = 1e6, 24_000, words);
    refused(|c| c.hair_cell.reprocessing = 1e5, 24_000, "reprocessing");
    refused(|c| c.hair_cell.replenishment = 1e5, 24_000, "replenishment");

    let words = "membrane: response to a tone of up to half the rate is NaN";
    refused(|c| c.membrane.decay = 0.1, 384_000, words);
    assert_eq!(error(|c| c.membrane.decay = 0.1, 24_000), None);
}

#[test]
fn every_rate_works() {
    for rate in [11_025, 22_051, 48_000, 192_000] {
        let track = track(rate, rate as usize / 10);
        let cochlea = Cochlea::new(&config(16), rate).unwrap();
        let train = cochlea.encode(&track, Seed(2), 0).unwrap();
        assert_eq!(train.rate, rate / 2);
        let seconds = f64::from(train.steps) / f64::from(train.rate);
        let per_channel = train.spikes.len() as f64 / 16.0 / seconds;
        assert!(
            (2.0..500.0).contains(&per_channel),
            "{rate}: {per_channel} Hz"
        );
    }
}
