//! `exp` and `ln` for loops over lanes: branchless polynomials of plain
//! additions and multiplications, hence the same bits on every instruction set.

/// 1.5 * 2^23: adding it rounds a small number to the nearest whole one, which
/// then stands in the lowest bits.
const ROUND: f32 = 12_582_912.0;

/// `exp(x)` to 3e-7; `x` is kept within -80..=80.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let x = if x < 80.0 { x } else { 80.0 };
    let x = if x > -80.0 { x } else { -80.0 };
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = (-n).mul_add(LN_2_LOW, (-n).mul_add(LN_2_HIGH, x));
    let tail = r.mul_add(r.mul_add(1.0 / 720.0, 1.0 / 120.0), 1.0 / 24.0);
    let tail = r.mul_add(r.mul_add(tail, 1.0 / 6.0), 0.5);
    let y = r.mul_add(r.mul_add(tail, 1.0), 1.0);
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits());
    y * f32::from_bits(exponent.wrapping_add(127) << 23)
}

/// `ln(x)` to 2e-7 of the larger of 1 and its value, for normal `x` above zero.
#[inline(always)]
pub(crate) fn ln(x: f32) -> f32 {
    // The mantissa lies within sqrt(1/2)..sqrt(2).
    const SQRT_HALF: u32 = 0x3f35_04f3;
    let above = x.to_bits().wrapping_sub(SQRT_HALF);
    let exponent = (above as i32 >> 23) as f32;
    let f = f32::from_bits((above & 0x007f_ffff) + SQRT_HALF) - 1.0;
    let s = f / (2.0 + f);
    let q = s * s;
    let tail = q.mul_add(q.mul_add(1.0 / 9.0, 1.0 / 7.0), 0.2);
    let series = q * q.mul_add(tail, 1.0 / 3.0);
    exponent.mul_add(std::f32::consts::LN_2, 2.0 * s.mul_add(series, s))
}

/// `(exp(z) - 1) / z`, the mean of `exp` from 0 to `z`.
#[inline(always)]
pub(crate) fn mean_growth(z: f32) -> f32 {
    let near = z.mul_add(z.mul_add(z.mul_add(1.0 / 24.0, 1.0 / 6.0), 0.5), 1.0);
    let small = z.abs() < 0.06;
    let far = (exp(z) - 1.0) / if small { 1.0 } else { z };
    if small { near } else { far }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_agree_with_the_library() {
        for i in -79_000..79_000 {
            let x = i as f32 * 1e-3;
            let exact = libm::exp(x.into());
            assert!((f64::from(exp(x)) / exact - 1.0).abs() < 3e-7, "exp {x}");
            let y = exact as f32;
            let exact = libm::log(y.into());
            let error = (f64::from(ln(y)) - exact).abs() / exact.abs().max(1.0);
            assert!(error < 2e-7, "ln {y}: {error}");
            let z = f64::from(x) / 8.0;
            let exact = if z == 0.0 { 1.0 } else { libm::expm1(z) / z };
            let error = f64::from(mean_growth(z as f32)) / exact - 1.0;
            assert!(error.abs() < 3e-6, "mean growth {z}: {error}");
        }
        assert!(exp(1e9) > 1e34 && exp(1e9).is_finite());
        assert!(exp(-1e9) < 1e-34);
    }
}
