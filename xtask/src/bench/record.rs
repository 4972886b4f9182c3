//! What was measured, as JSON and as a table.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::floor::{Activity, Floor};
use super::instructions::Counted;
use super::machine::Machine;
use super::rows::{
    DELIVER, Goal, INFER_CHIP, INFER_SOFTWARE, RECURRENT, ROWS, TRAIN_CHIP, TRAIN_SOFTWARE, number,
};
use super::statistics::Summary;
use super::stopwatch::PROCESSOR;
use super::works::{PAPER_SHAPE, RECURRENT_SHAPE, Values, scaling};

/// All runs of all numbers.
#[derive(Debug, Default)]
pub(super) struct Runs(BTreeMap<String, Vec<f64>>);

impl Runs {
    /// Adds what a round gave.
    pub(super) fn add(&mut self, mut round: Values) {
        round.extend(scaling(&round));
        for (key, value) in round {
            self.0.entry(key).or_default().push(value);
        }
    }

    fn summary(&self, key: &str) -> Option<Summary> {
        Summary::of(self.0.get(key)?)
    }
}

/// The record of a bench.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) runs: Runs,
    pub(super) machine: Machine,
    /// Name of the images.
    pub(super) data: String,
    pub(super) threads: usize,
}

impl Record {
    /// Medians under their keys, `null` for what this system does not tell; all else
    /// beside them under `details` and `machine`.
    pub(super) fn json(&self) -> Value {
        let mut whole = Map::new();
        for row in ROWS {
            let median = self.runs.summary(row.key).map(|summary| summary.median);
            whole.insert(row.key.into(), json!(median));
        }
        let details = self.runs.0.iter().filter_map(|(key, runs)| {
            let summary = Summary::of(runs)?;
            let mut about = json!({
                "median": summary.median,
                "lower_quartile": summary.lower_quartile,
                "upper_quartile": summary.upper_quartile,
                "spread": summary.spread(),
                "runs": runs,
            });
            if let Some(row) = ROWS.iter().find(|row| row.key == key) {
                let direction = match row.goal {
                    Goal::AtLeast(_) => "at least",
                    Goal::Below(_) => "below",
                };
                about["what"] = row.name.into();
                about["goal"] = row.goal.value().into();
                about["goal_is"] = direction.into();
                about["met"] = row.goal.is_met(summary.median).into();
                about["floor"] = json!(self.floor(row.key));
            }
            Some((key.clone(), about))
        });
        whole.insert("details".into(), Value::Object(details.collect()));
        whole.insert("data".into(), json!(self.data));
        whole.insert("threads".into(), json!(self.threads));
        whole.insert("machine".into(), json!(self.machine));
        Value::Object(whole)
    }

    /// A table in Markdown, with what it was measured on above it.
    pub(super) fn table(&self) -> String {
        let Machine {
            cpu,
            cores,
            instruction_set,
            clock_ghz,
            rustc,
            program,
            load,
            ..
        } = &self.machine;
        let load = load.map_or_else(String::new, |load| {
            format!(", load {load:.1} before it began")
        });
        let mut text = format!(
            "{program}; {cpu}, {cores} cores at {clock_ghz:.2} GHz, {instruction_set}, {rustc}; {} threads, \
             images of {}{load}. Medians of {} rounds; in brackets the quartiles. \
             Undisturbed: what the processor time of the work, in which threads also wait for \
             each other, gives on {} cores of its own. \
             Floor: the least vector instructions, one per cycle.\n\n\
             | work | measured | goal | | undisturbed | floor |\n|---|---|---|---|---|---|\n",
            self.threads,
            self.data,
            self.rounds(),
            self.threads,
        );
        for row in ROWS {
            let summary = self.runs.summary(row.key);
            let measured = summary.map_or_else(
                || "not told by this system".into(),
                |s| {
                    let [median, low, high] =
                        [s.median, s.lower_quartile, s.upper_quartile].map(number);
                    format!("{median} ({low} to {high})")
                },
            );
            let met = summary.map_or("", |s| match row.goal.is_met(s.median) {
                true => "met",
                false => "not met",
            });
            let per_processor = self.runs.summary(&format!("{}{PROCESSOR}", row.key));
            let undisturbed =
                per_processor.map_or("–".into(), |s| number(s.median * self.threads as f64));
            let floor = self.floor(row.key).map_or("–".into(), number);
            text += &format!(
                "| {} | {measured} | {} | {met} | {undisturbed} | {floor} |\n",
                row.name, row.goal
            );
        }
        text
    }

    /// How fast all threads would be with one vector instruction in each cycle and no
    /// more of them than the work asks for.
    fn floor(&self, key: &str) -> Option<f64> {
        let (counted, shape, steps) = match key {
            INFER_CHIP => (Counted::InferChip, PAPER_SHAPE, 20),
            TRAIN_CHIP => (Counted::TrainChip, PAPER_SHAPE, 20),
            INFER_SOFTWARE => (Counted::InferSoftware, PAPER_SHAPE, 20),
            TRAIN_SOFTWARE => (Counted::TrainSoftware, PAPER_SHAPE, 20),
            RECURRENT => (Counted::TrainChip, RECURRENT_SHAPE, 200),
            DELIVER => (Counted::Deliver, PAPER_SHAPE, 20),
            _ => return None,
        };
        let spikes = |what: &str| {
            let summary = self.runs.summary(&format!("{key}_{what}_spikes"));
            summary.map_or(0.0, |summary| summary.median)
        };
        let activity = Activity {
            samples: 1.0,
            input_spikes: spikes("input"),
            hidden_spikes: spikes("hidden"),
            steps,
        };
        let instructions = Floor::of(counted, shape, &activity).instructions(self.machine.lanes);
        Some(self.threads as f64 * self.machine.clock_ghz * 1e9 / instructions)
    }

    fn rounds(&self) -> usize {
        self.runs.0.values().map(Vec::len).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::rows;

    #[test]
    fn medians_stand_under_their_keys_and_all_else_beside_them() {
        let mut runs = Runs::default();
        for value in [50_000.0, 90_000.0, 70_000.0] {
            runs.add(vec![
                (rows::INFER_CHIP.into(), value),
                (format!("{}_one_thread", rows::INFER_CHIP), value / 1.8),
                (rows::MEMORY.into(), 200.0),
            ]);
        }
        let record = Record {
            runs,
            machine: Machine {
                cpu: "a processor".into(),
                cores: 2,
                instruction_set: "vectors",
                lanes: 8,
                clock_ghz: 3.0,
                rustc: "rustc".into(),
                program: "bss2".into(),
                load: None,
            },
            data: "digits".into(),
            threads: 2,
        };
        let json = record.json();
        assert_eq!(json[rows::INFER_CHIP], 70_000.0);
        assert_eq!(json[rows::SCALING], 1.8);
        assert!(json[rows::CALIBRATE].is_null());
        let details = &json["details"][rows::INFER_CHIP];
        assert_eq!(details["runs"].as_array().unwrap().len(), 3);
        assert_eq!(
            (&details["met"], &details["goal"]),
            (&json!(false), &json!(85_000.0))
        );
        assert_eq!(json["details"][rows::MEMORY]["met"], true);
        let table = record.table();
        for text in [
            "70,000 (60,000 to 80,000)",
            "not met",
            "200 (200 to 200)",
            "a processor",
        ] {
            assert!(table.contains(text), "{text}: {table}");
        }
    }
}
