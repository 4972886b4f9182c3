//! Rows beside the paper's, as text and as Markdown.

/// Mean and standard deviation in percent; none of a single value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    pub(super) mean: f64,
    pub(super) sd: Option<f64>,
}

impl Spread {
    /// Of accuracies between 0 and 1; the deviation is that of a sample.
    pub(super) fn of(accuracies: &[f64]) -> Self {
        let n = accuracies.len() as f64;
        let mean = accuracies.iter().sum::<f64>() / n;
        let squares: f64 = accuracies.iter().map(|a| (a - mean) * (a - mean)).sum();
        let sd = (accuracies.len() > 1).then(|| 100.0 * (squares / (n - 1.0)).sqrt());
        Self {
            mean: 100.0 * mean,
            sd,
        }
    }

    /// A figure that was published.
    pub(super) const fn published(mean: f64, sd: f64) -> Self {
        Self { mean, sd: Some(sd) }
    }

    fn text(self) -> String {
        match self.sd {
            Some(sd) => format!("{:.1} +- {sd:.1}", self.mean),
            None => format!("{:.1}", self.mean),
        }
    }
}

/// One implementation of the network.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) name: String,
    /// Training and test accuracy in the paper, if it reports them.
    pub(super) paper: Option<(Spread, Spread)>,
    /// Accuracy when training images were shown; none for weights that were
    /// not trained here.
    pub(super) train: Option<Spread>,
    pub(super) test: Spread,
    /// Training images per second, or images of the test where nothing was trained.
    pub(super) images_per_s: f64,
}

const HEAD: [&str; 6] = [
    "implementation",
    "paper train / %",
    "paper test / %",
    "train / %",
    "test / %",
    "images/s",
];

fn cells(row: &Row) -> [String; 6] {
    let text = |spread: Option<Spread>| spread.map_or_else(|| "-".to_owned(), Spread::text);
    [
        row.name.clone(),
        text(row.paper.map(|paper| paper.0)),
        text(row.paper.map(|paper| paper.1)),
        text(row.train),
        text(Some(row.test)),
        format!("{:.0}", row.images_per_s),
    ]
}

/// A Markdown table whose columns line up, so that it reads well as text too.
pub(super) fn table(rows: &[Row]) -> String {
    let mut lines: Vec<[String; 6]> = vec![HEAD.map(str::to_owned)];
    lines.extend(rows.iter().map(cells));
    let widths: [usize; 6] = std::array::from_fn(|column| {
        lines
            .iter()
            .map(|line| line[column].len())
            .max()
            .unwrap_or(0)
    });
    let mut text = String::new();
    for (i, line) in lines.iter().enumerate() {
        for (cell, width) in line.iter().zip(widths) {
            text += &format!("| {cell:width$} ");
        }
        text += "|\n";
        if i == 0 {
            for width in widths {
                text += &format!("|{}", "-".repeat(width + 2));
            }
            text += "|\n";
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deviations_are_those_of_samples() {
        let spread = Spread::of(&[0.9, 0.92]);
        assert!((spread.mean - 91.0).abs() < 1e-9);
        assert!((spread.sd.unwrap() - 2f64.sqrt()).abs() < 1e-9);
        assert_eq!(Spread::of(&[0.5]).text(), "50.0");
    }

    #[test]
    fn columns_line_up() {
        let paper = Spread::published(97.2, 0.1);
        let row = |name: &str, paper| Row {
            name: name.into(),
            paper,
            train: None,
            test: Spread::of(&[0.973]),
            images_per_s: 60_000.0,
        };
        let text = table(&[
            row("chip", Some((paper, paper))),
            row("moved to the chip", None),
        ]);
        let widths: Vec<usize> = text.lines().map(str::len).collect();
        assert!(widths.windows(2).all(|pair| pair[0] == pair[1]), "{text}");
        assert!(
            text.contains("97.2 +- 0.1") && text.contains("| -"),
            "{text}"
        );
    }
}
