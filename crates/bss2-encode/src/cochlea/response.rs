//! The membrane's answer at every place, tabulated over frequency.
//!
//! A track of n samples asks for the answer at its own n/2 frequencies, and
//! each costs a Hankel function; a table costs a few products. Nodes are
//! spaced evenly in `ln(1 + f / 50 Hz)`, as the resonances are about equally
//! wide in ln f; ten of them give the value between by Lagrange's polynomial.
//! The error goes with the tenth power of the spacing: below 1e-10 of the
//! channel's largest answer, and below 1e-13 where nodes lie three times as
//! densely (tested).

use std::ops::Range;

use bss2_event::RangeError;
use rayon::prelude::*;

use super::complex::C64;
use super::membrane::MembraneConfig;

/// Channels that are computed together.
pub(super) const LANES: usize = 16;
/// Nodes that a value is taken from.
pub(super) const TAPS: usize = 10;
/// Where the spacing goes over from even in f to even in ln f.
const KNEE_HERTZ: f64 = 50.0;
/// No frequency below it is asked for.
pub(super) const LOWEST_HERTZ: f64 = 1.0;

/// Where the nodes of a table lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    nodes_per_unit: f64,
}

/// One value per channel of a group.
pub(super) type Lanes = [f64; LANES];

/// Answers of all channels at all nodes.
#[derive(Debug)]
pub(super) struct Response {
    channels: usize,
    groups: Vec<Group>,
}

/// Answers of [`LANES`] neighbouring channels, by node.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) re: Vec<Lanes>,
    pub(super) im: Vec<Lanes>,
}

/// Where between the nodes a frequency lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Position {
    pub(super) node: u32,
    pub(super) weights: [f64; TAPS],
}

impl Response {
    /// Tabulates the answers up to a frequency, in parallel over groups.
    ///
    /// # Errors
    /// [`RangeError`] for a membrane that so damps a tone at its base that what is
    /// relative to it, every answer, is no number.
    pub(super) fn new(
        membrane: &MembraneConfig,
        channels: usize,
        highest_hertz: f64,
        grid: Grid,
    ) -> Result<Self, RangeError> {
        let last = grid.position(highest_hertz).node as usize + TAPS;
        let tones: Vec<_> = (0..last)
            .into_par_iter()
            .map(|node| membrane.tone(grid.hertz(node)))
            .collect();
        let groups: Vec<Group> = (0..channels.div_ceil(LANES))
            .into_par_iter()
            .map(|group| {
                // Lanes past the last channel repeat it.
                let place = |lane: usize| {
                    let channel = (group * LANES + lane).min(channels - 1);
                    membrane.place(channel, channels)
                };
                let (re, im) = tones
                    .iter()
                    .map(|tone| {
                        let answers: [C64; LANES] =
                            std::array::from_fn(|lane| tone.velocity(place(lane)));
                        (answers.map(|a| a.re), answers.map(|a| a.im))
                    })
                    .unzip();
                Group { re, im }
            })
            .collect();
        let answers = groups
            .iter()
            .flat_map(|group| group.re.iter().chain(&group.im));
        // In total order NaN is the largest.
        let largest = answers.flatten().map(|x| x.abs()).max_by(f64::total_cmp);
        RangeError::check(
            "membrane: response to a tone of up to half the rate",
            largest.unwrap_or(0.0),
            0.0,
            1e9,
            "",
        )?;
        Ok(Self { channels, groups })
    }

    pub(super) fn groups(&self) -> usize {
        self.groups.len()
    }

    pub(super) fn group(&self, group: usize) -> &Group {
        &self.groups[group]
    }

    /// Channels of a group; the last may have fewer than [`LANES`].
    pub(super) fn channels(&self, group: usize) -> Range<usize> {
        group * LANES..((group + 1) * LANES).min(self.channels)
    }
}

impl Grid {
    /// Errors are far below what a recording is good for.
    pub(super) const FAST: Self = Self {
        nodes_per_unit: 448.0,
    };
    /// Errors are those of rounding, as the hair cells' step enlarges them some
    /// 10,000 times where it is unstable.
    pub(super) const FINE: Self = Self {
        nodes_per_unit: 1_344.0,
    };

    /// Node 0 lies four nodes below the lowest frequency.
    fn hertz(self, node: usize) -> f64 {
        let lowest = libm::log1p(LOWEST_HERTZ / KNEE_HERTZ);
        let u = lowest + (node as f64 - (TAPS / 2 - 1) as f64) / self.nodes_per_unit;
        KNEE_HERTZ * libm::expm1(u)
    }

    /// The position of a frequency from [`LOWEST_HERTZ`] on.
    pub(super) fn position(self, hertz: f64) -> Position {
        let lowest = libm::log1p(LOWEST_HERTZ / KNEE_HERTZ);
        let nodes = (libm::log1p(hertz / KNEE_HERTZ) - lowest) * self.nodes_per_unit;
        // Rounding may put the lowest frequency just below its node.
        let node = nodes.max(0.0).floor();
        // Distances to the ten nodes around, of which the fifth is `node`.
        let distance: [f64; TAPS] =
            std::array::from_fn(|tap| nodes - node - (tap as f64 - (TAPS / 2 - 1) as f64));
        // Products of i! (9 - i)! with alternating sign.
        const DENOMINATORS: [f64; TAPS] = [
            -362_880.0, 40_320.0, -10_080.0, 4_320.0, -2_880.0, 2_880.0, -4_320.0, 10_080.0,
            -40_320.0, 362_880.0,
        ];
        let weights = std::array::from_fn(|tap| {
            let others = (0..TAPS).filter(|&other| other != tap);
            others.map(|other| distance[other]).product::<f64>() / DENOMINATORS[tap]
        });
        Position {
            node: node as u32,
            weights,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_between_nodes_are_those_of_the_membrane() {
        let membrane = MembraneConfig::default();
        let channels = 48;
        let frequencies: Vec<f64> = (0..700).map(|i| 1.0 * 1.0145_f64.powi(i)).collect();
        for (grid, tolerance) in [(Grid::FAST, 1e-10), (Grid::FINE, 1e-13)] {
            let response = Response::new(&membrane, channels, 24_000.0, grid).unwrap();
            for channel in 0..channels {
                let group = response.group(channel / LANES);
                let (mut largest, mut error) = (0.0_f64, 0.0_f64);
                for &hertz in frequencies.iter().filter(|&&f| f <= 24_000.0) {
                    let place = membrane.place(channel, channels);
                    let wanted = membrane.tone(hertz).velocity(place);
                    let position = grid.position(hertz);
                    let mut found = C64::new(0.0, 0.0);
                    for (tap, weight) in position.weights.iter().enumerate() {
                        let node = position.node as usize + tap;
                        let lane = channel % LANES;
                        found += C64::new(group.re[node][lane], group.im[node][lane]) * weight;
                    }
                    largest = largest.max(wanted.norm());
                    error = error.max((found - wanted).norm());
                }
                let error = error / largest;
                assert!(error < tolerance, "{grid:?} {channel}: {error:e}");
            }
        }
    }
}
