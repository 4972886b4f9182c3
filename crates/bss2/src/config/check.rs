//! The ranges of all values; every fault is reported, not the first.

use std::fmt::Display;
use std::ops::RangeInclusive;

use bss2_analog::{CadcSchedule, Integration};
use bss2_encode::audio::RATES;
use bss2_encode::{EncodeError, Encoder};
use bss2_event::{Fault, Seconds};
use bss2_learn::{Layer, LearnError, Readout};

use super::{DataConfig, DataSet, Experiment, RunConfig, SubstrateKind};
use crate::chip::RunMode;

impl Experiment {
    /// Every value that lies outside its range, as far as the sections know
    /// their ranges themselves: the encoder reports its first.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        let mut check = Check(Vec::new());
        check.seeds(self);
        check.sizes(self);
        check.time(self);
        check.run(&self.run);
        check.training(self);
        check.samples(self);
        check.data(&self.data);
        check.chip(self);
        check.0
    }

    /// The shortest and the longest time between two samples.
    fn periods(&self) -> RangeInclusive<Seconds> {
        let [shortest, longest] = match self.substrate {
            SubstrateKind::Chip => CadcSchedule::PERIODS,
            SubstrateKind::Software => [Seconds::micro(1e-3), Seconds::micro(1e6)],
        };
        shortest..=longest
    }

    /// Samples of the CADC that do not fit between an image's beginning and its reset.
    fn inference_fault(&self) -> Option<Fault> {
        let (inference, profile) = (&self.chip.inference, &self.chip.profile);
        let steps = inference.time(self.time).steps;
        let late = profile.sample_delay();
        let schedule = CadcSchedule {
            period: self.time.dt,
            ..CadcSchedule::default()
        };
        let fit = schedule.room(inference.window(), late);
        if steps == 0 || fit == 0 {
            let first = if late > self.time.dt {
                late
            } else {
                self.time.dt
            };
            let least = inference.reset.duration + first;
            return Some(Fault::new(
                "chip.inference.interval",
                inference.interval,
                format!("{least} and more: the reset and one period of the CADC"),
            ));
        }
        let allowed =
            || format!("1 to {fit} with this chip.inference.interval: they come up to {late} late");
        (steps > fit).then(|| Fault::new("time.steps", self.time.steps, allowed()))
    }
}

struct Check(Vec<Fault>);

impl Check {
    fn seeds(&mut self, experiment: &Experiment) {
        let chip = &experiment.chip;
        for (key, seed) in [
            ("train.seed", experiment.train.seed),
            ("chip.seed", chip.seed),
            ("chip.noise_seed", chip.noise_seed),
            ("chip.decalibration.seed", chip.decalibration.seed),
            ("chip.calibration.seed", chip.calibration.seed),
            ("speech.seed", experiment.speech.seed),
        ] {
            // TOML has no larger integers: such a run could not be read again.
            if i64::try_from(seed.0).is_err() {
                self.refuse(key, seed.0, format!("0 to {}", i64::MAX));
            }
        }
    }

    /// Of the run and of the network.
    fn sizes(&mut self, experiment: &Experiment) {
        let network = &experiment.network;
        self.range("epochs", experiment.epochs, 1.0, 100_000.0);
        let software = experiment.software_epochs;
        self.range("software_epochs", software, 0.0, 100_000.0);
        self.range("batch", experiment.batch as f64, 1.0, 65_536.0);
        self.range("network.hidden", network.hidden as f64, 1.0, 65_536.0);
        if let Some(bits) = network.weight_bits {
            let most = match experiment.substrate {
                SubstrateKind::Software => 8.0,
                SubstrateKind::Chip => 7.0,
            };
            self.range("network.weight_bits", bits, 2.0, most);
        }
    }

    fn time(&mut self, experiment: &Experiment) {
        let (time, periods) = (&experiment.time, experiment.periods());
        let chip = experiment.substrate == SubstrateKind::Chip;
        let periodic = periods.contains(&time.dt);
        if !periodic {
            let allowed = format!("{} to {}", periods.start(), periods.end());
            self.refuse("time.dt", time.dt, allowed);
        }
        // On the grid a readout is moved two steps after an input spike.
        let ideal = !chip || experiment.software_epochs > 0;
        let least = if ideal { 3.0 } else { 1.0 };
        self.range("time.steps", time.steps as f64, least, 65_536.0);
        if chip && periodic && experiment.chip.mode == RunMode::Training {
            let longest = Integration::LONGEST;
            // The first sample is taken at time zero.
            let most = (longest / time.dt).floor() + 1.0;
            if (most..=65_536.0).contains(&(time.steps as f64 - 1.0)) {
                let allowed = format!("1 to {most}: a run on the chip lasts {longest} at most");
                self.refuse("time.steps", time.steps, allowed);
            }
        }
        let interpolation = time.interpolation as f64;
        self.range("time.interpolation", interpolation, 1.0, 64.0);
    }

    fn run(&mut self, run: &RunConfig) {
        let every = run.checkpoint_every.get();
        self.range("run.threads", run.threads as f64, 0.0, 1024.0);
        self.range("run.checkpoint_every", every, 0.0, 1e6);
        self.range("run.test_every", run.test_every, 0.0, 100_000.0);
    }

    fn training(&mut self, experiment: &Experiment) {
        let train = &experiment.train;
        let after_first = train.loss.readout == Readout::MaxAfterFirst;
        if after_first && experiment.time.interpolation > 1 {
            // The first sample then fills as many steps.
            let allowed = "other readouts, and this one with time.interpolation = 1";
            self.refuse("train.loss.readout", "max-after-first", allowed);
        }
        if train.frozen.contains(&Layer::Recurrent) && !experiment.network.recurrent {
            let allowed = "hidden and output, and recurrent with network.recurrent = true";
            self.refuse("train.frozen", Layer::Recurrent, allowed);
        }
        match train.validate() {
            Ok(()) => {}
            Err(LearnError::Config { faults }) => self.section("train", faults),
            Err(error) => unreachable!("validation finds faults only: {error}"),
        }
    }

    /// On their way into the network.
    fn samples(&mut self, experiment: &Experiment) {
        match Encoder::new(&experiment.encoder, experiment.train.seed) {
            Ok(_) => {}
            Err(EncodeError::Range(error)) => self.section("encoder", [error.into()]),
            Err(error) => unreachable!("an encoder is refused for its settings only: {error}"),
        }
        let speech = &experiment.speech;
        if let Err(error) = speech.validate() {
            self.section("speech", [error.into()]);
        }
        // The rate of the recordings is checked when it is known; the highest allows most.
        if let Err(error) = speech.cochlea.validate(*RATES.end()) {
            self.section("speech.cochlea", [error.into()]);
        }
        let window = experiment.time.window();
        if experiment.data.set.is_speech() && speech.bin > window {
            let allowed = format!("up to {window}, the length of a run");
            self.refuse("speech.bin", speech.bin, allowed);
        }
    }

    fn chip(&mut self, experiment: &Experiment) {
        let chip = &experiment.chip;
        self.section("chip", chip.faults());
        if experiment.substrate != SubstrateKind::Chip {
            return;
        }
        let (time, inference) = (&experiment.time, &chip.inference);
        // Faults of its own explain an interval without a sample.
        let blameless = experiment.periods().contains(&time.dt)
            && time.steps > 0
            && inference.interval >= inference.reset.duration;
        if chip.mode == RunMode::Inference && blameless {
            self.0.extend(experiment.inference_fault());
        }
        // A learned weight beyond it could not be written.
        let (limit, most) = (experiment.train.weight_limit, chip.quantise.hidden_limit());
        self.range("train.weight_limit", limit, 0.0, most);
    }

    fn refuse(&mut self, key: &str, value: impl Display, allowed: impl Into<String>) {
        self.0.push(Fault::new(key, value, allowed));
    }

    /// Complains unless `min <= value <= max`; a NaN is outside every range.
    fn range(&mut self, key: &str, value: impl Into<f64>, min: f64, max: f64) {
        let value = value.into();
        if !(value >= min && value <= max) {
            self.refuse(key, value, format!("{min} to {max}"));
        }
    }

    /// Numbers of samples, and keys that the set needs or does not know.
    fn data(&mut self, data: &DataConfig) {
        let no_folder = match data.set {
            DataSet::Generated | DataSet::GeneratedSpeech => {
                Some("none where samples are generated, since no file is read")
            }
            DataSet::Recordings => Some("none with data.set = recordings: data.file names them"),
            _ => None,
        };
        if let (Some(folder), Some(allowed)) = (&data.folder, no_folder) {
            self.refuse("data.folder", folder.display(), allowed);
        }
        for (key, samples) in [
            ("data.train_images", data.train_images),
            ("data.test_images", data.test_images),
            ("data.hold_out", data.hold_out),
        ] {
            self.range(key, samples as f64, 0.0, 1e7);
        }
        let recordings = data.set == DataSet::Recordings;
        // An empty path is none: there is no other word for it on the command line.
        let file = data
            .file
            .as_ref()
            .filter(|file| !file.as_os_str().is_empty());
        match file {
            None if recordings => {
                let allowed = "a spike file for data.set = recordings";
                self.refuse("data.file", "missing", allowed);
            }
            Some(file) if !recordings => {
                let allowed = "none but with data.set = recordings";
                self.refuse("data.file", file.display(), allowed);
            }
            _ => {}
        }
        // SHD has a part of its own to test on.
        let divided = !data.set.is_speech() || data.set == DataSet::Shd;
        if divided && !data.held_out.is_empty() {
            let allowed = "none but with speech that is not divided already: speech, fsdd, \
                           generated-speech, recordings";
            self.refuse("data.held_out", data.held_out.join(", "), allowed);
        }
    }

    fn section(&mut self, name: &str, faults: impl IntoIterator<Item = Fault>) {
        let faults = faults.into_iter().map(|fault| fault.within(name));
        self.0.extend(faults);
    }
}
