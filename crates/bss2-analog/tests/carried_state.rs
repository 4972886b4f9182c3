//! Runs that go on from one another, and the artificial reset between them.

use bss2_analog::{
    AnalogCore, ArtificialReset, CadcSchedule, Cell, Integration, LoweredCore, MismatchProfile,
    Network, NoiseProfile, Observation, RunAddress, SYNAPSES, Workspace,
};
use bss2_event::random::{Address, Domain};
use bss2_event::{CapMemCode, NeuronCircuits, RowMode, Seconds, Seed, Site, SiteTable, Volts};
use proptest::prelude::*;

const NEURONS: u16 = 80;
const INPUTS: u16 = 40;

/// No noise in time; what varies from trial to trial is kept.
fn quiet() -> MismatchProfile {
    let cube = MismatchProfile::cube66();
    MismatchProfile {
        noise: NoiseProfile {
            membrane: Volts::new(0.0),
            cadc_start: Seconds::new(0.0),
            cadc_skew: Seconds::new(0.0),
            ..cube.noise
        },
        cadc: bss2_analog::CadcSpread {
            noise: 0.0,
            quantise: false,
            ..cube.cadc
        },
        ..cube
    }
}

/// 40 inputs onto 80 neurons; neuron n also reaches neuron n + 1.
fn core(
    profile: MismatchProfile,
    seed: u64,
    samples: usize,
    duration: Option<Seconds>,
) -> LoweredCore {
    let neurons: Vec<NeuronCircuits> = (0..NEURONS)
        .map(|n| NeuronCircuits {
            membrane: 5 * n,
            partner: Some(5 * n + 1),
        })
        .collect();
    let per_source = (0..INPUTS + NEURONS)
        .map(|source| {
            let targets = if source < INPUTS {
                0..NEURONS
            } else {
                source - INPUTS + 1..(source - INPUTS + 2).min(NEURONS)
            };
            targets
                .map(|n| Site {
                    circuit: 5 * n + source % 2,
                    row: source,
                })
                .collect()
        })
        .collect();
    let sites = SiteTable::new(INPUTS.into(), per_source).unwrap();
    let row_modes: Vec<RowMode> = (0..512)
        .map(|r| match r % 5 {
            4 => RowMode::Inhibitory,
            _ => RowMode::Excitatory,
        })
        .collect();
    let network = Network {
        neurons: &neurons,
        sites: &sites,
        row_modes: &row_modes,
    };
    let integration = Integration {
        schedule: CadcSchedule {
            samples,
            ..CadcSchedule::default()
        },
        duration,
        ..Integration::default()
    };
    let chip = AnalogCore::new(profile, Seed(seed)).unwrap();
    let mut core = chip.lower(&network, &integration).unwrap();
    let draw = Address::new(Seed(seed), Domain::Test);
    let weights: Vec<u8> = (0..SYNAPSES as u32)
        .map(|i| (draw.element(i).words(0)[0] % 50) as u8)
        .collect();
    core.write_weights(&weights).unwrap();
    core
}

/// Events over so many microseconds.
fn events(seed: u64, count: u32, span: f64) -> (Vec<f64>, Vec<u16>) {
    let draw = Address::new(Seed(seed), Domain::Test).sample(1);
    let mut times: Vec<f64> = (0..count)
        .map(|i| 1e-6 * span * draw.element(i).uniform(0))
        .collect();
    times.sort_by(f64::total_cmp);
    let sources = (0..count).map(|i| (i * 7 % u32::from(INPUTS)) as u16);
    (times, sources.collect())
}

fn delayed(_: u16, time: f64) -> Option<f64> {
    Some(time + 1e-7)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn runs_that_go_on_are_one_long_run(
        seed in any::<u64>(),
        parts in 2_usize..5,
        samples in 1_usize..6,
        count in 5_u32..80,
    ) {
        let period = CadcSchedule::default().period;
        let part = period * samples as f64;
        let (times, sources) = events(seed, count, part.as_micro() * parts as f64);
        let long = core(quiet(), seed, parts * samples, Some(part * parts as f64));
        let short = core(quiet(), seed, samples, Some(part));
        let address = RunAddress::default();

        let mut whole = Observation::default();
        let mut workspace = Workspace::default();
        long.run(address, &times, &sources, delayed, &mut workspace, &mut whole);

        let (mut codes, mut spikes) = (Vec::new(), Vec::new());
        let mut observation = Observation::default();
        for index in 0..parts {
            let begin = part.get() * index as f64;
            let inside = |t: f64| (t >= begin) & ((t < begin + part.get()) | (index + 1 == parts));
            let (times, sources): (Vec<f64>, Vec<u16>) = times
                .iter()
                .zip(&sources)
                .filter(|(t, _)| inside(**t))
                .map(|(t, s)| (t - begin, *s))
                .unzip();
            if index == 0 {
                short.run(address, &times, &sources, delayed, &mut workspace, &mut observation);
            } else {
                short.resume(address, &times, &sources, delayed, &mut workspace, &mut observation);
            }
            codes.extend_from_slice(observation.codes());
            spikes.extend(observation.spikes().iter().map(|s| (s.time + begin, s.neuron)));
        }
        prop_assert_eq!(codes.len(), whole.codes().len());
        // A membrane that jumps while it is sampled may be seen on either side.
        let jumps = |i: usize| {
            let time = period.get() * (i / usize::from(NEURONS)) as f64;
            let neuron = (i % usize::from(NEURONS)) as u16;
            let mut spikes = whole.spikes().iter();
            spikes.any(|s| s.neuron == neuron && (s.time - 2e-8 - time).abs() < 2e-9)
        };
        for (i, (found, expected)) in codes.iter().zip(whole.codes()).enumerate() {
            let same = (found - expected).abs() < 0.02;
            prop_assert!(same || jumps(i), "{} {} {}", i, found, expected);
        }
        prop_assert_eq!(spikes.len(), whole.spikes().len());
        let sorted = |mut spikes: Vec<(u16, f64)>| {
            spikes.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
            spikes
        };
        let found = sorted(spikes.iter().map(|s| (s.1, s.0)).collect());
        let expected = sorted(whole.spikes().iter().map(|s| (s.neuron, s.time)).collect());
        for (a, b) in found.iter().zip(expected) {
            prop_assert!(a.0 == b.0 && (a.1 - b.1).abs() < 2e-9, "{:?} {:?}", a, b);
        }
    }
}

#[test]
fn the_reset_leaves_the_stated_residue_and_loses_what_arrives_meanwhile() {
    // Without threshold and with leak equal to reset the system is linear: the
    // trace after the reset is the residue of the trace that would have been.
    let profile = MismatchProfile {
        noise: MismatchProfile::ideal().noise,
        ..quiet()
    };
    let duration = Seconds::micro(17.0);
    let core = core(profile, 3, 10, Some(duration));
    let (times, sources) = events(3, 60, 17.0);
    let reset = ArtificialReset::default();
    let (mut workspace, mut after) = (Workspace::default(), Observation::default());
    let address = RunAddress::default();

    // What a resumed run begins with, by its first sample at time zero.
    core.run(
        address,
        &times,
        &sources,
        |_, _| None,
        &mut workspace,
        &mut after,
    );
    let mut twin = workspace.clone();
    core.resume(address, &[], &[], |_, _| None, &mut twin, &mut after);
    let end = after.codes_at(0).to_vec();
    let none = ArtificialReset {
        duration: Seconds::new(0.0),
        ..reset
    };
    let mut twin = workspace.clone();
    assert_eq!(core.artificial_reset(&none, &mut twin), 0);
    core.resume(address, &[], &[], |_, _| None, &mut twin, &mut after);
    assert_eq!(
        after.codes_at(0),
        end,
        "a reset that does not last changes nothing"
    );

    let long = ArtificialReset {
        duration: Seconds::milli(1.0),
        ..reset
    };
    let mut twin = workspace.clone();
    core.artificial_reset(&long, &mut twin);
    core.resume(address, &[], &[], |_, _| None, &mut twin, &mut after);
    let at_reset = after.codes_at(0).to_vec();

    core.artificial_reset(&reset, &mut workspace);
    core.resume(address, &[], &[], |_, _| None, &mut workspace, &mut after);
    let residue = (-2.2_f32 / 0.5).exp();
    let mut moved = 0.0_f32;
    for n in 0..usize::from(NEURONS) {
        let expected = at_reset[n] + residue * (end[n] - at_reset[n]);
        assert!((after.codes_at(0)[n] - expected).abs() < 1e-2, "neuron {n}");
        moved = moved.max((end[n] - at_reset[n]).abs());
    }
    assert!(
        moved > 30.0,
        "there was something to be reset: {moved} codes"
    );
}

#[test]
fn events_under_way_during_a_reset_are_counted_as_lost() {
    let duration = Seconds::micro(17.0);
    let core = core(quiet(), 3, 10, Some(duration));
    let (times, sources) = events(3, 80, 17.0);
    let (mut workspace, mut observation) = (Workspace::default(), Observation::default());
    // Spikes after 15 us arrive during the reset, those after 16 us later.
    let recurrence = |_: u16, time: f64| match time * 1e6 {
        t if t < 15.0 => None,
        t if t < 16.0 => Some(18e-6),
        _ => Some(20e-6),
    };
    let address = RunAddress::default();
    core.run(
        address,
        &times,
        &sources,
        recurrence,
        &mut workspace,
        &mut observation,
    );
    let between = |from: f64, to: f64| {
        let spikes = observation.spikes().iter();
        spikes
            .filter(|s| (from..to).contains(&(s.time * 1e6)))
            .count()
    };
    let lost = between(15.0, 16.0);
    assert!(lost > 0 && between(16.0, 17.0) > 0, "both kinds occur");
    assert_eq!(
        core.artificial_reset(&ArtificialReset::default(), &mut workspace),
        lost
    );
}

#[test]
fn a_neuron_whose_leak_lies_over_its_threshold_fires_in_both_modes() {
    // Leak at code 200, threshold 150, reset 80: from reset it takes
    // tau_mem ln((200 - 80) / (200 - 150)) to fire, then 2 us are refractory.
    let mut chip = AnalogCore::new(MismatchProfile::ideal(), Seed(0)).unwrap();
    let code = chip.capmem().get(Cell::VLeak, 0).get() + (2.4 * 120.0) as u16;
    chip.capmem_mut()
        .set(Cell::VLeak, 0, CapMemCode::new(code.into()).unwrap());
    let sites = SiteTable::new(0, vec![vec![]]).unwrap();
    let network = Network {
        neurons: &[NeuronCircuits {
            membrane: 0,
            partner: None,
        }],
        sites: &sites,
        row_modes: &[RowMode::Excitatory; 512],
    };
    let lower = |samples, duration: Option<f64>| {
        let integration = Integration {
            schedule: CadcSchedule {
                samples,
                ..CadcSchedule::default()
            },
            duration: duration.map(Seconds::micro),
            ..Integration::default()
        };
        chip.lower(&network, &integration).unwrap()
    };
    let (mut workspace, mut observation) = (Workspace::default(), Observation::default());
    let address = |sample| RunAddress {
        sample,
        ..RunAddress::default()
    };
    let nothing: (&[f64], &[u16]) = (&[], &[]);
    let rise = 6.0 * (120.0_f64 / 50.0).ln();

    let training = lower(118, None);
    let mut count = 0;
    let mut phases = Vec::new();
    for sample in 0..20 {
        let (times, sources) = nothing;
        training.run(
            address(sample),
            times,
            sources,
            delayed,
            &mut workspace,
            &mut observation,
        );
        let spikes = observation.spikes();
        count += spikes.len();
        phases.push(spikes[0].time * 1e6);
        for pair in spikes.windows(2) {
            let interval = 1e6 * (pair[1].time - pair[0].time);
            assert!((interval - (rise + 1.992)).abs() < 0.02, "{interval}");
        }
    }
    assert!((520..580).contains(&count), "{count} in 4 ms");
    phases.sort_by(f64::total_cmp);
    assert!(
        phases[19] - phases[0] > 0.5 * rise,
        "every sample begins in its own phase"
    );

    // In inference each reset starts it anew: it fires once per image.
    let inference = lower(5, Some(9.6));
    let (times, sources) = nothing;
    inference.run(
        address(0),
        times,
        sources,
        delayed,
        &mut workspace,
        &mut observation,
    );
    for sample in 1..20 {
        inference.artificial_reset(&ArtificialReset::default(), &mut workspace);
        inference.resume(
            address(sample),
            times,
            sources,
            delayed,
            &mut workspace,
            &mut observation,
        );
        let fired: Vec<f64> = observation.spikes().iter().map(|s| s.time * 1e6).collect();
        assert!(
            fired.len() == 1 && (fired[0] - rise).abs() < 0.1,
            "{fired:?}"
        );
    }
}

#[test]
fn a_duration_leaves_room_for_its_samples() {
    let profile = MismatchProfile::cube66();
    let chip = AnalogCore::new(profile, Seed(0)).unwrap();
    let sites = SiteTable::new(0, vec![vec![]]).unwrap();
    let network = Network {
        neurons: &[NeuronCircuits {
            membrane: 0,
            partner: None,
        }],
        sites: &sites,
        row_modes: &[RowMode::Excitatory; 512],
    };
    let lower = |samples, start, duration: Option<f64>| {
        let integration = Integration {
            schedule: CadcSchedule {
                samples,
                start: Seconds::micro(start),
                ..CadcSchedule::default()
            },
            duration: duration.map(Seconds::micro),
            ..Integration::default()
        };
        chip.lower(&network, &integration).map(|_| ())
    };
    let message =
        |samples, start, duration| lower(samples, start, duration).unwrap_err().to_string();
    assert_eq!(lower(6, 0.0, Some(9.6)), Ok(()));
    assert_eq!(
        message(7, 0.0, Some(9.6)),
        "schedule.samples is 7, allowed are 0 to 6"
    );
    assert_eq!(
        message(6, 1.0, Some(9.6)),
        "schedule.samples is 6, allowed are 0 to 5"
    );
    assert_eq!(
        message(0, 0.0, None),
        "schedule.samples is 0, allowed are 1 to 1000000"
    );
    assert_eq!(lower(0, 0.0, Some(9.6)), Ok(()));
    assert_eq!(
        message(1, -1.0, None),
        "schedule.start is -1 us, allowed are 0 us to 1000000 us"
    );
    assert_eq!(
        message(1, 0.0, Some(0.0)),
        "duration is 0 us, allowed are 0.01 us to 65536 us"
    );
    assert_eq!(lower(0, 0.0, Some(65_536.0)), Ok(()));
    assert_eq!(lower(38_000, 0.0, None), Ok(()));
    assert_eq!(
        message(41_001, 0.0, None),
        "length of a run is 69700 us, allowed are 0 us to 65536 us"
    );
}
