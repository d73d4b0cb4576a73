//! From a payload to quantities, exactly.
//!
//! A [`Mapping`] says where in a payload which quantity stands, and in which unit. Payloads are JSON, a line of CSV, a line of
//! `key=value`, a line after a pattern, or one bare number. Values are read as the decimals that they are written as, scaled
//! by exact fractions, and rounded once to the quantity's integer unit.
//!
//! Promised: no float at any point; any bytes at all are read or refused with a code, in time proportional to their length;
//! what a payload does not say (`null`, `unavailable`, a key that is not there) is left out, never guessed. Not here:
//! whether a value is plausible.

mod decimal;
mod json;
mod linear;
mod mapping;
mod payload;
mod preset;
mod template;
mod time;
mod unit;

use cairn_classes::sensing::Quantity;
use thiserror::Error;

pub use decimal::{Decimal, NUMBER_CHARS_MAX};
pub use linear::{Linear, nearest_even};
pub use mapping::{Factor, FieldConfig, Mapped, Mapping, MappingConfig, PAYLOAD_BYTES_MAX, TimeConfig, WhenConfig};
pub use payload::Format;
pub use preset::{PRESETS, preset};
pub use time::{TimeForm, format_time, parse_time};
pub use unit::{Unit, unit_names};

/// Why something from outside is no reading, or a mapping is none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MapError {
    /// Not a decimal number.
    #[error("`{text}`: {why}")]
    Number {
        /// What was there, shortened.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A number whose digits beyond the eighteenth would decide its rounding.
    #[error("the number has more digits than can be told apart")]
    Digits,
    /// A value beyond any that a report may hold.
    #[error("the value is beyond 10^12 steps of its quantity")]
    Range,
    /// A unit that is not known, or does not measure the quantity.
    #[error("`{unit}` is no unit of {}", .quantity.map_or("any quantity", Quantity::name))]
    Unit {
        /// The unit.
        unit: String,
        /// What it was asked for.
        quantity: Option<Quantity>,
    },
    /// Bytes that are not the payload that the mapping reads.
    #[error("the payload is not {expected}")]
    Payload {
        /// What was expected.
        expected: &'static str,
    },
    /// A payload that says nothing that the mapping knows.
    #[error("the payload says nothing of what the mapping reads")]
    Nothing,
    /// A time that cannot be read.
    #[error("`{text}` is no time: {expected}")]
    Time {
        /// What was there, shortened.
        text: String,
        /// What is read.
        expected: &'static str,
    },
    /// A mapping that cannot be one.
    #[error("the mapping: {what}")]
    Mapping {
        /// What is wrong.
        what: String,
    },
}

impl MapError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Number { .. } | Self::Digits => "EDGE-NUMBER",
            Self::Range => "EDGE-RANGE",
            Self::Unit { .. } => "EDGE-UNIT",
            Self::Payload { .. } => "EDGE-PAYLOAD",
            Self::Nothing => "EDGE-NOTHING",
            Self::Time { .. } => "EDGE-TIME",
            Self::Mapping { .. } => "EDGE-MAPPING",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Number { .. } | Self::Digits => "a number is written like -12.5 or 1e-3".to_owned(),
            Self::Range => "look at the unit, `scale` and `offset` of the field".to_owned(),
            Self::Unit { .. } => {
                format!("units are {}", unit_names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" "))
            }
            Self::Payload { .. } => "look at `format`, and at what the device really sends".to_owned(),
            Self::Nothing => "look at what the device really sends, and at `at` of the fields".to_owned(),
            Self::Time { .. } => "look at `at` and `as` of the source's `time`".to_owned(),
            Self::Mapping { .. } => format!("name a preset ({}), or a format and fields", preset::names()),
        }
    }
}
