//! Order of accuracy of the kernel with all terms, and its limit without them.

use bss2_event::Seed;
use bss2_event::random::{Address, Domain};

use super::{LEAKY, Setting, VAIN, compare_all};
use crate::Start;
use crate::neuron::lif::LaneParameters;
use crate::neuron::terms::{Adaptation, Exponential, Reversal, Terms};

/// A neuron with every term, each anywhere in its usual range.
fn anyone(draw: Address, conductance: bool) -> LaneParameters {
    let within = |i: u32, low: f64, high: f64| low + (high - low) * draw.uniform(i);
    let reversal = |potential| {
        conductance.then_some(Reversal {
            potential,
            scale: 0.33,
        })
    };
    LaneParameters {
        tau_mem: within(0, 5.0, 15.0),
        v_rest: within(1, 0.35, 0.45),
        v_reset: within(2, 0.3, 0.4),
        v_threshold: within(3, 0.65, 0.75),
        tau_syn: [within(4, 4.0, 8.0), within(5, 4.0, 8.0), 6.0, 6.0],
        terms: Terms {
            exponential: Some(Exponential {
                tau: within(6, 5.0, 15.0),
                slope: within(7, 0.02, 0.06),
                threshold: within(8, 0.5, 0.55),
            }),
            adaptation: Some(Adaptation {
                tau: within(9, 30.0, 150.0),
                a: within(10, 0.0, 0.1),
                b: within(11, 0.0, 0.006),
                leak: within(1, 0.35, 0.45),
                range: (-0.1, 0.1),
            }),
            reversal: [reversal(0.95), reversal(0.28), None, None],
            leak_range: within(12, 0.4, 1.0),
        },
        ..LEAKY
    }
}

fn driven(neurons: Vec<LaneParameters>, seed: u64) -> Setting {
    let draw = Address::new(Seed(seed), Domain::Test);
    let mut events: Vec<(f64, f64)> = (0..60)
        .map(|i| {
            let draw = draw.element(1000 + i);
            let sign = if i % 4 == 3 { -1.0 } else { 1.0 };
            let time = (80e3 * draw.uniform(0)).round() * 1e-3;
            (time, sign * (0.3 + 0.7 * draw.uniform(1)))
        })
        .collect();
    events.sort_by(|a, b| a.0.total_cmp(&b.0));
    Setting {
        slew: 0.03,
        events,
        ..Setting::new(neurons, 90.0)
    }
}

#[test]
fn spike_times_with_all_terms_converge_to_the_reference() {
    for conductance in [false, true] {
        let draw = Address::new(Seed(1), Domain::Test);
        let neurons = (0..64).map(|n| anyone(draw.element(n), conductance));
        let mut setting = driven(neurons.collect(), 1);
        let reference = setting.references(&[]);
        let total: usize = reference.iter().map(Vec::len).sum();
        assert!(total > 300, "the neurons fire");
        let mut medians = Vec::new();
        for steps in [1, 2, 4] {
            setting.steps_per_sample = steps;
            let (median, mismatched) = compare_all(&setting.run().0, &reference);
            eprintln!(
                "conductances {conductance}, {steps} steps per sample: median {median:.2} ns, \
                 {mismatched} of {total}"
            );
            medians.push(median);
            assert!(
                steps == 1 || mismatched * 100 <= total,
                "{mismatched} of {total}"
            );
        }
        assert!(medians[1] < 20.0, "{medians:?} ns");
        // Of second order, down to what float32 holds.
        assert!(medians[1] < 0.5 * medians[0] + 1.0, "{medians:?}");
        assert!(medians[2] < 0.5 * medians[1] + 1.0, "{medians:?}");
    }
}

#[test]
fn membranes_with_all_terms_are_read_within_a_step() {
    for conductance in [false, true] {
        let draw = Address::new(Seed(5), Domain::Test);
        // None runs away to where it would fire.
        let neurons = (0..64).map(|n| {
            let mut p = anyone(draw.element(n), conductance);
            p.v_threshold = f64::INFINITY;
            p.terms.exponential.as_mut().unwrap().threshold += 0.15;
            p
        });
        let mut setting = Setting {
            slew: 0.006,
            first_sample: 0.83,
            ..driven(neurons.collect(), 5)
        };
        let [found, exact] = [1, 32].map(|steps| {
            setting.steps_per_sample = steps;
            setting.run().1.concat()
        });
        let range = exact.iter().fold(0.0_f32, |a, &v| a.max((v - 0.4).abs()));
        let errors = || found.iter().zip(&exact).map(|(a, b)| (a - b).abs());
        let (mean, largest) = (
            errors().sum::<f32>() / found.len() as f32,
            errors().fold(0.0, f32::max),
        );
        eprintln!("conductances {conductance}: mean {mean} V, largest {largest} V of {range} V");
        assert!(exact.len() > 3000 && range > 0.1, "{range} V");
        assert!(mean < 3e-3 * range && largest < 2e-2 * range);
    }
}

#[test]
fn without_further_terms_it_agrees_with_the_leaky_kernel() {
    let draw = Address::new(Seed(7), Domain::Test);
    let plain: Vec<_> = (0..64)
        .map(|n| LaneParameters {
            terms: Terms::NONE,
            ..anyone(draw.element(n), false)
        })
        .collect();
    let vain = plain
        .iter()
        .map(|&p| LaneParameters { terms: VAIN, ..p })
        .collect();
    let (plain, plain_traces) = driven(plain, 7).run();
    let (vain, vain_traces) = driven(vain, 7).run();
    let total: usize = plain.iter().map(Vec::len).sum();
    assert!(total > 80, "{total} spikes");
    let (median, mismatched) = compare_all(&vain, &plain);
    assert!(mismatched * 100 <= total, "{mismatched} of {total}");
    assert!(median < 2.0, "{median} ns");
    // Before any spike both are the same propagator.
    let first = plain
        .iter()
        .flatten()
        .copied()
        .fold(f64::INFINITY, f64::min);
    let samples = (first / 1.7) as usize;
    assert!(samples > 2);
    for (a, b) in plain_traces.iter().zip(&vain_traces).take(samples) {
        for (a, b) in a.iter().zip(b) {
            assert!((a - b).abs() < 1e-6, "{a} {b}");
        }
    }
}

#[test]
fn so_do_spikes_that_events_of_the_same_step_cause() {
    let draw = Address::new(Seed(3), Domain::Test);
    // Conductances and a saturating leak have neurons followed in other ways.
    for (conductance, saturating) in [(false, true), (true, true), (false, false)] {
        // Every other neuron is a leaky one, every sixth has adaptation alone.
        let neurons = (0..64).map(|n| {
            let mut p = anyone(draw.element(n), conductance);
            if !saturating {
                p.terms.leak_range = f64::INFINITY;
            }
            if n % 6 == 1 {
                p.terms.exponential = None;
            }
            if n % 2 == 0 {
                p.terms = Terms::NONE;
            }
            p
        });
        let weight = |n: usize| [0.08, 0.08, -0.1][n % 3] * draw.uniform(n as u32);
        let mut setting = Setting {
            recurrent: (0..64).map(weight).collect(),
            ..driven(neurons.collect(), 3)
        };
        let mut medians = Vec::new();
        for steps in [1, 2, 4] {
            setting.steps_per_sample = steps;
            let found = setting.run().0;
            let total: usize = found.iter().map(Vec::len).sum();
            assert!(total > 200, "{total} spikes");
            let (median, mismatched) = compare_all(&found, &setting.references(&found));
            eprintln!(
                "conductances {conductance}, saturating {saturating}, {steps} steps per sample: \
                 median {median:.2} ns, {mismatched} of {total}"
            );
            assert!(mismatched * 50 * steps <= total, "{mismatched} of {total}");
            medians.push(median);
        }
        assert!(medians[1] < 20.0, "{medians:?} ns");
        assert!(medians[2] < 0.5 * medians[1] + 1.5, "{medians:?}");
    }
}

#[test]
fn a_spike_between_excitation_and_inhibition_of_one_step_is_found() {
    // Two neurons fire 80 ns apart; the first brings the third above its threshold,
    // before the second pulls it far below. Their events arrive together.
    let neuron = |v_threshold| LaneParameters {
        v_threshold,
        ..LEAKY
    };
    let mut setting = Setting {
        slew: 0.3,
        events: vec![(3.42, 1.0)],
        recurrent: vec![40.0, -400.0, 0.0],
        steps_per_sample: 1,
        ..Setting::new([0.43, 0.454, 1.0].map(neuron).to_vec(), 5.0)
    };
    let (found, _) = setting.run();
    assert!((found[1][0] - found[0][0] - 0.08).abs() < 0.02, "{found:?}");
    let reference = setting.references(&found);
    assert_eq!(reference[2].len(), 1, "{reference:?}");
    assert_eq!(found[2].len(), 1, "{found:?}");
    assert!((found[2][0] - reference[2][0]).abs() < 0.02, "{found:?}");
    setting.recurrent[0] = 0.0;
    assert!(
        setting.run().0[2].is_empty(),
        "without excitation it does not fire"
    );
}

#[test]
fn as_many_neurons_as_there_are_may_cross_in_one_step() {
    // More than fit into a vector, in all blocks, and no two alike.
    let neurons = (0..200).map(|i| LaneParameters {
        tau_mem: 6.0 + 0.01 * f64::from(i),
        ..LEAKY
    });
    let setting = Setting {
        slew: 0.3,
        events: vec![(3.0, 1.0)],
        ..Setting::new(neurons.collect(), 8.0)
    };
    let (found, _) = setting.run();
    let (worst, mismatched) = compare_all(&found, &setting.references(&[]));
    assert!(found.iter().all(|spikes| !spikes.is_empty()));
    assert!(worst < 30.0 && mismatched == 0, "{worst} ns, {mismatched}");
}

#[test]
fn neurons_above_threshold_when_their_refractory_period_ends_fire_then() {
    // Released 20 mV above, and falling: after 0.4 us they are below and stay silent. Periods
    // end everywhere in a step, also in one after that of the release, far above its end.
    let neuron = |i: u32| LaneParameters {
        v_rest: 0.25,
        v_threshold: 0.55,
        v_reset: 0.57,
        refractory: 0.5 + 0.03 * f64::from(i),
        holdoff: 0.06 * f64::from(i % 8) + 0.01,
        terms: if i < 64 { Terms::NONE } else { VAIN },
        ..LEAKY
    };
    for steps_per_sample in [1, 2] {
        let setting = Setting {
            steps_per_sample,
            ..Setting::new((0..128).map(neuron).collect(), 30.0)
        };
        let (found, _) = setting.run();
        let (worst, mismatched) = compare_all(&found, &setting.references(&[]));
        assert!(worst < 1.0 && mismatched == 0, "{worst} ns, {mismatched}");
        for (p, spikes) in setting.neurons.iter().zip(&found) {
            let period = p.refractory + p.holdoff;
            let expected = if p.holdoff < 0.38 { 29.0 / period } else { 0.0 };
            assert!(
                (spikes.len() as f64 - expected).abs() < 2.5,
                "{p:?} {}",
                spikes.len()
            );
        }
    }
}

/// Neurons whose leak pulls to their threshold and whose adaptation holds them below.
fn held_by_adaptation() -> Vec<LaneParameters> {
    let neuron = |n: u32| {
        let v = 0.6 + 5e-4 * f64::from(n);
        LaneParameters {
            v_rest: v,
            v_threshold: v,
            tau_syn: [4.0; 4],
            terms: Terms {
                adaptation: Some(Adaptation {
                    tau: 100.0,
                    a: 0.5,
                    b: 0.0,
                    leak: 0.1,
                    range: (-0.1, 0.1),
                }),
                ..Terms::NONE
            },
            ..LEAKY
        }
    };
    (0..200).map(neuron).collect()
}

#[test]
fn a_peak_under_strong_adaptation_is_found() {
    let events = |weight: f64| {
        let event = |i: u32| {
            let (time, more) = (80.083 * f64::from(i) + 3.0, 0.02 * f64::from(i % 7));
            (time, weight * (1.0 + more))
        };
        (0..20).map(event).collect()
    };
    let setting = |weight, neurons| Setting {
        slew: 0.22,
        events: events(weight),
        steps_per_sample: 1,
        start: Start::Rest,
        ..Setting::new(neurons, 1600.0)
    };
    // Driven by inputs, and by a neuron of the chip that fires at each of them.
    let relay = LaneParameters {
        v_threshold: 0.405,
        refractory: 50.0,
        ..LEAKY
    };
    let relayed = [vec![relay], held_by_adaptation()].concat();
    for setting in [
        setting(1.0, held_by_adaptation()),
        Setting {
            recurrent: vec![0.93],
            ..setting(0.1, relayed)
        },
    ] {
        let (found, _) = setting.run();
        let reference = setting.references(&found);
        let total: usize = reference.iter().map(Vec::len).sum();
        let (median, mismatched) = compare_all(&found, &reference);
        eprintln!("strong adaptation: median {median:.2} ns, {mismatched} of {total}");
        assert!((500..3500).contains(&total), "{total} spikes");
        // Thresholds lie 0.5 mV apart, and a step of 1.7 us is good to about as much where
        // adaptation is this strong: two neurons for each of the 20 peaks.
        assert!(mismatched <= 40, "{mismatched} of {total}");
        assert!(median < 20.0, "{median} ns");
    }
}

#[test]
fn a_spike_before_inhibition_by_a_conductance_is_found() {
    // It crosses between two inputs of one step of 1.7 us, and the second pulls it below.
    let inhibited = |potential| LaneParameters {
        terms: Terms {
            reversal: [
                None,
                Some(Reversal {
                    potential,
                    scale: 0.2,
                }),
                None,
                None,
            ],
            ..Terms::NONE
        },
        ..LEAKY
    };
    let rising = [(3.42, 0.4), (4.5, -0.5)].to_vec();
    // Near the threshold when the step begins.
    let high = [(0.5, 0.15), (3.5, 0.1), (4.2, -1.5)].to_vec();
    for (potential, events) in [(0.28, &rising), (0.1, &rising), (0.28, &high)] {
        let mut setting = Setting {
            slew: 1.0,
            events: events.clone(),
            steps_per_sample: 1,
            ..Setting::new(vec![inhibited(potential)], 5.1)
        };
        let (mut found, mut expected) = (Vec::new(), Vec::new());
        for threshold in 0..200 {
            setting.neurons[0].v_threshold = 0.4 + 0.0025 * f64::from(threshold);
            found.push(setting.run().0.swap_remove(0));
            expected.push(setting.references(&[]).swap_remove(0));
        }
        let total: usize = expected.iter().map(Vec::len).sum();
        let (median, mismatched) = compare_all(&found, &expected);
        assert!((20..200).contains(&total), "{total} spikes");
        assert!(mismatched <= 1, "{mismatched} of {total}");
        assert!(median < 20.0, "{median} ns");
    }
}

#[test]
fn inhibition_within_a_step_keeps_a_neuron_from_firing() {
    // The second neuron crosses 0.2 us after the first in the same step of 1.7 us, and
    // the first forbids it; the third fires before them.
    let neuron = |v_threshold| LaneParameters {
        v_threshold,
        ..LEAKY
    };
    let neurons = [0.6, 0.71, 0.55].map(neuron).to_vec();
    let mut setting = Setting {
        slew: 0.6,
        events: vec![(3.5, 1.0)],
        recurrent: vec![0.0; 3],
        steps_per_sample: 1,
        ..Setting::new(neurons, 5.0)
    };
    let (free, _) = setting.run();
    let step = |spikes: &[f64]| (spikes[0] / 1.7).floor();
    assert_eq!(step(&free[0]), step(&free[1]), "{free:?}");
    assert!(free[1][0] - free[0][0] > 0.15, "{free:?}");
    setting.recurrent[0] = -1.0;
    let (kept, _) = setting.run();
    assert!(kept[1].is_empty(), "{kept:?}");
    assert_eq!([&kept[0], &kept[2]], [&free[0], &free[2]]);
    // An event that comes after its crossing changes nothing, but for what is left of
    // the saturating inputs.
    setting.delay = 0.3;
    let (late, _) = setting.run();
    assert_eq!([&late[0], &late[2]], [&free[0], &free[2]]);
    assert!(
        late[1].len() == 1 && (late[1][0] - free[1][0]).abs() < 2e-3,
        "{late:?}"
    );
}
