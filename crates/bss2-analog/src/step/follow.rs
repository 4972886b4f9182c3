//! Neurons that cross their threshold in a step, or are released: followed event by event.

use super::advance::Drive;
use super::recurrence::Crossing;
use super::{Buffers, Frame};
use crate::events::Step;
use crate::lanes::{L, Lanes, VECTOR, neuron_at, place};
use crate::neuron::adex::AdexBlock;
use crate::neuron::lif::{BlockState, LifBlock, saturate_share};
use crate::neuron::pack::Pack;
use crate::neuron::threshold::{Current, LocalNeuron, Membrane, Moment, TOGETHER, gather_nodes};
use crate::neuron::upswing::Upswing;
use crate::trial::Trial;

/// What a neuron had when the step at hand began, of what the step overwrites.
#[derive(Debug, Clone, Default)]
pub(super) struct Overwritten {
    /// Lane and end of the reset, the oldest first.
    pub(super) held_until: Vec<(u16, f32)>,
    /// `[block]`, where neurons have further terms.
    pub(super) adaptation: Vec<Lanes>,
}

/// From a crossing of a neuron to the release of its reset, microseconds.
#[inline(always)]
pub(super) fn hold<const G: usize>(frame: &Frame<'_, G>, (block, l): (usize, usize)) -> f32 {
    frame.delay + frame.blocks[block].refractory[l]
}

/// The equation of a lane in a step that begins with some state and in which events do
/// something, with drift and hold of [`LocalNeuron`].
#[inline(always)]
pub(super) fn local_neuron<const G: usize>(
    (c, t): (&LifBlock<G>, &Trial<G>),
    (old, drive): (&BlockState<G>, &Drive<G>),
    l: usize,
    (drift, hold): (f32, f32),
) -> LocalNeuron<G> {
    // Loops, since closures of `from_fn` would be compiled for the baseline alone.
    let (mut inverse_tau_syn, mut gain) = ([0.0; G], [0.0; G]);
    for g in 0..G {
        inverse_tau_syn[g] = c.inverse_tau_syn[g][l];
        let trial = t.saturation[g][l] * c.inverse_saturation[g][l];
        let driven = if drive.any() { drive.x[g][l] } else { 0.0 };
        let x = t.kappa[g][l] * old.current[g][l] + driven;
        gain[g] = trial * saturate_share(x);
    }
    LocalNeuron {
        v_rest: t.v_rest[l],
        v_reset: t.v_reset[l],
        v_threshold: t.v_threshold[l],
        inverse_tau_mem: c.inverse_tau_mem[l],
        inverse_tau_syn,
        gain,
        drift,
        hold,
        holdoff: c.holdoff[l],
    }
}

/// The lanes whose flag is not zero, ascending.
#[inline(always)]
pub(super) fn lanes_with(flags: &[u8; L]) -> impl Iterator<Item = usize> {
    let (eights, _) = flags.as_chunks::<8>();
    eights.iter().enumerate().flat_map(|(eight, flags)| {
        // In the order of lanes, which is that of bytes in memory.
        let mut bytes = u64::from_le_bytes(*flags);
        std::iter::from_fn(move || {
            (bytes != 0).then(|| {
                let place = bytes.trailing_zeros() / 8;
                bytes &= !(0xff << (8 * place));
                8 * eight + place as usize
            })
        })
    })
}

impl<const G: usize> Buffers<G> {
    /// The equation of one neuron in a step.
    #[inline(always)]
    pub(super) fn local_neuron(
        &self,
        frame: &Frame<'_, G>,
        (block, l): (usize, usize),
    ) -> LocalNeuron<G> {
        let c = &frame.blocks[block];
        let (t, old, drive) = (
            &self.trials[block],
            &self.before[block],
            &self.drives[block],
        );
        let kick = if frame.noisy {
            self.kick(frame, (block, l))
        } else {
            0.0
        };
        let drift = kick / frame.step.h as f32;
        local_neuron((c, t), (old, drive), l, (drift, hold(frame, (block, l))))
    }

    /// How much higher membranes may have been within a step than at its end: by the
    /// inhibition that came.
    #[inline(always)]
    pub(super) fn lift(&self, terms: Option<&AdexBlock<G>>, block: usize) -> Lanes {
        let (t, drive) = (&self.trials[block], &self.drives[block]);
        if let Some(terms) = terms {
            let x = drive.any().then_some(&drive.x);
            return terms.lift(t, x, &self.adaptation[block]);
        }
        let mut lift = Lanes::ZERO;
        if drive.any() {
            for g in (1..G).step_by(2) {
                for l in 0..L {
                    lift[l] -= t.saturation[g][l] * drive.x[g][l];
                }
            }
        }
        lift
    }

    /// A neuron as the step at hand began, held until `held_until`.
    #[inline(always)]
    pub(crate) fn beginning<C: Current<G>>(
        &self,
        frame: &Frame<'_, G>,
        (block, l): (usize, usize),
        held_until: f32,
    ) -> (LocalNeuron<G>, Moment<C>) {
        let neuron = self.local_neuron(frame, (block, l));
        let old = &self.before[block];
        let mut currents = [0.0; G];
        for g in 0..G {
            currents[g] = old.current[g][l];
        }
        let until = held_until - frame.step.start() as f32;
        let moment = neuron.begin((old.v[l], currents), until);
        (neuron, moment)
    }

    /// The further terms of a neuron as the step at hand began.
    #[inline(always)]
    pub(crate) fn upswing<'a>(
        &self,
        block_terms: &'a AdexBlock<G>,
        (block, l): (usize, usize),
    ) -> Upswing<'a, G> {
        Upswing {
            block: block_terms,
            lane: l,
            w: self.overwritten.adaptation[block][l],
        }
    }

    /// Until when a neuron was held as the step at hand began.
    #[inline(always)]
    pub(crate) fn held_before(&self, (block, l): (usize, usize)) -> f32 {
        let lane = neuron_at((block, l));
        let first = self.overwritten.held_until.iter().find(|old| old.0 == lane);
        first.map_or(self.held_until[block][l], |old| old.1)
    }

    /// Keeps until when a neuron is held.
    #[inline(always)]
    fn hold_until(&mut self, lane: u16, until: f32) {
        let (block, l) = place(lane);
        let held_until = &mut self.held_until[block][l];
        self.overwritten.held_until.push((lane, *held_until));
        *held_until = until;
    }

    /// Looks closely at the neurons of a block that have a flag.
    #[inline(always)]
    pub(super) fn attend<const SNAP: bool>(
        &mut self,
        frame: &Frame<'_, G>,
        block: usize,
        flags: &[u8; L],
    ) {
        // Most often none has, which is seen at once.
        if *flags == [0; L] {
            return;
        }
        for l in lanes_with(flags) {
            if SNAP {
                self.fire_at_end(&frame.blocks[block], (block, l), frame.step);
            } else {
                self.resolve(frame, (block, l));
            }
        }
    }

    /// On the snapped grid a neuron fires at the end of a step.
    #[inline(always)]
    fn fire_at_end(&mut self, c: &LifBlock<G>, (block, l): (usize, usize), step: Step) {
        if self.after[block].v[l] > self.trials[block].v_threshold[l] {
            let lane = neuron_at((block, l));
            self.crossings.push(Crossing::new(step.h as f32, lane));
            self.hold_until(lane, step.end() as f32 + c.refractory[l]);
        }
    }

    /// Has one neuron followed through the step event by event: together with
    /// others, or alone where it has further terms.
    #[inline(always)]
    pub(super) fn resolve(&mut self, frame: &Frame<'_, G>, (block, l): (usize, usize)) {
        if let Some(terms) = frame.blocks[block].terms.as_deref() {
            self.follow_further(frame, terms, (block, l), None);
            return;
        }
        self.followed.push(neuron_at((block, l)));
    }

    /// Follows a neuron with further terms, see [`Buffers::follow`].
    #[inline(always)]
    pub(super) fn follow_further(
        &mut self,
        frame: &Frame<'_, G>,
        terms: &AdexBlock<G>,
        (block, l): (usize, usize),
        again_from: Option<f32>,
    ) {
        let mut upswing = self.upswing(terms, (block, l));
        self.follow(frame, (block, l), again_from, &mut upswing);
        self.adaptation[block][l] = upswing.w;
    }

    /// Follows a neuron on its own from the step's beginning. Where that is done again,
    /// through its crossings that are known, looking for others from a moment on.
    #[inline(always)]
    pub(super) fn follow<M: Membrane<G>>(
        &mut self,
        frame: &Frame<'_, G>,
        (block, l): (usize, usize),
        again_from: Option<f32>,
        membrane: &mut M,
    ) {
        let h = frame.step.h as f32;
        let lane = neuron_at((block, l));
        if again_from.is_some() {
            self.held_until[block][l] = self.held_before((block, l));
        }
        let until = self.held_until[block][l];
        let (neuron, mut moment) = self.beginning(frame, (block, l), until);
        let mut quiet = neuron;
        quiet.v_threshold = f32::INFINITY;
        let nodes = M::nodes(&mut self.nodes);
        let (events, strengths) = (&self.events, frame.common.table.strengths());
        gather_nodes(events, strengths, &neuron, (block, l), TOGETHER * h, nodes);
        let mut now = 0.0;
        let known = again_from.map_or(0, |_| self.crossings.len());
        for crossing in self.crossings[..known].iter().filter(|c| c.lane == lane) {
            moment = quiet.resolve(membrane, moment, nodes, now..crossing.at, |_| ());
            now = crossing.at;
            neuron.fire(membrane, &mut moment, now);
        }
        let from = again_from.unwrap_or(0.0).max(now);
        moment = quiet.resolve(membrane, moment, nodes, now..from, |_| ());
        let crossings = &mut self.crossings;
        let on_spike = |at| crossings.push(Crossing::new(at, lane));
        moment = neuron.resolve(membrane, moment, nodes, from..h, on_spike);
        self.end(frame, lane, (moment.v, moment.held_until));
    }

    /// Follows the neurons that were put together, with nothing but events before `from`.
    #[inline(always)]
    pub(super) fn settle(&mut self, frame: &Frame<'_, G>, from: f32) {
        let mut followed = std::mem::take(&mut self.followed);
        for neurons in followed.chunks(VECTOR) {
            let mut pack = Pack::IDLE;
            for (i, &neuron) in neurons.iter().enumerate() {
                let (block, l) = place(neuron);
                let until = self.held_until[block][l];
                let (neuron, moment) = self.beginning(frame, (block, l), until);
                pack.set(i, &neuron, &moment);
            }
            let strengths = frame.common.table.strengths();
            let met = (&self.events, strengths, &mut self.looked_up);
            let crossings = &mut self.crossings;
            let on_spike = |lane, at| crossings.push(Crossing::new(at, lane));
            pack.resolve(neurons, met, from..frame.step.h as f32, on_spike);
            for (i, &lane) in neurons.iter().enumerate() {
                self.end(frame, lane, (pack.v[i], pack.held_until[i]));
            }
        }
        followed.clear();
        self.followed = followed;
    }

    /// Keeps potential and end of the reset, from the step's beginning, with which a neuron
    /// ends the step.
    #[inline(always)]
    fn end(&mut self, frame: &Frame<'_, G>, lane: u16, (v, held_until): (f32, f32)) {
        let ((low, high), t_start) = (frame.common.v_range, frame.step.start() as f32);
        let (block, l) = place(lane);
        self.after[block].v[l] = v.max(low).min(high);
        if held_until != self.held_until[block][l] - t_start {
            self.hold_until(lane, t_start + held_until);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_come_in_order_whatever_their_flag() {
        let mut flags = [0; L];
        assert_eq!(lanes_with(&flags).count(), 0);
        for (l, flag) in [(63, 2), (0, 1), (8, 255), (7, 128)] {
            flags[l] = flag;
        }
        assert!(lanes_with(&flags).eq([0, 7, 8, 63]));
        assert!(lanes_with(&[2; L]).eq(0..L));
    }
}
