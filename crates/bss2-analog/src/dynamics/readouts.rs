//! Neurons without comparator, and what is read of some neurons alone.

use super::*;

const READOUT: LaneParameters = LaneParameters {
    v_threshold: f64::INFINITY,
    ..LEAKY
};

/// Events that make neurons fire, several of them in a step.
fn lively(neurons: Vec<LaneParameters>) -> Setting {
    Setting {
        slew: 0.05,
        events: (0..40)
            .map(|i| {
                let weight = if i % 7 == 6 { -0.6 } else { 1.0 };
                (0.9 * f64::from(i) + 0.07, weight)
            })
            .collect(),
        steps_per_sample: 1,
        first_sample: 0.4,
        ..Setting::new(neurons, 40.0)
    }
}

/// Neurons that fire one after the other, with different thresholds.
fn firing(count: usize) -> impl Iterator<Item = LaneParameters> {
    (0..count).map(|i| LaneParameters {
        v_threshold: 0.6 + 0.01 * i as f64,
        ..LEAKY
    })
}

#[test]
fn readouts_hear_the_events_of_a_step_as_they_hear_inputs() {
    for conversion in [0.0, 1.5] {
        let neurons = firing(5).chain([READOUT; 3]).collect();
        let chained = Setting {
            recurrent: vec![0.5, -0.3, 0.2, 0.4, -0.2],
            recurrent_from: 5,
            conversion,
            ..lively(neurons)
        };
        let (spikes, traces) = chained.run();
        // Two events of one step at least.
        let times: Vec<f64> = spikes.iter().flatten().copied().collect();
        let step = |time: f64| (time / 1.7) as u32;
        let fellows = |&time: &f64| times.iter().filter(|&&t| step(t) == step(time)).count();
        assert!(times.iter().map(fellows).max() > Some(1));

        let mut alone = Setting {
            conversion,
            ..lively(vec![READOUT; 3])
        };
        for (of_neuron, &weight) in spikes.iter().zip(&chained.recurrent) {
            let events = of_neuron.iter().map(|time| (time + chained.delay, weight));
            alone.events.extend(events);
        }
        alone.events.sort_by(|a, b| a.0.total_cmp(&b.0));
        let expected = alone.run().1;
        // Spikes are those until the end of the setting.
        let samples = ((chained.duration - chained.first_sample - conversion) / 1.7) as usize;
        for (trace, expected) in traces.iter().zip(&expected).take(samples) {
            for (a, b) in trace[5..].iter().zip(expected) {
                assert!((a - b).abs() < 2e-6, "{a} {b}, conversion {conversion}");
            }
        }
    }
}

#[test]
fn what_is_read_does_not_depend_on_where_reading_begins() {
    for (terms, conversion) in [
        (Terms::NONE, 0.0),
        (VAIN, 0.0),
        (Terms::NONE, 1.5),
        (VAIN, 1.5),
    ] {
        let neurons = firing(60).chain([READOUT; 41]);
        let neurons = neurons.map(|neuron| LaneParameters { terms, ..neuron });
        let mut setting = lively(neurons.collect());
        setting.conversion = conversion;
        let core = setting.lower();
        let mut all = Observation::default();
        setting.observe(&core, &mut all);
        assert!(all.spikes().len() > 60);
        let mut some = Observation::default();
        for from in [0, 1, 37, 64, 97, 100, 101, 200] {
            some.read_from(from);
            setting.observe(&core, &mut some);
            assert_eq!(some.spikes(), all.spikes());
            let rows = some.codes().chunks(101).zip(all.codes().chunks(101));
            for (some, all) in rows {
                assert_eq!(some[from.min(101)..], all[from.min(101)..], "from {from}");
            }
        }
    }
}

#[test]
fn neurons_of_both_halves_are_read_each_when_its_half_samples() {
    for (terms, conversion) in [
        (Terms::NONE, 0.0),
        (VAIN, 0.0),
        (Terms::NONE, 1.5),
        (VAIN, 1.5),
    ] {
        // On halves as `half` says, two blocks of them.
        let run = |half: &dyn Fn(usize) -> u8| {
            let neurons = firing(60).chain([READOUT; 20]).enumerate();
            let neurons = neurons.map(|(i, neuron)| LaneParameters {
                terms,
                half: half(i),
                ..neuron
            });
            Setting {
                conversion,
                skew: 0.9,
                ..lively(neurons.collect())
            }
            .run()
        };
        let (spikes, mixed) = run(&|i| (i % 3 == 1).into());
        let (first, second) = (run(&|_| 0), run(&|_| 1));
        assert_eq!(spikes, first.0);
        assert_eq!(spikes, second.0);
        let mut differ = 0;
        for ((mixed, first), second) in mixed.iter().zip(&first.1).zip(&second.1) {
            for (i, v) in mixed.iter().enumerate() {
                let own = if i % 3 == 1 { second } else { first };
                assert_eq!(*v, own[i], "neuron {i}, conversion {conversion}");
                differ += usize::from(first[i] != second[i]);
            }
        }
        assert!(
            differ > 1000,
            "{differ}: the halves sample at the same times"
        );
    }
}

/// What is sent later than it was fired acts later, whichever spikes come in between.
#[test]
fn events_that_jitter_past_each_other_act_when_they_arrive() {
    let neurons: Vec<_> = firing(40).collect();
    let setting = Setting {
        recurrent: vec![0.02; 40],
        jitter: 0.3,
        ..lively(neurons)
    };
    let core = setting.lower();
    let mut observation = Observation::default();
    setting.observe(&core, &mut observation);
    let spikes = observation.spikes();
    assert!(spikes.len() > 80, "{}", spikes.len());
    assert!(spikes.is_sorted_by(|a, b| a.time <= b.time));
    let mut again = Observation::default();
    setting.observe(&core, &mut again);
    assert_eq!(spikes, again.spikes());
    // No neuron is sent within its refractory period, but for the jitter of both.
    for neuron in 0..40 {
        let mine: Vec<f64> = spikes
            .iter()
            .filter(|spike| spike.neuron == neuron)
            .map(|spike| 1e6 * spike.time)
            .collect();
        assert!(mine.windows(2).all(|pair| pair[1] - pair[0] > 2.0 - 1.7));
    }
}

/// The grid begins up to a step before a run and ends up to a step after it.
#[test]
fn only_what_fires_within_a_run_is_told() {
    let restless = |i: u32| LaneParameters {
        v_rest: 0.9 + 0.01 * f64::from(i),
        ..LEAKY
    };
    for first_sample in [0.0, 0.05, 0.4, 1.6] {
        let setting = Setting {
            first_sample,
            start: Start::Rest,
            ..Setting::new((0..64).map(restless).collect(), 40.0)
        };
        let mut observation = Observation::default();
        setting.observe(&setting.lower(), &mut observation);
        let times = observation.spikes().iter().map(|spike| 1e6 * spike.time);
        let times: Vec<f64> = times.collect();
        let integration = setting.lower().common.integration;
        let last_sample = first_sample + 1.7 * (integration.schedule.samples - 1) as f64;
        let end = integration.step_us() * integration.steps(last_sample) as f64;
        let (first, last) = (times[0], times[times.len() - 1]);
        assert!((0.0..0.5).contains(&first), "{first_sample}: {first}");
        assert!((end - 0.5..=end).contains(&last), "{first_sample}: {last}");
    }
}
