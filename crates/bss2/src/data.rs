//! The data of an experiment: images or speech, to train and to test on, and
//! how they come into batches.

mod images;
mod speech;

use std::io;
use std::path::{Path, PathBuf};

use bss2_encode::{
    AugmentationConfig, EncodeError, Encoder, EncoderConfig, Found, ImageSet, SpeechConfig,
    SpikeAugmentation, SpikeEncoder, SpikeSet, Transcribed,
};
use bss2_event::{RangeError, Seed, SpikeBatch, TimeGrid};

use crate::config::{DataConfig, DataSet, Experiment};
use crate::error::Error;

/// Draws the held-out samples: always the same ones, so that runs of any seed can
/// be compared.
const HOLD_OUT: Seed = Seed(0);

/// Samples to train and to test on, reduced to the inputs of the network where
/// that can be done once.
#[derive(Debug, Clone)]
pub struct Data {
    /// Samples to train on.
    pub train: Samples,
    /// Samples to test on, or those held out in their place.
    pub test: Samples,
    name: String,
    inputs: usize,
    announcement: Vec<String>,
}

/// One part of the data.
#[derive(Debug, Clone)]
pub enum Samples {
    /// Images, which an encoder turns into spikes.
    Images(ImageSet),
    /// Spikes already.
    Spikes(SpikeSet),
}

/// Puts samples of one part into batches.
#[derive(Debug)]
pub struct Feed<'a>(Kind<'a>);

#[derive(Debug)]
enum Kind<'a> {
    /// Spikes past the grid are lost; without one the chip counts them.
    Images(&'a ImageSet, Box<Encoder>, Option<TimeGrid>),
    Spikes(&'a SpikeSet, SpikeEncoder),
}

impl Data {
    /// Loads what the experiment names and writes into it what was found:
    /// `auto` becomes a data set, the folder is filled in, and so is the crop
    /// that belongs to the data set unless another one is given.
    ///
    /// # Errors
    /// [`Error::Encode`]: the files are missing, damaged or another data set, or
    /// their images too small to be reduced or augmented. A
    /// missing MNIST is no error under `auto` unless a folder was named.
    pub fn load(experiment: &mut Experiment) -> Result<Self, Error> {
        Self::load_watched(experiment, &|_| ())
    }

    /// As [`Data::load`], and tells how far recordings are on their way through
    /// the cochlea. Their spikes are kept in `datasets/cache`, where the next
    /// experiment finds them.
    ///
    /// # Errors
    /// As [`Data::load`], and where the cache cannot be written.
    pub fn load_watched(
        experiment: &mut Experiment,
        progress: &(dyn Fn(Transcribed) + Sync),
    ) -> Result<Self, Error> {
        let data = if experiment.data.set.is_speech() {
            speech::load(experiment, progress)
        } else {
            images::load(experiment)
        };
        let data = data.map_err(by_key)?;
        match &experiment.data.folder {
            // It could not be told in the configuration of the run.
            Some(folder) if folder.to_str().is_none() => Err(EncodeError::Io {
                path: folder.clone(),
                source: io::Error::new(io::ErrorKind::InvalidInput, "its name is not UTF-8"),
            }
            .into()),
            _ => Ok(data),
        }
    }

    /// Name of the data set, for every output. It says so where accuracies are
    /// those of held-out samples.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Input channels of the network.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Checksum of all samples and labels, to tell whether a resumed run has
    /// the data that it was begun with.
    #[must_use]
    pub fn checksum(&self) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        self.content(|bytes| hasher.update(bytes));
        hasher.finalize()
    }

    /// Hands over all samples and labels as bytes, always in one order: data of
    /// the same bytes train alike, wherever they came from.
    pub fn content(&self, mut take: impl FnMut(&[u8])) {
        for samples in [&self.train, &self.test] {
            samples.content(&mut take);
        }
    }

    /// The first `count` training samples, or all where there are no more, to train on and to
    /// test on: a test on them, not augmented, tells what was learned.
    ///
    /// # Errors
    /// [`EncodeError`] of a set without samples.
    pub fn tested_on_training(&self, count: usize) -> Result<Self, EncodeError> {
        let indices: Vec<u32> = (0..count.min(self.train.len()) as u32).collect();
        let learned = self.train.select(&indices)?;
        Ok(Self {
            train: learned.clone(),
            test: learned,
            name: self.name.clone(),
            inputs: self.inputs,
            announcement: self.announcement.clone(),
        })
    }

    /// What the user must know about the data, line by line.
    #[must_use]
    pub fn announcement(&self) -> &[String] {
        &self.announcement
    }

    /// Training samples on their way into batches, augmented as asked for.
    ///
    /// # Errors
    /// [`EncodeError::Range`] for settings outside their range.
    pub fn train_feed(&self, experiment: &Experiment) -> Result<Feed<'_>, EncodeError> {
        self.train.feed(
            experiment,
            experiment.encoder.augmentation,
            experiment.speech.augmentation,
        )
    }

    /// Test samples on their way into batches, never augmented.
    ///
    /// # Errors
    /// As [`Data::train_feed`].
    pub fn test_feed(&self, experiment: &Experiment) -> Result<Feed<'_>, EncodeError> {
        let (images, spikes) = (AugmentationConfig::default(), SpikeAugmentation::default());
        self.test.feed(experiment, images, spikes)
    }
}

impl Samples {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels().len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels().is_empty()
    }

    /// Number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        match self {
            Self::Images(set) => set.classes(),
            Self::Spikes(set) => set.classes(),
        }
    }

    /// Names of the classes; numbers where they have none.
    #[must_use]
    pub fn class_names(&self) -> Vec<String> {
        match self {
            Self::Images(set) => (0..set.classes()).map(|class| class.to_string()).collect(),
            Self::Spikes(set) => set.keys().to_vec(),
        }
    }

    /// Everybody who speaks, by name or by number; nobody in images.
    #[must_use]
    pub fn speakers(&self) -> Vec<String> {
        match self {
            Self::Images(_) => Vec::new(),
            Self::Spikes(set) => {
                let speakers = set.speakers().iter().enumerate();
                let named = speakers.map(|(place, speaker)| match &speaker.name {
                    name if name.is_empty() => place.to_string(),
                    name => name.clone(),
                });
                named.collect()
            }
        }
    }

    /// Who speaks in a recording: the place among [`Samples::speakers`].
    #[must_use]
    pub fn speaker(&self, sample: usize) -> Option<u16> {
        match self {
            Self::Images(_) => None,
            Self::Spikes(set) => Some(set.samples()[sample].speaker),
        }
    }

    /// The class of each sample.
    #[must_use]
    pub fn labels(&self) -> &[u8] {
        match self {
            Self::Images(set) => set.labels(),
            Self::Spikes(set) => set.labels(),
        }
    }

    fn select(&self, indices: &[u32]) -> Result<Self, EncodeError> {
        Ok(match self {
            Self::Images(set) => Self::Images(set.select(indices)?),
            Self::Spikes(set) => Self::Spikes(set.select(indices)?),
        })
    }

    fn content(&self, take: &mut impl FnMut(&[u8])) {
        take(&(self.len() as u64).to_le_bytes());
        match self {
            Self::Images(set) => take(set.pixels()),
            Self::Spikes(set) => {
                for sample in 0..set.len() {
                    let (times, units) = set.spikes(sample);
                    take(&(times.len() as u64).to_le_bytes());
                    times.iter().for_each(|time| take(&time.to_le_bytes()));
                    units.iter().for_each(|unit| take(&unit.to_le_bytes()));
                }
            }
        }
        take(self.labels());
    }

    fn feed(
        &self,
        experiment: &Experiment,
        images: AugmentationConfig,
        spikes: SpikeAugmentation,
    ) -> Result<Feed<'_>, EncodeError> {
        let seed = experiment.train.seed;
        Ok(Feed(match self {
            Self::Images(set) => {
                let config = EncoderConfig {
                    augmentation: images,
                    ..experiment.encoder
                };
                let encoder = Box::new(Encoder::new(&config, seed)?);
                let grid = (!experiment.shows_slots()).then(|| experiment.time.grid());
                Kind::Images(set, encoder, grid)
            }
            Self::Spikes(set) => {
                let config = SpeechConfig {
                    augmentation: spikes,
                    reduction: speech::remaining_reduction(&experiment.speech, spikes.is_on()),
                    ..experiment.speech
                };
                let window = experiment.time.window();
                let encoder = SpikeEncoder::new(&config, set.channels(), window, seed)?;
                Kind::Spikes(set, encoder)
            }
        }))
    }
}

impl Feed<'_> {
    /// Input channels of the batches.
    #[must_use]
    pub fn channels(&self) -> usize {
        match &self.0 {
            Kind::Images(_, encoder, _) => encoder.channels(),
            Kind::Spikes(_, encoder) => encoder.channels(),
        }
    }

    /// Fills a batch with some samples, in the order of `indices`, and returns
    /// how many of their spikes come past the window and are lost. In inference mode the chip
    /// tells of images how many it was not sent.
    ///
    /// # Errors
    /// As [`Encoder::encode`] and [`SpikeEncoder::encode`].
    pub fn encode(
        &mut self,
        indices: &[u32],
        epoch: u32,
        batch: &mut SpikeBatch,
    ) -> Result<u64, EncodeError> {
        match &mut self.0 {
            Kind::Images(set, encoder, grid) => {
                encoder.encode(set, indices, epoch, batch)?;
                let late = |grid| batch.samples().map(|s| late(s.times(), grid)).sum();
                Ok(grid.map_or(0, late))
            }
            Kind::Spikes(set, encoder) => encoder.encode(set, indices, epoch, batch),
        }
    }
}

/// Names what does not fit the samples as the configuration does: by the key of the
/// whole experiment.
fn by_key(error: EncodeError) -> EncodeError {
    match error {
        EncodeError::Range(error) => EncodeError::Range(RangeError {
            field: match error.field {
                "hold_out" => "data.hold_out",
                "reduction.skip" => "speech.reduction.skip",
                field => field,
            },
            ..error
        }),
        error => error,
    }
}

/// How many of some ascending times come past a time grid.
fn late(times: &[f64], grid: TimeGrid) -> u64 {
    let late = times.iter().rev();
    late.take_while(|time| grid.bin(**time).is_none()).count() as u64
}

/// The name of data of which some training samples take the place of the test.
fn validated(name: &str, hold_out: usize, what: &str) -> String {
    match hold_out {
        0 => name.to_owned(),
        count => format!("{name}, validated on {count} held-out {what}"),
    }
}

/// The first so many of some samples, 0 for all.
fn cut<S>(
    set: S,
    count: usize,
    len: fn(&S) -> usize,
    select: fn(&S, &[u32]) -> Result<S, EncodeError>,
) -> Result<S, EncodeError> {
    if count == 0 || count >= len(&set) {
        return Ok(set);
    }
    let indices: Vec<u32> = (0..count as u32).collect();
    select(&set, &indices)
}

/// Warns where fewer samples are there than are asked for.
fn shortage(config: &DataConfig, train: usize, test: usize) -> impl Iterator<Item = String> {
    // Held-out samples take the place of those of the test.
    let tests = if config.hold_out > 0 {
        0
    } else {
        config.test_images
    };
    let parts = [
        ("data.train_images", config.train_images, train),
        ("data.test_images", tests, test),
    ];
    let short = parts.into_iter().filter(|(_, asked, there)| asked > there);
    short.map(|(key, asked, there)| {
        format!("warning: {key} is {asked}, but there are {there}: all of them are used")
    })
}

/// Where samples come from: the published set, or the program itself.
struct Source {
    set: DataSet,
    folder: Option<PathBuf>,
    /// Why the program makes them though nobody asked it to.
    missing: Option<String>,
}

impl Source {
    fn program(set: DataSet, missing: Option<String>) -> Self {
        Self {
            set,
            folder: None,
            missing,
        }
    }
}

/// Finds the published set that a configuration means. Generated samples take its place where
/// it is not found and nobody insists on it or on a folder.
fn locate(
    config: &DataConfig,
    published: DataSet,
    generated: DataSet,
    find: impl FnOnce(Option<&Path>) -> Result<Found, EncodeError>,
) -> Result<Source, EncodeError> {
    if config.set == generated {
        return Ok(Source::program(generated, None));
    }
    let insists = ![DataSet::Auto, DataSet::Speech].contains(&config.set);
    match find(config.folder.as_deref()) {
        Ok(found) => Ok(Source {
            set: published,
            folder: Some(found.folder),
            missing: None,
        }),
        Err(error @ EncodeError::NotFound { .. }) if !insists && config.folder.is_none() => {
            Ok(Source::program(generated, Some(error.to_string())))
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many generated digits to train and to test on.
    fn generated(train: usize, test: usize) -> (Experiment, Data) {
        let mut experiment = Experiment::default();
        experiment.data.set = DataSet::Generated;
        experiment.data.train_images = train;
        experiment.data.test_images = test;
        let data = Data::load(&mut experiment).unwrap();
        (experiment, data)
    }

    #[test]
    fn spikes_past_the_window_are_counted_for_images_too() {
        let (mut experiment, data) = generated(8, 1);
        for (steps, some) in [(20, false), (6, true)] {
            experiment.time.steps = steps;
            let mut feed = data.train_feed(&experiment).unwrap();
            let mut batch = SpikeBatch::new(feed.channels());
            let lost = feed.encode(&[0, 1, 2, 3, 4], 0, &mut batch).unwrap();
            let end = experiment.time.window().get();
            let late = |sample: bss2_event::SampleSpikes<'_>| {
                sample.times().iter().filter(|time| **time >= end).count()
            };
            assert_eq!(lost as usize, batch.samples().map(late).sum::<usize>());
            assert_eq!(lost > 0, some, "{steps} steps");
        }
    }

    #[test]
    fn fewer_samples_than_asked_for_are_told() {
        let config = DataConfig {
            train_images: 7,
            test_images: 3,
            ..DataConfig::default()
        };
        assert_eq!(shortage(&config, 7, 4).count(), 0);
        assert_eq!(shortage(&DataConfig::default(), 7, 4).count(), 0);
        let told: Vec<String> = shortage(&config, 6, 3).collect();
        let expected = "warning: data.train_images is 7, but there are 6: all of them are used";
        assert_eq!(told, [expected]);
    }

    #[test]
    fn what_was_learned_can_be_tested() {
        let (experiment, data) = generated(30, 20);
        for (count, found) in [(7, 7), (30, 30), (99, 30)] {
            let learned = data.tested_on_training(count).unwrap();
            assert_eq!(learned.test.labels(), &data.train.labels()[..found]);
            let spikes = |feed: Result<Feed<'_>, EncodeError>| {
                let mut feed = feed.unwrap();
                let mut batch = SpikeBatch::new(feed.channels());
                feed.encode(&[0, 6], 0, &mut batch).unwrap();
                batch.spike_count()
            };
            // The same images, and not those of the test.
            assert_eq!(
                spikes(learned.test_feed(&experiment)),
                spikes(data.train_feed(&experiment))
            );
        }
    }
}
