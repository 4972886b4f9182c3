//! How exact spike times are: the chip's neurons under random input, without
//! noise in time, against the same equations in float64 at 1 ns.
//!
//! A spike of either side without one within 2 us on the other is missed or extra.
//! At such a spike the membrane touches its threshold and hardly passes
//! it; [`Mismatch::margin`] states how far the threshold would have to be moved
//! for both sides to agree.

use bss2_event::random::{Address, Domain};
use bss2_event::{NeuronCircuits, RowMode, Seconds, Seed, Site, SiteTable, Volts};
use rayon::prelude::*;

use crate::cadc::CadcSchedule;
use crate::core::{AnalogCore, Network};
use crate::error::AnalogError;
use crate::integration::Integration;
use crate::lanes::L;
use crate::lowered::{LoweredCore, RunAddress, Start};
use crate::neuron::lif::LaneParameters;
use crate::observation::Observation;
use crate::reference::{self, Event, Span};
use crate::step::Workspace;
use crate::synapse::SYNAPSES;

/// Spike times of all neurons at one grid.
#[derive(Debug, Clone, PartialEq)]
pub struct SpikeTimes {
    /// Steps between two samples of the CADC.
    pub steps_per_sample: usize,
    /// Distances from the reference in nanoseconds, ascending.
    pub errors: Vec<f64>,
    /// Spikes of the reference.
    pub spikes: usize,
    /// Spikes without a counterpart.
    pub mismatches: Vec<Mismatch>,
}

/// A missed or an extra spike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mismatch {
    /// Which draw of the input.
    pub draw: u32,
    /// Neuron as they were given.
    pub neuron: usize,
    /// When.
    pub time: Seconds,
    /// Whether the reference has no such spike; else it alone has it.
    pub extra: bool,
    /// The smallest of some shifts of the neuron's threshold with which the
    /// reference has the spikes of the chip and no others; none up to 10 mV.
    pub margin: Option<Volts>,
}

impl SpikeTimes {
    /// Median distance from the reference in nanoseconds; not a number where
    /// nothing fired.
    #[must_use]
    pub fn median(&self) -> f64 {
        let middle = self.errors.len() / 2;
        self.errors.get(middle).copied().unwrap_or(f64::NAN)
    }

    /// Missed and extra spikes relative to the spikes of the reference.
    #[must_use]
    pub fn mismatch_fraction(&self) -> f64 {
        self.mismatches.len() as f64 / self.spikes.max(1) as f64
    }
}

/// Sources, each with an event at a random time and random weights.
const INPUTS: u16 = 100;
/// Events arrive within this time, microseconds.
const DRIVEN: f64 = 30.0;
/// Spikes until then count, microseconds; near the end of a run they are on
/// either side of it by chance.
const COUNTED: f64 = 38.0;
/// How long neurons are followed, microseconds.
const FOLLOWED: f64 = 39.0;
/// Spikes this near to each other are the same, microseconds: the refractory period
/// of the published chip, so that none has two counterparts.
const NEAR: f64 = 2.0;
/// Weights of neurons of one circuit are below this: they fire about twice.
const WEIGHTS: u32 = 30;
/// The same from neuron to neuron.
const RECURRENT_WEIGHTS: u32 = 4;
/// Shifts of the threshold that are tried, volts.
const MARGINS: [f64; 8] = [3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2];

/// Compares spike times of neurons, as their circuits are set, with the reference
/// for each grid, given as steps per CADC sample of 1.7 us. Every neuron meets
/// `draws` random inputs: 100 events within 30 us, two thirds of them excitatory.
///
/// With a delay, every spike reaches all neurons as a further event that much later.
/// The reference of a neuron then meets the spikes of the chip, so that each neuron is
/// judged by itself, and not by what the errors of others lead to.
///
/// # Errors
/// As [`AnalogCore::lower`].
pub fn spike_times(
    core: &AnalogCore,
    neurons: &[NeuronCircuits],
    inputs: Seed,
    draws: u32,
    grids: &[usize],
    delay: Option<Seconds>,
) -> Result<Vec<SpikeTimes>, AnalogError> {
    let mut all: Vec<SpikeTimes> = grids.iter().map(|&grid| SpikeTimes::none(grid)).collect();
    let joined = neurons.first().is_some_and(|n| n.partner.is_some());
    for draw in 0..draws {
        if joined {
            Trial::<4>::new(core, neurons, inputs, draw, delay)?.compare(grids, &mut all)?;
        } else {
            Trial::<2>::new(core, neurons, inputs, draw, delay)?.compare(grids, &mut all)?;
        }
    }
    for times in &mut all {
        times.errors.sort_by(f64::total_cmp);
    }
    Ok(all)
}

impl SpikeTimes {
    fn none(steps_per_sample: usize) -> Self {
        Self {
            steps_per_sample,
            errors: Vec::new(),
            spikes: 0,
            mismatches: Vec::new(),
        }
    }
}

/// One random input of all neurons, which have `G` synaptic inputs each.
struct Trial<'a, const G: usize> {
    core: AnalogCore,
    neurons: &'a [NeuronCircuits],
    draw: u32,
    sites: SiteTable,
    row_modes: Vec<RowMode>,
    weights: Vec<u8>,
    /// Seconds and sources.
    events: (Vec<f64>, Vec<u16>),
    /// From a spike to its event, where there are such events.
    delay: Option<Seconds>,
}

impl<'a, const G: usize> Trial<'a, G> {
    fn new(
        core: &AnalogCore,
        neurons: &'a [NeuronCircuits],
        inputs: Seed,
        draw: u32,
        delay: Option<Seconds>,
    ) -> Result<Self, AnalogError> {
        let mut core = core.clone();
        core.silence();
        let circuits = || neurons.iter().flat_map(|n| [Some(n.membrane), n.partner]);
        let row = |row| {
            let sites = circuits().flatten();
            sites.map(|circuit| Site { circuit, row }).collect()
        };
        // More neurons than rows share them.
        let own_row = |neuron| INPUTS + neuron as u16 % (Site::ROWS as u16 - INPUTS);
        let of_neuron = |neuron| delay.map_or(Vec::new(), |_| row(own_row(neuron)));
        let per_source = (0..INPUTS)
            .map(row)
            .chain((0..neurons.len()).map(of_neuron));
        let address = Address::new(inputs, Domain::Stimulus).presentation(draw);
        let mut spikes: Vec<(f64, u16)> = (0..INPUTS)
            .map(|source| {
                let at = address.element(source.into()).uniform(1);
                (1e-6 * DRIVEN * at, source)
            })
            .collect();
        spikes.sort_by(|a, b| a.0.total_cmp(&b.0));
        let inhibits = |row: usize| row % 3 == 2;
        let weights = |synapse: u32| {
            let row = synapse as usize / 256 % Site::ROWS;
            let of_single = match row < usize::from(INPUTS) {
                true => WEIGHTS,
                false => RECURRENT_WEIGHTS,
            };
            2 * of_single / G as u32
        };
        Ok(Self {
            core,
            neurons,
            draw,
            delay,
            sites: SiteTable::new(INPUTS.into(), per_source.collect())?,
            row_modes: (0..2 * Site::ROWS)
                .map(|row| match inhibits(row) {
                    true => RowMode::Inhibitory,
                    false => RowMode::Excitatory,
                })
                .collect(),
            weights: (0..SYNAPSES as u32)
                .map(|synapse| (address.element(synapse).words(0)[0] % weights(synapse)) as u8)
                .collect(),
            events: spikes.into_iter().unzip(),
        })
    }

    fn compare(&self, grids: &[usize], all: &mut [SpikeTimes]) -> Result<(), AnalogError> {
        let lowered = self.lower(1)?;
        let mut reference = Vec::new();
        for (&grid, times) in grids.iter().zip(all) {
            let found = self.run(grid)?;
            let events = self.events_with(&found);
            if reference.is_empty() || self.delay.is_some() {
                reference = (0..self.neurons.len())
                    .into_par_iter()
                    .map(|neuron| self.reference(&lowered, &events, neuron, 0.0))
                    .collect::<Result<Vec<_>, _>>()?;
            }
            for (neuron, (found, reference)) in found.iter().zip(&reference).enumerate() {
                times.spikes += reference.len();
                let unmatched = pair(found, reference, &mut times.errors);
                if unmatched.is_empty() {
                    continue;
                }
                let margin = self.margin(&lowered, &events, neuron, found)?;
                let mismatch = |(time, extra)| Mismatch {
                    draw: self.draw,
                    neuron,
                    time: Seconds::micro(time),
                    extra,
                    margin,
                };
                times.mismatches.extend(unmatched.into_iter().map(mismatch));
            }
        }
        Ok(())
    }

    fn lower(&self, steps_per_sample: usize) -> Result<LoweredCore, AnalogError> {
        let network = Network {
            neurons: self.neurons,
            sites: &self.sites,
            row_modes: &self.row_modes,
        };
        let mut schedule = CadcSchedule::default();
        schedule.samples = 1 + (FOLLOWED / schedule.period.as_micro()).ceil() as usize;
        let integration = Integration {
            schedule,
            steps_per_sample,
            ..Integration::default()
        };
        let mut lowered = self.core.lower(&network, &integration)?;
        lowered.write_weights(&self.weights)?;
        lowered.set_start(START);
        Ok(lowered)
    }

    /// Spikes of each neuron on the chip, microseconds.
    fn run(&self, steps_per_sample: usize) -> Result<Vec<Vec<f64>>, AnalogError> {
        let mut observation = Observation::default();
        self.lower(steps_per_sample)?.run(
            RunAddress::default(),
            &self.events.0,
            &self.events.1,
            |_, time| self.delay.map(|delay| time + delay.get()),
            &mut Workspace::default(),
            &mut observation,
        );
        let mut spikes = vec![Vec::new(); self.neurons.len()];
        for spike in observation.spikes() {
            spikes[usize::from(spike.neuron)].push(1e6 * spike.time);
        }
        spikes.iter_mut().for_each(count);
        Ok(spikes)
    }

    /// The input, and the events of the given spikes: seconds and sources.
    fn events_with(&self, spikes: &[Vec<f64>]) -> Vec<(f64, usize)> {
        let (times, sources) = &self.events;
        let input = times.iter().zip(sources);
        let mut events: Vec<_> = input.map(|(&t, &source)| (t, source.into())).collect();
        if let Some(delay) = self.delay {
            for (neuron, spikes) in spikes.iter().enumerate() {
                let source = usize::from(INPUTS) + neuron;
                events.extend(spikes.iter().map(|t| (1e-6 * t + delay.get(), source)));
            }
            events.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        events
    }

    /// Spikes of a neuron whose threshold is moved by `shift` volts.
    fn reference(
        &self,
        lowered: &LoweredCore,
        events: &[(f64, usize)],
        neuron: usize,
        shift: f64,
    ) -> Result<Vec<f64>, AnalogError> {
        let integration = Integration::default();
        let (lane, _) = self.core.lane(&self.neurons[neuron], &integration)?;
        let lane = LaneParameters {
            v_threshold: lane.v_threshold + shift,
            ..lane
        };
        let table = &lowered.common.table;
        let event = |&(time, source): &(f64, usize)| Event::<G> {
            time: 1e6 * time,
            slew: std::array::from_fn(|group| {
                let row = table.rows(source as u16)[group];
                let block = row.on(table.strengths(), neuron / L);
                block.map_or(0.0, |block| block[neuron % L].abs().into())
            }),
        };
        let events: Vec<_> = events.iter().map(event).collect();
        let span = Span {
            duration: FOLLOWED,
            step: 1e-3,
        };
        let mut spikes = reference::spikes(&lane, START, &events, span);
        count(&mut spikes);
        Ok(spikes)
    }

    /// The smallest shift of a threshold with which the reference has the spikes
    /// that were found.
    fn margin(
        &self,
        lowered: &LoweredCore,
        events: &[(f64, usize)],
        neuron: usize,
        found: &[f64],
    ) -> Result<Option<Volts>, AnalogError> {
        for margin in MARGINS {
            for shift in [margin, -margin] {
                let shifted = self.reference(lowered, events, neuron, shift)?;
                if pair(found, &shifted, &mut Vec::new()).is_empty() {
                    return Ok(Some(Volts::new(margin)));
                }
            }
        }
        Ok(None)
    }
}

/// Defined for neurons that fire without input as well.
const START: Start = Start::Held {
    until: Seconds::new(0.0),
};

fn count(spikes: &mut Vec<f64>) {
    spikes.retain(|&time| time < COUNTED);
}

/// Adds the distances of spikes that are near each other, and returns the others:
/// when, and whether only `found` has it.
fn pair(found: &[f64], reference: &[f64], errors: &mut Vec<f64>) -> Vec<(f64, bool)> {
    let (mut found, mut reference) = (found.iter().peekable(), reference.iter().peekable());
    let mut unmatched = Vec::new();
    loop {
        match (found.peek(), reference.peek()) {
            (Some(&&a), Some(&&b)) if (a - b).abs() < NEAR => {
                errors.push(1e3 * (a - b).abs());
                found.next();
                reference.next();
            }
            (Some(&&a), b) if b.is_none_or(|&&b| a < b) => {
                unmatched.push((a, true));
                found.next();
            }
            (_, Some(&&b)) => {
                unmatched.push((b, false));
                reference.next();
            }
            (_, None) => return unmatched,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MismatchProfile;

    #[test]
    fn spikes_pair_up_with_the_nearest() {
        let mut errors = Vec::new();
        let unmatched = pair(&[1.0, 5.0, 9.5], &[1.002, 7.1, 9.5], &mut errors);
        assert_eq!(unmatched, [(5.0, true), (7.1, false)]);
        assert!((errors[0] - 2.0).abs() < 1e-9 && errors[1] == 0.0);
        assert_eq!(pair(&[1.0], &[], &mut errors), [(1.0, true)]);
        assert_eq!(pair(&[], &[1.0], &mut errors), [(1.0, false)]);
    }

    /// Chips whose parameters are spread as after a calibration.
    fn chip(seed: u64) -> AnalogCore {
        let profile = MismatchProfile {
            within: crate::CellSpread {
                shift: 0.0,
                tau_syn: 0.03,
                leak: 0.03,
                ..crate::CellSpread::default()
            },
            quadrant: crate::QuadrantSpread {
                tau_syn: 0.0,
                leak: 0.0,
                ..crate::QuadrantSpread::default()
            },
            ..MismatchProfile::cube66()
        };
        AnalogCore::new(profile, Seed(seed)).unwrap()
    }

    fn converge(neurons: &[NeuronCircuits], delay: Option<Seconds>) {
        let grids = spike_times(&chip(1), neurons, Seed(0), 1, &[1, 2, 8], delay).unwrap();
        for grid in &grids {
            eprintln!(
                "{} steps per sample: median {:.2} ns, {} of {} missed or extra",
                grid.steps_per_sample,
                grid.median(),
                grid.mismatches.len(),
                grid.spikes
            );
            for mismatch in &grid.mismatches {
                assert!(mismatch.margin.is_some(), "{mismatch:?}");
            }
        }
        let neurons = neurons.len();
        assert!(grids[0].spikes > neurons, "the neurons fire");
        assert!(
            grids[0].median() > 2.0 * grids[1].median(),
            "finer is better"
        );
        assert!(
            grids[1].median() > 2.0 * grids[2].median(),
            "finer is better"
        );
        for grid in &grids {
            assert!(grid.median() < 20.0, "{}", grid.steps_per_sample);
            assert!(grid.mismatch_fraction() <= 0.01);
        }
    }

    fn single() -> Vec<NeuronCircuits> {
        (0..96).map(|n| NeuronCircuits::single(5 * n)).collect()
    }

    fn joined() -> Vec<NeuronCircuits> {
        let joined = |n: u16| NeuronCircuits {
            membrane: 4 * n,
            partner: Some(4 * n + 1),
        };
        (0..96).map(joined).collect()
    }

    #[test]
    fn spike_times_converge_to_the_reference() {
        converge(&single(), None);
        converge(&joined(), None);
    }

    #[test]
    fn so_do_those_that_events_of_the_same_step_cause() {
        let delay = Some(Seconds::nano(100.0));
        converge(&single(), delay);
        converge(&joined(), delay);
    }
}
