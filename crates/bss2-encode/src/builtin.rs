//! Generated digits: a data set that needs no files.
//!
//! Ten classes drawn from strokes of our own (`builtin/strokes.rs`), each
//! image with its own variant of the shape, bend, slant, rotation, size, place
//! and pen (`builtin/draw.rs`). They are in MNIST's format and look somewhat
//! like it, but results on them say nothing about MNIST: their
//! [`ImageSet::name`] is [`NAME`], for every output to show.

mod draw;
mod strokes;

use bss2_event::Seed;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::dataset::{ImageSet, Split};
use crate::image::MNIST_CROP;

/// Name of the data set.
pub const NAME: &str = "generated digits";
/// Rows and columns of an image.
pub const SIDE: usize = 28;
const CLASSES: usize = 10;

/// How many digits to generate, and from which seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GeneratedDigits {
    /// Images to train on.
    pub train: usize,
    /// Images to test on.
    pub test: usize,
    /// What the digits are drawn from.
    pub seed: Seed,
}

impl Default for GeneratedDigits {
    fn default() -> Self {
        Self {
            train: 10_000,
            test: 2_000,
            seed: Seed(0),
        }
    }
}

impl GeneratedDigits {
    /// Draws the digits, in parallel. An image depends on the seed, on whether
    /// it is to train or to test on, and on its index alone; a larger set
    /// begins with the smaller one.
    #[must_use]
    pub fn generate(&self) -> Split {
        Split {
            train: self.images(self.train, 0),
            test: self.images(self.test, 1),
        }
    }

    fn images(&self, count: usize, split: u32) -> ImageSet {
        // Classes take turns within each ten; epochs are shuffled anyway.
        let labels: Vec<u8> = (0..count).map(|i| (i % CLASSES) as u8).collect();
        let mut pixels = vec![0; count * SIDE * SIDE];
        pixels
            .par_chunks_mut(SIDE * SIDE)
            .zip(&labels)
            .enumerate()
            .for_each(|(index, (image, &label))| {
                draw::digit(label, self.seed, split, index as u64, image);
            });
        ImageSet::new(NAME, SIDE, pixels, labels, CLASSES)
            .expect("one label per image, below ten")
            .with_crop(MNIST_CROP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_a_function_of_seed_and_index() {
        let small = GeneratedDigits {
            train: 50,
            test: 50,
            seed: Seed(4),
        };
        let large = GeneratedDigits { train: 90, ..small };
        let (small, large) = (small.generate(), large.generate());
        assert_eq!(small.train.pixels(), &large.train.pixels()[..50 * 784]);
        assert_eq!(small.test, large.test);
        assert_ne!(small.train.pixels(), small.test.pixels());
        assert_eq!(small.train.name(), "generated digits");
        let other = GeneratedDigits {
            train: 50,
            test: 50,
            seed: Seed(5),
        };
        assert_ne!(other.generate().train, small.train);
    }

    #[test]
    fn every_digit_has_ink_inside_the_frame() {
        let set = GeneratedDigits {
            train: 500,
            test: 0,
            seed: Seed(1),
        };
        let digits = set.generate().train;
        for i in 0..digits.len() {
            let image = digits.image(i);
            let ink = image.iter().filter(|&&p| p > 100).count();
            assert!(
                (25..320).contains(&ink),
                "digit {i} has {ink} bright pixels"
            );
            let border = (0..SIDE).flat_map(|k| [k, 27 * SIDE + k, k * SIDE, k * SIDE + 27]);
            let lit = border.filter(|&k| image[k] > 128).count();
            assert!(lit < 6, "digit {i} runs out of the frame: {lit}");
        }
    }

    /// Ten means, one per class, tell most digits apart, but not all: the set
    /// can be learned and is not trivial.
    #[test]
    fn the_classes_overlap_somewhat() {
        let split = GeneratedDigits {
            train: 2_000,
            test: 1_000,
            seed: Seed(2),
        }
        .generate();
        let mut means = vec![[0.0_f64; SIDE * SIDE]; CLASSES];
        for i in 0..split.train.len() {
            let class = usize::from(split.train.labels()[i]);
            for (mean, &p) in means[class].iter_mut().zip(split.train.image(i)) {
                *mean += f64::from(p) / 200.0;
            }
        }
        let right = (0..split.test.len()).filter(|&i| {
            let distance = |mean: &[f64; SIDE * SIDE]| -> f64 {
                let pairs = mean.iter().zip(split.test.image(i));
                pairs.map(|(m, &p)| (m - f64::from(p)).powi(2)).sum()
            };
            let best = (0..CLASSES)
                .min_by(|&a, &b| distance(&means[a]).total_cmp(&distance(&means[b])))
                .unwrap();
            best == usize::from(split.test.labels()[i])
        });
        let right = right.count();
        assert!((500..950).contains(&right), "{right} of 1000");
    }
}
