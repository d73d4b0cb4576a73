//! What a contributor asked to be told: that the node is cut off, that reports are refused and why, that the score dropped, that the
//! time is not known, that the queue runs full, that a promise was broken.
//!
//! What it promises:
//! * Each trouble is told once when it begins and once when it is over, also over restarts; one that comes and goes is told again
//!   after the quiet period at the earliest.
//! * What was decided to be told is on disk before it is told, and is tried a bounded number of times. Who takes it may see it twice
//!   after a crash, under the same number.
//! * Telling never stands in the way of measuring and sending.
//!
//! What it does not do: reach anybody while the node has no network at all. Who wants to know that watches the household's broker,
//! which says that the node is gone ([`crate::home`]), or the device's page.
//!
//! [`Watched`] is what is looked at, [`Ledger`] decides, [`Alerts`] keeps and tells.

mod deliver;
mod judge;
mod ledger;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

pub use deliver::{Alerts, Delivered, Http, Post};
pub use judge::Rules;
pub use ledger::{Event, Ledger};

use crate::Stamp;
use crate::send::{GatewayStatus, SendStatus, Told};
use crate::time::ClockStatus;

/// The node cannot send.
pub const OFFLINE: &str = "ALERT-OFFLINE";
/// Reports are refused for good: the code of the refusal stands behind a `/`. Without one, a gateway refuses everything.
pub const REFUSED: &str = "ALERT-REFUSED";
/// The score is low, or much lower than it was.
pub const SCORE: &str = "ALERT-SCORE";
/// The time is not known, or not well.
pub const CLOCK: &str = "ALERT-CLOCK";
/// The queue runs full.
pub const QUEUE: &str = "ALERT-QUEUE";
/// What waited was given up for want of room.
pub const LOST: &str = "ALERT-LOST";
/// A gateway broke a promise. It is told, and never over.
pub const BROKEN: &str = "ALERT-PROMISE";

/// What is looked at, all of one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Watched {
    /// Now, ms since this start of the process.
    pub boot_ms: u64,
    /// Now, ms since 1970 UTC, if that is known.
    pub wall_ms: Option<u64>,
    /// For how long something waits and no gateway takes it, ms; `None` while sending works or there is nothing to send.
    pub stuck_ms: Option<u64>,
    /// Why, in words.
    pub stuck_why: Option<String>,
    /// Reports refused for good, ever, by code.
    pub refused: BTreeMap<String, u64>,
    /// The last reason for each code, in words.
    pub reasons: BTreeMap<String, String>,
    /// Which gateways refuse whatever they are sent, and are left alone, and why, in words.
    pub refusing: Option<String>,
    /// The last closed epoch in which the device was scored, and its score there, parts per million.
    pub score: Option<(u64, u32)>,
    /// How far off the time may be, ms; `None` while it is not known.
    pub clock_error_ms: Option<u64>,
    /// Why it is not, in words.
    pub clock_why: Option<String>,
    /// Bytes of the queue on disk, and the most.
    pub queue_bytes: (u64, u64),
    /// Items given up for want of room, ever.
    pub lost: u64,
    /// Promises that were broken, ever.
    pub broken: u64,
}

impl Watched {
    /// What a running node knows of itself. The score is the network's to say: set [`Watched::score`] where it did.
    #[must_use]
    pub fn of(now: Stamp, send: &SendStatus, clock: &ClockStatus) -> Self {
        let told = |told: &Told| format!("{} ({})", told.detail, told.code);
        let words = |gateway: &GatewayStatus| Some(format!("{}: {}", gateway.name, told(gateway.last_error.as_ref()?)));
        let gateways = send.gateways.iter().filter(|gateway| gateway.failures > 0).filter_map(words);
        let why: Vec<String> = send.own_error.as_ref().map(told).into_iter().chain(gateways).collect();
        let refusing: Vec<String> =
            send.gateways.iter().filter(|gateway| gateway.is_refusing).filter_map(words).collect();
        let clock_why = clock.troubles().into_iter().next().map(|(_, detail)| detail);
        Self {
            boot_ms: now.boot_ms,
            wall_ms: now.wall.map(|(time_ms, ..)| time_ms),
            stuck_ms: send.stuck_since_boot_ms.map(|since_ms| now.boot_ms.saturating_sub(since_ms)),
            stuck_why: (!why.is_empty()).then(|| why.join("; ")),
            refused: send.refused_by_code.clone(),
            reasons: send.refusals.iter().map(|refusal| (refusal.code.clone(), refusal.detail.clone())).collect(),
            refusing: (!refusing.is_empty()).then(|| refusing.join("; ")),
            score: None,
            clock_error_ms: now.wall.map(|(.., error_ms)| error_ms),
            clock_why,
            queue_bytes: (send.queue_bytes, send.queue_bytes_max),
            lost: send.lost,
            broken: send.broken_promises,
        }
    }
}

/// `[alerts]` of a configuration. Without a webhook alerts go to the household's broker, if there is one, and to the log.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlertConfig {
    /// Where alerts are posted.
    pub webhook: Option<Webhook>,
    /// Seconds for which nothing can be sent before that is told.
    pub offline_after_s: u32,
    /// Seconds for which the time is not known well before that is told.
    pub clock_after_s: u32,
    /// The bound above which the time is not known well, in ms.
    pub clock_error_ms: u64,
    /// A score below this is told, in parts per million; 0 for never.
    pub score_below_ppm: u32,
    /// A score that is lower than the usual one by this is told, in parts per million.
    pub score_drop_ppm: u32,
    /// How full the queue is when that is told, per cent.
    pub queue_percent: u32,
    /// Seconds before the same thing is told to have begun again.
    pub quiet_s: u32,
}

impl Default for AlertConfig {
    fn default() -> Self {
        Self {
            webhook: None,
            offline_after_s: 900,
            clock_after_s: 600,
            clock_error_ms: 30_000,
            score_below_ppm: 500_000,
            score_drop_ppm: 250_000,
            queue_percent: 80,
            quiet_s: 3_600,
        }
    }
}

/// Where alerts are posted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// `https://…` or `http://…`.
    pub url: String,
    /// A file that holds a token, sent as `authorization: Bearer …`.
    pub bearer_file: Option<PathBuf>,
    /// What is posted [default: json].
    #[serde(default)]
    pub form: Form,
}

/// What is posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// A JSON object with every field, and the words also as `text` and `content`, where chats look for them.
    #[default]
    Json,
    /// The words alone, as services that pass on messages take them.
    Text,
}

impl AlertConfig {
    /// What is wrong with it, in words.
    ///
    /// # Errors
    /// The first thing that is.
    pub fn check(&self) -> Result<(), String> {
        if let Some(webhook) = &self.webhook
            && !webhook.url.starts_with("https://")
            && !webhook.url.starts_with("http://")
        {
            return Err(format!("`{}` is not like https://host/path", webhook.url));
        }
        if self.score_below_ppm > 1_000_000 || self.score_drop_ppm == 0 || self.score_drop_ppm > 1_000_000 {
            return Err("`score_below_ppm` is 0 to 1000000, `score_drop_ppm` 1 to 1000000".to_owned());
        }
        if !(1..=100).contains(&self.queue_percent) {
            return Err("`queue_percent` is 1 to 100".to_owned());
        }
        Ok(())
    }

    /// The rules that follow.
    #[must_use]
    pub fn rules(&self) -> Rules {
        let ms = |seconds: u32| u64::from(seconds) * 1_000;
        Rules {
            offline_after_ms: ms(self.offline_after_s),
            clock_after_ms: ms(self.clock_after_s),
            clock_error_ms: self.clock_error_ms,
            score_below_ppm: self.score_below_ppm,
            score_drop_ppm: self.score_drop_ppm,
            queue_percent: self.queue_percent,
            quiet_ms: ms(self.quiet_s),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ClockSource;
    use crate::send::Refusal;

    #[test]
    fn what_is_watched_is_what_sending_and_the_clock_say() {
        let told = |code: &str, detail: &str| Told { code: code.into(), detail: detail.into(), hint: None, boot_ms: 1 };
        let gateway = |name: &str, failures| GatewayStatus {
            name: name.into(),
            failures,
            taken_boot_ms: None,
            last_error: Some(told("NET-GATEWAY", "it is away")),
            refused_in_a_row: failures,
            is_refusing: failures > 2,
        };
        let refusal = |detail: &str| Refusal {
            name: None,
            measured_ms: None,
            at_ms: None,
            code: "RPT-FUTURE".into(),
            detail: detail.into(),
            hint: None,
            gateways: Vec::new(),
        };
        let send = SendStatus {
            stuck_since_boot_ms: Some(4_000),
            own_error: Some(told("EDGE-DISK", "it is full")),
            gateways: vec![gateway("a", 3), gateway("b", 0)],
            refused_by_code: BTreeMap::from([("RPT-FUTURE".into(), 2)]),
            refusals: vec![refusal("the first"), refusal("the last")],
            queue_bytes: 7,
            queue_bytes_max: 9,
            lost: 3,
            broken_promises: 1,
            ..SendStatus::default()
        };
        let clock =
            ClockStatus { source: "none", error_ms: None, told_s: None, steps: 0, servers: vec![], gateways: vec![] };
        let watched = Watched::of(Stamp { boot_ms: 10_000, wall: None }, &send, &clock);
        assert_eq!(
            watched,
            Watched {
                boot_ms: 10_000,
                stuck_ms: Some(6_000),
                stuck_why: Some("it is full (EDGE-DISK); a: it is away (NET-GATEWAY)".into()),
                refused: send.refused_by_code.clone(),
                reasons: BTreeMap::from([("RPT-FUTURE".into(), "the last".into())]),
                refusing: Some("a: it is away (NET-GATEWAY)".into()),
                clock_why: Some("the time is not known, and no report claims one: nobody could tell it".into()),
                queue_bytes: (7, 9),
                lost: 3,
                broken: 1,
                ..Watched::default()
            }
        );
        let known = Stamp { boot_ms: 10_000, wall: Some((5, ClockSource::Ntp, 20)) };
        let watched = Watched::of(known, &SendStatus::default(), &clock);
        assert_eq!((watched.wall_ms, watched.clock_error_ms, watched.stuck_ms), (Some(5), Some(20), None));
    }

    #[test]
    fn what_cannot_be_told_is_refused_with_its_reason() {
        for (text, expected) in [
            ("", ""),
            ("webhook = { url = \"https://ntfy.example/garden\", form = \"text\" }\nquiet_s = 60", ""),
            ("webhook.url = \"ftp://host\"", "https://host/path"),
            ("score_below_ppm = 1000001", "score_below_ppm"),
            ("score_drop_ppm = 0", "score_drop_ppm"),
            ("queue_percent = 0", "queue_percent"),
        ] {
            let config: AlertConfig = toml::from_str(text).unwrap();
            assert!(config.check().err().unwrap_or_default().contains(expected), "{text}");
            assert_eq!(config.check().is_ok(), expected.is_empty(), "{text}");
        }
        for unknown in [
            "webhok = 1",
            "webhook = { url = \"https://a\", secret = \"b\" }",
            "webhook = { url = \"a\", form = \"xml\" }",
        ] {
            assert!(toml::from_str::<AlertConfig>(unknown).is_err(), "{unknown}");
        }
    }
}
