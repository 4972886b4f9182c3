//! Random configurations, and the slow, obvious way of an event.
#![allow(dead_code, reason = "each test file uses its own part")]

use bss2_event::{NeuronCircuits, RowMode, Site};
use bss2_routing::{
    Addressing, Crossbar, CrossbarInput, CrossbarNode, CrossbarOutput, Endpoints, Fabric,
    LayerConfig, LinkLabel, NetworkConfig, NeuronBackend, SynapseDriver, Synram,
};
use proptest::prelude::*;

/// A chip with any registers, and a few sources.
#[derive(Debug, Clone)]
pub(crate) struct AnyChip {
    pub(crate) fabric: Fabric,
    pub(crate) synram: Synram,
    pub(crate) endpoints: Endpoints,
}

/// Expands a seed to as many numbers as a chip has registers; proptest shrinks
/// the seed, the registers follow.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }
    pub(crate) fn below(&mut self, limit: u32) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as u32) % limit
    }
    fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }
}

pub(crate) fn any_chip() -> impl Strategy<Value = AnyChip> {
    (any::<u64>(), 1_u32..=63, 0_u32..=100).prop_map(|(seed, labels, open)| {
        let mut numbers = Numbers::new(seed);
        chip(&mut numbers, labels, open)
    })
}

fn chip(numbers: &mut Numbers, labels: u32, open: u32) -> AnyChip {
    let mut fabric = Fabric::default();
    for backend in &mut fabric.backends {
        *backend = NeuronBackend {
            address_out: numbers.below(256) as u8,
            enable_spike_out: numbers.chance(90),
        };
    }
    for input in CrossbarInput::all() {
        for output in CrossbarOutput::all() {
            let node = if numbers.chance(open) {
                // Few compared bits, or nothing ever passes.
                let mask = (1 << numbers.below(14)) as u16;
                CrossbarNode {
                    mask,
                    target: mask * numbers.below(2) as u16,
                }
            } else if numbers.chance(50) {
                CrossbarNode::OPEN
            } else {
                CrossbarNode::SILENT
            };
            if Crossbar::exists(input, output) {
                fabric.crossbar.set(input, output, node).unwrap();
            }
        }
    }
    for bus in &mut fabric.buses {
        *bus = numbers.chance(90);
    }
    let modes = [
        RowMode::Disabled,
        RowMode::Excitatory,
        RowMode::Inhibitory,
        RowMode::Both,
    ];
    for driver in &mut fabric.drivers {
        *driver = SynapseDriver {
            enable_receiver: numbers.chance(90),
            enable_address_out: numbers.chance(80),
            row_address_compare_mask: (numbers.below(32) & numbers.below(32)) as u8,
            row_modes: [0; 2].map(|_| modes[numbers.below(4) as usize]),
        };
    }
    let weights = vec![0; Synram::LEN];
    let array = (0..Synram::LEN)
        .map(|_| numbers.below(labels + 1) as u8)
        .collect();
    let circuits = |numbers: &mut Numbers| NeuronCircuits {
        membrane: numbers.below(512) as u16,
        partner: None,
    };
    AnyChip {
        fabric,
        synram: Synram::from_arrays(weights, array).unwrap(),
        endpoints: Endpoints {
            addressing: Addressing::new(2, true).unwrap(),
            inputs: (0..4)
                .map(|_| LinkLabel(numbers.below(1 << 16) as u16))
                .collect(),
            neurons: (0..4).map(|_| circuits(numbers)).collect(),
        },
    }
}

/// A network that fits, or nearly.
pub(crate) fn any_network() -> impl Strategy<Value = NetworkConfig> {
    let layer = (1_usize..=140, any::<bool>())
        .prop_map(|(neurons, recurrent)| LayerConfig { neurons, recurrent });
    let layers = proptest::collection::vec(layer, 1..=3);
    (1_usize..=512, layers, 1_usize..=2, any::<bool>()).prop_map(
        |(inputs, layers, circuits_per_neuron, signed)| NetworkConfig {
            inputs,
            layers,
            circuits_per_neuron,
            signed,
        },
    )
}

/// Event by event, from raw bits, over all synapses of the chip: which conduct
/// when a source (inputs, then neurons) fires once.
pub(crate) fn conducting(chip: &AnyChip, source: usize) -> Vec<Site> {
    let inputs = chip.endpoints.inputs.len();
    let (input, label) = if source < inputs {
        let bits = chip.endpoints.inputs[source].0;
        (8 + usize::from(bits >> 14), bits & 0x3fff)
    } else {
        let circuit = chip.endpoints.neurons[source - inputs].membrane;
        let backend = chip.fabric.backends[usize::from(circuit)];
        if !backend.enable_spike_out {
            return Vec::new();
        }
        let output = circuit % 256 / 32;
        (
            usize::from(output),
            output << 8 | u16::from(backend.address_out),
        )
    };
    let mut sites = Vec::new();
    for circuit in 0..512_u16 {
        for row in 0..256_u16 {
            let (half, driver) = (usize::from(circuit / 256), usize::from(row / 2));
            let output = 4 * half + driver % 4;
            let wired = match input {
                0..8 => input % 4 == output % 4,
                _ => true,
            };
            let node = chip.fabric.crossbar.node(
                CrossbarInput::new(input).unwrap(),
                CrossbarOutput::new(output).unwrap(),
            );
            if !wired || label & node.mask != node.target || !chip.fabric.buses[output] {
                continue;
            }
            let settings = chip.fabric.drivers[128 * half + driver];
            let mask = u16::from(settings.row_address_compare_mask);
            let position = (driver / 4) as u16;
            let row_select = label >> 6 & 31;
            if !settings.enable_receiver || position & mask != row_select & mask {
                continue;
            }
            let sent = if settings.enable_address_out {
                label & 63
            } else {
                label & 32
            };
            let place = half * 65_536 + usize::from(row) * 256 + usize::from(circuit) % 256;
            let matches = u16::from(chip.synram.labels()[place]) == sent;
            if matches && settings.row_modes[usize::from(row) % 2] != RowMode::Disabled {
                sites.push(Site { circuit, row });
            }
        }
    }
    sites
}
