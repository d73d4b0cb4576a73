//! The verdicts of a whole epoch.

use cairn_ledger::ClosedEpochs;

use crate::csv;
use crate::error::ConsoleError;
use crate::pages::verdicts::row;

/// The verdicts of an epoch from a position on.
#[derive(Debug, Clone)]
pub(crate) struct VerdictRows {
    closed: ClosedEpochs,
    epoch: u64,
    after: Option<u64>,
    rows_per_piece: u64,
}

impl VerdictRows {
    pub const fn of(closed: ClosedEpochs, epoch: u64, after: u64, rows_per_piece: u64) -> Self {
        Self { closed, epoch, after: Some(after), rows_per_piece }
    }

    /// As [`super::Rows::next_piece`].
    pub fn next_piece(&mut self) -> Result<Option<Vec<u8>>, ConsoleError> {
        let Some(after) = self.after else { return Ok(None) };
        let list = self.closed.verdict_list(self.epoch, None, after, self.rows_per_piece)?;
        self.after = list.next;
        let mut text = String::new();
        for verdict in &list.verdicts {
            csv::line(&mut text, &row(verdict));
        }
        Ok(Some(text.into_bytes()))
    }
}
