//! The emulated chip: event fabric and analog core behind one [`Substrate`].
//!
//! The way of a sample: input spikes cross the link and the fabric to the rows
//! ([`bss2_routing::Delivery`]); the analog core integrates them and hands back
//! each spike, whose event the fabric takes to the rows again or to the
//! recording ([`bss2_analog::LoweredCore`]); codes and spikes become a
//! [`Recording`] in the learner's units.

pub mod calibration;
mod config;
mod error;
mod mode;
mod room;
mod worker;

use std::sync::{Mutex, PoisonError};

use bss2_analog::calib::CalibrationReport;
use bss2_analog::{AnalogCore, CadcSchedule, Integration, LoweredCore, Network, RunAddress};
use bss2_event::{NeuronCircuits, Recording, RowMode, SpikeBatch, TimeGrid};
use bss2_learn::{
    LearnError, NetworkShape, QuantisedWeights, RunReport, Substrate, SubstrateError, Weights,
    WriteReport,
};
use bss2_routing::{Compiled, Delivery, Fabric, Placement, Synram};
use rayon::prelude::*;

use crate::config::TimeConfig;

use calibration::ChipTargets;
pub use config::ChipConfig;
pub use error::ChipError;
pub use mode::{InferenceConfig, RunMode};
use worker::Worker;

/// Hardware runs that a test hands over at once.
const RUNS_AT_ONCE: usize = 8;

/// A chip with a network on it.
#[derive(Debug)]
pub struct Chip {
    config: ChipConfig,
    shape: NetworkShape,
    time: TimeConfig,
    placement: Placement,
    core: AnalogCore,
    targets: ChipTargets,
    calibration: Option<CalibrationReport>,
    delivery: Delivery,
    lowered: LoweredCore,
    synram: Synram,
    quantised: QuantisedWeights,
    /// Trace per code, for each neuron.
    gains: Vec<f32>,
    /// An image's slot; in training there is only rest between images.
    slot: Option<InferenceConfig>,
    /// Images of one hardware run: one in training, where none meets another.
    images_per_run: usize,
    /// One for each thread, so that its buffers stay in that processor's cache.
    workers: Vec<Mutex<Worker>>,
}

impl Chip {
    /// Draws a chip, places the network on it and calibrates its neurons.
    ///
    /// # Errors
    /// [`ChipError`]: settings outside their range, or a network that does not fit.
    pub fn new(
        config: ChipConfig,
        shape: NetworkShape,
        time: TimeConfig,
    ) -> Result<Self, ChipError> {
        let inference = (config.mode == RunMode::Inference).then_some(config.inference);
        let time = inference.map_or(time, |inference| inference.time(time));
        let placement = room::place(shape, config.circuits_per_neuron)?;
        if time.steps == 0 {
            return Err(ChipError::NoSample);
        }
        let mut core = config.core()?;
        let neurons = placement.circuits();
        let targets = ChipTargets::new(&config, neurons)?;
        let calibration = calibration::set_up(&mut core, neurons, &targets.of, &config, |_| ())?;
        core.set_age(config.age);
        // The readout integrates only.
        for neuron in &neurons[shape.hidden..] {
            core.circuits_mut()[usize::from(neuron.membrane)].threshold_enabled = false;
        }

        let fabric = Fabric::of(placement.addressing());
        let synram = placement.synram();
        let compiled = Compiled::new(&fabric, &synram, &placement.endpoints())?;
        if !compiled.is_one_path_per_source() {
            return Err(ChipError::SplitSource);
        }
        let row_modes: Vec<RowMode> = fabric.row_modes();
        let network = Network {
            neurons,
            sites: compiled.sites(),
            row_modes: &row_modes,
        };
        let schedule = CadcSchedule {
            period: time.dt,
            samples: time.steps,
            ..CadcSchedule::default()
        };
        let integration = Integration {
            schedule,
            steps_per_sample: config.steps_per_sample,
            grid: config.grid,
            duration: inference.map(|inference| inference.window()),
            ..Integration::default()
        };
        let lowered = core.lower(&network, &integration)?;
        let delivery = Delivery::new(&compiled, config.fabric)?;
        let gains = config
            .trace
            .gains(shape, &config.quantise, config.quantise.output_scale_max);
        let window = mode::followed(time, inference);
        let half = |n: &NeuronCircuits| n.membrane / 256;
        let two = neurons.iter().any(|n| half(n) != half(&neurons[0]));
        let images_per_run = inference.map_or(1, |_| {
            let halves = 1 + usize::from(two);
            InferenceConfig::images_per_run(time.steps, halves, config.circuits_per_neuron)
        });
        let workers = (0..rayon::current_num_threads())
            .map(|_| Worker::new(&delivery, window).map(Mutex::new))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            config,
            shape,
            time,
            core,
            targets,
            calibration,
            delivery,
            lowered,
            synram,
            placement,
            quantised: QuantisedWeights::default(),
            gains,
            slot: inference,
            images_per_run,
            workers,
        })
    }

    /// Settings of the chip.
    #[must_use]
    pub fn config(&self) -> &ChipConfig {
        &self.config
    }

    /// Images that follow each other in one hardware run, each on the residues
    /// of the one before; a batch is cut into such runs from its beginning.
    #[must_use]
    pub fn images_per_run(&self) -> usize {
        self.images_per_run
    }

    /// Size of the network.
    #[must_use]
    pub fn network(&self) -> NetworkShape {
        self.shape
    }

    /// The analog core as it is set.
    #[must_use]
    pub fn core(&self) -> &AnalogCore {
        &self.core
    }

    /// Where the network lies.
    #[must_use]
    pub fn placement(&self) -> &Placement {
        &self.placement
    }

    /// What the neurons are calibrated to.
    #[must_use]
    pub fn targets(&self) -> &ChipTargets {
        &self.targets
    }

    /// What the calibration reached, if the chip was calibrated.
    #[must_use]
    pub fn calibration(&self) -> Option<&CalibrationReport> {
        self.calibration.as_ref()
    }
}

impl Substrate for Chip {
    fn shape(&self) -> NetworkShape {
        self.shape
    }

    fn time_grid(&self) -> TimeGrid {
        self.time.grid()
    }

    fn warnings(&self) -> Vec<String> {
        let failed = self
            .calibration
            .as_ref()
            .map_or(0, |c| c.failed_neurons().len());
        let neurons = self.shape.neurons();
        let mut warnings = Vec::new();
        if failed > 0 {
            warnings.push(format!(
                "{failed} of {neurons} neurons missed a target of the calibration; \
                 `bss2 chip calibrate` shows which"
            ));
        }
        let repeated = self.targets.repeated;
        if repeated > 0 {
            warnings.push(format!(
                "{repeated} targets of the decalibration were drawn again: no chip can be \
                 calibrated to the first draw"
            ));
        }
        warnings
    }

    fn least_batch(&self) -> usize {
        // A hardware run is a task; whatever the number of threads, which changes no result.
        self.slot.map_or(1, |_| RUNS_AT_ONCE * self.images_per_run)
    }

    fn write_weights(&mut self, weights: &Weights) -> Result<WriteReport, SubstrateError> {
        weights.check(self.shape).map_err(SubstrateError::new)?;
        let q = &mut self.quantised;
        q.fill(weights, &self.config.quantise)
            .map_err(SubstrateError::new)?;
        // In the order of the placement's projections.
        let hidden = std::iter::once(&q.hidden);
        let matrices: Vec<&[i8]> = hidden
            .chain(&q.recurrent)
            .chain(std::iter::once(&q.output))
            .map(|matrix| matrix.as_slice())
            .collect();
        self.placement
            .write_weights(&matrices, &mut self.synram)
            .map_err(SubstrateError::new)?;
        self.lowered
            .write_weights(self.synram.weights())
            .map_err(SubstrateError::new)?;
        self.gains = self
            .config
            .trace
            .gains(self.shape, &self.config.quantise, q.output_scale);
        Ok(WriteReport {
            output_scale: q.output_scale,
            silent_layers: q.silent_layers.clone(),
        })
    }

    fn run(
        &mut self,
        batch: &SpikeBatch,
        recording: &mut Recording,
    ) -> Result<RunReport, SubstrateError> {
        LearnError::check_inputs(self.shape, batch).map_err(SubstrateError::new)?;
        let (grid, neurons) = (self.time.grid(), self.shape.neurons());
        recording.resize(batch.len(), grid.steps, neurons);
        if batch.is_empty() {
            return Ok(RunReport::default());
        }
        let (length, trace_from) = (recording.sample_len(), recording.traced_from());
        let slot = self.slot.as_ref();
        let (lowered, delivery, gains) = (&self.lowered, &self.delivery, &self.gains[..]);
        let (time, config) = (self.time, &self.config);
        let (run, chip) = (self.config.noise_seed, self.config.seed);
        let (per_run, workers) = (self.images_per_run, &self.workers);
        let (traces, spikes) = recording.parts_mut();
        // Whole hardware runs: no result depends on the worker that does them.
        let reports = traces
            .par_chunks_mut(per_run * length)
            .zip(spikes.par_chunks_mut(per_run * length))
            .enumerate()
            .map(|(place, (traces, spikes))| {
                let thread = rayon::current_thread_index().unwrap_or(0) % workers.len();
                // Nothing is kept in a worker from run to run, not by one that panicked either.
                let worker = workers[thread].lock();
                let mut worker = worker.unwrap_or_else(PoisonError::into_inner);
                worker.trace_from(trace_from);
                let outputs = traces.chunks_mut(length).zip(spikes.chunks_mut(length));
                outputs
                    .enumerate()
                    .map(|(i, (traces, spikes))| {
                        let sample = batch.sample(place * per_run + i);
                        let address = RunAddress::new(chip, run, sample.id(), batch.presentation());
                        let resumed = slot.is_some() && i > 0;
                        let sent =
                            worker.observe(lowered, delivery, address, sample, slot, resumed);
                        let recorded = worker.record(time, config, gains, traces, spikes);
                        [sent, recorded].into_iter().sum::<RunReport>()
                    })
                    .sum::<RunReport>()
            });
        Ok(reports.sum())
    }
}
