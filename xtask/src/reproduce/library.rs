//! Data of all runs, each set loaded once.

use std::rc::Rc;

use bss2::Error;
use bss2::config::{DataConfig, Experiment};
use bss2::data::Data;
use bss2::encode::{ReductionConfig, SpeechConfig, SpikeAugmentation};

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

/// Loaded data sets.
#[derive(Default)]
pub(super) struct Library {
    sets: Vec<Entry>,
}

struct Entry {
    asked: Key,
    /// What [`Data::load`] made of it.
    resolved: Key,
    data: Rc<Data>,
}

impl Library {
    /// The data of an experiment, as [`Data::load`].
    pub(super) fn load(&mut self, experiment: &mut Experiment) -> Result<Rc<Data>, Error> {
        let asked = Key::of(experiment);
        let known = self
            .sets
            .iter()
            .find(|entry| entry.asked == asked || entry.resolved == asked);
        if let Some(entry) = known {
            experiment.data.clone_from(&entry.resolved.data);
            experiment.encoder.reduction = entry.resolved.reduction;
            return Ok(Rc::clone(&entry.data));
        }
        let data = Rc::new(Data::load(experiment)?);
        self.sets.push(Entry {
            asked,
            resolved: Key::of(experiment),
            data: Rc::clone(&data),
        });
        Ok(data)
    }
}
