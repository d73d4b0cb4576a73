//! The market as records of a state: one of each offer, job and licence, with one key and one value and one form of either.
//!
//! What can be computed from the rest is not written: what is locked, digests, ends of phases. A record that no history could
//! have written is refused, so that nothing that was read can fail later.

use cairn_core::cbor::{self, CborError, Decoder, Encoder};
use cairn_core::statement::{Body, Licence, Offer, Order, REPLICAS_MAX, Schema};
use cairn_core::{Account, Amount, DeviceId, Hash, JobId, Ppm};

use super::job::{Assigned, Cause, Draw, Job, REPLAYS_MAX, Replayed, Stage, Terms, Word};
use super::{Market, later};
use crate::compute::body::{DECLINE_REASON_MAX, OUTCOME_MAX, RunResult};

/// The market's tables of a state, numbered for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// Offers, by device (16 bytes); the value is the statement's body.
    Offer = 20,
    /// Jobs, by name (32 bytes).
    Job = 21,
    /// Licences, by content (32 bytes); the value is the statement's body.
    Licence = 22,
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 3] = [Self::Offer, Self::Job, Self::Licence];

    /// The table's number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self as u64
    }

    /// The table of a number.
    #[must_use]
    pub fn of_number(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.number() == number)
    }
}

impl Market {
    /// Every record as table, key and value (one CBOR item), ascending.
    pub fn records(&self) -> impl Iterator<Item = (Table, Vec<u8>, Vec<u8>)> {
        let offers = self
            .offers
            .iter()
            .map(|(device, offer)| (Table::Offer, device.0.to_vec(), Body::Offer(offer.clone()).encode()));
        let jobs = self.jobs.iter().map(|(id, job)| (Table::Job, id.0.0.to_vec(), encode_job(job)));
        let licences = self
            .licences
            .iter()
            .map(|(content, licence)| (Table::Licence, content.0.to_vec(), Body::Licence(licence.clone()).encode()));
        offers.chain(jobs).chain(licences)
    }

    /// Takes a record in, as [`Market::records`] wrote it.
    ///
    /// # Errors
    /// [`CborError`] for any other bytes, a key that does not fit its value or stands already, and what no history writes.
    pub fn read_record(&mut self, table: Table, key: &[u8], value: &[u8]) -> cbor::Result<()> {
        let bad = |what| CborError::Range { at: 0, what };
        let twice = bad("a record of the market stands twice");
        match table {
            Table::Offer => {
                let offer = read_offer(value)?;
                if offer.device.0[..] != *key {
                    return Err(bad("an offer stands under another device"));
                }
                if self.offers.contains_key(&offer.device) {
                    return Err(twice);
                }
                self.replace_offer(offer.device, Some(offer));
                Ok(())
            }
            Table::Licence => {
                let licence = read_licence(value)?;
                if licence.content.0[..] != *key {
                    return Err(bad("a licence stands under another content"));
                }
                if self.licences.contains_key(&licence.content) {
                    return Err(twice);
                }
                self.replace_licence(licence.content, Some(licence));
                Ok(())
            }
            Table::Job => {
                let id = JobId(Hash(key.try_into().map_err(|_| bad("a job's name is 32 bytes"))?));
                let job = decode_job(&id, value)?;
                if self.jobs.contains_key(&id) {
                    return Err(twice);
                }
                self.index(id, &job).ok_or(bad("jobs that lock more than there can be"))?;
                self.jobs.insert(id, job);
                Ok(())
            }
        }
    }
}

fn read_body(schema: Schema, value: &[u8]) -> cbor::Result<Body> {
    let bad = CborError::Range { at: 0, what: "the value is not the body of the record's statement" };
    Body::decode(schema, value).map_err(|_| bad)
}

fn read_offer(value: &[u8]) -> cbor::Result<Offer> {
    match read_body(Schema::Offer, value)? {
        Body::Offer(offer) => Ok(offer),
        _ => Err(CborError::Unexpected { at: 0, expected: "an offer" }),
    }
}

fn read_licence(value: &[u8]) -> cbor::Result<Licence> {
    match read_body(Schema::Licence, value)? {
        Body::Licence(licence) => Ok(licence),
        _ => Err(CborError::Unexpected { at: 0, expected: "a licence" }),
    }
}

fn read_order(value: &[u8]) -> cbor::Result<Order> {
    match read_body(Schema::Order, value)? {
        Body::Order(order) => Ok(order),
        _ => Err(CborError::Unexpected { at: 0, expected: "an order" }),
    }
}

/// `[index, received_ms, reveal_until_ms, order, [worker], [licence], stage, [replay], [truth]]`.
fn encode_job(job: &Job) -> Vec<u8> {
    let mut out = Encoder::with_room(512 + job.order.arguments.len());
    out.array(9).uint(job.index).uint(job.received_ms).uint(job.reveal_until_ms);
    out.encoded(&Body::Order(job.order.clone()).encode()).array(job.assigned.len());
    for worker in &job.assigned {
        out.array(5).bytes(&worker.device.0);
        worker.owner.encode(&mut out);
        worker.payee.encode(&mut out);
        worker.price.encode(&mut out);
        encode_word(&worker.word, &mut out);
    }
    out.array(job.licences.len());
    for terms in &job.licences {
        out.array(4).bytes(&terms.content.0);
        terms.owner.encode(&mut out);
        terms.price.encode(&mut out);
        out.uint(terms.share.get().into());
    }
    match job.stage {
        Stage::Open => out.array(0),
        Stage::Done(None) => out.array(1).uint(0),
        Stage::Done(Some(draw)) => out.array(2).uint(draw.cause.number()).uint(draw.due_ms),
        Stage::Settled(epoch) => out.array(2).uint(0).uint(epoch),
    };
    out.array(job.replays.len());
    for said in &job.replays {
        out.array(3).bytes(&said.auditor).bytes(&said.digest.0).uint(said.index);
    }
    out.array(usize::from(job.truth.is_some()));
    if let Some(truth) = job.truth {
        out.bytes(&truth.0);
    }
    out.into_bytes()
}

/// `[]`, `[1, index, seal]`, `[2, commit, index, outcome, gas, output, output_bytes]` or `[3, index, reason]`.
fn encode_word(word: &Word, out: &mut Encoder) {
    match word {
        Word::Silent => out.array(0),
        Word::Committed { index, seal } => out.array(3).uint(1).uint(*index).bytes(&seal.0),
        Word::Revealed { committed, index, result, .. } => {
            out.array(7).uint(2).uint(*committed).uint(*index).uint(result.outcome.into()).uint(result.gas);
            out.bytes(&result.output.0).uint(result.output_bytes)
        }
        Word::Declined { index, reason } => out.array(3).uint(3).uint(*index).uint((*reason).into()),
    };
}

fn decode_job(id: &JobId, bytes: &[u8]) -> cbor::Result<Job> {
    let mut input = Decoder::over(bytes);
    let bad = |what| CborError::Range { at: 0, what };
    input.array_exact(9)?;
    let (index, received_ms, reveal_until_ms) = (input.uint()?, input.uint()?, input.uint()?);
    let order = read_order(input.raw_value()?)?;
    let gas_table = order.gas_table;
    let assigned = input.list(REPLICAS_MAX.into(), |item| read_worker(id, gas_table, item))?;
    let licences = input.list(order.inputs.len() + 1, read_terms)?;
    let stage = read_stage(&mut input)?;
    let replays = input.list(REPLAYS_MAX, read_replay)?;
    let truth = input.list(1, |item| item.bytes_exact().map(Hash))?.pop();
    input.leave();
    input.end()?;
    let commit_until_ms = later(received_ms, order.commit_ms);
    let job =
        Job { index, received_ms, order, assigned, licences, commit_until_ms, reveal_until_ms, stage, replays, truth };
    check_job(&job).map_err(bad)?;
    Ok(job)
}

/// What every history keeps, and later steps rely on.
fn check_job(job: &Job) -> Result<(), &'static str> {
    let distinct = |at: usize| {
        let (worker, before) = (&job.assigned[at], &job.assigned[..at]);
        before.iter().all(|other| other.device != worker.device && other.owner != worker.owner)
    };
    let caps = |word: &Word| match word {
        Word::Revealed { result, .. } => {
            result.is_well_formed()
                && result.gas <= job.order.gas
                && result.output_bytes <= job.order.output_bytes.into()
        }
        _ => true,
    };
    let once = |at: usize| job.replays[..at].iter().all(|said| said.auditor != job.replays[at].auditor);
    let is_waited_for = |word: &Word| matches!(word, Word::Silent | Word::Committed { .. });
    if job.reveal_until_ms < job.commit_until_ms {
        Err("results are revealed after the time to commit")
    } else if job.assigned.len() != usize::from(job.order.replicas) || !(0..job.assigned.len()).all(distinct) {
        Err("a job's workers are as many as ordered, of distinct owners")
    } else if !job.assigned.iter().all(|worker| caps(&worker.word)) {
        Err("a result beyond the order's caps")
    } else if !job.licences.is_sorted_by(|a, b| a.content < b.content)
        || !job.licences.iter().all(|terms| job.order.blobs().any(|blob| blob.hash == terms.content))
    {
        Err("licences are over the order's contents, ascending")
    } else if !(0..job.replays.len()).all(once) {
        Err("an auditor is heard once")
    } else if job.truth.is_some_and(|truth| !job.replays.iter().any(|said| said.digest == truth)) {
        Err("the truth was said by nobody")
    } else if job.stage == Stage::Open && !job.assigned.iter().any(|worker| is_waited_for(&worker.word)) {
        Err("an open job that waits for nobody")
    } else if job.locked().is_none() {
        Err("a job that locks more than there can be")
    } else {
        Ok(())
    }
}

fn read_worker(id: &JobId, gas_table: u32, input: &mut Decoder<'_>) -> cbor::Result<Assigned> {
    input.array_exact(5)?;
    let device = DeviceId(input.bytes_exact()?);
    let owner = Account::decode(input)?;
    let payee = Account::decode(input)?;
    let price = Amount::decode(input)?;
    let word = read_word(id, gas_table, input)?;
    input.leave();
    Ok(Assigned { device, owner, payee, price, word })
}

fn read_word(id: &JobId, gas_table: u32, input: &mut Decoder<'_>) -> cbor::Result<Word> {
    let at = input.position();
    let bad = |what| CborError::Range { at, what };
    let parts = input.array()?;
    let kind = if parts == 0 { 0 } else { input.uint()? };
    let word = match (kind, parts) {
        (0, 0) => Word::Silent,
        (1, 3) => Word::Committed { index: input.uint()?, seal: Hash(input.bytes_exact()?) },
        (2, 7) => {
            let (committed, index) = (input.uint()?, input.uint()?);
            let outcome = input.uint32()?;
            let (gas, output) = (input.uint()?, Hash(input.bytes_exact()?));
            let result = RunResult { outcome, gas, output, output_bytes: input.uint()? };
            if outcome > OUTCOME_MAX {
                return Err(bad("no outcome has that number"));
            }
            Word::Revealed { committed, index, result, digest: result.digest(gas_table, id) }
        }
        (3, 3) => {
            let (index, reason) = (input.uint()?, input.uint32()?);
            if !(1..=DECLINE_REASON_MAX).contains(&reason) {
                return Err(bad("no reason to decline has that number"));
            }
            Word::Declined { index, reason }
        }
        _ => return Err(bad("a worker's word is none, a commit, a reveal or a refusal")),
    };
    input.leave();
    Ok(word)
}

fn read_terms(input: &mut Decoder<'_>) -> cbor::Result<Terms> {
    input.array_exact(4)?;
    let content = Hash(input.bytes_exact()?);
    let owner = Account::decode(input)?;
    let price = Amount::decode(input)?;
    let at = input.position();
    let share = Ppm::of(input.uint32()?).ok_or(CborError::Range { at, what: "a share is at most one million" })?;
    input.leave();
    Ok(Terms { content, owner, price, share })
}

fn read_stage(input: &mut Decoder<'_>) -> cbor::Result<Stage> {
    let at = input.position();
    let bad = CborError::Range { at, what: "a job is open, done or settled" };
    let parts = input.array()?;
    let kind = if parts == 0 { None } else { Some(input.uint()?) };
    let stage = match (kind, parts) {
        (None, 0) => Stage::Open,
        (Some(0), 1) => Stage::Done(None),
        (Some(0), 2) => Stage::Settled(input.uint()?),
        (Some(number), 2) => {
            let cause = Cause::ALL.into_iter().find(|cause| cause.number() == number).ok_or(bad)?;
            Stage::Done(Some(Draw { cause, due_ms: input.uint()? }))
        }
        _ => return Err(bad),
    };
    input.leave();
    Ok(stage)
}

fn read_replay(input: &mut Decoder<'_>) -> cbor::Result<Replayed> {
    input.array_exact(3)?;
    let auditor = input.bytes_exact()?;
    let digest = Hash(input.bytes_exact()?);
    let index = input.uint()?;
    input.leave();
    Ok(Replayed { auditor, digest, index })
}
