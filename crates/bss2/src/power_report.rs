//! What a chip draws while it classifies images.

use std::fmt::Write;

use bss2_analog::{Activity, AnalogCore, PowerConfig, PowerModel, PowerReport};
use bss2_event::{Joules, RangeError, Seconds};
use bss2_learn::NetworkShape;

/// What one image asks of the chip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ImageLoad {
    /// Input spikes.
    pub input_events: f64,
    /// Spikes of hidden neurons.
    pub hidden_spikes: f64,
    /// Samples of the CADC.
    pub samples: f64,
    /// Time from image to image.
    pub interval: Seconds,
}

impl Default for ImageLoad {
    /// The fast inference of the paper: 11.8 us with five samples, twenty hidden
    /// spikes.
    ///
    /// # Source
    /// Hardware fact sheet, sections 11 and 12; input spikes: pixels above the
    /// encoder's threshold, mean of 400 MNIST test images.
    fn default() -> Self {
        Self {
            input_events: 55.0,
            hidden_spikes: 20.0,
            samples: 5.0,
            interval: Seconds::micro(11.8),
        }
    }
}

/// Channels that convert at each sample: one of every column of both halves.
const CHANNELS: f64 = 512.0;

impl ImageLoad {
    /// The activity of many images. Each event is on a bus of either half, and
    /// opens one synapse of each neuron that it reaches.
    #[must_use]
    pub fn activity(&self, shape: NetworkShape, images: u64) -> Activity {
        let n = images as f64;
        let fan_out = if shape.recurrent { shape.hidden } else { 0 } + shape.outputs;
        let synapses =
            self.input_events * shape.hidden as f64 + self.hidden_spikes * fan_out as f64;
        Activity {
            run_time: self.interval * n,
            bus_events: (2.0 * n * (self.input_events + self.hidden_spikes)).round() as u64,
            synapse_events: (n * synapses).round() as u64,
            cadc_conversions: (n * CHANNELS * self.samples).round() as u64,
        }
    }
}

/// Power of a chip over 1,000 images, and the energy of one.
///
/// # Errors
/// A setting outside its range.
pub fn inference(
    config: PowerConfig,
    core: &AnalogCore,
    shape: NetworkShape,
    load: &ImageLoad,
) -> Result<(PowerReport, Joules), RangeError> {
    const IMAGES: u64 = 1000;
    for (field, value) in [
        ("input events", load.input_events),
        ("hidden spikes", load.hidden_spikes),
        ("samples", load.samples),
    ] {
        RangeError::check(field, value, 0.0, 1e6, "")?;
    }
    RangeError::check("interval", load.interval.as_micro(), 0.1, 1e9, "us")?;
    let model = PowerModel::new(config, core)?;
    let report = model.report(&load.activity(shape, IMAGES))?;
    let energy = report.energy() / IMAGES as f64;
    Ok((report, energy))
}

/// A table of the parts, their power and share.
#[must_use]
pub fn table(report: &PowerReport) -> String {
    let total = report.total();
    let mut text = String::new();
    let mut line = |name: &str, milliwatts: f64, share: f64| {
        writeln!(
            text,
            "{name:<26} {milliwatts:>9.3} mW {:>6.1} %",
            100.0 * share
        )
        .expect("text grows");
    };
    for (part, power) in report.parts {
        line(part.label(), power.as_milli(), power / total);
    }
    line("all", total.as_milli(), 1.0);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activity_counts_what_the_network_does() {
        let shape = NetworkShape {
            inputs: 256,
            hidden: 246,
            outputs: 10,
            recurrent: false,
        };
        let activity = ImageLoad::default().activity(shape, 10);
        assert!((activity.run_time.as_micro() - 118.0).abs() < 1e-9);
        assert_eq!(activity.bus_events, 1_500);
        assert_eq!(activity.synapse_events, 10 * (55 * 246 + 20 * 10));
        assert_eq!(activity.cadc_conversions, 25_600);
        let recurrent = NetworkShape {
            recurrent: true,
            ..shape
        };
        let more = ImageLoad::default().activity(recurrent, 10).synapse_events;
        assert_eq!(more - activity.synapse_events, 10 * 20 * 246);
    }
}
