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
//! Where none of sixteen neighbours comes near its onset, the exponential term is left
//! out. Where it is strong, and around spikes, a neuron is followed
//! through the step on its own, in shorter steps: see [`Upswing`].
//!
//! # Source
//! Form of the equations: hardware fact sheet, section 2. Integration: ours.
//!
//! [`Upswing`]: crate::neuron::upswing::Upswing

use crate::lanes::{L, Lanes, VECTOR, Vector, vector};
use crate::neuron::elementary::{exp, mean_growth};
use crate::neuron::lif::{BlockState, LaneParameters, lost_gain, saturate};
use crate::neuron::terms::{CEILING, Terms};
use crate::step::Inputs;
use crate::trial::Trial;

/// From this reduction of `u` in one step a neuron is followed on its own.
const STRONG: f32 = 0.15;

/// So many slopes below its onset, and further for a strong one, the exponential term
/// moves a membrane by less than a twenty thousandth of its slope in a step and is left
/// out.
const NEGLIGIBLE: f64 = 10.0;

/// From this reduction of `u` in one step the exponential term changes what an event does
/// until the step's end by more than that estimate may miss.
const BENT: f64 = 0.02;

/// Lanes that are looked at together for whether it matters.
const PART: usize = 16;

/// Coefficients of the further terms of a block for one step.
#[derive(Debug, Clone)]
pub(crate) struct AdexBlock<const G: usize> {
    /// Which terms some neuron of the block has.
    exponential: bool,
    adaptation: bool,
    pub(crate) conductance: bool,
    pub(crate) saturating_leak: bool,
    pub(crate) v_exp: Lanes,
    pub(crate) slope: Lanes,
    /// 0 where the term is off, as the rate.
    pub(crate) inverse_slope: Lanes,
    /// Per microsecond.
    pub(crate) exp_rate: Lanes,
    /// Up to here it is negligible.
    v_far: Lanes,
    /// Up to here it bends nothing, see [`BENT`].
    v_straight: Lanes,
    /// Per microsecond.
    inverse_tau_w: Lanes,
    a: Lanes,
    pub(crate) w_jump: Lanes,
    v_adapt: Lanes,
    w_low: Lanes,
    w_high: Lanes,
    w_half_decay: Lanes,
    /// What a constant `w` takes off the membrane in a step.
    w_membrane: Lanes,
    /// By how much a membrane may fall from its peak because of the current that balances
    /// `w` there, per `w`.
    w_fall: Lanes,
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
        let (zero, one) = (Lanes::ZERO, Lanes::all(1.0));
        Self {
            exponential: false,
            adaptation: false,
            conductance: false,
            saturating_leak: false,
            v_exp: zero,
            slope: zero,
            inverse_slope: zero,
            exp_rate: zero,
            v_far: Lanes::all(f32::INFINITY),
            v_straight: Lanes::all(f32::INFINITY),
            inverse_tau_w: zero,
            a: zero,
            w_jump: zero,
            v_adapt: zero,
            w_low: zero,
            w_high: zero,
            w_half_decay: zero,
            w_membrane: zero,
            w_fall: zero,
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
            let straight = libm::log(BENT * e.tau / h);
            self.v_straight[l] = (e.threshold + straight * e.slope) as f32;
            let strength = libm::log(libm::fmax(h / e.tau, 1.0));
            self.v_far[l] = (e.threshold - (NEGLIGIBLE + strength) * e.slope) as f32;
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
            self.w_fall[l] = (p.fall_share(G, h) * p.tau_mem) as f32;
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

    /// Membranes from which on the further terms bend what an event within a step does to
    /// a membrane until the step's end.
    pub(crate) fn bends_from(&self) -> Lanes {
        if self.conductance || self.saturating_leak {
            Lanes::all(f32::NEG_INFINITY)
        } else {
            self.v_straight
        }
    }

    /// Adaptation at a step's end that ends at a membrane higher by `more`.
    #[inline(always)]
    pub(crate) fn adapt_to(&self, l: usize, w: f32, more: f32) -> f32 {
        self.limited(l, w + self.a[l] * more * (1.0 - self.w_half_decay[l]))
    }

    /// Factor on the current of an input.
    #[inline(always)]
    pub(crate) fn force(&self, g: usize, l: usize, v: f32) -> f32 {
        self.current[g][l] + self.conductance_of[g][l] * (self.reversal[g][l] - v)
    }

    /// What leak, adaptation and the exponential term would add to membranes in a step if
    /// they stayed as they are, volts; of one of the block's vectors.
    #[inline(always)]
    pub(crate) fn slopes(&self, which: usize, v: &Vector, w: &Vector, v_rest: &Vector) -> Vector {
        let leak_step = vector(&self.leak_step, which);
        let mut slopes = [0.0; VECTOR];
        for i in 0..VECTOR {
            let leak = (v_rest[i] - v[i]) * leak_step[i];
            slopes[i] = (-self.h).mul_add(w[i], leak);
        }
        if self.saturating_leak {
            for i in 0..VECTOR {
                let lost = self.lost_leak(which * VECTOR + i, v[i] - v_rest[i]);
                slopes[i] = lost.mul_add(leak_step[i], slopes[i]);
            }
        }
        if self.exponential {
            let (v_exp, slope) = (vector(&self.v_exp, which), vector(&self.slope, which));
            let (inverse_slope, rate) = (
                vector(&self.inverse_slope, which),
                vector(&self.exp_rate, which),
            );
            for i in 0..VECTOR {
                let rise = exp((v[i] - v_exp[i]) * inverse_slope[i]);
                // Beyond, a membrane is about to fire or near its ceiling.
                let spent = self.h * rate[i] * rise;
                let spent = if spent < STRONG { spent } else { STRONG };
                slopes[i] = slope[i].mul_add(spent, slopes[i]);
            }
        }
        slopes
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
        lost_gain((away * self.inverse_leak_range[l]).abs())
    }

    /// Adaptation after half a step with the membrane held.
    #[inline(always)]
    fn adapt(&self, l: usize, w: f32, v: f32) -> f32 {
        self.adapted(l, w, v, self.w_half_decay[l])
    }

    /// Adaptation after a time with the membrane held, of which `decay` is left of a
    /// distance from where it settles.
    #[inline(always)]
    fn adapted(&self, l: usize, w: f32, v: f32, decay: f32) -> f32 {
        let settled = self.a[l] * (v - self.v_adapt[l]);
        self.limited(l, (w - settled).mul_add(decay, settled))
    }

    /// The same after a time of `s` microseconds.
    #[inline(always)]
    pub(crate) fn adapted_after(&self, l: usize, w: f32, v: f32, s: f32) -> f32 {
        self.adapted(l, w, v, exp(-s * self.inverse_tau_w[l]))
    }

    /// Adaptation kept within its range.
    #[inline(always)]
    pub(crate) fn limited(&self, l: usize, w: f32) -> f32 {
        let w = if w > self.w_low[l] { w } else { self.w_low[l] };
        if w < self.w_high[l] {
            w
        } else {
            self.w_high[l]
        }
    }

    /// What currents add to the membranes, and what conductances make of them in
    /// half a step: `keep V + shift`.
    #[inline(always)]
    fn conduct<const DRIVEN: bool>(
        &self,
        inputs: &Inputs<'_, G>,
        old: &BlockState<G>,
        new: &mut BlockState<G>,
        (dv, keep, shift): (&mut Lanes, &mut Lanes, &mut Lanes),
    ) {
        let (mut open, mut pull) = (Lanes::ZERO, Lanes::ZERO);
        for g in 0..G {
            for l in 0..L {
                let change = charge::<G, DRIVEN>(inputs, old, new, g, l);
                dv[l] = self.current[g][l].mul_add(change, dv[l]);
                let q = 0.5 * self.conductance_of[g][l] * change * self.inverse_half_decay[l];
                open[l] += q;
                pull[l] = q.mul_add(self.reversal[g][l], pull[l]);
            }
        }
        for l in 0..L {
            // exp(-q) to second order, and positive whatever q.
            let bend = open[l].mul_add(0.5, 1.0);
            keep[l] = 1.0 / open[l].mul_add(bend, 1.0);
            shift[l] = keep[l] * pull[l] * bend;
        }
    }

    /// Whether the exponential term of some lane of a part matters in a step between
    /// two membranes.
    #[inline(always)]
    fn rises(&self, part: usize, begin: &Lanes, end: &Lanes) -> bool {
        let mut rises = 0_u32;
        for l in part..part + PART {
            let far = self.v_far[l];
            rises |= u32::from((begin[l] > far) | (end[l] > far));
        }
        rises != 0
    }

    /// The membrane after a step of leak, currents and a constant `w`.
    #[inline(always)]
    fn relaxed(&self, inputs: &Inputs<'_, G>, l: usize, v: f32, dv: f32, w: f32) -> f32 {
        let t = inputs.trial;
        let v = (v - t.v_rest[l]).mul_add(t.v_decay[l], t.v_rest[l]) + dv;
        (-self.w_membrane[l]).mul_add(w, v)
    }

    /// How much higher membranes may have been within a step than at its end, beyond what
    /// leaky ones may: by adaptation, and by inputs that pull down at the threshold.
    #[inline(always)]
    pub(crate) fn lift(&self, t: &Trial<G>, driven: Option<&[Lanes; G]>, w: &Lanes) -> Lanes {
        let mut lift = Lanes::ZERO;
        if self.adaptation {
            for l in 0..L {
                let w = if w[l] > 0.0 { w[l] } else { 0.0 };
                lift[l] = self.w_fall[l] * w;
            }
        }
        let Some(x) = driven else {
            return lift;
        };
        for g in 0..G {
            if !self.conductance && g % 2 == 0 {
                continue;
            }
            for l in 0..L {
                let mut pull = -t.saturation[g][l] * x[g][l];
                if self.conductance {
                    let v = t.v_threshold[l];
                    let v = if v < CEILING { v } else { CEILING };
                    pull *= self.force(g, l, v);
                }
                lift[l] += if pull > 0.0 { pull } else { 0.0 };
            }
        }
        lift
    }

    /// Propagates a block through a step and flags the neurons that need a closer look, with
    /// 1. A neuron whose exponential term is strong ends at infinity.
    #[inline(always)]
    pub(crate) fn propagate<const DRIVEN: bool>(
        &self,
        inputs: &Inputs<'_, G>,
        old: &BlockState<G>,
        new: &mut BlockState<G>,
        w: &mut Lanes,
        flags: &mut [u8; L],
    ) {
        let t = inputs.trial;
        if self.adaptation {
            for l in 0..L {
                w[l] = self.adapt(l, w[l], old.v[l]);
            }
        }
        // Leak, currents, and the sums over conductances: see the module.
        let mut dv = *inputs.kick;
        // What is left at the end of what was added, on average, in the middle.
        let mut relax = self.half_decay;
        if self.conductance {
            let (mut keep, mut shift) = (Lanes::ZERO, Lanes::ZERO);
            self.conduct::<DRIVEN>(inputs, old, new, (&mut dv, &mut keep, &mut shift));
            for l in 0..L {
                relax[l] *= keep[l];
                let v = keep[l].mul_add(old.v[l], shift[l]);
                let v = self.relaxed(inputs, l, v, dv[l], w[l]);
                new.v[l] = keep[l].mul_add(v, shift[l]);
            }
        } else {
            for g in 0..G {
                for l in 0..L {
                    dv[l] += charge::<G, DRIVEN>(inputs, old, new, g, l);
                }
            }
            for l in 0..L {
                new.v[l] = self.relaxed(inputs, l, old.v[l], dv[l], w[l]);
            }
        }
        if self.saturating_leak {
            for l in 0..L {
                let away = 0.5 * (old.v[l] + new.v[l]) - t.v_rest[l];
                let step = self.leak_step[l];
                new.v[l] += step * self.half_decay[l] * self.lost_leak(l, away);
                relax[l] *= 1.0 + 0.5 * step * self.lost_conductance(l, away);
            }
        }
        for part in (0..L).step_by(PART) {
            if !self.exponential || !self.rises(part, &old.v, &new.v) {
                continue;
            }
            for l in part..part + PART {
                let (begin, v) = (old.v[l], new.v[l]);
                let growth = mean_growth((v - begin) * self.inverse_slope[l]);
                let at_begin = exp((begin - self.v_exp[l]) * self.inverse_slope[l]);
                let spent = self.h * self.exp_rate[l] * at_begin * growth;
                let rise = self.slope[l] * logarithmic_rise(spent);
                let mut end = relax[l].mul_add(rise, v);
                let ceiling = if v > CEILING { v } else { CEILING };
                end = if end < ceiling { end } else { ceiling };
                let strong = (spent > STRONG) & (t.v_threshold[l] < f32::INFINITY);
                new.v[l] = if strong { f32::INFINITY } else { end };
            }
        }
        for l in 0..L {
            let v = new.v[l];
            let held = inputs.held_until[l] >= inputs.hold_from;
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
            for l in 0..L {
                let v = new.v[l];
                let v = if v < CEILING { v } else { CEILING };
                w[l] = self.adapt(l, w[l], v);
            }
        }
        let lift = self.lift(t, DRIVEN.then_some(&inputs.drive.x), w);
        for l in 0..L {
            let held = inputs.held_until[l] >= inputs.hold_from;
            let released = (inputs.held_until[l] > inputs.t_start) & !held;
            let highest = new.v[l] + lift[l];
            // It begins above where its refractory period ends in this step, after its reset.
            let above =
                (highest > t.v_threshold[l] - inputs.fall[l]) | (old.v[l] > t.v_threshold[l]);
            flags[l] = u8::from(released | (above & !held));
        }
    }
}

/// Propagates one current; what it adds to the membrane as a current-based one.
#[inline(always)]
fn charge<const G: usize, const DRIVEN: bool>(
    inputs: &Inputs<'_, G>,
    old: &BlockState<G>,
    new: &mut BlockState<G>,
    g: usize,
    l: usize,
) -> f32 {
    let (t, current) = (inputs.trial, old.current[g][l]);
    let (kappa, decay) = (t.kappa[g][l], t.decay[g][l]);
    let (x, end) = if DRIVEN {
        let drive = inputs.drive;
        (
            kappa.mul_add(current, drive.x[g][l]),
            decay.mul_add(current, drive.current[g][l]),
        )
    } else {
        (kappa * current, decay * current)
    };
    new.current[g][l] = end;
    t.saturation[g][l] * saturate(x)
}

/// `-ln(1 - x)` to 2e-7 up to [`STRONG`]; beyond, where only neurons without a
/// comparator come, it rises to 11/3 at 1 and stays there.
#[inline(always)]
fn logarithmic_rise(x: f32) -> f32 {
    let x = if x < 1.0 { x } else { 1.0 };
    let over = x.mul_add(x.mul_add(11.0, -60.0), 60.0);
    let under = x.mul_add(x.mul_add(x.mul_add(-3.0, 36.0), -90.0), 60.0);
    x * over / under
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rise_is_logarithmic_and_never_ends_the_numbers() {
        for i in 0..=1000 {
            let x = i as f32 * 1e-3;
            let rise = logarithmic_rise(x);
            if x <= STRONG {
                let exact = -libm::log1p(-f64::from(x));
                assert!(
                    (f64::from(rise) - exact).abs() <= 3e-7 * exact.max(1.0),
                    "{x}"
                );
            }
            assert!(logarithmic_rise(x + 1e-3) >= rise);
        }
        assert_eq!(logarithmic_rise(f32::INFINITY), 11.0 / 3.0);
    }
}
