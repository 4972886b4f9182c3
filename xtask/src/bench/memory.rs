//! Peak memory of a real training process.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{fs, thread};

use miette::{IntoDiagnostic, WrapErr, bail};

/// MiB that a process held at most; nothing where the system does not tell.
pub(super) fn peak_mib(program: &Path, arguments: &[&str]) -> miette::Result<Option<f64>> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .into_diagnostic()
        .wrap_err_with(|| format!("{} could not be started", program.display()))?;
    let file = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut peak = None;
    // The system keeps the highest value, so the last reading counts.
    let status = loop {
        if let Some(mib) = high_water_mark(&fs::read_to_string(&file).unwrap_or_default()) {
            peak = Some(mib);
        }
        if let Some(status) = child.try_wait().into_diagnostic()? {
            break status;
        }
        thread::sleep(Duration::from_millis(5));
    };
    if status.success() {
        Ok(peak)
    } else {
        bail!(
            "`{} {}` failed ({status})",
            program.display(),
            arguments.join(" ")
        )
    }
}

/// Peak of the resident set in MiB, from the text of `/proc/PID/status`.
fn high_water_mark(status: &str) -> Option<f64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_is_read_in_its_unit() {
        let status = "Name:\tbss2\nVmPeak:\t  300000 kB\nVmHWM:\t  204800 kB\nVmRSS:\t 1 kB\n";
        assert_eq!(high_water_mark(status), Some(200.0));
        assert_eq!(high_water_mark("Name:\tbss2\n"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_process_has_a_peak_and_a_failure_is_told() {
        let peak = peak_mib(Path::new("sleep"), &["0.05"]).unwrap().unwrap();
        assert!((0.05..100.0).contains(&peak), "{peak}");
        let error = peak_mib(Path::new("sleep"), &["nonsense"]).unwrap_err();
        assert!(error.to_string().contains("nonsense"), "{error}");
    }
}
