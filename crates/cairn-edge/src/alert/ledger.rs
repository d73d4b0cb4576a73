//! What was told and what is to be told. Pure: it is handed what is watched, and answers what happened.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::judge::{Level, SCORES, Sign, signs};
use super::{Rules, Watched};
use crate::home::AlertMessage;

/// Something to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its number, ascending for ever: who sees one twice knows.
    pub number: u64,
    /// What.
    pub alert: AlertMessage,
}

/// What was told of everything that is watched, over restarts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    next_number: u64,
    /// Whether anything was looked at yet: what had been counted before is history.
    has_looked: bool,
    states: BTreeMap<String, State>,
    /// Scores of the epochs before the last, newest last.
    scores: Vec<u32>,
    last: Option<(u64, u32)>,
}

/// What was told of one thing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    /// What was told when it began, until it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    open: Option<AlertMessage>,
    /// When it was last told to have begun, ms since 1970 UTC, if that was known.
    #[serde(skip_serializing_if = "Option::is_none")]
    told_wall_ms: Option<u64>,
    /// Whether it ever was.
    was_told: bool,
    /// What a count was when it was last told.
    count: u64,
    /// The same, in ms of this start.
    #[serde(skip)]
    told_boot_ms: Option<u64>,
    /// Since when it is bad, or good, in ms of this start.
    #[serde(skip)]
    bad_since_ms: Option<u64>,
    #[serde(skip)]
    good_since_ms: Option<u64>,
}

impl Ledger {
    /// Looks, and answers what is to be told.
    pub fn look(&mut self, rules: &Rules, watched: &Watched) -> Vec<Event> {
        self.learn_score(watched);
        let is_first = !core::mem::replace(&mut self.has_looked, true);
        let signs = signs(rules, watched, &self.scores);
        // What is not counted any more needs no memory, unless somebody waits to hear that it is over.
        self.states.retain(|key, state| state.open.is_some() || signs.iter().any(|sign| sign.key == *key));
        let mut alerts = Vec::new();
        for sign in signs {
            let state = self.states.entry(sign.key.clone()).or_default();
            if let (true, Level::Count(count, _)) = (is_first, &sign.level) {
                state.count = *count;
            }
            alerts.extend(state.look(sign, rules, watched));
        }
        let number = |alert| {
            self.next_number += 1;
            Event { number: self.next_number, alert }
        };
        alerts.into_iter().map(number).collect()
    }

    /// What began and is not over, by code.
    #[must_use]
    pub fn open(&self) -> Vec<AlertMessage> {
        self.states.values().filter_map(|state| state.open.clone()).collect()
    }

    fn learn_score(&mut self, watched: &Watched) {
        let Some((epoch, score)) = watched.score else { return };
        match self.last {
            Some((last, _)) if epoch <= last => return,
            Some((_, before)) => self.scores.push(before),
            None => {}
        }
        self.last = Some((epoch, score));
        let over = self.scores.len().saturating_sub(SCORES);
        self.scores.drain(..over);
    }
}

impl State {
    fn look(&mut self, sign: Sign, rules: &Rules, watched: &Watched) -> Option<AlertMessage> {
        let now_ms = watched.boot_ms;
        let Sign { key, level, after_ms, calm_ms, is_final } = sign;
        let counted = if let Level::Count(count, _) = level { Some(count) } else { None };
        let level = self.of_count(level);
        match level {
            Level::Bad(_) => self.good_since_ms = None,
            Level::Good(_) => self.bad_since_ms = None,
            _ => (self.bad_since_ms, self.good_since_ms) = (None, None),
        }
        let lasts = |since: &mut Option<u64>, long_ms| now_ms.saturating_sub(*since.get_or_insert(now_ms)) >= long_ms;
        match level {
            Level::Bad(detail) if self.open.is_none() => {
                if !lasts(&mut self.bad_since_ms, after_ms) || !self.is_quiet_over(rules, watched) {
                    return None;
                }
                let alert = AlertMessage { code: key, detail, is_over: false, at_ms: watched.wall_ms };
                self.open = (!is_final).then(|| alert.clone());
                self.count = counted.unwrap_or(self.count);
                (self.was_told, self.told_boot_ms, self.told_wall_ms) = (true, Some(now_ms), watched.wall_ms);
                Some(alert)
            }
            Level::Good(detail) if self.open.is_some() && lasts(&mut self.good_since_ms, calm_ms) => {
                self.open = None;
                Some(AlertMessage { code: key, detail, is_over: true, at_ms: watched.wall_ms })
            }
            _ => None,
        }
    }

    /// A count is bad while it is above what was told. Once that is told it is as it was while it grows, and good while it does not.
    fn of_count(&mut self, level: Level) -> Level {
        let Level::Count(count, meaning) = level else { return level };
        let more = count.saturating_sub(self.count);
        match (more, self.open.is_some()) {
            (0, _) => {
                // Whoever counts began anew.
                self.count = count;
                Level::Good(format!("no more since: {meaning}"))
            }
            (_, true) => {
                self.count = count;
                Level::Same
            }
            (_, false) => Level::Bad(format!("{more} times: {meaning}")),
        }
    }

    /// Whether the same thing may be told again. Over a restart the time says so, if it was and is known; else it is as if it had been
    /// told when this process started.
    fn is_quiet_over(&self, rules: &Rules, watched: &Watched) -> bool {
        let since_ms = match (self.told_boot_ms, self.told_wall_ms, watched.wall_ms) {
            _ if !self.was_told => return true,
            (Some(told_ms), ..) => watched.boot_ms.saturating_sub(told_ms),
            (None, Some(told_ms), Some(now_ms)) => now_ms.saturating_sub(told_ms),
            _ => watched.boot_ms,
        };
        since_ms >= rules.quiet_ms
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{AlertConfig, CLOCK, LOST, OFFLINE, QUEUE};
    use super::*;

    const MINUTE: u64 = 60_000;
    const WALL: u64 = 1_790_000_000_000;

    /// A node that is well, so many minutes after its start.
    fn well(minutes: u64) -> Watched {
        let boot_ms = minutes * MINUTE;
        Watched {
            boot_ms,
            wall_ms: Some(WALL + boot_ms),
            clock_error_ms: Some(10),
            queue_bytes: (1, 1_000),
            ..Watched::default()
        }
    }

    fn rules() -> Rules {
        AlertConfig::default().rules()
    }

    /// The codes that are told, `+` when something begins and `-` when it is over, each with the minute.
    fn told(ledger: &mut Ledger, all: impl IntoIterator<Item = Watched>) -> Vec<String> {
        let mut said = Vec::new();
        for watched in all {
            for event in ledger.look(&rules(), &watched) {
                let sign = if event.alert.is_over { '-' } else { '+' };
                said.push(format!("{}{sign}{}", watched.boot_ms / MINUTE, event.alert.code));
            }
        }
        said
    }

    fn stuck(minutes: u64, since: u64) -> Watched {
        let stuck_why = Some("nobody answers".to_owned());
        Watched { stuck_ms: Some((minutes - since) * MINUTE), stuck_why, ..well(minutes) }
    }

    #[test]
    fn a_trouble_is_told_when_it_lasts_and_again_when_it_is_over() {
        let watched = |minute| match minute {
            10..=60 => stuck(minute, 10),
            _ => well(minute),
        };
        assert_eq!(told(&mut Ledger::default(), (0..100).map(watched)), ["25+ALERT-OFFLINE", "63-ALERT-OFFLINE"]);
        let unsure = |minute| match minute {
            10..=15 | 40..=60 => Watched { clock_error_ms: None, ..well(minute) },
            _ => well(minute),
        };
        assert_eq!(told(&mut Ledger::default(), (0..100).map(unsure)), ["50+ALERT-CLOCK", "63-ALERT-CLOCK"]);
    }

    #[test]
    fn what_comes_and_goes_is_told_once_in_a_quiet_period() {
        let flapping = |minute: u64| match minute % 30 {
            0..20 => stuck(minute, minute - minute % 30),
            _ => well(minute),
        };
        let said = told(&mut Ledger::default(), (1..200).map(flapping));
        assert_eq!(
            said,
            [
                "15+ALERT-OFFLINE",
                "22-ALERT-OFFLINE",
                "75+ALERT-OFFLINE",
                "82-ALERT-OFFLINE",
                "135+ALERT-OFFLINE",
                "142-ALERT-OFFLINE",
                "195+ALERT-OFFLINE"
            ]
        );
    }

    #[test]
    fn refusals_are_told_by_code_when_they_begin_and_when_none_came_for_an_hour() {
        let refused = |minute: u64| {
            let future = if minute < 5 { 7 } else { 8 + (minute - 5).min(20) };
            let mut watched = well(minute);
            watched.refused.insert("RPT-FUTURE".to_owned(), future);
            if minute >= 30 {
                watched.refused.insert("RPT-DEVICE".to_owned(), 1);
            }
            watched
        };
        let said = told(&mut Ledger::default(), (0..140).map(refused));
        assert_eq!(
            said,
            [
                "5+ALERT-REFUSED/RPT-FUTURE",
                "30+ALERT-REFUSED/RPT-DEVICE",
                "86-ALERT-REFUSED/RPT-FUTURE",
                "91-ALERT-REFUSED/RPT-DEVICE"
            ]
        );
    }

    #[test]
    fn what_was_counted_before_anybody_looked_is_history() {
        let counted = |minute: u64, more: u64| {
            let mut watched = Watched { lost: 40 + more, broken: 2 + more, ..well(minute) };
            watched.refused.insert("RPT-FUTURE".to_owned(), 9);
            watched
        };
        let mut ledger = Ledger::default();
        assert!(told(&mut ledger, (0..100).map(|minute| counted(minute, 0))).is_empty());
        let said = told(&mut ledger, (100..300).map(|minute| counted(minute, minute / 130)));
        // A broken promise is told each time, and never over.
        let expected = ["130+ALERT-LOST", "130+ALERT-PROMISE", "191-ALERT-LOST", "260+ALERT-LOST", "260+ALERT-PROMISE"];
        assert_eq!(said, expected);
        assert_eq!(ledger.open().len(), 1);
        // Whoever counts began anew.
        assert_eq!(told(&mut ledger, [counted(400, 0), counted(401, 0)]), ["400-ALERT-LOST"]);
        assert_eq!(told(&mut ledger, [counted(500, 1)]), ["500+ALERT-LOST", "500+ALERT-PROMISE"]);
    }

    #[test]
    fn a_score_is_held_against_what_is_usual_once_in_an_epoch() {
        let scores =
            [900_000, 910_000, 890_000, 905_000, 600_000, 650_000, 790_000, 900_000, 400_000, 520_000, 560_000];
        let watched = |minute: u64| {
            let epoch = minute / 100;
            Watched { score: Some((epoch, scores[usize::try_from(epoch).unwrap()])), ..well(minute) }
        };
        let said = told(&mut Ledger::default(), (0..1_100).map(watched));
        assert_eq!(said, ["400+ALERT-SCORE", "600-ALERT-SCORE", "800+ALERT-SCORE"]);
    }

    #[test]
    fn a_restart_repeats_nothing_and_forgets_nothing() {
        for (away_minutes, knows_time, expected) in [(1, true, 61), (1, false, 60), (500, true, 0), (500, false, 60)] {
            let mut ledger = Ledger::default();
            assert_eq!(told(&mut ledger, (1..30).map(|minute| stuck(minute, 0))), ["15+ALERT-OFFLINE"]);
            let again =
                |ledger: &Ledger| -> Ledger { serde_json::from_slice(&serde_json::to_vec(ledger).unwrap()).unwrap() };
            let mut ledger = again(&ledger);
            assert_eq!(ledger.open().len(), 1);
            // Over while it was away: that is told, and then quiet lasts.
            let later = |watched: Watched, minute: u64| Watched {
                wall_ms: knows_time.then_some(WALL + (14 + away_minutes + minute) * MINUTE),
                ..watched
            };
            assert!(
                told(
                    &mut ledger,
                    (0..9)
                        .map(|minute| later(stuck(minute + 100, 0), minute))
                        .map(|watched| Watched { boot_ms: 0, ..watched })
                )
                .is_empty()
            );
            assert_eq!(told(&mut ledger, (0..9).map(|minute| later(well(minute), minute))), ["2-ALERT-OFFLINE"]);
            let mut ledger = again(&ledger);
            let said = told(
                &mut ledger,
                (0..100).map(|minute| {
                    let watched = Watched { stuck_ms: Some(HOURS), ..well(minute) };
                    later(watched, minute)
                }),
            );
            let minute: u64 = said[0].split('+').next().unwrap().parse().unwrap();
            assert_eq!(said.len(), 1);
            assert!(minute.abs_diff(expected) <= 2, "{said:?} instead of {expected}");
        }
    }

    const HOURS: u64 = 10 * 3_600_000;

    proptest! {
        #[test]
        fn beginnings_and_ends_take_turns_and_beginnings_keep_the_quiet_period(
            steps in proptest::collection::vec((0u64..40, 0u8..6, 0u64..3, any::<bool>()), 1..120),
        ) {
            let (mut ledger, mut minute, mut counted) = (Ledger::default(), 1, 0);
            let mut open: BTreeMap<String, u64> = BTreeMap::new();
            let mut began: BTreeMap<String, u64> = BTreeMap::new();
            let mut number = 0;
            for (pass, what, more, restarts) in steps {
                minute += pass;
                counted += more;
                if restarts {
                    ledger = serde_json::from_slice(&serde_json::to_vec(&ledger).unwrap()).unwrap();
                }
                let mut watched = Watched { lost: counted, ..well(minute) };
                match what {
                    0 => watched.stuck_ms = Some(HOURS),
                    1 => watched.clock_error_ms = None,
                    2 => watched.queue_bytes = (900, 1_000),
                    3 => watched.queue_bytes = (700, 1_000),
                    4 => { watched.refused.insert("RPT-FUTURE".to_owned(), counted); }
                    _ => {}
                }
                for event in ledger.look(&rules(), &watched) {
                    prop_assert!(event.number > number);
                    number = event.number;
                    let code = event.alert.code;
                    if event.alert.is_over {
                        prop_assert!(open.remove(&code).is_some(), "{} is over that never began", code);
                        continue;
                    }
                    prop_assert!(open.insert(code.clone(), minute).is_none(), "{} begins twice", code);
                    let last = began.insert(code.clone(), minute);
                    prop_assert!(last.is_none_or(|last| minute - last >= 60), "{} after {:?}", code, last);
                }
                let told: Vec<String> = ledger.open().into_iter().map(|alert| alert.code).collect();
                prop_assert!(told.len() == open.len() && told.iter().all(|code| open.contains_key(code)));
            }
            prop_assert!(began.keys().all(|code| [OFFLINE, CLOCK, QUEUE, LOST, "ALERT-REFUSED/RPT-FUTURE"].contains(&code.as_str())));
        }
    }
}
