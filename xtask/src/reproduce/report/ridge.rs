//! Distributions, one above the other.

use super::axis::Axis;
use super::svg::{COLOURS, RIGHT, Svg, WIDTH};

/// Distributions of one quantity over a common axis.
#[derive(Debug, Clone, Default)]
pub(super) struct Ridge {
    pub(super) title: String,
    pub(super) x_label: String,
    pub(super) rows: Vec<Row>,
    /// A line across all, and its name.
    pub(super) target: f64,
    pub(super) target_name: String,
}

/// One distribution.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) values: Vec<f64>,
    /// Standard deviation of the normal distribution that was asked for.
    pub(super) asked: Option<f64>,
}

const LEFT: f64 = 112.0;
const TOP: f64 = 52.0;
/// Height of a row, and of the highest peak.
const ROW: f64 = 46.0;
const PEAK: f64 = 38.0;
const FOOT: f64 = 70.0;
const BINS: usize = 60;

impl Ridge {
    pub(super) fn draw(&self) -> Svg {
        let mut svg = Svg::titled(&self.title);
        let bottom = TOP + ROW * self.rows.len() as f64;
        svg.height = bottom + FOOT;
        let (low, high) = self.range();
        let x = Axis::between(low, high, LEFT, WIDTH - RIGHT);
        for (i, row) in self.rows.iter().enumerate() {
            let base = TOP + ROW * (i as f64 + 1.0);
            svg.line("gr", (LEFT, base), (WIDTH - RIGHT, base));
            self.draw_row(&mut svg, row, i % COLOURS, base, (low, high), &x);
        }
        let place = x.at(self.target);
        svg.line("mk", (place, TOP - 8.0), (place, bottom));
        svg.text_about((place, TOP - 13.0), LEFT, "mt", &self.target_name);
        x.draw_below(&mut svg, bottom, &self.x_label);
        let asked = "dashed: the normal distribution that was asked for";
        svg.text((RIGHT, bottom + 58.0), "mt", "start", asked);
        svg
    }

    /// What nearly all values lie in.
    fn range(&self) -> (f64, f64) {
        let mut all: Vec<f64> = self.rows.iter().flat_map(|r| &r.values).copied().collect();
        all.push(self.target);
        all.sort_by(f64::total_cmp);
        let at = |part: f64| all[(part * (all.len() - 1) as f64).round() as usize];
        let (low, high) = (at(0.002), at(0.998));
        let room = 0.04 * (high - low).max(0.1 * self.target.abs().max(1e-3));
        (low - room, high + room)
    }

    fn draw_row(
        &self,
        svg: &mut Svg,
        row: &Row,
        colour: usize,
        base: f64,
        (low, high): (f64, f64),
        x: &Axis,
    ) {
        let width = (high - low) / BINS as f64;
        let mut counts = [0.0_f64; BINS];
        let mut outside = 0;
        for value in &row.values {
            let bin = (value - low) / width;
            if (0.0..BINS as f64).contains(&bin) {
                counts[bin as usize] += 1.0;
            } else {
                outside += 1;
            }
        }
        let most = counts.iter().copied().fold(1.0, f64::max);
        let height = |count: f64| base - PEAK * count / most;
        let mut outline = vec![(x.at(low), base)];
        for (bin, &count) in counts.iter().enumerate() {
            let edge = |bin: usize| x.at(low + width * bin as f64);
            outline.push((edge(bin), height(count)));
            outline.push((edge(bin + 1), height(count)));
        }
        outline.push((x.at(high), base));
        svg.polyline(&format!("c{colour} ar"), &outline);
        if let Some(sd) = row.asked.filter(|sd| *sd > 0.0) {
            let expected = |value: f64| {
                let z = (value - self.target) / sd;
                let density = libm::exp(-0.5 * z * z) / (sd * std::f64::consts::TAU.sqrt());
                row.values.len() as f64 * width * density
            };
            let curve: Vec<(f64, f64)> = (0..=2 * BINS)
                .map(|i| low + 0.5 * width * i as f64)
                .map(|value| (x.at(value), height(expected(value)).max(base - ROW)))
                .collect();
            svg.polyline("mk", &curve);
        }
        svg.text((LEFT - 8.0, base - 14.0), "", "end", &row.name);
        if outside > 0 {
            let text = format!("{outside} beyond");
            svg.text((LEFT - 8.0, base - 1.0), "mt", "end", &text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_drawn_and_what_lies_beyond_is_counted() {
        let mut values: Vec<f64> = (0..1000).map(|i| 5.0 + 0.002 * f64::from(i)).collect();
        values.push(1e6);
        let row = |name: &str, asked| Row {
            name: name.to_owned(),
            values: values.clone(),
            asked,
        };
        let ridge = Ridge {
            title: "t".to_owned(),
            x_label: "tau / us".to_owned(),
            rows: vec![row("calibrated", None), row("sigma 10 %", Some(0.6))],
            target: 6.0,
            target_name: "target".to_owned(),
        };
        let svg = ridge.draw().whole(true);
        for text in [
            "calibrated",
            "sigma 10 %",
            "1 beyond",
            "tau / us",
            ">target<",
        ] {
            assert!(svg.contains(text), "{text}");
        }
        assert_eq!(svg.matches("<polyline class=\"mk\"").count(), 1);
        assert!(!svg.contains("NaN"));
    }
}
