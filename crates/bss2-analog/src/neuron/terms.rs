//! Parameters of the terms beside leak and current-based inputs, and where a neuron
//! with them rests. The equations stand in [`adex`](crate::neuron::adex).

use crate::neuron::lif::{LaneParameters, saturate};

/// The exponential term never lifts a membrane above this, volts: its supply.
///
/// # Source
/// The limit of the readout, hardware fact sheet, section 2; DEFAULT for this term.
pub(crate) const CEILING: f32 = 1.2;

/// Terms of one neuron beside leak and current-based inputs; microseconds and volts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Terms {
    pub(crate) exponential: Option<Exponential>,
    pub(crate) adaptation: Option<Adaptation>,
    /// `[group]`: conductance-based inputs.
    pub(crate) reversal: [Option<Reversal>; 4],
    /// Distance from rest at which the leak saturates; infinite where it does not.
    pub(crate) leak_range: f64,
}

/// `slope/tau exp((V - threshold)/slope)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Exponential {
    pub(crate) tau: f64,
    pub(crate) slope: f64,
    pub(crate) threshold: f64,
}

/// `tau dw/dt = a (V - leak) - w`, `w += b` at a spike, `w` in volts per microsecond.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Adaptation {
    pub(crate) tau: f64,
    /// Per microsecond; negative where it is flipped.
    pub(crate) a: f64,
    /// Volts per microsecond; negative where it is flipped.
    pub(crate) b: f64,
    pub(crate) leak: f64,
    /// Volts per microsecond.
    pub(crate) range: (f64, f64),
}

/// The current of an input is that of a current-based one times
/// `(potential - V) / scale`; excitatory or inhibitory, it pulls to the potential.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Reversal {
    pub(crate) potential: f64,
    pub(crate) scale: f64,
}

impl Terms {
    pub(crate) const NONE: Self = Self {
        exponential: None,
        adaptation: None,
        reversal: [None; 4],
        leak_range: f64::INFINITY,
    };

    /// The same terms on a membrane of that many times the capacitance.
    pub(crate) fn on_capacitance(mut self, relative: f64) -> Self {
        if let Some(e) = &mut self.exponential {
            e.tau *= relative;
        }
        if let Some(w) = &mut self.adaptation {
            w.a /= relative;
            w.b /= relative;
            w.range = (w.range.0 / relative, w.range.1 / relative);
        }
        self
    }

    /// Where adaptation would settle at a membrane potential.
    fn settled(&self, v: f64) -> f64 {
        self.adaptation
            .map_or(0.0, |a| (a.a * (v - a.leak)).clamp(a.range.0, a.range.1))
    }

    /// Slope of a membrane without input whose adaptation has settled.
    fn slope(&self, p: &LaneParameters, v: f64) -> f64 {
        let away = p.v_rest - v;
        let leak = if self.leak_range.is_finite() {
            let x = (away / self.leak_range) as f32;
            f64::from(saturate(x.abs()).copysign(x)) * self.leak_range
        } else {
            away
        };
        let rise = self.exponential.map_or(0.0, |e| {
            e.slope / e.tau * libm::exp(((v - e.threshold) / e.slope).min(80.0))
        });
        leak / p.tau_mem + rise - self.settled(v)
    }

    /// The lowest potential at which the membrane rests; none where it fires by
    /// itself.
    pub(crate) fn rest(&self, p: &LaneParameters) -> Option<f64> {
        const STEP: f64 = 2e-3;
        let fires = p.v_threshold.is_finite();
        let top = if fires {
            p.v_threshold.min(CEILING.into())
        } else {
            p.v_rest.max(CEILING.into())
        };
        let lowest = p.v_rest.min(p.v_reset).min(0.0) - 1.0;
        // An unstable system may fall at any potential; it rests at a rail then.
        let (mut low, mut high) = (lowest, lowest);
        while self.slope(p, high) > 0.0 {
            if high > top {
                return (!fires).then_some(top);
            }
            low = high;
            high += STEP.max(1e-3 * (top - lowest));
        }
        for _ in 0..40 {
            let middle = 0.5 * (low + high);
            if self.slope(p, middle) > 0.0 {
                low = middle;
            } else {
                high = middle;
            }
        }
        Some(high)
    }

    /// Adaptation of a neuron that rests, or that fires by itself.
    pub(crate) fn at_rest(&self, p: &LaneParameters) -> f64 {
        self.settled(self.rest(p).unwrap_or(p.v_reset))
    }
}
