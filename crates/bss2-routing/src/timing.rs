//! How long events take and where they are lost.

use bss2_event::{RangeError, Seconds};
use serde::{Deserialize, Serialize};

/// Times and queue depths of the fabric.
///
/// The published numbers are the clock; the rest are defaults of ours, marked
/// in `docs/model.md`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FabricTiming {
    /// Whether events sit on the clock and queue. Off: they arrive after the
    /// bare delays, and none is lost.
    pub clocked: bool,
    /// One event per queue and clock cycle; 1 ns to 1 us.
    pub clock: Seconds,
    /// One way from outside to the chip, 0 to 1 ms. It changes no result: it moves all
    /// inputs alike, and recordings begin later by as much. It is here to be told.
    pub link_latency: Seconds,
    /// From a neuron's comparator to the rows it reaches, without queueing; 0 to 1 ms.
    pub on_chip_delay: Seconds,
    /// Events that wait for the link to the chip, 0 to 1e6; more are lost.
    pub link_in_depth: u32,
    /// Events that wait for the link from the chip, 0 to 1e6; more are lost.
    pub link_out_depth: u32,
    /// Spikes that wait at one neuron event output, 0 to 1e6; more are lost. By default
    /// one of each circuit that shares the output.
    pub neuron_output_depth: u32,
    /// Events that wait at one crossbar node, 1 to 64; more are lost.
    pub node_depth: u32,
}

impl Default for FabricTiming {
    fn default() -> Self {
        Self {
            clocked: true,
            clock: Seconds::nano(8.0),
            link_latency: Seconds::nano(200.0),
            on_chip_delay: Seconds::nano(100.0),
            link_in_depth: 64,
            link_out_depth: 64,
            neuron_output_depth: 64,
            node_depth: 4,
        }
    }
}

impl FabricTiming {
    /// Events arrive at once, and none is lost.
    #[must_use]
    pub fn ideal() -> Self {
        Self {
            clocked: false,
            link_latency: Seconds::new(0.0),
            on_chip_delay: Seconds::new(0.0),
            ..Self::default()
        }
    }

    /// Checks all ranges.
    ///
    /// # Errors
    /// [`RangeError`] for the first field outside.
    pub fn validate(&self) -> Result<(), RangeError> {
        RangeError::check("clock", self.clock.as_nano(), 1.0, 1e3, "ns")?;
        for (field, time) in [
            ("link_latency", self.link_latency),
            ("on_chip_delay", self.on_chip_delay),
        ] {
            RangeError::check(field, time.as_micro(), 0.0, 1e3, "us")?;
        }
        for (field, depth) in [
            ("link_in_depth", self.link_in_depth),
            ("link_out_depth", self.link_out_depth),
            ("neuron_output_depth", self.neuron_output_depth),
        ] {
            RangeError::check(field, depth.into(), 0.0, 1e6, "")?;
        }
        RangeError::check("node_depth", self.node_depth.into(), 1.0, 64.0, "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_names_units_and_refuses_unknown_keys() {
        let timing: FabricTiming = toml::from_str("on_chip_delay = \"50 ns\"").unwrap();
        assert_eq!(timing.on_chip_delay, Seconds::nano(50.0));
        assert_eq!(timing.node_depth, 4);
        assert!(toml::from_str::<FabricTiming>("delay = \"50 ns\"").is_err());
        assert!(timing.validate().is_ok());
        let with = |clock| FabricTiming { clock, ..timing };
        assert_eq!(
            with(Seconds::micro(2.0))
                .validate()
                .unwrap_err()
                .to_string(),
            "clock is 2000 ns, allowed are 1 ns to 1000 ns"
        );
        assert!(with(Seconds::nano(1.0)).validate().is_ok());
        assert!(with(Seconds::micro(1.0)).validate().is_ok());
    }
}
