//! What is honest passes, however it is read.

#![allow(clippy::unwrap_used)]

mod served;

use cairn_audit::{AuditOptions, AuditReport, Elapsed, FolderSource, PinnedBy, Progress, Unserved, audit};
use cairn_testkit::network::DAY_MS;
use served::Served;

fn timeless(report: AuditReport) -> AuditReport {
    AuditReport { elapsed: Elapsed::default(), ..report }
}

#[test]
fn an_eventful_network_passes_and_the_report_says_what_was_there() {
    let network = served::eventful();
    let served = Served::of(&network);
    let mut epochs = Vec::new();
    let mut last = 0;
    let options = AuditOptions { network: Some(network.id), snapshots: true, ..AuditOptions::default() };
    let report = audit(&served, &options, &mut |progress| match progress {
        Progress::Epoch(line) => epochs.push(line.clone()),
        Progress::Recomputed(_) => unreachable!("nobody asked for it"),
        Progress::Entries { done, of } => {
            assert!(done >= last && of == network.entries.len() as u64);
            last = done;
        }
    })
    .unwrap();
    assert!(report.passed(), "{:?}", report.difference());
    assert_eq!(last, network.entries.len() as u64);
    assert_eq!(report.pinned_by, PinnedBy::NetworkId);
    assert_eq!(report.epochs.len(), network.closed.len());
    for (line, closed) in report.epochs.iter().zip(&network.closed) {
        assert_eq!((line.number, line.statement.clone()), (closed.statement.number, closed.hash.to_string()));
        assert_eq!((line.verdicts, line.payouts), (closed.verdicts.len() as u64, closed.payouts.len() as u64));
        assert_eq!(line.logged_at.map(|at| at > line.to), Some(true), "the statement follows what closed the epoch");
        let compared = line.compared;
        assert!(line.ok && compared.statement && compared.verdicts && compared.payouts && compared.snapshot);
        assert!(compared.carry && line.remembered == closed.carry().len() as u64);
        assert!(line.balance.starts_with("opening ") && line.balance.ends_with(" TEST"), "{}", line.balance);
    }
    assert_eq!(epochs.iter().map(|line| line.number).collect::<Vec<_>>(), (0..6).collect::<Vec<u64>>());
    let void: u64 = report.void.values().sum();
    assert_eq!(void, network.refusals.iter().flatten().count() as u64);
    assert_eq!(report.void["RPT-SIGNATURE"], 2, "{:?}", report.void);
    assert_eq!(report.void_entries.len() as u64, void);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!((json["result"].as_str(), json["pinned_by"].as_str()), (Some("pass"), Some("network-id")));
    assert_eq!(serde_json::from_value::<AuditReport>(json).unwrap(), report);
}

#[test]
fn one_two_and_eight_threads_and_eight_connections_give_the_same_report() {
    let network = served::eventful();
    let mut served = Served::of(&network);
    let mut broken = served.clone();
    broken.files.get_mut("epochs/3/payouts.cborseq").unwrap()[30] ^= 1;
    let expected = [&served, &broken].map(|served| timeless(served.audit(&AuditOptions::default())));
    assert!(expected[0].passed() && !expected[1].passed());
    for (threads, parallel) in [(1, 1), (2, 8), (8, 1), (8, 8)] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        for (served, expected) in [(&mut served, &expected[0]), (&mut broken, &expected[1])] {
            served.parallel = parallel;
            let report = pool.install(|| served.audit(&AuditOptions::default()));
            assert_eq!(&timeless(report), expected, "{threads} threads, {parallel} connections");
        }
    }
}

#[test]
fn a_folder_gives_the_report_that_memory_gives() {
    let network = served::small();
    let served = Served::of(&network);
    let folder = tempfile::tempdir().unwrap();
    served.write_to(folder.path());
    let report = audit(&FolderSource::at(folder.path()), &AuditOptions::default(), &mut |_| ()).unwrap();
    assert!(report.passed(), "{:?}", report.difference());
    assert_eq!(report.pinned_by, PinnedBy::FirstUse);
    assert_eq!(report.epochs, served.audit(&AuditOptions::default()).epochs);
}

#[test]
fn a_report_says_which_tables_were_not_served() {
    let network = served::eventful();
    let whole = Served::of(&network);
    let report = whole.audit(&AuditOptions::default());
    assert_eq!((report.unserved, report.notes()), (Unserved::default(), Vec::<String>::new()));
    let report = Served::log(&network.entries).audit(&AuditOptions::default());
    assert!(report.passed());
    let all = report.epochs.len() as u64;
    assert_eq!(report.unserved, Unserved { verdicts: all, payouts: all, sales: 0, carry: all });
    let unjudged = format!(
        "what judges remember after {all} of {all} epochs was not served: who does not judge cannot check them"
    );
    assert_eq!(report.notes(), ["PASS for the log; verdict and payout tables were not served", &unjudged]);
    let mut part = whole.clone();
    part.files.remove("epochs/1/verdicts.cborseq");
    let report = part.audit(&AuditOptions::default());
    assert_eq!(report.unserved, Unserved { verdicts: 1, payouts: 0, sales: 0, carry: 0 });
    assert_eq!(report.notes(), ["PASS for the log; the verdict tables of 1 of 6 epochs were not served"]);
    // Where nothing is remembered nothing is missing.
    let first = served::eventful_under(1);
    let mut without = Served::of(&first);
    without.files.retain(|name, _| !name.ends_with("carry.cborseq"));
    assert_eq!(without.audit(&AuditOptions::default()).unserved, Unserved::default());
}

#[test]
fn a_last_entry_far_ahead_of_the_auditors_clock_is_noted() {
    let network = served::small();
    let served = Served::of(&network);
    let last_ms = network.now_ms;
    let at = |now_ms| served.audit(&AuditOptions { now_ms, ..AuditOptions::default() });
    for now_ms in [None, Some(last_ms), Some(last_ms - DAY_MS), Some(u64::MAX)] {
        let report = at(now_ms);
        assert_eq!((report.ahead_ms, report.notes()), (None, vec![]), "{now_ms:?}");
    }
    let report = at(Some(last_ms - 3 * DAY_MS));
    assert!(report.passed(), "a clock is no proof");
    assert_eq!(report.ahead_ms, Some(3 * DAY_MS));
    assert_eq!(report.notes(), ["the last entry is stamped 3 d 0 h ahead of the auditor's clock"]);
}

#[test]
fn a_log_alone_is_audited_without_tables_and_a_full_tile_stands_in_for_a_partial_one() {
    let network = served::eventful();
    let mut served = Served::log(&network.entries);
    let report = served.audit(&AuditOptions::default());
    assert!(report.passed() && report.epochs.iter().all(|line| line.ok && !line.compared.verdicts));
    // The log grew past its tiles while a client still held an older checkpoint.
    let older = Served::log(&network.entries[..200]);
    served.files.insert("checkpoint".into(), older.files["checkpoint"].clone());
    let report = served.audit(&AuditOptions::default());
    assert!(report.passed(), "{:?}", report.difference());
    assert_eq!(report.counts.entries, 200);
}
