//! One thread's share of a batch: buffers, and a sample's way through the chip.

use bss2_analog::{LoweredCore, Observation, RunAddress, Workspace};
use bss2_event::{SampleSpikes, Seconds, TimeGrid};
use bss2_learn::normalise_traces;
use bss2_routing::deliver::RecordedSpike;
use bss2_routing::{Arrivals, Delivery, RoutingError, Traffic};

/// Buffers of one thread.
#[derive(Debug)]
pub(super) struct Worker {
    traffic: Traffic,
    arrivals: Arrivals,
    workspace: Workspace,
    observation: Observation,
    spikes: Vec<RecordedSpike>,
}

impl Worker {
    pub(super) fn new(delivery: &Delivery, window: Seconds) -> Result<Self, RoutingError> {
        Ok(Self {
            traffic: Traffic::new(delivery, window)?,
            arrivals: Arrivals::default(),
            workspace: Workspace::default(),
            observation: Observation::default(),
            spikes: Vec::new(),
        })
    }

    /// Sends one sample through fabric and analog core.
    pub(super) fn observe(
        &mut self,
        lowered: &LoweredCore,
        delivery: &Delivery,
        address: RunAddress,
        sample: SampleSpikes<'_>,
    ) {
        let Self {
            traffic,
            arrivals,
            workspace,
            observation,
            spikes,
        } = self;
        traffic.begin_sample();
        delivery.inputs(sample.times(), sample.channels(), traffic, arrivals);
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
        lowered.run(address, times, sources, recurrence, workspace, observation);
    }

    /// Writes what was observed in the learner's units, and counts what it lost.
    pub(super) fn record(
        &mut self,
        grid: TimeGrid,
        gains: &[f32],
        traces: &mut [f32],
        spikes: &mut [u8],
        shift: f64,
    ) -> u64 {
        normalise_traces(self.observation.codes(), gains, traces);
        spikes.fill(0);
        let mut lost = self.traffic.take_counts().lost();
        for spike in &self.spikes {
            let Some(neuron) = spike.neuron else { continue };
            // Time stamps that are multiples of the grid stay what they are
            // in spite of rounding.
            match grid.bin((spike.time - shift + 1e-6 * grid.dt.get()).max(0.0)) {
                Some(bin) => spikes[bin * gains.len() + usize::from(neuron)] = 1,
                None => lost += 1,
            }
        }
        lost
    }
}
