//! Properties 1, 5 and 6 of the design over random configurations.

mod support;

use bss2_event::Site;
use bss2_routing::{Compiled, Fabric, NetworkConfig, Placement, RoutingError, Synram};
use proptest::prelude::*;
use support::{AnyChip, Numbers, any_chip, any_network, conducting};

fn sites_of(compiled: &Compiled, source: usize) -> Vec<Site> {
    let mut sites: Vec<Site> = compiled
        .paths(source)
        .flat_map(|path| compiled.sites().of(path))
        .copied()
        .collect();
    sites.sort_unstable();
    sites
}

/// The sites that a placed network's connections mean, straight from its
/// definition: line = source number mod lines, and the published row order.
fn meant(placement: &Placement, source: usize) -> Vec<Site> {
    let addressing = placement.addressing();
    let number = placement.source_number(source).unwrap();
    let rows: Vec<usize> = (0..256)
        .filter(|&row| addressing.row_source(row) == number % addressing.lines())
        .collect();
    let targets = placement
        .projections()
        .iter()
        .filter(|p| (p.first_source..p.first_source + p.sources).contains(&source))
        .flat_map(|p| p.first_target..p.first_target + p.targets);
    targets
        .flat_map(|target| rows.iter().map(move |&row| (target, row)))
        .map(|(target, row)| Site {
            circuit: placement.circuits()[target].membrane,
            row: row as u16,
        })
        .collect()
}

/// Whether a network fits: 512 circuits, of which each has a column of 256 synapses.
fn fits(network: &NetworkConfig) -> bool {
    let n = network.circuits_per_neuron;
    let neurons: usize = network.layers.iter().map(|layer| layer.neurons).sum();
    let per_weight = if network.signed { 2 } else { 1 };
    let mut before = network.inputs;
    neurons * n <= 512
        && network.layers.iter().all(|layer| {
            let sources = before + if layer.recurrent { layer.neurons } else { 0 };
            before = layer.neurons;
            sources * per_weight <= 256 * n
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Property 5: exactly the synapses that an event reaches conduct.
    #[test]
    fn compiled_sites_are_those_of_the_event_by_event_walk(chip in any_chip()) {
        let compiled = Compiled::new(&chip.fabric, &chip.synram, &chip.endpoints).unwrap();
        for source in 0..chip.endpoints.inputs.len() + chip.endpoints.neurons.len() {
            prop_assert_eq!(sites_of(&compiled, source), conducting(&chip, source));
        }
    }

    /// Property 5 on placed networks, and property 6: no two sources share a
    /// synapse, every connection has its own, and labels decode to their source.
    #[test]
    fn placed_networks_are_wired_as_defined(network in any_network()) {
        let placement = match Placement::new(&network) {
            Ok(placement) => placement,
            Err(RoutingError::DoesNotFit { wanted, free, .. }) => {
                prop_assert!(!fits(&network) && wanted > free);
                return Ok(());
            }
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        };
        prop_assert!(fits(&network));
        let addressing = placement.addressing();
        let chip = AnyChip {
            fabric: Fabric::of(addressing),
            synram: placement.synram(),
            endpoints: placement.endpoints(),
        };
        let compiled = Compiled::new(&chip.fabric, &chip.synram, &chip.endpoints).unwrap();
        prop_assert!(compiled.is_one_path_per_source());
        prop_assert_eq!(compiled.sites().inputs(), network.inputs);

        let sources = compiled.sites().sources();
        prop_assert_eq!(sources, network.inputs + placement.circuits().len());
        let mut users = vec![0_u8; Synram::LEN];
        for source in 0..sources {
            let sites = compiled.sites().of(source);
            sites.iter().for_each(|&site| users[site.index()] += 1);
            // The circuit is the placement's choice; compare neurons.
            let n = addressing.circuits_per_neuron() as u16;
            let mut neurons: Vec<Site> = sites
                .iter()
                .map(|site| Site { circuit: site.circuit / n * n, ..*site })
                .collect();
            neurons.sort_unstable();
            let mut meant = meant(&placement, source);
            meant.sort_unstable();
            prop_assert_eq!(neurons, meant);

            let number = placement.source_number(source).unwrap();
            let label = addressing.input_label(number);
            prop_assert_eq!(
                addressing.source(label.spl1_address(), label.neuron_label().address()),
                number
            );
        }
        for (neuron, circuits) in placement.circuits().iter().enumerate() {
            let backend = chip.fabric.backends[usize::from(circuits.membrane)];
            let label = backend.label(circuits.membrane);
            prop_assert_eq!(label.map(|label| addressing.decode(label)), Some(neuron));
        }
        prop_assert!(users.iter().all(|&n| n <= 1));
        // A few sources also the slow way.
        for source in [0, network.inputs - 1, network.inputs, sources - 1] {
            prop_assert_eq!(compiled.sites().of(source), conducting(&chip, source));
        }
    }

    /// Property 1: what is written is read; nothing else is touched; a bad
    /// weight leaves everything as it was.
    #[test]
    fn weights_are_read_as_written(network in any_network(), seed: u64) {
        let Ok(placement) = Placement::new(&network) else {
            prop_assert!(!fits(&network));
            return Ok(());
        };
        let mut numbers = Numbers::new(seed);
        let (min, max) = placement.weight_range();
        let mut weights: Vec<Vec<i8>> = placement
            .projections()
            .iter()
            .map(|p| (0..p.sources * p.targets).map(|_| {
                (i32::from(min) + numbers.below((max - min) as u32 + 1) as i32) as i8
            }).collect())
            .collect();
        let mut synram = placement.synram();
        let labels = synram.labels().to_vec();
        placement.write_weights(&weights, &mut synram).unwrap();
        prop_assert!(synram.labels() == labels);
        prop_assert!(synram.weights().iter().all(|&w| w <= Synram::MAX));
        for (projection, written) in weights.iter().enumerate() {
            let mut read = vec![0; written.len()];
            placement.read_weights(projection, &synram, &mut read).unwrap();
            prop_assert_eq!(&read, written);
        }
        let magnitude = |w: &i8| usize::from(w.unsigned_abs());
        let total: usize = weights.iter().flatten().map(magnitude).sum();
        prop_assert_eq!(synram.weights().iter().map(|&w| usize::from(w)).sum::<usize>(), total);

        let before = synram.clone();
        let projection = numbers.below(weights.len() as u32) as usize;
        let place = numbers.below(weights[projection].len() as u32) as usize;
        let bad = [max + 1, min - 1][numbers.below(2) as usize];
        weights[projection][place] = bad;
        let targets = placement.projections()[projection].targets;
        prop_assert_eq!(
            placement.write_weights(&weights, &mut synram),
            Err(RoutingError::Weight {
                projection,
                source_index: place / targets,
                target: place % targets,
                value: bad.into(),
                min: min.into(),
                max: max.into(),
            })
        );
        prop_assert!(synram == before);
    }
}
