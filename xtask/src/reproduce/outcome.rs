//! What jobs leave behind.

use bss2::metrics::EpochMetrics;
use serde::{Deserialize, Serialize};

/// What is known of one run.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Outcome {
    /// Epoch by epoch; of further training where there was some.
    pub(super) training: Vec<EpochMetrics>,
    /// Whether the network has no spikes.
    pub(super) reference: bool,
    /// Where the weights were tested elsewhere: one test for each draw of silenced
    /// neurons.
    pub(super) tests: Vec<TestOutcome>,
    /// Images that were recorded.
    pub(super) scenes: Vec<Scene>,
    /// What the neurons of a chip are like.
    pub(super) parameters: Option<Parameters>,
    /// How every test sample was answered.
    pub(super) answers: Option<Answers>,
}

impl Outcome {
    /// Name of the data that it was trained on.
    pub(super) fn data(&self) -> Option<&str> {
        self.training.last().map(|epoch| epoch.data.as_str())
    }
}

/// One swept value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    pub(super) x: Option<f64>,
    /// Of a case.
    pub(super) name: Option<String>,
    /// Seed by seed.
    pub(super) runs: Vec<Outcome>,
}

impl Found {
    /// The swept value, or the name of the case, for a reader.
    pub(super) fn label(&self) -> Option<String> {
        let number = self.x.map(|x| x.to_string());
        self.name.clone().or(number)
    }
}

/// An image and what the network did with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scene {
    pub(super) label: u8,
    pub(super) prediction: u8,
    /// Name of its class and who speaks, where it is a recording.
    #[serde(default)]
    pub(super) spoken: Option<[String; 2]>,
    /// Inputs of the network.
    pub(super) channels: usize,
    /// Rows of the image; none of a recording.
    pub(super) side: usize,
    /// `[row, column]`, 0 to 255.
    pub(super) pixels: Vec<u8>,
    /// Microseconds and channel, or neuron.
    pub(super) inputs: Vec<(f64, u16)>,
    pub(super) hidden: Vec<(f64, u16)>,
    /// `[sample][output]`, thresholds of a hidden neuron above the first sample.
    pub(super) readout: Vec<Vec<f32>>,
    /// Between two samples, microseconds.
    pub(super) period_us: f64,
    /// From image to image where they follow each other closely.
    pub(super) interval_us: Option<f64>,
}

/// Parameters of the neurons of a chip as its user measures them; none where a neuron
/// cannot be measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameters {
    pub(super) tau_mem_us: Vec<Option<f64>>,
    /// Excitatory, then inhibitory inputs.
    pub(super) tau_syn_us: Vec<Option<f64>>,
    pub(super) threshold_lsb: Vec<Option<f64>>,
    /// What they are calibrated to before they are scattered.
    pub(super) target_tau_mem_us: f64,
    pub(super) target_tau_syn_us: f64,
    pub(super) target_threshold_lsb: f64,
    pub(super) target_leak_lsb: f64,
}

/// The answers of a trained network to all test samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answers {
    /// Names of the classes; numbers where they have none.
    pub(super) classes: Vec<String>,
    /// Everybody who speaks; nobody in images.
    pub(super) speakers: Vec<String>,
    pub(super) given: Vec<Answer>,
}

/// The answer to one sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    pub(super) label: u8,
    pub(super) prediction: u8,
    /// Place among the speakers.
    pub(super) speaker: u16,
}

impl Answers {
    /// `[label][prediction]`: how often.
    pub(super) fn confusion(&self) -> Vec<Vec<u32>> {
        let mut counts = vec![vec![0; self.classes.len()]; self.classes.len()];
        for answer in &self.given {
            counts[usize::from(answer.label)][usize::from(answer.prediction)] += 1;
        }
        counts
    }

    /// Share of wrong answers to somebody in %, if he speaks.
    pub(super) fn error_of(&self, speaker: &str) -> Option<f64> {
        let place = self.speakers.iter().position(|name| name == speaker)?;
        let theirs = self
            .given
            .iter()
            .filter(|a| usize::from(a.speaker) == place);
        let (all, wrong) = theirs.fold((0, 0), |(all, wrong), answer| {
            (
                all + 1,
                wrong + u32::from(answer.label != answer.prediction),
            )
        });
        (all > 0).then(|| 100.0 * f64::from(wrong) / f64::from(all))
    }
}

/// A test of trained weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TestOutcome {
    /// 0 to 1.
    pub(super) accuracy: f64,
    /// The same of training images, where some were shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) train_accuracy: Option<f64>,
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
