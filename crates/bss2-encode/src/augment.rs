//! Augmentation: a random rotation, shift and zoom of each image.
//!
//! One affine map covers all three. By default it is that of the full image,
//! before it is cropped and reduced: 28 x 28 pixels keep strokes that bilinear
//! interpolation would smear on 16 x 16, and parts that are turned out of the
//! crop are lost as they would be in a new recording. Only pixels that the crop
//! keeps are computed, and nothing is rounded in between.
//!
//! The paper's public code turns the reduced image and takes the nearest pixel:
//! [`AugmentationOrder::AfterReduction`].
//!
//! # Source
//! Cramer et al. 2022, public code, for the order after reduction: torchvision's
//! `RandomRotation` with its defaults. The other order is ours.

use bss2_event::random::{Address, Domain};
use bss2_event::{RangeError, Seed};
use serde::{Deserialize, Serialize};

/// Which image is turned, shifted and zoomed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AugmentationOrder {
    /// The full one, before it is cropped and reduced; bilinear.
    #[default]
    BeforeReduction,
    /// The reduced one, as in the public code: about its centre, each pixel the nearest
    /// of the image, black beyond its border.
    AfterReduction,
}

impl AugmentationOrder {
    /// Configurations that were stored before there was a choice keep their text.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How much images vary. Every quantity is drawn uniformly and afresh for each
/// image and epoch; zero switches it off.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AugmentationConfig {
    /// Largest rotation to either side in degrees, 0 to 180.
    pub rotation_degrees: f64,
    /// Largest shift in each direction, 0 to 64 pixels of the image that `order` names.
    pub shift_pixels: f64,
    /// Largest relative change of size, 0 to 0.5.
    pub zoom_fraction: f64,
    /// Which image changes.
    #[serde(skip_serializing_if = "AugmentationOrder::is_default")]
    pub order: AugmentationOrder,
}

impl AugmentationConfig {
    /// The paper's range: rotations up to 15 degrees.
    #[must_use]
    pub fn paper() -> Self {
        Self {
            rotation_degrees: 15.0,
            ..Self::default()
        }
    }

    /// Whether images change at all.
    #[must_use]
    pub fn is_on(&self) -> bool {
        let order = self.order;
        *self
            != Self {
                order,
                ..Self::default()
            }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`RangeError`] with the field's name and range.
    pub fn validate(&self) -> Result<(), RangeError> {
        let rotation = self.rotation_degrees;
        RangeError::check("augmentation.rotation_degrees", rotation, 0.0, 180.0, "")?;
        RangeError::check(
            "augmentation.shift_pixels",
            self.shift_pixels,
            0.0,
            64.0,
            "",
        )?;
        RangeError::check(
            "augmentation.zoom_fraction",
            self.zoom_fraction,
            0.0,
            0.5,
            "",
        )
    }

    /// The map of one image in one epoch, for images `side` pixels wide.
    pub(crate) fn draw(&self, seed: Seed, epoch: u32, id: u64, side: usize) -> AffineMap {
        let address = Address::new(seed, Domain::Augmentation)
            .presentation(epoch)
            .sample(id);
        let spread = |step, largest: f64| (2.0 * address.uniform(step) - 1.0) * largest;
        AffineMap::new(
            spread(0, self.rotation_degrees).to_radians(),
            1.0 + spread(1, self.zoom_fraction),
            [spread(2, self.shift_pixels), spread(3, self.shift_pixels)],
            side,
        )
    }
}

/// Where in the source image a pixel of the result lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct AffineMap {
    cos: f32,
    sin: f32,
    /// Source position (column, row) of the result's pixel (0, 0).
    start: [f32; 2],
}

impl AffineMap {
    /// Turns by `angle` and scales by `zoom` about the image's centre, then
    /// shifts by (columns, rows).
    pub(crate) fn new(angle: f64, zoom: f64, shift: [f64; 2], side: usize) -> Self {
        let centre = (side as f64 - 1.0) / 2.0;
        let (cos, sin) = (libm::cos(angle) / zoom, libm::sin(angle) / zoom);
        let (x, y) = (-centre - shift[0], -centre - shift[1]);
        Self {
            cos: cos as f32,
            sin: sin as f32,
            start: [
                (cos * x - sin * y + centre) as f32,
                (sin * x + cos * y + centre) as f32,
            ],
        }
    }

    /// The nearest pixels of an image `side` pixels wide, black beyond its border.
    pub(crate) fn nearest(&self, image: &[u8], side: usize, out: &mut [u8]) {
        let inside = 0.0..side as f32;
        for (row, line) in out.chunks_exact_mut(side).enumerate() {
            for (column, pixel) in line.iter_mut().enumerate() {
                let (row, column) = (row as f32, column as f32);
                let x = self.start[0] + self.cos * column - self.sin * row + 0.5;
                let y = self.start[1] + self.sin * column + self.cos * row + 0.5;
                let covered = inside.contains(&x) && inside.contains(&y);
                // Not negative, cutting is floor.
                *pixel = if covered {
                    image[y as usize * side + x as usize]
                } else {
                    0
                };
            }
        }
    }
}

/// Pixels that are interpolated together.
const LANES: usize = 8;

/// An image framed with black, so that interpolation needs no special case at
/// its border.
#[derive(Debug, Clone, Default)]
pub(crate) struct FramedImage {
    side: usize,
    pixels: Vec<f32>,
}

/// Black rows and columns before the first pixel.
const BEFORE: usize = 1;
/// Black rows and columns after the last pixel.
const AFTER: usize = 2;

impl FramedImage {
    /// Takes over an image `side` pixels wide.
    pub(crate) fn load(&mut self, image: &[u8], side: usize) {
        let width = BEFORE + side + AFTER;
        if self.side != side {
            self.side = side;
            self.pixels.clear();
            self.pixels.resize(width * width, 0.0);
        }
        let rows = self.pixels.chunks_exact_mut(width).skip(BEFORE);
        for (framed, row) in rows.zip(image.chunks_exact(side)) {
            for (to, &from) in framed[BEFORE..].iter_mut().zip(row) {
                *to = from.into();
            }
        }
    }

    /// Interpolates one row of the result between its columns `first` and
    /// `first + values.len()`.
    #[inline(always)]
    pub(crate) fn sample_row(&self, map: &AffineMap, row: usize, first: usize, values: &mut [f64]) {
        let width = BEFORE + self.side + AFTER;
        // Far outside all is black; the frame stands for it. Counted from the
        // frame's corner positions are not negative, where cutting is floor.
        let (before, last) = (BEFORE as f32, (BEFORE + self.side) as f32);
        let row = row as f32;
        let x0 = map.start[0] - map.sin * row + before;
        let y0 = map.start[1] + map.cos * row + before;
        for (chunk, values) in values.chunks_mut(LANES).enumerate() {
            let mut place = [0; LANES];
            let (mut u, mut v) = ([0.0; LANES], [0.0; LANES]);
            for l in 0..LANES {
                let column = (first + chunk * LANES + l) as f32;
                let x = (x0 + map.cos * column).clamp(0.0, last);
                let y = (y0 + map.sin * column).clamp(0.0, last);
                let (left, top) = (x as i32, y as i32);
                u[l] = x - left as f32;
                v[l] = y - top as f32;
                place[l] = top * width as i32 + left;
            }
            let mut corners = [[0.0; LANES]; 4];
            for l in 0..values.len() {
                let pixels = &self.pixels[place[l] as usize..][..width + 2];
                corners[0][l] = pixels[0];
                corners[1][l] = pixels[1];
                corners[2][l] = pixels[width];
                corners[3][l] = pixels[width + 1];
            }
            let mut results = [0.0; LANES];
            for l in 0..LANES {
                let above = corners[0][l] + u[l] * (corners[1][l] - corners[0][l]);
                let below = corners[2][l] + u[l] * (corners[3][l] - corners[2][l]);
                results[l] = f64::from(above + v[l] * (below - above));
            }
            values.copy_from_slice(&results[..values.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warp(image: &[u8], side: usize, map: &AffineMap) -> Vec<f64> {
        let mut framed = FramedImage::default();
        framed.load(image, side);
        let mut out = vec![0.0; side * side];
        for (row, values) in out.chunks_mut(side).enumerate() {
            framed.sample_row(map, row, 0, values);
        }
        out
    }

    fn ramp(side: usize) -> Vec<u8> {
        (0..side * side).map(|i| (i * 7 % 256) as u8).collect()
    }

    #[test]
    fn no_change_is_exactly_no_change() {
        let image = ramp(28);
        let map = AffineMap::new(0.0, 1.0, [0.0; 2], 28);
        assert!(
            warp(&image, 28, &map)
                .iter()
                .zip(&image)
                .all(|(&a, &b)| a == f64::from(b))
        );
    }

    #[test]
    fn a_shift_moves_right_and_down_and_lets_black_in() {
        let image = ramp(8);
        let out = warp(&image, 8, &AffineMap::new(0.0, 1.0, [2.0, 1.0], 8));
        for row in 0..8 {
            for column in 0..8 {
                let expected = if row >= 1 && column >= 2 {
                    f64::from(image[(row - 1) * 8 + column - 2])
                } else {
                    0.0
                };
                assert_eq!(out[row * 8 + column], expected, "{row} {column}");
            }
        }
        let gone = warp(&image, 8, &AffineMap::new(0.0, 1.0, [64.0, -64.0], 8));
        assert!(gone.iter().all(|&p| p == 0.0));
    }

    #[test]
    fn four_quarter_turns_are_none() {
        let image = ramp(9);
        let quarter = AffineMap::new(std::f64::consts::FRAC_PI_2, 1.0, [0.0; 2], 9);
        let mut turned = image.clone();
        for turn in 0..4 {
            assert!(turn == 0 || turned != image);
            turned = warp(&turned, 9, &quarter)
                .iter()
                .map(|&p| p.round() as u8)
                .collect();
        }
        assert_eq!(turned, image);
    }

    #[test]
    fn the_nearest_pixels_of_a_quarter_turn_are_all_pixels_in_other_places() {
        for side in [2, 9, 16] {
            let image = ramp(side);
            let turn = |degrees: f64| {
                let mut out = vec![7; side * side];
                let map = AffineMap::new(degrees.to_radians(), 1.0, [0.0; 2], side);
                map.nearest(&image, side, &mut out);
                out
            };
            let mut wanted = image.clone();
            for degrees in [0.0, 90.0, 180.0, 270.0] {
                assert_eq!(turn(degrees), wanted, "{side}: {degrees}");
                let quarter = (0..side * side).map(|i| (i % side) * side + side - 1 - i / side);
                wanted = quarter.map(|from| wanted[from]).collect();
            }
            assert_eq!(wanted, image);
        }
    }

    #[test]
    fn the_nearest_pixels_are_of_the_image_or_black() {
        let map = AffineMap::new(0.0, 1.0, [1.4, -0.6], 4);
        let mut out = vec![7; 16];
        map.nearest(&(1..=16).collect::<Vec<u8>>(), 4, &mut out);
        // One to the right and one up.
        let wanted = [0, 5, 6, 7, 0, 9, 10, 11, 0, 13, 14, 15, 0, 0, 0, 0];
        assert_eq!(out, wanted);
        let gone = AffineMap::new(0.4, 1.0, [64.0, -64.0], 4);
        gone.nearest(&[255; 16], 4, &mut out);
        assert_eq!(out, [0; 16]);
    }

    #[test]
    fn an_order_alone_is_no_augmentation_and_the_default_is_not_stored() {
        let config = AugmentationConfig {
            order: AugmentationOrder::AfterReduction,
            ..AugmentationConfig::default()
        };
        assert!(!config.is_on());
        let text = toml::to_string(&config).unwrap();
        assert!(text.contains("order = \"after-reduction\""), "{text}");
        assert_eq!(toml::from_str::<AugmentationConfig>(&text).unwrap(), config);
        let text = toml::to_string(&AugmentationConfig::paper()).unwrap();
        assert!(!text.contains("order"), "{text}");
    }

    #[test]
    fn zoom_grows_the_image() {
        let mut image = [0; 21 * 21];
        image[8 * 21 + 8..8 * 21 + 13].fill(255);
        let sum = |zoom| {
            warp(&image, 21, &AffineMap::new(0.0, zoom, [0.0; 2], 21))
                .iter()
                .sum::<f64>()
        };
        assert!(sum(1.4) > sum(1.0) && sum(1.0) > sum(0.7));
    }

    #[test]
    fn draws_stay_within_their_bounds_and_fill_them() {
        let config = AugmentationConfig::paper();
        let angles: Vec<f64> = (0..2000)
            .map(|id| {
                let map = config.draw(Seed(1), 3, id, 28);
                f64::from(map.sin).atan2(f64::from(map.cos)).to_degrees()
            })
            .collect();
        let largest = angles.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
        assert!(largest < 15.001 && largest > 14.5, "{largest}");
        let mean = angles.iter().sum::<f64>() / 2000.0;
        // Uniform on +-15: sd 8.66, five standard errors.
        assert!(mean.abs() < 5.0 * 8.66 / 2000_f64.sqrt(), "{mean}");
        assert_ne!(
            config.draw(Seed(1), 3, 0, 28),
            config.draw(Seed(1), 4, 0, 28)
        );
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let config = AugmentationConfig {
            zoom_fraction: 0.6,
            ..Default::default()
        };
        let error = config.validate().unwrap_err().to_string();
        assert!(
            error.contains("augmentation.zoom_fraction is 0.6"),
            "{error}"
        );
    }
}
