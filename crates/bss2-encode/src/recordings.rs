//! Folders of recordings, and how they are split.
//!
//! A recording is called `{label}_{speaker}_{take}.wav`, as in the Free Spoken
//! Digit Dataset: `7_jackson_32.wav`. Labels are any text without an underscore,
//! speakers any text, takes are whole numbers. The classes are the labels in their
//! order as text.
//!
//! # Source
//! Jackson et al., Free Spoken Digit Dataset: its naming, and takes 0 to 4 of
//! every digit and speaker as test set.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::EncodeError;
use crate::spike_set::{SpikeSet, SpikeSplit};

/// Faults of a folder that are told, of however many.
const TOLD: usize = 10;

/// What the name of a recording says. Ordered by take, then speaker, then
/// label: the first so many of a folder then have all classes and voices.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordingName {
    /// Which of the recordings of this label by this speaker.
    pub take: u32,
    /// Who speaks.
    pub speaker: String,
    /// What is said.
    pub label: String,
}

impl RecordingName {
    /// Reads a file's name.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(name: &str) -> Result<Self, &'static str> {
        let stem = name
            .strip_suffix(".wav")
            .ok_or("its name does not end in .wav, in small letters")?;
        let parts = stem
            .split_once('_')
            .and_then(|(label, rest)| Some((label, rest.rsplit_once('_')?)));
        let (label, (speaker, take)) =
            parts.ok_or("its name is not {label}_{speaker}_{take}.wav")?;
        if label.is_empty() || speaker.is_empty() {
            return Err("its name lacks a label or a speaker");
        }
        let digits = !take.is_empty() && take.bytes().all(|byte| byte.is_ascii_digit());
        let take = take.parse().ok().filter(|_| digits);
        Ok(Self {
            take: take.ok_or("its take is no whole number below 2^32")?,
            speaker: speaker.to_owned(),
            label: label.to_owned(),
        })
    }

    /// The name of the file.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}_{}_{}.wav", self.label, self.speaker, self.take)
    }
}

/// The recordings of a folder, in the order of [`RecordingName`]. Files that do
/// not end in `.wav` or begin with a dot, as macOS leaves them beside its own, and
/// subfolders are passed over.
///
/// # Errors
/// [`EncodeError::Io`]; [`EncodeError::Recordings`] where there is none, or
/// with the names that cannot be read, such as those that end in `.WAV`.
pub fn list_recordings(folder: &Path) -> Result<Vec<(RecordingName, PathBuf)>, EncodeError> {
    let io = |error| EncodeError::io(folder, error);
    let (mut recordings, mut faults) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !is_recording(&path) {
            continue;
        }
        match RecordingName::parse(&name) {
            // Two spellings of a take would have one name.
            Ok(parsed) if parsed.file_name() != name => {
                faults.push(format!("{name}: its take has leading zeros"));
            }
            Ok(parsed) => recordings.push((parsed, path)),
            Err(fault) => faults.push(format!("{name}: {fault}")),
        }
    }
    if recordings.is_empty() && faults.is_empty() {
        faults.push("there is no file that ends in .wav".into());
    }
    refuse(folder, faults)?;
    recordings.sort();
    Ok(recordings)
}

/// Whether a file is meant as a recording, so that its name is right or an error. The
/// ending may be in capitals here, lest such a file be passed over without a word.
pub(crate) fn is_recording(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let wav = path
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("wav"));
    wav && !name.starts_with('.') && !path.is_dir()
}

/// An error that tells the first of the faults, if there are any.
pub(crate) fn refuse(folder: &Path, mut faults: Vec<String>) -> Result<(), EncodeError> {
    if faults.is_empty() {
        return Ok(());
    }
    faults.sort();
    let more = faults.len().saturating_sub(TOLD);
    faults.truncate(TOLD);
    if more > 0 {
        faults.push(format!("and {more} more"));
    }
    Err(EncodeError::Recordings {
        folder: folder.to_owned(),
        faults,
    })
}

/// How recordings are split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldOut<'a> {
    /// Takes 0 to 4 of every label and speaker are tested on: voices that were
    /// heard.
    FirstTakes,
    /// All recordings of these speakers are tested on: voices never heard.
    Speakers(&'a [String]),
}

impl HeldOut<'_> {
    /// Takes below it are the first.
    pub const FIRST_TAKES: u32 = 5;

    /// Whether a recording is tested on.
    #[must_use]
    pub fn tests(self, name: &RecordingName) -> bool {
        match self {
            Self::FirstTakes => name.take < Self::FIRST_TAKES,
            Self::Speakers(held) => held.contains(&name.speaker),
        }
    }

    /// Splits a set of named recordings; both parts keep the order.
    ///
    /// # Errors
    /// [`EncodeError::Split`] for a set without names, a speaker that there is
    /// not, or where nothing is left on either side.
    pub fn split(self, set: &SpikeSet) -> Result<SpikeSplit, EncodeError> {
        let fault = |fault: String| EncodeError::Split {
            name: set.name().to_owned(),
            fault,
        };
        if let HeldOut::Speakers(held) = self {
            let names: Vec<&str> = set.speakers().iter().map(|s| s.name.as_str()).collect();
            if let Some(unknown) = held.iter().find(|name| !names.contains(&name.as_str())) {
                let names = names.join(", ");
                return Err(fault(format!(
                    "nobody is called {unknown:?}; there are {names}"
                )));
            }
        }
        let (mut train, mut test) = (Vec::new(), Vec::new());
        for (index, info) in set.samples().iter().enumerate() {
            let tested = match self {
                HeldOut::FirstTakes => {
                    let name = RecordingName::parse(&info.recording);
                    let name = name.map_err(|reason| {
                        fault(format!(
                            "sample {index} is {:?}, but {reason}",
                            info.recording
                        ))
                    })?;
                    self.tests(&name)
                }
                HeldOut::Speakers(held) => {
                    held.contains(&set.speakers()[usize::from(info.speaker)].name)
                }
            };
            let part = if tested { &mut test } else { &mut train };
            part.push(index as u32);
        }
        for (part, what) in [(&train, "train"), (&test, "test")] {
            if part.is_empty() {
                return Err(fault(format!("no recording is left to {what} on")));
            }
        }
        Ok(SpikeSplit {
            train: set.select(&train)?,
            test: set.select(&test)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spike_set::{SampleInfo, Speaker};

    #[test]
    fn names_are_read_or_refused() {
        let name = RecordingName::parse("7_jackson_32.wav").unwrap();
        assert_eq!((name.label.as_str(), name.take), ("7", 32));
        assert_eq!(name.file_name(), "7_jackson_32.wav");
        let name = RecordingName::parse("seven_mary_ann_3.wav").unwrap();
        assert_eq!((name.label.as_str(), name.take), ("seven", 3));
        assert_eq!(name.speaker, "mary_ann");
        assert_eq!(name.file_name(), "seven_mary_ann_3.wav");
        for (bad, words) in [
            ("7_jackson_32.mp3", ".wav"),
            ("7_jackson.wav", "{label}_{speaker}_{take}"),
            ("_jackson_3.wav", "lacks a label"),
            ("7__3.wav", "lacks a label"),
            ("7_jackson_.wav", "take"),
            ("7_jackson_x.wav", "take"),
            ("7_jackson_+3.wav", "take"),
            ("7_jackson_4294967296.wav", "take"),
        ] {
            let fault = RecordingName::parse(bad).unwrap_err();
            assert!(fault.contains(words), "{bad}: {fault}");
        }
    }

    #[test]
    fn a_folder_is_listed_in_a_balanced_order_or_its_names_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str| fs::write(folder.path().join(name), b"x").unwrap();
        let error = list_recordings(folder.path()).unwrap_err().to_string();
        assert!(error.contains("no file that ends in .wav"), "{error}");
        let names = ["1_b_0.wav", "0_a_10.wav", "0_a_2.wav", "1_a_0.wav"];
        names.iter().for_each(|name| put(name));
        put("README.md");
        put("._0_a_2.wav");
        fs::create_dir(folder.path().join("more.wav")).unwrap();
        let listed = list_recordings(folder.path()).unwrap();
        let listed: Vec<String> = listed.iter().map(|(name, _)| name.file_name()).collect();
        assert_eq!(
            listed,
            ["1_a_0.wav", "1_b_0.wav", "0_a_2.wav", "0_a_10.wav"]
        );

        for i in 0..12 {
            put(&format!("noise{i:02}.wav"));
        }
        put("0_a_02.wav");
        put("0_a_3.WAV");
        let error = list_recordings(folder.path()).unwrap_err().to_string();
        for words in [
            "0_a_02.wav: its take has leading zeros",
            "0_a_3.WAV: its name does not end in .wav, in small letters",
            "noise00.wav",
            "and 4 more",
        ] {
            assert!(error.contains(words), "{words} is missing in {error}");
        }
    }

    fn set() -> SpikeSet {
        let keys = ["0", "1"].map(String::from).to_vec();
        let speakers = ["a", "b", "c"].map(|name| Speaker {
            name: name.into(),
            ..Default::default()
        });
        let mut set = SpikeSet::new("digits", 2, keys, speakers.to_vec()).unwrap();
        for take in 0..7 {
            for speaker in 0..3_u16 {
                for label in 0..2_u8 {
                    let name = ["a", "b", "c"][usize::from(speaker)];
                    let recording = format!("{label}_{name}_{take}.wav");
                    let info = SampleInfo { speaker, recording };
                    set.push(label, info, &[0.1], &[1]).unwrap();
                }
            }
        }
        set
    }

    #[test]
    fn first_takes_or_speakers_are_held_out() {
        let set = set();
        let split = HeldOut::FirstTakes.split(&set).unwrap();
        assert_eq!((split.train.len(), split.test.len()), (12, 30));
        let late =
            |info: &SampleInfo| info.recording.contains("_5") || info.recording.contains("_6");
        assert!(split.train.samples().iter().all(late));
        let held = ["b".to_owned()];
        let split = HeldOut::Speakers(&held).split(&set).unwrap();
        assert_eq!((split.train.len(), split.test.len()), (28, 14));
        assert!(split.test.samples().iter().all(|info| info.speaker == 1));
        assert!(split.train.samples().iter().all(|info| info.speaker != 1));
    }

    #[test]
    fn splits_that_make_no_sense_are_refused() {
        let set = set();
        let text = |held: &[&str]| {
            let held: Vec<String> = held.iter().map(|&name| name.into()).collect();
            HeldOut::Speakers(&held)
                .split(&set)
                .unwrap_err()
                .to_string()
        };
        assert!(text(&["d"]).contains("nobody is called \"d\"; there are a, b, c"));
        assert!(text(&[]).contains("to test on"));
        assert!(text(&["a", "b", "c"]).contains("to train on"));
        let mut nameless =
            SpikeSet::new("x", 2, vec!["0".into()], set.speakers().to_vec()).unwrap();
        nameless.push(0, SampleInfo::default(), &[], &[]).unwrap();
        let error = HeldOut::FirstTakes
            .split(&nameless)
            .unwrap_err()
            .to_string();
        assert!(error.contains("sample 0 is \"\""), "{error}");
    }
}
