//! What holds for every neuron on both kernels.

use std::sync::LazyLock;

use bss2_event::{CapMemCode, NeuronCircuits, RowMode, Seconds, Seed, Site, SiteTable};
use proptest::prelude::*;

use super::{LEAKY, Setting, VAIN};
use crate::neuron::lif::{LaneParameters, LifBlock, response};
use crate::neuron::terms::{Adaptation, Exponential, Reversal, Terms};
use crate::{
    AdaptationConfig, AnalogCore, Cell, CircuitConfig, Integration, LeakScale, MismatchProfile,
    Network, Observation, OffsetCurrent, RefractoryCounter, RunAddress, SYNAPSES, Workspace,
};

/// One chip with all its noise, and one whose comparators act at once.
static CHIPS: LazyLock<[AnalogCore; 2]> = LazyLock::new(|| {
    let profile = MismatchProfile::cube66();
    let mut at_once = profile.clone();
    at_once.noise.comparator_delay = Seconds::new(0.0);
    [profile, at_once].map(|profile| AnalogCore::new(profile, Seed(3)).unwrap())
});

fn leaky() -> impl Strategy<Value = LaneParameters> {
    (
        (0.3..60.0, 0.3..0.5, 0.2..0.5, 0.55..0.8),
        (0.3..30.0, 0.3..30.0, 0.04..32.0_f64),
        any::<bool>(),
    )
        .prop_map(
            |((tau_mem, v_rest, v_reset, v_threshold), (exc, inh, refractory), vain)| {
                LaneParameters {
                    tau_mem,
                    v_rest,
                    v_reset,
                    v_threshold,
                    tau_syn: [exc, inh, 6.0, 6.0],
                    refractory,
                    terms: if vain { VAIN } else { Terms::NONE },
                    ..LEAKY
                }
            },
        )
}

fn adaptation() -> impl Strategy<Value = Adaptation> {
    (14.0..500.0, -0.05..0.3, -0.005..0.02, 0.3..0.5).prop_map(|(tau, a, b, leak)| Adaptation {
        tau,
        a,
        b,
        leak,
        range: (-0.1, 0.1),
    })
}

fn any_terms() -> impl Strategy<Value = LaneParameters> {
    let exponential =
        (2.0..20.0, 0.016..0.2, 0.3..0.7).prop_map(|(tau, slope, threshold)| Exponential {
            tau,
            slope,
            threshold,
        });
    let reversal = |potential| {
        (potential, 0.1..1.0).prop_map(|(potential, scale)| Reversal { potential, scale })
    };
    (
        leaky(),
        proptest::option::of(exponential),
        proptest::option::of(adaptation()),
        proptest::option::of(reversal(0.8..1.1)),
        proptest::option::of(reversal(0.1..0.4)),
        0.2..2.0,
    )
        .prop_map(
            |(p, exponential, adaptation, exc, inh, leak_range)| LaneParameters {
                terms: Terms {
                    exponential,
                    adaptation,
                    reversal: [exc, inh, None, None],
                    leak_range,
                },
                ..p
            },
        )
}

fn events() -> impl Strategy<Value = Vec<(f64, f64)>> {
    proptest::collection::vec((0.0..60.0, -1.0..1.0), 0..20).prop_map(
        |mut events: Vec<(f64, f64)>| {
            events.sort_by(|a, b| a.0.total_cmp(&b.0));
            events
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn spikes_are_ordered_and_reset_holds(
        leaky in proptest::collection::vec(leaky(), 1..4),
        any in proptest::collection::vec(any_terms(), 0..4),
        events in events(),
        slew in 0.0..0.3,
        recurrent in proptest::collection::vec(-1.0..1.0, 0..7),
        delay in 0.0..0.3,
        holdoff in 0.0..0.5,
        above in proptest::option::of(0.8..0.9),
    ) {
        let mut neurons: Vec<_> = leaky.into_iter().chain(any).collect();
        neurons.iter_mut().for_each(|p| p.holdoff = holdoff);
        // One may be above its threshold at every release.
        neurons[0].v_reset = above.unwrap_or(neurons[0].v_reset);
        let recurrent = recurrent.into_iter().take(neurons.len()).collect();
        let setting = Setting {
            slew,
            events,
            recurrent,
            delay,
            ..Setting::new(neurons, 80.0)
        };
        let (spikes, traces) = setting.run();
        for (n, (p, spikes)) in setting.neurons.iter().zip(&spikes).enumerate() {
            for pair in spikes.windows(2) {
                let period = p.refractory + p.holdoff;
                prop_assert!(pair[1] - pair[0] >= period - 1e-4, "{:?}", pair);
            }
            for (sample, v) in traces.iter().enumerate() {
                let t = 1.7 * sample as f64;
                prop_assert!(v[n].is_finite());
                let held = |s: &f64| t > s + 1e-3 && t < s + p.refractory - 0.9;
                // The step of release is a straight line to the next.
                if spikes.iter().any(held) {
                    prop_assert_eq!(v[n], p.v_reset as f32, "at {}", t);
                }
            }
        }
    }

    #[test]
    fn after_an_event_its_current_decays(
        p in leaky(),
        weight in prop_oneof![-1.0..-0.1, 0.1..1.0_f64],
        event in 0.0..10.0,
    ) {
        let slew = 0.01;
        let tau_syn = p.tau_syn[usize::from(weight < 0.0)];
        let p = LaneParameters { v_threshold: f64::INFINITY, v_reset: p.v_rest, ..p };
        let shortest = tau_syn.min(p.tau_mem);
        let setting = Setting {
            slew,
            events: vec![(event, weight)],
            steps_per_sample: 2.max((2.5 * 1.7 / shortest).ceil() as usize),
            ..Setting::new(vec![p], 60.0)
        };
        let (_, traces) = setting.run();
        // What the membrane does besides its leak, from sample to sample.
        let distance = |v: &[f32]| f64::from(v[0]) - p.v_rest;
        let leak = (-1.7 / p.tau_mem).exp();
        let driven = response(1.7, tau_syn, p.tau_mem);
        let current: Vec<f64> = traces
            .windows(2)
            .map(|pair| (distance(&pair[1]) - leak * distance(&pair[0])) / driven * weight.signum())
            .collect();
        let first = ((event + 1.7) / 1.7).ceil() as usize;
        let expected = slew * weight.abs() * (-(1.7 * first as f64 - event) / tau_syn).exp();
        // Membranes are right to some digits of float32, 3e-8 V each; the kernel of further terms
        // takes steps of finite order.
        let order = if p.terms == VAIN { 1e-4 } else { 0.0 };
        let (size, rounding) = (slew * weight.abs(), order + 4e-7 / driven);
        prop_assert!((current[first] - expected).abs() < 0.02 * size, "{} {}", current[first], expected);
        for pair in current[first..].windows(2) {
            prop_assert!(pair[1] <= pair[0] + rounding && pair[1] >= -rounding, "{:?}", pair);
        }
    }

    #[test]
    fn without_input_membranes_relax(
        p in leaky(),
        conductance in any::<bool>(),
    ) {
        let mut block = LifBlock::<2>::idle();
        block.set(0, &p, 0.85);
        for g in 0..2 {
            prop_assert!(block.decay[g][0] > 0.0 && block.decay[g][0] < 1.0);
        }
        let reversal = conductance.then_some(Reversal { potential: 0.9, scale: 0.3 });
        let terms = Terms { reversal: [reversal; 4], ..p.terms };
        let p = LaneParameters { v_threshold: f64::INFINITY, terms, ..p };
        let (_, traces) = Setting::new(vec![p], 60.0).run();
        let distance = |v: &[f32]| f64::from(v[0]) - p.v_rest;
        for pair in traces.windows(2) {
            let (from, to) = (distance(&pair[0]), distance(&pair[1]));
            prop_assert!(to.abs() <= from.abs() + 1e-6);
            prop_assert!(from * to >= -1e-12, "it never overshoots");
        }
    }

    #[test]
    fn responses_to_currents_superpose(
        p in leaky(),
        adaptation in proptest::option::of(adaptation()),
        events in events(),
        first in any::<[bool; 20]>(),
    ) {
        let terms = Terms { adaptation, ..p.terms };
        let p = LaneParameters {
            v_threshold: f64::INFINITY,
            v_reset: p.v_rest,
            // At rest adaptation is zero.
            terms: Terms {
                adaptation: terms.adaptation.map(|a| Adaptation {
                    leak: p.v_rest,
                    // Stable also where it is flipped.
                    a: a.a.max(-0.5 / p.tau_mem),
                    range: (-100.0, 100.0),
                    ..a
                }),
                ..terms
            },
            ..p
        };
        let response = |events: Vec<(f64, f64)>| -> Vec<f64> {
            // Far enough from the rails.
            let setting = Setting { slew: 0.008, events, ..Setting::new(vec![p], 60.0) };
            setting.run().1.iter().map(|v| f64::from(v[0]) - p.v_rest).collect()
        };
        let part = |which: bool| -> Vec<(f64, f64)> {
            let events = events.iter().zip(first).filter(|e| e.1 == which);
            events.map(|e| *e.0).collect()
        };
        let (a, b) = (response(part(true)), response(part(false)));
        let both = response(events.clone());
        for ((a, b), both) in a.iter().zip(&b).zip(&both) {
            let size = 1.0 + a.abs().max(b.abs()).max(both.abs());
            prop_assert!((a + b - both).abs() < 1e-5 * size, "{} + {} is not {}", a, b, both);
        }
    }

    #[test]
    fn any_code_and_switch_gives_numbers(
        codes in proptest::collection::vec(prop_oneof![Just(0), Just(1022), 0..=1022_u16], 26),
        switches in any::<[bool; 9]>(),
        capacitance in 0..=63_u8,
        pulse_scale in 0..=15_u8,
        (clock_scale, counter, holdoff) in
            (0..=15_u8, prop_oneof![0..=40_u8, any::<u8>()], 0..=15_u8),
        at_once in any::<bool>(),
        joined in any::<bool>(),
    ) {
        let mut chip = CHIPS[usize::from(at_once)].clone();
        for (cell, code) in Cell::ALL.into_iter().zip(&codes) {
            chip.capmem_mut().set_all(cell, CapMemCode::saturating((*code).into()));
        }
        chip.circuits_mut()[0] = CircuitConfig {
            capacitance,
            leak_scale: [LeakScale::Off, LeakScale::Eightfold][usize::from(switches[0])],
            threshold_enabled: switches[1],
            offset_current: [OffsetCurrent::Positive, OffsetCurrent::Negative]
                [usize::from(switches[2])],
            conductance_based: [switches[3], switches[4]],
            exponential: switches[5],
            adaptation: AdaptationConfig {
                enabled: switches[6],
                invert_a: switches[7],
                invert_b: switches[8],
                pulse_scale,
            },
            refractory: RefractoryCounter { clock_scale, counter, holdoff },
            ..CircuitConfig::default()
        };
        let neurons = [NeuronCircuits { membrane: 0, partner: joined.then_some(1) }];
        let sites = |row| vec![Site { circuit: 0, row }, Site { circuit: 1, row }];
        let sites = SiteTable::new(2, vec![sites(0), sites(1), vec![]]).unwrap();
        let mut row_modes = [RowMode::Excitatory; 512];
        row_modes[1] = RowMode::Inhibitory;
        let network = Network { neurons: &neurons, sites: &sites, row_modes: &row_modes };
        let lowered = chip.lower(&network, &Integration::default());
        let released = (31 - 2 * holdoff).max(1);
        prop_assert_eq!(lowered.is_ok(), counter > released);
        let Ok(mut core) = lowered else { return Ok(()) };
        core.write_weights(&[63; SYNAPSES]).unwrap();
        let times: Vec<f64> = (0..40).map(|i| 8e-7 * f64::from(i)).collect();
        let sources: Vec<u16> = (0..40).map(|i| i % 2).collect();
        let mut observation = Observation::default();
        core.run(
            RunAddress::default(),
            &times,
            &sources,
            |_, _| None,
            &mut Workspace::default(),
            &mut observation,
        );
        let byte = |c: &f32| (0.0..=255.0).contains(c) && c.fract() == 0.0;
        prop_assert!(observation.codes().iter().all(byte));
        let period = chip.circuits()[0].refractory.period().get();
        for pair in observation.spikes().windows(2) {
            prop_assert!(pair[1].time - pair[0].time >= period - 1e-10, "{:?} {}", pair, period);
        }
    }
}
