//! State of the fabric during one sample, and what became of its events.

use std::ops::AddAssign;

use bss2_event::{RangeError, Seconds, Site, SiteTable};

use crate::backend::EVENT_OUTPUTS;
use crate::crossbar::CrossbarOutput;
use crate::deliver::Delivery;
use crate::link::{Fifo, Slots};

/// Events of one stage: `sent == delivered + lost`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EventCount {
    /// Events that came to the stage.
    pub sent: u64,
    /// Events that left it.
    pub delivered: u64,
    /// Events that found a queue full.
    pub lost: u64,
}

/// Events of all stages.
///
/// At the links and at the neuron event outputs an event is an input or a spike. The
/// crossbar copies it: at its nodes an event is one copy for one bus, or for a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EventCounts {
    /// Link to the chip.
    pub link_in: EventCount,
    /// Neuron event outputs.
    pub neuron_output: EventCount,
    /// Crossbar nodes to PADI buses; one event per bus that it is sent to.
    pub buses: EventCount,
    /// Crossbar nodes to link outputs.
    pub link_nodes: EventCount,
    /// Link from the chip.
    pub link_out: EventCount,
    /// Spikes that left their neuron event output, but of which a later stage lost a copy.
    pub incomplete: u64,
}

/// Events of a sample as they reach the rows, ascending in time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Arrivals {
    pub(crate) times: Vec<f64>,
    pub(crate) paths: Vec<u16>,
}

/// Queues of the fabric during one sample. The caller owns it, one per thread,
/// and [`Traffic::begin_sample`]s it before each sample; counts run on.
#[derive(Debug, Clone, PartialEq)]
pub struct Traffic {
    pub(crate) link_in: Fifo,
    pub(crate) link_out: Slots,
    pub(crate) neuron_outputs: Vec<Slots>,
    /// By crossbar output: bus groups take the place of buses.
    pub(crate) slots: Vec<Slots>,
    pub(crate) nodes: Nodes,
    pub(crate) counts: EventCounts,
}

/// Queues of the nodes from neuron event outputs: the last `depth` cycles in
/// which an event of the node was served, flat by (neuron output, crossbar
/// output, place in the ring).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Nodes {
    depth: usize,
    served: Vec<i64>,
    oldest: [[u8; CrossbarOutput::COUNT]; EVENT_OUTPUTS],
}

impl EventCount {
    /// So many events, none lost.
    #[inline(always)]
    pub(crate) fn delivered(events: u64) -> Self {
        Self {
            sent: events,
            delivered: events,
            lost: 0,
        }
    }
    #[inline(always)]
    pub(crate) fn add(&mut self, events: u64, delivered: bool) {
        self.sent += events;
        if delivered {
            self.delivered += events;
        } else {
            self.lost += events;
        }
    }
}

impl AddAssign for EventCount {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.delivered += other.delivered;
        self.lost += other.lost;
    }
}

impl EventCounts {
    /// Inputs and spikes that did not get everywhere: each counts once, however many
    /// of its copies are lost.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.link_in.lost + self.neuron_output.lost + self.incomplete
    }
}

impl Arrivals {
    /// Arrival times in seconds, ascending.
    #[must_use]
    pub fn times(&self) -> &[f64] {
        &self.times
    }
    /// Path of each event, parallel to [`Arrivals::times`]: an index into
    /// [`crate::Compiled::sites`].
    #[must_use]
    pub fn paths(&self) -> &[u16] {
        &self.paths
    }
    /// Number of events.
    #[must_use]
    pub fn len(&self) -> usize {
        self.times.len()
    }
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }
    /// Calls for every synapse that conducts, in order of arrival, then of site.
    #[inline]
    pub fn for_each_delivery(&self, sites: &SiteTable, mut deliver: impl FnMut(f64, Site)) {
        for (&time, &path) in self.times.iter().zip(&self.paths) {
            for &site in sites.of(path.into()) {
                deliver(time, site);
            }
        }
    }

    pub(crate) fn reserve(&mut self, events: usize) {
        self.times.reserve(events);
        self.paths.reserve(events);
    }
    pub(crate) fn clear(&mut self) {
        self.times.clear();
        self.paths.clear();
    }
    #[inline(always)]
    pub(crate) fn push(&mut self, time: f64, path: u16) {
        self.times.push(time);
        self.paths.push(path);
    }
}

impl Nodes {
    fn new(depth: usize) -> Self {
        Self {
            depth,
            served: vec![i64::MIN; EVENT_OUTPUTS * CrossbarOutput::COUNT * depth],
            oldest: [[0; CrossbarOutput::COUNT]; EVENT_OUTPUTS],
        }
    }

    fn clear(&mut self) {
        self.served.fill(i64::MIN);
        self.oldest = [[0; CrossbarOutput::COUNT]; EVENT_OUTPUTS];
    }

    /// Serves an event that comes to a node at `cycle` in the first free slot,
    /// unless the node's queue is full.
    #[inline(always)]
    pub(crate) fn serve(
        &mut self,
        slots: &mut [Slots],
        input: u8,
        output: usize,
        cycle: i64,
    ) -> Option<i64> {
        let input = usize::from(input) % EVENT_OUTPUTS;
        let oldest = &mut self.oldest[input][output];
        let ring = (input * CrossbarOutput::COUNT + output) * self.depth;
        let place = ring + usize::from(*oldest);
        // Full when even the event `depth` before this one still waits.
        if self.served[place] > cycle {
            return None;
        }
        let served = slots[output].first_free(cycle);
        slots[output].take(served);
        self.served[place] = served;
        *oldest = (*oldest + 1) % self.depth as u8;
        Some(served)
    }
}

impl Traffic {
    /// Empty queues for samples of a length; events of the chip after it meet
    /// no queue.
    ///
    /// # Errors
    /// [`RangeError`] for a window above 0.1 s.
    pub fn new(delivery: &Delivery, window: Seconds) -> Result<Self, RangeError> {
        RangeError::check("window", window.get(), 0.0, 0.1, "s")?;
        let timing = delivery.timing();
        let cycles = (window / timing.clock).ceil() as usize;
        Ok(Self {
            link_in: Fifo::EMPTY,
            link_out: Slots::new(cycles),
            neuron_outputs: vec![Slots::new(cycles); EVENT_OUTPUTS],
            slots: vec![Slots::new(cycles); CrossbarOutput::COUNT],
            nodes: Nodes::new(timing.node_depth as usize),
            counts: EventCounts::default(),
        })
    }

    /// Empties all queues.
    pub fn begin_sample(&mut self) {
        self.link_in = Fifo::EMPTY;
        self.link_out.clear();
        self.neuron_outputs.iter_mut().for_each(Slots::clear);
        self.slots.iter_mut().for_each(Slots::clear);
        self.nodes.clear();
    }

    /// Counts since the beginning, or since they were last taken.
    #[must_use]
    pub fn counts(&self) -> &EventCounts {
        &self.counts
    }
    /// Takes the counts and starts again from zero.
    pub fn take_counts(&mut self) -> EventCounts {
        std::mem::take(&mut self.counts)
    }
}
