//! Images or recordings and what the network did with them: spikes above readout
//! traces.

use super::super::outcome::Scene;
use super::axis::Axis;
use super::svg::{Entry, RIGHT, Sign, Svg, WIDTH};

const LEFT: f64 = 58.0;
/// The image alone.
const IMAGE: f64 = 96.0;
const RASTER: f64 = 120.0;
const TRACES: f64 = 130.0;
const GAP: f64 = 22.0;
/// Below the lowest picture: numbers and title of the axis.
const FOOT: f64 = 48.0;
const TRACE: &str = "readout / threshold";
/// Within which the answer is known, after the paper.
const LATENCY_US: f64 = 8.0;

/// One image from rest: itself, input spikes, hidden spikes, readout traces.
pub(super) fn single(number: usize, scene: &Scene) -> Svg {
    let title = format!("Test image {number}: a {}", scene.label);
    let mut svg = Svg::titled(&title);
    draw_image(&mut svg, scene, (LEFT, 34.0), IMAGE);
    let words = [
        format!("read as {}", scene.prediction),
        format!("{} input spikes", scene.inputs.len()),
        format!("{} hidden spikes", scene.hidden.len()),
    ];
    for (i, words) in words.iter().enumerate() {
        let at = (LEFT + IMAGE + 16.0, 64.0 + 22.0 * i as f64);
        svg.text(at, "", "start", words);
    }
    let end = scene.period_us * scene.readout.len() as f64;
    let x = Axis::between(0.0, end, LEFT, WIDTH - RIGHT);
    let mut top = 34.0 + IMAGE + GAP;
    raster(
        &mut svg,
        top,
        "input channel",
        scene.channels as f64,
        "in",
        marks(&scene.inputs, 0.0, &x),
    );
    top += RASTER + GAP;
    let neurons = highest(std::slice::from_ref(scene));
    raster(
        &mut svg,
        top,
        "hidden neuron",
        neurons,
        "c0",
        marks(&scene.hidden, 0.0, &x),
    );
    top += RASTER + GAP;
    traces(&mut svg, top, TRACE, std::slice::from_ref(scene), &x);
    // Its name stands between the pictures, where no trace is.
    let place = x.at(LATENCY_US);
    svg.line("mk", (place, top - 3.0), (place, top + TRACES));
    let words = format!("paper: answer known within {LATENCY_US} us");
    svg.text_about((place, top - 7.0), LEFT, "mt", &words);
    x.draw_below(&mut svg, top + TRACES, "time / us");
    legend(&mut svg, top + TRACES + FOOT, scene);
    svg
}

/// One recording from rest: input spikes, hidden spikes, readout traces and their
/// sums, of which the highest at the end is the answer.
pub(super) fn recording(number: usize, scene: &Scene) -> Svg {
    let [said, speaker] = scene.spoken.clone().unwrap_or_default();
    let title = format!("Test recording {number}: {said}, spoken by {speaker}");
    let mut svg = Svg::titled(&title);
    let words = format!(
        "read as class {}; {} input spikes, {} hidden spikes",
        scene.prediction,
        scene.inputs.len(),
        scene.hidden.len()
    );
    svg.text((RIGHT, 39.0), "mt", "start", &words);
    let end = scene.period_us * scene.readout.len() as f64;
    let x = Axis::between(0.0, end, LEFT, WIDTH - RIGHT);
    let mut top = 42.0 + GAP;
    let neurons = highest(std::slice::from_ref(scene));
    for (title, rows, class, spikes) in [
        ("input channel", scene.channels as f64, "in", &scene.inputs),
        ("recurrent neuron", neurons, "c0", &scene.hidden),
    ] {
        raster(&mut svg, top, title, rows, class, marks(spikes, 0.0, &x));
        top += RASTER + GAP;
    }
    let mut sums = vec![0.0; scene.readout.first().map_or(0, Vec::len)];
    let summed = scene.readout.iter().map(|sample| {
        for (sum, value) in sums.iter_mut().zip(sample) {
            *sum += value;
        }
        sums.clone()
    });
    let summed = Scene {
        readout: summed.collect(),
        ..scene.clone()
    };
    for (title, scene) in [(TRACE, scene), ("cumulative sum", &summed)] {
        traces(&mut svg, top, title, std::slice::from_ref(scene), &x);
        top += TRACES + GAP;
    }
    x.draw_below(&mut svg, top - GAP, "time / us");
    legend(&mut svg, top - GAP + FOOT, scene);
    svg
}

fn legend(svg: &mut Svg, top: f64, scene: &Scene) {
    let entry = |class: &str, name: String| (Sign::Line, class.to_owned(), name);
    let right = scene.prediction == scene.label;
    let whether = if right { "right, and read" } else { "right" };
    let mut entries: Vec<Entry> = vec![entry("c0", format!("class {} ({whether})", scene.label))];
    if !right {
        entries.push(entry("c1", format!("class {} (read)", scene.prediction)));
    }
    entries.push(entry("dm", "other classes".to_owned()));
    svg.legend(LEFT, top, &entries);
}

/// Images in close succession: each from the residues of the one before.
pub(super) fn succession(scenes: &[Scene]) -> Svg {
    let mut svg = Svg::titled("Images in succession, a reset after each");
    let Some(interval) = scenes.first().and_then(|scene| scene.interval_us) else {
        return svg;
    };
    let end = interval * scenes.len() as f64;
    let x = Axis::between(0.0, end, LEFT, WIDTH - RIGHT);
    let begin = |place: usize| interval * place as f64;
    let slot = x.at(interval) - x.at(0.0);
    let side = (slot - 8.0).min(40.0);
    for (place, scene) in scenes.iter().enumerate() {
        draw_image(&mut svg, scene, (x.at(begin(place)) + 3.0, 34.0), side);
        let verdict = match scene.prediction == scene.label {
            true => format!("{}", scene.prediction),
            false => format!("{} for {}", scene.prediction, scene.label),
        };
        let at = (x.at(begin(place)) + 3.0, 34.0 + side + 15.0);
        svg.text(at, "", "start", &verdict);
    }
    let mut top = 34.0 + side + 24.0;
    let first = top;
    let spikes = scenes.iter().enumerate();
    let spikes = spikes.flat_map(|(place, scene)| marks(&scene.hidden, begin(place), &x));
    raster(
        &mut svg,
        top,
        "hidden neuron",
        highest(scenes),
        "c0",
        spikes.collect(),
    );
    top += RASTER + GAP;
    traces(&mut svg, top, TRACE, scenes, &x);
    for place in 1..=scenes.len() {
        let at = x.at(begin(place));
        svg.line("mk", (at, first), (at, top + TRACES));
    }
    x.draw_below(&mut svg, top + TRACES, "time / us");
    let entries = [("c0", "right class"), ("dm", "other classes")];
    let entries = entries.map(|(class, name)| (Sign::Line, class.to_owned(), name.to_owned()));
    svg.legend(LEFT, top + TRACES + FOOT, &entries);
    for words in [
        "below each image: read as; 4 for 3: a 3 read as 4".to_owned(),
        format!("dashed: every {interval} us the next image, as in the paper"),
    ] {
        svg.text((RIGHT, svg.height + 8.0), "mt", "start", &words);
        svg.height += 18.0;
    }
    svg
}

fn highest(scenes: &[Scene]) -> f64 {
    let all = scenes.iter().flat_map(|scene| &scene.hidden);
    f64::from(all.map(|(_, neuron)| *neuron).max().unwrap_or(0)) + 1.0
}

/// Places of spikes: horizontal in the picture, vertical as numbers.
fn marks(spikes: &[(f64, u16)], begin: f64, x: &Axis) -> Vec<(f64, f64)> {
    spikes
        .iter()
        .map(|&(time, number)| (x.at(begin + time), f64::from(number)))
        .collect()
}

/// Spikes: input channels or neurons from below, each a dot.
fn raster(svg: &mut Svg, top: f64, title: &str, rows: f64, class: &str, spikes: Vec<(f64, f64)>) {
    let y = Axis::between(0.0, rows, top + RASTER, top);
    y.draw_left(svg, (LEFT, WIDTH - RIGHT), title);
    for (place, number) in spikes {
        if place <= WIDTH - RIGHT {
            svg.circle(class, (place, y.at(number)), 1.3);
        }
    }
    svg.line("ax", (LEFT, top + RASTER), (WIDTH - RIGHT, top + RASTER));
}

/// Readout traces, interrupted between two images; the right class above all others.
fn traces(svg: &mut Svg, top: f64, title: &str, scenes: &[Scene], x: &Axis) {
    let all = scenes
        .iter()
        .flat_map(|scene| scene.readout.iter().flatten());
    let y = Axis::new(all.map(|v| f64::from(*v)), 0.06, top + TRACES, top);
    y.draw_left(svg, (LEFT, WIDTH - RIGHT), title);
    for (place, scene) in scenes.iter().enumerate() {
        let begin = scene.interval_us.unwrap_or(0.0) * place as f64;
        let outputs = scene.readout.first().map_or(0, Vec::len);
        let (right, told) = (usize::from(scene.label), usize::from(scene.prediction));
        let mut order: Vec<usize> = (0..outputs).collect();
        order.sort_by_key(|&class| (class == right, class == told));
        for class in order {
            let samples = scene.readout.iter().enumerate();
            let points: Vec<(f64, f64)> = samples
                .map(|(i, sample)| {
                    let time = begin + scene.period_us * i as f64;
                    (x.at(time), y.at(f64::from(sample[class])))
                })
                .collect();
            let class = match class {
                _ if class == right => "c0",
                _ if class == told => "c1",
                _ => "dm",
            };
            svg.polyline(class, &points);
        }
    }
}

/// Ink on the ground of the page, in runs of equal brightness.
fn draw_image(svg: &mut Svg, scene: &Scene, (left, top): (f64, f64), size: f64) {
    let pixel = size / scene.side as f64;
    svg.rect("fr", (left, top), (size, size));
    for (i, &brightness) in scene.pixels.iter().enumerate() {
        if brightness > 8 {
            let (row, column) = (i / scene.side, i % scene.side);
            let (x, y) = (left + pixel * column as f64, top + pixel * row as f64);
            svg.shade("ik", (x, y), (pixel, pixel), f64::from(brightness) / 255.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene(prediction: u8, interval_us: Option<f64>) -> Scene {
        Scene {
            label: 3,
            prediction,
            spoken: None,
            channels: 4,
            side: 2,
            pixels: vec![0, 255, 128, 0],
            inputs: vec![(1.0, 1), (2.0, 2)],
            hidden: vec![(1.5, 7)],
            readout: vec![vec![0.0; 10], vec![0.5; 10]],
            period_us: 1.7,
            interval_us,
        }
    }

    #[test]
    fn pictures_hold_image_spikes_and_traces() {
        let svg = single(1, &scene(4, None)).whole(true);
        for text in [
            "a 3",
            "read as 4",
            "2 input spikes",
            "time / us",
            "class 4 (read)",
            "answer known within 8 us",
        ] {
            assert!(svg.contains(text), "{text}");
        }
        assert_eq!(svg.matches("class=\"ik\"").count(), 2);
        assert_eq!(svg.matches("<circle").count(), 3);
        let scenes = [scene(3, Some(11.8)), scene(4, Some(11.8))];
        let svg = succession(&scenes).whole(false);
        assert!(
            svg.contains(">4 for 3<") && svg.contains("11.8 us"),
            "{svg}"
        );
        assert!(!succession(&[]).whole(true).contains("NaN"));
    }

    #[test]
    fn recordings_are_shown_with_the_sums_of_their_readout() {
        let mut scene = scene(4, None);
        scene.spoken = Some(["three".to_owned(), "ann".to_owned()]);
        let svg = recording(2, &scene).whole(true);
        for text in ["three, spoken by ann", "cumulative sum", "recurrent neuron"] {
            assert!(svg.contains(text), "{text}");
        }
        assert_eq!(svg.matches("<circle").count(), 3);
        // Ten outputs and three entries of the legend, traces and sums.
        assert_eq!(svg.matches("<polyline").count(), 2 * 10 + 3);
    }
}
