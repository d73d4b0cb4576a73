//! What a translation comes to: who said what, when, and how it is known again.

use cairn_core::Hash;
use cairn_core::report::ClockSource;
use cairn_edge::Reading;

/// Where something came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Adapter {
    /// SenML, JSON or CBOR.
    Senml,
    /// Uplinks of ChirpStack.
    ChirpStack,
    /// What stations of Sensor.Community push.
    Community,
}

impl Adapter {
    /// Its name in tables and counts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Senml => "senml",
            Self::ChirpStack => "chirpstack",
            Self::Community => "sensor-community",
        }
    }

    /// The adapter of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Senml, Self::ChirpStack, Self::Community].into_iter().find(|adapter| adapter.name() == name)
    }
}

/// When something was measured, as the original says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measured {
    /// It says nothing: when it came in counts, by the bridge's clock.
    OnArrival {
        /// How long before it came in, ms; zero where it says nothing.
        before_ms: u64,
    },
    /// At a time by somebody else's clock.
    At {
        /// ms since 1970 UTC.
        time_ms: u64,
        /// Whose.
        source: ClockSource,
        /// How far off it may be, ms.
        error_ms: u64,
    },
    /// Nobody knows: the report claims no time.
    Unknown,
}

/// What one device said at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The device, as the original names it.
    pub device: String,
    /// When.
    pub measured: Measured,
    /// Ascending by quantity, at most one of each; at least one.
    pub readings: Vec<Reading>,
}

/// How something is known again when it comes again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replay {
    /// It names itself: any of these, ever again, is the same.
    Named(Vec<Hash>),
    /// Its bytes are all that it is known by, and another measurement may have the same: within so long it is the same.
    Within {
        /// SHA-256 of the bytes and who sent them.
        key: Hash,
        /// ms.
        ms: u64,
    },
}

/// Keeps the last said of each quantity, ascending.
pub(crate) fn sorted(readings: Vec<Reading>) -> Vec<Reading> {
    let by_number: std::collections::BTreeMap<_, _> =
        readings.into_iter().map(|reading| (reading.quantity, reading.value)).collect();
    by_number.into_iter().map(|(quantity, value)| Reading { quantity, value }).collect()
}
