//! Time and memory against neurons, time steps, batch, data and threads: figures for
//! `docs/performance.md`.

use std::env;

use bss2::config::{self, Assignment, Experiment};
use bss2::data::Data;
use bss2::plot::{Figure, Panel, Series};
use bss2::substrates::network_shape;
use bss2::workload::Workload;
use bss2::{note, tell};
use miette::{IntoDiagnostic, WrapErr, miette};

use super::memory;
use super::rows::number;
use super::stopwatch::{PROCESSOR, Stopwatch};
use super::works::{lively, pool};
use crate::tidy;

/// What grows.
struct Axis {
    name: &'static str,
    key: &'static str,
    /// A chip has room for fewer neurons than software.
    chip: &'static [usize],
    software: &'static [usize],
}

const AXES: [Axis; 5] = [
    axis(
        "hidden neurons",
        "network.hidden",
        &[32, 64, 128, 246],
        &[32, 64, 128, 256, 512, 1024],
    ),
    axis(
        "time steps",
        "time.steps",
        &[5, 10, 20, 40, 80],
        &[5, 10, 20, 40, 80],
    ),
    axis("images per batch", "batch", &BATCHES, &BATCHES),
    axis("training images", "data.train_images", &IMAGES, &IMAGES),
    axis("threads", THREADS, &[1, 2, 4], &[1, 2, 4]),
];
const BATCHES: [usize; 6] = [1, 4, 16, 64, 256, 1024];
const IMAGES: [usize; 4] = [1_000, 4_000, 16_000, 64_000];
/// Time is that of the wall on this axis, and of the processor on all others.
const THREADS: &str = "run.threads";

const fn axis(
    name: &'static str,
    key: &'static str,
    chip: &'static [usize],
    software: &'static [usize],
) -> Axis {
    Axis {
        name,
        key,
        chip,
        software,
    }
}

/// One experiment of a curve.
struct Point {
    axis: usize,
    substrate: &'static str,
    value: usize,
    settings: Vec<String>,
    experiment: Experiment,
}

/// Time per image and memory of a point.
struct Measured {
    microseconds: f64,
    hidden_spikes: f64,
    mib: Option<f64>,
}

/// Measures all curves and draws them.
pub(super) fn run(quick: bool) -> miette::Result<()> {
    let points = points()?;
    let data = points
        .iter()
        .map(|point| Data::load(&mut point.experiment.clone()));
    let data: Vec<Data> = data.collect::<Result<_, _>>()?;
    let mut measured: Vec<Measured> = Vec::new();
    // Rounds over all points, so that a busy minute does not bend a curve.
    let rounds = if quick { 1 } else { 4 };
    for round in 0..rounds {
        for (place, (point, data)) in points.iter().zip(&data).enumerate() {
            note!(
                "round {} of {rounds}, {} of {}: {} = {}, {}",
                round + 1,
                place + 1,
                points.len(),
                AXES[point.axis].name,
                point.value,
                point.substrate
            );
            let (microseconds, hidden_spikes) = time(point, data)?;
            match measured.get_mut(place) {
                Some(known) => known.microseconds = known.microseconds.min(microseconds),
                None => measured.push(Measured {
                    microseconds,
                    hidden_spikes,
                    mib: peak(point)?,
                }),
            }
        }
    }
    tell!(
        "| grows | substrate | to | hidden spikes | us per image | peak memory, MiB |\n\
         |---|---|---|---|---|---|"
    );
    for (point, found) in points.iter().zip(&measured) {
        tell!(
            "| {} | {} | {} | {:.0} | {} | {} |",
            AXES[point.axis].name,
            point.substrate,
            point.value,
            found.hidden_spikes,
            number(found.microseconds),
            found.mib.map_or("–".into(), number)
        );
    }
    let time = |found: &Measured| Some(found.microseconds);
    draw(
        "growth_time",
        "Training, one thread but for the last panel",
        "time per image / us",
        &points,
        &measured,
        time,
    )?;
    draw(
        "growth_memory",
        "Training on one thread but for the last panel",
        "peak memory / MiB",
        &points,
        &measured,
        |found| found.mib,
    )
}

fn points() -> miette::Result<Vec<Point>> {
    let mut points = Vec::new();
    for (place, axis) in AXES.iter().enumerate() {
        for (substrate, values) in [("chip", axis.chip), ("software", axis.software)] {
            for &value in values {
                let mut settings: Vec<String> = [
                    "epochs=1",
                    "data.set=generated",
                    "data.train_images=4000",
                    "data.test_images=100",
                    "run.threads=1",
                    // Weights stay as they are, so that all turns have equally many spikes.
                    "train.learning_rate=1e-12",
                ]
                .map(String::from)
                .to_vec();
                settings.push(format!("substrate={substrate}"));
                settings.push(format!("{}={value}", axis.key));
                let parsed = settings.iter().map(|text| Assignment::parse(text));
                let parsed: Vec<_> = parsed
                    .collect::<Result<_, _>>()
                    .map_err(|hint| miette!("{hint}"))?;
                points.push(Point {
                    axis: place,
                    substrate,
                    value,
                    settings,
                    experiment: config::load(None, &parsed)?,
                });
            }
        }
    }
    Ok(points)
}

/// Microseconds per image, the least of some turns after a first one; hidden spikes.
fn time(point: &Point, data: &Data) -> miette::Result<(f64, f64)> {
    let experiment = &point.experiment;
    let shape = network_shape(experiment, data);
    pool(experiment.run.threads)?.install(|| {
        let mut workload = Workload::new(experiment, data, shape)?;
        // 0.06 to 1 s: processor time is told in ticks of 4 ms.
        let images = if point.substrate == "chip" {
            4_000
        } else {
            20_000
        };
        let batches = (images / experiment.batch).max(1);
        workload.begin_with(lively(workload.trainer())?)?;
        let (_, hidden_spikes) = workload.train(batches)?.spikes_per_sample();
        let mut least = f64::INFINITY;
        for _ in 0..3 {
            let watch = Stopwatch::start();
            let tally = workload.train(batches)?;
            let rates = watch.rates("", tally.samples as f64);
            let processor = rates.iter().find(|(key, _)| key == PROCESSOR);
            let wall = &rates[0];
            let (_, rate) = processor
                .filter(|_| AXES[point.axis].key != THREADS)
                .unwrap_or(wall);
            least = least.min(1e6 / rate);
        }
        Ok((least, hidden_spikes))
    })
}

/// Peak memory of a process that trains for an epoch.
fn peak(point: &Point) -> miette::Result<Option<f64>> {
    let folder = tempfile::tempdir().into_diagnostic()?;
    let out = folder.path().join("run").display().to_string();
    let mut arguments = vec!["bss2", "train", "mnist", "--out", &out];
    for setting in &point.settings {
        arguments.extend(["--set", setting]);
    }
    memory::peak_mib(&env::current_exe().into_diagnostic()?, &arguments)
}

fn draw(
    file: &str,
    title: &str,
    y_label: &str,
    points: &[Point],
    measured: &[Measured],
    value: impl Fn(&Measured) -> Option<f64>,
) -> miette::Result<()> {
    let panels = AXES.iter().enumerate().map(|(place, axis)| {
        let line = |color, substrate: &str| {
            let both = points.iter().zip(measured);
            let own = both.filter(|(p, _)| p.axis == place && p.substrate == substrate);
            let points = own.filter_map(|(p, m)| Some((p.value as f64, value(m)?)));
            Series::line(substrate, color, points.collect())
        };
        let series = vec![line(0, "chip"), line(1, "software")];
        let fitting = Panel::fitting("", axis.name, y_label, series);
        Panel {
            x_range: decades(&fitting, |point| point.0),
            y_range: decades(&fitting, |point| point.1),
            logarithmic: (true, true),
            ..fitting
        }
    });
    let figure = Figure {
        title: title.into(),
        panels: panels.collect(),
    };
    let path = tidy::root()
        .join("docs/figures")
        .join(file)
        .with_extension("svg");
    figure
        .write(&path)
        .into_diagnostic()
        .wrap_err("a growth curve cannot be drawn")
}

/// Whole powers of ten around a panel's points, which are positive.
fn decades(panel: &Panel, of: fn(&(f64, f64)) -> f64) -> (f64, f64) {
    let values = panel
        .series
        .iter()
        .flat_map(|series| &series.points)
        .map(of);
    let logarithms = values.map(f64::log10);
    let start = (f64::INFINITY, f64::NEG_INFINITY);
    let (low, high) = logarithms.fold(start, |(low, high), v| (low.min(v), high.max(v)));
    let low = low.floor();
    (10_f64.powf(low), 10_f64.powf(high.ceil().max(low + 1.0)))
}
