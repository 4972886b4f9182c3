//! Samples that are spikes already, with their classes: speech, as a rule.

use bss2_event::{RangeError, Seed};

use crate::error::EncodeError;
use crate::order;

/// Channels that a unit can tell apart.
pub(crate) const MOST_CHANNELS: usize = 65_536;
/// Classes that a label, a byte, can tell apart.
pub(crate) const MOST_CLASSES: usize = 256;
/// Speakers that a sample's number of one can tell apart.
pub(crate) const MOST_SPEAKERS: usize = 65_536;

/// Labelled samples of spikes, flat: one allocation for all.
///
/// Times are seconds as the recording has them, before any compression, and
/// sorted by (time, channel) within a sample. Half and single precision are
/// held exactly.
#[derive(Debug, Clone, PartialEq)]
pub struct SpikeSet {
    name: String,
    channels: usize,
    keys: Vec<String>,
    speakers: Vec<Speaker>,
    samples: Vec<SampleInfo>,
    offsets: Vec<usize>,
    times: Vec<f32>,
    units: Vec<u16>,
    labels: Vec<u8>,
}

/// Who speaks. What is not known is empty or 0.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Speaker {
    /// A name or another word for the voice.
    pub name: String,
    /// As the data set gives it.
    pub gender: String,
    /// Years.
    pub age: u16,
    /// Centimetres.
    pub body_height: u16,
}

/// Where a sample comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SampleInfo {
    /// Place of its speaker among [`SpikeSet::speakers`].
    pub speaker: u16,
    /// Name of its recording, empty where it is not known.
    pub recording: String,
}

impl SpikeSet {
    /// An empty set; `keys` are the names of its classes, in order.
    ///
    /// # Errors
    /// [`EncodeError::Range`] unless there are 1 to 65,536 channels, 1 to 256
    /// classes and up to 65,536 speakers.
    pub fn new(
        name: impl Into<String>,
        channels: usize,
        keys: Vec<String>,
        speakers: Vec<Speaker>,
    ) -> Result<Self, EncodeError> {
        RangeError::check("channels", channels as f64, 1.0, MOST_CHANNELS as f64, "")?;
        check_classes(&keys)?;
        let most = MOST_SPEAKERS as f64;
        RangeError::check("speakers", speakers.len() as f64, 0.0, most, "")?;
        Ok(Self {
            name: name.into(),
            channels,
            keys,
            speakers,
            samples: Vec::new(),
            offsets: vec![0],
            times: Vec::new(),
            units: Vec::new(),
            labels: Vec::new(),
        })
    }

    /// Adds a sample. Its spikes may come in any order; they are sorted by
    /// (time, channel).
    ///
    /// # Errors
    /// [`EncodeError::Sample`], which says what is wrong: times and units of
    /// different numbers, a time that is negative or no finite number, a
    /// channel, class or speaker that there is not. The set then is as before.
    pub fn push(
        &mut self,
        label: u8,
        info: SampleInfo,
        times: &[f32],
        units: &[u16],
    ) -> Result<(), EncodeError> {
        self.check(label, &info, times, units)
            .map_err(|fault| EncodeError::Sample {
                set: self.name.clone(),
                sample: self.len(),
                fault,
            })?;
        // -0.0 becomes 0.0, as it would sort before it under a total order.
        let spikes = || {
            times
                .iter()
                .map(|time| time + 0.0)
                .zip(units.iter().copied())
        };
        if spikes().is_sorted() {
            self.times.extend(spikes().map(|spike| spike.0));
            self.units.extend_from_slice(units);
        } else {
            let mut spikes: Vec<(f32, u16)> = spikes().collect();
            spikes.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            self.times.extend(spikes.iter().map(|spike| spike.0));
            self.units.extend(spikes.iter().map(|spike| spike.1));
        }
        self.offsets.push(self.times.len());
        self.samples.push(info);
        self.labels.push(label);
        Ok(())
    }

    fn check(
        &self,
        label: u8,
        info: &SampleInfo,
        times: &[f32],
        units: &[u16],
    ) -> Result<(), String> {
        if times.len() != units.len() {
            let (times, units) = (times.len(), units.len());
            return Err(format!("it has {times} times, but {units} units"));
        }
        if usize::from(label) >= self.keys.len() {
            let largest = self.keys.len() - 1;
            return Err(format!(
                "its label is {label}, but classes are 0 to {largest}"
            ));
        }
        if usize::from(info.speaker) >= self.speakers.len() {
            return Err(format!(
                "its speaker is {}, but there are {}",
                info.speaker,
                self.speakers.len()
            ));
        }
        let bad = |&&time: &&f32| !(time.is_finite() && time >= 0.0);
        if let Some(time) = times.iter().find(bad) {
            return Err(format!(
                "a time is {time} s, allowed are finite ones from 0"
            ));
        }
        if let Some(unit) = units
            .iter()
            .find(|&&unit| usize::from(unit) >= self.channels)
        {
            let largest = self.channels - 1;
            return Err(format!("a unit is {unit}, but channels are 0 to {largest}"));
        }
        Ok(())
    }

    /// What the samples are, for outputs.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
    /// Number of channels.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels
    }
    /// Names of the classes.
    #[must_use]
    pub fn keys(&self) -> &[String] {
        &self.keys
    }
    /// Number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.keys.len()
    }
    /// Everybody who speaks.
    #[must_use]
    pub fn speakers(&self) -> &[Speaker] {
        &self.speakers
    }
    /// Number of samples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }
    /// Whether there is no sample.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
    /// The class of each sample.
    #[must_use]
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }
    /// Where each sample comes from.
    #[must_use]
    pub fn samples(&self) -> &[SampleInfo] {
        &self.samples
    }
    /// Spikes of all samples.
    #[must_use]
    pub fn spike_count(&self) -> usize {
        self.times.len()
    }
    /// All times in seconds, sample after sample.
    #[must_use]
    pub fn all_times(&self) -> &[f32] {
        &self.times
    }
    /// The channel of each of [`SpikeSet::all_times`].
    #[must_use]
    pub fn all_units(&self) -> &[u16] {
        &self.units
    }
    /// Times in seconds and channels of one sample.
    ///
    /// # Panics
    /// If `index >= len()`.
    #[must_use]
    pub fn spikes(&self, index: usize) -> (&[f32], &[u16]) {
        let range = self.offsets[index]..self.offsets[index + 1];
        (&self.times[range.clone()], &self.units[range])
    }

    /// The same set under another name.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..self
        }
    }

    /// The samples at these places, in this order. Keys and speakers stay.
    ///
    /// # Errors
    /// [`EncodeError::Index`].
    pub fn select(&self, indices: &[u32]) -> Result<Self, EncodeError> {
        self.check_indices(indices)?;
        Ok(self.map_spikes(self.channels, indices, |_, unit| Some(unit)))
    }

    /// The same samples with other classes: those of these names, in this order, as
    /// a set to compare with or a trained network counts them.
    ///
    /// # Errors
    /// [`EncodeError::Range`] unless there are 1 to 256 names; [`EncodeError::Sample`]
    /// for the first sample whose class is not among them.
    pub fn with_keys(self, keys: Vec<String>) -> Result<Self, EncodeError> {
        check_classes(&keys)?;
        let label = |(sample, &label): (usize, &u8)| {
            let name = &self.keys[usize::from(label)];
            match keys.iter().position(|key| key == name) {
                Some(place) => Ok(place as u8),
                None => Err(EncodeError::Sample {
                    set: self.name.clone(),
                    sample,
                    fault: format!("its class is {name}, but classes are {}", keys.join(", ")),
                }),
            }
        };
        let labels = self.labels.iter().enumerate().map(label);
        let labels = labels.collect::<Result<_, _>>()?;
        Ok(Self {
            keys,
            labels,
            ..self
        })
    }

    /// Some samples, on the channels that `input` gives a sample's units one after
    /// the other; spikes without one are left out. It must keep the order of channels.
    pub(crate) fn map_spikes(
        &self,
        channels: usize,
        indices: &[u32],
        mut input: impl FnMut(usize, u16) -> Option<u16>,
    ) -> Self {
        let mut set = Self {
            name: self.name.clone(),
            channels,
            keys: self.keys.clone(),
            speakers: self.speakers.clone(),
            samples: Vec::with_capacity(indices.len()),
            offsets: vec![0],
            times: Vec::new(),
            units: Vec::new(),
            labels: Vec::with_capacity(indices.len()),
        };
        for &index in indices {
            let index = index as usize;
            let (times, units) = self.spikes(index);
            for (&time, &unit) in times.iter().zip(units) {
                if let Some(channel) = input(set.len(), unit) {
                    set.times.push(time);
                    set.units.push(channel);
                }
            }
            set.offsets.push(set.times.len());
            set.samples.push(self.samples[index].clone());
            set.labels.push(self.labels[index]);
        }
        set
    }

    pub(crate) fn check_indices(&self, indices: &[u32]) -> Result<(), EncodeError> {
        EncodeError::check_indices(&self.name, self.len(), indices)
    }
}

fn check_classes(keys: &[String]) -> Result<(), RangeError> {
    RangeError::check("classes", keys.len() as f64, 1.0, MOST_CLASSES as f64, "")
}

/// Samples to train on and samples to test on.
#[derive(Debug, Clone, PartialEq)]
pub struct SpikeSplit {
    /// Samples to train on.
    pub train: SpikeSet,
    /// Samples to test on.
    pub test: SpikeSet,
}

impl SpikeSplit {
    /// Holds `count` training samples out, as [`crate::Split::hold_out`] does.
    ///
    /// # Errors
    /// [`EncodeError::Range`] unless at least one sample stays on either side.
    pub fn hold_out(self, count: usize, seed: Seed) -> Result<Self, EncodeError> {
        let (train, test) = order::hold_out(self.train.len(), count, seed)?;
        Ok(Self {
            train: self.train.select(&train)?,
            test: self.train.select(&test)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set() -> SpikeSet {
        let keys = vec!["zero".into(), "one".into()];
        SpikeSet::new("test", 4, keys, vec![Speaker::default()]).unwrap()
    }

    #[test]
    fn samples_are_sorted_and_selected() {
        let mut set = set();
        let info = |name: &str| SampleInfo {
            speaker: 0,
            recording: name.into(),
        };
        set.push(1, info("a"), &[0.5, 0.25, 0.5], &[3, 1, 0])
            .unwrap();
        set.push(0, info("b"), &[], &[]).unwrap();
        set.push(0, info("c"), &[0.0, -0.0], &[2, 1]).unwrap();
        assert_eq!(set.spikes(0), (&[0.25, 0.5, 0.5][..], &[1, 0, 3][..]));
        assert_eq!(set.spikes(1).0.len(), 0);
        assert_eq!(set.spikes(2).1, [1, 2]);
        assert!(set.spikes(2).0.iter().all(|time| time.is_sign_positive()));
        let turned = set.select(&[2, 1, 0]).unwrap();
        assert_eq!(turned.labels(), [0, 0, 1]);
        assert_eq!(turned.samples()[2].recording, "a");
        assert_eq!(turned.select(&[2, 1, 0]).unwrap(), set);
        assert!(set.select(&[3]).is_err());
    }

    #[test]
    fn classes_are_renumbered_by_their_names() {
        let mut set = set();
        for label in [1, 0, 1] {
            set.push(label, SampleInfo::default(), &[0.5], &[3])
                .unwrap();
        }
        let names = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
        let all = set.clone().with_keys(names(&["two", "one", "zero"]));
        let all = all.unwrap();
        assert_eq!((all.labels(), all.classes()), (&[1, 2, 1][..], 3));
        assert_eq!(all.with_keys(names(&["zero", "one"])).unwrap(), set);
        let error = set.clone().with_keys(names(&["one", "two"])).unwrap_err();
        let text = "test, sample 1: its class is zero, but classes are one, two";
        assert_eq!(error.to_string(), text);
        assert!(set.with_keys(vec![]).is_err());
    }

    #[test]
    fn bad_samples_are_named_and_leave_the_set_as_it_was() {
        let mut set = set();
        let info = SampleInfo::default();
        set.push(0, info.clone(), &[0.0], &[0]).unwrap();
        let before = set.clone();
        let far = SampleInfo {
            speaker: 1,
            ..info.clone()
        };
        for (label, info, times, units, words) in [
            (0, &info, &[0.5][..], &[][..], "1 times, but 0 units"),
            (2, &info, &[0.5], &[1], "label is 2, but classes are 0 to 1"),
            (0, &far, &[0.5], &[1], "speaker is 1"),
            (0, &info, &[-0.5], &[1], "a time is -0.5 s"),
            (0, &info, &[f32::NAN], &[1], "a time is NaN"),
            (
                0,
                &info,
                &[0.5],
                &[4],
                "a unit is 4, but channels are 0 to 3",
            ),
        ] {
            let error = set.push(label, info.clone(), times, units).unwrap_err();
            let text = error.to_string();
            assert!(text.contains(words) && text.contains("sample 1"), "{text}");
            assert_eq!(set, before);
        }
    }
}
