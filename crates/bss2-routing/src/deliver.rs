//! The hot loop: when events arrive, and which are lost.
//!
//! Two kinds of events come in. Those from outside are known before a sample
//! begins, so [`Delivery::inputs`] moves them all at once; spikes of neurons
//! are moved one by one, as they happen, by [`Delivery::spike`]. Both share the
//! buses. An input that has come over the link finds its cycle free; spikes
//! take what is left, and queue. What link inputs send straight back to the link
//! (the loopback nodes of the crossbar) is not modelled: it takes no cycle of a link,
//! and is neither recorded nor counted.

use crate::compile::{Compiled, SourceRoute};
use crate::error::RoutingError;
use crate::padi::PadiBus;
use crate::timing::FabricTiming;
use crate::traffic::{Arrivals, EventCount, Traffic};

/// Slack, in cycles, so that a time written as a multiple of the clock is that
/// multiple in spite of rounding.
const SLACK: f64 = 1e-6;

/// Compiled routes with their times.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    timing: FabricTiming,
    clock_s: f64,
    delay_s: f64,
    inputs: usize,
    routes: Vec<SourceRoute>,
    /// Bus group of each path, [`NO_GROUP`] where it reaches no bus.
    groups: Vec<u8>,
    widths: [u8; PadiBus::COUNT],
}

const NO_GROUP: u8 = u8::MAX;

/// A spike as it is recorded outside the chip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RecordedSpike {
    /// The neuron that its label means; `None` for an address of no neuron.
    pub neuron: Option<u16>,
    /// Time stamp in seconds, on the clock's grid.
    pub time: f64,
}

impl Delivery {
    /// Joins routes and times.
    ///
    /// # Errors
    /// [`RoutingError::Range`] for a time or depth outside its range.
    pub fn new(compiled: &Compiled, timing: FabricTiming) -> Result<Self, RoutingError> {
        timing.validate()?;
        let mut widths = [0; PadiBus::COUNT];
        widths[..compiled.widths().len()].copy_from_slice(compiled.widths());
        Ok(Self {
            timing,
            clock_s: timing.clock.get(),
            delay_s: timing.on_chip_delay.get(),
            inputs: compiled.inputs(),
            routes: compiled.routes().to_vec(),
            groups: compiled
                .groups()
                .iter()
                .map(|group| group.unwrap_or(NO_GROUP))
                .collect(),
            widths,
        })
    }

    /// The times in use.
    #[must_use]
    pub fn timing(&self) -> &FabricTiming {
        &self.timing
    }

    /// Moves the inputs of a sample to the rows: `times` in seconds, finite,
    /// ascending and not negative, each with its channel. Other times give wrong
    /// arrivals; [`bss2_event::SpikeBatch`] holds none.
    ///
    /// The link takes one event per cycle, from the cycle in which it is sent
    /// (the time rounded down to the grid). Arrival times do not contain the
    /// latency of the link, as recordings begin later by the same time.
    ///
    /// Call it once per sample, after [`Traffic::begin_sample`] and before the
    /// sample's first [`Delivery::spike`].
    ///
    /// # Panics
    /// If the slices differ in length or a channel is no input; in debug builds for
    /// times as above.
    #[inline]
    pub fn inputs(
        &self,
        times: &[f64],
        channels: &[u16],
        traffic: &mut Traffic,
        arrivals: &mut Arrivals,
    ) {
        assert_eq!(times.len(), channels.len(), "one channel per time");
        debug_assert!(
            times.is_sorted() && times.iter().all(|t| t.is_finite() && *t >= 0.0),
            "times ascend from 0 on"
        );
        arrivals.clear();
        // The usual number of arrivals: one per event.
        arrivals.reserve(times.len());
        if self.timing.clocked {
            self.inputs_clocked(times, channels, traffic, arrivals);
        } else {
            let events = times.len() as u64;
            traffic.counts.link_in += EventCount::delivered(events);
            for (&time, &channel) in times.iter().zip(channels) {
                self.input_paths(channel, time, arrivals, |_, width| {
                    traffic.counts.buses += EventCount::delivered(width);
                });
            }
        }
    }

    #[inline(always)]
    fn inputs_clocked(
        &self,
        times: &[f64],
        channels: &[u16],
        traffic: &mut Traffic,
        arrivals: &mut Arrivals,
    ) {
        let cycles_per_s = 1.0 / self.clock_s;
        let depth = i64::from(self.timing.link_in_depth);
        let mut link = traffic.link_in;
        let (mut accepted, mut on_buses) = (0, 0);
        for (&time, &channel) in times.iter().zip(channels) {
            let sent = cycle(time * cycles_per_s + SLACK);
            let Some(cycle) = link.accept(sent, depth) else {
                continue;
            };
            accepted += 1;
            let arrival = cycle as f64 * self.clock_s;
            self.input_paths(channel, arrival, arrivals, |group, width| {
                // One event per cycle comes over the link, and inputs go before
                // spikes: the cycle is free.
                traffic.slots[group].take(cycle);
                on_buses += width;
            });
        }
        traffic.link_in = link;
        traffic.counts.link_in += EventCount {
            sent: times.len() as u64,
            delivered: accepted,
            lost: times.len() as u64 - accepted,
        };
        traffic.counts.buses += EventCount::delivered(on_buses);
    }

    /// Pushes the arrivals of one input, and calls with bus group and width.
    #[inline(always)]
    fn input_paths(
        &self,
        channel: u16,
        time: f64,
        arrivals: &mut Arrivals,
        mut occupy: impl FnMut(usize, u64),
    ) {
        let route = self.routes[..self.inputs][usize::from(channel)];
        for path in route.paths() {
            let group = self.groups[usize::from(path)];
            if group != NO_GROUP {
                occupy(group.into(), self.widths[usize::from(group)].into());
                arrivals.push(time, path);
            }
        }
    }

    /// Moves one spike of a neuron (counted as the network counts) at `time` in
    /// seconds: `rows` is called with arrival time and path for every path that
    /// it does not lose, and the spike as recorded outside is returned, unless
    /// it is lost or has no way out.
    ///
    /// The spike waits for the next clock cycle, for the others that share its
    /// event output, and at the crossbar for a free cycle of each output; rows
    /// see it one on-chip delay later. Time stamps are taken where the spike
    /// leaves the crossbar.
    ///
    /// Call it in order of time, as far as the simulation can know: a spike
    /// that is told late cannot push back those told before.
    ///
    /// # Panics
    /// If there is no such neuron.
    #[inline]
    pub fn spike(
        &self,
        neuron: usize,
        time: f64,
        traffic: &mut Traffic,
        mut rows: impl FnMut(f64, u16),
    ) -> Option<RecordedSpike> {
        let route = self.routes[self.inputs + neuron];
        let input = route.input?;
        if !self.timing.clocked {
            return self.spike_unclocked(route, time, traffic, rows);
        }

        let next = next_cycle(time / self.clock_s - SLACK);
        let depth = i64::from(self.timing.neuron_output_depth);
        let sent = traffic.neuron_outputs[usize::from(input)].accept(next, depth);
        traffic.counts.neuron_output.add(1, sent.is_some());
        let sent = sent?;
        let mut complete = true;
        for path in route.paths() {
            let group = self.groups[usize::from(path)];
            if group == NO_GROUP {
                continue;
            }
            let served = traffic
                .nodes
                .serve(&mut traffic.slots, input, group.into(), sent);
            let width = self.widths[usize::from(group)];
            traffic.counts.buses.add(width.into(), served.is_some());
            complete &= served.is_some();
            if let Some(cycle) = served {
                rows(cycle as f64 * self.clock_s + self.delay_s, path);
            }
        }
        let recorded = route.recorded.and_then(|(output, neuron)| {
            let recorded = self.record(input, output, neuron, sent, traffic);
            complete &= recorded.is_some();
            recorded
        });
        traffic.counts.incomplete += u64::from(!complete);
        recorded
    }

    /// Takes a spike from its event output to the recording.
    #[inline(always)]
    fn record(
        &self,
        input: u8,
        output: u8,
        neuron: Option<u16>,
        sent: i64,
        traffic: &mut Traffic,
    ) -> Option<RecordedSpike> {
        let stamped = traffic
            .nodes
            .serve(&mut traffic.slots, input, output.into(), sent);
        traffic.counts.link_nodes.add(1, stamped.is_some());
        let stamped = stamped?;
        let depth = i64::from(self.timing.link_out_depth);
        let left = traffic.link_out.accept(stamped, depth);
        traffic.counts.link_out.add(1, left.is_some());
        left.map(|_| RecordedSpike {
            neuron,
            time: stamped as f64 * self.clock_s,
        })
    }

    fn spike_unclocked(
        &self,
        route: SourceRoute,
        time: f64,
        traffic: &mut Traffic,
        mut rows: impl FnMut(f64, u16),
    ) -> Option<RecordedSpike> {
        traffic.counts.neuron_output += EventCount::delivered(1);
        for path in route.paths() {
            let group = self.groups[usize::from(path)];
            if group != NO_GROUP {
                let width = self.widths[usize::from(group)];
                traffic.counts.buses += EventCount::delivered(width.into());
                rows(time + self.delay_s, path);
            }
        }
        let (_, neuron) = route.recorded?;
        traffic.counts.link_nodes += EventCount::delivered(1);
        traffic.counts.link_out += EventCount::delivered(1);
        Some(RecordedSpike { neuron, time })
    }
}

/// A time in cycles as a cycle, rounded down; far times are cut off at about a
/// year, where no queue reaches.
#[inline(always)]
fn cycle(cycles: f64) -> i64 {
    cycles.clamp(0.0, (1_u64 << 52) as f64) as i64
}

/// The same rounded up; `ceil` is a call on processors that are not asked for more.
#[inline(always)]
fn next_cycle(cycles: f64) -> i64 {
    let begun = cycle(cycles);
    begun + i64::from((begun as f64) < cycles)
}
