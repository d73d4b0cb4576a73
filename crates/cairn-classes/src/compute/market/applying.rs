//! What follows from what counts. Each call follows its admission against the same state; what was not admitted must not be
//! applied.

use cairn_core::statement::{Licence, Offer, Order, Replay};
use cairn_core::{Amount, DeviceId, Hash, JobId};

use super::job::{Assigned, Job, Phase, Replayed, Stage, Word};
use super::{Cancelled, Market, Now, drawing, later};
use crate::compute::Body;

/// Admission found the job.
const ADMITTED: &str = "what is applied was admitted against the same state";

impl Market {
    /// An offer takes the place of the device's earlier one, or withdraws it.
    pub fn apply_offer(&mut self, offer: &Offer, received_ms: u64) {
        self.replace_offer(offer.device, (offer.until_ms > received_ms).then(|| offer.clone()));
    }

    /// A licence takes the place of the holder's earlier one, or withdraws it.
    pub fn apply_licence(&mut self, licence: &Licence, received_ms: u64) {
        let in_force = (licence.until_ms > received_ms).then(|| licence.clone());
        self.replace_licence(licence.content, in_force);
    }

    /// A job begins: its workers are drawn from `seed`, SHA-256(log root before the order || leaf hash of the order's entry).
    /// Answers with what leaves the buyer's credit: at most what admission was told.
    pub fn apply_order(&mut self, id: JobId, order: &Order, index: u64, seed: &Hash, now: Now<'_>) -> Amount {
        let drawn = self.draw_workers(&id, order, seed, now);
        let assigned = drawn.into_iter().map(|candidate| Assigned {
            device: candidate.device,
            owner: candidate.worker.owner,
            payee: candidate.worker.payee,
            price: candidate.price,
            word: Word::Silent,
        });
        let commit_until_ms = later(now.received_ms, order.commit_ms);
        let job = Job {
            index,
            received_ms: now.received_ms,
            order: order.clone(),
            assigned: assigned.collect(),
            licences: self.admitted_terms(order, now.received_ms),
            commit_until_ms,
            reveal_until_ms: later(commit_until_ms, now.profile.reveal_ms),
            stage: Stage::Open,
            replays: Vec::new(),
            truth: None,
        };
        let locked = job.locked().expect(ADMITTED);
        self.index(id, &job).expect(ADMITTED);
        self.jobs.insert(id, job);
        locked
    }

    /// A job ends as if it had not begun.
    pub fn apply_cancel(&mut self, id: &JobId) -> Cancelled {
        let job = self.jobs.remove(id).expect(ADMITTED);
        let locked = job.locked().expect(ADMITTED);
        self.unwait(id, job.assigned.iter().map(|worker| worker.device));
        self.close_tab(&job.order.buyer, locked);
        Cancelled { buyer: job.order.buyer, locked }
    }

    /// What an auditor said; once `quorum` of them have said the same, that is the truth about the job.
    pub fn apply_replay(&mut self, replay: &Replay, auditor: [u8; 20], index: u64, quorum: u64) {
        let job = self.jobs.get_mut(&replay.job).expect(ADMITTED);
        job.replays.push(Replayed { auditor, digest: replay.digest, index });
        let same = job.replays.iter().filter(|said| said.digest == replay.digest).count();
        if quorum > 0 && same as u64 >= quorum {
            job.truth = Some(replay.digest);
        }
    }

    /// What a worker said. `seed` is asked for when the report makes the job done: SHA-256(log root before || leaf hash of
    /// the report's entry); the draw comes from it. Whoever has let the job's time pass offers nothing any more.
    pub fn apply_report(
        &mut self,
        device: &DeviceId,
        body: &Body,
        index: u64,
        seed: impl FnOnce() -> Hash,
        now: Now<'_>,
    ) {
        let id = body.job();
        let job = self.jobs.get_mut(&id).expect(ADMITTED);
        let gas_table = job.order.gas_table;
        let worker = job.assigned.iter_mut().find(|worker| worker.device == *device).expect(ADMITTED);
        worker.word = match (body, worker.word) {
            (Body::Commit { seal, .. }, _) => Word::Committed { index, seal: *seal },
            (Body::Decline { reason, .. }, _) => Word::Declined { index, reason: *reason },
            (Body::Reveal { result, .. }, Word::Committed { index: committed, .. }) => {
                worker.payee = now.parties.worker(device).expect(ADMITTED).payee;
                Word::Revealed { committed, index, result: *result, digest: result.digest(gas_table, &id) }
            }
            (Body::Reveal { .. }, _) => unreachable!("{ADMITTED}"),
        };
        let word = worker.word;
        let awaited = job.awaits_until_ms(&word);
        if job.phase(now.received_ms) != Phase::Done {
            match awaited {
                Some(until_ms) => drop(self.waiting.entry(*device).or_default().insert(id, until_ms)),
                None => self.unwait(&id, [*device]),
            }
            return;
        }
        job.stage = Stage::Done(drawing::draw(&id, job, &seed(), now.received_ms, now.profile, now.parties));
        let absent = job.absent();
        self.end_offers(&absent);
        self.unwait(&id, absent.into_iter().chain([*device]));
    }
}
