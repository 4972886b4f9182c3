//! Spike files: those of others, our own, and damaged ones.

#[path = "../../bss2-event/tests/support/reference.rs"]
mod reference;

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use bss2_encode::{
    EncodeError, SampleInfo, Speaker, SpikeFileFault, SpikeSet, TimePrecision, read_spikes,
    write_spikes,
};
use half::f16;
use proptest::prelude::*;
use reference::{folder, skip};
use rust_hdf5::{DatatypeMessage, H5File, H5Type, Selection};

/// The small files in the published layout, if they are there.
fn shd_like() -> Option<PathBuf> {
    let data = folder("BSS2_DATA", "data")?;
    let mut places = [data.join("shd_like"), data].into_iter();
    let found = places.find(|place| place.join("h5py_gzip.h5").is_file());
    if found.is_none() {
        skip("the files h5py_gzip.h5 and pytables_f16.h5 are not there");
    }
    found
}

/// Checks against the values that are published with the files.
fn has_the_known_values(set: &SpikeSet) {
    let counts: Vec<usize> = (0..set.len()).map(|i| set.spikes(i).0.len()).collect();
    assert_eq!(counts, [37, 0, 1, 64, 25, 48, 12, 90, 5, 33, 71, 18]);
    let sum: f64 = set.all_times().iter().map(|&time| f64::from(time)).sum();
    assert!((sum - 268.855_216_979_980_47).abs() < 1e-10, "{sum}");
    let units: u64 = set.all_units().iter().map(|&unit| u64::from(unit)).sum();
    assert_eq!(units, 146_507);
    assert_eq!(set.labels(), [0, 9, 10, 19, 3, 17, 5, 12, 7, 14, 1, 16]);
    assert_eq!((set.classes(), set.channels()), (20, 700));
    assert_eq!(set.spikes(2).0, [0.0]);
    assert_eq!(set.keys()[13], "drei");
    let last = *set.spikes(7).0.last().unwrap();
    assert_eq!(last, f16::from_f32(1.37).to_f32());
    let speaker = &set.speakers()[5];
    assert_eq!((speaker.gender.as_str(), speaker.age), ("female", 25));
    assert_eq!((speaker.body_height, speaker.name.as_str()), (165, "5"));
    assert_eq!(set.samples()[11].speaker, 11);
}

#[test]
fn files_of_pytables_and_h5py_have_their_known_values() {
    let Some(folder) = shd_like() else { return };
    let pytables = read_spikes(&folder.join("pytables_f16.h5")).unwrap();
    let h5py = read_spikes(&folder.join("h5py_gzip.h5")).unwrap();
    has_the_known_values(&pytables);
    has_the_known_values(&h5py);
    assert_eq!(pytables.named("same"), h5py.named("same"));
}

fn sample_set() -> SpikeSet {
    let keys = ["zero", "one", "zwölf"].map(String::from).to_vec();
    let speaker = |name: &str, age| Speaker {
        name: name.into(),
        gender: "female".into(),
        age,
        body_height: 171,
    };
    let speakers = vec![speaker("anna", 30), speaker("zoë", 65_535)];
    let mut set = SpikeSet::new("own", 70, keys, speakers).unwrap();
    for (label, speaker, times, units) in [
        (
            2,
            1,
            &[0.000_244_140_6, 0.5, 1.370_001][..],
            &[69, 0, 3][..],
        ),
        (0, 0, &[], &[]),
        (1, 1, &[0.0], &[7]),
    ] {
        let info = SampleInfo {
            speaker,
            recording: format!("{label}_{speaker}_0.wav"),
        };
        set.push(label, info, times, units).unwrap();
    }
    set
}

#[test]
fn what_is_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.h5");
    let set = sample_set();
    write_spikes(&path, &set, TimePrecision::Single).unwrap();
    assert_eq!(read_spikes(&path).unwrap().named("own"), set);

    write_spikes(&path, &set, TimePrecision::Half).unwrap();
    let halves = read_spikes(&path).unwrap();
    let pairs = halves.all_times().iter().zip(set.all_times());
    for (&half, &time) in pairs {
        assert_eq!(half, f16::from_f32(time).to_f32());
    }
    assert_eq!(halves.all_units(), set.all_units());
    // Nothing but the file is left, and what cannot be written changes nothing.
    let mut late = SpikeSet::new("late", 2, vec!["a".into()], vec![Speaker::default()]).unwrap();
    late.push(0, SampleInfo::default(), &[70_000.0], &[1])
        .unwrap();
    let error = write_spikes(&path, &late, TimePrecision::Half).unwrap_err();
    assert!(error.to_string().contains("70000 s"), "{error}");
    assert_eq!(read_spikes(&path).unwrap(), halves);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let nowhere = folder.path().join("no/such.h5");
    let error = write_spikes(&nowhere, &set, TimePrecision::Half).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("no/such.h5 cannot be written"), "{text}");
}

/// Runs where `BSS2_PYTHON`, or else `python3`, knows h5py.
#[test]
fn h5py_reads_what_is_written() {
    let python = env::var("BSS2_PYTHON").unwrap_or_else(|_| "python3".into());
    let folder = tempfile::tempdir().unwrap();
    for (precision, dtype) in [
        (TimePrecision::Single, "float32"),
        (TimePrecision::Half, "float16"),
    ] {
        let path = folder.path().join("own.h5");
        write_spikes(&path, &sample_set(), precision).unwrap();
        let script = format!(
            r#"
import sys
try:
    import h5py, numpy as np
except ImportError:
    sys.exit(77)
f = h5py.File(sys.argv[1], "r")
text = lambda name: [x.decode() for x in f[name][:]]
assert f["spikes/times"].dtype.metadata["vlen"] == np.dtype("{dtype}")
assert f["spikes/units"].dtype.metadata["vlen"] == np.dtype("uint16")
assert f["spikes/units"].attrs["channels"] == 70
times = [list(row) for row in f["spikes/times"][:]]
wanted = [[0.0002441406, 0.5, 1.370001], [], [0.0]]
assert times == [[float(np.{dtype}(t)) for t in row] for row in wanted], times
assert [list(row) for row in f["spikes/units"][:]] == [[69, 0, 3], [], [7]]
assert list(f["labels"][:]) == [2, 0, 1] and list(f["extra/speaker"][:]) == [1, 0, 1]
assert text("extra/keys") == ["zero", "one", "zwölf"]
assert text("extra/recording") == ["2_1_0.wav", "0_0_0.wav", "1_1_0.wav"]
assert text("extra/speaker_names") == ["anna", "zoë"]
assert text("extra/meta_info/gender") == ["female", "female"]
assert list(f["extra/meta_info/age"][:]) == [30, 65535]
assert list(f["extra/meta_info/body_height"][:]) == [171, 171]
"#
        );
        let run = Command::new(&python)
            .arg("-c")
            .arg(script)
            .arg(&path)
            .output();
        match run {
            Ok(output) if output.status.code() == Some(77) => {
                skip(&format!("{python} has no h5py"))
            }
            Ok(output) => assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            ),
            Err(error) => skip(&format!("{python} does not run ({error})")),
        }
    }
}

fn write_list<T: H5Type>(file: &H5File, name: &str, values: &[T]) {
    let list = file.new_dataset::<T>().shape([values.len()]);
    let list = list.create(name).unwrap();
    // There is no place for nothing.
    if !values.is_empty() {
        list.write_raw(values).unwrap();
    }
}

/// A file in the published layout, of which a test gets one dataset wrong; one
/// without speakers has no such dataset.
struct Parts<'a, T, U> {
    times: &'a [&'a [T]],
    units: &'a [&'a [U]],
    labels: &'a [i32],
    speaker: &'a [u16],
}

impl<T: H5Type, U: H5Type> Parts<'_, T, U> {
    fn write(&self, path: &Path) {
        self.fill(H5File::create(path).unwrap(), None);
    }

    fn fill(&self, file: H5File, channels: Option<i64>) {
        for group in ["spikes", "extra"] {
            file.create_group(group).unwrap();
        }
        file.write_vlen_numeric("spikes/times", self.times).unwrap();
        let units = file.write_vlen_numeric("spikes/units", self.units).unwrap();
        if let Some(channels) = channels {
            let attribute = units.new_attr::<i64>().shape(()).create("channels");
            attribute.unwrap().write_numeric(&channels).unwrap();
        }
        write_list(&file, "labels", self.labels);
        if !self.speaker.is_empty() {
            write_list(&file, "extra/speaker", self.speaker);
        }
        file.write_vlen_strings("extra/keys", &["zero", "one"])
            .unwrap();
        file.close().unwrap();
    }

    fn read(&self) -> Result<SpikeSet, EncodeError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("parts.h5");
        self.write(&path);
        read_spikes(&path)
    }

    fn refused(&self, words: &[&str]) {
        let error = self.read().unwrap_err().to_string();
        for word in words.iter().chain(&["parts.h5"]) {
            assert!(error.contains(word), "{word:?} is missing in {error}");
        }
    }
}

const GOOD: Parts<f32, u16> = Parts {
    times: &[&[0.25, 0.5], &[]],
    units: &[&[1, 2], &[]],
    labels: &[1, 0],
    speaker: &[0, 3],
};

#[test]
fn files_without_our_own_datasets_are_read() {
    let set = GOOD.read().unwrap();
    assert_eq!(
        (set.len(), set.channels(), set.speakers().len()),
        (2, 700, 4)
    );
    assert_eq!(set.samples()[0].recording, "");
    assert_eq!(set.speakers()[3].age, 0);
}

#[test]
fn without_speakers_all_samples_are_of_an_unknown_one() {
    let nobody = Parts {
        speaker: &[],
        ..GOOD
    };
    let set = nobody.read().unwrap();
    assert_eq!(set.speakers(), [Speaker::default()]);
    assert!(set.samples().iter().all(|sample| sample.speaker == 0));
}

#[test]
fn a_wrong_number_of_channels_is_told_of_its_attribute() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("channels.h5");
    let read = |channels: i64| {
        GOOD.fill(H5File::create(&path).unwrap(), Some(channels));
        read_spikes(&path)
    };
    for channels in [3, 65_536] {
        assert_eq!(read(channels).unwrap().channels() as i64, channels);
    }
    for channels in [-1, 0, 65_537] {
        let text = read(channels).unwrap_err().to_string();
        let words = format!(
            "channels.h5 cannot be used: the attribute channels of spikes/units is {channels}, \
             read are 1 to 65536"
        );
        assert!(text.ends_with(&words), "{text}");
    }
}

/// Nobody's age keeps spikes from being read.
#[test]
fn what_is_said_of_speakers_may_have_any_type() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("said.h5");
    let said = |write: &dyn Fn(&H5File)| {
        GOOD.write(&path);
        let file = H5File::open_rw(&path).unwrap();
        file.create_group("extra/meta_info").unwrap();
        write(&file);
        file.close().unwrap();
        read_spikes(&path).unwrap().speakers().to_vec()
    };
    fn list<T: H5Type>(file: &H5File, name: &str, values: &[T]) {
        write_list(file, &format!("extra/meta_info/{name}"), values);
    }
    let speakers = said(&|file| {
        list(file, "age", &[25.4_f64, f64::NAN, -1.0, 70_000.0]);
        list(file, "body_height", &[-1_i32, 171, 70_000, 0]);
        list(file, "gender", &[1_u8, 0]);
    });
    let ages: Vec<u16> = speakers.iter().map(|s| s.age).collect();
    assert_eq!(ages, [25, 0, 0, 0]);
    let heights: Vec<u16> = speakers.iter().map(|s| s.body_height).collect();
    assert_eq!(heights, [0, 171, 0, 0]);
    let genders: Vec<&str> = speakers.iter().map(|s| s.gender.as_str()).collect();
    assert_eq!(genders, ["1", "0", "", ""]);
    let speakers = said(&|file| {
        let ages = ["25", " 30.6 ", "unknown", ""];
        file.write_vlen_strings("extra/meta_info/age", &ages)
            .unwrap();
        list(file, "gender", &[1.0_f32, f32::NAN]);
    });
    let ages: Vec<u16> = speakers.iter().map(|s| s.age).collect();
    assert_eq!(ages, [25, 31, 0, 0]);
    assert_eq!(
        (speakers[0].gender.as_str(), speakers[1].gender.as_str()),
        ("1", "")
    );
}

/// Other content of 512 bytes or more before that of the file.
#[test]
fn files_with_a_user_block_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("block.h5");
    for size in [512, 4096] {
        let file = H5File::options().userblock(size).create(&path).unwrap();
        GOOD.fill(file, None);
        assert_eq!(read_spikes(&path).unwrap().len(), 2);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        let error = read_spikes(&path).unwrap_err().to_string();
        assert!(error.contains("ends too early"), "{error}");
    }
}

#[test]
fn double_precision_is_rounded_and_any_integer_is_a_unit() {
    let doubles = Parts {
        times: &[&[0.1_f64, 1.0 / 3.0], &[]],
        units: &[&[1_i64, 699], &[]],
        labels: &[1, 0],
        speaker: &[0, 0],
    };
    let set = doubles.read().unwrap();
    assert_eq!(set.spikes(0).0, [0.1_f32, 1.0 / 3.0]);
    assert_eq!(set.spikes(0).1, [1, 699]);
    let beyond = Parts {
        times: &[&[1e300_f64, 0.5], &[]],
        ..doubles
    };
    beyond.refused(&["sample 0", "inf"]);
}

#[test]
fn unsorted_times_are_sorted_with_their_units() {
    let set = Parts {
        times: &[&[0.5, 0.25], &[]],
        ..GOOD
    };
    let set = set.read().unwrap();
    assert_eq!(set.spikes(0), (&[0.25, 0.5][..], &[2, 1][..]));
}

#[test]
fn inconsistent_files_are_refused_with_the_place() {
    let units = |units| Parts { units, ..GOOD };
    units(&[&[1, 700], &[]]).refused(&["sample 0", "unit is 700", "0 to 699"]);
    units(&[&[1, 2], &[3]]).refused(&["sample 1", "0 times, but 1 units"]);
    units(&[&[1, 2]]).refused(&["spikes/times has 2 rows, but spikes/units has 1"]);
    let times = |times| Parts { times, ..GOOD };
    times(&[&[-0.5, 0.5], &[]]).refused(&["sample 0", "-0.5 s"]);
    times(&[&[0.5, f32::NAN], &[]]).refused(&["sample 0", "NaN"]);
    times(&[&[0.5, f32::INFINITY], &[]]).refused(&["sample 0", "inf"]);
    let labels = |labels| Parts { labels, ..GOOD };
    labels(&[1, 2]).refused(&["labels, row 1", "2 is not among 0 to 1"]);
    labels(&[-1, 0]).refused(&["labels, row 0", "-1 is not among 0 to 1"]);
    labels(&[1]).refused(&["spikes/times has 2 rows, but labels has 1"]);
    let speakers = Parts {
        speaker: &[0],
        ..GOOD
    };
    speakers.refused(&["spikes/times has 2 rows, but extra/speaker has 1"]);
    let negative = Parts {
        times: GOOD.times,
        units: &[&[1_i16, -2], &[]],
        labels: GOOD.labels,
        speaker: GOOD.speaker,
    };
    negative.refused(&["spikes/units, row 0", "-2"]);
}

/// A file with nothing but what `write` puts into its group `extra` is not read.
fn keys_are_refused(path: &Path, write: &dyn Fn(&H5File), words: &str) {
    let file = H5File::create(path).unwrap();
    file.create_group("extra").unwrap();
    write(&file);
    file.close().unwrap();
    let error = read_spikes(path).unwrap_err().to_string();
    assert!(error.contains(words), "{words:?} is missing in {error}");
    assert!(error.contains("keys.h5 cannot be used"), "{error}");
}

#[test]
fn files_without_samples_or_classes_are_refused() {
    let none = Parts::<f32, u16> {
        times: &[],
        units: &[],
        labels: &[],
        speaker: &[],
    };
    let words = "it has 0 samples in spikes/times, read are 1 to 1048576";
    none.refused(&[words]);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none.h5");
    let empty = sample_set().select(&[]).unwrap();
    let error = write_spikes(&path, &empty, TimePrecision::Single).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("none.h5 cannot be used: it has 0"), "{text}");
    assert!(!path.exists());
    let path = folder.path().join("keys.h5");
    let refused = |write: &dyn Fn(&H5File), words: &str| keys_are_refused(&path, write, words);
    let words = "it has 0 classes in extra/keys, read are 1 to 256";
    let empty = |file: &H5File| {
        file.write_vlen_strings("extra/keys", &[]).unwrap();
    };
    refused(&empty, words);
    // As h5py writes a list that may grow.
    let chunked = |file: &H5File| {
        let keys = file.new_dataset::<Text<4>>().shape([0]).chunk(&[8]);
        keys.max_shape(&[None]).create("extra/keys").unwrap();
    };
    refused(&chunked, words);
    let many = |file: &H5File| {
        file.write_vlen_strings("extra/keys", &["a"; 257]).unwrap();
    };
    refused(&many, "it has 257 classes in extra/keys");
}

#[test]
fn datasets_of_another_kind_are_refused() {
    let swapped = Parts {
        times: &[&[1_u16, 2], &[]],
        units: &[&[0.25_f32, 0.5], &[]],
        labels: GOOD.labels,
        speaker: GOOD.speaker,
    };
    swapped.refused(&["spikes/times holds integers of 2 bytes", "floating-point"]);
    let floats = Parts {
        times: GOOD.times,
        units: &[&[1.0_f32, 2.0], &[]],
        labels: GOOD.labels,
        speaker: GOOD.speaker,
    };
    floats.refused(&[
        "spikes/units holds floating-point numbers of 4 bytes",
        "integers",
    ]);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("matrix.h5");
    let file = H5File::create(&path).unwrap();
    file.create_group("extra").unwrap();
    file.create_group("spikes").unwrap();
    file.write_vlen_strings("extra/keys", &["a"]).unwrap();
    let matrix = file
        .new_dataset::<u16>()
        .shape([2, 3])
        .create("labels")
        .unwrap();
    matrix.write_raw(&[0_u16; 6]).unwrap();
    file.close().unwrap();
    let error = read_spikes(&path).unwrap_err().to_string();
    assert!(error.contains("labels has the shape [2, 3]"), "{error}");
}

/// A list that claims gigabytes is refused before any is read.
#[test]
fn huge_shapes_and_chunks_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge.h5");
    let refused = |shape: usize, chunk: usize, words: &str| {
        let file = H5File::create(&path).unwrap();
        file.create_group("extra").unwrap();
        file.write_vlen_strings("extra/keys", &["a"]).unwrap();
        let labels = file.new_dataset::<u16>().shape([shape]).chunk(&[chunk]);
        labels.max_shape(&[None]).create("labels").unwrap();
        file.close().unwrap();
        let error = read_spikes(&path).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    refused(26_000_000_000, 1_000, "labels has the shape [26000000000]");
    refused(10, 26_000_000, "in chunks of [26000000]");
}

/// Text of so many bytes, whatever it says.
#[derive(Clone, Copy)]
struct Text<const N: usize>(#[allow(dead_code, reason = "the library reads its bytes")] [u8; N]);

impl<const N: usize> H5Type for Text<N> {
    fn hdf5_type() -> DatatypeMessage {
        DatatypeMessage::fixed_string(N as u32)
    }
    fn element_size() -> usize {
        N
    }
}

#[test]
fn long_values_and_those_in_other_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.h5");
    let refused = |write: &dyn Fn(&H5File), words: &str| keys_are_refused(&path, write, words);
    let long = |file: &H5File| {
        let keys = file.new_dataset::<Text<4097>>().shape([2]);
        keys.create("extra/keys").unwrap();
    };
    refused(&long, "extra/keys has 2 values of 4097 bytes");
    let many = |file: &H5File| {
        let keys = file.new_dataset::<Text<1024>>().shape([65_537]);
        keys.create("extra/keys").unwrap();
    };
    refused(&many, "extra/keys has 65537 values of 1024 bytes");
    let chunk = |file: &H5File| {
        let keys = file.new_dataset::<Text<1024>>().shape([1]);
        let keys = keys.chunk(&[65_537]).max_shape(&[None]);
        keys.create("extra/keys").unwrap();
    };
    refused(&chunk, "extra/keys has 65537 values of 1024 bytes");
    let external = |file: &H5File| {
        let keys = file.new_dataset::<Text<4>>().shape([2]);
        keys.external(&[("/dev/zero", 0, 8)])
            .create("extra/keys")
            .unwrap();
    };
    refused(&external, "extra/keys lies elsewhere");
    let mapped = |file: &H5File| {
        let keys = file.new_dataset::<Text<4>>().shape([2]);
        keys.virtual_mapping(Selection::All, "other.h5", "keys", Selection::All)
            .create("extra/keys")
            .unwrap();
    };
    refused(&mapped, "extra/keys lies elsewhere");
    let soft = |file: &H5File| {
        file.write_vlen_strings("names", &["a"]).unwrap();
        let extra = file.root_group().group("extra").unwrap();
        extra.create_soft_link("keys", "/names").unwrap();
    };
    refused(&soft, "extra/keys lies elsewhere");
    let other = folder.path().join("other.h5");
    GOOD.write(&other);
    let link = |file: &H5File| {
        let extra = file.root_group().group("extra").unwrap();
        let link = extra.create_external_link("keys", "other.h5", "/extra/keys");
        link.unwrap();
    };
    refused(&link, "extra/keys lies elsewhere");
}

/// References of 16 bytes to rows: length, address of their heap, index in it.
#[test]
fn rows_that_share_their_bytes_or_lie_about_them_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shared.h5");
    let times: &[&[f32]] = &[&[0.25, 0.5], &[0.125]];
    let units: &[&[u16]] = &[&[1, 2], &[3]];
    let whole = Parts {
        times,
        units,
        ..GOOD
    };
    whole.write(&path);
    let bytes = std::fs::read(&path).unwrap();
    for name in ["spikes/times", "spikes/units", "extra/keys"] {
        std::fs::write(&path, &bytes).unwrap();
        let file = H5File::open(&path).unwrap();
        let references = file.dataset(name).unwrap().read_raw_bytes().unwrap();
        drop(file);
        let mut places = bytes.windows(32).enumerate();
        let (at, _) = places.find(|(_, b)| *b == references).unwrap();
        let refused = |change: &dyn Fn(&mut Vec<u8>), words: &str| {
            let mut changed = bytes.clone();
            change(&mut changed);
            std::fs::write(&path, changed).unwrap();
            let error = read_spikes(&path).unwrap_err().to_string();
            assert!(error.contains(words), "{words:?} is missing in {error}");
        };
        refused(
            &|b| b.copy_within(at..at + 16, at + 16),
            &format!("{name} cannot be read: row 1 has the bytes of another"),
        );
        refused(
            &|b| b[at + 10] = 1,
            &format!("{name} cannot be read: its heaps"),
        );
        if name != "extra/keys" {
            refused(
                &|b| b[at] += 1,
                &format!("{name} cannot be read: a row is not"),
            );
        }
        let heap = u64::from_le_bytes(references[4..12].try_into().unwrap()) as usize;
        refused(&|b| b[heap + 14] = 1, "its heaps are larger than the file");
    }
}

#[test]
fn files_that_are_none_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none.h5");
    let fault = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        match read_spikes(&path) {
            Err(EncodeError::SpikeFile { fault, path: named }) => {
                assert_eq!(named, path);
                fault
            }
            other => panic!("no fault of the file: {other:?}"),
        }
    };
    assert_eq!(fault(b""), SpikeFileFault::NotHdf5);
    assert_eq!(fault(b"RIFF....WAVEfmt "), SpikeFileFault::NotHdf5);
    GOOD.write(&path);
    let whole = std::fs::read(&path).unwrap();
    assert!(read_spikes(&path).is_ok());
    let cut = fault(&whole[..whole.len() - 1]);
    assert!(matches!(cut, SpikeFileFault::Truncated { .. }), "{cut}");
    assert!(matches!(
        fault(&whole[..20]),
        SpikeFileFault::Truncated { .. }
    ));

    let file = H5File::create(&path).unwrap();
    file.create_group("spikes").unwrap();
    file.close().unwrap();
    let error = read_spikes(&path).unwrap_err().to_string();
    assert!(error.contains("extra/keys cannot be read"), "{error}");
    let missing = read_spikes(&folder.path().join("no.h5"));
    assert!(matches!(missing, Err(EncodeError::Io { .. })));
}

/// A number that is stored the other way round.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct BigEndian(#[allow(dead_code, reason = "the library reads its bytes")] f32);

impl H5Type for BigEndian {
    fn hdf5_type() -> DatatypeMessage {
        let mut datatype = DatatypeMessage::f32_type();
        if let DatatypeMessage::FloatingPoint { byte_order, .. } = &mut datatype {
            *byte_order = rust_hdf5::ByteOrder::BigEndian;
        }
        datatype
    }
    fn element_size() -> usize {
        4
    }
}

#[test]
fn the_other_byte_order_is_read() {
    let times = [BigEndian(0.1), BigEndian(1.25)];
    let set = Parts {
        times: &[&times, &[]],
        units: GOOD.units,
        labels: GOOD.labels,
        speaker: GOOD.speaker,
    };
    assert_eq!(set.read().unwrap().spikes(0).0, [0.1, 1.25]);
}

/// The bytes of a sound file.
static WHOLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("whole.h5");
    write_spikes(&path, &sample_set(), TimePrecision::Half).unwrap();
    std::fs::read(&path).unwrap()
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    /// Whatever bytes are changed or cut off, there is a sound set or an error.
    #[test]
    fn arbitrary_damage_is_no_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        keep in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("damaged.h5");
        let mut bytes = WHOLE.clone();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if cut {
            bytes.truncate(keep.index(bytes.len()));
        }
        std::fs::write(&path, &bytes).unwrap();
        if let Ok(set) = read_spikes(&path) {
            prop_assert_eq!(set.all_times().len(), set.all_units().len());
            prop_assert!(set.all_times().iter().all(|t| t.is_finite() && *t >= 0.0));
            prop_assert!(set.all_units().iter().all(|&u| usize::from(u) < set.channels()));
        }
    }
}
