//! Leaky integrate-and-fire circuits on the exact propagator.
//!
//! ```text
//! dV/dt   = -(V - V_rest)/tau_mem + sum_g sat(I_g)
//! dI_g/dt = -I_g/tau_g + sum over events of strength * delta(t - t_event)
//! ```
//!
//! with up to four synaptic inputs `g`. Between events the system is linear but
//! for the saturation, so one step is exact whatever its length:
//! `V' = V_rest + (V - V_rest) b + sum_g k_g(h) I_g`, `I_g' = a_g I_g`, with
//! `k(d) = integral from 0 to d of exp(-u/tau_syn) exp(-(d - u)/tau_mem) du`.
//!
//! An event at a distance `d` before the end of a step adds `s k(d)` to the
//! membrane and `s exp(-d/tau)` to the current. Both are expanded about the middle
//! of the step, `d = h/2 + e`, so that all events of a step enter through three
//! sums, `sum s`, `sum s e` and `sum s e^2`. The coefficients are those of the
//! parabola nearest to the function within the step: of the third and fourth order
//! the parts that a parabola can take are kept (their projection on the Legendre
//! polynomials of lower order).
//!
//! The saturating amplifier acts on the mean current of a step:
//! `sat(x) = x - x^3/4 + x^4/16` up to `x = 2`, where it reaches 1 with zero
//! slope, in units of the largest current. DEFAULT; within 0.07 of `tanh`.

use crate::lanes::Lanes;
use crate::neuron::adex::AdexBlock;
use crate::neuron::terms::Terms;

/// By which powers of their distance to the middle of a step events are summed.
pub(crate) const MOMENTS: usize = 3;

/// Physical parameters of a logical neuron, microseconds and volts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LaneParameters {
    pub(crate) tau_mem: f64,
    pub(crate) v_rest: f64,
    pub(crate) v_reset: f64,
    /// Infinite where the comparator is off.
    pub(crate) v_threshold: f64,
    /// `[group]`.
    pub(crate) tau_syn: [f64; 4],
    /// Volts per microsecond at which a synaptic input saturates.
    pub(crate) saturation: [f64; 4],
    /// From a crossing to the release of the reset.
    pub(crate) refractory: f64,
    /// From there to where it may cross again.
    pub(crate) holdoff: f64,
    pub(crate) noise: f64,
    /// Standard deviation of the resting potential from sample to sample, volts.
    pub(crate) rest_sd: f64,
    /// Codes per volt and codes.
    pub(crate) cadc: (f64, f64),
    /// 0 or 1.
    pub(crate) half: u8,
    /// Beside leak and current-based inputs.
    pub(crate) terms: Terms,
}

impl LaneParameters {
    /// How far a membrane rises within a step of `h` microseconds that ends in a peak, relative
    /// to what the current there is over the leak's conductance. That current decays, so
    /// `v'' = -1/(tau_mem tau)` at the peak, and for one time constant it rises by
    /// `1 - (1 - x) exp(x)`, `x = h/tau`; for two the mean of their rates is right to the third
    /// order in `h`. The fastest of `groups` inputs bounds it. Inhibition that outlasts excitation by
    /// `n` times the leak's current bends it `1 + n (1 - tau_exc/tau_inh)` times as much: `n = 2` is
    /// allowed for.
    pub(crate) fn fall_share(&self, groups: usize, h: f64) -> f64 {
        let from = |first: usize| self.tau_syn[first..groups].iter().copied();
        let tau = from(0).fold(self.tau_mem, f64::min);
        let excitation = from(0).step_by(2).fold(f64::INFINITY, f64::min);
        let inhibition = from(1).step_by(2).fold(0.0, f64::max);
        let x = 0.5 * h * (1.0 / self.tau_mem + 1.0 / tau);
        let growth = (1.0 - (1.0 - x) * libm::exp(x)) / (0.5 * x * x);
        let outlasting = 2.0 * (1.0 - excitation / inhibition).max(0.0);
        let share = 0.5 * h * h / (self.tau_mem * tau) * growth * (1.0 + outlasting);
        share.min(1.0)
    }
}

/// Coefficients of one step for a block of neurons.
#[derive(Debug, Clone)]
pub(crate) struct LifBlock<const G: usize> {
    /// exp(-h/tau_syn) and its derivative by ln(tau).
    pub(crate) decay: [Lanes; G],
    pub(crate) decay_slope: [Lanes; G],
    /// k(h) over the saturation's charge, and its derivative by ln(tau).
    pub(crate) kappa: [Lanes; G],
    pub(crate) kappa_slope: [Lanes; G],
    /// Current at the end of a step by events: for each of the sums of the module's text.
    pub(crate) event_current: [[Lanes; G]; MOMENTS],
    /// Membrane at the end of a step by events, over the saturation's charge.
    pub(crate) event_membrane: [[Lanes; G]; MOMENTS],
    /// Membrane step at the largest current, volts; negative for inhibition.
    pub(crate) saturation: [Lanes; G],
    /// One over its magnitude.
    pub(crate) inverse_saturation: [Lanes; G],
    pub(crate) v_decay: Lanes,
    pub(crate) v_decay_slope: Lanes,
    pub(crate) v_rest: Lanes,
    pub(crate) v_reset: Lanes,
    pub(crate) v_threshold: Lanes,
    /// How far the membrane rises within a step that ends in a peak at the threshold, volts;
    /// it falls by less after one. A membrane that goes from `v` to `end` without events, by way
    /// of a peak, rises by `rise` and falls by `rise + v - end`, which are both convex in their
    /// times, so together they are `fall` at most, and the peak lies at `(fall + v + end)/2` or
    /// below. What excitation in the step adds to the end it may have added before.
    pub(crate) fall: Lanes,
    /// h over tau_mem, and over the mean tau_syn.
    pub(crate) h_tau_mem: Lanes,
    pub(crate) h_tau_syn: Lanes,
    /// What a current would do within a step if it stayed as it begins and nothing
    /// leaked, over what it does; mean of the inputs.
    pub(crate) first_rise: Lanes,
    /// Membrane noise of one step, volts per unit of a byte.
    pub(crate) noise: Lanes,
    /// Standard deviation of the membrane noise.
    pub(crate) noise_sd: Lanes,
    /// Standard deviation of the rest from sample to sample.
    pub(crate) rest_sd: Lanes,
    pub(crate) refractory: Lanes,
    pub(crate) holdoff: Lanes,
    pub(crate) inverse_tau_mem: Lanes,
    pub(crate) inverse_tau_syn: [Lanes; G],
    pub(crate) cadc_scale: Lanes,
    pub(crate) cadc_offset: Lanes,
    /// As wide as what is selected by it: then selections are vector instructions.
    pub(crate) half: Lanes<u32>,
    /// `[half]`: whether some neuron lies there.
    pub(crate) has_half: [bool; 2],
    /// Where some neuron of the block has further terms: those replace the
    /// propagator for the whole block.
    pub(crate) terms: Option<Box<AdexBlock<G>>>,
}

/// State of a block of neurons.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockState<const G: usize> {
    pub(crate) v: Lanes,
    /// Volts per microsecond.
    pub(crate) current: [Lanes; G],
}

impl<const G: usize> BlockState<G> {
    pub(crate) const ZERO: Self = Self {
        v: Lanes::ZERO,
        current: [Lanes::ZERO; G],
    };
}

/// Response of the membrane to a unit current after time `d`; see the module.
pub(crate) fn response(d: f64, tau_syn: f64, tau_mem: f64) -> f64 {
    let rate = 1.0 / tau_mem - 1.0 / tau_syn;
    let integral = if (rate * d).abs() < 1e-12 {
        d
    } else {
        libm::expm1(rate * d) / rate
    };
    libm::exp(-d / tau_mem) * integral
}

/// Current and membrane a time `d` after a unit event, each with its first four
/// derivatives.
fn derivatives(d: f64, tau_syn: f64, tau_mem: f64) -> ([f64; 5], [f64; 5]) {
    let mut current = [libm::exp(-d / tau_syn); 5];
    let mut membrane = [response(d, tau_syn, tau_mem); 5];
    for order in 1..5 {
        current[order] = -current[order - 1] / tau_syn;
        membrane[order] = current[order - 1] - membrane[order - 1] / tau_mem;
    }
    (current, membrane)
}

/// Coefficients of the parabola `c0 + c1 e + c2 e^2` nearest to a function within
/// `h/2` of the middle of a step, from its value and first four derivatives there.
fn parabola(derivatives: [f64; 5], h: f64) -> [f64; MOMENTS] {
    let [f0, f1, f2, f3, f4] = derivatives;
    let square = h * h / 4.0;
    // Within the step e^3 is nearest to 3/5 (h/2)^2 e, and e^4 to
    // 6/7 (h/2)^2 e^2 - 3/35 (h/2)^4.
    [
        f0 - 3.0 / 35.0 * square * square * f4 / 24.0,
        f1 + 3.0 / 5.0 * square * f3 / 6.0,
        f2 / 2.0 + 6.0 / 7.0 * square * f4 / 24.0,
    ]
}

impl<const G: usize> LifBlock<G> {
    /// A block of lanes that never do anything.
    pub(crate) fn idle() -> Self {
        let zero = Lanes::ZERO;
        let zeros = [zero; G];
        Self {
            decay: zeros,
            decay_slope: zeros,
            kappa: zeros,
            kappa_slope: zeros,
            event_current: [zeros; MOMENTS],
            event_membrane: [zeros; MOMENTS],
            saturation: zeros,
            inverse_saturation: zeros,
            v_decay: zero,
            v_decay_slope: zero,
            v_rest: zero,
            v_reset: zero,
            v_threshold: Lanes::all(f32::INFINITY),
            fall: zero,
            h_tau_mem: zero,
            h_tau_syn: zero,
            first_rise: zero,
            noise: zero,
            noise_sd: zero,
            rest_sd: zero,
            refractory: zero,
            holdoff: zero,
            inverse_tau_mem: zero,
            inverse_tau_syn: zeros,
            cadc_scale: zero,
            cadc_offset: zero,
            half: Lanes::all(0),
            has_half: [false; 2],
            terms: None,
        }
    }

    /// Compiles one neuron for steps of `h` microseconds.
    pub(crate) fn set(&mut self, l: usize, p: &LaneParameters, h: f64) {
        let b = libm::exp(-h / p.tau_mem);
        self.v_decay[l] = b as f32;
        self.v_decay_slope[l] = (b * h / p.tau_mem) as f32;
        self.v_rest[l] = p.v_rest as f32;
        self.v_reset[l] = p.v_reset as f32;
        self.v_threshold[l] = p.v_threshold as f32;
        self.fall[l] = if p.v_threshold.is_finite() {
            (p.fall_share(G, h) * (p.v_threshold - p.v_rest).abs()) as f32
        } else {
            0.0
        };
        self.noise[l] = (p.noise * (1.0 - b * b).sqrt()) as f32 / crate::noise::BYTE_SD;
        self.noise_sd[l] = p.noise as f32;
        self.rest_sd[l] = p.rest_sd as f32;
        self.refractory[l] = p.refractory as f32;
        self.holdoff[l] = p.holdoff as f32;
        self.inverse_tau_mem[l] = (1.0 / p.tau_mem) as f32;
        let mean = |of: &dyn Fn(f64) -> f64| {
            let sum: f64 = p.tau_syn[..G].iter().map(|&tau| of(tau)).sum();
            (sum / G as f64) as f32
        };
        self.h_tau_mem[l] = (h / p.tau_mem) as f32;
        self.h_tau_syn[l] = mean(&|tau| h / tau);
        self.first_rise[l] = mean(&|tau| h / response(h, tau, p.tau_mem));
        self.cadc_scale[l] = p.cadc.0 as f32;
        self.cadc_offset[l] = p.cadc.1 as f32;
        self.half[l] = p.half.into();
        self.has_half[usize::from(p.half)] = true;
        for g in 0..G {
            let tau = p.tau_syn[g];
            // Largest mean current times the membrane's answer to a constant one.
            let charge = p.saturation[g] * p.tau_mem * (1.0 - b);
            self.saturation[g][l] = if g % 2 == 0 { charge } else { -charge } as f32;
            self.inverse_saturation[g][l] = (1.0 / charge) as f32;
            let a = libm::exp(-h / tau);
            self.decay[g][l] = a as f32;
            self.decay_slope[g][l] = (a * h / tau) as f32;
            let k = response(h, tau, p.tau_mem);
            let k_slope = k - h * (a - k / p.tau_mem);
            self.kappa[g][l] = (k / charge) as f32;
            self.kappa_slope[g][l] = (k_slope / charge) as f32;
            let middle = h / 2.0;
            let (current, membrane) = derivatives(middle, tau, p.tau_mem);
            let (current, membrane) = (parabola(current, h), parabola(membrane, h));
            for moment in 0..MOMENTS {
                self.event_current[moment][g][l] = current[moment] as f32;
                self.event_membrane[moment][g][l] = (membrane[moment] / charge) as f32;
            }
            self.inverse_tau_syn[g][l] = (1.0 / tau) as f32;
        }
    }
}

/// The saturating amplifier, see the module; `x` is not negative.
#[inline(always)]
pub(crate) fn saturate(x: f32) -> f32 {
    let x = if x < 2.0 { x } else { 2.0 };
    x * (x * x).mul_add(x.mul_add(0.0625, -0.25), 1.0)
}

/// What saturation takes off the gain of a small signal on top of `x`: one less its
/// derivative.
#[inline(always)]
pub(crate) fn lost_gain(x: f32) -> f32 {
    let x = if x < 2.0 { x } else { 2.0 };
    x * x * x.mul_add(-0.25, 0.75)
}

/// `saturate(x) / x`.
#[inline(always)]
pub(crate) fn saturate_share(x: f32) -> f32 {
    if x < 2.0 {
        (x * x).mul_add(x.mul_add(0.0625, -0.25), 1.0)
    } else {
        1.0 / x
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saturation_is_linear_at_first_and_flat_at_the_end() {
        assert!((saturate(1e-3) - 1e-3).abs() < 1e-9);
        assert_eq!(saturate(2.0), 1.0);
        assert_eq!(saturate(50.0), 1.0);
        for i in 0..300 {
            let x = i as f32 / 100.0;
            assert!(saturate(x + 0.01) >= saturate(x));
            assert!((saturate(x) - x.tanh()).abs() < 0.07, "{x}");
            assert!((saturate(x) - x * saturate_share(x)).abs() < 1e-6, "{x}");
        }
    }

    #[test]
    fn the_parabola_of_a_response_is_near_it_all_over_the_step() {
        let (h, tau_syn, tau_mem) = (1.7, 5.0, 6.0);
        let derivatives = |d| derivatives(d, tau_syn, tau_mem);
        let (current, membrane) = derivatives(h / 2.0);
        let (current, membrane) = (parabola(current, h), parabola(membrane, h));
        for i in 0..=100 {
            let e = h * (f64::from(i) / 100.0 - 0.5);
            let at = |c: [f64; MOMENTS]| c[0] + e * (c[1] + e * c[2]);
            let (exact_current, exact_membrane) = derivatives(h / 2.0 + e);
            assert!((at(current) - exact_current[0]).abs() < 5e-4, "{e}");
            // Microseconds: a response to an event is displaced by as much.
            assert!((at(membrane) - exact_membrane[0]).abs() < 4e-3, "{e}");
        }
    }

    #[test]
    fn response_is_the_alpha_function_for_equal_time_constants() {
        for d in [0.1, 1.0, 6.0, 20.0] {
            let exact = d * libm::exp(-d / 6.0);
            assert!((response(d, 6.0, 6.0) - exact).abs() < 1e-14);
            assert!((response(d, 6.0 + 1e-9, 6.0) - exact).abs() < 1e-8);
        }
    }
}
