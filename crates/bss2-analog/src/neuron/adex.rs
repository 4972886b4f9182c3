//! Circuits with more terms than leaky integrate-and-fire.
//!
//! ```text
//! dV/dt = leak(V) + sum_g sat(I_g) F_g(V) + S/tau_exp exp((V - V_exp)/S) - w
//! dw/dt = (a (V - V_adapt) - w) / tau_w,   w kept within its range
//! ```
//!
//! `F_g` is 1 for a current-based input and `(E_g - V) / U_g` for a
//! conductance-based one; `leak(V)` saturates beyond its range; `w` is in volts
//! per microsecond. A step is composed symmetrically, so it is of second order:
//!
//! 1. `w` for half a step, exactly, at the membrane's beginning;
//! 2. conductances for half a step, at their mean of the step;
//! 3. leak and currents with the exact propagator of leaky neurons, and `w` as a
//!    constant;
//! 4. conductances for the other half;
//! 5. the exponential term. Along the straight line from the beginning to where
//!    the steps before led, `u = exp(-(V - V_exp)/S)` obeys a linear equation:
//!    that is solved exactly. Where `u` reaches zero the membrane has blown up,
//!    which is a spike;
//! 6. `w` for the other half, at the membrane's end.
//!
//! Where the exponential term is strong, and around spikes, a neuron is followed
//! through the step on its own, in shorter steps: see [`Upswing`].
//!
//! # Source
//! Form of the equations: hardware fact sheet, section 2. Integration: ours.
//!
//! [`Upswing`]: crate::neuron::upswing::Upswing

use crate::neuron::elementary::{exp, ln, mean_growth};
use crate::neuron::lif::{BlockState, LaneParameters, Lanes, saturate};
use crate::neuron::terms::{CEILING, Terms};
use crate::step::Inputs;
use crate::synapse::L;

/// From this reduction of `u` in one step a neuron is followed on its own.
const STRONG: f32 = 0.15;

/// Coefficients of the further terms of a block for one step.
#[derive(Debug, Clone)]
pub(crate) struct AdexBlock<const G: usize> {
    /// Which terms some neuron of the block has.
    exponential: bool,
    adaptation: bool,
    conductance: bool,
    saturating_leak: bool,
    pub(crate) v_exp: Lanes,
    pub(crate) slope: Lanes,
    /// 0 where the term is off, as the rate.
    pub(crate) inverse_slope: Lanes,
    /// Per microsecond.
    pub(crate) exp_rate: Lanes,
    /// Per microsecond.
    pub(crate) inverse_tau_w: Lanes,
    pub(crate) a: Lanes,
    pub(crate) w_jump: Lanes,
    pub(crate) v_adapt: Lanes,
    pub(crate) w_low: Lanes,
    pub(crate) w_high: Lanes,
    w_half_decay: Lanes,
    /// What a constant `w` takes off the membrane in a step.
    w_membrane: Lanes,
    /// `F = current + conductance (reversal - V)`; the conductance bears the
    /// sign of the input, so that its product with the current is positive.
    pub(crate) current: [Lanes; G],
    pub(crate) conductance_of: [Lanes; G],
    pub(crate) reversal: [Lanes; G],
    pub(crate) leak_range: Lanes,
    /// 0 where the leak does not saturate.
    pub(crate) inverse_leak_range: Lanes,
    /// Decay of the membrane in half a step, and its inverse.
    half_decay: Lanes,
    inverse_half_decay: Lanes,
    /// Step times leak rate.
    leak_step: Lanes,
    pub(crate) h: f32,
    /// Where a neuron rests; infinite where it fires by itself.
    pub(crate) v_start: Lanes,
    pub(crate) w_start: Lanes,
}

impl<const G: usize> AdexBlock<G> {
    /// Compiles the neurons of a block, if some of them has further terms.
    pub(crate) fn compile(lanes: &[LaneParameters], h: f64) -> Option<Box<Self>> {
        if lanes.iter().all(|p| p.terms == Terms::NONE) {
            return None;
        }
        let mut block = Box::new(Self::idle(h));
        for (l, p) in lanes.iter().enumerate() {
            block.set(l, p);
        }
        Some(block)
    }

    fn idle(h: f64) -> Self {
        let (zero, one) = ([0.0; L], [1.0; L]);
        Self {
            exponential: false,
            adaptation: false,
            conductance: false,
            saturating_leak: false,
            v_exp: zero,
            slope: zero,
            inverse_slope: zero,
            exp_rate: zero,
            inverse_tau_w: zero,
            a: zero,
            w_jump: zero,
            v_adapt: zero,
            w_low: zero,
            w_high: zero,
            w_half_decay: zero,
            w_membrane: zero,
            current: [one; G],
            conductance_of: [zero; G],
            reversal: [zero; G],
            leak_range: zero,
            inverse_leak_range: zero,
            half_decay: one,
            inverse_half_decay: one,
            leak_step: zero,
            h: h as f32,
            v_start: zero,
            w_start: zero,
        }
    }

    fn set(&mut self, l: usize, p: &LaneParameters) {
        let terms = &p.terms;
        let h = f64::from(self.h);
        let half_decay = libm::exp(-0.5 * h / p.tau_mem);
        self.half_decay[l] = half_decay as f32;
        self.inverse_half_decay[l] = (1.0 / half_decay) as f32;
        self.leak_step[l] = (h / p.tau_mem) as f32;
        if let Some(e) = terms.exponential {
            self.exponential = true;
            self.v_exp[l] = e.threshold as f32;
            self.slope[l] = e.slope as f32;
            self.inverse_slope[l] = (1.0 / e.slope) as f32;
            self.exp_rate[l] = (1.0 / e.tau) as f32;
        }
        if let Some(w) = terms.adaptation {
            self.adaptation = true;
            self.inverse_tau_w[l] = (1.0 / w.tau) as f32;
            self.a[l] = w.a as f32;
            self.w_jump[l] = w.b as f32;
            self.v_adapt[l] = w.leak as f32;
            self.w_low[l] = w.range.0 as f32;
            self.w_high[l] = w.range.1 as f32;
            self.w_half_decay[l] = libm::exp(-0.5 * h / w.tau) as f32;
            self.w_membrane[l] = (-p.tau_mem * libm::expm1(-h / p.tau_mem)) as f32;
        }
        for g in 0..G {
            if let Some(r) = terms.reversal[g] {
                self.conductance = true;
                let sign = if g % 2 == 0 { 1.0 } else { -1.0 };
                self.current[g][l] = 0.0;
                self.conductance_of[g][l] = (sign / r.scale) as f32;
                self.reversal[g][l] = r.potential as f32;
            }
        }
        if terms.leak_range.is_finite() {
            self.saturating_leak = true;
            self.leak_range[l] = terms.leak_range as f32;
            self.inverse_leak_range[l] = (1.0 / terms.leak_range) as f32;
        }
        self.v_start[l] = terms.rest(p).unwrap_or(f64::INFINITY) as f32;
        self.w_start[l] = terms.at_rest(p) as f32;
    }

    /// Factor on the current of an input.
    #[inline(always)]
    pub(crate) fn force(&self, g: usize, l: usize, v: f32) -> f32 {
        self.current[g][l] + self.conductance_of[g][l] * (self.reversal[g][l] - v)
    }

    /// What saturation takes off the leak, volts, at a distance from rest.
    #[inline(always)]
    pub(crate) fn lost_leak(&self, l: usize, away: f32) -> f32 {
        let x = away * self.inverse_leak_range[l];
        let size = x.abs();
        (size - saturate(size)).copysign(x) * self.leak_range[l]
    }

    /// Its derivative, relative to the leak's conductance.
    #[inline(always)]
    fn lost_conductance(&self, l: usize, away: f32) -> f32 {
        let x = (away * self.inverse_leak_range[l]).abs();
        let x = if x < 2.0 { x } else { 2.0 };
        x * x * (0.75 - 0.25 * x)
    }

    /// Adaptation after half a step with the membrane held.
    #[inline(always)]
    fn adapt(&self, l: usize, w: f32, v: f32) -> f32 {
        let settled = self.a[l] * (v - self.v_adapt[l]);
        let w = settled + (w - settled) * self.w_half_decay[l];
        let w = if w > self.w_low[l] { w } else { self.w_low[l] };
        if w < self.w_high[l] {
            w
        } else {
            self.w_high[l]
        }
    }

    /// Propagates a block through a step; says whether some neuron needs a
    /// closer look. A neuron whose exponential term is strong ends at infinity.
    #[inline(always)]
    pub(crate) fn propagate<const DRIVEN: bool>(
        &self,
        inputs: &Inputs<'_, G>,
        old: &BlockState<G>,
        new: &mut BlockState<G>,
        w: &mut Lanes,
    ) -> bool {
        let t = inputs.trial;
        if self.adaptation {
            for l in 0..L {
                w[l] = self.adapt(l, w[l], old.v[l]);
            }
        }
        // Leak, currents, and the sums over conductances: see the module.
        let mut dv = *inputs.kick;
        let (mut open, mut pull) = ([0.0_f32; L], [0.0_f32; L]);
        for l in 0..L {
            let mut changes = [0.0_f32; G];
            for g in 0..G {
                let current = old.current[g][l];
                let mut x = t.kappa[g][l] * current;
                let mut end = t.decay[g][l] * current;
                if DRIVEN {
                    x += inputs.drive.x[g][l];
                    end += inputs.drive.current[g][l];
                }
                new.current[g][l] = end;
                changes[g] = t.saturation[g][l] * saturate(x);
            }
            if self.conductance {
                for g in 0..G {
                    dv[l] += self.current[g][l] * changes[g];
                    let half = 0.5 * self.inverse_half_decay[l];
                    let q = half * self.conductance_of[g][l] * changes[g];
                    open[l] += q;
                    pull[l] += q * self.reversal[g][l];
                }
            } else {
                for change in changes {
                    dv[l] += change;
                }
            }
        }
        // What is left at the end of what was added, on average, in the middle.
        let mut relax = [0.0_f32; L];
        for l in 0..L {
            // exp(-q) to second order, and positive whatever q.
            let (mut keep, mut shift) = (1.0, 0.0);
            if self.conductance {
                let bend = 1.0 + 0.5 * open[l];
                keep = 1.0 / (1.0 + open[l] * bend);
                shift = keep * pull[l] * bend;
            }
            let begin = old.v[l];
            relax[l] = keep * self.half_decay[l];
            let v = keep * begin + shift;
            let mut v = t.v_rest[l] + (v - t.v_rest[l]) * t.v_decay[l] + dv[l];
            if self.adaptation {
                v -= self.w_membrane[l] * w[l];
            }
            v = keep * v + shift;
            if self.saturating_leak {
                let away = 0.5 * (begin + v) - t.v_rest[l];
                v += self.leak_step[l] * self.half_decay[l] * self.lost_leak(l, away);
                relax[l] *= 1.0 + 0.5 * self.leak_step[l] * self.lost_conductance(l, away);
            }
            new.v[l] = v;
        }
        if self.exponential {
            for l in 0..L {
                let (begin, v) = (old.v[l], new.v[l]);
                let growth = mean_growth((v - begin) * self.inverse_slope[l]);
                let at_begin = exp((begin - self.v_exp[l]) * self.inverse_slope[l]);
                let spent = self.h * self.exp_rate[l] * at_begin * growth;
                let left = 1.0 - spent;
                let left = if left > 1e-6 { left } else { 1e-6 };
                let mut end = v - relax[l] * self.slope[l] * ln(left);
                let ceiling = if v > CEILING { v } else { CEILING };
                end = if end < ceiling { end } else { ceiling };
                let strong = (spent > STRONG) & (t.v_attention[l] < f32::INFINITY);
                new.v[l] = if strong { f32::INFINITY } else { end };
            }
        }
        let mut attention = 0_u32;
        for l in 0..L {
            let v = new.v[l];
            let held = inputs.held_until[l] >= inputs.hold_from;
            let released = (inputs.held_until[l] > inputs.t_start) & !held;
            attention |= u32::from(released | ((v > t.v_attention[l]) & !held));
            let clipped = if v > inputs.low { v } else { inputs.low };
            let clipped = if clipped < inputs.high {
                clipped
            } else {
                inputs.high
            };
            let strong = v == f32::INFINITY;
            let end = if strong { v } else { clipped };
            new.v[l] = if held { inputs.v_reset[l] } else { end };
        }
        if self.adaptation {
            // A neuron that is followed on its own begins from here as well.
            for l in 0..L {
                let v = new.v[l];
                let v = if v < CEILING { v } else { CEILING };
                w[l] = self.adapt(l, w[l], v);
            }
        }
        attention != 0
    }
}
