//! Figures as SVG, with text as text.
//!
//! White background and dark ink, so that a figure reads the same in light and
//! dark viewers.

mod calibration;
mod learning_curve;

pub use calibration::calibration;
pub use learning_curve::learning_curve;

use plotters::prelude::*;
use thiserror::Error;

/// One line of a panel.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What the legend calls it.
    pub name: String,
    /// (x, y) in order of x.
    pub points: Vec<(f64, f64)>,
    /// Place in the palette.
    pub color: usize,
    /// Whether it is a reference, drawn dashed.
    pub reference: bool,
}

/// One coordinate system of a figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// Title of the horizontal axis, with unit.
    pub x_label: String,
    /// Title of the vertical axis, with unit.
    pub y_label: String,
    /// Range of the horizontal axis.
    pub x_range: (f64, f64),
    /// Range of the vertical axis.
    pub y_range: (f64, f64),
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

/// A figure could not be drawn: its numbers give no axes.
#[derive(Debug, Error)]
#[error("the figure {title:?} cannot be drawn: {reason}")]
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

impl Figure {
    /// The figure as SVG text.
    ///
    /// # Errors
    /// [`PlotError`] when a range is empty or not finite.
    pub fn to_svg(&self) -> Result<String, PlotError> {
        let fail = |reason: String| PlotError {
            title: self.title.clone(),
            reason,
        };
        for panel in &self.panels {
            for (low, high) in [panel.x_range, panel.y_range] {
                if !(low.is_finite() && high.is_finite() && low < high) {
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
            let mut chart = ChartBuilder::on(area)
                .margin(12)
                .x_label_area_size(46)
                .y_label_area_size(64)
                .build_cartesian_2d(
                    panel.x_range.0..panel.x_range.1,
                    panel.y_range.0..panel.y_range.1,
                )?;
            chart
                .configure_mesh()
                .x_desc(&panel.x_label)
                .y_desc(&panel.y_label)
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
            for series in &panel.series {
                let color = PALETTE[series.color % PALETTE.len()];
                let points = series.points.iter().copied();
                if series.reference {
                    chart
                        .draw_series(DashedLineSeries::new(points, 6, 4, color.stroke_width(1)))?
                        .label(&series.name)
                        .legend(move |(x, y)| swatch(x, y, color.stroke_width(1)));
                    continue;
                }
                chart
                    .draw_series(LineSeries::new(points.clone(), color.stroke_width(2)))?
                    .label(&series.name)
                    .legend(move |(x, y)| swatch(x, y, color.stroke_width(2)));
                // Marks while they stay apart: a run of one epoch has no line.
                if series.points.len() <= 30 {
                    chart.draw_series(points.map(|point| Circle::new(point, 3, color.filled())))?;
                }
            }
            if panel.series.len() > 1 {
                chart
                    .configure_series_labels()
                    .position(SeriesLabelPosition::LowerRight)
                    .background_style(WHITE.mix(0.85))
                    .border_style(GRID)
                    .label_font(("sans-serif", 13).into_font().color(&INK))
                    .draw()?;
            }
        }
        root.present()?;
        Ok(())
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
                x_label: String::new(),
                y_label: String::new(),
                x_range: (0.0, 0.0),
                y_range: (0.0, f64::NAN),
                series: Vec::new(),
            }],
        };
        let error = figure.to_svg().unwrap_err().to_string();
        assert!(error.contains("from 0 to 0"), "{error}");
    }
}
