//! The comparator: where inside a step the membrane crosses its threshold.

use std::ops::Range;

use crate::events::StepEvent;
use crate::neuron::lif::Lanes;
use crate::synapse::L;

/// Part of a step within which events are taken together when crossings are
/// sought. What is lost is of second order in the distance. Measured: an eighth
/// of a step, as coarse as 100 ns, gives three times as many missed and extra
/// spikes at nearly the same cost.
pub(crate) const TOGETHER: f32 = 0.03;

/// Events of a step on a block that are taken together, at their mean time.
#[derive(Debug, Clone)]
pub(crate) struct Node<const G: usize> {
    /// Microseconds from the beginning of the step.
    at: f32,
    events: f32,
    /// `[group]`, volts per microsecond.
    strengths: [Lanes; G],
}

/// Takes the events of a step on a block together that lie within `width`, in the
/// order of time.
#[inline(always)]
pub(crate) fn gather_nodes<const G: usize>(
    events: &[StepEvent<G>],
    strengths: &[Lanes],
    block: usize,
    width: f32,
    nodes: &mut Vec<Node<G>>,
) {
    nodes.clear();
    let mut begin = f32::NEG_INFINITY;
    for event in events {
        let rows = event.rows.map(|row| row.on(strengths, block));
        if rows.iter().all(Option::is_none) {
            continue;
        }
        if event.at - begin > width {
            begin = event.at;
            nodes.push(Node {
                at: 0.0,
                events: 0.0,
                strengths: [[0.0; L]; G],
            });
        }
        let node = nodes.last_mut().expect("a node was pushed before");
        node.events += 1.0;
        node.at += (event.at - node.at) / node.events;
        for (sum, row) in node.strengths.iter_mut().zip(rows) {
            if let Some(row) = row {
                for l in 0..L {
                    sum[l] += row[l];
                }
            }
        }
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
}

/// State of one neuron at some moment inside a step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment<const G: usize> {
    pub(crate) v: f32,
    pub(crate) current: [f32; G],
    /// The membrane is held at reset until then, from the beginning of the step.
    pub(crate) held_until: f32,
}

/// What a membrane does between two moments at which its equation changes.
pub(crate) trait Membrane<const G: usize> {
    /// From a moment on, for a time `span`, or until it crosses its threshold.
    fn follow(&mut self, neuron: &LocalNeuron<G>, moment: &Moment<G>, span: f32) -> Course;
    /// While it is held at reset.
    fn hold(&mut self, neuron: &LocalNeuron<G>, span: f32);
    /// When it crosses the threshold.
    fn fire(&mut self);
}

/// Leak and currents: the cubic Taylor polynomial of the equation, good to
/// `(h/tau)^4 / 24`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leaky;

impl<const G: usize> Membrane<G> for Leaky {
    #[inline(always)]
    fn follow(&mut self, neuron: &LocalNeuron<G>, moment: &Moment<G>, span: f32) -> Course {
        neuron.cubic(moment).follow(neuron.v_threshold, span)
    }
    #[inline(always)]
    fn hold(&mut self, _: &LocalNeuron<G>, _: f32) {}
    #[inline(always)]
    fn fire(&mut self) {}
}

impl<const G: usize> LocalNeuron<G> {
    /// Follows the neuron through a span of a step piece by piece: from node to
    /// node, from crossing to reset to release. `nodes` hold the events of lane
    /// `l` in the order of time; `on_spike` gets each crossing. Times count from
    /// the beginning of the step. A span that begins later holds the state after
    /// the events until then.
    #[inline(always)]
    pub(crate) fn resolve(
        &self,
        membrane: &mut impl Membrane<G>,
        mut moment: Moment<G>,
        (nodes, l): (&[Node<G>], usize),
        Range {
            start: mut now,
            end: h,
        }: Range<f32>,
        mut on_spike: impl FnMut(f32),
    ) -> Moment<G> {
        let mut next = if now > 0.0 {
            nodes.partition_point(|node| node.at <= now)
        } else {
            0
        };
        loop {
            while next < nodes.len() && nodes[next].at <= now {
                for g in 0..G {
                    moment.current[g] += nodes[next].strengths[g][l];
                }
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
                match membrane.follow(self, &moment, end - now) {
                    Course::Ends(v) => moment.v = v,
                    Course::Crosses(after) => {
                        end = now + after;
                        on_spike(end);
                        membrane.fire();
                        moment.held_until = end + self.hold;
                        moment.v = self.v_reset;
                    }
                }
            }
            for (current, rate) in moment.current.iter_mut().zip(self.inverse_tau_syn) {
                let x = (end - now) * rate;
                *current *= 1.0 - x * (1.0 - x * (0.5 - x * (1.0 / 6.0 - x * (1.0 / 24.0))));
            }
            now = end;
        }
    }

    /// The membrane from a moment on, as long as nothing happens.
    #[inline(always)]
    fn cubic(&self, moment: &Moment<G>) -> Cubic {
        let (mut i0, mut i1, mut i2) = (self.drift, 0.0, 0.0);
        for g in 0..G {
            let rate = self.inverse_tau_syn[g];
            let current = self.gain[g] * moment.current[g];
            i0 += current;
            i1 -= current * rate;
            i2 += current * rate * rate;
        }
        let rate = self.inverse_tau_mem;
        let v1 = (self.v_rest - moment.v) * rate + i0;
        let v2 = i1 - v1 * rate;
        let v3 = i2 - v2 * rate;
        Cubic {
            v: moment.v,
            v1,
            v2: v2 * 0.5,
            v3: v3 * (1.0 / 6.0),
        }
    }
}

/// What a membrane does as long as nothing happens.
pub(crate) enum Course {
    /// It crosses the threshold after this time.
    Crosses(f32),
    /// It ends at this potential.
    Ends(f32),
}

/// `v + d (v1 + d (v2 + d v3))`.
#[derive(Debug, Clone, Copy)]
struct Cubic {
    v: f32,
    v1: f32,
    v2: f32,
    v3: f32,
}

impl Cubic {
    #[inline(always)]
    fn at(&self, d: f32) -> f32 {
        self.v + d * (self.v1 + d * (self.v2 + d * self.v3))
    }

    #[inline(always)]
    fn slope(&self, d: f32) -> f32 {
        self.v1 + d * (2.0 * self.v2 + d * 3.0 * self.v3)
    }

    /// Follows the membrane until `end`, or to where it first is above the
    /// threshold.
    #[inline(always)]
    fn follow(&self, threshold: f32, end: f32) -> Course {
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
                let curvature = 2.0 * self.v2 + 6.0 * high * self.v3;
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
            let next = if newton > low && newton < high {
                newton
            } else {
                0.5 * (low + high)
            };
            // A tenth of a nanosecond.
            if (next - d).abs() < 1e-4 {
                return Course::Crosses(next);
            }
            d = next;
        }
        Course::Crosses(high)
    }
}
