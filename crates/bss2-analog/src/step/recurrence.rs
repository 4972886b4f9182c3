//! On-chip events that arrive within the step in which they were sent.
//!
//! The pass over a step knows the events that are under way when it begins. Those of
//! its own spikes are collected until the first that a neuron with a comparator hears
//! arrives before the next spike that is still to be sent. Then all are taken: what they
//! do until the step's end is added there, and neurons that they may cause to fire, or
//! keep from it, are followed again. A crossing from before the first arrival stays as it
//! is; but what saturation leaves of the inputs is that of the mean current of the whole
//! step, so the membrane in between may move by it.

use super::advance::sum_events;
use super::follow::{hold, lanes_with};
use super::{Buffers, Frame};
use crate::lanes::{L, Lanes, VECTOR, neuron_at, place, vector, vector_mut};
use crate::lowered::Start;
use crate::neuron::adex::AdexBlock;
use crate::neuron::lif::saturate;
use crate::neuron::threshold::Leaky;

/// A neuron crosses its threshold in the step at hand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crossing {
    /// Microseconds from the step's beginning.
    pub(crate) at: f32,
    /// When its event is sent, as soon as that is known: the same but for jitter.
    pub(super) sent: f32,
    /// Counted over all blocks.
    pub(crate) lane: u16,
}

impl Crossing {
    pub(super) fn new(at: f32, lane: u16) -> Self {
        Self { at, sent: at, lane }
    }

    /// The same with the jitter of its event.
    #[inline(always)]
    fn jittered<const G: usize>(self, frame: &Frame<'_, G>) -> Self {
        let jitter = frame.common.noise.spike_jitter.as_micro() as f32;
        if jitter == 0.0 {
            return self;
        }
        let lane = frame.jitter.element(self.lane.into());
        let late = jitter * lane.normal(frame.step.index as u32) as f32;
        let sent = (self.at + late).clamp(0.0, frame.step.h as f32);
        Self { sent, ..self }
    }

    fn before(&self, other: &Self) -> std::cmp::Ordering {
        let times = self.sent.total_cmp(&other.sent);
        let lanes = times.then(self.lane.cmp(&other.lane));
        lanes.then(self.at.total_cmp(&other.at))
    }
}

/// Marks neurons that have to be followed whatever they seem to do.
const MUST: u8 = 2;

/// An on-chip event within the step at hand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    /// Microseconds from the run's beginning.
    time: f64,
    source: u16,
    /// Microseconds from the step's beginning.
    at: f32,
    /// Whether it reaches a neuron that may fire.
    heard: bool,
}

/// When the first of some events arrives.
#[inline(always)]
fn first<'a>(arrivals: impl Iterator<Item = &'a Arrival>) -> f32 {
    let times = arrivals.map(|arrival| arrival.at);
    times.fold(f32::INFINITY, f32::min)
}

impl<const G: usize> Buffers<G> {
    /// Orders the crossings of a step by the times of their events, which stay
    /// within the step so that those of all steps are in order.
    #[inline(always)]
    pub(super) fn send(&mut self, frame: &Frame<'_, G>) {
        for crossing in &mut self.crossings {
            *crossing = crossing.jittered(frame);
        }
        self.crossings.sort_unstable_by(Crossing::before);
    }

    /// Takes an on-chip event that arrives at `time` microseconds.
    #[inline(always)]
    pub(super) fn receive<const SNAP: bool>(
        &mut self,
        frame: &Frame<'_, G>,
        time: f64,
        source: u16,
    ) {
        let step = frame.step;
        if SNAP || time >= step.end() {
            self.events.defer(time, source);
            return;
        }
        self.arrivals.push(Arrival {
            time,
            source,
            at: (time - step.start()) as f32,
            heard: frame.common.table.is_heard(source),
        });
    }

    /// When the first event arrives that does not act yet and that a spike may wait for.
    #[inline(always)]
    pub(super) fn first_arrival(&self) -> f32 {
        let heard = self.arrivals.iter().filter(|arrival| arrival.heard);
        first(heard)
    }

    /// Lets the events act that were received, when the first `done` crossings of the
    /// step were sent.
    #[inline(always)]
    pub(super) fn take_arrivals(&mut self, frame: &Frame<'_, G>, done: usize) {
        let (earliest, heard) = (first(self.arrivals.iter()), self.first_arrival());
        // What only readouts hear changes no crossing, nor their release but that from the
        // run's beginning.
        let start = match frame.common.start {
            Start::Held { until } => until.as_micro() > frame.step.start(),
            Start::Rest => false,
        };
        let again = start || heard < f32::INFINITY;
        let from = if heard < f32::INFINITY {
            heard
        } else {
            earliest
        };
        self.events.forget_sums();
        let mut arrivals = std::mem::take(&mut self.arrivals);
        for Arrival { time, source, .. } in arrivals.drain(..) {
            self.events.insert(frame.common, source, time, frame.step);
        }
        self.arrivals = arrivals;
        for block in self.events.reached() {
            let neurons = (&frame.blocks[block], &self.trials[block]);
            let (strengths, more) = (frame.common.table.strengths(), &mut self.more);
            sum_events::<G, false>(&self.events, strengths, neurons, block, more);
            if self.more.any() {
                self.join(frame, block);
                if again {
                    self.select(frame, block, (earliest, from), done);
                }
            }
        }
        if again {
            self.follow_again(frame, from, done);
        }
    }

    /// Adds to the end of the step what the events do that were summed.
    #[inline(always)]
    fn join(&mut self, frame: &Frame<'_, G>, block: usize) {
        let (c, t, more) = (&frame.blocks[block], &self.trials[block], &self.more);
        let (old, state) = (&self.before[block], &mut self.after[block]);
        let held_until = &self.held_until[block];
        let drive = &mut self.drives[block];
        if !drive.any() {
            drive.complete();
        }
        for (touched, more) in drive.touched.iter_mut().zip(more.touched) {
            *touched |= more;
        }
        let adaptation = &mut self.adaptation[block];
        let t_end = frame.step.end() as f32;
        let (low, high) = frame.common.v_range;
        for which in self.events.first_vector(block)..L / VECTOR {
            let of = |lanes: &Lanes| vector(lanes, which);
            let (until, v) = (of(held_until), of(&state.v));
            let mut change = [0.0; VECTOR];
            for g in (0..G).filter(|&g| more.touched[g]) {
                let (kappa, saturation) = (of(&t.kappa[g]), of(&t.saturation[g]));
                let (old, more_x) = (of(&old.current[g]), of(&more.x[g]));
                let (mut x, mut current) = (of(&drive.x[g]), of(&state.current[g]));
                let more_current = of(&more.current[g]);
                for i in 0..VECTOR {
                    let before = kappa[i].mul_add(old[i], x[i]);
                    let more = saturate(before + more_x[i]) - saturate(before);
                    let mut saturation = saturation[i];
                    if let Some(terms) = &c.terms {
                        saturation *= terms.force(g, which * VECTOR + i, v[i]);
                    }
                    change[i] = saturation.mul_add(more, change[i]);
                    x[i] += more_x[i];
                    current[i] += more_current[i];
                }
                *vector_mut(&mut drive.x[g], which) = x;
                *vector_mut(&mut state.current[g], which) = current;
            }
            let mut end = v;
            for i in 0..VECTOR {
                let free = if until[i] >= t_end { 0.0 } else { 1.0 };
                end[i] += free * change[i];
                end[i] = if end[i] > low { end[i] } else { low };
                end[i] = if end[i] < high { end[i] } else { high };
            }
            if let Some(terms) = &c.terms {
                for i in 0..VECTOR {
                    let l = which * VECTOR + i;
                    adaptation[l] = terms.adapt_to(l, adaptation[l], end[i] - v[i]);
                }
            }
            *vector_mut(&mut state.v, which) = end;
        }
    }

    /// Selects the neurons of a block whose crossings may change by events from `from` on,
    /// or that are released after the `earliest`, and takes those crossings back.
    #[inline(always)]
    fn select(
        &mut self,
        frame: &Frame<'_, G>,
        block: usize,
        (earliest, from): (f32, f32),
        done: usize,
    ) {
        let (t_start, t_end) = (frame.step.start() as f32, frame.step.end() as f32);
        let held_until = &self.held_until[block];
        // Where further terms bend the membrane the estimate of its end is not enough.
        let terms = frame.blocks[block].terms.as_deref();
        let bends_from = terms.map_or(Lanes::all(f32::INFINITY), AdexBlock::bends_from);
        // The shorter what is left of the step, the less a membrane can peak in it.
        let (begin, v) = (&self.before[block].v, &self.after[block].v);
        let lift = self.lift(terms, block);
        let left = 1.0 - from / frame.step.h as f32;
        let threshold = &self.trials[block].v_threshold;
        let fall = &frame.blocks[block].fall;
        let mut follow = [0_u8; L];
        let mut reached = [0_u8; L];
        let (mut any, mut raised) = ([false; L], [false; L]);
        for g in (0..G).filter(|&g| self.more.touched[g]) {
            for l in 0..L {
                let reaches = self.more.current[g][l] != 0.0;
                any[l] |= reaches;
                raised[l] |= reaches & (g % 2 == 0);
            }
        }
        for l in 0..L {
            let until = held_until[l];
            // Readouts neither fire nor are they held.
            let may = (threshold[l] < f32::INFINITY) | (until > t_start);
            let held = until > t_start + earliest;
            let margin = left * left * fall[l];
            let rises = v[l] + lift[l] > threshold[l] - margin;
            let bends = begin[l].max(v[l] + lift[l]) > bends_from[l];
            let must = (held | bends) & any[l];
            let follows = (u8::from(must) * MUST) | u8::from(rises & raised[l]);
            follow[l] = follows * u8::from((until < t_end) & may);
            reached[l] = u8::from(any[l] & may);
        }
        let mut i = 0;
        self.crossings.retain(|crossing| {
            let (of_block, l) = place(crossing.lane);
            let past = i < done || crossing.at <= from;
            i += 1;
            if past || of_block != block || reached[l] == 0 {
                return true;
            }
            follow[l] = MUST;
            false
        });
        for l in lanes_with(&follow) {
            // The slope is that of a neuron without further terms.
            let leaky = terms.is_none();
            if leaky && follow[l] < MUST && self.stays_below(frame, (block, l), from) {
                continue;
            }
            let until = self.held_so_far(frame, (block, l));
            if leaky && (until <= t_start || until >= t_start + from) {
                self.held_until[block][l] = until;
                self.resolve(frame, (block, l));
            } else {
                self.alone.push(neuron_at((block, l)));
            }
        }
    }

    /// Until when a neuron is held by the crossings that are left of it.
    #[inline(always)]
    fn held_so_far(&self, frame: &Frame<'_, G>, (block, l): (usize, usize)) -> f32 {
        let lane = neuron_at((block, l));
        let of_it = |crossing: &&Crossing| crossing.lane == lane;
        match self
            .crossings
            .iter()
            .filter(of_it)
            .map(|c| c.at)
            .reduce(f32::max)
        {
            Some(at) => frame.step.start() as f32 + (at + hold(frame, (block, l))),
            None => self.held_before((block, l)),
        }
    }

    /// Follows the selected neurons again: together those that are free or held from the
    /// step's beginning until `from`, the others alone.
    #[inline(always)]
    fn follow_again(&mut self, frame: &Frame<'_, G>, from: f32, done: usize) {
        let known = self.crossings.len();
        self.settle(frame, from);
        let mut alone = std::mem::take(&mut self.alone);
        for place in alone.drain(..).map(place) {
            match frame.blocks[place.0].terms.as_deref() {
                None => self.follow(frame, place, Some(from), &mut Leaky),
                Some(terms) => self.follow_further(frame, terms, place, Some(from)),
            }
        }
        self.alone = alone;
        let last = self.crossings[done - 1].sent;
        for crossing in &mut self.crossings[known..] {
            *crossing = crossing.jittered(frame);
            crossing.sent = crossing.sent.max(last);
        }
        self.crossings[done..].sort_unstable_by(Crossing::before);
    }

    /// Whether a neuron that nothing reaches after `at` still rises below its threshold
    /// when the step ends.
    #[inline(always)]
    fn stays_below(&self, frame: &Frame<'_, G>, (block, l): (usize, usize), at: f32) -> bool {
        let (neuron, after) = (self.local_neuron(frame, (block, l)), &self.after[block]);
        let mut slope = (neuron.v_rest - after.v[l]) * neuron.inverse_tau_mem + neuron.drift;
        for g in 0..G {
            slope += neuron.gain[g] * after.current[g][l];
        }
        if slope < 0.0 || after.v[l] > neuron.v_threshold {
            return false;
        }
        let strengths = frame.common.table.strengths();
        for event in self.events.step.iter().rev() {
            if event.at <= at {
                return true;
            }
            for opened in self.events.opened(event) {
                if opened.row.on(strengths, block).is_some_and(|s| s[l] != 0.0) {
                    return false;
                }
            }
        }
        true
    }
}
