//! One sample's own coefficients and the state it begins with.

use bss2_event::random::Address;

use crate::cadc::VOLTS_PER_LSB;
use crate::lowered::{Common, Start};
use crate::neuron::lif::{BlockState, Lanes, LifBlock};
use crate::noise::fill_normals;
use crate::synapse::L;

/// Coefficients of one sample: those of the chip with trial-to-trial variation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trial<const G: usize> {
    pub(crate) decay: [Lanes; G],
    pub(crate) kappa: [Lanes; G],
    pub(crate) saturation: [Lanes; G],
    pub(crate) v_decay: Lanes,
    pub(crate) v_rest: Lanes,
    pub(crate) v_threshold: Lanes,
    pub(crate) v_attention: Lanes,
}

/// Draws leak, threshold, strength and time constants of a sample.
#[inline(always)]
pub(crate) fn draw<const G: usize>(
    common: &Common,
    blocks: &[LifBlock<G>],
    address: Address,
    normals: &mut [Lanes],
    trials: &mut Vec<Trial<G>>,
) {
    trials.clear();
    trials.extend(blocks.iter().map(|c| Trial {
        decay: c.decay,
        kappa: c.kappa,
        saturation: c.saturation,
        v_decay: c.v_decay,
        v_rest: c.v_rest,
        v_threshold: c.v_threshold,
        v_attention: c.v_attention,
    }));
    let n = &common.noise;
    let spreads = [
        n.trial_leak * VOLTS_PER_LSB,
        n.trial_threshold * VOLTS_PER_LSB,
        n.trial_strength,
        n.trial_tau,
    ];
    for (what, spread) in spreads.into_iter().enumerate() {
        if spread == 0.0 {
            continue;
        }
        fill_normals(address, what as u32, normals);
        for ((t, c), z) in trials.iter_mut().zip(blocks).zip(normals.iter()) {
            vary(t, c, what, spread as f32, z);
        }
    }
}

#[inline(always)]
fn vary<const G: usize>(t: &mut Trial<G>, c: &LifBlock<G>, what: usize, spread: f32, z: &Lanes) {
    for l in 0..L {
        let deviation = spread * z[l];
        match what {
            0 => t.v_rest[l] += deviation,
            1 => {
                t.v_threshold[l] += deviation;
                t.v_attention[l] += deviation;
            }
            2 => {
                for g in 0..G {
                    t.saturation[g][l] *= 1.0 + deviation;
                }
            }
            _ => {
                t.v_decay[l] += deviation * c.v_decay_slope[l];
                for g in 0..G {
                    t.decay[g][l] += deviation * c.decay_slope[g][l];
                    t.kappa[g][l] += deviation * c.kappa_slope[g][l];
                }
            }
        }
    }
}

/// Sets the state that a sample begins with.
#[inline(always)]
pub(crate) fn begin<const G: usize>(
    common: &Common,
    blocks: &[LifBlock<G>],
    trials: &[Trial<G>],
    address: Address,
    normals: &mut [Lanes],
    (states, adaptation): (&mut [BlockState<G>], &mut [Lanes]),
    refractory_until: &mut [Lanes],
) {
    states.fill(BlockState::ZERO);
    refractory_until.fill([f32::NEG_INFINITY; L]);
    for (w, c) in adaptation.iter_mut().zip(blocks) {
        *w = c.terms.as_ref().map_or([0.0; L], |terms| terms.w_start);
    }
    if let Start::Held { until } = common.start {
        for (state, c) in states.iter_mut().zip(blocks) {
            state.v = c.v_reset;
        }
        refractory_until.fill([until.as_micro() as f32; L]);
        return;
    }
    // Normals give the noise at rest, words the phase of those that fire.
    if common.noise.membrane.get() > 0.0 {
        fill_normals(address, 0, normals);
    } else {
        normals.fill([0.0; L]);
    }
    for (block, (c, t)) in blocks.iter().zip(trials).enumerate() {
        let v = &mut states[block].v;
        let mut rest = t.v_rest;
        if let Some(terms) = &c.terms {
            for l in 0..L {
                rest[l] = terms.v_start[l] + (t.v_rest[l] - c.v_rest[l]);
            }
        }
        for l in 0..L {
            v[l] = rest[l] + c.noise_sd[l] * normals[block][l];
        }
        for l in 0..L {
            if rest[l] > t.v_threshold[l] {
                let phase = address.element((block * L + l) as u32).uniform(1) as f32;
                v[l] = c.v_reset[l] + phase * (t.v_threshold[l] - c.v_reset[l]).max(0.0);
            }
        }
    }
}
