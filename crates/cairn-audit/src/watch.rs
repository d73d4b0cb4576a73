//! What witnesses saw, entry by entry: the log's root at every size that was cosigned, and the time of every entry.

use cairn_core::Hash;
use cairn_core::statement::RECORDED_CLOCK;
use cairn_merkle::proof::root_at;
use cairn_merkle::tile::TiledHashes;

use crate::difference::Stop;
use crate::opening::Opened;
use crate::report::{WitnessLine, WitnessedLog};
use crate::time::{TimeBound, TimeCheck};
use crate::witnessed::{Seen, Testimony, Trust, forked};

/// Holds the log against what witnesses saw, as it is folded.
pub(crate) struct Watch {
    seen: Vec<Seen>,
    next: usize,
    /// Nothing where the network's clock is rehearsed.
    time: Option<TimeCheck>,
}

impl Watch {
    /// A watch from entry `from` on; what was seen of the entries before is checked at once.
    pub fn over(
        opened: &Opened<'_>,
        trust: &Trust,
        testimony: Testimony,
        from: u64,
        rehearsed: &[String],
    ) -> Result<Self, Stop> {
        let Testimony { seen, served, elsewhere, .. } = testimony;
        let is_recorded = rehearsed.iter().any(|what| what == RECORDED_CLOCK);
        let time = (!is_recorded).then(|| {
            let others = trust.elsewhere.iter().map(|shown| shown.by.clone());
            TimeCheck::of(&trust.policy, &served, &elsewhere).with_others(others)
        });
        let hashes = TiledHashes::new(&opened.tiles, opened.checkpoint.size());
        let next = seen.partition_point(|seen| seen.size <= from);
        for seen in &seen[..next] {
            let root = root_at(&hashes, seen.size)?;
            if root != seen.root {
                return Err(forked(seen, root).into());
            }
        }
        Ok(Self { seen, next, time })
    }

    /// Takes the next entry's time.
    pub fn take(&mut self, index: u64, received_ms: u64) -> Result<(), Stop> {
        match &mut self.time {
            Some(time) => Ok(time.take(index, received_ms)?),
            None => Ok(()),
        }
    }

    /// Holds the root of the first `size` entries against what was seen of that size.
    pub fn hold(&mut self, size: u64, root: impl Fn() -> Hash) -> Result<(), Stop> {
        while let Some(seen) = self.seen.get(self.next).filter(|seen| seen.size == size) {
            let root = root();
            if root != seen.root {
                return Err(forked(seen, root).into());
            }
            self.next += 1;
        }
        Ok(())
    }

    /// How far the entries' times are bound.
    pub fn finish(self) -> TimeBound {
        let why = "the network's clock is rehearsed: its time follows its data, and witnesses sign the time of the day";
        self.time.map_or_else(|| TimeBound { unbound: Some(why.to_owned()), ..TimeBound::default() }, TimeCheck::finish)
    }
}

/// What the report says of witnesses before any entry is read.
pub(crate) fn witnessed_log(trust: &Trust, testimony: &Testimony) -> WitnessedLog {
    let lines = trust.policy.witnesses().iter().zip(&testimony.times).map(|(witness, time_s)| WitnessLine {
        name: witness.verifier.name().to_owned(),
        key: witness.verifier.to_string(),
        time_s: *time_s,
    });
    let spoke: Vec<bool> = testimony.times.iter().map(Option::is_some).collect();
    WitnessedLog {
        witnesses: lines.collect(),
        is_quorum: trust.policy.is_quorum(&spoke),
        history: testimony.counts.0,
        elsewhere: testimony.counts.1,
        strange: testimony.strange.clone(),
        time: TimeBound::default(),
    }
}
