//! What a network is: its shape and its weights.

use bss2_event::{Fault, TimeGrid};
use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use crate::error::LearnError;

/// Sizes of a network: inputs, one hidden layer of spiking neurons, and an
/// output layer of leaky integrators without threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkShape {
    /// Input channels.
    pub inputs: usize,
    /// Hidden neurons.
    pub hidden: usize,
    /// Output neurons: classes.
    pub outputs: usize,
    /// Whether the hidden layer is connected to itself.
    pub recurrent: bool,
}

impl NetworkShape {
    /// Neurons of the network, the second dimension of a recording: hidden
    /// neurons first, then outputs.
    #[must_use]
    pub fn neurons(&self) -> usize {
        self.hidden + self.outputs
    }

    /// Sizes beyond what the 16 bits of a source count.
    pub(crate) fn faults(self) -> Vec<Fault> {
        const MOST: usize = 1 << 16;
        let sizes = [
            ("network.inputs", self.inputs),
            ("network.hidden", self.hidden),
            ("network.outputs", self.outputs),
        ];
        let beyond = sizes.into_iter().filter(|&(_, size)| size > MOST);
        beyond
            .map(|(name, size)| Fault::new(name, size, format!("0 to {MOST}")))
            .collect()
    }
}

/// Time grids without steps or time.
pub(crate) fn grid_faults(grid: TimeGrid) -> Vec<Fault> {
    let mut faults = Vec::new();
    if grid.steps == 0 {
        faults.push(Fault::new("time.steps", 0, "1 and more"));
    }
    if !(grid.dt.get() > 0.0 && grid.dt.get().is_finite()) {
        faults.push(Fault::new("time.dt", grid.dt, "positive times"));
    }
    faults
}

/// A projection of the network, to name it in reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// Inputs to hidden neurons.
    Hidden,
    /// Hidden neurons to hidden neurons.
    Recurrent,
    /// Hidden neurons to outputs.
    Output,
}

impl std::fmt::Display for Layer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Hidden => "hidden",
            Self::Recurrent => "recurrent",
            Self::Output => "output",
        })
    }
}

/// One matrix for each projection, `[target, source]`: weights, their
/// gradients, or the moments of an optimiser.
///
/// A matrix of nalgebra is stored by column, so its memory is
/// `[source][target]`: the targets of one event lie next to each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(bound(
    serialize = "T: nalgebra::Scalar + Serialize",
    deserialize = "T: nalgebra::Scalar + Deserialize<'de>"
))]
pub struct Weights<T = f32> {
    /// `[hidden, inputs]`.
    pub hidden: DMatrix<T>,
    /// `[hidden, hidden]` of a recurrent network.
    pub recurrent: Option<DMatrix<T>>,
    /// `[outputs, hidden]`.
    pub output: DMatrix<T>,
}

impl<T: nalgebra::Scalar + Default> Weights<T> {
    /// All zero.
    #[must_use]
    pub fn zeros(shape: NetworkShape) -> Self {
        let zeros = |rows, columns| DMatrix::from_element(rows, columns, T::default());
        Self {
            hidden: zeros(shape.hidden, shape.inputs),
            recurrent: shape.recurrent.then(|| zeros(shape.hidden, shape.hidden)),
            output: zeros(shape.outputs, shape.hidden),
        }
    }
}

impl<T> Weights<T> {
    /// The projections that exist, in the order hidden, recurrent, output.
    pub fn layers(&self) -> impl Iterator<Item = (Layer, &DMatrix<T>)> {
        std::iter::once((Layer::Hidden, &self.hidden))
            .chain(self.recurrent.iter().map(|w| (Layer::Recurrent, w)))
            .chain(std::iter::once((Layer::Output, &self.output)))
    }

    /// The same for writing.
    pub fn layers_mut(&mut self) -> impl Iterator<Item = (Layer, &mut DMatrix<T>)> {
        std::iter::once((Layer::Hidden, &mut self.hidden))
            .chain(self.recurrent.iter_mut().map(|w| (Layer::Recurrent, w)))
            .chain(std::iter::once((Layer::Output, &mut self.output)))
    }
}

impl<T: nalgebra::Scalar> Weights<T> {
    /// Checks that every matrix has the size that the shape gives it.
    ///
    /// # Errors
    /// [`LearnError::WeightShape`] names the first projection that differs.
    pub fn check(&self, shape: NetworkShape) -> Result<(), LearnError> {
        let recurrent = self.recurrent.as_ref().map_or((0, 0), DMatrix::shape);
        let side = if shape.recurrent { shape.hidden } else { 0 };
        for (layer, found, wanted) in [
            (
                Layer::Hidden,
                self.hidden.shape(),
                (shape.hidden, shape.inputs),
            ),
            (Layer::Recurrent, recurrent, (side, side)),
            (
                Layer::Output,
                self.output.shape(),
                (shape.outputs, shape.hidden),
            ),
        ] {
            if found != wanted {
                return Err(LearnError::WeightShape {
                    layer,
                    found,
                    wanted,
                });
            }
        }
        Ok(())
    }
}
