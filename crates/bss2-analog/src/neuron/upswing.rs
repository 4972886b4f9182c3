//! One neuron with further terms, followed through a part of a step on its own.

use crate::neuron::adex::AdexBlock;
use crate::neuron::elementary::{exp, ln, mean_growth};
use crate::neuron::terms::CEILING;
use crate::neuron::threshold::{Course, Currents, LocalNeuron, Membrane, Moment, Node, Nodes};

/// A neuron of a block and its adaptation.
///
/// Kutta's method of third order for all terms but the exponential one, which is
/// solved exactly along the mean slope of the others; so is the time of a crossing.
/// A piece that ends in an upswing is halved twice.
#[derive(Debug)]
pub(crate) struct Upswing<'a, const G: usize> {
    pub(crate) block: &'a AdexBlock<G>,
    pub(crate) lane: usize,
    /// Volts per microsecond.
    pub(crate) w: f32,
}

/// Shorter steps that the conductances may ask for, at most.
const FINEST: f32 = 64.0;

impl<const G: usize> Membrane<G> for Upswing<'_, G> {
    type Current = Currents<G>;
    #[inline(always)]
    fn nodes(nodes: &mut Nodes<G>) -> &mut Vec<Node<Currents<G>>> {
        &mut nodes.currents
    }
    #[inline(always)]
    fn follow(
        &mut self,
        neuron: &LocalNeuron<G>,
        moment: &Moment<Currents<G>>,
        span: f32,
    ) -> Course {
        let (threshold, mut v) = (neuron.v_threshold, moment.v);
        let mut currents = moment.current.0;
        let mut stiffness = neuron.inverse_tau_mem;
        if self.block.conductance {
            for g in 0..G {
                stiffness += self.conductance(neuron, &currents, g);
            }
        }
        let smooth = (1.0 / self.block.h).max(6.0 * neuron.inverse_tau_mem);
        let rate = smooth.max(1.5 * stiffness);
        let pieces = (span * rate).ceil().clamp(1.0, FINEST);
        let whole = span / pieces;
        let (mut elapsed, mut s) = (0.0, whole);
        while elapsed < 0.999 * span {
            if v > threshold {
                return Course::Crosses(elapsed);
            }
            let (mut half, mut full) = (currents, currents);
            for g in 0..G {
                let left = exp(-0.5 * s * neuron.inverse_tau_syn[g]);
                half[g] *= left;
                full[g] = half[g] * left;
            }
            let k1 = self.slope(neuron, &currents, v, self.w);
            let middle = self.lift(v, k1, 0.0, 0.5 * s).min(threshold);
            let w = self.adapted(0.5 * (v + middle), 0.5 * s);
            let k2 = self.slope(neuron, &half, middle, w);
            let last = self.lift(v, 2.0 * k2 - k1, k2 - k1, s).min(threshold);
            let w = self.adapted(middle, s);
            let k3 = self.slope(neuron, &full, last, w);
            let slopes = Slopes { k1, k2, k3 };
            let end = self.lift(v, slopes.mean(1.0), slopes.bend(), s);
            if end > threshold {
                let explosive = self.block.exp_rate[self.lane] > 0.0;
                if explosive && s > 0.3 * whole {
                    s *= 0.5;
                    continue;
                }
                let at = self.crossing((v, threshold), &slopes, s);
                self.w = self.adapted(0.5 * (v + threshold), at);
                return Course::Crosses(elapsed + at);
            }
            // Simpson's rule.
            let mean = (v + 4.0 * middle + end) * (1.0 / 6.0);
            self.w = self.adapted(mean, s);
            currents = full;
            v = end;
            elapsed += s;
            s = s.min(span - elapsed);
        }
        Course::Ends(v)
    }

    #[inline(always)]
    fn hold(&mut self, neuron: &LocalNeuron<G>, span: f32) {
        self.w = self.adapted(neuron.v_reset, span);
    }

    #[inline(always)]
    fn fire(&mut self) {
        let w = self.w + self.block.w_jump[self.lane];
        self.w = self.block.limited(self.lane, w);
    }
}

/// Slopes at the beginning, in the middle and at the end of a piece.
#[derive(Debug, Clone, Copy)]
struct Slopes {
    k1: f32,
    k2: f32,
    k3: f32,
}

impl Slopes {
    /// The mean over the first part of the piece.
    #[inline(always)]
    fn mean(&self, part: f32) -> f32 {
        let linear = 4.0 * self.k2 - 3.0 * self.k1 - self.k3;
        let square = 2.0 * (self.k1 - 2.0 * self.k2 + self.k3);
        part.mul_add((part * square).mul_add(1.0 / 3.0, 0.5 * linear), self.k1)
    }

    /// By how much the slope grows.
    #[inline(always)]
    fn bend(&self) -> f32 {
        self.k3 - self.k1
    }
}

impl<const G: usize> Upswing<'_, G> {
    #[inline(always)]
    fn conductance(&self, neuron: &LocalNeuron<G>, currents: &[f32; G], g: usize) -> f32 {
        neuron.gain[g] * currents[g] * self.block.conductance_of[g][self.lane]
    }

    /// Slope of the membrane without the exponential term.
    #[inline(always)]
    fn slope(&self, neuron: &LocalNeuron<G>, currents: &[f32; G], v: f32, w: f32) -> f32 {
        let (b, l) = (self.block, self.lane);
        let away = v - neuron.v_rest;
        let mut slope = neuron.drift - w;
        let lost = if b.saturating_leak {
            b.lost_leak(l, away)
        } else {
            0.0
        };
        slope = (lost - away).mul_add(neuron.inverse_tau_mem, slope);
        for g in 0..G {
            let force = if b.conductance { b.force(g, l, v) } else { 1.0 };
            slope = (neuron.gain[g] * currents[g]).mul_add(force, slope);
        }
        slope
    }

    /// The membrane after a time `s` in which all terms but the exponential one
    /// have a mean slope, and a slope that grows by `bend` from beginning to end.
    #[inline(always)]
    fn lift(&self, v: f32, slope: f32, bend: f32, s: f32) -> f32 {
        let (b, l) = (self.block, self.lane);
        let straight = s.mul_add(slope, v);
        if b.exp_rate[l] == 0.0 {
            return straight;
        }
        let at_begin = exp((v - b.v_exp[l]) * b.inverse_slope[l]);
        let growth = mean_growth(s * slope * b.inverse_slope[l]);
        // A bent way lies below the straight one by a twelfth of this on average.
        let below = (bend * s * b.inverse_slope[l] * (1.0 / 12.0)).clamp(-0.5, 0.5);
        let spent = s * b.exp_rate[l] * at_begin * growth;
        let left = spent.mul_add(below - 1.0, 1.0);
        let ceiling = straight.max(CEILING);
        if left > 1e-6 {
            (-b.slope[l]).mul_add(ln(left), straight).min(ceiling)
        } else {
            ceiling
        }
    }

    /// When a membrane that begins at `v` crosses the threshold, given the
    /// slopes of all terms but the exponential one in a time `s`.
    #[inline(always)]
    fn crossing(&self, (v, threshold): (f32, f32), slopes: &Slopes, s: f32) -> f32 {
        let (b, l) = (self.block, self.lane);
        let mut at = s;
        for _ in 0..4 {
            let slope = slopes.mean(at / s);
            at = if b.exp_rate[l] == 0.0 {
                (threshold - v) / slope
            } else {
                // Along a slope, u = exp(-(V - V_exp)/S) obeys
                // du/dt = -(slope u / S + rate).
                let u = |v: f32| exp((b.v_exp[l] - v) * b.inverse_slope[l]);
                let (begin, end) = (u(v), u(threshold));
                let steepness = slope * b.inverse_slope[l];
                let straight = (begin - end) / (steepness * end + b.exp_rate[l]);
                let y = steepness * straight;
                if y.abs() < 1e-3 {
                    straight * (1.0 - y * (0.5 - y * (1.0 / 3.0)))
                } else {
                    ln(1.0 + y) / steepness
                }
            };
            // Also where rounding leaves no number.
            at = if at > 0.0 && at < s { at } else { s };
        }
        at
    }

    /// Adaptation after a time with the membrane held.
    #[inline(always)]
    fn adapted(&self, v: f32, s: f32) -> f32 {
        self.block.adapted_after(self.lane, self.w, v, s)
    }
}
