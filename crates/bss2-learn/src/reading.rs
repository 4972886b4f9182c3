//! Spikes, readout and loss of recorded samples.

use bss2_event::SimdPath;
use bss2_event::random::Address;

use crate::adjoint::Adjoint;
use crate::bptt::{Objective, RecordedBatch};
use crate::loss::SampleLoss;
use crate::network::NetworkShape;
use crate::real::Real;
use crate::regulariser::LossTerms;

/// What is read out of a batch, and how.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'a, T> {
    pub(crate) shape: NetworkShape,
    pub(crate) path: SimdPath,
    pub(crate) objective: &'a Objective,
    pub(crate) batch: RecordedBatch<'a, T>,
    /// Where draws among equal maxima are addressed.
    pub(crate) ties: Option<Address>,
}

/// Counted over some samples.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    /// Without the terms of weights.
    pub(crate) loss: LossTerms,
    /// Samples whose label was predicted.
    pub(crate) correct: usize,
    pub(crate) hidden_spikes: u64,
}

impl Tally {
    pub(crate) fn plus(self, other: &Self) -> Self {
        let (a, b) = (self.loss, other.loss);
        Self {
            loss: LossTerms {
                nll: a.nll + b.nll,
                bursts: a.bursts + b.bursts,
                weights: a.weights + b.weights,
                readout: a.readout + b.readout,
                homeostatic: a.homeostatic + b.homeostatic,
            },
            correct: self.correct + other.correct,
            hidden_spikes: self.hidden_spikes + other.hidden_spikes,
        }
    }
}

impl<T: Real> Reading<'_, T> {
    /// Reads out neighbouring samples of which the first one's place in the batch is `first`.
    /// `then` goes on with each while it is in a near cache and its spikes are in `adjoint`.
    pub(crate) fn read(
        &self,
        first: usize,
        samples: &mut [SampleLoss<T>],
        adjoint: &mut Adjoint<T>,
        mut then: impl FnMut(usize, &SampleLoss<T>, &mut Adjoint<T>),
    ) -> Tally {
        let (shape, batch, share) = (self.shape, self.batch, self.batch.share());
        let (hidden, outputs) = (shape.hidden.max(1) as f64, shape.outputs.max(1) as f64);
        let (config, terms) = (&self.objective.loss, &self.objective.regularisers);
        let score_slope = 2.0 * terms.readout * share / outputs;
        let mut tally = Tally::default();
        let places = first..first + samples.len();
        // What was recorded last is still in a near cache.
        for (i, loss) in places.zip(samples).rev() {
            let id = batch.inputs.sample(i).id();
            let presentation = batch.inputs.presentation();
            let ties = (self.ties).map(|ties| ties.sample(id).presentation(presentation));
            let mut squared_counts = 0.0;
            self.path.dispatch(
                #[inline(always)]
                || {
                    let traces = batch.recording.sample_traces(i);
                    let (spikes, neurons) = (batch.recording.sample_spikes(i), shape.neurons());
                    squared_counts = adjoint.collect(spikes, shape.hidden, neurons);
                    loss.read(config, traces, neurons, shape.hidden, ties);
                },
            );
            let label = usize::from(batch.labels[i]);
            loss.weigh(config, label, share, score_slope);
            let spikes = adjoint.hidden_spikes();
            let excess = terms.excess(spikes);
            tally.hidden_spikes += spikes;
            tally.correct += usize::from(loss.prediction == label);
            tally.loss.nll += loss.nll * share;
            tally.loss.bursts += terms.bursts * squared_counts * share / hidden;
            tally.loss.readout += terms.readout * loss.squared_scores * share / outputs;
            tally.loss.homeostatic += terms.homeostatic * excess * excess * share;
            then(i, loss, adjoint);
        }
        tally
    }
}
