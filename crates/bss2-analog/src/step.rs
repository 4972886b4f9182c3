//! The hot loop: one sample through the core.
//!
//! One pass per step over blocks of 16 neurons: gather the step's events,
//! propagate, add noise, compare. What happens rarely - a crossing, a release
//! from reset - is resolved neuron by neuron in `threshold`. All arrays of a
//! sample fit the first-level cache but for the strengths of the synapses that
//! its events reach.

use bss2_event::random::{Address, Domain, Seed};

use crate::cadc::MAX_CODE;
use crate::lowered::{Common, RunAddress, Start};
use crate::neuron::lif::{BlockState, Lanes, LifBlock, saturate};
use crate::neuron::threshold::{LocalEvent, LocalNeuron, Moment};
use crate::noise::{BYTE_MEAN, fill_normals, fill_words};
use crate::observation::{NeuronSpike, Observation};
use crate::synapse::L;

/// Buffers of one running sample; one per thread, reused.
#[derive(Debug, Clone, Default)]
pub struct Workspace {
    pub(crate) single: Buffers<2>,
    pub(crate) joined: Buffers<4>,
}

#[derive(Debug, Clone)]
pub(crate) struct Buffers<const G: usize> {
    states: Vec<BlockState<G>>,
    trials: Vec<Trial<G>>,
    /// Membranes at the beginning of a step in which the CADC samples.
    before: Vec<Lanes>,
    words: Vec<[u32; L]>,
    normals: Vec<Lanes>,
    /// `[group]`: rows that conduct in this step.
    touches: [Vec<Touch>; G],
    local: Vec<LocalEvent>,
    /// Recurrent events that have not arrived: (microseconds, source).
    pending: Vec<(f64, u16)>,
    /// Crossings of this step: (microseconds in the step, lane).
    crossings: Vec<(f32, u16)>,
    /// `[sample][block]`, volts.
    traces: Vec<Lanes>,
}

impl<const G: usize> Default for Buffers<G> {
    fn default() -> Self {
        Self {
            states: Vec::new(),
            trials: Vec::new(),
            before: Vec::new(),
            words: Vec::new(),
            normals: Vec::new(),
            touches: std::array::from_fn(|_| Vec::new()),
            local: Vec::new(),
            pending: Vec::new(),
            crossings: Vec::new(),
            traces: Vec::new(),
        }
    }
}

/// Coefficients of one sample: those of the chip with trial-to-trial variation.
#[derive(Debug, Clone, Copy)]
struct Trial<const G: usize> {
    decay: [Lanes; G],
    kappa: [Lanes; G],
    saturation: [Lanes; G],
    v_decay: Lanes,
    v_rest: Lanes,
    v_threshold: Lanes,
    v_attention: Lanes,
}

/// One event on one row of the synapse table.
#[derive(Debug, Clone, Copy)]
struct Touch {
    base: u32,
    first: u16,
    last: u16,
    /// Microseconds from the beginning of the step.
    at: f32,
    /// Distance to the end of the step, from its middle.
    e: f32,
}

/// The events of a sample and what its draws are addressed by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input<'a> {
    pub(crate) address: RunAddress,
    pub(crate) times: &'a [f64],
    pub(crate) sources: &'a [u16],
}

/// Length of a step in the two precisions that are used.
#[derive(Debug, Clone, Copy)]
struct Step {
    index: usize,
    h: f64,
}

impl Step {
    fn start(self) -> f64 {
        self.index as f64 * self.h
    }
    fn end(self) -> f64 {
        (self.index + 1) as f64 * self.h
    }
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
    let schedule = &common.integration.schedule;
    buffers.prepare(blocks.len(), schedule.samples);
    buffers.draw_trial(common, blocks, draws(Domain::TrialVariation));
    buffers.set_initial_state(common, blocks, draws(Domain::InitialState));

    // Both halves start late together, and differ from each other.
    let timing = draws(Domain::CadcTiming);
    let late = common.noise.cadc_start.as_micro() * timing.uniform(0);
    let skew = common.noise.cadc_skew.as_micro() * timing.uniform(1);
    let delay_of_half = [late, late + skew];
    let sample_time =
        |half: usize, k: usize| k as f64 * schedule.period.as_micro() + delay_of_half[half];
    let mut next_sample = [0; 2];
    let last_time = sample_time(1, schedule.samples - 1);
    let steps = (last_time / h) as usize + 1;

    let noise = draws(Domain::MembraneNoise);
    let noisy = common.noise.membrane.get() > 0.0;
    let delay = common.noise.comparator_delay.as_micro() as f32;
    observation.spikes.clear();
    let mut next_input = 0;
    for index in 0..steps {
        let step = Step { index, h };
        buffers.gather(common, input, &mut next_input, step);
        if noisy && index % 4 == 0 {
            fill_words(noise, (index / 4) as u32, &mut buffers.words);
        }
        let sampled = (0..2).any(|half| {
            next_sample[half] < schedule.samples
                && sample_time(half, next_sample[half]) < step.end()
        });
        buffers.crossings.clear();
        for block in 0..blocks.len() {
            if sampled {
                buffers.before[block] = buffers.states[block].v;
            }
            buffers.advance::<SNAP>(common, &blocks[block], block, step, delay, noisy);
        }
        buffers
            .crossings
            .sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        for c in 0..buffers.crossings.len() {
            let (at, lane) = buffers.crossings[c];
            let time = (step.start() + f64::from(at) + f64::from(delay)) * 1e-6;
            observation.spikes.push(NeuronSpike { time, neuron: lane });
            if let Some(arrival) = recurrence(lane, time) {
                let source = (common.inputs + usize::from(lane)) as u16;
                buffers.receive::<SNAP>(common, blocks, arrival * 1e6, source, step);
            }
        }
        for half in 0..2 {
            while next_sample[half] < schedule.samples {
                let time = sample_time(half, next_sample[half]);
                if time >= step.end() && index + 1 < steps {
                    break;
                }
                let fraction = ((time - step.start()) / h) as f32;
                buffers.sample(blocks, half as u8, next_sample[half], fraction, h as f32);
                next_sample[half] += 1;
            }
        }
    }
    buffers.convert(common, blocks, draws(Domain::CadcNoise), observation);
}

impl<const G: usize> Buffers<G> {
    fn prepare(&mut self, blocks: usize, samples: usize) {
        self.states.clear();
        self.states.resize(blocks, BlockState::ZERO);
        self.before.resize(blocks, [0.0; L]);
        self.words.resize(blocks, [0; L]);
        self.normals.resize(blocks, [0.0; L]);
        self.traces.resize(blocks * samples, [0.0; L]);
        self.pending.clear();
    }

    /// Leak, threshold, strength and time constants of this sample.
    #[inline(always)]
    fn draw_trial(&mut self, common: &Common, blocks: &[LifBlock<G>], address: Address) {
        let n = &common.noise;
        let lsb = crate::cadc::VOLTS_PER_LSB as f32;
        let spreads = [
            n.trial_leak as f32 * lsb,
            n.trial_threshold as f32 * lsb,
            n.trial_strength as f32,
            n.trial_tau as f32,
        ];
        self.trials.clear();
        self.trials.extend(blocks.iter().map(|c| Trial {
            decay: c.decay,
            kappa: c.kappa,
            saturation: c.saturation,
            v_decay: c.v_decay,
            v_rest: c.v_rest,
            v_threshold: c.v_threshold,
            v_attention: c.v_attention,
        }));
        for (what, spread) in spreads.into_iter().enumerate() {
            if spread == 0.0 {
                continue;
            }
            fill_normals(address, what as u32, &mut self.normals);
            for ((t, c), z) in self.trials.iter_mut().zip(blocks).zip(&self.normals) {
                for l in 0..L {
                    let deviation = spread * z[l];
                    match what {
                        0 => t.v_rest[l] += deviation,
                        1 => {
                            t.v_threshold[l] += deviation;
                            t.v_attention[l] += deviation;
                        }
                        2 => {
                            for g in 0..G {
                                t.saturation[g][l] *= 1.0 + deviation;
                            }
                        }
                        _ => {
                            t.v_decay[l] += deviation * c.v_decay_slope[l];
                            for g in 0..G {
                                t.decay[g][l] += deviation * c.decay_slope[g][l];
                                t.kappa[g][l] += deviation * c.kappa_slope[g][l];
                            }
                        }
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn set_initial_state(&mut self, common: &Common, blocks: &[LifBlock<G>], address: Address) {
        match common.start {
            Start::Held { until } => {
                for (state, c) in self.states.iter_mut().zip(blocks) {
                    state.v = c.v_reset;
                    state.refractory_until = [until.as_micro() as f32; L];
                }
            }
            Start::Rest => {
                // Normals give the noise at rest, words the phase of those that fire.
                if common.noise.membrane.get() > 0.0 {
                    fill_normals(address, 0, &mut self.normals);
                } else {
                    self.normals.fill([0.0; L]);
                }
                for (block, c) in blocks.iter().enumerate() {
                    let (state, t) = (&mut self.states[block], &self.trials[block]);
                    for l in 0..L {
                        state.v[l] = t.v_rest[l] + c.noise_sd[l] * self.normals[block][l];
                        if t.v_rest[l] > t.v_threshold[l] {
                            let phase = address.element((block * L + l) as u32).uniform(1) as f32;
                            state.v[l] =
                                c.v_reset[l] + phase * (t.v_threshold[l] - c.v_reset[l]).max(0.0);
                        }
                    }
                }
            }
        }
    }

    /// Finds the rows that conduct in this step.
    #[inline(always)]
    fn gather(&mut self, common: &Common, input: Input<'_>, next: &mut usize, step: Step) {
        for touches in &mut self.touches {
            touches.clear();
        }
        while let Some(&time) = input.times.get(*next) {
            let time = time * 1e6;
            if time >= step.end() {
                break;
            }
            self.touch(common, usize::from(input.sources[*next]), time, step);
            *next += 1;
        }
        let mut i = 0;
        while i < self.pending.len() {
            let (time, source) = self.pending[i];
            if time < step.end() {
                self.pending.swap_remove(i);
                self.touch(common, usize::from(source), time, step);
            } else {
                i += 1;
            }
        }
    }

    #[inline(always)]
    fn touch(&mut self, common: &Common, source: usize, time: f64, step: Step) {
        for (g, touches) in self.touches.iter_mut().enumerate() {
            let row = common.table.row(source, g);
            if row.first < row.last {
                touches.push(Touch {
                    base: row.base,
                    first: row.first,
                    last: row.last,
                    at: (time - step.start()).max(0.0) as f32,
                    e: (step.end() - time - 0.5 * step.h) as f32,
                });
            }
        }
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
    ) {
        let (h, t_start, t_end) = (step.h as f32, step.start() as f32, step.end() as f32);
        let strengths = common.table.strengths();
        let t = &self.trials[block];
        let old = self.states[block];
        let mut new = old;
        let mut x = [[0.0_f32; L]; G];
        let mut dv = [0.0_f32; L];
        for g in 0..G {
            let (mut a0, mut a1) = ([0.0_f32; L], [0.0_f32; L]);
            let mut touched = false;
            for touch in &self.touches[g] {
                if block < usize::from(touch.first) || block >= usize::from(touch.last) {
                    continue;
                }
                touched = true;
                let s = &strengths[touch.base as usize + block - usize::from(touch.first)];
                for l in 0..L {
                    a0[l] += s[l];
                    a1[l] += s[l] * touch.e;
                }
            }
            let mut current = old.current[g];
            if SNAP {
                for l in 0..L {
                    current[l] += a0[l];
                }
            }
            for l in 0..L {
                x[g][l] = t.kappa[g][l] * current[l];
                new.current[g][l] = t.decay[g][l] * current[l];
            }
            if touched && !SNAP {
                for l in 0..L {
                    x[g][l] +=
                        c.event_membrane[0][g][l] * a0[l] + c.event_membrane[1][g][l] * a1[l];
                    new.current[g][l] +=
                        c.event_current[0][g][l] * a0[l] + c.event_current[1][g][l] * a1[l];
                }
            }
            for l in 0..L {
                dv[l] += t.saturation[g][l] * saturate(x[g][l]);
            }
        }
        let mut kick = [0.0_f32; L];
        if noisy {
            let shift = 8 * (step.index % 4) as u32;
            for l in 0..L {
                let byte = (self.words[block][l] >> shift) & 0xff;
                kick[l] = c.noise[l] * (byte as f32 - BYTE_MEAN);
            }
        }
        let (low, high) = common.v_range;
        // A hold that ends with the step covers it; on the snapped grid times
        // are multiples of h up to rounding.
        let hold_from = if SNAP { t_end - 0.5 * h } else { t_end };
        let mut attention = 0;
        for l in 0..L {
            let v = t.v_rest[l] + (old.v[l] - t.v_rest[l]) * t.v_decay[l] + dv[l] + kick[l];
            let v = if v > low { v } else { low };
            let v = if v < high { v } else { high };
            let until = old.refractory_until[l];
            let held = until >= hold_from;
            new.v[l] = if held { c.v_reset[l] } else { v };
            let released = !SNAP & (until > t_start) & !held;
            attention |= u32::from(released | (!held & (v > t.v_attention[l])));
        }
        if attention != 0 {
            for l in 0..L {
                let until = old.refractory_until[l];
                if until >= hold_from {
                    continue;
                }
                let lane = (block * L + l) as u16;
                if SNAP {
                    if new.v[l] > t.v_threshold[l] {
                        self.crossings.push((h, lane));
                        new.refractory_until[l] = t_end + c.refractory[l];
                    }
                    continue;
                }
                if until <= t_start && new.v[l] <= t.v_attention[l] {
                    continue;
                }
                self.local.clear();
                for (g, touches) in self.touches.iter().enumerate() {
                    for touch in touches {
                        if block >= usize::from(touch.first) && block < usize::from(touch.last) {
                            let s = strengths
                                [touch.base as usize + block - usize::from(touch.first)][l];
                            if s != 0.0 {
                                let event = LocalEvent {
                                    at: touch.at,
                                    group: g as u8,
                                    strength: s,
                                };
                                self.local.push(event);
                            }
                        }
                    }
                }
                self.local.sort_by(|a, b| a.at.total_cmp(&b.at));
                let gain: [f32; G] = std::array::from_fn(|g| {
                    let sign = if g % 2 == 0 { 1.0 } else { -1.0 };
                    let trial = t.saturation[g][l] / c.saturation[g][l];
                    let x = x[g][l];
                    sign * trial * if x > 1e-6 { saturate(x) / x } else { 1.0 }
                });
                let neuron = LocalNeuron {
                    v_rest: t.v_rest[l],
                    v_reset: c.v_reset[l],
                    v_threshold: t.v_threshold[l],
                    inverse_tau_mem: c.inverse_tau_mem[l],
                    inverse_tau_syn: std::array::from_fn(|g| c.inverse_tau_syn[g][l]),
                    gain,
                    drift: kick[l] / h,
                    hold: delay + c.refractory[l],
                };
                let moment = Moment {
                    v: old.v[l],
                    current: std::array::from_fn(|g| old.current[g][l]),
                    held_until: until - t_start,
                };
                let crossings = &mut self.crossings;
                let end = neuron.resolve(moment, &self.local, h, |at| crossings.push((at, lane)));
                let v = if end.v > low { end.v } else { low };
                new.v[l] = if v < high { v } else { high };
                if end.held_until != moment.held_until {
                    new.refractory_until[l] = t_start + end.held_until;
                }
            }
        }
        self.states[block] = new;
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
            self.pending.push((time, source));
            return;
        }
        let t_end = step.end() as f32;
        let e = (step.end() - time - 0.5 * step.h) as f32;
        let strengths = common.table.strengths();
        for g in 0..G {
            let row = common.table.row(usize::from(source), g);
            for block in usize::from(row.first)..usize::from(row.last) {
                let s = &strengths[row.base as usize + block - usize::from(row.first)];
                let (c, t) = (&blocks[block], &self.trials[block]);
                let state = &mut self.states[block];
                for l in 0..L {
                    let current = c.event_current[0][g][l] + e * c.event_current[1][g][l];
                    state.current[g][l] += s[l] * current;
                    let membrane = c.event_membrane[0][g][l] + e * c.event_membrane[1][g][l];
                    let free = if state.refractory_until[l] > t_end {
                        0.0
                    } else {
                        1.0
                    };
                    state.v[l] += free * t.saturation[g][l] * (s[l] * membrane);
                }
            }
        }
    }

    /// Reads the membranes of a half at a fraction of the step just made.
    #[inline(always)]
    fn sample(&mut self, blocks: &[LifBlock<G>], half: u8, sample: usize, fraction: f32, h: f32) {
        let traces = &mut self.traces[sample * blocks.len()..][..blocks.len()];
        for (block, c) in blocks.iter().enumerate() {
            let (before, after) = (&self.before[block], &self.states[block].v);
            for l in 0..L {
                let v = before[l] + fraction * (after[l] - before[l]);
                traces[block][l] = if c.half[l] == half {
                    v
                } else {
                    traces[block][l]
                };
            }
        }
        // A neuron that fired in between jumps: straight up to the threshold
        // before, reset after. On the snapped grid it jumps at the end.
        for &(at, lane) in &self.crossings {
            let (block, l) = (usize::from(lane) / L, usize::from(lane) % L);
            if blocks[block].half[l] == half && at < h {
                let before = self.before[block][l];
                traces[block][l] = if fraction * h < at {
                    before + (self.trials[block].v_threshold[l] - before) * (fraction * h / at)
                } else {
                    self.states[block].v[l]
                };
            }
        }
    }

    /// Turns the sampled membranes into codes.
    #[inline(always)]
    fn convert(
        &mut self,
        common: &Common,
        blocks: &[LifBlock<G>],
        address: Address,
        observation: &mut Observation,
    ) {
        let neurons = common.neurons;
        let samples = common.integration.schedule.samples;
        observation.neurons = neurons;
        observation.codes.resize(samples * neurons, 0.0);
        let noise = common.cadc.noise as f32;
        for sample in 0..samples {
            let traces = &mut self.traces[sample * blocks.len()..][..blocks.len()];
            if noise > 0.0 {
                fill_normals(address, sample as u32, &mut self.normals);
            } else {
                self.normals.fill([0.0; L]);
            }
            for ((trace, c), z) in traces.iter_mut().zip(blocks).zip(&self.normals) {
                for l in 0..L {
                    let code = c.cadc_scale[l] * trace[l] + c.cadc_offset[l] + noise * z[l];
                    trace[l] = if common.cadc.quantise {
                        quantise(code)
                    } else {
                        code
                    };
                }
            }
            observation.codes[sample * neurons..][..neurons]
                .copy_from_slice(&traces.as_flattened()[..neurons]);
        }
    }
}

/// The nearest whole code of 0..=255.
#[inline(always)]
fn quantise(code: f32) -> f32 {
    let code = if code > 0.0 { code } else { 0.0 };
    let code = if code < MAX_CODE { code } else { MAX_CODE };
    // Adding 2^23 leaves no room for a fraction; a call to `round` would not
    // be a vector instruction on every target.
    (code + 8_388_608.0) - 8_388_608.0
}

/// The seed of a run on a chip.
impl RunAddress {
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
