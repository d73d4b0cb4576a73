//! The judge of compute, revision 1: one verdict per worker of a job that is ripe.
//!
//! What decides is, in this order: what a quorum of auditors found, whether the workers agree, and whether somebody was to
//! look. One right worker beats any number of wrong ones where the truth is known. A verdict pays all or nothing.
//!
//! Remembered is one number per device, its **score**: right results that were checked, by auditors or by a worker of another
//! owner. Wrong once, it is zero; sealed and not shown, or not heard of at all, it loses a third. At one close losses come
//! before gains, and zero before both, so that the order of jobs changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use cairn_core::cbor::{self, Decoder, Encoder};
use cairn_core::{DeviceId, Hash, JobId, PPM, Ppm, Reason, Subject, Verdict};

use super::market::{Assigned, Job, Stage, Word};
use super::words::Code;
use super::{Profile, REVISIONS, SCHEMA};
use crate::{Carry, ClassError, Docket, Judged};

/// A job that can be judged: done, and the truth about it is known or nobody waits for it.
#[derive(Debug, Clone, Copy)]
pub struct RipeJob<'a> {
    /// Its name.
    pub id: JobId,
    /// What is known of it.
    pub job: &'a Job,
}

/// The score that a device's record of the class's carry holds.
///
/// # Errors
/// [`CborError`](cbor::CborError) for bytes that no judge wrote.
pub fn score_of(record: &[u8]) -> cbor::Result<u32> {
    let mut input = Decoder::over(record);
    input.array_exact(1)?;
    let score = input.uint32()?;
    input.leave();
    input.end()?;
    if score == 0 {
        return Err(cbor::CborError::Range { at: 1, what: "a score of zero is not remembered" });
    }
    Ok(score)
}

/// Judges the ripe jobs of a docket with revision `revision`: the verdicts sorted by device, then job, and the scores that
/// changed. Reports in the docket are not looked at: the market has heard them.
///
/// # Errors
/// [`ClassError::UnknownRevision`], [`ClassError::Carry`], or [`ClassError::Docket`] for a job that is not ripe or stands twice.
pub fn judge(revision: u32, profile: &Profile, docket: &Docket<'_>) -> Result<Judged, ClassError> {
    if !REVISIONS.contains(&revision) {
        return Err(ClassError::UnknownRevision { schema: SCHEMA, revision });
    }
    let mut verdicts = Vec::new();
    let mut standings: BTreeMap<DeviceId, Standing> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for ripe in docket.jobs {
        let Stage::Done(_) = ripe.job.stage else {
            return Err(ClassError::Docket { what: "a job that is not done", at: ripe.job.index });
        };
        if !seen.insert(ripe.job.index) {
            return Err(ClassError::Docket { what: "two jobs of one order", at: ripe.job.index });
        }
        let findings = Findings::of(ripe.job);
        for worker in &ripe.job.assigned {
            let code = findings.code(&worker.word);
            standings.entry(worker.device).or_default().add(code, &worker.word, profile);
            verdicts.push(findings.verdict(ripe.job, worker, code, docket.start_ms));
        }
    }
    verdicts.sort_unstable_by(|a, b| (a.device, &a.subject).cmp(&(b.device, &b.subject)));
    Ok(Judged { verdicts, carry: remember(profile, docket.carry, &standings)? })
}

/// What the jobs of one close say of a device.
#[derive(Debug, Clone, Copy, Default)]
struct Standing {
    is_wrong: bool,
    failed: u32,
    earned: u32,
}

impl Standing {
    fn add(&mut self, code: Code, word: &Word, profile: &Profile) {
        match code {
            Code::Wrong => self.is_wrong = true,
            Code::Unrevealed | Code::Silent => self.failed += 1,
            Code::Replayed | Code::Agreed => {
                let is_large = matches!(word, Word::Revealed { result, .. } if result.gas >= profile.score_gas_min);
                self.earned += u32::from(is_large);
            }
            Code::Trusted | Code::Unreplayed | Code::Undecided | Code::Declined => {}
        }
    }

    fn after(self, score: u32, score_max: u32) -> u32 {
        if self.is_wrong {
            return 0;
        }
        // From any score it is zero after some forty losses.
        let lost = (0..self.failed.min(64)).fold(u64::from(score), |score, _| score * 2 / 3);
        u32::try_from((lost + u64::from(self.earned)).min(score_max.into())).expect("at most a u32")
    }
}

/// What changes in the carry, by device.
type Changes = Vec<(Vec<u8>, Option<Vec<u8>>)>;

fn remember(profile: &Profile, carry: &Carry, standings: &BTreeMap<DeviceId, Standing>) -> Result<Changes, ClassError> {
    let mut changes = Vec::new();
    for (device, standing) in standings {
        let before = carry.get(&device.0[..]).map(|record| score_of(record)).transpose();
        let before = before
            .map_err(|error| ClassError::Carry { key: device.to_string(), what: error.to_string() })?
            .unwrap_or_default();
        let after = standing.after(before, profile.score_max);
        if after != before {
            let record = (after > 0).then(|| Encoder::empty().array(1).uint(after.into()).take());
            changes.push((device.0.to_vec(), record));
        }
    }
    Ok(changes)
}

/// What is known of a job as a whole.
struct Findings {
    truth: Option<Hash>,
    is_drawn: bool,
    /// The revealed digests.
    digests: BTreeSet<Hash>,
    /// Entries of the reveals, ascending.
    reveals: Vec<u64>,
    /// Auditors' digests, with the entries.
    replays: Vec<(Hash, u64)>,
}

impl Findings {
    fn of(job: &Job) -> Self {
        let mut reveals: Vec<u64> = job
            .assigned
            .iter()
            .filter_map(|worker| if let Word::Revealed { index, .. } = worker.word { Some(index) } else { None })
            .collect();
        reveals.sort_unstable();
        Self {
            truth: job.truth,
            is_drawn: matches!(job.stage, Stage::Done(Some(_))),
            digests: job.revealed().map(|(_, _, digest)| digest).collect(),
            reveals,
            replays: job.replays.iter().map(|said| (said.digest, said.index)).collect(),
        }
    }

    fn code(&self, word: &Word) -> Code {
        let digest = match word {
            Word::Silent => return Code::Silent,
            Word::Committed { .. } => return Code::Unrevealed,
            Word::Declined { .. } => return Code::Declined,
            Word::Revealed { digest, .. } => digest,
        };
        match self.truth {
            Some(truth) if truth == *digest => Code::Replayed,
            Some(_) => Code::Wrong,
            None if self.digests.len() > 1 => Code::Undecided,
            None if self.is_drawn => Code::Unreplayed,
            None if self.reveals.len() > 1 => Code::Agreed,
            None => Code::Trusted,
        }
    }

    fn said(&self, digest: &Hash) -> impl Iterator<Item = u64> {
        self.replays.iter().filter(move |(said, _)| said == digest).map(|(_, index)| *index)
    }

    fn reason(&self, job: &Job, worker: &Assigned, code: Code) -> Reason {
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let time = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
        let own = |digest: &Hash| count(self.said(digest).count());
        let (observed, threshold, mut evidence) = match (code, worker.word) {
            (Code::Replayed | Code::Wrong, Word::Revealed { index, digest, .. }) => {
                let truth: Vec<u64> = self.truth.iter().flat_map(|truth| self.said(truth)).collect();
                (own(&digest), count(truth.len()), [vec![index], truth].concat())
            }
            (Code::Unreplayed, Word::Revealed { index, .. }) => {
                let said = self.replays.iter().map(|(_, index)| *index);
                (count(self.replays.len()), 1, [index].into_iter().chain(said).collect())
            }
            (Code::Agreed | Code::Trusted, _) => (count(self.reveals.len()), 2, self.reveals.clone()),
            (Code::Undecided, _) => (count(self.digests.len()), 1, self.reveals.clone()),
            (_, Word::Committed { index, .. }) => (0, time(job.reveal_until_ms), vec![index]),
            (_, Word::Declined { index, reason }) => (reason.into(), 0, vec![index]),
            (_, Word::Silent | Word::Revealed { .. }) => (0, time(job.commit_until_ms), vec![job.index]),
        };
        evidence.sort_unstable();
        let lost_ppm = if code.pays() { 0 } else { PPM };
        Reason {
            code: code.as_str().to_owned(),
            check: code.check().to_owned(),
            observed,
            threshold,
            lost_ppm,
            evidence,
        }
    }

    fn verdict(&self, job: &Job, worker: &Assigned, code: Code, slot_ms: u64) -> Verdict {
        let (amount, said) = match worker.word {
            Word::Silent => (0, vec![]),
            Word::Committed { index, .. } | Word::Declined { index, .. } => (0, vec![index]),
            Word::Revealed { committed, index, result, .. } => (result.gas, vec![committed, index]),
        };
        Verdict {
            class: SCHEMA.to_owned(),
            device: worker.device,
            // A job belongs to the epoch that settles it, however long it took.
            slot_ms,
            subject: Subject::Job(job.index),
            account: worker.payee.clone(),
            amount,
            score: if code.pays() { Ppm::FULL } else { Ppm::ZERO },
            reasons: vec![self.reason(job, worker, code)],
            entries: [vec![job.index], said].concat(),
        }
    }
}
