//! The firing patterns that the exponential and adaptation terms make, against
//! the reference.

use super::{LEAKY, Setting};
use crate::Start;
use crate::neuron::lif::LaneParameters;
use crate::neuron::terms::{Adaptation, Exponential, Terms};

/// A neuron of 10 us at rest at 0.4 V.
fn neuron(v_reset: f64, tau_w: f64, a: f64, b: f64) -> LaneParameters {
    LaneParameters {
        tau_mem: 10.0,
        v_reset,
        // An event opens a current for good.
        tau_syn: [1e9; 4],
        refractory: 1.0,
        terms: Terms {
            exponential: Some(Exponential {
                tau: 10.0,
                slope: 0.03,
                threshold: 0.5,
            }),
            adaptation: Some(Adaptation {
                tau: tau_w,
                a,
                b,
                leak: 0.4,
                range: (-0.1, 0.1),
            }),
            ..Terms::NONE
        },
        ..LEAKY
    }
}

/// Delay and intervals of the spikes under a current that would lift the membrane
/// by `lift` volts, after comparing them with the reference.
fn pattern(name: &str, lift: f64, p: LaneParameters) -> (f64, Vec<f64>) {
    let setting = Setting {
        slew: lift / p.tau_mem,
        events: vec![(10.0, 1.0)],
        start: Start::Rest,
        ..Setting::new(vec![p], 400.0)
    };
    let found = &setting.run().0[0];
    let reference = setting.reference(&p, &setting.events);
    assert_eq!(found.len(), reference.len(), "{name}");
    for (spike, (a, b)) in found.iter().zip(&reference).enumerate() {
        // Errors add up over the intervals.
        let allowed = 0.02 * (spike + 2) as f64;
        assert!((a - b).abs() < allowed, "{name}: {a} for {b} us");
    }
    let intervals = found.windows(2).map(|pair| pair[1] - pair[0]).collect();
    (found[0] - 10.0, intervals)
}

#[test]
fn firing_patterns_are_those_of_the_reference() {
    let (_, tonic) = pattern("tonic", 0.2, neuron(0.4, 50.0, 0.0, 0.0));
    assert!(tonic.len() > 10);
    assert!(tonic.iter().all(|i| (i / tonic[0] - 1.0).abs() < 1e-2));

    let (_, adapting) = pattern("adapting", 0.25, neuron(0.4, 100.0, 0.0, 0.003));
    assert!(adapting.len() > 5);
    assert!(adapting.windows(2).all(|i| i[1] > 0.99 * i[0]));
    assert!(adapting[adapting.len() - 1] > 1.5 * adapting[0]);

    // A few spikes in quick succession, then evenly slow.
    let (_, burst) = pattern("initial burst", 0.25, neuron(0.48, 60.0, 0.0, 0.01));
    let slow = burst[burst.len() - 1];
    assert!(burst[0] < 0.4 * slow, "{burst:?}");
    assert!(
        burst[4..].iter().all(|i| (i / slow - 1.0).abs() < 0.1),
        "{burst:?}"
    );

    // Bursts again and again.
    let (_, bursting) = pattern("regular bursting", 0.25, neuron(0.55, 60.0, 0.0, 0.012));
    let longest = bursting.iter().copied().fold(0.0, f64::max);
    let late = &bursting[bursting.len() / 2..];
    assert!(
        late.iter().filter(|&&i| i > 0.7 * longest).count() >= 2,
        "{bursting:?}"
    );
    assert!(
        late.iter().filter(|&&i| i < 0.4 * longest).count() >= 2,
        "{bursting:?}"
    );

    // Flipped: the membrane pulls itself up over a long time.
    let (first, delayed) = pattern("delayed", 0.055, neuron(0.4, 60.0, -0.06, 0.0));
    assert!(
        first > 2.5 * delayed[delayed.len() - 1],
        "{first} {delayed:?}"
    );

    // It fires at once, and never again.
    let (first, transient) = pattern("transient", 0.2, neuron(0.4, 60.0, 0.2, 0.01));
    assert!(
        first < 20.0 && transient.len() <= 2,
        "{first} {transient:?}"
    );
}
