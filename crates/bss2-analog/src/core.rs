//! Every setting of the analog core of one chip.

use std::sync::Arc;

use bss2_event::random::{Address, Domain};
use bss2_event::{NeuronCircuits, RangeError, RowMode, Seconds, Seed, Site, SiteTable, Volts};

use crate::cadc::{Cadc, VOLTS_PER_LSB, bend, bend_strength};
use crate::capmem::{CapMem, Cell, VOLTS_PER_CODE};
use crate::circuit::{self, CircuitConfig, CircuitParameters, NominalCodes};
use crate::error::AnalogError;
use crate::integration::{Grid, Integration};
use crate::lowered::{LoweredCore, RunAddress};
use crate::measured::MeasuredChip;
use crate::mismatch::FixedPattern;
use crate::neuron::lif::LaneParameters;
use crate::neuron::terms::Terms;
use crate::profile::MismatchProfile;
use crate::synapse::{SynapseTable, Target};

/// The part of a chip that a network uses.
#[derive(Debug, Clone, Copy)]
pub struct Network<'a> {
    /// Circuits of each neuron; all neurons have the same number.
    pub neurons: &'a [NeuronCircuits],
    /// Synapses that each source reaches: inputs first, then the neurons.
    pub sites: &'a SiteTable,
    /// `[half][row]`: what each of the 512 rows adds.
    pub row_modes: &'a [RowMode],
}

/// The analog core of one chip: what its user can set, and the deviations that
/// its user cannot see.
#[derive(Debug, Clone)]
pub struct AnalogCore {
    chip: Seed,
    profile: MismatchProfile,
    pub(crate) pattern: FixedPattern,
    capmem: CapMem,
    cadc: Cadc,
    circuits: Vec<CircuitConfig>,
    age: Seconds,
    /// The measured chip whose neurons these are.
    measured: Option<Arc<MeasuredChip>>,
}

impl AnalogCore {
    /// A chip at nominal codes.
    ///
    /// # Errors
    /// When the profile is not valid.
    pub fn new(profile: MismatchProfile, chip: Seed) -> Result<Self, AnalogError> {
        let pattern = FixedPattern::draw(&profile, chip)?;
        Ok(Self {
            chip,
            profile,
            pattern,
            capmem: CapMem::default(),
            cadc: Cadc::default(),
            circuits: vec![CircuitConfig::default(); Site::CIRCUITS],
            age: Seconds::new(0.0),
            measured: None,
        })
    }

    /// A chip whose neurons are those of a measured one, at its codes. What was not
    /// measured is drawn as for any other chip: synapses, gains, noise.
    ///
    /// # Errors
    /// When the profile or the measurement is not valid.
    pub fn measured(
        profile: MismatchProfile,
        chip: Seed,
        measured: &MeasuredChip,
    ) -> Result<Self, AnalogError> {
        measured.validate()?;
        let mut core = Self::new(profile, chip)?;
        measured.impose(&mut core);
        core.measured = Some(Arc::new(measured.clone()));
        Ok(core)
    }

    /// Seed that the chip was drawn from.
    #[must_use]
    pub fn chip(&self) -> Seed {
        self.chip
    }
    /// Profile that the chip was drawn from.
    #[must_use]
    pub fn profile(&self) -> &MismatchProfile {
        &self.profile
    }
    /// Switches everything off that differs from run to run.
    pub(crate) fn silence(&mut self) {
        let quiet = MismatchProfile::ideal();
        self.profile.noise = quiet.noise;
        self.profile.capmem.refresh_voltage = quiet.capmem.refresh_voltage;
        self.profile.capmem.refresh_current = quiet.capmem.refresh_current;
    }
    /// Codes of all cells.
    #[must_use]
    pub fn capmem(&self) -> &CapMem {
        &self.capmem
    }
    /// Codes of all cells, to set them.
    pub fn capmem_mut(&mut self) -> &mut CapMem {
        &mut self.capmem
    }
    /// The CADC.
    #[must_use]
    pub fn cadc(&self) -> &Cadc {
        &self.cadc
    }
    /// The CADC, to set it.
    pub fn cadc_mut(&mut self) -> &mut Cadc {
        &mut self.cadc
    }
    /// Digital settings of all circuits.
    #[must_use]
    pub fn circuits(&self) -> &[CircuitConfig] {
        &self.circuits
    }
    /// Digital settings of all circuits, to set them.
    pub fn circuits_mut(&mut self) -> &mut [CircuitConfig] {
        &mut self.circuits
    }

    /// The measured chip whose neurons these are, if they were not drawn.
    #[must_use]
    pub fn measured_chip(&self) -> Option<&MeasuredChip> {
        self.measured.as_deref()
    }
    /// How long ago the potentials of the circuits were what their curves say.
    #[must_use]
    pub fn age(&self) -> Seconds {
        self.age
    }
    /// Lets time pass: each potential drifts in a direction and at a rate of its own,
    /// see [`NoiseProfile::drift`](crate::NoiseProfile::drift). Zero, the default, is
    /// the moment of calibration.
    pub fn set_age(&mut self, age: Seconds) {
        self.age = age;
    }

    /// What the codes of a circuit stand for: beside each code by the uncertainty of
    /// its last write, through the curve of its cell, plus its drift. A cell that was not written
    /// since the memory came up is exactly there.
    pub(crate) fn nominal_codes(&self, circuit: u16) -> NominalCodes {
        let address = Address::new(self.chip, Domain::CapMemWrite);
        let write = self.profile.capmem.write;
        let drift = Address::new(self.chip, Domain::Drift);
        let lsb = self.profile.noise.drift * self.age.get() / 3600.0;
        let curves = &self.pattern.curves[usize::from(circuit)];
        NominalCodes(Cell::ALL.map(|cell| {
            let code = f64::from(self.capmem.get(cell, circuit).get());
            let writes = self.capmem.writes(cell, circuit);
            let beside = if write > 0.0 && writes > 0 {
                let element = u32::from(circuit) * Cell::ALL.len() as u32 + cell as u32;
                let draw = address.element(element);
                write * (2.0 * draw.uniform(writes) - 1.0)
            } else {
                0.0
            };
            let drift = if lsb > 0.0 && cell.is_potential() {
                let rate = drift.element(circuit.into()).normal(cell as u32);
                rate * lsb * VOLTS_PER_LSB / VOLTS_PER_CODE
            } else {
                0.0
            };
            curves[cell as usize].at(code + beside) + drift
        }))
    }

    /// What the 512 channels read, on average over `reads`, when their inputs are
    /// connected to a known voltage instead of a membrane.
    #[must_use]
    pub fn read_reference(&self, voltage: Volts, run: Seed, reads: usize) -> Vec<f64> {
        let run = RunAddress::new(self.chip, run, 0, RunAddress::CALIBRATIONS);
        let address = Address::new(run.seed, Domain::CadcNoise).presentation(run.presentation);
        let strength = bend_strength(self.profile.cadc.bend);
        (0..Site::CIRCUITS)
            .map(|channel| {
                let (scale, offset) = self.cadc.transfer(&self.pattern, channel as u16);
                let read = |draw: usize| {
                    let noise = address.element(channel as u32).normal(draw as u32);
                    let code = scale * voltage.get() + offset + self.profile.cadc.noise * noise;
                    let code = f64::from(bend(code as f32, strength));
                    if self.profile.cadc.quantise {
                        code.round().clamp(0.0, 255.0)
                    } else {
                        code
                    }
                };
                (0..reads).map(read).sum::<f64>() / reads as f64
            })
            .collect()
    }

    /// Compiles the settings for a network. Weights are zero afterwards.
    ///
    /// # Errors
    /// Settings outside their range; circuits that are used twice.
    pub fn lower(
        &self,
        network: &Network<'_>,
        integration: &Integration,
    ) -> Result<LoweredCore, AnalogError> {
        integration.validate(self.profile.sample_delay())?;
        self.cadc.validate()?;
        check_network(network)?;
        if let Some(madc) = &integration.madc {
            madc.validate(network.neurons)?;
        }
        self.check_pulses(network)?;
        let joined = network.neurons.first().is_some_and(|n| n.partner.is_some());
        let groups = if joined { 4 } else { 2 };
        let mut lanes = Vec::with_capacity(network.neurons.len());
        let mut targets = Vec::with_capacity(network.neurons.len());
        for neuron in network.neurons {
            let (lane, full_strength) = self.lane(neuron, integration)?;
            lanes.push(lane);
            targets.push(Target {
                circuits: *neuron,
                full_strength,
                fires: lane.v_threshold.is_finite(),
            });
        }
        let integration = integration.refined(&lanes);
        let table = SynapseTable::new(
            &targets,
            groups,
            network.sites,
            network.row_modes,
            &self.pattern,
            self.profile.synapse.integral_nonlinearity,
        );
        Ok(LoweredCore::new(
            joined,
            &lanes,
            table,
            network.sites.inputs(),
            &self.profile,
            integration,
        ))
    }

    /// The pulse that charges adaptation is one setting of a half.
    fn check_pulses(&self, network: &Network<'_>) -> Result<(), AnalogError> {
        let mut scales = [None; 2];
        for circuit in network.neurons.iter().map(|n| n.membrane) {
            let adaptation = self.circuits[usize::from(circuit)].adaptation;
            if adaptation.enabled {
                let expected =
                    *scales[usize::from(circuit / 256)].get_or_insert(adaptation.pulse_scale);
                if adaptation.pulse_scale != expected {
                    return Err(AnalogError::PulseScales {
                        circuit,
                        found: adaptation.pulse_scale,
                        expected,
                    });
                }
            }
        }
        Ok(())
    }

    /// Parameters of a logical neuron, and the strength of its synaptic inputs
    /// in volts per microsecond.
    pub(crate) fn lane(
        &self,
        neuron: &NeuronCircuits,
        integration: &Integration,
    ) -> Result<(LaneParameters, [f64; 4]), AnalogError> {
        let of = |circuit: u16| {
            let config = &self.circuits[usize::from(circuit)];
            let parameters =
                CircuitParameters::of(&self.nominal_codes(circuit), config, &self.profile);
            if self.pattern.dead[usize::from(circuit)] {
                parameters.without_inputs()
            } else {
                parameters
            }
        };
        for circuit in std::iter::once(neuron.membrane).chain(neuron.partner) {
            let setting = self.circuits[usize::from(circuit)].capacitance;
            RangeError::check("capacitance", setting.into(), 0.0, 63.0, "")?;
        }
        let config = &self.circuits[usize::from(neuron.membrane)];
        config.refractory.validate(neuron.membrane)?;
        config.adaptation.validate()?;
        let dead = self.pattern.dead[usize::from(neuron.membrane)];
        let first = of(neuron.membrane);
        // A circuit alone is joined to one that has nothing.
        let second = neuron.partner.map_or(
            CircuitParameters {
                g_leak: 0.0,
                capacitance: 0.0,
                standing_current: 0.0,
                terms: Terms::NONE,
                standing_sd: 0.0,
                ..first
            },
            of,
        );
        if let Some(circuit) = neuron.partner
            && (second.terms.adaptation.is_some() || second.terms.exponential.is_some())
        {
            return Err(AnalogError::PartnerTerms { circuit });
        }
        let conductance =
            (first.g_leak + second.g_leak).max(circuit::least_conductance(&self.profile));
        let capacitance = first.capacitance + second.capacitance;
        let (least, most) = circuit::CAPACITANCES;
        RangeError::check(
            "membrane capacitance",
            capacitance * 1e12,
            least,
            most,
            "pF",
        )?;
        RangeError::check("leak conductance", conductance * 1e9, 0.1, 1e5, "nS")?;
        let inputs =
            [&first, &second].map(|c| [0, 1].map(|sign| (c.tau_syn[sign], c.strength[sign])));
        let inputs = inputs.as_flattened();
        let tau_mem = 1e6 * capacitance / conductance;
        let tau_syn: [f64; 4] = std::array::from_fn(|g| 1e6 * inputs[g].0);
        // Inhibition pulls down.
        let slew: [f64; 4] = std::array::from_fn(|g| 1e-6 * inputs[g].1 / capacitance);
        let limit = self.profile.synaptic_saturation.min(1e6);
        let v_rest = (first.g_leak * first.v_leak
            + second.g_leak * second.v_leak
            + first.standing_current
            + second.standing_current)
            / conductance;
        let relative = capacitance / circuit::nominal_capacitance(&self.profile);
        let (one, two) = (first.terms.reversal, second.terms.reversal);
        let terms = Terms {
            reversal: [one[0], one[1], two[0], two[1]],
            leak_range: self.profile.leak_saturation.get(),
            ..first.terms.on_capacitance(relative)
        };
        if integration.grid == Grid::Snapped && terms != Terms::NONE {
            return Err(AnalogError::SnappedTerms {
                circuit: neuron.membrane,
            });
        }
        let counter = config.refractory;
        let (refractory, holdoff) = match integration.grid {
            Grid::Exact => (
                counter.reset_duration().as_micro(),
                counter.holdoff().as_micro(),
            ),
            Grid::Snapped => {
                let step = integration.step_us();
                let steps = (counter.period().as_micro() / step).floor().max(1.0);
                (steps * step, 0.0)
            }
        };
        let lane = LaneParameters {
            tau_mem,
            v_rest,
            v_reset: first.v_reset,
            v_threshold: if config.threshold_enabled && !dead {
                first.v_threshold
            } else {
                f64::INFINITY
            },
            tau_syn,
            // A silent input has no current to limit.
            saturation: slew.map(|s| limit * s.max(1e-9)),
            refractory,
            holdoff,
            noise: self.profile.noise.membrane.get(),
            rest_sd: libm::hypot(
                self.profile.noise.trial_leak * VOLTS_PER_LSB,
                libm::hypot(first.standing_sd, second.standing_sd) / conductance,
            ),
            cadc: self.cadc.transfer(&self.pattern, neuron.membrane),
            half: (neuron.membrane / 256) as u8,
            terms,
        };
        Ok((lane, slew))
    }
}

/// Circuits that exist, each in one neuron, as many in each.
pub(crate) fn check_neurons(neurons: &[NeuronCircuits]) -> Result<(), AnalogError> {
    let circuits_of = |n: &NeuronCircuits| 1 + usize::from(n.partner.is_some());
    let mut taken = [false; Site::CIRCUITS];
    for (neuron, circuits) in neurons.iter().enumerate() {
        let (found, expected) = (circuits_of(circuits), circuits_of(&neurons[0]));
        if found != expected {
            return Err(AnalogError::MixedSizes {
                neuron,
                found,
                expected,
            });
        }
        for circuit in [Some(circuits.membrane), circuits.partner]
            .into_iter()
            .flatten()
        {
            RangeError::check("neuron circuit", circuit.into(), 0.0, 511.0, "")?;
            if std::mem::replace(&mut taken[usize::from(circuit)], true) {
                return Err(AnalogError::CircuitTaken { circuit });
            }
        }
    }
    Ok(())
}

fn check_network(network: &Network<'_>) -> Result<(), AnalogError> {
    check_neurons(network.neurons)?;
    RangeError::check(
        "row modes",
        network.row_modes.len() as f64,
        512.0,
        512.0,
        "",
    )?;
    let found = network.sites.sources() - network.sites.inputs();
    if found != network.neurons.len() {
        return Err(AnalogError::Sources {
            found,
            expected: network.neurons.len(),
        });
    }
    Ok(())
}
