//! One sample's own coefficients and the state it begins with.

use bss2_event::random::Address;

use crate::cadc::VOLTS_PER_LSB;
use crate::capmem::{CELL_VOLTS_PER_CODE, VOLTS_PER_CODE};
use crate::lanes::{L, Lanes, VECTOR, neuron_at, vector_at};
use crate::lowered::{Common, Start};
use crate::neuron::lif::{BlockState, LifBlock};
use crate::noise::{BYTE_MEAN, BYTE_SD, fill_normals};
use crate::profile::CapMemSpread;

/// Coefficients of one sample: those of the chip with trial-to-trial variation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trial<const G: usize> {
    pub(crate) decay: [Lanes; G],
    pub(crate) kappa: [Lanes; G],
    pub(crate) saturation: [Lanes; G],
    pub(crate) v_decay: Lanes,
    pub(crate) v_rest: Lanes,
    pub(crate) v_reset: Lanes,
    pub(crate) v_threshold: Lanes,
}

impl<const G: usize> Trial<G> {
    /// Without variation.
    #[inline(always)]
    pub(crate) fn even(c: &LifBlock<G>) -> Self {
        Self {
            decay: c.decay,
            kappa: c.kappa,
            saturation: c.saturation,
            v_decay: c.v_decay,
            v_rest: c.v_rest,
            v_reset: c.v_reset,
            v_threshold: c.v_threshold,
        }
    }
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
    trials.extend(blocks.iter().map(Trial::even));
    let n = &common.noise;
    // The refresh of one cell; the rest is moved by that of several, see `LifBlock`.
    let threshold = libm::hypot(
        n.trial_threshold * VOLTS_PER_LSB,
        refresh_volts(&common.capmem),
    );
    let rests = blocks.iter().any(|c| c.rest_sd != Lanes::ZERO);
    let spreads = [
        f64::from(u8::from(rests)),
        threshold,
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
    refresh(common, blocks, address, trials);
}

#[inline(always)]
fn vary<const G: usize>(t: &mut Trial<G>, c: &LifBlock<G>, what: usize, spread: f32, z: &Lanes) {
    for l in 0..L {
        let deviation = spread * z[l];
        match what {
            0 => t.v_rest[l] += c.rest_sd[l] * z[l],
            1 => t.v_threshold[l] += deviation,
            2 => {
                // Excitation stays excitation, however wide the spread.
                let factor = 1.0 + deviation;
                let factor = if factor > 0.0 { factor } else { 0.0 };
                for g in 0..G {
                    t.saturation[g][l] *= factor;
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

/// Standard deviation of a potential cell at a refresh, volts at the membrane.
pub(crate) fn refresh_volts(capmem: &CapMemSpread) -> f64 {
    capmem.refresh_voltage.get() / CELL_VOLTS_PER_CODE * VOLTS_PER_CODE
}

/// What the refresh of the parameter memory does to each input and to the reset:
/// uniform bytes, four of each random word, since there are many and they are
/// small. Words are those of steps 4 and on; lanes are served in the order of
/// [`crate::noise`].
#[inline(always)]
fn refresh<const G: usize>(
    common: &Common,
    blocks: &[LifBlock<G>],
    address: Address,
    trials: &mut [Trial<G>],
) {
    let current = common.capmem.refresh_current as f32 / BYTE_SD;
    let reset = refresh_volts(&common.capmem) as f32 / BYTE_SD;
    if current == 0.0 && reset == 0.0 {
        return;
    }
    let quarter = trials.len() * L / 4 / VECTOR;
    // Two for each input, the leak and the reset.
    for draw in 0..(2 * G + 2).div_ceil(4) {
        for number in 0..quarter {
            let words = address
                .element((number * VECTOR) as u32)
                .lanes(4 + draw as u32);
            for (w, word) in words.iter().enumerate() {
                let (block, which) = vector_at(w * quarter + number);
                let (t, c) = (&mut trials[block], &blocks[block]);
                for byte in 0..4 {
                    let what = 4 * draw + byte;
                    for i in 0..VECTOR {
                        let l = which * VECTOR + i;
                        let z = (word[i] >> (8 * byte) & 0xff) as i32 as f32 - BYTE_MEAN;
                        if what < G {
                            t.saturation[what][l] *= 1.0 + current * z;
                        } else if what < 2 * G {
                            let g = what - G;
                            t.decay[g][l] += current * z * c.decay_slope[g][l];
                            t.kappa[g][l] += current * z * c.kappa_slope[g][l];
                        } else if what == 2 * G {
                            t.v_decay[l] += current * z * c.v_decay_slope[l];
                        } else if what == 2 * G + 1 {
                            t.v_reset[l] += reset * z;
                        }
                    }
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
    refractory_until.fill(Lanes::all(f32::NEG_INFINITY));
    for (w, c) in adaptation.iter_mut().zip(blocks) {
        *w = c.terms.as_ref().map_or(Lanes::ZERO, |terms| terms.w_start);
    }
    if let Start::Held { until } = common.start {
        for (state, t) in states.iter_mut().zip(trials) {
            state.v = t.v_reset;
        }
        refractory_until.fill(Lanes::all(until.as_micro() as f32));
        return;
    }
    // Normals give the noise at rest, words the phase of those that fire.
    if common.noise.membrane.get() > 0.0 {
        fill_normals(address, 0, normals);
    } else {
        normals.fill(Lanes::ZERO);
    }
    for (block, (c, t)) in blocks.iter().zip(trials).enumerate() {
        let v = &mut states[block].v;
        let mut rest = t.v_rest;
        if let Some(terms) = &c.terms {
            for l in 0..L {
                rest[l] = terms.v_start[l] + (t.v_rest[l] - c.v_rest[l]);
            }
        }
        let mut fires = false;
        for l in 0..L {
            let (noisy, threshold) = (
                rest[l] + c.noise_sd[l] * normals[block][l],
                t.v_threshold[l],
            );
            // Noise alone does not put a neuron above its threshold.
            v[l] = if noisy > threshold { threshold } else { noisy };
            fires |= rest[l] > threshold;
        }
        if !fires {
            continue;
        }
        for l in 0..L {
            if rest[l] > t.v_threshold[l] {
                let phase = address.element(neuron_at((block, l)).into()).uniform(1) as f32;
                v[l] = t.v_reset[l] + phase * (t.v_threshold[l] - t.v_reset[l]).max(0.0);
            }
        }
    }
}
