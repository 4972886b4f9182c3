//! One thread's share of a batch: buffers, and a sample's way through the chip.

use bss2_analog::{LoweredCore, Observation, RunAddress, Workspace};
use bss2_event::{SampleSpikes, Seconds};
use bss2_learn::{RunReport, coarse_code, interpolate_traces, normalise_traces};
use bss2_routing::deliver::RecordedSpike;
use bss2_routing::{Arrivals, Delivery, RoutingError, Traffic};

use super::{ChipConfig, InferenceConfig};
use crate::config::TimeConfig;

/// Buffers of one thread.
#[derive(Debug)]
pub(super) struct Worker {
    traffic: Traffic,
    arrivals: Arrivals,
    workspace: Workspace,
    observation: Observation,
    spikes: Vec<RecordedSpike>,
    /// Traces at the samples of the CADC, where the learner's grid is finer.
    sampled: Vec<f32>,
    /// Codes of fewer bits than the CADC's.
    coarse: Vec<f32>,
}

impl Worker {
    pub(super) fn new(delivery: &Delivery, window: Seconds) -> Result<Self, RoutingError> {
        Ok(Self {
            traffic: Traffic::new(delivery, window)?,
            arrivals: Arrivals::default(),
            workspace: Workspace::default(),
            observation: Observation::default(),
            spikes: Vec::new(),
            sampled: Vec::new(),
            coarse: Vec::new(),
        })
    }

    /// Traces of neurons before this one are not asked for.
    pub(super) fn trace_from(&mut self, neuron: usize) {
        self.observation.read_from(neuron);
    }

    /// Sends one sample through fabric and analog core. Where a `slot` is given, inputs
    /// past its window are not sent and a reset ends it; `resumed` where the sample goes on
    /// from the residues of the one before.
    pub(super) fn observe(
        &mut self,
        lowered: &LoweredCore,
        delivery: &Delivery,
        address: RunAddress,
        sample: SampleSpikes<'_>,
        slot: Option<&InferenceConfig>,
        resumed: bool,
    ) -> RunReport {
        let Self {
            traffic,
            arrivals,
            workspace,
            observation,
            spikes,
            ..
        } = self;
        let end = slot.map_or(f64::INFINITY, |slot| slot.window().get());
        let before_end = |times: &[f64]| times.partition_point(|&time| time < end);
        let sent = before_end(sample.times());
        traffic.begin_sample();
        let (times, channels) = (&sample.times()[..sent], &sample.channels()[..sent]);
        delivery.inputs(times, channels, traffic, arrivals);
        spikes.clear();
        // Where the loop of a recurrent network closes: a spike goes through
        // the fabric and comes back to the rows.
        let recurrence = |neuron: u16, time: f64| {
            let mut arrival = None;
            let recorded =
                delivery.spike(neuron.into(), time, traffic, |time, _| arrival = Some(time));
            spikes.extend(recorded);
            arrival
        };
        let (times, sources) = (arrivals.times(), arrivals.paths());
        // Inputs that queue at the link until the reset are lost in it, as are spikes that
        // are on their way.
        let mut reset_events = times.len() - before_end(times);
        if resumed {
            lowered.resume(address, times, sources, recurrence, workspace, observation);
        } else {
            lowered.run(address, times, sources, recurrence, workspace, observation);
        }
        if let Some(slot) = slot {
            reset_events += lowered.artificial_reset(&slot.reset, workspace);
        }
        RunReport {
            reset_events: reset_events as u64,
            unsent_inputs: (sample.times().len() - sent) as u64,
            ..RunReport::default()
        }
    }

    /// Writes what was observed in the learner's units and on its grid, and tells what the
    /// fabric lost.
    pub(super) fn record(
        &mut self,
        time: TimeConfig,
        config: &ChipConfig,
        gains: &[f32],
        traces: &mut [f32],
        spikes: &mut [u8],
    ) -> RunReport {
        let (mut codes, from) = (self.observation.codes(), self.observation.first_read());
        let bits = config.trace.bits;
        if bits < 8 {
            self.coarse.clear();
            let coarse = codes.iter().map(|&code| coarse_code(code, bits));
            self.coarse.extend(coarse);
            codes = &self.coarse;
        }
        if time.interpolation == 1 {
            normalise_traces(codes, gains, from, traces);
        } else {
            self.sampled.resize(codes.len(), 0.0);
            normalise_traces(codes, gains, from, &mut self.sampled);
            let (neurons, k) = (gains.len(), time.interpolation);
            interpolate_traces(&self.sampled, neurons, k, time.between, traces);
        }
        spikes.fill(0);
        let grid = time.grid();
        for spike in &self.spikes {
            let Some(neuron) = spike.neuron else { continue };
            let bin = grid.bin((spike.time - config.spike_shift.get()).max(0.0));
            // A spike past the last sample is none of the learner's.
            let Some(bin) = bin else { continue };
            let at = bin * gains.len() + usize::from(neuron);
            spikes[at] = 1;
            if config.membrane_at_spike > 0.0 {
                traces[at] = traces[at].max(config.membrane_at_spike);
            }
        }
        RunReport {
            lost_events: self.traffic.take_counts().lost(),
            ..RunReport::default()
        }
    }
}
