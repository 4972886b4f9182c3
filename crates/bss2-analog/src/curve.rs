//! From the code of a cell to what a circuit makes of it.

use bss2_event::CapMemCode;

use crate::capmem::Cell;

/// Largest code, over which a curve's bend is counted.
const CODES: f64 = 1022.0;

/// The curve of one cell of one circuit: from its code to the code with which a
/// circuit without deviations has the same effect.
///
/// ```text
/// nominal(c) = n + g (c - r) + k (c - r)^2 / 1022
/// ```
///
/// A second-order curve about the code `r` at which the circuit does what the
/// nominal one does at `n`: gain `g` and bend `k` act away from the working
/// point, and `r` alone says which code a calibration to it finds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Curve {
    /// `r`, codes.
    pub(crate) reference: f64,
    /// `n`, codes.
    pub(crate) nominal: f64,
    /// `g`.
    pub(crate) gain: f64,
    /// `k`.
    pub(crate) bend: f64,
}

impl Curve {
    /// The nominal code that a code of this cell stands for.
    pub(crate) fn at(self, code: f64) -> f64 {
        let x = code - self.reference;
        self.nominal + self.gain * x + self.bend * x * x / CODES
    }

    /// Moves the working point of a curve to a code that has the effect of another
    /// nominal one, and leaves its own relative gain and bend.
    pub(crate) fn pass(&mut self, cell: Cell, code: CapMemCode, nominal: f64) {
        let slope = |curve: &Self| {
            if cell.is_in_codes() {
                1.0
            } else {
                curve.nominal / curve.reference
            }
        };
        let was = slope(self);
        self.reference = f64::from(code.get()).max(1.0);
        self.nominal = nominal;
        let ratio = slope(self) / was;
        self.gain *= ratio;
        self.bend *= ratio;
    }

    /// The bend nearest to the given one with which the curve rises everywhere.
    pub(crate) fn rising_bend(gain: f64, bend: f64) -> f64 {
        bend.clamp(-0.25 * gain, 0.25 * gain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn curves_rise_and_pass_their_working_point(
            reference in 1.0..1000.0_f64,
            nominal in 1.0..1000.0_f64,
            gain in 0.2..3.0_f64,
            bend in -5.0..5.0_f64,
        ) {
            let bend = Curve::rising_bend(gain, bend);
            let curve = Curve { reference, nominal, gain, bend };
            prop_assert_eq!(curve.at(reference), nominal);
            for code in 0..1022 {
                prop_assert!(curve.at(f64::from(code) + 1.0) > curve.at(f64::from(code)));
            }
        }
    }
}
