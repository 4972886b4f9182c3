//! The images of an experiment: found, or drawn by the program itself.

use std::path::PathBuf;

use bss2_encode::{
    EncodeError, Encoder, GeneratedDigits, ImageSet, Split, Verify, find_mnist, load_mnist,
};
use bss2_event::Seed;

use crate::config::{DataConfig, DataSet, Experiment};
use crate::error::Error;

/// Draws the held-out images: always the same ones, so that runs of any seed can
/// be compared.
const HOLD_OUT: Seed = Seed(0);

/// Images to train and to test on, reduced to the inputs of the network where
/// that can be done once.
#[derive(Debug, Clone)]
pub struct Data {
    /// Images to train on.
    pub train: ImageSet,
    /// Images to test on, or those held out in their place.
    pub test: ImageSet,
    name: String,
    folder: Option<PathBuf>,
    /// Why digits were generated although MNIST was asked for first.
    missing: Option<String>,
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
        let config = &mut experiment.data;
        let (set, folder, missing) = locate(config)?;
        let verify = if config.verify {
            Verify::Manifest
        } else {
            Verify::Off
        };
        let split = match (set.files(), &folder) {
            (Some(files), Some(folder)) => load_mnist(folder, files, verify)?,
            _ => generate(config),
        };
        let mut split = cut(split, config)?;
        let mut name = split.train.name().to_owned();
        if config.hold_out > 0 {
            split = split.hold_out(config.hold_out, HOLD_OUT)?;
            name = format!("{name}, validated on {} held-out images", config.hold_out);
        }
        config.set = set;
        config.folder.clone_from(&folder);
        let encoder = &mut experiment.encoder;
        encoder.reduction = encoder.reduction.or_crop_of(split.reduction);
        let reduction = encoder.reduction;
        // Images that are augmented keep their size until they are encoded.
        let train = if encoder.augmentation.is_on() {
            split.train
        } else {
            reduction.reduce(&split.train)?
        };
        Encoder::new(encoder, experiment.train.seed)?.check(&train)?;
        Ok(Self {
            train,
            test: reduction.reduce(&split.test)?,
            name,
            folder,
            missing,
        })
    }

    /// Name of the data set, for every output. It says so where accuracies are
    /// those of held-out images.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Checksum of all images and labels, to tell whether a resumed run has
    /// the data that it was begun with.
    #[must_use]
    pub fn checksum(&self) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        for set in [&self.train, &self.test] {
            hasher.update(&(set.len() as u64).to_le_bytes());
            hasher.update(set.pixels());
            hasher.update(set.labels());
        }
        hasher.finalize()
    }

    /// What the user must know about the data, line by line.
    #[must_use]
    pub fn announcement(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(missing) = &self.missing {
            lines.push(format!("warning: {missing}"));
            lines.push(
                "warning: digits are generated in its place, so accuracies are not MNIST's; \
                 `bss2 data fetch` downloads MNIST, --data names a folder that has it"
                    .into(),
            );
        }
        let place = match &self.folder {
            Some(folder) => format!(" from {}", folder.display()),
            None => String::new(),
        };
        lines.push(format!(
            "data: {}, {} training and {} test images{place}",
            self.name(),
            self.train.len(),
            self.test.len()
        ));
        lines
    }
}

type Located = (DataSet, Option<PathBuf>, Option<String>);

fn locate(config: &DataConfig) -> Result<Located, EncodeError> {
    let explicit = config.folder.as_deref();
    let Some(files) = config.set.files() else {
        return Ok((DataSet::Generated, None, None));
    };
    match find_mnist(files, explicit) {
        Ok(found) => {
            let set = match config.set {
                DataSet::Auto => DataSet::Mnist,
                set => set,
            };
            Ok((set, Some(found.folder), None))
        }
        Err(error @ EncodeError::NotFound { .. })
            if config.set == DataSet::Auto && explicit.is_none() =>
        {
            Ok((DataSet::Generated, None, Some(error.to_string())))
        }
        Err(error) => Err(error),
    }
}

fn generate(config: &DataConfig) -> Split {
    let mut digits = GeneratedDigits::default();
    if config.train_images > 0 {
        digits.train = config.train_images;
    }
    if config.test_images > 0 {
        digits.test = config.test_images;
    }
    digits.generate()
}

/// The first images of either part, as many as the configuration asks for.
fn cut(split: Split, config: &DataConfig) -> Result<Split, EncodeError> {
    let first = |set: ImageSet, count: usize| {
        if count == 0 || count >= set.len() {
            return Ok(set);
        }
        let indices: Vec<u32> = (0..count as u32).collect();
        set.select(&indices)
    };
    Ok(Split {
        train: first(split.train, config.train_images)?,
        test: first(split.test, config.test_images)?,
        ..split
    })
}
