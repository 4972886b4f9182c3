//! The published numbering of sources and rows, array by array.

#[path = "../../bss2-event/tests/support/reference.rs"]
mod reference;

use std::fs::File;
use std::io::BufReader;

use bss2_event::Site;
use bss2_routing::{Addressing, NeuronLabel, Synram};
use npyz::npz::NpzArchive;

use reference::{folder, skip};

struct Golden(NpzArchive<BufReader<File>>);

impl Golden {
    /// `None`, with a word on stderr, where the file is not to be had.
    fn open() -> Option<Self> {
        let path = folder("BSS2_GOLDEN", "golden")?.join("routing.npz");
        if !path.exists() {
            skip(&format!("{} is not there", path.display()));
            return None;
        }
        Some(Self(
            NpzArchive::open(path).expect("routing.npz is an npz archive"),
        ))
    }

    fn array<T: npyz::Deserialize>(&mut self, name: &str) -> Vec<T> {
        let array = self.0.by_name(name).expect("readable");
        array
            .unwrap_or_else(|| panic!("{name} is missing"))
            .into_vec()
            .expect(name)
    }

    /// An array of i32 as numbers that can be compared with any of ours.
    fn numbers(&mut self, name: &str) -> Vec<usize> {
        let values = self.array::<i32>(name);
        values
            .into_iter()
            .map(|value| usize::try_from(value).expect(name))
            .collect()
    }
}

/// The whole synapse array from full matrices, as the published scheme fills it: `weights`
/// and label `offsets` have the shape `[circuit of the neuron, source of group 0, neuron]`;
/// a synapse's label is its row's label plus the offset.
fn full_synram(scheme: Addressing, weights: &[i16], offsets: &[u8]) -> Synram {
    let (lines, neurons, n) = (
        scheme.lines(),
        scheme.neurons(),
        scheme.circuits_per_neuron(),
    );
    let synapses = (0..Synram::LEN).map(|index| {
        let site = Site::at(index);
        let (row, circuit) = (usize::from(site.row), usize::from(site.circuit));
        let place = (circuit % n * lines + scheme.row_source(row)) * neurons + circuit / n;
        let weight = match row % 2 {
            0 => weights[place].max(0),
            _ => (-weights[place]).max(0),
        };
        (weight as u8, scheme.row_label(row) + offsets[place])
    });
    let (weights, labels) = synapses.unzip();
    Synram::from_arrays(weights, labels).unwrap()
}

#[test]
fn numbering_of_all_four_schemes() {
    let Some(mut golden) = Golden::open() else {
        return;
    };
    for circuits in [1, 2] {
        for (signed, word) in [(false, "unsigned"), (true, "signed")] {
            let scheme = Addressing::new(circuits, signed).unwrap();
            let prefix = format!("size{circuits}_{word}_");
            assert_eq!(golden.numbers(&format!("{prefix}complete")), [1]);

            let mut check = |name: &str, ours: Vec<usize>| {
                assert_eq!(
                    ours,
                    golden.numbers(&format!("{prefix}{name}")),
                    "{prefix}{name}"
                );
            };
            let sources = || 0..Addressing::SOURCES;
            check(
                "neuron_buses",
                sources().map(|s| scheme.neuron_bus(s).into()).collect(),
            );
            check(
                "neuron_addresses",
                sources().map(|s| scheme.neuron_address(s).into()).collect(),
            );
            let pairs = (0..=255).flat_map(|address| (0..4).map(move |bus| (address, bus)));
            check(
                "neuron_lookup",
                pairs.map(|(a, bus)| scheme.source(bus, a)).collect(),
            );
            let rows = || 0..256;
            check(
                "driver_masks",
                rows().map(|r| scheme.row_select(r).into()).collect(),
            );
            check(
                "padi_buses",
                rows().map(|r| scheme.row_bus(r).into()).collect(),
            );
            check(
                "synapse_labels",
                rows().map(|r| scheme.row_label(r).into()).collect(),
            );
            check("lookup", rows().map(|r| scheme.row_source(r)).collect());
        }
    }
}

#[test]
fn signed_weights_to_both_halves_of_the_synapse_array() {
    let Some(mut golden) = Golden::open() else {
        return;
    };
    let scheme = Addressing::new(2, true).unwrap();
    let weights = golden.array::<i16>("signed_weights_in");
    let blocks = golden.array::<u8>("signed_source_blocks_in");
    let synram = full_synram(scheme, &weights, &blocks);
    let both = |golden: &mut Golden, what: &str| {
        let mut array = golden.array::<u8>(&format!("synram_{what}_top"));
        array.extend(golden.array::<u8>(&format!("synram_{what}_bottom")));
        array
    };
    assert!(synram.weights() == both(&mut golden, "weights"));
    assert!(synram.labels() == both(&mut golden, "labels"));
}

#[test]
fn events_to_and_from_the_chip() {
    let Some(mut golden) = Golden::open() else {
        return;
    };
    let scheme = Addressing::new(2, true).unwrap();
    let sources = golden.numbers("send_sources");
    let labels: Vec<_> = sources
        .iter()
        .map(|&source| scheme.input_label(source))
        .collect();
    let addresses: Vec<usize> = labels
        .iter()
        .map(|label| label.neuron_label().bits().into())
        .collect();
    let buses: Vec<usize> = labels
        .iter()
        .map(|label| label.spl1_address().into())
        .collect();
    assert_eq!(addresses, golden.numbers("send_address"));
    assert_eq!(buses, golden.numbers("send_bus"));

    let received: Vec<usize> = golden
        .numbers("receive_label")
        .iter()
        .map(|&bits| scheme.decode(NeuronLabel::new(bits as u16).unwrap()))
        .collect();
    assert_eq!(received, golden.numbers("receive_source"));
}
