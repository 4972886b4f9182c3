//! On-chip events that arrive within the step in which they were sent.
//!
//! The pass over a step knows the events that are under way when it begins. Those of
//! its own spikes are taken one by one, in the order in which they are sent: what they
//! do until the step's end is added there, and neurons that such an event may cause to
//! fire, or keep from it, are followed again from the step's beginning. What they did
//! before it arrived stays as it was.

use bss2_event::random::Address;

use super::{Buffers, Frame};
use crate::neuron::lif::{Lanes, MOMENTS, saturate};
use crate::synapse::{L, Row};

/// A neuron crosses its threshold in the step at hand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crossing {
    /// Microseconds from the step's beginning.
    pub(crate) at: f32,
    /// When its event is sent: the same but for jitter.
    pub(super) sent: f32,
    /// Counted over all blocks.
    pub(crate) lane: u16,
}

impl Crossing {
    pub(super) fn new(at: f32, lane: u16) -> Self {
        Self { at, sent: at, lane }
    }
}

/// What a neuron had when the step at hand began, of what the step overwrites.
#[derive(Debug, Clone, Default)]
pub(super) struct Overwritten {
    /// Lane and end of the reset, the oldest first.
    pub(super) held_until: Vec<(u16, f32)>,
    /// `[block]`, where neurons have further terms.
    pub(super) adaptation: Vec<Lanes>,
    /// Crossings that are found again.
    again: Vec<Crossing>,
}

impl Overwritten {
    pub(super) fn prepare(&mut self, blocks: usize) {
        self.adaptation.resize(blocks, [0.0; L]);
    }

    pub(super) fn clear(&mut self) {
        self.held_until.clear();
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
            crossing.sent = sent(frame, crossing);
        }
        self.crossings
            .sort_by(|a, b| a.sent.total_cmp(&b.sent).then(a.lane.cmp(&b.lane)));
    }

    /// Takes an on-chip event that arrives at `time` microseconds, when the first
    /// `sent` crossings of the step are done with.
    #[inline(always)]
    pub(super) fn receive<const SNAP: bool>(
        &mut self,
        frame: &Frame<'_, G>,
        time: f64,
        source: u16,
        sent: usize,
    ) {
        let step = frame.step;
        if SNAP || time >= step.end() {
            self.events.defer(time, source);
            return;
        }
        let common = frame.common;
        self.events.insert(common, source, time, step);
        let e = step.middle_offset(time);
        let mut rows = [Row::default(); G];
        for (g, row) in rows.iter_mut().enumerate() {
            *row = common.table.row(source.into(), g);
        }
        let event = Arrival {
            at: (time - step.start()) as f32,
            e,
            rows,
        };
        for block in 0..frame.blocks.len() {
            let reaches = |row: &Row| row.on(common.table.strengths(), block).is_some();
            if rows.iter().any(reaches) {
                self.join(frame, block, &event);
                self.follow_again(frame, block, &event, sent);
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
        let t_end = frame.step.end() as f32;
        let e = event.e;
        for (g, row) in event.rows.iter().enumerate() {
            let Some(s) = row.on(frame.common.table.strengths(), block) else {
                continue;
            };
            let at = |c: &[[Lanes; G]; MOMENTS], l| c[0][g][l] + e * (c[1][g][l] + e * c[2][g][l]);
            for l in usize::from(row.from_lane)..L {
                state.current[g][l] += s[l] * at(&c.event_current, l);
                let before = t.kappa[g][l] * old.current[g][l] + drive.x[g][l];
                let x = s[l] * at(&c.event_membrane, l);
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

    /// Follows the neurons of a block again whose crossings an event may change.
    #[inline(always)]
    fn follow_again(
        &mut self,
        frame: &Frame<'_, G>,
        block: usize,
        event: &Arrival<G>,
        sent: usize,
    ) {
        let (mut reached, mut raised) = ([false; L], [false; L]);
        let mut from = L;
        for (g, row) in event.rows.iter().enumerate() {
            let Some(strengths) = row.on(frame.common.table.strengths(), block) else {
                continue;
            };
            from = from.min(row.from_lane.into());
            for l in usize::from(row.from_lane)..L {
                reached[l] |= strengths[l] != 0.0;
                raised[l] |= (strengths[l] != 0.0) & (g % 2 == 0);
            }
        }
        let (t_start, t_end) = (frame.step.start() as f32, frame.step.end() as f32);
        let highest = self.highest::<false>(block, from);
        let attention = &self.trials[block].v_attention;
        let (mut follow, mut some) = ([false; L], false);
        for l in from..L {
            let until = self.held_until[block][l];
            let released = (until > t_start) & reached[l];
            let rises = (highest[l] > attention[l]) & raised[l];
            follow[l] = (released | rises) & (until < t_end);
            some |= follow[l];
        }
        let mut i = 0;
        self.crossings.retain(|crossing| {
            let (done, lane) = (i < sent, usize::from(crossing.lane));
            i += 1;
            let here = lane / L == block && (reached[lane % L] || follow[lane % L]);
            if done || !here || crossing.at <= event.at {
                return true;
            }
            follow[lane % L] = true;
            some = true;
            false
        });
        if !some {
            return;
        }
        let known = self.crossings.len();
        let kick = self.kick(frame, block);
        for l in (0..L).filter(|&l| follow[l]) {
            let lane = (block * L + l) as u16;
            let before = self.overwritten.held_until.iter();
            if let Some(&(_, until)) = before.clone().find(|before| before.0 == lane) {
                self.held_until[block][l] = until;
            }
            self.resolve(frame, (block, l), kick[l]);
        }
        self.settle(frame);
        self.replace(frame, event.at, sent, known);
    }

    /// Puts the crossings from `known` on among those that are still to be sent,
    /// unless they happened before `at` microseconds and are there.
    #[inline(always)]
    fn replace(&mut self, frame: &Frame<'_, G>, at: f32, done: usize, known: usize) {
        let mut again = std::mem::take(&mut self.overwritten.again);
        again.clear();
        again.extend(self.crossings.drain(known..));
        for (i, crossing) in again.iter().enumerate() {
            let same = |other: &&Crossing| other.lane == crossing.lane;
            let present = self.crossings.iter().filter(same).count();
            if again[..i].iter().filter(same).count() < present {
                continue;
            }
            let mut crossing = Crossing::new(crossing.at.max(at), crossing.lane);
            crossing.sent = sent(frame, &crossing).max(self.crossings[done - 1].sent);
            let key = |c: &Crossing| (c.sent, c.lane);
            let later = self.crossings[done..].partition_point(|c| key(c) <= key(&crossing));
            self.crossings.insert(done + later, crossing);
        }
        self.overwritten.again = again;
    }
}

/// When the event of a crossing is sent.
#[inline(always)]
fn sent<const G: usize>(frame: &Frame<'_, G>, crossing: &Crossing) -> f32 {
    let jitter = frame.common.noise.spike_jitter.as_micro() as f32;
    if jitter == 0.0 {
        return crossing.at;
    }
    let address: Address = frame.jitter;
    let z = address
        .element(crossing.lane.into())
        .normal(frame.step.index as u32);
    (crossing.at + jitter * z as f32).clamp(0.0, frame.step.h as f32)
}
