//! What a user asks of the placement: layers and their sizes.

use std::iter;

use serde::{Deserialize, Serialize};

use crate::addressing::Addressing;
use crate::error::RoutingError;

/// One layer of neurons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerConfig {
    /// Neurons of the layer.
    pub neurons: usize,
    /// Whether its neurons also feed themselves and each other.
    #[serde(default)]
    pub recurrent: bool,
}

impl LayerConfig {
    /// A layer that hears only the one before it.
    #[must_use]
    pub const fn feed_forward(neurons: usize) -> Self {
        Self {
            neurons,
            recurrent: false,
        }
    }
    /// A layer that also hears itself.
    #[must_use]
    pub const fn recurrent(neurons: usize) -> Self {
        Self {
            neurons,
            recurrent: true,
        }
    }
}

/// A layered network: inputs from outside feed the first layer, each layer
/// feeds the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkConfig {
    /// Inputs from outside the chip.
    pub inputs: usize,
    /// Layers in order, the readout last.
    pub layers: Vec<LayerConfig>,
    /// Neuron circuits that are joined into one logical neuron: 1 or 2.
    pub circuits_per_neuron: usize,
    /// Weights -63..=63 in pairs of rows, or 0..=63 in single rows.
    pub signed: bool,
}

impl Default for NetworkConfig {
    /// The paper's network: 256-246-10, two circuits per neuron, signed.
    fn default() -> Self {
        Self {
            inputs: 256,
            layers: vec![
                LayerConfig::feed_forward(246),
                LayerConfig::feed_forward(10),
            ],
            circuits_per_neuron: 2,
            signed: true,
        }
    }
}

impl NetworkConfig {
    /// Checks that the chip has room for the network, as
    /// [`Placement::new`](crate::Placement::new) does first.
    ///
    /// # Errors
    /// [`RoutingError::Empty`], [`RoutingError::Range`], and
    /// [`RoutingError::DoesNotFit`] with the kinds of neurons that would fit.
    pub fn validate(&self) -> Result<(), RoutingError> {
        let addressing = Addressing::new(self.circuits_per_neuron, self.signed)?;
        self.check_not_empty()?;
        let Some((what, wanted, free)) = self.shortage(addressing) else {
            return Ok(());
        };
        let fits = |kind: &Addressing| self.shortage(*kind).is_none();
        Err(RoutingError::DoesNotFit {
            what,
            wanted,
            free,
            alternatives: Addressing::all().into_iter().filter(fits).collect(),
        })
    }

    /// Neurons of all layers.
    pub(crate) fn neurons(&self) -> usize {
        let sizes = self.layers.iter().map(|layer| layer.neurons);
        sizes.fold(0, usize::saturating_add)
    }

    /// What a numbering has too few of, how many are wanted and how many there are.
    fn shortage(&self, addressing: Addressing) -> Option<(String, usize, usize)> {
        let neurons = ("neurons".to_owned(), self.neurons(), addressing.neurons());
        let mut before = self.inputs;
        let layers = self.layers.iter().enumerate().map(|(index, layer)| {
            let own = if layer.recurrent { layer.neurons } else { 0 };
            let wanted = before.saturating_add(own);
            before = layer.neurons;
            let what = format!("synapses per neuron of layer {index}");
            (what, wanted, addressing.cells())
        });
        iter::once(neurons)
            .chain(layers)
            .find(|(_, wanted, free)| wanted > free)
    }

    /// Refuses a network in which a part has no element.
    fn check_not_empty(&self) -> Result<(), RoutingError> {
        let empty = |what: String| Err(RoutingError::Empty { what });
        if self.inputs == 0 {
            return empty("the input".into());
        }
        if self.layers.is_empty() {
            return empty("the list of layers".into());
        }
        match self.layers.iter().position(|layer| layer.neurons == 0) {
            Some(layer) => empty(format!("layer {layer}")),
            None => Ok(()),
        }
    }
}
