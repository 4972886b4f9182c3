//! All measurements on one page.

use bss2_analog::calib::Quantity;
use bss2_analog::{CadcSchedule, VOLTS_PER_LSB};

use super::{Characterisation, quantiles};
use crate::plot::{Figure, Panel, Series, distribution, outline};

const EXCITATORY: usize = 0;
const INHIBITORY: usize = 1;
const REFERENCE: usize = 4;
/// One weight in so many is drawn.
const WEIGHT_STEP: usize = 9;

impl Characterisation {
    /// The page.
    #[must_use]
    pub fn figure(&self) -> Figure {
        let mut panels = vec![
            self.traces(),
            self.amplitudes(),
            self.linearity(),
            self.rates(),
        ];
        for (quantity, title) in [
            (Quantity::Leak, "Resting potential"),
            (Quantity::Threshold, "Spike threshold"),
            (Quantity::TauMem, "Membrane time constant"),
            (Quantity::TauSynExc, "Excitatory time constant"),
            (Quantity::TauSynInh, "Inhibitory time constant"),
        ] {
            panels.extend(self.quantity(quantity, title));
        }
        panels.extend([self.noise(), self.transfer(), self.spike_times()]);
        Figure {
            title: self.label.clone(),
            panels,
        }
    }

    fn traces(&self) -> Panel {
        let mut series = Vec::new();
        for (responses, (name, color)) in self.responses.iter().zip(SIGNS) {
            let period = responses.period.as_micro();
            for (weight, trace) in responses.traces.iter().enumerate() {
                if weight % WEIGHT_STEP != 0 || weight == 0 {
                    continue;
                }
                let last = weight + WEIGHT_STEP > responses.traces.len() - 1;
                let points = trace.iter().enumerate();
                let points = points.map(|(sample, code)| (period * sample as f64, *code));
                series.push(Series::line(
                    if last { name } else { "" },
                    color,
                    points.collect(),
                ));
            }
        }
        Panel::fitting(
            "Response to one input of weight 9, 18 .. 63",
            "time after the event / us",
            "membrane from rest / LSB",
            series,
        )
    }

    fn amplitudes(&self) -> Panel {
        let mut series = Vec::new();
        for (responses, (name, color)) in self.responses.iter().zip(SIGNS) {
            let size = |of: &Vec<f64>| quantiles(&of.iter().map(|a| a.abs()).collect::<Vec<_>>());
            let sizes: Vec<_> = responses.amplitudes.iter().map(size).collect();
            series.extend(bands(name, color, &sizes, |weight| weight as f64));
        }
        Panel::fitting(
            "Amplitude: median, and 90 % of the neurons",
            "weight",
            "amplitude / LSB",
            series,
        )
    }

    fn linearity(&self) -> Panel {
        let line = |(responses, (name, color)): (&super::Responses, (&str, usize))| {
            let points = responses.nonlinearity().into_iter().enumerate();
            Series::line(name, color, points.map(|(w, d)| (w as f64, d)).collect())
        };
        Panel::fitting(
            "Linearity of the weights",
            "weight",
            "distance from a line / % of full scale",
            self.responses.iter().zip(SIGNS).map(line).collect(),
        )
    }

    fn rates(&self) -> Panel {
        let nano = |step: usize| 1e9 * self.rates.current[step].get();
        let kilo = |[a, b, c]: [bss2_event::Hertz; 3]| [a, b, c].map(|rate| 1e-3 * rate.get());
        let rates: Vec<_> = self.rates.quantiles().into_iter().map(kilo).collect();
        let mut series: Vec<_> = bands("neurons", EXCITATORY, &rates, nano).collect();
        let expected = self.rates.expected.iter().enumerate();
        let expected = expected.map(|(step, rate)| (nano(step), 1e-3 * rate.get()));
        series.push(Series::line("closed form", INHIBITORY, expected.collect()).dashed());
        Panel::fitting(
            "Firing rate: median, and 90 % of the neurons",
            "offset current / nA",
            "firing rate / kHz",
            series,
        )
    }

    fn quantity(&self, quantity: Quantity, title: &str) -> Option<Panel> {
        let after = self.after.get(quantity)?;
        let before = self.before.get(quantity).map_or(&[][..], |m| &m.reached);
        Some(Panel {
            title: title.into(),
            ..distribution(before, after)
        })
    }

    fn noise(&self) -> Panel {
        let [_, low, high] = quantiles(&self.trace_noise);
        // Membranes of an ideal chip may be without any.
        let range = (0.7 * low, 1.3 * high.max(0.1));
        Panel {
            x_range: range,
            ..Panel::fitting(
                "Noise of a membrane at rest",
                "standard deviation / LSB",
                "neurons",
                vec![outline("", EXCITATORY, &self.trace_noise, range)],
            )
        }
    }

    fn transfer(&self) -> Panel {
        let volts = |step: usize| self.transfer.voltage[step].get();
        let ideal = |step: usize| (volts(step) / VOLTS_PER_LSB).min(255.0);
        let codes = self.transfer.codes.iter().enumerate();
        let distances: Vec<_> = codes
            .map(|(step, codes)| codes.map(|code| code - ideal(step)))
            .collect();
        let series = bands("channels", EXCITATORY, &distances, volts);
        Panel::fitting(
            "CADC: median, and 90 % of the channels",
            "voltage / V",
            "code from the ideal one / LSB",
            series.collect(),
        )
    }

    fn spike_times(&self) -> Panel {
        let period = 1e3 * CadcSchedule::default().period.as_micro();
        let at = |steps: usize| period / steps as f64;
        let line = |name, color, of: &dyn Fn(&[f64]) -> f64| {
            let grids = self.spike_times.iter();
            let points = grids.map(|grid| (at(grid.steps_per_sample), of(&grid.errors)));
            let seen = points.filter(|(_, error)| *error > 0.0);
            Series::line(name, color, seen.collect())
        };
        let mut series = vec![
            line("median", EXCITATORY, &|errors| quantiles(errors)[0]),
            line("95 %", INHIBITORY, &|errors| quantiles(errors)[2]),
        ];
        let all: Vec<f64> = series.iter().flat_map(|s| &s.points).map(|p| p.1).collect();
        let low = all.iter().copied().fold(1.0, f64::min) / 2.0;
        let high = all.iter().copied().fold(1.0, f64::max) * 2.0;
        let own = at(self.steps_per_sample);
        series.push(Series::line("grid in use", REFERENCE, vec![(own, low), (own, high)]).dashed());
        let steps = self
            .spike_times
            .iter()
            .map(|grid| at(grid.steps_per_sample));
        let (fine, coarse) = steps.fold((own, own), |(f, c), s| (f.min(s), c.max(s)));
        Panel {
            title: "Spike times against float64 at 1 ns".into(),
            x_label: "grid / ns".into(),
            y_label: "error / ns".into(),
            x_range: (fine / 1.3, coarse * 1.3),
            y_range: (low, high),
            logarithmic: (true, true),
            series,
        }
    }
}

/// Names and colours of both signs.
const SIGNS: [(&str, usize); 2] = [("excitatory", EXCITATORY), ("inhibitory", INHIBITORY)];

/// Median as a line, the limits of 90 % dashed.
fn bands<'a>(
    name: &'a str,
    color: usize,
    values: &'a [[f64; 3]],
    x: impl Fn(usize) -> f64 + Copy + 'a,
) -> impl Iterator<Item = Series> + 'a {
    (0..3).map(move |which| {
        let points = values.iter().enumerate().map(|(i, of)| (x(i), of[which]));
        let line = Series::line(if which == 0 { name } else { "" }, color, points.collect());
        if which == 0 { line } else { line.dashed() }
    })
}
