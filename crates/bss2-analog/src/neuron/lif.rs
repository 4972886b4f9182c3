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
//! membrane and `s exp(-d/tau)` to the current. Both are expanded to first order
//! about the middle of the step, `d = h/2 + e`, so that all events of a step
//! enter through two sums, `sum s` and `sum s e`; the mean of the second order,
//! `h^2/24` of the second derivative, is kept. With the default step of
//! 0.85 us the rest displaces a response by less than 15 ns.
//!
//! The saturating amplifier acts on the mean current of a step:
//! `sat(x) = x - x^3/4 + x^4/16` up to `x = 2`, where it reaches 1 with zero
//! slope, in units of the largest current. DEFAULT; within 0.07 of `tanh`.

use crate::neuron::adex::AdexBlock;
use crate::neuron::terms::Terms;
use crate::synapse::L;

/// A number per lane of a block.
pub(crate) type Lanes = [f32; L];

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
    pub(crate) refractory: f64,
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

/// Coefficients of one step for a block of neurons.
#[derive(Debug, Clone)]
pub(crate) struct LifBlock<const G: usize> {
    /// exp(-h/tau_syn) and its derivative by ln(tau).
    pub(crate) decay: [Lanes; G],
    pub(crate) decay_slope: [Lanes; G],
    /// k(h) over the saturation's charge, and its derivative by ln(tau).
    pub(crate) kappa: [Lanes; G],
    pub(crate) kappa_slope: [Lanes; G],
    /// Current at the end of a step by events: zeroth and first order.
    pub(crate) event_current: [[Lanes; G]; 2],
    /// Membrane at the end of a step by events, over the saturation's charge.
    pub(crate) event_membrane: [[Lanes; G]; 2],
    /// Membrane step at the largest current, volts; negative for inhibition.
    pub(crate) saturation: [Lanes; G],
    pub(crate) v_decay: Lanes,
    pub(crate) v_decay_slope: Lanes,
    pub(crate) v_rest: Lanes,
    pub(crate) v_reset: Lanes,
    pub(crate) v_threshold: Lanes,
    /// From here a step is looked at closely: the membrane may have peaked
    /// above threshold inside it.
    pub(crate) v_attention: Lanes,
    /// Membrane noise of one step, volts per unit of a byte.
    pub(crate) noise: Lanes,
    /// Standard deviation of the membrane noise.
    pub(crate) noise_sd: Lanes,
    /// Standard deviation of the rest from sample to sample.
    pub(crate) rest_sd: Lanes,
    pub(crate) refractory: Lanes,
    pub(crate) inverse_tau_mem: Lanes,
    pub(crate) inverse_tau_syn: [Lanes; G],
    pub(crate) cadc_scale: Lanes,
    pub(crate) cadc_offset: Lanes,
    pub(crate) half: [u8; L],
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
        v: [0.0; L],
        current: [[0.0; L]; G],
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

impl<const G: usize> LifBlock<G> {
    /// A block of lanes that never do anything.
    pub(crate) fn idle() -> Self {
        let zero = [0.0; L];
        let zeros = [zero; G];
        Self {
            decay: zeros,
            decay_slope: zeros,
            kappa: zeros,
            kappa_slope: zeros,
            event_current: [zeros; 2],
            event_membrane: [zeros; 2],
            saturation: zeros,
            v_decay: zero,
            v_decay_slope: zero,
            v_rest: zero,
            v_reset: zero,
            v_threshold: [f32::INFINITY; L],
            v_attention: [f32::INFINITY; L],
            noise: zero,
            noise_sd: zero,
            rest_sd: zero,
            refractory: zero,
            inverse_tau_mem: zero,
            inverse_tau_syn: zeros,
            cadc_scale: zero,
            cadc_offset: zero,
            half: [0; L],
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
        let margin = 0.5 * (h / p.tau_mem).powi(2) * (p.v_threshold - p.v_rest).abs();
        self.v_attention[l] = if p.v_threshold.is_finite() {
            (p.v_threshold - margin) as f32
        } else {
            f32::INFINITY
        };
        self.noise[l] = (p.noise * (1.0 - b * b).sqrt()) as f32 / crate::noise::BYTE_SD;
        self.noise_sd[l] = p.noise as f32;
        self.rest_sd[l] = p.rest_sd as f32;
        self.refractory[l] = p.refractory as f32;
        self.inverse_tau_mem[l] = (1.0 / p.tau_mem) as f32;
        self.cadc_scale[l] = p.cadc.0 as f32;
        self.cadc_offset[l] = p.cadc.1 as f32;
        self.half[l] = p.half;
        for g in 0..G {
            let tau = p.tau_syn[g];
            // Largest mean current times the membrane's answer to a constant one.
            let charge = p.saturation[g] * p.tau_mem * (1.0 - b);
            self.saturation[g][l] = if g % 2 == 0 { charge } else { -charge } as f32;
            let a = libm::exp(-h / tau);
            self.decay[g][l] = a as f32;
            self.decay_slope[g][l] = (a * h / tau) as f32;
            let k = response(h, tau, p.tau_mem);
            let k_slope = k - h * (a - k / p.tau_mem);
            self.kappa[g][l] = (k / charge) as f32;
            self.kappa_slope[g][l] = (k_slope / charge) as f32;
            let middle = h / 2.0;
            let second = h * h / 24.0;
            let e = libm::exp(-middle / tau);
            self.event_current[0][g][l] = (e * (1.0 + second / (tau * tau))) as f32;
            self.event_current[1][g][l] = (-e / tau) as f32;
            let k = response(middle, tau, p.tau_mem);
            let k1 = e - k / p.tau_mem;
            let k2 = -e / tau - k1 / p.tau_mem;
            self.event_membrane[0][g][l] = ((k + second * k2) / charge) as f32;
            self.event_membrane[1][g][l] = (k1 / charge) as f32;
            self.inverse_tau_syn[g][l] = (1.0 / tau) as f32;
        }
    }
}

/// The saturating amplifier, see the module; `x` is not negative.
#[inline(always)]
pub(crate) fn saturate(x: f32) -> f32 {
    let x = if x < 2.0 { x } else { 2.0 };
    x * (1.0 + x * x * (x * 0.0625 - 0.25))
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
