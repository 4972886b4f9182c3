//! Spread of many chips before and after calibration, beside published numbers.

use std::fmt::Write;

use bss2_analog::calib::{CalibrationReport, Measured, Quantity};
use bss2_event::Seed;

use super::calibrate;
use crate::chip::ChipError;
use crate::config::Experiment;

/// Spreads of one chip: of all quantities before and after its calibration.
#[derive(Debug, Clone)]
struct Chip {
    before: CalibrationReport,
    after: CalibrationReport,
}

/// Spreads of many chips.
#[derive(Debug, Clone)]
pub struct Spread {
    chips: Vec<Chip>,
}

/// Measures and calibrates chips, whose seeds count up from that of the experiment;
/// tells `progress` each seed.
///
/// # Errors
/// [`ChipError`], among others [`ChipError::OneChip`] for a measured chip.
pub fn spread(
    experiment: &Experiment,
    outputs: usize,
    chips: u64,
    mut progress: impl FnMut(u64),
) -> Result<Spread, ChipError> {
    if let Some(chip) = &experiment.chip.measured {
        return Err(ChipError::OneChip(chip.name.clone()));
    }
    let mut experiment = experiment.clone();
    let first = experiment.chip.seed.0;
    let measure = |n| {
        // Past the largest seed comes the first.
        let seed = first.wrapping_add(n);
        progress(seed);
        experiment.chip.seed = Seed(seed);
        let report = calibrate(&experiment, outputs, |_| ())?;
        Ok(Chip {
            after: report.after().cloned().unwrap_or_default(),
            before: report.before,
        })
    };
    let chips = (0..chips).map(measure).collect::<Result<_, ChipError>>()?;
    Ok(Spread { chips })
}

/// Published spread of an uncalibrated chip, and a bound on what is left after
/// calibration; potentials in codes of the CADC, the others in per cent.
///
/// # Source
/// Hardware fact sheet, section 9 (derived from the codes of the published chip
/// at one common code) and section 8 (limits of the calibration library's tests,
/// applied to that chip).
fn published(quantity: Quantity) -> (&'static str, &'static str) {
    match quantity {
        Quantity::Leak => ("16", "< 4.9"),
        Quantity::Reset => ("16", "< 3.3"),
        Quantity::Threshold => ("7", "< 2.6"),
        Quantity::TauMem => ("13", "< 6"),
        Quantity::TauSynExc
        | Quantity::TauSynInh
        | Quantity::PartnerTauSynExc
        | Quantity::PartnerTauSynInh => ("26", "< 5"),
        Quantity::StrengthExc
        | Quantity::StrengthInh
        | Quantity::PartnerStrengthExc
        | Quantity::PartnerStrengthInh => ("24", ""),
        Quantity::Refractory | Quantity::Capacitance => ("", ""),
    }
}

impl Spread {
    /// A table: of each quantity the median over the chips, and the smallest and
    /// largest chip, before and after; and the neurons that failed.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!(
            "{:<24} {:<4} {:>21} {:>9} {:>21} {:>9} {:>7}\n",
            "spread over the neurons",
            "unit",
            "uncalibrated",
            "published",
            "calibrated",
            "published",
            "failed"
        );
        let Some(first) = self.chips.first() else {
            return text;
        };
        for quantity in first.after.quantities.iter().map(|m| m.quantity) {
            let (_, unit) = quantity.label();
            let unit = if unit == "LSB" { unit } else { "%" };
            let spreads = |report: fn(&Chip) -> &CalibrationReport| {
                let chips = self.chips.iter();
                range(
                    chips
                        .filter_map(|c| report(c).get(quantity))
                        .map(robust_sd)
                        .collect(),
                )
            };
            let failed: usize = self
                .chips
                .iter()
                .filter_map(|chip| chip.after.get(quantity))
                .map(|measured| measured.failures().count())
                .sum();
            let (before, after) = published(quantity);
            writeln!(
                text,
                "{:<24} {unit:<4} {:>21} {before:>9} {:>21} {after:>9} {failed:>7}",
                quantity.label().0,
                spreads(|chip| &chip.before),
                spreads(|chip| &chip.after),
            )
            .expect("text grows");
        }
        let whole = |chip: &&Chip| chip.after.failures().next().is_none();
        let met = self.chips.iter().filter(whole).count();
        writeln!(text, "{met} of {} chips met every target", self.chips.len()).expect("text grows");
        text
    }
}

/// What is left of a normal distribution's standard deviation without the outer
/// 5 % on either side.
const TRIMMED_NORMAL: f64 = 0.789;

/// Mean and standard deviation of what could be measured. The outer 5 % on either
/// side are left out, as in the tests of the calibration library, and made up for
/// as if the distribution were normal.
#[must_use]
pub fn robust_spread(values: &[f64]) -> (f64, f64) {
    let mut seen: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    seen.sort_by(f64::total_cmp);
    let cut = seen.len() / 20;
    let middle = &seen[cut..seen.len() - cut];
    let n = middle.len() as f64;
    let mean = middle.iter().sum::<f64>() / n;
    let variance = middle.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
    (mean, variance.sqrt() / TRIMMED_NORMAL)
}

/// The same standard deviation in codes, or relative to the mean in per cent.
fn robust_sd(measured: &Measured) -> f64 {
    let (mean, sd) = robust_spread(&measured.reached);
    if measured.quantity.label().1 == "LSB" {
        sd
    } else {
        100.0 * sd / mean
    }
}

fn range(mut values: Vec<f64>) -> String {
    values.sort_by(f64::total_cmp);
    match values.as_slice() {
        [] => String::new(),
        values => format!(
            "{:.2} ({:.2}..{:.2})",
            values[values.len() / 2],
            values[0],
            values[values.len() - 1]
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outer_neurons_are_cut_off() {
        let mut reached: Vec<f64> = (0..38).map(|n| f64::from(n % 2)).collect();
        reached.extend([1e6, -1e6, f64::NAN]);
        let measured = |quantity| Measured {
            quantity,
            target: vec![0.5; reached.len()],
            reached: reached.clone(),
        };
        let normal = TRIMMED_NORMAL;
        assert!((robust_sd(&measured(Quantity::Leak)) - 0.5 / normal).abs() < 1e-12);
        assert!((robust_sd(&measured(Quantity::TauMem)) - 100.0 / normal).abs() < 1e-9);
        assert_eq!(range(vec![3.0, 1.0, 2.0]), "2.00 (1.00..3.00)");
    }
}
