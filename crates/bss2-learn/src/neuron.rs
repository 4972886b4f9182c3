//! The model neuron: leaky integration on a fixed grid.

use bss2_event::{Fault, Seconds};
use serde::{Deserialize, Serialize};

use crate::events::StepEvents;
use crate::lanes::{BlockedMatrix, LANES, Lanes};
use crate::real::Real;

/// Time constants of the model. The learner takes every neuron for ideal,
/// whatever the substrate really is.
///
/// # Source
/// Cramer et al. 2022: both 6 us for MNIST.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NeuronModel {
    /// Membrane time constant.
    pub tau_mem: Seconds,
    /// Time constant of the synaptic current.
    pub tau_syn: Seconds,
}

impl Default for NeuronModel {
    fn default() -> Self {
        Self {
            tau_mem: Seconds::micro(6.0),
            tau_syn: Seconds::micro(6.0),
        }
    }
}

impl NeuronModel {
    pub(crate) fn faults(&self) -> Vec<Fault> {
        let taus = [("tau_mem", self.tau_mem), ("tau_syn", self.tau_syn)];
        let bad = taus
            .into_iter()
            .filter(|(_, tau)| tau.get().is_nan() || tau.get() <= 0.0);
        bad.map(|(name, tau)| Fault::new(format!("model.{name}"), tau, "positive times"))
            .collect()
    }
}

/// What is left of a state after one step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decay<T> {
    pub(crate) membrane: T,
    pub(crate) current: T,
}

impl<T: Real> Decay<T> {
    pub(crate) fn new(model: &NeuronModel, dt: Seconds) -> Self {
        let decay = |tau: Seconds| T::from_f64(libm::exp(-(dt / tau)));
        Self {
            membrane: decay(model.tau_mem),
            current: decay(model.tau_syn),
        }
    }
}

/// What happens to a membrane beyond integration. `memory` is a number that
/// the rule keeps for each neuron, zero at rest.
pub(crate) trait MembraneRule<T>: Copy {
    /// The membrane, given the freely integrated one.
    fn apply(self, free: T, memory: T) -> T;
    /// The memory after a step which ended with this membrane.
    fn remember(self, membrane: T, memory: T) -> T;
}

/// A leaky integrator: no threshold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Integrate;

/// The threshold is subtracted one step after a spike.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subtract;

/// The membrane is held at leak for some steps after a spike.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HoldAtLeak<T> {
    pub(crate) steps: T,
}

impl<T: Real> MembraneRule<T> for Integrate {
    #[inline(always)]
    fn apply(self, free: T, _: T) -> T {
        free
    }
    #[inline(always)]
    fn remember(self, _: T, memory: T) -> T {
        memory
    }
}

impl<T: Real> MembraneRule<T> for Subtract {
    #[inline(always)]
    fn apply(self, free: T, memory: T) -> T {
        free - memory
    }
    #[inline(always)]
    fn remember(self, membrane: T, _: T) -> T {
        if membrane > T::ONE { T::ONE } else { T::ZERO }
    }
}

impl<T: Real> MembraneRule<T> for HoldAtLeak<T> {
    #[inline(always)]
    fn apply(self, free: T, memory: T) -> T {
        if memory > T::ZERO { T::ZERO } else { free }
    }
    #[inline(always)]
    fn remember(self, membrane: T, memory: T) -> T {
        let rest = (memory - T::ONE).larger(T::ZERO);
        if membrane > T::ONE { self.steps } else { rest }
    }
}

/// State of a block of neurons.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockState<T, const N: usize = LANES> {
    current: Lanes<T, N>,
    pub(crate) membrane: Lanes<T, N>,
    memory: Lanes<T, N>,
}

impl<T: Real, const N: usize> BlockState<T, N> {
    pub(crate) const REST: Self = Self {
        current: Lanes::ZERO,
        membrane: Lanes::ZERO,
        memory: Lanes::ZERO,
    };

    /// `I = a I + drive`, `V = b V + I`, then the rule.
    #[inline(always)]
    pub(crate) fn advance(
        &mut self,
        decay: Decay<T>,
        drive: &Lanes<T, N>,
        rule: impl MembraneRule<T>,
    ) {
        let Decay {
            membrane: b,
            current: a,
        } = decay;
        self.current = drive.zip(&self.current, |drive, i| a * i + drive);
        let free = self.current.zip(&self.membrane, |i, v| b * v + i);
        self.membrane = free.zip(&self.memory, |free, memory| rule.apply(free, memory));
        self.memory = (self.membrane).zip(&self.memory, |v, memory| rule.remember(v, memory));
    }
}

/// Adds the rows of all sources that fired in a step.
#[inline(always)]
pub(crate) fn add_events<T: Real, const N: usize>(
    drive: &mut Lanes<T, N>,
    weights: &BlockedMatrix<T, N>,
    block: usize,
    events: StepEvents<'_>,
    step: usize,
) {
    let rows = weights.block(block);
    let mut sum = *drive;
    for &source in events.at(step) {
        sum = sum.plus(&rows[usize::from(source)]);
    }
    *drive = sum;
}
