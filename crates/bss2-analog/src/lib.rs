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
//! Experiments without a network need less: a [`Stimulus`] lowers, runs and records.
//!
//! ```
//! use bss2_analog::{AnalogCore, Cell, LeakScale, MismatchProfile, Row, Stimulus};
//! use bss2_event::{CapMemCode, NeuronCircuits, RowMode, Seconds, Seed};
//!
//! let mut chip = AnalogCore::new(MismatchProfile::cube66(), Seed(66))?;
//! chip.capmem_mut().set(Cell::VThreshold, 5, CapMemCode::new(450)?); // every cell
//! chip.circuits_mut()[5].leak_scale = LeakScale::Eighth; // and every switch
//! let stimulus = Stimulus {
//!     neurons: vec![NeuronCircuits::single(5)],
//!     rows: vec![Row { mode: RowMode::Excitatory, weight: 40, partner: false }],
//!     events: vec![(Seconds::micro(5.0), 0)], // on that row
//!     ..Stimulus::default()
//! };
//! let recording = &stimulus.record(&chip, Seed(0), 1)?[0];
//! assert_eq!(recording.codes().len(), 20); // one neuron, 20 samples of the CADC
//! assert!(recording.codes_at(10)[0] > recording.codes_at(0)[0]);
//! assert!(recording.spikes().is_empty());
//! assert_eq!(chip.capmem().get(Cell::VThreshold, 5).get(), 450); // read back
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod accuracy;
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
mod integration;
mod lanes;
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
mod reference;
mod reset;
mod step;
mod stimulus;
mod synapse;
mod terms;
mod trial;

pub use cadc::{Cadc, CadcSchedule, Ramp, VOLTS_PER_LSB};
pub use capmem::{CapMem, Cell, nominal_current};
pub use circuit::{CircuitConfig, LeakScale, OffsetCurrent, RefractoryCounter};
pub use core::{AnalogCore, Network};
pub use error::AnalogError;
pub use integration::{Grid, Integration};
pub use lowered::{LoweredCore, RunAddress, Start};
pub use madc::Madc;
pub use measured::MeasuredChip;
pub use observation::{NeuronSpike, Observation, SpikeCounter};
pub use power::{Activity, PowerConfig, PowerModel, PowerPart, PowerReport};
pub use profile::{
    CadcSpread, CapMemSpread, CellDistributions, CellSpread, Correlation, DeadFraction,
    Distribution, MismatchProfile, NoiseProfile, PairCorrelation, QuadrantSpread, SpatialTrend,
    SynapseSpread,
};
pub use reset::ArtificialReset;
pub use step::Workspace;
pub use stimulus::{Row, Stimulus};
pub use synapse::SYNAPSES;
pub use terms::AdaptationConfig;
