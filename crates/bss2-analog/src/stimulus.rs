//! Experiments on neurons without a network: events on synapse rows.

use bss2_event::{NeuronCircuits, RangeError, RowMode, Seconds, Seed, Site, SiteTable};
use rayon::prelude::*;

use crate::core::{AnalogCore, Network};
use crate::error::AnalogError;
use crate::integration::Integration;
use crate::lowered::{RunAddress, Start};
use crate::observation::Observation;
use crate::step::Workspace;
use crate::synapse::SYNAPSES;

/// A synapse row of both halves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// What it adds.
    pub mode: RowMode,
    /// Weight of its synapses, 0..=63.
    pub weight: u8,
    /// Whether its events reach the joined circuit of every neuron, which has time
    /// constants and strengths of its own, in place of the membrane's.
    pub partner: bool,
}

/// What neurons are given while they are recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Stimulus {
    /// Circuits of each neuron.
    pub neurons: Vec<NeuronCircuits>,
    /// The first rows of both halves; all others are silent. An event on a row
    /// reaches one circuit of every neuron.
    pub rows: Vec<Row>,
    /// When an event arrives, and on which of the rows; in any order.
    pub events: Vec<(Seconds, u16)>,
    /// State at the beginning.
    pub start: Start,
    /// What is sampled, and how time is advanced.
    pub integration: Integration,
}

impl Default for Stimulus {
    /// No events, and each of the 512 circuits a neuron of its own.
    fn default() -> Self {
        Self {
            neurons: (0..Site::CIRCUITS as u16)
                .map(NeuronCircuits::single)
                .collect(),
            rows: Vec::new(),
            events: Vec::new(),
            start: Start::default(),
            integration: Integration::default(),
        }
    }
}

impl Stimulus {
    /// Records a number of trials on a chip as it is set. Every trial of every
    /// `run` meets its own noise.
    ///
    /// # Errors
    /// More than 256 rows, weights above 63, events on rows that do not exist, rows
    /// that reach the joined circuits of neurons without; as [`AnalogCore::lower`].
    pub fn record(
        &self,
        core: &AnalogCore,
        run: Seed,
        trials: u64,
    ) -> Result<Vec<Observation>, AnalogError> {
        let rows = self.rows.len();
        // Without rows there is none for an event.
        let least = if self.events.is_empty() { 0.0 } else { 1.0 };
        RangeError::check("rows", rows as f64, least, Site::ROWS as f64, "")?;
        let mut row_modes = [RowMode::Disabled; 2 * Site::ROWS];
        let mut weights = vec![0; SYNAPSES];
        for (row, Row { mode, weight, .. }) in self.rows.iter().enumerate() {
            RangeError::check("weight", (*weight).into(), 0.0, 63.0, "")?;
            for row in [row, Site::ROWS + row] {
                row_modes[row] = *mode;
                weights[row * Site::COLUMNS..][..Site::COLUMNS].fill(*weight);
            }
        }
        let mut events = self.events.clone();
        events.sort_by(|a, b| a.0.get().total_cmp(&b.0.get()));
        for (time, row) in &events {
            let last = rows as f64 - 1.0;
            RangeError::check("row of an event", (*row).into(), 0.0, last, "")?;
            RangeError::check("time of an event", time.as_micro(), 0.0, 1e9, "us")?;
        }
        let (times, sources): (Vec<f64>, Vec<u16>) =
            events.iter().map(|(time, row)| (time.get(), *row)).unzip();
        let sites = self.sites()?;
        let network = Network {
            neurons: &self.neurons,
            sites: &sites,
            row_modes: &row_modes,
        };
        let mut lowered = core.lower(&network, &self.integration)?;
        lowered.write_weights(&weights)?;
        lowered.set_start(self.start);
        let record = |workspace: &mut Workspace, trial| {
            let address = RunAddress::new(core.chip(), run, trial, 0);
            let mut observation = Observation::default();
            lowered.run(
                address,
                &times,
                &sources,
                |_, _| None,
                workspace,
                &mut observation,
            );
            observation
        };
        let trials = (0..trials).into_par_iter();
        Ok(trials.map_init(Workspace::default, record).collect())
    }

    /// Source `r` reaches row `r` of one circuit of each neuron.
    fn sites(&self) -> Result<SiteTable, AnalogError> {
        let mut per_source = Vec::with_capacity(self.rows.len() + self.neurons.len());
        for (row, Row { partner, .. }) in self.rows.iter().enumerate() {
            let row = row as u16;
            let site = |(neuron, circuits): (usize, &NeuronCircuits)| {
                let circuit = match partner {
                    false => Some(circuits.membrane),
                    true => circuits.partner,
                };
                let circuit = circuit.ok_or(AnalogError::NoPartner { row, neuron })?;
                Ok(Site { circuit, row })
            };
            let reached: Result<Vec<_>, AnalogError> =
                self.neurons.iter().enumerate().map(site).collect();
            per_source.push(reached?);
        }
        per_source.resize(per_source.len() + self.neurons.len(), Vec::new());
        Ok(SiteTable::new(self.rows.len(), per_source)?)
    }
}

#[cfg(test)]
mod tests {
    use bss2_event::CapMemCode;

    use super::*;
    use crate::{Cell, MismatchProfile};

    fn codes(weight: u8, events: &[(Seconds, u16)]) -> Result<Vec<f32>, AnalogError> {
        let core = AnalogCore::new(MismatchProfile::ideal(), Seed(1))?;
        let row = |mode| Row {
            mode,
            weight,
            partner: false,
        };
        let stimulus = Stimulus {
            neurons: vec![NeuronCircuits::single(300), NeuronCircuits::single(7)],
            rows: vec![row(RowMode::Excitatory), row(RowMode::Inhibitory)],
            events: events.to_vec(),
            ..Stimulus::default()
        };
        Ok(stimulus.record(&core, Seed(0), 1)?[0].codes().to_vec())
    }

    #[test]
    fn rows_act_on_both_halves_by_their_sign_and_in_any_order() {
        let at = |time, row| (Seconds::micro(time), row);
        let rest = codes(63, &[]).unwrap();
        let [up, down] = [0, 1].map(|row| codes(63, &[at(5.0, row)]).unwrap());
        let last = rest.len() - 10;
        for n in last..last + 2 {
            assert!(up[n] > rest[n] + 1.0 && down[n] < rest[n] - 1.0);
        }
        let both = codes(63, &[at(9.0, 1), at(5.0, 0)]).unwrap();
        assert_eq!(both, codes(63, &[at(5.0, 0), at(9.0, 1)]).unwrap());
        assert_ne!(both, up);
    }

    #[test]
    fn events_need_rows() {
        let core = AnalogCore::new(MismatchProfile::ideal(), Seed(1)).unwrap();
        let stimulus = Stimulus {
            neurons: vec![NeuronCircuits::single(0)],
            events: vec![(Seconds::micro(5.0), 0)],
            ..Stimulus::default()
        };
        let error = stimulus.record(&core, Seed(0), 1).unwrap_err();
        assert_eq!(error.to_string(), "rows is 0, allowed are 1 to 256");
    }

    #[test]
    fn a_row_reaches_the_input_of_the_circuit_that_it_names() {
        let mut core = AnalogCore::new(MismatchProfile::ideal(), Seed(1)).unwrap();
        let quick = CapMemCode::saturating(400);
        core.capmem_mut().set(Cell::IBiasSyninExcTau, 1, quick);
        let stimulus = |partner, neuron| Stimulus {
            neurons: vec![neuron],
            rows: vec![Row {
                mode: RowMode::Excitatory,
                weight: 63,
                partner,
            }],
            events: vec![(Seconds::micro(5.0), 0)],
            ..Stimulus::default()
        };
        let joined = NeuronCircuits {
            membrane: 0,
            partner: Some(1),
        };
        let peak = |partner| {
            let recorded = stimulus(partner, joined).record(&core, Seed(0), 1).unwrap();
            let codes = recorded[0].codes();
            let highest = codes.iter().copied().fold(0.0, f32::max);
            let lift = highest - codes[0];
            (
                lift,
                codes.iter().position(|&code| code == highest).unwrap(),
            )
        };
        let (own, partner) = (peak(false), peak(true));
        assert!(own.0 > 5.0 && partner.0 > 1.0, "{own:?} {partner:?}");
        assert!(
            partner.1 < own.1,
            "the joined circuit's current is over sooner"
        );

        let single = stimulus(true, NeuronCircuits::single(4));
        let error = single.record(&core, Seed(0), 1).unwrap_err().to_string();
        assert!(
            error.contains("row 0") && error.contains("neuron 0"),
            "{error}"
        );
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let error = |result: Result<Vec<f32>, AnalogError>| result.unwrap_err().to_string();
        assert!(error(codes(64, &[])).contains("weight is 64"));
        let event = error(codes(1, &[(Seconds::micro(1.0), 2)]));
        assert!(event.contains("row of an event is 2"), "{event}");
        let event = error(codes(1, &[(Seconds::micro(f64::NAN), 0)]));
        assert!(event.contains("time of an event"), "{event}");
        let mut stimulus = Stimulus::default();
        stimulus.neurons[0].membrane = 512;
        let core = AnalogCore::new(MismatchProfile::ideal(), Seed(1)).unwrap();
        let circuit = stimulus.record(&core, Seed(0), 1).unwrap_err().to_string();
        assert!(circuit.contains("512"), "{circuit}");
    }
}
