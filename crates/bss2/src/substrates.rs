//! What an experiment's network runs on.

use bss2_event::TimeGrid;
use bss2_learn::{Coarse, Ideal, LearnError, NetworkShape, Reset, Substrate};

use crate::chip::Chip;
use crate::config::{Experiment, SubstrateKind};
use crate::data::Data;
use crate::error::Error;
use crate::fleet::Fleet;

/// The network of an experiment: an input for each pixel or channel, an output
/// for each class.
#[must_use]
pub fn network_shape(experiment: &Experiment, data: &Data) -> NetworkShape {
    NetworkShape {
        inputs: data.inputs(),
        hidden: experiment.network.hidden,
        outputs: data.train.classes(),
        recurrent: experiment.network.recurrent,
    }
}

/// The learner's model of a chip: ideal neurons that are reset to leak and held
/// there as long as the chip is calibrated to hold them, in whole steps.
///
/// # Errors
/// [`LearnError`] for settings outside their range.
pub fn ideal_chip(
    experiment: &Experiment,
    shape: NetworkShape,
    grid: TimeGrid,
) -> Result<Ideal, LearnError> {
    let held = experiment.chip.targets.refractory / grid.dt;
    let reset = Reset::ToLeak {
        refractory_steps: (held.round() as u32).max(1),
    };
    Ideal::new(shape, grid, &experiment.train.model, reset)
}

/// Builds the substrate; every chip of it is drawn, placed on and calibrated.
///
/// # Errors
/// [`Error::Chip`], above all for a network that does not fit;
/// [`Error::Learn`] for settings outside their range.
pub fn build(experiment: &Experiment, data: &Data) -> Result<Box<dyn Substrate>, Error> {
    of_shape(experiment, network_shape(experiment, data))
}

/// Builds the substrate for a network of any shape.
///
/// # Errors
/// As [`build`].
pub fn of_shape(experiment: &Experiment, shape: NetworkShape) -> Result<Box<dyn Substrate>, Error> {
    let time = experiment.time;
    let substrate: Box<dyn Substrate> = match experiment.substrate {
        SubstrateKind::Software => {
            let model = &experiment.train.model;
            Box::new(Ideal::<f32>::new(
                shape,
                time.grid(),
                model,
                Reset::default(),
            )?)
        }
        SubstrateKind::Chip if experiment.chip.fleet > 1 => {
            Box::new(Fleet::new(&experiment.chip, shape, time)?)
        }
        SubstrateKind::Chip => Box::new(Chip::new(experiment.chip.clone(), shape, time)?),
    };
    rounding(experiment, substrate)
}

/// The substrate, with weights rounded before they are written if the experiment asks for
/// it.
///
/// # Errors
/// [`Error::Learn`] for a number of bits outside its range.
pub fn rounding(
    experiment: &Experiment,
    substrate: Box<dyn Substrate>,
) -> Result<Box<dyn Substrate>, Error> {
    Ok(match experiment.network.weight_bits {
        Some(bits) => Box::new(Coarse::new(substrate, bits, experiment.train.weight_limit)?),
        None => substrate,
    })
}
