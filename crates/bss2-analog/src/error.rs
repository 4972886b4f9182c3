//! What can go wrong in the analog core.

use bss2_event::{EventError, RangeError};
use thiserror::Error;

/// Errors of this crate.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum AnalogError {
    /// A setting is outside its range.
    #[error(transparent)]
    Range(#[from] RangeError),
    /// Synapses that do not exist.
    #[error(transparent)]
    Sites(#[from] EventError),
    /// A circuit belongs to two logical neurons.
    #[error("neuron circuit {circuit} is part of two neurons; every circuit serves one")]
    CircuitTaken {
        /// The circuit, 0..512.
        circuit: u16,
    },
    /// Neurons of one and of two circuits in one network.
    #[error(
        "neuron {neuron} joins {found} circuits and neuron 0 joins {expected}; all neurons of a \
         network have the same number"
    )]
    MixedSizes {
        /// The neuron that differs.
        neuron: usize,
        /// Its number of circuits.
        found: usize,
        /// The number of circuits of neuron 0.
        expected: usize,
    },
    /// A source of the site table is neither an input nor a neuron.
    #[error("the site table has {found} neuron sources, but there are {expected} neurons")]
    Sources {
        /// Sources of the table that are not inputs.
        found: usize,
        /// Number of neurons.
        expected: usize,
    },
    /// The synapse array has another size.
    #[error("{found} weights were given, the synapse arrays hold {expected}")]
    SynramSize {
        /// Number of given weights.
        found: usize,
        /// Number of synapses.
        expected: usize,
    },
    /// Both neurons of the MADC hang on one of its lines.
    #[error(
        "the MADC cannot record circuits {} and {} in turn: it has one line for even and one for \
         odd circuits", .circuits[0], .circuits[1]
    )]
    MadcLine {
        /// The two membranes.
        circuits: [u16; 2],
    },
    /// Membranes between the steps of the learner's grid.
    #[error(
        "the MADC records between steps, which the snapped grid does not know; use the exact grid"
    )]
    MadcOnSnappedGrid,
    /// Events on joined circuits that there are not.
    #[error("row {row} reaches joined circuits, but neuron {neuron} has none")]
    NoPartner {
        /// The row.
        row: u16,
        /// The neuron.
        neuron: usize,
    },
    /// The refractory counter leaves no time for the reset.
    #[error(
        "the refractory counter of circuit {circuit} is {counter}, allowed are {} to 255: the \
         reset is released {holdoff_cycles} cycles before the counter ends",
        .holdoff_cycles + 1
    )]
    HoldoffTooLong {
        /// The circuit.
        circuit: u16,
        /// The counter value.
        counter: u8,
        /// Cycles before the end at which the reset is released.
        holdoff_cycles: u8,
    },
    /// The second circuit of a neuron adapts or has an exponential term.
    #[error(
        "adaptation or the exponential term is on in circuit {circuit}, which is joined to \
         another; switch them on in the first circuit of a neuron only"
    )]
    PartnerTerms {
        /// The second circuit.
        circuit: u16,
    },
    /// A term beside leak and current-based inputs on the learner's grid.
    #[error(
        "circuit {circuit} adapts, has an exponential term or conductance-based inputs; the \
         snapped grid knows leaky integrate-and-fire neurons only"
    )]
    SnappedTerms {
        /// The circuit.
        circuit: u16,
    },
    /// Two pulse lengths in one half.
    #[error(
        "circuit {circuit} has adaptation.pulse_scale {found} and another of its half \
         {expected}; a half has one pulse length"
    )]
    PulseScales {
        /// The circuit that differs.
        circuit: u16,
        /// Its setting.
        found: u8,
        /// The setting of circuits before it.
        expected: u8,
    },
    /// A mismatch profile is not a covariance.
    #[error("the correlations of the mismatch profile contradict each other: {reason}")]
    Correlations {
        /// What is wrong.
        reason: String,
    },
    /// A mismatch profile of this name does not exist.
    #[error(
        "there is no mismatch profile {name:?}; known are \"ideal\" and \"cube66\", or give a file"
    )]
    UnknownProfile {
        /// The name as given.
        name: String,
    },
    /// A list of a measured chip has another length than there are circuits.
    #[error("{list} of the measured chip has {found} entries, 512 are needed")]
    MeasuredLength {
        /// The list.
        list: String,
        /// Its number of entries, 0 if it is missing.
        found: usize,
    },
    /// A list of targets of another length than the network has neurons.
    #[error("{target} has targets for {found} neurons, the network has {expected}")]
    TargetCount {
        /// Which target.
        target: &'static str,
        /// Length of the list.
        found: usize,
        /// Neurons of the network.
        expected: usize,
    },
    /// A decalibration finds no target that a chip can be calibrated to.
    #[error(
        "none of {tries} draws of {target} for neuron {neuron} lies within {min} to {max}: \
         the nominal target is too near the limit"
    )]
    Decalibration {
        /// Which target.
        target: &'static str,
        /// The neuron.
        neuron: usize,
        /// Number of draws.
        tries: u32,
        /// Smallest allowed value.
        min: f64,
        /// Largest allowed value.
        max: f64,
    },
    /// A saved calibration belongs to something else.
    #[error("the calibration was made for {what} {was}, asked for is {asked}; calibrate again")]
    ForeignCalibration {
        /// What differs.
        what: &'static str,
        /// Value of the calibration.
        was: String,
        /// Value that it was to be used with.
        asked: String,
    },
}
