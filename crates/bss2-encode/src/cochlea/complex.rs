//! Principal values of complex functions from `libm`, so that every machine
//! gets the same bits.

pub(super) use rustfft::num_complex::Complex;

pub(super) type C64 = Complex<f64>;
pub(super) const I: C64 = Complex::new(0.0, 1.0);

/// Square root with a real part that is not negative.
pub(super) fn sqrt(z: C64) -> C64 {
    let modulus = z.norm_sqr().sqrt();
    if modulus == 0.0 {
        return z;
    }
    // The half of larger magnitude first: no cancellation.
    let large = ((modulus + z.re.abs()) / 2.0).sqrt();
    let small = z.im / (2.0 * large);
    if z.re >= 0.0 {
        C64::new(large, small)
    } else {
        C64::new(small.abs(), large.copysign(z.im))
    }
}

/// Logarithm with an imaginary part within one turn.
pub(super) fn ln(z: C64) -> C64 {
    C64::new(0.5 * libm::log(z.norm_sqr()), libm::atan2(z.im, z.re))
}

pub(super) fn exp(z: C64) -> C64 {
    let radius = libm::exp(z.re);
    C64::new(radius * libm::cos(z.im), radius * libm::sin(z.im))
}
