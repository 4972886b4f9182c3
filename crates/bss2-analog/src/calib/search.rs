//! Binary search for codes, over all neurons in parallel.

use bss2_event::CapMemCode;

use crate::error::AnalogError;

/// How an observation answers to its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slope {
    /// It grows.
    Rising,
    /// It falls.
    Falling,
}

/// How good a measurement has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Precision {
    /// The first halvings: any noise is small against their steps.
    Rough,
    /// The last halvings.
    Fine,
}

/// Finds for each neuron the code whose observation is nearest to its target:
/// ten halvings, then the better of the code found and its neighbour.
///
/// # Source
/// The calibration library's search; hardware fact sheet, section 8.
pub(crate) fn binary_search(
    targets: &[f64],
    slope: Slope,
    mut observe: impl FnMut(&[CapMemCode], Precision) -> Result<Vec<f64>, AnalogError>,
) -> Result<Vec<CapMemCode>, AnalogError> {
    let mut codes = vec![0_i64; targets.len()];
    let to_codes = |codes: &[i64]| -> Vec<_> {
        codes
            .iter()
            .map(|&code| CapMemCode::saturating(code))
            .collect()
    };
    for bit in (0..10).rev() {
        let tried: Vec<_> = codes.iter().map(|code| code | 1 << bit).collect();
        let precision = if bit >= 5 {
            Precision::Rough
        } else {
            Precision::Fine
        };
        let observed = observe(&to_codes(&tried), precision)?;
        for (n, code) in codes.iter_mut().enumerate() {
            let below = match slope {
                Slope::Rising => observed[n] < targets[n],
                Slope::Falling => observed[n] > targets[n],
            };
            if below {
                *code = tried[n];
            }
        }
    }
    let low = to_codes(&codes);
    let high: Vec<_> = low
        .iter()
        .map(|c| CapMemCode::saturating(i64::from(c.get()) + 1))
        .collect();
    let at_low = observe(&low, Precision::Fine)?;
    let at_high = observe(&high, Precision::Fine)?;
    Ok((0..targets.len())
        .map(|n| {
            let nearer = (at_high[n] - targets[n]).abs() < (at_low[n] - targets[n]).abs();
            if nearer { high[n] } else { low[n] }
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_nearest_code_on_either_slope() {
        let targets: Vec<f64> = (0..50).map(|n| 20.31 * f64::from(n)).collect();
        for (slope, sign) in [(Slope::Rising, 1.0), (Slope::Falling, -1.0)] {
            let wanted: Vec<f64> = targets.iter().map(|t| sign * t).collect();
            let found = binary_search(&wanted, slope, |codes, _| {
                Ok(codes.iter().map(|c| sign * f64::from(c.get())).collect())
            })
            .unwrap();
            for (target, code) in targets.iter().zip(found) {
                assert_eq!(f64::from(code.get()), target.round().min(1022.0));
            }
        }
    }
}
