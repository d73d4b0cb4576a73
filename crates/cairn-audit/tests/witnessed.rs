//! A log held against what witnesses saw of it: honest ones pass, and whatever is dated or shown otherwise is named.

#![allow(clippy::unwrap_used)]

mod served;

use std::sync::atomic::{AtomicUsize, Ordering};

use cairn_audit::{
    AuditOptions, AuditReport, Difference, Shown, Source, SourceError, Start, TOLERANCE_S, Trust, audit,
};
use cairn_core::Hash;
use cairn_core::ed25519::SigningKey;
use cairn_core::entry::Entry;
use cairn_merkle::note::{Note, NoteVerifier};
use cairn_merkle::tree::{self, leaf_hash};
use cairn_merkle::{Checkpoint, Cosigner, NoteSigner, TilePath, TrustPolicy};
use cairn_testkit::network::MemoryNetwork;
use served::{ORIGIN, Served, log_signer};

fn witness(seed: u8) -> Cosigner {
    Cosigner::new(&format!("w{seed}.example"), SigningKey::from_seed([seed; 32])).unwrap()
}

fn trust(count: u8) -> Trust {
    let keys = (1..=count).map(|seed| witness(seed).verifier().clone()).collect();
    let policy = TrustPolicy::majority_of(keys).unwrap();
    Trust { policy, is_required: false, patience_ms: 0, elsewhere: Vec::new() }
}

fn options(trust: Trust) -> AuditOptions {
    AuditOptions { trust: Some(trust), ..AuditOptions::default() }
}

fn stamp_ms(network: &MemoryNetwork, index: usize) -> u64 {
    Entry::decode(&network.entries[index]).unwrap().received_ms
}

/// The checkpoint of the first `size` entries, signed by the log, and by witnesses at times.
fn cosigned(network: &MemoryNetwork, size: usize, by: &[(u8, u64)]) -> Note {
    let leaves: Vec<Hash> = network.entries[..size].iter().map(|entry| leaf_hash(entry)).collect();
    signed(Checkpoint::new(ORIGIN, size as u64, tree::root(&leaves)).unwrap(), by)
}

fn signed(checkpoint: Checkpoint, by: &[(u8, u64)]) -> Note {
    let lines: Vec<_> = by.iter().map(|(seed, time_s)| witness(*seed).cosign(&checkpoint, *time_s).unwrap()).collect();
    checkpoint.sign(&log_signer(), &lines).unwrap()
}

fn text(notes: &[Note]) -> Vec<u8> {
    notes.iter().map(Note::to_string).collect::<String>().into_bytes()
}

/// A network that three witnesses saw, second by second as its entries are dated: at each size from 5 on.
fn history(network: &MemoryNetwork) -> Vec<Note> {
    let sizes = 5..=network.entries.len();
    sizes
        .map(|size| cosigned(network, size, &[1, 2, 3].map(|seed| (seed, stamp_ms(network, size - 1) / 1_000))))
        .collect()
}

fn served_with(network: &MemoryNetwork, history: &[Note]) -> Served {
    let mut served = Served::of(network);
    served.files.insert("witnessed".into(), text(history));
    if let Some(last) = history.last().filter(|note| note.text().contains(&format!("\n{}\n", network.entries.len()))) {
        served.files.insert("checkpoint".into(), last.to_string().into_bytes());
    }
    served
}

fn named(report: &AuditReport, case: &str) -> Difference {
    report.difference().cloned().unwrap_or_else(|| panic!("{case}: the audit passes"))
}

#[test]
fn an_honest_network_passes_and_the_report_says_how_far_its_time_is_bound() {
    let network = served::small();
    let served = served_with(&network, &history(&network));
    let report = served.audit(&options(Trust { is_required: true, ..trust(3) }));
    assert!(report.passed(), "{:?}", report.difference());
    let witnessed = report.witnessed.unwrap();
    let entries = network.entries.len() as u64;
    assert!(witnessed.is_quorum && witnessed.witnesses.iter().all(|witness| witness.time_s.is_some()));
    assert_eq!((witnessed.history, witnessed.elsewhere), (entries - 4, 0));
    let time = witnessed.time;
    assert_eq!((time.unbound, time.entries, time.entries_half), (None, entries - 5, 5));
    let (first_s, last_s) = (stamp_ms(&network, 4) / 1_000, stamp_ms(&network, network.entries.len() - 1) / 1_000);
    assert_eq!((time.from_s, time.to_s), (Some(first_s), Some(last_s)));
    let steps =
        (5..network.entries.len()).map(|at| stamp_ms(&network, at) / 1_000 - stamp_ms(&network, at - 1) / 1_000);
    assert_eq!(Some(time.widest_gap_s), steps.max());
    assert!(time.share_ppm > 900_000 && time.share_ppm <= 1_000_000);
    let untold = Served::of(&network).audit(&AuditOptions::default());
    assert!(untold.passed() && untold.witnessed.is_none());
    // Trusted, but nothing is served of them: nothing is bound, and the report says so.
    let report = Served::of(&network).audit(&options(trust(3)));
    let witnessed = report.witnessed.clone().unwrap();
    assert!(report.passed() && !witnessed.is_quorum && witnessed.time.unbound.is_some());
    assert_eq!(serde_json::from_str::<AuditReport>(&serde_json::to_string(&report).unwrap()).unwrap(), report);
}

#[test]
fn an_entry_dated_otherwise_than_a_quorum_saw_is_named_with_witness_and_times() {
    let network = served::small();
    let honest = history(&network);
    // From this entry on the operator's clock is off, or lies; witnesses have their own.
    let at = (8..).find(|at| stamp_ms(&network, *at) > stamp_ms(&network, at - 1)).unwrap();
    let dated_ms = stamp_ms(&network, at);
    let shifted = |by_s: i64| -> Vec<Note> {
        let size = |note: &Note| usize::try_from(note.text().parse::<Checkpoint>().unwrap().size()).unwrap();
        let again = |note: &Note| {
            let seen_s = (stamp_ms(&network, size(note) - 1) / 1_000).saturating_add_signed(by_s);
            if size(note) > at {
                cosigned(&network, size(note), &[1, 2, 3].map(|seed| (seed, seen_s)))
            } else {
                note.clone()
            }
        };
        honest.iter().map(again).collect()
    };
    let late_s = i64::try_from(TOLERANCE_S).unwrap() + 1;
    assert!(
        served_with(&network, &shifted(-late_s + 1)).audit(&options(trust(3))).passed(),
        "five minutes are allowed"
    );
    let report = served_with(&network, &shifted(-late_s)).audit(&options(trust(3)));
    let found = named(&report, "dated too late");
    assert_eq!((found.code.as_str(), found.entry), ("WIT-DATED-LATE", Some(at as u64)), "{found}");
    assert!(found.detail.contains("w1.example") && found.found.contains(&dated_ms.to_string()), "{found}");

    // An entry that came ten minutes after a checkpoint without it was cosigned, dated as if it had come before.
    let without_it = cosigned(&network, at, &[1, 2, 3].map(|seed| (seed, dated_ms / 1_000 + 600)));
    let mut backdated = shifted(601);
    backdated.insert(at - 4, without_it.clone());
    let report = served_with(&network, &backdated).audit(&options(trust(3)));
    let found = named(&report, "dated too early");
    assert_eq!((found.code.as_str(), found.entry), ("WIT-DATED-EARLY", Some(at as u64)), "{found}");
    assert!(found.detail.contains("w1.example") && found.found.contains(&dated_ms.to_string()), "{found}");
    assert!(found.detail.contains(&format!("checkpoint {} of the history served beside the log", at - 4)), "{found}");
    // Somebody had the old checkpoint cosigned again, when a quorum had long seen the entry.
    let mut again = honest.clone();
    again.insert(at - 4, without_it);
    assert!(served_with(&network, &again).audit(&options(trust(3))).passed());
    // What was recomputed before is there, and the report is whole.
    assert!(report.counts.entries == at as u64 && report.witnessed.is_some());
}

#[test]
fn one_witness_of_three_that_lies_about_time_fails_nobody() {
    let network = served::small();
    let size = network.entries.len();
    for lie_s in [0, 1, u64::from(u32::MAX), i64::MAX.unsigned_abs()] {
        let mut history = history(&network);
        for note in &mut history {
            let text: Checkpoint = note.text().parse().unwrap();
            let last = usize::try_from(text.size()).unwrap() - 1;
            let seen_s = stamp_ms(&network, last) / 1_000;
            *note = cosigned(&network, last + 1, &[(1, seen_s), (2, seen_s), (3, lie_s)]);
        }
        let report = served_with(&network, &history).audit(&options(trust(3)));
        assert!(report.passed(), "{lie_s}: {:?}", report.difference());
        assert_eq!(report.witnessed.unwrap().time.entries, size as u64 - 5);
        // Whoever trusts the liar alone believes it.
        let keys = vec![witness(3).verifier().clone()];
        let alone = Trust { policy: TrustPolicy::majority_of(keys).unwrap(), ..trust(3) };
        assert!(!served_with(&network, &history).audit(&options(alone)).passed());
    }
}

#[test]
fn a_checkpoint_that_is_not_of_this_log_is_named_wherever_it_is_shown() {
    let network = served::small();
    let honest = history(&network);
    let size = network.entries.len() as u64;
    let seen = [(1, stamp_ms(&network, 6) / 1_000)];
    let other = signed(Checkpoint::new(ORIGIN, 7, Hash::ZERO).unwrap(), &seen);
    let larger = signed(Checkpoint::new(ORIGIN, size + 1, Hash::ZERO).unwrap(), &seen);
    let stranger = NoteSigner::new(ORIGIN, SigningKey::from_seed([77; 32])).unwrap();
    let unsigned = Checkpoint::new(ORIGIN, 7, Hash::ZERO).unwrap().sign(&stranger, &[]).unwrap();
    let mut forged = cosigned(&network, 7, &seen).to_string();
    let last = forged.len() - 10;
    let letter = if forged.as_bytes()[last] == b'A' { "B" } else { "A" };
    forged.replace_range(last..=last, letter);
    let forged: Note = forged.parse().unwrap();
    for (note, code, elsewhere) in [
        (&other, "WIT-FORK", Some("WIT-FORK")),
        (&larger, "WIT-AHEAD", Some("WIT-AHEAD")),
        (&unsigned, "LOG-UNSIGNED", None),
        (&forged, "LOG-SIGNATURE", None),
    ] {
        let mut shown = honest[..3].to_vec();
        shown[2] = note.clone();
        let mut served = served_with(&network, &honest);
        served.files.insert("witnessed".into(), text(&shown));
        let found = named(&served.audit(&options(trust(3))), code);
        assert_eq!(found.code, code);
        assert_eq!(found.checkpoint, elsewhere.map(|_| note.to_string()), "the note that proves it: {code}");
        // A witness's own history counts as far as the log's key signed it.
        let shown = Shown { by: "witness w1.example".into(), notes: vec![note.clone()], broken_off: None };
        let trusting = Trust { elsewhere: vec![shown], ..trust(3) };
        let mut live = served_with(&network, &honest);
        let report = live.audit(&options(trusting.clone()));
        assert_eq!(report.difference().map(|found| found.code.as_str()), elsewhere, "{code}");
        // The log may have gone on since it was copied.
        live.files.insert("copied".into(), Vec::new());
        assert_eq!(live.audit(&options(trusting)).passed(), elsewhere != Some("WIT-FORK"), "{code}");
        let strange = report.witnessed.map_or(0, |witnessed| witnessed.strange.len());
        assert_eq!(strange, usize::from(elsewhere.is_none()), "{code}");
    }
    let mut back = honest.clone();
    back.swap(1, 2);
    assert_eq!(named(&served_with(&network, &back).audit(&options(trust(3))), "back").code, "WIT-HISTORY");
    let mut cut = served_with(&network, &honest);
    cut.files.get_mut("witnessed").unwrap().pop();
    assert_eq!(named(&cut.audit(&options(trust(3))), "cut").code, "WIT-HISTORY");
    // Without witnesses that are trusted nobody reads it.
    assert!(cut.audit(&AuditOptions::default()).passed());
}

#[test]
fn an_audit_from_a_snapshot_holds_the_checkpoints_before_it_against_the_log_too() {
    let network = served::small();
    let resumed = |history: &[Note]| {
        let options = AuditOptions { start: Start::After(0), ..options(trust(3)) };
        served_with(&network, history).audit(&options)
    };
    let mut history = history(&network);
    let report = resumed(&history);
    assert!(report.passed(), "{:?}", report.difference());
    assert_eq!(report.witnessed.unwrap().history, history.len() as u64);
    history[1] = signed(Checkpoint::new(ORIGIN, 6, Hash::ZERO).unwrap(), &[]);
    assert_eq!(named(&resumed(&history), "before the snapshot").code, "WIT-FORK");
}

/// A network whose checkpoint is cosigned only when it is asked for often enough.
struct Hesitant(Served, AtomicUsize);

impl Source for Hesitant {
    fn name(&self) -> String {
        self.0.name()
    }

    fn checkpoint(&self) -> Result<Option<Vec<u8>>, SourceError> {
        let asked = self.1.fetch_add(1, Ordering::Relaxed);
        let own = self.0.note().split_inclusive('\n').take(5).collect::<String>().into_bytes();
        if asked < 2 { Ok(Some(own)) } else { self.0.checkpoint() }
    }

    fn tile(&self, tile: TilePath) -> Result<Option<Vec<u8>>, SourceError> {
        self.0.tile(tile)
    }

    fn statement(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError> {
        self.0.statement(epoch)
    }

    fn verdicts(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError> {
        self.0.verdicts(epoch)
    }

    fn payouts(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError> {
        self.0.payouts(epoch)
    }

    fn sales(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError> {
        self.0.sales(epoch)
    }
    fn carry(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError> {
        self.0.carry(epoch)
    }

    fn snapshot(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError> {
        self.0.snapshot(epoch)
    }
}

#[test]
fn a_quorum_that_is_required_is_waited_for_and_its_absence_named() {
    let network = served::small();
    let served = served_with(&network, &history(&network));
    let required = |patience_ms: u64| options(Trust { is_required: true, patience_ms, ..trust(3) });
    let hesitant = || Hesitant(served.clone(), AtomicUsize::new(0));
    assert!(audit(&hesitant(), &required(60_000), &mut |_| ()).unwrap().passed());
    let report = audit(&hesitant(), &required(0), &mut |_| ()).unwrap();
    assert_eq!(named(&report, "no quorum").code, "WIT-QUORUM");
    let one_of_three = [(1, stamp_ms(&network, 0) / 1_000)];
    let lone = vec![cosigned(&network, network.entries.len(), &one_of_three)];
    let report = served_with(&network, &lone).audit(&required(0));
    assert_eq!(named(&report, "one of three").code, "WIT-QUORUM");
}

#[test]
fn a_policy_that_names_logs_holds_the_network_to_them() {
    let network = served::small();
    let served = served_with(&network, &history(&network));
    let vkey = |verifier: &NoteVerifier| verifier.to_string();
    let stranger = NoteSigner::new(ORIGIN, SigningKey::from_seed([77; 32])).unwrap();
    for (log, code) in [(log_signer(), None), (stranger, Some("WIT-LOG"))] {
        let text = format!("log {}\nwitness w {}\nquorum w\n", vkey(log.verifier()), vkey(witness(1).verifier()));
        let policy = TrustPolicy::parse(&text).unwrap();
        let report = served.audit(&options(Trust { policy, is_required: true, ..trust(1) }));
        assert_eq!(report.difference().map(|found| found.code.as_str()), code);
    }
}
