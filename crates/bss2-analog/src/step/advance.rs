//! The fast pass: a block of neurons through a step, all lanes alike.

use super::{Buffers, Frame};
use crate::events::{Events, Step, Touch};
use crate::lanes::{L, Lanes};
use crate::neuron::lif::{BlockState, LifBlock, MOMENTS, saturate};
use crate::noise::BYTE_MEAN;
use crate::trial::Trial;

/// What the events of a step add at its end: to the normalised mean current of
/// each input, and to the currents themselves.
#[derive(Debug, Clone)]
pub(crate) struct Drive<const G: usize> {
    /// `[group]`: whether there are any; where not, the sums mean nothing until
    /// [`Drive::complete`]. Those of a block are complete as soon as it has any.
    pub(super) touched: [bool; G],
    pub(crate) x: [Lanes; G],
    /// Without that of the events which the step itself sent.
    pub(crate) current: [Lanes; G],
}

impl<const G: usize> Default for Drive<G> {
    fn default() -> Self {
        Self {
            touched: [false; G],
            x: [Lanes::ZERO; G],
            current: [Lanes::ZERO; G],
        }
    }
}

impl<const G: usize> Drive<G> {
    /// Whether there are events on any input.
    pub(crate) fn any(&self) -> bool {
        self.touched.contains(&true)
    }

    /// Gives sums to the inputs that have no events.
    #[inline(always)]
    pub(super) fn complete(&mut self) {
        for g in (0..G).filter(|&g| !self.touched[g]) {
            self.x[g] = Lanes::ZERO;
            self.current[g] = Lanes::ZERO;
        }
    }
}

/// What a block meets in a step.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'a, const G: usize> {
    pub(crate) trial: &'a Trial<G>,
    pub(crate) drive: &'a Drive<G>,
    /// Membrane noise of this step, volts.
    pub(crate) kick: &'a Lanes,
    pub(crate) v_reset: &'a Lanes,
    /// See [`LifBlock::fall`].
    pub(crate) fall: &'a Lanes,
    pub(crate) held_until: &'a Lanes,
    /// Membrane range.
    pub(crate) low: f32,
    pub(crate) high: f32,
    pub(crate) t_start: f32,
    pub(crate) hold_from: f32,
}

/// Lanes whose sums over events stay in registers.
const PART: usize = 32;

/// Sums over the events of a step on part of a block: of the strengths, and of
/// strengths times first and second power of the distance to the step's middle.
#[inline(always)]
fn moments(
    touches: &[Touch],
    strengths: &[Lanes],
    block: usize,
    part: usize,
) -> [[f32; PART]; MOMENTS] {
    let mut sums = [[0.0; PART]; MOMENTS];
    for touch in touches {
        let Some(row) = touch.row.on(strengths, block) else {
            continue;
        };
        let end = (part + 1) * PART;
        if usize::from(touch.row.from_lane) >= end {
            continue;
        }
        let (row, e) = (&row[end - PART..end], touch.e);
        let square = e * e;
        for l in 0..PART {
            sums[0][l] += row[l];
            sums[1][l] = row[l].mul_add(e, sums[1][l]);
            sums[2][l] = row[l].mul_add(square, sums[2][l]);
        }
    }
    sums
}

/// Propagates a block through a step. `flags` says of each neuron whether it may cross or
/// is released and needs a closer look: 1 if so. `rise` gets what the currents it begins with do, without events and
/// where the pass knew events also without saturation.
#[inline(always)]
fn propagate<const G: usize, const DRIVEN: bool, const SNAP: bool>(
    inputs: &Inputs<'_, G>,
    old: &BlockState<G>,
    new: &mut BlockState<G>,
    rise: &mut Lanes,
    flags: &mut [u8; L],
) {
    let Inputs {
        trial: t,
        drive,
        kick,
        v_reset,
        fall,
        held_until,
        ..
    } = *inputs;
    for l in 0..L {
        let (mut dv, mut undriven) = (0.0, 0.0);
        let (mut push, mut lift) = (0.0, 0.0);
        for g in 0..G {
            let current = old.current[g][l];
            let (kappa, decay, saturation) = (t.kappa[g][l], t.decay[g][l], t.saturation[g][l]);
            let x = if DRIVEN {
                undriven = saturation.mul_add(kappa * current, undriven);
                if g % 2 == 1 && !SNAP {
                    lift = (-saturation).mul_add(drive.x[g][l], lift);
                } else if !SNAP {
                    push = saturation.mul_add(drive.x[g][l], push);
                }
                new.current[g][l] = decay.mul_add(current, drive.current[g][l]);
                kappa.mul_add(current, drive.x[g][l])
            } else {
                new.current[g][l] = decay * current;
                kappa * current
            };
            dv = saturation.mul_add(saturate(x), dv);
        }
        rise[l] = if DRIVEN { undriven } else { dv };
        let v = (old.v[l] - t.v_rest[l]).mul_add(t.v_decay[l], t.v_rest[l]) + (dv + kick[l]);
        let v = if v > inputs.low { v } else { inputs.low };
        let v = if v < inputs.high { v } else { inputs.high };
        let held = held_until[l] >= inputs.hold_from;
        new.v[l] = if held { v_reset[l] } else { v };
        let released = (held_until[l] > inputs.t_start) & !held & !SNAP;
        // It may have been above before the inhibition of this step came, and at a peak: see
        // `LifBlock::fall`.
        let end = v + lift;
        let peak = 0.5 * (fall[l] + push + end + old.v[l]);
        let highest = if (peak > end) & !SNAP { peak } else { end };
        // It begins above where its refractory period ends in this step, after its reset.
        let above = (highest > t.v_threshold[l]) | (old.v[l] > t.v_threshold[l]);
        flags[l] = u8::from(released | (above & !held));
    }
}

/// Sums the events of a step on a block.
#[inline(always)]
pub(super) fn sum_events<const G: usize, const SNAP: bool>(
    events: &Events<G>,
    strengths: &[Lanes],
    (c, t): (&LifBlock<G>, &Trial<G>),
    block: usize,
    drive: &mut Drive<G>,
) {
    drive.touched = [false; G];
    if !events.reached().contains(&block) {
        return;
    }
    for g in 0..G {
        let touches = &events.touches[g];
        drive.touched[g] = touches.iter().any(|touch| touch.row.reaches(block));
        if !drive.touched[g] {
            continue;
        }
        for part in 0..L / PART {
            let sums = moments(touches, strengths, block, part);
            let lanes = part * PART..(part + 1) * PART;
            let (x, current) = (
                &mut drive.x[g][lanes.clone()],
                &mut drive.current[g][lanes.clone()],
            );
            if SNAP {
                // Events act as if the current had jumped when the step began.
                let (kappa, decay) = (&t.kappa[g][lanes.clone()], &t.decay[g][lanes]);
                for l in 0..PART {
                    x[l] = kappa[l] * sums[0][l];
                    current[l] = decay[l] * sums[0][l];
                }
            } else {
                let of = |c: &[[Lanes; G]; MOMENTS], l: usize| {
                    let at = lanes.start + l;
                    let last = c[2][g][at] * sums[2][l];
                    let last = c[1][g][at].mul_add(sums[1][l], last);
                    c[0][g][at].mul_add(sums[0][l], last)
                };
                for l in 0..PART {
                    x[l] = of(&c.event_membrane, l);
                    current[l] = of(&c.event_current, l);
                }
            }
        }
    }
}

impl<const G: usize> Buffers<G> {
    /// Membrane noise of a lane in a step, volts.
    #[inline(always)]
    pub(super) fn kick(&self, frame: &Frame<'_, G>, (block, l): (usize, usize)) -> f32 {
        let byte = (self.words[block][l] >> (8 * (frame.step.index % 4) as u32)) & 0xff;
        frame.blocks[block].noise[l] * (byte as i32 as f32 - BYTE_MEAN)
    }

    /// Advances one block by one step.
    #[inline(always)]
    pub(super) fn advance<const SNAP: bool>(&mut self, frame: &Frame<'_, G>, block: usize) {
        let (common, c, step) = (frame.common, &frame.blocks[block], frame.step);
        let (strengths, drive) = (common.table.strengths(), &mut self.drives[block]);
        let neurons = (c, &self.trials[block]);
        sum_events::<G, SNAP>(&self.events, strengths, neurons, block, drive);
        let driven = drive.any();
        if driven {
            drive.complete();
        }
        let mut kick = Lanes::ZERO;
        if frame.noisy {
            for l in 0..L {
                kick[l] = self.kick(frame, (block, l));
            }
        }
        let (low, high) = common.v_range;
        let inputs = Inputs {
            trial: &self.trials[block],
            drive: &self.drives[block],
            kick: &kick,
            v_reset: &self.trials[block].v_reset,
            fall: &c.fall,
            held_until: &self.held_until[block],
            low,
            high,
            t_start: step.start() as f32,
            hold_from: hold_from::<SNAP>(step),
        };
        let (old, new) = (&self.before[block], &mut self.after[block]);
        let (rise, mut flags) = (&mut self.rise[block], [0; L]);
        if let Some(terms) = c.terms.as_deref().filter(|_| !SNAP) {
            let w = &mut self.adaptation[block];
            self.overwritten.adaptation[block] = *w;
            if driven {
                terms.propagate::<true>(&inputs, old, new, w, &mut flags);
            } else {
                terms.propagate::<false>(&inputs, old, new, w, &mut flags);
            }
        } else if driven {
            propagate::<G, true, SNAP>(&inputs, old, new, rise, &mut flags);
        } else {
            propagate::<G, false, SNAP>(&inputs, old, new, rise, &mut flags);
        }
        self.attend::<SNAP>(frame, block, &flags);
    }
}

/// A neuron whose reset ends here or later is held for the whole step. On the
/// snapped grid ends are multiples of the step up to rounding.
#[inline(always)]
pub(super) fn hold_from<const SNAP: bool>(step: Step) -> f32 {
    (if SNAP {
        step.end() - 0.5 * step.h
    } else {
        step.end()
    }) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamics::LEAKY;
    use crate::neuron::lif::LaneParameters;
    use crate::neuron::threshold::{Leaky, Moment, Series, TOGETHER, gather_nodes};
    use crate::step::follow::local_neuron;
    use proptest::prelude::*;

    const STEP: Step = Step {
        index: 0,
        origin: 0.0,
        h: 1.7,
    };
    /// Volts above the rest.
    const THRESHOLD: f64 = 0.3;
    /// By how much a peak that is not followed may lie above the threshold, of it.
    const MISSED: f32 = 5e-4;

    /// The flags of a block after a step.
    fn flags(inputs: &Inputs<'_, 2>, old: &BlockState<2>) -> [u8; L] {
        let (mut new, mut rise, mut flags) = (BlockState::ZERO, Lanes::ZERO, [0; L]);
        if inputs.drive.any() {
            propagate::<2, true, false>(inputs, old, &mut new, &mut rise, &mut flags);
        } else {
            propagate::<2, false, false>(inputs, old, &mut new, &mut rise, &mut flags);
        }
        flags
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5000))]
        #[test]
        fn a_neuron_that_is_not_followed_stays_below_its_threshold(
            tau_mem in 4.5_f64..10.0,
            tau_exc in 4.5_f64..10.0,
            outlasts in 0.8_f64..1.2,
            // Of what keeps the membrane at its threshold.
            largest in 3.0_f64..15.0,
            below in 0.0_f32..0.05,
            // Of which the leak takes one: most membranes peak soon.
            (excess, inhibition) in (-0.3_f32..3.0, 0.0_f32..5.0),
            events in prop::collection::btree_map(0_u32..17, (0.0_f32..0.5, 0.0_f32..0.5), 0..4),
        ) {
            let rheobase = (THRESHOLD / tau_mem) as f32;
            let tau_inh = (tau_exc * outlasts).max(4.5);
            let mut c = LifBlock::idle();
            let neuron = LaneParameters {
                tau_mem,
                v_rest: 0.0,
                v_reset: 0.0,
                v_threshold: THRESHOLD,
                tau_syn: [tau_exc, tau_inh, tau_exc, tau_inh],
                saturation: [largest * f64::from(rheobase); 4],
                ..LEAKY
            };
            for l in 0..L {
                c.set(l, &neuron, STEP.h);
            }
            let t = Trial::even(&c);
            let mut old = BlockState::ZERO;
            let threshold = THRESHOLD as f32;
            // Lanes come ever closer to the threshold, and so do what they cross.
            for l in 0..L {
                let near = 1.0 - below * l as f32 / L as f32;
                old.v[l] = threshold * near;
                old.current[0][l] = (1.0 + inhibition + excess) * rheobase;
                old.current[1][l] = inhibition * rheobase;
            }
            let events: Vec<_> = events
                .into_iter()
                .map(|(slot, (exc, inh))| {
                    let strengths = [exc, inh].map(|of| Lanes::all(of * rheobase));
                    (0.1 * slot as f32, strengths)
                })
                .collect();
            let (events, strengths) = Events::of_step(STEP, &events);
            let mut drive = Drive::default();
            sum_events::<2, false>(&events, &strengths, (&c, &t), 0, &mut drive);
            drive.complete();
            let flags = flags(
                &Inputs {
                    trial: &t,
                    drive: &drive,
                    kick: &Lanes::ZERO,
                    v_reset: &t.v_reset,
                    fall: &c.fall,
                    held_until: &Lanes::all(f32::NEG_INFINITY),
                    low: -1.0,
                    high: 1.0,
                    t_start: 0.0,
                    hold_from: STEP.h as f32,
                },
                &old,
            );
            let mut nodes = Vec::new();
            for l in (0..L).filter(|&l| flags[l] == 0) {
                let mut neuron = local_neuron((&c, &t), (&old, &drive), l, (0.0, 2.0));
                neuron.v_threshold *= 1.0 + MISSED;
                let h = STEP.h as f32;
                let begin: Moment<Series> =
                    neuron.begin((old.v[l], [old.current[0][l], old.current[1][l]]), -1.0);
                gather_nodes(&events, &strengths, &neuron, (0, l), TOGETHER * h, &mut nodes);
                let mut crossed = None;
                neuron.resolve(&mut Leaky, begin, &nodes, 0.0..h, |at| crossed = Some(at));
                prop_assert!(crossed.is_none(), "{l}: {crossed:?}");
            }
        }
    }
}
