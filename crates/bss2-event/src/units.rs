//! SI quantities as newtypes over `f64`.
//!
//! Inside hot loops plain `f32` arrays carry the unit in their name; these
//! types guard the public border. They are read and written as text with a
//! unit and an optional SI prefix (`"6 us"`, `"1.2 V"`), so that no
//! configuration file holds a bare number whose unit must be guessed.

use std::fmt;
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub, SubAssign};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::EventError;

const PREFIXES: [(&str, f64); 11] = [
    ("f", 1e-15),
    ("p", 1e-12),
    ("n", 1e-9),
    ("u", 1e-6),
    // The micro sign, and the letter that it is normalised to.
    ("\u{b5}", 1e-6),
    ("\u{3bc}", 1e-6),
    ("m", 1e-3),
    ("", 1.0),
    ("k", 1e3),
    ("M", 1e6),
    ("G", 1e9),
];

fn parse(text: &str, unit: &'static str) -> Result<f64, EventError> {
    let fail = |reason: String| EventError::Quantity {
        text: text.to_owned(),
        unit,
        reason,
    };
    let trimmed = text.trim();
    // An absent limit is infinite: such a value must survive a file as well.
    if let Some(rest) = trimmed.strip_prefix("inf")
        && rest.trim() == unit
    {
        return Ok(f64::INFINITY);
    }
    let number_end = trimmed
        .char_indices()
        .find(|&(i, c)| {
            !(c.is_ascii_digit()
                || c == '.'
                || c == '-'
                || c == '+'
                || (matches!(c, 'e' | 'E')
                    && trimmed[i + 1..]
                        .starts_with(|d: char| d.is_ascii_digit() || d == '-' || d == '+')))
        })
        .map_or(trimmed.len(), |(i, _)| i);
    let (number, suffix) = trimmed.split_at(number_end);
    let number: f64 = number.parse().map_err(|_| {
        fail(format!(
            "a number and a unit are expected, such as \"6 u{unit}\""
        ))
    })?;
    let suffix = suffix.trim();
    if suffix.is_empty() {
        return Err(fail(format!(
            "the unit is missing, write for example \"{number} {unit}\""
        )));
    }
    let value = PREFIXES
        .iter()
        .find(|(prefix, _)| suffix.strip_prefix(prefix) == Some(unit))
        // Dividing by the inverse keeps values such as "1.7 us" equal to the literal 1.7e-6.
        .map(|&(_, scale)| {
            if scale < 1.0 {
                number / (1.0 / scale).round()
            } else {
                number * scale
            }
        })
        .ok_or_else(|| {
            fail(format!(
                "the unit {suffix:?} is not {unit} with an SI prefix"
            ))
        })?;
    if value.is_finite() {
        Ok(value)
    } else {
        Err(fail("its number is too large".to_owned()))
    }
}

fn display(value: f64, unit: &'static str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let magnitude = value.abs();
    let (prefix, scale) = if magnitude == 0.0 || !value.is_finite() {
        ("", 1.0)
    } else {
        PREFIXES
            .iter()
            .rev()
            .filter(|(prefix, _)| prefix.is_ascii())
            .find(|(_, scale)| magnitude >= scale * (1.0 - 1e-12))
            .copied()
            .unwrap_or(PREFIXES[0])
    };
    let scaled = value / scale;
    // The shortest text that reads back as the same value, so that a resolved
    // configuration is the configuration.
    let short = format!("{} {prefix}{unit}", (scaled * 1e9).round() / 1e9);
    if f.alternate() || parse_matches(&short, unit, value) {
        return f.write_str(&short);
    }
    let long = format!("{scaled} {prefix}{unit}");
    if parse_matches(&long, unit, value) {
        f.write_str(&long)
    } else {
        write!(f, "{value:e} {unit}")
    }
}

fn parse_matches(text: &str, unit: &'static str, value: f64) -> bool {
    parse(text, unit).is_ok_and(|v| v.to_bits() == value.to_bits())
}

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident, $unit:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
        pub struct $name(f64);

        impl $name {
            /// The unit's symbol without prefix.
            pub const UNIT: &'static str = $unit;

            /// A value in the unit itself.
            #[must_use]
            pub const fn new(value: f64) -> Self {
                Self(value)
            }
            /// A value in thousandths.
            #[must_use]
            pub const fn milli(value: f64) -> Self {
                Self(value / 1e3)
            }
            /// A value in millionths.
            #[must_use]
            pub const fn micro(value: f64) -> Self {
                Self(value / 1e6)
            }
            /// A value in billionths.
            #[must_use]
            pub const fn nano(value: f64) -> Self {
                Self(value / 1e9)
            }
            /// A value in trillionths.
            #[must_use]
            pub const fn pico(value: f64) -> Self {
                Self(value / 1e12)
            }
            /// The value in the unit itself.
            #[must_use]
            pub const fn get(self) -> f64 {
                self.0
            }
            /// The value in millionths.
            #[must_use]
            pub const fn as_micro(self) -> f64 {
                self.0 * 1e6
            }
            /// The value in billionths.
            #[must_use]
            pub const fn as_nano(self) -> f64 {
                self.0 * 1e9
            }
            /// The value in thousandths.
            #[must_use]
            pub const fn as_milli(self) -> f64 {
                self.0 * 1e3
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                display(self.0, $unit, f)
            }
        }
        impl FromStr for $name {
            type Err = EventError;
            fn from_str(text: &str) -> Result<Self, EventError> {
                parse(text, $unit).map(Self)
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = TextOnly::deserialize(deserializer)?;
                text.0.parse().map_err(serde::de::Error::custom)
            }
        }
        impl Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self(self.0 + other.0)
            }
        }
        impl Sub for $name {
            type Output = Self;
            fn sub(self, other: Self) -> Self {
                Self(self.0 - other.0)
            }
        }
        impl AddAssign for $name {
            fn add_assign(&mut self, other: Self) {
                self.0 += other.0;
            }
        }
        impl SubAssign for $name {
            fn sub_assign(&mut self, other: Self) {
                self.0 -= other.0;
            }
        }
        impl Neg for $name {
            type Output = Self;
            fn neg(self) -> Self {
                Self(-self.0)
            }
        }
        impl Mul<f64> for $name {
            type Output = Self;
            fn mul(self, factor: f64) -> Self {
                Self(self.0 * factor)
            }
        }
        impl Mul<$name> for f64 {
            type Output = $name;
            fn mul(self, quantity: $name) -> $name {
                $name(self * quantity.0)
            }
        }
        impl Div<f64> for $name {
            type Output = Self;
            fn div(self, divisor: f64) -> Self {
                Self(self.0 / divisor)
            }
        }
        impl Div for $name {
            type Output = f64;
            fn div(self, other: Self) -> f64 {
                self.0 / other.0
            }
        }
    };
}

quantity!(
    /// A time or duration.
    Seconds, "s"
);
quantity!(
    /// A voltage.
    Volts, "V"
);
quantity!(
    /// A current.
    Amperes, "A"
);
quantity!(
    /// A capacitance.
    Farads, "F"
);
quantity!(
    /// A conductance.
    Siemens, "S"
);
quantity!(
    /// A frequency or rate.
    Hertz, "Hz"
);
quantity!(
    /// A power.
    Watts, "W"
);
quantity!(
    /// An energy.
    Joules, "J"
);

/// Accepts text and refuses bare numbers with a hint.
struct TextOnly(String);

impl<'de> Deserialize<'de> for TextOnly {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = TextOnly;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a quantity as text with its unit, such as \"6 us\"")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<TextOnly, E> {
                Ok(TextOnly(text.to_owned()))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

impl Mul<Amperes> for Volts {
    type Output = Watts;
    fn mul(self, current: Amperes) -> Watts {
        Watts(self.0 * current.0)
    }
}
impl Mul<Seconds> for Watts {
    type Output = Joules;
    fn mul(self, time: Seconds) -> Joules {
        Joules(self.0 * time.0)
    }
}
impl Mul<Volts> for Siemens {
    type Output = Amperes;
    fn mul(self, voltage: Volts) -> Amperes {
        Amperes(self.0 * voltage.0)
    }
}
impl Div<Siemens> for Farads {
    type Output = Seconds;
    fn div(self, conductance: Siemens) -> Seconds {
        Seconds(self.0 / conductance.0)
    }
}
impl Div<Seconds> for Farads {
    type Output = Siemens;
    fn div(self, time: Seconds) -> Siemens {
        Siemens(self.0 / time.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips_and_names_what_is_wrong() {
        for (text, value) in [
            ("6 us", 6e-6),
            ("1.7us", 1.7e-6),
            ("-3 ms", -3e-3),
            ("2e-1 s", 0.2),
        ] {
            assert_eq!(text.parse::<Seconds>().unwrap().get(), value, "{text}");
        }
        for micro in ["6\u{b5}s", "6 \u{3bc}s"] {
            assert_eq!(micro.parse::<Seconds>().unwrap(), Seconds::micro(6.0));
        }
        assert_eq!(Seconds::micro(1.7).to_string(), "1.7 us");
        assert_eq!(Volts::new(0.0).to_string(), "0 V");
        let limit = Volts::new(f64::INFINITY);
        assert_eq!(limit.to_string().parse::<Volts>().unwrap(), limit);
        assert_eq!(Volts::new(f64::INFINITY).to_string(), "inf V");
        assert_eq!("inf V".parse::<Volts>().unwrap(), Volts::new(f64::INFINITY));
        for bad in [
            "6", "us", "6 uV", "", "6 s s", "nan s", "1e400x s", "1e400 s", "1e300 Gs",
        ] {
            let error = bad.parse::<Seconds>().unwrap_err().to_string();
            assert!(error.contains("quantity in s"), "{bad}: {error}");
        }
        assert!(
            "6".parse::<Seconds>()
                .unwrap_err()
                .to_string()
                .contains("unit is missing")
        );
    }

    #[test]
    fn products_have_the_right_dimension() {
        let power: Watts = Volts::new(1.2) * Amperes::milli(5.0);
        assert!((power.as_milli() - 6.0).abs() < 1e-12);
        let energy: Joules = Watts::milli(200.0) * Seconds::micro(11.8);
        assert!((energy.as_micro() - 2.36).abs() < 1e-12);
        let tau: Seconds = Farads::pico(2.4) / Siemens::nano(400.0);
        assert!((tau.as_micro() - 6.0).abs() < 1e-12);
    }
}
