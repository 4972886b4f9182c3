//! The engine on generated digits, with networks that learn in no time.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use bss2::encode::{
    GeneratedDigits, SampleInfo, Speaker, SpikeSet, Split, TimePrecision, write_spikes,
};

use super::declaration::Declaration;
use super::engine::{self, Results, Watcher};
use super::library::Library;
use super::measure::Measure;
use super::outcome::Outcome;
use super::plan::{Job, Plan, Work};
use super::report::Report;
use super::{ASKED, Asked, check_documented, declaration, quoted};

const TINY: &str = r#"
    id = "tiny"
    title = "Tiny"
    about = "A test."
    columns = ["test_accuracy", "throughput"]

    [[series]]
    id = "plain"
    name = "plain"

    [[series]]
    id = "again"
    name = "the same by other words"
    set = { "train.dropout" = 0.0 }

    [[series]]
    id = "silenced"
    name = "silenced"
    deploy = {}
    sweep = { key = "silence", of = "deployment", values = [0.0, 1.0] }

    [[series]]
    id = "tuned"
    name = "trained further"
    tune = { set = { "epochs" = 1, "batch" = 10 } }
    deploy = { train_images = 50 }
    sweep = { of = "deployment", cases = [{ name = "whole", quick = true }] }

    [[series]]
    id = "reference"
    name = "without spikes"
    work = "reference"

    [[series]]
    id = "fashion"
    name = "of missing files"
    set = { "data.set" = "fashion-mnist", "data.folder" = "none" }

    [figure]
    x = "sweep"
    x_label = "silenced"
    [[figure.panels]]
    title = "t"
    y = "test_error"
    series = ["silenced"]
    marks = [{ y = 3.0, text = "paper" }]

    [[claims]]
    id = "learns"
    text = "it learns"
    series = "plain"
    measure = "test_accuracy"
    paper = 50.0
    band = [20.0, 99.0]
    better = "higher"

    [[claims]]
    id = "silence-hurts"
    text = "nothing is heard of silenced neurons"
    series = "silenced"
    measure = "test_accuracy"
    at = 1.0
    band = [0.0, 20.0]
    better = "higher"

    [[claims]]
    id = "impossible"
    text = "no network reaches this"
    series = "plain"
    measure = "test_accuracy"
    paper = 150.0
    band = [149.0, 151.0]
    better = "higher"

    [[claims]]
    id = "missing"
    text = "cannot be run"
    series = "fashion"
    measure = "test_accuracy"
    paper = 84.0
    band = [83.0, 85.0]
    better = "higher"
"#;

/// What makes the reports.
const PROGRAM: &str = "a program";

/// A folder of generated digits that pass for a published set: what is learned of them
/// is judged.
fn digits() -> &'static Path {
    static DIGITS: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        let digits = GeneratedDigits {
            train: 400,
            test: 100,
            ..GeneratedDigits::default()
        };
        let Split { train, test, .. } = digits.generate();
        for (part, images) in [("train", train), ("t10k", test)] {
            write_images(folder.path(), part, images.pixels(), images.labels());
        }
        folder
    });
    DIGITS.path()
}

fn asked() -> Asked {
    let folder = format!("data.folder={}", digits().display());
    let set = [
        "substrate=software",
        &folder,
        "data.set=mnist",
        "data.verify=false",
        "data.train_images=400",
        "data.test_images=100",
        "epochs=2",
        "batch=20",
        "network.hidden=32",
    ];
    Asked {
        seeds: Some(2),
        set: set.map(str::to_owned).to_vec(),
        ..Asked::default()
    }
}

fn plan(declaration: &str, library: &mut Library) -> Plan {
    let declarations = vec![Declaration::parse(declaration).unwrap()];
    Plan::new(declarations, &asked().request().unwrap(), library).unwrap()
}

/// Stops after so many steps.
struct Steps {
    left: u32,
    known: Vec<bool>,
}

impl Watcher for Steps {
    fn begin(&mut self, _: usize, _: &Job) {}
    fn at(&mut self, _: usize, _: f64) {
        self.left = self.left.saturating_sub(1);
    }
    fn end(&mut self, _: usize, known: bool) {
        self.known.push(known);
    }
    fn warning(&mut self, _: usize, _: &str) {}
    fn stop_requested(&self) -> bool {
        self.left == 0
    }
}

fn run(out: &Path, steps: u32) -> (miette::Result<Results>, Plan, Vec<bool>) {
    run_declared(TINY, out, steps)
}

fn run_declared(
    declaration: &str,
    out: &Path,
    steps: u32,
) -> (miette::Result<Results>, Plan, Vec<bool>) {
    let mut library = Library::default();
    let plan = plan(declaration, &mut library);
    let mut watcher = Steps {
        left: steps,
        known: Vec::new(),
    };
    let results = engine::run(&plan, &mut library, out, PROGRAM, &mut watcher);
    (results, plan, watcher.known)
}

fn json(results: &Results, plan: &Plan) -> String {
    Report::new(plan, results, &asked(), PROGRAM)
        .json()
        .unwrap()
}

/// Name and content of every figure of the report.
fn figures(results: &Results, plan: &Plan, out: &Path) -> Vec<(OsString, Vec<u8>)> {
    Report::new(plan, results, &asked(), PROGRAM)
        .write(out)
        .unwrap();
    let files = fs::read_dir(out.join("figures")).unwrap();
    let paths = files.map(|file| file.unwrap().path());
    let content = |path: PathBuf| (path.file_name().unwrap().into(), fs::read(&path).unwrap());
    let mut figures: Vec<(OsString, Vec<u8>)> = paths.map(content).collect();
    figures.sort();
    assert!(!figures.is_empty());
    figures
}

/// A series that is tested after every so many epochs, 0 for the last alone.
fn series(id: &str, every: u32) -> String {
    format!(
        "[[series]]\nid = \"{id}\"\nname = \"{id}\"\nset = {{ \"run.test_every\" = {every} }}\n"
    )
}

/// An experiment of some series.
fn declare(all: &[&str]) -> String {
    let head = "id = \"curves\"\ntitle = \"t\"\nabout = \"a\"\ncolumns = [\"test_error\"]\n";
    head.to_owned() + &all.concat()
}

#[test]
fn a_training_that_was_killed_when_it_was_repeated_is_not_complete() {
    let [last, each] = [("last", 0), ("each", 1)].map(|(id, every)| series(id, every));
    let moved = last.clone() + "deploy = {}\n";
    let [first, whole] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    run_declared(&declare(&[&last]), first.path(), u32::MAX)
        .0
        .unwrap();
    // For other tests, and killed before its first epoch is over.
    let (stopped, ..) = run_declared(&declare(&[&last, &each]), first.path(), 9);
    assert!(stopped.is_err());
    let tested = |out: &Path| {
        let (results, plan, known) = run_declared(&declare(&[&moved]), out, u32::MAX);
        (json(&results.unwrap(), &plan), known)
    };
    let (report, known) = tested(first.path());
    // New in any case: the tests of both seeds.
    let trained = known.iter().filter(|&&known| !known).count() - 2;
    assert!(trained > 0, "what was killed counts as complete");
    assert_eq!(report, tested(whole.path()).0);
}

#[test]
fn what_follows_from_weights_is_made_again_with_them() {
    let declared =
        series("moved", 0) + "tune = { set = { \"epochs\" = 1, \"batch\" = 10 } }\ndeploy = {}\n";
    let folder = tempfile::tempdir().unwrap();
    let run = || run_declared(&declare(&[&declared]), folder.path(), u32::MAX);
    let (results, plan, known) = run();
    assert_eq!(
        known, [false; 6],
        "of two seeds: a training, another from it, a test"
    );
    let report = json(&results.unwrap(), &plan);
    assert_eq!(run().2, [true; 6]);
    let first = plan.jobs.iter().find(|job| job.work.needs().is_none());
    let weights = folder.path().join("runs").join(&first.unwrap().name);
    fs::remove_file(weights.join("last.ckpt")).unwrap();
    let (results, plan, known) = run();
    assert_eq!(
        known.iter().filter(|&&known| known).count(),
        3,
        "the other seed"
    );
    assert_eq!(json(&results.unwrap(), &plan), report);
}

#[test]
fn an_error_names_its_run() {
    let declared = declare(&[&series("last", 0)]);
    let folder = tempfile::tempdir().unwrap();
    let error = run_declared(&declared, folder.path(), 9).0.unwrap_err();
    // Of two that are stopped together the first one to see it.
    let named = error.to_string();
    assert!(named.starts_with("curves: last, seed "), "{named}");
}

#[test]
fn a_shared_training_is_tested_as_often_as_anybody_asks() {
    let [last, each] = [series("last", 0), series("each", 1)];
    for (all, every) in [
        (declare(&[&last]), 0),
        (declare(&[&last, &each]), 1),
        (declare(&[&each, &last]), 1),
        (declare(&[&series("a", 3), &last, &series("b", 3)]), 3),
        (declare(&[&series("a", 2), &series("b", 3), &last]), 1),
    ] {
        let plan = plan(&all, &mut Library::default());
        assert_eq!(plan.jobs.len(), 2, "one of each seed");
        for job in &plan.jobs {
            assert_eq!(job.experiment.run.test_every, every, "{all}");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let tested = |text: &str, anew: bool| {
        let (results, plan, known) = run_declared(text, folder.path(), u32::MAX);
        assert_eq!(known, [!anew; 2]);
        let (results, point) = (results.unwrap(), &plan.experiments[0].series[0]);
        let found = results.of(&point.as_ref().unwrap()[0]);
        let of = |run: &Outcome| -> Vec<bool> {
            let epochs = run.training.iter();
            epochs.map(|epoch| epoch.test_accuracy.is_some()).collect()
        };
        found.runs.iter().map(of).collect::<Vec<Vec<bool>>>()
    };
    let (last, both) = (declare(&[&last]), declare(&[&last, &each]));
    assert_eq!(tested(&last, true), [[false, true]; 2]);
    assert_eq!(tested(&last, false), [[false, true]; 2]);
    // As a kill leaves it that comes before the first checkpoint, or once it was removed.
    for run in fs::read_dir(folder.path().join("runs")).unwrap() {
        fs::remove_file(run.unwrap().path().join("last.ckpt")).unwrap();
    }
    assert_eq!(tested(&both, true), [[true, true]; 2]);
    // Tests that nobody asks for any more take nothing away.
    assert_eq!(tested(&last, false), [[true, true]; 2]);
}

#[test]
fn equal_runs_are_one_and_tests_come_after_their_training() {
    let plan = plan(TINY, &mut Library::default());
    let new = |job: &&Job| job.work == Work::NEW;
    let trainings = plan.jobs.iter().filter(new);
    // Two seeds of: training, silenced twice, tuned and tested, reference.
    assert_eq!((trainings.count(), plan.jobs.len()), (2, 2 + 4 + 4 + 2));
    for (place, job) in plan.jobs.iter().enumerate() {
        if let Some(training) = job.work.needs() {
            assert!(training < place);
            assert!(matches!(plan.jobs[training].work, Work::Training { .. }));
        }
    }
    let of = |series: usize| plan.experiments[0].series[series].as_ref();
    let runs = |series: usize| of(series).unwrap()[0].runs.clone();
    assert_eq!(runs(0), runs(1));
    assert!(of(5).is_err());
}

/// A part of a data set in the format of MNIST.
fn write_images(folder: &Path, part: &str, pixels: &[u8], labels: &[u8]) {
    let size = |n: usize| (n as u32).to_be_bytes();
    let head = [[0, 0, 8, 3], size(labels.len()), size(28), size(28)].concat();
    let file = folder.join(format!("{part}-images-idx3-ubyte"));
    std::fs::write(file, [&head, pixels].concat()).unwrap();
    let head = [[0, 0, 8, 1], size(labels.len())].concat();
    let file = folder.join(format!("{part}-labels-idx1-ubyte"));
    std::fs::write(file, [&head, labels].concat()).unwrap();
}

#[test]
fn a_run_is_named_by_its_images_and_not_by_where_they_lie() {
    let name = |brightness| {
        let folder = tempfile::tempdir().unwrap();
        let labels: Vec<u8> = (0..10).collect();
        for part in ["train", "t10k"] {
            write_images(folder.path(), part, &[brightness; 7840], &labels);
        }
        let asked = Asked {
            data: Some(folder.path().to_owned()),
            set: vec!["data.verify=false".to_owned(), "epochs=1".to_owned()],
            ..Asked::default()
        };
        let mut declaration = Declaration::parse(TINY).unwrap();
        declaration.series.truncate(1);
        let request = asked.request().unwrap();
        let plan = Plan::new(vec![declaration], &request, &mut Library::default()).unwrap();
        plan.jobs[0].name.clone()
    };
    assert_eq!(name(200), name(200));
    assert_ne!(name(200), name(201));
}

#[test]
fn a_command_asks_for_the_same_again() {
    let asked = Asked {
        quick: true,
        seeds: Some(3),
        data: Some("my images".into()),
        set: vec!["chip.seed=66".to_owned()],
        ..Asked::default()
    };
    assert_eq!(
        asked.command(Some("fig3c")),
        "cargo xtask reproduce --quick --only fig3c --seeds 3 --data 'my images' \
         --set chip.seed=66"
    );
}

#[test]
fn words_of_a_command_are_quoted_where_a_shell_would_change_them() {
    for plain in ["fig3c,fig4b", "../my-data/a_1.x", "train.rate=1e-3"] {
        assert_eq!(quoted(plain), plain);
    }
    for (word, as_typed) in [
        ("", "''"),
        ("my images", "'my images'"),
        ("a&b", "'a&b'"),
        ("~/$HOME", "'~/$HOME'"),
        ("data.held_out=[\"theo\"]", "'data.held_out=[\"theo\"]'"),
        ("it's", r"'it'\''s'"),
    ] {
        assert_eq!(quoted(word), as_typed);
    }
}

#[test]
fn what_cannot_be_gone_on_with_is_named() {
    let out = tempfile::tempdir().unwrap();
    let told = || format!("{:?}", Asked::before(out.path()).unwrap_err());
    let error = told();
    assert!(error.contains("holds nothing to go on with"), "{error}");
    fs::write(out.path().join(ASKED), "quick = 3").unwrap();
    let error = told();
    assert!(error.contains(ASKED) && error.contains("quick"), "{error}");
}

#[test]
fn nothing_learned_of_generated_samples_goes_beside_the_paper() {
    let plan = |work: &str, generated: bool| {
        let text = format!(
            "id = \"drawn\"\ntitle = \"t\"\nabout = \"a\"\ncolumns = [\"test_error\"]\n\
             [[series]]\nid = \"s\"\nname = \"s\"\nwork = \"{work}\"\n"
        );
        let mut asked = asked();
        if generated {
            asked.set.retain(|set| !set.starts_with("data.folder"));
            asked.set.push("data.set=generated".to_owned());
        }
        let declarations = vec![Declaration::parse(&text).unwrap()];
        let request = asked.request().unwrap();
        Plan::new(declarations, &request, &mut Library::default()).unwrap()
    };
    check_documented(&plan("training", false)).unwrap();
    check_documented(&plan("calibration", true)).unwrap();
    for work in ["training", "reference"] {
        let error = check_documented(&plan(work, true)).unwrap_err();
        assert!(error.to_string().contains("those of drawn are generated"));
    }
}

#[test]
fn a_run_that_goes_on_is_asked_for_in_the_same_words_or_none() {
    let before = Asked {
        full: true,
        only: vec!["fig3c".to_owned()],
        ..Asked::default()
    };
    for again in [Asked::default(), before.clone()] {
        again.check_resumed(&before).unwrap();
    }
    let other = Asked {
        quick: true,
        seeds: Some(2),
        ..before.clone()
    };
    let error = other.check_resumed(&before).unwrap_err().to_string();
    assert_eq!(
        error,
        "not asked for like this before: --quick, --seeds; --resume goes on with `cargo xtask \
         reproduce --full --only fig3c`"
    );
}

#[test]
fn weights_to_begin_with_are_not_set_by_a_key() {
    let asked = Asked {
        set: vec!["init.file=weights.npz".to_owned()],
        ..Asked::default()
    };
    let error = asked.request().err().unwrap().to_string();
    assert!(
        error.contains("--set init.file=weights.npz has no effect"),
        "{error}"
    );
}

#[test]
fn threads_are_not_set_by_a_key() {
    let asked = Asked {
        set: vec!["run.threads=2".to_owned()],
        ..Asked::default()
    };
    let error = asked.request().err().unwrap().to_string();
    assert!(
        error.contains("--set run.threads=2 has no effect") && error.contains("--threads says"),
        "{error}"
    );
}

#[test]
fn every_run_of_the_paper_resolves() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("words.h5");
    write_recordings(&file);
    // No sound in a test: recordings of two words stand in for it. SHD stays away.
    let words = [
        "data.set=recordings".to_owned(),
        format!("data.file={}", file.display()),
        "speech.reduction.skip=0".to_owned(),
    ];
    let generated = [
        "data.set=generated",
        "data.train_images=400",
        "data.test_images=100",
    ]
    .map(str::to_owned);
    let all = declaration::load(&declaration::folder(), &[]).unwrap();
    let (shd, all): (Vec<_>, Vec<_>) = all.into_iter().partition(|d| d.id == "table1-shd");
    let (speech, images): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|d| d.samples == "recordings");
    for quick in [true, false] {
        for (declarations, set) in [
            (images.clone(), generated.to_vec()),
            (speech.clone(), words.to_vec()),
        ] {
            let asked = Asked {
                quick,
                set,
                ..Asked::default()
            };
            let request = asked.request().unwrap();
            let plan = Plan::new(declarations, &request, &mut Library::default()).unwrap();
            assert!(plan.jobs.len() >= 10);
        }
        let asked = Asked {
            quick,
            ..Asked::default()
        };
        let request = asked.request().unwrap();
        let plan = Plan::new(shd.clone(), &request, &mut Library::default()).unwrap();
        let series = &plan.experiments[0].series;
        let mut missing = series.iter().filter_map(|points| points.as_ref().err());
        assert!(missing.all(|why| why.contains("SHD was not found")));
    }
}

#[test]
fn interrupted_again_and_again_the_report_is_the_same() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (results, plan, known) = run(folders[0].path(), u32::MAX);
    let results = results.unwrap();
    let whole = json(&results, &plan);
    let figures = figures(&results, &plan, folders[0].path());
    assert_eq!(known, [false; 12]);
    let mut attempts = 0;
    let (results, plan, _) = loop {
        attempts += 1;
        let (results, plan, known) = run(folders[1].path(), 9);
        // What is done takes none of the time that is said to be left.
        assert!(known.is_sorted_by_key(|&known| !known), "{known:?}");
        if let Ok(results) = results {
            break (results, plan, known);
        }
    };
    assert!(attempts > 5, "{attempts}");
    assert_eq!(json(&results, &plan), whole);
    assert!(self::figures(&results, &plan, folders[1].path()) == figures);
    let (results, plan, known) = run(folders[0].path(), u32::MAX);
    assert_eq!(known, [true; 12]);
    assert_eq!(json(&results.unwrap(), &plan), whole);
    // As programs left it that did not say who they were.
    let tests = fs::read_dir(folders[0].path().join("tests")).unwrap();
    let test = tests.map(|file| file.unwrap().path()).next().unwrap();
    let stored: serde_json::Value = serde_json::from_slice(&fs::read(&test).unwrap()).unwrap();
    assert_eq!(stored["revision"], PROGRAM);
    fs::write(&test, stored["outcome"].to_string()).unwrap();
    let (results, plan, known) = run(folders[0].path(), u32::MAX);
    assert_eq!(known, [true; 12]);
    let text = json(&results.unwrap(), &plan);
    let origins = "outcomes by revision: 11 of a program; 1 of unknown";
    assert!(text.contains(origins), "{text}");
    let found = |text: &str| -> serde_json::Value {
        let report: serde_json::Value = serde_json::from_str(text).unwrap();
        report["experiments"].clone()
    };
    assert_eq!(found(&text), found(&whole));
}

#[test]
fn a_run_with_several_draws_is_their_mean() {
    let declare = |scale: &str| {
        format!(
            "id = \"draws\"\ntitle = \"t\"\nabout = \"a\"\ncolumns = [\"test_error\"]\n{scale}\n\
             [[series]]\nid = \"s\"\nname = \"s\"\ndeploy = {{}}\n\
             sweep = {{ key = \"silence\", of = \"deployment\", values = [0.0, 0.5] }}\n"
        )
    };
    let folder = tempfile::tempdir().unwrap();
    let drawn = declare("full = { draws = 3 }");
    let (results, plan, known) = run_declared(&drawn, folder.path(), u32::MAX);
    // Of each seed a training, a test with all neurons, three with half of them.
    assert_eq!(known, [false; 2 * (1 + 1 + 3)]);
    let (results, points) = (results.unwrap(), plan.experiments[0].series[0].as_ref());
    let [whole, half] = &points.unwrap()[..] else {
        panic!("two shares");
    };
    assert!(
        results
            .of(whole)
            .runs
            .iter()
            .all(|run| run.tests.len() == 1)
    );
    let half = results.of(half);
    assert_eq!(half.runs.len(), 2);
    for run in &half.runs {
        let [a, b, c] = [0, 1, 2].map(|draw| 100.0 * run.tests[draw].accuracy);
        assert!(a != b || a != c, "{a}");
        let mean = Measure::TestAccuracy.of(run).unwrap();
        assert!((mean - (a + b + c) / 3.0).abs() < 1e-9, "{mean}");
    }
    // The first draw is that of a run which knows of no others.
    for single in ["", "quick = { draws = 3 }"] {
        let (results, plan, known) = run_declared(&declare(single), folder.path(), u32::MAX);
        assert_eq!(known, [true; 2 * (1 + 1 + 1)]);
        let point = &plan.experiments[0].series[0].as_ref().unwrap()[1];
        let runs = results.unwrap().of(point).runs;
        for (run, of_three) in runs.iter().zip(&half.runs) {
            assert_eq!(run.tests, of_three.tests[..1]);
        }
    }
}

const CHIP: &str = r#"
    id = "chip"
    title = "Chip"
    about = "A test."
    columns = ["test_accuracy", "tau_mem_spread", "threshold_spread"]

    [[series]]
    id = "neurons"
    name = "neurons"
    work = "calibration"
    sweep = { of = "training", cases = [
        { name = "scattered", x = 0.3, set = { "chip.decalibration.sigma" = 0.3 }, quick = true },
    ] }

    [[series]]
    id = "drawn"
    name = "as drawn"
    work = "calibration"
    set = { "chip.calibrated" = false }

    [[series]]
    id = "recorded"
    name = "recorded"
    deploy = { set = { "chip.mode" = "inference" } }
    record = 3

    [[series]]
    id = "coarse"
    name = "of rounded weights"
    deploy = { set = { "chip.mode" = "inference", "network.weight_bits" = 2 } }

    [scenes]
    series = "recorded"
    kind = "succession"

    [figure]
    x = "case"
    [[figure.panels]]
    title = "t"
    y = "tau_mem_spread"
    series = ["neurons"]

    [[distributions]]
    title = "tau"
    quantity = "tau_mem"
    series = ["neurons", "drawn"]
"#;

#[test]
fn neurons_are_measured_and_images_recorded() {
    let asked = Asked {
        set: [
            "data.set=generated",
            "data.train_images=100",
            "data.test_images=20",
            "epochs=1",
            "batch=20",
            "network.hidden=32",
            "train.learning_rate=0.03",
            "chip.calibration.trials=8",
        ]
        .map(str::to_owned)
        .to_vec(),
        ..Asked::default()
    };
    let folder = tempfile::tempdir().unwrap();
    let mut library = Library::default();
    let declarations = vec![Declaration::parse(CHIP).unwrap()];
    let plan = Plan::new(declarations, &asked.request().unwrap(), &mut library).unwrap();
    let mut run = |left| {
        let known = Vec::new();
        let mut watcher = Steps { left, known };
        let results = engine::run(&plan, &mut library, folder.path(), PROGRAM, &mut watcher);
        (results.unwrap(), watcher.known)
    };
    let (first, known) = run(u32::MAX);
    assert_eq!(known, [false; 6]);
    let (second, known) = run(u32::MAX);
    assert_eq!(known, [true; 6]);
    let report = Report::new(&plan, &second, &asked, PROGRAM);
    let json = report.json().unwrap();
    assert_eq!(
        Report::new(&plan, &first, &asked, PROGRAM).json().unwrap(),
        json
    );
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let measured = |series: usize, what: &str| {
        let point = &json["experiments"][0]["series"][series]["points"][0];
        point["measures"][what][0].as_f64().unwrap()
    };
    let asked_for = measured(0, "tau_mem_spread");
    assert!((20.0..40.0).contains(&asked_for), "{asked_for}");
    assert!(measured(1, "threshold_spread") > 5.0);
    assert_ne!(measured(2, "hidden_spikes"), measured(3, "hidden_spikes"));
    report.write(folder.path()).unwrap();
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    assert!(read("figures/chip-1.svg").contains("a reset after each"));
    assert!(read("figures/chip-2.svg").contains("scattered"));
    assert!(read("figures/chip-3.svg").contains("as drawn"));
    let mut arrays = bss2::npz::Npz::open(&folder.path().join("results.npz")).unwrap();
    let neurons = arrays.floats("chip.drawn.tau_mem_us", &[1, 1, 42]).unwrap();
    assert_eq!(neurons.unwrap().len(), 42);
    let recorded = first_outcome(&second, &plan, 2).scenes;
    assert_eq!(recorded.len(), 3);
    let spikes = recorded[2].hidden.len() as u64;
    let times = arrays
        .floats("chip.recorded.sample2.hidden_us", &[spikes])
        .unwrap();
    let expected: Vec<f64> = recorded[2].hidden.iter().map(|spike| spike.0).collect();
    assert_eq!(times, Some(expected));
    let pixels = arrays
        .floats("chip.recorded.sample2.pixels", &[16, 16])
        .unwrap();
    assert!(pixels.unwrap().iter().any(|&pixel| pixel > 0.0));
}

#[test]
fn claims_end_with_numbers_and_all_files_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    let (results, plan, _) = run(out, u32::MAX);
    let report = Report::new(&plan, &results.unwrap(), &asked(), PROGRAM);
    let verdicts: Vec<(&str, &str)> = report
        .claims()
        .map(|claim| (claim.id.as_str(), claim.verdict.label()))
        .collect();
    let expected = [
        ("learns", "reproduced"),
        ("silence-hurts", "reproduced"),
        ("impossible", "not reproduced"),
        ("missing", "not run"),
    ];
    assert_eq!(verdicts, expected, "{}", report.summary());
    report.write(out).unwrap();
    let read = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
    let json: serde_json::Value = serde_json::from_str(&read("report.json")).unwrap();
    let claim = &json["claims"][0];
    for key in ["id", "paper", "band", "value", "sd", "verdict", "command"] {
        assert!(!claim[key].is_null(), "{key}: {claim}");
    }
    assert!(json["claims"][3]["value"].is_null());
    // The paper has no number of it.
    assert!(json["claims"][1]["paper"].is_null() && read("report.md").contains("| – "));
    // Of weights that were moved, 50 images that they were trained on, and all to test on.
    let measures = &json["experiments"][0]["series"][3]["points"][0]["measures"];
    let [learned, tested] = ["train_accuracy", "test_accuracy"].map(|measure| {
        let seeds = measures[measure].as_array().unwrap().iter();
        seeds
            .map(|value| value.as_f64().unwrap())
            .collect::<Vec<_>>()
    });
    assert!(
        learned
            .iter()
            .all(|&share| share > 20.0 && (share / 2.0).fract().abs() < 1e-9)
    );
    assert_ne!(learned, tested);
    assert!(!read("report.json").contains("throughput"));
    assert!(read("figures/tiny-1.svg").contains("paper"));
    for name in ["report.md", "report.html"] {
        let text = read(name);
        // One series is trained further, for a single epoch.
        assert!(text.contains("2 seeds, 1 to 2 epochs"), "{text}");
        assert!(text.contains("bss2 data fetch fashion-mnist"), "{text}");
        assert!(text.contains("not reproduced"), "{text}");
    }
    assert!(!read("report.html").contains("http-equiv"));
    let mut arrays = bss2::npz::Npz::open(&out.join("results.npz")).unwrap();
    assert_eq!(arrays.pickled(), [""; 0]);
    for name in [
        "tiny.silenced.x",
        "tiny.plain.epochs.loss",
        "tiny.plain.test_error",
    ] {
        assert!(arrays.names().iter().any(|n| n == name), "{name}");
    }
}

const SPEECH: &str = r#"
    id = "spoken"
    title = "Spoken"
    about = "A test."
    samples = "recordings"
    columns = ["test_accuracy"]
    confusions = ["own"]

    [[series]]
    id = "own"
    name = "heard"
    set = { "data.set" = "recordings", "data.file" = "WORDS" }
    answers = true
    record = 1

    [[series]]
    id = "unseen"
    name = "never heard"
    set = { "substrate" = "software", "data.set" = "recordings", "data.file" = "WORDS" }
    sweep = { of = "training", speakers = true }

    [[series]]
    id = "shuffled"
    name = "shuffled"
    set = { "substrate" = "software", "data.set" = "recordings", "data.file" = "WORDS" }
    tune = { set = { "train.frozen" = ["recurrent"] }, shuffle_recurrence = true }

    [[series]]
    id = "shd"
    name = "of missing files"
    set = { "data.set" = "shd", "data.folder" = "none" }

    [scenes]
    series = "own"
    kind = "recordings"

    [speakers]
    title = "Error by speaker"
    series = ["own", "unseen"]
"#;

/// Recordings of two voices in two classes that excite different channels.
fn write_recordings(path: &Path) {
    let keys = ["no", "yes"].map(str::to_owned).to_vec();
    let speakers = ["ann", "bob"].map(|name| Speaker {
        name: name.to_owned(),
        ..Speaker::default()
    });
    let mut set = SpikeSet::new("two words", 40, keys, speakers.to_vec()).unwrap();
    for take in 0..10 {
        for (speaker, name) in (0..).zip(["ann", "bob"]) {
            for label in 0..2_u8 {
                let spikes = (0..90_u16).map(|i| {
                    let time = 0.002 * f32::from(i) + 0.001 * take as f32;
                    (time, 20 * u16::from(label) + (7 * i + speaker) % 20)
                });
                let (times, units): (Vec<f32>, Vec<u16>) = spikes.unzip();
                let recording = format!("{label}_{name}_{take}.wav");
                let info = SampleInfo { speaker, recording };
                set.push(label, info, &times, &units).unwrap();
            }
        }
    }
    write_spikes(path, &set, TimePrecision::Single).unwrap();
}

#[test]
fn speakers_are_held_out_and_answers_kept() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("words.h5");
    write_recordings(&file);
    let set = [
        "recipe=speech",
        "software_epochs=0",
        "speech.reduction.skip=0",
        "speech.reduction.every=1",
        "speech.compression=2000",
        "time.steps=60",
        "network.hidden=20",
        "epochs=2",
        "batch=4",
        "chip.calibration.trials=8",
    ];
    let asked = Asked {
        set: set.map(str::to_owned).to_vec(),
        ..Asked::default()
    };
    let mut library = Library::default();
    let declarations =
        vec![Declaration::parse(&SPEECH.replace("WORDS", &file.display().to_string())).unwrap()];
    let plan = Plan::new(declarations, &asked.request().unwrap(), &mut library).unwrap();
    let mut watcher = Steps {
        left: u32::MAX,
        known: Vec::new(),
    };
    let results = engine::run(&plan, &mut library, folder.path(), PROGRAM, &mut watcher).unwrap();
    // Heard, answered, recorded; two voices; trained and with other recurrence.
    assert_eq!(watcher.known, [false; 7]);
    let report = Report::new(&plan, &results, &asked, PROGRAM);
    let json: serde_json::Value = serde_json::from_str(&report.json().unwrap()).unwrap();
    let series = &json["experiments"][0]["series"];
    for (place, name) in ["ann", "bob"].into_iter().enumerate() {
        assert_eq!(series[1]["points"][place]["name"], name);
    }
    let why = series[3]["not_run"].as_str().unwrap();
    assert!(why.contains("shd_train.h5"), "{why}");

    report.write(folder.path()).unwrap();
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let scene = read("figures/spoken-1.svg");
    assert!(scene.contains("spoken by ann") && scene.contains("cumulative sum"));
    assert!(read("figures/spoken-2.svg").contains(">yes<"));
    let errors = read("figures/spoken-3.svg");
    // Two voices in two series, each a seed and a mean; the legend.
    assert_eq!(errors.matches("<circle").count(), 8 + 2);
    assert!(read("report.md").contains("all training and all test recordings"));
    let arrays = bss2::npz::Npz::open(&folder.path().join("results.npz")).unwrap();
    assert!(arrays.names().iter().any(|n| n == "spoken.own.confusion"));
    let accuracy =
        |place: usize| series[0]["points"][0]["measures"]["test_accuracy"][place].as_f64();
    let counts = match first_outcome(&results, &plan, 0).answers {
        Some(answers) => answers.confusion(),
        None => panic!("answers were kept"),
    };
    let right = f64::from(counts[0][0] + counts[1][1]);
    assert_eq!(counts.concat().iter().sum::<u32>(), 20);
    assert_eq!(accuracy(0), Some(100.0 * (right / 20.0)));
}

/// The outcome of the first point and seed of a series.
fn first_outcome(results: &Results, plan: &Plan, series: usize) -> Outcome {
    let points = plan.experiments[0].series[series].as_ref();
    results.of(&points.expect("it runs")[0]).runs.swap_remove(0)
}
