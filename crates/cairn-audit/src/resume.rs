//! Starting from a snapshot: the state after an epoch, taken on the word of that epoch's logged statement.
//!
//! The snapshot must have the state root of its statement; the entries that it still needs are read and held against the
//! log; and the replay that follows fails unless the log holds that very statement.

use cairn_core::epoch::EpochStatement;
use cairn_fold::{Fold, Snapshot};
use cairn_merkle::Frontier;
use cairn_merkle::tile::TiledHashes;

use crate::difference::{Difference, Stop};
use crate::opening::Opened;

/// The fold after the snapshot's epoch, and that epoch's statement.
pub(crate) fn resume(opened: &Opened<'_>, snapshot: &[u8]) -> Result<(Fold, EpochStatement), Stop> {
    let differs = |detail: String| Difference::at("NET-SNAPSHOT-DIFFERS", "the snapshot", detail);
    let snapshot = Snapshot::decode(snapshot).map_err(|error| differs(error.to_string()))?;
    let statement = snapshot.statement;
    let number = statement.number;
    if statement.network != opened.network {
        let other = differs("it is of another network".to_owned()).values(opened.network, statement.network);
        return Err(other.epoch(number).into());
    }
    let size = opened.checkpoint.size();
    if statement.to > size {
        let ahead = differs("it is ahead of the checkpoint".to_owned());
        let values = (format!("at most {size} entries"), format!("{} entries", statement.to));
        return Err(ahead.values(values.0, values.1).epoch(number).into());
    }
    let frontier = Frontier::read(&TiledHashes::new(&opened.tiles, size), statement.to)?;
    let mut kept = None;
    let fold = Fold::resume(&statement, &snapshot.records, frontier, |index| opened.tiles.entry(index, &mut kept))?;
    let id = fold.state().network.as_ref().map(|network| network.id);
    if id != Some(opened.network) {
        return Err(differs("its state is of another network".to_owned()).epoch(number).into());
    }
    let open = fold.state().epoch;
    if (open.number, open.from) != (number.saturating_add(1), statement.to) {
        let other = differs("its state is of another epoch".to_owned());
        let values = (
            format!("epoch {number} to entry {}", statement.to),
            format!("before epoch {} from {}", open.number, open.from),
        );
        return Err(other.values(values.0, values.1).epoch(number).into());
    }
    Ok((fold, statement))
}
