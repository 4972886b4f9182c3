//! Neuron circuits: compiled coefficients, the exact step, and threshold crossings.

pub(crate) mod adex;
pub(crate) mod elementary;
pub(crate) mod lif;
pub(crate) mod pack;
pub(crate) mod terms;
pub(crate) mod threshold;
pub(crate) mod upswing;
