//! What time it is, and how sure that is.

pub use cairn_core::report::ClockSource;

/// A moment as a [`Clock`] tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// ms since this start of the process, by a clock that is never set.
    pub boot_ms: u64,
    /// ms since 1970 UTC, where that comes from, and its error bound in ms; `None` where it is not known.
    pub wall: Option<(u64, ClockSource, u64)>,
}

/// Tells the time. Nothing else in this crate asks the system for it, so that tests run on a virtual one.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Stamp;
}
