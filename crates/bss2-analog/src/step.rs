//! The hot loop: one sample through the core.
//!
//! One pass per step over blocks of neurons: gather the step's events,
//! propagate, add noise, compare. What happens rarely - a crossing, a release
//! from reset - is resolved neuron by neuron. Nothing is allocated once the
//! buffers have grown.

use bss2_event::random::{Address, Domain};

use crate::events::{Events, Step};
use crate::lowered::{Common, RunAddress};
use crate::madc::Recorder;
use crate::neuron::lif::{BlockState, Lanes, LifBlock, saturate};
use crate::neuron::threshold::{Leaky, LocalNeuron, Moment, Node, TOGETHER, gather_nodes};
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
    pub(crate) nodes: Vec<Node<G>>,
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
pub(crate) fn run<const G: usize, const SNAP: bool, F: FnMut(u16, f64) -> Option<f64>>(
    common: &Common,
    blocks: &[LifBlock<G>],
    input: Input<'_>,
    recurrence: &mut F,
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
            fill_words(noise, (index / 4) as u32, &mut buffers.words);
        }
        buffers.crossings.clear();
        if let Some(madc) = &mut madc {
            madc.before(buffers);
        }
        for (block, c) in blocks.iter().enumerate() {
            let driven = buffers.advance::<SNAP>(common, c, block, step, delay, noisy);
            if let Some(madc) = &madc {
                let codes = &mut observation.madc;
                madc.record(common, c, buffers, (block, driven), step, codes);
            }
        }
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
                    crossings: &buffers.crossings,
                    t_start: step.start(),
                    h: h as f32,
                };
                let traces = &mut buffers.traces[sample.index * blocks.len()..][..blocks.len()];
                readout::take(blocks, &buffers.trials, around, sample, traces);
            },
        );
        std::mem::swap(&mut buffers.before, &mut buffers.after);
    }
    buffers.elapsed = steps as f64 * h;
    let (normals, traces) = (&mut buffers.normals, &mut buffers.traces);
    readout::convert(
        common,
        blocks,
        draws(Domain::CadcNoise),
        normals,
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

/// Propagates a block through a step; says whether some neuron crosses or is
/// released.
#[inline(always)]
fn propagate<const G: usize, const DRIVEN: bool, const SNAP: bool>(
    inputs: &Inputs<'_, G>,
    old: &BlockState<G>,
    new: &mut BlockState<G>,
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
        let mut dv = kick[l];
        let mut lift = 0.0;
        for g in 0..G {
            let current = old.current[g][l];
            let mut x = t.kappa[g][l] * current;
            let mut end = t.decay[g][l] * current;
            if DRIVEN {
                x += drive.x[g][l];
                end += drive.current[g][l];
                if g % 2 == 1 && !SNAP {
                    lift -= t.saturation[g][l] * drive.x[g][l];
                }
            }
            new.current[g][l] = end;
            dv += t.saturation[g][l] * saturate(x);
        }
        let v = t.v_rest[l] + (old.v[l] - t.v_rest[l]) * t.v_decay[l] + dv;
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
            let (mut a0, mut a1) = ([0.0_f32; L], [0.0_f32; L]);
            for touch in &self.events.touches[g] {
                if let Some(s) = touch.row.on(strengths, block) {
                    touched[g] = true;
                    for l in 0..L {
                        a0[l] += s[l];
                        a1[l] += s[l] * touch.e;
                    }
                }
            }
            if !touched[g] {
                continue;
            }
            let (x, current) = (&mut self.drive.x[g], &mut self.drive.current[g]);
            if SNAP {
                // Events act as if the current had jumped when the step began.
                let t = &self.trials[block];
                for l in 0..L {
                    x[l] = t.kappa[g][l] * a0[l];
                    current[l] = t.decay[g][l] * a0[l];
                }
            } else {
                let [m0, m1] = [&c.event_membrane[0][g], &c.event_membrane[1][g]];
                let [c0, c1] = [&c.event_current[0][g], &c.event_current[1][g]];
                for l in 0..L {
                    x[l] = m0[l] * a0[l] + m1[l] * a1[l];
                    current[l] = c0[l] * a0[l] + c1[l] * a1[l];
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
            propagate::<G, true, SNAP>(&inputs, old, new)
        } else {
            propagate::<G, false, SNAP>(&inputs, old, new)
        };
        if attention {
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
        LocalNeuron {
            v_rest: t.v_rest[l],
            v_reset: t.v_reset[l],
            v_threshold: t.v_threshold[l],
            inverse_tau_mem: c.inverse_tau_mem[l],
            inverse_tau_syn: std::array::from_fn(|g| c.inverse_tau_syn[g][l]),
            gain: std::array::from_fn(|g| {
                let trial = t.saturation[g][l] / c.saturation[g][l].abs();
                let driven = if driven { self.drive.x[g][l] } else { 0.0 };
                let x = t.kappa[g][l] * old.current[g][l] + driven;
                if x > 1e-6 {
                    trial * saturate(x) / x
                } else {
                    trial
                }
            }),
            drift,
            hold: delay + c.refractory[l],
        }
    }

    /// By how much the events of this step may pull a membrane down at most.
    #[inline(always)]
    fn inhibition(&self, block: usize, l: usize) -> f32 {
        let saturation = &self.trials[block].saturation;
        let inhibitory = (0..G).filter(|g| g % 2 == 1);
        inhibitory
            .map(|g| -saturation[g][l] * self.drive.x[g][l])
            .sum()
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
        let (h, t_start) = (pass.step.h as f32, pass.step.start() as f32);
        let t = &self.trials[block];
        let (low, high) = common.v_range;
        if !SNAP {
            let strengths = common.table.strengths();
            let (events, nodes) = (&self.events.step, &mut self.nodes);
            gather_nodes(events, strengths, block, TOGETHER * h, nodes);
        }
        for l in 0..L {
            let until = self.held_until[block][l];
            let v = self.after[block].v[l];
            let released = until > t_start && !SNAP;
            let highest = if pass.driven && !SNAP {
                v + self.inhibition(block, l)
            } else {
                v
            };
            if until >= hold_from::<SNAP>(pass.step) || !(released || highest > t.v_attention[l]) {
                continue;
            }
            let lane = (block * L + l) as u16;
            if SNAP {
                if v > t.v_threshold[l] {
                    self.crossings.push((h, lane));
                    self.held_until[block][l] = pass.step.end() as f32 + c.refractory[l];
                }
                continue;
            }
            let old = &self.before[block];
            let drift = pass.kick[l] / h;
            let neuron = self.local_neuron(c, (block, l), pass.driven, drift, pass.delay);
            let moment = Moment {
                v: old.v[l],
                current: std::array::from_fn(|g| old.current[g][l]),
                held_until: until - t_start,
            };
            let crossings = &mut self.crossings;
            let on_spike = |at| crossings.push((at, lane));
            let nodes = (&*self.nodes, l);
            let end = if let (Some(block_terms), Some(w)) = (&c.terms, pass.adaptation) {
                let mut upswing = Upswing {
                    block: block_terms,
                    lane: l,
                    w: w[l],
                };
                let end = neuron.resolve(&mut upswing, moment, nodes, 0.0..h, on_spike);
                self.adaptation[block][l] = upswing.w;
                end
            } else {
                neuron.resolve(&mut Leaky, moment, nodes, 0.0..h, on_spike)
            };
            self.after[block].v[l] = end.v.max(low).min(high);
            if end.held_until != moment.held_until {
                self.held_until[block][l] = t_start + end.held_until;
            }
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
        let strengths = common.table.strengths();
        for g in 0..G {
            let row = common.table.row(source.into(), g);
            for block in usize::from(row.first)..usize::from(row.last) {
                let s = &strengths[row.base as usize + block - usize::from(row.first)];
                let (c, t) = (&blocks[block], &self.trials[block]);
                let (state, held_until) = (&mut self.after[block], &self.held_until[block]);
                for l in usize::from(row.from_lane)..L {
                    let current = c.event_current[0][g][l] + e * c.event_current[1][g][l];
                    state.current[g][l] += s[l] * current;
                    let membrane = c.event_membrane[0][g][l] + e * c.event_membrane[1][g][l];
                    let free = if held_until[l] >= t_end { 0.0 } else { 1.0 };
                    let change = free * t.saturation[g][l] * (s[l] * membrane);
                    state.v[l] += match &c.terms {
                        None => change,
                        Some(terms) => terms.force(g, l, state.v[l]) * change,
                    };
                }
            }
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
