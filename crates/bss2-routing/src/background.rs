//! Background sources: regular or Poisson spike trains made on the chip.

use bss2_event::random::{Address, Domain, Seed};

use crate::label::NeuronLabel;

/// One of the eight background sources; source k feeds crossbar input 12 + k.
///
/// Regular: one event per period. Poisson: at the end of each period an 8-bit
/// number is drawn, and an event sent if it does not exceed `rate`; a rate of 0
/// is off. The first event comes one full period after the start.
///
/// Compiled routes hold none: [`crate::Compiled::new`] refuses a source that runs.
/// Its events go through the fabric one by one.
///
/// ```
/// use bss2_event::SynapseLabel;
/// use bss2_routing::{
///     Addressing, BackgroundSource, CrossbarInput, CrossbarNode, CrossbarOutput, Fabric, PadiBus,
///     Synram,
/// };
///
/// let source = BackgroundSource { enable: true, period: 125, ..Default::default() };
/// let mut fabric = Fabric::of(Addressing::new(1, false)?);
/// let (input, bus) = (CrossbarInput::new(12)?, CrossbarOutput::bus(PadiBus::new(0)?));
/// fabric.crossbar.set(input, bus, CrossbarNode::OPEN)?;
/// let synram = Synram::new(SynapseLabel::new(0)?);
/// for (cycle, label) in source.events(1_000) {
///     // Eight drivers of two rows have the row select of label 0.
///     assert_eq!(cycle % 125, 0);
///     assert_eq!(fabric.sites(input, label, &synram).len(), 8 * 2 * 256);
/// }
/// # Ok::<(), bss2_routing::RoutingError>(())
/// ```
///
/// # Source
/// The chip's register description. Its generator is not published: ours draws
/// by counter, so any period can be drawn alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BackgroundSource {
    /// Whether it runs.
    pub enable: bool,
    /// Whether events are drawn (Poisson) or regular.
    pub enable_random: bool,
    /// Period in clock cycles of 8 ns; 0 counts as 1.
    pub period: u16,
    /// Threshold of the draw.
    pub rate: u8,
    /// Low bits of the label that each event draws anew (Poisson only).
    pub mask: u8,
    /// Label of its events.
    pub label: NeuronLabel,
    /// Seed of its generator.
    pub seed: u32,
}

impl Default for BackgroundSource {
    /// Off; once enabled, regular at 10 kHz with label 0.
    fn default() -> Self {
        Self {
            enable: false,
            enable_random: false,
            period: 12_500,
            rate: u8::MAX,
            mask: 0,
            label: NeuronLabel::default(),
            seed: 0,
        }
    }
}

impl BackgroundSource {
    /// Number of sources on a chip.
    pub const COUNT: usize = 8;

    /// Its events up to (not including) a clock cycle: (cycle, label), in order.
    pub fn events(&self, end: u64) -> impl Iterator<Item = (u64, NeuronLabel)> + '_ {
        let period = u64::from(self.period.max(1));
        let periods = if self.enable {
            end.saturating_sub(1) / period
        } else {
            0
        };
        let draws = Address::new(Seed(self.seed.into()), Domain::Background);
        (1..=periods).filter_map(move |n| {
            if !self.enable_random {
                return Some((n * period, self.label));
            }
            // Step and element hold the low and the high half of the count.
            let words = draws.element((n >> 32) as u32).words(n as u32);
            let fires = self.rate > 0 && words[0] as u8 <= self.rate;
            let mask = u16::from(self.mask);
            let label = self.label.bits() & !mask | words[1] as u16 & mask;
            fires.then_some((n * period, NeuronLabel::truncated(label)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regular_events_begin_after_one_period() {
        let source = BackgroundSource {
            enable: true,
            period: 100,
            ..BackgroundSource::default()
        };
        let cycles: Vec<u64> = source.events(301).map(|event| event.0).collect();
        assert_eq!(cycles, [100, 200, 300]);
        assert_eq!(source.events(300).count(), 2);
        assert_eq!(source.events(0).count(), 0);
        assert_eq!(
            BackgroundSource {
                enable: false,
                ..source
            }
            .events(1000)
            .count(),
            0
        );
    }

    #[test]
    fn poisson_rate_and_random_labels() {
        let source = BackgroundSource {
            enable: true,
            enable_random: true,
            period: 10,
            rate: 63,
            mask: 0b11,
            label: NeuronLabel::truncated(0x2a54),
            seed: 5,
        };
        let events: Vec<_> = source.events(1_000_001).collect();
        // 64 of 256 draws; five standard errors of 100,000 draws.
        let expected = 100_000.0 * 64.0 / 256.0;
        assert!((events.len() as f64 - expected).abs() < 5.0 * (expected * 0.75_f64).sqrt());
        let mut counts = [0; 4];
        for (_, label) in &events {
            assert_eq!(label.bits() & !0b11, 0x2a54);
            counts[usize::from(label.bits() & 0b11)] += 1;
        }
        assert!(
            counts
                .iter()
                .all(|&n| (n as f64 - expected / 4.0).abs() < 400.0),
            "{counts:?}"
        );
        assert!(events.iter().copied().eq(source.events(1_000_001)));
        assert_eq!(
            BackgroundSource { rate: 0, ..source }
                .events(1 << 20)
                .count(),
            0
        );
    }
}
