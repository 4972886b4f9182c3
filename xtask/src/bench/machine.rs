//! What was measured on.

use std::process::Command;
use std::time::Instant;
use std::{fs, hint, thread};

use bss2::event::simd::InstructionSet;
use serde::Serialize;

use crate::revision::revision;

/// The machine, as far as it tells.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Machine {
    pub(super) cpu: String,
    pub(super) cores: usize,
    pub(super) instruction_set: &'static str,
    /// Numbers of 32 bits in a vector.
    pub(super) lanes: usize,
    /// Measured cycles per second while one core works.
    pub(super) clock_ghz: f64,
    pub(super) rustc: String,
    /// What was measured: version and commit.
    pub(super) program: String,
    /// Processes that wanted to run, mean of the last minute: before this one began.
    pub(super) load: Option<f64>,
}

impl Machine {
    pub(super) fn look() -> Self {
        let load = load();
        let InstructionSet { name, lanes } = InstructionSet::native();
        Self {
            cpu: cpu(),
            cores: thread::available_parallelism().map_or(1, usize::from),
            instruction_set: name,
            lanes,
            clock_ghz: clock() / 1e9,
            rustc: rustc(),
            program: revision(),
            load,
        }
    }
}

/// Version of the compiler.
pub(super) fn rustc() -> String {
    let program = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(program).arg("--version").output();
    let text = output.map_or_else(
        |_| String::new(),
        |o| String::from_utf8_lossy(&o.stdout).into(),
    );
    match text.trim() {
        "" => "an unknown compiler".into(),
        version => version.into(),
    }
}

/// Name of the processor; family and model with it, since virtual ones hide more.
fn cpu() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(':'));
        lines.find_map(|(key, value)| (key.trim() == name).then(|| value.trim().to_owned()))
    };
    match (field("model name"), field("cpu family"), field("model")) {
        (Some(name), Some(family), Some(model)) => {
            format!("{name} (family {family}, model {model})")
        }
        (Some(name), ..) => name,
        _ => format!("an unknown {}", std::env::consts::ARCH),
    }
}

fn load() -> Option<f64> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    text.split_whitespace().next()?.parse().ok()
}

/// Cycles per second: a chain of shifts and exclusive ors, each of which takes one
/// cycle and waits for the one before. The best of some tries, since others may use
/// the core.
fn clock() -> f64 {
    const ROUNDS: u32 = 2_000_000;
    let once = || {
        let begin = Instant::now();
        let mut x = hint::black_box(88_172_645_463_325_252_u64);
        for _ in 0..ROUNDS {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
        }
        hint::black_box(x);
        6.0 * f64::from(ROUNDS) / begin.elapsed().as_secs_f64()
    };
    (0..10).map(|_| once()).fold(0.0, f64::max)
}
