//! Rates by the clock on the wall, and by the time that processors gave.

use std::fs;
use std::time::Instant;

use super::works::Values;

/// Ends the key of a rate per second that one processor spent on it.
pub(super) const PROCESSOR: &str = "_per_processor_s";

/// Runs from its beginning.
#[derive(Debug)]
pub(super) struct Stopwatch {
    begin: Instant,
    processor: Option<f64>,
}

impl Stopwatch {
    pub(super) fn start() -> Self {
        Self {
            begin: Instant::now(),
            processor: processor_seconds(),
        }
    }

    pub(super) fn seconds(&self) -> f64 {
        self.begin.elapsed().as_secs_f64()
    }

    /// How much per second was done since the beginning: on the wall, and, where the
    /// system tells, of one processor. The second hardly sees who else uses the
    /// machine.
    pub(super) fn rates(&self, key: &str, amount: f64) -> Values {
        let mut values = vec![(key.to_owned(), amount / self.seconds())];
        if let (Some(begin), Some(end)) = (self.processor, processor_seconds()) {
            values.push((format!("{key}{PROCESSOR}"), amount / (end - begin)));
        }
        values
    }
}

/// Seconds that processors have given to all threads of this process.
fn processor_seconds() -> Option<f64> {
    let tasks = fs::read_dir("/proc/self/task").ok()?;
    let nanoseconds = tasks.filter_map(|task| {
        let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    });
    let sum: f64 = nanoseconds.sum();
    (sum > 0.0).then_some(sum * 1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn work_takes_processor_time() {
        let watch = Stopwatch::start();
        let mut x = 1_u64;
        while watch.seconds() < 0.05 {
            x = std::hint::black_box(x.wrapping_mul(3));
        }
        let rates = watch.rates("k", 1.0);
        assert_eq!(rates[1].0, format!("k{PROCESSOR}"));
        // A loop that never sleeps gets at least a hundredth of a processor.
        let seconds = 1.0 / rates[1].1;
        assert!(seconds > 0.000_5 && rates[0].1 <= 20.0, "{rates:?}");
    }
}
