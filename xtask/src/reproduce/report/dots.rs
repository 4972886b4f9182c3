//! Cases side by side: a row for each, a dot for each seed.

use super::axis::Axis;
use super::svg::{COLOURS, RIGHT, Svg, WIDTH};

/// A quantity of several cases.
#[derive(Debug, Clone, Default)]
pub(super) struct Dots {
    pub(super) title: String,
    pub(super) x_label: String,
    pub(super) cases: Vec<String>,
    pub(super) series: Vec<Series>,
}

/// Its values, `[case][seed]`.
#[derive(Debug, Clone)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) values: Vec<Vec<f64>>,
}

const LEFT: f64 = 196.0;
const TOP: f64 = 34.0;
const FOOT: f64 = 48.0;
const ENTRY: f64 = 19.0;
/// Height of a dot's line.
const LINE: f64 = 15.0;

impl Dots {
    pub(super) fn draw(&self) -> Svg {
        let mut svg = Svg::titled(&self.title, 14.0);
        let row = LINE * self.series.len().max(1) as f64 + 9.0;
        let bottom = TOP + row * self.cases.len() as f64;
        svg.height = bottom + FOOT + ENTRY * self.series.len() as f64 + 6.0;
        let all = self.series.iter().flat_map(|s| s.values.iter().flatten());
        let x = Axis::new(all.copied(), 0.06, LEFT, WIDTH - RIGHT);
        for (case, name) in self.cases.iter().enumerate() {
            let top = TOP + row * case as f64;
            svg.line("gr", (LEFT, top + row), (WIDTH - RIGHT, top + row));
            svg.text((LEFT - 8.0, top + row / 2.0 + 4.0), "", "end", name);
        }
        for (i, series) in self.series.iter().enumerate() {
            let class = format!("c{}", i % COLOURS);
            let line = |case: usize| TOP + row * case as f64 + 5.0 + LINE * (i as f64 + 0.5);
            if let Some(first) = series.values.first().and_then(|seeds| mean(seeds)) {
                let place = x.at(first);
                svg.line(&format!("{class} ref"), (place, TOP), (place, bottom));
            }
            for (case, seeds) in series.values.iter().enumerate() {
                for value in seeds {
                    svg.circle(&format!("{class} th"), (x.at(*value), line(case)), 2.2);
                }
                if let Some(mean) = mean(seeds) {
                    svg.circle(&class, (x.at(mean), line(case)), 4.2);
                }
            }
            let below = bottom + FOOT + ENTRY * (i as f64 + 0.5);
            svg.entry(&class, (14.0, below), &series.name);
        }
        svg.line("ax", (LEFT, TOP), (LEFT, bottom));
        x.draw_below(&mut svg, bottom, &self.x_label);
        svg
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_seed_has_a_dot_and_each_case_a_mean() {
        let dots = Dots {
            title: "t".to_owned(),
            x_label: "error / %".to_owned(),
            cases: vec!["all on".to_owned(), "no noise".to_owned()],
            series: vec![Series {
                name: "in the loop".to_owned(),
                values: vec![vec![1.0, 2.0, 3.0], vec![1.0, 1.5, 0.5]],
            }],
        };
        let svg = dots.draw().whole(false);
        assert_eq!(svg.matches("c0 th").count(), 6);
        assert_eq!(svg.matches("r=\"4.2\"").count(), 2);
        for text in ["all on", "no noise", "in the loop", "error / %"] {
            assert!(svg.contains(text), "{text}");
        }
        assert!(!Dots::default().draw().whole(true).contains("NaN"));
    }
}
