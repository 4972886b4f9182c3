//! The comparator: where inside a step the membrane crosses its threshold.

use std::ops::Range;

use crate::events::Events;
use crate::lanes::Lanes;

/// Part of a step within which events are taken together when crossings are
/// sought. What is lost is of second order in the distance. Measured: an eighth
/// of a step, as coarse as 100 ns, gives three times as many missed and extra
/// spikes at nearly the same cost.
pub(crate) const TOGETHER: f32 = 0.03;

/// Events of a step on one neuron that are taken together, at their mean time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node<C> {
    /// Microseconds from the beginning of the step.
    at: f32,
    events: f32,
    /// By which the current jumps.
    jump: C,
}

/// Nodes of the neuron at hand, for either kind of membrane; kept for their memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Nodes<const G: usize> {
    series: Vec<Node<Series>>,
    pub(crate) currents: Vec<Node<Currents<G>>>,
}

/// Takes the events of a step on lane `l` of a block together that lie within
/// `width`, in the order of time. Those that do not reach it are left out.
#[inline(always)]
pub(crate) fn gather_nodes<const G: usize, C: Current<G>>(
    events: &Events<G>,
    strengths: &[Lanes],
    neuron: &LocalNeuron<G>,
    (block, l): (usize, usize),
    width: f32,
    nodes: &mut Vec<Node<C>>,
) {
    nodes.clear();
    let mut begin = f32::NEG_INFINITY;
    for event in &events.step {
        let (mut jump, mut reached) = (C::default(), false);
        for opened in events.opened(event) {
            let strength = opened.row.on(strengths, block).map_or(0.0, |row| row[l]);
            if strength != 0.0 {
                jump.add(neuron, usize::from(opened.group), strength);
                reached = true;
            }
        }
        if !reached {
            continue;
        }
        if event.at - begin > width {
            begin = event.at;
            nodes.push(Node {
                at: event.at,
                events: 1.0,
                jump,
            });
            continue;
        }
        let node = nodes.last_mut().expect("a node was pushed before");
        node.events += 1.0;
        node.at += (event.at - node.at) / node.events;
        node.jump.join(&jump);
    }
}

/// What the equation of one neuron needs inside a step; microseconds and volts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LocalNeuron<const G: usize> {
    pub(crate) v_rest: f32,
    pub(crate) v_reset: f32,
    pub(crate) v_threshold: f32,
    pub(crate) inverse_tau_mem: f32,
    pub(crate) inverse_tau_syn: [f32; G],
    /// What the saturation makes of each current in this step, with its sign.
    pub(crate) gain: [f32; G],
    /// The membrane noise of the step as a slope.
    pub(crate) drift: f32,
    /// From a crossing to the release of the reset.
    pub(crate) hold: f32,
    /// From the release to the end of the refractory period: crossings count from there on.
    pub(crate) holdoff: f32,
}

/// The synaptic current of one neuron inside a step, in a form of its own for
/// either kind of membrane.
pub(crate) trait Current<const G: usize>: Copy + Default {
    /// Lets an event of a group begin.
    fn add(&mut self, neuron: &LocalNeuron<G>, group: usize, strength: f32);
    /// Adds another one.
    fn join(&mut self, other: &Self);
    /// Lets time pass.
    fn pass(&mut self, neuron: &LocalNeuron<G>, span: f32);
}

/// Taylor series of what all inputs together do to the membrane, volts per
/// microsecond: the value and its first three derivatives. Good to
/// `(h/tau)^4 / 24` of the current.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Series(pub(crate) [f32; 4]);

impl Series {
    /// Of a current that decays at a rate.
    #[inline(always)]
    pub(crate) fn decaying(value: f32, rate: f32) -> Self {
        let (slope, square) = (-value * rate, rate * rate);
        Self([value, slope, value * square, slope * square])
    }

    /// The same a time later.
    #[inline(always)]
    pub(crate) fn after(self, span: f32) -> Self {
        let [i0, i1, i2, i3] = self.0;
        let (half, third) = (0.5 * span, span * (1.0 / 3.0));
        Self([
            span.mul_add(half.mul_add(third.mul_add(i3, i2), i1), i0),
            span.mul_add(half.mul_add(i3, i2), i1),
            span.mul_add(i3, i2),
            i3,
        ])
    }

    /// The first four derivatives of a membrane of which the first is known, under this
    /// current and a leak of a rate.
    #[inline(always)]
    pub(crate) fn derivatives(self, v1: f32, rate: f32) -> [f32; 4] {
        let [_, i1, i2, i3] = self.0;
        let v2 = (-v1).mul_add(rate, i1);
        let v3 = (-v2).mul_add(rate, i2);
        let v4 = (-v3).mul_add(rate, i3);
        [v1, v2, v3, v4]
    }
}

impl<const G: usize> Current<G> for Series {
    #[inline(always)]
    fn add(&mut self, neuron: &LocalNeuron<G>, group: usize, strength: f32) {
        let value = neuron.gain[group] * strength;
        let series = Self::decaying(value, neuron.inverse_tau_syn[group]);
        Current::<G>::join(self, &series);
    }
    #[inline(always)]
    fn join(&mut self, other: &Self) {
        for (sum, other) in self.0.iter_mut().zip(other.0) {
            *sum += other;
        }
    }
    #[inline(always)]
    fn pass(&mut self, _: &LocalNeuron<G>, span: f32) {
        *self = self.after(span);
    }
}

/// `[group]`: the currents themselves, volts per microsecond.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Currents<const G: usize>(pub(crate) [f32; G]);

impl<const G: usize> Default for Currents<G> {
    fn default() -> Self {
        Self([0.0; G])
    }
}

impl<const G: usize> Current<G> for Currents<G> {
    #[inline(always)]
    fn add(&mut self, _: &LocalNeuron<G>, group: usize, strength: f32) {
        self.0[group] += strength;
    }
    #[inline(always)]
    fn join(&mut self, other: &Self) {
        for (sum, other) in self.0.iter_mut().zip(other.0) {
            *sum += other;
        }
    }
    #[inline(always)]
    fn pass(&mut self, neuron: &LocalNeuron<G>, span: f32) {
        for (current, rate) in self.0.iter_mut().zip(neuron.inverse_tau_syn) {
            let x = span * rate;
            *current *= 1.0 - x * (1.0 - x * (0.5 - x * (1.0 / 6.0 - x * (1.0 / 24.0))));
        }
    }
}

/// State of one neuron at some moment inside a step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment<C> {
    pub(crate) v: f32,
    pub(crate) current: C,
    /// The membrane is held at reset until then, from the beginning of the step.
    pub(crate) held_until: f32,
}

/// What a membrane does between two moments at which its equation changes.
pub(crate) trait Membrane<const G: usize> {
    /// In which form it takes the synaptic current.
    type Current: Current<G>;
    /// The memory for its nodes.
    fn nodes(nodes: &mut Nodes<G>) -> &mut Vec<Node<Self::Current>>;
    /// From a moment on, for a time `span`, or until it crosses its threshold.
    fn follow(
        &mut self,
        neuron: &LocalNeuron<G>,
        moment: &Moment<Self::Current>,
        span: f32,
    ) -> Course;
    /// While it is held at reset.
    fn hold(&mut self, neuron: &LocalNeuron<G>, span: f32);
    /// When it crosses the threshold.
    fn fire(&mut self);
}

/// Leak and currents: the Taylor polynomial of fourth order of the equation, good to
/// `(h/tau)^5 / 120`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leaky;

impl<const G: usize> Membrane<G> for Leaky {
    type Current = Series;
    #[inline(always)]
    fn nodes(nodes: &mut Nodes<G>) -> &mut Vec<Node<Series>> {
        &mut nodes.series
    }
    #[inline(always)]
    fn follow(&mut self, neuron: &LocalNeuron<G>, moment: &Moment<Series>, span: f32) -> Course {
        neuron.quartic(moment).follow(neuron.v_threshold, span)
    }
    #[inline(always)]
    fn hold(&mut self, _: &LocalNeuron<G>, _: f32) {}
    #[inline(always)]
    fn fire(&mut self) {}
}

impl<const G: usize> LocalNeuron<G> {
    /// The state at the beginning of a step.
    #[inline(always)]
    pub(crate) fn begin<C: Current<G>>(
        &self,
        (v, currents): (f32, [f32; G]),
        held_until: f32,
    ) -> Moment<C> {
        let mut current = C::default();
        for (group, strength) in currents.into_iter().enumerate() {
            current.add(self, group, strength);
        }
        Moment {
            v,
            current,
            held_until,
        }
    }

    /// Follows the neuron through a span of a step piece by piece: from node to
    /// node, from crossing to reset to release. `nodes` are in the order of time;
    /// `on_spike` gets each crossing. Times count from the beginning of the step. A
    /// span that begins later holds the state after the events until then.
    #[inline(always)]
    pub(crate) fn resolve<M: Membrane<G>>(
        &self,
        membrane: &mut M,
        mut moment: Moment<M::Current>,
        nodes: &[Node<M::Current>],
        Range {
            start: mut now,
            end: h,
        }: Range<f32>,
        mut on_spike: impl FnMut(f32),
    ) -> Moment<M::Current> {
        // Events of this moment belong to the span that begins here.
        if now >= h {
            return moment;
        }
        let mut next = if now > 0.0 {
            nodes.partition_point(|node| node.at <= now)
        } else {
            0
        };
        loop {
            while next < nodes.len() && nodes[next].at <= now {
                moment.current.join(&nodes[next].jump);
                next += 1;
            }
            if now >= h {
                return moment;
            }
            // The next moment at which the equation changes.
            let held = moment.held_until > now;
            let mut end = nodes.get(next).map_or(h, |node| node.at.min(h));
            if held {
                end = end.min(moment.held_until);
                moment.v = self.v_reset;
                membrane.hold(self, end - now);
            } else {
                let listens_from = moment.held_until + self.holdoff;
                let mut neuron = *self;
                if now < listens_from {
                    neuron.v_threshold = f32::INFINITY;
                    end = end.min(listens_from);
                }
                match membrane.follow(&neuron, &moment, end - now) {
                    Course::Ends(v) => moment.v = v,
                    Course::Crosses(after) => {
                        end = now + after;
                        on_spike(end);
                        self.fire(membrane, &mut moment, end);
                    }
                }
            }
            moment.current.pass(self, end - now);
            now = end;
        }
    }

    /// Crosses the threshold at a moment of the step.
    #[inline(always)]
    pub(crate) fn fire<M: Membrane<G>>(
        &self,
        membrane: &mut M,
        moment: &mut Moment<M::Current>,
        at: f32,
    ) {
        membrane.fire();
        moment.held_until = at + self.hold;
        moment.v = self.v_reset;
    }

    /// The membrane from a moment on, as long as nothing happens.
    #[inline(always)]
    fn quartic(&self, moment: &Moment<Series>) -> Quartic {
        let rate = self.inverse_tau_mem;
        let current = self.drift + moment.current.0[0];
        let v1 = (self.v_rest - moment.v).mul_add(rate, current);
        Quartic::new(moment.v, moment.current.derivatives(v1, rate))
    }
}

/// What a membrane does as long as nothing happens.
pub(crate) enum Course {
    /// It crosses the threshold after this time.
    Crosses(f32),
    /// It ends at this potential.
    Ends(f32),
}

/// `v + d (v1 + d (v2 + d (v3 + d v4)))`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quartic {
    v: f32,
    v1: f32,
    v2: f32,
    v3: f32,
    v4: f32,
}

impl Quartic {
    /// A membrane with its first four derivatives.
    #[inline(always)]
    pub(crate) fn new(v: f32, [v1, v2, v3, v4]: [f32; 4]) -> Self {
        Self {
            v,
            v1,
            v2: v2 * 0.5,
            v3: v3 * (1.0 / 6.0),
            v4: v4 * (1.0 / 24.0),
        }
    }

    #[inline(always)]
    fn at(&self, d: f32) -> f32 {
        let upper = d.mul_add(d.mul_add(self.v4, self.v3), self.v2);
        d.mul_add(d.mul_add(upper, self.v1), self.v)
    }

    #[inline(always)]
    fn slope(&self, d: f32) -> f32 {
        let upper = d.mul_add(4.0 * self.v4, 3.0 * self.v3);
        d.mul_add(d.mul_add(upper, 2.0 * self.v2), self.v1)
    }

    #[inline(always)]
    fn curvature(&self, d: f32) -> f32 {
        2.0 * self.v2 + d * (6.0 * self.v3 + d * 12.0 * self.v4)
    }

    /// Follows the membrane until `end`, or to where it first is above the
    /// threshold.
    #[inline(always)]
    pub(crate) fn follow(&self, threshold: f32, end: f32) -> Course {
        if self.v > threshold {
            return Course::Crosses(0.0);
        }
        let mut high = end;
        let v_end = self.at(end);
        let mut v_high = v_end;
        if v_end <= threshold {
            // It may have peaked in between: there the slope changes its sign,
            // and the tangent at the beginning lies above the peak.
            let below = self.v + self.v1 * end <= threshold;
            if below || self.slope(end) >= 0.0 {
                return Course::Ends(v_end);
            }
            high = self.v1 / (self.v1 - self.slope(end)) * end;
            for _ in 0..3 {
                let curvature = self.curvature(high);
                if curvature < 0.0 {
                    high = (high - self.slope(high) / curvature).clamp(0.0, end);
                }
            }
            v_high = self.at(high);
            if v_high <= threshold {
                return Course::Ends(v_end);
            }
        }
        // Newton's method from the chord, kept inside the bracket.
        let mut low = 0.0_f32;
        let mut d = high * (threshold - self.v) / (v_high - self.v);
        for _ in 0..12 {
            let excess = self.at(d) - threshold;
            if excess > 0.0 {
                high = d
            } else {
                low = d
            }
            let newton = d - excess / self.slope(d);
            // The error of a Newton step goes with the square of its length: a tenth of
            // a nanosecond after ten.
            let (next, close) = if newton > low && newton < high {
                (newton, 1e-2)
            } else {
                (0.5 * (low + high), 1e-4)
            };
            if (next - d).abs() < close {
                return Course::Crosses(next);
            }
            d = next;
        }
        Course::Crosses(high)
    }
}
