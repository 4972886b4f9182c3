//! What jobs leave behind.

use bss2::metrics::EpochMetrics;
use serde::{Deserialize, Serialize};

/// What is known of one run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Outcome {
    /// Epoch by epoch.
    pub(super) training: Vec<EpochMetrics>,
    /// Where the weights were tested elsewhere.
    pub(super) test: Option<TestOutcome>,
}

/// A test of trained weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TestOutcome {
    /// 0 to 1.
    pub(super) accuracy: f64,
    /// Per image.
    pub(super) hidden_spikes: f64,
    /// Of wall-clock time.
    pub(super) images_per_s: f64,
    /// Only in the inference mode of a chip.
    pub(super) silicon: Option<Silicon>,
}

/// The emulated silicon at work, in its own time base.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Silicon {
    pub(super) power_mw: f64,
    pub(super) energy_uj: f64,
    pub(super) images_per_s: f64,
    /// From an image's beginning to the end of its last CADC sample.
    pub(super) latency_us: f64,
}
