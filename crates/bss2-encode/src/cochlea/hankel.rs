//! The Hankel function of the first kind and order zero.
//!
//! Below |z| = 4 from the power series of J0 and Y0; the series cancel by
//! exp(2 Im z), at most by four digits. Above it from
//!
//! `H0(z) = sqrt(2 / (pi z)) e^(i (z - pi/4)) / sqrt(pi)
//!          integral of e^(-s^2) / sqrt(1 + i s^2 / (2 z)) ds`
//!
//! over all s, by the trapezoidal rule. The integrand is analytic within
//! |Im s| < sqrt(|z|) for 0 <= arg z <= pi/2, so a step of 0.35 leaves an error
//! of e^(-2 pi 2 / 0.35), which is below the rounding of double precision.
//!
//! # Source
//! NIST Digital Library of Mathematical Functions, 10.8 and 10.17; Trefethen
//! and Weideman, "The exponentially convergent trapezoidal rule", SIAM Review
//! 56 (2014).

use std::f64::consts::{FRAC_PI_4, PI};

use super::complex::{C64, I, exp, ln, sqrt};

const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;
const STEP: f64 = 0.35;
/// Nodes either side of zero; e^(-s^2) is 1e-17 at the last.
const NODES: usize = 18;

/// H0 of the first kind in the quadrant 0 <= arg z <= pi/2, without zero.
/// Relative error below 1e-12.
pub(super) fn hankel0(z: C64) -> C64 {
    if z.norm_sqr() < 16.0 {
        series(z)
    } else {
        integral(z)
    }
}

fn series(z: C64) -> C64 {
    let quarter = -0.25 * z * z;
    let (mut term, mut harmonic) = (C64::new(1.0, 0.0), 0.0);
    let (mut j, mut rest) = (term, C64::new(0.0, 0.0));
    for k in 1..40 {
        let k = f64::from(k);
        term *= quarter / (k * k);
        harmonic += 1.0 / k;
        j += term;
        rest += term * harmonic;
        if term.norm_sqr() < 1e-36 {
            break;
        }
    }
    let y = (2.0 / PI) * ((ln(0.5 * z) + EULER_GAMMA) * j - rest);
    j + I * y
}

fn integral(z: C64) -> C64 {
    let bend = I / (2.0 * z);
    let mut sum = C64::new(0.5, 0.0);
    for node in 1..NODES {
        let square = (STEP * node as f64).powi(2);
        sum += libm::exp(-square) / sqrt(1.0 + bend * square);
    }
    let scale = sqrt(2.0 / (PI * z)) * (2.0 * STEP / PI.sqrt());
    scale * exp(I * (z - FRAC_PI_4)) * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of AMOS, at places on both sides of the switch.
    #[test]
    fn values_are_those_of_a_reference() {
        let cases = [
            ((0.00042, 1e-9), (0.9999984401375159, -5.023685652705111)),
            ((0.5, 0.1), (0.7951229363876343, -0.4565264817951536)),
            ((1.0, 3.0), (0.019728705760059157, -0.00880488120871614)),
            ((3.9, 0.2), (-0.32769862693080776, 0.02736020201034793)),
            ((2.8, 2.85), (-0.0006326088663537717, 0.022582818029658197)),
            ((4.1, 0.0), (-0.3886696798358537, -0.05609462660634452)),
            ((3.0, 3.0), (-0.004366463962968275, 0.01838394179720984)),
            ((0.5, 4.0), (0.0037547406431175253, -0.006001809120327137)),
            ((14.8, 0.5), (0.01851507399295468, 0.12431643495791234)),
            (
                (10.0, 39.0),
                (-9.326851070355383e-19, 1.1073898495211137e-18),
            ),
            (
                (22.5, 73.0),
                (-1.1030592438873744e-33, 1.42755678059748e-33),
            ),
        ];
        for ((x, y), (re, im)) in cases {
            let wanted = C64::new(re, im);
            let error = (hankel0(C64::new(x, y)) - wanted).norm() / wanted.norm();
            assert!(error < 1e-12, "{x} + {y} i: {error:e}");
        }
    }

    #[test]
    fn both_ways_meet_at_the_switch() {
        for i in 0..=20 {
            let z = 4.0 * exp(I * (PI / 2.0 * f64::from(i) / 20.0));
            let (a, b) = (series(z), integral(z));
            assert!((a - b).norm() < 1e-11 * b.norm(), "{z}: {a} {b}");
        }
    }
}
