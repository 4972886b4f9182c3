//! Neurons that need a closer look in a step, followed together.
//!
//! All of them meet the same events at the same times: one pass over the events
//! advances a vector of neurons from event to event. A neuron that is released between two
//! events begins its own part of that time there; one that may cross its threshold is looked
//! at alone, and followed by [`LocalNeuron::resolve`] if it fires and is released again before
//! the next event.

use std::ops::Range;

use crate::events::{Events, StepEvent};
use crate::lanes::{L, Lanes, VECTOR, Vector, place};
use crate::neuron::threshold::{Course, Leaky, LocalNeuron, Moment, Quartic, Series, TOGETHER};

/// Neurons side by side, at some moment of the step; on cache lines of their own, as [`Lanes`].
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(crate) struct Pack<const G: usize> {
    pub(crate) v: Vector,
    /// Taylor series of the synaptic current, see [`Series`].
    series: [Vector; 4],
    /// End of the reset, microseconds from the beginning of the step.
    pub(crate) held_until: Vector,
    v_rest: Vector,
    v_reset: Vector,
    v_threshold: Vector,
    inverse_tau_mem: Vector,
    drift: Vector,
    gain: [Vector; G],
    inverse_tau_syn: [Vector; G],
    hold: Vector,
    holdoff: Vector,
}

/// Strengths of a pack in each row that the events of a step open; kept for their memory.
pub(crate) type Strengths = Vec<Lanes<f32, VECTOR>>;

/// Looks up the strengths of neurons. Ahead of their use and where
/// they will be read: a vector that was just written number by number is slow to be read.
#[inline(always)]
fn look_up<const G: usize>(
    neurons: &[u16],
    events: &Events<G>,
    strengths: &[Lanes],
    found: &mut Strengths,
) {
    if found.len() < events.opened.len() {
        found.resize(events.opened.len(), Lanes::all(0.0));
    }
    let mut places = [(0, 0); VECTOR];
    for (at, &neuron) in places.iter_mut().zip(neurons) {
        *at = place(neuron);
    }
    // Lanes without a neuron keep what they had: nothing comes of it.
    for (found, opened) in found.iter_mut().zip(&events.opened) {
        let (first, row) = opened.row.blocks(strengths);
        for (strength, (block, l)) in found.iter_mut().zip(&places[..neurons.len()]) {
            let of_block = row.get(block.wrapping_sub(first));
            // The remainder spares a check.
            *strength = of_block.map_or(0.0, |row| row[l % L]);
        }
    }
}

/// The events of a step with the strengths of a vector.
#[derive(Clone, Copy)]
struct Met<'a, const G: usize> {
    events: &'a Events<G>,
    /// `[opened row]`.
    strengths: &'a [Lanes<f32, VECTOR>],
}

impl<'a, const G: usize> Met<'a, G> {
    /// Groups and strengths of an event.
    #[inline(always)]
    fn of(self, event: &StepEvent) -> impl Iterator<Item = (usize, &'a Lanes<f32, VECTOR>)> {
        let groups = self.events.opened(event).iter();
        let strengths = &self.strengths[event.opened()];
        groups
            .map(|opened| usize::from(opened.group))
            .zip(strengths)
    }
}

impl<const G: usize> Pack<G> {
    /// Neurons that do nothing.
    pub(crate) const IDLE: Self = Self {
        v: [0.0; VECTOR],
        series: [[0.0; VECTOR]; 4],
        held_until: [0.0; VECTOR],
        v_rest: [0.0; VECTOR],
        v_reset: [0.0; VECTOR],
        v_threshold: [f32::INFINITY; VECTOR],
        inverse_tau_mem: [0.0; VECTOR],
        drift: [0.0; VECTOR],
        gain: [[0.0; VECTOR]; G],
        inverse_tau_syn: [[0.0; VECTOR]; G],
        hold: [0.0; VECTOR],
        holdoff: [0.0; VECTOR],
    };

    /// Puts a neuron beside the others, as it is when the step begins.
    #[inline(always)]
    pub(crate) fn set(&mut self, i: usize, neuron: &LocalNeuron<G>, moment: &Moment<Series>) {
        self.v[i] = moment.v;
        put(&mut self.series, i, moment.current);
        self.held_until[i] = moment.held_until;
        self.v_rest[i] = neuron.v_rest;
        self.v_reset[i] = neuron.v_reset;
        self.v_threshold[i] = neuron.v_threshold;
        self.inverse_tau_mem[i] = neuron.inverse_tau_mem;
        self.drift[i] = neuron.drift;
        self.hold[i] = neuron.hold;
        self.holdoff[i] = neuron.holdoff;
        for g in 0..G {
            self.gain[g][i] = neuron.gain[g];
            self.inverse_tau_syn[g][i] = neuron.inverse_tau_syn[g];
        }
    }

    /// Follows neurons through the step; `on_spike` gets lane and moment of each
    /// crossing, in microseconds from the beginning of the step. Before `from` nothing
    /// happens but events: no neuron crosses, none is released.
    #[inline(always)]
    pub(crate) fn resolve(
        &mut self,
        neurons: &[u16],
        (events, strengths, found): (&Events<G>, &[Lanes], &mut Strengths),
        span: Range<f32>,
        mut on_spike: impl FnMut(u16, f32),
    ) {
        look_up(neurons, events, strengths, found);
        let met = Met {
            events,
            strengths: found,
        };
        self.follow(neurons, met, span, &mut on_spike);
    }

    /// One of the neurons.
    #[inline(always)]
    fn neuron(&self, i: usize) -> LocalNeuron<G> {
        let (mut gain, mut inverse_tau_syn) = ([0.0; G], [0.0; G]);
        for g in 0..G {
            gain[g] = self.gain[g][i];
            inverse_tau_syn[g] = self.inverse_tau_syn[g][i];
        }
        LocalNeuron {
            v_rest: self.v_rest[i],
            v_reset: self.v_reset[i],
            v_threshold: self.v_threshold[i],
            inverse_tau_mem: self.inverse_tau_mem[i],
            inverse_tau_syn,
            gain,
            drift: self.drift[i],
            hold: self.hold[i],
            holdoff: self.holdoff[i],
        }
    }

    /// From the beginning of the step to its end, event by event from a moment on.
    #[inline(always)]
    fn follow(
        &mut self,
        neurons: &[u16],
        met: Met<'_, G>,
        Range {
            start: mut now,
            end: h,
        }: Range<f32>,
        on_spike: &mut impl FnMut(u16, f32),
    ) {
        let mut left = met.events.step.as_slice();
        if now > 0.0 {
            let past = left.partition_point(|event| event.at <= now);
            self.begin_at(now, &left[..past], met);
            left = &left[past..];
        }
        loop {
            // Events that are taken together, at their mean time.
            let begin = left.first().map_or(h, |event| event.at);
            let mut jump = [[0.0; VECTOR]; 4];
            let (mut sum, mut count) = (0.0, 0);
            for event in left {
                if event.at - begin > TOGETHER * h {
                    break;
                }
                for (group, strength) in met.of(event) {
                    let more = self.jump(group, strength);
                    for (jump, more) in jump.iter_mut().zip(more) {
                        for i in 0..VECTOR {
                            jump[i] += more[i];
                        }
                    }
                }
                sum += event.at;
                count += 1;
            }
            let end = if count > 0 { sum / count as f32 } else { h };
            self.pass(neurons, (now, end), on_spike);
            if count == 0 {
                return;
            }
            for (series, jump) in self.series.iter_mut().zip(jump) {
                for i in 0..VECTOR {
                    series[i] += jump[i];
                }
            }
            (now, left) = (end, &left[count..]);
        }
    }

    /// What an event adds to the series.
    #[inline(always)]
    fn jump(&self, group: usize, strength: &Vector) -> [Vector; 4] {
        let (gain, rate) = (&self.gain[group], &self.inverse_tau_syn[group]);
        let mut jump = [[0.0; VECTOR]; 4];
        for i in 0..VECTOR {
            put(
                &mut jump,
                i,
                Series::decaying(gain[i] * strength[i], rate[i]),
            );
        }
        jump
    }

    /// Moves to a moment before which no membrane crosses or is released: all events until
    /// then act for themselves.
    #[inline(always)]
    fn begin_at(&mut self, now: f32, past: &[StepEvent], met: Met<'_, G>) {
        let mut v = self.v;
        for i in 0..VECTOR {
            let rate = self.inverse_tau_mem[i];
            let slope = (self.v_rest[i] - v[i]).mul_add(rate, self.drift[i]);
            let series = at(&self.series, i);
            v[i] += now * mean_slope(series.derivatives(slope + series.0[0], rate), now);
        }
        let mut series = passed(&self.series, now);
        for event in past {
            let span = now - event.at;
            for (group, strength) in met.of(event) {
                let jump = self.jump(group, strength);
                for i in 0..VECTOR {
                    let (jump, rate) = (at(&jump, i), self.inverse_tau_mem[i]);
                    v[i] += span * mean_slope(jump.derivatives(jump.0[0], rate), span);
                }
                let jump = passed(&jump, span);
                for (series, jump) in series.iter_mut().zip(jump) {
                    for i in 0..VECTOR {
                        series[i] += jump[i];
                    }
                }
            }
        }
        for i in 0..VECTOR {
            let held = self.held_until[i] > 0.0;
            self.v[i] = if held { self.v_reset[i] } else { v[i] };
        }
        self.series = series;
    }

    /// From one moment of the step to another without events in between.
    #[inline(always)]
    fn pass(
        &mut self,
        neurons: &[u16],
        (now, end): (f32, f32),
        on_spike: &mut impl FnMut(u16, f32),
    ) {
        let span = end - now;
        if span <= 0.0 {
            return;
        }
        let (mut watch, mut flags) = (0, [0_u32; VECTOR]);
        // Copies: of two places in memory a selection would be a gather.
        let (own, reset) = (self.v, self.v_reset);
        let (mut begin, mut next) = ([0.0; VECTOR], [0.0; VECTOR]);
        let (mut waits, mut slopes) = ([0.0; VECTOR], [[0.0; VECTOR]; 4]);
        for i in 0..VECTOR {
            // A neuron that is held begins at its release, with the currents of that moment.
            let wait = self.held_until[i] - now;
            let wait = if wait > 0.0 { wait } else { 0.0 };
            let wait = if wait < span { wait } else { span };
            waits[i] = wait;
            let (span, held) = (span - wait, wait > 0.0);
            let (half, third) = (0.5 * span, span * (1.0 / 3.0));
            let v = if held { reset[i] } else { own[i] };
            let (rate, series) = (self.inverse_tau_mem[i], at(&self.series, i).after(wait));
            let v1 = (self.v_rest[i] - v).mul_add(rate, self.drift[i] + series.0[0]);
            let derivatives = series.derivatives(v1, rate);
            let [_, v2, v3, v4] = derivatives;
            put(&mut slopes, i, Series(derivatives));
            let v_end = span.mul_add(mean_slope(derivatives, span), v);
            let slope_end = span.mul_add(half.mul_add(third.mul_add(v4, v3), v2), v1);
            // It may peak in between: the tangent at the beginning lies above.
            let threshold = self.v_threshold[i];
            let peaks = (v1.mul_add(span, v) > threshold) & (slope_end < 0.0);
            let crosses = (v_end > threshold) | (v > threshold) | peaks;
            let flag = u32::from(crosses & (span > 0.0));
            flags[i] = flag;
            watch |= flag;
            begin[i] = v;
            next[i] = v_end;
        }
        if watch != 0 {
            for (i, &lane) in neurons.iter().enumerate() {
                if flags[i] == 0 {
                    continue;
                }
                let course = Quartic::new(begin[i], at(&slopes, i).0);
                match course.follow(self.v_threshold[i], span - waits[i]) {
                    Course::Ends(v) => next[i] = v,
                    Course::Crosses(after) => {
                        let crossing = waits[i] + after;
                        let on_spike = |at| on_spike(lane, at);
                        next[i] = if now + crossing < self.held_until[i] + self.holdoff[i] {
                            let held_until = self.held_until[i] - now;
                            self.alone(i, begin[i], held_until, (now, waits[i]..span), on_spike)
                        } else {
                            self.fired(i, (now, crossing..span), on_spike)
                        };
                    }
                }
            }
        }
        self.v = next;
        self.series = passed(&self.series, span);
    }

    /// Resets a neuron that crosses its threshold some time after `now`, and answers where it
    /// is at the end of a span without events, which it may reach by way of further crossings.
    #[inline(always)]
    fn fired(
        &mut self,
        i: usize,
        (now, span): (f32, Range<f32>),
        mut on_spike: impl FnMut(f32),
    ) -> f32 {
        let held_until = span.start + self.hold[i];
        on_spike(now + span.start);
        self.held_until[i] = now + held_until;
        if held_until >= span.end {
            return self.v_reset[i];
        }
        self.alone(i, self.v_reset[i], held_until, (now, span), on_spike)
    }

    /// Follows a neuron from a membrane at the beginning of a span without events, some time
    /// after `now`, and answers where it is at the end.
    #[inline(always)]
    fn alone(
        &mut self,
        i: usize,
        v: f32,
        held_until: f32,
        (now, span): (f32, Range<f32>),
        mut on_spike: impl FnMut(f32),
    ) -> f32 {
        let moment = Moment {
            v,
            current: at(&self.series, i).after(span.start),
            held_until,
        };
        let neuron = self.neuron(i);
        let moment = neuron.resolve(&mut Leaky, moment, &[], span, |at| on_spike(now + at));
        if moment.held_until != held_until {
            self.held_until[i] = now + moment.held_until;
        }
        moment.v
    }
}

/// The series of one neuron.
#[inline(always)]
fn at(series: &[Vector; 4], i: usize) -> Series {
    Series([series[0][i], series[1][i], series[2][i], series[3][i]])
}

/// Sets the series of one neuron.
#[inline(always)]
fn put(series: &mut [Vector; 4], i: usize, of_one: Series) {
    [series[0][i], series[1][i], series[2][i], series[3][i]] = of_one.0;
}

/// All series after a time.
#[inline(always)]
fn passed(series: &[Vector; 4], span: f32) -> [Vector; 4] {
    let mut after = [[0.0; VECTOR]; 4];
    for i in 0..VECTOR {
        put(&mut after, i, at(series, i).after(span));
    }
    after
}

/// The mean slope in a time that begins with these derivatives.
#[inline(always)]
fn mean_slope([v1, v2, v3, v4]: [f32; 4], span: f32) -> f32 {
    let (half, third, quarter) = (0.5 * span, span * (1.0 / 3.0), 0.25 * span);
    let bend = third * quarter.mul_add(v4, v3);
    half.mul_add(v2 + bend, v1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Step;
    use proptest::prelude::*;

    const H: f32 = 1.7;

    /// Strengths in volts per microsecond of an event's two rows, and its time.
    type Event = (f32, f32, f32);

    fn neuron(v_rest: f32, tau_mem: f32, tau_syn: [f32; 2]) -> LocalNeuron<2> {
        LocalNeuron {
            v_rest,
            v_reset: -0.1,
            v_threshold: f32::INFINITY,
            inverse_tau_mem: 1.0 / tau_mem,
            inverse_tau_syn: tau_syn.map(|tau| 1.0 / tau),
            gain: [1.0, -0.9],
            drift: 0.002,
            hold: 2.0,
            holdoff: 0.0,
        }
    }

    /// A neuron with potential and end of the reset.
    type Begun = (LocalNeuron<2>, f32, f32);

    fn begin((neuron, v, held_until): &Begun) -> Moment<Series> {
        neuron.begin((*v, [0.02, 0.01]), *held_until)
    }

    fn pack(neurons: &[Begun]) -> Pack<2> {
        let mut pack = Pack::IDLE;
        for (i, begun) in neurons.iter().enumerate() {
            pack.set(i, &begun.0, &begin(begun));
        }
        pack
    }

    /// How neurons end a step of which the time before `quiet` is skipped.
    fn ends(neurons: &[Begun], events: &[Event], quiet: f32) -> Vec<f32> {
        let events: Vec<_> = events
            .iter()
            .map(|&(at, excitation, inhibition)| {
                // No two neurons alike.
                let row = |strength: f32| {
                    Lanes(std::array::from_fn(|l| strength * (1.0 + 0.01 * l as f32)))
                };
                (at, [excitation, inhibition].map(row))
            })
            .collect();
        let step = Step {
            index: 0,
            origin: 0.0,
            h: H.into(),
        };
        let (met, rows) = Events::of_step(step, &events);
        let mut pack = pack(neurons);
        let lanes: Vec<_> = (0..neurons.len() as u16).collect();
        let met = (&met, &rows[..], &mut Vec::new());
        pack.resolve(&lanes, met, quiet..H, |_, _| {
            panic!("no neuron has a threshold")
        });
        pack.v[..neurons.len()].to_vec()
    }

    #[test]
    fn a_neuron_that_fires_after_its_release_does_as_it_does_alone() {
        let firing = LocalNeuron {
            v_threshold: 0.1,
            hold: 0.3,
            ..neuron(0.9, 2.0, [5.0, 6.0])
        };
        // Free, released at once, within the step, at its end, and later.
        let untils = [-1.0, 0.0, 0.2, 0.7, 1.3, H, 2.0];
        let neurons = untils.map(|until| (firing, -0.05, until));
        let (mut spikes, mut lone_spikes, mut lone) = (Vec::new(), Vec::new(), Vec::new());
        for (lane, begun) in neurons.iter().enumerate() {
            let moment = begin(begun);
            let on_spike = |at| lone_spikes.push((lane as u16, at));
            lone.push(firing.resolve(&mut Leaky, moment, &[], 0.0..H, on_spike));
        }
        let on_spike = |lane, at| spikes.push((lane, at));
        let (mut pack, lanes) = (pack(&neurons), [0, 1, 2, 3, 4, 5, 6]);
        let met = (&Events::default(), &[][..], &mut Vec::new());
        pack.resolve(&lanes, met, 0.0..H, on_spike);
        let of = |lane: u16| spikes.iter().filter(|spike| spike.0 == lane).count();
        assert_eq!(lanes.map(of), [2, 2, 2, 1, 0, 0, 0]);
        assert_eq!(spikes.len(), lone_spikes.len());
        for (a, b) in spikes.iter().zip(&lone_spikes) {
            assert!(a.0 == b.0 && (a.1 - b.1).abs() < 1e-5, "{a:?} {b:?}");
        }
        for (i, lone) in lone.iter().enumerate() {
            assert!((pack.v[i] - lone.v).abs() < 1e-5, "{i}");
            let (until, lone) = (pack.held_until[i], lone.held_until);
            assert!((until - lone).abs() < 1e-5, "{i}");
        }
    }

    proptest! {
        #[test]
        fn time_may_be_skipped_until_a_moment_before_which_nothing_happens(
            taus in prop::collection::vec((5.0_f32..20.0, 5.0_f32..20.0, 5.0_f32..20.0), 1..=VECTOR),
            // Further apart than what is taken together.
            slots in prop::collection::btree_set(0_u32..27, 0..8),
            strengths in prop::collection::vec((0.0_f32..0.05, 0.0_f32..0.05), 8),
            quiet in 0.01_f32..H,
            held in prop::collection::vec(any::<bool>(), VECTOR),
        ) {
            let neurons: Vec<_> = taus
                .iter()
                .zip(held)
                .enumerate()
                .map(|(i, (&(tau_mem, exc, inh), held))| {
                    let until = if held { quiet + 0.02 * i as f32 } else { -1.0 };
                    (neuron(0.01 * i as f32, tau_mem, [exc, inh]), 0.05, until)
                })
                .collect();
            let times = slots.iter().map(|&slot| 0.06 * slot as f32 + 0.03);
            let events: Vec<Event> = times.zip(&strengths).map(|(at, s)| (at, s.0, s.1)).collect();
            let (stepwise, skipped) = (ends(&neurons, &events, 0.0), ends(&neurons, &events, quiet));
            for (a, b) in stepwise.iter().zip(&skipped) {
                // What either polynomial leaves out is of the fifth order in its span:
                // (1.7 / 5)^5 / 120 of some 0.4 V, and as much for each event.
                prop_assert!((a - b).abs() < 1e-4, "{a} {b}");
            }
        }
    }
}
