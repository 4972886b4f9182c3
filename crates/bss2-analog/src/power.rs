//! Power and energy, part by part.
//!
//! The parts of the chip that always run are far larger than what events cost, so
//! the energy of an inference is nearly a power times a time. The model answers
//! what changes it: the number of links, clocks, the converters, the codes of the
//! analog biases, and the rates of events.

use bss2_event::{Hertz, Joules, RangeError, Seconds, Site, Volts, Watts};
use serde::{Deserialize, Serialize};

use crate::capmem::{Cell, current};
use crate::circuit::CircuitConfig;
use crate::core::AnalogCore;

/// What the chip's parts draw, and how it is switched.
///
/// # Source
/// Hardware fact sheet, section 11: 200 mW in all, and links, clocks and MADC of
/// the low-power setting, are published; every part is DEFAULT, chosen so that
/// they add up to that.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PowerConfig {
    /// Serial links that are on, 0..=8.
    pub links: u8,
    /// Clock of the event fabric and the neurons' digital parts, 0 to 1 GHz.
    pub core_clock: Hertz,
    /// Clock of the two processors, 0 to 1 GHz.
    pub processor_clock: Hertz,
    /// Whether the fast converter runs.
    pub madc_enabled: bool,
    /// Digital core and PLL, whatever the clock.
    pub core_static: Watts,
    /// Digital core per cycle of its clock.
    pub core_cycle: Joules,
    /// Both processors and their memories, whatever the clock.
    pub processor_static: Watts,
    /// Both processors per cycle of their clock.
    pub processor_cycle: Joules,
    /// One link.
    pub link: Watts,
    /// References, ramps and buffers, whatever the codes.
    pub analog_static: Watts,
    /// Supply of the bias currents.
    pub bias_supply: Volts,
    /// Currents that flow per current of a cell, its own and its mirrors'.
    pub bias_copies: f64,
    /// The CADC at rest.
    pub cadc_static: Watts,
    /// One conversion of one CADC channel.
    pub cadc_conversion: Joules,
    /// The fast converter.
    pub madc: Watts,
    /// One event on one bus, with the drivers that it fires.
    pub bus_event: Joules,
    /// One synapse that conducts once.
    pub synapse_event: Joules,
}

impl Default for PowerConfig {
    /// The low-power setting: two links, slow processors, no MADC.
    fn default() -> Self {
        Self {
            links: 2,
            core_clock: Hertz::new(250e6),
            processor_clock: Hertz::new(100e6),
            madc_enabled: false,
            core_static: Watts::milli(30.0),
            core_cycle: Joules::pico(200.0),
            processor_static: Watts::milli(20.0),
            processor_cycle: Joules::pico(250.0),
            link: Watts::milli(20.0),
            analog_static: Watts::milli(11.4),
            bias_supply: Volts::new(1.2),
            bias_copies: 4.0,
            cadc_static: Watts::milli(3.0),
            cadc_conversion: Joules::pico(46.0),
            madc: Watts::milli(20.0),
            bus_event: Joules::pico(10.0),
            synapse_event: Joules::pico(0.1),
        }
    }
}

impl PowerConfig {
    /// Checks every value.
    ///
    /// # Errors
    /// The first value outside its range.
    pub fn validate(&self) -> Result<(), RangeError> {
        RangeError::check("power.links", self.links.into(), 0.0, 8.0, "")?;
        for (field, clock) in [
            ("power.core_clock", self.core_clock),
            ("power.processor_clock", self.processor_clock),
        ] {
            RangeError::check(field, clock.get() / 1e6, 0.0, 1e3, "MHz")?;
        }
        for (field, power) in [
            ("power.core_static", self.core_static),
            ("power.processor_static", self.processor_static),
            ("power.link", self.link),
            ("power.analog_static", self.analog_static),
            ("power.cadc_static", self.cadc_static),
            ("power.madc", self.madc),
        ] {
            RangeError::check(field, power.as_milli(), 0.0, 1e4, "mW")?;
        }
        for (field, energy) in [
            ("power.core_cycle", self.core_cycle),
            ("power.processor_cycle", self.processor_cycle),
            ("power.cadc_conversion", self.cadc_conversion),
            ("power.bus_event", self.bus_event),
            ("power.synapse_event", self.synapse_event),
        ] {
            RangeError::check(field, energy.get() * 1e12, 0.0, 1e5, "pJ")?;
        }
        RangeError::check("power.bias_supply", self.bias_supply.get(), 0.0, 5.0, "V")?;
        RangeError::check("power.bias_copies", self.bias_copies, 0.0, 100.0, "")
    }
}

/// What a chip did in some time.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Activity {
    /// How long it took, longer than zero.
    pub run_time: Seconds,
    /// Events on buses, one for each bus that an event is on.
    pub bus_events: u64,
    /// Conducting synapses: one for each event and synapse that it reaches.
    pub synapse_events: u64,
    /// Conversions of CADC channels.
    pub cadc_conversions: u64,
}

/// A part of the chip that draws power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PowerPart {
    /// Clocks, PLL, event fabric and the neurons' digital parts.
    Digital,
    /// The two processors and their memories.
    Processors,
    /// The serial links.
    Links,
    /// Bias currents of the neurons, references, buffers.
    Analog,
    /// The column-parallel converters.
    Cadc,
    /// The fast converter.
    Madc,
    /// Events on the buses.
    BusEvents,
    /// Synapses that conduct.
    SynapseEvents,
}

impl PowerPart {
    /// Name for tables.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Digital => "digital core, clocks, PLL",
            Self::Processors => "processors",
            Self::Links => "links",
            Self::Analog => "analog biases",
            Self::Cadc => "CADC",
            Self::Madc => "MADC",
            Self::BusEvents => "events on buses",
            Self::SynapseEvents => "synapses",
        }
    }
}

/// Power by part, averaged over a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PowerReport {
    /// Length of the run.
    pub run_time: Seconds,
    /// Each part once.
    pub parts: [(PowerPart, Watts); 8],
}

impl PowerReport {
    /// Power of one part.
    #[must_use]
    pub fn part(&self, part: PowerPart) -> Watts {
        let same = self.parts.iter().filter(|(p, _)| *p == part);
        same.fold(Watts::default(), |sum, (_, power)| sum + *power)
    }

    /// Power of all parts.
    #[must_use]
    pub fn total(&self) -> Watts {
        let parts = self.parts.iter();
        parts.fold(Watts::default(), |sum, (_, power)| sum + *power)
    }

    /// Energy of the run.
    #[must_use]
    pub fn energy(&self) -> Joules {
        self.total() * self.run_time
    }
}

/// Bias currents that flow in a circuit of the leaky integrate-and-fire neuron.
const BIASES: [Cell; 11] = [
    Cell::IBiasLeak,
    Cell::IBiasReset,
    Cell::IBiasSyninExcTau,
    Cell::IBiasSyninInhTau,
    Cell::IBiasSyninExcGm,
    Cell::IBiasSyninInhGm,
    Cell::IBiasSyninExcShift,
    Cell::IBiasSyninInhShift,
    Cell::IBiasSyninExcDrop,
    Cell::IBiasSyninInhDrop,
    Cell::IMemOffset,
];

/// Bias currents of the further terms that are on in a circuit.
fn further_biases(config: &CircuitConfig) -> impl Iterator<Item = Cell> {
    let [excitatory, inhibitory] = config.conductance_based;
    let adapts = config.adaptation.enabled;
    [
        (excitatory, Cell::IBiasSyninExcCoba),
        (inhibitory, Cell::IBiasSyninInhCoba),
        (adapts, Cell::IBiasAdaptTau),
        (adapts, Cell::IBiasAdaptA),
        (adapts, Cell::IBiasAdaptB),
        (config.exponential, Cell::IBiasExp),
    ]
    .into_iter()
    .filter_map(|(on, cell)| on.then_some(cell))
}

/// The power of one chip as it is set.
///
/// ```text
/// digital    = core_static + core_cycle f_core
/// processors = processor_static + processor_cycle f_processor
/// links      = link n_links
/// analog     = analog_static + bias_supply bias_copies sum of the current cells
/// CADC       = cadc_static + cadc_conversion rate of conversions
/// events     = bus_event rate of events on buses + synapse_event rate of conducting synapses
/// ```
///
/// ```
/// use bss2_analog::{Activity, AnalogCore, MismatchProfile, PowerConfig, PowerModel};
/// use bss2_event::{Seconds, Seed};
///
/// let chip = AnalogCore::new(MismatchProfile::cube66(), Seed(66))?;
/// let idle = Activity { run_time: Seconds::micro(11.8), ..Activity::default() };
/// let power = PowerModel::new(PowerConfig::default(), &chip)?.report(&idle)?;
/// assert!(power.total().as_milli() > 150.0);
/// # Ok::<(), bss2_analog::AnalogError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PowerModel {
    config: PowerConfig,
    biases: Watts,
}

impl PowerModel {
    /// The model of a chip with the codes that it has now.
    ///
    /// # Errors
    /// A value of the configuration outside its range.
    pub fn new(config: PowerConfig, core: &AnalogCore) -> Result<Self, RangeError> {
        config.validate()?;
        let code = |cell, circuit| f64::from(core.capmem().get(cell, circuit).get());
        let circuits = (0..Site::CIRCUITS as u16).zip(core.circuits());
        let sum: f64 = circuits
            .flat_map(|(circuit, config)| {
                let cells = BIASES.into_iter().chain(further_biases(config));
                cells.map(move |cell| code(cell, circuit))
            })
            .sum();
        let watts = config.bias_supply.get() * config.bias_copies * current(sum);
        Ok(Self {
            config,
            biases: Watts::new(watts),
        })
    }

    /// What the chip draws at an activity.
    ///
    /// # Errors
    /// A run time that is not longer than zero.
    pub fn report(&self, activity: &Activity) -> Result<PowerReport, RangeError> {
        let run_time = activity.run_time;
        RangeError::check("run_time", run_time.get(), f64::MIN_POSITIVE, 1e9, "s")?;
        let c = &self.config;
        let rate =
            |count: u64, energy: Joules| Watts::new(count as f64 * energy.get() / run_time.get());
        let clocked = |energy: Joules, clock: Hertz| Watts::new(energy.get() * clock.get());
        let madc = if c.madc_enabled { 1.0 } else { 0.0 };
        let cadc = rate(activity.cadc_conversions, c.cadc_conversion);
        let parts = [
            (
                PowerPart::Digital,
                c.core_static + clocked(c.core_cycle, c.core_clock),
            ),
            (
                PowerPart::Processors,
                c.processor_static + clocked(c.processor_cycle, c.processor_clock),
            ),
            (PowerPart::Links, c.link * f64::from(c.links)),
            (PowerPart::Analog, c.analog_static + self.biases),
            (PowerPart::Cadc, c.cadc_static + cadc),
            (PowerPart::Madc, c.madc * madc),
            (PowerPart::BusEvents, rate(activity.bus_events, c.bus_event)),
            (
                PowerPart::SynapseEvents,
                rate(activity.synapse_events, c.synapse_event),
            ),
        ];
        Ok(PowerReport { run_time, parts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MismatchProfile;
    use bss2_event::{CapMemCode, Seed};

    fn chip() -> AnalogCore {
        AnalogCore::new(MismatchProfile::cube66(), Seed(66)).unwrap()
    }

    /// One image of the paper's network every 11.8 us: 55 input events and 20
    /// hidden spikes on a bus of each half, 5 samples of 512 channels.
    fn inference() -> Activity {
        Activity {
            run_time: Seconds::micro(11.8),
            bus_events: 2 * (55 + 20),
            synapse_events: 55 * 246 + 20 * 10,
            cadc_conversions: 5 * 512,
        }
    }

    fn report(config: PowerConfig, activity: &Activity) -> PowerReport {
        PowerModel::new(config, &chip())
            .unwrap()
            .report(activity)
            .unwrap()
    }

    #[test]
    fn the_papers_setting_draws_200_mw_and_2_4_microjoules() {
        let power = report(PowerConfig::default(), &inference());
        let total = power.total().as_milli();
        assert!((total / 200.0 - 1.0).abs() < 0.03, "{total} mW");
        let energy = power.energy().as_micro();
        assert!((energy / 2.4 - 1.0).abs() < 0.04, "{energy} uJ");
        // Events are a small part at the rates of the paper.
        let events = power.part(PowerPart::BusEvents) + power.part(PowerPart::SynapseEvents);
        assert!(events.as_milli() < 2.0, "{events}");
    }

    #[test]
    fn the_cells_of_a_circuit_sum_up_to_the_published_current() {
        let sum: u16 = BIASES.iter().map(|cell| cell.nominal()).sum();
        assert!((f64::from(sum) / 3570.0 - 1.0).abs() < 0.01, "{sum} codes");
    }

    #[test]
    fn terms_that_are_on_draw_their_bias_currents() {
        let mut core = AnalogCore::new(MismatchProfile::ideal(), Seed(1)).unwrap();
        let analog = |core: &AnalogCore| {
            let model = PowerModel::new(PowerConfig::default(), core).unwrap();
            model.report(&inference()).unwrap().part(PowerPart::Analog)
        };
        let before = analog(&core);
        let circuit = &mut core.circuits_mut()[7];
        circuit.exponential = true;
        circuit.adaptation.enabled = true;
        circuit.conductance_based = [true; 2];
        let cells: Vec<_> = further_biases(circuit).collect();
        assert_eq!(cells.len(), 6);
        let codes: u16 = cells.iter().map(|cell| cell.nominal()).sum();
        let more = 1.2 * 4.0 * current(codes.into());
        let found = analog(&core).get() - before.get();
        assert!((found / more - 1.0).abs() < 1e-6, "{found} W, {more} W");
    }

    #[test]
    fn the_parts_are_what_the_equations_say_and_sum_up() {
        let config = PowerConfig {
            links: 3,
            madc_enabled: true,
            core_clock: Hertz::new(100e6),
            processor_clock: Hertz::new(200e6),
            ..PowerConfig::default()
        };
        let power = report(config, &inference());
        for (part, milliwatts) in [
            (PowerPart::Digital, 50.0),
            (PowerPart::Processors, 70.0),
            (PowerPart::Links, 60.0),
            (PowerPart::Madc, 20.0),
            (PowerPart::BusEvents, 1e3 * 150.0 * 10e-12 / 11.8e-6),
            (PowerPart::SynapseEvents, 1e3 * 13_730.0 * 0.1e-12 / 11.8e-6),
            (PowerPart::Cadc, 3.0 + 1e3 * 2560.0 * 46e-12 / 11.8e-6),
        ] {
            let found = power.part(part).as_milli();
            assert!((found - milliwatts).abs() < 1e-9, "{part:?}: {found}");
        }
        let sum: f64 = power.parts.iter().map(|(_, watts)| watts.get()).sum();
        assert_eq!(sum, power.total().get());
        assert_eq!((power.total() * power.run_time).get(), power.energy().get());
    }

    #[test]
    fn more_of_anything_draws_more() {
        let base = PowerConfig::default();
        let less = report(base, &inference()).total();
        let mut busier = [inference(); 4];
        busier[0].bus_events += 1000;
        busier[1].synapse_events += 1000;
        busier[2].cadc_conversions += 1000;
        busier[3].run_time = Seconds::micro(5.0);
        for activity in &busier {
            assert!(report(base, activity).total() > less, "{activity:?}");
        }
        for config in [
            PowerConfig { links: 3, ..base },
            PowerConfig {
                madc_enabled: true,
                ..base
            },
            PowerConfig {
                core_clock: Hertz::new(260e6),
                ..base
            },
            PowerConfig {
                processor_clock: Hertz::new(110e6),
                ..base
            },
        ] {
            assert!(report(config, &inference()).total() > less, "{config:?}");
        }
        let mut chip = chip();
        chip.capmem_mut().set_all(Cell::IBiasLeak, CapMemCode::MAX);
        let model = PowerModel::new(base, &chip).unwrap();
        assert!(model.report(&inference()).unwrap().total() > less);
    }

    #[test]
    fn bad_values_are_named() {
        let config = PowerConfig {
            links: 9,
            ..PowerConfig::default()
        };
        let error = PowerModel::new(config, &chip()).unwrap_err().to_string();
        assert_eq!(error, "power.links is 9, allowed are 0 to 8");
        let model = PowerModel::new(PowerConfig::default(), &chip()).unwrap();
        assert!(model.report(&Activity::default()).is_err());
    }
}
