//! Speech of an experiment: spike files, or recordings that become one.

use std::path::Path;

use bss2_encode::locate::{CACHE, SHD_FILES};
use bss2_encode::{
    ChannelReduction, EncodeError, GeneratedSpeech, HeldOut, Recording, SpeechConfig, SpikeSet,
    SpikeSplit, TimePrecision, Transcribed, Transcription, find_fsdd, find_shd, journal_of,
    open_recordings, read_spikes, voices, write_spikes,
};

use super::{Data, HOLD_OUT, Samples, Source, cut, locate, shortage, validated};
use crate::config::{DataConfig, DataSet, Experiment};

/// As [`Data::load_watched`], for speech.
pub(super) fn load(
    experiment: &mut Experiment,
    progress: &(dyn Fn(Transcribed) + Sync),
) -> Result<Data, EncodeError> {
    let (config, speech) = (&mut experiment.data, &experiment.speech);
    speech.validate()?;
    let mut announcement = Vec::new();
    let SpikeSplit { train, test } = match config.set {
        DataSet::Shd => {
            let folder = find_shd(config.folder.as_deref())?.folder;
            let read = |name: &str| read_spikes(&folder.join(name));
            let (train, test) = rayon::join(|| read(SHD_FILES[0]), || read(SHD_FILES[1]));
            config.folder = Some(folder);
            SpikeSplit {
                train: train?.named("SHD"),
                test: test?.named("SHD"),
            }
        }
        DataSet::Recordings => {
            config.folder = None;
            let path = config.file.as_deref().unwrap_or(Path::new(""));
            held_out(config).split(&read_spikes(path)?)?
        }
        _ => {
            let Source {
                set,
                folder,
                missing,
            } = locate(config, DataSet::Fsdd, DataSet::GeneratedSpeech, find_fsdd)?;
            if let Some(missing) = missing {
                announcement.push(format!("warning: {missing}"));
                announcement.push(
                    "warning: speech is generated in its place, so accuracies are not those of \
                     recordings; --data names a folder that has them"
                        .into(),
                );
            }
            let (name, recordings) = match &folder {
                Some(folder) => ("FSDD", open_recordings(folder)?),
                None => (voices::NAME, generated(config)?),
            };
            config.set = set;
            config.folder = folder;
            let recordings = asked_for(recordings, config);
            let spikes = transcribed(name, &recordings, speech, progress)?;
            held_out(config).split(&spikes)?
        }
    };
    announcement.extend(shortage(config, train.len(), test.len()));
    let part = |set, count| cut(set, count, SpikeSet::len, SpikeSet::select);
    let mut split = SpikeSplit {
        train: part(train, config.train_images)?,
        test: part(test, config.test_images)?,
    };
    let name = validated(split.train.name(), config.hold_out, "recordings");
    if config.hold_out > 0 {
        split = split.hold_out(config.hold_out, HOLD_OUT)?;
    }
    let SpikeSplit { train, test } = split;
    same_task(&train, &test)?;
    announcement.push(format!(
        "data: {name}, {} training and {} test recordings of {} classes{}",
        train.len(),
        test.len(),
        train.classes(),
        match &config.held_out[..] {
            [] => String::new(),
            names => format!(", tested on {}", names.join(", ")),
        }
    ));
    let inputs = speech.reduction.channels(train.channels());
    // Spikes change channels before these become fewer.
    let test = speech.reduction.reduce(&test)?;
    let train = if speech.augmentation.is_on() {
        train
    } else {
        speech.reduction.reduce(&train)?
    };
    Ok(Data {
        train: Samples::Spikes(train),
        test: Samples::Spikes(test),
        inputs,
        name,
        announcement,
    })
}

/// How far a part of speech still has to be reduced when it is encoded.
pub(super) fn remaining_reduction(speech: &SpeechConfig, augmented: bool) -> ChannelReduction {
    if augmented {
        speech.reduction
    } else {
        ChannelReduction::none()
    }
}

/// As many takes as are asked for.
fn generated(config: &DataConfig) -> Result<Vec<Recording>, EncodeError> {
    let mut speech = GeneratedSpeech::default();
    if config.train_images > 0 {
        let per_take = 10 * speech.voices as usize;
        speech.takes = HeldOut::FIRST_TAKES + config.train_images.div_ceil(per_take) as u32;
    }
    Ok(speech.generate()?)
}

/// Those recordings that are not cut off afterwards: no other needs to be encoded.
fn asked_for(mut recordings: Vec<Recording>, config: &DataConfig) -> Vec<Recording> {
    let room = |count| if count == 0 { usize::MAX } else { count };
    let mut left = [room(config.train_images), room(config.test_images)];
    recordings.retain(|recording| {
        let left = &mut left[usize::from(held_out(config).tests(&recording.name))];
        let asked = *left > 0;
        *left = left.saturating_sub(1);
        asked
    });
    recordings
}

/// The spikes of these recordings, from the cache if they were encoded before.
fn transcribed(
    name: &str,
    recordings: &[Recording],
    speech: &SpeechConfig,
    progress: &(dyn Fn(Transcribed) + Sync),
) -> Result<SpikeSet, EncodeError> {
    let transcription = Transcription {
        cochlea: &speech.cochlea,
        least_rate: speech.least_rate,
        seed: speech.seed,
    };
    let print = transcription.fingerprint(recordings)?;
    let file = format!("{}-{print}.h5", name.replace(' ', "-").to_lowercase());
    let path = Path::new(CACHE).join(file);
    if path.exists() {
        return Ok(read_spikes(&path)?.named(name));
    }
    std::fs::create_dir_all(CACHE).map_err(|error| EncodeError::write(Path::new(CACHE), error))?;
    let journal = journal_of(&path);
    let set = transcription.run(name, recordings, &journal, progress)?;
    write_spikes(&path, &set, TimePrecision::Single)?;
    std::fs::remove_file(&journal).map_err(|error| EncodeError::write(&journal, error))?;
    Ok(set)
}

fn held_out(config: &DataConfig) -> HeldOut<'_> {
    match &config.held_out[..] {
        [] => HeldOut::FirstTakes,
        speakers => HeldOut::Speakers(speakers),
    }
}

fn same_task(train: &SpikeSet, test: &SpikeSet) -> Result<(), EncodeError> {
    if train.keys() == test.keys() && train.channels() == test.channels() {
        return Ok(());
    }
    Err(EncodeError::Split {
        name: train.name().to_owned(),
        fault: "the parts to train and to test on differ in their classes or channels".into(),
    })
}
