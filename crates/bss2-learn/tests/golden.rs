//! Values and gradients of the authors' code in float64.
//!
//! Tolerances are relative to an array's largest magnitude: 1e-12 for values
//! and gradients alike, since only the order of sums differs; in float32 1e-5
//! for traces, away from where a spike is decided otherwise.

mod support;

use bss2_event::{Recording, Seconds, SpikeBatch, TimeGrid};
use bss2_learn::{
    Bptt, Ideal, LossConfig, LossTerms, NetworkShape, NeuronModel, Objective, PassWeights, Readout,
    RecordedBatch, Regularisers, Reset, Surrogate, Weights,
};
use nalgebra::DMatrix;
use support::golden::Golden;
use support::{batch_from_bins, relative_error};

const TOLERANCE: f64 = 1e-12;

struct Case {
    golden: Golden,
    shape: NetworkShape,
    grid: TimeGrid,
    batch: SpikeBatch,
    labels: Vec<u8>,
    weights: Weights<f64>,
    objective: Objective,
    keep: Option<Vec<f64>>,
}

impl Case {
    fn open(name: &str) -> Option<Self> {
        let golden = Golden::open(name)?;
        let recurrent = golden.has("w_recurrent");
        let weights = Weights {
            hidden: golden.matrix(if recurrent { "w_input" } else { "w_hidden" }),
            recurrent: recurrent.then(|| golden.matrix("w_recurrent")),
            output: golden.matrix("w_output"),
        };
        let shape = NetworkShape {
            inputs: weights.hidden.ncols(),
            hidden: weights.hidden.nrows(),
            outputs: weights.output.nrows(),
            recurrent,
        };
        let grid = TimeGrid {
            steps: golden.shape("input_spikes")[1],
            dt: Seconds::new(golden.scalar("dt")),
        };
        let objective = Objective {
            model: NeuronModel {
                tau_mem: Seconds::new(golden.scalar("tau_mem")),
                tau_syn: Seconds::new(golden.scalar("tau_syn")),
            },
            surrogate: Surrogate::SuperSpike {
                beta: golden.scalar("surrogate_scale"),
            },
            loss: LossConfig {
                readout: if golden.has("output_sum") {
                    Readout::SumOverTime
                } else {
                    Readout::MaxOverTime
                },
                scaling: golden.scalar("readout_scaling"),
                random_ties: false,
                label_smoothing: 0.0,
            },
            regularisers: Regularisers {
                bursts: golden.scalar("reg_bursts"),
                weights_hidden: golden.scalar("reg_weights_hidden"),
                readout: golden.scalar("reg_readout"),
                homeostatic: golden.scalar("reg_homeostatic"),
                theta_homeostatic: golden.scalar("theta_homeostatic"),
                ..Regularisers::NONE
            },
        };
        Some(Self {
            shape,
            grid,
            batch: batch_from_bins(&golden.bytes("input_spikes"), shape.inputs, grid),
            labels: golden.bytes("labels"),
            keep: golden
                .has("dropout_mask")
                .then(|| golden.values("dropout_mask").to_vec()),
            weights,
            objective,
            golden,
        })
    }

    /// Weights as a substrate gets them.
    fn written(&self) -> Weights<f64> {
        let mut written = self.weights.clone();
        if let Some(keep) = &self.keep {
            for (mut row, keep) in written.hidden.row_iter_mut().zip(keep) {
                row *= *keep;
            }
        }
        written
    }

    fn forward(&self) -> Recording<f64> {
        let mut ideal = Ideal::new(
            self.shape,
            self.grid,
            &self.objective.model,
            Reset::Subtract,
        )
        .unwrap();
        ideal.load(&self.written()).unwrap();
        let mut recording = Recording::default();
        ideal.forward(&self.batch, &mut recording).unwrap();
        recording
    }

    /// The recording that the file holds.
    fn injected(&self, prefix: &str) -> Recording<f64> {
        let shape = self.shape;
        let mut recording = Recording::new(self.batch.len(), self.grid.steps, shape.neurons());
        let (traces, spikes) = recording.parts_mut();
        let hidden = self.golden.values(&format!("{prefix}hidden_traces"));
        let fired = self.golden.bytes(&format!("{prefix}hidden_spikes"));
        let output = self.golden.values(&format!("{prefix}output_traces"));
        for row in 0..self.batch.len() * self.grid.steps {
            let (h, o) = (shape.hidden, shape.outputs);
            let at = row * shape.neurons();
            traces[at..at + h].copy_from_slice(&hidden[row * h..][..h]);
            spikes[at..at + h].copy_from_slice(&fired[row * h..][..h]);
            traces[at + h..at + h + o].copy_from_slice(&output[row * o..][..o]);
        }
        recording
    }

    fn check_loss_and_gradient(&self, recording: &Recording<f64>) {
        let mut bptt = Bptt::new(self.shape);
        let mut gradient = Weights::zeros(self.shape);
        let terms = bptt
            .gradient(
                &self.objective,
                PassWeights {
                    weights: &self.weights,
                    keep: self.keep.as_deref(),
                },
                RecordedBatch {
                    inputs: &self.batch,
                    labels: &self.labels,
                    recording,
                    grid: self.grid,
                },
                None,
                &mut gradient,
            )
            .unwrap();
        self.check_terms(&terms);
        let readouts: Vec<f64> = bptt.samples().flat_map(|s| s.readout.clone()).collect();
        if self.objective.loss.readout == Readout::SumOverTime {
            self.check("output_sum", &readouts);
        } else {
            self.check("output_max", &readouts);
            let argmax = bptt.samples().flat_map(|s| s.argmax.clone());
            let argmax: Vec<f64> = argmax.map(f64::from).collect();
            assert_eq!(argmax, self.golden.values("output_argmax_t"));
        }
        let hidden = if self.shape.recurrent {
            "grad_w_input"
        } else {
            "grad_w_hidden"
        };
        self.check_matrix(hidden, &gradient.hidden);
        self.check_matrix("grad_w_output", &gradient.output);
        if let Some(recurrent) = &gradient.recurrent {
            self.check_matrix("grad_w_recurrent", recurrent);
        }
    }

    fn check_terms(&self, terms: &LossTerms) {
        for (name, value) in [
            ("loss_nll", terms.nll),
            ("loss_reg_bursts", terms.bursts),
            ("loss_reg_weights", terms.weights),
            ("loss_reg_readout", terms.readout),
            ("loss_reg_homeostatic", terms.homeostatic),
            ("loss_total", terms.total()),
        ] {
            if self.golden.has(name) {
                self.check(name, &[value]);
            } else {
                assert_eq!(value, 0.0, "{name}");
            }
        }
    }

    fn check(&self, name: &str, found: &[f64]) {
        let error = relative_error(found, self.golden.values(name));
        assert!(error < TOLERANCE, "{name}: {error}");
    }

    fn check_matrix(&self, name: &str, found: &DMatrix<f64>) {
        // Golden matrices are stored by row.
        self.check(name, found.transpose().as_slice());
    }
}

fn check_own_forward(name: &str) {
    let Some(case) = Case::open(name) else { return };
    let recording = case.forward();
    let wanted = case.injected("");
    assert_eq!(recording.spikes(), wanted.spikes());
    let error = relative_error(recording.traces(), wanted.traces());
    assert!(error < TOLERANCE, "traces: {error}");
    case.check_loss_and_gradient(&recording);
    // The model's own traces and spikes, injected.
    case.check_loss_and_gradient(&wanted);
}

/// Single precision: no spike is decided otherwise, since no membrane comes
/// nearer to threshold than 3e-5; traces to 1e-5 of the largest, gradients to
/// 1e-4 of the largest.
#[test]
fn single_precision_is_near() {
    for name in ["ff_soft", "ff_interp2", "ff_dropout", "rec_soft"] {
        let Some(case) = Case::open(name) else { return };
        let narrow = |w: &DMatrix<f64>| w.map(|v| v as f32);
        let of = |w: &Weights<f64>| Weights {
            hidden: narrow(&w.hidden),
            recurrent: w.recurrent.as_ref().map(narrow),
            output: narrow(&w.output),
        };
        let mut ideal = Ideal::<f32>::new(
            case.shape,
            case.grid,
            &case.objective.model,
            Reset::Subtract,
        )
        .unwrap();
        ideal.load(&of(&case.written())).unwrap();
        let mut recording = Recording::default();
        ideal.forward(&case.batch, &mut recording).unwrap();
        let wanted = case.injected("");
        assert_eq!(recording.spikes(), wanted.spikes(), "{name}");
        let traces: Vec<f64> = recording.traces().iter().map(|&v| v.into()).collect();
        let error = relative_error(&traces, wanted.traces());
        assert!(error < 1e-5, "{name} traces: {error}");

        let keep: Option<Vec<f32>> =
            (case.keep.as_ref()).map(|keep| keep.iter().map(|&k| k as f32).collect());
        let mut gradient = Weights::zeros(case.shape);
        Bptt::new(case.shape)
            .gradient(
                &case.objective,
                PassWeights {
                    weights: &of(&case.weights),
                    keep: keep.as_deref(),
                },
                RecordedBatch {
                    inputs: &case.batch,
                    labels: &case.labels,
                    recording: &recording,
                    grid: case.grid,
                },
                None,
                &mut gradient,
            )
            .unwrap();
        let wide =
            |g: &DMatrix<f32>| -> Vec<f64> { g.transpose().iter().map(|&v| v.into()).collect() };
        let error = relative_error(&wide(&gradient.output), case.golden.values("grad_w_output"));
        assert!(error < 1e-4, "{name} output gradient: {error}");
        let hidden = if case.shape.recurrent {
            "grad_w_input"
        } else {
            "grad_w_hidden"
        };
        let error = relative_error(&wide(&gradient.hidden), case.golden.values(hidden));
        assert!(error < 1e-4, "{name} hidden gradient: {error}");
        assert_eq!(gradient.recurrent.is_some(), case.shape.recurrent);
        if let Some(recurrent) = &gradient.recurrent {
            let error = relative_error(&wide(recurrent), case.golden.values("grad_w_recurrent"));
            assert!(error < 1e-4, "{name} recurrent gradient: {error}");
        }
    }
}

#[test]
fn feed_forward() {
    check_own_forward("ff_soft");
}

#[test]
fn feed_forward_on_a_finer_grid() {
    check_own_forward("ff_interp2");
}

#[test]
fn feed_forward_with_dropout_and_readout_regulariser() {
    check_own_forward("ff_dropout");
}

#[test]
fn recurrent() {
    check_own_forward("rec_soft");
}

#[test]
fn feed_forward_injected() {
    if let Some(case) = Case::open("ff_injected") {
        case.check_loss_and_gradient(&case.injected("injected_"));
    }
}

#[test]
fn recurrent_injected() {
    if let Some(case) = Case::open("rec_injected") {
        case.check_loss_and_gradient(&case.injected("injected_"));
    }
}
