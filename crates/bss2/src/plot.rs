//! Figures as SVG, with text as text.
//!
//! White background and dark ink, so that a figure reads the same in light and
//! dark viewers.

mod calibration;
mod learning_curve;

pub use calibration::calibration;
pub(crate) use calibration::{distribution, outline};
pub use learning_curve::learning_curve;

use std::path::Path;

use plotters::coord::ranged1d::ValueFormatter;
use plotters::prelude::*;
use thiserror::Error;

use crate::files::write_atomically;

/// One line of a panel.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What the legend calls it; it has no entry if empty.
    pub name: String,
    /// (x, y) in order of x.
    pub points: Vec<(f64, f64)>,
    /// Place in the palette.
    pub color: usize,
    /// Whether it is a reference, drawn dashed.
    pub reference: bool,
}

/// One coordinate system of a figure.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Panel {
    /// Title above it; none if empty.
    pub title: String,
    /// Title of the horizontal axis, with unit.
    pub x_label: String,
    /// Title of the vertical axis, with unit.
    pub y_label: String,
    /// Range of the horizontal axis.
    pub x_range: (f64, f64),
    /// Range of the vertical axis.
    pub y_range: (f64, f64),
    /// Whether the horizontal and the vertical axis are logarithmic.
    pub logarithmic: (bool, bool),
    /// The lines.
    pub series: Vec<Series>,
}

/// Panels side by side, four in a row, under one title.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Title over all panels.
    pub title: String,
    /// From left to right, row by row.
    pub panels: Vec<Panel>,
}

/// A figure could not be drawn, as its numbers give no axes, or not be written.
#[derive(Debug, Error)]
#[error("the figure {title:?} cannot be drawn or written: {reason}")]
pub struct PlotError {
    title: String,
    reason: String,
}

/// Hues that stay apart for colour-blind readers (Okabe and Ito), dark enough
/// for white ground.
const PALETTE: [RGBColor; 5] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 130, 100),
    RGBColor(170, 80, 140),
    RGBColor(90, 90, 90),
];
const INK: RGBColor = RGBColor(32, 32, 32);
const GRID: RGBColor = RGBColor(224, 224, 224);
const PANEL: (u32, u32) = (460, 340);
/// Panels of a row.
const COLUMNS: usize = 4;

impl Series {
    /// A line.
    #[must_use]
    pub fn line(name: &str, color: usize, points: Vec<(f64, f64)>) -> Self {
        Self {
            name: name.into(),
            points,
            color,
            reference: false,
        }
    }

    /// The same, dashed.
    #[must_use]
    pub fn dashed(self) -> Self {
        Self {
            reference: true,
            ..self
        }
    }
}

impl Figure {
    /// Writes the figure, in whole or not at all.
    ///
    /// # Errors
    /// As [`Figure::to_svg`], or when the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), PlotError> {
        let written = write_atomically(path, self.to_svg()?.as_bytes());
        written.map_err(|error| PlotError {
            title: self.title.clone(),
            reason: format!("{}: {error}", path.display()),
        })
    }

    /// The figure as SVG text.
    ///
    /// # Errors
    /// [`PlotError`] when a range is empty or not finite, or of a logarithmic axis
    /// not positive.
    pub fn to_svg(&self) -> Result<String, PlotError> {
        let fail = |reason: String| PlotError {
            title: self.title.clone(),
            reason,
        };
        for panel in &self.panels {
            let (x_log, y_log) = panel.logarithmic;
            for ((low, high), log) in [(panel.x_range, x_log), (panel.y_range, y_log)] {
                let negative = log && low <= 0.0;
                if negative || !(low.is_finite() && high.is_finite() && low < high) {
                    return Err(fail(format!("an axis would run from {low} to {high}")));
                }
            }
        }
        let mut svg = String::new();
        self.draw(&mut svg)
            .map_err(|error| fail(error.to_string()))?;
        Ok(svg)
    }

    fn draw(&self, svg: &mut String) -> Result<(), Box<dyn std::error::Error>> {
        let count = self.panels.len().max(1);
        let (columns, rows) = (count.min(COLUMNS), count.div_ceil(COLUMNS));
        let size = (PANEL.0 * columns as u32, PANEL.1 * rows as u32 + 36);
        let root = SVGBackend::with_string(svg, size).into_drawing_area();
        root.fill(&WHITE)?;
        let root = root.titled(&self.title, ("sans-serif", 18).into_font().color(&INK))?;
        for (area, panel) in root.split_evenly((rows, columns)).iter().zip(&self.panels) {
            let mut builder = ChartBuilder::on(area);
            builder
                .margin(12)
                // The last tick is wider than its mark.
                .margin_right(20)
                .x_label_area_size(46)
                .y_label_area_size(64);
            if !panel.title.is_empty() {
                builder.caption(&panel.title, ("sans-serif", 15).into_font().color(&INK));
            }
            let x = panel.x_range.0..panel.x_range.1;
            let y = panel.y_range.0..panel.y_range.1;
            let (xl, yl) = (x.clone().log_scale(), y.clone().log_scale());
            match panel.logarithmic {
                (false, false) => panel.draw(builder.build_cartesian_2d(x, y)?)?,
                (true, false) => panel.draw(builder.build_cartesian_2d(xl, y)?)?,
                (false, true) => panel.draw(builder.build_cartesian_2d(x, yl)?)?,
                (true, true) => panel.draw(builder.build_cartesian_2d(xl, yl)?)?,
            }
        }
        root.present()?;
        Ok(())
    }
}

/// A coordinate system in a figure.
type Chart<'a, X, Y> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<X, Y>>;

impl Panel {
    /// A panel with axes as wide as its lines.
    #[must_use]
    pub fn fitting(title: &str, x_label: &str, y_label: &str, series: Vec<Series>) -> Self {
        let range = |of: fn(&(f64, f64)) -> f64| {
            let values = series.iter().flat_map(|s| &s.points).map(of);
            let values = values.filter(|value| value.is_finite());
            let start = (f64::INFINITY, f64::NEG_INFINITY);
            values.fold(start, |(low, high), v| (low.min(v), high.max(v)))
        };
        let (x_range, (low, high)) = (range(|p| p.0), range(|p| p.1));
        let margin = 0.06 * (high - low).max(1e-9);
        let bottom = if low == 0.0 { 0.0 } else { low - margin };
        Self {
            title: title.into(),
            x_label: x_label.into(),
            y_label: y_label.into(),
            x_range,
            y_range: (bottom, high + margin),
            series,
            ..Self::default()
        }
    }

    fn draw<X, Y>(&self, mut chart: Chart<'_, X, Y>) -> Result<(), Box<dyn std::error::Error>>
    where
        X: Ranged<ValueType = f64> + ValueFormatter<f64>,
        Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
    {
        chart
            .configure_mesh()
            .x_desc(&self.x_label)
            .y_desc(&self.y_label)
            .x_labels(6)
            .y_labels(6)
            .x_label_formatter(&short)
            .y_label_formatter(&short)
            .axis_style(INK)
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .label_style(("sans-serif", 13).into_font().color(&INK))
            .axis_desc_style(("sans-serif", 14).into_font().color(&INK))
            .draw()?;
        for series in &self.series {
            let color = PALETTE[series.color % PALETTE.len()];
            let points = series.points.iter().copied();
            let width = if series.reference { 1 } else { 2 };
            let style = color.stroke_width(width);
            let drawn = if series.reference {
                chart.draw_series(DashedLineSeries::new(points, 6, 4, style))?
            } else {
                // Marks while they stay apart: a run of one epoch has no line.
                if series.points.len() <= 30 {
                    let marks = points.clone();
                    chart.draw_series(marks.map(|point| Circle::new(point, 3, color.filled())))?;
                }
                chart.draw_series(LineSeries::new(points, style))?
            };
            if !series.name.is_empty() {
                drawn
                    .label(&series.name)
                    .legend(move |(x, y)| swatch(x, y, style));
            }
        }
        if self.series.len() > 1 {
            chart
                .configure_series_labels()
                .position(self.emptiest_corner())
                .background_style(WHITE.mix(0.85))
                .border_style(GRID)
                .label_font(("sans-serif", 13).into_font().color(&INK))
                .draw()?;
        }
        Ok(())
    }

    /// The corner that hides the fewest points.
    fn emptiest_corner(&self) -> SeriesLabelPosition {
        let place = |value: f64, (low, high): (f64, f64), log: bool| {
            if log {
                (value / low).ln() / (high / low).ln()
            } else {
                (value - low) / (high - low)
            }
        };
        let points = || self.series.iter().flat_map(|series| &series.points);
        let hidden = |right: bool, upper: bool| {
            let near = |share: f64, end: bool, room: f64| {
                if end {
                    share > 1.0 - room
                } else {
                    share < room
                }
            };
            points()
                .filter(|(x, y)| {
                    let x = place(*x, self.x_range, self.logarithmic.0);
                    let y = place(*y, self.y_range, self.logarithmic.1);
                    near(x, right, 0.45) && near(y, upper, 0.4)
                })
                .count()
        };
        let corners = [
            (hidden(true, false), SeriesLabelPosition::LowerRight),
            (hidden(true, true), SeriesLabelPosition::UpperRight),
            (hidden(false, true), SeriesLabelPosition::UpperLeft),
            (hidden(false, false), SeriesLabelPosition::LowerLeft),
        ];
        let emptiest = corners.into_iter().min_by_key(|(hidden, _)| *hidden);
        emptiest.map_or(SeriesLabelPosition::LowerRight, |(_, corner)| corner)
    }
}

fn swatch(x: i32, y: i32, style: ShapeStyle) -> PathElement<(i32, i32)> {
    PathElement::new([(x, y), (x + 18, y)], style)
}

/// A tick's number without superfluous zeros.
fn short(value: &f64) -> String {
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" {
        "0".into()
    } else {
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_short() {
        for (value, text) in [(97.5, "97.5"), (1.0, "1"), (-1e-9, "0"), (0.025, "0.025")] {
            assert_eq!(short(&value), text);
        }
    }

    #[test]
    fn an_empty_range_is_an_error_and_no_panic() {
        let figure = Figure {
            title: "t".into(),
            panels: vec![Panel {
                x_range: (0.0, 0.0),
                y_range: (0.0, f64::NAN),
                ..Panel::default()
            }],
        };
        let error = figure.to_svg().unwrap_err().to_string();
        assert!(error.contains("from 0 to 0"), "{error}");
    }

    #[test]
    fn logarithmic_axes_are_positive_and_legends_hide_nothing() {
        let line = |name: &str| Series {
            name: name.into(),
            points: vec![(1.0, 1.0), (10.0, 30.0), (100.0, 1000.0)],
            color: 0,
            reference: false,
        };
        let mut panel = Panel {
            title: "rising".into(),
            x_range: (1.0, 100.0),
            y_range: (1.0, 1000.0),
            logarithmic: (true, true),
            series: vec![line("one"), line("")],
            ..Panel::default()
        };
        assert!(matches!(
            panel.emptiest_corner(),
            SeriesLabelPosition::LowerRight
        ));
        panel.series[0].points.reverse();
        panel.series[1].points = vec![(100.0, 1.0)];
        assert!(matches!(
            panel.emptiest_corner(),
            SeriesLabelPosition::UpperLeft
        ));
        let figure = |panel| Figure {
            title: "t".into(),
            panels: vec![panel],
        };
        let svg = figure(panel.clone()).to_svg().unwrap();
        assert!(svg.contains("rising") && svg.contains("1000"), "{svg}");
        panel.x_range.0 = 0.0;
        assert!(figure(panel).to_svg().is_err());
    }
}
