//! The numbers that are asked for, and their goals on two cores.

use std::fmt;

/// What a number should be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Goal {
    AtLeast(f64),
    Below(f64),
}

impl Goal {
    pub(super) fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::Below(limit) => value < limit,
        }
    }

    pub(super) fn value(self) -> f64 {
        let (Self::AtLeast(value) | Self::Below(value)) = self;
        value
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(least) => write!(f, "at least {}", number(*least)),
            Self::Below(limit) => write!(f, "below {}", number(*limit)),
        }
    }
}

/// A number that is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Row {
    /// In JSON.
    pub(super) key: &'static str,
    /// In words, with its unit.
    pub(super) name: &'static str,
    pub(super) goal: Goal,
}

const fn row(key: &'static str, name: &'static str, goal: Goal) -> Row {
    Row { key, name, goal }
}

pub(super) const INFER_CHIP: &str = "infer_chip_images_per_s";
pub(super) const TRAIN_CHIP: &str = "train_chip_images_per_s";
pub(super) const TRAIN_SOFTWARE: &str = "train_software_images_per_s";
pub(super) const INFER_SOFTWARE: &str = "infer_software_images_per_s";
pub(super) const CALIBRATE: &str = "calibrate_s";
pub(super) const DELIVER: &str = "deliver_events_per_s";
pub(super) const SCALING: &str = "thread_scaling";
pub(super) const MEMORY: &str = "peak_rss_mib";
pub(super) const RECURRENT: &str = "train_recurrent_chip_samples_per_s";
pub(super) const COCHLEA: &str = "cochlea_audio_s_per_s";

/// Goals are those of two cores. The recurrent one is 20 times the estimate for a loop
/// in `PyTorch`, that of the cochlea 1,000 times the public encoder; `docs/performance.md`
/// has the arithmetic of both.
pub(super) const ROWS: [Row; 10] = [
    row(
        INFER_CHIP,
        "inference on the chip, images/s",
        Goal::AtLeast(85_000.0),
    ),
    row(
        TRAIN_CHIP,
        "training in the loop, images/s",
        Goal::AtLeast(85_000.0),
    ),
    row(
        TRAIN_SOFTWARE,
        "training in software, images/s",
        Goal::AtLeast(210_000.0),
    ),
    row(
        INFER_SOFTWARE,
        "inference in software, images/s",
        Goal::AtLeast(350_000.0),
    ),
    row(CALIBRATE, "calibration of 512 neurons, s", Goal::Below(1.0)),
    row(
        DELIVER,
        "fabric, input events to rows, events/s",
        Goal::AtLeast(100e6),
    ),
    row(
        SCALING,
        "inference on the chip, two threads over one",
        Goal::AtLeast(1.9),
    ),
    row(
        MEMORY,
        "peak memory of a training on MNIST, MiB",
        Goal::Below(300.0),
    ),
    row(
        RECURRENT,
        "recurrent 70-186-20, T = 200, in the loop, samples/s",
        Goal::AtLeast(5_700.0),
    ),
    row(
        COCHLEA,
        "cochlea of 700 channels, seconds of sound per second",
        Goal::AtLeast(3.33),
    ),
];

/// Four digits, thousands apart.
pub(super) fn number(value: f64) -> String {
    if !value.is_finite() {
        return "–".into();
    }
    // Places after the point, or, if negative, digits that are rounded away before it.
    let places = 3 - value.abs().max(1e-3).log10().floor() as i32;
    let unit = 10_f64.powi(places);
    let rounded = (value * unit).round() / unit;
    let text = format!("{rounded:.*}", places.max(0) as usize);
    let (whole, fraction) = text.split_once('.').map_or((&*text, ""), |parts| parts);
    let mut grouped = String::new();
    for (i, digit) in whole.chars().enumerate() {
        let left = whole.len() - i;
        if i > 0 && left.is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    match fraction.trim_end_matches('0') {
        "" => grouped,
        fraction => format!("{grouped}.{fraction}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_four_digits() {
        for (value, text) in [
            (45_678.9, "45,680"),
            (123_456_789.0, "123,500,000"),
            (1_234.4, "1,234"),
            (1.923_4, "1.923"),
            (0.281_23, "0.2812"),
            (85_000.0, "85,000"),
            (300.0, "300"),
            (7.0, "7"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn goals_have_a_direction_and_keys_are_distinct() {
        assert!(Goal::AtLeast(2.0).is_met(2.0) && !Goal::AtLeast(2.0).is_met(1.9));
        assert!(Goal::Below(2.0).is_met(1.9) && !Goal::Below(2.0).is_met(2.0));
        let mut keys = ROWS.map(|row| row.key).to_vec();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), ROWS.len());
    }
}
