//! When events arrive, which are lost, and that every one is accounted for.

mod support;

use std::collections::BTreeSet;

use bss2_event::Seconds;
use bss2_routing::deliver::RecordedSpike;
use bss2_routing::{
    Arrivals, Compiled, CrossbarInput, CrossbarOutput, Delivery, EventCount, Fabric, FabricTiming,
    LayerConfig, NetworkConfig, Placement, Traffic,
};
use proptest::prelude::*;
use support::{AnyChip, Numbers, any_chip};

const CLOCK: f64 = 8e-9;

/// Queues kept as plain sets and lists, one per bus and not per bus group.
struct SlowFabric<'a> {
    chip: &'a AnyChip,
    timing: FabricTiming,
    /// Taken cycles of neuron outputs, crossbar outputs, and the link out.
    neuron_outputs: Vec<BTreeSet<i64>>,
    outputs: Vec<BTreeSet<i64>>,
    link_out: BTreeSet<i64>,
    /// Cycles in which events of a node were served, by (input, output).
    nodes: Vec<Vec<i64>>,
}

/// First cycle from `from` on that is not taken.
fn free(taken: &BTreeSet<i64>, from: i64) -> i64 {
    (from..).find(|cycle| !taken.contains(cycle)).unwrap()
}

impl<'a> SlowFabric<'a> {
    fn new(chip: &'a AnyChip, timing: FabricTiming) -> Self {
        Self {
            chip,
            timing,
            neuron_outputs: vec![BTreeSet::new(); 8],
            outputs: vec![BTreeSet::new(); 12],
            link_out: BTreeSet::new(),
            nodes: vec![Vec::new(); 20 * 12],
        }
    }

    /// The link, cycle by cycle: (served cycle or lost) of each sent cycle.
    fn link(&self, sent: &[i64]) -> Vec<Option<i64>> {
        let mut served = vec![None; sent.len()];
        let mut waiting = std::collections::VecDeque::new();
        let end = sent.last().map_or(0, |last| last + sent.len() as i64 + 1);
        for cycle in 0..end {
            let mut busy = false;
            if let Some(event) = waiting.pop_front() {
                served[event] = Some(cycle);
                busy = true;
            }
            for event in (0..sent.len()).filter(|&event| sent[event] == cycle) {
                if !busy {
                    served[event] = Some(cycle);
                    busy = true;
                } else if waiting.len() < self.timing.link_in_depth as usize {
                    waiting.push_back(event);
                }
            }
        }
        served
    }

    fn outputs(&self, input: usize, label: u16) -> Vec<usize> {
        let label = bss2_routing::NeuronLabel::new(label).unwrap();
        let outputs = self
            .chip
            .fabric
            .crossbar
            .outputs(CrossbarInput::new(input).unwrap(), label);
        outputs
            .map(CrossbarOutput::index)
            .filter(|&output| output >= 8 || self.chip.fabric.buses[output])
            .collect()
    }

    fn serve(&mut self, input: usize, output: usize, cycle: i64) -> Option<i64> {
        let node = input * 12 + output;
        let waiting = self.nodes[node]
            .iter()
            .filter(|&&served| served > cycle)
            .count();
        if waiting >= self.timing.node_depth as usize {
            return None;
        }
        let served = free(&self.outputs[output], cycle);
        self.outputs[output].insert(served);
        self.nodes[node].push(served);
        Some(served)
    }

    /// Arrivals (cycle, bus) and time stamp of a spike that comes at `cycle`.
    fn spike(&mut self, neuron: usize, cycle: i64) -> (Vec<(i64, usize)>, Option<i64>) {
        let circuit = self.chip.endpoints.neurons[neuron].membrane;
        let Some(label) = self.chip.fabric.backends[usize::from(circuit)].label(circuit) else {
            return (Vec::new(), None);
        };
        let input = usize::from(label.event_output());
        let sent = free(&self.neuron_outputs[input], cycle);
        if sent - cycle > i64::from(self.timing.neuron_output_depth) {
            return (Vec::new(), None);
        }
        self.neuron_outputs[input].insert(sent);
        let (mut rows, mut stamp) = (Vec::new(), None);
        for output in self.outputs(input, label.bits()) {
            let served = self.serve(input, output, sent);
            if output < 8 {
                rows.extend(served.map(|cycle| (cycle, output)));
            } else if let Some(at) = served {
                let left = free(&self.link_out, at);
                if left - at <= i64::from(self.timing.link_out_depth) {
                    self.link_out.insert(left);
                    stamp = Some(at);
                }
            }
        }
        (rows, stamp)
    }
}

fn balanced(count: EventCount) -> bool {
    count.sent == count.delivered + count.lost
}

/// Random times in cycles, ascending, bunched so that queues fill.
fn bunched(numbers: &mut Numbers, count: usize, spread: u32) -> Vec<i64> {
    let mut cycles: Vec<i64> = (0..count).map(|_| numbers.below(spread).into()).collect();
    cycles.sort_unstable();
    cycles
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Property 5, with time: arrivals, losses and stamps are those of the slow
    /// fabric, and each stage's events are delivered or lost.
    #[test]
    fn arrivals_and_losses_are_those_of_the_slow_fabric(
        chip in any_chip(), seed: u64, spread in 1_u32..400, depth in 1_u32..6,
    ) {
        let timing = FabricTiming {
            link_in_depth: 8 * depth,
            link_out_depth: 2 * depth,
            neuron_output_depth: 3 * depth,
            node_depth: depth,
            ..FabricTiming::default()
        };
        let compiled = Compiled::new(&chip.fabric, &chip.synram, &chip.endpoints).unwrap();
        let delivery = Delivery::new(&compiled, timing).unwrap();
        let mut traffic = Traffic::new(&delivery, Seconds::micro(8.0)).unwrap();
        let mut slow = SlowFabric::new(&chip, timing);
        let mut numbers = Numbers::new(seed);

        let sent = bunched(&mut numbers, 100, spread);
        let times: Vec<f64> = sent.iter().map(|&c| (c as f64 + 0.25) * CLOCK).collect();
        let channels: Vec<u16> = sent.iter().map(|_| numbers.below(4) as u16).collect();
        let mut arrivals = Arrivals::default();
        // A first sample that must leave no trace.
        delivery.inputs(&times, &channels, &mut traffic, &mut arrivals);
        delivery.spike(0, 0.0, &mut traffic, |_, _| {});
        traffic.begin_sample();
        traffic.take_counts();
        delivery.inputs(&times, &channels, &mut traffic, &mut arrivals);

        let mut expected = Vec::new();
        let mut lost = 0;
        for (&channel, served) in channels.iter().zip(slow.link(&sent)) {
            let label = chip.endpoints.inputs[usize::from(channel)];
            let Some(cycle) = served else { lost += 1; continue };
            for bus in slow.outputs(8 + usize::from(label.spl1_address()), label.0 & 0x3fff) {
                if bus < 8 {
                    slow.outputs[bus].insert(cycle);
                    expected.push((cycle, channel, bus));
                }
            }
        }
        // Every bus of a path, so that paths and buses can be compared: a
        // path's buses are those of its sites, and its width is counted.
        let counts = *traffic.counts();
        prop_assert_eq!(counts.link_in.sent, 100);
        prop_assert_eq!(counts.link_in.lost, lost);
        prop_assert_eq!(counts.buses.delivered, expected.len() as u64);
        let mut seen: Vec<(i64, usize)> = arrivals
            .times().iter().zip(arrivals.paths())
            .map(|(&time, &path)| ((time / CLOCK).round() as i64, usize::from(path)))
            .collect();
        seen.dedup_by_key(|event| event.0);
        let mut wanted: Vec<(i64, usize)> = expected.iter().map(|e| (e.0, usize::from(e.1))).collect();
        wanted.dedup();
        prop_assert_eq!(seen.len(), wanted.len());
        for (seen, wanted) in seen.iter().zip(&wanted) {
            prop_assert_eq!(seen.0, wanted.0);
            prop_assert!(compiled.paths(wanted.1).contains(&seen.1));
        }

        let mut row_events = 0;
        for cycle in bunched(&mut numbers, 150, spread) {
            let neuron = numbers.below(4) as usize;
            let mut rows = Vec::new();
            let recorded = delivery.spike(neuron, (cycle as f64 - 0.25).max(0.0) * CLOCK, &mut traffic, |time, path| {
                rows.push((((time - 100e-9) / CLOCK).round() as i64, usize::from(path)));
            });
            let (expected, stamp) = slow.spike(neuron, cycle);
            row_events += expected.len() as u64;
            for (_, path) in &rows {
                prop_assert!(compiled.paths(chip.endpoints.inputs.len() + neuron).contains(path));
            }
            let mut cycles: Vec<i64> = rows.iter().map(|row| row.0).collect();
            let mut wanted: Vec<i64> = expected.iter().map(|row| row.0).collect();
            cycles.sort_unstable();
            wanted.sort_unstable();
            cycles.dedup();
            wanted.dedup();
            prop_assert_eq!(cycles, wanted);
            prop_assert_eq!(recorded.map(|r| (r.time / CLOCK).round() as i64), stamp);
        }
        let all = *traffic.counts();
        prop_assert_eq!(all.buses.delivered - counts.buses.delivered, row_events);
        for stage in [all.link_in, all.neuron_output, all.buses, all.link_nodes, all.link_out] {
            prop_assert!(balanced(stage), "{all:?}");
        }
        prop_assert_eq!(all.link_out.sent, all.link_nodes.delivered);
        prop_assert!(all.neuron_output.sent <= 150);
    }
}

fn recurrent() -> (Placement, Compiled) {
    let placement = Placement::new(&NetworkConfig {
        inputs: 70,
        layers: vec![LayerConfig::recurrent(186), LayerConfig::feed_forward(20)],
        ..NetworkConfig::default()
    })
    .unwrap();
    let fabric = Fabric::of(placement.addressing());
    let compiled = Compiled::new(&fabric, &placement.synram(), &placement.endpoints()).unwrap();
    (placement, compiled)
}

#[test]
fn without_a_clock_events_keep_their_times() {
    let (_, compiled) = recurrent();
    let delivery = Delivery::new(&compiled, FabricTiming::ideal()).unwrap();
    let mut traffic = Traffic::new(&delivery, Seconds::micro(10.0)).unwrap();
    let mut arrivals = Arrivals::default();
    let times = vec![1.23456789e-6; 500];
    let channels: Vec<u16> = (0..500).map(|i| i % 70).collect();
    delivery.inputs(&times, &channels, &mut traffic, &mut arrivals);
    assert_eq!(arrivals.times(), times);
    assert_eq!(arrivals.paths(), channels);
    let mut rows = Vec::new();
    let recorded = delivery.spike(3, 2.5e-6, &mut traffic, |time, path| {
        rows.push((time, path))
    });
    assert_eq!(rows, [(2.5e-6, 73)]);
    assert_eq!(
        recorded,
        Some(RecordedSpike {
            neuron: Some(3),
            time: 2.5e-6
        })
    );
    assert_eq!(traffic.counts().lost(), 0);
}

#[test]
fn equal_input_times_leave_the_link_one_per_cycle_and_a_burst_overflows_it() {
    let (_, compiled) = recurrent();
    let delivery = Delivery::new(&compiled, FabricTiming::default()).unwrap();
    let mut traffic = Traffic::new(&delivery, Seconds::micro(10.0)).unwrap();
    let mut arrivals = Arrivals::default();
    let channels: Vec<u16> = (0..70).collect();
    // 100 cycles written as decimal seconds: rounding must not make it 99.
    delivery.inputs(&[0.8e-6; 70], &channels, &mut traffic, &mut arrivals);
    // One is served at once and 64 wait.
    assert_eq!(arrivals.len(), 65);
    for (i, &time) in arrivals.times().iter().enumerate() {
        assert!((time - (0.8e-6 + i as f64 * CLOCK)).abs() < 1e-15);
    }
    let link = traffic.take_counts().link_in;
    assert_eq!((link.sent, link.delivered, link.lost), (70, 65, 5));
    assert_eq!(traffic.counts().link_in, EventCount::default());

    let mut deliveries = 0;
    arrivals.for_each_delivery(compiled.sites(), |_, _| deliveries += 1);
    assert_eq!(deliveries, 65 * 186 * 2);
}

#[test]
fn spikes_wait_for_the_clock_and_for_inputs_on_their_bus() {
    let (placement, compiled) = recurrent();
    let delivery = Delivery::new(&compiled, FabricTiming::default()).unwrap();
    let mut traffic = Traffic::new(&delivery, Seconds::micro(10.0)).unwrap();
    let addressing = placement.addressing();
    let bus = |source: usize| addressing.neuron_bus(placement.source_number(source).unwrap());
    let neuron = (0..186).find(|&n| bus(70 + n) == bus(0)).unwrap();

    // The input takes cycle 126, for which the spike just after 125 waits.
    delivery.inputs(
        &[126.0 * CLOCK],
        &[0],
        &mut traffic,
        &mut Arrivals::default(),
    );
    let mut rows = Vec::new();
    let recorded = delivery
        .spike(neuron, 125.1 * CLOCK, &mut traffic, |time, path| {
            rows.push((time, path))
        })
        .unwrap();
    assert_eq!(rows.len(), 1);
    assert!((rows[0].0 - (127.0 * CLOCK + 100e-9)).abs() < 1e-15);
    assert_eq!(usize::from(rows[0].1), 70 + neuron);
    assert_eq!(recorded.neuron, Some(neuron as u16));
    assert!((recorded.time - 126.0 * CLOCK).abs() < 1e-15);
}

#[test]
fn silenced_recurrence_still_records_and_a_silenced_backend_does_nothing() {
    let (placement, _) = recurrent();
    let mut fabric = Fabric::of(placement.addressing());
    fabric.set_recurrence(false);
    fabric.backends[usize::from(placement.circuits()[1].membrane)].enable_spike_out = false;
    let compiled = Compiled::new(&fabric, &placement.synram(), &placement.endpoints()).unwrap();
    assert!(compiled.is_one_path_per_source());
    assert!((70..276).all(|source| compiled.sites().of(source).is_empty()));
    assert_eq!(compiled.sites().of(0).len(), 2 * 186);
    let delivery = Delivery::new(&compiled, FabricTiming::default()).unwrap();
    let mut traffic = Traffic::new(&delivery, Seconds::micro(10.0)).unwrap();
    let mut spike = |neuron| delivery.spike(neuron, 1e-6, &mut traffic, |_, _| panic!("no rows"));
    assert!(spike(0).is_some());
    assert!(spike(1).is_none());
    assert_eq!(traffic.counts().neuron_output.sent, 1);
    assert_eq!(traffic.counts().buses.sent, 0);
}

#[test]
fn times_far_outside_the_window_pass_without_queues() {
    let (_, compiled) = recurrent();
    let delivery = Delivery::new(&compiled, FabricTiming::default()).unwrap();
    let mut traffic = Traffic::new(&delivery, Seconds::micro(10.0)).unwrap();
    let mut arrivals = Arrivals::default();
    delivery.inputs(
        &[1.0, 1e300, 1e300],
        &[0, 1, 2],
        &mut traffic,
        &mut arrivals,
    );
    assert_eq!(arrivals.len(), 3);
    for time in [-1.0, 1.0, 1e300, f64::INFINITY, f64::NAN] {
        assert!(delivery.spike(0, time, &mut traffic, |_, _| {}).is_some());
    }
    assert!(Traffic::new(&delivery, Seconds::new(1.0)).is_err());
    let timing = FabricTiming {
        node_depth: 0,
        ..FabricTiming::default()
    };
    assert!(Delivery::new(&compiled, timing).is_err());
}
