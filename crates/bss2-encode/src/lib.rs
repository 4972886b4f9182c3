//! Data sets and the encoders that turn them into spikes.
//!
//! This crate knows nothing of chips, networks or learning: what it makes is a
//! [`SpikeBatch`](bss2_event::SpikeBatch), and whoever takes it may be a chip,
//! a simulation or a file.
//!
//! The way of an image:
//!
//! - [`locate`] finds the files of a data set, [`idx`] reads them, [`manifest`]
//!   says what must be in them, [`dataset`] holds the images as bytes;
//!   [`builtin`] draws digits of its own where no files can be had;
//! - [`augment`] turns, shifts and scales an image, [`image`] crops it and
//!   reduces it by a spline [`zoom`] to the inputs of a chip, in either order;
//! - [`latency`] gives each pixel the time of its spike;
//! - [`order`] shuffles an epoch, [`encoder`] does all of it for a batch.
//!
//! The way of speech:
//!
//! - [`recordings`] lists a folder, [`wav`] reads a file, [`voices`] speak where
//!   there is none, [`upsample`] raises low rates;
//! - [`cochlea`] makes spikes of sound, [`transcript`] of many recordings, and
//!   [`shd`] writes and reads them as a [`SpikeSet`];
//! - [`spike_encoder`] puts a set into batches: [`spike_augment`] moves spikes,
//!   [`channels`] leaves fewer of them, and time is compressed onto a grid.
//!
//! ```
//! use bss2_encode::{Encoder, EncoderConfig, EpochOrder, GeneratedDigits};
//! use bss2_event::{Seed, SpikeBatch};
//!
//! let digits = GeneratedDigits { train: 200, test: 50, ..Default::default() }.generate();
//! let config = EncoderConfig::default();
//! let train = config.reduction.reduce(&digits.train)?; // 28x28 -> 24x24 -> 16x16, once
//! let mut encoder = Encoder::new(&config, Seed(1))?;
//! let mut batch = SpikeBatch::new(256);
//! for indices in EpochOrder::new(Seed(1), 0, train.len()).batches(100) {
//!     encoder.encode(&train, indices, 0, &mut batch)?;
//!     assert_eq!(batch.len(), 100);
//! }
//! # Ok::<(), bss2_encode::EncodeError>(())
//! ```

pub mod audio;
pub mod augment;
pub mod builtin;
pub mod channels;
pub mod cochlea;
pub mod dataset;
pub mod encoder;
pub mod error;
pub mod idx;
pub mod image;
pub mod latency;
pub mod locate;
pub mod manifest;
pub mod order;
pub mod recordings;
pub mod shd;
pub mod spike_augment;
pub mod spike_encoder;
pub mod spike_set;
pub mod transcript;
pub mod upsample;
pub mod voices;
pub mod wav;
pub mod zoom;

pub use audio::{Audio, Track};
pub use augment::{AugmentationConfig, AugmentationOrder};
pub use builtin::GeneratedDigits;
pub use channels::ChannelReduction;
pub use cochlea::{Cochlea, CochleaConfig, CochleaSpike, CochleaTrace, SpikeTrain};
pub use dataset::{ImageSet, Split, Verify, load_mnist};
pub use encoder::{Encoder, EncoderConfig};
pub use error::EncodeError;
pub use image::{Reducer, ReductionConfig};
pub use latency::{LatencyCode, LatencyConfig, ReferenceTime};
pub use locate::{Found, find_fsdd, find_mnist, find_shd};
pub use manifest::{DataSet, Manifest, Part};
pub use order::EpochOrder;
pub use recordings::{HeldOut, RecordingName, list_recordings};
pub use shd::{SpikeFileFault, TimePrecision, read_spikes, write_spikes};
pub use spike_augment::SpikeAugmentation;
pub use spike_encoder::{SpeechConfig, SpikeEncoder};
pub use spike_set::{SampleInfo, Speaker, SpikeSet, SpikeSplit};
pub use transcript::{Recording, Sound, Transcribed, Transcription, journal_of, open_recordings};
pub use upsample::Upsampled;
pub use voices::GeneratedSpeech;
pub use wav::{AudioFault, WavFile};
pub use zoom::SplineZoom;
