//! What the paper reports, and whether it was found again.

use std::cmp::Ordering;

use bss2::encode::{builtin, voices};
use serde::{Deserialize, Serialize};

use super::measure::{Measure, Spread};
use super::outcome::{Found, Outcome};

/// One statement of the paper as a number.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Claim {
    pub(super) id: String,
    /// The statement in words.
    pub(super) text: String,
    pub(super) series: String,
    pub(super) measure: Measure,
    /// The swept value where it is looked at; the only point of a series without
    /// sweep.
    #[serde(default)]
    pub(super) at: Option<f64>,
    /// A swept value: the claim is about the change against it in %, seed by seed.
    #[serde(default)]
    pub(super) relative_to: Option<f64>,
    /// The claim is about that point of the sweep which has most hidden spikes per
    /// image, but so many at most.
    #[serde(default)]
    pub(super) hidden_spikes_at_most: Option<f64>,
    /// Beside it: but so many at least.
    #[serde(default)]
    pub(super) hidden_spikes_at_least: Option<f64>,
    /// What the paper reports; none where it has words alone.
    #[serde(default)]
    pub(super) paper: Option<f64>,
    /// From where to where we call it reproduced; may be infinite.
    pub(super) band: [f64; 2],
    /// On which side of the band it would be better than the paper, if on one.
    #[serde(default)]
    pub(super) better: Option<Direction>,
    /// Whether the model is made so that it holds: then it shows that the model does as it
    /// says, and no more.
    #[serde(default)]
    pub(super) by_construction: bool,
}

/// Where a value lies against a band, to which its ends belong. Sums and products of
/// measured shares miss decimal ends by rounding: 100 x 0.969 is not quite 96.9.
pub(super) fn side([low, high]: [f64; 2], value: f64) -> Ordering {
    const ROUNDING: f64 = 1e-9;
    if value < low - ROUNDING {
        Ordering::Less
    } else if value > high + ROUNDING {
        Ordering::Greater
    } else {
        Ordering::Equal
    }
}

/// Which of two values is the better one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Direction {
    Higher,
    Lower,
}

/// How a claim ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Verdict {
    #[serde(rename = "reproduced")]
    Reproduced,
    #[serde(rename = "better")]
    Better,
    #[serde(rename = "not reproduced")]
    NotReproduced,
    #[serde(rename = "not run")]
    NotRun,
}

impl Verdict {
    pub(super) const ALL: [Self; 4] = [
        Self::Reproduced,
        Self::Better,
        Self::NotReproduced,
        Self::NotRun,
    ];

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Reproduced => "reproduced",
            Self::Better => "better",
            Self::NotReproduced => "not reproduced",
            Self::NotRun => "not run",
        }
    }
}

impl Claim {
    pub(super) fn fault(&self) -> Option<String> {
        let [low, high] = self.band;
        let fault = if low.is_nan() || high.is_nan() || low >= high {
            format!("its band from {low} to {high} is empty")
        } else if self.relative_to.is_some() && self.at.is_none() {
            "a change needs a place to be looked at".to_owned()
        } else if self.at.is_some() && self.hidden_spikes_at_most.is_some() {
            "it is looked at either in one place or at the best one".to_owned()
        } else {
            self.fault_of_spikes()?
        };
        Some(format!("{}: {fault}", self.id))
    }

    fn fault_of_spikes(&self) -> Option<String> {
        let least = self.hidden_spikes_at_least?;
        match self.hidden_spikes_at_most {
            None => Some("hidden_spikes_at_least needs hidden_spikes_at_most".to_owned()),
            Some(most) if (least..=most).is_empty() => Some(format!(
                "hidden_spikes_at_least = {least} is more than hidden_spikes_at_most = {most}"
            )),
            Some(_) => None,
        }
    }

    /// Of what the claim is made of, in its unit.
    pub(super) fn unit(&self) -> String {
        match self.relative_to {
            Some(_) => "relative change / %".to_owned(),
            None => self.measure.label().to_owned(),
        }
    }

    /// The claim's value over seeds, of the points of its series.
    pub(super) fn value(&self, points: &[Found]) -> Option<Spread> {
        let values = |runs: &[Outcome]| -> Option<Vec<f64>> {
            runs.iter().map(|run| self.measure.of(run)).collect()
        };
        if let Some(most) = self.hidden_spikes_at_most {
            let range = self.hidden_spikes_at_least.unwrap_or(f64::NEG_INFINITY)..=most;
            let spikes = |runs: &[Outcome]| {
                let each: Option<Vec<f64>> = runs
                    .iter()
                    .map(|run| Measure::HiddenSpikes.of(run))
                    .collect();
                Spread::of(&each?)
            };
            // Not the best value: that would be a choice by the test.
            let (_, point) = points
                .iter()
                .filter_map(|point| Some((spikes(&point.runs)?.mean, point)))
                .filter(|(spikes, _)| range.contains(spikes))
                .max_by(|a, b| a.0.total_cmp(&b.0))?;
            return Spread::of(&values(&point.runs)?);
        }
        let runs = |x: Option<f64>| {
            let point = points.iter().find(|point| x.is_none() || point.x == x);
            point.and_then(|point| values(&point.runs))
        };
        let found = runs(self.at)?;
        let Some(base) = self.relative_to else {
            return Spread::of(&found);
        };
        let base = runs(Some(base))?;
        let changes: Vec<f64> = found
            .iter()
            .zip(&base)
            .map(|(value, base)| 100.0 * (value / base - 1.0))
            .collect();
        Spread::of(&changes)
    }

    /// Why runs say nothing about it, if so: what is learned of generated samples is
    /// nothing about those of the paper.
    pub(super) fn obstacle(&self, points: &[Found]) -> Option<String> {
        let mut data = points.iter().flat_map(|point| &point.runs);
        let generated = |data: &&str| {
            [builtin::NAME, voices::NAME]
                .iter()
                .any(|name| data.starts_with(name))
        };
        let name = data.find_map(|run| run.data().filter(generated))?;
        self.measure
            .is_of_data()
            .then(|| format!("it is about the data of the paper, and these are {name}"))
    }

    /// How it ended; a value that was looked for and not found reproduces nothing.
    pub(super) fn verdict(&self, value: Option<Spread>) -> Verdict {
        let Some(Spread { mean, .. }) = value else {
            return Verdict::NotReproduced;
        };
        match (side(self.band, mean), self.better) {
            (Ordering::Equal, _) => Verdict::Reproduced,
            (Ordering::Greater, Some(Direction::Higher))
            | (Ordering::Less, Some(Direction::Lower)) => Verdict::Better,
            _ => Verdict::NotReproduced,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::outcome::TestOutcome;
    use super::*;

    fn claim(text: &str) -> Claim {
        toml::from_str(&format!(
            "id = \"c\"\ntext = \"t\"\nseries = \"s\"\npaper = 97.0\n{text}"
        ))
        .unwrap()
    }

    fn of_spikes(limits: &str) -> Claim {
        claim(&format!(
            "measure = \"test_accuracy\"\nband = [0.0, 1.0]\nbetter = \"higher\"\n{limits}"
        ))
    }

    fn tested(accuracy: f64, hidden_spikes: f64) -> Outcome {
        Outcome {
            tests: vec![TestOutcome {
                accuracy,
                train_accuracy: None,
                hidden_spikes,
                images_per_s: 1.0,
                silicon: None,
            }],
            ..Outcome::default()
        }
    }

    #[test]
    fn a_verdict_depends_on_the_band_and_the_better_side() {
        let higher = claim("measure = \"test_accuracy\"\nband = [96.5, 97.5]\nbetter = \"higher\"");
        let lower = claim("measure = \"test_error\"\nband = [2.5, 3.5]\nbetter = \"lower\"");
        for (claim, value, verdict) in [
            (&higher, 97.0, Verdict::Reproduced),
            (&higher, 96.5, Verdict::Reproduced),
            (&higher, 98.0, Verdict::Better),
            (&higher, 96.0, Verdict::NotReproduced),
            (&lower, 3.0, Verdict::Reproduced),
            (&lower, 2.0, Verdict::Better),
            (&lower, 4.0, Verdict::NotReproduced),
        ] {
            assert_eq!(claim.verdict(Spread::of(&[value])), verdict, "{value}");
        }
        assert_eq!(higher.verdict(None), Verdict::NotReproduced);
        let neither = claim("measure = \"tau_mem_spread\"\nband = [18.0, 22.0]");
        for value in [17.0, 23.0] {
            let verdict = neither.verdict(Spread::of(&[value]));
            assert_eq!(verdict, Verdict::NotReproduced, "{value}");
        }
    }

    #[test]
    fn the_ends_of_a_band_belong_to_it_in_spite_of_rounding() {
        let claim = claim("measure = \"test_accuracy\"\nband = [96.9, 97.5]\nbetter = \"higher\"");
        for accuracy in [0.969, 0.975] {
            let found = Found {
                x: None,
                name: None,
                runs: vec![tested(accuracy, 20.0)],
            };
            let verdict = claim.verdict(claim.value(&[found]));
            assert_eq!(verdict, Verdict::Reproduced, "{accuracy}");
        }
        assert_eq!(
            claim.verdict(Spread::of(&[96.89999])),
            Verdict::NotReproduced
        );
        assert_eq!(claim.verdict(Spread::of(&[97.50001])), Verdict::Better);
    }

    #[test]
    fn changes_are_taken_seed_by_seed_and_the_point_nearest_to_a_limit() {
        let found = |x, runs: [Outcome; 2]| Found {
            x: Some(x),
            name: None,
            runs: runs.to_vec(),
        };
        let points = [
            found(0.0, [tested(0.9, 30.0), tested(0.8, 30.0)]),
            found(0.5, [tested(0.8, 15.0), tested(0.7, 17.0)]),
            found(0.7, [tested(0.95, 10.0), tested(0.95, 10.0)]),
        ];
        let change = claim(
            "measure = \"test_error\"\nat = 0.5\nrelative_to = 0.0\nband = [0.0, 1.0]\n\
             better = \"lower\"",
        );
        let value = change.value(&points).unwrap();
        assert!((value.mean - 75.0).abs() < 1e-9, "{value}");
        assert_eq!(change.unit(), "relative change / %");
        let nearest = |limits: &str| {
            let found = of_spikes(limits).value(&points);
            found.map(|spread| spread.mean.round())
        };
        for (limits, value) in [
            ("hidden_spikes_at_most = 16.0", Some(75.0)),
            ("hidden_spikes_at_most = 12.0", Some(95.0)),
            ("hidden_spikes_at_most = 5.0", None),
            (
                "hidden_spikes_at_least = 16.0\nhidden_spikes_at_most = 16.0",
                Some(75.0),
            ),
            (
                "hidden_spikes_at_least = 9.0\nhidden_spikes_at_most = 20.0",
                Some(75.0),
            ),
            (
                "hidden_spikes_at_least = 9.0\nhidden_spikes_at_most = 15.0",
                Some(95.0),
            ),
            // One has fewer, one more: none that is near enough.
            (
                "hidden_spikes_at_least = 11.0\nhidden_spikes_at_most = 15.0",
                None,
            ),
        ] {
            assert_eq!(nearest(limits), value, "{limits}");
        }
    }

    #[test]
    fn limits_of_spikes_are_a_range() {
        for (limits, named) in [
            (
                "hidden_spikes_at_least = 15.0\nhidden_spikes_at_most = 22.0",
                None,
            ),
            (
                "hidden_spikes_at_least = 22.5\nhidden_spikes_at_most = 22.0",
                Some("c: hidden_spikes_at_least = 22.5 is more"),
            ),
            (
                "hidden_spikes_at_least = 15.0",
                Some("hidden_spikes_at_least needs hidden_spikes_at_most"),
            ),
        ] {
            match (of_spikes(limits).fault(), named) {
                (None, None) => {}
                (Some(fault), Some(named)) => assert!(fault.contains(named), "{fault}"),
                (fault, _) => panic!("{limits}: {fault:?}"),
            }
        }
    }
}
