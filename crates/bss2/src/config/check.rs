//! The ranges of all values; every fault is reported, not the first.

use bss2_analog::{CadcSchedule, Integration};
use bss2_encode::audio::RATES;
use bss2_encode::{EncodeError, Encoder};
use bss2_event::{Fault, Seconds};
use bss2_learn::{Layer, LearnError, Readout};

use super::{DataConfig, DataSet, Experiment, SubstrateKind};
use crate::chip::RunMode;

impl Experiment {
    /// Every value that lies outside its range, as far as the sections know
    /// their ranges themselves: the encoder reports its first.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        let mut check = Check(Vec::new());
        for (key, seed) in [
            ("train.seed", self.train.seed),
            ("chip.seed", self.chip.seed),
            ("chip.noise_seed", self.chip.noise_seed),
            ("chip.decalibration.seed", self.chip.decalibration.seed),
            ("chip.calibration.seed", self.chip.calibration.seed),
            ("speech.seed", self.speech.seed),
        ] {
            // TOML has no larger integers: such a run could not be read again.
            if i64::try_from(seed.0).is_err() {
                let allowed = format!("0 to {}", i64::MAX);
                check.0.push(Fault::new(key, seed.0, allowed));
            }
        }
        check.range("epochs", self.epochs, 1.0, 100_000.0);
        let software = self.software_epochs;
        check.range("software_epochs", software, 0.0, 100_000.0);
        check.range("batch", self.batch as f64, 1.0, 65_536.0);
        check.range("network.hidden", self.network.hidden as f64, 1.0, 65_536.0);
        if let Some(bits) = self.network.weight_bits {
            let most = match self.substrate {
                SubstrateKind::Software => 8.0,
                SubstrateKind::Chip => 7.0,
            };
            check.range("network.weight_bits", bits, 2.0, most);
        }
        let chip = self.substrate == SubstrateKind::Chip;
        let [shortest, longest] = match chip {
            true => CadcSchedule::PERIODS,
            false => [Seconds::micro(1e-3), Seconds::micro(1e6)],
        };
        let dt = self.time.dt;
        let periodic = (shortest..=longest).contains(&dt);
        if !periodic {
            let allowed = format!("{shortest} to {longest}");
            check.0.push(Fault::new("time.dt", dt, allowed));
        }
        // On the grid a readout is moved two steps after an input spike.
        let ideal = !chip || self.software_epochs > 0;
        let least = if ideal { 3.0 } else { 1.0 };
        check.range("time.steps", self.time.steps as f64, least, 65_536.0);
        let inference = &self.chip.inference;
        if chip && periodic && self.chip.mode == RunMode::Training {
            // The first sample is taken at time zero.
            let most = (Integration::LONGEST / dt).floor() + 1.0;
            if (most..=65_536.0).contains(&(self.time.steps as f64 - 1.0)) {
                let longest = Integration::LONGEST;
                let allowed = format!("1 to {most}: a run on the chip lasts {longest} at most");
                check
                    .0
                    .push(Fault::new("time.steps", self.time.steps, allowed));
            }
        }
        check.range(
            "time.interpolation",
            self.time.interpolation as f64,
            1.0,
            64.0,
        );
        let after_first = self.train.loss.readout == Readout::MaxAfterFirst;
        if after_first && self.time.interpolation > 1 {
            // The first sample then fills as many steps.
            check.0.push(Fault::new(
                "train.loss.readout",
                "max-after-first",
                "it with time.interpolation = 1 only",
            ));
        }
        check.range("run.threads", self.run.threads as f64, 0.0, 1024.0);
        let every = self.run.checkpoint_every.get();
        check.range("run.checkpoint_every", every, 0.0, 1e6);
        check.range("run.test_every", self.run.test_every, 0.0, 100_000.0);
        match self.train.validate() {
            Ok(()) => {}
            Err(LearnError::Config { faults }) => check.section("train", faults),
            Err(error) => unreachable!("validation finds faults only: {error}"),
        }
        match Encoder::new(&self.encoder, self.train.seed) {
            Ok(_) => {}
            Err(EncodeError::Range(error)) => check.section("encoder", [error.into()]),
            Err(error) => unreachable!("an encoder is refused for its settings only: {error}"),
        }
        if let Err(error) = self.speech.validate() {
            check.section("speech", [error.into()]);
        }
        // The rate of the recordings is checked when it is known; the highest allows most.
        if let Err(error) = self.speech.cochlea.validate(*RATES.end()) {
            check.section("speech.cochlea", [error.into()]);
        }
        let (window, bin) = (self.time.window(), self.speech.bin);
        if self.data.set.is_speech() && bin > window {
            let allowed = format!("up to {window}, the length of a run");
            check.0.push(Fault::new("speech.bin", bin, allowed));
        }
        if self.train.frozen.contains(&Layer::Recurrent) && !self.network.recurrent {
            check.0.push(Fault::new(
                "train.frozen",
                Layer::Recurrent,
                "it with network.recurrent = true only",
            ));
        }
        check.data(&self.data);
        check.section("chip", self.chip.faults());
        // Faults of its own explain an interval without a sample.
        let blameless =
            periodic && self.time.steps > 0 && inference.interval >= inference.reset.duration;
        if chip && self.chip.mode == RunMode::Inference && blameless {
            check.0.extend(self.inference_fault());
        }
        let limit = self.chip.quantise.hidden_limit();
        if self.substrate == SubstrateKind::Chip {
            // A learned weight beyond it could not be written.
            check.range("train.weight_limit", self.train.weight_limit, 0.0, limit);
        }
        check.0
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
    /// Complains unless `min <= value <= max`; a NaN is outside every range.
    fn range(&mut self, key: &str, value: impl Into<f64>, min: f64, max: f64) {
        let value = value.into();
        if !(value >= min && value <= max) {
            self.0
                .push(Fault::new(key, value, format!("{min} to {max}")));
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
            self.0
                .push(Fault::new("data.folder", folder.display(), allowed));
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
            None if recordings => self.0.push(Fault::new(
                "data.file",
                "missing",
                "a spike file for data.set = recordings",
            )),
            Some(file) if !recordings => self.0.push(Fault::new(
                "data.file",
                file.display(),
                "none but with data.set = recordings",
            )),
            _ => {}
        }
        // SHD has a part of its own to test on.
        let divided = !data.set.is_speech() || data.set == DataSet::Shd;
        if divided && !data.held_out.is_empty() {
            self.0.push(Fault::new(
                "data.held_out",
                data.held_out.join(", "),
                "none but with speech that is not divided already: speech, fsdd, \
                 generated-speech, recordings",
            ));
        }
    }

    fn section(&mut self, name: &str, faults: impl IntoIterator<Item = Fault>) {
        let faults = faults.into_iter().map(|fault| fault.within(name));
        self.0.extend(faults);
    }
}
