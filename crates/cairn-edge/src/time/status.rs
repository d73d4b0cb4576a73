//! How a clock stands, and what is wrong with it.

use serde::Serialize;

use super::asked::Asked;
use crate::ClockSource;

/// The code of a time that is not known.
pub(super) const UNKNOWN: &str = "EDGE-CLOCK";
/// The code of a source that contradicts the others.
const LIAR: &str = "EDGE-CLOCK-SOURCE";

/// How a clock stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClockStatus {
    /// Where the time comes from; `none` while it is not claimed.
    pub source: &'static str,
    /// How far off it may be, ms.
    pub error_ms: Option<u64>,
    /// How long ago somebody told the time that is kept, s.
    pub told_s: Option<u64>,
    /// How often the system's clock stepped in this start.
    pub steps: u64,
    /// NTP servers.
    pub servers: Vec<Asked>,
    /// Gateways.
    pub gateways: Vec<Asked>,
}

/// What a source of the time is called.
pub(super) fn word(source: ClockSource) -> &'static str {
    match source {
        ClockSource::None => "none",
        ClockSource::Rtc => "rtc",
        ClockSource::Network => "network",
        ClockSource::Ntp => "ntp",
        ClockSource::Gnss => "gnss",
    }
}

impl ClockStatus {
    /// What is wrong, by code and in words.
    #[must_use]
    pub fn troubles(&self) -> Vec<(&'static str, String)> {
        let mut troubles = Vec::new();
        let all = || self.servers.iter().chain(&self.gateways);
        if self.error_ms.is_none() {
            let failed = all().filter_map(|asked| Some(format!("{}: {}", asked.name, asked.failed.as_ref()?)));
            let failed: Vec<_> = failed.collect();
            let why = if failed.is_empty() { "nobody could tell it".to_owned() } else { failed.join("; ") };
            troubles.push((UNKNOWN, format!("the time is not known, and no report claims one: {why}")));
        }
        let outvoted: Vec<_> = all().filter(|asked| asked.is_outvoted).map(|asked| asked.name.as_str()).collect();
        if !outvoted.is_empty() {
            troubles.push((LIAR, format!("told a time that others contradict: {}", outvoted.join(", "))));
        }
        troubles
    }
}
