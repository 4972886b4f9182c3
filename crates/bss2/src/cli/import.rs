//! `bss2 chip import`.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use miette::{IntoDiagnostic, WrapErr};

use crate::files::write_atomically;
use crate::import::{self, Imported};
use crate::tell;

#[derive(Debug, Args)]
pub(super) struct ImportArguments {
    /// The calibration: codes of 512 circuits as plain arrays in an npz archive.
    file: PathBuf,
    /// File that the chip goes to if it ends in .toml, else the folder for it.
    #[arg(long, value_name = "PATH", default_value = ".")]
    out: PathBuf,
    /// Name of the chip in titles; that of the file by default.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

pub(super) fn run(arguments: &ImportArguments) -> miette::Result<()> {
    let stem = arguments.file.file_stem().unwrap_or_default();
    let stem = stem.to_string_lossy().into_owned();
    let name = arguments.name.clone().unwrap_or_else(|| stem.clone());
    let imported = import::read(&arguments.file, &name).into_diagnostic()?;
    let path = if arguments.out.extension().is_some_and(|end| end == "toml") {
        arguments.out.clone()
    } else {
        arguments.out.join(format!("{stem}.toml"))
    };
    let text = toml::to_string(&imported.chip).into_diagnostic()?;
    fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))
        .and_then(|()| write_atomically(&path, text.as_bytes()))
        .into_diagnostic()
        .wrap_err_with(|| format!("{} cannot be written", path.display()))?;
    tell!("{}", table(&imported).trim_end());
    for (what, names) in [
        ("not in the file, assumed", &imported.assumed),
        ("pickled Python objects, never read", &imported.pickled),
    ] {
        if !names.is_empty() {
            tell!("{what}: {}", names.join(", "));
        }
    }
    tell!("the chip is in {0}; use it with --chip {0}", path.display());
    Ok(())
}

/// Mean, spread and range of each cell's codes.
fn table(imported: &Imported) -> String {
    let mut text = format!(
        "{:<24} {:>7} {:>7} {:>5} {:>5}\n",
        "cell", "mean", "sd", "min", "max"
    );
    for (cell, codes) in &imported.chip.codes {
        let codes: Vec<f64> = codes.iter().map(|code| code.get().into()).collect();
        let n = codes.len() as f64;
        let mean = codes.iter().sum::<f64>() / n;
        let sd = (codes.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / n).sqrt();
        let (min, max) = codes.iter().fold((f64::MAX, f64::MIN), |(low, high), &c| {
            (low.min(c), high.max(c))
        });
        text += &format!(
            "{:<24} {mean:>7.1} {sd:>7.1} {min:>5} {max:>5}\n",
            cell.to_string()
        );
    }
    text
}
