//! Recordings become spikes: a folder through the cochlea, file by file.
//!
//! Which fibres fire in a recording depends on the seed and on the content of
//! its file alone: its number in the draws is the beginning of the SHA-256 of
//! its bytes. Order, threads, names and other recordings change nothing.

mod journal;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use bss2_event::{Hertz, Seed};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::audio::{Audio, RATES, Samples, Track};
use crate::cochlea::{Cochlea, CochleaConfig, SpikeTrain};
use crate::error::EncodeError;
use crate::recordings::{RecordingName, list_recordings, refuse};
use crate::spike_set::{MOST_CLASSES, MOST_SPEAKERS, SampleInfo, Speaker, SpikeSet};
use crate::upsample::{Upsampled, check_least, upsampling};
use crate::wav::{AudioFault, WavFile};

use journal::Journal;

/// To be raised when the same sound and settings give other spikes, as the golden test of the
/// cochlea then says: spikes that are kept are of the program that made them.
const VERSION: u32 = 1;

/// SHA-256 of a recording.
type Fingerprint = [u8; 32];

/// A recording with its name.
#[derive(Debug, Clone)]
pub struct Recording {
    /// Who says what.
    pub name: RecordingName,
    /// The sound itself.
    pub sound: Sound,
}

/// Sound from a file or from the program itself.
#[derive(Debug, Clone)]
pub enum Sound {
    /// A file.
    File(WavFile),
    /// Made by the program.
    Track(Track),
}

impl Audio for Sound {
    fn name(&self) -> &Path {
        match self {
            Self::File(file) => file.name(),
            Self::Track(track) => track.name(),
        }
    }
    fn rate(&self) -> u32 {
        match self {
            Self::File(file) => file.rate(),
            Self::Track(track) => track.rate(),
        }
    }
    fn samples(&self) -> Result<Samples<'_>, EncodeError> {
        match self {
            Self::File(file) => Audio::samples(file),
            Self::Track(track) => Audio::samples(track),
        }
    }
}

impl Sound {
    /// Number of its samples.
    fn len(&self) -> u64 {
        match self {
            Self::File(file) => file.frames(),
            Self::Track(track) => track.samples.len() as u64,
        }
    }

    /// Refuses a recording so long that neighbouring steps have one time.
    fn check_length(&self, steps_per_second: u32) -> Result<(), EncodeError> {
        let samples = self.len();
        let most = longest_seconds(steps_per_second) * u64::from(self.rate());
        if samples <= most {
            return Ok(());
        }
        let reason = "beyond, times in single precision do not tell its steps apart";
        let fault = AudioFault::TooLong {
            samples,
            most,
            reason,
        };
        Err(EncodeError::audio(self.name(), fault))
    }

    fn fingerprint(&self) -> Result<Fingerprint, EncodeError> {
        let mut hash = Sha256::new();
        match self {
            Self::File(file) => {
                let io = |error| EncodeError::io(file.name(), error);
                let mut bytes = File::open(file.name()).map_err(io)?;
                io::copy(&mut bytes, &mut HashWriter(&mut hash)).map_err(io)?;
            }
            Self::Track(track) => {
                hash.update(track.rate.to_le_bytes());
                for sample in &track.samples {
                    hash.update(sample.to_le_bytes());
                }
            }
        }
        Ok(hash.finalize().into())
    }
}

struct HashWriter<'a>(&'a mut Sha256);

impl io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// All recordings of a folder, their headers checked.
///
/// # Errors
/// As [`list_recordings`], and [`EncodeError::Recordings`] with all files whose
/// header is wrong.
pub fn open_recordings(folder: &Path) -> Result<Vec<Recording>, EncodeError> {
    let (mut recordings, mut faults) = (Vec::new(), Vec::new());
    for (name, path) in list_recordings(folder)? {
        match WavFile::open(&path) {
            Ok(file) => recordings.push(Recording {
                name,
                sound: Sound::File(file),
            }),
            Err(error) => faults.push(error.to_string()),
        }
    }
    refuse(folder, faults)?;
    Ok(recordings)
}

/// How far a transcription is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Transcribed {
    /// Recordings that are done.
    pub done: usize,
    /// Recordings that were done when it began.
    pub found: usize,
    /// Recordings in all.
    pub recordings: usize,
    /// Seconds of sound that this process has encoded.
    pub seconds: f64,
}

/// From recordings to spikes.
#[derive(Debug, Clone, Copy)]
pub struct Transcription<'a> {
    /// The cochlea.
    pub cochlea: &'a CochleaConfig,
    /// Recordings of a lower rate are brought to a multiple of theirs, 0 to 96 kHz;
    /// those of different rates need not end at one ([`Upsampled`]), and have spikes
    /// in different numbers then.
    pub least_rate: Hertz,
    /// Seed of the auditory nerve.
    pub seed: Seed,
}

impl Transcription<'_> {
    /// Encodes all recordings, in parallel over files. The set has them in the
    /// order given; classes are the labels, speakers the names, both sorted.
    ///
    /// So the number of a class depends on which labels there are: in a folder of
    /// the digits 3 and 7 alone, 3 is class 0. [`SpikeSet::with_keys`] gives such
    /// a set the classes of another.
    ///
    /// What is done is kept in the file `journal`, from which a transcription
    /// that was killed goes on; that of other settings is thrown away. It is
    /// left to the caller to remove it when the result is safe.
    ///
    /// # Errors
    /// [`EncodeError::Recordings`] with every recording that cannot be encoded,
    /// once all others are, or before anything is done where its rate is out of range
    /// or there are too many labels or speakers;
    /// [`EncodeError::Write`] for the journal, above all when another process writes it or the
    /// file is something else, which then stays; [`EncodeError::Range`] for settings.
    pub fn run(
        &self,
        name: &str,
        recordings: &[Recording],
        journal: &Path,
        progress: &(dyn Fn(Transcribed) + Sync),
    ) -> Result<SpikeSet, EncodeError> {
        check_least(self.least_rate)?;
        // The highest rate allows most; what a recording's own does not is told of it.
        self.cochlea.validate(*RATES.end())?;
        let folder = recordings.first().and_then(|r| r.sound.name().parent());
        // What the program makes itself lies nowhere.
        let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new(name));
        let (set, places) = places(name, folder, self.cochlea.channels, recordings)?;
        let (mut rates, mut unfit) = (Vec::new(), Vec::new());
        for Recording { sound, .. } in recordings {
            match self.rate(sound) {
                Ok(rate) => rates.push(rate),
                Err(error) => unfit.push(format!("{}: {error}", sound.name().display())),
            }
        }
        refuse(folder, unfit)?;
        let prints = recordings.par_iter().map(|r| r.sound.fingerprint());
        let prints: Vec<Fingerprint> = prints.collect::<Result<_, _>>()?;
        let journal = Journal::open(journal, self.settings())?;
        let done = |print| journal.contains(print);
        let mut state = Transcribed {
            done: prints.iter().filter(|print| done(print)).count(),
            found: 0,
            recordings: recordings.len(),
            seconds: 0.0,
        };
        state.found = state.done;
        progress(state);

        let mut left: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        let mut planned = BTreeSet::new();
        for (index, print) in prints.iter().enumerate() {
            if !done(print) && planned.insert(*print) {
                left.entry(rates[index]).or_default().push(index);
            }
        }
        let (shared, faults) = (Mutex::new((journal, state)), Mutex::new(Vec::new()));
        for (rate, indices) in left {
            let cochlea = match Cochlea::new(self.cochlea, rate) {
                Ok(cochlea) => cochlea,
                Err(error) => {
                    let names = indices
                        .iter()
                        .map(|&i| recordings[i].sound.name().display());
                    let mut faults = faults.lock().expect("no thread panicked");
                    faults.extend(names.map(|name| format!("{name}: {error}")));
                    continue;
                }
            };
            indices.par_iter().try_for_each(|&index| {
                let (sound, print) = (&recordings[index].sound, prints[index]);
                let train = sound.check_length(cochlea.output_rate()).and_then(|()| {
                    cochlea.encode(&self.fine(sound)?, self.seed, draw_number(&print))
                });
                let train = match train {
                    Ok(train) => train,
                    Err(error) => {
                        let mut faults = faults.lock().expect("no thread panicked");
                        faults.push(error.to_string());
                        return Ok(());
                    }
                };
                let mut shared = shared.lock().expect("no thread panicked");
                let (journal, state) = &mut *shared;
                state.done += prints.iter().filter(|&&other| other == print).count();
                state.seconds += f64::from(train.steps) / f64::from(train.rate);
                journal.append(print, train)?;
                progress(*state);
                Ok::<(), EncodeError>(())
            })?;
        }
        refuse(folder, faults.into_inner().expect("no thread panicked"))?;
        let (journal, _) = shared.into_inner().expect("no thread panicked");
        let trains = prints.iter().map(|print| journal.get(print));
        collect(set, &places, recordings, trains)
    }

    /// A name for the spikes of these recordings: whatever changes them changes
    /// it.
    ///
    /// # Errors
    /// [`EncodeError::Io`].
    pub fn fingerprint(&self, recordings: &[Recording]) -> Result<String, EncodeError> {
        let mut hash = Sha256::new();
        hash.update(self.settings());
        let prints = recordings.par_iter().map(|r| r.sound.fingerprint());
        let prints: Vec<Fingerprint> = prints.collect::<Result<_, _>>()?;
        for (recording, print) in recordings.iter().zip(prints) {
            hash.update(recording.name.file_name());
            hash.update(print);
        }
        let digits = hash.finalize();
        Ok(digits[..8].iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("text takes everything");
            text
        }))
    }

    /// SHA-256 of all that the spikes of a recording depend on but its sound.
    fn settings(&self) -> Fingerprint {
        let mut hash = Sha256::new();
        hash.update(VERSION.to_le_bytes());
        hash.update(toml::to_string(self.cochlea).expect("settings are a TOML table"));
        hash.update(self.least_rate.get().to_le_bytes());
        hash.update(self.seed.0.to_le_bytes());
        hash.finalize().into()
    }

    /// The sound at the rate at which it is encoded.
    fn fine<'s>(&self, sound: &'s Sound) -> Result<Upsampled<'s>, EncodeError> {
        Upsampled::to(sound, self.least_rate)
    }

    /// This rate, at which the cochlea can be used.
    fn rate(&self, sound: &Sound) -> Result<u32, EncodeError> {
        let rate = sound.rate() * upsampling(sound.rate(), self.least_rate)?;
        self.cochlea.validate(rate)?;
        Ok(rate)
    }
}

/// The file beside a result that keeps what is done.
#[must_use]
pub fn journal_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    path.with_file_name(name)
}

/// Until when steps are further apart than numbers in single precision, which are
/// `2^(k - 23)` apart up to `2^(k + 1)`.
fn longest_seconds(steps_per_second: u32) -> u64 {
    2 << ((1 << 23) / steps_per_second).ilog2()
}

/// The number of a recording in the draws of the auditory nerve.
fn draw_number(print: &Fingerprint) -> u64 {
    u64::from_le_bytes(print[..8].try_into().expect("eight bytes"))
}

/// Places of class and speaker of each recording.
type Places = Vec<(u8, u16)>;

/// A set of the classes and speakers of recordings, without samples yet.
fn places(
    name: &str,
    folder: &Path,
    channels: usize,
    recordings: &[Recording],
) -> Result<(SpikeSet, Places), EncodeError> {
    let sorted = |field: fn(&RecordingName) -> &String| -> Vec<String> {
        let names: BTreeSet<&String> = recordings.iter().map(|r| field(&r.name)).collect();
        names.into_iter().cloned().collect()
    };
    let (keys, voices) = (sorted(|name| &name.label), sorted(|name| &name.speaker));
    let counts = [
        ("labels", keys.len(), MOST_CLASSES),
        ("speakers", voices.len(), MOST_SPEAKERS),
    ];
    let wrong = counts
        .iter()
        .filter(|(_, n, most)| !(1..=*most).contains(n));
    let tell =
        |(what, n, most): &(_, _, _)| format!("there are {n} {what}, allowed are 1 to {most}");
    refuse(folder, wrong.map(tell).collect())?;
    let speakers = voices.iter().map(|voice| Speaker {
        name: voice.clone(),
        ..Speaker::default()
    });
    let place = |list: &[String], wanted: &String| {
        list.binary_search(wanted)
            .expect("the list has all of them")
    };
    let set = SpikeSet::new(name, channels, keys.clone(), speakers.collect())?;
    let places = recordings.iter().map(|Recording { name, .. }| {
        let (class, speaker) = (place(&keys, &name.label), place(&voices, &name.speaker));
        (class as u8, speaker as u16)
    });
    Ok((set, places.collect()))
}

fn collect<'a>(
    mut set: SpikeSet,
    places: &Places,
    recordings: &[Recording],
    trains: impl Iterator<Item = &'a SpikeTrain>,
) -> Result<SpikeSet, EncodeError> {
    for ((Recording { name, .. }, &(class, speaker)), train) in
        recordings.iter().zip(places).zip(trains)
    {
        let rate = f64::from(train.rate);
        let spikes = train.spikes.iter();
        let times: Vec<f32> = spikes
            .clone()
            .map(|s| (f64::from(s.step) / rate) as f32)
            .collect();
        let units: Vec<u16> = spikes.map(|spike| spike.channel).collect();
        let info = SampleInfo {
            speaker,
            recording: name.file_name(),
        };
        set.push(class, info, &times, &units)?;
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recordings_whose_steps_have_times_of_their_own_are_read() {
        for rate in [500, 4_000, 12_000, 24_000, 192_000] {
            let longest = longest_seconds(rate);
            let shared = |from: u64| {
                let times = (from..from + 1_000).map(|i| (i as f64 / f64::from(rate)) as f32);
                let times: Vec<f32> = times.collect();
                times.windows(2).filter(|pair| pair[0] == pair[1]).count()
            };
            let end = longest * u64::from(rate);
            assert_eq!(shared(end - 1_000), 0, "{rate} until {longest} s");
            assert_ne!(shared(end), 0, "{rate} after {longest} s");
        }
        let sound = |samples| {
            Sound::Track(Track {
                name: "long".into(),
                rate: 1_000,
                samples: vec![0.0; samples],
            })
        };
        assert!(sound(64_000).check_length(192_000).is_ok());
        let error = sound(64_001).check_length(192_000).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("64001 samples, at most 64000"), "{text}");
    }
}
