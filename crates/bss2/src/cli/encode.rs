//! `bss2 encode`.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use bss2_encode::{
    GeneratedSpeech, Recording, SpeechConfig, TimePrecision, Transcription, journal_of,
    open_recordings, voices, write_spikes,
};
use bss2_event::Seed;
use clap::{Args, Subcommand, ValueEnum};
use miette::{Context, IntoDiagnostic, miette};
use serde::Serialize;

use crate::config::{self, Assignment};
use crate::files::write_atomically;
use crate::tell;

use super::progress::TranscriptBar;

/// What is encoded.
#[derive(Debug, Subcommand)]
pub(super) enum Task {
    /// A folder of recordings, {label}_{speaker}_{take}.wav, through the cochlea
    /// into a spike file.
    Audio(AudioArguments),
    /// Digits spoken by the program itself, into a spike file.
    GeneratedSpeech(GeneratedArguments),
}

#[derive(Debug, Args)]
pub(super) struct AudioArguments {
    /// Folder of the recordings.
    folder: PathBuf,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
pub(super) struct GeneratedArguments {
    /// Number of voices, 1 to 26.
    #[arg(long, value_name = "N", default_value_t = GeneratedSpeech::default().voices)]
    voices: u32,
    /// Recordings of each digit by each voice.
    #[arg(long, value_name = "N", default_value_t = GeneratedSpeech::default().takes)]
    takes: u32,
    /// What voices and takes are drawn from.
    #[arg(long, value_name = "N", default_value_t = 0)]
    speech_seed: u64,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Common {
    /// Spike file in the layout of the Spiking Heidelberg Digits; its settings
    /// go beside it, with the ending .toml.
    #[arg(long, value_name = "FILE.h5")]
    out: PathBuf,
    /// Seed of the auditory nerve.
    #[arg(long, value_name = "N")]
    seed: Option<u32>,
    /// Precision of the times.
    #[arg(long, value_enum, default_value_t = Times::Float32)]
    times: Times,
    /// Worker threads, 0 for one per processor; the result is the same.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1024))]
    threads: u32,
    /// Configuration file, whose section `speech` counts.
    #[arg(long, value_name = "FILE.toml")]
    config: Option<PathBuf>,
    /// Any key of section `speech`, such as speech.cochlea.channels=350.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = Assignment::parse)]
    set: Vec<Assignment>,
}

/// How times are stored.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Times {
    /// As the published files have them.
    Float16,
    /// Exact.
    Float32,
}

/// The settings of a spike file, as a configuration file. A comment on top tells the rest of the
/// command that made it.
#[derive(Serialize)]
struct Settings<'a> {
    speech: &'a SpeechConfig,
}

pub(super) fn run(task: Task) -> miette::Result<ExitCode> {
    match task {
        Task::Audio(arguments) => {
            let folder = &arguments.folder;
            let name = folder.display().to_string();
            // Escaped, so that it is one line.
            let command = format!("audio {folder:?}");
            let open = || open_recordings(folder).into_diagnostic();
            arguments.common.run(&name, &command, open)
        }
        Task::GeneratedSpeech(arguments) => {
            let speech = GeneratedSpeech {
                voices: arguments.voices,
                takes: arguments.takes,
                seed: Seed(arguments.speech_seed),
            };
            let command = format!(
                "generated-speech --voices {} --takes {} --speech-seed {}",
                speech.voices, speech.takes, speech.seed.0
            );
            let generate = || speech.generate().into_diagnostic();
            arguments.common.run(voices::NAME, &command, generate)
        }
    }
}

impl Common {
    fn speech(&self) -> miette::Result<SpeechConfig> {
        let counts =
            |key: &str| [config::RECIPE, "speech"].contains(&key) || key.starts_with("speech.");
        if let Some(assignment) = self.set.iter().find(|a| !counts(&a.key)) {
            return Err(miette!(
                help = "only the keys of section speech have one; --threads is a flag of its own",
                "{} has no effect on `bss2 encode`",
                assignment.origin
            ));
        }
        let mut list = self.set.clone();
        if let Some(seed) = self.seed {
            let flag = Assignment::of_flag("--seed", "speech.seed", i64::from(seed));
            list.insert(0, flag);
        }
        Ok(config::load(self.config.as_deref(), &list)?.speech)
    }

    fn run(
        &self,
        name: &str,
        command: &str,
        recordings: impl FnOnce() -> miette::Result<Vec<Recording>>,
    ) -> miette::Result<ExitCode> {
        let begin = Instant::now();
        let out = self.out.display();
        let beside = self.out.with_extension("toml");
        let speech = self.speech()?;
        let settings = toml::to_string(&Settings { speech: &speech }).into_diagnostic()?;
        let times = self.times.to_possible_value().expect("none is skipped");
        let times = times.get_name();
        let settings =
            format!("# bss2 encode {command} --times {times} --config FILE, this one\n{settings}");
        check_free(&self.out, &beside, &settings)?;
        super::use_threads(self.threads as usize)?;
        let recordings = recordings()?;
        let journal = journal_of(&self.out);
        let transcription = Transcription {
            cochlea: &speech.cochlea,
            least_rate: speech.least_rate,
            seed: speech.seed,
        };
        let bar = TranscriptBar::new();
        let set = transcription
            .run(name, &recordings, &journal, &|state| bar.show(&state))
            .into_diagnostic()?;
        bar.finish();
        write_atomically(&beside, settings.as_bytes())
            .into_diagnostic()
            .wrap_err_with(|| format!("{} cannot be written", beside.display()))?;
        let precision = match self.times {
            Times::Float16 => TimePrecision::Half,
            Times::Float32 => TimePrecision::Single,
        };
        write_spikes(&self.out, &set, precision).into_diagnostic()?;
        std::fs::remove_file(&journal)
            .into_diagnostic()
            .wrap_err_with(|| format!("{} cannot be removed", journal.display()))?;
        tell!(
            "{name}: {} recordings of {} classes by {} speakers, {} spikes in {:.1} s",
            set.len(),
            set.classes(),
            set.speakers().len(),
            set.spike_count(),
            begin.elapsed().as_secs_f64()
        );
        tell!("spikes are in {out}, settings in {}", beside.display());
        Ok(ExitCode::SUCCESS)
    }
}

/// Whether a spike file, and its settings beside it, may be written.
fn check_free(out: &Path, beside: &Path, settings: &str) -> miette::Result<()> {
    if out.extension().is_none_or(|ending| ending != "h5") {
        return Err(miette!("{} does not end in .h5", out.display()));
    }
    if out.exists() {
        return Err(miette!(
            "{} exists already; remove it or name another file",
            out.display()
        ));
    }
    match std::fs::read(beside) {
        Ok(content) if content != settings.as_bytes() => Err(miette!(
            "{} exists already and holds something else than the settings of {}; remove it or \
             name another file",
            beside.display(),
            out.display()
        )),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error)
            .into_diagnostic()
            .wrap_err_with(|| format!("{} cannot be read", beside.display())),
    }
}
