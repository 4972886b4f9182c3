//! Every source walked through the fabric once: flat tables for the hot loop.

use bss2_event::{NeuronCircuits, RangeError, Site, SiteTable};

use crate::addressing::Addressing;
use crate::crossbar::{CrossbarInput, CrossbarOutput};
use crate::error::RoutingError;
use crate::fabric::Fabric;
use crate::label::{LinkLabel, NeuronLabel};
use crate::padi::PadiBus;
use crate::synram::Synram;

/// Where events begin, and how the receiver outside the chip names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// How addresses of recorded spikes are decoded.
    pub addressing: Addressing,
    /// Link label of every input from outside.
    pub inputs: Vec<LinkLabel>,
    /// Circuits of every neuron; the first one sends its spikes.
    pub neurons: Vec<NeuronCircuits>,
}

/// A configuration of the fabric, compiled for the sources of one network.
///
/// Buses that carry the same events of the network run in lockstep and form a
/// *bus group*. An event takes one *path* per bus group that it reaches: all
/// synapses of a path conduct at one time. In the published configuration the
/// two buses of a source form a group, so path i is source i; in others a
/// source may have several paths, as its buses may be busy at different times.
#[derive(Debug, Clone, PartialEq)]
pub struct Compiled {
    sites: SiteTable,
    sources: Vec<SourceRoute>,
    /// Bus group of each path.
    groups: Vec<Option<u8>>,
    /// Buses in each group.
    widths: Vec<u8>,
    inputs: usize,
}

/// What the hot loop needs to know of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SourceRoute {
    first_path: u16,
    paths: u8,
    /// Crossbar input; `None` for a neuron that sends nothing.
    pub(crate) input: Option<u8>,
    /// Link output and neuron as decoded outside; neurons only.
    pub(crate) recorded: Option<(u8, Option<u16>)>,
}

impl SourceRoute {
    #[inline(always)]
    pub(crate) fn paths(self) -> std::ops::Range<u16> {
        self.first_path..self.first_path + u16::from(self.paths)
    }
}

impl Compiled {
    /// Walks every source: label, crossbar, buses, drivers, synapse labels.
    ///
    /// # Errors
    /// [`RoutingError::Register`] for one that is too wide,
    /// [`RoutingError::Range`] for more paths than 16 bits count,
    /// [`RoutingError::Circuit`] for an endpoint outside the chip, and
    /// [`RoutingError::BackgroundSource`] for one that is enabled.
    pub fn new(
        fabric: &Fabric,
        synram: &Synram,
        endpoints: &Endpoints,
    ) -> Result<Self, RoutingError> {
        fabric.validate()?;
        if let Some(index) = fabric.background.iter().position(|source| source.enable) {
            return Err(RoutingError::BackgroundSource { index });
        }
        let events = events(fabric, endpoints)?;
        let reached: Vec<u8> = events
            .iter()
            .map(|event| bus_mask(fabric, *event))
            .collect();
        let groups = lockstep(&reached);

        let mut per_path = Vec::new();
        let mut path_groups = Vec::new();
        let mut sources = Vec::with_capacity(events.len());
        let mut input_paths = 0;
        for (source, (event, reached)) in events.iter().zip(&reached).enumerate() {
            let first_path = per_path.len();
            for (group, &buses) in groups.iter().enumerate() {
                if reached & buses != 0 {
                    per_path.push(sites(fabric, synram, *event, buses));
                    path_groups.push(Some(group as u8));
                }
            }
            if per_path.len() == first_path {
                // A source that reaches nothing keeps its place in the tables.
                per_path.push(Vec::new());
                path_groups.push(None);
            }
            let is_input = source < endpoints.inputs.len();
            sources.push(SourceRoute {
                first_path: first_path as u16,
                paths: (per_path.len() - first_path) as u8,
                input: event.map(|(input, _)| input.index() as u8),
                recorded: if is_input {
                    None
                } else {
                    recorded(fabric, *event, endpoints)
                },
            });
            if is_input {
                input_paths = per_path.len();
            }
        }
        RangeError::check("paths", per_path.len() as f64, 0.0, u16::MAX.into(), "")?;
        Ok(Self {
            sites: SiteTable::new(input_paths, per_path)?,
            sources,
            groups: path_groups,
            widths: groups
                .iter()
                .map(|buses| buses.count_ones() as u8)
                .collect(),
            inputs: endpoints.inputs.len(),
        })
    }

    /// Synapses of every path. Where [`Compiled::is_one_path_per_source`], its
    /// entries are the network's sources: inputs, then neurons.
    #[must_use]
    pub fn sites(&self) -> &SiteTable {
        &self.sites
    }
    /// Whether every source has exactly one path.
    #[must_use]
    pub fn is_one_path_per_source(&self) -> bool {
        self.groups.len() == self.sources.len()
    }
    /// Number of inputs from outside.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }
    /// Paths of a source (inputs, then neurons).
    ///
    /// # Panics
    /// If there is no such source.
    #[must_use]
    pub fn paths(&self, source: usize) -> std::ops::Range<usize> {
        let paths = self.sources[source].paths();
        paths.start.into()..paths.end.into()
    }

    pub(crate) fn routes(&self) -> &[SourceRoute] {
        &self.sources
    }
    pub(crate) fn groups(&self) -> &[Option<u8>] {
        &self.groups
    }
    pub(crate) fn widths(&self) -> &[u8] {
        &self.widths
    }
}

type Event = Option<(CrossbarInput, NeuronLabel)>;

/// What each source puts onto the crossbar, inputs first.
fn events(fabric: &Fabric, endpoints: &Endpoints) -> Result<Vec<Event>, RoutingError> {
    let inputs = endpoints.inputs.iter().map(|link| {
        Ok(Some((
            CrossbarInput::link(link.spl1_address()),
            link.neuron_label(),
        )))
    });
    let neurons = endpoints
        .neurons
        .iter()
        .enumerate()
        .map(|(neuron, circuits)| {
            for circuit in [Some(circuits.membrane), circuits.partner]
                .into_iter()
                .flatten()
            {
                if usize::from(circuit) >= Site::CIRCUITS {
                    return Err(RoutingError::Circuit { neuron, circuit });
                }
            }
            let backend = fabric.backends[usize::from(circuits.membrane)];
            let label = backend.label(circuits.membrane);
            Ok(label.map(|label| (CrossbarInput::neurons(label.event_output()), label)))
        });
    inputs.chain(neurons).collect()
}

fn bus_mask(fabric: &Fabric, event: Event) -> u8 {
    event.map_or(0, |(input, label)| {
        fabric
            .buses(input, label)
            .fold(0, |mask, bus| mask | 1 << bus.index())
    })
}

/// Masks of buses that carry the same events; buses without any are left out.
fn lockstep(reached: &[u8]) -> Vec<u8> {
    let mut groups: Vec<u8> = Vec::new();
    for bus in PadiBus::all() {
        let bit = 1 << bus.index();
        if !reached.iter().any(|mask| mask & bit != 0) {
            continue;
        }
        let same = groups.iter_mut().find(|group| {
            let other = 1 << group.trailing_zeros();
            reached
                .iter()
                .all(|mask| (mask & bit != 0) == (mask & other != 0))
        });
        match same {
            Some(group) => *group |= bit,
            None => groups.push(bit),
        }
    }
    groups
}

fn sites(fabric: &Fabric, synram: &Synram, event: Event, buses: u8) -> Vec<Site> {
    let mut sites = Vec::new();
    if let Some((_, label)) = event {
        for bus in PadiBus::all().filter(|bus| buses >> bus.index() & 1 == 1) {
            fabric.sites_on_bus(bus, label.into(), synram, &mut sites);
        }
    }
    sites
}

/// The link output of a neuron's spike, and the neuron that its label means.
fn recorded(fabric: &Fabric, event: Event, endpoints: &Endpoints) -> Option<(u8, Option<u16>)> {
    let (input, label) = event?;
    let link = fabric
        .crossbar
        .outputs(input, label)
        .map(CrossbarOutput::index)
        .find(|&output| output >= PadiBus::COUNT)?;
    let neuron = endpoints.addressing.decode(label);
    let known = neuron < endpoints.neurons.len();
    Some((link as u8, known.then_some(neuron as u16)))
}
