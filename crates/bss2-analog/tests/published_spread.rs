//! Chips of profile `cube66`, calibrated circuit by circuit to the published
//! targets, need codes that are spread as those of the published chip.

use bss2_analog::calib::{CalibrationConfig, NeuronTargets, calibrate};
use bss2_analog::{AnalogCore, Cell, MismatchProfile};
use bss2_event::{NeuronCircuits, Seed};

/// What is published of the codes of a cell.
///
/// # Source
/// The calibration of one chip, hardware fact sheet, section 9.
struct Published {
    cell: Cell,
    name: &'static str,
    mean: f64,
    sd: f64,
    /// Standard deviation within a quadrant.
    within: f64,
    quadrants: [f64; 4],
}

const PUBLISHED: [Published; 10] = {
    const fn of(
        cell: Cell,
        name: &'static str,
        (mean, sd, within): (f64, f64, f64),
        quadrants: [f64; 4],
    ) -> Published {
        Published {
            cell,
            name,
            mean,
            sd,
            within,
            quadrants,
        }
    }
    use Cell::*;
    [
        of(
            VLeak,
            "leak V",
            (629.1, 39.4, 34.4),
            [633., 658., 606., 620.],
        ),
        of(
            VReset,
            "reset V",
            (624.8, 39.6, 32.6),
            [634., 657., 598., 611.],
        ),
        of(
            VThreshold,
            "threshold V",
            (389.3, 17.5, 14.3),
            [383., 401., 376., 397.],
        ),
        of(
            IBiasLeak,
            "leak bias",
            (158.1, 21.1, 19.5),
            [165., 167., 148., 152.],
        ),
        of(
            IBiasSyninExcTau,
            "exc tau",
            (83.8, 21.7, 16.9),
            [91.7, 97.7, 61.8, 84.1],
        ),
        of(
            IBiasSyninInhTau,
            "inh tau",
            (78.4, 19.7, 15.1),
            [84.8, 93.0, 58.7, 77.0],
        ),
        of(
            IBiasSyninExcGm,
            "exc gm",
            (487.4, 116.0, 29.2),
            [489., 638., 321., 502.],
        ),
        of(
            IBiasSyninInhGm,
            "inh gm",
            (538.9, 132.0, 29.2),
            [551., 712., 349., 544.],
        ),
        of(
            IBiasSyninExcShift,
            "exc shift",
            (314.2, 123.0, 123.0),
            [312., 294., 336., 315.],
        ),
        of(
            IBiasSyninInhShift,
            "inh shift",
            (293.7, 111.0, 111.0),
            [288., 287., 289., 311.],
        ),
    ]
};

impl Published {
    /// Standard error of the published mean as that of all chips: four quadrants
    /// and 128 circuits in each.
    fn standard_error(&self) -> f64 {
        let between = self.quadrants.map(|q| (q - mean(&self.quadrants)).powi(2));
        (between.iter().sum::<f64>() / 3.0 / 4.0 + self.within.powi(2) / 512.0).sqrt()
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn variance(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64
}

/// `[chip][cell]`: the codes that a calibration of all circuits finds.
fn calibrated_codes(chips: u64) -> Vec<[Vec<f64>; 10]> {
    let neurons: Vec<_> = (0..512)
        .map(|membrane| NeuronCircuits {
            membrane,
            partner: None,
        })
        .collect();
    let targets = vec![NeuronTargets::default(); 512];
    (0..chips)
        .map(|seed| {
            let mut core = AnalogCore::new(MismatchProfile::cube66(), Seed(seed)).unwrap();
            let config = CalibrationConfig::default();
            calibrate(&mut core, &neurons, &targets, &config, |_| ()).unwrap();
            PUBLISHED.map(|published| {
                let column = core.capmem().column(published.cell);
                column.iter().map(|code| code.get().into()).collect()
            })
        })
        .collect()
}

/// Prints a table and gives back what is too far from the published chip: means
/// by more than one standard error and 5 %, spreads within a quadrant by more than
/// 20 %, those of whole chips by more than `limit`.
fn compare(chips: u64, limit: f64) -> Vec<String> {
    let codes = calibrated_codes(chips);
    let mut far = Vec::new();
    println!(
        "| cell | mean: published ± standard error | {chips} chips | distance | sd: published | \
         chips | within a quadrant: published | chips |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (i, p) in PUBLISHED.iter().enumerate() {
        let of_chips = |f: &dyn Fn(&[f64]) -> f64| {
            mean(&codes.iter().map(|chip| f(&chip[i])).collect::<Vec<_>>())
        };
        let found = of_chips(&mean);
        let sd = of_chips(&variance).sqrt();
        let within =
            of_chips(&|chip| mean(&chip.chunks(128).map(variance).collect::<Vec<_>>())).sqrt();
        let (distance, error) = (found - p.mean, p.standard_error());
        println!(
            "| {} | {:.1} ± {error:.1} | {found:.1} | {:+.1} % | {:.1} | {sd:.1} ({:+.0} %) | \
             {:.1} | {within:.1} ({:+.0} %) |",
            p.name,
            p.mean,
            100.0 * distance / p.mean,
            p.sd,
            100.0 * (sd / p.sd - 1.0),
            p.within,
            100.0 * (within / p.within - 1.0),
        );
        if distance.abs() > error + 0.05 * p.mean {
            far.push(format!("{}: mean {found}", p.name));
        }
        for (what, found, published, limit) in
            [("sd", sd, p.sd, limit), ("within", within, p.within, 0.2)]
        {
            if (found / published - 1.0).abs() > limit {
                far.push(format!("{}: {what} {found}", p.name));
            }
        }
    }
    far
}

#[test]
fn few_chips_need_codes_like_the_published_ones() {
    // 16 quadrants of 4 chips: their spread is known to 1 / sqrt(2 * 12) = 20 %.
    assert_eq!(compare(4, 0.2 + 0.2), Vec::<String>::new());
}

#[test]
#[ignore = "20 calibrations: makes the table of docs/results.md"]
fn twenty_chips_need_codes_like_the_published_ones() {
    assert_eq!(compare(20, 0.2), Vec::<String>::new());
}
