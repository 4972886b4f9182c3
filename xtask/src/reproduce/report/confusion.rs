//! Which class is taken for which.

use super::super::outcome::Answers;
use super::svg::{LETTER, RIGHT, Svg, WIDTH, width};

const TOP: f64 = 52.0;

/// Rows are what was there, columns what was answered, in % of the row over all
/// seeds; ink by share.
pub(super) fn draw(title: &str, seeds: &[&Answers]) -> Svg {
    let mut svg = Svg::titled(title);
    let Some(classes) = seeds.first().map(|answers| &answers.classes) else {
        return svg;
    };
    let widest = classes.iter().map(|name| width(name));
    let left = 24.0 + widest.fold(LETTER, f64::max) + 8.0;
    let cell = (WIDTH - RIGHT - left) / classes.len() as f64;
    let mut counts = vec![vec![0; classes.len()]; classes.len()];
    for answers in seeds {
        for (sum, row) in counts.iter_mut().zip(answers.confusion()) {
            for (sum, count) in sum.iter_mut().zip(row) {
                *sum += count;
            }
        }
    }
    for (row, counts) in counts.iter().enumerate() {
        let (all, top) = (counts.iter().sum::<u32>(), TOP + cell * row as f64);
        let middle = top + cell / 2.0 + 4.0;
        svg.text((left - 8.0, middle), "", "end", &classes[row]);
        for (column, &count) in counts.iter().enumerate() {
            let at = left + cell * column as f64;
            svg.rect("fr", (at, top), (cell, cell));
            if count == 0 {
                continue;
            }
            let share = f64::from(count) / f64::from(all);
            let class = if row == column { "c0" } else { "c1" };
            svg.shade(class, (at, top), (cell, cell), 0.08 + 0.52 * share);
            let number = format!("{:.0}", 100.0 * share);
            svg.text((at + cell / 2.0, middle), "", "middle", &number);
        }
    }
    for (column, name) in classes.iter().enumerate() {
        let place = left + cell * (column as f64 + 0.5);
        svg.text((place, TOP - 8.0), "", "middle", name);
    }
    let bottom = TOP + cell * classes.len() as f64;
    svg.upright((14.0, f64::midpoint(TOP, bottom)), "spoken");
    let middle = f64::midpoint(left, WIDTH - RIGHT);
    svg.text((middle, bottom + 20.0), "", "middle", "answered");
    let words = "in % of what was spoken; blue: right, orange: wrong";
    svg.text((RIGHT, bottom + 40.0), "mt", "start", words);
    svg.height = bottom + 52.0;
    svg
}

#[cfg(test)]
mod tests {
    use super::super::super::outcome::Answer;
    use super::*;

    #[test]
    fn shares_are_those_of_a_row_over_all_seeds() {
        let answer = |label, prediction| Answer {
            label,
            prediction,
            speaker: 0,
        };
        let answers = |given| Answers {
            classes: ["yes", "no", "rest"].map(str::to_owned).to_vec(),
            speakers: vec!["a".to_owned()],
            given,
        };
        let seeds = [
            answers(vec![answer(0, 0), answer(0, 1), answer(1, 1)]),
            answers(vec![answer(0, 0), answer(0, 0), answer(1, 1)]),
        ];
        assert_eq!(seeds[0].confusion(), [[1, 1, 0], [0, 1, 0], [0, 0, 0]]);
        assert_eq!(seeds[0].error_of("a"), Some(100.0 / 3.0));
        assert_eq!(seeds[0].error_of("b"), None);
        let svg = draw("t", &[&seeds[0], &seeds[1]]).whole(false);
        for text in [">75<", ">25<", ">100<", ">rest<"] {
            assert!(svg.contains(text), "{text}: {svg}");
        }
        assert_eq!(svg.matches("fill-opacity").count(), 3);
        assert!(!draw("none", &[]).whole(true).contains("NaN"));
    }
}
