//! The standard measurements of a chip, through what its user can observe, and
//! the accuracy of its spike times.
//!
//! - `response`: responses to single synaptic inputs of each weight and sign;
//! - `rate`: firing rate against current;
//! - `readout`: noise of traces, transfer of the CADC;
//! - `figure`: all of it on one page;
//! - `summary`: as numbers, and as a table.

mod figure;
mod rate;
mod readout;
mod response;
mod summary;

use std::path::Path;

use bss2_analog::accuracy::{self, SpikeTimes};
use bss2_analog::calib::CalibrationReport;
use bss2_event::{Joules, Watts};

use crate::chip::ChipError;
use crate::chip::calibration::set_up;
use crate::chip_report::{self, Bench};
use crate::config::Experiment;
use crate::error::Error;
use crate::files::write_texts;
use crate::power_report::{self, ImageLoad};

pub use rate::Rates;
pub use readout::Transfer;
pub use response::Responses;

/// Everything that was measured of a chip.
#[derive(Debug, Clone)]
pub struct Characterisation {
    /// The chip, for titles.
    pub label: String,
    /// Every quantity as the chip comes.
    pub before: CalibrationReport,
    /// Every quantity as the experiment sets the chip: calibrated anew, by a saved
    /// calibration, or not at all. What follows was measured then.
    pub after: CalibrationReport,
    /// Excitatory and inhibitory responses to single inputs.
    pub responses: [Responses; 2],
    /// Firing rates.
    pub rates: Rates,
    /// `[neuron]`: standard deviation of the codes of a membrane at rest.
    pub trace_noise: Vec<f64>,
    /// What the channels of the CADC read.
    pub transfer: Transfer,
    /// Spike times against a float64 reference at 1 ns, from coarse to fine grids.
    pub spike_times: Vec<SpikeTimes>,
    /// Steps per CADC sample of the experiment.
    pub steps_per_sample: usize,
    /// Power while images follow each other as fast as in the paper's inference.
    pub power: Watts,
    /// Energy of one image then.
    pub energy_per_image: Joules,
}

/// Grids on which spike times are compared, in steps per CADC sample.
const GRIDS: [usize; 6] = [1, 2, 4, 8, 16, 32];

/// Measures the chip of an experiment, whose network has so many outputs; tells `progress` the
/// name of each stage.
/// Spike times of at least `reference_neurons` neurons are compared with the
/// reference, each with an input of its own.
///
/// # Errors
/// [`Error::Chip`] or [`Error::Range`]: settings outside their range.
pub fn measure(
    experiment: &Experiment,
    outputs: usize,
    reference_neurons: u32,
    mut progress: impl FnMut(&'static str),
) -> Result<Characterisation, Error> {
    let bench = Bench::new(experiment, outputs)?;
    let (neurons, targets) = (bench.neurons(), &bench.targets);
    let config = &experiment.chip;
    let mut core = bench.chip.core().clone();
    progress("the chip as it comes");
    let before = bench.measure(&core, bench.chip.targets())?;
    progress("calibration");
    set_up(&mut core, neurons, &targets.of, config, |_| ())?;
    core.set_age(config.age);
    let after = bench.measure(&core, targets)?;
    let (power, energy_per_image) = power_report::inference(
        config.power,
        &core,
        chip_report::network(experiment, outputs),
        &ImageLoad::default(),
    )?;
    let (core, quiet) = (
        bench.with_comparators(&core, true),
        bench.with_comparators(&core, false),
    );
    progress("responses to single inputs");
    let responses = response::measure(&quiet, neurons, &targets.of, config.noise_seed)?;
    progress("firing rates");
    let rates = rate::measure(&core, neurons, &after, config.noise_seed)?;
    progress("readout");
    let trace_noise = readout::noise(&quiet, neurons, config.noise_seed)?;
    let transfer = Transfer::measure(&core, config.noise_seed);
    progress("spike times");
    let mut grids = GRIDS.to_vec();
    grids.push(config.steps_per_sample);
    grids.sort_unstable();
    grids.dedup();
    let compared = &neurons[..neurons.len().min(reference_neurons as usize)];
    let draws = reference_neurons.div_ceil(compared.len().max(1) as u32);
    let spike_times = accuracy::spike_times(&core, compared, config.seed, draws, &grids, None);
    Ok(Characterisation {
        label: config.label(),
        before,
        after,
        responses,
        rates,
        trace_noise,
        transfer,
        spike_times: spike_times.map_err(ChipError::from)?,
        steps_per_sample: config.steps_per_sample,
        power: power.total(),
        energy_per_image,
    })
}

impl Characterisation {
    /// Spike times on the experiment's own grid.
    fn on_default_grid(&self) -> Option<&SpikeTimes> {
        let mut grids = self.spike_times.iter();
        grids.find(|grid| grid.steps_per_sample == self.steps_per_sample)
    }

    /// Writes `characterise.json` and `characterise.svg` into a folder, the numbers
    /// first: they are there even if the figure cannot be drawn.
    ///
    /// # Errors
    /// [`Error`] when a file cannot be written or the figure not be drawn.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        let numbers = serde_json::to_string_pretty(&self.summary());
        let numbers = numbers.map_err(|error| ChipError::file(folder, &error))? + "\n";
        write_texts(folder, &[("characterise.json", &numbers)])?;
        let figure = self.figure().to_svg()?;
        Ok(write_texts(folder, &[("characterise.svg", &figure)])?)
    }
}

/// Median, and the values that 5 % lie below and above, of what is finite.
pub(crate) fn quantiles(values: &[f64]) -> [f64; 3] {
    let mut seen: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    seen.sort_by(f64::total_cmp);
    let last = seen.len().saturating_sub(1) as f64;
    [0.5, 0.05, 0.95].map(|share| {
        let index = (share * last).round() as usize;
        seen.get(index).copied().unwrap_or(f64::NAN)
    })
}
