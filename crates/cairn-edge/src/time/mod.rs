//! Honest time: what time it is, who says so, and how far off it may be.
//!
//! What it promises:
//! * While more than half of the sources of each kind are honest, the true time is within the bound that is claimed.
//! * The bound grows until somebody was asked again. A time that is not known, or not well enough, is not claimed.
//! * A step of the system's clock voids what was known: something happened to this machine, and it is asked anew.
//!
//! What it does not do: set the system's clock, or see through a network that answers for *every* server: NTP without keys is not
//! signed. A certificate's dates are checked against the system's clock, not against this one.
//!
//! Who is asked, best first:
//!
//! | source | what it tells | how far off |
//! | --- | --- | --- |
//! | NTP servers, asked by ourselves ([`sntp`]) | UTC, with the server's own distance from its reference clock | half of the round trip and that distance |
//! | the system, if `systemd-timesyncd` keeps it ([`system`]) | that its clock was right at the last synchronisation | what that program tolerates: 5.4 s |
//! | gateways ([`gateway`]) | UTC, in whole seconds | half of the round trip, that second, and a second for their own clock |
//! | a battery-backed clock ([`rtc`]) | the time since it was last compared with one of the above | what it was then, and drift since |
//!
//! The kernel's own estimate (`adjtimex`) stands in no file, and chrony's neither: its drift file says how fast a clock is, not
//! how right. Where chrony, ntpd or OpenWrt's ntpd run, let them answer on loopback and name `127.0.0.1` as a server.
//!
//! Everything that decides is stepped by hand and sees the world through [`World`]; [`Machine`] is the real one.

mod asked;
pub mod gateway;
mod keeper;
mod machine;
mod offset;
pub mod rtc;
pub mod sntp;
mod status;
pub mod system;
mod timekeeper;

use serde::Deserialize;

pub use asked::Asked;
pub use keeper::{Keeper, Known, Taken};
pub use machine::Machine;
pub use offset::{Offset, Sample, agreed};
pub use status::ClockStatus;
pub use timekeeper::Timekeeper;

use crate::ClockSource;

/// No time before this one is believed, from whomever: 2026-01-01. Clocks without a battery start in 1970, and some receivers in 2012.
pub const FLOOR_MS: i64 = 1_767_225_600_000;

/// Servers that anybody may ask, of three operators, so that one of them cannot lie alone: an address near to everybody, the
/// national time of Sweden, and that of Germany. For `cairn node setup` to suggest; nobody is asked who was not named.
pub const PUBLIC_SERVERS: [&str; 3] = ["time.cloudflare.com", "ntp.se", "ptbtime1.ptb.de"];

/// The wait between two rounds when all is well: 17 minutes, the longest of NTP's default polls. Drift in it is 0.1 s.
const ROUND_US: i64 = 1_024_000_000;

/// How much an oscillator may be off, in parts per million. Those of boards are specified at 20 to 50 over their range of
/// temperature, and age by some each year; 100 is what they are sold against at worst, and a fifth of what NTP can correct at all.
pub(crate) const DRIFT_PPM: u32 = 100;

/// How far a clock drifts at most in so many µs, rounded up.
fn at_drift(us: i64) -> i64 {
    us.saturating_abs().saturating_mul(i64::from(DRIFT_PPM)).saturating_add(999_999) / 1_000_000
}

/// How much a source is worth beside another.
const fn rank(source: ClockSource) -> u8 {
    match source {
        ClockSource::None => 0,
        ClockSource::Rtc => 1,
        ClockSource::Network => 2,
        ClockSource::Ntp => 3,
        ClockSource::Gnss => 4,
    }
}

/// The machine's clocks, read in one go, in µs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ticks {
    /// Since this start of the process, asleep or awake, by a clock that is never set (`CLOCK_BOOTTIME`).
    pub boot_us: i64,
    /// Since this start of the process, awake, by a clock that is never set but slewed (`CLOCK_MONOTONIC`).
    pub awake_us: i64,
    /// Since this start of the process, awake, by the bare oscillator (`CLOCK_MONOTONIC_RAW`).
    pub raw_us: i64,
    /// Since 1970, as the system says; it may be wrong, and may be set.
    pub wall_us: Option<i64>,
    /// How long the reading took: the clocks are apart by this at most.
    pub took_us: i64,
}

/// Why somebody who was asked did not tell the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AskError {
    /// He does not want to be asked.
    Denied,
    /// He wants to be asked less often.
    TooOften,
    /// In words.
    Failed(String),
}

/// Everything outside that knows something of the time.
pub trait World: Send + Sync {
    /// The machine's clocks.
    fn ticks(&self) -> Ticks;

    /// Asks an NTP server, `host` or `host:port`. Blocks for some seconds at most.
    ///
    /// # Errors
    /// [`AskError`].
    fn ntp(&self, server: &str) -> Result<Sample, AskError>;

    /// Asks a gateway, by its address. Blocks for some seconds at most.
    ///
    /// # Errors
    /// [`AskError`].
    fn gateway(&self, url: &str) -> Result<Sample, AskError>;

    /// What the system's clock says, if something keeps it in time and says so.
    fn synchronised(&self) -> Option<Sample>;

    /// What the battery-backed clock says, seconds since 1970, if there is one.
    fn rtc_s(&self) -> Option<i64>;

    /// Any number.
    fn random(&self) -> u64;
}

/// `[clock]` of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClockConfig {
    /// NTP servers, `host` or `host:port` [default: none]. Name three or more: of two that differ, nobody knows who is right.
    pub servers: Vec<String>,
    /// Whether gateways are asked for the time.
    pub gateways: bool,
    /// Whether a battery-backed clock is believed when nobody else is there.
    pub rtc: bool,
    /// The widest bound of a time that is still claimed, in seconds, 1 to 3600. The default is what a network's policy usually
    /// forgives a clock that is ahead; it is reached a month after the last answer.
    pub error_max_s: u32,
}

impl Default for ClockConfig {
    fn default() -> Self {
        Self { servers: Vec::new(), gateways: true, rtc: true, error_max_s: 300 }
    }
}

/// The most servers.
const SERVERS_MAX: usize = 16;

impl ClockConfig {
    /// What is wrong with it, in words.
    ///
    /// # Errors
    /// The first thing that is.
    pub fn check(&self) -> Result<(), String> {
        let is_server = |server: &String| {
            !server.is_empty()
                && server.len() <= 255
                && server.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte))
        };
        if self.servers.len() > SERVERS_MAX {
            return Err(format!("`servers` are {SERVERS_MAX} at most"));
        }
        if let Some(server) = self.servers.iter().find(|server| !is_server(server)) {
            return Err(format!("`{server}` is no NTP server; one is like `time.example.org` or `192.0.2.1:123`"));
        }
        if (1..self.servers.len()).any(|n| self.servers[..n].contains(&self.servers[n])) {
            return Err("a server that is named twice would have two voices".to_owned());
        }
        if !(1..=3_600).contains(&self.error_max_s) {
            return Err(format!("`error_max_s` is 1 to 3600, not {}", self.error_max_s));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_a_clock_is_refused_with_its_reason() {
        for (text, expected) in [
            ("", Ok(())),
            (
                "servers = [\"time.example.org\", \"192.0.2.1:123\", \"[::1]:123\"]\ngateways = false\nrtc = false",
                Ok(()),
            ),
            ("error_max_s = 0", Err("`error_max_s`")),
            ("error_max_s = 3601", Err("`error_max_s`")),
            ("servers = [\"\"]", Err("no NTP server")),
            ("servers = [\"http://time\"]", Err("no NTP server")),
            ("servers = [\"a\", \"b\", \"a\"]", Err("two voices")),
        ] {
            let config: ClockConfig = toml::from_str(text).unwrap();
            match (config.check(), expected) {
                (Ok(()), Ok(())) => {}
                (Err(found), Err(part)) => assert!(found.contains(part), "{text}: {found}"),
                (found, expected) => panic!("{text}: {found:?} instead of {expected:?}"),
            }
        }
        assert!(toml::from_str::<ClockConfig>("server = []").is_err());
        assert_eq!(toml::from_str::<ClockConfig>("").unwrap(), ClockConfig::default());
    }
}
