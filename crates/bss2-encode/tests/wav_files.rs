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
    // Written to a pipe (SoX, arecord and others) or left unfinished, and stopped
    // within a frame.
    for (riff, length) in [
        (u32::MAX, u32::MAX),
        (0, u32::MAX),
        (0x7fff_f024, 0x7fff_f000),
        (0x8000_0024, 0x8000_0000),
        (0, 0),
        (36, 0),
    ] {
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
    // No data by the account of the file, which goes on with another chunk.
    let noted = raw(48, b"", 0, b"LIST\x04\0\0\0note");
    assert_eq!(put(&noted), AudioFault::Empty);
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
            matches!(put(&other), AudioFault::Unsupported { .. }),
            "byte {at}"
        );
    }
}

/// A format chunk, which lies about the bytes per second as many do.
fn format(tag: u16, channels: u16, block: u16, bits: u16, extension: &[u8]) -> Vec<u8> {
    let mut chunk = tag.to_le_bytes().to_vec();
    chunk.extend(channels.to_le_bytes());
    chunk.extend(8_000_u32.to_le_bytes());
    chunk.extend(7_u32.to_le_bytes());
    chunk.extend(block.to_le_bytes());
    chunk.extend(bits.to_le_bytes());
    chunk.extend(extension);
    chunk
}

/// An extensible one, which says how many bits of each sample are valid, and its
/// kind: integers (1) or floats (3). The size of the extension is wrong.
fn extensible(container: u16, valid: u16, kind: u8) -> Vec<u8> {
    let mut extension = vec![0, 0];
    extension.extend(valid.to_le_bytes());
    extension.extend(4_u32.to_le_bytes());
    extension.extend([kind, 0, 0, 0, 0, 0, 16, 0, 128, 0, 0, 170, 0, 56, 155, 113]);
    format(0xfffe, 1, container / 8, container, &extension)
}

fn file(format: &[u8], data: &[u8]) -> Vec<u8> {
    let mut file = b"RIFF".to_vec();
    file.extend((20 + format.len() as u32 + data.len() as u32).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend((format.len() as u32).to_le_bytes());
    file.extend(format);
    file.extend(b"data");
    file.extend((data.len() as u32).to_le_bytes());
    file.extend(data);
    file
}

/// 0.5 and -0.25 as integers at the top of so many bytes.
fn integers(bytes: usize) -> Vec<u8> {
    let word = |value: i32| value.to_le_bytes()[4 - bytes..].to_vec();
    [word(1 << 30), word(-1 << 29)].concat()
}

#[test]
fn what_a_format_says_beyond_its_samples_does_not_matter() {
    let (_folder, path) = folder_and_file();
    let singles = [0.5_f32, -0.25].map(f32::to_le_bytes).concat();
    let doubles = [0.5_f64, -0.25].map(f64::to_le_bytes).concat();
    // 24 bits in four bytes as ALSA writes them, with and without their sign.
    let low = [0, 0, 0x40, 0, 0, 0, 0xe0, 0xff, 0, 0, 0xe0, 0];
    for (chunk, data) in [
        (format(1, 1, 2, 16, b""), integers(2)),
        (format(1, 1, 2, 16, b"\0\0"), integers(2)),
        (format(1, 1, 2, 16, &[9; 30]), integers(2)),
        (format(1, 1, 4, 32, b"\0\0"), integers(4)),
        (format(1, 1, 4, 24, b""), low[..8].to_vec()),
        (format(1, 1, 4, 24, b""), [&low[..4], &low[8..]].concat()),
        (format(3, 1, 4, 32, b""), singles.clone()),
        (format(3, 1, 4, 32, b"\x02\0\0\0"), singles.clone()),
        (format(3, 1, 8, 64, b""), doubles.clone()),
        (format(3, 1, 8, 64, b"\0\0"), doubles.clone()),
        (extensible(8, 8, 1), vec![192, 96]),
        (extensible(16, 16, 1), integers(2)),
        (extensible(16, 12, 1), integers(2)),
        (extensible(24, 24, 1), integers(3)),
        (extensible(24, 20, 1), integers(3)),
        (extensible(32, 24, 1), integers(4)),
        (extensible(32, 20, 1), integers(4)),
        // No valid bits at all is an error that is found in the wild: all are.
        (extensible(32, 0, 1), integers(4)),
        (extensible(32, 32, 3), singles),
        (extensible(64, 64, 3), doubles),
    ] {
        std::fs::write(&path, file(&chunk, &data)).unwrap();
        assert_eq!(read(&path).unwrap().1, [0.5, -0.25], "{chunk:?}");
    }
}

#[test]
fn formats_that_do_not_fit_together_are_refused() {
    let (_folder, path) = folder_and_file();
    let mut other = extensible(16, 16, 1);
    other[39] = 0;
    for (chunk, words) in [
        (format(6, 1, 1, 8, b""), "encoding is 0x0006"),
        (extensible(16, 16, 2), "encoding is 0x0002"),
        (other, "encoding is none of WAVE"),
        (format(0xfffe, 1, 2, 16, b"\0\0"), "18 bytes long"),
        (format(1, 0, 2, 16, b""), "number of channels is 0"),
        (format(1, 65, 130, 16, b""), "number of channels is 65"),
        (format(1, 2, 5, 16, b""), "5 bytes for 2 channels"),
        (format(1, 1, 0, 16, b""), "16 in 0 bytes"),
        (format(1, 1, 2, 24, b""), "24 in 2 bytes"),
        (format(1, 1, 4, 20, b""), "20 in 4 bytes"),
        (format(1, 1, 8, 64, b""), "64 in 8 bytes"),
        (format(3, 1, 2, 16, b""), "16 in 2 bytes"),
        (extensible(64, 64, 1), "64 in 8 bytes"),
    ] {
        std::fs::write(&path, file(&chunk, &[0; 16])).unwrap();
        let fault = fault(&path);
        assert!(matches!(fault, AudioFault::Unsupported { .. }), "{fault:?}");
        let text = fault.to_string();
        assert!(text.contains(words), "{words:?} is missing in {text}");
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

/// After it was opened, as by another program.
#[test]
fn files_that_grow_shorter_are_told_in_bytes() {
    let (_folder, path) = folder_and_file();
    let integers = format(1, 2, 4, 16, b"");
    let doubles = format(3, 2, 16, 64, b"");
    for (chunk, frame) in [(integers, 4), (doubles, 16)] {
        let whole = file(&chunk, &vec![0; 4 * frame]);
        std::fs::write(&path, &whole).unwrap();
        let opened = WavFile::open(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 2 * frame - 1]).unwrap();
        let samples: Result<Vec<f64>, _> = Audio::samples(&opened).unwrap().collect();
        let Err(EncodeError::Audio { fault, .. }) = samples else {
            panic!("no fault of the audio: {samples:?}");
        };
        let bytes = frame as u64;
        let wanted = AudioFault::Truncated {
            what: "frames",
            expected: 4 * bytes,
            found: bytes,
        };
        assert_eq!(fault, wanted);
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
