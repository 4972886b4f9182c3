//! The words that every layer of bss2 speaks.
//!
//! This crate knows nothing of chips, networks or data sets. It holds what the
//! others hand to each other:
//!
//! - [`units`]: SI newtypes ([`Seconds`], [`Volts`], ...), for settings and
//!   single moments; long lists of times are `f64` seconds;
//! - [`codes`]: digital settings whose range lives in the type
//!   ([`CapMemCode`], [`Weight`], [`SignedWeight`]);
//! - [`spike`]: flat batches of time-sorted spikes ([`SpikeBatch`]);
//! - [`sites`]: which synapses an event reaches ([`SiteTable`]), the one
//!   contract between the event fabric and the synapse array;
//! - [`recording`]: what an experiment gives back ([`Recording`]);
//! - [`random`]: draws that are pure functions of (seed, what, chip or run,
//!   sample, element, step), in any order and on any thread;
//! - [`simd`]: the one place where an instruction set is chosen;
//! - [`files`]: files that are written in whole or not at all.
//!
//! ```
//! use bss2_event::{Seconds, SpikeBatch};
//!
//! let mut batch = SpikeBatch::new(256);
//! batch.push(7, [(Seconds::micro(2.0), 3), (Seconds::micro(1.0), 5)])?;
//! assert_eq!(batch.sample(0).channels(), &[5, 3]); // sorted by time
//! # Ok::<(), bss2_event::EventError>(())
//! ```

pub mod codes;
pub mod error;
pub mod files;
pub mod random;
pub mod recording;
pub mod simd;
pub mod sites;
pub mod spike;
pub mod units;

pub use codes::{CapMemCode, SignedWeight, SynapseLabel, Weight};
pub use error::{EventError, Fault, RangeError};
pub use random::{Domain, Seed};
pub use recording::{Recording, TimeGrid};
pub use simd::{InstructionSet, SimdPath};
pub use sites::{NeuronCircuits, RowMode, Site, SiteTable};
pub use spike::{SampleSpikes, SpikeBatch};
pub use units::{Amperes, Farads, Hertz, Joules, Seconds, Siemens, Volts, Watts};
