//! From membranes to CADC codes.

use bss2_event::random::Address;

use crate::cadc::MAX_CODE;
use crate::lowered::Common;
use crate::neuron::lif::{BlockState, Lanes, LifBlock};
use crate::noise::fill_sums;
use crate::observation::Observation;
use crate::synapse::L;
use crate::trial::Trial;

/// When each half samples next.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sampler {
    start: f64,
    period: f64,
    samples: usize,
    /// `[half]`, microseconds.
    late: [f64; 2],
    next: [usize; 2],
}

impl Sampler {
    /// Both halves start late together, and differ from each other.
    pub(crate) fn new(common: &Common, address: Address) -> Self {
        let schedule = &common.integration.schedule;
        let late = common.noise.cadc_start.as_micro() * address.uniform(0);
        let skew = common.noise.cadc_skew.as_micro() * address.uniform(1);
        Self {
            start: schedule.start.as_micro(),
            period: schedule.period.as_micro(),
            samples: schedule.samples,
            late: [late, late + skew],
            next: [0; 2],
        }
    }

    /// Microseconds of a half's sample.
    fn time(&self, half: usize, sample: usize) -> f64 {
        self.start + sample as f64 * self.period + self.late[half]
    }

    /// Time of the last sample of all; of the first where there is none.
    pub(crate) fn last_time(&self) -> f64 {
        self.time(1, self.samples.saturating_sub(1))
    }

    /// The next (half, sample, time) that is due before a moment.
    pub(crate) fn due(&mut self, before: f64) -> Option<(usize, usize, f64)> {
        for half in 0..2 {
            let sample = self.next[half];
            let time = self.time(half, sample);
            if sample < self.samples && time < before {
                self.next[half] += 1;
                return Some((half, sample, time));
            }
        }
        None
    }
}

/// Membranes around the step in which a half samples.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Around<'a, const G: usize> {
    pub(crate) before: &'a [BlockState<G>],
    pub(crate) after: &'a [BlockState<G>],
    /// (microseconds from the beginning of the step, lane).
    pub(crate) crossings: &'a [(f32, u16)],
    pub(crate) h: f32,
}

/// Reads the membranes of a half `at` microseconds after the beginning of a step.
#[inline(always)]
pub(crate) fn read<const G: usize>(
    blocks: &[LifBlock<G>],
    trials: &[Trial<G>],
    around: Around<'_, G>,
    half: usize,
    at: f32,
    traces: &mut [Lanes],
) {
    let fraction = at / around.h;
    for (block, c) in blocks.iter().enumerate() {
        let (before, after) = (&around.before[block].v, &around.after[block].v);
        for l in 0..L {
            let v = before[l] + fraction * (after[l] - before[l]);
            traces[block][l] = if usize::from(c.half[l]) == half {
                v
            } else {
                traces[block][l]
            };
        }
    }
    // A neuron that fired in between jumps: straight up to the threshold
    // before, as at the end after. On the snapped grid it jumps at the end.
    for &(crossing, lane) in around.crossings {
        let (block, l) = (usize::from(lane) / L, usize::from(lane) % L);
        if usize::from(blocks[block].half[l]) == half && crossing < around.h {
            let before = around.before[block].v[l];
            traces[block][l] = if at < crossing {
                before + (trials[block].v_threshold[l] - before) * (at / crossing)
            } else {
                around.after[block].v[l]
            };
        }
    }
}

/// Turns the sampled membranes, `[sample][block]` in volts, into codes.
#[inline(always)]
pub(crate) fn convert<const G: usize>(
    common: &Common,
    blocks: &[LifBlock<G>],
    address: Address,
    normals: &mut [Lanes],
    traces: &mut [Lanes],
    observation: &mut Observation,
) {
    let neurons = common.neurons;
    let samples = common.integration.schedule.samples;
    observation.neurons = neurons;
    observation.codes.resize(samples * neurons, 0.0);
    let noise = common.cadc.noise as f32;
    normals.fill([0.0; L]);
    for sample in 0..samples {
        let traces = &mut traces[sample * blocks.len()..][..blocks.len()];
        if noise > 0.0 {
            fill_sums(address, sample as u32, normals);
        }
        for ((trace, c), z) in traces.iter_mut().zip(blocks).zip(normals.iter()) {
            for l in 0..L {
                trace[l] = c.cadc_scale[l] * trace[l] + c.cadc_offset[l] + noise * z[l];
            }
            if common.cadc.quantise {
                for l in 0..L {
                    trace[l] = quantise(trace[l]);
                }
            }
        }
        observation.codes[sample * neurons..][..neurons]
            .copy_from_slice(&traces.as_flattened()[..neurons]);
    }
}

/// The nearest whole code of 0..=255.
#[inline(always)]
fn quantise(code: f32) -> f32 {
    let code = if code > 0.0 { code } else { 0.0 };
    let code = if code < MAX_CODE { code } else { MAX_CODE };
    // Adding 2^23 leaves no room for a fraction; a call to `round` would not
    // be a vector instruction on every target.
    (code + 8_388_608.0) - 8_388_608.0
}
