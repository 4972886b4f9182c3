//! One coordinate system as SVG: text as text, colours by class, so that it
//! follows the light or dark scheme of its reader.

use std::fmt::Write;

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

/// Colours and type of all charts of a page. Hues stay apart for colour-blind
/// readers (after Okabe and Ito).
pub(super) const STYLE: &str = "\
.ch{font-family:system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;font-size:13px}\
.ch text{fill:#24292f}.ch .ti{font-size:14px;font-weight:600}.ch .ax{stroke:#57606a;fill:none}\
.ch .gr{stroke:#d8dee4;fill:none}.ch .gd{fill:#fff}.ch .mk{stroke:#57606a;fill:none;stroke-dasharray:5 4}\
.ch .mp{fill:#24292f}.ch text.mt{fill:#57606a;font-size:12px}\
.ch .c0{stroke:#0072b2;fill:#0072b2}.ch .c1{stroke:#d55e00;fill:#d55e00}.ch .c2{stroke:#008264;fill:#008264}\
.ch .c3{stroke:#aa508c;fill:#aa508c}.ch .c4{stroke:#8a6d00;fill:#8a6d00}.ch .c5{stroke:#5a5a5a;fill:#5a5a5a}\
.ch polyline{fill:none!important;stroke-linejoin:round;stroke-width:2.2}.ch .th{stroke-width:1;stroke-opacity:.4}\
@media(prefers-color-scheme:dark){.ch text{fill:#e6edf3}.ch .ax{stroke:#8b949e}.ch .gr{stroke:#30363d}\
.ch .gd{fill:#161b22}.ch .mk{stroke:#9da7b1}.ch .mp{fill:#e6edf3}.ch text.mt{fill:#9da7b1}\
.ch .c0{stroke:#56b4e9;fill:#56b4e9}.ch .c1{stroke:#f08a3c;fill:#f08a3c}.ch .c2{stroke:#3ccf9f;fill:#3ccf9f}\
.ch .c3{stroke:#e08cc4;fill:#e08cc4}.ch .c4{stroke:#e0c341;fill:#e0c341}.ch .c5{stroke:#b0b0b0;fill:#b0b0b0}}";

const COLOURS: usize = 6;
const WIDTH: f64 = 480.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 34.0;
const PLOT: f64 = 240.0;
/// Below the plot: numbers and title of the axis.
const FOOT: f64 = 48.0;
/// Height of a line of the legend.
const ENTRY: f64 = 19.0;
/// Width of a letter at a mark, about.
const LETTER: f64 = 6.5;
/// Points of a line stay marked while they stay apart.
const MARKED: usize = 30;

/// An axis from value to place.
struct Axis {
    low: f64,
    high: f64,
    step: f64,
    from: f64,
    to: f64,
}

impl Axis {
    /// Over all finite values, with some room; it begins at zero where that is near.
    fn new(values: impl Iterator<Item = f64> + Clone, room: f64, from: f64, to: f64) -> Self {
        let finite = values.filter(|value| value.is_finite());
        let mut low = finite.clone().fold(f64::INFINITY, f64::min);
        let mut high = finite.fold(f64::NEG_INFINITY, f64::max);
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        if high - low < 1e-9 * high.abs().max(1e-3) {
            let width = 0.1 * high.abs().max(1.0);
            (low, high) = (low - width, high + width);
        }
        let room = room * (high - low);
        let near_zero = low >= 0.0 && low < 0.35 * high;
        low = if near_zero { 0.0 } else { low - room };
        high += room;
        let rough = (high - low) / 5.0;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .map(|factor| factor * power)
            .into_iter()
            .find(|step| *step >= rough)
            .unwrap_or(10.0 * power);
        Self {
            low,
            high,
            step,
            from,
            to,
        }
    }

    fn at(&self, value: f64) -> f64 {
        self.from + (value - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    /// Places and numbers of its ticks.
    fn ticks(&self) -> Vec<(f64, String)> {
        let digits = (-self.step.log10().floor()).max(0.0) as usize;
        let first = (self.low / self.step - 1e-9).ceil() as i64;
        let last = (self.high / self.step + 1e-9).floor() as i64;
        (first..=last)
            .map(|i| i as f64 * self.step)
            .map(|value| (self.at(value), format!("{value:.digits$}")))
            .collect()
    }
}

impl Chart {
    /// The chart as SVG: alone with ground and style of its own, or as part of a
    /// page that has [`STYLE`].
    pub(super) fn svg(&self, alone: bool) -> String {
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
        let height = TOP + PLOT + FOOT + ENTRY * self.lines.len() as f64 + 6.0;
        let title = escape(&self.title);
        let mut svg = format!(
            "<svg class=\"ch\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
             role=\"img\" aria-label=\"{title}\">"
        );
        if alone {
            svg += &format!("<style>{STYLE}</style>");
            svg += &format!("<rect class=\"gd\" width=\"{WIDTH}\" height=\"{height}\"/>");
        }
        text(&mut svg, LEFT, 20.0, "ti", "start", &title);
        self.draw_axes(&mut svg, &x, &y);
        self.draw_marks(&mut svg, &x, &y);
        for (i, line) in self.lines.iter().enumerate() {
            draw_line(&mut svg, line, i % COLOURS, &x, &y);
            let below = TOP + PLOT + FOOT + ENTRY * (i as f64 + 0.5);
            let (colour, end) = (i % COLOURS, LEFT + 24.0);
            svg +=
                &format!("<polyline class=\"c{colour}\" points=\"{LEFT},{below} {end},{below}\"/>");
            text(
                &mut svg,
                LEFT + 32.0,
                below + 4.5,
                "",
                "start",
                &escape(&line.name),
            );
        }
        svg + "</svg>"
    }

    fn draw_axes(&self, svg: &mut String, x: &Axis, y: &Axis) {
        let (right, bottom) = (WIDTH - RIGHT, TOP + PLOT);
        for (place, number) in y.ticks() {
            line(svg, "gr", (LEFT, place), (right, place));
            text(svg, LEFT - 7.0, place + 4.5, "", "end", &number);
        }
        for (place, number) in x.ticks() {
            line(svg, "ax", (place, bottom), (place, bottom + 4.0));
            text(svg, place, bottom + 18.0, "", "middle", &number);
        }
        line(svg, "ax", (LEFT, bottom), (right, bottom));
        line(svg, "ax", (LEFT, TOP), (LEFT, bottom));
        let middle = (LEFT + right) / 2.0;
        text(
            svg,
            middle,
            bottom + 38.0,
            "",
            "middle",
            &escape(&self.x_label),
        );
        let middle = TOP + PLOT / 2.0;
        svg.push_str(&format!(
            "<text transform=\"translate(14 {middle}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            escape(&self.y_label)
        ));
    }

    fn draw_marks(&self, svg: &mut String, x: &Axis, y: &Axis) {
        let (right, bottom) = (WIDTH - RIGHT, TOP + PLOT);
        for mark in &self.marks {
            let words = escape(&mark.text);
            match (mark.x, mark.y) {
                (Some(mx), Some(my)) => {
                    let (px, py) = (x.at(mx), y.at(my));
                    svg.push_str(&format!(
                        "<path class=\"mp\" d=\"M{px:.1} {:.1}l5 5l-5 5l-5 -5z\"/>",
                        py - 5.0
                    ));
                    let (place, anchor) = if px > (LEFT + right) / 2.0 {
                        (px - 9.0, "end")
                    } else {
                        (px + 9.0, "start")
                    };
                    text(svg, place, py + 4.0, "mt", anchor, &words);
                }
                (None, Some(my)) => {
                    let py = y.at(my);
                    line(svg, "mk", (LEFT, py), (right, py));
                    text(svg, right - 2.0, py - 4.0, "mt", "end", &words);
                }
                (Some(mx), None) => {
                    let px = x.at(mx);
                    line(svg, "mk", (px, TOP), (px, bottom));
                    let (place, anchor) = if px + 4.0 + LETTER * mark.text.len() as f64 > right {
                        (px - 4.0, "end")
                    } else {
                        (px + 4.0, "start")
                    };
                    text(svg, place, TOP + 12.0, "mt", anchor, &words);
                }
                (None, None) => {}
            }
        }
    }
}

fn draw_line(svg: &mut String, line: &Line, colour: usize, x: &Axis, y: &Axis) {
    let path = |points: &[(f64, f64)]| {
        let mut text = String::new();
        for (px, py) in points {
            write!(text, "{:.1},{:.1} ", x.at(*px), y.at(*py)).expect("text grows");
        }
        text
    };
    if line.seeds.len() > 1 {
        for seed in &line.seeds {
            *svg += &format!(
                "<polyline class=\"c{colour} th\" points=\"{}\"/>",
                path(seed).trim()
            );
        }
    }
    *svg += &format!(
        "<polyline class=\"c{colour}\" points=\"{}\"/>",
        path(&line.mean).trim()
    );
    if line.mean.len() <= MARKED {
        for (px, py) in &line.mean {
            let (px, py) = (x.at(*px), y.at(*py));
            *svg += &format!("<circle class=\"c{colour}\" cx=\"{px:.1}\" cy=\"{py:.1}\" r=\"3\"/>");
        }
    }
}

fn line(svg: &mut String, class: &str, from: (f64, f64), to: (f64, f64)) {
    *svg += &format!(
        "<path class=\"{class}\" d=\"M{:.1} {:.1}L{:.1} {:.1}\"/>",
        from.0, from.1, to.0, to.1
    );
}

fn text(svg: &mut String, x: f64, y: f64, class: &str, anchor: &str, words: &str) {
    *svg += &format!(
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>"
    );
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let axis = |values: [f64; 2]| Axis::new(values.into_iter(), 0.0, 0.0, 100.0);
        let labels = |values| {
            axis(values)
                .ticks()
                .into_iter()
                .map(|t| t.1)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            labels([0.0, 0.5]),
            ["0.0", "0.1", "0.2", "0.3", "0.4", "0.5"]
        );
        assert_eq!(
            labels([96.0, 98.0]),
            ["96.0", "96.5", "97.0", "97.5", "98.0"]
        );
        assert_eq!(labels([3.0, 50.0]), ["0", "10", "20", "30", "40", "50"]);
        for values in [[1.0, 1.0], [0.0, 0.0], [f64::NAN, f64::NAN], [-1e-12, 1e12]] {
            let axis = axis(values);
            let ticks = axis.ticks();
            assert!(
                !ticks.is_empty() && ticks.len() < 12,
                "{values:?}: {ticks:?}"
            );
            assert!(
                ticks
                    .iter()
                    .all(|(place, _)| (-1e-6..=100.0 + 1e-6).contains(place))
            );
        }
    }

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
        let svg = chart.svg(true);
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
        assert!(!chart.svg(false).contains("<style>"));
        assert!(!Chart::default().svg(true).contains("NaN"));
    }
}
