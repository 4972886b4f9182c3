//! The artificial reset: neurons made ready for the next image.

use bss2_event::{RangeError, Seconds};
use serde::{Deserialize, Serialize};

use crate::lanes::L;
use crate::neuron::lif::LifBlock;
use crate::step::Buffers;

/// Membranes are pulled to their reset potentials while the synaptic lines are
/// clamped through the debug line.
///
/// ```text
/// V' = V_reset + (V - V_reset) exp(-duration / tau_reset)
/// I' = I exp(-duration / min(tau_clamp, tau_syn))
/// ```
///
/// Adaptation relaxes as it does at the reset potential. What is left of membranes
/// and currents is the residue that the next image meets. Neurons do
/// not fire meanwhile; a refractory period that lasts longer goes on. Events that
/// arrive meanwhile find their line clamped and are lost.
///
/// # Source
/// Duration: 550 cycles of the on-chip processor (the paper's code; hardware fact
/// sheet, section 12). Time constant of the reset: the fastest on the chip
/// (section 2). That of the clamp: DEFAULT, the same.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ArtificialReset {
    /// How long it lasts, up to 1 ms.
    pub duration: Seconds,
    /// Time constant of the membranes towards reset, 1 ns to 1 ms.
    pub tau_reset: Seconds,
    /// Time constant of the clamped lines, 1 ns to 1 ms; beyond their own it is no
    /// clamp at all.
    pub tau_clamp: Seconds,
}

impl Default for ArtificialReset {
    fn default() -> Self {
        Self {
            duration: Seconds::micro(2.2),
            tau_reset: Seconds::micro(0.5),
            tau_clamp: Seconds::micro(0.5),
        }
    }
}

impl ArtificialReset {
    /// Checks every number.
    ///
    /// # Errors
    /// The first value outside its range.
    pub fn validate(&self) -> Result<(), RangeError> {
        for (field, time, least) in [
            ("duration", self.duration, 0.0),
            ("tau_reset", self.tau_reset, 1e-3),
            ("tau_clamp", self.tau_clamp, 1e-3),
        ] {
            RangeError::check(field, time.as_micro(), least, 1e3, "us")?;
        }
        Ok(())
    }

    pub(crate) fn apply<const G: usize>(
        &self,
        blocks: &[LifBlock<G>],
        buffers: &mut Buffers<G>,
    ) -> usize {
        assert_eq!(
            buffers.before.len(),
            blocks.len(),
            "the workspace holds the state of a run of this core"
        );
        let left = |rate: f64| libm::exp(-self.duration.as_micro() * rate) as f32;
        let membrane = left(1.0 / self.tau_reset.as_micro());
        let clamp = 1.0 / self.tau_clamp.as_micro();
        let clamped = left(clamp);
        let span = self.duration.as_micro() as f32;
        let states = buffers.before.iter_mut().zip(&mut buffers.adaptation);
        for ((state, w), (c, t)) in states.zip(blocks.iter().zip(&buffers.trials)) {
            if let Some(block) = c.terms.as_deref() {
                for l in 0..L {
                    w[l] = block.adapted_after(l, w[l], t.v_reset[l], span);
                }
            }
            for l in 0..L {
                state.v[l] = t.v_reset[l] + membrane * (state.v[l] - t.v_reset[l]);
            }
            for (current, rates) in state.current.iter_mut().zip(&c.inverse_tau_syn) {
                for l in 0..L {
                    let own = f64::from(rates[l]);
                    current[l] *= if own > clamp { left(own) } else { clamped };
                }
            }
        }
        buffers.elapsed += self.duration.as_micro();
        buffers.events.lose_until(buffers.elapsed)
    }
}
