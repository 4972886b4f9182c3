//! From membranes to CADC codes.

use bss2_event::random::Address;

use crate::cadc::{MAX_CODE, bend, bend_strength};
use crate::events::Events;
use crate::lanes::{L, Lanes, VECTOR, Vector, place, vector, vector_at, vector_mut};
use crate::lowered::Common;
use crate::neuron::adex::AdexBlock;
use crate::neuron::lif::{BlockState, LifBlock, lost_gain, saturate};
use crate::noise::{fill_words, nearly_normal};
use crate::observation::Observation;
use crate::step::{Crossing, Drive};
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

    /// Whether samples are moments, not ramps.
    pub(crate) fn takes_no_time(&self) -> bool {
        self.conversion == 0.0
    }

    /// Beginning of the first sample of all.
    pub(crate) fn first_time(&self) -> f64 {
        self.time(0, 0)
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
    /// What the currents at the beginning do to the membranes until the end, volts.
    pub(crate) rise: &'a [Lanes],
    /// Adaptation at the beginning where there are further terms, volts per microsecond.
    pub(crate) adaptation: &'a [Lanes],
    /// End of the reset of each neuron, microseconds.
    pub(crate) held_until: &'a [Lanes],
    /// Of membranes, volts.
    pub(crate) v_range: (f32, f32),
    /// What events added to the mean currents of the step.
    pub(crate) drives: &'a [Drive<G>],
    pub(crate) events: &'a Events<G>,
    pub(crate) strengths: &'a [Lanes],
    pub(crate) crossings: &'a [Crossing],
    /// Microseconds from the beginning of the run.
    pub(crate) t_start: f64,
    pub(crate) h: f32,
    /// The first neuron that is read out.
    pub(crate) read_from: usize,
}

impl<const G: usize> Around<'_, G> {
    /// Block, lane and moment of the crossings on a half that is read out, the last one
    /// first: of several of one neuron the first decides what is seen before them.
    #[inline(always)]
    fn crossings<'a>(
        &'a self,
        blocks: &'a [LifBlock<G>],
        half: usize,
    ) -> impl Iterator<Item = (usize, usize, f32)> + 'a {
        self.crossings.iter().rev().filter_map(move |crossing| {
            let (at, lane) = (crossing.at, crossing.lane);
            let (block, l) = place(lane);
            let read = usize::from(lane) >= self.read_from;
            let read = read && blocks[block].half[l] == half as u32;
            // On the snapped grid neurons jump at the end of a step.
            (read && at < self.h).then_some((block, l, at))
        })
    }
}

/// Takes a sample, or the part of it that lies in a step.
#[inline(always)]
pub(crate) fn take<const G: usize, const SNAP: bool>(
    blocks: &[LifBlock<G>],
    trials: &[Trial<G>],
    around: Around<'_, G>,
    sample: Sample,
    (courses, traces): (&mut Courses, &mut [Lanes]),
) {
    let begin = (sample.begin - around.t_start) as f32;
    if sample.conversion > 0.0 {
        let ramp = Ramp {
            begin,
            end: begin + sample.conversion as f32,
            codes_per_us: (256.0 / sample.conversion) as f32,
        };
        ramp.convert::<G, SNAP>(blocks, trials, around, sample.half, traces);
    } else {
        let to = (courses, traces);
        read::<G, SNAP>(blocks, trials, around, sample.half, begin, to);
    }
}

/// By how much a membrane moves in a part of a step, by slope and curvature of its
/// beginning, `h v'` and `h^2 v''/2`, and a third power so that the whole step is met.
#[inline(always)]
fn cubic(part: f32, slope: f32, curvature: f32, whole: f32) -> f32 {
    let rest = whole - slope - curvature;
    part * part.mul_add(part.mul_add(rest, curvature), slope)
}

/// What leak and currents have done to membranes at a moment of a step that holds no
/// events: `v - v_rest` times the first number, and what the currents do in the whole step
/// times the second.
type Course<T> = [T; 2];

/// The courses until the moment of a step at which each half reads, kept from sample to
/// sample: that moment is the same in all steps unless they do not divide the period.
#[derive(Debug, Clone, Default)]
pub(crate) struct Courses {
    /// `[half]`: the part of a step that is over then.
    part: [Option<f32>; 2],
    /// `[half][block]`.
    until: [Vec<Course<Lanes>>; 2],
}

/// From this part on a step is over but for rounding.
const AT_END: f32 = 1.0 - 1e-6;

/// Parts of a step that differ by less are the same: rounding alone does not part them.
const SAME_PART: f32 = 1e-5;

impl Courses {
    /// Begins a run, whose neurons may be others.
    pub(crate) fn forget(&mut self) {
        self.part = [None; 2];
    }

    /// The courses until a part of a step, on each block, where they are read.
    #[inline(always)]
    fn until<const G: usize>(
        &mut self,
        (blocks, trials): (&[LifBlock<G>], &[Trial<G>]),
        around: &Around<'_, G>,
        half: usize,
        part: f32,
    ) -> &[Course<Lanes>] {
        let courses = &mut self.until[half];
        let same = self.part[half].is_some_and(|known| (known - part).abs() < SAME_PART);
        if !same {
            self.part[half] = Some(part);
            courses.resize(blocks.len(), [Lanes::ZERO; 2]);
            for read in vectors(blocks, trials, around, half) {
                let [away, rise] = read.course(part);
                let course = &mut courses[read.block];
                *vector_mut(&mut course[0], read.which) = away;
                *vector_mut(&mut course[1], read.which) = rise;
            }
        }
        courses
    }
}

/// A vector of neurons that is read.
#[derive(Clone, Copy)]
struct Read<'a, const G: usize> {
    c: &'a LifBlock<G>,
    t: &'a Trial<G>,
    around: &'a Around<'a, G>,
    block: usize,
    /// Which of the block's vectors.
    which: usize,
}

impl<const G: usize> Read<'_, G> {
    #[inline(always)]
    fn of(&self, lanes: &Lanes) -> Vector {
        vector(lanes, self.which)
    }

    /// By how much the membranes move on a course, without the noise of the step.
    #[inline(always)]
    fn leaky(&self, [away, rise]: Course<Vector>) -> Vector {
        let before = self.of(&self.around.before[self.block].v);
        let (v_rest, risen) = (
            self.of(&self.t.v_rest),
            self.of(&self.around.rise[self.block]),
        );
        let mut moved = [0.0; VECTOR];
        for i in 0..VECTOR {
            moved[i] = (before[i] - v_rest[i]).mul_add(away[i], rise[i] * risen[i]);
        }
        moved
    }

    /// By how much they move with further terms in a part of a step: to the end that was
    /// found, less what events did to it.
    #[inline(always)]
    fn further(&self, terms: &AdexBlock<G>, part: f32) -> Vector {
        let Self { c, t, around, .. } = *self;
        let (before, drive) = (&around.before[self.block], &around.drives[self.block]);
        let v = self.of(&before.v);
        // What the currents at the beginning do in the step, and what its events do on top of
        // them, as in `add_events`.
        let (mut rise, mut driven) = ([0.0; VECTOR], [0.0; VECTOR]);
        for g in 0..G {
            let (kappa, saturation) = (self.of(&t.kappa[g]), self.of(&t.saturation[g]));
            let current = self.of(&before.current[g]);
            let share = if drive.any() {
                self.of(&drive.x[g])
            } else {
                [0.0; VECTOR]
            };
            let (mut own, mut more) = ([0.0; VECTOR], [0.0; VECTOR]);
            for i in 0..VECTOR {
                let x = kappa[i] * current[i];
                own[i] = saturation[i] * saturate(x);
                more[i] = (1.0 - lost_gain(x)) * saturation[i] * share[i];
            }
            if terms.conductance {
                for i in 0..VECTOR {
                    let force = terms.force(g, self.which * VECTOR + i, v[i]);
                    own[i] *= force;
                    more[i] *= force;
                }
            }
            for i in 0..VECTOR {
                rise[i] += own[i];
                driven[i] += more[i];
            }
        }
        let (w, v_rest) = (self.of(&around.adaptation[self.block]), self.of(&t.v_rest));
        let slopes = terms.slopes(self.which, &v, &w, &v_rest);
        let (first_rise, after) = (self.of(&c.first_rise), self.of(&around.after[self.block].v));
        let (h_tau_mem, h_tau_syn) = (self.of(&c.h_tau_mem), self.of(&c.h_tau_syn));
        // Not beyond the rails, where the end cannot be.
        let (low, high) = around.v_range;
        let mut moved = [0.0; VECTOR];
        for i in 0..VECTOR {
            let current = rise[i] * first_rise[i];
            let slope = slopes[i] + current;
            let curvature = -0.5 * slope.mul_add(h_tau_mem[i], current * h_tau_syn[i]);
            let driven = driven[i].max(low - v[i]).min(high - v[i]);
            moved[i] = cubic(part, slope, curvature, after[i] - v[i] - driven);
        }
        moved
    }

    /// Adds what the events of a step until `at` have done to the membranes by then.
    #[inline(always)]
    fn add_events(&self, at: f32, moved: &mut Vector) {
        let Self { c, t, around, .. } = *self;
        let past = around.events.step.iter().take_while(|event| event.at < at);
        let mut past = past.peekable();
        if past.peek().is_none() {
            return;
        }
        let before = &around.before[self.block];
        let (mut shares, mut rates) = ([[0.0; VECTOR]; G], [[0.0; VECTOR]; G]);
        for g in 0..G {
            let (kappa, current) = (self.of(&t.kappa[g]), self.of(&before.current[g]));
            let (saturation, whole) =
                (self.of(&t.saturation[g]), self.of(&c.inverse_saturation[g]));
            let (rate, rate_mem) = (self.of(&c.inverse_tau_syn[g]), self.of(&c.inverse_tau_mem));
            let mut force = [1.0; VECTOR];
            if let Some(terms) = c.terms.as_deref().filter(|terms| terms.conductance) {
                let v = self.of(&before.v);
                for i in 0..VECTOR {
                    force[i] = terms.force(g, self.which * VECTOR + i, v[i]);
                }
            }
            for i in 0..VECTOR {
                // What saturation leaves of a small current on top of the others.
                let left = 1.0 - lost_gain(kappa[i] * current[i]);
                shares[g][i] = left * saturation[i] * whole[i] * force[i];
                rates[g][i] = 0.5 * (rate_mem[i] + rate[i]);
            }
        }
        for event in past {
            let d = at - event.at;
            for opened in around.events.opened(event) {
                let Some(row) = opened.row.on(around.strengths, self.block) else {
                    continue;
                };
                if !opened.row.vectors().contains(&self.which) {
                    continue;
                }
                let g = usize::from(opened.group);
                let (row, share, rate) = (self.of(row), shares[g], rates[g]);
                for i in 0..VECTOR {
                    let x = d * rate[i];
                    let response = d * x.mul_add(x.mul_add(0.5, -1.0), 1.0);
                    moved[i] = (share[i] * row[i]).mul_add(response, moved[i]);
                }
            }
        }
    }

    /// The membranes `at` microseconds after the beginning of a step. Events to come have
    /// no part in them. Where events act at once, and at the end of a step but for rounding,
    /// membranes go straight to the end. `course` is that until this moment.
    #[inline(always)]
    fn membranes<const SNAP: bool>(
        &self,
        at: f32,
        course: impl FnOnce() -> Course<Vector>,
    ) -> Vector {
        let around = self.around;
        let part = at / around.h;
        let before = self.of(&around.before[self.block].v);
        let after = self.of(&around.after[self.block].v);
        let mut v = [0.0; VECTOR];
        if SNAP || part >= AT_END {
            for i in 0..VECTOR {
                v[i] = before[i] + part * (after[i] - before[i]);
            }
            return v;
        }
        let mut moved = match self.c.terms.as_deref() {
            None => self.leaky(course()),
            Some(terms) => self.further(terms, part),
        };
        self.add_events(at, &mut moved);
        let held_until = self.of(&around.held_until[self.block]);
        let t_start = around.t_start as f32;
        let (mut release, mut held, mut released) = ([0.0; VECTOR], false, false);
        for i in 0..VECTOR {
            release[i] = held_until[i] - t_start;
            held |= release[i] > 0.0;
            released |= (release[i] > 0.0) & (release[i] < at);
        }
        if held {
            let mut risen = [0.0; VECTOR];
            if released {
                for i in 0..VECTOR {
                    // Straight on from a release in the step; those that fire in it are read
                    // otherwise.
                    let since = (at - release[i]) / (around.h - release[i]);
                    let since = if since > 0.0 { since } else { 0.0 };
                    let rise = since * (after[i] - before[i]);
                    risen[i] = if release[i] < around.h { rise } else { 0.0 };
                }
            }
            for i in 0..VECTOR {
                moved[i] = if release[i] <= 0.0 {
                    moved[i]
                } else {
                    risen[i]
                };
            }
        }
        let (low, high) = around.v_range;
        for i in 0..VECTOR {
            let end = before[i] + moved[i];
            let end = if end > low { end } else { low };
            v[i] = if end < high { end } else { high };
        }
        v
    }

    /// The course until a part of the step: as far as slope and curvature of its beginning
    /// say, and a third power so that the whole step is met, see [`cubic`].
    #[inline(always)]
    fn course(&self, part: f32) -> Course<Vector> {
        let (c, t) = (self.c, self.t);
        let (first_rise, h_tau_mem) = (self.of(&c.first_rise), self.of(&c.h_tau_mem));
        let (h_tau_syn, v_decay) = (self.of(&c.h_tau_syn), self.of(&t.v_decay));
        let (mut away, mut rise) = ([0.0; VECTOR], [0.0; VECTOR]);
        for i in 0..VECTOR {
            let (leak, current) = (h_tau_mem[i], first_rise[i]);
            away[i] = cubic(part, -leak, 0.5 * leak * leak, v_decay[i] - 1.0);
            let curvature = -0.5 * current * (leak + h_tau_syn[i]);
            rise[i] = cubic(part, current, curvature, 1.0);
        }
        [away, rise]
    }

    /// The membranes at a moment whose course is not kept.
    #[inline(always)]
    fn anywhere<const SNAP: bool>(&self, at: f32) -> Vector {
        self.membranes::<SNAP>(
            at,
            #[inline(always)]
            || self.course(at / self.around.h),
        )
    }

    /// Replaces what was read of the neurons on a half.
    #[inline(always)]
    fn write(&self, half: usize, v: &Vector, trace: &mut Vector) {
        if !self.c.has_half[1 - half] {
            *trace = *v;
            return;
        }
        let halves = vector(&self.c.half, self.which);
        // Into a vector of its own: a store under a condition is done number by number.
        let (old, mut new) = (*trace, [0.0; VECTOR]);
        for i in 0..VECTOR {
            new[i] = if halves[i] == half as u32 {
                v[i]
            } else {
                old[i]
            };
        }
        *trace = new;
    }
}

/// The vectors of neurons that are read of a half.
#[inline(always)]
fn vectors<'a, const G: usize>(
    blocks: &'a [LifBlock<G>],
    trials: &'a [Trial<G>],
    around: &'a Around<'a, G>,
    half: usize,
) -> impl Iterator<Item = Read<'a, G>> {
    let places = around.read_from / VECTOR..blocks.len() * (L / VECTOR);
    let reads = places.map(move |place| {
        let (block, which) = vector_at(place);
        Read {
            c: &blocks[block],
            t: &trials[block],
            around,
            block,
            which,
        }
    });
    reads.filter(move |read| read.c.has_half[half])
}

/// Reads the membranes of a half `at` microseconds after the beginning of a step.
#[inline(always)]
fn read<const G: usize, const SNAP: bool>(
    blocks: &[LifBlock<G>],
    trials: &[Trial<G>],
    around: Around<'_, G>,
    half: usize,
    at: f32,
    (courses, traces): (&mut Courses, &mut [Lanes]),
) {
    let part = at / around.h;
    // When a step ends all is known, also of neurons that fired in it.
    if !SNAP && part >= AT_END {
        for read in vectors(blocks, trials, &around, half) {
            let v = read.of(&around.after[read.block].v);
            read.write(half, &v, vector_mut(&mut traces[read.block], read.which));
        }
        return;
    }
    let courses = courses.until((blocks, trials), &around, half, part);
    for read in vectors(blocks, trials, &around, half) {
        let [away, rise] = &courses[read.block];
        let v = read.membranes::<SNAP>(
            at,
            #[inline(always)]
            || [read.of(away), read.of(rise)],
        );
        read.write(half, &v, vector_mut(&mut traces[read.block], read.which));
    }
    // A neuron that fired in between jumps: straight up to the threshold
    // before, as at the end after.
    for (block, l, crossing) in around.crossings(blocks, half) {
        let before = around.before[block].v[l];
        traces[block][l] = if at < crossing {
            before + (trials[block].v_threshold[l] - before) * (at / crossing)
        } else {
            around.after[block].v[l]
        };
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
    fn convert<const G: usize, const SNAP: bool>(
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
            for read in vectors(blocks, trials, &around, half) {
                let trace = vector_mut(&mut traces[read.block], read.which);
                read.write(half, &[WAITING; VECTOR], trace);
            }
        }
        // Those that jump within the step go before: what they leave waiting lies
        // above the ramp at its end, as the straight line below will find.
        for (block, l, crossing) in around.crossings(blocks, half) {
            let c = &blocks[block];
            if traces[block][l].is_nan() {
                let ends = (around.before[block].v[l], around.after[block].v[l]);
                let threshold = trials[block].v_threshold[l];
                let channel = (c.cadc_scale[l], c.cadc_offset[l]);
                traces[block][l] = self.jump((from, to), crossing, ends, threshold, channel);
            }
        }
        for read in vectors(blocks, trials, &around, half) {
            let (begin, end) = (read.anywhere::<SNAP>(from), read.anywhere::<SNAP>(to));
            let (scale, offset) = (read.of(&read.c.cadc_scale), read.of(&read.c.cadc_offset));
            let trace = vector_mut(&mut traces[read.block], read.which);
            let (waiting, mut latched) = (*trace, [0.0; VECTOR]);
            for i in 0..VECTOR {
                let (v0, v1) = (begin[i], end[i]);
                let above = |v: f32, counter: f32| scale[i] * v + offset[i] - counter;
                let v = reached((v0, above(v0, counter0)), (v1, above(v1, counter1)));
                // Above the whole ramp: the largest code.
                let v = if last & v.is_nan() { v1 } else { v };
                latched[i] = if waiting[i].is_nan() { v } else { waiting[i] };
            }
            read.write(half, &latched, trace);
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

/// Turns the sampled membranes, `[sample][block]` in volts, into codes of the
/// neurons that are read out.
#[inline(always)]
pub(crate) fn convert<const G: usize>(
    common: &Common,
    blocks: &[LifBlock<G>],
    address: Address,
    words: &mut [Lanes<u32>],
    traces: &[Lanes],
    observation: &mut Observation,
) {
    let neurons = common.neurons;
    let samples = common.integration.schedule.samples;
    let from = observation.read_from.min(neurons);
    observation.neurons = neurons;
    observation.codes.resize(samples * neurons, 0.0);
    let noise = common.cadc.noise as f32;
    let strength = bend_strength(common.cadc.bend);
    for sample in 0..samples {
        let traces = &traces[sample * blocks.len()..][..blocks.len()];
        // A word serves two samples.
        if noise > 0.0 && sample % 2 == 0 {
            fill_words(address, sample as u32 / 2, from, words);
        }
        let shift = 16 * (sample % 2) as u32;
        let codes = &mut observation.codes[sample * neurons..][..neurons];
        let (whole, rest) = codes.as_chunks_mut::<VECTOR>();
        for place in from / VECTOR..neurons.div_ceil(VECTOR) {
            let (block, which) = vector_at(place);
            let c = &blocks[block];
            let (scale, offset) = (vector(&c.cadc_scale, which), vector(&c.cadc_offset, which));
            let (v, words) = (vector(&traces[block], which), vector(&words[block], which));
            let mut read = [0.0; VECTOR];
            for i in 0..VECTOR {
                let z = nearly_normal(words[i] >> shift);
                let code = scale[i].mul_add(v[i], offset[i]);
                read[i] = bend(noise.mul_add(z, code), strength);
            }
            if common.cadc.quantise {
                for code in &mut read {
                    *code = quantise(*code);
                }
            }
            match whole.get_mut(place) {
                Some(codes) => *codes = read,
                None => write_rest(rest, &read),
            }
        }
    }
}

/// A function of its own, or the copy of a whole vector were one of any length as well.
#[inline(never)]
fn write_rest(rest: &mut [f32], read: &Vector) {
    rest.copy_from_slice(&read[..rest.len()]);
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
