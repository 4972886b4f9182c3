//! Reducing images to the inputs of a chip: crop, then cubic-spline zoom.

use bss2_event::RangeError;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::dataset::ImageSet;
use crate::error::EncodeError;
use crate::zoom::{SplineZoom, ZoomScratch};

/// Black rows and columns around the digits of MNIST.
pub(crate) const MNIST_CROP: usize = 2;
/// Rows and columns of MNIST's images, these among them.
pub(crate) const MNIST_SIDE: usize = 28;

/// Images per task.
const CHUNK: usize = 256;

/// How images become inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReductionConfig {
    /// Rows and columns to drop on each side first; where it is not given, those
    /// of the images ([`ImageSet::crop`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crop: Option<usize>,
    /// Rows and columns of the result; inputs are its square.
    pub side: usize,
}

impl Default for ReductionConfig {
    /// To 16x16, the paper's size for every data set.
    fn default() -> Self {
        Self {
            crop: None,
            side: 16,
        }
    }
}

impl ReductionConfig {
    /// The paper's way for MNIST: 28 -> 24 by cropping, 24 -> 16 by splines.
    #[must_use]
    pub fn mnist() -> Self {
        Self {
            crop: Some(MNIST_CROP),
            side: 16,
        }
    }

    /// The paper's way for Fashion-MNIST, whose images fill the frame.
    #[must_use]
    pub fn uncropped() -> Self {
        Self {
            crop: Some(0),
            side: 16,
        }
    }

    /// The same with the crop of these images where none is given.
    #[must_use]
    pub fn or_crop_of(self, images: &ImageSet) -> Self {
        Self {
            crop: self.crop.or(Some(images.crop())),
            ..self
        }
    }

    /// Reduces all images of a set, in parallel.
    ///
    /// # Errors
    /// As [`Reducer::new`].
    pub fn reduce(&self, images: &ImageSet) -> Result<ImageSet, EncodeError> {
        let reducer = Reducer::new(*self, images)?;
        let mut pixels = vec![0; images.len() * self.side * self.side];
        let (size, source) = (self.side * self.side, images.side() * images.side());
        pixels
            .par_chunks_mut(CHUNK * size)
            .zip(images.pixels().par_chunks(CHUNK * source))
            .for_each_init(ZoomScratch::default, |scratch, (reduced, full)| {
                let pairs = reduced.chunks_mut(size).zip(full.chunks(source));
                pairs.for_each(|(out, image)| reducer.apply(image, scratch, out));
            });
        Ok(images.reduced_to(self.side, pixels))
    }

    /// Whether there can be a result of this size.
    pub(crate) fn check(&self) -> Result<(), RangeError> {
        RangeError::check("reduction.side", self.side as f64, 2.0, 256.0, "")
    }

    /// What is cropped of these images: of those that were reduced, nothing more.
    pub(crate) fn crop_of(&self, images: &ImageSet) -> usize {
        if images.is_reduced() {
            0
        } else {
            self.crop.unwrap_or(images.crop())
        }
    }
}

/// A [`ReductionConfig`] compiled for images of one size.
#[derive(Debug, Clone)]
pub struct Reducer {
    crop: usize,
    input: usize,
    zoom: SplineZoom,
}

impl Reducer {
    /// The reduction of images like these.
    ///
    /// # Errors
    /// [`EncodeError::ImageSize`] where cropping leaves fewer than two pixels,
    /// [`EncodeError::Range`] where the result is not 2 to 256 pixels wide.
    pub fn new(config: ReductionConfig, images: &ImageSet) -> Result<Self, EncodeError> {
        config.check()?;
        let side = images.side();
        let crop = config.crop_of(images);
        let rest = side.saturating_sub(2 * crop);
        if rest < 2 {
            return Err(EncodeError::ImageSize {
                name: images.name().to_owned(),
                found: side,
                need: format!("cropping {crop} on each side must leave two or more"),
            });
        }
        Ok(Self {
            crop,
            input: side,
            zoom: SplineZoom::new(rest, config.side)?,
        })
    }

    /// Rows and columns of the images that are reduced.
    #[must_use]
    pub fn input(&self) -> usize {
        self.input
    }

    /// Rows and columns dropped on each side.
    #[must_use]
    pub fn crop(&self) -> usize {
        self.crop
    }

    /// The zoom that follows the crop.
    #[must_use]
    pub fn zoom(&self) -> &SplineZoom {
        &self.zoom
    }

    /// Reduces one image, `[row, column]`.
    ///
    /// # Panics
    /// If a slice has another size than the reduction.
    pub fn apply(&self, image: &[u8], scratch: &mut ZoomScratch, out: &mut [u8]) {
        assert_eq!(image.len(), self.input * self.input, "pixels of one image");
        self.zoom.apply(
            scratch,
            out,
            #[inline(always)]
            |row, values| {
                let start = (row + self.crop) * self.input + self.crop;
                for (value, &pixel) in values.iter_mut().zip(&image[start..]) {
                    *value = pixel.into();
                }
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cropping_leaves_something() {
        let tiny = ImageSet::new("tiny", 5, vec![0; 25], vec![0], 1).unwrap();
        let error = Reducer::new(ReductionConfig::mnist(), &tiny);
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("tiny") && error.contains("5 pixels"),
            "{error}"
        );
    }

    #[test]
    fn impossible_sides_are_told_by_their_key() {
        let images = ImageSet::new("x", 28, vec![0; 784], vec![0], 1).unwrap();
        for side in [0, 1, 257] {
            let config = ReductionConfig {
                side,
                ..ReductionConfig::default()
            };
            let error = config.reduce(&images).unwrap_err().to_string();
            let words = format!("reduction.side is {side}, allowed are 2 to 256");
            assert_eq!(error, words);
        }
    }

    #[test]
    fn without_a_crop_images_are_cropped_as_their_data_set_is() {
        let plain = ImageSet::new("plain", 28, (0..784).map(|i| i as u8).collect(), vec![0], 1);
        let plain = plain.unwrap();
        let default = ReductionConfig::default();
        let reduce = |config: ReductionConfig, images: &ImageSet| config.reduce(images).unwrap();
        let whole = reduce(default, &plain);
        assert_eq!(whole, reduce(ReductionConfig::uncropped(), &plain));
        let framed = plain.with_crop(2);
        let inner = reduce(default, &framed);
        assert_eq!(inner, reduce(ReductionConfig::mnist(), &framed));
        assert_ne!(inner, whole);
        assert_eq!(inner.crop(), 0);
        assert_eq!(default.or_crop_of(&framed), ReductionConfig::mnist());
        assert_eq!(
            ReductionConfig::uncropped().or_crop_of(&framed).crop,
            Some(0)
        );
    }

    #[test]
    fn reduced_images_are_cropped_no_more() {
        let pixels = (0..784).map(|i| (i * 7 % 256) as u8).collect();
        let full = ImageSet::new("full", 28, pixels, vec![0], 1).unwrap();
        let reduced = ReductionConfig::mnist().reduce(&full).unwrap();
        let again = ReductionConfig::mnist().reduce(&reduced).unwrap();
        assert_eq!(again, reduced);
        let half = ReductionConfig {
            side: 8,
            ..ReductionConfig::mnist()
        };
        let uncropped = ReductionConfig {
            crop: Some(0),
            ..half
        };
        assert_eq!(
            half.reduce(&reduced).unwrap(),
            uncropped.reduce(&reduced).unwrap()
        );
    }

    #[test]
    fn parts_of_images_are_told_from_missing_labels() {
        let error = |pixels, labels| {
            let set = ImageSet::new("x", 28, vec![0; pixels], vec![0; labels], 1);
            set.unwrap_err().to_string()
        };
        assert!(error(785, 1).contains("pixels is 785"), "{}", error(785, 1));
        assert!(error(1568, 1).contains("2 images"), "{}", error(1568, 1));
    }

    #[test]
    fn the_border_is_dropped_before_the_zoom() {
        let inner: Vec<u8> = (0..16).map(|i| i * 16).collect();
        let mut framed = vec![255; 36];
        for (row, values) in inner.chunks(4).enumerate() {
            framed[(row + 1) * 6 + 1..][..4].copy_from_slice(values);
        }
        let set = ImageSet::new("framed", 6, framed, vec![0], 1).unwrap();
        let reduced = ReductionConfig {
            crop: Some(1),
            side: 4,
        }
        .reduce(&set)
        .unwrap();
        assert_eq!(reduced.pixels(), inner);
    }
}
