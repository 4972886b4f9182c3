//! Every declared experiment with made-up outcomes of a full run: what its pictures
//! look like, without a training.

use std::f64::consts::TAU;

use bss2::metrics::EpochMetrics;

use super::super::Asked;
use super::super::declaration::{self, Declaration, Deploy, Series, Step};
use super::super::outcome::{
    Answer, Answers, Found, Outcome, Parameters, Scene, Silicon, TestOutcome,
};
use super::svg::{LETTER, Svg, WIDTH};
use super::{ALL, Report, Section, figures, html, judge};

const SEEDS: usize = 5;
const EPOCHS: u32 = 50;
const SPEAKERS: [&str; 6] = ["george", "jackson", "lucas", "nicolas", "theo", "yweweler"];

/// Numbers from -1 to 1 without order.
fn scatter(place: usize) -> f64 {
    (1e4 * (place as f64 + 1.0).sin()).fract()
}

/// A normal distribution, two numbers to each draw.
fn normal(place: usize) -> f64 {
    let (u, v) = (scatter(2 * place).abs(), scatter(2 * place + 1));
    (-2.0 * u.max(1e-9).ln()).sqrt() * (TAU * v).cos()
}

fn training(seed: usize, worse: f64) -> Vec<EpochMetrics> {
    let epochs = (1..=EPOCHS).map(|epoch| {
        let left = (-f64::from(epoch) / 8.0).exp();
        let noise = 0.002 * scatter(1000 * seed + epoch as usize);
        EpochMetrics {
            epoch,
            loss: 0.05 + left + noise,
            train_accuracy: 1.0 - 0.1 * left - 0.3 * worse,
            test_accuracy: Some(0.975 - 0.08 * left - worse + noise),
            hidden_spikes_per_image: 12.0 + 40.0 * worse / 0.02,
            lost_events_per_image: 0.0,
            lost_inputs_per_image: 0.0,
            images_per_s: 1500.0,
            wall_s: 1.0,
            data: "made up".to_owned(),
        }
    });
    epochs.collect()
}

fn scene(series: &Series, number: usize) -> Scene {
    let speech = series.name == "chip";
    let (channels, samples) = if speech { (70, 100) } else { (256, 20) };
    let draw = |place: usize| scatter(977 * number + place).abs();
    let spikes = |count: usize, rows: f64, end: f64| -> Vec<(f64, u16)> {
        (0..count)
            .map(|i| (end * draw(i), (rows * draw(i + 10_000)) as u16))
            .collect()
    };
    let inference = series.name.contains("inference");
    let label = (number % 10) as u8;
    // From the very first sample on, high and low: no room is left for a label.
    let readout = (0..if inference { 5 } else { samples }).map(|sample| {
        let value = |class: usize| 2.0 * (sample as f64 * (class as f64 + 1.0)).sin();
        (0..10).map(|class| value(class) as f32).collect()
    });
    let end = 1.7 * samples as f64;
    Scene {
        label,
        // One that is read right, one that is not.
        prediction: label + (number % 2) as u8,
        spoken: speech.then(|| [label.to_string(), SPEAKERS[5].to_owned()]),
        channels,
        side: if speech { 0 } else { 16 },
        pixels: (0..if speech { 0 } else { 256 })
            .map(|i| (255.0 * draw(i)) as u8)
            .collect(),
        inputs: spikes(if speech { 2500 } else { 120 }, channels as f64, end),
        hidden: spikes(60, 246.0, if inference { 9.0 } else { end }),
        readout: readout.collect(),
        period_us: 1.7,
        interval_us: inference.then_some(11.8),
    }
}

fn parameters(seed: usize, sigma: f64) -> Parameters {
    let values = |target: f64, quantity: usize| {
        let value = |i: usize| target * (1.0 + sigma * normal(7000 * quantity + 512 * seed + i));
        (0..512).map(|i| Some(value(i))).collect()
    };
    Parameters {
        tau_mem_us: values(6.0, 0),
        tau_syn_us: values(6.0, 1),
        threshold_lsb: values(150.0, 2),
        target_tau_mem_us: 6.0,
        target_tau_syn_us: 6.0,
        target_threshold_lsb: 150.0,
        target_leak_lsb: 80.0,
    }
}

fn answers() -> Answers {
    let given = (0..300).map(|i| {
        let wrong = scatter(i) > 0.5;
        Answer {
            label: (i % 10) as u8,
            prediction: ((i + usize::from(wrong) * (i % 7)) % 10) as u8,
            speaker: (i % SPEAKERS.len()) as u16,
        }
    });
    Answers {
        classes: (0..10).map(|class| class.to_string()).collect(),
        speakers: SPEAKERS.map(str::to_owned).to_vec(),
        given: given.collect(),
    }
}

fn outcome(series: &Series, place: usize, share: f64, seed: usize) -> Outcome {
    // Each curve another bend.
    let worse = 0.02 * share * (1.0 + place as f64) + 0.0005 * scatter(31 * seed + place);
    let test = |deploy: &Deploy| TestOutcome {
        accuracy: 0.972 - worse,
        train_accuracy: (deploy.train_images > 0).then_some(0.99 - worse),
        hidden_spikes: 40.0,
        images_per_s: 20_000.0,
        silicon: Some(Silicon {
            power_mw: 198.0,
            energy_uj: 2.34,
            images_per_s: 84_745.8,
            latency_us: 8.5,
        }),
    };
    let calibration = series.work == declaration::SeriesWork::Calibration;
    let scenes = if seed == 0 { series.record as usize } else { 0 };
    Outcome {
        training: training(seed, worse.abs()),
        reference: series.work == declaration::SeriesWork::Reference,
        tests: series.deploy.iter().map(test).collect(),
        scenes: (0..scenes).map(|number| scene(series, number)).collect(),
        parameters: calibration.then(|| parameters(seed, 0.05 + 0.5 * share)),
        answers: series.answers.then(answers),
    }
}

/// All its points, or why it was not run for every seventh.
fn points(series: &Series, place: usize) -> Result<Vec<Found>, &'static str> {
    if place % 7 == 6 {
        return Err("Fashion-MNIST was not found; `bss2 data fetch fashion-mnist` downloads it");
    }
    let steps = match &series.sweep {
        Some(sweep) if sweep.speakers => (0..)
            .map(f64::from)
            .zip(SPEAKERS)
            .map(|(x, name)| Step {
                x,
                name: Some(name.to_owned()),
                set: Vec::new(),
            })
            .map(Some)
            .collect(),
        Some(sweep) => sweep.steps(false).into_iter().map(Some).collect(),
        None => vec![None],
    };
    let count = steps.len() as f64;
    let found = |(number, step): (usize, Option<Step>)| Found {
        x: step.as_ref().map(|step| step.x),
        name: step.and_then(|step| step.name),
        runs: (0..SEEDS)
            .map(|seed| outcome(series, place, number as f64 / count, seed))
            .collect(),
    };
    Ok(steps.into_iter().enumerate().map(found).collect())
}

fn section<'a>(declaration: &'a Declaration, asked: &Asked) -> Section<'a> {
    let series = declaration.series.iter().enumerate();
    let series: Vec<_> = series.map(|(place, of)| points(of, place)).collect();
    let command = asked.command(Some(&declaration.id));
    Section {
        declaration,
        scale: declaration.full.or(asked.request().unwrap().general),
        trainings: Some([[EPOCHS as usize; 2], [ALL; 2], [ALL; 2]]),
        claims: judge(declaration, &series, &command),
        command,
        made: Vec::new(),
        series,
    }
}

fn declarations() -> Vec<Declaration> {
    declaration::load(&declaration::folder(), &[]).unwrap()
}

/// A box: left, top, right, bottom.
type Area = [f64; 4];

fn meet(a: Area, b: Area) -> bool {
    a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3]
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let rest = tag.split_once(&format!(" {name}=\""))?.1;
    Some(rest.split_once('"')?.0)
}

fn number(tag: &str, name: &str) -> f64 {
    attribute(tag, name).unwrap().parse().unwrap()
}

/// Boxes of all texts, narrower than the widest fonts would make them.
fn texts(svg: &str) -> Vec<(String, Area)> {
    let all = svg.split("<text").skip(1).map(|text| {
        let (tag, rest) = text.split_once('>').unwrap();
        let words = rest.split_once('<').unwrap().0.replace("&lt;", "<");
        let long = 0.9 * LETTER * words.chars().count() as f64;
        if let Some(place) = attribute(tag, "transform") {
            let place = place.trim_start_matches("translate(");
            let (x, y) = place.split_once(')').unwrap().0.split_once(' ').unwrap();
            let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
            return (words, [x - 10.0, y - long / 2.0, x + 3.0, y + long / 2.0]);
        }
        let (x, y) = (number(tag, "x"), number(tag, "y"));
        let left = match attribute(tag, "text-anchor").unwrap() {
            "start" => x,
            "middle" => x - long / 2.0,
            _ => x - long,
        };
        (words, [left, y - 10.0, left + long, y + 3.0])
    });
    all.collect()
}

/// Points of curves, close to each other, and dots; signs of legends among them.
fn marks(svg: &str) -> Vec<(f64, f64)> {
    let mut marks = Vec::new();
    for line in svg.split("<polyline").skip(1) {
        let points: Vec<(f64, f64)> = attribute(line, "points")
            .unwrap()
            .split(' ')
            .filter_map(|point| point.split_once(','))
            .map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap()))
            .collect();
        for pair in points.windows(2) {
            let between = |part: f64, a: f64, b: f64| a + part * (b - a);
            marks.extend((0..=50).map(|i| {
                let part = f64::from(i) / 50.0;
                (
                    between(part, pair[0].0, pair[1].0),
                    between(part, pair[0].1, pair[1].1),
                )
            }));
        }
    }
    for circle in svg.split("<circle").skip(1) {
        marks.push((number(circle, "cx"), number(circle, "cy")));
    }
    marks
}

fn faults(picture: &Svg) -> Vec<String> {
    let svg = picture.whole(false);
    let (texts, marks) = (texts(&svg), marks(&svg));
    let mut faults = Vec::new();
    let whole = [0.0, 0.0, WIDTH, picture.height];
    for (i, (words, area)) in texts.iter().enumerate() {
        if area[0] < whole[0] || area[1] < whole[1] || area[2] > whole[2] || area[3] > whole[3] {
            faults.push(format!(
                "{words:?} leaves the picture: {area:.0?} of {whole:.0?}"
            ));
        }
        let other = texts[..i].iter().find(|(_, other)| meet(*area, *other));
        if let Some((other, _)) = other {
            faults.push(format!("{words:?} and {other:?} overlap"));
        }
        let covered = marks.iter().find(|(x, y)| meet(*area, [*x, *y, *x, *y]));
        if let Some(mark) = covered {
            faults.push(format!("{words:?} lies over a curve at {mark:.0?}"));
        }
    }
    faults
}

#[test]
fn no_text_of_a_picture_is_cut_or_covered() {
    let asked = Asked::default();
    let mut all = Vec::new();
    for declaration in &declarations() {
        let section = section(declaration, &asked);
        let pictures = figures::of(&section);
        assert!(
            !pictures.is_empty() || declaration.id.starts_with("table"),
            "{}",
            declaration.id
        );
        for picture in pictures {
            let svg = picture.whole(false);
            assert!(!svg.contains("NaN"), "{svg}");
            let faults = faults(&picture).into_iter();
            all.extend(faults.map(|f| format!("{}, {}: {f}", declaration.id, picture.title)));
        }
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn faults_of_pictures_are_found() {
    let mut svg = Svg::titled("a title");
    svg.height = 100.0;
    assert!(faults(&svg).is_empty());
    svg.text((30.0, 24.0), "", "start", "over it");
    svg.text((WIDTH, 60.0), "", "middle", "half outside");
    svg.text((100.0, 80.0), "", "start", "over a curve");
    svg.polyline("c0", &[(0.0, 70.0), (200.0, 80.0)]);
    let faults = faults(&svg).join("\n");
    for words in ["overlap", "leaves the picture", "lies over a curve"] {
        assert_eq!(faults.matches(words).count(), 1, "{faults}");
    }
}

#[test]
fn a_page_of_all_experiments_holds_them() {
    let (declarations, asked) = (declarations(), Asked::default());
    let report = Report {
        command: asked.command(None),
        cautions: vec!["Made up.".to_owned()],
        announcements: vec!["data: none".to_owned()],
        made: vec!["made by a test".to_owned()],
        sections: declarations.iter().map(|d| section(d, &asked)).collect(),
    };
    let page = html::page(&report);
    for declaration in &declarations {
        assert!(page.contains(&format!("id=\"{}\"", declaration.id)));
    }
    // Backticks are for names in the declarations.
    assert!(!page.contains('`'), "{page}");
    if let Some(path) = std::env::var_os("BSS2_SAMPLE_REPORT") {
        std::fs::write(path, page).unwrap();
    }
}
