//! `cairn audit`: recompute a whole network from what it serves, and compare every byte.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cairn_audit::{
    AuditError, AuditOptions, AuditReport, Difference, EpochLine, Progress, Shown, Source, Start, Trust, WitnessedLog,
};
use cairn_core::key::PublicKey;
use cairn_core::{Hash, NetworkId};
use cairn_evidence::{Evidence, Founded};
use cairn_ledger::{NetworkClock, wall_ms};
use cairn_merkle::witness::HistoryBudget;
use cairn_merkle::{MerkleError, NoteVerifier, TrustPolicy};
use cairn_witness::WitnessClient;

use crate::command::evidence::keep;
use crate::command::witness::read_policy;
use crate::failure::{Exit, Failure};
use crate::held::{broken, first_broken, proof_kept};
use crate::output::Output;
use crate::promises::{no_promise_of_network, open_promises, read_promises};
use crate::served::{Served, source_named};
use crate::words::{count, duration, rehearsed_lines};

/// How long to ask for a checkpoint that a quorum cosigned: a network shows one before its witnesses have answered.
const QUORUM_PATIENCE_MS: u64 = 10_000;
/// How long a witness may take for a page of its history.
const WITNESS_PATIENCE: Duration = Duration::from_secs(30);
/// The most checkpoints that are read of a witness.
const WITNESS_NOTES_MAX: usize = 4_000_000;

/// Arguments of `cairn audit`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Address of a gateway, or a folder that `cairn log export` has written [default: the environment's CAIRN_URL, or
    /// http://127.0.0.1:8640]
    #[arg(value_name = "URL|DIR")]
    source: Option<String>,
    /// Start after an epoch, from the snapshot that is served (a number), or from a snapshot's file. What came before is
    /// then taken on the word of that epoch's statement.
    #[arg(long, value_name = "EPOCH|FILE")]
    from: Option<String>,
    /// A checkpoint remembered from earlier: the log must continue it.
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// The operator's key, did:key: whom the network must belong to.
    #[arg(long, value_name = "DID")]
    operator: Option<String>,
    /// The network's id: which network it must be.
    #[arg(long, value_name = "ID")]
    network: Option<String>,
    /// Write the checkpoint into this file when everything is in order, for --checkpoint next time.
    #[arg(long, value_name = "FILE")]
    remember: Option<PathBuf>,
    /// The key of a witness that is trusted, a vkey; several may be given, and then more than half of them together count.
    /// The times in the log are held against theirs.
    #[arg(long, value_name = "VKEY", conflicts_with = "trust")]
    witness: Vec<String>,
    /// A tlog-policy file: the witnesses that are trusted, and the quorum of them that must have cosigned the checkpoint.
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Ask the witnesses themselves, at the addresses in the policy, what they cosigned of the logs in it.
    #[arg(long, requires = "trust")]
    ask_witnesses: bool,
    /// Compare the snapshots served, too.
    #[arg(long)]
    snapshots: bool,
    /// A file of promises that `cairn send` or `cairn enrol` has kept: the log must keep them. May be given more than once.
    #[arg(long, value_name = "FILE")]
    promises: Vec<PathBuf>,
    /// Write a portable proof into this folder when the log was forked or a promise was broken.
    #[arg(long, value_name = "DIR")]
    evidence: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// The first difference, or that the source cannot be read.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let source = args.source()?;
    let options = args.options()?;
    let bar = output.progress("auditing", 0);
    let report = cairn_audit::audit(&*source, &options, &mut |progress| match progress {
        Progress::Entries { done, of } => {
            bar.set_length(of);
            bar.set_position(done);
        }
        // A closed standard output is noticed when the report is printed.
        Progress::Epoch(line) if !output.json => bar.suspend(|| drop(output.print(&epoch_text(line)))),
        Progress::Epoch(_) | Progress::Recomputed(_) => {}
    });
    bar.finish_and_clear();
    let mut report = report.map_err(undone)?;
    if report.network.as_ref().is_some_and(|network| is_recorded(&network.rehearsed)) {
        // Such a network's time is not the auditor's.
        report.ahead_ms = None;
    }
    if let Some(difference) = report.difference() {
        let failure = failure_of(&report, difference);
        let failure = match &args.evidence {
            Some(folder) => proof_of_fork(&*source, &report, folder, difference, failure),
            None => failure,
        };
        return output.show_wrong(&report, text, failure);
    }
    if let Some(broken) = args.hold_promises(&*source, &report)? {
        return Err(broken);
    }
    if let (Some(path), Some(checkpoint)) = (&args.remember, &report.checkpoint) {
        std::fs::write(path, &checkpoint.note).map_err(|error| Failure::io("write", path, &error))?;
    }
    output.show(&report, text)
}

impl Args {
    /// Holds promises against the log that was audited; the failure when one of them is broken, or else when
    /// one cannot be read.
    fn hold_promises(&self, source: &dyn Source, report: &AuditReport) -> Result<Option<Failure>, Failure> {
        let Some(checkpoint) = report.checkpoint.as_ref().filter(|_| !self.promises.is_empty()) else {
            return Ok(None);
        };
        let served = Served::under(source, checkpoint.note.clone())?;
        let genesis = served.genesis()?;
        let key = Founded::by(&genesis)?.promises;
        let mut unread = None;
        for file in &self.promises {
            let (opened, refused) = open_promises(read_promises(file)?, &key);
            for (note, _) in opened {
                let Some((index, promised)) = first_broken(&served, &genesis, &note)? else { continue };
                return Ok(Some(broken(&served, index, promised, &note, self.evidence.as_deref())));
            }
            unread = unread.or(refused.map(|error| no_promise_of_network(file, &error)));
        }
        Ok(unread)
    }

    fn source(&self) -> Result<Box<dyn Source>, Failure> {
        source_named(self.source.as_deref())
    }

    fn options(&self) -> Result<AuditOptions, Failure> {
        let read = |path: &Path| std::fs::read(path).map_err(|error| Failure::io("read", path, &error));
        let network = self.network.as_ref().map(|text| {
            let id = Hash::from_hex(text).map(NetworkId);
            id.ok_or_else(|| Failure::usage("NET-ID", format!("`{text}` is not a network id: 64 hex digits")))
        });
        let operator = self
            .operator
            .as_ref()
            .map(|did| PublicKey::parse_did(did).map_err(|error| Failure::usage("NET-KEY", error)));
        let remembered = self.checkpoint.as_ref().map(|path| {
            String::from_utf8(read(path)?)
                .map_err(|_| Failure::wrong("LOG-REMEMBERED", format!("{} is not text", path.display())))
        });
        let start = match &self.from {
            None => Start::Genesis,
            Some(text) => match text.parse() {
                Ok(epoch) => Start::After(epoch),
                Err(_) => Start::Snapshot(read(Path::new(text))?),
            },
        };
        Ok(AuditOptions {
            network: network.transpose()?,
            operator: operator.transpose()?,
            remembered: remembered.transpose()?,
            trust: self.trusted()?,
            start,
            now_ms: Some(wall_ms()),
            snapshots: self.snapshots,
            ..AuditOptions::default()
        })
    }
}

impl Args {
    fn trusted(&self) -> Result<Option<Trust>, Failure> {
        let policy = match &self.trust {
            Some(path) => read_policy(path)?,
            None if self.witness.is_empty() => return Ok(None),
            None => {
                let keys = self.witness.iter().map(|vkey| vkey.parse()).collect::<Result<Vec<NoteVerifier>, _>>()?;
                TrustPolicy::majority_of(keys).map_err(|error| match error {
                    MerkleError::Trust { line, reason } => {
                        Failure::usage("WIT-KEY", format!("--witness {}: {reason}", self.witness[line - 1]))
                    }
                    other => other.into(),
                })?
            }
        };
        let elsewhere = if self.ask_witnesses { ask_witnesses(&policy)? } else { Vec::new() };
        let is_required = self.trust.is_some() && policy.needs_witnesses();
        Ok(Some(Trust { policy, is_required, patience_ms: QUORUM_PATIENCE_MS, elsewhere }))
    }
}

/// Writes a proof against each witness trusted that cosigned both sides of a fork. Honest ones did not, so that mostly there
/// is none; the proof against the log does not wait for them.
fn accuse_witnesses(report: &AuditReport, genesis: &[u8], other: &str, served: &Served<'_>, folder: &Path) {
    let witnesses = report.witnessed.iter().flat_map(|witnessed| &witnessed.witnesses);
    for witness in witnesses.filter(|witness| witness.time_s.is_some()) {
        let Ok(verifier) = witness.key.parse::<NoteVerifier>() else { continue };
        let proof = Evidence::equivocation(genesis, &verifier, other, &served.note, &served.hashes());
        match proof.map(|proof| keep(&proof, folder)) {
            // It did not cosign both.
            Err(_) => {}
            Ok(Ok(path)) => eprintln!("witness {} cosigned both: the proof is in {}", witness.name, path.display()),
            Ok(Err(error)) => eprintln!("no proof against witness {} was written: {}", witness.name, error.message),
        }
    }
}

/// What the witnesses of a policy show of its logs.
fn ask_witnesses(policy: &TrustPolicy) -> Result<Vec<Shown>, Failure> {
    if policy.logs().is_empty() {
        let what = "the trust policy names no log, so the witnesses cannot be asked about it";
        return Err(Failure::usage("WIT-NO-LOG", what).hint("add a `log VKEY` line"));
    }
    let mut all = Vec::new();
    for witness in policy.witnesses() {
        let Some(url) = &witness.url else { continue };
        let client =
            WitnessClient::of(witness.verifier.clone(), url).map_err(|error| Failure::usage(error.code(), error))?;
        for log in policy.logs() {
            let by = format!("witness {}", witness.verifier.name());
            let mut shown = Shown { by, notes: Vec::new(), broken_off: None };
            let mut budget = HistoryBudget::default();
            loop {
                let page = client.history(log.verifier.name(), shown.notes.len() as u64, WITNESS_PATIENCE);
                let counted = page.map_err(|error| error.to_string()).and_then(|page| {
                    let bytes = page.iter().map(|note| note.to_string().len()).sum();
                    budget.take(bytes).map(|()| page).map_err(|error| error.to_string())
                });
                match counted {
                    Ok(page) if page.is_empty() || shown.notes.len() > WITNESS_NOTES_MAX => break,
                    Ok(page) => shown.notes.extend(page),
                    Err(error) => {
                        shown.broken_off = Some(error);
                        break;
                    }
                }
            }
            all.push(shown);
        }
    }
    Ok(all)
}

/// What a failed audit ends with.
pub fn failure_of(report: &AuditReport, difference: &Difference) -> Failure {
    Failure::wrong(difference.code.clone(), sentence(difference)).hint(hint(report, difference))
}

/// A failed audit's failure, with the portable proof that the log forked between another checkpoint of it, remembered or
/// cosigned, and the one served, where that is what failed. The proof is written into `folder`.
pub fn proof_of_fork(
    source: &dyn Source,
    report: &AuditReport,
    folder: &Path,
    difference: &Difference,
    failure: Failure,
) -> Failure {
    let (Some(other), Some(checkpoint)) = (&difference.checkpoint, &report.checkpoint) else { return failure };
    if ["LOG-ROLLBACK", "WIT-AHEAD"].contains(&difference.code.as_str()) {
        // The same bytes would be there if the smaller checkpoint were simply the older one.
        return failure.hint(
            "keep both checkpoints: a rollback alone is no portable proof, for no checkpoint says when it was signed",
        );
    }
    if !["LOG-FORK", "WIT-FORK"].contains(&difference.code.as_str()) {
        return failure;
    }
    let proof = || {
        let served = Served::under(source, checkpoint.note.clone())?;
        let genesis = served.genesis()?;
        accuse_witnesses(report, &genesis, other, &served, folder);
        keep(&Evidence::fork(&genesis, other, &checkpoint.note, &served.hashes())?, folder)
    };
    proof_kept(failure, proof())
}

fn is_recorded(rehearsed: &[String]) -> bool {
    rehearsed.iter().any(|what| what == NetworkClock::RECORDED_DECLARATION)
}

/// An audit that has no result: what was given may be at fault, or the way to the source.
fn undone(error: AuditError) -> Failure {
    let exit = match &error {
        AuditError::Source(_) => Exit::Failed,
        AuditError::Remembered { .. } | AuditError::NoSnapshot { .. } => Exit::Wrong,
    };
    let failure = Failure::failed(error.code(), &error).maybe_hint(error.hint());
    Failure { exit, ..failure }
}

fn epoch_text(line: &EpochLine) -> String {
    let EpochLine { number, from, to, paid, statement, compared, .. } = line;
    let names = [
        (compared.statement, "statement"),
        (compared.verdicts, "verdicts"),
        (compared.payouts, "payouts"),
        (compared.sales && line.sales > 0, "sales"),
        (compared.carry && line.remembered > 0, "carry"),
        (compared.snapshot, "snapshot"),
    ];
    let served: Vec<&str> = names.iter().filter(|(was, _)| *was).map(|(_, name)| *name).collect();
    let served = if served.is_empty() { "nothing served to compare".to_owned() } else { served.join(", ") };
    let (verdicts, payouts) = (count(line.verdicts, "verdict", "verdicts"), count(line.payouts, "payout", "payouts"));
    let says = if line.ok { format!("same ({served})") } else { "DIFFERS".to_owned() };
    format!(
        "epoch {number}  entries {from} to {to}  {verdicts}  {payouts}  paid {paid}  {says}  {}",
        &statement[..statement.len().min(16)]
    )
}

fn hint(report: &AuditReport, difference: &Difference) -> &'static str {
    match (difference.code.as_str(), &report.checkpoint) {
        ("WIT-DATED-EARLY", _) => {
            "ask the network itself, or its witnesses: a copy may hold an old checkpoint that somebody had cosigned again"
        }
        ("NET-PIN", _) => "check the address, and the network id or operator's key that you gave",
        (_, None) => "is it the address of a gateway, or a folder that `cairn log export` has written?",
        _ => "keep what was served: with the log's checkpoint it shows what is wrong to anybody",
    }
}

fn sentence(difference: &Difference) -> String {
    let Difference { place, detail, device, entry, epoch, expected, found, .. } = difference;
    let mut text = format!("{place}: {detail}");
    for part in [
        entry.map(|entry| format!("entry {entry}")).filter(|entry| !place.starts_with(entry)),
        epoch.map(|epoch| format!("epoch {epoch}")),
        device.as_ref().map(|device| format!("device {device}")),
    ]
    .into_iter()
    .flatten()
    {
        text.push_str(&format!("\n  {part}"));
    }
    if !(expected.is_empty() && found.is_empty()) {
        text.push_str(&format!("\n  expected {expected}\n  found    {found}"));
    }
    text
}

/// What witnesses saw, and how far that binds the log's time.
fn witnessed_lines(witnessed: Option<&WitnessedLog>) -> String {
    let Some(witnessed) = witnessed else {
        return "  time       bound by nobody: no witness was named (--witness, --trust)\n".to_owned();
    };
    let WitnessedLog { witnesses, is_quorum, history, elsewhere, strange, time } = witnessed;
    let cosigned = witnesses.iter().filter(|witness| witness.time_s.is_some()).count();
    let quorum = if *is_quorum { "a quorum" } else { "no quorum" };
    let earlier = count(history + elsewhere, "earlier checkpoint", "earlier checkpoints");
    let mut text = format!("  witnesses  {cosigned} of {} cosigned this checkpoint, {quorum}; ", witnesses.len());
    text.push_str(&format!("{earlier} of theirs held against the log\n"));
    match &time.unbound {
        Some(why) => text.push_str(&format!("  time       bound by nobody: {why}\n")),
        None => {
            let (whole, tenths) = (time.share_ppm / 10_000, time.share_ppm / 1_000 % 10);
            let bound = count(time.entries, "entry", "entries");
            let half = count(time.entries_half, "more", "more");
            let gap = duration(time.widest_gap_s.saturating_mul(1_000));
            text.push_str(&format!(
                "  time       {bound} bound on both sides, {half} on one; {whole}.{tenths} % of the log's time, gaps of at \
                 most {gap}, give or take 5 minutes\n"
            ));
        }
    }
    for what in strange {
        text.push_str(&format!("  note       {what}\n"));
    }
    text
}

fn text(report: &AuditReport) -> String {
    let mut text = String::new();
    let verdict = if report.passed() { "PASS" } else { "FAIL" };
    match &report.network {
        Some(network) => {
            text.push_str(&format!("\n{verdict}  {} ({})\n", network.name, report.source));
            text.push_str(&format!("  network    {}\n  operator   {}\n", network.network_id, network.operator));
            text.push_str(&rehearsed_lines("  ", &network.rehearsed));
        }
        None => text.push_str(&format!("\n{verdict}  {}\n", report.source)),
    }
    text.push_str(&format!("  pinned by  {}\n", report.pinned_by.words()));
    if let Some(checkpoint) = &report.checkpoint {
        let size = count(checkpoint.size, "entry", "entries");
        text.push_str(&format!("  checkpoint {size}, root {}\n", checkpoint.root));
    }
    if let Some(size) = report.continues {
        text.push_str(&format!("  continues  the remembered checkpoint over {}\n", count(size, "entry", "entries")));
    }
    if let Some(resumed) = &report.resumed {
        text.push_str(&format!(
            "  began at   entry {}, after epoch {}: {}\n",
            resumed.from, resumed.epoch, resumed.trusting
        ));
    }
    let counts = &report.counts;
    text.push_str(&format!(
        "  folded     {}: {}, {}, {}, {}; {} verified\n",
        count(counts.entries, "entry", "entries"),
        count(counts.reports, "report", "reports"),
        count(counts.statements, "statement", "statements"),
        count(counts.observations, "observation", "observations"),
        count(counts.epoch_statements, "epoch statement", "epoch statements"),
        count(counts.signatures, "signature", "signatures"),
    ));
    for (code, entries) in &report.void {
        text.push_str(&format!("  void       {} {code}\n", count(*entries, "entry", "entries")));
    }
    text.push_str(&witnessed_lines(report.witnessed.as_ref()));
    let epochs = count(report.epochs.len() as u64, "epoch", "epochs");
    text.push_str(&format!("  recomputed {epochs} in {}\n", duration(report.elapsed.total_ms)));
    for note in report.notes() {
        text.push_str(&format!("  note       {note}\n"));
    }
    text
}
