//! Networks of the paper, and refusals.

use bss2_event::NeuronCircuits;
use bss2_routing::{
    Addressing, Compiled, Fabric, LayerConfig, NetworkConfig, Placement, RoutingError,
};

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
    let offered = |network: &NetworkConfig| {
        let error = Placement::new(network).unwrap_err();
        let RoutingError::DoesNotFit { alternatives, .. } = error else {
            panic!("{error}")
        };
        // What is offered fits, and what fits is offered.
        for (circuits_per_neuron, signed) in [(1, true), (2, true), (1, false), (2, false)] {
            let kind = Addressing::new(circuits_per_neuron, signed).unwrap();
            let other = NetworkConfig {
                circuits_per_neuron,
                signed,
                ..network.clone()
            };
            let fits = Placement::new(&other).is_ok();
            assert_eq!(alternatives.contains(&kind), fits, "{kind}");
        }
        let kinds = alternatives.into_iter();
        kinds
            .map(|kind| (kind.circuits_per_neuron(), kind.signed()))
            .collect::<Vec<_>>()
    };
    let of = |layers: &[LayerConfig]| offered(&network(200, layers, 1, true));
    let small = [LayerConfig::feed_forward(200)];
    assert_eq!(of(&small), [(2, true), (1, false), (2, false)]);
    // Neurons of two circuits are 256 at most.
    let large = [LayerConfig::feed_forward(400)];
    assert_eq!(of(&large), [(1, false)]);
    // The second layer hears more than the first, which is refused.
    let second = [
        LayerConfig::feed_forward(200),
        LayerConfig::recurrent(56),
        LayerConfig::recurrent(200),
    ];
    assert_eq!(of(&second[..2]), [(2, true), (1, false), (2, false)]);
    assert_eq!(of(&second), [(1, false)]);
    let wide = [LayerConfig::feed_forward(200), LayerConfig::recurrent(300)];
    assert_eq!(of(&wide), []);
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
        "the network does not fit: 310 neurons wanted, 256 free; no other kind of neurons \
         makes room for it"
    );
    let layers = [LayerConfig::recurrent(186), LayerConfig::feed_forward(20)];
    assert_eq!(
        message(&network(71, &layers, 2, true)),
        "the network does not fit: 257 synapses per neuron of layer 0 wanted, 256 free; it \
         would fit with 2 circuits per neuron and unsigned weights"
    );
    let layers = [LayerConfig::feed_forward(300)];
    assert_eq!(
        message(&network(100, &layers, 2, true)),
        "the network does not fit: 300 neurons wanted, 256 free; it would fit with 1 circuit \
         per neuron and signed weights, or with 1 circuit per neuron and unsigned weights"
    );
    let layers = [LayerConfig::feed_forward(10)];
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
