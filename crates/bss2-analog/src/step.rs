//! The hot loop: one sample through the core.
//!
//! One pass per step over blocks of neurons: gather the step's events,
//! propagate, add noise, compare. What happens rarely - a crossing, a release
//! from reset - is resolved neuron by neuron. Nothing is allocated once the
//! buffers have grown.

use bss2_event::random::{Address, Domain};

use crate::events::{Events, Step, Touch};
use crate::lowered::{Common, RunAddress};
use crate::madc::Recorder;
use crate::neuron::lif::{BlockState, Lanes, LifBlock, MOMENTS, saturate, saturate_share};
use crate::neuron::pack::{Ending, Pack};
use crate::neuron::threshold::{LocalNeuron, Membrane, Nodes, TOGETHER, gather_nodes};
use crate::neuron::upswing::Upswing;
use crate::noise::{BYTE_MEAN, fill_words};
use crate::observation::{NeuronSpike, Observation};
use crate::readout::{self, Around, Sampler};
use crate::synapse::L;
use crate::trial::{self, Trial};

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
    drive: Drive<G>,
    pub(crate) words: Vec<[u32; L]>,
    normals: Vec<Lanes>,
    pub(crate) nodes: Nodes<G>,
    pack: Pack<G>,
    /// Whether an on-chip event left some neuron above its threshold at the end of the
    /// last step.
    lifted: bool,
    /// Crossings of this step: (microseconds from its beginning, lane).
    pub(crate) crossings: Vec<(f32, u16)>,
    /// The same in the order in which their events are sent.
    sent: Vec<(f32, u16)>,
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
    common: &Common,
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
        b.lifted = false;
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
    let jitter = common.noise.spike_jitter.as_micro() as f32;
    let mut sampler = Sampler::new(common, draws(Domain::CadcTiming));
    let mut madc = Recorder::new(common, draws(Domain::MadcNoise));
    let last = madc.as_ref().map_or(0.0, Recorder::end);
    let steps = common.integration.steps(sampler.last_time().max(last));
    observation.spikes.clear();
    let madc_samples = madc.as_ref().map_or(0, Recorder::samples);
    observation.madc.resize(madc_samples, 0);
    for index in 0..steps {
        let step = Step { index, h };
        buffers
            .events
            .gather(common, input.times, input.sources, step);
        if noisy && index % 4 == 0 {
            fill_words(noise, (index / 4) as u32, 0, &mut buffers.words);
        }
        buffers.crossings.clear();
        if let Some(madc) = &mut madc {
            madc.before(buffers);
        }
        for (block, c) in blocks.iter().enumerate() {
            let driven = buffers.advance::<SNAP>(common, c, block, step, delay, noisy);
            if let Some(madc) = &madc {
                buffers.settle(common, step);
                let codes = &mut observation.madc;
                madc.record(common, c, buffers, (block, driven), step, codes);
            }
        }
        buffers.settle(common, step);
        buffers.lifted = false;
        buffers.send(draws(Domain::SpikeJitter), jitter, index, h as f32);
        for i in 0..buffers.sent.len() {
            let (at, neuron) = buffers.sent[i];
            let time = (step.start() + f64::from(at) + f64::from(delay)) * 1e-6;
            observation.spikes.push(NeuronSpike { time, neuron });
            if let Some(arrival) = recurrence(neuron, time) {
                let source = (common.inputs + usize::from(neuron)) as u16;
                buffers.receive::<SNAP>(common, blocks, arrival * 1e6, source, step);
            }
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

/// What a block's fast pass leaves for its neurons that need a closer look.
struct Pass<'a, const G: usize> {
    step: Step,
    /// Whether events drive the block in this step.
    driven: bool,
    /// Membrane noise of this step, volts.
    kick: &'a Lanes,
    /// Adaptation when the step began.
    adaptation: Option<&'a Lanes>,
    delay: f32,
}

/// What the events of a step add at its end: to the normalised mean current of
/// each input, and to the currents themselves.
#[derive(Debug, Clone)]
pub(crate) struct Drive<const G: usize> {
    pub(crate) x: [Lanes; G],
    pub(crate) current: [Lanes; G],
}

impl<const G: usize> Default for Drive<G> {
    fn default() -> Self {
        Self {
            x: [[0.0; L]; G],
            current: [[0.0; L]; G],
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
        for l in 0..PART {
            let first = row[l] * e;
            sums[0][l] += row[l];
            sums[1][l] += first;
            sums[2][l] += first * e;
        }
    }
    sums
}

/// Propagates a block through a step; says whether some neuron crosses or is
/// released. `rise` gets what the currents it begins with do, without events and
/// where events come also without saturation.
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
            let mut x = t.kappa[g][l] * current;
            let mut end = t.decay[g][l] * current;
            if DRIVEN {
                undriven += t.saturation[g][l] * x;
                x += drive.x[g][l];
                end += drive.current[g][l];
                if g % 2 == 1 && !SNAP {
                    lift -= t.saturation[g][l] * drive.x[g][l];
                }
            }
            new.current[g][l] = end;
            dv += t.saturation[g][l] * saturate(x);
        }
        rise[l] = if DRIVEN { undriven } else { dv };
        let v = t.v_rest[l] + (old.v[l] - t.v_rest[l]) * t.v_decay[l] + (dv + kick[l]);
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

    /// Orders the crossings of a step by the times of their events, which stay
    /// within the step so that those of all steps are in order.
    #[inline(always)]
    fn send(&mut self, address: Address, jitter: f32, step: usize, h: f32) {
        self.sent.clear();
        self.sent.extend_from_slice(&self.crossings);
        if jitter > 0.0 {
            for (at, neuron) in &mut self.sent {
                let z = address.element((*neuron).into()).normal(step as u32);
                *at = (*at + jitter * z as f32).clamp(0.0, h);
            }
        }
        self.sent
            .sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    }

    /// Sums the events of a step on a block; says whether there are any. If
    /// not, the sums stay as they were.
    #[inline(always)]
    fn drive<const SNAP: bool>(&mut self, common: &Common, c: &LifBlock<G>, block: usize) -> bool {
        let mut touched = [false; G];
        let strengths = common.table.strengths();
        for g in 0..G {
            let touches = &self.events.touches[g];
            let reach = |touch: &Touch| touch.row.on(strengths, block).is_some();
            touched[g] = touches.iter().any(reach);
            if !touched[g] {
                continue;
            }
            for part in 0..L / PART {
                let sums = moments(touches, strengths, block, part);
                let lanes = part * PART..(part + 1) * PART;
                let (x, current) = (
                    &mut self.drive.x[g][lanes.clone()],
                    &mut self.drive.current[g][lanes.clone()],
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
                        c[0][g][at] * sums[0][l]
                            + c[1][g][at] * sums[1][l]
                            + c[2][g][at] * sums[2][l]
                    };
                    for l in 0..PART {
                        x[l] = of(&c.event_membrane, l);
                        current[l] = of(&c.event_current, l);
                    }
                }
            }
        }
        let driven = touched.contains(&true);
        if driven {
            for g in (0..G).filter(|&g| !touched[g]) {
                self.drive.x[g] = [0.0; L];
                self.drive.current[g] = [0.0; L];
            }
        }
        driven
    }

    /// Advances one block by one step.
    #[inline(always)]
    fn advance<const SNAP: bool>(
        &mut self,
        common: &Common,
        c: &LifBlock<G>,
        block: usize,
        step: Step,
        delay: f32,
        noisy: bool,
    ) -> bool {
        let driven = !self.events.step.is_empty() && self.drive::<SNAP>(common, c, block);
        let mut kick = [0.0_f32; L];
        if noisy {
            let shift = 8 * (step.index % 4) as u32;
            let words = &self.words[block];
            for l in 0..L {
                let byte = (words[l] >> shift) & 0xff;
                kick[l] = c.noise[l] * (byte as i32 as f32 - BYTE_MEAN);
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
        let mut begin = None;
        let attention = if let Some(terms) = c.terms.as_deref().filter(|_| !SNAP) {
            let w = &mut self.adaptation[block];
            begin = Some(*w);
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
        if attention | self.lifted {
            let pass = Pass {
                step,
                driven,
                kick: &kick,
                adaptation: begin.as_ref(),
                delay,
            };
            self.attend::<SNAP>(common, c, block, &pass);
        }
        driven
    }

    /// The equation of one neuron in a step; `drift` is its noise as a slope.
    #[inline(always)]
    pub(crate) fn local_neuron(
        &self,
        c: &LifBlock<G>,
        (block, l): (usize, usize),
        driven: bool,
        drift: f32,
        delay: f32,
    ) -> LocalNeuron<G> {
        let (t, old) = (&self.trials[block], &self.before[block]);
        // Loops, since closures of `from_fn` would be compiled for the baseline alone.
        let (mut inverse_tau_syn, mut gain) = ([0.0; G], [0.0; G]);
        for g in 0..G {
            inverse_tau_syn[g] = c.inverse_tau_syn[g][l];
            let trial = t.saturation[g][l] * c.inverse_saturation[g][l];
            let driven = if driven { self.drive.x[g][l] } else { 0.0 };
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
            drift,
            hold: delay + c.refractory[l],
        }
    }

    /// Which neurons of a block cross, or are released: 1 for each that needs a
    /// closer look, by the rule of the fast pass.
    #[inline(always)]
    fn flags<const SNAP: bool>(&self, block: usize, pass: &Pass<'_, G>) -> [u8; L] {
        let t = &self.trials[block];
        let (v, held_until) = (&self.after[block].v, &self.held_until[block]);
        let (t_start, hold_from) = (pass.step.start() as f32, hold_from::<SNAP>(pass.step));
        let mut highest = *v;
        if pass.driven && !SNAP {
            for g in (1..G).step_by(2) {
                for l in 0..L {
                    highest[l] -= t.saturation[g][l] * self.drive.x[g][l];
                }
            }
        }
        let begin = &self.before[block].v;
        let mut flags = [0; L];
        for l in 0..L {
            let held = held_until[l] >= hold_from;
            let released = (held_until[l] > t_start) & !SNAP;
            let above = (highest[l] > t.v_attention[l]) | (begin[l] > t.v_threshold[l]);
            flags[l] = u8::from((released | above) & !held);
        }
        flags
    }

    /// Looks closely at the neurons of a block that cross, or are released.
    #[inline(always)]
    fn attend<const SNAP: bool>(
        &mut self,
        common: &Common,
        c: &LifBlock<G>,
        block: usize,
        pass: &Pass<'_, G>,
    ) {
        let flags = self.flags::<SNAP>(block, pass);
        for (eight, flags) in flags.as_chunks::<8>().0.iter().enumerate() {
            // In the order of lanes, which is that of bytes in memory.
            let mut bytes = u64::from_le_bytes(*flags);
            while bytes != 0 {
                let l = 8 * eight + bytes.trailing_zeros() as usize / 8;
                bytes &= bytes - 1;
                if SNAP {
                    self.fire_at_end(c, (block, l), pass.step);
                } else {
                    self.resolve(common, c, (block, l), pass);
                }
            }
        }
    }

    /// On the snapped grid a neuron fires at the end of a step.
    #[inline(always)]
    fn fire_at_end(&mut self, c: &LifBlock<G>, (block, l): (usize, usize), step: Step) {
        if self.after[block].v[l] > self.trials[block].v_threshold[l] {
            self.crossings.push((step.h as f32, (block * L + l) as u16));
            self.held_until[block][l] = step.end() as f32 + c.refractory[l];
        }
    }

    /// Has one neuron followed through the step event by event: together with
    /// others, or alone where it has further terms.
    #[inline(always)]
    fn resolve(
        &mut self,
        common: &Common,
        c: &LifBlock<G>,
        (block, l): (usize, usize),
        pass: &Pass<'_, G>,
    ) {
        let (h, t_start) = (pass.step.h as f32, pass.step.start() as f32);
        let drift = pass.kick[l] / h;
        let lane = (block * L + l) as u16;
        let neuron = self.local_neuron(c, (block, l), pass.driven, drift, pass.delay);
        let old = &self.before[block];
        let mut currents = [0.0; G];
        for g in 0..G {
            currents[g] = old.current[g][l];
        }
        let begin = (old.v[l], currents);
        let until = self.held_until[block][l] - t_start;
        let (Some(block_terms), Some(w)) = (&c.terms, pass.adaptation) else {
            if self.pack.is_full() {
                self.settle(common, pass.step);
            }
            let moment = neuron.begin(begin, until);
            self.pack.push(neuron, lane, moment);
            return;
        };
        let mut upswing = Upswing {
            block: block_terms,
            lane: l,
            w: w[l],
        };
        let nodes = Upswing::nodes(&mut self.nodes);
        let (events, strengths) = (&self.events, common.table.strengths());
        gather_nodes(events, strengths, &neuron, (block, l), TOGETHER * h, nodes);
        let crossings = &mut self.crossings;
        let on_spike = |at| crossings.push((at, lane));
        let moment = neuron.begin(begin, until);
        let end = neuron.resolve(&mut upswing, moment, nodes, 0.0..h, on_spike);
        self.adaptation[block][l] = upswing.w;
        let end = Ending {
            lane,
            v: end.v,
            held_until: end.held_until,
        };
        self.end(common, end, t_start);
    }

    /// Follows the neurons that were put together.
    #[inline(always)]
    fn settle(&mut self, common: &Common, step: Step) {
        if self.pack.is_empty() {
            return;
        }
        let (events, strengths) = (&self.events, common.table.strengths());
        let crossings = &mut self.crossings;
        let on_spike = |lane, at| crossings.push((at, lane));
        self.pack
            .resolve(events, strengths, step.h as f32, on_spike);
        while let Some(end) = self.pack.pop() {
            self.end(common, end, step.start() as f32);
        }
    }

    /// Keeps how a neuron ends a step.
    #[inline(always)]
    fn end(&mut self, common: &Common, end: Ending, t_start: f32) {
        let (low, high) = common.v_range;
        let (block, l) = (usize::from(end.lane) / L, usize::from(end.lane) % L);
        self.after[block].v[l] = end.v.max(low).min(high);
        let held_until = &mut self.held_until[block][l];
        if end.held_until != *held_until - t_start {
            *held_until = t_start + end.held_until;
        }
    }

    /// Takes an on-chip event that arrives at `time` microseconds. If that is
    /// within the step just made, its effect is added at the step's end.
    #[inline(always)]
    fn receive<const SNAP: bool>(
        &mut self,
        common: &Common,
        blocks: &[LifBlock<G>],
        time: f64,
        source: u16,
        step: Step,
    ) {
        if SNAP || time >= step.end() {
            self.events.defer(time, source);
            return;
        }
        let (t_end, e) = (step.end() as f32, step.middle_offset(time));
        let mut lifted = 0;
        let strengths = common.table.strengths();
        for g in 0..G {
            let row = common.table.row(source.into(), g);
            for block in usize::from(row.first)..usize::from(row.last) {
                let s = &strengths[row.base as usize + block - usize::from(row.first)];
                let (c, t) = (&blocks[block], &self.trials[block]);
                let (state, held_until) = (&mut self.after[block], &self.held_until[block]);
                let at =
                    |c: &[[Lanes; G]; MOMENTS], l| c[0][g][l] + e * (c[1][g][l] + e * c[2][g][l]);
                for l in usize::from(row.from_lane)..L {
                    state.current[g][l] += s[l] * at(&c.event_current, l);
                    let membrane = at(&c.event_membrane, l);
                    let free = if held_until[l] >= t_end { 0.0 } else { 1.0 };
                    let change = free * t.saturation[g][l] * (s[l] * membrane);
                    state.v[l] += match &c.terms {
                        None => change,
                        Some(terms) => terms.force(g, l, state.v[l]) * change,
                    };
                    lifted |= u32::from(state.v[l] > t.v_threshold[l]);
                }
            }
        }
        self.lifted |= lifted != 0;
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
