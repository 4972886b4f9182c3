//! Errors shared by all validated types.

use thiserror::Error;

/// A value outside the range its type or field allows.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("{field} is {value}{unit}, allowed are {min}{unit} to {max}{unit}", unit = spaced(.unit))]
pub struct RangeError {
    /// Name of the field or type.
    pub field: &'static str,
    /// The value that was given.
    pub value: f64,
    /// Smallest allowed value.
    pub min: f64,
    /// Largest allowed value.
    pub max: f64,
    /// Unit of the three numbers, empty where they have none.
    pub unit: &'static str,
}

fn spaced(unit: &str) -> String {
    if unit.is_empty() {
        String::new()
    } else {
        format!(" {unit}")
    }
}

impl RangeError {
    /// Checks `min <= value <= max`; a NaN is outside every range.
    ///
    /// # Errors
    /// Returns itself when the value is outside.
    pub fn check(
        field: &'static str,
        value: f64,
        min: f64,
        max: f64,
        unit: &'static str,
    ) -> Result<(), Self> {
        if value >= min && value <= max {
            Ok(())
        } else {
            Err(Self {
                field,
                value,
                min,
                max,
                unit,
            })
        }
    }
}

/// A field of a configuration with a value that is not allowed. Unlike a
/// [`RangeError`] it can say so of anything, and can be one of many.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{field} is {value}, allowed are {allowed}")]
pub struct Fault {
    /// The field's path, joined by dots.
    pub field: String,
    /// The value as given, with its unit.
    pub value: String,
    /// What would be right.
    pub allowed: String,
}

impl Fault {
    /// A fault of a field.
    pub fn new(field: impl Into<String>, value: impl ToString, allowed: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            value: value.to_string(),
            allowed: allowed.into(),
        }
    }

    /// The same fault seen from outside the section that the field is in.
    #[must_use]
    pub fn within(self, section: &str) -> Self {
        Self {
            field: format!("{section}.{}", self.field),
            ..self
        }
    }
}

impl From<RangeError> for Fault {
    fn from(error: RangeError) -> Self {
        let unit = spaced(error.unit);
        Self {
            field: error.field.to_owned(),
            value: format!("{}{unit}", error.value),
            allowed: format!("{}{unit} to {}{unit}", error.min, error.max),
        }
    }
}

/// What can be wrong with the shared types.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum EventError {
    /// A number is outside its range.
    #[error(transparent)]
    Range(#[from] RangeError),
    /// A spike names a channel that the batch does not have.
    #[error("sample {sample} has a spike on channel {channel}, but there are {channels} channels")]
    Channel {
        /// Identity of the sample.
        sample: u64,
        /// Channel of the offending spike.
        channel: u32,
        /// Channels of the batch.
        channels: usize,
    },
    /// A spike time is negative, infinite or not a number.
    #[error("sample {sample} has a spike at {time} s; times are finite and not negative")]
    Time {
        /// Identity of the sample.
        sample: u64,
        /// The offending time in seconds.
        time: f64,
    },
    /// A quantity could not be read from text.
    #[error("cannot read {text:?} as a quantity in {unit}: {reason}")]
    Quantity {
        /// The text as given.
        text: String,
        /// The unit that was expected.
        unit: &'static str,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// A site points outside the array.
    #[error("site of source {source_index} names {what} {value}, but there are {limit}")]
    Site {
        /// Source whose list holds the site.
        source_index: usize,
        /// Which index: row or circuit.
        what: &'static str,
        /// The index as given.
        value: usize,
        /// Number of such things.
        limit: usize,
    },
}
