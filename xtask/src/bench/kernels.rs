//! Where instructions go: the parts of the work, each with a floor of its own.
//!
//! Callgrind tells what each address costs; the debug information of the program tells
//! which functions an address lies in, compiled into each other as they may be.

use std::collections::HashMap;
use std::path::Path;

use addr2line::Loader;
use clap::ValueEnum;
use miette::{IntoDiagnostic, miette};

/// A part of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
pub(super) enum Kernel {
    Neurons,
    Synapses,
    Spikes,
    Noise,
    Codes,
    Fabric,
    Encoding,
    Loss,
    Backward,
    Update,
    Writing,
    Library,
    Rest,
}

impl Kernel {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Neurons => "synaptic inputs and membranes",
            Self::Synapses => "events on synapses",
            Self::Spikes => "crossings, releases, on-chip events",
            Self::Noise => "random words and what is drawn from them",
            Self::Codes => "membranes at samples, and their codes",
            Self::Fabric => "fabric",
            Self::Encoding => "encoding",
            Self::Loss => "loss, traces in the learner's units",
            Self::Backward => "backward pass and sums of gradients",
            Self::Update => "Adam, limits of weights",
            Self::Writing => "writing weights",
            Self::Library => "clearing and copying memory (libc)",
            Self::Rest => "the rest",
        }
    }

    /// What an instruction belongs to that lies in these functions of the workspace.
    fn of(frames: &[Frame]) -> Self {
        let belongs = |place: &Place| frames.iter().any(|frame| frame.lies_in(place));
        let found = PLACES.iter().find(|(_, place)| belongs(place));
        found.map_or(Self::Rest, |&(kernel, _)| kernel)
    }
}

/// A part of a file's path, and a function in it; any where it is empty.
type Place = (&'static str, &'static str);

/// The first that fits decides: what is called by another kernel stands before it.
const PLACES: [(Kernel, Place); 30] = [
    (Kernel::Noise, ("bss2-analog/src/noise.rs", "")),
    (Kernel::Noise, ("bss2-event/src/random.rs", "")),
    (Kernel::Codes, ("bss2-analog/src/readout.rs", "")),
    (Kernel::Spikes, ("bss2-analog/src/step/follow.rs", "")),
    (Kernel::Spikes, ("bss2-analog/src/step/recurrence.rs", "")),
    (Kernel::Spikes, ("bss2-analog/src/neuron/pack.rs", "")),
    (Kernel::Spikes, ("bss2-routing/src/deliver.rs", "spike")),
    (
        Kernel::Synapses,
        ("bss2-analog/src/step/advance.rs", "sum_events"),
    ),
    (Kernel::Synapses, ("bss2-analog/src/events.rs", "")),
    (Kernel::Synapses, ("bss2-learn/src/events.rs", "")),
    (Kernel::Neurons, ("bss2-analog/src/step/advance.rs", "")),
    (Kernel::Neurons, ("bss2-analog/src/trial.rs", "")),
    (Kernel::Neurons, ("bss2-learn/src/ideal.rs", "")),
    (Kernel::Writing, ("bss2-routing/src/weights.rs", "")),
    (Kernel::Writing, ("bss2-analog/src/synapse.rs", "")),
    (Kernel::Writing, ("bss2-learn/src/quantise.rs", "")),
    (Kernel::Fabric, ("bss2-routing/src/deliver.rs", "")),
    (Kernel::Fabric, ("bss2-routing/src/link.rs", "")),
    (Kernel::Fabric, ("bss2-routing/src/traffic.rs", "")),
    (Kernel::Fabric, ("bss2-routing/src/compile.rs", "")),
    (Kernel::Encoding, ("bss2-encode/src/", "")),
    (Kernel::Encoding, ("bss2-event/src/spike.rs", "")),
    (Kernel::Backward, ("bss2-learn/src/adjoint.rs", "")),
    (Kernel::Backward, ("bss2-learn/src/gradient.rs", "")),
    (Kernel::Backward, ("bss2-learn/src/bptt.rs", "")),
    (Kernel::Update, ("bss2-learn/src/optim/", "")),
    (Kernel::Update, ("bss2-learn/src/train.rs", "")),
    (Kernel::Loss, ("bss2-learn/src/loss.rs", "")),
    (Kernel::Loss, ("bss2-learn/src/trace.rs", "")),
    (Kernel::Loss, ("bss2/src/chip/worker.rs", "")),
];

/// A function that an address lies in.
struct Frame {
    file: String,
    function: String,
}

impl Frame {
    fn lies_in(&self, (file, function): &Place) -> bool {
        self.file.contains(file) && (function.is_empty() || self.function == *function)
    }
}

/// The name of a function without its path and the types that it is made for, of whichever
/// form: `sum<4>`, `a::sum::<4>`, `<a::T>::sum`.
fn plain(name: &str) -> String {
    let (mut plain, mut depth) = (String::new(), 0);
    for character in name.chars() {
        match character {
            '<' => depth += 1,
            '>' => depth -= 1,
            _ if depth == 0 => plain.push(character),
            _ => {}
        }
    }
    let mut parts = plain.rsplit("::").filter(|part| !part.is_empty());
    parts.next().unwrap_or_default().to_owned()
}

/// Instructions by address of the program, and those of the libraries that it calls.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Costs {
    own: HashMap<u64, f64>,
    library: f64,
}

impl Costs {
    /// Reads what callgrind wrote with `--dump-instr=yes` and nothing compressed.
    pub(super) fn read(text: &str, program: &Path) -> miette::Result<Self> {
        let mut costs = Self::default();
        let (mut own, mut called) = (false, false);
        for line in text.lines() {
            if let Some(object) = line.strip_prefix("ob=") {
                own = Path::new(object) == program;
            } else if line.starts_with("calls=") {
                // The line after it is what the call costs in all, told elsewhere once more.
                called = true;
            } else if let Some(numbers) = line.strip_prefix("0x") {
                if std::mem::take(&mut called) {
                    continue;
                }
                let mut numbers = numbers.split(' ');
                let address = numbers.next().map(|digits| u64::from_str_radix(digits, 16));
                let cost = numbers.nth(1).map(str::parse::<f64>);
                let (Some(Ok(address)), Some(Ok(cost))) = (address, cost) else {
                    return Err(miette!("callgrind wrote `{line}`, not address, line, cost"));
                };
                if own {
                    *costs.own.entry(address).or_default() += cost;
                } else {
                    costs.library += cost;
                }
            }
        }
        if costs.own.is_empty() {
            return Err(miette!("callgrind tells no costs of {}", program.display()));
        }
        Ok(costs)
    }

    /// All of them.
    pub(super) fn sum(&self) -> f64 {
        self.own.values().sum::<f64>() + self.library
    }

    /// What these have more than others, by kernel.
    pub(super) fn by_kernel(
        &self,
        less: &Self,
        program: &Loader,
    ) -> miette::Result<HashMap<Kernel, f64>> {
        let mut sums = HashMap::from([(Kernel::Library, self.library - less.library)]);
        for (&address, &cost) in &self.own {
            let more = cost - less.own.get(&address).copied().unwrap_or(0.0);
            if more == 0.0 {
                continue;
            }
            let mut frames = Vec::new();
            let found = program.find_frames(address);
            let mut found = found.map_err(|error| miette!("debug information: {error}"))?;
            while let Some(frame) = found.next().into_diagnostic()? {
                let file = frame.location.and_then(|location| location.file);
                let name = frame.function.map(|name| name.demangle().map(Into::into));
                let name: Option<String> = name.transpose().into_diagnostic()?;
                frames.push(Frame {
                    file: file.unwrap_or_default().to_owned(),
                    function: plain(&name.unwrap_or_default()),
                });
            }
            *sums.entry(Kernel::of(&frames)).or_default() += more;
        }
        Ok(sums)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_summed_by_address_and_calls_are_not_counted_twice() {
        let text = "positions: instr line\nevents: Ir\n\nob=/bin/it\nfl=a.rs\nfn=a\n0x10 5 7\n\
                    calls=2 0x80 9\n0x11 5 900\nfi=b.rs\n0x10 6 1\n0x14 7 2\nob=libc.so\n0x10 0 30\n";
        let costs = Costs::read(text, Path::new("/bin/it")).unwrap();
        assert_eq!(costs.own, HashMap::from([(0x10, 8.0), (0x14, 2.0)]));
        assert_eq!(costs.library, 30.0);
        assert_eq!(costs.sum(), 40.0);
        assert!(Costs::read("0x10 5", Path::new("")).is_err());
        assert!(Costs::read(text, Path::new("/bin/other")).is_err());
    }

    #[test]
    fn the_first_place_that_fits_any_of_the_functions_decides() {
        let frame = |file: &str, function: &str| Frame {
            file: format!("/home/x/crates/{file}"),
            function: plain(function),
        };
        let step = || frame("bss2-analog/src/step/advance.rs", "bss2::advance<4, true>");
        let core = || frame("core/num/f32.rs", "mul_add");
        let sums = frame("bss2-analog/src/step/advance.rs", "sum_events<4, false>");
        assert_eq!(Kernel::of(&[core(), step()]), Kernel::Neurons);
        assert_eq!(Kernel::of(&[core(), sums, step()]), Kernel::Synapses);
        let noise = frame("bss2-analog/src/noise.rs", "fill_words");
        assert_eq!(Kernel::of(&[noise, step()]), Kernel::Noise);
        assert_eq!(Kernel::of(&[core()]), Kernel::Rest);
        let forms = [
            "sum",
            "a::sum",
            "a::sum<4, b::T>",
            "a::sum::<4>",
            "<a::T<2>>::sum",
        ];
        assert_eq!(forms.map(plain), ["sum"; 5]);
    }

    #[test]
    fn every_place_is_there() {
        for (_, (path, function)) in PLACES {
            let path = crate::tidy::root().join("crates").join(path);
            assert!(path.exists(), "{}", path.display());
            if !function.is_empty() {
                let text = std::fs::read_to_string(&path).unwrap();
                let is_there =
                    ["(", "<"].map(|next| text.contains(&format!("fn {function}{next}")));
                assert!(is_there.contains(&true), "{function}");
            }
        }
    }
}
