//! The membrane ADC: one neuron, or two in turn, at a high rate.

use bss2_event::random::Address;
use bss2_event::{Hertz, NeuronCircuits, RangeError, Seconds};
use serde::{Deserialize, Serialize};

use crate::error::AnalogError;
use crate::lanes::place;
use crate::lowered::Common;
use crate::neuron::threshold::{Leaky, Membrane, gather_nodes};
use crate::step::{Buffers, Frame};

/// Volts of one code.
///
/// # Source
/// The paper's code; hardware fact sheet, section 6.
const VOLTS_PER_CODE: f64 = 2e-3;
/// Codes have ten bits.
const MAX_CODE: f64 = 1023.0;
/// Clock cycles of one sample, at least.
const CYCLES: u32 = 12;
/// Samples of one run: 24 ms at the default rate, 2 MB.
const MAX_SAMPLES: f64 = 1e6;

/// What the MADC records of a run: its neurons, and its window.
///
/// Sample `k` is taken at `start + k (12 + extra_cycles) / clock`, of the two
/// neurons in turn where there are two. To record changes nothing of what is
/// recorded otherwise.
///
/// # Source
/// Hardware fact sheet, section 6.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Madc {
    /// The neuron, as the network counts.
    pub neuron: u16,
    /// Another one, in turn; there is one line for even and one for odd columns, so
    /// that one of the two membranes is on an even and one on an odd circuit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second: Option<u16>,
    /// Time of the first sample.
    pub start: Seconds,
    /// Number of samples, up to a million.
    pub samples: usize,
    /// Clock of the converter, 50 to 500 MHz.
    pub clock: Hertz,
    /// Cycles beyond twelve that a sample takes, up to 7.
    pub extra_cycles: u32,
}

impl Default for Madc {
    /// 20 us of neuron 0, at 41.7 million samples per second.
    fn default() -> Self {
        Self {
            neuron: 0,
            second: None,
            start: Seconds::new(0.0),
            samples: 833,
            clock: Hertz::new(500e6),
            extra_cycles: 0,
        }
    }
}

impl Madc {
    /// Time from one sample to the next.
    #[must_use]
    pub fn period(&self) -> Seconds {
        Seconds::new(f64::from(CYCLES + self.extra_cycles) / self.clock.get())
    }

    /// Time of a sample, from the beginning of the run.
    #[must_use]
    pub fn time(&self, sample: usize) -> Seconds {
        self.start + self.period() * sample as f64
    }

    /// Volts that a code stands for.
    #[must_use]
    pub fn volts(code: u16) -> bss2_event::Volts {
        bss2_event::Volts::new(f64::from(code) * VOLTS_PER_CODE)
    }

    /// End of the window, microseconds.
    pub(crate) fn end_us(&self) -> f64 {
        self.time(self.samples).as_micro()
    }

    fn neurons(&self) -> impl Iterator<Item = u16> {
        std::iter::once(self.neuron).chain(self.second)
    }

    pub(crate) fn validate(&self, neurons: &[NeuronCircuits]) -> Result<(), AnalogError> {
        let last = neurons.len() as f64 - 1.0;
        for neuron in self.neurons() {
            RangeError::check("madc.neuron", neuron.into(), 0.0, last, "")?;
        }
        RangeError::check("madc.start", self.start.as_micro(), 0.0, 1e6, "us")?;
        RangeError::check("madc.samples", self.samples as f64, 1.0, MAX_SAMPLES, "")?;
        RangeError::check("madc.clock", self.clock.get() * 1e-6, 50.0, 500.0, "MHz")?;
        RangeError::check("madc.extra_cycles", self.extra_cycles.into(), 0.0, 7.0, "")?;
        if let Some(second) = self.second {
            let circuit = |n: u16| neurons[usize::from(n)].membrane;
            let circuits = [circuit(self.neuron), circuit(second)];
            if circuits[0] % 2 == circuits[1] % 2 {
                return Err(AnalogError::MadcLine { circuits });
            }
        }
        Ok(())
    }
}

/// The MADC at work in a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recorder {
    madc: Madc,
    noise: f64,
    address: Address,
}

impl Recorder {
    pub(crate) fn new(common: &Common, address: Address) -> Option<Self> {
        common.integration.madc.map(|madc| Self {
            madc,
            noise: common.noise.madc,
            address,
        })
    }

    /// End of the window, microseconds.
    pub(crate) fn end(&self) -> f64 {
        self.madc.end_us()
    }

    pub(crate) fn samples(&self) -> usize {
        self.madc.samples
    }

    /// Samples the watched neurons within the step just made: along the equation
    /// between events, from crossing to crossing.
    pub(crate) fn record<const G: usize>(
        &self,
        frame: &Frame<'_, G>,
        buffers: &mut Buffers<G>,
        codes: &mut [u16],
    ) {
        for (turn, neuron) in self.madc.neurons().enumerate() {
            let (block, l) = place(neuron);
            let at = (turn, neuron);
            match frame.blocks[block].terms.as_deref() {
                None => self.watch(frame, buffers, at, codes, &mut Leaky),
                Some(terms) => {
                    let mut upswing = buffers.upswing(terms, (block, l));
                    self.watch(frame, buffers, at, codes, &mut upswing);
                }
            }
        }
    }

    /// Samples one of the watched neurons.
    fn watch<const G: usize, M: Membrane<G>>(
        &self,
        frame: &Frame<'_, G>,
        buffers: &mut Buffers<G>,
        (turn, neuron): (usize, u16),
        codes: &mut [u16],
        membrane: &mut M,
    ) {
        let (block, l) = place(neuron);
        let (common, step) = (frame.common, frame.step);
        let held_before = buffers.held_before((block, l));
        let (mut local, mut moment) = buffers.beginning(frame, (block, l), held_before);
        // Where it fires is known.
        local.v_threshold = f32::INFINITY;
        let nodes = M::nodes(&mut buffers.nodes);
        let (events, strengths) = (&buffers.events, common.table.strengths());
        gather_nodes(events, strengths, &local, (block, l), 0.0, nodes);
        let mut now = 0.0_f32;
        let mut crossings = buffers
            .crossings
            .iter()
            .filter(|c| c.lane == neuron)
            .peekable();
        let turns = self.madc.neurons().count();
        let period = self.madc.period().as_micro();
        let start = self.madc.start.as_micro();
        // The first sample of this neuron that lies in the step.
        let first = ((step.start() - start) / period - 1e-6).ceil().max(0.0) as usize;
        let first = first + (turns + turn - first % turns) % turns;
        for sample in (first..self.madc.samples).step_by(turns) {
            let time = start + period * sample as f64;
            if time >= step.end() - 1e-6 * period {
                break;
            }
            let at = (time - step.start()).max(0.0) as f32;
            while let Some(crossing) = crossings.peek().map(|c| c.at).filter(|&c| c <= at) {
                moment = local.resolve(membrane, moment, nodes, now..crossing, |_| ());
                now = crossing;
                local.fire(membrane, &mut moment, now);
                crossings.next();
            }
            moment = local.resolve(membrane, moment, nodes, now..at, |_| ());
            now = at;
            let (low, high) = common.v_range;
            codes[sample] = self.code(moment.v.max(low).min(high), sample);
        }
    }

    fn code(&self, v: f32, sample: usize) -> u16 {
        let noise = if self.noise > 0.0 {
            self.noise * self.address.normal(sample as u32)
        } else {
            0.0
        };
        (f64::from(v) / VOLTS_PER_CODE + noise)
            .round()
            .clamp(0.0, MAX_CODE) as u16
    }
}
