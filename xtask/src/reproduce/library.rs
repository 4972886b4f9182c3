//! Data of all runs, each set loaded once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bss2::Error;
use bss2::config::{DataConfig, Experiment};
use bss2::data::Data;
use bss2::encode::{ReductionConfig, SpeechConfig, SpikeAugmentation, Transcribed};
use bss2::note;
use sha2::{Digest, Sha256};

/// What data depend on: of augmentation, only whether there is any.
#[derive(Clone, PartialEq)]
struct Key {
    data: DataConfig,
    reduction: ReductionConfig,
    speech: SpeechConfig,
    augmented: bool,
}

impl Key {
    fn of(experiment: &Experiment) -> Self {
        let (encoder, speech) = (&experiment.encoder, &experiment.speech);
        Self {
            data: experiment.data.clone(),
            reduction: encoder.reduction,
            speech: SpeechConfig {
                augmentation: SpikeAugmentation::default(),
                ..*speech
            },
            augmented: encoder.augmentation.is_on() || speech.augmentation.is_on(),
        }
    }
}

/// Data, and what they are known by.
pub(super) struct Loaded {
    pub(super) data: Data,
    /// Of all samples and labels: a run depends on them, whatever their files are
    /// called.
    pub(super) digest: [u8; 32],
}

/// Loaded data sets.
#[derive(Default)]
pub(super) struct Library {
    sets: Vec<Entry>,
}

struct Entry {
    asked: Key,
    /// What [`Data::load`] made of it.
    resolved: Key,
    loaded: Arc<Loaded>,
}

impl Library {
    /// The data of an experiment, as [`Data::load`].
    pub(super) fn load(&mut self, experiment: &mut Experiment) -> Result<Arc<Loaded>, Error> {
        let asked = Key::of(experiment);
        let known = self
            .sets
            .iter()
            .find(|entry| entry.asked == asked || entry.resolved == asked);
        if let Some(entry) = known {
            experiment.data.clone_from(&entry.resolved.data);
            experiment.encoder.reduction = entry.resolved.reduction;
            return Ok(Arc::clone(&entry.loaded));
        }
        let told = AtomicUsize::new(0);
        let data = Data::load_watched(experiment, &|state| tell(state, &told))?;
        let digest = digest(&data);
        let loaded = Arc::new(Loaded { data, digest });
        self.sets.push(Entry {
            asked,
            resolved: Key::of(experiment),
            loaded: Arc::clone(&loaded),
        });
        Ok(loaded)
    }
}

/// Says on the terminal how far recordings are, in tenths.
fn tell(state: Transcribed, told: &AtomicUsize) {
    let tenth = 10 * state.done / state.recordings.max(1);
    if tenth > told.fetch_max(tenth, Ordering::Relaxed) {
        let Transcribed {
            done, recordings, ..
        } = state;
        note!("cochlea: {done} of {recordings} recordings are spikes");
    }
}

fn digest(data: &Data) -> [u8; 32] {
    let mut hash = Sha256::new();
    data.content(|bytes| hash.update(bytes));
    hash.finalize().into()
}
