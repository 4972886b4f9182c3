//! The hot loop: one sample through the core.
//!
//! One pass per step over blocks of neurons: gather the step's events,
//! propagate, add noise, compare. What happens rarely - a crossing, a release
//! from reset - is resolved neuron by neuron; what on-chip events of the same step
//! change, in [`recurrence`]. Nothing is allocated once the buffers have grown.

use bss2_event::SimdPath;
use bss2_event::random::{Address, Domain};

use crate::events::{Events, Step, Touch};
use crate::lowered::{Common, RunAddress};
use crate::madc::Recorder;
use crate::neuron::adex::AdexBlock;
use crate::neuron::lif::{BlockState, Lanes, LifBlock, MOMENTS, saturate, saturate_share};
use crate::neuron::pack::{Ending, Pack};
use crate::neuron::threshold::{
    Current, LocalNeuron, Membrane, Moment, Nodes, TOGETHER, gather_nodes,
};
use crate::neuron::upswing::Upswing;
use crate::noise::{BYTE_MEAN, fill_words};
use crate::observation::{NeuronSpike, Observation};
use crate::readout::{self, Around, Sampler};
use crate::synapse::L;
use crate::trial::{self, Trial};

mod recurrence;

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
    /// Of the block at hand.
    drive: Drive<G>,
    /// `[block]`: what stays of it for a closer look.
    drives: Vec<Shares<G>>,
    pub(crate) words: Vec<[u32; L]>,
    normals: Vec<Lanes>,
    pub(crate) nodes: Nodes<G>,
    pack: Pack<G>,
    /// Crossings of this step; once all blocks were advanced, in the order in which
    /// their events are sent.
    pub(crate) crossings: Vec<Crossing>,
    overwritten: Overwritten,
    /// On-chip events of the step that do not act yet.
    arrivals: Vec<Arrival>,
    /// `[sample][block]`, volts.
    traces: Vec<Lanes>,
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

    let noise = draws(Domain::MembraneNoise);
    let noisy = common.noise.membrane.get() > 0.0;
    let delay = common.noise.comparator_delay.as_micro() as f32;
    let jitter = draws(Domain::SpikeJitter);
    let mut sampler = Sampler::new(common, draws(Domain::CadcTiming));
    let madc = Recorder::new(common, draws(Domain::MadcNoise));
    let last = madc.as_ref().map_or(0.0, Recorder::end);
    let steps = common.integration.steps(sampler.last_time().max(last));
    observation.spikes.clear();
    let madc_samples = madc.as_ref().map_or(0, Recorder::samples);
    observation.madc.resize(madc_samples, 0);
    for index in 0..steps {
        let step = Step { index, h };
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
        for block in 0..blocks.len() {
            buffers.advance::<SNAP>(&frame, block);
        }
        buffers.settle(&frame);
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
            let time = (step.start() + f64::from(crossing.sent) + f64::from(delay)) * 1e-6;
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
                    held_until: &buffers.held_until,
                    events: &buffers.events,
                    strengths: common.table.strengths(),
                    crossings: &buffers.crossings,
                    t_start: step.start(),
                    h: h as f32,
                    first_block: observation.read_from / L,
                };
                let traces = &mut buffers.traces[sample.index * blocks.len()..][..blocks.len()];
                readout::take::<G, SNAP>(blocks, &buffers.trials, around, sample, traces);
            },
        );
        std::mem::swap(&mut buffers.before, &mut buffers.after);
    }
    buffers.elapsed = steps as f64 * h;
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

/// What a neuron had when the step at hand began, of what the step overwrites.
#[derive(Debug, Clone, Default)]
struct Overwritten {
    /// Lane and end of the reset, the oldest first.
    held_until: Vec<(u16, f32)>,
    /// `[block]`, where neurons have further terms.
    adaptation: Vec<Lanes>,
}

/// What the events of a step add at its end: to the normalised mean current of
/// each input, and to the currents themselves.
#[derive(Debug, Clone)]
pub(crate) struct Drive<const G: usize> {
    /// Whether there are any; if not, the sums are of some step before.
    any: bool,
    pub(crate) x: [Lanes; G],
    pub(crate) current: [Lanes; G],
}

/// What events add to the normalised mean current of each input of a block.
#[derive(Debug, Clone)]
struct Shares<const G: usize> {
    /// Whether there are any; if not, the sums are of some step before.
    any: bool,
    x: [Lanes; G],
}

impl<const G: usize> Default for Drive<G> {
    fn default() -> Self {
        Self {
            any: false,
            x: [[0.0; L]; G],
            current: [[0.0; L]; G],
        }
    }
}

impl<const G: usize> Default for Shares<G> {
    fn default() -> Self {
        Self {
            any: false,
            x: [[0.0; L]; G],
        }
    }
}

/// What a block meets in a step.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'a, const G: usize> {
    pub(crate) trial: &'a Trial<G>,
    pub(crate) drive: &'a Drive<G>,
    /// Membrane noise of this step, volts.
    pub(crate) kick: &'a Lanes,
    pub(crate) v_reset: &'a Lanes,
    pub(crate) held_until: &'a Lanes,
    /// Membrane range.
    pub(crate) low: f32,
    pub(crate) high: f32,
    pub(crate) t_start: f32,
    pub(crate) hold_from: f32,
}

/// Lanes whose sums over events stay in registers.
const PART: usize = 32;

/// Sums over the events of a step on part of a block: of the strengths, and of
/// strengths times first and second power of the distance to the step's middle.
#[inline(always)]
fn moments(
    touches: &[Touch],
    strengths: &[Lanes],
    block: usize,
    part: usize,
) -> [[f32; PART]; MOMENTS] {
    let mut sums = [[0.0; PART]; MOMENTS];
    for touch in touches {
        let Some(row) = touch.row.on(strengths, block) else {
            continue;
        };
        let end = (part + 1) * PART;
        if usize::from(touch.row.from_lane) >= end {
            continue;
        }
        let (row, e) = (&row[end - PART..end], touch.e);
        let square = e * e;
        for l in 0..PART {
            sums[0][l] += row[l];
            sums[1][l] = row[l].mul_add(e, sums[1][l]);
            sums[2][l] = row[l].mul_add(square, sums[2][l]);
        }
    }
    sums
}

/// Propagates a block through a step; says whether some neuron crosses or is
/// released. `rise` gets what the currents it begins with do, without events and
/// where the pass knew events also without saturation.
#[inline(always)]
fn propagate<const G: usize, const DRIVEN: bool, const SNAP: bool>(
    inputs: &Inputs<'_, G>,
    old: &BlockState<G>,
    new: &mut BlockState<G>,
    rise: &mut Lanes,
) -> bool {
    let Inputs {
        trial: t,
        drive,
        kick,
        v_reset,
        held_until,
        ..
    } = *inputs;
    let mut attention = 0_u32;
    for l in 0..L {
        let (mut dv, mut undriven) = (0.0, 0.0);
        let mut lift = 0.0;
        for g in 0..G {
            let current = old.current[g][l];
            let (kappa, decay, saturation) = (t.kappa[g][l], t.decay[g][l], t.saturation[g][l]);
            let x = if DRIVEN {
                undriven = saturation.mul_add(kappa * current, undriven);
                if g % 2 == 1 && !SNAP {
                    lift = (-saturation).mul_add(drive.x[g][l], lift);
                }
                new.current[g][l] = decay.mul_add(current, drive.current[g][l]);
                kappa.mul_add(current, drive.x[g][l])
            } else {
                new.current[g][l] = decay * current;
                kappa * current
            };
            dv = saturation.mul_add(saturate(x), dv);
        }
        rise[l] = if DRIVEN { undriven } else { dv };
        let v = (old.v[l] - t.v_rest[l]).mul_add(t.v_decay[l], t.v_rest[l]) + (dv + kick[l]);
        let v = if v > inputs.low { v } else { inputs.low };
        let v = if v < inputs.high { v } else { inputs.high };
        let held = held_until[l] >= inputs.hold_from;
        new.v[l] = if held { v_reset[l] } else { v };
        let released = (held_until[l] > inputs.t_start) & !held & !SNAP;
        // It may have been above before the inhibition of this step came.
        let highest = v + lift;
        attention |= u32::from(released | ((highest > t.v_attention[l]) & !held));
    }
    attention != 0
}

impl<const G: usize> Buffers<G> {
    fn prepare(&mut self, blocks: usize, samples: usize) {
        self.rise.resize(blocks, [0.0; L]);
        self.before.resize(blocks, BlockState::ZERO);
        self.after.resize(blocks, BlockState::ZERO);
        self.held_until.resize(blocks, [0.0; L]);
        self.adaptation.resize(blocks, [0.0; L]);
        self.drives.resize_with(blocks, Shares::default);
        self.overwritten.adaptation.resize(blocks, [0.0; L]);
        self.words.resize(blocks, [0; L]);
        self.normals.resize(blocks, [0.0; L]);
        self.traces.resize(blocks * samples, [0.0; L]);
    }

    /// Counts time from the state that is held now.
    fn carry_over(&mut self) {
        let elapsed = self.elapsed as f32;
        for until in self.held_until.as_flattened_mut() {
            *until -= elapsed;
        }
        self.events.carry_over(self.elapsed);
        self.elapsed = 0.0;
    }

    /// Sums the events of a step on a block.
    #[inline(always)]
    fn drive<const SNAP: bool>(&mut self, common: &Common, c: &LifBlock<G>, block: usize) {
        let drive = &mut self.drive;
        drive.any = false;
        if self.events.step.is_empty() {
            return;
        }
        let mut touched = [false; G];
        let strengths = common.table.strengths();
        for g in 0..G {
            let touches = &self.events.touches[g];
            touched[g] = touches.iter().any(|touch| touch.row.reaches(block));
            if !touched[g] {
                continue;
            }
            for part in 0..L / PART {
                let sums = moments(touches, strengths, block, part);
                let lanes = part * PART..(part + 1) * PART;
                let (x, current) = (
                    &mut drive.x[g][lanes.clone()],
                    &mut drive.current[g][lanes.clone()],
                );
                if SNAP {
                    // Events act as if the current had jumped when the step began.
                    let t = &self.trials[block];
                    let (kappa, decay) = (&t.kappa[g][lanes.clone()], &t.decay[g][lanes]);
                    for l in 0..PART {
                        x[l] = kappa[l] * sums[0][l];
                        current[l] = decay[l] * sums[0][l];
                    }
                } else {
                    let of = |c: &[[Lanes; G]; MOMENTS], l: usize| {
                        let at = lanes.start + l;
                        let last = c[2][g][at] * sums[2][l];
                        let last = c[1][g][at].mul_add(sums[1][l], last);
                        c[0][g][at].mul_add(sums[0][l], last)
                    };
                    for l in 0..PART {
                        x[l] = of(&c.event_membrane, l);
                        current[l] = of(&c.event_current, l);
                    }
                }
            }
        }
        drive.any = touched.contains(&true);
        if drive.any {
            for g in (0..G).filter(|&g| !touched[g]) {
                drive.x[g] = [0.0; L];
                drive.current[g] = [0.0; L];
            }
        }
    }

    /// Membrane noise of a lane in a step, volts.
    #[inline(always)]
    fn kick(&self, frame: &Frame<'_, G>, (block, l): (usize, usize)) -> f32 {
        let byte = (self.words[block][l] >> (8 * (frame.step.index % 4) as u32)) & 0xff;
        frame.blocks[block].noise[l] * (byte as i32 as f32 - BYTE_MEAN)
    }

    /// Advances one block by one step.
    #[inline(always)]
    fn advance<const SNAP: bool>(&mut self, frame: &Frame<'_, G>, block: usize) {
        let (common, c, step) = (frame.common, &frame.blocks[block], frame.step);
        self.drive::<SNAP>(common, c, block);
        let mut kick = [0.0; L];
        if frame.noisy {
            for l in 0..L {
                kick[l] = self.kick(frame, (block, l));
            }
        }
        let (low, high) = common.v_range;
        let inputs = Inputs {
            trial: &self.trials[block],
            drive: &self.drive,
            kick: &kick,
            v_reset: &self.trials[block].v_reset,
            held_until: &self.held_until[block],
            low,
            high,
            t_start: step.start() as f32,
            hold_from: hold_from::<SNAP>(step),
        };
        let (old, new) = (&self.before[block], &mut self.after[block]);
        let rise = &mut self.rise[block];
        let driven = inputs.drive.any;
        let attention = if let Some(terms) = c.terms.as_deref().filter(|_| !SNAP) {
            let w = &mut self.adaptation[block];
            self.overwritten.adaptation[block] = *w;
            if driven {
                terms.propagate::<true>(&inputs, old, new, w)
            } else {
                terms.propagate::<false>(&inputs, old, new, w)
            }
        } else if driven {
            propagate::<G, true, SNAP>(&inputs, old, new, rise)
        } else {
            propagate::<G, false, SNAP>(&inputs, old, new, rise)
        };
        let drive = &mut self.drives[block];
        drive.any = self.drive.any;
        if driven {
            drive.x = self.drive.x;
        }
        if attention {
            self.attend::<SNAP>(frame, block);
        }
    }

    /// The equation of one neuron in a step.
    #[inline(always)]
    fn local_neuron(&self, frame: &Frame<'_, G>, (block, l): (usize, usize)) -> LocalNeuron<G> {
        let c = &frame.blocks[block];
        let (t, old, drive) = (
            &self.trials[block],
            &self.before[block],
            &self.drives[block],
        );
        let kick = if frame.noisy {
            self.kick(frame, (block, l))
        } else {
            0.0
        };
        // Loops, since closures of `from_fn` would be compiled for the baseline alone.
        let (mut inverse_tau_syn, mut gain) = ([0.0; G], [0.0; G]);
        for g in 0..G {
            inverse_tau_syn[g] = c.inverse_tau_syn[g][l];
            let trial = t.saturation[g][l] * c.inverse_saturation[g][l];
            let driven = if drive.any { drive.x[g][l] } else { 0.0 };
            let x = t.kappa[g][l] * old.current[g][l] + driven;
            gain[g] = trial * saturate_share(x);
        }
        LocalNeuron {
            v_rest: t.v_rest[l],
            v_reset: t.v_reset[l],
            v_threshold: t.v_threshold[l],
            inverse_tau_mem: c.inverse_tau_mem[l],
            inverse_tau_syn,
            gain,
            drift: kick / frame.step.h as f32,
            hold: frame.delay + c.refractory[l],
        }
    }

    /// How much higher membranes may have been within a step than at its end: by the
    /// inhibition that came.
    #[inline(always)]
    fn lift(&self, block: usize) -> Lanes {
        let (t, drive) = (&self.trials[block], &self.drives[block]);
        let mut lift = [0.0; L];
        if drive.any {
            for g in (1..G).step_by(2) {
                for l in 0..L {
                    lift[l] -= t.saturation[g][l] * drive.x[g][l];
                }
            }
        }
        lift
    }

    /// Which neurons of a block cross, or are released: 1 for each that needs a
    /// closer look, by the rule of the fast pass.
    #[inline(always)]
    fn flags<const SNAP: bool>(&self, block: usize, step: Step) -> [u8; L] {
        let (t_start, hold_from) = (step.start() as f32, hold_from::<SNAP>(step));
        let (held_until, v) = (&self.held_until[block], &self.after[block].v);
        let lift = if SNAP { [0.0; L] } else { self.lift(block) };
        let attention = &self.trials[block].v_attention;
        let mut flags = [0; L];
        for l in 0..L {
            let held = held_until[l] >= hold_from;
            let released = (held_until[l] > t_start) & !SNAP;
            flags[l] = u8::from((released | (v[l] + lift[l] > attention[l])) & !held);
        }
        flags
    }

    /// A neuron as the step at hand began, held until then.
    #[inline(always)]
    pub(crate) fn begin<C: Current<G>>(
        &self,
        frame: &Frame<'_, G>,
        (block, l): (usize, usize),
        held_until: f32,
    ) -> (LocalNeuron<G>, Moment<C>) {
        let neuron = self.local_neuron(frame, (block, l));
        let old = &self.before[block];
        let mut currents = [0.0; G];
        for g in 0..G {
            currents[g] = old.current[g][l];
        }
        let until = held_until - frame.step.start() as f32;
        let moment = neuron.begin((old.v[l], currents), until);
        (neuron, moment)
    }

    /// The further terms of a neuron as the step at hand began.
    #[inline(always)]
    pub(crate) fn upswing<'a>(
        &self,
        block_terms: &'a AdexBlock<G>,
        (block, l): (usize, usize),
    ) -> Upswing<'a, G> {
        Upswing {
            block: block_terms,
            lane: l,
            w: self.overwritten.adaptation[block][l],
        }
    }

    /// Until when a neuron was held as the step at hand began.
    #[inline(always)]
    pub(crate) fn held_before(&self, (block, l): (usize, usize)) -> f32 {
        let lane = (block * L + l) as u16;
        let first = self.overwritten.held_until.iter().find(|old| old.0 == lane);
        first.map_or(self.held_until[block][l], |old| old.1)
    }

    /// Keeps until when a neuron is held.
    #[inline(always)]
    fn hold(&mut self, lane: u16, until: f32) {
        let held_until = &mut self.held_until[usize::from(lane) / L][usize::from(lane) % L];
        self.overwritten.held_until.push((lane, *held_until));
        *held_until = until;
    }

    /// Looks closely at the neurons of a block that cross, or are released.
    #[inline(always)]
    fn attend<const SNAP: bool>(&mut self, frame: &Frame<'_, G>, block: usize) {
        let flags = self.flags::<SNAP>(block, frame.step);
        for (eight, flags) in flags.as_chunks::<8>().0.iter().enumerate() {
            // In the order of lanes, which is that of bytes in memory.
            let mut bytes = u64::from_le_bytes(*flags);
            while bytes != 0 {
                let l = 8 * eight + bytes.trailing_zeros() as usize / 8;
                bytes &= bytes - 1;
                if SNAP {
                    self.fire_at_end(&frame.blocks[block], (block, l), frame.step);
                } else {
                    self.resolve(frame, (block, l));
                }
            }
        }
    }

    /// On the snapped grid a neuron fires at the end of a step.
    #[inline(always)]
    fn fire_at_end(&mut self, c: &LifBlock<G>, (block, l): (usize, usize), step: Step) {
        if self.after[block].v[l] > self.trials[block].v_threshold[l] {
            let lane = (block * L + l) as u16;
            self.crossings.push(Crossing::new(step.h as f32, lane));
            self.hold(lane, step.end() as f32 + c.refractory[l]);
        }
    }

    /// Has one neuron followed through the step event by event: together with
    /// others, or alone where it has further terms.
    #[inline(always)]
    fn resolve(&mut self, frame: &Frame<'_, G>, (block, l): (usize, usize)) {
        let h = frame.step.h as f32;
        let lane = (block * L + l) as u16;
        let until = self.held_until[block][l];
        let Some(terms) = frame.blocks[block].terms.as_deref() else {
            if self.pack.is_full() {
                self.settle(frame);
            }
            let (neuron, moment) = self.begin(frame, (block, l), until);
            self.pack.push(neuron, lane, moment);
            return;
        };
        let mut upswing = self.upswing(terms, (block, l));
        let (neuron, moment) = self.begin(frame, (block, l), until);
        let nodes = Upswing::nodes(&mut self.nodes);
        let (events, strengths) = (&self.events, frame.common.table.strengths());
        gather_nodes(events, strengths, &neuron, (block, l), TOGETHER * h, nodes);
        let crossings = &mut self.crossings;
        let on_spike = |at| crossings.push(Crossing::new(at, lane));
        let end = neuron.resolve(&mut upswing, moment, nodes, 0.0..h, on_spike);
        self.adaptation[block][l] = upswing.w;
        let end = Ending {
            lane,
            v: end.v,
            held_until: end.held_until,
        };
        self.end(frame, end);
    }

    /// Follows the neurons that were put together.
    #[inline(always)]
    fn settle(&mut self, frame: &Frame<'_, G>) {
        if self.pack.is_empty() {
            return;
        }
        let (events, strengths) = (&self.events, frame.common.table.strengths());
        let crossings = &mut self.crossings;
        let on_spike = |lane, at| crossings.push(Crossing::new(at, lane));
        self.pack
            .resolve(events, strengths, frame.step.h as f32, on_spike);
        while let Some(end) = self.pack.pop() {
            self.end(frame, end);
        }
    }

    /// Keeps how a neuron ends a step.
    #[inline(always)]
    fn end(&mut self, frame: &Frame<'_, G>, end: Ending) {
        let ((low, high), t_start) = (frame.common.v_range, frame.step.start() as f32);
        let (block, l) = (usize::from(end.lane) / L, usize::from(end.lane) % L);
        self.after[block].v[l] = end.v.max(low).min(high);
        if end.held_until != self.held_until[block][l] - t_start {
            self.hold(end.lane, t_start + end.held_until);
        }
    }
}

/// A neuron whose reset ends here or later is held for the whole step. On the
/// snapped grid ends are multiples of the step up to rounding.
#[inline(always)]
fn hold_from<const SNAP: bool>(step: Step) -> f32 {
    (if SNAP {
        step.end() - 0.5 * step.h
    } else {
        step.end()
    }) as f32
}
