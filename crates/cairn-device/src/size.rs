//! How large a buffer has to be, known when the firmware is compiled.
//!
//! ```
//! use cairn_device::size::{report_bytes_max, sensing_bytes_max};
//! // Twelve readings of three values under one signature.
//! let buffer = [0; report_bytes_max(sensing_bytes_max(12, 3), 0, 0)];
//! assert_eq!(buffer.len(), 664);
//! ```

/// The most bytes of one report that any gateway reads.
pub const REPORT_BYTES_MAX: usize = 32_000;

/// The most bytes of a schema's name.
pub const SCHEMA_BYTES_MAX: usize = 32;

/// What a report has around its payload, at most: tag, array, header, the payload's head, signature.
pub const ENVELOPE_BYTES_MAX: usize = 94;

/// What a payload has around its body, at most, without answers and blobs: every other field there is.
pub const FIELDS_BYTES_MAX: usize = 1
    + (1 + 5)
    + (1 + 5)
    + (1 + 9)
    + (1 + 1 + 1 + 9)
    + (1 + 9)
    + (1 + 2 + SCHEMA_BYTES_MAX)
    + 1
    + 2
    + (1 + 21)
    + (1 + 17);

/// The most bytes of a report with a body of at most `body` bytes, so many answers and so many blobs. A buffer of this size
/// is always large enough; where it is above [`REPORT_BYTES_MAX`], what does not fit is refused.
#[must_use]
pub const fn report_bytes_max(body: usize, answers: usize, blobs: usize) -> usize {
    let lists = answers
        .saturating_mul(34)
        .saturating_add(list_head(answers))
        .saturating_add(blobs.saturating_mul(1 + 34 + 9))
        .saturating_add(list_head(blobs));
    ENVELOPE_BYTES_MAX.saturating_add(FIELDS_BYTES_MAX).saturating_add(body).saturating_add(lists)
}

/// The most bytes of a `sensing/1` body of so many readings with at most so many values each.
#[must_use]
pub const fn sensing_bytes_max(readings: usize, values: usize) -> usize {
    let reading = values.saturating_mul(1 + 9).saturating_add(1 + 5 + 1);
    readings.saturating_mul(reading).saturating_add(3)
}

/// Key and head of a list that is left out when empty.
const fn list_head(items: usize) -> usize {
    if items == 0 { 0 } else { 1 + 3 }
}
