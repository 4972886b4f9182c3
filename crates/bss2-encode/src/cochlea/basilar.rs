//! From sound to the velocity of the membrane, in the frequency domain.
//!
//! A stretch of n samples becomes n/2 + 1 lines; each is multiplied by the
//! membrane's answer at its frequency; the inverse transform of these lines
//! alone, as many points as there are lines, is the velocity at half the rate,
//! of which the real part counts.
//!
//! Two channels share a transform: with `Y'[k] = (Y[k] + conj Y[M - k]) / 2`
//! the inverse transform of `Y1' + i Y2'` has the first channel as real and the
//! second as imaginary part.

use std::sync::Arc;

use bss2_event::SimdPath;
use rustfft::{Fft, FftPlannerScalar};

use super::complex::C64;
use super::response::{Grid, Group, LANES, Lanes, Position};

const PAIRS: usize = LANES / 2;

/// Transforms of one length of stretch. The scalar ones, since those for
/// vector instructions round differently from machine to machine; their sines
/// and cosines are those of the system's mathematics, and so alike where that is.
pub(super) struct Plan {
    forward: Arc<dyn Fft<f64>>,
    inverse: Arc<dyn Fft<f64>>,
    positions: Vec<Position>,
}

/// A stretch of sound in the frequency domain, with where its lines lie.
pub(super) struct Spectrum<'a> {
    plan: &'a Plan,
    lines: Vec<C64>,
}

/// Memory for the velocities of a group of channels.
#[derive(Default)]
pub(super) struct Velocities {
    pairs: Vec<C64>,
    scratch: Vec<C64>,
    outputs: usize,
}

impl Plan {
    /// For stretches of `inputs` samples that become `outputs` velocities:
    /// one per line, or one less where the last line (half the rate) falls on
    /// the first. Line k is answered as a tone of `1 + k step` hertz, from a
    /// table on `grid`.
    pub(super) fn new(inputs: usize, outputs: usize, step_hertz: f64, grid: Grid) -> Self {
        let lines = inputs / 2 + 1;
        debug_assert!(lines == outputs || lines == outputs + 1);
        let mut planner = FftPlannerScalar::new();
        let at = |line| super::response::LOWEST_HERTZ + f64::from(line) * step_hertz;
        Self {
            forward: planner.plan_fft_forward(inputs),
            inverse: planner.plan_fft_inverse(outputs),
            positions: (0..lines as u32)
                .map(|line| grid.position(at(line)))
                .collect(),
        }
    }

    pub(super) fn inputs(&self) -> usize {
        self.forward.len()
    }

    /// Transforms a stretch of [`Plan::inputs`] samples.
    pub(super) fn spectrum(&self, samples: &[f64]) -> Spectrum<'_> {
        let mut lines: Vec<_> = samples.iter().map(|&x| C64::new(x, 0.0)).collect();
        self.forward.process(&mut lines);
        lines.truncate(self.positions.len());
        // What the two halves of Y' and the inverse transform lack.
        let scale = 0.5 / self.inverse.len() as f64;
        lines.iter_mut().for_each(|line| *line *= scale);
        Spectrum { plan: self, lines }
    }
}

impl Spectrum<'_> {
    /// Velocities of one group of channels.
    pub(super) fn velocities(&self, group: &Group, out: &mut Velocities, path: SimdPath) {
        let inverse = &self.plan.inverse;
        out.outputs = inverse.len();
        out.pairs.clear();
        out.pairs.resize(PAIRS * out.outputs, C64::default());
        out.scratch
            .resize(inverse.get_inplace_scratch_len(), C64::default());
        path.dispatch(
            #[inline(always)]
            || answer(&self.plan.positions, &self.lines, group, &mut out.pairs),
        );
        for pair in out.pairs.chunks_exact_mut(out.outputs) {
            inverse.process_with_scratch(pair, &mut out.scratch);
        }
    }
}

impl Velocities {
    /// Velocities of the group at one instant.
    #[inline(always)]
    pub(super) fn at(&self, instant: usize) -> Lanes {
        let mut lanes = [0.0; LANES];
        for pair in 0..PAIRS {
            let both = self.pairs[pair * self.outputs + instant];
            lanes[2 * pair] = both.re;
            lanes[2 * pair + 1] = both.im;
        }
        lanes
    }
}

/// Adds every line, times its answer, to both of its places in all transforms.
#[inline(always)]
fn answer(positions: &[Position], lines: &[C64], group: &Group, pairs: &mut [C64]) {
    let outputs = pairs.len() / PAIRS;
    for (k, (position, line)) in positions.iter().zip(lines).enumerate() {
        let (mut re, mut im) = ([0.0; LANES], [0.0; LANES]);
        let node = position.node as usize;
        let nodes = group.re[node..].iter().zip(&group.im[node..]);
        for (weight, (node_re, node_im)) in position.weights.iter().zip(nodes) {
            for l in 0..LANES {
                re[l] += weight * node_re[l];
                im[l] += weight * node_im[l];
            }
        }
        let (mut y_re, mut y_im) = ([0.0; LANES], [0.0; LANES]);
        for l in 0..LANES {
            y_re[l] = re[l] * line.re - im[l] * line.im;
            y_im[l] = re[l] * line.im + im[l] * line.re;
        }
        let at = if k < outputs { k } else { 0 };
        let mirrored = if at == 0 { 0 } else { outputs - at };
        for pair in 0..PAIRS {
            let (a, b) = (2 * pair, 2 * pair + 1);
            let start = pair * outputs;
            pairs[start + at] += C64::new(y_re[a] - y_im[b], y_im[a] + y_re[b]);
            pairs[start + mirrored] += C64::new(y_re[a] + y_im[b], y_re[b] - y_im[a]);
        }
    }
}
