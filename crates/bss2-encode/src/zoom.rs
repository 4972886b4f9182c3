//! Cubic-spline zoom.
//!
//! Interpolation by splines is linear in the pixels and separable, so the zoom
//! from n x n to m x m is two products with one m x n matrix, computed once:
//! `out = M image M^T`.
//!
//! # Source
//! M. Unser, "Splines: a perfect fit for signal and image processing", IEEE
//! Signal Processing Magazine 16(6), 1999; grid and rounding as
//! `scipy.ndimage.zoom` has them, which the paper's code calls.

use bss2_event::{RangeError, SimdPath};

/// Columns that a kernel works on together.
const LANES: usize = 8;
/// Rows that a kernel works on together.
const ROWS: usize = 4;

/// Memory that a [`SplineZoom`] works in, to be used again.
#[derive(Debug, Clone, Default)]
pub struct ZoomScratch {
    image: Vec<f64>,
    half: Vec<f64>,
    out: Vec<f64>,
}

/// Cubic-spline zoom of an n x n image to m x m.
///
/// Output pixel i samples at i (n-1)/(m-1); the spline runs through all pixels,
/// mirrored at the borders; the value is rounded by `floor(v + 0.5)` and
/// saturates at 0 and 255. Multiplications and additions are not fused and keep
/// one order, so every machine gives the same pixels.
#[derive(Debug, Clone, PartialEq)]
pub struct SplineZoom {
    input: usize,
    output: usize,
    /// M, `[output, input]`.
    rows: Vec<f64>,
    /// M transposed, `[input, output]`, rows padded with zeros to whole lanes.
    columns: Vec<f64>,
}

impl SplineZoom {
    /// The zoom from `input` to `output` pixels in each direction.
    ///
    /// # Errors
    /// [`RangeError`] unless both are 2 to 4,096, and the result at most 256.
    pub fn new(input: usize, output: usize) -> Result<Self, RangeError> {
        RangeError::check("zoom input", input as f64, 2.0, 4096.0, "pixels")?;
        RangeError::check("zoom output", output as f64, 2.0, 256.0, "pixels")?;
        let padded = output.next_multiple_of(LANES);
        let mut rows = vec![0.0; output * input];
        let mut columns = vec![0.0; input * padded];
        for from in 0..input {
            let mut unit = vec![0.0; input];
            unit[from] = 1.0;
            spline_coefficients(&mut unit);
            for to in 0..output {
                // In this order the last sample falls on the last pixel exactly.
                let position = (to * (input - 1)) as f64 / (output - 1) as f64;
                let weight = spline_value(&unit, position);
                rows[to * input + from] = weight;
                columns[from * padded + to] = weight;
            }
        }
        Ok(Self {
            input,
            output,
            rows,
            columns,
        })
    }

    /// Rows and columns of the result.
    #[must_use]
    pub fn output(&self) -> usize {
        self.output
    }

    /// Zooms an image whose rows `fill` writes: it gets the index of a row and
    /// a place for its pixels, on a scale of 0 to 255.
    ///
    /// # Panics
    /// If `out` is not `output x output` long.
    #[inline]
    pub fn apply(
        &self,
        scratch: &mut ZoomScratch,
        out: &mut [u8],
        fill: impl FnMut(usize, &mut [f64]),
    ) {
        self.apply_on(SimdPath::Native, scratch, out, fill);
    }

    #[inline]
    fn apply_on(
        &self,
        path: SimdPath,
        scratch: &mut ZoomScratch,
        out: &mut [u8],
        mut fill: impl FnMut(usize, &mut [f64]),
    ) {
        let (n, m) = (self.input, self.output);
        let (n_padded, m_padded) = (n.next_multiple_of(LANES), m.next_multiple_of(LANES));
        assert_eq!(out.len(), m * m, "pixels of one result");
        // Padding columns hold leftovers; what is computed from them is not read.
        scratch.image.resize(n * n_padded, 0.0);
        scratch.half.resize(m * n_padded, 0.0);
        scratch.out.resize(m * m_padded, 0.0);
        path.dispatch(
            #[inline(always)]
            || {
                for (row, values) in scratch.image.chunks_exact_mut(n_padded).enumerate() {
                    fill(row, &mut values[..n]);
                }
                product(&self.rows, n, &scratch.image, &mut scratch.half, n_padded);
                product(
                    &scratch.half,
                    n_padded,
                    &self.columns,
                    &mut scratch.out,
                    m_padded,
                );
                let results = scratch.out.chunks_exact(m_padded);
                for (pixels, values) in out.chunks_exact_mut(m).zip(results) {
                    for (pixel, &value) in pixels.iter_mut().zip(values) {
                        // The conversion saturates and cuts towards zero: floor for
                        // what is positive, 0 for the rest.
                        *pixel = (value + 0.5) as u8;
                    }
                }
            },
        );
    }
}

/// `c = a b` with `a` `[rows, inner]` of stride `a_stride`, and `b`
/// `[inner, width]`, `c` `[rows, width]` packed; `width` is whole lanes. The
/// sum over `inner` runs upwards, each step rounded twice.
#[inline(always)]
fn product(a: &[f64], a_stride: usize, b: &[f64], c: &mut [f64], width: usize) {
    let inner = b.len() / width;
    let rows = c.len() / width;
    let whole = rows - rows % ROWS;
    for row in (0..whole).step_by(ROWS) {
        for lane in (0..width).step_by(LANES) {
            tile::<ROWS>(a, a_stride, b, c, width, inner, row, lane);
        }
    }
    for row in whole..rows {
        for lane in (0..width).step_by(LANES) {
            tile::<1>(a, a_stride, b, c, width, inner, row, lane);
        }
    }
}

#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "the inside of one loop nest")]
fn tile<const R: usize>(
    a: &[f64],
    a_stride: usize,
    b: &[f64],
    c: &mut [f64],
    width: usize,
    inner: usize,
    row: usize,
    lane: usize,
) {
    let mut sums = [[0.0; LANES]; R];
    let factors: [&[f64]; R] = std::array::from_fn(|r| &a[(row + r) * a_stride..][..inner]);
    for (k, values) in b.chunks_exact(width).enumerate().take(inner) {
        let values: &[f64; LANES] = values[lane..][..LANES].try_into().expect("whole lanes");
        for r in 0..R {
            for l in 0..LANES {
                sums[r][l] += factors[r][k] * values[l];
            }
        }
    }
    for r in 0..R {
        c[(row + r) * width + lane..][..LANES].copy_from_slice(&sums[r]);
    }
}

/// Turns samples into the coefficients of the cubic B-spline through them,
/// mirrored at the first and the last sample.
fn spline_coefficients(c: &mut [f64]) {
    let n = c.len();
    let pole = libm::sqrt(3.0) - 2.0;
    c.iter_mut().for_each(|value| *value *= 6.0);
    let mut power = pole;
    let around = libm::pow(pole, (n - 1) as f64);
    let mut first = c[0] + around * c[n - 1];
    for i in 1..n - 1 {
        first += power * (c[i] + around * c[n - 1 - i]);
        power *= pole;
    }
    c[0] = first / (1.0 - around * around);
    for i in 1..n {
        c[i] += pole * c[i - 1];
    }
    c[n - 1] = (pole * c[n - 2] + c[n - 1]) * pole / (pole * pole - 1.0);
    for i in (0..n - 1).rev() {
        c[i] = pole * (c[i + 1] - c[i]);
    }
}

/// The spline at a position between the first and the last sample.
fn spline_value(c: &[f64], position: f64) -> f64 {
    let last = c.len() as isize - 1;
    let mirrored = |i: isize| {
        let i = i.abs() % (2 * last);
        c[i.min(2 * last - i) as usize]
    };
    let start = libm::floor(position);
    let (t, i) = (position - start, start as isize);
    let s = 1.0 - t;
    let near = |t: f64| (t * t * (t - 2.0) * 3.0 + 4.0) / 6.0;
    let far = |t: f64| t * t * t / 6.0;
    far(s) * mirrored(i - 1)
        + near(t) * mirrored(i)
        + near(s) * mirrored(i + 1)
        + far(t) * mirrored(i + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zoom(input: usize, output: usize, image: &[u8]) -> Vec<u8> {
        let zoom = SplineZoom::new(input, output).unwrap();
        let mut out = vec![0; output * output];
        zoom.apply(&mut ZoomScratch::default(), &mut out, |row, values| {
            for (value, &pixel) in values.iter_mut().zip(&image[row * input..]) {
                *value = pixel.into();
            }
        });
        out
    }

    #[test]
    fn equal_sizes_change_nothing() {
        for side in [2, 3, 7, 16, 17] {
            let image: Vec<u8> = (0..side * side).map(|i| (i * 37 % 256) as u8).collect();
            assert_eq!(zoom(side, side, &image), image, "{side}");
        }
    }

    #[test]
    fn a_uniform_image_stays_uniform() {
        for grey in [0, 1, 51, 128, 255] {
            assert!(zoom(24, 16, &[grey; 576]).iter().all(|&p| p == grey));
            assert!(zoom(5, 31, &[grey; 25]).iter().all(|&p| p == grey));
        }
    }

    #[test]
    fn corners_are_kept_and_overshoot_saturates() {
        let mut image = [0; 28 * 28];
        for (i, pixel) in image.iter_mut().enumerate() {
            *pixel = if i % 28 >= 14 { 255 } else { 0 };
        }
        let out = zoom(28, 16, &image);
        assert_eq!((out[0], out[15]), (0, 255));
        // The spline overshoots beside the edge, beyond what a byte holds.
        assert!(out.iter().filter(|&&p| p == 255).count() > 32);
    }

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        for (input, output) in [(24, 16), (28, 16), (7, 13), (5, 3)] {
            let zoom = SplineZoom::new(input, output).unwrap();
            let paths = [SimdPath::Native, SimdPath::Narrow, SimdPath::Baseline];
            let [native, narrow, baseline] = paths.map(|path| {
                let mut scratch = ZoomScratch::default();
                let mut out = vec![0; output * output];
                zoom.apply_on(path, &mut scratch, &mut out, |row, values| {
                    for (i, value) in values.iter_mut().enumerate() {
                        *value = f64::from((row * 31 + i * i * 17) as u8) + 0.1;
                    }
                });
                scratch
                    .out
                    .into_iter()
                    .map(f64::to_bits)
                    .collect::<Vec<_>>()
            });
            assert_eq!(native, narrow, "{input} to {output}");
            assert_eq!(native, baseline, "{input} to {output}");
        }
    }

    #[test]
    fn impossible_sizes_are_refused() {
        assert!(SplineZoom::new(1, 16).is_err());
        assert!(SplineZoom::new(24, 1).is_err());
        assert!(SplineZoom::new(24, 257).is_err());
    }
}
