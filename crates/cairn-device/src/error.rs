//! Why something is not signed.

use core::fmt;

/// Why a report was not made. Nothing was signed, and what the buffer holds is of no use.
///
/// `number` is what the C functions return; `code` is the same for people. Neither is ever reused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Error {
    /// The buffer is too small.
    Buffer {
        /// The bytes that the report needs.
        needed: usize,
    },
    /// The report would be longer than [`REPORT_BYTES_MAX`](crate::size::REPORT_BYTES_MAX).
    TooLarge {
        /// The bytes that it would have.
        bytes: usize,
    },
    /// The time of the measurement is 2^63 ms or more.
    Time,
    /// The clock's error bound is 2^63 ms or more.
    ClockError,
    /// The schema is not 1 to 32 characters of printable ASCII.
    Schema,
    /// A flag that is not defined.
    Flags,
    /// The place is not an H3 cell.
    Cell,
    /// Latitude over 90 or longitude over 180 degrees.
    Position,
    /// The size of a blob is 2^63 bytes or more.
    BlobSize {
        /// Which blob, from 0.
        blob: usize,
    },
    /// The encoded body is not one item of deterministic CBOR as bodies have it.
    BodyForm {
        /// The offset at which it is not.
        at: usize,
    },
    /// The encoded body is nested deeper than seven arrays and maps.
    BodyDepth {
        /// The offset of the eighth.
        at: usize,
    },
    /// There is no reading, or more than [`READINGS_MAX`](crate::READINGS_MAX).
    ReadingCount {
        /// How many there are.
        count: usize,
    },
    /// A reading without a value.
    NoValue {
        /// Which reading, from 0.
        reading: usize,
    },
    /// A quantity without a meaning: not 1 to 15.
    Quantity {
        /// Which reading, from 0.
        reading: usize,
        /// The number of the quantity.
        number: u8,
    },
    /// A quantity that one reading has twice.
    Twice {
        /// Which reading, from 0.
        reading: usize,
        /// The number of the quantity.
        number: u8,
    },
    /// A value beyond [`VALUE_MAX`](crate::VALUE_MAX), either way.
    Value {
        /// Which reading, from 0.
        reading: usize,
        /// The number of the quantity.
        number: u8,
    },
    /// A reading that is not later than the one before it, or more than 31 days after the report's time.
    After {
        /// Which reading, from 0.
        reading: usize,
    },
    /// What was to be signed changed while it was written.
    Changed,
    /// The boot counter stands at 2^32 - 1: the device needs another key.
    BootsSpent,
    /// This boot has used every sequence number: the device has to store the next boot counter first.
    SequenceSpent,
    /// The secure element, or whoever was to sign, did not.
    Signer,
}

impl Error {
    /// The stable number, 1 or more: what the C functions return.
    #[must_use]
    pub const fn number(&self) -> i32 {
        self.row().0
    }

    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.row().1
    }

    /// What would be right, in one sentence.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        self.row().2
    }

    const fn row(&self) -> (i32, &'static str, &'static str) {
        match self {
            Self::Buffer { .. } => (1, "DEV-BUFFER", "give a buffer of the size needed"),
            Self::TooLarge { .. } => (2, "DEV-TOO-LARGE", "put fewer readings under one signature"),
            Self::Time => (3, "DEV-TIME", "give ms since 1970 UTC, below 2^63"),
            Self::ClockError => (4, "DEV-CLOCK-ERROR", "give the error bound in ms, below 2^63"),
            Self::Schema => (5, "DEV-SCHEMA", "name a schema in 1 to 32 characters of printable ASCII"),
            Self::Flags => (6, "DEV-FLAGS", "use the flags 1, 2 and 4"),
            Self::Cell => (7, "DEV-CELL", "give the index of an H3 cell"),
            Self::Position => (8, "DEV-POSITION", "give latitude and longitude in 1e-7 degree"),
            Self::BlobSize { .. } => (9, "DEV-BLOB-SIZE", "give the size of the blob in bytes, below 2^63"),
            Self::BodyForm { .. } => {
                (10, "DEV-BODY-FORM", "encode the body as deterministic CBOR with integer keys, without floats")
            }
            Self::BodyDepth { .. } => (11, "DEV-BODY-DEPTH", "nest at most seven arrays and maps"),
            Self::ReadingCount { .. } => (12, "DEV-READING-COUNT", "give 1 to 8,192 readings"),
            Self::NoValue { .. } => (13, "DEV-NO-VALUE", "leave out a reading without a value"),
            Self::Quantity { .. } => (14, "DEV-QUANTITY", "use the quantities 1 to 15"),
            Self::Twice { .. } => (15, "DEV-TWICE", "give each quantity once in a reading"),
            Self::Value { .. } => (16, "DEV-VALUE", "give values within 10^12 of zero, in the quantity's unit"),
            Self::After { .. } => (17, "DEV-AFTER", "give readings in the order of their times, over at most 31 days"),
            Self::Changed => (18, "DEV-CHANGED", "leave the readings alone until the report is signed"),
            Self::BootsSpent => (19, "DEV-BOOTS-SPENT", "give the device another key"),
            Self::SequenceSpent => (20, "DEV-SEQUENCE-SPENT", "store the next boot counter and go on with it"),
            Self::Signer => (21, "DEV-SIGNER", "ask the secure element why it did not sign"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Buffer { needed } => write!(f, "the report needs a buffer of {needed} bytes"),
            Self::TooLarge { bytes } => write!(f, "the report would have {bytes} bytes; at most 32,000 are read"),
            Self::Time => f.write_str("the time of the measurement is 2^63 ms or more"),
            Self::ClockError => f.write_str("the clock's error bound is 2^63 ms or more"),
            Self::Schema => f.write_str("the schema is not 1 to 32 characters of printable ASCII"),
            Self::Flags => f.write_str("a flag is not defined"),
            Self::Cell => f.write_str("the place is not an H3 cell"),
            Self::Position => f.write_str("the position is outside the globe"),
            Self::BlobSize { blob } => write!(f, "the size of blob {blob} is 2^63 bytes or more"),
            Self::BodyForm { at } => write!(f, "the body is not deterministic CBOR at byte {at}"),
            Self::BodyDepth { at } => write!(f, "the body is nested too deep at byte {at}"),
            Self::ReadingCount { count } => write!(f, "a report has 1 to 8,192 readings, not {count}"),
            Self::NoValue { reading } => write!(f, "reading {reading} has no value"),
            Self::Quantity { reading, number } => write!(f, "reading {reading}: there is no quantity {number}"),
            Self::Twice { reading, number } => write!(f, "reading {reading} has quantity {number} twice"),
            Self::Value { reading, number } => write!(f, "reading {reading}: quantity {number} is beyond 10^12"),
            Self::After { reading } => {
                write!(f, "reading {reading} is not later than the one before it, or over 31 days after the report")
            }
            Self::Changed => f.write_str("the report changed while it was written"),
            Self::BootsSpent => f.write_str("every boot counter is used"),
            Self::SequenceSpent => f.write_str("every sequence number of this boot is used"),
            Self::Signer => f.write_str("the signer did not sign"),
        }
    }
}

impl core::error::Error for Error {}
