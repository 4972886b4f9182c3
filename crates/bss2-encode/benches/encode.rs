//! Reduction, latency code and augmentation of images.
fn main() {}
