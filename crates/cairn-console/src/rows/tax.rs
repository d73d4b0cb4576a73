//! What an account was given, epoch by epoch and kind by kind: the rows of a tax declaration.

use crate::csv;
use crate::error::ConsoleError;
use crate::pages::tax::{Given, Period};

/// The rows of an account's epochs, a few epochs at a time.
#[derive(Debug, Clone)]
pub(crate) struct TaxRows {
    period: Period,
    from: u64,
    epochs_per_piece: u64,
}

impl TaxRows {
    pub const fn of(period: Period, from: u64, epochs_per_piece: u64) -> Self {
        Self { period, from, epochs_per_piece }
    }

    /// As [`super::Rows::next_piece`].
    pub fn next_piece(&mut self) -> Result<Option<Vec<u8>>, ConsoleError> {
        while self.from < self.period.end {
            let to = self.from.saturating_add(self.epochs_per_piece).min(self.period.end);
            let mut text = String::new();
            for epoch in self.from..to {
                self.period.given(epoch)?.iter().map(Given::row).for_each(|row| csv::line(&mut text, &row));
            }
            self.from = to;
            // A piece without a row would be none.
            if !text.is_empty() {
                return Ok(Some(text.into_bytes()));
            }
        }
        Ok(None)
    }
}
