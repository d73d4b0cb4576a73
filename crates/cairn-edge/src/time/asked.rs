//! Somebody who is asked for the time: how often, and what came of it.
//!
//! Promised: nobody is asked more often than every fifteen seconds (RFC 4330 forbids less), nor sooner than he asked for. What a
//! server says instead of the time is a *kiss code* (RFC 5905, 7.4); [`sntp`](super::sntp) believes one only of who was asked.
//!
//! | answer | the next question |
//! | --- | --- |
//! | the time, or none | after 15 s at the earliest; where he has asked for patience, after 17 minutes |
//! | `RATE` | after 17 minutes, then each time after four times as long, up to a day; each answer halves it again |
//! | `DENY`, `RSTR` | after a day |
//!
//! RFC 5905 has a client never come back after `DENY`. A name is served by other machines tomorrow, and one packet a day is a
//! burden for nobody: a node that runs for years would else lose its servers one by one until nobody tells it the time.

use serde::Serialize;

use super::{AskError, Offset, ROUND_US, Sample, Ticks, agreed};

/// The least time between two requests to one server.
const REST_US: i64 = 15_000_000;
/// The longest that somebody is left alone, whatever he asks for.
const REST_US_MAX: i64 = 86_400_000_000;
/// How long an answer counts: so one that is lost does not cost a majority.
const ANSWER_US_MAX: i64 = 3 * ROUND_US + 60_000_000;

/// Somebody who is asked, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// The server or the gateway.
    pub name: String,
    /// Whether what it says contradicts what most say, or who is believed more.
    pub is_outvoted: bool,
    /// Why it did not tell the time when it was last asked.
    pub failed: Option<String>,
    #[serde(skip)]
    pub(super) sample: Option<Sample>,
    #[serde(skip)]
    pub(super) rests_until_us: i64,
    #[serde(skip)]
    rest_us: i64,
}

impl Asked {
    /// Not asked yet.
    pub(super) fn of(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            is_outvoted: false,
            failed: None,
            sample: None,
            rests_until_us: i64::MIN,
            rest_us: REST_US,
        }
    }

    /// Asks, if it is time to.
    pub(super) fn ask(&mut self, now: &Ticks, ask: impl FnOnce(&str) -> Result<Sample, AskError>) {
        let is_old = |sample: &Sample| now.boot_us.saturating_sub(sample.at.boot_us) > ANSWER_US_MAX;
        self.sample = self.sample.filter(|sample| !is_old(sample));
        if now.boot_us < self.rests_until_us {
            return;
        }
        let asked = ask(&self.name);
        let rest_us = self.rest_after(asked.as_ref().err());
        self.rests_until_us = now.boot_us.saturating_add(rest_us);
        self.failed = asked.as_ref().err().map(|error| match error {
            AskError::Denied => "it does not want to be asked, and is left alone for a day".to_owned(),
            AskError::TooOften => "it wants to be asked less often".to_owned(),
            AskError::Failed(why) => why.clone(),
        });
        self.sample = asked.ok().or(self.sample);
    }

    /// How long it is left alone after what it answered, in µs.
    fn rest_after(&mut self, refused: Option<&AskError>) -> i64 {
        self.rest_us = match refused {
            Some(AskError::TooOften) => self.rest_us.saturating_mul(4).clamp(ROUND_US, REST_US_MAX),
            // Who asked for patience once keeps the longest of the usual waits; beyond that he has to ask for it again.
            None => (self.rest_us / 2).max(self.rest_us.min(ROUND_US)),
            Some(AskError::Denied) => self.rest_us.max(ROUND_US),
            Some(AskError::Failed(_)) => self.rest_us,
        };
        if refused == Some(&AskError::Denied) { REST_US_MAX } else { self.rest_us }
    }
}

/// What most agree on; who does not is marked.
pub(super) fn vote(all: &mut [Asked], now: &Ticks) -> Option<Offset> {
    let told: Vec<_> = all.iter().filter_map(|asked| Some(asked.sample?.aged(now))).collect();
    let found = agreed(&told, all.len());
    for asked in all {
        asked.is_outvoted = found.zip(asked.sample).is_some_and(|(found, sample)| !found.meets(sample.aged(now)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_has_its_rest_and_none_is_for_ever() {
        let (rate, deny) = (|| Some(AskError::TooOften), || Some(AskError::Denied));
        let silent = || Some(AskError::Failed("it does not answer".to_owned()));
        let (short, round, day) = (15, 1_024, 86_400);
        let cases: [(&[Option<AskError>], &[i64]); 6] = [
            (&[None, None, silent(), None], &[short, short, short, short]),
            (&[rate(), None, silent(), None], &[round, round, round, round]),
            (&[rate(), rate(), None, None, None], &[round, 4_096, 2_048, round, round]),
            (&[rate(), rate(), rate(), rate(), rate(), rate()], &[round, 4_096, 16_384, 65_536, day, day]),
            (&[deny(), None, None], &[day, round, round]),
            (&[deny(), deny(), rate(), deny(), None], &[day, day, 4_096, day, 2_048]),
        ];
        for (answers, rests_s) in cases {
            let mut asked = Asked::of("server");
            let found: Vec<i64> = answers.iter().map(|answer| asked.rest_after(answer.as_ref()) / 1_000_000).collect();
            assert_eq!(found, rests_s, "{answers:?}");
        }
    }
}
