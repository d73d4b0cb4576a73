//! What the classes refuse, each with a stable code and, where there is one, a way out.

use cairn_core::DeviceId;
use thiserror::Error;

/// Why a body, a profile or a docket was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ClassError {
    /// A schema that no class of this build has.
    #[error("no class has the schema `{schema}`")]
    UnknownClass {
        /// The schema refused.
        schema: String,
    },
    /// A revision of a judge that this build does not hold.
    #[error("the judge of `{schema}` has no revision {revision}")]
    UnknownRevision {
        /// The class.
        schema: &'static str,
        /// The revision refused.
        revision: u32,
    },
    /// A body of another shape than the schema's.
    #[error("the body is not {expected}")]
    BodyShape {
        /// What the schema wants there.
        expected: &'static str,
    },
    /// A body of a worker's report that is none of the three forms.
    #[error("the body is not {expected}")]
    WorkShape {
        /// What the schema wants there.
        expected: &'static str,
    },
    /// A quantity that the schema does not list.
    #[error("quantity {number} is not one of the schema's")]
    BodyQuantity {
        /// The number refused.
        number: i64,
    },
    /// A value too large to be a measurement.
    #[error("{quantity} of {value} is beyond any measurement")]
    BodyValue {
        /// The quantity's key.
        quantity: &'static str,
        /// The value refused.
        value: i64,
    },
    /// A reading's time that is too late or out of order.
    #[error("a reading {after_ms} ms after the report's time is {what}")]
    BodyTime {
        /// The time refused.
        after_ms: i64,
        /// The rule it breaks.
        what: &'static str,
    },
    /// A profile that is not strict TOML of the class's form.
    #[error("the profile does not parse: {what}")]
    ProfileSyntax {
        /// The parser's message, with line and column.
        what: String,
    },
    /// A profile value out of its range or at odds with another.
    #[error("the profile's `{key}` is {value}, and must be {rule}")]
    ProfileValue {
        /// Dotted path of the key.
        key: String,
        /// The value refused.
        value: i64,
        /// The rule it breaks.
        rule: &'static str,
    },
    /// A device that reports without a site.
    #[error("device {device} reports in entry {index}, but the docket has no site for it")]
    NoSite {
        /// The device.
        device: DeviceId,
        /// One of its reports.
        index: u64,
    },
    /// A carry that the judge did not write.
    #[error("what was carried for {key} does not read: {what}")]
    Carry {
        /// The key, in hexadecimal.
        key: String,
        /// What is wrong with it.
        what: String,
    },
    /// Two reports of a docket under one entry index, or an epoch that ends before it starts.
    #[error("the docket contradicts itself: {what} at {at}")]
    Docket {
        /// The contradiction.
        what: &'static str,
        /// The entry index or time at which it stands.
        at: u64,
    },
}

impl ClassError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownClass { .. } => "CLS-SCHEMA",
            Self::UnknownRevision { .. } => "CLS-REVISION",
            Self::BodyShape { .. } | Self::WorkShape { .. } => "CLS-BODY",
            Self::BodyQuantity { .. } => "CLS-QUANTITY",
            Self::BodyValue { .. } => "CLS-VALUE",
            Self::BodyTime { .. } => "CLS-TIME",
            Self::ProfileSyntax { .. } => "CLS-PROFILE",
            Self::ProfileValue { .. } => "CLS-PROFILE-VALUE",
            Self::NoSite { .. } => "CLS-SITE",
            Self::Carry { .. } => "CLS-CARRY",
            Self::Docket { .. } => "CLS-DOCKET",
        }
    }

    /// The way out, where there is one.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::UnknownClass { .. } => Some("this build knows: sensing/1, compute/1"),
            Self::UnknownRevision { .. } => Some("a newer build of cairn may hold the revision that the network runs"),
            Self::BodyShape { .. } => {
                Some("a sensing/1 body is a map {quantity: value} or a list of [ms after time, {quantity: value}]")
            }
            Self::WorkShape { .. } => Some("outcomes, reasons and seals stand in the reference of compute"),
            Self::BodyQuantity { .. } => Some("quantities are numbered 1 to 15; see the reference of sensing/1"),
            Self::BodyValue { .. } => {
                Some("values are integers in the quantity's own unit, such as 0.1 ug/m3 for PM10")
            }
            Self::BodyTime { .. } => Some("list readings in ascending time, within 31 days of the report's own time"),
            Self::ProfileSyntax { .. } => Some("start from a default profile: every key is required, all are integers"),
            Self::ProfileValue { .. } | Self::NoSite { .. } | Self::Carry { .. } | Self::Docket { .. } => None,
        }
    }
}
