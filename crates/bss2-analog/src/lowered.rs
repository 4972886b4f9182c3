//! A chip compiled for a network: flat arrays, ready to run.

use bss2_event::{Seconds, Seed, SimdPath};

use crate::error::AnalogError;
use crate::integration::{Grid, Integration};
use crate::lanes::L;
use crate::neuron::adex::AdexBlock;
use crate::neuron::lif::{LaneParameters, LifBlock};
use crate::observation::Observation;
use crate::profile::{CadcSpread, CapMemSpread, MismatchProfile, NoiseProfile};
use crate::reset::ArtificialReset;
use crate::step::{self, Workspace};
use crate::synapse::SynapseTable;

/// What the random draws of a run are addressed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunAddress {
    /// Chip and run: fixed for all samples of an experiment.
    pub seed: Seed,
    /// The sample's identity in its data set.
    pub sample: u64,
    /// Which showing of the data this is, below 2^24; those from
    /// [`RunAddress::CALIBRATIONS`] on belong to calibrations.
    pub presentation: u32,
}

impl RunAddress {
    /// Presentations from here on are experiments of calibrations: no run of a network
    /// meets the noise that a calibration of its chip has met.
    pub const CALIBRATIONS: u32 = 3 << 22;

    /// Draws of run `run` on chip `chip`.
    #[must_use]
    pub fn new(chip: Seed, run: Seed, sample: u64, presentation: u32) -> Self {
        Self {
            seed: Seed(run.0 ^ chip.0.rotate_left(32)),
            sample,
            presentation,
        }
    }
}

/// State of the neurons at the beginning of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Start {
    /// Long after the previous sample, as in training: currents are zero and
    /// membranes at rest; neurons whose rest lies above their threshold fire, in
    /// a random phase.
    #[default]
    Rest,
    /// Membranes are held at reset and released at this time, as after a spike: they may
    /// cross once the hold-off is over as well.
    Held {
        /// End of the hold.
        until: Seconds,
    },
}

/// An analog core compiled for a network.
#[derive(Debug, Clone)]
pub struct LoweredCore {
    blocks: Blocks,
    pub(crate) common: Common,
}

/// What does not depend on the number of synaptic inputs.
#[derive(Debug, Clone)]
pub(crate) struct Common {
    pub(crate) neurons: usize,
    pub(crate) inputs: usize,
    pub(crate) table: SynapseTable,
    pub(crate) noise: NoiseProfile,
    pub(crate) cadc: CadcSpread,
    pub(crate) capmem: CapMemSpread,
    pub(crate) v_range: (f32, f32),
    pub(crate) integration: Integration,
    pub(crate) start: Start,
}

/// Neurons of one circuit have two synaptic inputs, of two circuits four.
#[derive(Debug, Clone)]
enum Blocks {
    Single(Vec<LifBlock<2>>),
    Joined(Vec<LifBlock<4>>),
}

fn compile<const G: usize>(lanes: &[LaneParameters], h: f64) -> Vec<LifBlock<G>> {
    let mut blocks = vec![LifBlock::idle(); lanes.len().div_ceil(L)];
    for (lane, parameters) in lanes.iter().enumerate() {
        blocks[lane / L].set(lane % L, parameters, h);
    }
    for (block, lanes) in blocks.iter_mut().zip(lanes.chunks(L)) {
        block.terms = AdexBlock::compile(lanes, h);
    }
    blocks
}

impl LoweredCore {
    pub(crate) fn new(
        joined: bool,
        lanes: &[LaneParameters],
        table: SynapseTable,
        inputs: usize,
        profile: &MismatchProfile,
        integration: Integration,
    ) -> Self {
        let h = integration.step_us();
        let rail = profile.rail.get() as f32;
        let common = Common {
            neurons: lanes.len(),
            inputs,
            table,
            noise: profile.noise,
            cadc: profile.cadc,
            capmem: profile.capmem,
            v_range: if rail.is_finite() {
                (0.0, rail)
            } else {
                (f32::NEG_INFINITY, rail)
            },
            integration,
            start: Start::Rest,
        };
        let blocks = if joined {
            Blocks::Joined(compile(lanes, h))
        } else {
            Blocks::Single(compile(lanes, h))
        };
        Self { blocks, common }
    }

    /// Number of neurons.
    #[must_use]
    pub fn neurons(&self) -> usize {
        self.common.neurons
    }

    /// Sets the state that samples begin with.
    pub fn set_start(&mut self, start: Start) {
        self.common.start = start;
    }

    /// Takes the weights of all synapses, `[half][row][column]`, 0..=63.
    ///
    /// # Errors
    /// [`AnalogError::SynramSize`].
    pub fn write_weights(&mut self, weights: &[u8]) -> Result<(), AnalogError> {
        self.common.table.write(weights)
    }

    /// Integrates one sample.
    ///
    /// `times` (seconds, ascending) and `sources` are the events that arrive at
    /// the rows; `recurrence` is told each spike (neuron, seconds) in the order
    /// of time within a step and answers when its event arrives at the rows, if
    /// it does: not before the spike. Nothing is allocated once workspace and
    /// observation have grown.
    ///
    /// # Panics
    /// If `times` and `sources` differ in length or a source does not exist.
    pub fn run(
        &self,
        address: RunAddress,
        times: &[f64],
        sources: &[u16],
        mut recurrence: impl FnMut(u16, f64) -> Option<f64>,
        workspace: &mut Workspace,
        observation: &mut Observation,
    ) {
        self.run_on(
            SimdPath::Native,
            address,
            times,
            sources,
            &mut recurrence,
            workspace,
            observation,
        );
    }

    /// Goes on from where the last run with this workspace ended, as
    /// [`LoweredCore::run`] otherwise: the end of that run is time zero. A run without a
    /// [duration](Integration::duration) ends up to a step later than its spikes are told.
    /// Membranes, currents, refractory periods, recurrent events under way and
    /// the trial's variation are carried over; noise is that of `address`.
    ///
    /// # Panics
    /// As [`LoweredCore::run`]; if the workspace holds no state of as many neurons.
    pub fn resume(
        &self,
        address: RunAddress,
        times: &[f64],
        sources: &[u16],
        mut recurrence: impl FnMut(u16, f64) -> Option<f64>,
        workspace: &mut Workspace,
        observation: &mut Observation,
    ) {
        let input = step::Input {
            address,
            times,
            sources,
            resumes: true,
        };
        let path = SimdPath::Native;
        self.step(path, input, &mut recurrence, workspace, observation);
    }

    /// Resets all neurons between a run and the one that is resumed from it, and
    /// clamps the synaptic lines meanwhile. The next run begins where the reset
    /// ends. Returns the number of recurrent events that arrived in between:
    /// they are lost.
    ///
    /// # Panics
    /// As [`LoweredCore::resume`].
    pub fn artificial_reset(&self, reset: &ArtificialReset, workspace: &mut Workspace) -> usize {
        match &self.blocks {
            Blocks::Single(blocks) => reset.apply(blocks, &mut workspace.single),
            Blocks::Joined(blocks) => reset.apply(blocks, &mut workspace.joined),
        }
    }

    /// As [`LoweredCore::run`], on a chosen instruction set: all give the same bits.
    #[allow(clippy::too_many_arguments)]
    #[doc(hidden)]
    pub fn run_on(
        &self,
        path: SimdPath,
        address: RunAddress,
        times: &[f64],
        sources: &[u16],
        mut recurrence: impl FnMut(u16, f64) -> Option<f64>,
        workspace: &mut Workspace,
        observation: &mut Observation,
    ) {
        let input = step::Input {
            address,
            times,
            sources,
            resumes: false,
        };
        self.step(path, input, &mut recurrence, workspace, observation);
    }

    /// Not generic over the recurrence, so that the hot loop is compiled once, here,
    /// and not anew in every crate that runs a core.
    fn step(
        &self,
        path: SimdPath,
        input: step::Input<'_>,
        recurrence: &mut dyn FnMut(u16, f64) -> Option<f64>,
        workspace: &mut Workspace,
        observation: &mut Observation,
    ) {
        let (times, sources) = (input.times, input.sources);
        assert_eq!(times.len(), sources.len(), "one source per event");
        assert!(
            sources
                .iter()
                .all(|&s| usize::from(s) < self.common.table.sources()),
            "sources are those of the site table"
        );
        let snapped = self.common.integration.grid == Grid::Snapped;
        let common = &self.common;
        macro_rules! run {
            ($g:literal, $snap:literal, $blocks:expr, $buffers:expr) => {
                path.dispatch(
                    #[inline(always)]
                    || {
                        step::run::<$g, $snap>(
                            (common, path),
                            $blocks,
                            input,
                            &mut *recurrence,
                            $buffers,
                            observation,
                        )
                    },
                )
            };
        }
        match (&self.blocks, snapped) {
            (Blocks::Single(b), false) => run!(2, false, b, &mut workspace.single),
            (Blocks::Single(b), true) => run!(2, true, b, &mut workspace.single),
            (Blocks::Joined(b), false) => run!(4, false, b, &mut workspace.joined),
            (Blocks::Joined(b), true) => run!(4, true, b, &mut workspace.joined),
        }
    }
}
