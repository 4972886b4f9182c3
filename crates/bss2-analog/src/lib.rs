//! The analog core of an emulated BrainScaleS-2 chip.
//!
//! This crate turns synapse sites into voltages. It knows nothing of event
//! labels, buses or logical networks (that is `bss2-routing`), nor of gradients
//! (`bss2-learn`). A chip is a seed and a mismatch profile; it is set the way a
//! user of the chip sets it, through [`CapMem`] codes and digital switches, and
//! observed the way a user observes it, through CADC codes and spikes.
//!
//! The way through: [`AnalogCore`] holds every setting; [`AnalogCore::lower`]
//! compiles it, with the circuits and sites of a network, into a
//! [`LoweredCore`] of flat arrays; [`LoweredCore::run`] integrates one sample.
//!
//! ```
//! use bss2_analog::{AnalogCore, Integration, Network, Observation, RunAddress, Workspace};
//! use bss2_analog::{MismatchProfile, SYNAPSES};
//! use bss2_event::{NeuronCircuits, RowMode, Seed, Site, SiteTable};
//!
//! let chip = AnalogCore::new(MismatchProfile::cube66(), Seed(66))?;
//! // One input on row 0 of circuit 5, which is a neuron of its own.
//! let sites = SiteTable::new(1, vec![vec![Site { circuit: 5, row: 0 }], vec![]]).unwrap();
//! let network = Network {
//!     neurons: &[NeuronCircuits { membrane: 5, partner: None }],
//!     sites: &sites,
//!     row_modes: &[RowMode::Excitatory; 512],
//! };
//! let mut lowered = chip.lower(&network, &Integration::default())?;
//! lowered.write_weights(&[40; SYNAPSES])?;
//! let mut observation = Observation::default();
//! lowered.run(
//!     RunAddress::default(),
//!     &[5e-6], // an event 5 us after the beginning,
//!     &[0],    // from input 0
//!     |_, _| None, // and no recurrence
//!     &mut Workspace::default(),
//!     &mut observation,
//! );
//! assert_eq!(observation.codes().len(), 20); // one neuron, 20 CADC samples
//! # Ok::<(), bss2_analog::AnalogError>(())
//! ```

#[cfg(test)]
mod accuracy;
mod cadc;
pub mod calib;
mod capmem;
mod circuit;
mod core;
mod curve;
#[cfg(test)]
mod dynamics;
mod error;
mod events;
mod lowered;
mod madc;
mod measured;
mod mismatch;
mod neuron;
mod noise;
mod observation;
mod power;
mod profile;
mod readout;
mod reset;
mod step;
mod synapse;
mod terms;
mod trial;

pub use cadc::{Cadc, CadcSchedule, Ramp, VOLTS_PER_LSB};
pub use capmem::{CapMem, Cell};
pub use circuit::{CircuitConfig, LeakScale, OffsetCurrent, RefractoryCounter};
pub use core::{AnalogCore, Grid, Integration, Network};
pub use error::AnalogError;
pub use lowered::{LoweredCore, RunAddress, Start};
pub use madc::Madc;
pub use measured::MeasuredChip;
pub use observation::{NeuronSpike, Observation, SpikeCounter};
pub use power::{Activity, PowerConfig, PowerModel, PowerPart, PowerReport};
pub use profile::{
    CadcSpread, CapMemSpread, CellDistributions, CellSpread, Correlation, DeadFraction,
    Distribution, MismatchProfile, NoiseProfile, QuadrantSpread, SpatialTrend, SynapseSpread,
};
pub use reset::ArtificialReset;
pub use step::Workspace;
pub use synapse::SYNAPSES;
pub use terms::AdaptationConfig;
