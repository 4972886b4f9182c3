//! When events arrive, which are lost, and that every one is accounted for.

mod support;

use std::collections::BTreeSet;

use bss2_event::{Seconds, Site};
use bss2_routing::deliver::RecordedSpike;
use bss2_routing::{
    Arrivals, Compiled, CrossbarInput, CrossbarOutput, Delivery, EventCount, EventCounts, Fabric,
    FabricTiming, LayerConfig, NetworkConfig, Placement, Traffic,
};
use proptest::prelude::*;
use support::{AnyChip, Numbers, any_chip};

const CLOCK: f64 = 8e-9;

/// The neuron that a recording names, and its cycle.
type Recorded = (Option<u16>, i64);

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
    counts: EventCounts,
}

/// First cycle from `from` on that is not taken.
fn free(taken: &BTreeSet<i64>, from: i64) -> i64 {
    (from..).find(|cycle| !taken.contains(cycle)).unwrap()
}

fn count(stage: &mut EventCount, delivered: bool) {
    stage.sent += 1;
    if delivered {
        stage.delivered += 1;
    } else {
        stage.lost += 1;
    }
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
            counts: EventCounts::default(),
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

    /// Arrivals (cycle, bus) of an input that the link served at `cycle`.
    fn input(&mut self, channel: usize, cycle: Option<i64>) -> Vec<(i64, usize)> {
        count(&mut self.counts.link_in, cycle.is_some());
        let Some(cycle) = cycle else {
            return Vec::new();
        };
        let bits = self.chip.endpoints.inputs[channel].0;
        let outputs = self.outputs(8 + usize::from(bits >> 14), bits & 0x3fff);
        let buses = outputs.into_iter().filter(|&output| output < 8);
        let arrivals: Vec<_> = buses.map(|bus| (cycle, bus)).collect();
        for &(_, bus) in &arrivals {
            self.outputs[bus].insert(cycle);
            count(&mut self.counts.buses, true);
        }
        arrivals
    }

    /// Arrivals (cycle, bus) of a spike that comes at `cycle`, and what is recorded.
    fn spike(&mut self, neuron: usize, cycle: i64) -> (Vec<(i64, usize)>, Option<Recorded>) {
        let circuit = self.chip.endpoints.neurons[neuron].membrane;
        let Some(label) = self.chip.fabric.backends[usize::from(circuit)].label(circuit) else {
            return (Vec::new(), None);
        };
        let input = usize::from(label.event_output());
        let sent = free(&self.neuron_outputs[input], cycle);
        let accepted = sent - cycle <= i64::from(self.timing.neuron_output_depth);
        count(&mut self.counts.neuron_output, accepted);
        if !accepted {
            return (Vec::new(), None);
        }
        self.neuron_outputs[input].insert(sent);
        let (mut rows, mut recorded, mut missed) = (Vec::new(), None, false);
        for output in self.outputs(input, label.bits()) {
            let served = self.serve(input, output, sent);
            missed |= served.is_none();
            if output < 8 {
                count(&mut self.counts.buses, served.is_some());
                rows.extend(served.map(|cycle| (cycle, output)));
                continue;
            }
            count(&mut self.counts.link_nodes, served.is_some());
            let Some(at) = served else { continue };
            let left = free(&self.link_out, at);
            let leaves = left - at <= i64::from(self.timing.link_out_depth);
            count(&mut self.counts.link_out, leaves);
            missed |= !leaves;
            if leaves {
                self.link_out.insert(left);
                let source = self.chip.endpoints.addressing.decode(label);
                let known = source < self.chip.endpoints.neurons.len();
                recorded = Some((known.then_some(source as u16), at));
            }
        }
        self.counts.incomplete += u64::from(missed);
        (rows, recorded)
    }
}

/// The bus that feeds a synapse.
fn bus(site: &Site) -> usize {
    let (half, driver) = (site.circuit / 256, site.row / 2);
    usize::from(4 * half + driver % 4)
}

/// Sorted arrivals (cycle, bus) of paths. A bus of a path is known by the synapses that it
/// reaches; where there are none, nothing can be told of it.
fn on_buses(compiled: &Compiled, arrivals: &[(i64, usize)]) -> Vec<(i64, usize)> {
    let mut seen: Vec<_> = arrivals
        .iter()
        .flat_map(|&(cycle, path)| {
            let buses: BTreeSet<usize> = compiled.sites().of(path).iter().map(bus).collect();
            buses.into_iter().map(move |bus| (cycle, bus))
        })
        .collect();
    seen.sort_unstable();
    seen
}

/// The expected ones of a source's arrivals that reach a synapse.
fn audible(compiled: &Compiled, source: usize, expected: &[(i64, usize)]) -> Vec<(i64, usize)> {
    let sites = compiled
        .paths(source)
        .flat_map(|path| compiled.sites().of(path));
    let buses: BTreeSet<usize> = sites.map(bus).collect();
    let mut audible: Vec<_> = expected
        .iter()
        .copied()
        .filter(|e| buses.contains(&e.1))
        .collect();
    audible.sort_unstable();
    audible
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

        let mut seen = arrivals
            .times().iter().zip(arrivals.paths())
            .map(|(&time, &path)| ((time / CLOCK).round() as i64, usize::from(path)))
            .peekable();
        for (&channel, served) in channels.iter().zip(slow.link(&sent)) {
            let channel = usize::from(channel);
            let expected = slow.input(channel, served);
            let Some(cycle) = served else { continue };
            // The link serves one event per cycle, so these are this event's.
            let own: Vec<_> = std::iter::from_fn(|| seen.next_if(|event| event.0 == cycle)).collect();
            prop_assert_eq!(own.is_empty(), expected.is_empty());
            prop_assert!(own.iter().all(|event| compiled.paths(channel).contains(&event.1)));
            prop_assert_eq!(on_buses(&compiled, &own), audible(&compiled, channel, &expected));
        }
        prop_assert_eq!(seen.next(), None);
        prop_assert_eq!(*traffic.counts(), slow.counts);
        prop_assert_eq!(slow.counts.link_in.sent, 100);

        for cycle in bunched(&mut numbers, 150, spread) {
            let neuron = numbers.below(4) as usize;
            let source = chip.endpoints.inputs.len() + neuron;
            let mut rows = Vec::new();
            let recorded = delivery.spike(neuron, (cycle as f64 - 0.25).max(0.0) * CLOCK, &mut traffic, |time, path| {
                rows.push((((time - 100e-9) / CLOCK).round() as i64, usize::from(path)));
            });
            let (expected, stamp) = slow.spike(neuron, cycle);
            prop_assert!(rows.iter().all(|row| compiled.paths(source).contains(&row.1)));
            prop_assert_eq!(rows.is_empty(), expected.is_empty());
            prop_assert_eq!(on_buses(&compiled, &rows), audible(&compiled, source, &expected));
            let recorded = recorded.map(|r| (r.neuron, (r.time / CLOCK).round() as i64));
            prop_assert_eq!(recorded, stamp);
            prop_assert_eq!(*traffic.counts(), slow.counts);
        }
        for stage in [
            slow.counts.link_in, slow.counts.neuron_output, slow.counts.buses,
            slow.counts.link_nodes, slow.counts.link_out,
        ] {
            prop_assert_eq!(stage.sent, stage.delivered + stage.lost);
        }
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
fn a_spike_that_loses_copies_is_one_lost_event() {
    let (placement, compiled) = recurrent();
    let timing = FabricTiming {
        node_depth: 1,
        ..FabricTiming::default()
    };
    let delivery = Delivery::new(&compiled, timing).unwrap();
    let mut traffic = Traffic::new(&delivery, Seconds::micro(10.0)).unwrap();
    // Inputs hold both buses, so that the first spike waits at its nodes, which have no place
    // for the two that follow; the way to the recording is free.
    let addressing = placement.addressing();
    let bus = |source: usize| addressing.neuron_bus(placement.source_number(source).unwrap());
    let inputs: Vec<u16> = (0..70).filter(|&i| bus(i.into()) == bus(0)).collect();
    let times = vec![100.0 * CLOCK; 20];
    let channels: Vec<u16> = (0..20).map(|i| inputs[i % inputs.len()]).collect();
    let mut arrivals = Arrivals::default();
    delivery.inputs(&times, &channels, &mut traffic, &mut arrivals);
    let neuron = (0..186).find(|&n| bus(70 + n) == bus(0)).unwrap();
    for _ in 0..3 {
        delivery.spike(neuron, 100.0 * CLOCK, &mut traffic, |_, _| {});
    }
    let counts = *traffic.counts();
    assert_eq!((counts.buses.lost, counts.link_nodes.lost), (4, 0));
    assert_eq!((counts.incomplete, counts.lost()), (2, 2));
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
