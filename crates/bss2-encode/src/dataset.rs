//! Images with their classes, as bytes.

use std::path::{Path, PathBuf};

use bss2_event::{RangeError, Seed};

use crate::error::EncodeError;
use crate::idx;
use crate::image::{MNIST_CROP, MNIST_SIDE, ReductionConfig};
use crate::manifest::{DataSet, Part};
use crate::order;

/// Grey images of one size with their classes.
///
/// Pixels have the shape `[image, row, column]`, flat; 0 is black. Rows and
/// columns are as many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSet {
    name: String,
    side: usize,
    classes: usize,
    crop: usize,
    reduced: bool,
    pixels: Vec<u8>,
    labels: Vec<u8>,
}

impl ImageSet {
    /// A set of images `side` pixels wide and high, of classes `0..classes`, that
    /// are not cropped.
    ///
    /// # Errors
    /// [`EncodeError::Count`] where pixels and labels do not fit,
    /// [`EncodeError::Label`] and [`EncodeError::Range`].
    pub fn new(
        name: impl Into<String>,
        side: usize,
        pixels: Vec<u8>,
        labels: Vec<u8>,
        classes: usize,
    ) -> Result<Self, EncodeError> {
        let name = name.into();
        RangeError::check("side", side as f64, 1.0, 4096.0, "pixels")?;
        RangeError::check("classes", classes as f64, 1.0, 256.0, "")?;
        let per_image = side * side;
        if !pixels.len().is_multiple_of(per_image) {
            let expected = (labels.len() * per_image) as f64;
            RangeError::check("pixels", pixels.len() as f64, expected, expected, "")?;
        }
        if pixels.len() != labels.len() * per_image {
            return Err(EncodeError::Count {
                image_source: name.clone(),
                images: pixels.len() / per_image,
                label_source: name,
                labels: labels.len(),
            });
        }
        check_labels(&name, &labels, classes)?;
        Ok(Self {
            name,
            side,
            classes,
            crop: 0,
            reduced: false,
            pixels,
            labels,
        })
    }

    /// The same images with [`ImageSet::crop`].
    #[must_use]
    pub fn with_crop(self, crop: usize) -> Self {
        Self { crop, ..self }
    }

    /// What the images are, for outputs.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
    /// Pixels in a row and in a column.
    #[must_use]
    pub fn side(&self) -> usize {
        self.side
    }
    /// Rows and columns of border on each side, which are dropped before the images
    /// are reduced ([`ReductionConfig`]): 2 for MNIST and generated digits, 0 for
    /// Fashion-MNIST, images of another size and images that were reduced.
    #[must_use]
    pub fn crop(&self) -> usize {
        self.crop
    }
    /// Whether these are reduced images already ([`ReductionConfig::reduce`]).
    #[must_use]
    pub fn is_reduced(&self) -> bool {
        self.reduced
    }
    /// Number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes
    }
    /// Number of images.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }
    /// Whether there is no image.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
    /// All classes.
    #[must_use]
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }
    /// All pixels, `[image, row, column]`.
    #[must_use]
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }
    /// Pixels of one image, `[row, column]`.
    ///
    /// # Panics
    /// If `index >= len()`.
    #[must_use]
    pub fn image(&self, index: usize) -> &[u8] {
        &self.pixels[index * self.side * self.side..][..self.side * self.side]
    }

    /// The same classes with the reduced images.
    pub(crate) fn reduced_to(&self, side: usize, pixels: Vec<u8>) -> Self {
        debug_assert_eq!(pixels.len(), self.len() * side * side);
        Self {
            name: self.name.clone(),
            side,
            classes: self.classes,
            crop: 0,
            reduced: true,
            pixels,
            labels: self.labels.clone(),
        }
    }

    /// The images at these places, in this order.
    ///
    /// # Errors
    /// [`EncodeError::Index`].
    pub fn select(&self, indices: &[u32]) -> Result<Self, EncodeError> {
        self.check_indices(indices)?;
        let mut pixels = Vec::with_capacity(indices.len() * self.side * self.side);
        for &index in indices {
            pixels.extend_from_slice(self.image(index as usize));
        }
        Ok(Self {
            name: self.name.clone(),
            side: self.side,
            classes: self.classes,
            crop: self.crop,
            reduced: self.reduced,
            pixels,
            labels: indices.iter().map(|&i| self.labels[i as usize]).collect(),
        })
    }

    pub(crate) fn check_indices(&self, indices: &[u32]) -> Result<(), EncodeError> {
        EncodeError::check_indices(&self.name, self.len(), indices)
    }
}

/// Images to train on and images to test on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Images to train on.
    pub train: ImageSet,
    /// Images to test on.
    pub test: ImageSet,
}

impl Split {
    /// Holds `count` training images out, to make choices on: they take the
    /// place of the test images, which such choices must not see. Which images
    /// these are depends on the seed alone; both parts keep the order.
    ///
    /// # Errors
    /// [`EncodeError::Range`] unless at least one image stays on either side.
    pub fn hold_out(self, count: usize, seed: Seed) -> Result<Self, EncodeError> {
        let (train, test) = order::hold_out(self.train.len(), count, seed)?;
        Ok(Self {
            test: self.train.select(&test)?,
            train: self.train.select(&train)?,
        })
    }

    /// Both sets reduced to the paper's inputs ([`ReductionConfig::default`]).
    ///
    /// # Errors
    /// As [`ReductionConfig::reduce`].
    pub fn reduce(&self) -> Result<Self, EncodeError> {
        Ok(Self {
            train: ReductionConfig::default().reduce(&self.train)?,
            test: ReductionConfig::default().reduce(&self.test)?,
        })
    }
}

/// Whether the content of files is compared with the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verify {
    /// The content must be the published one.
    #[default]
    Manifest,
    /// Any well-formed content will do, for cut-down and self-made files; the
    /// name of the set says so.
    Off,
}

/// Reads the four files of MNIST or Fashion-MNIST from a folder.
///
/// Files may be plain or gzip, whatever their names say, and spelled either
/// way ([`Part::file_name`], [`Part::alternative_name`]).
///
/// # Errors
/// [`EncodeError::MissingFile`], all errors of [`idx::read`],
/// [`EncodeError::Checksum`], [`EncodeError::Count`], [`EncodeError::Label`]
/// and, for images that are not square, [`EncodeError::Dimensions`].
pub fn load_mnist(folder: &Path, set: DataSet, verify: Verify) -> Result<Split, EncodeError> {
    let load = |images, labels| load_set(folder, set, verify, images, labels);
    let (train, test) = rayon::join(
        || load(Part::TrainImages, Part::TrainLabels),
        || load(Part::TestImages, Part::TestLabels),
    );
    let split = Split {
        train: train?,
        test: test?,
    };
    if split.train.side() != split.test.side() {
        return Err(EncodeError::ImageSize {
            name: format!("{} (test)", split.test.name()),
            found: split.test.side(),
            need: format!("those to train on have {}", split.train.side()),
        });
    }
    Ok(split)
}

fn load_set(
    folder: &Path,
    set: DataSet,
    verify: Verify,
    images: Part,
    labels: Part,
) -> Result<ImageSet, EncodeError> {
    let (image_path, label_path) = (file_of(folder, images)?, file_of(folder, labels)?);
    let read = |part: Part, path: &Path| {
        let content = idx::read(path, part.kind())?;
        if verify == Verify::Manifest {
            set.manifest().verify_pieces(part, content.pieces(), path)?;
        }
        Ok::<_, EncodeError>(content)
    };
    let image_content = read(images, &image_path)?;
    let label_content = read(labels, &label_path)?;
    let [count, rows, columns] = image_content.dimensions[..] else {
        unreachable!("images have three dimensions");
    };
    if rows != columns {
        return Err(EncodeError::Dimensions {
            path: image_path,
            dimensions: image_content.dimensions,
            reason: "images must be square",
        });
    }
    if count as usize != label_content.values.len() {
        return Err(EncodeError::Count {
            image_source: image_path.display().to_string(),
            images: count as usize,
            label_source: label_path.display().to_string(),
            labels: label_content.values.len(),
        });
    }
    check_labels(&label_path.display().to_string(), &label_content.values, 10)?;
    let published = &set.manifest().name;
    let name = match verify {
        Verify::Manifest => published.clone(),
        Verify::Off => format!("{published} (not verified)"),
    };
    let images = ImageSet::new(
        &name,
        rows as usize,
        image_content.values,
        label_content.values,
        10,
    )?;
    Ok(match set {
        // Self-made images of another size have no such border to lose.
        DataSet::Mnist if images.side() == MNIST_SIDE => images.with_crop(MNIST_CROP),
        DataSet::Mnist | DataSet::FashionMnist => images,
    })
}

/// The file of a part under any of its names.
pub(crate) fn file_of(folder: &Path, part: Part) -> Result<PathBuf, EncodeError> {
    let names = [part.file_name(), part.alternative_name()];
    names
        .iter()
        .flat_map(|name| [folder.join(name), folder.join(format!("{name}.gz"))])
        .find(|path| path.is_file())
        .ok_or_else(|| EncodeError::MissingFile {
            folder: folder.to_owned(),
            name: names[0],
            alternative: names[1],
        })
}

fn check_labels(source_name: &str, labels: &[u8], classes: usize) -> Result<(), EncodeError> {
    match labels.iter().position(|&l| usize::from(l) >= classes) {
        None => Ok(()),
        Some(index) => Err(EncodeError::Label {
            source_name: source_name.to_owned(),
            index,
            label: labels[index],
            largest: (classes - 1) as u8,
        }),
    }
}
