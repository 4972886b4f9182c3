//! The hot loop: one sample through the core.
//!
//! One pass per step over blocks of neurons: gather the step's events, propagate, add
//! noise, compare ([`advance`]). Neurons that cross their threshold or are released from
//! reset are followed event by event ([`follow`]); what on-chip events of the same step
//! change comes last ([`recurrence`]). Nothing is allocated once the buffers have grown.

use bss2_event::SimdPath;
use bss2_event::random::{Address, Domain};

use crate::events::{Events, Step};
use crate::lanes::{L, Lanes};
use crate::lowered::{Common, RunAddress, Start};
use crate::madc::Recorder;
use crate::neuron::lif::{BlockState, LifBlock};
use crate::neuron::pack::Strengths;
use crate::neuron::threshold::Nodes;
use crate::noise::fill_words;
use crate::observation::{NeuronSpike, Observation};
use crate::readout::{self, Around, Courses, Sampler};
use crate::trial::{self, Trial};

mod advance;
mod follow;
mod recurrence;

pub(crate) use advance::{Drive, Inputs};
use follow::Overwritten;
use recurrence::Arrival;
pub(crate) use recurrence::Crossing;

/// Buffers of one running sample; one per thread, reused.
#[derive(Debug, Clone, Default)]
pub struct Workspace {
    pub(crate) single: Buffers<2>,
    pub(crate) joined: Buffers<4>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Buffers<const G: usize> {
    pub(crate) events: Events<G>,
    pub(crate) trials: Vec<Trial<G>>,
    /// `[block]`: what the currents at the beginning of a step do to the membranes
    /// within it, volts.
    rise: Vec<Lanes>,
    /// States at the beginning and at the end of a step.
    pub(crate) before: Vec<BlockState<G>>,
    after: Vec<BlockState<G>>,
    /// `[block]`: end of the reset of each neuron, microseconds.
    pub(crate) held_until: Vec<Lanes>,
    /// `[block]`: adaptation, volts per microsecond.
    pub(crate) adaptation: Vec<Lanes>,
    /// Microseconds from the beginning of the last run to the state that is
    /// held now.
    pub(crate) elapsed: f64,
    /// `[block]`: what the events of the step do.
    drives: Vec<Drive<G>>,
    /// What on-chip events add to a block that is at its end.
    more: Drive<G>,
    pub(crate) words: Vec<Lanes<u32>>,
    normals: Vec<Lanes>,
    pub(crate) nodes: Nodes<G>,
    /// Neurons that will be followed together.
    followed: Vec<u16>,
    /// What these have in the rows of a step.
    looked_up: Strengths,
    /// Crossings of this step; once all blocks were advanced, in the order in which
    /// their events are sent.
    pub(crate) crossings: Vec<Crossing>,
    overwritten: Overwritten,
    /// On-chip events of the step that do not act yet.
    arrivals: Vec<Arrival>,
    /// Lanes that such events have followed again, each alone.
    alone: Vec<u16>,
    /// `[sample][block]`, volts.
    traces: Vec<Lanes>,
    courses: Courses,
}

/// The events of a sample, and what its draws are addressed by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input<'a> {
    pub(crate) address: RunAddress,
    /// Seconds, ascending.
    pub(crate) times: &'a [f64],
    pub(crate) sources: &'a [u16],
    /// Whether the run goes on from the state that the buffers hold.
    pub(crate) resumes: bool,
}

#[inline(always)]
pub(crate) fn run<const G: usize, const SNAP: bool>(
    (common, path): (&Common, SimdPath),
    blocks: &[LifBlock<G>],
    input: Input<'_>,
    recurrence: &mut dyn FnMut(u16, f64) -> Option<f64>,
    buffers: &mut Buffers<G>,
    observation: &mut Observation,
) {
    let draws = |domain| {
        Address::new(input.address.seed, domain)
            .sample(input.address.sample)
            .presentation(input.address.presentation)
    };
    let h = common.integration.step_us();
    if input.resumes {
        assert_eq!(
            buffers.before.len(),
            blocks.len(),
            "the workspace holds the state of a run of this core"
        );
    }
    buffers.prepare(blocks.len(), common.integration.schedule.samples);
    if input.resumes {
        buffers.carry_over();
    } else {
        let b = &mut *buffers;
        b.events.clear();
        let (normals, trials) = (&mut b.normals, &mut b.trials);
        trial::draw(
            common,
            blocks,
            draws(Domain::TrialVariation),
            normals,
            trials,
        );
        let initial = draws(Domain::InitialState);
        let states = (&mut *b.before, &mut *b.adaptation);
        let (normals, held) = (&mut b.normals, &mut b.held_until);
        trial::begin(common, blocks, &b.trials, initial, normals, states, held);
    }

    buffers.courses.forget();

    let noise = draws(Domain::MembraneNoise);
    let noisy = common.noise.membrane.get() > 0.0;
    let delay = common.noise.comparator_delay.as_micro() as f32;
    let jitter = draws(Domain::SpikeJitter);
    let mut sampler = Sampler::new(common, draws(Domain::CadcTiming));
    let madc = Recorder::new(common, draws(Domain::MadcNoise));
    let last = madc.as_ref().map_or(0.0, Recorder::end);
    // Ramps span steps, and what is held is released at time zero or a little later.
    let free = !input.resumes && common.start == Start::Rest && sampler.takes_no_time();
    let origin = if free {
        common.integration.origin(sampler.first_time())
    } else {
        0.0
    };
    let whole = common.integration.steps(sampler.last_time().max(last));
    let of_run = 0.0..=whole as f64 * h;
    let steps = whole + usize::from(origin < 0.0);
    observation.spikes.clear();
    let madc_samples = madc.as_ref().map_or(0, Recorder::samples);
    observation.madc.resize(madc_samples, 0);
    for index in 0..steps {
        let step = Step { index, origin, h };
        let frame = Frame {
            common,
            path,
            blocks,
            step,
            delay,
            noisy,
            jitter,
        };
        buffers
            .events
            .gather(common, input.times, input.sources, step);
        if noisy && index % 4 == 0 {
            fill_words(noise, (index / 4) as u32, 0, &mut buffers.words);
        }
        buffers.crossings.clear();
        buffers.overwritten.held_until.clear();
        // Back and forth: what was used last is still in the first level of cache.
        let (last, back) = (blocks.len().saturating_sub(1), index % 2 == 1);
        for place in 0..blocks.len() {
            buffers.advance::<SNAP>(&frame, if back { last - place } else { place });
        }
        buffers.settle(&frame, 0.0);
        buffers.send(&frame);
        let mut done = 0;
        loop {
            let next = buffers.crossings.get(done);
            // Events act on nothing before they arrive.
            let Some(&crossing) = next.filter(|next| next.at <= buffers.first_arrival()) else {
                if buffers.arrivals.is_empty() {
                    break;
                }
                // A function of its own: the loop around it is faster without its code.
                frame.path.dispatch(
                    #[inline(always)]
                    || buffers.take_arrivals(&frame, done),
                );
                continue;
            };
            done += 1;
            let neuron = crossing.lane;
            // Rounding may put the end of a step behind the beginning of the next.
            let sent = (step.start() + f64::from(crossing.sent)).min(step.end());
            if !of_run.contains(&sent) {
                continue; // the grid begins and ends up to a step further out
            }
            let time = (sent + f64::from(delay)) * 1e-6;
            observation.spikes.push(NeuronSpike { time, neuron });
            if let Some(arrival) = recurrence(neuron, time) {
                let source = (common.inputs + usize::from(neuron)) as u16;
                buffers.receive::<SNAP>(&frame, arrival * 1e6, source);
            }
        }
        if let Some(madc) = &madc {
            madc.record(&frame, buffers, &mut observation.madc);
        }
        // Rounding may put the last sample on the end of the last step.
        let due_before = if index + 1 < steps {
            step.end()
        } else {
            f64::INFINITY
        };
        sampler.due(
            due_before,
            // Left to itself it would be compiled for the baseline alone.
            #[inline(always)]
            |sample| {
                let around = Around {
                    before: &buffers.before,
                    after: &buffers.after,
                    rise: &buffers.rise,
                    adaptation: &buffers.overwritten.adaptation,
                    held_until: &buffers.held_until,
                    v_range: common.v_range,
                    drives: &buffers.drives,
                    events: &buffers.events,
                    strengths: common.table.strengths(),
                    crossings: &buffers.crossings,
                    t_start: step.start(),
                    h: h as f32,
                    read_from: observation.read_from,
                };
                let traces = &mut buffers.traces[sample.index * blocks.len()..][..blocks.len()];
                let to = (&mut buffers.courses, traces);
                readout::take::<G, SNAP>(blocks, &buffers.trials, around, sample, to);
            },
        );
        std::mem::swap(&mut buffers.before, &mut buffers.after);
    }
    buffers.elapsed = origin + steps as f64 * h;
    let (words, traces) = (&mut buffers.words, &mut buffers.traces);
    readout::convert(
        common,
        blocks,
        draws(Domain::CadcNoise),
        words,
        traces,
        observation,
    );
}

/// A step, and what is the same for all of its blocks.
pub(crate) struct Frame<'a, const G: usize> {
    pub(crate) common: &'a Common,
    path: SimdPath,
    pub(crate) blocks: &'a [LifBlock<G>],
    pub(crate) step: Step,
    /// Of the comparator, microseconds.
    delay: f32,
    /// Whether membranes are noisy.
    noisy: bool,
    /// Where the jitter of events is drawn.
    jitter: Address,
}

impl<const G: usize> Buffers<G> {
    fn prepare(&mut self, blocks: usize, samples: usize) {
        self.rise.resize(blocks, Lanes::ZERO);
        self.before.resize(blocks, BlockState::ZERO);
        self.after.resize(blocks, BlockState::ZERO);
        self.held_until.resize(blocks, Lanes::ZERO);
        self.adaptation.resize(blocks, Lanes::ZERO);
        self.drives.resize_with(blocks, Drive::default);
        self.overwritten.adaptation.resize(blocks, Lanes::ZERO);
        self.words.resize(blocks, Lanes::all(0));
        self.normals.resize(blocks, Lanes::ZERO);
        self.traces.resize(blocks * samples, Lanes::ZERO);
    }

    /// Counts time from the state that is held now.
    fn carry_over(&mut self) {
        let elapsed = self.elapsed as f32;
        for until in &mut self.held_until {
            for l in 0..L {
                until[l] -= elapsed;
            }
        }
        self.events.carry_over(self.elapsed);
        self.elapsed = 0.0;
    }
}
