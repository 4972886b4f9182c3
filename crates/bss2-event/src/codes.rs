//! Digital settings of the chip whose range lives in the type.

use serde::{Deserialize, Serialize};

use crate::error::RangeError;

macro_rules! code {
    ($(#[$doc:meta])* $name:ident, $repr:ty, $min:literal ..= $max:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(try_from = "i64", into = "i64")]
        pub struct $name($repr);

        impl $name {
            /// Smallest value.
            pub const MIN: Self = Self($min);
            /// Largest value.
            pub const MAX: Self = Self($max);

            /// A value inside the range.
            ///
            /// # Errors
            /// [`RangeError`] for anything outside.
            pub fn new(value: i64) -> Result<Self, RangeError> {
                RangeError::check(stringify!($name), value as f64, $min as f64, $max as f64, "")?;
                Ok(Self(value as $repr))
            }
            /// The nearest value inside the range. For arithmetic that is meant
            /// to saturate, such as a search for a setting; not for user input.
            #[must_use]
            pub fn saturating(value: i64) -> Self {
                Self(value.clamp($min, $max) as $repr)
            }
            /// The bare number.
            #[must_use]
            pub const fn get(self) -> $repr {
                self.0
            }
        }
        impl TryFrom<i64> for $name {
            type Error = RangeError;
            fn try_from(value: i64) -> Result<Self, RangeError> {
                Self::new(value)
            }
        }
        impl From<$name> for i64 {
            fn from(code: $name) -> i64 {
                i64::from(code.0)
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

code!(
    /// Setting of one cell of the analog parameter memory, 0..=1022 (1023
    /// switches the refresh of the cell off and is not offered).
    CapMemCode, u16, 0 ..= 1022
);
code!(
    /// Weight of one synapse: 6 bit, 0..=63.
    Weight, u8, 0 ..= 63
);
code!(
    /// Weight of a pair of an excitatory and an inhibitory synapse, -63..=63.
    SignedWeight, i8, -63 ..= 63
);
code!(
    /// Event label that a synapse compares with its own: 6 bit, 0..=63.
    SynapseLabel, u8, 0 ..= 63
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_kept() {
        assert_eq!(Weight::new(63).unwrap(), Weight::MAX);
        let error = Weight::new(64).unwrap_err().to_string();
        assert_eq!(error, "Weight is 64, allowed are 0 to 63");
        assert!(SignedWeight::new(-64).is_err());
        assert!(CapMemCode::new(1023).is_err());
        assert_eq!(CapMemCode::saturating(5000), CapMemCode::MAX);
    }
}
