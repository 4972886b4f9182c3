//! From membranes to CADC codes.

use bss2_event::random::Address;

use crate::cadc::{MAX_CODE, bend, bend_strength};
use crate::lowered::Common;
use crate::neuron::lif::{BlockState, Lanes, LifBlock};
use crate::noise::fill_sums;
use crate::observation::Observation;
use crate::synapse::L;
use crate::trial::Trial;

/// When each half samples next.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sampler {
    /// How long a ramp takes.
    conversion: f64,
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
            conversion: common.cadc.conversion.as_micro(),
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

    /// End of the last sample of all; of the first where there is none.
    pub(crate) fn last_time(&self) -> f64 {
        self.time(1, self.samples.saturating_sub(1)) + self.conversion
    }

    /// Calls with every sample that is being taken before a moment and was not
    /// over at the moment of the call before.
    #[inline(always)]
    pub(crate) fn due(&mut self, before: f64, mut take: impl FnMut(Sample)) {
        for half in 0..2 {
            while self.next[half] < self.samples {
                let index = self.next[half];
                let begin = self.time(half, index);
                if begin >= before {
                    break;
                }
                let conversion = self.conversion;
                take(Sample {
                    half,
                    index,
                    begin,
                    conversion,
                });
                if begin + conversion >= before {
                    break; // the next step goes on with it
                }
                self.next[half] += 1;
            }
        }
    }
}

/// A sample of all channels of a half.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    half: usize,
    pub(crate) index: usize,
    /// Microseconds from the beginning of the run.
    begin: f64,
    conversion: f64,
}

/// Membranes around a step in which a half samples.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Around<'a, const G: usize> {
    pub(crate) before: &'a [BlockState<G>],
    pub(crate) after: &'a [BlockState<G>],
    /// (microseconds from the beginning of the step, lane).
    pub(crate) crossings: &'a [(f32, u16)],
    /// Microseconds from the beginning of the run.
    pub(crate) t_start: f64,
    pub(crate) h: f32,
}

/// Takes a sample, or the part of it that lies in a step.
#[inline(always)]
pub(crate) fn take<const G: usize>(
    blocks: &[LifBlock<G>],
    trials: &[Trial<G>],
    around: Around<'_, G>,
    sample: Sample,
    traces: &mut [Lanes],
) {
    let begin = (sample.begin - around.t_start) as f32;
    if sample.conversion > 0.0 {
        let ramp = Ramp {
            begin,
            end: begin + sample.conversion as f32,
            codes_per_us: (256.0 / sample.conversion) as f32,
        };
        ramp.convert(blocks, trials, around, sample.half, traces);
    } else {
        read(blocks, trials, around, sample.half, begin, traces);
    }
}

/// Reads the membranes of a half `at` microseconds after the beginning of a step.
#[inline(always)]
fn read<const G: usize>(
    blocks: &[LifBlock<G>],
    trials: &[Trial<G>],
    around: Around<'_, G>,
    half: usize,
    at: f32,
    traces: &mut [Lanes],
) {
    let fraction = at / around.h;
    for (block, c) in blocks.iter().enumerate() {
        if !c.has_half[half] {
            continue;
        }
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

/// A ramp of code 0 to 256, in microseconds from the beginning of a step.
#[derive(Debug, Clone, Copy)]
struct Ramp {
    begin: f32,
    end: f32,
    codes_per_us: f32,
}

/// Slack for ramps that end with a step.
const NANOSECOND: f32 = 1e-3;

/// Marks a channel whose ramp has not reached the membrane yet.
const WAITING: f32 = f32::NAN;

/// The membrane where the ramp reaches it, if it does so between two moments
/// with the given membranes and codes above the ramp.
#[inline(always)]
fn reached((v0, above0): (f32, f32), (v1, above1): (f32, f32)) -> f32 {
    let part = if above0 > 0.0 {
        above0 / (above0 - above1)
    } else {
        0.0
    };
    let v = v0 + part * (v1 - v0);
    if above1 <= 0.0 || above0 <= 0.0 {
        v
    } else {
        WAITING
    }
}

impl Ramp {
    /// Latches the membranes of a half that the ramp reaches within a step.
    #[inline(always)]
    fn convert<const G: usize>(
        self,
        blocks: &[LifBlock<G>],
        trials: &[Trial<G>],
        around: Around<'_, G>,
        half: usize,
        traces: &mut [Lanes],
    ) {
        let (from, to) = (self.begin.max(0.0), self.end.min(around.h));
        let (first, last) = (self.begin >= 0.0, self.end <= around.h + NANOSECOND);
        let (counter0, counter1) = (self.counter(from), self.counter(to));
        if first {
            for (trace, c) in traces.iter_mut().zip(blocks) {
                for l in 0..L {
                    trace[l] = if usize::from(c.half[l]) == half {
                        WAITING
                    } else {
                        trace[l]
                    };
                }
            }
        }
        // Those that jump within the step go before: what they leave waiting lies
        // above the ramp at its end, as the straight line below will find.
        for &(crossing, lane) in around.crossings {
            let (block, l) = (usize::from(lane) / L, usize::from(lane) % L);
            let c = &blocks[block];
            if usize::from(c.half[l]) == half && crossing < around.h && traces[block][l].is_nan() {
                let ends = (around.before[block].v[l], around.after[block].v[l]);
                let threshold = trials[block].v_threshold[l];
                let channel = (c.cadc_scale[l], c.cadc_offset[l]);
                traces[block][l] = self.jump((from, to), crossing, ends, threshold, channel);
            }
        }
        let (part0, part1) = (from / around.h, to / around.h);
        for (block, c) in blocks.iter().enumerate() {
            let (before, after) = (&around.before[block].v, &around.after[block].v);
            for l in 0..L {
                let rise = after[l] - before[l];
                let (v0, v1) = (before[l] + part0 * rise, before[l] + part1 * rise);
                let above = |v: f32, counter: f32| c.cadc_scale[l] * v + c.cadc_offset[l] - counter;
                let v = reached((v0, above(v0, counter0)), (v1, above(v1, counter1)));
                // Above the whole ramp: the largest code.
                let v = if last & v.is_nan() { v1 } else { v };
                let waits = traces[block][l].is_nan() & (usize::from(c.half[l]) == half);
                traces[block][l] = if waits { v } else { traces[block][l] };
            }
        }
    }

    fn counter(self, at: f32) -> f32 {
        (at - self.begin) * self.codes_per_us
    }

    /// A neuron that fires: straight up to the threshold before, as at the end of
    /// the step after. If it falls through the ramp, the code is that of the ramp.
    fn jump(
        self,
        (from, to): (f32, f32),
        crossing: f32,
        (before, after): (f32, f32),
        threshold: f32,
        (scale, offset): (f32, f32),
    ) -> f32 {
        let above = |v: f32, at: f32| scale * v + offset - self.counter(at);
        let rising = |at: f32| {
            let part = if crossing > 0.0 { at / crossing } else { 1.0 };
            before + (threshold - before) * part
        };
        if from < crossing {
            let end = crossing.min(to);
            let (v0, v1) = (rising(from), rising(end));
            let v = reached((v0, above(v0, from)), (v1, above(v1, end)));
            if !v.is_nan() {
                return v;
            }
            if to <= crossing {
                return if self.end <= to + NANOSECOND {
                    v1
                } else {
                    WAITING
                };
            }
            if above(after, crossing) <= 0.0 {
                return (self.counter(crossing) - offset) / scale;
            }
        }
        let begin = from.max(crossing);
        let v = reached((after, above(after, begin)), (after, above(after, to)));
        if v.is_nan() && self.end <= to + NANOSECOND {
            after
        } else {
            v
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
    let strength = bend_strength(common.cadc.bend);
    normals.fill([0.0; L]);
    for sample in 0..samples {
        let traces = &mut traces[sample * blocks.len()..][..blocks.len()];
        if noise > 0.0 {
            fill_sums(address, sample as u32, normals);
        }
        for ((trace, c), z) in traces.iter_mut().zip(blocks).zip(normals.iter()) {
            for l in 0..L {
                let code = c.cadc_scale[l] * trace[l] + c.cadc_offset[l] + noise * z[l];
                trace[l] = bend(code, strength);
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
