//! The bound that witnesses put on the times in a log.
//!
//! A witness that cosigned a checkpoint of `s` entries at time `t` says two things. The entries below `s` were there by
//! `t`: none is dated later. Those from `s` on were not shown to it: none is dated earlier. Five minutes are allowed for
//! clocks and for the time between an entry and its checkpoint.
//!
//! *Whose word.* A bound is what a whole quorum says: the time by which a quorum had seen so many entries (of each group
//! the k-th smallest), and the time after which a quorum still saw no more (the k-th largest). As long as no quorum lies
//! as a whole, an honest witness stands behind each bound, and hostile ones alone cannot fail an honest log.
//!
//! *Whose history.* That entries were there is shown by any cosignature, wherever it comes from. That there were no more
//! is shown only by what the network itself serves: anybody may show a witness an old checkpoint again, long after the
//! log has grown, but only the network puts the answer into its own history, and an honest one asks for no cosignature
//! over less than it has. So a network that leaves checkpoints out of its history is bound less there, and the report says
//! how much: the widest gap, and the share of its time.
//!
//! *Whose copy.* Nothing signed tells the network's own history from one that a mirror made up of cosignatures that it got
//! itself. So what a cosignature says of entries that were not there counts for nothing where a quorum had seen them by
//! then; every difference names the checkpoint whose cosignature it rests on; and what remains is said in the threat model.

use cairn_merkle::TrustPolicy;
use serde::{Deserialize, Serialize};

use crate::difference::Difference;

/// How far an entry's time may lie on the wrong side of a cosignature's, in seconds.
pub const TOLERANCE_S: u64 = 300;

/// Which checkpoint bears a cosignature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Bearer {
    /// The audited one.
    Audited,
    /// The one of this number in the history that was served.
    Served(usize),
    /// The one of this number in the history that somebody else showed, by his number.
    Elsewhere(usize, usize),
}

/// A witness saw so many entries at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Observation {
    pub size: u64,
    /// Seconds since 1970 UTC.
    pub time_s: u64,
    /// Its number in the policy.
    pub witness: usize,
    /// The checkpoint that shows it.
    pub on: Bearer,
}

/// What a quorum says of a size, the witness whose time it is, and the checkpoint that it cosigned then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bound {
    size: u64,
    time_s: u64,
    witness: usize,
    on: Bearer,
}

/// How far the times in a log are bound.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TimeBound {
    /// Why nothing is bound, if nothing can be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unbound: Option<String>,
    /// Entries whose times were held against what witnesses saw, on both sides.
    pub entries: u64,
    /// Entries that are bound on one side only: before the first cosigned checkpoint, or after the last.
    pub entries_half: u64,
    /// The first and the last time that a quorum vouches for, in seconds since 1970 UTC.
    pub from_s: Option<u64>,
    /// See `from_s`.
    pub to_s: Option<u64>,
    /// The share of the time between the log's first and last entry that lies between those two, in millionths.
    pub share_ppm: u64,
    /// The widest gap: the most seconds by which an entry that is bound on both sides could have been moved, besides what
    /// is allowed.
    pub widest_gap_s: u64,
}

/// Holds one entry after the other against what a quorum saw.
#[derive(Debug, Default)]
pub(crate) struct TimeCheck {
    names: Vec<String>,
    /// Who showed what the network did not.
    others: Vec<String>,
    /// By size, sizes and times rising: entries below the size are dated no later.
    below: Vec<Bound>,
    /// By size, sizes and times rising: entries from the size on are dated no earlier.
    above: Vec<Bound>,
    next_below: usize,
    next_above: usize,
    first_ms: Option<u64>,
    last_ms: u64,
    tally: TimeBound,
}

impl TimeCheck {
    /// The check under a policy: `served` by the network itself, `elsewhere` seen by anybody.
    pub fn of(policy: &TrustPolicy, served: &[Observation], elsewhere: &[Observation]) -> Self {
        let names = policy.witnesses().iter().map(|witness| witness.verifier.name().to_owned()).collect();
        let mut all = [served, elsewhere].concat();
        all.sort_unstable();
        let mut below = bounds(policy, all.iter().rev(), u64::min, TrustPolicy::earliest);
        below.reverse();
        // Who still cosigned fewer entries when a quorum had seen more was shown an old checkpoint, by whomever.
        let is_shown_again = |seen: &Observation| {
            let more = below.partition_point(|bound| bound.size <= seen.size);
            below.get(more).is_some_and(|bound| bound.time_s < seen.time_s)
        };
        let mut own: Vec<Observation> = served.iter().filter(|seen| !is_shown_again(seen)).copied().collect();
        own.sort_unstable();
        let above = bounds(policy, own.iter(), u64::max, TrustPolicy::latest);
        let tally = TimeBound {
            from_s: below.first().map(|bound| bound.time_s),
            to_s: above.last().map(|bound| bound.time_s),
            ..TimeBound::default()
        };
        Self { names, below, above, tally, ..Self::default() }
    }

    /// The same, knowing the names of those who showed what the network did not.
    pub fn with_others(self, others: impl Iterator<Item = String>) -> Self {
        Self { others: others.collect(), ..self }
    }

    /// Takes the next entry.
    pub fn take(&mut self, index: u64, received_ms: u64) -> Result<(), Box<Difference>> {
        self.first_ms.get_or_insert(received_ms);
        self.last_ms = received_ms;
        while self.below.get(self.next_below).is_some_and(|bound| bound.size <= index) {
            self.next_below += 1;
        }
        while self.above.get(self.next_above).is_some_and(|bound| bound.size <= index) {
            self.next_above += 1;
        }
        let below = self.below.get(self.next_below).copied();
        let above = self.next_above.checked_sub(1).map(|at| self.above[at]);
        if let Some(bound) = below {
            self.check_below(index, received_ms, bound)?;
        }
        if let Some(bound) = above {
            self.check_above(index, received_ms, bound)?;
        }
        match (above, below) {
            (Some(above), Some(below)) => {
                self.tally.entries += 1;
                let gap_s = below.time_s.saturating_sub(above.time_s);
                self.tally.widest_gap_s = self.tally.widest_gap_s.max(gap_s);
            }
            (None, None) => {}
            _ => self.tally.entries_half += 1,
        }
        Ok(())
    }

    fn check_below(&self, index: u64, received_ms: u64, bound: Bound) -> Result<(), Box<Difference>> {
        // A time in seconds stands for the whole second.
        let latest_ms = bound.time_s.saturating_add(TOLERANCE_S).saturating_mul(1_000).saturating_add(999);
        if received_ms <= latest_ms {
            return Ok(());
        }
        let (name, size, time_ms) = (&self.names[bound.witness], bound.size, bound.time_s.saturating_mul(1_000));
        let detail = format!(
            "it is dated after it was seen: witness {name}, and a quorum with it, cosigned {size} entries by {time_ms} ms, as {} shows",
            self.bearer(bound.on)
        );
        let dated = Difference::at("WIT-DATED-LATE", format!("entry {index}"), detail).entry(index);
        Err(Box::new(dated.values(format!("{latest_ms} ms or earlier"), format!("{received_ms} ms"))))
    }

    fn check_above(&self, index: u64, received_ms: u64, bound: Bound) -> Result<(), Box<Difference>> {
        let earliest_ms = bound.time_s.saturating_sub(TOLERANCE_S).saturating_mul(1_000);
        if received_ms >= earliest_ms {
            return Ok(());
        }
        let (name, size, time_ms) = (&self.names[bound.witness], bound.size, bound.time_s.saturating_mul(1_000));
        let detail = format!(
            "it is dated before it was there: witness {name}, and a quorum with it, still saw {size} entries at {time_ms} ms, as {} shows",
            self.bearer(bound.on)
        );
        let dated = Difference::at("WIT-DATED-EARLY", format!("entry {index}"), detail).entry(index);
        Err(Box::new(dated.values(format!("{earliest_ms} ms or later"), format!("{received_ms} ms"))))
    }

    fn bearer(&self, on: Bearer) -> String {
        match on {
            Bearer::Audited => "the audited checkpoint".to_owned(),
            Bearer::Served(number) => format!("checkpoint {number} of the history served beside the log"),
            Bearer::Elsewhere(by, number) => {
                let by = self.others.get(by).map_or("somebody else", String::as_str);
                format!("checkpoint {number} of the history of {by}")
            }
        }
    }

    /// How far the entries taken are bound.
    pub fn finish(mut self) -> TimeBound {
        let (Some(from_s), Some(to_s), Some(first_ms)) = (self.tally.from_s, self.tally.to_s, self.first_ms) else {
            let why = "no quorum of the witnesses trusted cosigned any checkpoint that is served";
            self.tally.unbound = Some(why.to_owned());
            return self.tally;
        };
        let (from_ms, to_ms) = (from_s.saturating_mul(1_000), to_s.saturating_mul(1_000).saturating_add(999));
        let bound_ms = to_ms.min(self.last_ms).saturating_sub(from_ms.max(first_ms));
        // Times that fall stop an audit, which still says how far it came.
        let all_ms = self.last_ms.saturating_sub(first_ms);
        let ppm = u128::from(bound_ms) * 1_000_000 / u128::from(all_ms.max(1));
        self.tally.share_ppm = u64::try_from(ppm).unwrap_or(1_000_000);
        self.tally
    }
}

/// What a quorum says, size by size in the order given: each witness's word is what `join` makes of all its words so far.
fn bounds<'a>(
    policy: &TrustPolicy,
    observations: impl Iterator<Item = &'a Observation>,
    join: fn(u64, u64) -> u64,
    quorum: fn(&TrustPolicy, &[Option<u64>]) -> Option<u64>,
) -> Vec<Bound> {
    let mut words: Vec<Option<u64>> = vec![None; policy.witnesses().len()];
    let mut bearers = vec![Bearer::Audited; words.len()];
    let mut bounds: Vec<Bound> = Vec::new();
    for &Observation { size, time_s, witness, on } in observations {
        let word = words[witness].map_or(time_s, |before| join(before, time_s));
        if words[witness] != Some(word) {
            (words[witness], bearers[witness]) = (Some(word), on);
        }
        let Some(time_s) = quorum(policy, &words) else { continue };
        let witness = words.iter().position(|word| *word == Some(time_s)).unwrap_or(witness);
        let bound = Bound { size, time_s, witness, on: bearers[witness] };
        match bounds.last_mut().filter(|last| last.size == size) {
            Some(last) => *last = bound,
            None => bounds.push(bound),
        }
    }
    bounds
}

#[cfg(test)]
mod tests {
    use cairn_core::ed25519::SigningKey;
    use cairn_merkle::note::{KeyKind, NoteVerifier};
    use proptest::prelude::*;

    use super::*;

    fn policy(count: u8) -> TrustPolicy {
        let key = |n: u8| {
            let key = SigningKey::from_seed([n; 32]).verifying_key();
            NoteVerifier::new(&format!("w{n}"), KeyKind::Cosignature, key).unwrap()
        };
        TrustPolicy::majority_of((0..count).map(key).collect()).unwrap()
    }

    fn seen(words: &[(u64, u64, usize)]) -> Vec<Observation> {
        let seen = words.iter().enumerate();
        seen.map(|(number, &(size, time_s, witness))| Observation { size, time_s, witness, on: Bearer::Served(number) })
            .collect()
    }

    /// The first entry, of those dated so, that the check refuses, with its code.
    fn first_refused(check: &mut TimeCheck, dated_s: &[u64]) -> Option<(u64, String)> {
        let refused = (0..).zip(dated_s).find_map(|(index, time_s)| check.take(index, time_s * 1_000).err());
        refused.map(|difference| (difference.entry.unwrap(), difference.code))
    }

    #[test]
    fn an_entry_is_dated_between_what_was_seen_before_and_after_it_give_or_take_five_minutes() {
        let words = seen(&[(2, 10_000, 0), (4, 20_000, 0)]);
        type Case<'a> = (&'a [u64], Option<(u64, &'a str)>);
        let cases: [Case<'_>; 9] = [
            (&[9_000, 10_000, 10_001, 20_000, 20_001], None),
            (&[0, 10_300, 10_300, 20_300, 90_000], None),
            (&[0, 9_700, 9_700, 19_700, 19_700], None),
            (&[10_301, 10_301, 11_000, 12_000, 20_000], Some((0, "WIT-DATED-LATE"))),
            (&[0, 10_301, 11_000, 12_000, 20_000], Some((1, "WIT-DATED-LATE"))),
            (&[0, 10_000, 9_699, 12_000, 20_000], Some((2, "WIT-DATED-EARLY"))),
            (&[0, 10_000, 12_000, 20_301, 21_000], Some((3, "WIT-DATED-LATE"))),
            (&[0, 10_000, 12_000, 19_000, 19_699], Some((4, "WIT-DATED-EARLY"))),
            (&[0, 0, 0, 0, 0], Some((2, "WIT-DATED-EARLY"))),
        ];
        for (dated_s, expected) in cases {
            let mut check = TimeCheck::of(&policy(1), &words, &[]);
            let refused = first_refused(&mut check, dated_s);
            assert_eq!(refused.as_ref().map(|(index, code)| (*index, code.as_str())), expected, "{dated_s:?}");
        }
        let mut check = TimeCheck::of(&policy(1), &words, &[]);
        assert!(first_refused(&mut check, &[9_000, 10_000, 10_001, 20_000, 29_000]).is_none());
        let bound = check.finish();
        assert_eq!((bound.entries, bound.entries_half, bound.widest_gap_s), (2, 3, 10_000));
        assert_eq!((bound.from_s, bound.to_s, bound.share_ppm), (Some(10_000), Some(20_000), 500_049));
    }

    #[test]
    fn one_hostile_witness_of_three_neither_fails_an_honest_log_nor_hides_a_dishonest_one() {
        let honest = [(2, 10_000, 0), (2, 10_001, 1), (4, 20_000, 0), (4, 20_001, 1)];
        let lies: [&[(u64, u64, usize)]; 4] =
            [&[], &[(4, 0, 2)], &[(0, u64::MAX, 2), (2, 1 << 60, 2)], &[(2, 0, 2), (0, 90_000, 2), (4, 90_000, 2)]];
        for lies in lies {
            let words = seen(&[&honest, lies].concat());
            let mut check = TimeCheck::of(&policy(3), &words, &[]);
            let refused = first_refused(&mut check, &[9_000, 10_000, 10_001, 20_000, 20_001]);
            assert_eq!(refused, None, "{lies:?}");
            for (dated_s, expected) in [
                ([9_000, 10_302, 10_302, 20_000, 20_001], (1, "WIT-DATED-LATE")),
                ([9_000, 9_000, 9_699, 20_000, 20_001], (2, "WIT-DATED-EARLY")),
            ] {
                let mut check = TimeCheck::of(&policy(3), &words, &[]);
                let refused = first_refused(&mut check, &dated_s).map(|(index, code)| (index, code == expected.1));
                assert_eq!(refused, Some((expected.0, true)), "{lies:?}, {dated_s:?}");
            }
        }
    }

    #[test]
    fn an_old_checkpoint_that_somebody_else_shows_again_fails_nobody() {
        let served = seen(&[(2, 10_000, 0), (4, 20_000, 0)]);
        let shown_again = seen(&[(2, 19_000, 0)]);
        let dated_s = [9_000, 10_000, 10_001, 20_000, 20_001];
        let mut check = TimeCheck::of(&policy(1), &served, &shown_again);
        assert_eq!(first_refused(&mut check, &dated_s), None);
        let own = seen(&[(2, 10_000, 0), (2, 19_000, 0), (4, 20_000, 0)]);
        let mut check = TimeCheck::of(&policy(1), &own, &[]);
        assert_eq!(first_refused(&mut check, &dated_s).unwrap().1, "WIT-DATED-EARLY", "it had nothing to show then");
        // What a witness saw, it saw, whoever tells.
        let mut check = TimeCheck::of(&policy(1), &[], &seen(&[(2, 5_000, 0)]));
        assert_eq!(first_refused(&mut check, &dated_s), Some((0, "WIT-DATED-LATE".to_owned())));
    }

    #[test]
    fn what_a_quorum_had_seen_no_later_cosignature_of_less_makes_look_backdated() {
        let keys: Vec<String> = policy(2).witnesses().iter().map(|witness| witness.verifier.to_string()).collect();
        let text = format!("witness w0 {}\nwitness w1 {}\ngroup any 1 w0 w1\nquorum any\n", keys[0], keys[1]);
        let any = TrustPolicy::parse(&text).unwrap();
        let dated_s = [9_000, 10_000, 10_001, 20_000, 20_001];
        // The second witness was asked by nobody but the mirror: each alone is a quorum.
        let again = seen(&[(2, 10_000, 0), (4, 20_000, 0), (2, 90_000, 1)]);
        assert_eq!(first_refused(&mut TimeCheck::of(&any, &again, &[]), &dated_s), None);
        // Where nobody had seen more by then a mirror cannot be told from the network: the checkpoint is named.
        let again = seen(&[(2, 10_000, 0), (2, 19_000, 1), (4, 20_000, 0)]);
        let mut check = TimeCheck::of(&any, &again, &[]);
        let refused = (0..).zip(dated_s).find_map(|(index, time_s)| check.take(index, time_s * 1_000).err()).unwrap();
        assert_eq!((refused.code.as_str(), refused.entry), ("WIT-DATED-EARLY", Some(2)));
        assert!(
            refused.detail.contains("witness w1,") && refused.detail.contains("checkpoint 1 of the history served")
        );
        let elsewhere = [Observation { size: 2, time_s: 5_000, witness: 0, on: Bearer::Elsewhere(0, 7) }];
        let mut check = TimeCheck::of(&any, &[], &elsewhere).with_others(["witness w1".to_owned()].into_iter());
        let refused = check.take(0, 9_000_000).unwrap_err();
        assert!(refused.detail.contains("checkpoint 7 of the history of witness w1"), "{refused}");
    }

    #[test]
    fn without_a_quorum_nothing_is_bound_and_nothing_fails() {
        let mut check = TimeCheck::of(&policy(3), &seen(&[(2, 10_000, 0)]), &[]);
        assert_eq!(first_refused(&mut check, &[0, 90_000, 90_000]), None);
        let bound = check.finish();
        assert!(bound.unbound.is_some());
        assert_eq!((bound.entries, bound.entries_half, bound.share_ppm), (0, 0, 0));
    }

    #[test]
    fn a_log_whose_times_fall_is_reported_on_as_far_as_it_was_read() {
        let mut check = TimeCheck::of(&policy(1), &seen(&[(2, 10_000, 0)]), &[]);
        assert_eq!(first_refused(&mut check, &[10_000, 9_000]), None);
        let bound = check.finish();
        assert_eq!((bound.entries_half, bound.share_ppm), (2, 0));
    }

    proptest! {
        /// Clocks within two minutes of the true time, a minute between entry and checkpoint, hostile witnesses that are no
        /// quorum: nobody is failed.
        #[test]
        fn an_honest_log_passes_whatever_a_minority_says(
            steps in proptest::collection::vec(0u64..2_000, 1..40), own_s in 0u64..240,
            rounds in proptest::collection::vec((0u64..40_000, 0u64..60, [0u64..240, 0u64..240, 0u64..240]), 0..20),
            lies in proptest::collection::vec((0u64..40, any::<u64>(), 3usize..5, any::<bool>()), 0..20),
        ) {
            // Entries come at their true times; the operator's clock, and each witness's, is off by a constant.
            let mut true_s = 100_000;
            let came: Vec<u64> = steps.iter().map(|step| { true_s += step; true_s }).collect();
            let offsets = rounds.first().map_or([120; 3], |(.., offsets)| *offsets);
            let (mut served, mut elsewhere) = (Vec::new(), Vec::new());
            for (at, after_s, _) in &rounds {
                let at = 100_000 + at;
                let size = came.iter().filter(|came| **came <= at).count() as u64;
                for (witness, offset) in offsets.iter().enumerate() {
                    let time_s = at + after_s + offset - 120;
                    served.push(Observation { size, time_s, witness, on: Bearer::Served(served.len()) });
                }
            }
            for &(size, time_s, witness, is_served) in &lies {
                let to = if is_served { &mut served } else { &mut elsewhere };
                to.push(Observation { size, time_s, witness, on: Bearer::Served(0) });
            }
            let mut check = TimeCheck::of(&policy(5), &served, &elsewhere);
            for (index, came_s) in (0..).zip(&came) {
                let refused = check.take(index, (came_s + own_s - 120) * 1_000);
                prop_assert!(refused.is_ok(), "{:?}", refused.err());
            }
            let bound = check.finish();
            prop_assert!(bound.share_ppm <= 1_000_000);
            prop_assert!(bound.entries + bound.entries_half <= came.len() as u64);
        }
    }
}
