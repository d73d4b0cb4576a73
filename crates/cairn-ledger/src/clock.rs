//! The network's time: what `received_ms` is taken from.

use std::time::{SystemTime, UNIX_EPOCH};

/// Where the network's time comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkClock {
    /// The machine's clock.
    Wall,
    /// The rounds of `clock` observations, from a start on: rehearsed, and declared so in genesis.
    Recorded {
        /// The time before the first observation, ms since 1970 UTC.
        start_ms: u64,
    },
}

impl NetworkClock {
    /// What a network on this clock must declare as rehearsed.
    pub const RECORDED_DECLARATION: &'static str = cairn_core::statement::RECORDED_CLOCK;

    /// The time now, never before `last_ms`.
    #[must_use]
    pub fn now_ms(self, last_ms: u64) -> u64 {
        match self {
            Self::Wall => wall_ms().max(last_ms),
            Self::Recorded { start_ms } => start_ms.max(last_ms),
        }
    }

    /// How far the machine's clock stands before `last_ms`, the time of the log's last entry; ms. Until it has caught up
    /// the network's time stands still: an entry is never dated before the one ahead of it.
    #[must_use]
    pub fn behind_ms(self, last_ms: u64) -> u64 {
        match self {
            Self::Wall => last_ms.saturating_sub(wall_ms()),
            Self::Recorded { .. } => 0,
        }
    }
}

/// The machine's time, ms since 1970 UTC.
#[must_use]
pub fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
