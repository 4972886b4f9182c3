//! Which networks a chip has room for.

use bss2_event::Site;
use bss2_learn::NetworkShape;
use bss2_routing::{LayerConfig, NetworkConfig, Placement, RoutingError};

use super::ChipError;

/// Places a network; one that does not fit is refused with the settings that would.
pub(super) fn place(
    shape: NetworkShape,
    circuits_per_neuron: usize,
) -> Result<Placement, ChipError> {
    let placed = Placement::new(&network(shape, circuits_per_neuron));
    placed.map_err(|error| match error {
        RoutingError::DoesNotFit {
            what, wanted, free, ..
        } => ChipError::DoesNotFit {
            what,
            wanted,
            free,
            circuits_per_neuron,
            remedy: remedy(shape, circuits_per_neuron),
        },
        other => other.into(),
    })
}

fn network(shape: NetworkShape, circuits_per_neuron: usize) -> NetworkConfig {
    NetworkConfig {
        inputs: shape.inputs,
        layers: vec![
            LayerConfig {
                neurons: shape.hidden,
                recurrent: shape.recurrent,
            },
            LayerConfig::feed_forward(shape.outputs),
        ],
        circuits_per_neuron,
        signed: true,
    }
}

/// Settings under which the network fits, each choice with more hidden neurons than those
/// before it, which change less.
fn remedy(shape: NetworkShape, circuits_per_neuron: usize) -> String {
    let mut most = 0;
    let mut choices = Vec::new();
    for circuits in [circuits_per_neuron, 3 - circuits_per_neuron] {
        for recurrent in [shape.recurrent, false] {
            let fits = |&hidden: &usize| {
                let shape = NetworkShape {
                    hidden,
                    recurrent,
                    ..shape
                };
                network(shape, circuits).validate().is_ok()
            };
            let neurons = Site::CIRCUITS;
            let Some(hidden) = (most + 1..=shape.hidden.min(neurons)).rev().find(fits) else {
                continue;
            };
            most = hidden;
            let changes = [
                (circuits != circuits_per_neuron)
                    .then(|| format!("chip.circuits_per_neuron = {circuits}")),
                (recurrent != shape.recurrent).then(|| "network.recurrent = false".to_owned()),
                (hidden != shape.hidden).then(|| format!("network.hidden up to {hidden}")),
            ];
            choices.push(
                changes
                    .into_iter()
                    .flatten()
                    .collect::<Vec<_>>()
                    .join(" and "),
            );
        }
    }
    if choices.is_empty() {
        let NetworkShape {
            inputs, outputs, ..
        } = shape;
        return format!(
            "it has no room for {inputs} inputs and {outputs} outputs, whatever network.hidden, \
             network.recurrent and chip.circuits_per_neuron are"
        );
    }
    format!("there is room with {}", choices.join(", or with "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(inputs: usize, hidden: usize, recurrent: bool, circuits: usize) -> String {
        let shape = NetworkShape {
            inputs,
            hidden,
            outputs: 10,
            recurrent,
        };
        place(shape, circuits).unwrap_err().to_string()
    }

    #[test]
    fn a_network_that_does_not_fit_is_refused_with_settings_that_do() {
        let wide = refused(256, 300, false, 2);
        assert_eq!(
            wide,
            "the network does not fit on the chip with chip.circuits_per_neuron = 2: 310 neurons \
             wanted, 256 free; there is room with network.hidden up to 246"
        );
        let single = refused(256, 300, false, 1);
        assert!(
            single.ends_with("with chip.circuits_per_neuron = 2 and network.hidden up to 246"),
            "{single}"
        );
        let recurrent = refused(156, 120, true, 2);
        assert!(
            recurrent.ends_with("with network.hidden up to 100, or with network.recurrent = false"),
            "{recurrent}"
        );
        let fed = refused(257, 20, true, 2);
        assert!(
            fed.contains("no room for 257 inputs and 10 outputs"),
            "{fed}"
        );
        assert!(refused(3, usize::MAX, true, 2).contains("network.hidden up to 246"));
    }

    #[test]
    fn what_is_offered_is_the_most_that_fits() {
        for (inputs, hidden, recurrent, circuits) in [
            (256, 300, false, 2),
            (156, 120, true, 2),
            (90, 110, true, 1),
        ] {
            let message = refused(inputs, hidden, recurrent, circuits);
            let offer = message.split("network.hidden up to ").nth(1).unwrap();
            let digits = offer.find(|c: char| !c.is_ascii_digit());
            let most: usize = offer[..digits.unwrap_or(offer.len())].parse().unwrap();
            let shape = |hidden| NetworkShape {
                inputs,
                hidden,
                outputs: 10,
                recurrent,
            };
            assert!(place(shape(most), circuits).is_ok(), "{message}");
            assert!(place(shape(most + 1), circuits).is_err(), "{message}");
        }
    }
}
