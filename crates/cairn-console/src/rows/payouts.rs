//! The payout rows of a whole epoch.

use cairn_ledger::ClosedEpochs;

use crate::csv;
use crate::error::ConsoleError;
use crate::pages::payouts::row;

/// The rows of an epoch from a position on.
#[derive(Debug, Clone)]
pub(crate) struct PayoutRows {
    closed: ClosedEpochs,
    epoch: u64,
    after: Option<u64>,
    rows_per_piece: u64,
}

impl PayoutRows {
    pub const fn of(closed: ClosedEpochs, epoch: u64, after: u64, rows_per_piece: u64) -> Self {
        Self { closed, epoch, after: Some(after), rows_per_piece }
    }

    /// The next lines; `None` after the last.
    ///
    /// # Errors
    /// [`ConsoleError`] when the table cannot be read; what was handed out before stands.
    pub fn next_piece(&mut self) -> Result<Option<Vec<u8>>, ConsoleError> {
        let Some(after) = self.after else { return Ok(None) };
        let list = self.closed.payout_list(self.epoch, after, self.rows_per_piece)?;
        self.after = list.next;
        let mut text = String::new();
        for payout in &list.payouts {
            csv::line(&mut text, &row(payout));
        }
        Ok(Some(text.into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cairn_ledger::{Ledger, LedgerOptions};
    use cairn_log::{Log, LogOptions, StdDisk};
    use cairn_testkit::network::{DAY_MS, MemoryNetwork, Terms};

    use super::*;

    #[test]
    fn pieces_of_any_size_are_the_whole() {
        let terms = Terms::default();
        let mut network = MemoryNetwork::daily(terms);
        let devices = network.enrol_grid(7);
        for device in &devices {
            network.send(device, 0, terms.zero_ms, 200);
        }
        network.pass_to(terms.zero_ms + 9 * DAY_MS);
        let folder = tempfile::tempdir().unwrap();
        let disk = Arc::new(StdDisk::create(folder.path().join("log")).unwrap());
        let (mut log, _) = Log::open(disk, LogOptions::default()).unwrap();
        log.append(&network.entries).unwrap();
        let views = folder.path().join("views");
        let ledger = Ledger::open(&views, log.reader(), LedgerOptions::default(), &mut |_, _| {}).unwrap();
        let all = |rows_per_piece, after| {
            let mut rows = PayoutRows::of(ledger.closed_epochs(), 0, after, rows_per_piece);
            let mut pieces = Vec::new();
            while let Some(piece) = rows.next_piece().unwrap() {
                assert!(piece.iter().filter(|byte| **byte == b'\n').count() as u64 <= rows_per_piece);
                pieces.push(piece);
            }
            String::from_utf8(pieces.concat()).unwrap()
        };
        let whole = all(u64::MAX, 0);
        assert!(whole.lines().count() > 7, "{whole}");
        for rows_per_piece in 1..12 {
            assert_eq!(all(rows_per_piece, 0), whole, "{rows_per_piece} rows in a piece");
        }
        assert_eq!(all(2, 3).lines().collect::<Vec<_>>(), whole.lines().skip(3).collect::<Vec<_>>());
        assert_eq!(PayoutRows::of(ledger.closed_epochs(), 1, 0, 9).next_piece().unwrap_err().code(), "NET-NO-EPOCH");
    }
}
