//! Asking witnesses for cosignatures, beside everything else.
//!
//! One thread takes the rounds that the writer begins, and one for each witness asks it. A witness that is down, slow or
//! lying costs nothing but a count and a line: whoever failed the last time is asked, but not waited for. Every line is
//! verified with the witness's key before it counts. What a round brought is kept in the history, thinned, which is
//! what an auditor bounds the log's time with; losing it loses that and nothing else.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use cairn_ledger::wall_ms;
use cairn_log::{LogReader, StdDisk};
use cairn_merkle::note::Note;
use cairn_merkle::{AddCheckpoint, Checkpoint, NoteVerifier};
use cairn_witness::{Asked, ClientError, Cosignature, History, WitnessClient};

use crate::GatewayError;
use crate::forked::Accuser;
use crate::problem::report_failure;
use crate::rounds::{Cosigned, Round};
use crate::writer::WriterQueue;

/// The history's file in its folder.
pub const WITNESSED_FILE: &str = "history";
/// A witness whose clock is so far from this machine's is worth a word, in seconds.
const OFFSET_S: i64 = 60;
/// How often a witness may answer with another size in one round.
const ANSWERS_MAX: usize = 3;
/// `last_ms` of a witness that has not cosigned.
const NEVER: u64 = u64::MAX;

/// The witnesses of a network, and how they are asked.
#[derive(Debug, Clone)]
pub struct WitnessingOptions {
    /// Their keys and addresses; with none of them, the history is served and nobody is asked.
    pub witnesses: Vec<(NoteVerifier, String)>,
    /// Checkpoints are published at most so often. Default 1 s.
    pub interval: Duration,
    /// How long witnesses are waited for in a round. Default 2 s.
    pub timeout: Duration,
    /// While the log does not grow its checkpoint is shown again so often. Default 60 s.
    pub refresh: Duration,
    /// The history keeps at most one checkpoint in so long, and those at the ends of epochs. Default 60 s.
    pub history_every: Duration,
    /// The folder of the history.
    pub folder: PathBuf,
    /// The folder for the proof that the log's key signed what this log is not, should a witness have it; without one
    /// nobody looks.
    pub evidence: Option<PathBuf>,
}

impl WitnessingOptions {
    /// The defaults, without witnesses.
    #[must_use]
    pub const fn in_folder(folder: PathBuf) -> Self {
        Self {
            witnesses: Vec::new(),
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(2),
            refresh: Duration::from_secs(60),
            history_every: Duration::from_secs(60),
            folder,
            evidence: None,
        }
    }
}

/// What is known of a witness.
pub(crate) struct WitnessStanding {
    pub name: String,
    started: Instant,
    pub cosignatures: AtomicU64,
    pub failures: AtomicU64,
    /// When it cosigned last, ms after `started`.
    last_ms: AtomicU64,
    /// The size that it cosigned last.
    pub size: AtomicU64,
    /// Its clock less this machine's when it cosigned last, in seconds.
    pub offset_s: AtomicI64,
    is_well: AtomicBool,
}

impl WitnessStanding {
    fn of(name: &str) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            started: Instant::now(),
            cosignatures: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            last_ms: AtomicU64::new(NEVER),
            size: AtomicU64::new(0),
            offset_s: AtomicI64::new(0),
            is_well: AtomicBool::new(true),
        })
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(NEVER - 1)
    }

    /// How long ago it cosigned last, ms; `None` if it has not since the start.
    pub fn age_ms(&self) -> Option<u64> {
        let last_ms = self.last_ms.load(Ordering::Relaxed);
        (last_ms != NEVER).then(|| self.now_ms().saturating_sub(last_ms))
    }

    fn succeeded(&self, cosignature: &Cosignature, size: u64) {
        self.cosignatures.fetch_add(1, Ordering::Relaxed);
        self.last_ms.store(self.now_ms(), Ordering::Relaxed);
        self.size.store(size, Ordering::Relaxed);
        let offset_s = cosignature.time_s.cast_signed().saturating_sub((wall_ms() / 1_000).cast_signed());
        let before_s = self.offset_s.swap(offset_s, Ordering::Relaxed);
        if offset_s.abs() > OFFSET_S && before_s.abs() <= OFFSET_S {
            report_failure(&format_args!("the clock of witness {} is {offset_s} s from this machine's", self.name));
        }
        if !self.is_well.swap(true, Ordering::Relaxed) {
            report_failure(&format_args!("witness {} cosigns again", self.name));
        }
    }

    fn failed(&self, why: &str) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        if self.is_well.swap(false, Ordering::Relaxed) {
            report_failure(&format_args!("checkpoints go on without witness {}: {why}", self.name));
        }
    }
}

/// What is served of witnessing.
pub(crate) struct Witnessed {
    options: WitnessingOptions,
    pub standings: Vec<Arc<WitnessStanding>>,
    pub history: History,
}

impl Witnessed {
    /// Opens the history, with what the log's lock record holds of the last round before this start, and takes the
    /// witnesses' names.
    pub fn open(options: &WitnessingOptions, log: &LogReader) -> Result<Self, GatewayError> {
        let failed = |source| GatewayError::System { what: "open the folder of the history of cosignatures", source };
        let disk = Arc::new(StdDisk::create(&options.folder).map_err(failed)?);
        let history = History::open(disk, WITNESSED_FILE, options.history_every.as_secs())?;
        if history.skipped_bytes() > 0 {
            report_failure(&format_args!(
                "{} bytes of the history of cosignatures are damaged",
                history.skipped_bytes()
            ));
        }
        if let Some(note) = log.checkpoint().and_then(|note| note.parse().ok()) {
            resume(&history, &note);
        }
        let standings = options.witnesses.iter().map(|(key, _)| WitnessStanding::of(key.name())).collect();
        Ok(Self { options: options.clone(), standings, history })
    }
}

/// Starts asking: the thread ends when the writer does.
///
/// # Errors
/// [`GatewayError::Witness`] for an address or a key that is no witness's, [`GatewayError::System`].
pub(crate) fn start(
    witnessed: &Arc<Witnessed>,
    rounds: Receiver<Round>,
    log: &LogReader,
    writer: WriterQueue,
) -> Result<JoinHandle<()>, GatewayError> {
    let options = &witnessed.options;
    let (results_in, results) = channel();
    let mut askers = Vec::new();
    for ((verifier, url), standing) in options.witnesses.iter().zip(&witnessed.standings) {
        let client = WitnessClient::of(verifier.clone(), url)?;
        let standing = standing.clone();
        let accuser = options.evidence.clone().map(Accuser::into);
        let (number, standing_of) = (askers.len(), standing.clone());
        let asker = Asker { number, client, standing: standing_of, log: log.clone(), known: 0, accuser };
        let (jobs, waiting) = sync_channel(1);
        let (results, patience) = (results_in.clone(), options.timeout);
        spawn("cairn-ask", move || asker.run(&waiting, &results, patience))?;
        askers.push((jobs, standing));
    }
    let asking = Asking { askers, results, timeout: options.timeout, witnessed: witnessed.clone(), number: 0, writer };
    spawn("cairn-witnessing", move || asking.run(&rounds))
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, GatewayError> {
    let failed = |source| GatewayError::System { what: "start a thread", source };
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map_err(failed)
}

/// What the lock record holds of the last round before this start belongs to the history.
fn resume(history: &History, note: &Note) {
    let times = note.signatures().iter().skip(1).filter_map(|line| line.bytes.first_chunk::<8>());
    let last_s = times.map(|time| u64::from_be_bytes(*time)).max();
    let size = note.text().parse::<Checkpoint>().map(|checkpoint| checkpoint.size());
    if let (Some(last_s), Ok(size)) = (last_s, size) {
        keep(history, note, size, last_s.min(wall_ms() / 1_000), false);
    }
}

fn keep(history: &History, note: &Note, size: u64, time_s: u64, anyway: bool) {
    if let Err(error) = history.push(note, size, time_s, anyway) {
        report_failure(&format_args!("the history of cosignatures: {error}"));
    }
}

/// A checkpoint for one witness.
struct Job {
    round: u64,
    note: Note,
    checkpoint: Checkpoint,
}

/// What one witness said.
struct Said {
    round: u64,
    number: usize,
    cosignature: Option<Cosignature>,
}

/// Takes rounds.
struct Asking {
    askers: Vec<(SyncSender<Job>, Arc<WitnessStanding>)>,
    results: Receiver<Said>,
    timeout: Duration,
    witnessed: Arc<Witnessed>,
    number: u64,
    writer: WriterQueue,
}

impl Asking {
    fn run(mut self, rounds: &Receiver<Round>) {
        while let Ok(round) = rounds.recv() {
            let text = round.checkpoint.to_string();
            let lines = self.ask(&round).unwrap_or_default();
            self.writer.cosigned(Cosigned { text, lines });
        }
        // The writer's last checkpoint takes the place of the one that holds this.
        if let Err(error) = self.witnessed.history.flush() {
            report_failure(&format_args!("the history of cosignatures: {error}"));
        }
    }

    /// Asks all witnesses, and keeps what they said.
    fn ask(&mut self, round: &Round) -> Option<Vec<cairn_merkle::note::NoteSignature>> {
        let note: Note = round.note.parse().ok()?;
        let own = note.signatures().first()?.clone();
        let bare = Note::new(note.text().to_owned(), vec![own.clone()]).ok()?;
        let lines: Vec<_> = self.collect(&bare, &round.checkpoint).into_iter().map(|said| said.line).collect();
        if !lines.is_empty() {
            let cosigned = Note::new(note.text().to_owned(), [vec![own], lines.clone()].concat()).ok()?;
            let (size, now_s) = (round.checkpoint.size(), wall_ms() / 1_000);
            keep(&self.witnessed.history, &cosigned, size, now_s, round.ends_epoch);
        }
        Some(lines)
    }

    /// The cosignatures that came while those who answered the last time were waited for.
    fn collect(&mut self, note: &Note, checkpoint: &Checkpoint) -> Vec<Cosignature> {
        self.number += 1;
        let deadline = Instant::now() + self.timeout;
        let mut waited_for = vec![false; self.askers.len()];
        for ((jobs, standing), waited_for) in self.askers.iter().zip(&mut waited_for) {
            let job = Job { round: self.number, note: note.clone(), checkpoint: checkpoint.clone() };
            match jobs.try_send(job) {
                Ok(()) => *waited_for = standing.is_well.load(Ordering::Relaxed),
                Err(_) => standing.failed("it is still busy with an earlier checkpoint"),
            }
        }
        let mut cosignatures = Vec::new();
        while waited_for.contains(&true) {
            let Ok(said) = self.results.recv_timeout(deadline.saturating_duration_since(Instant::now())) else { break };
            if said.round == self.number {
                waited_for[said.number] = false;
                cosignatures.extend(said.cosignature);
            }
        }
        while let Ok(said) = self.results.try_recv() {
            if said.round == self.number {
                cosignatures.extend(said.cosignature);
            }
        }
        cosignatures
    }
}

/// Asks one witness.
struct Asker {
    number: usize,
    client: WitnessClient,
    standing: Arc<WitnessStanding>,
    log: LogReader,
    /// The size that the witness cosigned last, as far as is known.
    known: u64,
    accuser: Option<Accuser>,
}

impl Asker {
    fn run(mut self, jobs: &Receiver<Job>, results: &Sender<Said>, patience: Duration) {
        while let Ok(job) = jobs.recv() {
            let cosignature = match self.ask(&job, patience) {
                Ok(cosignature) => {
                    self.standing.succeeded(&cosignature, job.checkpoint.size());
                    Some(cosignature)
                }
                Err(why) => {
                    self.standing.failed(&why);
                    None
                }
            };
            let said = Said { round: job.round, number: self.number, cosignature };
            if results.send(said).is_err() {
                return;
            }
        }
    }

    fn ask(&mut self, job: &Job, patience: Duration) -> Result<Cosignature, String> {
        let deadline = Instant::now() + patience;
        let size = job.checkpoint.size();
        let mut old = self.known.min(size);
        for _ in 0..ANSWERS_MAX {
            let proof = self.log.consistency_proof(old, size).map_err(|error| error.to_string())?;
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(format!("it did not answer within {} ms", patience.as_millis()));
            }
            let request = AddCheckpoint { old, proof, note: job.note.clone() };
            let asked = self.client.add_checkpoint(&request, left);
            if let Err(ClientError::Refused { status: 409 | 422, .. }) = &asked {
                self.accuse(job, patience);
            }
            match asked.map_err(|error| error.to_string())? {
                Asked::Cosigned(cosignature) => {
                    self.known = size;
                    return Ok(cosignature);
                }
                Asked::At { size: larger } if larger > size => return Err(ahead(larger, size, self.log.size())),
                Asked::At { size: same } if same == old => return Err("it wants what it was given".to_owned()),
                Asked::At { size: other } => old = other,
            }
        }
        Err("it names another size each time".to_owned())
    }

    /// Whether the witness holds what this log is not, if proof of it is wanted.
    fn accuse(&mut self, job: &Job, patience: Duration) {
        let accuser = self.accuser.as_mut();
        let found = accuser.and_then(|it| it.ask(&self.client, &self.log, (&job.note, &job.checkpoint), patience));
        if let Some(found) = found {
            report_failure(&format_args!("witness {}: {found}", self.standing.name));
        }
    }
}

/// Why a witness does not cosign `size` entries when it cosigned more of a log that has `in_log` by now: checkpoints are
/// public, and anybody may show it a later one before it comes to this.
fn ahead(larger: u64, size: u64, in_log: u64) -> String {
    if larger <= in_log {
        return format!(
            "it cosigned {larger} entries before it was asked for {size}: somebody showed it a later checkpoint"
        );
    }
    format!(
        "it cosigned {larger} entries of this log, which has {in_log}: was the log rolled back, or is its key used elsewhere?"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_witness_that_saw_more_than_there_is_makes_the_log_look_rolled_back() {
        for (larger, in_log, rolled_back) in [(11, 11, false), (11, 40, false), (12, 11, true), (12, 10, true)] {
            assert_eq!(ahead(larger, 10, in_log).contains("rolled back"), rolled_back, "{larger} of {in_log}");
        }
    }
}
