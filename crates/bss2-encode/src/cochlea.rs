//! From sound to spikes: the cochlea.
//!
//! Pre-emphasis (`emphasis`), level and window (`level`) -> velocity of the basilar membrane (`membrane`,
//! `response`, `basilar`) -> transmitter of hair cells (`haircell`) -> fibres
//! of the auditory nerve (`nerve`) -> bushy cells (`bushy`), one per channel.
//! Up to the hair cells everything is exact arithmetic of the published
//! encoder; fibres are drawn by counter, so that a recording's spikes depend on
//! seed, its number and its samples alone.
//!
//! Spikes lie on the grid of the velocity, at half the rate of the recording.
//! The lower the rate of the recording, the more of them; below 9.08 kHz the
//! published hair cells are unstable and fire nearly all the time ([`Cochlea`]):
//! bring such recordings to a higher rate.
//!
//! A recording up to [`CochleaConfig::block`] long is transformed as one, as
//! the published encoder does; a longer one in overlapping blocks of that
//! length, in memory that does not grow with it.
//!
//! ```
//! use bss2_encode::audio::Audio;
//! use bss2_encode::{Cochlea, CochleaConfig, Track, Upsampled};
//! use bss2_event::{Hertz, Seed};
//!
//! let tone = (0..4_000).map(|i| (0.4 * i as f64).sin()).collect();
//! let tone = Track { name: "tone".into(), rate: 8_000, samples: tone };
//! let tone = Upsampled::to(&tone, Hertz::new(24_000.0))?;
//! let config = CochleaConfig { channels: 32, ..Default::default() };
//! let spikes = Cochlea::new(&config, tone.rate())?.encode(&tone, Seed(1), 0)?;
//! assert!(spikes.spikes.len() > 100);
//! # Ok::<(), bss2_encode::EncodeError>(())
//! ```

mod basilar;
mod blocks;
mod bushy;
mod complex;
mod config;
mod emphasis;
mod haircell;
mod hankel;
mod level;
mod membrane;
mod nerve;
mod response;

use bss2_event::random::{Address, Domain};
use bss2_event::{Seed, SimdPath};
use rayon::prelude::*;

use basilar::Velocities;
use blocks::Blocks;
use bushy::{BushyCell, BushyState};
use emphasis::Emphasised;
use haircell::{HairCell, Pools};
use level::Level;
use nerve::Nerve;
use response::{LANES, Response};

pub use bushy::BushyConfig;
pub use config::CochleaConfig;
pub use haircell::HairCellConfig;
pub use membrane::MembraneConfig;
pub use nerve::NerveConfig;

use crate::audio::Audio;
use crate::error::EncodeError;
use crate::wav::AudioFault;

/// Fewest samples that make a spectrum worth the name.
const FEWEST_SAMPLES: u64 = 16;

/// A spike of a bushy cell. Ordered by step, then channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CochleaSpike {
    /// Step of the grid, from the beginning of the recording.
    pub step: u32,
    /// Channel, from the base (high tones) on.
    pub channel: u16,
}

/// All spikes of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpikeTrain {
    /// Steps per second.
    pub rate: u32,
    /// Steps of the recording; no spike comes later.
    pub steps: u32,
    /// The spikes in order.
    pub spikes: Vec<CochleaSpike>,
}

/// Spikes of the next part of a recording.
#[derive(Debug)]
pub struct Progress<'a> {
    /// Steps that are done, these included.
    pub done: u32,
    /// Steps of the recording.
    pub steps: u32,
    /// Spikes in order, all later than those before.
    pub spikes: &'a [CochleaSpike],
}

/// The deterministic stages of a recording, `[channel, step]`.
#[derive(Debug, Clone, PartialEq)]
pub struct CochleaTrace {
    /// Steps of the recording.
    pub steps: usize,
    /// Velocity of the membrane, in the model's unit.
    pub velocity: Vec<f64>,
    /// Probability of a fibre to fire per step; above one it always does.
    pub firing_probability: Vec<f64>,
}

/// A cochlea for recordings of one rate.
///
/// Spikes depend on that rate, as the hair cells' step is that of the sound. Twenty
/// recordings of spoken digits (FSDD, 8 kHz) have 48,700 spikes each as they are,
/// where hair cells fire nearly all the time, and brought to a higher rate by
/// [`crate::Upsampled`] 7,900 at 16, 5,700 at 24 and 4,200 at 48 kHz. The published
/// cells are unstable below 9.08 kHz; up to 18.16 kHz a deviation of the transmitter in
/// their cleft decays, but changes its sign from step to step. Such rates are for
/// comparison with the published encoder. Sounds that are to be compared should be of one
/// rate.
#[derive(Debug)]
pub struct Cochlea {
    config: CochleaConfig,
    rate: u32,
    response: Response,
    hair_cell: HairCell,
    bushy: BushyCell,
    path: SimdPath,
}

/// The cells of a group of channels.
struct Cells {
    group: usize,
    pools: Pools,
    nerve: Nerve,
    bushy: BushyState,
    spikes: Vec<CochleaSpike>,
}

impl Cochlea {
    /// A cochlea for recordings of `rate` samples per second, 1,000 to 384,000; below
    /// 9,080 its hair cells are unstable ([`Cochlea`]). Tabulates the
    /// membrane, which takes about half a second of computing, three times that
    /// with `exact_length`; one serves all recordings of its rate.
    ///
    /// # Errors
    /// [`EncodeError::Range`] for settings outside their range, hair cells too fast
    /// for the rate ([`HairCellConfig`]), or a membrane whose response is no number.
    pub fn new(config: &CochleaConfig, rate: u32) -> Result<Self, EncodeError> {
        config.validate(rate)?;
        let steps = f64::from(rate / 2);
        Ok(Self {
            config: *config,
            rate,
            response: Response::new(&config.membrane, config.channels, steps, config.grid())?,
            hair_cell: config.hair_cell.compile(steps),
            bushy: config.bushy.compile(steps, config.nerve.fibres),
            path: SimdPath::Native,
        })
    }

    /// The same cochlea on another path, to test that it gives the same bits.
    #[must_use]
    pub fn on(self, path: SimdPath) -> Self {
        Self { path, ..self }
    }

    /// Steps per second of the grid that spikes lie on.
    #[must_use]
    pub fn output_rate(&self) -> u32 {
        self.rate / 2
    }

    /// All spikes of a recording. `sample` tells recordings apart: with the
    /// same seed and number the same fibres fire.
    ///
    /// # Errors
    /// As [`Cochlea::stream`].
    pub fn encode(
        &self,
        audio: &dyn Audio,
        seed: Seed,
        sample: u64,
    ) -> Result<SpikeTrain, EncodeError> {
        let mut train = SpikeTrain {
            rate: self.output_rate(),
            steps: 0,
            spikes: Vec::new(),
        };
        self.stream(audio, seed, sample, &mut |part| {
            train.steps = part.steps;
            train.spikes.extend(part.spikes);
        })?;
        Ok(train)
    }

    /// Encodes a recording of any length part by part, in parallel over
    /// channels.
    ///
    /// # Errors
    /// [`EncodeError::Audio`] for a recording that is silent, too short, of
    /// another rate or damaged, or with [`CochleaConfig::exact_length`] longer than
    /// [`CochleaConfig::block`]; parts that were handed out before remain.
    pub fn stream(
        &self,
        audio: &dyn Audio,
        seed: Seed,
        sample: u64,
        sink: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), EncodeError> {
        let audio = &Emphasised::new(audio, self.config.emphasis);
        let level = self.level(audio)?;
        let draws = Address::new(seed, Domain::AuditoryNerve).sample(sample);
        let mut cells: Vec<_> = (0..self.response.groups())
            .map(|group| self.cells(group, draws))
            .collect();
        let mut blocks = self.blocks(audio, &level)?;
        let steps = blocks.steps();
        let mut samples = audio.samples()?;
        let mut spikes = Vec::new();
        while let Some(block) = blocks.next(&level, &mut samples)? {
            let spectrum = block.plan.spectrum(block.samples);
            cells
                .par_iter_mut()
                .for_each_init(Velocities::default, |velocities, cells| {
                    let group = self.response.group(cells.group);
                    spectrum.velocities(group, velocities, self.path);
                    self.path.dispatch(
                        #[inline(always)]
                        || self.listen(cells, velocities, block.from, block.first, block.count),
                    );
                });
            spikes.clear();
            for cells in &mut cells {
                spikes.append(&mut cells.spikes);
            }
            spikes.sort_unstable();
            sink(Progress {
                done: block.first + block.count as u32,
                steps,
                spikes: &spikes,
            });
        }
        Ok(())
    }

    /// Velocities and firing probabilities of a recording, for inspection.
    ///
    /// # Errors
    /// As [`Cochlea::stream`].
    pub fn trace(&self, audio: &dyn Audio) -> Result<CochleaTrace, EncodeError> {
        let audio = &Emphasised::new(audio, self.config.emphasis);
        let level = self.level(audio)?;
        let mut blocks = self.blocks(audio, &level)?;
        let steps = blocks.steps() as usize;
        let mut trace = CochleaTrace {
            steps,
            velocity: vec![0.0; self.config.channels * steps],
            firing_probability: vec![0.0; self.config.channels * steps],
        };
        let mut pools = vec![self.config.hair_cell.rest(); self.response.groups()];
        let mut samples = audio.samples()?;
        let mut velocities = Velocities::default();
        while let Some(block) = blocks.next(&level, &mut samples)? {
            let spectrum = block.plan.spectrum(block.samples);
            for (group, pools) in pools.iter_mut().enumerate() {
                spectrum.velocities(self.response.group(group), &mut velocities, self.path);
                for i in 0..block.count {
                    let velocity = velocities.at(block.from + i);
                    let probability = self.hair_cell.step(pools, &velocity);
                    for (lane, channel) in self.response.channels(group).enumerate() {
                        let at = channel * steps + block.first as usize + i;
                        trace.velocity[at] = velocity[lane];
                        trace.firing_probability[at] = probability[lane];
                    }
                }
            }
        }
        Ok(trace)
    }

    fn level(&self, audio: &dyn Audio) -> Result<Level, EncodeError> {
        if audio.rate() != self.rate {
            let fault = AudioFault::Rate {
                found: audio.rate(),
                made_for: self.rate,
            };
            return Err(EncodeError::audio(audio.name(), fault));
        }
        let CochleaConfig { level, ramp, .. } = self.config;
        Level::measure(audio, level, ramp, FEWEST_SAMPLES)
    }

    fn blocks(&self, audio: &dyn Audio, level: &Level) -> Result<Blocks, EncodeError> {
        Blocks::new(&self.config, self.rate, level)
            .map_err(|fault| EncodeError::audio(audio.name(), fault))
    }

    fn cells(&self, group: usize, draws: Address) -> Cells {
        let rate = f64::from(self.output_rate());
        let first = self.response.channels(group).start as u32;
        Cells {
            group,
            pools: self.config.hair_cell.rest(),
            nerve: self.config.nerve.compile(rate, draws.element(first)),
            bushy: BushyState::default(),
            spikes: Vec::new(),
        }
    }

    /// Takes `count` velocities from instant `from` on through the cells; the
    /// first of them is step `first` of the recording.
    #[inline(always)]
    fn listen(
        &self,
        cells: &mut Cells,
        velocities: &Velocities,
        from: usize,
        first: u32,
        count: usize,
    ) {
        let channels = self.response.channels(cells.group);
        for i in 0..count {
            let step = first + i as u32;
            let velocity = velocities.at(from + i);
            let probability = self.hair_cell.step(&mut cells.pools, &velocity);
            let fired = cells.nerve.step(step, &probability);
            let spikes = self.bushy.step(&mut cells.bushy, &fired);
            if spikes != [false; LANES] {
                let spiking = channels.clone().zip(spikes).filter(|&(_, spikes)| spikes);
                cells
                    .spikes
                    .extend(spiking.map(|(channel, _)| CochleaSpike {
                        step,
                        channel: channel as u16,
                    }));
            }
        }
    }
}
