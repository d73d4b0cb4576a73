//! Times, durations and amounts as people read them: as the console shows them.

pub use cairn_console::words::{count, duration, rehearsed_lines, tokens, utc};
