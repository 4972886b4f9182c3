//! `report.md` and its figures.

use std::fs;
use std::path::{Path, PathBuf};

use bss2::config::Experiment;
use bss2::data::Data;
use bss2::metrics::EpochMetrics;
use bss2::plot::{Figure, Panel, Series};
use miette::{IntoDiagnostic, WrapErr};

use super::rows::{PAPER_CHIP, PAPER_SOFTWARE, Results};
use super::table::table;

pub(super) fn write(
    out: &Path,
    data: &Data,
    base: &Experiment,
    seeds: u32,
    results: &Results,
) -> miette::Result<PathBuf> {
    fs::create_dir_all(out)
        .into_diagnostic()
        .wrap_err_with(|| format!("{} cannot be made", out.display()))?;
    let figure = accuracy_figure(data.name(), results)
        .to_svg()
        .into_diagnostic()?;
    super::write(&out.join("mnist_accuracy.svg"), &figure)?;
    let note = if data.is_mnist() {
        String::new()
    } else {
        format!(
            "**These are not MNIST's figures.** MNIST was not found, so the networks learned {}; \
             the paper's numbers stand beside them for orientation only.\n\n",
            data.name()
        )
    };
    let text = format!(
        "# Table 1, MNIST rows\n\n\
         Data: {name}, {train} training and {test} test images. {epochs} epochs ({paper_epochs} in \
         the paper), {seeds} seed(s), chip seed {chip}, profile {profile}.\n\n{note}{table}\n\
         Training accuracy is that of the images as they were shown during the last epoch; \
         deviations are those of a sample of seeds.\n\n\
         ![Accuracy over epochs](mnist_accuracy.svg)\n\n\
         Made by `cargo xtask reproduce --epochs {epochs} --seeds {seeds}`.\n",
        name = data.name(),
        train = data.train.len(),
        test = data.test.len(),
        epochs = base.epochs,
        paper_epochs = 100,
        chip = base.chip.seed.0,
        profile = base.chip.profile.label(),
        table = table(&results.rows),
    );
    let path = out.join("report.md");
    super::write(&path, &text)?;
    Ok(path)
}

fn accuracy_figure(data: &str, results: &Results) -> Figure {
    let panel = |kind: &str, runs: &[Vec<EpochMetrics>], paper: f64| {
        let epochs = runs.iter().map(Vec::len).max().unwrap_or(1) as f64;
        let line =
            |name: String, color, value: fn(&EpochMetrics) -> f64, run: &[EpochMetrics]| Series {
                name,
                points: run
                    .iter()
                    .map(|epoch| (f64::from(epoch.epoch), 100.0 * value(epoch)))
                    .collect(),
                color,
                reference: false,
            };
        let mut series = Vec::new();
        for (seed, run) in runs.iter().enumerate() {
            series.push(line(
                format!("training, seed {seed}"),
                0,
                |e| e.train_accuracy,
                run,
            ));
            series.push(line(
                format!("test, seed {seed}"),
                1,
                |e| e.test_accuracy,
                run,
            ));
        }
        series.push(Series {
            name: "paper, test, 100 epochs".into(),
            points: vec![(0.0, paper), (epochs * 1.03, paper)],
            color: 4,
            reference: true,
        });
        let lowest = series
            .iter()
            .flat_map(|s| &s.points)
            .map(|p| p.1)
            .fold(100.0, f64::min);
        Panel {
            x_label: format!("epoch ({kind})"),
            y_label: "accuracy / %".into(),
            x_range: (0.0, epochs * 1.03),
            y_range: ((lowest - 1.0).floor().max(0.0), 100.5),
            series,
        }
    };
    Figure {
        title: format!("{data}: accuracy on the chip and in software"),
        panels: vec![
            panel("chip, in the loop", &results.chip, PAPER_CHIP.1.mean),
            panel("software", &results.software, PAPER_SOFTWARE.1.mean),
        ],
    }
}
