//! Curves over two axes.

use super::axis::Axis;
use super::svg::{COLOURS, Entry, RIGHT, Sign, Svg, WIDTH};

/// Lines over two axes, and published values.
#[derive(Debug, Clone, Default)]
pub(super) struct Chart {
    pub(super) title: String,
    pub(super) x_label: String,
    pub(super) y_label: String,
    /// Points without lines, since nothing lies between them.
    pub(super) apart: bool,
    pub(super) lines: Vec<Line>,
    pub(super) marks: Vec<Mark>,
}

/// A curve: thin for each seed, thick for their mean.
#[derive(Debug, Clone, Default)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) seeds: Vec<Vec<(f64, f64)>>,
    pub(super) mean: Vec<(f64, f64)>,
}

/// A published value: a line at `x` or at `y`, or a point at both.
#[derive(Debug, Clone)]
pub(super) struct Mark {
    pub(super) x: Option<f64>,
    pub(super) y: Option<f64>,
    /// The line that it is about.
    pub(super) line: Option<usize>,
    pub(super) text: String,
}

const LEFT: f64 = 58.0;
/// Above the plot: the title, and where there are such marks a line for their names.
const TOP: f64 = 36.0;
const NAMES: f64 = 16.0;
const PLOT: f64 = 230.0;
/// Below the plot: numbers and title of the axis.
const FOOT: f64 = 48.0;
/// Points of a line stay marked while they stay apart.
const MARKED: usize = 14;

impl Chart {
    pub(super) fn draw(&self) -> Svg {
        let points = || {
            let seeds = self
                .lines
                .iter()
                .flat_map(|line| line.seeds.iter().flatten());
            seeds.chain(self.lines.iter().flat_map(|line| &line.mean))
        };
        // Points stand free of the axes if nothing joins them. A line at an `x` that a
        // quick run does not reach is left out.
        let xs = points().map(|p| p.0);
        let room = if self.apart { 0.5 } else { 0.0 };
        let xs = xs.flat_map(|x| [x - room, x + room]);
        let xs = xs.chain(
            self.marks
                .iter()
                .filter_map(|m| m.x.filter(|_| m.y.is_some())),
        );
        let ys = points()
            .map(|p| p.1)
            .chain(self.marks.iter().filter_map(|m| m.y));
        let x = Axis::new(xs, 0.03, LEFT, WIDTH - RIGHT);
        let marks = self
            .marks
            .iter()
            .filter(|m| m.x.is_none_or(|at| x.holds(at)));
        let marks: Vec<&Mark> = marks.collect();
        let named = marks.iter().any(|m| m.x.is_some() && m.y.is_none());
        let top = TOP + if named { NAMES } else { 0.0 };
        let bottom = top + PLOT;
        let y = Axis::new(ys, 0.08, bottom, top);
        let mut svg = Svg::titled(&self.title);
        y.draw_left(&mut svg, (LEFT, WIDTH - RIGHT), &self.y_label);
        x.draw_below(&mut svg, bottom, &self.x_label);
        let sign = if self.apart { Sign::Dot } else { Sign::Line };
        let mut legend: Vec<Entry> = Vec::new();
        for (i, line) in self.lines.iter().enumerate() {
            let class = colour(i);
            self.draw_line(&mut svg, line, &class, &x, &y);
            legend.push((sign, class, line.name.clone()));
        }
        for mark in marks {
            legend.extend(draw_mark(&mut svg, mark, top, &x, &y));
        }
        svg.legend(LEFT, bottom + FOOT, &legend);
        svg
    }

    fn draw_line(&self, svg: &mut Svg, line: &Line, class: &str, x: &Axis, y: &Axis) {
        let placed = |points: &[(f64, f64)]| -> Vec<(f64, f64)> {
            points.iter().map(|p| (x.at(p.0), y.at(p.1))).collect()
        };
        let thin = format!("{class} th");
        for seed in line.seeds.iter().filter(|_| line.seeds.len() > 1) {
            if self.apart {
                for at in placed(seed) {
                    svg.circle(&thin, at, 2.2);
                }
            } else {
                svg.polyline(&thin, &placed(seed));
            }
        }
        let mean = placed(&line.mean);
        if !self.apart {
            svg.polyline(class, &mean);
        }
        if self.apart || mean.len() <= MARKED {
            for &at in &mean {
                svg.circle(class, at, if self.apart { 4.2 } else { 3.0 });
            }
        }
    }
}

/// The class of a line's colour.
fn colour(line: usize) -> String {
    format!("c{}", line % COLOURS)
}

/// Its name stands above the plot or in the legend, where it covers no curve.
fn draw_mark(svg: &mut Svg, mark: &Mark, top: f64, x: &Axis, y: &Axis) -> Option<Entry> {
    match (mark.x, mark.y) {
        (Some(mx), Some(my)) => {
            let class = mark.line.map_or_else(|| "mp".to_owned(), colour);
            svg.diamond(&class, (x.at(mx), y.at(my)));
            Some((Sign::Diamond, class, mark.text.clone()))
        }
        (None, Some(my)) => {
            let dashed = |line| colour(line) + " da";
            let class = mark.line.map_or_else(|| "mk".to_owned(), dashed);
            svg.line(&class, (LEFT, y.at(my)), (WIDTH - RIGHT, y.at(my)));
            Some((Sign::Line, class, mark.text.clone()))
        }
        (Some(mx), None) => {
            svg.line("mk", (x.at(mx), top - 3.0), (x.at(mx), top + PLOT));
            svg.text_about((x.at(mx), top - 7.0), LEFT, "mt", &mark.text);
            None
        }
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_thin_and_text_is_text() {
        let chart = Chart {
            title: "a < b".into(),
            x_label: "sigma / %".into(),
            y_label: "error / %".into(),
            apart: false,
            lines: vec![Line {
                name: "chip".into(),
                seeds: vec![vec![(0.0, 1.0), (1.0, 2.0)]; 3],
                mean: vec![(0.0, 1.0), (1.0, 2.0)],
            }],
            marks: vec![Mark {
                x: None,
                y: Some(1.5),
                line: None,
                text: "paper".into(),
            }],
        };
        let svg = chart.draw().whole(true);
        assert_eq!(svg.matches("c0 th").count(), 3);
        for text in [
            "a &lt; b",
            "sigma / %",
            "error / %",
            ">chip<",
            ">paper<",
            "<style>",
        ] {
            assert!(svg.contains(text), "{text}: {svg}");
        }
        assert!(!chart.draw().whole(false).contains("<style>"));
        let polylines = |chart: &Chart| chart.draw().whole(false).matches("<polyline").count();
        // Seeds, mean, its name and that of the mark.
        assert_eq!(polylines(&chart), 3 + 1 + 2);
        let apart = Chart {
            apart: true,
            ..chart
        };
        assert_eq!(polylines(&apart), 1);
        let points = apart.draw().whole(false).matches("<circle").count();
        assert_eq!(points, 3 * 2 + 2 + 1);
        let of_line = |x| Chart {
            marks: vec![Mark {
                x,
                y: Some(1.5),
                line: Some(0),
                text: "paper".into(),
            }],
            ..apart.clone()
        };
        let [line, point] = [None, Some(0.5)].map(|x| of_line(x).draw().whole(false));
        assert_eq!(line.matches("\"c0 da\"").count(), 2, "{line}");
        assert_eq!(point.matches("<path class=\"c0\"").count(), 2, "{point}");
        let beyond = Chart {
            marks: [1.0, 1.1]
                .map(|x| Mark {
                    x: Some(x),
                    y: None,
                    line: None,
                    text: format!("at {x}"),
                })
                .to_vec(),
            apart: false,
            ..apart
        };
        let svg = beyond.draw().whole(false);
        assert!(svg.contains(">at 1<") && !svg.contains(">at 1.1<"), "{svg}");
        assert!(!Chart::default().draw().whole(true).contains("NaN"));
    }
}
