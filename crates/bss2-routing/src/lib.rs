//! The spike-event fabric of an emulated BrainScaleS-2 chip.
//!
//! This crate knows nothing of voltages, gradients or data sets. It takes a
//! spike from where it begins to the synapses that it opens, file by file:
//!
//! 1. `link`: events from outside arrive one per clock cycle; [`label`]s of
//!    16 bits say where they go. [`backend`]: a neuron circuit that fires sends
//!    its own label. [`background`]: sources on the chip itself.
//! 2. [`crossbar`]: 20 inputs, 12 outputs, 76 nodes that pass or drop a label.
//! 3. [`padi`]: eight buses, four per half of the chip.
//! 4. [`driver`]: 128 synapse drivers per half compare the row select, and
//!    hand the synapse label to two rows each.
//! 5. [`synram`]: a synapse whose label matches conducts with its weight.
//!
//! Above these, [`addressing`] numbers the 1,024 sources of the published
//! scheme, [`place`] puts a layered network onto the chip and moves its signed
//! weights in and out of the synapse array, [`fabric`] holds the
//! configuration of a whole chip, and [`compile`] walks every source through it
//! once. What remains for the hot loop are flat tables: which synapses a source
//! opens ([`bss2_event::SiteTable`]) and when its events arrive ([`deliver`]).
//!
//! ```
//! use bss2_routing::{Compiled, Fabric, LayerConfig, NetworkConfig, Placement};
//!
//! let placement = Placement::new(&NetworkConfig {
//!     inputs: 256,
//!     layers: vec![LayerConfig::feed_forward(246), LayerConfig::feed_forward(10)],
//!     ..NetworkConfig::default()
//! })?;
//! let fabric = Fabric::of(placement.addressing());
//! let synram = placement.synram();
//! let compiled = Compiled::new(&fabric, &synram, &placement.endpoints())?;
//! // An input opens an excitatory and an inhibitory synapse of each hidden neuron.
//! assert_eq!(compiled.sites().of(0).len(), 2 * 246);
//! # Ok::<(), bss2_routing::RoutingError>(())
//! ```

pub mod addressing;
pub mod backend;
pub mod background;
pub mod compile;
pub mod crossbar;
pub mod deliver;
pub mod driver;
pub mod error;
pub mod fabric;
mod fan_in;
pub mod label;
mod link;
pub mod network;
pub mod padi;
pub mod place;
pub mod synram;
pub mod timing;
pub mod traffic;
mod weights;

pub use addressing::Addressing;
pub use backend::NeuronBackend;
pub use background::BackgroundSource;
pub use compile::{Compiled, Endpoints};
pub use crossbar::{Crossbar, CrossbarInput, CrossbarNode, CrossbarOutput};
pub use deliver::Delivery;
pub use driver::SynapseDriver;
pub use error::RoutingError;
pub use fabric::Fabric;
pub use label::{LinkLabel, NeuronLabel};
pub use network::{LayerConfig, NetworkConfig};
pub use padi::{PadiBus, PadiEvent};
pub use place::{Placement, Projection};
pub use synram::Synram;
pub use timing::FabricTiming;
pub use traffic::{Arrivals, EventCount, EventCounts, Traffic};
