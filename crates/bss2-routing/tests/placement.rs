//! Networks of the paper, and refusals.

use bss2_event::NeuronCircuits;
use bss2_routing::{Compiled, Fabric, LayerConfig, NetworkConfig, Placement, RoutingError};

fn network(inputs: usize, layers: &[LayerConfig], circuits: usize, signed: bool) -> NetworkConfig {
    NetworkConfig {
        inputs,
        layers: layers.to_vec(),
        circuits_per_neuron: circuits,
        signed,
    }
}

#[test]
fn the_papers_networks_fit_and_use_its_addresses() {
    let placement = Placement::new(&NetworkConfig::default()).unwrap();
    assert_eq!(placement.circuits().len(), 256);
    assert_eq!(
        placement.circuits()[200],
        NeuronCircuits {
            membrane: 400,
            partner: Some(401)
        }
    );
    assert_eq!(placement.source_number(7), Some(256 + 7));
    assert_eq!(placement.source_number(256 + 7), Some(7));
    assert_eq!(placement.source_number(512), None);

    // Inputs come after the recurrent sources, as the published code shifts them.
    let layers = [LayerConfig::recurrent(186), LayerConfig::feed_forward(20)];
    let placement = Placement::new(&network(70, &layers, 2, true)).unwrap();
    assert_eq!(placement.source_number(0), Some(256 + 186));
    assert_eq!(placement.source_number(69), Some(256 + 255));
    let shapes: Vec<_> = placement
        .projections()
        .iter()
        .map(|p| (p.first_source, p.sources, p.first_target, p.targets))
        .collect();
    assert_eq!(
        shapes,
        [(0, 70, 0, 186), (70, 186, 0, 186), (70, 186, 186, 20)]
    );
}

#[test]
fn what_is_offered_in_place_of_a_network_would_hold_it() {
    let refused = |neurons| {
        let layers = [LayerConfig::feed_forward(neurons)];
        let refused = Placement::new(&network(200, &layers, 1, true)).unwrap_err();
        refused.to_string()
    };
    let small = refused(200);
    assert!(small.contains("256 signed ones with 2 circuits"), "{small}");
    // Neurons of two circuits are 256 at most.
    let large = refused(400);
    assert!(
        large.contains("256 unsigned ones with 1 circuit per"),
        "{large}"
    );
}

#[test]
fn the_largest_networks_of_each_kind_fit() {
    for (inputs, neurons, circuits, signed) in [
        (256, 256, 2, true),
        (128, 512, 1, true),
        (512, 256, 2, false),
        (256, 512, 1, false),
    ] {
        let layers = [LayerConfig::feed_forward(neurons)];
        assert!(Placement::new(&network(inputs, &layers, circuits, signed)).is_ok());
        let more = Placement::new(&network(inputs + 1, &layers, circuits, signed)).unwrap_err();
        assert!(
            matches!(more, RoutingError::DoesNotFit { wanted, free, .. } if wanted == inputs + 1 && free == inputs),
            "{more}"
        );
        let layers = [LayerConfig::feed_forward(neurons + 1)];
        assert!(Placement::new(&network(inputs, &layers, circuits, signed)).is_err());
    }
    // Recurrence leaves the other lines to inputs, in any scheme.
    for (inputs, circuits, signed) in [
        (28, 1, true),
        (156, 2, true),
        (156, 1, false),
        (412, 2, false),
    ] {
        let layers = [LayerConfig::recurrent(100)];
        assert!(Placement::new(&network(inputs, &layers, circuits, signed)).is_ok());
        assert!(Placement::new(&network(inputs + 1, &layers, circuits, signed)).is_err());
    }
}

#[test]
fn refusals_say_what_would_fit() {
    let message = |network: &NetworkConfig| Placement::new(network).unwrap_err().to_string();
    let layers = [
        LayerConfig::feed_forward(300),
        LayerConfig::feed_forward(10),
    ];
    assert_eq!(
        message(&network(256, &layers, 2, true)),
        "the network does not fit: 310 neurons wanted, 256 free; up to 256 neurons of two \
         circuits would fit, or 512 of one circuit, which hear half as many sources"
    );
    let layers = [LayerConfig::feed_forward(600)];
    assert!(message(&network(256, &layers, 1, true)).contains("at most 512 neurons"));
    let layers = [LayerConfig::recurrent(186), LayerConfig::feed_forward(20)];
    assert_eq!(
        message(&network(71, &layers, 2, true)),
        "the network does not fit: 257 synapses per neuron of layer 0 wanted, 256 free; \
         up to 256 sources per neuron would fit, or 512 unsigned ones with 2 circuits per neuron"
    );
    let layers = [LayerConfig::feed_forward(10)];
    assert!(message(&network(200, &layers, 1, true)).contains("256 signed ones with 2 circuits"));
    let huge = [
        LayerConfig::feed_forward(usize::MAX),
        LayerConfig::recurrent(2),
    ];
    assert!(message(&network(1, &huge, 2, true)).contains("does not fit"));
    assert!(message(&network(usize::MAX, &layers, 2, true)).contains("does not fit"));
    assert!(message(&network(0, &layers, 1, true)).contains("empty"));
    assert!(message(&network(5, &[], 1, true)).contains("empty"));
    assert!(message(&network(5, &[LayerConfig::feed_forward(0)], 1, true)).contains("layer 0"));
    assert!(message(&network(5, &layers, 3, true)).contains("circuits_per_neuron is 3"));
}

#[test]
fn a_pair_with_two_weights_is_no_signed_weight() {
    let placement = Placement::new(&NetworkConfig::default()).unwrap();
    let mut synram = placement.synram();
    let mut weights = vec![0; 246 * 10];
    placement.read_weights(1, &synram, &mut weights).unwrap();
    assert!(weights.iter().all(|&w| w == 0));
    for row in 0..2 {
        let site = bss2_event::Site {
            circuit: 2 * 250,
            row,
        };
        let weight = bss2_event::Weight::new(3).unwrap();
        synram.set_weight(site, weight).unwrap();
    }
    let error = placement
        .read_weights(1, &synram, &mut weights)
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("rows 0 and 1 of column 244 in half 1"),
        "{error}"
    );
    assert!(
        placement
            .read_weights(1, &synram, &mut weights[1..])
            .is_err()
    );
    assert!(placement.write_weights(&[weights], &mut synram).is_err());
}

#[test]
fn a_background_source_that_runs_is_no_compiled_source() {
    let placement = Placement::new(&NetworkConfig::default()).unwrap();
    let mut fabric = Fabric::of(placement.addressing());
    let compile =
        |fabric: &Fabric| Compiled::new(fabric, &placement.synram(), &placement.endpoints());
    assert!(compile(&fabric).is_ok());
    fabric.background[3].enable = true;
    let error = compile(&fabric).unwrap_err();
    assert_eq!(error, RoutingError::BackgroundSource { index: 3 });
}
