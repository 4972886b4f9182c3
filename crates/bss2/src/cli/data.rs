//! `bss2 data`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bss2_encode::locate::SHD_FILES;
use bss2_encode::{
    DataSet, EncodeError, Found, Part, Verify, find_fsdd, find_mnist, find_shd, load_mnist,
    open_recordings, read_spikes,
};
use clap::{Args, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use miette::IntoDiagnostic;

use crate::download;
use crate::{note, tell};

/// What is done with data sets.
#[derive(Debug, Subcommand)]
pub(super) enum Task {
    /// Say which data sets are found, and verify their content.
    Check(CheckArguments),
    /// Download a data set and verify it.
    Fetch(FetchArguments),
}

#[derive(Debug, Args)]
pub(super) struct CheckArguments {
    /// Folder to look into, in place of the usual ones.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct FetchArguments {
    /// Which data set.
    #[arg(value_enum, default_value_t = Name::Mnist)]
    name: Name,
    /// Folder that the files go to.
    #[arg(long, value_name = "DIR", default_value = "datasets/cache")]
    out: PathBuf,
}

/// A data set that can be downloaded.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Name {
    /// Handwritten digits.
    Mnist,
    /// Articles of clothing.
    FashionMnist,
}

impl Name {
    fn set(self) -> DataSet {
        match self {
            Self::Mnist => DataSet::Mnist,
            Self::FashionMnist => DataSet::FashionMnist,
        }
    }
}

pub(super) fn run(task: Task) -> miette::Result<ExitCode> {
    match task {
        Task::Check(arguments) => check(arguments.data.as_deref()),
        Task::Fetch(arguments) => fetch(arguments.name.set(), &arguments.out),
    }
}

/// A data set that is not there is no failure; one that is wrong is.
fn check(folder: Option<&Path>) -> miette::Result<ExitCode> {
    let mut wrong = false;
    for set in DataSet::ALL {
        let manifest = set.manifest();
        let found = match find_mnist(set, folder) {
            Ok(found) => found,
            Err(error) => {
                tell!("{}: not there ({error})", manifest.name);
                continue;
            }
        };
        match load_mnist(&found.folder, set, Verify::Manifest) {
            Ok(split) => tell!(
                "{}: {} training and {} test images in {}, content verified",
                manifest.name,
                split.train.len(),
                split.test.len(),
                found.folder.display()
            ),
            Err(error) => {
                wrong = true;
                tell!("{}: wrong: {error}", manifest.name);
            }
        }
    }
    for (name, place, content) in speech(folder) {
        match place.map(|place| (content(&place), place)) {
            Ok((Ok(content), place)) => tell!("{name}: {content} in {}", place.display()),
            Ok((Err(error), _)) => {
                wrong = true;
                tell!("{name}: wrong: {error}");
            }
            Err(error) => tell!("{name}: not there ({error})"),
        }
    }
    tell!("generated digits and generated speech: always there, made by the program");
    Ok(if wrong {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

type Content = fn(&Path) -> Result<String, EncodeError>;

/// Sets of speech, where they are, and what a look into them says.
fn speech(folder: Option<&Path>) -> [(&'static str, Result<PathBuf, EncodeError>, Content); 2] {
    let recordings: Content = |folder| {
        let recordings = open_recordings(folder)?;
        Ok(format!("{} recordings, headers checked,", recordings.len()))
    };
    let spikes: Content = |folder| {
        let [train, test] = SHD_FILES.map(|name| read_spikes(&folder.join(name)));
        let (train, test) = (train?.len(), test?.len());
        Ok(format!("{train} training and {test} test samples"))
    };
    let place = |found: Result<Found, EncodeError>| found.map(|found| found.folder);
    [
        ("FSDD", place(find_fsdd(folder)), recordings),
        ("SHD", place(find_shd(folder)), spikes),
    ]
}

fn fetch(set: DataSet, out: &Path) -> miette::Result<ExitCode> {
    let manifest = set.manifest();
    let folder = out.join(&manifest.folders[0]);
    for part in Part::ALL {
        let name = format!("{}.gz", part.file_name());
        let target = folder.join(&name);
        if std::fs::read(&target).is_ok_and(|bytes| manifest.verify(part, &bytes, &target).is_ok())
        {
            note!("{name}: there already, verified");
            continue;
        }
        let bar = ProgressBar::new(0).with_style(
            ProgressStyle::with_template("{prefix} [{bar:24}] {bytes}/{total_bytes}  {eta} left")
                .into_diagnostic()?,
        );
        bar.set_prefix(name.clone());
        download::fetch(
            &manifest.urls(part),
            &target,
            |bytes| {
                manifest
                    .verify(part, bytes, &target)
                    .map_err(|error| error.to_string())
            },
            |progress| {
                bar.set_length(progress.total.unwrap_or(progress.bytes));
                bar.set_position(progress.bytes);
            },
        )
        .into_diagnostic()?;
        bar.finish_and_clear();
        note!("{name}: downloaded and verified");
    }
    tell!("{} is in {}", manifest.name, folder.display());
    tell!("licence: {}\ncite: {}", manifest.licence, manifest.citation);
    Ok(ExitCode::SUCCESS)
}
