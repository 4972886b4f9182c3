//! What the CADC makes of a membrane: ramp, range, schedule.

use bss2_analog::{
    AnalogCore, CadcSchedule, CadcSpread, Integration, MismatchProfile, Network, Observation, Ramp,
    RunAddress, SYNAPSES, VOLTS_PER_LSB, Workspace,
};
use bss2_event::{CapMemCode, NeuronCircuits, RowMode, Seconds, Seed, Site, SiteTable, Volts};
use proptest::prelude::*;

const NEURONS: u16 = 64;

fn profile(conversion: Seconds, quantise: bool) -> MismatchProfile {
    let ideal = MismatchProfile::ideal();
    MismatchProfile {
        cadc: CadcSpread {
            conversion,
            quantise,
            ..ideal.cadc
        },
        ..ideal
    }
}

/// Events of one strong input, 1 us apart, which make all neurons fire at some time.
fn observe(profile: MismatchProfile, schedule: CadcSchedule, steps: usize) -> Observation {
    let chip = AnalogCore::new(profile, Seed(0)).unwrap();
    let neurons: Vec<NeuronCircuits> = (0..NEURONS)
        .map(|n| NeuronCircuits {
            membrane: 8 * n,
            partner: None,
        })
        .collect();
    let sites = (0..NEURONS)
        .map(|n| Site {
            circuit: 8 * n,
            row: 0,
        })
        .collect();
    let mut per_source = vec![sites];
    per_source.resize(1 + usize::from(NEURONS), vec![]);
    let sites = SiteTable::new(1, per_source).unwrap();
    let network = Network {
        neurons: &neurons,
        sites: &sites,
        row_modes: &[RowMode::Excitatory; 512],
    };
    let integration = Integration {
        schedule,
        steps_per_sample: steps,
        ..Integration::default()
    };
    let mut core = chip.lower(&network, &integration).unwrap();
    // Every neuron has a strength of its own.
    let weights: Vec<u8> = (0..SYNAPSES).map(|i| (i % 256 / 4) as u8).collect();
    core.write_weights(&weights).unwrap();
    let times: Vec<f64> = (0..12).map(|i| 1e-6 * (1.0 + f64::from(i))).collect();
    let mut observation = Observation::default();
    core.run(
        RunAddress::default(),
        &times,
        &[0; 12],
        |_, _| None,
        &mut Workspace::default(),
        &mut observation,
    );
    observation
}

#[test]
fn a_code_is_the_membrane_where_the_ramp_crosses_it() {
    // The membrane every 20 ns, read at once, is the reference.
    let fine = CadcSchedule {
        start: Seconds::new(0.0),
        period: Seconds::micro(0.54),
        samples: 1,
    };
    let ramp = 0.5;
    let slow = CadcSchedule {
        period: Seconds::micro(1.7),
        samples: 12,
        ..fine
    };
    let converted = observe(profile(Seconds::micro(ramp), false), slow, 34);
    let at = |time: f64| {
        let schedule = CadcSchedule {
            start: Seconds::micro(time),
            ..fine
        };
        observe(profile(Seconds::new(0.0), false), schedule, 11)
            .codes()
            .to_vec()
    };
    let (mut compared, mut fell) = (0, 0);
    for sample in 0..12 {
        let begin = 1.7 * sample as f64;
        // [20 ns][neuron]
        let course: Vec<Vec<f32>> = (0..=25).map(|i| at(begin + 0.02 * f64::from(i))).collect();
        for n in 0..usize::from(NEURONS) {
            let found = converted.codes_at(sample)[n];
            let counter = |i: usize| 256.0 * 0.02 * i as f32 / ramp as f32;
            let first = (0..=25).find(|&i| course[i][n] <= counter(i)).unwrap();
            let before = course[first.max(1) - 1][n];
            // A spike in between lets the membrane fall through the ramp.
            if before - course[first][n] > 30.0 {
                fell += 1;
                let passed = counter(first - 1)..=counter(first);
                assert!(passed.contains(&found), "{sample} {n}: {found} {passed:?}");
                continue;
            }
            compared += 1;
            let expected = course[first][n];
            assert!(
                (found - expected).abs() < 1.5,
                "{sample} {n}: {found} {expected}"
            );
        }
    }
    assert!(compared > 500 && fell > 3, "{compared} {fell}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn codes_are_whole_within_range_and_monotone_in_voltage(
        seed in any::<u64>(),
        low in -0.5_f64..1.8,
        step in 0.0_f64..0.5,
        offset in 0_i64..200,
        slope in 100_i64..1000,
        digital in any::<i8>(),
    ) {
        let cube = MismatchProfile::cube66();
        let profile = MismatchProfile {
            cadc: CadcSpread { noise: 0.0, ..cube.cadc },
            ..cube
        };
        let mut chip = AnalogCore::new(profile, Seed(seed)).unwrap();
        let code = |code| CapMemCode::new(code).unwrap();
        *chip.cadc_mut().ramps_mut() = [Ramp { offset: code(offset), slope: code(slope) }; 4];
        for channel in 0..512 {
            chip.cadc_mut().set_digital_offset(channel, digital);
        }
        let at_low = chip.read_reference(Volts::new(low), Seed(0), 1);
        let at_high = chip.read_reference(Volts::new(low + step), Seed(0), 1);
        for (a, b) in at_low.iter().zip(&at_high) {
            prop_assert!((0.0..=255.0).contains(a) && a.fract() == 0.0);
            prop_assert!(a <= b);
        }
    }
}

#[test]
fn ramp_cells_move_and_stretch_the_range_and_its_top_bends() {
    let mut chip = AnalogCore::new(profile(Seconds::new(0.0), false), Seed(0)).unwrap();
    let code = |code| CapMemCode::new(code).unwrap();
    let volts = Volts::new(100.0 * VOLTS_PER_LSB);
    let read = |chip: &AnalogCore| chip.read_reference(volts, Seed(0), 1);
    assert!((read(&chip)[0] - 100.0).abs() < 1e-4);
    chip.cadc_mut().ramps_mut()[1] = Ramp {
        offset: code(31),
        slope: code(738),
    };
    chip.cadc_mut().ramps_mut()[2].offset = code(131);
    let codes = read(&chip);
    assert!((codes[0] - 100.0).abs() < 1e-4, "quadrant 0 stays");
    assert!((codes[128] - 50.0).abs() < 1e-4, "twice the volts per code");
    let moved = 100.0 * 1.76e-3 / VOLTS_PER_LSB;
    assert!(
        (codes[256] - (100.0 - moved)).abs() < 1e-4,
        "begins 0.176 V higher"
    );

    let bent = MismatchProfile {
        cadc: CadcSpread {
            bend: 9.0,
            ..profile(Seconds::new(0.0), false).cadc
        },
        ..MismatchProfile::ideal()
    };
    let chip = AnalogCore::new(bent, Seed(0)).unwrap();
    for (straight, expected) in [(30.0, 30.0), (210.0, 210.0), (225.0, 226.0), (240.0, 244.0)] {
        let volts = Volts::new(straight * VOLTS_PER_LSB);
        let found = chip.read_reference(volts, Seed(0), 1)[0];
        assert!((found - expected).abs() < 1e-3, "{straight}: {found}");
    }
}

#[test]
fn a_schedule_that_starts_late_takes_the_later_samples() {
    let whole = CadcSchedule::default();
    let late = CadcSchedule {
        start: whole.period * 5.0,
        samples: 15,
        ..whole
    };
    let (whole, late) = (
        observe(profile(Seconds::new(0.0), true), whole, 2),
        observe(profile(Seconds::new(0.0), true), late, 2),
    );
    assert_eq!(late.codes(), &whole.codes()[5 * usize::from(NEURONS)..]);
    assert_eq!(late.spikes(), whole.spikes());
}
