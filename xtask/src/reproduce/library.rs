//! Images of all runs, each set loaded once.

use std::rc::Rc;

use bss2::Error;
use bss2::config::{DataConfig, Experiment};
use bss2::data::Data;
use bss2::encode::ReductionConfig;

/// What images depend on.
type Key = (DataConfig, ReductionConfig, bool);

/// Loaded data sets.
#[derive(Default)]
pub(super) struct Library {
    sets: Vec<Entry>,
}

struct Entry {
    asked: Key,
    /// What [`Data::load`] made of it.
    resolved: (DataConfig, ReductionConfig),
    data: Rc<Data>,
}

impl Library {
    /// The images of an experiment, as [`Data::load`].
    pub(super) fn load(&mut self, experiment: &mut Experiment) -> Result<Rc<Data>, Error> {
        let key = |e: &Experiment| -> Key {
            let augmented = e.encoder.augmentation.is_on();
            (e.data.clone(), e.encoder.reduction, augmented)
        };
        let asked = key(experiment);
        let known = self.sets.iter().find(|entry| {
            let (config, reduction) = &entry.resolved;
            let resolved = (config, reduction, entry.asked.2);
            entry.asked == asked || resolved == (&asked.0, &asked.1, asked.2)
        });
        if let Some(entry) = known {
            let (config, reduction) = &entry.resolved;
            experiment.data.clone_from(config);
            experiment.encoder.reduction = *reduction;
            return Ok(Rc::clone(&entry.data));
        }
        let data = Rc::new(Data::load(experiment)?);
        self.sets.push(Entry {
            asked,
            resolved: (experiment.data.clone(), experiment.encoder.reduction),
            data: Rc::clone(&data),
        });
        Ok(data)
    }
}
