//! The MADC sees the membrane between the steps, and changes nothing.

use bss2_analog::{
    AnalogCore, AnalogError, CadcSpread, Grid, Integration, Madc, MismatchProfile, Network,
    NoiseProfile, Observation, RunAddress, SYNAPSES, VOLTS_PER_LSB, Workspace,
};
use bss2_event::random::{Address, Domain};
use bss2_event::{NeuronCircuits, RowMode, Seconds, Seed, Site, SiteTable};

const NEURONS: u16 = 80;
const INPUTS: u16 = 40;

/// 40 inputs onto 80 neurons of one circuit each; neuron n also reaches n + 1.
struct Setup {
    chip: AnalogCore,
    neurons: Vec<NeuronCircuits>,
    sites: SiteTable,
    weights: Vec<u8>,
}

impl Setup {
    fn new(profile: MismatchProfile, weights: Vec<u8>) -> Self {
        let neurons = (0..NEURONS).map(|n| NeuronCircuits {
            membrane: 5 * n,
            partner: None,
        });
        let per_source = (0..INPUTS + NEURONS).map(|source| {
            let targets = if source < INPUTS {
                0..NEURONS
            } else {
                source - INPUTS + 1..(source - INPUTS + 2).min(NEURONS)
            };
            let site = |n| Site {
                circuit: 5 * n,
                row: source,
            };
            targets.map(site).collect()
        });
        Self {
            chip: AnalogCore::new(profile, Seed(2)).unwrap(),
            neurons: neurons.collect(),
            sites: SiteTable::new(INPUTS.into(), per_source.collect()).unwrap(),
            weights,
        }
    }

    fn run(
        &self,
        integration: &Integration,
        times: &[f64],
        sources: &[u16],
    ) -> Result<Observation, AnalogError> {
        let row_modes: Vec<RowMode> = (0..512)
            .map(|r| match r % 5 {
                4 => RowMode::Inhibitory,
                _ => RowMode::Excitatory,
            })
            .collect();
        let network = Network {
            neurons: &self.neurons,
            sites: &self.sites,
            row_modes: &row_modes,
        };
        let mut core = self.chip.lower(&network, integration)?;
        core.write_weights(&self.weights)?;
        let mut observation = Observation::default();
        // Most events arrive in the step in which they are sent.
        let recurrence = |_: u16, time: f64| Some(time + 1e-7);
        let (address, mut workspace) = (RunAddress::default(), Workspace::default());
        core.run(
            address,
            times,
            sources,
            recurrence,
            &mut workspace,
            &mut observation,
        );
        Ok(observation)
    }
}

fn drawn_weights() -> Vec<u8> {
    let draw = Address::new(Seed(2), Domain::Test);
    (0..SYNAPSES as u32)
        .map(|i| (draw.element(i).words(0)[0] % 40) as u8)
        .collect()
}

fn events() -> (Vec<f64>, Vec<u16>) {
    let draw = Address::new(Seed(2), Domain::Test).sample(1);
    let mut times: Vec<f64> = (0..60)
        .map(|i| 25e-6 * draw.element(i).uniform(0))
        .collect();
    times.sort_by(f64::total_cmp);
    (times, (0..60).map(|i| i * 7 % INPUTS).collect())
}

fn with(madc: Madc) -> Integration {
    Integration {
        madc: Some(madc),
        ..Integration::default()
    }
}

#[test]
fn it_follows_the_exact_response_to_one_event() {
    let setup = Setup::new(MismatchProfile::ideal(), vec![63; SYNAPSES]);
    let madc = Madc {
        neuron: 70,
        ..Madc::default()
    };
    assert!((1e-6 / madc.period().get() - 41.67).abs() < 0.01);
    let (event, tau) = (3.3217e-6, 6.0);
    let codes = setup.run(&with(madc), &[event], &[0]).unwrap();
    // The absolute strength of docs/model.md, with tau_mem = tau_syn.
    let slew = 63.0 / 240.0 * 70.0 * VOLTS_PER_LSB * (1.7_f64 / tau).exp() / 1.7;
    let mut peak = 0.0_f64;
    for (k, &code) in codes.madc().iter().enumerate() {
        let t = (madc.time(k) - Seconds::new(event)).as_micro().max(0.0);
        let exact = 80.0 * VOLTS_PER_LSB + slew * t * (-t / tau).exp();
        peak = peak.max(exact);
        let error = Madc::volts(code).get() - exact;
        // Rounding is half a code, 1 mV; steps take their events together, which
        // displaces a response by up to 15 ns.
        assert!(
            error.abs() < 1e-3 + 0.015 * slew,
            "{t} us: {error} V off {exact} V"
        );
    }
    assert_eq!(codes.madc().len(), 833);
    assert!(peak - 80.0 * VOLTS_PER_LSB > 0.1, "there is a response");
}

#[test]
fn it_agrees_with_the_cadc_at_common_times_and_changes_nothing_else() {
    let cube = MismatchProfile::cube66();
    let profile = MismatchProfile {
        cadc: CadcSpread {
            offset: 0.0,
            channel_gain: 0.0,
            quadrant_gain: 0.0,
            noise: 0.0,
            bend: 0.0,
            conversion: Seconds::new(0.0),
            quantise: false,
        },
        noise: NoiseProfile {
            cadc_start: Seconds::new(0.0),
            cadc_skew: Seconds::new(0.0),
            madc: 0.0,
            ..cube.noise
        },
        ..cube
    };
    let setup = Setup::new(profile, drawn_weights());
    let (times, sources) = events();
    let plain = setup
        .run(&Integration::default(), &times, &sources)
        .unwrap();
    assert!(plain.madc().is_empty() && plain.spikes().len() > 50);
    let (mut compared, mut after_spikes) = (0, 0);
    for neuron in (0..NEURONS - 1).step_by(7) {
        // 17 cycles are 34 ns: every 50th sample is one of the CADC. Two neurons
        // take turns, so that each has every hundredth.
        let madc = Madc {
            neuron,
            second: Some(neuron + 1),
            extra_cycles: 5,
            samples: 950,
            ..Madc::default()
        };
        let watched = setup.run(&with(madc), &times, &sources).unwrap();
        assert_eq!(watched.codes(), plain.codes());
        assert_eq!(watched.spikes(), plain.spikes());
        let spikes: Vec<f64> = plain
            .spikes()
            .iter()
            .filter(|s| s.neuron == neuron)
            .map(|s| s.time - 20e-9)
            .collect();
        for sample in (0..19).step_by(2) {
            let at = madc.time(50 * sample).get();
            if spikes.iter().any(|t| (t - at).abs() < 5e-9) {
                continue;
            }
            let cadc = f64::from(plain.codes_at(sample)[usize::from(neuron)]) * VOLTS_PER_LSB;
            let found = Madc::volts(watched.madc()[50 * sample]).get();
            assert!(
                (found - cadc).abs() < 1.5e-3,
                "{neuron} {sample}: {found} {cadc}"
            );
            compared += 1;
        }
        // The first sample after a spike shows the reset, those after it, too.
        for time in spikes {
            let first = (time / (2.0 * madc.period().get())).ceil() as usize * 2;
            if let Some(pair) = watched.madc().get(first..first + 11) {
                assert!(
                    pair.iter().step_by(2).all(|&code| code == pair[0]),
                    "{pair:?}"
                );
                after_spikes += 1;
            }
        }
    }
    assert!(
        compared > 80 && after_spikes > 5,
        "{compared} {after_spikes}"
    );
}

#[test]
fn its_noise_has_the_stated_spread() {
    let ideal = MismatchProfile::ideal();
    let profile = MismatchProfile {
        noise: NoiseProfile {
            madc: 1.5,
            ..ideal.noise
        },
        ..ideal
    };
    let setup = Setup::new(profile, vec![0; SYNAPSES]);
    let madc = Madc {
        samples: 4000,
        ..Madc::default()
    };
    // The run lasts as long as its window, beyond the last CADC sample.
    let codes = setup.run(&with(madc), &[], &[]).unwrap();
    let codes: Vec<f64> = codes.madc().iter().map(|&c| f64::from(c)).collect();
    let mean = codes.iter().sum::<f64>() / 4000.0;
    let variance = codes.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / 4000.0;
    assert!((mean - 80.0 * VOLTS_PER_LSB / 2e-3).abs() < 0.15, "{mean}");
    // Rounding adds a twelfth.
    let expected = (1.5_f64.powi(2) + 1.0 / 12.0).sqrt();
    assert!((variance.sqrt() - expected).abs() < 0.08, "{variance}");
}

#[test]
fn what_it_cannot_record_is_refused() {
    let setup = Setup::new(MismatchProfile::ideal(), vec![0; SYNAPSES]);
    let message =
        |integration: Integration| setup.run(&integration, &[], &[]).unwrap_err().to_string();
    let madc = Madc::default();
    assert_eq!(
        message(with(Madc { neuron: 80, ..madc })),
        "madc.neuron is 80, allowed are 0 to 79"
    );
    assert_eq!(
        message(with(Madc { samples: 0, ..madc })),
        "madc.samples is 0, allowed are 1 to 1000000"
    );
    assert_eq!(
        message(with(Madc {
            extra_cycles: 8,
            ..madc
        })),
        "madc.extra_cycles is 8, allowed are 0 to 7"
    );
    assert_eq!(
        message(with(Madc {
            neuron: 0,
            second: Some(2),
            ..madc
        })),
        "the MADC cannot record circuits 0 and 10 in turn: it has one line for even and one for \
         odd circuits"
    );
    let snapped = Integration {
        grid: Grid::Snapped,
        ..with(madc)
    };
    assert!(message(snapped).starts_with("the MADC records between steps"));
    let short = Integration {
        duration: Some(Seconds::micro(10.0)),
        schedule: bss2_analog::CadcSchedule {
            samples: 2,
            ..bss2_analog::CadcSchedule::default()
        },
        ..with(madc)
    };
    assert_eq!(
        message(short),
        "end of madc.samples is 19.992 us, allowed are 0 us to 10 us"
    );
}
