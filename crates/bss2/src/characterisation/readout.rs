//! What lies between a membrane and its codes.

use bss2_analog::{AnalogCore, CadcSchedule, Integration, Stimulus};
use bss2_event::{NeuronCircuits, Seed, Volts};

use super::quantiles;
use crate::chip::ChipError;

/// What the CADC reads of known voltages.
#[derive(Debug, Clone, PartialEq)]
pub struct Transfer {
    /// Voltages at the inputs of all channels.
    pub voltage: Vec<Volts>,
    /// `[voltage]`: median code of the 512 channels, and the codes that 5 % lie
    /// below and above.
    pub codes: Vec<[f64; 3]>,
}

const VOLTAGES: usize = 49;
const READS: usize = 16;
/// Of the range of the readout.
const LARGEST: Volts = Volts::new(1.2);

impl Transfer {
    pub(super) fn measure(core: &AnalogCore, run: Seed) -> Self {
        let voltages = (0..VOLTAGES).map(|i| LARGEST * (i as f64 / (VOLTAGES - 1) as f64));
        let voltage: Vec<Volts> = voltages.collect();
        let read = |v: &Volts| quantiles(&core.read_reference(*v, run, READS));
        Self {
            codes: voltage.iter().map(read).collect(),
            voltage,
        }
    }
}

/// `[neuron]`: standard deviation of the codes of membranes at rest, over the
/// samples of a trial and over trials.
pub(super) fn noise(
    core: &AnalogCore,
    neurons: &[NeuronCircuits],
    run: Seed,
) -> Result<Vec<f64>, ChipError> {
    const SAMPLES: usize = 100;
    const TRIALS: u64 = 32;
    let stimulus = Stimulus {
        neurons: neurons.to_vec(),
        integration: Integration {
            schedule: CadcSchedule {
                samples: SAMPLES,
                ..CadcSchedule::default()
            },
            ..Integration::default()
        },
        ..Stimulus::default()
    };
    let recorded = stimulus.record(core, run, TRIALS)?;
    let n = (SAMPLES * recorded.len()) as f64;
    let deviation = |neuron| {
        let codes = || {
            let all = recorded.iter().flat_map(|o| o.codes());
            all.skip(neuron)
                .step_by(neurons.len())
                .map(|&c| f64::from(c))
        };
        let mean = codes().sum::<f64>() / n;
        (codes().map(|code| (code - mean).powi(2)).sum::<f64>() / n).sqrt()
    };
    Ok((0..neurons.len()).map(deviation).collect())
}
