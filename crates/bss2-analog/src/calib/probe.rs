//! Experiments of a calibration, averaged over trials.

use bss2_event::{NeuronCircuits, RowMode, Seconds, Seed, Site, SiteTable};
use rayon::prelude::*;

use crate::cadc::CadcSchedule;
use crate::core::{AnalogCore, Network};
use crate::error::AnalogError;
use crate::integration::Integration;
use crate::lowered::{RunAddress, Start};
use crate::observation::Observation;
use crate::step::Workspace;
use crate::synapse::SYNAPSES;

/// Rows that take turns in stimulating, so that single synapses average out.
const ROWS: u16 = 32;

/// Which synaptic input is stimulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SynapticInput {
    /// The joined circuit instead of the membrane's own.
    pub(crate) partner: bool,
    /// 0 excitatory, 1 inhibitory.
    pub(crate) sign: usize,
}

/// One experiment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Protocol {
    pub(crate) samples: usize,
    pub(crate) start: Start,
    /// One event of weight 63 on an input, and when it arrives.
    pub(crate) event: Option<(SynapticInput, Seconds)>,
    pub(crate) trials: usize,
}

/// Averages over the trials of an experiment.
#[derive(Debug, Clone)]
pub(crate) struct Averages {
    /// `[sample][neuron]`, codes.
    pub(crate) traces: Vec<Vec<f64>>,
    /// `[neuron]`: fraction of trials in which it fired.
    pub(crate) fired: Vec<f64>,
    /// `[neuron]`: mean time between two spikes, microseconds; not a number for a
    /// neuron that never fired twice in a trial.
    pub(crate) interval: Vec<f64>,
}

/// Sums over some trials.
struct Sums {
    /// `[sample][neuron]`
    codes: Vec<f64>,
    /// `[neuron]`, as the following.
    fired: Vec<f64>,
    /// Time between first and last spike, seconds, and how many intervals it holds.
    span: Vec<f64>,
    intervals: Vec<f64>,
}

impl Sums {
    fn new(samples: usize, neurons: usize) -> Self {
        let zeros = || vec![0.0; neurons];
        Self {
            codes: vec![0.0; samples * neurons],
            fired: zeros(),
            span: zeros(),
            intervals: zeros(),
        }
    }

    fn add_trial(&mut self, observation: &Observation, until: &[f64]) {
        for (sum, code) in self.codes.iter_mut().zip(observation.codes()) {
            *sum += f64::from(*code);
        }
        let mut last = vec![f64::NAN; self.fired.len()];
        for spike in observation.spikes() {
            let n = usize::from(spike.neuron);
            if until.get(n).is_some_and(|end| spike.time > *end) {
                continue;
            }
            if last[n].is_nan() {
                self.fired[n] += 1.0;
            } else {
                self.span[n] += spike.time - last[n];
                self.intervals[n] += 1.0;
            }
            last[n] = spike.time;
        }
    }

    fn add(&mut self, other: &Self) {
        let add = |to: &mut Vec<f64>, from: &Vec<f64>| {
            to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
        };
        add(&mut self.codes, &other.codes);
        add(&mut self.fired, &other.fired);
        add(&mut self.span, &other.span);
        add(&mut self.intervals, &other.intervals);
    }
}

/// Runs experiments on the neurons of a chip. Every experiment meets new noise.
#[derive(Debug)]
pub(crate) struct Probe<'a> {
    pub(crate) neurons: &'a [NeuronCircuits],
    seed: Seed,
    experiments: u32,
}

impl<'a> Probe<'a> {
    pub(crate) fn new(neurons: &'a [NeuronCircuits], seed: Seed) -> Self {
        Self {
            neurons,
            seed,
            experiments: 0,
        }
    }

    /// Sampling period of all experiments.
    pub(crate) fn period() -> Seconds {
        CadcSchedule::default().period
    }

    /// Runs an experiment on the chip as it is set.
    pub(crate) fn run(
        &mut self,
        core: &AnalogCore,
        protocol: &Protocol,
    ) -> Result<Averages, AnalogError> {
        self.run_until(core, protocol, &[])
    }

    /// As [`Probe::run`], without the spikes of each neuron that come after `until`,
    /// seconds.
    pub(crate) fn run_until(
        &mut self,
        core: &AnalogCore,
        protocol: &Protocol,
        until: &[f64],
    ) -> Result<Averages, AnalogError> {
        self.experiments += 1;
        let presentation = RunAddress::CALIBRATIONS + self.experiments;
        let input = protocol.event.map(|(input, _)| input);
        let sites = self.sites(input);
        let mode = match input {
            Some(input) if input.sign == 1 => RowMode::Inhibitory,
            _ => RowMode::Excitatory,
        };
        let network = Network {
            neurons: self.neurons,
            sites: &sites,
            row_modes: &[mode; 512],
        };
        let schedule = CadcSchedule {
            period: Self::period(),
            samples: protocol.samples,
            ..CadcSchedule::default()
        };
        let mut lowered = core.lower(
            &network,
            &Integration {
                schedule,
                ..Integration::default()
            },
        )?;
        lowered.write_weights(&vec![63; SYNAPSES])?;
        lowered.set_start(protocol.start);

        // Fixed chunks, summed in their order: the same bits on any number of threads.
        const CHUNK: usize = 4;
        let neurons = self.neurons.len();
        let chunks = protocol.trials.div_ceil(CHUNK);
        let partial: Vec<Sums> = (0..chunks)
            .into_par_iter()
            .map_init(
                || (Workspace::default(), Observation::default()),
                |(workspace, observation), chunk| {
                    let mut sums = Sums::new(protocol.samples, neurons);
                    for trial in chunk * CHUNK..((chunk + 1) * CHUNK).min(protocol.trials) {
                        let (chip, trial) = (core.chip(), trial as u64);
                        let address = RunAddress::new(chip, self.seed, trial, presentation);
                        let (times, sources) = match protocol.event {
                            Some((_, time)) => (&[time.get()][..], &[trial as u16 % ROWS][..]),
                            None => (&[][..], &[][..]),
                        };
                        lowered.run(address, times, sources, |_, _| None, workspace, observation);
                        sums.add_trial(observation, until);
                    }
                    sums
                },
            )
            .collect();
        let mut sums = Sums::new(protocol.samples, neurons);
        partial.iter().for_each(|part| sums.add(part));
        let scale = 1.0 / protocol.trials as f64;
        let mean = |values: &[f64]| values.iter().map(|sum| sum * scale).collect();
        Ok(Averages {
            traces: sums.codes.chunks(neurons.max(1)).map(mean).collect(),
            fired: mean(&sums.fired),
            interval: (0..neurons)
                .map(|n| 1e6 * sums.span[n] / sums.intervals[n])
                .collect(),
        })
    }

    /// Source `r` reaches row `r` of all stimulated circuits.
    fn sites(&self, input: Option<SynapticInput>) -> SiteTable {
        let circuits: Vec<u16> = match input {
            None => Vec::new(),
            Some(input) => self
                .neurons
                .iter()
                .filter_map(|n| {
                    if input.partner {
                        n.partner
                    } else {
                        Some(n.membrane)
                    }
                })
                .collect(),
        };
        let rows = (0..ROWS)
            .map(|row| {
                circuits
                    .iter()
                    .map(|&circuit| Site { circuit, row })
                    .collect()
            })
            .chain(self.neurons.iter().map(|_| Vec::new()))
            .collect();
        SiteTable::new(ROWS.into(), rows).expect("circuits and rows of the chip")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MismatchProfile;

    #[test]
    fn an_experiment_meets_noise_that_no_run_meets() {
        let core = AnalogCore::new(MismatchProfile::cube66(), Seed(0)).unwrap();
        let neurons = [NeuronCircuits::single(3)];
        let protocol = Protocol {
            samples: 50,
            start: Start::Rest,
            event: None,
            trials: 1,
        };
        let mut probe = Probe::new(&neurons, Seed(0));
        let found = probe.run(&core, &protocol).unwrap().traces.concat();
        let sites = probe.sites(None);
        let row_modes = [RowMode::Disabled; 512];
        let network = Network {
            neurons: &neurons,
            sites: &sites,
            row_modes: &row_modes,
        };
        let schedule = CadcSchedule {
            period: Probe::period(),
            samples: protocol.samples,
            ..CadcSchedule::default()
        };
        let integration = Integration {
            schedule,
            ..Integration::default()
        };
        let lowered = core.lower(&network, &integration).unwrap();
        let run = |presentation| -> Vec<f64> {
            let mut observation = Observation::default();
            let address = RunAddress::new(Seed(0), Seed(0), 0, presentation);
            let mut workspace = Workspace::default();
            lowered.run(
                address,
                &[],
                &[],
                |_, _| None,
                &mut workspace,
                &mut observation,
            );
            observation
                .codes()
                .iter()
                .map(|&code| code.into())
                .collect()
        };
        // The first epochs and tests of a chip with this seed.
        for presentation in [0, 1, 1 << 23, (1 << 23) + 1] {
            assert_ne!(run(presentation), found);
        }
        assert_eq!(run(RunAddress::CALIBRATIONS + 1), found);
    }
}
