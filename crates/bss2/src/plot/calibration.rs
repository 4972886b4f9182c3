//! Distributions of calibrated quantities.

use bss2_analog::calib::{CalibrationReport, Measured};

use super::{Figure, Panel, PlotError, Series};

const BINS: usize = 40;

/// How every quantity is distributed over the neurons, before and after a
/// calibration, with the targets dashed, as SVG text.
///
/// # Errors
/// [`PlotError`] when a quantity has neither targets nor measurements.
pub fn calibration(
    title: &str,
    before: &CalibrationReport,
    after: &CalibrationReport,
) -> Result<String, PlotError> {
    let panels = after.quantities.iter().map(|after| {
        let none = Vec::new();
        let before = before.get(after.quantity).map_or(&none, |m| &m.reached);
        distribution(before, after)
    });
    Figure {
        title: title.into(),
        panels: panels.collect(),
    }
    .to_svg()
}

/// How one quantity is distributed.
pub(crate) fn distribution(before: &[f64], after: &Measured) -> Panel {
    let mut seen: Vec<f64> = before.iter().chain(&after.reached).copied().collect();
    seen.retain(|value| value.is_finite());
    seen.sort_by(f64::total_cmp);
    // Single neurons far away would squeeze all others into one bin.
    let quantile = |share: f64| seen.get((share * seen.len() as f64) as usize).copied();
    let targets = || after.target.iter().copied();
    let low = targets().fold(quantile(0.01).unwrap_or(f64::NAN), f64::min);
    let high = targets().fold(quantile(0.99).unwrap_or(f64::NAN), f64::max);
    let margin = 0.05 * (high - low) + 1e-3 * high.abs();
    let x_range = (low - margin, high + margin);

    let (name, unit) = after.quantity.label();
    let mut series = Vec::new();
    if !before.is_empty() {
        series.push(outline("uncalibrated", 4, before, x_range));
    }
    series.push(outline("calibrated", 0, &after.reached, x_range));
    let tallest = series.iter().flat_map(|s| &s.points).map(|p| p.1);
    let top = 1.15 * tallest.fold(1.0, f64::max);
    series.push(target(&after.target, x_range, top));
    Panel {
        x_label: if unit.is_empty() {
            name.into()
        } else {
            format!("{name} / {unit}")
        },
        y_label: "neurons".into(),
        x_range,
        y_range: (0.0, top),
        series,
        ..Panel::default()
    }
}

/// One target is a line, scattered ones are a distribution.
fn target(targets: &[f64], x_range: (f64, f64), top: f64) -> Series {
    let first = targets.first().copied().unwrap_or(x_range.0);
    let mut series = outline("target", 1, targets, x_range);
    if targets.iter().all(|target| *target == first) {
        series.points = vec![(first, 0.0), (first, top)];
    }
    series.dashed()
}

/// An outline of the number of values per bin.
pub(crate) fn outline(name: &str, color: usize, values: &[f64], (low, high): (f64, f64)) -> Series {
    let width = (high - low) / BINS as f64;
    let mut counts = [0_u32; BINS];
    for value in values {
        let bin = ((value - low) / width).floor();
        if bin >= 0.0 && bin < BINS as f64 {
            counts[bin as usize] += 1;
        }
    }
    let edges = counts.iter().enumerate().flat_map(|(bin, &count)| {
        let (x, y) = (low + width * bin as f64, f64::from(count));
        [(x, y), (x + width, y)]
    });
    Series::line(name, color, edges.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bss2_analog::calib::Quantity;

    #[test]
    fn bins_hold_every_value_in_their_range() {
        let values = [0.0, 0.99, 1.0, 39.5, 40.0, -1.0, f64::NAN];
        let series = outline("h", 0, &values, (0.0, 40.0));
        assert_eq!(series.points.len(), 2 * BINS);
        assert_eq!(series.points[0], (0.0, 2.0));
        assert_eq!(series.points[2], (1.0, 1.0));
        let total: f64 = series.points.iter().step_by(2).map(|p| p.1).sum();
        assert_eq!(total, 4.0);
    }

    #[test]
    fn every_quantity_has_a_panel_with_its_target() {
        let measured = |quantity, reached: &[f64]| Measured {
            quantity,
            target: vec![6.0; reached.len()],
            reached: reached.to_vec(),
        };
        let report = |shift: f64| CalibrationReport {
            quantities: vec![
                measured(Quantity::TauMem, &[6.0 + shift, 6.1, f64::NAN]),
                measured(Quantity::Leak, &[6.0; 3]),
            ],
        };
        let svg = calibration("chip 3", &report(2.0), &report(0.0)).unwrap();
        for text in [
            "chip 3",
            "tau_mem / us",
            "leak / LSB",
            "target",
            "uncalibrated",
        ] {
            assert!(svg.contains(text), "{text}");
        }
        let unseen = CalibrationReport {
            quantities: vec![measured(Quantity::Leak, &[f64::NAN])],
        };
        let nothing = CalibrationReport::default();
        calibration("nothing was seen", &nothing, &unseen).unwrap();
    }
}
