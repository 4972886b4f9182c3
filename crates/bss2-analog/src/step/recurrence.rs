//! On-chip events that arrive within the step in which they were sent.
//!
//! The pass over a step knows the events that are under way when it begins. Those of
//! its own spikes are collected until the first that a neuron with a comparator hears
//! arrives before the next spike that is still to be sent; then all are taken: what they do until the step's end is added
//! there, and neurons that such an event may cause to fire, or keep from it, are followed
//! again from the step's beginning. When they fired before it arrived stays; but what the
//! mean current leaves of the saturating inputs is that of the whole step, so the membrane
//! in between may move by it.

use super::{Buffers, Frame};
use crate::neuron::adex::AdexBlock;
use crate::neuron::lif::{Lanes, saturate};
use crate::neuron::threshold::Leaky;
use crate::synapse::{L, Row, VECTOR, vector, vector_mut};

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
const MUST: u32 = 2;

/// An on-chip event within the step at hand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    /// Microseconds from the run's beginning.
    time: f64,
    source: u16,
    /// Microseconds from the step's beginning.
    at: f32,
    /// Distance to the step's end, from its middle.
    e: f32,
    /// Whether it reaches a neuron that may fire.
    heard: bool,
}

/// Neurons of a block that on-chip events reach and that may fire or are held: 1 for
/// each, and for those that the events may raise.
struct Reached {
    any: [u32; L],
    raised: [u32; L],
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
            e: step.middle_offset(time),
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
        // What only readouts hear changes no crossing.
        let earliest = first(self.arrivals.iter());
        let heard = self.first_arrival();
        let from = if heard < f32::INFINITY {
            heard
        } else {
            earliest
        };
        let mut arrivals = std::mem::take(&mut self.arrivals);
        for Arrival { time, source, .. } in &arrivals {
            self.events.insert(frame.common, *source, *time, frame.step);
        }
        let table = &frame.common.table;
        for block in 0..frame.blocks.len() {
            let mut reached = Reached {
                any: [0; L],
                raised: [0; L],
            };
            let mut some = 0;
            for event in &arrivals {
                let rows = table.rows(event.source);
                if rows.iter().any(|row| row.reaches(block)) {
                    self.join(frame, block, (event.e, rows));
                    some |= self.reach(frame, block, rows, &mut reached);
                }
            }
            if some != 0 {
                self.follow_again(frame, block, &reached, (earliest, from), done);
            }
        }
        arrivals.clear();
        self.arrivals = arrivals;
    }

    /// Adds to the end of the step what an event does.
    #[inline(always)]
    fn join(&mut self, frame: &Frame<'_, G>, block: usize, (e, rows): (f32, &[Row])) {
        let (c, t) = (&frame.blocks[block], &self.trials[block]);
        let (old, state) = (&self.before[block], &mut self.after[block]);
        let held_until = &self.held_until[block];
        let drive = &mut self.drives[block];
        if !drive.any {
            drive.any = true;
            drive.x = [[0.0; L]; G];
        }
        let adaptation = &mut self.adaptation[block];
        let t_end = frame.step.end() as f32;
        let (low, high) = frame.common.v_range;
        for (g, row) in rows.iter().enumerate() {
            let Some(s) = row.on(frame.common.table.strengths(), block) else {
                continue;
            };
            for which in row.vectors() {
                let of = |lanes: &Lanes| vector(lanes, which);
                let [i0, i1, i2] = &c.event_current;
                let [i0, i1, i2] = [of(&i0[g]), of(&i1[g]), of(&i2[g])];
                let [v0, v1, v2] = &c.event_membrane;
                let [v0, v1, v2] = [of(&v0[g]), of(&v1[g]), of(&v2[g])];
                let (s, kappa, saturation) = (of(s), of(&t.kappa[g]), of(&t.saturation[g]));
                let (old, until) = (of(&old.current[g]), of(held_until));
                let (mut current, mut v) = (of(&state.current[g]), of(&state.v));
                let (mut x, mut change) = (of(&drive.x[g]), [0.0; VECTOR]);
                for i in 0..VECTOR {
                    current[i] += s[i] * e.mul_add(e.mul_add(i2[i], i1[i]), i0[i]);
                    let before = kappa[i].mul_add(old[i], x[i]);
                    let more = s[i] * e.mul_add(e.mul_add(v2[i], v1[i]), v0[i]);
                    x[i] += more;
                    let more = saturate(before + more) - saturate(before);
                    let free = if until[i] >= t_end { 0.0 } else { 1.0 };
                    change[i] = free * saturation[i] * more;
                }
                if let Some(terms) = &c.terms {
                    for i in 0..VECTOR {
                        let l = which * VECTOR + i;
                        change[i] *= terms.force(g, l, v[i]);
                        let end = (v[i] + change[i]).max(low).min(high);
                        adaptation[l] = terms.adapt_to(l, adaptation[l], end - v[i]);
                    }
                }
                for i in 0..VECTOR {
                    v[i] = (v[i] + change[i]).max(low).min(high);
                }
                *vector_mut(&mut state.current[g], which) = current;
                *vector_mut(&mut drive.x[g], which) = x;
                *vector_mut(&mut state.v, which) = v;
            }
        }
    }

    /// Marks the neurons that an event reaches; says whether there are any.
    #[inline(always)]
    fn reach(
        &self,
        frame: &Frame<'_, G>,
        block: usize,
        rows: &[Row],
        reached: &mut Reached,
    ) -> u32 {
        let t_start = frame.step.start() as f32;
        let attention = &self.trials[block].v_attention;
        let mut some = 0;
        for (g, row) in rows.iter().enumerate() {
            let Some(strengths) = row.on(frame.common.table.strengths(), block) else {
                continue;
            };
            let raises = u32::from(g % 2 == 0);
            for which in row.vectors() {
                let (s, attention) = (vector(strengths, which), vector(attention, which));
                let until = vector(&self.held_until[block], which);
                let mut any = vector(&reached.any, which);
                let mut raised = vector(&reached.raised, which);
                for i in 0..VECTOR {
                    // Readouts neither fire nor are they held.
                    let may = (attention[i] < f32::INFINITY) | (until[i] > t_start);
                    let reaches = u32::from((s[i] != 0.0) & may);
                    any[i] |= reaches;
                    raised[i] |= reaches & raises;
                    some |= reaches;
                }
                *vector_mut(&mut reached.any, which) = any;
                *vector_mut(&mut reached.raised, which) = raised;
            }
        }
        some
    }

    /// Follows the neurons of a block again whose crossings may change by events from
    /// `from` on, or that are released after the `earliest`.
    #[inline(always)]
    fn follow_again(
        &mut self,
        frame: &Frame<'_, G>,
        block: usize,
        reached: &Reached,
        (earliest, from): (f32, f32),
        done: usize,
    ) {
        let (t_start, t_end) = (frame.step.start() as f32, frame.step.end() as f32);
        let attention = &self.trials[block].v_attention;
        let held_until = &self.held_until[block];
        // Where further terms bend the membrane the estimate of its end is not enough.
        let terms = frame.blocks[block].terms.as_deref();
        let bends_from = terms.map_or([f32::INFINITY; L], AdexBlock::bends_from);
        // The shorter what is left of the step, the less a membrane can peak in it.
        let (begin, v) = (&self.before[block].v, &self.after[block].v);
        let lift = self.lift(terms, block);
        let left = 1.0 - from / frame.step.h as f32;
        let threshold = &self.trials[block].v_threshold;
        let mut follow = [0_u32; L];
        for l in 0..L {
            let until = held_until[l];
            let held = u32::from(until > t_start + earliest);
            let margin = left * left * (threshold[l] - attention[l]);
            let rises = u32::from(v[l] + lift[l] > threshold[l] - margin);
            let free = u32::from(until < t_end);
            let bends = u32::from(begin[l].max(v[l] + lift[l]) > bends_from[l]);
            let must = (held | bends) & reached.any[l];
            follow[l] = ((must * MUST) | (rises & reached.raised[l])) * free;
        }
        let mut i = 0;
        self.crossings.retain(|crossing| {
            let lane = usize::from(crossing.lane);
            let past = i < done || crossing.at <= from;
            i += 1;
            if past || lane / L != block || reached.any[lane % L] == 0 {
                return true;
            }
            follow[lane % L] = MUST;
            false
        });
        // Those that have not fired are followed together.
        let known = self.crossings.len();
        self.pack.quiet_until = from;
        for l in (0..L).filter(|&l| follow[l] != 0) {
            // The slope is that of a neuron without further terms.
            let leaky = terms.is_none();
            if leaky && follow[l] < MUST && self.stays_below(frame, (block, l), from) {
                continue;
            }
            let lane = block * L + l;
            match terms {
                None if self.crossings[..known]
                    .iter()
                    .all(|c| usize::from(c.lane) != lane) =>
                {
                    self.restore((block, l));
                    self.resolve(frame, (block, l));
                }
                None => self.follow(frame, (block, l), from, &mut Leaky),
                Some(terms) => self.follow_further(frame, terms, (block, l), from),
            }
        }
        self.settle(frame);
        self.pack.quiet_until = 0.0;
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
