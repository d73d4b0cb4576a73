//! Times, durations and amounts as people read them: as the console shows them.

pub use cairn_console::words::{count, duration, rehearsed_lines, tokens, utc};

/// A device's score in an epoch, parts per million; without one it was not scored, which is no score of 0.
#[must_use]
pub fn score(ppm: Option<u32>) -> String {
    ppm.map_or_else(|| "not scored".to_owned(), |ppm| format!("score {ppm} ppm"))
}
