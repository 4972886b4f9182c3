//! Leaky neurons have closed forms; both kernels meet them to 0.1 % on the default grids of
//! experiments and calibrations: one and two steps per sample.

use super::{LEAKY, Setting, VAIN};
use crate::Start;
use crate::neuron::lif::{LaneParameters, response};
use crate::neuron::terms::Terms;

/// The same neuron on both kernels.
fn both(p: LaneParameters) -> [LaneParameters; 2] {
    [Terms::NONE, VAIN].map(|terms| LaneParameters { terms, ..p })
}

/// Spikes per microsecond of a neuron that is pulled to `v_rest`.
fn rate(p: &LaneParameters) -> f64 {
    let rise = (p.v_rest - p.v_reset) / (p.v_rest - p.v_threshold);
    1.0 / (p.refractory + p.tau_mem * rise.ln())
}

#[test]
fn firing_rates_under_constant_current_are_exact() {
    for v_rest in [0.71, 0.75, 0.9, 1.5, 4.0] {
        for (tau_mem, refractory) in [(6.0, 2.0), (3.0, 0.04), (20.0, 8.0)] {
            let p = LaneParameters {
                v_rest,
                tau_mem,
                refractory,
                v_reset: 0.3,
                ..LEAKY
            };
            for p in both(p) {
                // Leak over threshold: it fires without any input, and from rest.
                let held = Setting::new(vec![], 0.0).start;
                for (start, steps_per_sample) in [(held, 1), (held, 2), (Start::Rest, 1)] {
                    let setting = Setting {
                        start,
                        steps_per_sample,
                        ..Setting::new(vec![p], 2000.0)
                    };
                    let spikes = &setting.run().0[0];
                    let (first, last) = (spikes[0], spikes[spikes.len() - 1]);
                    let found = (spikes.len() - 1) as f64 / (last - first);
                    let error = found / rate(&p) - 1.0;
                    assert!(error.abs() < 1e-3, "{p:?}: {error}");
                }
            }
        }
    }
}

#[test]
fn refractory_periods_are_met_at_the_end_of_the_longest_run() {
    let p = LaneParameters {
        v_rest: 4.0,
        refractory: 8.2,
        ..LEAKY
    };
    let setting = Setting::new(both(p).to_vec(), 65_530.0);
    for (p, spikes) in both(p).iter().zip(setting.run().0) {
        assert!(spikes.len() > 7000 && spikes[spikes.len() - 1] > 65_500.0);
        let (early, late) = (&spikes[..200], &spikes[spikes.len() - 200..]);
        for pair in early.windows(2).chain(late.windows(2)) {
            let error = pair[1] - pair[0] - 1.0 / rate(p);
            assert!(error.abs() < 0.01, "{pair:?}: {error} us");
        }
    }
}

#[test]
fn responses_are_differences_of_exponentials() {
    let taus = [
        (6.0, 6.0),
        (10.0, 3.0),
        (4.0, 12.0),
        (10.0, 4.3),
        (4.3, 12.0),
    ];
    for (tau_mem, tau_syn) in taus {
        let p = LaneParameters {
            tau_mem,
            tau_syn: [tau_syn; 4],
            v_threshold: f64::INFINITY,
            ..LEAKY
        };
        // Samples at beginnings of steps, and between them; from rest at their ends.
        let held = Setting::new(vec![], 0.0).start;
        let grids = [
            (held, 1, 0.0),
            (held, 1, 0.37),
            (held, 2, 0.0),
            (held, 2, 0.37),
            (Start::Rest, 1, 0.37),
            (Start::Rest, 2, 0.37),
        ];
        let settings = both(p)
            .into_iter()
            .flat_map(|p| grids.map(|grid| (p, grid)));
        for (p, (start, steps_per_sample, first_sample)) in settings {
            // At a step's end its events count by where they lie in it, see
            // `Integration::refined`.
            let refined = steps_per_sample as f64 * f64::min(tau_mem, tau_syn) > 2.5 * 1.7;
            if start == Start::Rest && !refined {
                continue;
            }
            let setting = Setting {
                start,
                slew: 0.02,
                events: vec![(4.321, 1.0)],
                first_sample,
                steps_per_sample,
                ..Setting::new(vec![p], 60.0)
            };
            let peak = 0.02
                * (0..6000)
                    .map(|i| response(0.01 * f64::from(i), tau_syn, tau_mem))
                    .fold(0.0, f64::max);
            for (sample, v) in setting.run().1.iter().enumerate() {
                let since = first_sample + 1.7 * sample as f64 - 4.321;
                let exact = if since > 0.0 {
                    0.02 * response(since, tau_syn, tau_mem)
                } else {
                    0.0
                };
                let error = (f64::from(v[0]) - 0.4 - exact) / peak;
                assert!(error.abs() < 1e-3, "{tau_mem} {tau_syn} {sample}: {error}");
            }
        }
    }
}
