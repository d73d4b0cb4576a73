//! Whole tables as lines of CSV, a piece at a time: memory holds a piece, whatever the table holds.

mod payouts;
mod tax;
mod verdicts;

pub(crate) use payouts::PayoutRows;
pub(crate) use tax::TaxRows;
pub(crate) use verdicts::VerdictRows;

use crate::error::ConsoleError;

/// What follows the first rows of a table.
#[derive(Debug, Clone)]
pub struct Rows(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Payouts(PayoutRows),
    Verdicts(VerdictRows),
    Tax(Box<TaxRows>),
}

impl Rows {
    /// The next lines; `None` after the last.
    ///
    /// # Errors
    /// [`ConsoleError`] when the table cannot be read; what was handed out before stands.
    pub fn next_piece(&mut self) -> Result<Option<Vec<u8>>, ConsoleError> {
        match &mut self.0 {
            Kind::Payouts(rows) => rows.next_piece(),
            Kind::Verdicts(rows) => rows.next_piece(),
            Kind::Tax(rows) => rows.next_piece(),
        }
    }
}

impl From<PayoutRows> for Rows {
    fn from(rows: PayoutRows) -> Self {
        Self(Kind::Payouts(rows))
    }
}

impl From<VerdictRows> for Rows {
    fn from(rows: VerdictRows) -> Self {
        Self(Kind::Verdicts(rows))
    }
}

impl From<TaxRows> for Rows {
    fn from(rows: TaxRows) -> Self {
        Self(Kind::Tax(Box::new(rows)))
    }
}
