//! On-chip events that arrive within the step in which they were sent.
//!
//! The pass over a step knows the events that are under way when it begins. Those of
//! its own spikes are taken one by one, in the order in which they are sent: what they
//! do until the step's end is added there, and neurons that such an event may cause to
//! fire, or keep from it, are followed again from the step's beginning. When they fired
//! before it arrived stays; but what the mean current leaves of the saturating inputs
//! is that of the whole step, so the membrane in between may move by it.

use super::{Buffers, Frame};
use crate::neuron::lif::{MOMENTS, saturate};
use crate::neuron::pack::Ending;
use crate::neuron::threshold::{Leaky, Membrane, TOGETHER, gather_nodes};
use crate::neuron::upswing::Upswing;
use crate::synapse::{L, Row};

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
        times.then(self.lane.cmp(&other.lane))
    }
}

/// An on-chip event within the step at hand.
struct Arrival<const G: usize> {
    /// Microseconds from the step's beginning.
    at: f32,
    /// Distance to the step's end, from its middle.
    e: f32,
    /// `[group]`: what it opens.
    rows: [Row; G],
}

impl<const G: usize> Buffers<G> {
    /// Orders the crossings of a step by the times of their events, which stay
    /// within the step so that those of all steps are in order.
    #[inline(always)]
    pub(super) fn send(&mut self, frame: &Frame<'_, G>) {
        for crossing in &mut self.crossings {
            *crossing = crossing.jittered(frame);
        }
        self.crossings.sort_by(Crossing::before);
    }

    /// Takes an on-chip event that arrives at `time` microseconds, when the first
    /// `done` crossings of the step were sent.
    #[inline(always)]
    pub(super) fn receive<const SNAP: bool>(
        &mut self,
        frame: &Frame<'_, G>,
        time: f64,
        source: u16,
        done: usize,
    ) {
        let (common, step) = (frame.common, frame.step);
        if SNAP || time >= step.end() {
            self.events.defer(time, source);
            return;
        }
        self.events.insert(common, source, time, step);
        let mut rows = [Row::default(); G];
        for (g, row) in rows.iter_mut().enumerate() {
            *row = common.table.row(source.into(), g);
        }
        let event = Arrival {
            at: (time - step.start()) as f32,
            e: step.middle_offset(time),
            rows,
        };
        for block in 0..frame.blocks.len() {
            let reaches = |row: &Row| row.on(common.table.strengths(), block).is_some();
            if rows.iter().any(reaches) {
                self.join(frame, block, &event);
                self.follow_again(frame, block, &event, done);
            }
        }
    }

    /// Adds to the end of the step what an event does.
    #[inline(always)]
    fn join(&mut self, frame: &Frame<'_, G>, block: usize, event: &Arrival<G>) {
        let (c, t) = (&frame.blocks[block], &self.trials[block]);
        let (old, state) = (&self.before[block], &mut self.after[block]);
        let held_until = &self.held_until[block];
        let drive = &mut self.drives[block];
        if !drive.any {
            drive.any = true;
            drive.x = [[0.0; L]; G];
        }
        let (t_end, e) = (frame.step.end() as f32, event.e);
        for (g, row) in event.rows.iter().enumerate() {
            let Some(s) = row.on(frame.common.table.strengths(), block) else {
                continue;
            };
            for l in usize::from(row.from_lane)..L {
                let of = |[c0, c1, c2]: [f32; MOMENTS]| e.mul_add(e.mul_add(c2, c1), c0);
                let current = c.event_current.each_ref().map(|c| c[g][l]);
                let membrane = c.event_membrane.each_ref().map(|c| c[g][l]);
                state.current[g][l] += s[l] * of(current);
                let before = t.kappa[g][l].mul_add(old.current[g][l], drive.x[g][l]);
                let x = s[l] * of(membrane);
                drive.x[g][l] += x;
                let more = saturate(before + x) - saturate(before);
                let free = if held_until[l] >= t_end { 0.0 } else { 1.0 };
                let change = free * t.saturation[g][l] * more;
                state.v[l] += match &c.terms {
                    None => change,
                    Some(terms) => terms.force(g, l, state.v[l]) * change,
                };
            }
        }
    }

    /// Follows the neurons of a block again whose crossings an event may change, or
    /// that are released after it.
    #[inline(always)]
    fn follow_again(
        &mut self,
        frame: &Frame<'_, G>,
        block: usize,
        event: &Arrival<G>,
        done: usize,
    ) {
        let (t_start, t_end) = (frame.step.start() as f32, frame.step.end() as f32);
        let attention = self.trials[block].v_attention;
        let (mut reached, mut raised) = ([false; L], [false; L]);
        let (mut from, mut some) = (L, false);
        for (g, row) in event.rows.iter().enumerate() {
            let Some(strengths) = row.on(frame.common.table.strengths(), block) else {
                continue;
            };
            from = from.min(row.from_lane.into());
            for l in usize::from(row.from_lane)..L {
                // Readouts neither fire nor are they held.
                let held = self.held_until[block][l] > t_start;
                let may = (attention[l] < f32::INFINITY) | held;
                let reaches = (strengths[l] != 0.0) & may;
                reached[l] |= reaches;
                raised[l] |= reaches & (g % 2 == 0);
                some |= reaches;
            }
        }
        if !some {
            return;
        }
        // What further terms make of an event within a step is not in the estimate.
        let all = frame.blocks[block].terms.is_some();
        let highest = self.highest::<false>(block, from);
        let mut follow = [false; L];
        for l in from..L {
            let until = self.held_until[block][l];
            let held = (until > t_start + event.at) & reached[l];
            let rises = (highest[l] > attention[l]) & raised[l];
            follow[l] = (held | rises | (all & reached[l])) & (until < t_end);
        }
        let mut i = 0;
        self.crossings.retain(|crossing| {
            let lane = usize::from(crossing.lane);
            let past = i < done || crossing.at <= event.at;
            i += 1;
            if past || lane / L != block || !reached[lane % L] {
                return true;
            }
            follow[lane % L] = true;
            false
        });
        for l in (from..L).filter(|&l| follow[l]) {
            match frame.blocks[block].terms.as_deref() {
                None => self.again(frame, (block, l), event.at, &mut Leaky),
                Some(terms) => {
                    let mut upswing = Upswing {
                        block: terms,
                        lane: l,
                        w: self.overwritten.adaptation[block][l],
                    };
                    self.again(frame, (block, l), event.at, &mut upswing);
                    self.adaptation[block][l] = upswing.w;
                }
            }
        }
        let mut again = std::mem::take(&mut self.found_again);
        for crossing in again.drain(..) {
            let mut crossing = crossing.jittered(frame);
            crossing.sent = crossing.sent.max(self.crossings[done - 1].sent);
            let place = self.crossings[done..].partition_point(|c| c.before(&crossing).is_le());
            self.crossings.insert(done + place, crossing);
        }
        self.found_again = again;
    }

    /// Follows a neuron from the step's beginning: through the crossings that stay, and
    /// from `at` on, looking for others.
    #[inline(always)]
    fn again<M: Membrane<G>>(
        &mut self,
        frame: &Frame<'_, G>,
        (block, l): (usize, usize),
        at: f32,
        membrane: &mut M,
    ) {
        let (h, t_start) = (frame.step.h as f32, frame.step.start() as f32);
        let lane = (block * L + l) as u16;
        let first = self.overwritten.held_until.iter();
        if let Some(&(_, until)) = first.clone().find(|overwritten| overwritten.0 == lane) {
            self.held_until[block][l] = until;
        }
        let neuron = self.local_neuron(frame, (block, l));
        let mut quiet = neuron;
        quiet.v_threshold = f32::INFINITY;
        let nodes = M::nodes(&mut self.nodes);
        let (events, strengths) = (&self.events, frame.common.table.strengths());
        gather_nodes(events, strengths, &neuron, (block, l), TOGETHER * h, nodes);
        let old = &self.before[block];
        let mut currents = [0.0; G];
        for g in 0..G {
            currents[g] = old.current[g][l];
        }
        let until = self.held_until[block][l] - t_start;
        let mut moment = neuron.begin((old.v[l], currents), until);
        let mut now = 0.0;
        for crossing in self.crossings.iter().filter(|c| c.lane == lane) {
            moment = quiet.resolve(membrane, moment, nodes, now..crossing.at, |_| ());
            now = crossing.at;
            neuron.fire(membrane, &mut moment, now);
        }
        let at = at.max(now);
        moment = quiet.resolve(membrane, moment, nodes, now..at, |_| ());
        let found = &mut self.found_again;
        let on_spike = |at| found.push(Crossing::new(at, lane));
        moment = neuron.resolve(membrane, moment, nodes, at..h, on_spike);
        let end = Ending {
            lane,
            v: moment.v,
            held_until: moment.held_until,
        };
        self.end(frame, end);
    }
}
