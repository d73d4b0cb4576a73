//! Whom a reader trusts: C2SP `tlog-policy`, a text of `log`, `witness`, `group` and `quorum` lines.
//!
//! A quorum is a set of witnesses of whom the reader believes that they do not all lie together. So a time that a whole
//! quorum vouches for is vouched for by an honest witness, and no smaller crowd can move it: [`TrustPolicy::earliest`]
//! and [`TrustPolicy::latest`] take the k-th smallest or largest of a group's times, group by group.
//!
//! Bounded: 256 KiB of text, 256 logs, witnesses and groups. Keys of other kinds than Ed25519 are refused, and so are
//! texts that are not UTF-8.

use crate::MerkleError;
use crate::checkpoint::parse_decimal;
use crate::note::{KeyKind, NoteVerifier};

/// The longest text read, in bytes.
pub const TRUST_BYTES_MAX: usize = 256 << 10;
/// The most logs, the most witnesses, and the most groups.
pub const TRUST_LINES_MAX: usize = 256;

/// The name that stands for no witness.
const NONE: &str = "none";

/// A log that is trusted to be one log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedLog {
    /// Its key, which bears the origin as its name.
    pub verifier: NoteVerifier,
    /// Where it is, if that is said.
    pub url: Option<String>,
}

/// A witness that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedWitness {
    /// What the policy calls it.
    pub name: String,
    /// Its key.
    pub verifier: NoteVerifier,
    /// Where it takes checkpoints, if that is said.
    pub url: Option<String>,
}

/// A witness or a group, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Member {
    Witness(usize),
    Group(usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    /// How many of the members it takes.
    threshold: usize,
    members: Vec<Member>,
}

/// The logs and witnesses that a reader trusts, and how many of them together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustPolicy {
    logs: Vec<TrustedLog>,
    witnesses: Vec<TrustedWitness>,
    groups: Vec<Group>,
    quorum: Option<Member>,
}

impl TrustPolicy {
    /// Reads a policy's text.
    ///
    /// # Errors
    /// [`MerkleError::Trust`] with the line; [`MerkleError::VerifierKey`].
    pub fn parse(text: &str) -> Result<Self, MerkleError> {
        let mut reading = Reading::default();
        if text.len() > TRUST_BYTES_MAX {
            return Err(MerkleError::Trust { line: 1, reason: "the policy is longer than 256 KiB" });
        }
        if !text.is_empty() && !text.ends_with('\n') {
            let line = text.split('\n').count();
            return Err(MerkleError::Trust { line, reason: "the last line does not end in a newline" });
        }
        for (number, line) in (1..).zip(text.split_terminator('\n')) {
            reading.take(number, line)?;
        }
        let quorum = reading.quorum.ok_or(MerkleError::Trust { line: 0, reason: "there is no quorum line" })?;
        let Reading { logs, witnesses, groups, .. } = reading;
        Ok(Self { logs, witnesses, groups, quorum })
    }

    /// The policy under which more than half of these witnesses count together; one alone counts for itself.
    ///
    /// # Errors
    /// [`MerkleError::Trust`] if a key is named twice, signs no cosignatures, or there are too many.
    pub fn majority_of(witnesses: Vec<NoteVerifier>) -> Result<Self, MerkleError> {
        let mut reading = Reading::default();
        for (line, verifier) in (1..).zip(witnesses) {
            let name = format!("witness-{line}");
            reading.add_witness(line, TrustedWitness { name, verifier, url: None })?;
        }
        let Reading { witnesses, .. } = reading;
        let members: Vec<Member> = (0..witnesses.len()).map(Member::Witness).collect();
        let quorum = (!members.is_empty()).then_some(Member::Group(0));
        let groups = vec![Group { threshold: members.len() / 2 + 1, members }];
        Ok(Self { logs: Vec::new(), witnesses, groups, quorum })
    }

    /// The logs, in the order of their lines.
    #[must_use]
    pub fn logs(&self) -> &[TrustedLog] {
        &self.logs
    }

    /// The witnesses, in the order of their lines. Other functions number them in this order.
    #[must_use]
    pub fn witnesses(&self) -> &[TrustedWitness] {
        &self.witnesses
    }

    /// Whether any cosignatures are needed at all.
    #[must_use]
    pub const fn needs_witnesses(&self) -> bool {
        self.quorum.is_some()
    }

    /// Whether these witnesses are a quorum; `by` says so for each witness, missing ones count as absent.
    #[must_use]
    pub fn is_quorum(&self, by: &[bool]) -> bool {
        let times: Vec<Option<u64>> = by.iter().map(|by| by.then_some(0)).collect();
        self.quorum.is_none() || self.earliest(&times).is_some()
    }

    /// The earliest time by which a quorum had spoken; `times` holds each witness's own, if it spoke.
    ///
    /// `None` if those who spoke are no quorum, or none is needed.
    #[must_use]
    pub fn earliest(&self, times: &[Option<u64>]) -> Option<u64> {
        self.value(self.quorum?, times, &|times| times.sort_unstable())
    }

    /// The latest time after which a quorum still spoke; as [`TrustPolicy::earliest`].
    #[must_use]
    pub fn latest(&self, times: &[Option<u64>]) -> Option<u64> {
        self.value(self.quorum?, times, &|times| times.sort_unstable_by(|a, b| b.cmp(a)))
    }

    /// Groups hold only what was defined before them, so this ends.
    fn value(&self, of: Member, times: &[Option<u64>], sort: &dyn Fn(&mut Vec<u64>)) -> Option<u64> {
        match of {
            Member::Witness(number) => times.get(number).copied().flatten(),
            Member::Group(number) => {
                let group = self.groups.get(number)?;
                let values = group.members.iter().filter_map(|member| self.value(*member, times, sort));
                let mut values: Vec<u64> = values.collect();
                sort(&mut values);
                values.get(group.threshold - 1).copied()
            }
        }
    }
}

/// A policy as far as it was read.
#[derive(Default)]
struct Reading {
    logs: Vec<TrustedLog>,
    witnesses: Vec<TrustedWitness>,
    groups: Vec<Group>,
    /// Every name defined, and whether a group holds it.
    names: Vec<(String, Member, bool)>,
    quorum: Option<Option<Member>>,
}

impl Reading {
    fn take(&mut self, number: usize, line: &str) -> Result<(), MerkleError> {
        let refuse = |reason| MerkleError::Trust { line: number, reason };
        if line.bytes().any(|byte| byte < 0x20 && byte != b'\t' || byte == 0x7f) {
            return Err(refuse("it holds a control character"));
        }
        let words: Vec<&str> = line.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
        match words[..] {
            [] => Ok(()),
            [first, ..] if first.starts_with('#') => Ok(()),
            ["log", vkey, ref url @ ..] if url.len() <= 1 => {
                let log = TrustedLog { verifier: vkey.parse()?, url: url.first().map(|url| (*url).to_owned()) };
                self.add_log(number, log)
            }
            ["witness", name, vkey, ref url @ ..] if url.len() <= 1 => {
                let (name, url) = (name.to_owned(), url.first().map(|url| (*url).to_owned()));
                self.add_witness(number, TrustedWitness { name, verifier: vkey.parse()?, url })
            }
            ["group", name, threshold, ref members @ ..] => self.add_group(number, name, threshold, members),
            ["quorum", name] => {
                if self.quorum.is_some() {
                    return Err(refuse("there is a second quorum line"));
                }
                self.quorum = Some(if name == NONE { None } else { Some(self.find(number, name)?.1) });
                Ok(())
            }
            _ => Err(refuse("it is no log, witness, group or quorum line")),
        }
    }

    fn add_log(&mut self, line: usize, log: TrustedLog) -> Result<(), MerkleError> {
        let refuse = |reason| MerkleError::Trust { line, reason };
        if log.verifier.kind() != KeyKind::Ed25519 {
            return Err(refuse("a log's key is of type 1"));
        }
        if self.logs.len() == TRUST_LINES_MAX {
            return Err(refuse("there are more than 256 logs"));
        }
        if self.logs.iter().any(|known| known.verifier.key() == log.verifier.key()) {
            return Err(refuse("a log with this key is there already"));
        }
        self.logs.push(log);
        Ok(())
    }

    fn add_witness(&mut self, line: usize, witness: TrustedWitness) -> Result<(), MerkleError> {
        let refuse = |reason| MerkleError::Trust { line, reason };
        if witness.verifier.kind() != KeyKind::Cosignature {
            return Err(refuse("a witness's key is of type 4"));
        }
        if self.witnesses.len() == TRUST_LINES_MAX {
            return Err(refuse("there are more than 256 witnesses"));
        }
        let (key, name, id) = (witness.verifier.key(), witness.verifier.name(), witness.verifier.id());
        // Ids have four bytes, so a hostile key can be made to have another's: its lines would pass for that one's.
        let same = |known: &NoteVerifier| known.key() == key || (known.name() == name && known.id() == id);
        if self.witnesses.iter().any(|known| same(&known.verifier)) {
            return Err(refuse("a witness with this key, or this name and id, is there already"));
        }
        let number = self.witnesses.len();
        self.define(line, &witness.name, Member::Witness(number))?;
        self.witnesses.push(witness);
        Ok(())
    }

    fn add_group(&mut self, line: usize, name: &str, threshold: &str, members: &[&str]) -> Result<(), MerkleError> {
        let refuse = |reason| MerkleError::Trust { line, reason };
        if self.groups.len() == TRUST_LINES_MAX {
            return Err(refuse("there are more than 256 groups"));
        }
        let count = members.len();
        let threshold = match threshold {
            "all" => Some(count),
            "any" => Some(1),
            number => parse_decimal(number).and_then(|number| usize::try_from(number).ok()),
        };
        let threshold = threshold.filter(|threshold| (1..=count).contains(threshold));
        let threshold = threshold.ok_or(refuse("a group takes all, any, or 1 to as many as it has members"))?;
        let mut numbers = Vec::with_capacity(count);
        for member in members {
            let (held, number) = self.find(line, member)?;
            if std::mem::replace(held, true) {
                return Err(refuse("a member is in a group already"));
            }
            numbers.push(number);
        }
        self.define(line, name, Member::Group(self.groups.len()))?;
        self.groups.push(Group { threshold, members: numbers });
        Ok(())
    }

    fn define(&mut self, line: usize, name: &str, member: Member) -> Result<(), MerkleError> {
        if name == NONE || self.names.iter().any(|(known, ..)| known == name) {
            return Err(MerkleError::Trust { line, reason: "the name is taken" });
        }
        self.names.push((name.to_owned(), member, false));
        Ok(())
    }

    fn find(&mut self, line: usize, name: &str) -> Result<(&mut bool, Member), MerkleError> {
        let found = self.names.iter_mut().find(|(known, ..)| known == name);
        let found = found.map(|(_, member, held)| (held, *member));
        found.ok_or(MerkleError::Trust { line, reason: "it names what no line before it defines" })
    }
}

#[cfg(test)]
mod tests {
    use cairn_core::ed25519::SigningKey;
    use proptest::prelude::*;

    use super::*;

    fn vkey(kind: KeyKind, name: &str, seed: u8) -> String {
        NoteVerifier::new(name, kind, SigningKey::from_seed([seed; 32]).verifying_key()).unwrap().to_string()
    }

    fn witness(seed: u8) -> String {
        vkey(KeyKind::Cosignature, &format!("w{seed}.example"), seed)
    }

    /// The example of the specification, with keys.
    fn example() -> String {
        let w: Vec<String> = (0..7).map(witness).collect();
        format!(
            "log {}\n\nwitness X1 {}\nwitness X2 {}\n\twitness X3  {} https://x3.example/ \n\
             group X-witnesses 2 X1 X2 X3\n\n# others\nwitness Y1 {}\nwitness Y2 {}\nwitness Y3 {}\n\
             group Y-witnesses any Y1 Y2 Y3\n\ngroup X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n",
            vkey(KeyKind::Ed25519, "log.example", 99),
            w[1],
            w[2],
            w[3],
            w[4],
            w[5],
            w[6]
        )
    }

    #[test]
    fn the_example_of_the_specification_counts_as_it_says() {
        let policy = TrustPolicy::parse(&example()).unwrap();
        assert_eq!((policy.logs().len(), policy.witnesses().len()), (1, 6));
        assert_eq!(policy.witnesses()[2].url.as_deref(), Some("https://x3.example/"));
        for (by, expected) in [
            ("000000", false),
            ("111000", false),
            ("000111", false),
            ("100111", false),
            ("110100", true),
            ("011001", true),
            ("111111", true),
        ] {
            let by: Vec<bool> = by.chars().map(|c| c == '1').collect();
            assert_eq!(policy.is_quorum(&by), expected, "{by:?}");
        }
        // Of the X the second decides, of the Y the first, of both the later; and the other way round for the latest.
        let times = [Some(10), Some(30), Some(20), Some(5), None, Some(40)];
        assert_eq!((policy.earliest(&times), policy.latest(&times)), (Some(20), Some(20)));
        let times = [Some(10), None, None, Some(5), Some(5), Some(5)];
        assert_eq!((policy.earliest(&times), policy.latest(&times)), (None, None));
    }

    #[test]
    fn what_is_no_policy_is_refused_with_its_line() {
        let (log, w1, w2) = (vkey(KeyKind::Ed25519, "log.example", 9), witness(1), witness(2));
        let renamed = vkey(KeyKind::Cosignature, "other.example", 1);
        for (bad, line) in [
            (String::new(), 0),
            ("quorum none".to_owned(), 1),
            ("quorum none\nquorum none\n".to_owned(), 2),
            ("quorum a\n".to_owned(), 1),
            ("quorum\n".to_owned(), 1),
            ("\n\nanything\nquorum none\n".to_owned(), 3),
            ("quorum none\r\n".to_owned(), 1),
            (format!("log {w1}\nquorum none\n"), 1),
            (format!("log {log}\nlog {log}\nquorum none\n"), 2),
            (format!("log {log} url more\nquorum none\n"), 1),
            (format!("witness a {log}\nquorum a\n"), 1),
            (format!("witness none {w1}\nquorum none\n"), 1),
            (format!("witness a {w1}\nwitness b {w1}\nquorum a\n"), 2),
            (format!("witness a {w1}\nwitness b {renamed}\nquorum a\n"), 2),
            (format!("witness a {w1}\nwitness a {w2}\nquorum a\n"), 2),
            (format!("witness a {w1}\ngroup g 0 a\nquorum g\n"), 2),
            (format!("witness a {w1}\ngroup g 2 a\nquorum g\n"), 2),
            (format!("witness a {w1}\ngroup g 01 a\nquorum g\n"), 2),
            (format!("witness a {w1}\ngroup g all\nquorum g\n"), 2),
            (format!("witness a {w1}\ngroup g any a a\nquorum g\n"), 2),
            (format!("witness a {w1}\ngroup g any a\ngroup h any a\nquorum h\n"), 3),
            (format!("witness a {w1}\ngroup g any g\nquorum g\n"), 2),
            (format!("witness a {w1}\ngroup g any none\nquorum g\n"), 2),
            (format!("quorum a\nwitness a {w1}\n"), 1),
            ("# a\u{1}\nquorum none\n".to_owned(), 1),
            ("#".repeat(TRUST_BYTES_MAX) + "\nquorum none\n", 1),
        ] {
            let shown: String = bad.chars().take(100).collect();
            match TrustPolicy::parse(&bad) {
                Err(MerkleError::Trust { line: found, .. }) => assert_eq!(found, line, "{shown:?}"),
                other => panic!("{shown:?}: {other:?}"),
            }
        }
        assert_eq!(TrustPolicy::parse("witness a w\nquorum a\n").unwrap_err().code(), "LOG-VKEY");
        assert!(!TrustPolicy::parse("quorum none\n").unwrap().needs_witnesses());
        assert!(TrustPolicy::parse("quorum none\n").unwrap().is_quorum(&[]));
    }

    #[test]
    fn more_than_half_are_a_majority() {
        for (count, least) in [(1u8, 1), (2, 2), (3, 2), (4, 3), (5, 3)] {
            let keys = (1..=count).map(|seed| witness(seed).parse().unwrap()).collect();
            let policy = TrustPolicy::majority_of(keys).unwrap();
            for by in 0..=count {
                let by: Vec<bool> = (0..count).map(|n| n < by).collect();
                let spoke = by.iter().filter(|by| **by).count();
                assert_eq!(policy.is_quorum(&by), spoke >= least, "{spoke} of {count}");
            }
        }
        assert!(!TrustPolicy::majority_of(Vec::new()).unwrap().needs_witnesses());
        let twice = vec![witness(1).parse().unwrap(), witness(1).parse().unwrap()];
        assert_eq!(TrustPolicy::majority_of(twice).unwrap_err().code(), "LOG-TRUST");
    }

    proptest! {
        /// Whoever is not a quorum moves no time out of the range of the times of the others.
        #[test]
        fn a_crowd_that_leaves_every_quorum_an_honest_member_moves_no_bound(
            honest in proptest::collection::vec(1_000u64..2_000, 3), lies in proptest::collection::vec(0u64..10_000, 2),
        ) {
            let keys = (1..=5).map(|seed| witness(seed).parse().unwrap()).collect();
            let policy = TrustPolicy::majority_of(keys).unwrap();
            let times: Vec<Option<u64>> = honest.iter().chain(&lies).map(|time| Some(*time)).collect();
            let (first, last) = (*honest.iter().min().unwrap(), *honest.iter().max().unwrap());
            prop_assert!(policy.earliest(&times).unwrap() >= first);
            prop_assert!(policy.latest(&times).unwrap() <= last);
        }

        #[test]
        fn parsing_never_panics(text in "(log|witness|group|quorum|none|any|all|[0-9a ]|\n|\t){0,40}") {
            let _ = TrustPolicy::parse(&text);
        }
    }
}
