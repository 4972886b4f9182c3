//! Spike times against a slow reference: forward Euler in float64 at 1 ns.

use bss2_event::random::{Address, Domain};
use bss2_event::{NeuronCircuits, RowMode, Seconds, Seed, Site, SiteTable};

use crate::{
    AnalogCore, CadcSchedule, Integration, LoweredCore, MismatchProfile, Network, Observation,
    RunAddress, SYNAPSES, Workspace,
};

/// A mismatched chip without noise in time, 512 neurons of one circuit, and
/// random inputs strong enough for each to fire about twice.
struct Experiment {
    chip: AnalogCore,
    sites: SiteTable,
    neurons: Vec<NeuronCircuits>,
    row_modes: Vec<RowMode>,
    weights: Vec<u8>,
    times: Vec<f64>,
    sources: Vec<u16>,
}

const INPUTS: u16 = 100;

impl Experiment {
    fn new(seed: u64) -> Self {
        let ideal = MismatchProfile::ideal();
        let profile = MismatchProfile {
            noise: ideal.noise,
            capmem: ideal.capmem,
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
        let per_source = (0..INPUTS + 512)
            .map(|source| {
                let circuits = if source < INPUTS { 0..512 } else { 0..0 };
                circuits
                    .map(|circuit| Site {
                        circuit,
                        row: source,
                    })
                    .collect()
            })
            .collect();
        let draw = Address::new(Seed(seed), Domain::Test);
        let row_modes = (0..512)
            .map(|r| {
                if r % 3 == 2 {
                    RowMode::Inhibitory
                } else {
                    RowMode::Excitatory
                }
            })
            .collect();
        let mut spikes: Vec<(f64, u16)> = (0..u32::from(INPUTS))
            .map(|i| (30e-6 * draw.element(i).uniform(1), i as u16))
            .collect();
        spikes.sort_by(|a, b| a.0.total_cmp(&b.0));
        Self {
            chip: AnalogCore::new(profile, Seed(seed)).unwrap(),
            sites: SiteTable::new(INPUTS.into(), per_source).unwrap(),
            neurons: (0..512)
                .map(|membrane| NeuronCircuits {
                    membrane,
                    partner: None,
                })
                .collect(),
            row_modes,
            weights: (0..SYNAPSES as u32)
                .map(|i| (draw.element(i).words(0)[0] % 30) as u8)
                .collect(),
            times: spikes.iter().map(|s| s.0).collect(),
            sources: spikes.iter().map(|s| s.1).collect(),
        }
    }

    fn network(&self) -> Network<'_> {
        Network {
            neurons: &self.neurons,
            sites: &self.sites,
            row_modes: &self.row_modes,
        }
    }

    /// Spike times of each neuron.
    fn run(&self, steps_per_sample: usize) -> (Vec<Vec<f64>>, LoweredCore) {
        let schedule = CadcSchedule {
            period: Seconds::micro(1.7),
            samples: 24,
            ..CadcSchedule::default()
        };
        let integration = Integration {
            schedule,
            steps_per_sample,
            ..Integration::default()
        };
        let mut core = self.chip.lower(&self.network(), &integration).unwrap();
        core.write_weights(&self.weights).unwrap();
        let mut observation = Observation::default();
        core.run(
            RunAddress::default(),
            &self.times,
            &self.sources,
            |_, _| None,
            &mut Workspace::default(),
            &mut observation,
        );
        let mut spikes = vec![Vec::new(); 512];
        for spike in observation.spikes() {
            spikes[usize::from(spike.neuron)].push(spike.time);
        }
        (spikes, core)
    }

    /// The reference for one neuron.
    fn reference(&self, neuron: usize, end: f64) -> Vec<f64> {
        let integration = Integration::default();
        let (p, slew) = self.chip.lane(&self.neurons[neuron], &integration).unwrap();
        let dt = 1e-3;
        let half = neuron / 256;
        let gain = |row: usize| {
            let synapse = (half * 256 + row) * 256 + neuron % 256;
            let w = f64::from(self.weights[synapse]);
            let bow = 0.5 * libm::sin(std::f64::consts::TAU * w / 63.0);
            let dac = (w + bow).max(0.0) / 63.0;
            dac * f64::from(self.chip.pattern.synapse_gain[synapse])
        };
        let (mut v, mut current, mut until) = (p.v_rest, [0.0_f64; 2], f64::NEG_INFINITY);
        let (mut next, mut spikes) = (0, Vec::new());
        let decay = [0, 1].map(|sign| libm::exp(-dt / p.tau_syn[sign]));
        for k in 0..(end / dt) as usize {
            let t = k as f64 * dt;
            while next < self.times.len() && self.times[next] * 1e6 < t + dt {
                let row = usize::from(self.sources[next]);
                let sign = usize::from(self.row_modes[half * 256 + row] == RowMode::Inhibitory);
                current[sign] += gain(row) * slew[sign];
                next += 1;
            }
            let pull: f64 = [0, 1]
                .map(|sign| {
                    let x = (current[sign] / p.saturation[sign]).min(2.0);
                    let mean = x * (1.0 + x * x * (x * 0.0625 - 0.25)) * p.saturation[sign];
                    if sign == 0 { mean } else { -mean }
                })
                .iter()
                .sum();
            v += dt * ((p.v_rest - v) / p.tau_mem + pull);
            v = v.clamp(0.0, 1.2);
            if t < until {
                v = p.v_reset;
            } else if v > p.v_threshold {
                spikes.push(t + dt);
                until = t + dt + p.refractory;
                v = p.v_reset;
            }
            for sign in 0..2 {
                current[sign] *= decay[sign];
            }
        }
        spikes
    }
}

/// (median error in ns, missed or extra, spikes) at a grid.
fn compare(neurons: usize, steps_per_sample: usize) -> (f64, usize, usize) {
    let (mut errors, mut mismatched, mut total) = (Vec::new(), 0, 0);
    for seed in 0..neurons.div_ceil(128) as u64 {
        let experiment = Experiment::new(seed);
        let (found, _) = experiment.run(steps_per_sample);
        for n in (0..512).step_by(4) {
            // Spikes near the end of the window are on either side by chance.
            let inside = |spikes: &[f64]| -> Vec<f64> {
                spikes.iter().copied().filter(|&t| t < 38.0).collect()
            };
            let reference = inside(&experiment.reference(n, 39.0));
            let found: Vec<f64> = inside(&found[n].iter().map(|t| t * 1e6).collect::<Vec<_>>());
            total += reference.len();
            if found.len() == reference.len() {
                errors.extend(
                    found
                        .iter()
                        .zip(&reference)
                        .map(|(a, b)| 1e3 * (a - b).abs()),
                );
            } else {
                mismatched += found.len().abs_diff(reference.len());
            }
        }
    }
    errors.sort_by(f64::total_cmp);
    (errors[errors.len() / 2], mismatched, total)
}

#[test]
fn spike_times_converge_to_the_reference() {
    let mut last = f64::INFINITY;
    for steps in [1, 2, 4, 8] {
        let (median, mismatched, total) = compare(256, steps);
        eprintln!("{steps} steps per sample: median {median:.2} ns, {mismatched} of {total}");
        assert!(total > 300, "the neurons fire");
        assert!(median < last + 0.5, "finer is better");
        last = median;
        if steps == 2 {
            assert!(median < 20.0, "{median} ns at the default grid");
            assert!(
                mismatched * 200 <= total,
                "{mismatched} of {total} missed or extra"
            );
        }
    }
}
