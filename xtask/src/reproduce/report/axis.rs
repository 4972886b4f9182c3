//! Axes: from values to places, with round numbers.

use super::svg::Svg;

/// An axis from value to place.
pub(super) struct Axis {
    low: f64,
    high: f64,
    step: f64,
    from: f64,
    to: f64,
}

impl Axis {
    /// Over all finite values, with some room; it begins at zero where that is near.
    pub(super) fn new(
        values: impl Iterator<Item = f64> + Clone,
        room: f64,
        from: f64,
        to: f64,
    ) -> Self {
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
        Self::between(low, high, from, to)
    }

    /// From one value to another.
    pub(super) fn between(low: f64, high: f64, from: f64, to: f64) -> Self {
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

    pub(super) fn holds(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    pub(super) fn at(&self, value: f64) -> f64 {
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

    /// Draws it below a plot, with its title.
    pub(super) fn draw_below(&self, svg: &mut Svg, bottom: f64, title: &str) {
        for (place, number) in self.ticks() {
            svg.line("ax", (place, bottom), (place, bottom + 4.0));
            svg.text((place, bottom + 18.0), "", "middle", &number);
        }
        svg.line("ax", (self.from, bottom), (self.to, bottom));
        let middle = f64::midpoint(self.from, self.to);
        svg.text((middle, bottom + 38.0), "", "middle", title);
    }

    /// Draws it at the left of a plot that reaches from `left` to `right`.
    pub(super) fn draw_left(&self, svg: &mut Svg, (left, right): (f64, f64), title: &str) {
        for (place, number) in self.ticks() {
            svg.line("gr", (left, place), (right, place));
            svg.text((left - 7.0, place + 4.5), "", "end", &number);
        }
        svg.line("ax", (left, self.to), (left, self.from));
        svg.upright((14.0, f64::midpoint(self.from, self.to)), title);
    }
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
}
