//! Instructions of the hot paths, counted: a slower program is found on a busy machine
//! too.
//!
//! A child process under callgrind does some work on one thread, and then more of it;
//! the difference has no start in it. Data are generated digits and weights are drawn,
//! so that the counts are those of any machine that has the tool. The tool knows no
//! AVX-512, so these are counts of the AVX2 path.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use addr2line::Loader;
use bss2::analog::MismatchProfile;
use bss2::config::{DataSet, Experiment, SubstrateKind};
use bss2::data::Data;
use bss2::files::write_atomically;
use bss2::substrates::network_shape;
use bss2::tell;
use bss2::workload::{Tally, Workload};
use clap::ValueEnum;
use miette::{IntoDiagnostic, WrapErr, bail, miette};
use serde::{Deserialize, Serialize};

use super::floor::{Activity, Floor};
use super::kernels::{Costs, Kernel};
use super::machine::rustc;
use super::rows::number;
use super::works::{Buses, PAPER_SHAPE, lively, pool, spikes};
use crate::document::{self, Document};
use crate::tidy;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Counted {
    /// An image through fabric, analog core and readout, without its encoding's start.
    InferChip,
    /// The same with backward pass, update and writing of weights, in batches of 100.
    TrainChip,
    /// An image through the ideal network.
    InferSoftware,
    /// The same with backward pass and update.
    TrainSoftware,
    /// An input event from the link to the rows.
    Deliver,
}

/// Accepted counts, kept in the repository.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Accepted {
    /// By how much a count may grow, in percent.
    tolerance_percent: f64,
    /// The compiler that they were counted with.
    rustc: String,
    /// Instructions per image or event.
    counts: BTreeMap<String, f64>,
}

const HEAD: &str = "# Instructions per image or event on the AVX2 path, as callgrind counts them.\n\
                    # Written by `cargo xtask bench --instructions --accept`.\n";

/// Of a vector of AVX2.
const LANES: usize = 8;

fn file() -> PathBuf {
    tidy::root().join("xtask/instructions.toml")
}

/// Counts all and compares with what is accepted, or accepts it.
pub(super) fn run(accept: bool, documented: bool) -> miette::Result<()> {
    if !cfg!(target_arch = "x86_64") {
        tell!("skipped: accepted counts are those of x86-64");
        return Ok(());
    }
    if !has_callgrind() {
        tell!("skipped: valgrind is not installed");
        return Ok(());
    }
    let program = env::current_exe().into_diagnostic()?;
    let symbols = Loader::new(&program);
    let symbols = symbols.map_err(|error| miette!("{}: {error}", program.display()))?;
    let (mut counts, mut kernels) = (BTreeMap::new(), Vec::new());
    let mut table = String::from(
        "| work | input spikes | hidden spikes | instructions | least | ratio |\n\
         |---|---|---|---|---|---|\n",
    );
    for &counted in Counted::value_variants() {
        let (more, less) = (
            under_callgrind(&program, counted, 2)?,
            under_callgrind(&program, counted, 1)?,
        );
        let units = more.units - less.units;
        let count = (more.instructions - less.instructions) / units;
        let floor = Floor::of(counted, PAPER_SHAPE, &more.activity);
        let least = floor.instructions(LANES);
        table += &format!(
            "| {} | {:.0} | {:.0} | {} | {} | {:.1} |\n",
            name(counted),
            more.activity.input_spikes / more.activity.samples,
            more.activity.hidden_spikes / more.activity.samples,
            number(count),
            number(least),
            count / least
        );
        counts.insert(name(counted), count);
        let mut shares = more.costs.by_kernel(&less.costs, &symbols)?;
        shares.values_mut().for_each(|share| *share /= units);
        kernels.push((counted, shares, floor));
    }
    let by_kernel = by_kernel(&kernels);
    tell!("{table}\n{}", by_kernel.trim_end());
    if documented {
        let mut document = Document::open(document::PERFORMANCE)?;
        document.replace("instructions", &table)?;
        document.replace("kernels", &by_kernel)?;
        document.write()?;
    }
    let path = file();
    if accept {
        let accepted = Accepted {
            tolerance_percent: 2.0,
            rustc: rustc(),
            // Digits beyond these are those of one run.
            counts: counts
                .into_iter()
                .map(|(key, count)| (key, count.round()))
                .collect(),
        };
        let text = HEAD.to_owned() + &toml::to_string(&accepted).into_diagnostic()?;
        return write_atomically(&path, text.as_bytes())
            .into_diagnostic()
            .wrap_err_with(|| format!("{} cannot be written", path.display()));
    }
    let text = fs::read_to_string(&path)
        .into_diagnostic()
        .wrap_err("there are no accepted counts; --accept writes them")?;
    let accepted: Accepted = toml::from_str(&text).into_diagnostic()?;
    let verdict = compare(&accepted, &counts);
    for note in verdict.notes {
        tell!("{note}");
    }
    if verdict.grown.is_empty() {
        return Ok(());
    }
    let mut message = verdict.grown.join("\n");
    if accepted.rustc != rustc() {
        message += &format!(
            "\n(they were counted with {}, here is {})",
            accepted.rustc,
            rustc()
        );
    }
    bail!(
        "instruction counts have grown:\n{message}\nIf that is meant to be, \
         `cargo xtask bench --instructions --accept` takes the new ones"
    )
}

/// The table of kernels: what each takes and, in brackets, the least.
fn by_kernel(works: &[(Counted, HashMap<Kernel, f64>, Floor)]) -> String {
    let mut table = String::from("| kernel |");
    for (counted, ..) in works {
        table += &format!(" {} |", name(*counted));
    }
    table += &format!("\n|---|{}\n", "---|".repeat(works.len()));
    for &kernel in Kernel::value_variants() {
        table += &format!("| {} |", kernel.name());
        for (_, shares, floor) in works {
            // What happens once per so many images leaves a few.
            let share = shares.get(&kernel).filter(|&&share| share >= 0.5);
            let share = share.map_or("–".into(), |&share| number(share));
            let least = floor.of_kernel(kernel, LANES);
            let least = least.map_or(String::new(), |least| format!(" ({})", number(least)));
            table += &format!(" {share}{least} |");
        }
        table += "\n";
    }
    table
}

fn name(counted: Counted) -> String {
    let value = counted
        .to_possible_value()
        .expect("every variant has a name");
    value.get_name().to_owned()
}

fn has_callgrind() -> bool {
    let mut command = Command::new("valgrind");
    command
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[derive(Debug, PartialEq)]
struct Verdict {
    grown: Vec<String>,
    notes: Vec<String>,
}

fn compare(accepted: &Accepted, counts: &BTreeMap<String, f64>) -> Verdict {
    let (mut grown, mut notes) = (Vec::new(), Vec::new());
    let tolerance = accepted.tolerance_percent;
    for (name, &count) in counts {
        let Some(&before) = accepted.counts.get(name) else {
            grown.push(format!("{name}: {} and no accepted count", number(count)));
            continue;
        };
        let percent = 100.0 * (count / before - 1.0);
        let change = format!(
            "{name}: {} -> {} ({percent:+.1} %)",
            number(before),
            number(count)
        );
        if percent > tolerance {
            grown.push(format!("{change}, allowed is {tolerance} %"));
        } else if percent < -tolerance {
            notes.push(format!("{change}: accept it, so that it stays"));
        }
    }
    Verdict { grown, notes }
}

/// What a child process counted and did.
#[derive(Debug)]
struct Count {
    instructions: f64,
    units: f64,
    activity: Activity,
    costs: Costs,
}

fn under_callgrind(program: &Path, counted: Counted, batches: usize) -> miette::Result<Count> {
    let written = tempfile::NamedTempFile::new().into_diagnostic()?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--dump-instr=yes"])
        .args(["--compress-strings=no", "--compress-pos=no"])
        .arg(format!("--callgrind-out-file={}", written.path().display()))
        .arg(program)
        .args([
            "bench",
            "--count",
            &name(counted),
            "--batches",
            &batches.to_string(),
        ])
        .output()
        .into_diagnostic()
        .wrap_err("valgrind could not be started")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    let told = String::from_utf8_lossy(&output.stdout);
    let count = collected(&errors)
        .filter(|_| output.status.success())
        .and_then(|instructions| Some((instructions, serde_json::from_str(&told).ok()?)));
    let Some((instructions, activity)) = count else {
        bail!("valgrind failed on {}:\n{errors}{told}", name(counted));
    };
    let activity: Activity = activity;
    let costs = fs::read_to_string(written.path()).into_diagnostic()?;
    let costs = Costs::read(&costs, program)?;
    if (costs.sum() / instructions - 1.0).abs() > 1e-3 {
        bail!(
            "callgrind counted {instructions} instructions, and {} by address",
            costs.sum()
        );
    }
    Ok(Count {
        instructions,
        units: match counted {
            Counted::Deliver => activity.input_spikes,
            _ => activity.samples,
        },
        activity,
        costs,
    })
}

/// The last number in a line such as `==7== Collected : 123`.
fn collected(text: &str) -> Option<f64> {
    let line = text
        .lines()
        .rev()
        .find(|line| line.contains("Collected :"))?;
    line.rsplit(':').next()?.trim().parse().ok()
}

/// The child's part: does the work and tells what it was.
pub(super) fn count(counted: Counted, batches: usize) -> miette::Result<()> {
    let mut experiment = Experiment::default();
    experiment.data.set = DataSet::Generated;
    experiment.data.train_images = 2 * experiment.batch;
    experiment.data.test_images = 1;
    experiment.chip.profile = even_chip();
    experiment.chip.calibrated = false;
    experiment.substrate = match counted {
        Counted::InferChip | Counted::TrainChip => SubstrateKind::Chip,
        _ => SubstrateKind::Software,
    };
    let activity = pool(1)?.install(|| {
        let data = Data::load(&mut experiment)?;
        let shape = network_shape(&experiment, &data);
        if counted == Counted::Deliver {
            let samples = spikes(&experiment, &data, experiment.batch)?;
            let mut buses = Buses::new()?;
            // An event is little work: what threads do at their end must not count.
            let turns = 50 * batches;
            let events = (0..turns).map(|_| buses.deliver(&samples, 0..samples.len()));
            return Ok(Activity {
                input_spikes: events.sum::<usize>() as f64,
                samples: (turns * samples.len()) as f64,
                hidden_spikes: 0.0,
                steps: experiment.time.steps,
            });
        }
        let mut workload = Workload::new(&experiment, &data, shape)?;
        workload.begin_with(lively(workload.trainer())?)?;
        let tally: Tally = match counted {
            Counted::InferChip | Counted::InferSoftware => workload.infer(batches)?,
            _ => workload.train(batches)?,
        };
        Ok::<_, miette::Report>(Activity::of(&tally, experiment.time.steps))
    })?;
    let text = serde_json::to_string(&activity).map_err(|error| miette!("{error}"))?;
    tell!("{text}");
    Ok(())
}

/// A chip without deviations, so that there is nothing to calibrate, which would take
/// most of the time; with noise and nonlinearities as all chips have them.
fn even_chip() -> MismatchProfile {
    let all = MismatchProfile::cube66();
    let mut cadc = all.cadc;
    (cadc.offset, cadc.channel_gain, cadc.quadrant_gain) = (0.0, 0.0, 0.0);
    MismatchProfile {
        cadc,
        noise: all.noise,
        rail: all.rail,
        synaptic_saturation: all.synaptic_saturation,
        leak_saturation: all.leak_saturation,
        ..MismatchProfile::ideal()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(infer: f64) -> BTreeMap<String, f64> {
        [("infer-chip".to_owned(), infer)].into()
    }

    #[test]
    fn growth_fails_and_a_fall_is_told() {
        let accepted = Accepted {
            tolerance_percent: 2.0,
            rustc: String::new(),
            counts: counts(1000.0),
        };
        for (count, grown, notes) in [(1019.0, 0, 0), (1021.0, 1, 0), (979.0, 0, 1)] {
            let verdict = compare(&accepted, &counts(count));
            assert_eq!(
                (verdict.grown.len(), verdict.notes.len()),
                (grown, notes),
                "{count}"
            );
        }
        let new = BTreeMap::from([("new".to_owned(), 1.0)]);
        assert_eq!(compare(&accepted, &new).grown.len(), 1);
    }

    #[test]
    fn the_sum_is_read_where_the_tool_tells_it() {
        let text = "==1== Callgrind\n==1== Events    : Ir\n==1== Collected : 65432100\n==1== \n";
        assert_eq!(collected(text), Some(65_432_100.0));
        assert_eq!(collected("==1== nothing"), None);
    }

    #[test]
    fn everything_that_is_counted_has_an_accepted_count() {
        let text = fs::read_to_string(file()).unwrap();
        let accepted: Accepted = toml::from_str(&text).unwrap();
        let names = Counted::value_variants()
            .iter()
            .map(|&counted| name(counted));
        let mut names: Vec<String> = names.collect();
        names.sort();
        assert_eq!(accepted.counts.into_keys().collect::<Vec<_>>(), names);
    }
}
