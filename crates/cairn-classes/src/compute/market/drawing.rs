//! Which jobs are run again.
//!
//! The lot is public: whoever folds the log draws the same. A worker that can foresee what the log's root will be can try
//! out when and how to reveal, so auditors also look at jobs of their own choice (`docs/reference/compute.md`).

use cairn_core::cbor::Encoder;
use cairn_core::{Hash, JobId, PPM};

use super::job::{Cause, Draw, Job};
use super::{Parties, later};
use crate::compute::Profile;

const SAMPLE_CONTEXT: &str = "cairn/sample/1";

/// The lot of a job: below the chance in parts per million, it is run again.
pub(super) fn lot_ppm(seed: &Hash, job: &JobId) -> u32 {
    let mut out = Encoder::with_room(96);
    out.array(3).text(SAMPLE_CONTEXT).bytes(&seed.0).bytes(&job.0.0);
    let hash = Hash::of(&out.into_bytes());
    let (first, _) = hash.0.split_first_chunk::<8>().expect("a hash is longer than 8 bytes");
    u32::try_from(u64::from_be_bytes(*first) % u64::from(PPM)).expect("below one million")
}

/// Whether a job that is done at `now_ms` is run again, and why.
pub(super) fn draw(
    id: &JobId,
    job: &Job,
    seed: &Hash,
    now_ms: u64,
    profile: &Profile,
    parties: &dyn Parties,
) -> Option<Draw> {
    let mut revealed = job.revealed().peekable();
    revealed.peek()?;
    let scores = || revealed.map(|(worker, ..)| u64::from(parties.score(&worker.device))).sum::<u64>();
    let chance_ppm = job.order.sample.get().max(profile.sample_min_ppm);
    let cause = if job.dissents() {
        Cause::Dissent
    } else if scores() < profile.probation.into() {
        Cause::Probation
    } else if lot_ppm(seed, id) < chance_ppm {
        Cause::Chance
    } else {
        return None;
    };
    Some(Draw { cause, due_ms: later(now_ms, profile.replay_ms) })
}
