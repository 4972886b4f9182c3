//! The cochlea against arrays of the published encoder.

use bss2_encode::{Cochlea, CochleaConfig, SpikeTrain, Track};
use bss2_event::Seed;

use super::Arrays;

/// A recording of the reference with what the reference makes of it.
struct Reference {
    arrays: Arrays,
    track: Track,
    config: CochleaConfig,
}

fn references() -> Vec<Reference> {
    let names = ["cochlea_3_jackson_0", "cochlea_7_nicolas_5"];
    let open = |name: &str| {
        let mut arrays = Arrays::open(name)?;
        let track = Track {
            name: name.into(),
            rate: arrays.get::<i64>("input_rate")[0] as u32,
            samples: arrays.get("input_samples"),
        };
        let config = CochleaConfig {
            channels: arrays.get::<i64>("num_channels")[0] as usize,
            exact_length: true,
            ..Default::default()
        };
        Some(Reference {
            arrays,
            track,
            config,
        })
    };
    names.into_iter().filter_map(open).collect()
}

impl Reference {
    fn cochlea(&self) -> Cochlea {
        Cochlea::new(&self.config, self.track.rate).unwrap()
    }
}

fn largest(values: impl IntoIterator<Item = f64>) -> f64 {
    values.into_iter().map(f64::abs).fold(0.0, f64::max)
}

/// Of the channel's largest value, as the reference asks. At 4,000 steps per
/// second its step of the cleft is unstable: c grows by 1 - (l + r) dt = -1.27
/// from step to step, until it is cut off at zero. It enlarges errors of the
/// velocity some 10,000 times, so that they must not be much more than rounding.
const VELOCITY: f64 = 1e-13;
const FIRING: f64 = 1e-9;

/// One number of all values of a channel.
type Statistic<'a> = &'a dyn Fn(&[f64]) -> f64;

#[test]
fn velocities_and_firing_probabilities_agree() {
    for mut reference in references() {
        let trace = reference.cochlea().trace(&reference.track).unwrap();
        let arrays = &mut reference.arrays;
        assert_eq!(trace.steps as i64, arrays.get::<i64>("output_samples")[0]);
        let channels = arrays.get::<i64>("channel_index");
        for (name, found, tolerance) in [
            ("velocity", &trace.velocity, VELOCITY),
            ("firing_probability", &trace.firing_probability, FIRING),
        ] {
            let wanted = arrays.get::<f64>(name);
            for (&channel, wanted) in channels.iter().zip(wanted.chunks(trace.steps)) {
                let found = &found[channel as usize * trace.steps..][..trace.steps];
                let error = largest(found.iter().zip(wanted).map(|(a, b)| a - b));
                let scale = largest(wanted.iter().copied());
                println!("{name} {channel}: {:e}", error / scale);
                assert!(error < tolerance * scale, "{name} {channel}: {error:e}");
            }
        }
        // Every channel, by what is known of it.
        let steps = trace.steps as f64;
        let rms = |c: &[f64]| (c.iter().map(|v| v * v).sum::<f64>() / steps).sqrt();
        let mean = |c: &[f64]| c.iter().sum::<f64>() / steps;
        let max = |c: &[f64]| largest(c.iter().copied());
        let (velocity, firing) = (&trace.velocity, &trace.firing_probability);
        let statistics: [(&str, _, Statistic<'_>); 4] = [
            ("velocity_rms_all", velocity, &rms),
            ("velocity_absmax_all", velocity, &max),
            ("firing_probability_mean_all", firing, &mean),
            ("firing_probability_max_all", firing, &max),
        ];
        for (name, values, statistic) in statistics {
            let wanted = arrays.get::<f64>(name);
            let channels = values.chunks(trace.steps).zip(wanted);
            for (channel, (found, wanted)) in channels.enumerate() {
                let error = (statistic(found) - wanted).abs() / wanted;
                let firing = name.starts_with("firing");
                let tolerance = if firing { FIRING } else { VELOCITY };
                assert!(error < tolerance, "{name} {channel}: {error:e}");
            }
        }
    }
}

/// Means of `n` and `m` runs differ by less than four standard errors, with a
/// floor where hardly anything varies.
fn agree(what: &str, found: f64, wanted: f64, sd: f64, n: f64, m: f64) {
    let allowed = (4.0 * sd * (1.0 / n + 1.0 / m).sqrt()).max(1.0);
    assert!(
        (found - wanted).abs() <= allowed,
        "{what}: {found} for {wanted} +- {allowed}"
    );
}

#[test]
fn spikes_agree_in_distribution() {
    const RUNS: u64 = 40;
    for mut reference in references() {
        let cochlea = reference.cochlea();
        let runs: Vec<SpikeTrain> = (0..RUNS)
            .map(|run| cochlea.encode(&reference.track, Seed(7), run).unwrap())
            .collect();
        let arrays = &mut reference.arrays;
        let repeats = arrays.get::<i64>("repeats")[0] as f64;
        let n = RUNS as f64;
        let count = |matches: &dyn Fn(u32, u16) -> bool| -> Vec<f64> {
            let spikes = |run: &SpikeTrain| {
                let chosen = run.spikes.iter().filter(|s| matches(s.step, s.channel));
                chosen.count() as f64
            };
            runs.iter().map(spikes).collect()
        };
        let mean = |counts: &[f64]| counts.iter().sum::<f64>() / n;
        let sd = |counts: &[f64]| {
            let mean = mean(counts);
            (counts.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt()
        };

        let wanted = arrays.get::<f64>("spike_count_mean");
        let spread = arrays.get::<f64>("spike_count_sd");
        let mut ratios = 0.0;
        for (channel, (&wanted, &spread)) in wanted.iter().zip(&spread).enumerate() {
            let counts = count(&|_, c| usize::from(c) == channel);
            agree("channel", mean(&counts), wanted, spread, n, repeats);
            ratios += sd(&counts) / spread / reference.config.channels as f64;
        }
        // One standard deviation of twenty runs is good to 16 %, the mean
        // ratio over 70 channels to about 2.5 %.
        assert!((ratios - 1.0).abs() < 0.1, "spread: {ratios}");

        let total = count(&|_, _| true);
        let wanted = arrays.get::<f64>("spike_total_mean")[0];
        let spread = arrays.get::<f64>("spike_total_sd")[0];
        println!(
            "total {} for {wanted} +- {spread}, spread {ratios}",
            mean(&total)
        );
        agree("total", mean(&total), wanted, spread, n, repeats);

        let wanted = arrays.get::<f64>("psth_mean");
        let spread = arrays.get::<f64>("psth_sd");
        let bin = arrays.get::<f64>("psth_bin")[0];
        let steps = (bin * f64::from(cochlea.output_rate())).round() as u32;
        for (bin, (&wanted, &spread)) in wanted.iter().zip(&spread).enumerate() {
            let counts = count(&|step, _| (step / steps) as usize == bin);
            agree("bin", mean(&counts), wanted, spread, n, repeats);
        }
    }
}

/// Zeros added for speed change the frequencies by parts of a hertz.
#[test]
fn lengths_for_speed_change_little() {
    for reference in references() {
        let exact = reference
            .cochlea()
            .encode(&reference.track, Seed(1), 0)
            .unwrap();
        let config = CochleaConfig {
            exact_length: false,
            ..reference.config
        };
        let cochlea = Cochlea::new(&config, reference.track.rate).unwrap();
        let fast = cochlea.encode(&reference.track, Seed(1), 0).unwrap();
        assert_eq!(fast.steps, exact.steps);
        let (a, b) = (exact.spikes.len() as f64, fast.spikes.len() as f64);
        assert!((a / b - 1.0).abs() < 0.01, "{a} and {b} spikes");
    }
}
