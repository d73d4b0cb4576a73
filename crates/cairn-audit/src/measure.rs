//! How fast an audit is, held against the least it could take: verifying the same signatures and nothing else.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cairn_core::DeviceId;
use cairn_core::ed25519::{BatchItem, VerifyingKey, verify_batch};
use cairn_core::key::PublicKey;
use cairn_merkle::TileLevel;
use cairn_merkle::tile::{TILE_WIDTH, tiles};
use rayon::prelude::*;

use crate::audit::{AuditOptions, audit};
use crate::bundle::{self, Leaves, Outline, RawBundle, SignedReport};
use crate::difference::Stop;
use crate::error::AuditError;
use crate::opening::{self, Seen};
use crate::report::Elapsed;
use crate::signatures::batch_size;
use crate::source::{Source, SourceError};
use crate::stream::CHUNK_BUNDLES_MAX;
use crate::tiles::fetch;

/// What a measurement found: the same signatures, verified alone and in an audit, on the same threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditRate {
    /// Ed25519 signatures of reports.
    pub signatures: u64,
    /// Entries audited.
    pub entries: u64,
    /// Verifying the signatures alone, in batches as large as an audit's, everything in memory: the best round.
    pub verifying: Duration,
    /// The whole audit: the best round.
    pub auditing: Duration,
    /// What that round of it spent where.
    pub parts: Elapsed,
}

impl AuditRate {
    /// The audit's rate as a share of the rate of verifying alone, in parts per million.
    #[must_use]
    pub fn ratio_ppm(&self) -> u64 {
        let ratio = self.verifying.as_nanos() * 1_000_000 / self.auditing.as_nanos().max(1);
        u64::try_from(ratio).unwrap_or(u64::MAX)
    }

    /// Entries audited per second.
    #[must_use]
    pub fn entries_per_s(&self) -> u64 {
        let rate = u128::from(self.entries) * 1_000_000_000 / self.auditing.as_nanos().max(1);
        u64::try_from(rate).unwrap_or(u64::MAX)
    }
}

/// Measures audits of a network that passes, on the current rayon pool; rounds of both kinds take turns.
///
/// # Errors
/// [`AuditError`] when the source cannot be read, or does not pass.
pub fn measure(source: &dyn Source, rounds: u32) -> Result<AuditRate, AuditError> {
    let chunks = signatures(source)?;
    let signatures = chunks.iter().map(|chunk| chunk.len() as u64).sum();
    let (verifying, auditing) = (Duration::MAX, Duration::MAX);
    let mut rate = AuditRate { signatures, entries: 0, verifying, auditing, parts: Elapsed::default() };
    for _ in 0..rounds.max(1) {
        let started = Instant::now();
        // Nothing is made of the answers; the compiler is not to know.
        std::hint::black_box(chunks.iter().map(|chunk| verify(chunk)).sum::<usize>());
        rate.verifying = rate.verifying.min(started.elapsed());
        let started = Instant::now();
        let report = audit(source, &AuditOptions::default(), &mut |_| ())?;
        if started.elapsed() < rate.auditing {
            (rate.auditing, rate.parts) = (started.elapsed(), report.elapsed);
        }
        if let Some(difference) = report.difference() {
            return Err(unfit(difference.to_string()));
        }
        rate.entries = report.counts.entries;
    }
    Ok(rate)
}

fn unfit(detail: String) -> AuditError {
    AuditError::Source(SourceError {
        what: "a network to measure".to_owned(),
        code: "NET-PIN".to_owned(),
        detail,
        hint: Some("measure a network whose audit passes".to_owned()),
    })
}

/// The signatures of the reports, by chunks as an audit reads them, each sorted by key.
fn signatures(source: &dyn Source) -> Result<Vec<Vec<(VerifyingKey, SignedReport)>>, AuditError> {
    let read = || -> Result<_, Stop> {
        let opened = opening::open(source, &AuditOptions::default(), &mut Seen::default())?;
        let mut keys = BTreeMap::<DeviceId, VerifyingKey>::new();
        let mut chunks = Vec::<Vec<(VerifyingKey, SignedReport)>>::new();
        let size = opened.checkpoint.size();
        for path in tiles(size).take_while(|tile| tile.level == TileLevel::Entries) {
            let first = path.index * u64::from(TILE_WIDTH);
            let leaves = (first..first + u64::from(path.width)).map(|index| opened.tiles.hash(0, index));
            let leaves = Leaves::Vouched(leaves.collect::<Result<_, _>>()?);
            let raw = RawBundle { path, bytes: fetch(source, path)?, leaves };
            if path.index.is_multiple_of(CHUNK_BUNDLES_MAX) {
                chunks.push(Vec::new());
            }
            let chunk = chunks.last_mut().expect("the first bundle began a chunk");
            for outline in bundle::check(raw, &opened.network)?.outlines {
                match outline {
                    Outline::Key(device, key) => {
                        if let PublicKey::Ed25519(key) = *key {
                            keys.insert(device, key);
                        }
                    }
                    Outline::Report(report) => {
                        chunk.extend(keys.get(&report.device).map(|key| (*key, *report)));
                    }
                    Outline::Other => {}
                }
            }
        }
        Ok(chunks)
    };
    let mut chunks = read().map_err(|stop| match stop {
        Stop::Differs(difference) => unfit(difference.to_string()),
        Stop::Source(error) => error.into(),
    })?;
    for chunk in &mut chunks {
        chunk.sort_by(|(a, _), (b, _)| a.as_bytes().cmp(b.as_bytes()));
    }
    Ok(chunks)
}

fn verify(chunk: &[(VerifyingKey, SignedReport)]) -> usize {
    let held = chunk.par_chunks(batch_size(chunk.len())).map(|part| {
        let items: Vec<BatchItem<'_>> = part
            .iter()
            .map(|(key, report)| BatchItem { key, message: &report.message, signature: &report.signature })
            .collect();
        verify_batch(&items).into_iter().filter(|holds| *holds).count()
    });
    held.sum()
}
