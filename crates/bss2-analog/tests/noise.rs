//! Every source of noise and variation does what its setting says, and nothing
//! when it is off; codes rise with the voltage.

use std::sync::LazyLock;

use bss2_analog::{
    AnalogCore, CadcSchedule, Cell, Integration, MismatchProfile, Network, Observation, RunAddress,
    SYNAPSES, Start, Workspace,
};
use bss2_event::{CapMemCode, NeuronCircuits, RowMode, Seconds, Seed, Site, SiteTable, Volts};
use proptest::prelude::*;

const NEURONS: u16 = 64;
const LSB: f64 = 1.2 / 256.0;

/// No deviation and no noise, and codes that are not rounded.
fn quiet() -> MismatchProfile {
    let mut profile = MismatchProfile::ideal();
    profile.cadc.quantise = false;
    profile
}

fn chip(profile: MismatchProfile) -> AnalogCore {
    AnalogCore::new(profile, Seed(3)).unwrap()
}

/// What a trial showed: codes `[sample][neuron]` and spikes (neuron, seconds).
type Trial = (Vec<f64>, Vec<(u16, f64)>);

/// Runs single circuits; input 0 reaches all of them by one synapse of weight 63.
fn trials(core: &AnalogCore, samples: usize, start: Start, events: &[f64], n: u64) -> Vec<Trial> {
    let neurons: Vec<_> = (0..NEURONS)
        .map(|membrane| NeuronCircuits {
            membrane,
            partner: None,
        })
        .collect();
    let row = (0..NEURONS)
        .map(|circuit| Site { circuit, row: 0 })
        .collect();
    let mut per_source = vec![row];
    per_source.extend(neurons.iter().map(|_| Vec::new()));
    let network = Network {
        neurons: &neurons,
        sites: &SiteTable::new(1, per_source).unwrap(),
        row_modes: &[RowMode::Excitatory; 512],
    };
    let integration = Integration {
        schedule: CadcSchedule {
            samples,
            ..CadcSchedule::default()
        },
        ..Integration::default()
    };
    let mut lowered = core.lower(&network, &integration).unwrap();
    lowered.write_weights(&[63; SYNAPSES]).unwrap();
    lowered.set_start(start);
    let (mut workspace, mut observation) = (Workspace::default(), Observation::default());
    let sources = vec![0; events.len()];
    (0..n)
        .map(|trial| {
            let address = RunAddress::new(core.chip(), Seed(0), trial, 0);
            let (w, o) = (&mut workspace, &mut observation);
            lowered.run(address, events, &sources, |_, _| None, w, o);
            let spikes = observation.spikes().iter().map(|s| (s.neuron, s.time));
            let codes = observation.codes().iter().map(|&code| code.into());
            (codes.collect(), spikes.collect())
        })
        .collect()
}

fn rest(core: &AnalogCore, samples: usize, n: u64) -> Vec<f64> {
    let trials = trials(core, samples, Start::Rest, &[], n);
    trials.into_iter().flat_map(|(codes, _)| codes).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn sd(values: &[f64]) -> f64 {
    let mean = mean(values);
    mean_of(values, |v| (v - mean).powi(2)).sqrt()
}

fn mean_of(values: &[f64], f: impl Fn(f64) -> f64) -> f64 {
    values.iter().map(|&v| f(v)).sum::<f64>() / values.len() as f64
}

fn near(found: f64, wanted: f64, tolerance: f64) {
    assert!(
        (found / wanted - 1.0).abs() < tolerance,
        "{found} is not {wanted}"
    );
}

#[test]
fn membrane_noise_is_an_ornstein_uhlenbeck_process() {
    let mut profile = quiet();
    profile.noise.membrane = Volts::milli(3.0);
    let samples = 40;
    let codes = rest(&chip(profile), samples, 300);
    // About 300 * 64 * 40 * 1.7 / 12 = 100,000 independent values.
    assert!((mean(&codes) - 80.0).abs() < 0.01, "{}", mean(&codes));
    near(sd(&codes), 3e-3 / LSB, 0.015);
    let variance = sd(&codes).powi(2);
    for lag in [1, 2, 4, 8] {
        let shift = lag * usize::from(NEURONS);
        let products: Vec<f64> = codes
            .chunks(samples * usize::from(NEURONS))
            .flat_map(|trial| trial.iter().zip(&trial[shift..]))
            .map(|(a, b)| (a - 80.0) * (b - 80.0))
            .collect();
        let correlation = mean(&products) / variance;
        let wanted = (-(lag as f64) * 1.7 / 6.0_f64).exp();
        assert!(
            (correlation - wanted).abs() < 0.015,
            "{lag}: {correlation} {wanted}"
        );
    }
}

#[test]
fn each_source_moves_the_rest_as_far_as_it_says() {
    assert_eq!(sd(&rest(&chip(quiet()), 4, 50)), 0.0);
    type Source = fn(&mut MismatchProfile);
    // (source, sd of a code, correlation of two codes of one trial)
    let sources: [(Source, f64, f64); 4] = [
        (|p| p.cadc.noise = 1.0, 1.0, 0.0),
        (|p| p.noise.trial_leak = 0.5, 0.5, 1.0),
        // 0.5 mV are 0.284 codes of the cell.
        (
            |p| p.capmem.refresh_voltage = Volts::milli(0.5),
            0.5e-3 * 1022.0 / 1.8 / 2.4,
            1.0,
        ),
        // Two offsets of 0.3 % of 310 codes, 0.15 LSB each.
        (
            |p| p.capmem.refresh_current = 0.003,
            2.0_f64.sqrt() * 0.003 * 310.0 * 0.15,
            1.0,
        ),
    ];
    for (source, spread, correlation) in sources {
        let mut profile = quiet();
        source(&mut profile);
        let codes = rest(&chip(profile), 2, 500);
        near(sd(&codes), spread, 0.02);
        let pairs: Vec<f64> = codes
            .chunks(2 * usize::from(NEURONS))
            .flat_map(|trial| trial.iter().zip(&trial[usize::from(NEURONS)..]))
            .map(|(a, b)| (a - 80.0) * (b - 80.0))
            .collect();
        assert!((mean(&pairs) / spread.powi(2) - correlation).abs() < 0.03);
    }
}

#[test]
fn a_refresh_moves_strength_and_time_constants() {
    let mut profile = quiet();
    profile.capmem.refresh_current = 0.003;
    let at = 1.7e-6;
    let (mut on, mut off) = (Vec::new(), Vec::new());
    for (profile, peaks) in [(profile, &mut on), (quiet(), &mut off)] {
        for (codes, _) in trials(&chip(profile), 8, Start::Rest, &[at], 300) {
            // Four samples later, without what moves the rest.
            let code = |k: usize, n: usize| codes[k * usize::from(NEURONS) + n];
            peaks.extend((0..usize::from(NEURONS)).map(|n| code(5, n) - code(0, n)));
        }
    }
    assert_eq!(sd(&off), 0.0);
    near(mean(&on), mean(&off), 1e-3);
    // Of the response t exp(-t/tau), to first order in each time constant; of its
    // eight steps the one in which the event arrives is not varied.
    let by_tau = 7.0 / 8.0 * (4.0 * 1.7 / 6.0) / 2.0;
    let relative = 0.003 * (1.0_f64 + 2.0 * by_tau * by_tau).sqrt();
    near(sd(&on) / mean(&on), relative, 0.02);
}

#[test]
fn potentials_drift_with_age() {
    let mut profile = quiet();
    profile.noise.drift = 2.0;
    let mut core = chip(profile);
    let young = rest(&core, 1, 1);
    assert_eq!(sd(&young), 0.0);
    core.set_age(Seconds::new(1800.0));
    let half = rest(&core, 1, 1);
    // 64 neurons know a spread to 9 %.
    near(sd(&half), 1.0, 0.3);
    core.set_age(Seconds::new(3600.0));
    for (half, whole) in half.iter().zip(rest(&core, 1, 1)) {
        assert!((2.0 * (half - 80.0) - (whole - 80.0)).abs() < 1e-3);
    }
}

/// Times of the first spikes of neurons that fire without input.
fn first_spikes(profile: MismatchProfile) -> Vec<f64> {
    let mut core = chip(profile);
    core.capmem_mut().set_all(Cell::VLeak, CapMemCode::MAX);
    let until = Seconds::micro(1.0);
    trials(&core, 10, Start::Held { until }, &[], 100)
        .into_iter()
        .flat_map(|(_, spikes)| {
            assert!(spikes.is_sorted_by(|a, b| a.1 <= b.1));
            let first = |n| spikes.iter().find(|s| s.0 == n).unwrap().1;
            (0..NEURONS).map(first).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn jitter_moves_events_and_nothing_else() {
    let still = first_spikes(quiet());
    assert!(sd(&still) < 1e-12);
    let mut profile = quiet();
    profile.noise.spike_jitter = Seconds::nano(20.0);
    let moved = first_spikes(profile);
    near(sd(&moved), 20e-9, 0.03);
    assert!((mean(&moved) - mean(&still)).abs() < 2e-9);
}

#[test]
fn dead_circuits_neither_fire_nor_hear() {
    let mut profile = quiet();
    profile.dead.circuits = 0.3;
    let mut core = chip(profile);
    let heard: Vec<bool> = {
        let codes = &trials(&core, 6, Start::Rest, &[1e-6], 1)[0].0;
        let last = &codes[5 * usize::from(NEURONS)..];
        last.iter().map(|&code| code > 80.1).collect()
    };
    let dead = heard.iter().filter(|&&h| !h).count();
    assert!((8..32).contains(&dead), "{dead} of 64");
    core.capmem_mut().set_all(Cell::VLeak, CapMemCode::MAX);
    let spikes = &trials(&core, 10, Start::Rest, &[], 1)[0].1;
    for (n, heard) in heard.into_iter().enumerate() {
        assert_eq!(spikes.iter().any(|s| usize::from(s.0) == n), heard);
    }
}

#[test]
fn excitation_stays_excitation_however_wide_the_spread_of_trials() {
    let mut profile = quiet();
    profile.noise.trial_strength = 0.3;
    let core = chip(profile);
    // 19,200 draws, of which eight would be below zero.
    for (codes, _) in trials(&core, 3, Start::Rest, &[1e-6], 300) {
        let (before, after) = codes.split_at(usize::from(NEURONS));
        let risen = after.iter().zip(before.iter().cycle());
        assert!(risen.into_iter().all(|(after, before)| after >= before));
    }
}

/// Chips of all kinds of channels, without noise.
static QUIET: LazyLock<Vec<AnalogCore>> = LazyLock::new(|| {
    let silent = MismatchProfile::ideal();
    let chip = |seed: u32| {
        let mut profile = MismatchProfile::cube66();
        profile.cadc.noise = 0.0;
        profile.cadc.offset = f64::from(seed % 4) * 13.0;
        // Up to the widest that a profile may have.
        profile.cadc.channel_gain = f64::from(seed / 4) / 15.0;
        profile.cadc.quadrant_gain = f64::from(seed / 4) / 15.0;
        profile.capmem = silent.capmem;
        profile.noise = silent.noise;
        AnalogCore::new(profile, Seed(seed.into())).unwrap()
    };
    (0..16).map(chip).collect()
});

/// Chips with all their noise.
static NOISY: LazyLock<Vec<AnalogCore>> = LazyLock::new(|| {
    let chip = |seed| AnalogCore::new(MismatchProfile::cube66(), Seed(seed)).unwrap();
    (0..4).map(chip).collect()
});

fn is_byte(code: f64) -> bool {
    (0.0..=255.0).contains(&code) && code.fract() == 0.0
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    /// Invariant 2, for voltages applied to the channels.
    #[test]
    fn codes_are_bytes_and_rise_with_a_voltage(
        chip in 0..16_usize,
        digital_offset in any::<i8>(),
        slope in 100..1023_i64,
        volts in prop::collection::vec(-0.5..2.0_f64, 2..12),
    ) {
        let set = |core: &AnalogCore| {
            let mut core = core.clone();
            for channel in 0..512 {
                core.cadc_mut().set_digital_offset(channel, digital_offset);
            }
            for ramp in core.cadc_mut().ramps_mut() {
                ramp.slope = CapMemCode::new(slope).unwrap();
            }
            core
        };
        let (quiet, noisy) = (set(&QUIET[chip]), set(&NOISY[chip % 4]));
        let mut volts = volts;
        volts.sort_by(f64::total_cmp);
        let mut below = vec![0.0; 512];
        for volt in volts {
            let codes = quiet.read_reference(Volts::new(volt), Seed(0), 1);
            for (code, below) in codes.iter().zip(&below) {
                prop_assert!(code >= below && is_byte(*code));
            }
            below = codes;
            let codes = noisy.read_reference(Volts::new(volt), Seed(0), 1);
            prop_assert!(codes.into_iter().all(is_byte));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    /// Invariant 2, for membranes: their rest rises with the code of the leak.
    #[test]
    fn codes_are_bytes_and_rise_with_a_membrane(
        chip in 0..16_usize,
        codes in prop::collection::vec(0..1023_i64, 2..8),
    ) {
        let mut cores = [&QUIET[chip], &NOISY[chip % 4]].map(AnalogCore::clone);
        for core in &mut cores {
            for circuit in core.circuits_mut() {
                circuit.threshold_enabled = false;
            }
        }
        let mut codes = codes;
        codes.sort_unstable();
        let mut below = vec![0.0; usize::from(NEURONS)];
        for code in codes {
            let [read, noisy] = cores.each_mut().map(|core| {
                core.capmem_mut().set_all(Cell::VLeak, CapMemCode::new(code).unwrap());
                rest(core, 1, 1)
            });
            for (code, below) in read.iter().zip(&below) {
                prop_assert!(code >= below && is_byte(*code));
            }
            below = read;
            prop_assert!(noisy.into_iter().all(is_byte));
        }
    }
}
