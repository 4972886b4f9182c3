//! Neuron circuits: compiled coefficients, the exact step, and threshold crossings.

pub(crate) mod lif;
pub(crate) mod threshold;
