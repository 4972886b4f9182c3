//! Images of an experiment: found, or drawn by the program itself.

use std::path::Path;

use bss2_encode::{
    EncodeError, Encoder, GeneratedDigits, ImageSet, Split, Verify, find_mnist, load_mnist,
};

use super::{Data, HOLD_OUT, Samples, Source, cut, locate, shortage, validated};
use crate::config::{DataConfig, DataSet, Experiment};

/// As [`Data::load`], for images.
pub(super) fn load(experiment: &mut Experiment) -> Result<Data, EncodeError> {
    let config = &mut experiment.data;
    let Source {
        set,
        folder,
        missing,
    } = find(config)?;
    let verify = if config.verify {
        Verify::Manifest
    } else {
        Verify::Off
    };
    let Split { train, test } = match (set.files(), &folder) {
        (Some(files), Some(folder)) => load_mnist(folder, files, verify)?,
        _ => generate(config),
    };
    let mut announcement = missing.map_or_else(Vec::new, |missing| warning(&missing));
    announcement.extend(shortage(config, train.len(), test.len()));
    let part = |set, count| cut(set, count, ImageSet::len, ImageSet::select);
    let mut split = Split {
        train: part(train, config.train_images)?,
        test: part(test, config.test_images)?,
    };
    let name = validated(split.train.name(), config.hold_out, "images");
    if config.hold_out > 0 {
        split = split.hold_out(config.hold_out, HOLD_OUT)?;
    }
    config.set = set;
    config.folder.clone_from(&folder);
    let encoder = &mut experiment.encoder;
    encoder.reduction = encoder.reduction.or_crop_of(&split.train);
    let reduction = encoder.reduction;
    // Images that are augmented keep their size until they are encoded.
    let train = if encoder.augmentation.is_on() {
        split.train
    } else {
        reduction.reduce(&split.train)?
    };
    let mut encoder = Encoder::new(encoder, experiment.train.seed)?;
    encoder.check(&train)?;
    announcement.push(format!(
        "data: {name}, {} training and {} test images{}",
        train.len(),
        split.test.len(),
        place(folder.as_deref())
    ));
    Ok(Data {
        inputs: encoder.channels(),
        train: Samples::Images(train),
        test: Samples::Images(reduction.reduce(&split.test)?),
        name,
        announcement,
    })
}

fn warning(missing: &str) -> Vec<String> {
    vec![
        format!("warning: {missing}"),
        "warning: digits are generated in its place, so accuracies are not MNIST's; \
         `bss2 data fetch` downloads MNIST, --data names a folder that has it"
            .into(),
    ]
}

fn place(folder: Option<&Path>) -> String {
    folder.map_or_else(String::new, |folder| format!(" from {}", folder.display()))
}

fn find(config: &DataConfig) -> Result<Source, EncodeError> {
    let published = match config.set {
        DataSet::Auto => DataSet::Mnist,
        set => set,
    };
    match published.files() {
        Some(files) => locate(config, published, DataSet::Generated, |explicit| {
            find_mnist(files, explicit)
        }),
        None => Ok(Source::program(published, None)),
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
