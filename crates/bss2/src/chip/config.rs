//! What a chip is, as a user writes it.

use bss2_analog::calib::{CalibrationConfig, NeuronTargets};
use bss2_analog::{Grid, Integration, MismatchProfile};
use bss2_event::{Seconds, Seed};
use bss2_learn::{QuantiseConfig, TraceScale};
use bss2_routing::FabricTiming;
use serde::{Deserialize, Serialize};

/// Settings of an emulated chip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChipConfig {
    /// Which chip: the seed of its fixed-pattern deviations.
    pub seed: Seed,
    /// Seed of its noise in time.
    pub noise_seed: Seed,
    /// How chips of this kind deviate, and what noise they make.
    pub profile: MismatchProfile,
    /// Circuits that make a neuron: 2 give 256 neurons with 256 signed inputs,
    /// 1 gives 512 with 128.
    pub circuits_per_neuron: usize,
    /// Whether the neurons are calibrated; otherwise all cells are at their
    /// nominal codes.
    pub calibrated: bool,
    /// What every neuron is calibrated to.
    pub targets: NeuronTargets,
    /// How it is calibrated.
    pub calibration: CalibrationConfig,
    /// Integration steps per CADC sample, at least.
    pub steps_per_sample: usize,
    /// Where events and spikes may lie in time.
    pub grid: Grid,
    /// Delays and queues of the event fabric.
    pub fabric: FabricTiming,
    /// How weights become those of the hardware.
    pub quantise: QuantiseConfig,
    /// Subtracted from the time of a spike before it is binned, 0 to 17 us; what
    /// then lies before the first bin falls into it.
    ///
    /// One CADC period in the paper's code. In our time base, where the first
    /// sample is taken at time zero, it also trains best: each spike stands
    /// beside the traces that led to it (measured in `docs/results.md`).
    pub spike_shift: Seconds,
    /// How codes become traces.
    pub trace: TraceScale,
}

impl Default for ChipConfig {
    /// A chip like the published one, calibrated to its targets.
    fn default() -> Self {
        let integration = Integration::default();
        Self {
            seed: Seed(0),
            noise_seed: Seed(0),
            profile: MismatchProfile::cube66(),
            circuits_per_neuron: 2,
            calibrated: true,
            targets: NeuronTargets::default(),
            calibration: CalibrationConfig::default(),
            steps_per_sample: integration.steps_per_sample,
            grid: integration.grid,
            fabric: FabricTiming::default(),
            quantise: QuantiseConfig::default(),
            spike_shift: Seconds::micro(1.7),
            trace: TraceScale::default(),
        }
    }
}
