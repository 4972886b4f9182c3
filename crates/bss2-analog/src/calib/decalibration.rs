//! Decalibration: targets that scatter on purpose.

use bss2_event::random::{Address, Domain, Seed};
use bss2_event::{RangeError, Seconds};
use serde::{Deserialize, Serialize};

use crate::calib::target::{NeuronTargets, TAU_MEM_RANGE, TAU_SYN_RANGE, THRESHOLD_RANGE};
use crate::error::AnalogError;

/// Scatters the targets of neurons, which then are calibrated to them.
///
/// Each neuron's time constants, or the distance of its threshold from its leak,
/// are multiplied by `1 + sigma z` with `z` normal: a `z` for the membrane, one for both
/// synaptic inputs, one for the threshold. A target outside the range that a chip
/// can be calibrated to is drawn again, and counted.
///
/// # Source
/// Cramer et al. 2022, Figure 4, which shows one distribution of `tau_mem`, `tau_syn` and
/// threshold each; that both inputs of a neuron share a draw is how we read it, that draws
/// outside the range are repeated is ours.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Decalibration {
    /// Standard deviation relative to the nominal target, 0 to 0.5.
    pub sigma: f64,
    /// Which targets scatter.
    pub what: Detuned,
    /// Which draw.
    pub seed: Seed,
}

/// Which targets a decalibration scatters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Detuned {
    /// Membrane and synaptic time constants.
    TimeConstants,
    /// The distance from leak to threshold.
    Threshold,
    /// Both.
    #[default]
    All,
}

impl Default for Decalibration {
    /// None: a sigma of zero.
    fn default() -> Self {
        Self {
            sigma: 0.0,
            what: Detuned::default(),
            seed: Seed(0),
        }
    }
}

/// Draws for one target before it is given up.
const TRIES: u32 = 256;

impl Decalibration {
    /// Checks sigma.
    ///
    /// # Errors
    /// [`RangeError`].
    pub fn validate(&self) -> Result<(), RangeError> {
        RangeError::check("decalibration.sigma", self.sigma, 0.0, 0.5, "")
    }

    /// Scatters targets, in place; gives back how many draws had to be repeated.
    ///
    /// # Errors
    /// A sigma outside its range, or [`AnalogError::Decalibration`] for a target
    /// that lies outside the range time and again.
    pub fn scatter(&self, targets: &mut [NeuronTargets]) -> Result<usize, AnalogError> {
        self.validate()?;
        if self.sigma == 0.0 {
            return Ok(0);
        }
        let (taus, threshold) = match self.what {
            Detuned::TimeConstants => (true, false),
            Detuned::Threshold => (false, true),
            Detuned::All => (true, true),
        };
        let mut repeated = 0;
        for (neuron, target) in targets.iter_mut().enumerate() {
            let address = Address::new(self.seed, Domain::Decalibration).element(neuron as u32);
            // The first factor that leaves all of these targets in their range: each is
            // an offset and a distance from there.
            let mut draw = |quantity: u32, name, (min, max): (f64, f64), of: &[(f64, f64)]| {
                for attempt in 0..TRIES {
                    let factor = 1.0 + self.sigma * address.normal(quantity * TRIES + attempt);
                    let met = |&(offset, distance): &(f64, f64)| {
                        (min..=max).contains(&(offset + distance * factor))
                    };
                    if of.iter().all(met) {
                        repeated += attempt as usize;
                        return Ok(factor);
                    }
                }
                Err(AnalogError::Decalibration {
                    target: name,
                    neuron,
                    tries: TRIES,
                    min,
                    max,
                })
            };
            if taus {
                let from_zero = |tau: Seconds| (0.0, tau.as_micro());
                let membrane = [from_zero(target.tau_mem)];
                let synaptic = [target.tau_syn_exc, target.tau_syn_inh].map(from_zero);
                target.tau_mem = target.tau_mem * draw(0, "tau_mem", TAU_MEM_RANGE, &membrane)?;
                let factor = draw(1, "tau_syn", TAU_SYN_RANGE, &synaptic)?;
                target.tau_syn_exc = target.tau_syn_exc * factor;
                target.tau_syn_inh = target.tau_syn_inh * factor;
            }
            if threshold {
                let distance = target.threshold - target.leak;
                let of = [(target.leak, distance)];
                let factor = draw(3, "threshold", THRESHOLD_RANGE, &of)?;
                target.threshold = target.leak + distance * factor;
            }
        }
        Ok(repeated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scattered(sigma: f64, what: Detuned, seed: u64) -> (Vec<NeuronTargets>, usize) {
        let mut targets = vec![NeuronTargets::default(); 4000];
        let decalibration = Decalibration {
            sigma,
            what,
            seed: Seed(seed),
        };
        let repeated = decalibration.scatter(&mut targets).unwrap();
        targets.iter().for_each(|t| t.validate().unwrap());
        (targets, repeated)
    }

    fn mean_and_sd(values: impl Iterator<Item = f64>) -> (f64, f64) {
        let values: Vec<f64> = values.collect();
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
        (mean, variance.sqrt())
    }

    #[test]
    fn what_is_detuned_scatters_by_sigma_and_the_rest_stays() {
        let (targets, repeated) = scattered(0.2, Detuned::TimeConstants, 1);
        assert_eq!(repeated, 0);
        for tau in [0, 1, 2] {
            let of = |t: &NeuronTargets| [t.tau_mem.as_micro(), t.tau_syn(0), t.tau_syn(1)][tau];
            let (mean, sd) = mean_and_sd(targets.iter().map(of));
            assert!(
                (mean - 6.0).abs() < 0.06 && (sd - 1.2).abs() < 0.05,
                "{mean} {sd}"
            );
        }
        assert!(targets.iter().all(|t| t.threshold == 150.0));
        assert!(targets.iter().all(|t| t.tau_syn_exc == t.tau_syn_inh));
        let (targets, _) = scattered(0.3, Detuned::Threshold, 1);
        let (mean, sd) = mean_and_sd(targets.iter().map(|t| t.threshold - t.leak));
        assert!(
            (mean - 70.0).abs() < 1.0 && (sd - 21.0).abs() < 0.8,
            "{mean} {sd}"
        );
        assert!(targets.iter().all(|t| t.tau_mem == Seconds::micro(6.0)));
        assert_ne!(scattered(0.3, Detuned::Threshold, 2).0, targets);
    }

    #[test]
    fn draws_that_no_chip_reaches_are_repeated_and_counted() {
        let (targets, repeated) = scattered(0.5, Detuned::All, 3);
        // Thresholds beyond 220 or below 50 alone: 2.5 % of 4000 draws.
        assert!((300..900).contains(&repeated), "{repeated}");
        let over = targets.iter().filter(|t| t.threshold < t.leak).count();
        // The normal distribution has 2.3 % beyond two standard deviations.
        assert!(
            (60..130).contains(&over),
            "{over} neurons with leak over threshold"
        );
    }

    #[test]
    fn a_target_that_is_never_met_is_an_error() {
        let mut targets = [NeuronTargets {
            leak: 160.0,
            threshold: 400.0,
            ..NeuronTargets::default()
        }];
        let decalibration = Decalibration {
            sigma: 0.01,
            what: Detuned::Threshold,
            ..Decalibration::default()
        };
        let error = decalibration.scatter(&mut targets).unwrap_err().to_string();
        assert!(
            error.contains("threshold") && error.contains("50 to 220"),
            "{error}"
        );
        let wide = Decalibration {
            sigma: 0.6,
            ..decalibration
        };
        assert!(wide.scatter(&mut targets).is_err());
    }
}
