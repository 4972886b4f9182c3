//! Every instruction set gives the same bits.

use bss2_analog::{
    AnalogCore, Grid, Integration, MismatchProfile, Network, Observation, RunAddress, SYNAPSES,
    Workspace,
};
use bss2_event::random::{Address, Domain};
use bss2_event::{NeuronCircuits, RowMode, Seed, SimdPath, Site, SiteTable};

#[test]
fn all_paths_give_the_same_bits() {
    let draw = Address::new(Seed(5), Domain::Test);
    for (joined, grid, further_terms) in [
        (false, Grid::Exact, false),
        (true, Grid::Exact, false),
        (false, Grid::Snapped, false),
        (true, Grid::Snapped, false),
        (false, Grid::Exact, true),
        (true, Grid::Exact, true),
    ] {
        let neurons: Vec<NeuronCircuits> = (0..100)
            .map(|n| NeuronCircuits {
                membrane: 4 * n,
                partner: joined.then_some(4 * n + 1),
            })
            .collect();
        // 60 inputs; neuron n also reaches neuron n + 1.
        let per_source = (0..160_u16)
            .map(|source| {
                let targets = if source < 60 {
                    0..100
                } else {
                    source - 59..(source - 58).min(100)
                };
                targets
                    .map(|n| Site {
                        circuit: 4 * n + u16::from(joined) * (source % 2),
                        row: source,
                    })
                    .collect()
            })
            .collect();
        let sites = SiteTable::new(60, per_source).unwrap();
        let row_modes: Vec<RowMode> = (0..512)
            .map(|r| {
                if r % 4 == 3 {
                    RowMode::Inhibitory
                } else {
                    RowMode::Excitatory
                }
            })
            .collect();
        let network = Network {
            neurons: &neurons,
            sites: &sites,
            row_modes: &row_modes,
        };
        let mut core = AnalogCore::new(MismatchProfile::cube66(), Seed(8)).unwrap();
        if further_terms {
            // The first block has all of them, the second one of them.
            for circuit in core.circuits_mut().iter_mut().step_by(4).take(64) {
                circuit.exponential = true;
                circuit.adaptation.enabled = true;
                circuit.conductance_based = [true, true];
            }
            core.circuits_mut()[300].exponential = true;
        }
        let integration = Integration {
            grid,
            ..Integration::default()
        };
        let mut core = core.lower(&network, &integration).unwrap();
        let weights: Vec<u8> = (0..SYNAPSES as u32)
            .map(|i| (draw.element(i).words(0)[0] % 40) as u8)
            .collect();
        core.write_weights(&weights).unwrap();
        let times: Vec<f64> = (0..60).map(|i| 3e-7 * f64::from(i)).collect();
        let sources: Vec<u16> = (0..60).map(|i| (7 * i) % 60).collect();
        let run = |path| {
            let mut observation = Observation::default();
            core.run_on(
                path,
                RunAddress {
                    sample: 3,
                    ..RunAddress::default()
                },
                &times,
                &sources,
                |_, time| Some(time + 1e-7),
                &mut Workspace::default(),
                &mut observation,
            );
            observation
        };
        let native = run(SimdPath::Native);
        assert!(
            native.spikes().len() > 20,
            "{joined} {grid:?}: {}",
            native.spikes().len()
        );
        for path in [SimdPath::Narrow, SimdPath::Baseline] {
            assert_eq!(native, run(path), "{path:?}");
        }
    }
}
