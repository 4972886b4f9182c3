//! Tests of both kernels against a slow reference, closed forms and invariants.

mod closed_forms;
mod invariants;
mod order;
mod patterns;
mod readouts;

use std::sync::LazyLock;

use bss2_event::{NeuronCircuits, RowMode, Seconds, Seed, SiteTable};

use crate::mismatch::FixedPattern;
use crate::neuron::lif::LaneParameters;
use crate::neuron::terms::Terms;
use crate::reference::{self, Event, Span};
use crate::synapse::{SynapseTable, Target};
use crate::{
    CadcSchedule, Integration, LoweredCore, MismatchProfile, NoiseProfile, Observation, RunAddress,
    SYNAPSES, Start, Workspace,
};

/// Further terms that change nothing, but choose the kernel.
const VAIN: Terms = Terms {
    leak_range: 1e6,
    ..Terms::NONE
};

/// Leak 0.4 V, threshold 0.7 V, 6 us; reads volts in place of codes.
pub(crate) const LEAKY: LaneParameters = LaneParameters {
    tau_mem: 6.0,
    v_rest: 0.4,
    v_reset: 0.4,
    v_threshold: 0.7,
    tau_syn: [6.0; 4],
    saturation: [1e6; 4],
    refractory: 2.0,
    holdoff: 0.0,
    noise: 0.0,
    rest_sd: 0.0,
    cadc: (1.0, 0.0),
    half: 0,
    terms: Terms::NONE,
};

/// Without deviations; drawn once, since thousands of settings are run.
static IDEAL: LazyLock<FixedPattern> =
    LazyLock::new(|| FixedPattern::draw(&MismatchProfile::ideal(), Seed(1)).unwrap());

/// Neurons that share events: `(microseconds, weight)`, a negative weight inhibits.
struct Setting {
    neurons: Vec<LaneParameters>,
    /// Volts per microsecond at weight 1.
    slew: f64,
    events: Vec<(f64, f64)>,
    /// Weights of the events of the neurons' own spikes, on all neurons; empty where
    /// they have none.
    recurrent: Vec<f64>,
    /// The first neuron that they reach.
    recurrent_from: u16,
    /// From a spike to its event, microseconds.
    delay: f64,
    /// Sends events in an order of their own, microseconds.
    jitter: f64,
    /// Microseconds.
    duration: f64,
    steps_per_sample: usize,
    /// When the CADC samples first, microseconds.
    first_sample: f64,
    /// Length of the CADC's ramp, microseconds; codes are then whole numbers.
    conversion: f64,
    /// By how much the second half samples later at most, microseconds.
    skew: f64,
    start: Start,
}

impl Setting {
    fn new(neurons: Vec<LaneParameters>, duration: f64) -> Self {
        Self {
            neurons,
            slew: 0.0,
            events: Vec::new(),
            recurrent: Vec::new(),
            recurrent_from: 0,
            delay: 0.1,
            jitter: 0.0,
            duration,
            steps_per_sample: 2,
            first_sample: 0.0,
            conversion: 0.0,
            skew: 0.0,
            start: Start::Held {
                until: Seconds::new(0.0),
            },
        }
    }

    /// Spikes of each neuron as they should be, in microseconds, where events of the
    /// given spikes reach it.
    fn references(&self, spikes: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let mut events = self.events.clone();
        for (&weight, spikes) in self.recurrent.iter().zip(spikes) {
            events.extend(spikes.iter().map(|t| (t + self.delay, weight)));
        }
        events.sort_by(|a, b| a.0.total_cmp(&b.0));
        let neurons = self.neurons.iter();
        neurons.map(|p| self.reference(p, &events)).collect()
    }

    /// Spikes of one of the neurons as they should be, in microseconds.
    fn reference(&self, p: &LaneParameters, events: &[(f64, f64)]) -> Vec<f64> {
        let event = |&(time, weight): &(f64, f64)| Event {
            time,
            slew: [weight.max(0.0), (-weight).max(0.0)].map(|w| w * self.slew),
        };
        let events: Vec<Event<2>> = events.iter().map(event).collect();
        let span = Span {
            duration: self.duration,
            step: 2e-3,
        };
        reference::spikes(p, self.start, &events, span)
    }

    fn lower(&self) -> LoweredCore {
        let inputs = self.events.len();
        let count = self.neurons.len() as u16;
        let neurons: Vec<_> = (0..count)
            .map(|membrane| NeuronCircuits {
                membrane,
                partner: None,
            })
            .collect();
        let per_source = (0..inputs as u16 + count)
            .map(|source| {
                let reached = match usize::from(source).checked_sub(inputs) {
                    None => 0..count,
                    Some(neuron) if neuron < self.recurrent.len() => self.recurrent_from..count,
                    Some(_) => 0..0,
                };
                reached
                    .map(|circuit| bss2_event::Site {
                        circuit,
                        row: source,
                    })
                    .collect()
            })
            .collect();
        let sites = SiteTable::new(inputs, per_source).unwrap();
        let mut row_modes = vec![RowMode::Disabled; 512];
        let mut profile = MismatchProfile {
            noise: NoiseProfile {
                membrane: bss2_event::Volts::new(0.0),
                spike_jitter: Seconds::micro(self.jitter),
                cadc_skew: Seconds::micro(self.skew),
                ..MismatchProfile::ideal().noise
            },
            ..MismatchProfile::ideal()
        };
        profile.cadc.quantise = false;
        profile.cadc.conversion = Seconds::micro(self.conversion);
        let mut pattern = IDEAL.clone();
        let weights = self.events.iter().map(|event| &event.1);
        for (row, weight) in weights.chain(&self.recurrent).enumerate() {
            row_modes[row] = if *weight > 0.0 {
                RowMode::Excitatory
            } else {
                RowMode::Inhibitory
            };
            pattern.synapse_gain[row * 256..][..256].fill(weight.abs() as f32);
        }
        let lanes = neurons.iter().zip(&self.neurons);
        let targets: Vec<_> = lanes
            .map(|(&circuits, lane)| Target {
                circuits,
                full_strength: [self.slew; 4],
                fires: lane.v_threshold.is_finite(),
            })
            .collect();
        let table = SynapseTable::new(&targets, 2, &sites, &row_modes, &pattern, 0.0);
        let period = 1.7;
        let integration = Integration {
            schedule: CadcSchedule {
                start: Seconds::micro(self.first_sample),
                period: Seconds::micro(period),
                samples: (self.duration / period).ceil() as usize + 1,
            },
            steps_per_sample: self.steps_per_sample,
            ..Integration::default()
        };
        let mut core = LoweredCore::new(false, &self.neurons, table, inputs, &profile, integration);
        core.write_weights(&[63; SYNAPSES]).unwrap();
        core.set_start(self.start);
        core
    }

    /// A run of what [`Setting::lower`] gives.
    fn observe(&self, core: &LoweredCore, observation: &mut Observation) {
        let times: Vec<f64> = self.events.iter().map(|e| 1e-6 * e.0).collect();
        let sources: Vec<u16> = (0..times.len() as u16).collect();
        core.run(
            RunAddress::default(),
            &times,
            &sources,
            |neuron, time| {
                let sends = usize::from(neuron) < self.recurrent.len();
                sends.then_some(time + 1e-6 * self.delay)
            },
            &mut Workspace::default(),
            observation,
        );
    }

    /// Spikes of each neuron in microseconds, and `[sample][neuron]` in volts.
    fn run(&self) -> (Vec<Vec<f64>>, Vec<Vec<f32>>) {
        let mut observation = Observation::default();
        self.observe(&self.lower(), &mut observation);
        let mut spikes = vec![Vec::new(); self.neurons.len()];
        for spike in observation.spikes() {
            let time = 1e6 * spike.time;
            if time < self.duration {
                spikes[usize::from(spike.neuron)].push(time);
            }
        }
        let traces = observation.codes().chunks(self.neurons.len());
        (spikes, traces.map(<[f32]>::to_vec).collect())
    }
}

/// Median error in ns of the spikes found, of neurons that fire as often as they
/// should, and how many are missed or extra.
fn compare_all(found: &[Vec<f64>], reference: &[Vec<f64>]) -> (f64, usize) {
    let (mut errors, mut mismatched) = (Vec::new(), 0);
    for (found, reference) in found.iter().zip(reference) {
        mismatched += found.len().abs_diff(reference.len());
        if found.len() == reference.len() {
            let pairs = found.iter().zip(reference);
            errors.extend(pairs.map(|(a, b)| 1e3 * (a - b).abs()));
        }
    }
    errors.sort_by(f64::total_cmp);
    (errors[errors.len() / 2], mismatched)
}
