//! Loss and accuracy over epochs.

use crate::metrics::EpochMetrics;

use super::{Figure, Panel, PlotError, Series};

/// The learning curve of a run as SVG text: loss at the left, accuracy on
/// training samples and on those that it is `tested` on at the right.
///
/// # Errors
/// [`PlotError`] when a figure of the run is not finite.
pub fn learning_curve(
    title: &str,
    tested: &str,
    epochs: &[EpochMetrics],
) -> Result<String, PlotError> {
    let line = |name: &str, color, value: fn(&EpochMetrics) -> Option<f64>| Series {
        name: name.into(),
        points: epochs
            .iter()
            .filter_map(|epoch| Some((f64::from(epoch.epoch), value(epoch)?)))
            .collect(),
        color,
        reference: false,
    };
    let loss = line("loss", 0, |epoch| Some(epoch.loss));
    let train = line("training", 0, |epoch| Some(100.0 * epoch.train_accuracy));
    let test = line(tested, 1, |epoch| Some(100.0 * epoch.test_accuracy?));
    let last = epochs.last().map_or(1, |epoch| epoch.epoch);
    let x_range = (0.0, f64::from(last).max(1.0) * 1.03);
    let highest = loss.points.iter().map(|p| p.1).fold(0.0, f64::max);
    let lowest = train
        .points
        .iter()
        .chain(&test.points)
        .map(|p| p.1)
        .fold(100.0, f64::min);
    let panel = |y_label: &str, y_range, series| Panel {
        x_label: "epoch".into(),
        y_label: y_label.into(),
        x_range,
        y_range,
        series,
        ..Panel::default()
    };
    Figure {
        title: title.into(),
        panels: vec![
            panel("loss", (0.0, (highest * 1.1).max(1e-3)), vec![loss]),
            panel(
                "accuracy / %",
                ((lowest - 1.0).floor().max(0.0), 100.5),
                vec![train, test],
            ),
        ],
    }
    .to_svg()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_titled_and_text_is_text() {
        let epoch = EpochMetrics {
            epoch: 1,
            loss: 0.4,
            train_accuracy: 0.8,
            test_accuracy: Some(0.9),
            hidden_spikes_per_image: 20.0,
            lost_events_per_image: 0.0,
            lost_inputs_per_image: 0.0,
            images_per_s: 1.0,
            wall_s: 1.0,
            data: "mnist".into(),
        };
        let svg = learning_curve("a run", "held out", &[epoch]).unwrap();
        for text in [
            "a run",
            "epoch",
            "loss",
            "accuracy / %",
            "training",
            "held out",
            "<text",
        ] {
            assert!(svg.contains(text), "{text}");
        }
        learning_curve("no epochs yet", "test", &[]).unwrap();
    }
}
