//! What is measured of runs.

use std::fmt;

use bss2::chip_report::robust_spread;
use bss2::metrics::EpochMetrics;
use serde::{Deserialize, Serialize};

use super::outcome::{Outcome, Parameters, TestOutcome};

/// A quantity of a run, in the unit of [`Measure::label`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Measure {
    /// Mean over the training images of the last epoch, regularisers included.
    Loss,
    /// Of the images as they were shown during the last epoch; of a deployment, of those
    /// that it is asked to show.
    TrainAccuracy,
    TrainError,
    TestAccuracy,
    TestError,
    /// Per image: of the last epoch's training images, or of a deployment's test.
    HiddenSpikes,
    /// Of the emulated silicon, in its own time base.
    Energy,
    Power,
    SiliconRate,
    Latency,
    /// Images per second of wall-clock time of this program.
    Throughput,
    /// Spread of measured parameters over the neurons of a chip, relative to the target,
    /// without the outer 5 % on either side and made up for as if normal: a few neurons
    /// cannot be measured well. The threshold's is relative to its distance from the leak.
    TauMemSpread,
    TauSynSpread,
    ThresholdSpread,
}

impl Measure {
    pub(super) const ALL: [Self; 14] = [
        Self::Loss,
        Self::TrainAccuracy,
        Self::TrainError,
        Self::TestAccuracy,
        Self::TestError,
        Self::HiddenSpikes,
        Self::Energy,
        Self::Power,
        Self::SiliconRate,
        Self::Latency,
        Self::Throughput,
        Self::TauMemSpread,
        Self::TauSynSpread,
        Self::ThresholdSpread,
    ];

    /// Name with unit, for axes and heads of tables.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::TrainAccuracy => "training accuracy / %",
            Self::TrainError => "training error / %",
            Self::TestAccuracy => "test accuracy / %",
            Self::TestError => "test error / %",
            Self::HiddenSpikes => "hidden spikes per image",
            Self::Energy => "energy per image / uJ",
            Self::Power => "power of the chip / mW",
            Self::SiliconRate => "images/s of the silicon",
            Self::Latency => "latency / us",
            Self::Throughput => "images/s of this program",
            Self::TauMemSpread => "sd of tau_mem / %",
            Self::TauSynSpread => "sd of tau_syn / %",
            Self::ThresholdSpread => "sd of threshold / % of its swing",
        }
    }

    /// The key in files.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::TrainAccuracy => "train_accuracy",
            Self::TrainError => "train_error",
            Self::TestAccuracy => "test_accuracy",
            Self::TestError => "test_error",
            Self::HiddenSpikes => "hidden_spikes",
            Self::Energy => "energy",
            Self::Power => "power",
            Self::SiliconRate => "silicon_rate",
            Self::Latency => "latency",
            Self::Throughput => "throughput",
            Self::TauMemSpread => "tau_mem_spread",
            Self::TauSynSpread => "tau_syn_spread",
            Self::ThresholdSpread => "threshold_spread",
        }
    }

    /// Whether it is a matter of the machine at work and differs from run to run.
    pub(super) fn is_timing(self) -> bool {
        self == Self::Throughput
    }

    /// Whether it is a matter of what is learned, and so of the data.
    pub(super) fn is_of_data(self) -> bool {
        matches!(
            self,
            Self::Loss
                | Self::TrainAccuracy
                | Self::TrainError
                | Self::TestAccuracy
                | Self::TestError
        )
    }

    fn decimals(self) -> usize {
        match self {
            Self::Loss => 3,
            Self::Energy => 2,
            Self::SiliconRate | Self::Throughput => 0,
            Self::TrainAccuracy | Self::TestAccuracy | Self::TrainError | Self::TestError => 2,
            Self::HiddenSpikes | Self::Power | Self::Latency => 1,
            Self::TauMemSpread | Self::TauSynSpread | Self::ThresholdSpread => 1,
        }
    }

    /// A spread as text, to the decimals that mean something.
    pub(super) fn text(self, spread: Spread) -> String {
        let digits = self.decimals();
        match spread.sd {
            Some(sd) => format!("{:.digits$} ± {sd:.digits$}", spread.mean),
            None => format!("{:.digits$}", spread.mean),
        }
    }

    /// The quantity after one epoch of a training of spiking networks.
    fn of_epoch(self, epoch: &EpochMetrics) -> Option<f64> {
        match self {
            Self::Loss => Some(epoch.loss),
            Self::TrainAccuracy => Some(100.0 * epoch.train_accuracy),
            Self::TrainError => Some(100.0 * (1.0 - epoch.train_accuracy)),
            Self::TestAccuracy => Some(100.0 * epoch.test_accuracy?),
            Self::TestError => Some(100.0 * (1.0 - epoch.test_accuracy?)),
            Self::HiddenSpikes => Some(epoch.hidden_spikes_per_image),
            Self::Throughput => Some(epoch.images_per_s),
            _ => None,
        }
    }

    /// The quantity epoch by epoch, where it was measured.
    pub(super) fn of_epochs(self, outcome: &Outcome) -> impl Iterator<Item = Option<f64>> {
        let spikes_of_none = outcome.reference && self == Self::HiddenSpikes;
        let epochs = outcome.training.iter();
        epochs.map(move |epoch| self.of_epoch(epoch).filter(|_| !spikes_of_none))
    }

    fn of_test(self, test: &TestOutcome) -> Option<f64> {
        let silicon = test.silicon.as_ref();
        match self {
            Self::TrainAccuracy => Some(100.0 * test.train_accuracy?),
            Self::TrainError => Some(100.0 * (1.0 - test.train_accuracy?)),
            Self::TestAccuracy => Some(100.0 * test.accuracy),
            Self::TestError => Some(100.0 * (1.0 - test.accuracy)),
            Self::HiddenSpikes => Some(test.hidden_spikes),
            Self::Energy => silicon.map(|s| s.energy_uj),
            Self::Power => silicon.map(|s| s.power_mw),
            Self::SiliconRate => silicon.map(|s| s.images_per_s),
            Self::Latency => silicon.map(|s| s.latency_us),
            Self::Throughput => Some(test.images_per_s),
            _ => None,
        }
    }

    fn of_parameters(self, of: &Parameters) -> Option<f64> {
        let (values, scale) = match self {
            Self::TauMemSpread => (&of.tau_mem_us, of.target_tau_mem_us),
            Self::TauSynSpread => (&of.tau_syn_us, of.target_tau_syn_us),
            Self::ThresholdSpread => (
                &of.threshold_lsb,
                of.target_threshold_lsb - of.target_leak_lsb,
            ),
            _ => return None,
        };
        let values: Vec<f64> = values.iter().flatten().copied().collect();
        let (_, sd) = robust_spread(&values);
        Some(100.0 * sd / scale)
    }

    /// The quantity of a whole run. A run with a deployment is what the deployment
    /// measured, as a mean over draws; its training may be that of another substrate.
    pub(super) fn of(self, outcome: &Outcome) -> Option<f64> {
        match (&outcome.parameters, outcome.tests.as_slice()) {
            (Some(parameters), _) => self.of_parameters(parameters),
            (None, []) => self.of_epochs(outcome).last()?,
            (None, tests) => {
                let sum: Option<f64> = tests.iter().map(|test| self.of_test(test)).sum();
                Some(sum? / tests.len() as f64)
            }
        }
    }
}

/// Mean and standard deviation of a sample of seeds; none of a single value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Spread {
    pub(super) mean: f64,
    #[serde(default)]
    pub(super) sd: Option<f64>,
}

impl Spread {
    /// Of finite values, if there are any.
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        if values.is_empty() || values.iter().any(|value| !value.is_finite()) {
            return None;
        }
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
        let sd = (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt());
        Some(Self { mean, sd })
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Measure::TestAccuracy.text(*self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deviations_are_those_of_samples() {
        let spread = Spread::of(&[90.0, 92.0]).unwrap();
        assert_eq!((spread.mean, spread.sd), (91.0, Some(2f64.sqrt())));
        assert_eq!(Spread::of(&[0.5]).unwrap().to_string(), "0.50");
        assert_eq!(spread.to_string(), "91.00 ± 1.41");
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(Spread::of(&[1.0, f64::NAN]), None);
    }

    #[test]
    fn an_epoch_without_a_test_leaves_a_gap_and_the_last_one_counts() {
        let epoch = |epoch, test_accuracy| EpochMetrics {
            epoch,
            loss: 0.5,
            train_accuracy: 0.75,
            test_accuracy,
            hidden_spikes_per_image: 20.0,
            lost_events_per_image: 0.0,
            lost_inputs_per_image: 0.0,
            images_per_s: 1.0,
            wall_s: 1.0,
            data: "made up".to_owned(),
        };
        let mut outcome = Outcome {
            training: vec![epoch(1, Some(0.25)), epoch(2, None), epoch(3, Some(0.5))],
            ..Outcome::default()
        };
        let of_epochs =
            |measure: Measure, outcome| measure.of_epochs(outcome).collect::<Vec<Option<f64>>>();
        let errors = [Some(75.0), None, Some(50.0)];
        assert_eq!(of_epochs(Measure::TestError, &outcome), errors);
        assert_eq!(of_epochs(Measure::Loss, &outcome), [Some(0.5); 3]);
        assert_eq!(Measure::TestAccuracy.of(&outcome), Some(50.0));
        assert_eq!(Measure::HiddenSpikes.of(&outcome), Some(20.0));
        outcome.reference = true;
        assert_eq!(Measure::HiddenSpikes.of(&outcome), None);
        assert_eq!(Measure::TestAccuracy.of(&Outcome::default()), None);
    }

    #[test]
    fn names_are_those_of_files() {
        for measure in Measure::ALL {
            let text = serde_json::to_string(&measure).unwrap();
            assert_eq!(text, format!("\"{}\"", measure.name()));
        }
    }
}
