//! The configuration of a whole chip's fabric, and the way of one event.

use bss2_event::{RangeError, RowMode, Site};

use crate::addressing::Addressing;
use crate::backend::NeuronBackend;
use crate::background::BackgroundSource;
use crate::crossbar::{Crossbar, CrossbarInput, CrossbarNode, CrossbarOutput};
use crate::driver::SynapseDriver;
use crate::error::RoutingError;
use crate::label::NeuronLabel;
use crate::padi::{PadiBus, PadiEvent};
use crate::synram::Synram;

/// Everything that decides where events go, labels of synapses aside.
#[derive(Debug, Clone, PartialEq)]
pub struct Fabric {
    /// Neuron backends by circuit, 0..512.
    pub backends: Vec<NeuronBackend>,
    /// The crossbar.
    pub crossbar: Crossbar,
    /// Whether a PADI bus carries crossbar events, 0..8.
    pub buses: [bool; PadiBus::COUNT],
    /// Synapse drivers, `[half, driver]` = `[2, 128]`, flat.
    pub drivers: Vec<SynapseDriver>,
    /// Background sources, 0..8.
    pub background: [BackgroundSource; BackgroundSource::COUNT],
}

impl Default for Fabric {
    /// A chip after reset: everything silent.
    fn default() -> Self {
        Self {
            backends: vec![NeuronBackend::default(); Site::CIRCUITS],
            crossbar: Crossbar::default(),
            buses: [true; PadiBus::COUNT],
            drivers: vec![SynapseDriver::default(); 2 * SynapseDriver::PER_HALF],
            background: [BackgroundSource::default(); BackgroundSource::COUNT],
        }
    }
}

impl Fabric {
    /// The published configuration of a scheme.
    ///
    /// Every circuit sends the address of its logical neuron, but only the
    /// first one of a neuron sends at all. All neuron nodes are open: on-chip
    /// spikes reach two buses and a link each. Link input s reaches buses s and
    /// 4 + s. Drivers compare two row-select bits. Signed: even rows excitatory,
    /// odd rows inhibitory; otherwise all rows excitatory.
    #[must_use]
    pub fn of(addressing: Addressing) -> Self {
        let circuits = addressing.circuits_per_neuron();
        let backends = (0..Site::CIRCUITS)
            .map(|circuit| NeuronBackend {
                address_out: addressing.neuron_address(circuit / circuits),
                enable_spike_out: circuit % circuits == 0,
            })
            .collect();

        let mut crossbar = Crossbar::default();
        for input in CrossbarInput::all().take(12) {
            for output in CrossbarOutput::all() {
                let loops_back = input.index() >= 8 && output.index() >= 8;
                let same_column = output.index() % 4 == input.index() % 4;
                if same_column && !loops_back {
                    crossbar
                        .set(input, output, CrossbarNode::OPEN)
                        .expect("the published nodes exist");
                }
            }
        }

        let odd = if addressing.signed() {
            RowMode::Inhibitory
        } else {
            RowMode::Excitatory
        };
        let driver = SynapseDriver {
            enable_receiver: true,
            enable_address_out: true,
            row_address_compare_mask: Addressing::ROW_MASK,
            row_modes: [RowMode::Excitatory, odd],
        };
        Self {
            backends,
            crossbar,
            drivers: vec![driver; 2 * SynapseDriver::PER_HALF],
            ..Self::default()
        }
    }

    /// Opens or silences the nodes from neurons to buses. The published
    /// experiments silence them between batches, which stops neurons that
    /// excite each other.
    pub fn set_recurrence(&mut self, on: bool) {
        let node = if on {
            CrossbarNode::OPEN
        } else {
            CrossbarNode::SILENT
        };
        for input in CrossbarInput::all().take(8) {
            for bus in PadiBus::all() {
                let output = CrossbarOutput::bus(bus);
                if Crossbar::exists(input, output) {
                    self.crossbar
                        .set(input, output, node)
                        .expect("the node exists");
                }
            }
        }
    }

    /// Modes of all rows, shape `[half, row]` = `[2, 256]`, flat.
    #[must_use]
    pub fn row_modes(&self) -> Vec<RowMode> {
        self.drivers
            .iter()
            .flat_map(|driver| driver.row_modes)
            .collect()
    }

    /// The buses that carry a label from a crossbar input.
    pub fn buses(
        &self,
        input: CrossbarInput,
        label: NeuronLabel,
    ) -> impl Iterator<Item = PadiBus> + '_ {
        let outputs = self.crossbar.outputs(input, label);
        outputs
            .filter_map(CrossbarOutput::to_bus)
            .filter(|bus| self.buses[bus.index()])
    }

    /// The synapses that conduct when a label comes to a crossbar input, bus by
    /// bus.
    #[must_use]
    pub fn sites(&self, input: CrossbarInput, label: NeuronLabel, synram: &Synram) -> Vec<Site> {
        let mut sites = Vec::new();
        for bus in self.buses(input, label) {
            self.sites_on_bus(bus, label.into(), synram, &mut sites);
        }
        sites
    }

    /// The synapses that conduct when an event is on a bus, in order of driver,
    /// row and column, appended to `sites`.
    ///
    /// A synapse conducts when its row's driver fires, its row is not disabled
    /// and its label equals the label that the driver passes on.
    pub fn sites_on_bus(
        &self,
        bus: PadiBus,
        event: PadiEvent,
        synram: &Synram,
        sites: &mut Vec<Site>,
    ) {
        let half = bus.half();
        for (position, index) in bus.drivers() {
            let driver = &self.drivers[half * SynapseDriver::PER_HALF + index];
            let Some(label) = driver.receive(position, event) else {
                continue;
            };
            for (odd, mode) in driver.row_modes.into_iter().enumerate() {
                if mode == RowMode::Disabled {
                    continue;
                }
                let row = 2 * index + odd;
                let labels = synram.row_labels(half, row);
                let conducts = labels.iter().enumerate().filter(|&(_, &own)| own == label);
                sites.extend(conducts.map(|(column, _)| Site {
                    circuit: (half * labels.len() + column) as u16,
                    row: row as u16,
                }));
            }
        }
    }

    /// Checks every register's width.
    ///
    /// # Errors
    /// [`RoutingError::Register`] for the first that is too wide,
    /// [`RoutingError::Range`] for an array of the wrong length.
    pub fn validate(&self) -> Result<(), RoutingError> {
        let circuits = Site::CIRCUITS as f64;
        RangeError::check(
            "backends",
            self.backends.len() as f64,
            circuits,
            circuits,
            "",
        )?;
        let drivers = 2.0 * SynapseDriver::PER_HALF as f64;
        RangeError::check("drivers", self.drivers.len() as f64, drivers, drivers, "")?;
        let masks = self.drivers.iter().map(|d| d.row_address_compare_mask);
        match masks
            .enumerate()
            .find(|(_, m)| *m > SynapseDriver::MASK_MAX)
        {
            None => Ok(()),
            Some((index, value)) => Err(RoutingError::Register {
                register: "row_address_compare_mask",
                of: format!(
                    "synapse driver {} of half {}",
                    index % SynapseDriver::PER_HALF,
                    index / SynapseDriver::PER_HALF
                ),
                value,
                max: SynapseDriver::MASK_MAX,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use bss2_event::SynapseLabel;

    use super::*;

    #[test]
    fn an_event_of_the_published_configuration_fires_eight_drivers_of_two_buses() {
        let addressing = Addressing::new(2, true).unwrap();
        let fabric = Fabric::of(addressing);
        for source in 0..Addressing::SOURCES {
            let link = addressing.input_label(source);
            let input = CrossbarInput::link(link.spl1_address());
            let buses: Vec<_> = fabric.buses(input, link.neuron_label()).collect();
            assert_eq!(buses.len(), 2);
            assert_eq!(buses[0].index() + 4, buses[1].index());
            let event = link.neuron_label().into();
            let fires = |&(position, driver): &(u8, usize)| {
                fabric.drivers[driver].receive(position, event).is_some()
            };
            assert_eq!(buses[0].drivers().filter(fires).count(), 8);
        }
    }

    #[test]
    fn a_background_source_reaches_its_own_bus() {
        let mut fabric = Fabric::of(Addressing::new(1, true).unwrap());
        let synram = Synram::new(SynapseLabel::new(9).unwrap());
        let input = CrossbarInput::background(6);
        let label = NeuronLabel::truncated(9);
        assert!(fabric.sites(input, label, &synram).is_empty());
        let output = CrossbarOutput::new(6).unwrap();
        fabric
            .crossbar
            .set(input, output, CrossbarNode::OPEN)
            .unwrap();
        let sites = fabric.sites(input, label, &synram);
        // Eight drivers of two rows each; bus 6 is the third of the bottom half.
        assert_eq!(sites.len(), 8 * 2 * 256);
        assert!(
            sites
                .iter()
                .all(|site| site.circuit >= 256 && site.row / 2 % 4 == 2)
        );
    }

    #[test]
    fn wide_registers_and_short_arrays_are_refused() {
        let mut fabric = Fabric::default();
        assert!(fabric.validate().is_ok());
        fabric.drivers[130].row_address_compare_mask = 32;
        assert_eq!(
            fabric.validate().unwrap_err().to_string(),
            "row_address_compare_mask of synapse driver 2 of half 1 is 32, allowed are 0 to 31"
        );
        fabric.drivers.truncate(3);
        assert!(
            fabric
                .validate()
                .unwrap_err()
                .to_string()
                .contains("drivers is 3")
        );
    }
}
