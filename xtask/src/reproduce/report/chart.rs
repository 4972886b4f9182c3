//! Curves over two axes.

use super::axis::Axis;
use super::svg::{COLOURS, LETTER, RIGHT, Svg, WIDTH};

/// Lines over two axes, and published values.
#[derive(Debug, Clone, Default)]
pub(super) struct Chart {
    pub(super) title: String,
    pub(super) x_label: String,
    pub(super) y_label: String,
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
    pub(super) text: String,
}

const LEFT: f64 = 58.0;
const TOP: f64 = 34.0;
const PLOT: f64 = 240.0;
/// Below the plot: numbers and title of the axis.
const FOOT: f64 = 48.0;
/// Height of a line of the legend.
const ENTRY: f64 = 19.0;
/// Points of a line stay marked while they stay apart.
const MARKED: usize = 30;

impl Chart {
    pub(super) fn draw(&self) -> Svg {
        let points = || {
            let seeds = self
                .lines
                .iter()
                .flat_map(|line| line.seeds.iter().flatten());
            seeds.chain(self.lines.iter().flat_map(|line| &line.mean))
        };
        let xs = points()
            .map(|p| p.0)
            .chain(self.marks.iter().filter_map(|m| m.x));
        let ys = points()
            .map(|p| p.1)
            .chain(self.marks.iter().filter_map(|m| m.y));
        let x = Axis::new(xs, 0.03, LEFT, WIDTH - RIGHT);
        let y = Axis::new(ys, 0.08, TOP + PLOT, TOP);
        let mut svg = Svg::titled(&self.title, LEFT);
        svg.height = TOP + PLOT + FOOT + ENTRY * self.lines.len() as f64 + 6.0;
        y.draw_left(&mut svg, (LEFT, WIDTH - RIGHT), &self.y_label);
        x.draw_below(&mut svg, TOP + PLOT, &self.x_label);
        for (i, line) in self.lines.iter().enumerate() {
            draw_line(&mut svg, line, i % COLOURS, &x, &y);
            let below = TOP + PLOT + FOOT + ENTRY * (i as f64 + 0.5);
            svg.entry(&format!("c{}", i % COLOURS), (LEFT, below), &line.name);
        }
        self.draw_marks(&mut svg, &x, &y);
        svg
    }

    fn draw_marks(&self, svg: &mut Svg, x: &Axis, y: &Axis) {
        let (right, bottom) = (WIDTH - RIGHT, TOP + PLOT);
        for mark in &self.marks {
            match (mark.x, mark.y) {
                (Some(mx), Some(my)) => {
                    let (px, py) = (x.at(mx), y.at(my));
                    svg.body += &format!(
                        "<path class=\"mp\" d=\"M{px:.1} {:.1}l5 5l-5 5l-5 -5z\"/>",
                        py - 5.0
                    );
                    let (place, anchor) = if px > f64::midpoint(LEFT, right) {
                        (px - 9.0, "end")
                    } else {
                        (px + 9.0, "start")
                    };
                    svg.text((place, py + 4.0), "mt", anchor, &mark.text);
                }
                (None, Some(my)) => {
                    let py = y.at(my);
                    svg.line("mk", (LEFT, py), (right, py));
                    svg.text((right - 2.0, py - 4.0), "mt", "end", &mark.text);
                }
                (Some(mx), None) => {
                    let px = x.at(mx);
                    svg.line("mk", (px, TOP), (px, bottom));
                    let wide = px + 4.0 + LETTER * mark.text.len() as f64 > right;
                    let (place, anchor) = if wide {
                        (px - 4.0, "end")
                    } else {
                        (px + 4.0, "start")
                    };
                    svg.text((place, TOP + 12.0), "mt", anchor, &mark.text);
                }
                (None, None) => {}
            }
        }
    }
}

fn draw_line(svg: &mut Svg, line: &Line, colour: usize, x: &Axis, y: &Axis) {
    let placed = |points: &[(f64, f64)]| -> Vec<(f64, f64)> {
        points.iter().map(|p| (x.at(p.0), y.at(p.1))).collect()
    };
    if line.seeds.len() > 1 {
        for seed in &line.seeds {
            svg.polyline(&format!("c{colour} th"), &placed(seed));
        }
    }
    let mean = placed(&line.mean);
    svg.polyline(&format!("c{colour}"), &mean);
    if mean.len() <= MARKED {
        for &at in &mean {
            svg.circle(&format!("c{colour}"), at, 3.0);
        }
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
            lines: vec![Line {
                name: "chip".into(),
                seeds: vec![vec![(0.0, 1.0), (1.0, 2.0)]; 3],
                mean: vec![(0.0, 1.0), (1.0, 2.0)],
            }],
            marks: vec![Mark {
                x: None,
                y: Some(1.5),
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
        assert!(!Chart::default().draw().whole(true).contains("NaN"));
    }
}
