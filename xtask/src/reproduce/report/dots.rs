//! Cases side by side: a row for each, a dot for each seed.

use super::axis::Axis;
use super::svg::{COLOURS, Entry, RIGHT, Sign, Svg, WIDTH, lines, width};

/// A quantity of several cases.
#[derive(Debug, Clone, Default)]
pub(super) struct Dots {
    pub(super) title: String,
    pub(super) x_label: String,
    /// Whether the first case is what the others are compared with.
    pub(super) against_first: bool,
    pub(super) cases: Vec<String>,
    pub(super) series: Vec<Series>,
}

/// Its values, `[case][seed]`.
#[derive(Debug, Clone)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) values: Vec<Vec<f64>>,
}

const TOP: f64 = 34.0;
const FOOT: f64 = 48.0;
/// Widest name of a case in one line.
const NAME: f64 = 150.0;
/// Height of a dot's line, and of a line of a name.
const LINE: f64 = 15.0;

impl Dots {
    pub(super) fn draw(&self) -> Svg {
        let mut svg = Svg::titled(&self.title);
        let names: Vec<Vec<String>> = self.cases.iter().map(|c| lines(c, NAME)).collect();
        let widest = names.iter().flatten().map(|name| width(name));
        let left = RIGHT + widest.fold(40.0, f64::max) + 8.0;
        let most = names.iter().map(Vec::len).chain([self.series.len()]).max();
        let row = LINE * most.unwrap_or(1).max(1) as f64 + 9.0;
        let bottom = TOP + row * self.cases.len() as f64;
        let all = self.series.iter().flat_map(|s| s.values.iter().flatten());
        let x = Axis::new(all.copied(), 0.06, left, WIDTH - RIGHT);
        for (case, name) in names.iter().enumerate() {
            let top = TOP + row * case as f64;
            svg.line("gr", (left, top + row), (WIDTH - RIGHT, top + row));
            let first = top + 0.5 * (row - LINE * name.len() as f64);
            for (i, words) in name.iter().enumerate() {
                let below = first + LINE * i as f64 + 12.0;
                svg.text((left - 8.0, below), "", "end", words);
            }
        }
        let mut legend: Vec<Entry> = Vec::new();
        for (i, series) in self.series.iter().enumerate() {
            let class = format!("c{}", i % COLOURS);
            let first = 0.5 * (row - LINE * self.series.len() as f64);
            let line = |case: usize| TOP + row * case as f64 + first + LINE * (i as f64 + 0.5);
            let against = series.values.first().filter(|_| self.against_first);
            if let Some(first) = against.and_then(|seeds| mean(seeds)) {
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
            legend.push((Sign::Dot, class, series.name.clone()));
        }
        svg.line("ax", (left, TOP), (left, bottom));
        x.draw_below(&mut svg, bottom, &self.x_label);
        svg.legend(RIGHT, bottom + FOOT, &legend);
        if let Some(first) = self.cases.first().filter(|_| self.against_first) {
            let words = format!("dotted: {first}");
            svg.text((RIGHT, svg.height + 8.0), "mt", "start", &words);
            svg.height += 18.0;
        }
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
            against_first: true,
            cases: vec!["all on".to_owned(), "no noise".to_owned()],
            series: vec![Series {
                name: "in the loop".to_owned(),
                values: vec![vec![1.0, 2.0, 3.0], vec![1.0, 1.5, 0.5]],
            }],
        };
        let svg = dots.draw().whole(false);
        assert_eq!(svg.matches("c0 th").count(), 6);
        // One in the legend.
        assert_eq!(svg.matches("r=\"4.2\"").count(), 3);
        assert_eq!(svg.matches("c0 ref").count(), 1);
        for text in [
            "dotted: all on",
            "all on",
            "no noise",
            "in the loop",
            "error / %",
        ] {
            assert!(svg.contains(text), "{text}");
        }
        let alone = Dots {
            against_first: false,
            ..dots
        };
        let svg = alone.draw().whole(false);
        assert!(!svg.contains("c0 ref") && !svg.contains("dotted"), "{svg}");
        assert!(!Dots::default().draw().whole(true).contains("NaN"));
    }
}
