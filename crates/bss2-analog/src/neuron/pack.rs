//! Neurons that need a closer look in a step, followed together.
//!
//! All of them meet the same events at the same times: one pass over the events
//! advances a vector of neurons from event to event. What one neuron does alone, a
//! crossing or a release, lies between two events and is followed there by
//! [`LocalNeuron::resolve`].

use crate::events::{Events, StepEvent};
use crate::neuron::lif::Lanes;
use crate::neuron::threshold::{Leaky, LocalNeuron, Moment, Series, TOGETHER};
use crate::synapse::{L, VECTOR};

/// Up to 64 neurons of any blocks.
#[derive(Debug, Clone)]
pub(crate) struct Pack<const G: usize> {
    members: Vec<Member<G>>,
    /// No crossing is looked for before, microseconds from the beginning of the step.
    pub(crate) quiet_until: f32,
    v: Lanes,
    /// Taylor series of the synaptic current, see [`Series`].
    series: [Lanes; 4],
    /// By which the series jumps at the node at hand.
    jump: [Lanes; 4],
    /// End of the reset, microseconds from the beginning of the step.
    held_until: Lanes,
    v_rest: Lanes,
    v_reset: Lanes,
    v_threshold: Lanes,
    inverse_tau_mem: Lanes,
    drift: Lanes,
    gain: [Lanes; G],
    inverse_tau_syn: [Lanes; G],
    strength: Lanes,
    flags: [u32; L],
}

/// A neuron of a pack.
#[derive(Debug, Clone, Copy)]
struct Member<const G: usize> {
    neuron: LocalNeuron<G>,
    /// Counted over all blocks.
    lane: u16,
}

/// How a neuron ends a step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ending {
    /// Counted over all blocks.
    pub(crate) lane: u16,
    pub(crate) v: f32,
    pub(crate) held_until: f32,
}

impl<const G: usize> Default for Pack<G> {
    fn default() -> Self {
        let zero = [0.0; L];
        Self {
            members: Vec::with_capacity(L),
            quiet_until: 0.0,
            v: zero,
            series: [zero; 4],
            jump: [zero; 4],
            held_until: zero,
            v_rest: zero,
            v_reset: zero,
            v_threshold: [f32::INFINITY; L],
            inverse_tau_mem: zero,
            drift: zero,
            gain: [zero; G],
            inverse_tau_syn: [zero; G],
            strength: zero,
            flags: [0; L],
        }
    }
}

impl<const G: usize> Pack<G> {
    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.members.len() == L
    }

    /// Takes a neuron as it is when the step begins.
    #[inline(always)]
    pub(crate) fn push(&mut self, neuron: LocalNeuron<G>, lane: u16, moment: Moment<Series>) {
        let i = self.members.len();
        self.v[i] = moment.v;
        for (series, value) in self.series.iter_mut().zip(moment.current.0) {
            series[i] = value;
        }
        self.held_until[i] = moment.held_until;
        self.v_rest[i] = neuron.v_rest;
        self.v_reset[i] = neuron.v_reset;
        self.v_threshold[i] = neuron.v_threshold;
        self.inverse_tau_mem[i] = neuron.inverse_tau_mem;
        self.drift[i] = neuron.drift;
        for g in 0..G {
            self.gain[g][i] = neuron.gain[g];
            self.inverse_tau_syn[g][i] = neuron.inverse_tau_syn[g];
        }
        self.members.push(Member { neuron, lane });
    }

    /// Follows all neurons through the step; `on_spike` gets lane and moment of each
    /// crossing, in microseconds from the beginning of the step.
    #[inline(always)]
    pub(crate) fn resolve(
        &mut self,
        events: &Events<G>,
        strengths: &[Lanes],
        h: f32,
        mut on_spike: impl FnMut(u16, f32),
    ) {
        // Those past the last neuron do nothing.
        let lanes = self.members.len().next_multiple_of(VECTOR);
        self.v_threshold[self.members.len()..lanes].fill(f32::INFINITY);
        self.held_until[self.members.len()..lanes].fill(0.0);
        let mut now = 0.0;
        // Events that are taken together: when they begin, their mean time, how many.
        let (mut begin, mut at, mut count) = (0.0, 0.0, 0.0);
        for event in &events.step {
            if count > 0.0 && event.at - begin > TOGETHER * h {
                self.pass(lanes, (now, at), &mut on_spike);
                self.join(lanes);
                (now, count) = (at, 0.0);
            }
            if count == 0.0 {
                (begin, at) = (event.at, event.at);
            }
            count += 1.0;
            at += (event.at - at) / count;
            self.collect(lanes, events, event, strengths);
        }
        if count > 0.0 {
            self.pass(lanes, (now, at), &mut on_spike);
            self.join(lanes);
            now = at;
        }
        self.pass(lanes, (now, h), &mut on_spike);
    }

    /// Takes a neuron out, as it ends the step.
    #[inline(always)]
    pub(crate) fn pop(&mut self) -> Option<Ending> {
        let Member { lane, .. } = self.members.pop()?;
        let i = self.members.len();
        Some(Ending {
            lane,
            v: self.v[i],
            held_until: self.held_until[i],
        })
    }

    /// Adds an event to the jump of the node at hand.
    #[inline(always)]
    fn collect(
        &mut self,
        lanes: usize,
        events: &Events<G>,
        event: &StepEvent,
        strengths: &[Lanes],
    ) {
        for opened in events.opened(event) {
            let group = usize::from(opened.group);
            let (row, strengths) = (opened.row, strengths.as_flattened());
            let reached = L * usize::from(row.first)..L * usize::from(row.last);
            let from = L * row.base as usize;
            let lane = |member: &Member<G>| usize::from(member.lane);
            for (strength, member) in self.strength.iter_mut().zip(&self.members) {
                let offset = lane(member).wrapping_sub(reached.start);
                *strength = if offset < reached.len() {
                    strengths[from + offset]
                } else {
                    0.0
                };
            }
            let (gain, rate) = (&self.gain[group], &self.inverse_tau_syn[group]);
            let [j0, j1, j2, j3] = &mut self.jump;
            for i in 0..lanes {
                let (d0, rate) = (gain[i] * self.strength[i], -rate[i]);
                let (d1, square) = (d0 * rate, rate * rate);
                j0[i] += d0;
                j1[i] += d1;
                j2[i] = d0.mul_add(square, j2[i]);
                j3[i] = d1.mul_add(square, j3[i]);
            }
        }
    }

    /// The events of the node at hand begin to act.
    #[inline(always)]
    fn join(&mut self, lanes: usize) {
        for (series, jump) in self.series.iter_mut().zip(&mut self.jump) {
            for i in 0..lanes {
                series[i] += jump[i];
                jump[i] = 0.0;
            }
        }
    }

    /// From one moment of the step to another without events in between.
    #[inline(always)]
    fn pass(&mut self, lanes: usize, (now, end): (f32, f32), on_spike: &mut impl FnMut(u16, f32)) {
        let middle = self.quiet_until.min(end).max(now);
        if middle > now {
            self.advance(lanes, (now, middle), true, on_spike);
        }
        self.advance(lanes, (middle, end), false, on_spike);
    }

    #[inline(always)]
    fn advance(
        &mut self,
        lanes: usize,
        (now, end): (f32, f32),
        quiet: bool,
        on_spike: &mut impl FnMut(u16, f32),
    ) {
        let span = end - now;
        if span <= 0.0 {
            return;
        }
        let (half, third, quarter) = (0.5 * span, span * (1.0 / 3.0), 0.25 * span);
        let mut watch = 0;
        let mut next = [0.0; L];
        {
            let [i0, i1, i2, i3] = &self.series;
            for i in 0..lanes {
                let (v, rate) = (self.v[i], self.inverse_tau_mem[i]);
                // As `LocalNeuron::quartic`.
                let v1 = (self.v_rest[i] - v).mul_add(rate, self.drift[i] + i0[i]);
                let v2 = (-v1).mul_add(rate, i1[i]);
                let v3 = (-v2).mul_add(rate, i2[i]);
                let v4 = (-v3).mul_add(rate, i3[i]);
                let bend = third * quarter.mul_add(v4, v3);
                let v_end = span.mul_add(half.mul_add(v2 + bend, v1), v);
                let slope_end = span.mul_add(half.mul_add(third.mul_add(v4, v3), v2), v1);
                let held = self.held_until[i] >= end;
                let released = (self.held_until[i] > now) & !held;
                // It may peak in between: the tangent at the beginning lies above.
                let threshold = self.v_threshold[i];
                let peaks = (v1.mul_add(span, v) > threshold) & (slope_end < 0.0);
                let crosses = (v_end > threshold) | (v > threshold) | peaks;
                let flag = u32::from(released | (crosses & !held & !quiet));
                self.flags[i] = flag;
                watch |= flag;
                next[i] = if held { self.v_reset[i] } else { v_end };
            }
        }
        if watch != 0 {
            for (i, member) in self.members.iter().enumerate() {
                if self.flags[i] == 0 {
                    continue;
                }
                let moment = Moment {
                    v: self.v[i],
                    current: Series(self.series.each_ref().map(|part| part[i])),
                    held_until: self.held_until[i] - now,
                };
                let until = moment.held_until;
                let mut neuron = member.neuron;
                if quiet {
                    neuron.v_threshold = f32::INFINITY;
                }
                let crossing = |at| on_spike(member.lane, now + at);
                let moment = neuron.resolve(&mut Leaky, moment, &[], 0.0..span, crossing);
                next[i] = moment.v;
                if moment.held_until != until {
                    self.held_until[i] = now + moment.held_until;
                }
            }
        }
        self.v[..lanes].copy_from_slice(&next[..lanes]);
        // As `Series::pass`.
        let [i0, i1, i2, i3] = &mut self.series;
        for i in 0..lanes {
            let bend = third.mul_add(i3[i], i2[i]);
            i0[i] = span.mul_add(half.mul_add(bend, i1[i]), i0[i]);
            i1[i] = span.mul_add(half.mul_add(i3[i], i2[i]), i1[i]);
            i2[i] = span.mul_add(i3[i], i2[i]);
        }
    }
}
