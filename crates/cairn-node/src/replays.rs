//! An auditor's runs: jobs that were drawn are run again, and what came out is said.
//!
//! What was found is durable before it is said, so no auditor says two things of one job, however often it is killed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cairn_api::JobInfo;
use cairn_core::amount::mul_div_floor;
use cairn_core::statement::{Body, Draft, Replay};
use cairn_core::wallet::WalletKey;
use cairn_core::{Address, Hash, JobId, NetworkId};
use cairn_log::{Disk, read_whole, replace_whole};
use data_encoding::HEXLOWER;

use crate::NodeError;
use crate::cache::Cache;
use crate::network::{Answer, Network};
use crate::order::read_order;
use crate::run::{Missed, fetch, run_order};

/// How long a statement stays valid: a day, by the network's time.
const EXPIRY_MS: u64 = 86_400_000;
/// A job of which nothing could be found is looked at again after so long.
const AGAIN_MS: u64 = 60_000;
/// After a statement that is refused whatever it is about, nothing is said for so long.
const PAUSE_MS: u64 = 600_000;
const FILE: &str = ".replay";
/// More than a digest and its line.
const FILE_BYTES_MAX: u64 = 1 << 10;

/// What became of a job that was run again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// The job.
    pub job: JobId,
    /// The digest that was found; absent where nothing could be found.
    pub digest: Option<Hash>,
    /// What became of saying so; absent where nothing was said.
    pub answer: Option<Answer>,
    /// What went wrong.
    pub trouble: Option<(String, String)>,
}

/// An auditor that runs jobs again.
pub struct Replayer {
    key: WalletKey,
    address: String,
    network: NetworkId,
    disk: Arc<dyn Disk>,
    cache: Arc<Cache>,
    gateway: Arc<dyn Network>,
    /// What was found, and is durable.
    found: BTreeMap<JobId, Hash>,
    /// Refused for good since the start, so not said again.
    refused: BTreeSet<JobId>,
    /// When a job is looked at again of which nothing could be found, by this machine's clock.
    again_ms: BTreeMap<JobId, u64>,
    /// Nothing is looked at before: the network takes nothing of this auditor now.
    not_before_ms: u64,
    nonce: u64,
}

impl Replayer {
    /// An auditor over the disk that keeps what it found.
    ///
    /// # Errors
    /// Those of the disk, or [`NodeError::Damaged`].
    pub fn open(
        key: WalletKey,
        network: NetworkId,
        disk: Arc<dyn Disk>,
        cache: Arc<Cache>,
        gateway: Arc<dyn Network>,
    ) -> Result<Self, NodeError> {
        let address = match key.address() {
            Address::Evm(address) => format!("0x{}", HEXLOWER.encode(&address)),
            Address::Solana(_) => return Err(NodeError::System("address to an auditor that is not of an EVM chain")),
        };
        let mut found = BTreeMap::new();
        for name in disk.list()? {
            let Some(job) = name.strip_suffix(FILE).and_then(|job| JobId::parse(job).ok()) else { continue };
            let content = read_whole(&*disk, &name, FILE_BYTES_MAX)?.unwrap_or_default();
            let digest = core::str::from_utf8(&content).ok().and_then(|text| read(text, &job));
            let damaged = || NodeError::Damaged { file: name.clone(), what: "it is not the digest of its job" };
            found.insert(job, digest.ok_or_else(damaged)?);
        }
        let (refused, again_ms, not_before_ms, nonce) = (BTreeSet::new(), BTreeMap::new(), 0, 0);
        Ok(Self { key, address, network, disk, cache, gateway, found, refused, again_ms, not_before_ms, nonce })
    }

    /// Runs what waits for it, one job after the other, and says what came out. `all`: also what was not drawn.
    ///
    /// # Errors
    /// [`NodeError`] where the gateway cannot be asked, or the disk failed.
    pub fn step(&mut self, all: bool, wall_ms: u64, told: &mut dyn FnMut(Replayed)) -> Result<(), NodeError> {
        if wall_ms < self.not_before_ms {
            return Ok(());
        }
        let time_ms = self.gateway.time_ms()?;
        let waits = |info: &JobInfo| info.truth.is_none() && info.replays.iter().all(|one| one.auditor != self.address);
        let mut jobs: Vec<JobInfo> = self.gateway.to_replay(all)?.into_iter().filter(waits).collect();
        jobs.sort_by_cached_key(|info| Reverse(stake(&info.locked, info.order.gas)));
        for info in jobs {
            let Ok(job) = JobId::parse(&info.job) else { continue };
            let is_early = self.again_ms.get(&job).is_some_and(|again_ms| wall_ms < *again_ms);
            if self.refused.contains(&job) || is_early || wall_ms < self.not_before_ms {
                continue;
            }
            self.again_ms.remove(&job);
            match self.replay(&job, time_ms.max(wall_ms), wall_ms) {
                Ok(replayed) => {
                    if replayed.digest.is_none() {
                        self.again_ms.insert(job, wall_ms.saturating_add(AGAIN_MS));
                    }
                    told(replayed);
                }
                Err(error) if error.is_fatal() => return Err(error),
                Err(error) => {
                    let trouble = Some((error.code().to_owned(), error.to_string()));
                    told(Replayed { job, digest: None, answer: None, trouble });
                }
            }
        }
        Ok(())
    }

    fn replay(&mut self, job: &JobId, now_ms: u64, wall_ms: u64) -> Result<Replayed, NodeError> {
        let digest = match self.found.get(job) {
            Some(digest) => *digest,
            None => match self.find(job)? {
                Ok(digest) => digest,
                Err(missed) => {
                    let trouble = match missed {
                        Missed::Blobs(detail) => ("NODE-BLOBS".to_owned(), detail),
                        Missed::Host(detail) => ("NODE-HOST".to_owned(), detail),
                    };
                    return Ok(Replayed { job: *job, digest: None, answer: None, trouble: Some(trouble) });
                }
            },
        };
        self.nonce = wall_ms.max(self.nonce + 1);
        let body = Body::Replay(Replay { job: *job, digest });
        let draft = Draft::of(Some(self.network), body, self.nonce, now_ms.saturating_add(EXPIRY_MS));
        let answer = self.gateway.state(&draft.signed_by_wallet(&self.key).finish().encode())?;
        match &answer {
            Answer::Refused { code, .. } if code.starts_with("CMP-") => drop(self.refused.insert(*job)),
            // Not an auditor now, or with another clock: so it is for every job.
            Answer::Refused { .. } => self.not_before_ms = wall_ms.saturating_add(PAUSE_MS),
            Answer::Taken { .. } => {}
        }
        Ok(Replayed { job: *job, digest: Some(digest), answer: Some(answer), trouble: None })
    }

    /// Runs a job, and keeps what came out before anybody hears of it.
    fn find(&mut self, job: &JobId) -> Result<Result<Hash, Missed>, NodeError> {
        let Some(info) = self.gateway.job(job)? else {
            return Ok(Err(Missed::Blobs("the job is not known any more".to_owned())));
        };
        if info.truth.is_some() || info.settled.is_some() {
            // While others were run.
            return Ok(Err(Missed::Host("nobody waits for it any more".to_owned())));
        }
        let order = read_order(job, &info, &self.network)?;
        let ran = fetch(&*self.gateway, &self.cache, &order)
            .and_then(|contents| run_order(job, &order, &contents, &mut || false));
        let found = match ran {
            Ok(found) => found,
            Err(missed) => return Ok(Err(missed)),
        };
        let digest = found.result.digest(order.gas_table, job);
        replace_whole(&*self.disk, &format!("{job}{FILE}"), written(job, &digest).as_bytes())?;
        self.found.insert(*job, digest);
        Ok(Ok(digest))
    }
}

/// What is at stake for each 10^9 gas that an auditor has to run: what is most is run first. In any other order somebody who is
/// buyer and worker in one could have auditors busy with huge jobs of no price while a lie is paid for want of a replay.
fn stake(locked: &str, gas: u64) -> u128 {
    let locked = locked.parse::<u128>().unwrap_or(0);
    mul_div_floor(locked, 1_000_000_000, gas.max(1).into()).unwrap_or(u128::MAX)
}

/// The digest, and a check of both.
fn written(job: &JobId, digest: &Hash) -> String {
    format!("{digest} {}\n", Hash::of_parts(&[&job.0.0, &digest.0]))
}

fn read(text: &str, job: &JobId) -> Option<Hash> {
    let digest = Hash::from_hex(text.split(' ').next()?)?;
    (written(job, &digest) == text).then_some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_most_money_for_its_gas_is_run_before_what_has_most_gas_or_none() {
        let all = u128::MAX.to_string();
        let cases = [("1", 1_000_000_000_000), ("1000", 1_000_000_000_000), ("50", 10_000_000), ("50", 0), (&all, 1)];
        let stakes = cases.map(|(locked, gas)| stake(locked, gas));
        assert_eq!(stakes, [0, 1, 5_000, 50_000_000_000, u128::MAX]);
        assert_eq!(stake("what a gateway says", 1), 0);
    }

    #[test]
    fn what_was_found_is_read_back_whole_or_not_at_all() {
        let (job, digest) = (JobId(Hash([1; 32])), Hash([2; 32]));
        let text = written(&job, &digest);
        assert_eq!(read(&text, &job), Some(digest));
        assert_eq!(read(&text, &JobId(Hash([3; 32]))), None);
        for end in 0..text.len() {
            assert_eq!(read(&text[..end], &job), None, "{end}");
        }
    }
}
