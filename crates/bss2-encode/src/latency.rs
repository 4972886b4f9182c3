//! Latency code: the brighter a pixel, the earlier its spike.
//!
//! A pixel of brightness x = value/255 charges a leaky integrator, which
//! reaches its threshold theta after
//!
//! `t = tau_in ln(x / (x - theta))`
//!
//! and never below theta; at theta itself x - theta is taken as 1e-7, so the
//! spike comes last of all, if that is before `t_max`.
//!
//! # Source
//! The paper's section on input encoding; protocol of its public code.

use bss2_event::{EventError, RangeError, Seconds, SpikeBatch};
use serde::{Deserialize, Serialize};

/// Smallest distance of x to theta that enters the logarithm.
const CLEARANCE: f64 = 1e-7;
/// Rank of a brightness without a spike.
const SILENT: u16 = u16::MAX;

/// What the times of a sample are counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferenceTime {
    /// The onset of the image.
    Onset,
    /// The earliest spike of the batch, as in the paper. An image's times
    /// then depend on what it shares a batch with.
    #[default]
    Batch,
    /// The earliest spike of the sample itself.
    Sample,
    /// The spike of a fully bright pixel, the earliest there can be: equal to
    /// [`ReferenceTime::Batch`] wherever a batch has one, and independent of
    /// the batch.
    Brightest,
}

/// Parameters of the latency code.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LatencyConfig {
    /// Time constant of the integrator.
    pub tau_in: Seconds,
    /// Threshold on a scale of brightness from 0 to 1.
    pub theta: f64,
    /// A spike that would come this late or later does not come.
    pub t_max: Seconds,
    /// What times are counted from.
    pub reference: ReferenceTime,
}

impl Default for LatencyConfig {
    /// The paper's protocol.
    fn default() -> Self {
        Self {
            tau_in: Seconds::micro(8.0),
            theta: 0.2,
            t_max: Seconds::micro(100.0),
            reference: ReferenceTime::Batch,
        }
    }
}

/// A [`LatencyConfig`] compiled to tables over the 256 values of a pixel.
#[derive(Debug, Clone, PartialEq)]
pub struct LatencyCode {
    reference: ReferenceTime,
    /// Time of each value in seconds, `t_max` for those without a spike.
    times: [f64; 256],
    /// Place of each value's time among the distinct times, [`SILENT`] for
    /// those without a spike.
    ranks: [u16; 256],
    /// Distinct times in seconds, ascending.
    ranked: Vec<f64>,
}

/// Memory that a [`LatencyCode`] works in, to be used again.
#[derive(Debug, Clone, Default)]
pub(crate) struct LatencyScratch {
    spiking: Vec<(u16, u16)>,
    ends: Vec<u32>,
    times: Vec<f64>,
    channels: Vec<u16>,
}

impl LatencyConfig {
    /// Checks the parameters and computes the tables.
    ///
    /// # Errors
    /// [`RangeError`] unless 1 ns <= `tau_in` <= 1 s, 1 ns <= `t_max` <= 1 s
    /// and 1e-6 <= `theta` <= 1.
    pub fn compile(&self) -> Result<LatencyCode, RangeError> {
        RangeError::check("latency.tau_in", self.tau_in.get(), 1e-9, 1.0, "s")?;
        RangeError::check("latency.t_max", self.t_max.get(), 1e-9, 1.0, "s")?;
        RangeError::check("latency.theta", self.theta, 1e-6, 1.0, "")?;
        let (tau, theta, t_max) = (self.tau_in.get(), self.theta, self.t_max.get());
        let times: [f64; 256] = std::array::from_fn(|value| {
            let x = value as f64 / 255.0;
            if x < theta {
                return t_max;
            }
            let x = x.max(theta + CLEARANCE);
            (tau * libm::log(x / (x - theta))).min(t_max)
        });
        let mut ranked: Vec<f64> = times.iter().copied().filter(|&t| t < t_max).collect();
        ranked.sort_unstable_by(f64::total_cmp);
        ranked.dedup();
        let ranks = times.map(|time| {
            let place = ranked.binary_search_by(|t| t.total_cmp(&time));
            place.map_or(SILENT, |rank| rank as u16)
        });
        Ok(LatencyCode {
            reference: self.reference,
            times,
            ranks,
            ranked,
        })
    }
}

impl LatencyCode {
    /// Time of a pixel's spike after the onset; `t_max` if there is none.
    #[must_use]
    pub fn time(&self, value: u8) -> Seconds {
        Seconds::new(self.times[usize::from(value)])
    }

    /// Whether a pixel of this value spikes.
    #[must_use]
    pub fn spikes(&self, value: u8) -> bool {
        self.ranks[usize::from(value)] != SILENT
    }

    /// What the times of samples are counted from, where all of them have the
    /// brightest pixel `brightest` in common.
    pub(crate) fn origin(&self, brightest: u8) -> Origin {
        match self.reference {
            ReferenceTime::Onset => Origin::Common(0.0),
            // A batch without a spike has no times to be counted.
            ReferenceTime::Batch => Origin::Common(self.times[usize::from(brightest)]),
            ReferenceTime::Brightest => Origin::Common(self.times[255]),
            ReferenceTime::Sample => Origin::Sample,
        }
    }

    /// Adds one sample to a batch: its spikes, sorted by (time, channel), the
    /// channel being the place of the pixel in `pixels`.
    ///
    /// Equally bright pixels spike together, so the spikes are sorted by
    /// counting values; nothing is allocated once `scratch` and `batch` have
    /// grown.
    pub(crate) fn push(
        &self,
        id: u64,
        pixels: &[u8],
        origin: Origin,
        scratch: &mut LatencyScratch,
        batch: &mut SpikeBatch,
    ) -> Result<(), EventError> {
        scratch.spiking.resize(pixels.len(), (0, 0));
        let mut count = 0;
        for (channel, &value) in pixels.iter().enumerate() {
            let rank = self.ranks[usize::from(value)];
            scratch.spiking[count] = (rank, channel as u16);
            count += usize::from(rank != SILENT);
        }
        let spiking = &scratch.spiking[..count];
        let ends = &mut scratch.ends;
        ends.clear();
        ends.resize(self.ranked.len() + 1, 0);
        for &(rank, _) in spiking {
            ends[usize::from(rank) + 1] += 1;
        }
        for i in 1..ends.len() {
            ends[i] += ends[i - 1];
        }
        scratch.times.resize(count, 0.0);
        scratch.channels.resize(count, 0);
        let origin = match origin {
            Origin::Common(origin) => origin,
            // The first rank that occurs.
            Origin::Sample => {
                let first = ends.iter().position(|&end| end > 0);
                first.map_or(0.0, |end| self.ranked[end - 1])
            }
        };
        for &(rank, channel) in spiking {
            let place = &mut ends[usize::from(rank)];
            scratch.times[*place as usize] = self.ranked[usize::from(rank)] - origin;
            scratch.channels[*place as usize] = channel;
            *place += 1;
        }
        batch.push_sorted(id, &scratch.times, &scratch.channels)
    }
}

/// Zero of the times of a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Origin {
    /// The same for all, in seconds after the onset.
    Common(f64),
    /// The sample's earliest spike.
    Sample,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(config: LatencyConfig, pixels: &[u8]) -> Vec<(f64, u16)> {
        let code = config.compile().unwrap();
        let mut batch = SpikeBatch::new(pixels.len());
        let brightest = pixels.iter().copied().max().unwrap();
        let origin = code.origin(brightest);
        let mut scratch = LatencyScratch::default();
        code.push(0, pixels, origin, &mut scratch, &mut batch)
            .unwrap();
        batch.sample(0).iter().collect()
    }

    #[test]
    fn a_black_image_is_silent() {
        for reference in [
            ReferenceTime::Onset,
            ReferenceTime::Batch,
            ReferenceTime::Sample,
            ReferenceTime::Brightest,
        ] {
            let config = LatencyConfig {
                reference,
                ..Default::default()
            };
            assert_eq!(encode(config, &[0; 256]), []);
        }
    }

    #[test]
    fn equal_pixels_spike_together_in_order_of_channel() {
        let spikes = encode(LatencyConfig::default(), &[200; 9]);
        assert!(spikes.iter().copied().eq((0..9).map(|c| (0.0, c))));
    }

    #[test]
    fn ties_are_ordered_by_time_then_channel() {
        let spikes = encode(LatencyConfig::default(), &[90, 255, 0, 90, 255, 120]);
        let channels: Vec<u16> = spikes.iter().map(|s| s.1).collect();
        assert_eq!(channels, [1, 4, 5, 0, 3]);
        assert!(spikes.is_sorted_by(|a, b| a <= b));
    }

    #[test]
    fn a_pixel_at_the_threshold_is_clipped_and_then_too_late() {
        // 51/255 is the double nearest to 0.2.
        let mut config = LatencyConfig {
            reference: ReferenceTime::Onset,
            ..Default::default()
        };
        let code = config.compile().unwrap();
        assert!(!code.spikes(51) && code.spikes(52) && !code.spikes(50));
        assert_eq!(code.time(51), config.t_max);
        config.t_max = Seconds::micro(200.0);
        let late = encode(config, &[51, 50])[0].0;
        assert!(
            (late - 8e-6 * (0.200_000_1_f64 / 1e-7).ln()).abs() < 1e-13,
            "{late}"
        );
        assert_eq!(encode(config, &[51, 50]).len(), 1);
    }

    #[test]
    fn origins_are_as_named() {
        let pixels = [100, 150, 0];
        let times = |reference| {
            let config = LatencyConfig {
                reference,
                ..Default::default()
            };
            encode(config, &pixels)
                .iter()
                .map(|s| s.0)
                .collect::<Vec<_>>()
        };
        let code = LatencyConfig::default().compile().unwrap();
        let (t100, t150, t255) = (code.times[100], code.times[150], code.times[255]);
        assert_eq!(times(ReferenceTime::Onset), [t150, t100]);
        assert_eq!(times(ReferenceTime::Batch), [0.0, t100 - t150]);
        assert_eq!(times(ReferenceTime::Sample), [0.0, t100 - t150]);
        assert_eq!(times(ReferenceTime::Brightest), [t150 - t255, t100 - t255]);
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let theta = LatencyConfig {
            theta: 0.0,
            ..Default::default()
        };
        let error = theta.compile().unwrap_err().to_string();
        assert!(error.contains("latency.theta is 0"), "{error}");
        let tau_in = LatencyConfig {
            tau_in: Seconds::new(f64::NAN),
            ..Default::default()
        };
        assert!(tau_in.compile().is_err());
    }

    #[test]
    fn every_threshold_gives_a_sorted_code() {
        for i in 1..=1000 {
            let config = LatencyConfig {
                theta: f64::from(i) / 1000.0,
                ..Default::default()
            };
            let pixels: Vec<u8> = (0..=255).collect();
            let spikes = encode(config, &pixels);
            assert!(spikes.is_sorted_by(|a, b| a <= b));
        }
    }
}
