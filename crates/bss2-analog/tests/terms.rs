//! Terms beside leak and current-based inputs, set as a user of the chip sets them.

use bss2_analog::{
    AnalogCore, AnalogError, Cell, CircuitConfig, Grid, Integration, LoweredCore, MismatchProfile,
    Network, Observation, OffsetCurrent, RunAddress, SYNAPSES, Workspace,
};
use bss2_event::{CapMemCode, NeuronCircuits, RowMode, Seconds, Seed, Site, SiteTable};

const NEURONS: u16 = 8;

/// Neurons of one circuit that one input reaches.
fn lower(core: &AnalogCore, joined: bool, grid: Grid) -> Result<LoweredCore, AnalogError> {
    let neurons: Vec<_> = (0..NEURONS)
        .map(|n| NeuronCircuits {
            membrane: 2 * n,
            partner: joined.then_some(2 * n + 1),
        })
        .collect();
    let sites = (0..NEURONS).map(|n| Site {
        circuit: 2 * n,
        row: 0,
    });
    let mut per_source = vec![sites.collect()];
    per_source.resize(1 + usize::from(NEURONS), vec![]);
    let sites = SiteTable::new(1, per_source).unwrap();
    let network = Network {
        neurons: &neurons,
        sites: &sites,
        row_modes: &[RowMode::Excitatory; 512],
    };
    let mut integration = Integration {
        grid,
        ..Integration::default()
    };
    integration.schedule.samples = 120;
    let mut lowered = core.lower(&network, &integration)?;
    lowered.write_weights(&[63; SYNAPSES])?;
    Ok(lowered)
}

fn run(core: &AnalogCore, times: &[f64]) -> Observation {
    let mut observation = Observation::default();
    lower(core, false, Grid::Exact).unwrap().run(
        RunAddress::default(),
        times,
        &vec![0; times.len()],
        |_, _| None,
        &mut Workspace::default(),
        &mut observation,
    );
    observation
}

fn spikes(core: &AnalogCore, neuron: u16) -> Vec<f64> {
    let observation = run(core, &[]);
    let spikes = observation.spikes().iter();
    spikes
        .filter(|s| s.neuron == neuron)
        .map(|s| s.time)
        .collect()
}

/// A constant current lets all neurons fire.
fn firing() -> AnalogCore {
    let mut core = AnalogCore::new(MismatchProfile::ideal(), Seed(1)).unwrap();
    core.capmem_mut()
        .set_all(Cell::IMemOffset, CapMemCode::new(250).unwrap());
    for circuit in core.circuits_mut() {
        circuit.offset_current = OffsetCurrent::Positive;
    }
    core
}

#[test]
fn each_neuron_has_its_own_terms() {
    let plain = firing();
    let mut mixed = firing();
    mixed.circuits_mut()[2].adaptation.enabled = true;
    mixed
        .capmem_mut()
        .set(Cell::IBiasAdaptA, 2, CapMemCode::new(20).unwrap());
    mixed.circuits_mut()[4].exponential = true;
    let (leaky, adapting, explosive) = (spikes(&mixed, 0), spikes(&mixed, 1), spikes(&mixed, 2));
    assert!(leaky.len() > 10, "{}", leaky.len());
    // The neuron without further terms does what it does without such company.
    let alone = spikes(&plain, 0);
    assert_eq!(leaky.len(), alone.len());
    let worst = leaky.iter().zip(&alone).map(|(a, b)| (a - b).abs());
    assert!(worst.fold(0.0, f64::max) < 0.1e-6);
    let interval = |spikes: &[f64], n: usize| spikes[n + 1] - spikes[n];
    assert!(adapting.len() > 3 && 3 * adapting.len() < 2 * leaky.len());
    assert!(interval(&adapting, adapting.len() - 2) > 1.2 * interval(&adapting, 0));
    assert!(interval(&explosive, 3) < 0.95 * interval(&leaky, 3));
}

#[test]
fn flipped_adaptation_speeds_up() {
    let mut core = firing();
    core.circuits_mut()[2].adaptation.enabled = true;
    core.circuits_mut()[2].adaptation.invert_a = true;
    core.circuits_mut()[2].adaptation.invert_b = true;
    core.capmem_mut()
        .set(Cell::IBiasAdaptA, 2, CapMemCode::new(50).unwrap());
    assert!(spikes(&core, 1).len() > spikes(&core, 0).len() + 2);
}

#[test]
fn conductances_pull_to_their_reversal_potential() {
    let mut core = AnalogCore::new(MismatchProfile::ideal(), Seed(1)).unwrap();
    for circuit in core.circuits_mut() {
        circuit.threshold_enabled = false;
    }
    core.circuits_mut()[2].conductance_based[0] = true;
    core.circuits_mut()[4].conductance_based[0] = true;
    // CADC 100: 240 codes below the nominal 200.
    let low = Cell::ESyninExcRev.nominal() - 240;
    core.capmem_mut()
        .set(Cell::ESyninExcRev, 4, CapMemCode::new(low.into()).unwrap());
    let times: Vec<f64> = (0..400).map(|i| 0.25e-6 * f64::from(i)).collect();
    let observation = run(&core, &times);
    let highest = |n: usize| {
        let codes = (0..120).map(|sample| observation.codes_at(sample)[n]);
        codes.fold(0.0, f32::max)
    };
    assert!(
        highest(0) > 230.0,
        "a current knows no limit: {}",
        highest(0)
    );
    assert!((170.0..=200.0).contains(&highest(1)), "{}", highest(1));
    assert!((95.0..=100.0).contains(&highest(2)), "{}", highest(2));
    // At the nominal distance both kinds have the same current.
    let single = run(&core, &[3.0e-6]);
    let peak = |n: usize| {
        let codes = (0..120).map(|sample| single.codes_at(sample)[n]);
        codes.fold(0.0, f32::max) - 80.0
    };
    // (200 - 80) / 70 of the current-based one, less as the membrane rises.
    let ratio = peak(1) / peak(0);
    assert!((1.2..120.0 / 70.0).contains(&ratio), "{ratio}");
}

#[test]
fn a_saturating_leak_lets_go() {
    let relaxed = |profile: MismatchProfile| {
        let mut core = AnalogCore::new(profile, Seed(1)).unwrap();
        // From a reset far above.
        let high = CapMemCode::new(1000).unwrap();
        core.capmem_mut().set_all(Cell::VReset, high);
        for circuit in core.circuits_mut() {
            circuit.threshold_enabled = false;
        }
        let mut lowered = lower(&core, false, Grid::Exact).unwrap();
        lowered.set_start(bss2_analog::Start::Held {
            until: Seconds::new(0.0),
        });
        let mut observation = Observation::default();
        lowered.run(
            RunAddress::default(),
            &[],
            &[],
            |_, _| None,
            &mut Workspace::default(),
            &mut observation,
        );
        observation.codes_at(3)[0]
    };
    let linear = relaxed(MismatchProfile::ideal());
    let saturating = relaxed(MismatchProfile {
        leak_saturation: bss2_event::Volts::new(0.3),
        ..MismatchProfile::ideal()
    });
    assert!(saturating > linear + 10.0, "{saturating} {linear}");
}

#[test]
fn what_the_chip_cannot_do_is_refused() {
    let core = || AnalogCore::new(MismatchProfile::cube66(), Seed(1)).unwrap();
    let mut partner = core();
    partner.circuits_mut()[3].exponential = true;
    let error = lower(&partner, true, Grid::Exact).unwrap_err();
    assert_eq!(error, AnalogError::PartnerTerms { circuit: 3 });
    // Alone it may, but not on the learner's grid.
    let mut first = core();
    first.circuits_mut()[2].conductance_based = [true, false];
    assert!(lower(&first, true, Grid::Exact).is_ok());
    let error = lower(&first, true, Grid::Snapped).unwrap_err();
    assert_eq!(error, AnalogError::SnappedTerms { circuit: 2 });
    let mut pulses = core();
    for (circuit, scale) in [(0, 5), (2, 7)] {
        pulses.circuits_mut()[circuit].adaptation.enabled = true;
        pulses.circuits_mut()[circuit].adaptation.pulse_scale = scale;
    }
    let error = lower(&pulses, false, Grid::Exact).unwrap_err();
    let text = "circuit 2 has adaptation.pulse_scale 7 and another of its half 5; a half has \
                one pulse length";
    assert_eq!(error.to_string(), text);
    for circuit in [2, 3] {
        let mut capacitor = core();
        capacitor.circuits_mut()[circuit].capacitance = 64;
        let error = lower(&capacitor, true, Grid::Exact).unwrap_err();
        assert!(error.to_string().contains("capacitance is 64"), "{error}");
    }
    let mut scale = core();
    scale.circuits_mut()[0] = CircuitConfig::default();
    scale.circuits_mut()[0].adaptation.pulse_scale = 16;
    let error = lower(&scale, false, Grid::Exact).unwrap_err().to_string();
    assert_eq!(error, "adaptation.pulse_scale is 16, allowed are 0 to 15");
}
