//! WAV files as they are found, whole and damaged.

use std::path::Path;

use bss2_encode::{Audio, AudioFault, EncodeError, WavFile};
use hound::{SampleFormat, WavSpec, WavWriter};
use proptest::prelude::*;
use tempfile::TempDir;

fn read(path: &Path) -> Result<(u32, Vec<f64>), EncodeError> {
    let file = WavFile::open(path)?;
    let samples = Audio::samples(&file)?.collect::<Result<_, _>>()?;
    Ok((file.rate(), samples))
}

fn fault(path: &Path) -> AudioFault {
    match read(path) {
        Err(EncodeError::Audio { fault, path: named }) => {
            assert_eq!(named, path);
            fault
        }
        other => panic!("no fault of the audio: {other:?}"),
    }
}

fn spec(channels: u16, rate: u32, bits: u16) -> WavSpec {
    WavSpec {
        channels,
        sample_rate: rate,
        bits_per_sample: bits,
        sample_format: SampleFormat::Int,
    }
}

fn write<S: hound::Sample + Copy>(path: &Path, spec: WavSpec, samples: &[S]) {
    let mut writer = WavWriter::create(path, spec).unwrap();
    for &sample in samples {
        writer.write_sample(sample).unwrap();
    }
    writer.finalize().unwrap();
}

/// A file in 16 bit with the given chunks between format and data.
fn raw(riff: u32, extra: &[u8], length: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"RIFF".to_vec();
    bytes.extend(riff.to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    bytes.extend(8_000_u32.to_le_bytes());
    bytes.extend(16_000_u32.to_le_bytes());
    bytes.extend(b"\x02\0\x10\0");
    bytes.extend(extra);
    bytes.extend(b"data");
    bytes.extend(length.to_le_bytes());
    bytes.extend(data);
    bytes
}

fn folder_and_file() -> (TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sound.wav");
    (folder, path)
}

#[test]
fn every_encoding_is_scaled_to_one() {
    let (_folder, path) = folder_and_file();
    for bits in [8, 16, 24, 32] {
        let full = 1_i64 << (bits - 1);
        let values = [0, full / 2, -full, full - 1].map(|v| v as i32);
        write(&path, spec(1, 44_100, bits), &values);
        let (rate, samples) = read(&path).unwrap();
        assert_eq!(rate, 44_100);
        let top = (full - 1) as f64 / full as f64;
        assert_eq!(samples, [0.0, 0.5, -1.0, top], "{bits} bit");
    }
    let float = WavSpec {
        sample_format: SampleFormat::Float,
        ..spec(1, 192_000, 32)
    };
    write(&path, float, &[0.25_f32, -1.5]);
    assert_eq!(read(&path).unwrap(), (192_000, vec![0.25, -1.5]));
}

#[test]
fn channels_are_mixed_to_their_mean() {
    let (_folder, path) = folder_and_file();
    write(&path, spec(2, 8_000, 16), &[16_384_i16, 0, -8_192, 8_192]);
    assert_eq!(read(&path).unwrap().1, [0.25, 0.0]);
}

#[test]
fn odd_chunks_and_streams_are_read() {
    let (_folder, path) = folder_and_file();
    let data = [0, 64, 0, 192];
    let wanted = [0.5, -0.5];
    // An odd LIST chunk with its pad byte.
    std::fs::write(&path, raw(60, b"LIST\x05\0\0\0hello\0", 4, &data)).unwrap();
    assert_eq!(read(&path).unwrap().1, wanted);
    // Written to a pipe, and stopped within a frame.
    for (riff, length) in [(u32::MAX, u32::MAX), (0, 0), (0, u32::MAX)] {
        std::fs::write(&path, raw(riff, b"", length, &data)).unwrap();
        assert_eq!(read(&path).unwrap().1, wanted);
        let mut cut = raw(riff, b"", length, &data);
        cut.push(7);
        std::fs::write(&path, cut).unwrap();
        assert_eq!(read(&path).unwrap().1, wanted);
    }
}

#[test]
fn damaged_files_are_refused_with_the_reason() {
    let (_folder, path) = folder_and_file();
    let put = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        fault(&path)
    };
    let whole = raw(40, b"", 4, &[0, 64, 0, 192]);

    assert_eq!(put(b""), AudioFault::Empty);
    assert_eq!(put(&raw(36, b"", 0, b"")), AudioFault::Empty);
    assert_eq!(put(&raw(0, b"", 0, b"")), AudioFault::Empty);
    let text = put(b"dear diary, today I renamed a file\n");
    assert_eq!(text, AudioFault::NotWav("dear diary, ".into()));
    assert!(matches!(put(b"RIFX...."), AudioFault::NotWav(_)));
    assert!(matches!(put(&whole[..38]), AudioFault::Chunks(_)));
    assert_eq!(
        put(&whole[..46]),
        AudioFault::Truncated {
            what: "data",
            expected: 4,
            found: 2
        }
    );
    let odd = raw(40, b"", 3, &[0, 64, 0, 192]);
    assert!(matches!(put(&odd), AudioFault::Truncated { .. }));
    // A chunk that claims gigabytes is refused before any is read.
    let huge = raw(40, b"LIST\xff\xff\xff\x7f", 4, &[0, 64, 0, 192]);
    assert!(matches!(
        put(&huge),
        AudioFault::Truncated { what: "chunks", .. }
    ));
    let mut format = whole.clone();
    format[16..20].copy_from_slice(&0x7fff_ffff_u32.to_le_bytes());
    assert!(matches!(put(&format), AudioFault::Unsupported { .. }));
    // A-law, and a rate of 0.
    for (at, value) in [(20, 6), (24, 0)] {
        let mut other = whole.clone();
        other[at] = value;
        other[25] = if at == 24 { 0 } else { other[25] };
        assert!(
            matches!(
                put(&other),
                AudioFault::Unsupported { .. } | AudioFault::Decoder(_)
            ),
            "byte {at}"
        );
    }
}

/// A file of one channel whose extensible format says how many bits of each sample
/// are valid, and the sub-format of integers (1) or floats (3).
fn extensible(container: u16, valid: u16, kind: u8) -> Vec<u8> {
    let bytes = container / 8;
    let mut file = b"RIFF\x4c\0\0\0WAVEfmt \x28\0\0\0\xfe\xff\x01\0".to_vec();
    file.extend(8_000_u32.to_le_bytes());
    file.extend((8_000 * u32::from(bytes)).to_le_bytes());
    file.extend(bytes.to_le_bytes());
    file.extend(container.to_le_bytes());
    file.extend(22_u16.to_le_bytes());
    file.extend(valid.to_le_bytes());
    file.extend(4_u32.to_le_bytes());
    file.extend([kind, 0, 0, 0, 0, 0, 16, 0, 128, 0, 0, 170, 0, 56, 155, 113]);
    file.extend(b"data");
    file.extend((4 * u32::from(bytes)).to_le_bytes());
    file.extend(vec![0; 4 * usize::from(bytes)]);
    file
}

#[test]
fn valid_bits_that_do_not_fit_their_bytes_are_refused() {
    let (_folder, path) = folder_and_file();
    // No valid bits at all is an error that is found in the wild: all are.
    for (container, valid, kind) in [
        (16, 16, 1),
        (24, 24, 1),
        (32, 24, 1),
        (32, 0, 1),
        (32, 32, 3),
    ] {
        std::fs::write(&path, extensible(container, valid, kind)).unwrap();
        assert_eq!(read(&path).unwrap().1, [0.0; 4], "{valid} of {container}");
    }
    for (container, valid, kind) in [
        (24, 20, 1),
        (32, 20, 1),
        (32, 33, 1),
        (32, 64, 1),
        (16, 24, 1),
        (32, 64, 3),
    ] {
        std::fs::write(&path, extensible(container, valid, kind)).unwrap();
        let fault = fault(&path);
        assert!(
            matches!(
                fault,
                AudioFault::Unsupported { .. } | AudioFault::Decoder(_)
            ),
            "{valid} of {container}: {fault:?}"
        );
    }
}

#[test]
fn samples_that_are_no_numbers_are_refused() {
    let (_folder, path) = folder_and_file();
    let float = WavSpec {
        sample_format: SampleFormat::Float,
        ..spec(1, 8_000, 32)
    };
    for bad in [f32::NAN, f32::INFINITY] {
        write(&path, float, &[0.5, 0.5, bad, 0.5]);
        assert_eq!(fault(&path), AudioFault::NotFinite { index: 2 });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// Whatever bytes are changed or cut off, there are samples or an error.
    #[test]
    fn arbitrary_damage_is_no_panic(
        changes in prop::collection::vec((0_usize..56, any::<u8>()), 0..4),
        keep in 0_usize..57,
    ) {
        let (_folder, path) = folder_and_file();
        let mut bytes = raw(52, b"LIST\x03\0\0\0abc\0", 8, &[0, 64, 0, 192, 1, 2, 3, 4]);
        for (at, value) in changes {
            bytes[at] = value;
        }
        bytes.truncate(keep);
        std::fs::write(&path, &bytes).unwrap();
        if let Ok((rate, samples)) = read(&path) {
            prop_assert!(rate >= 1_000 && samples.iter().all(|s| s.is_finite()));
        }
    }
}
