//! What devices earned in all, added up from the payout tables and remembered, so that a page pays for the epochs since.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use cairn_core::{Amount, DeviceId};

use crate::views::sum;
use crate::{ClosedEpochs, LedgerError};

/// Devices that are remembered.
const DEVICES_MAX: usize = 4_096;
/// Epochs that are read for one answer.
const EPOCHS_MAX: u64 = 1_000;

/// By device: epochs from 0 that were added up, and what they gave.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    known: Mutex<BTreeMap<DeviceId, (u64, Amount)>>,
}

impl Totals {
    fn find(&self, id: &DeviceId, end: u64) -> (u64, Amount) {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(id).copied().filter(|(through, _)| *through <= end).unwrap_or_default()
    }

    fn keep(&self, id: &DeviceId, end: u64, total: Amount) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= DEVICES_MAX && !known.contains_key(id) {
            known.clear();
        }
        let before = known.entry(*id).or_default();
        if before.0 < end {
            *before = (end, total);
        }
    }
}

impl ClosedEpochs {
    /// What a device earned in the closed epochs below `end`, base units; `None` where that is more epochs than are added up
    /// for one answer.
    ///
    /// # Errors
    /// [`LedgerError`] when a view cannot be read.
    pub fn earned(&self, id: &DeviceId, end: u64) -> Result<Option<Amount>, LedgerError> {
        let end = end.min(self.open());
        let (start, mut total) = self.totals.find(id, end);
        if end - start > EPOCHS_MAX {
            return Ok(None);
        }
        for epoch in start..end {
            let verdicts = self.verdicts_of(epoch, id)?;
            let paid = self.payout_rows_for(epoch, id, &verdicts)?;
            total = sum([total].into_iter().chain(paid.into_iter().map(|(_, _, payout)| payout.amount)));
        }
        self.totals.keep(id, end, total);
        Ok(Some(total))
    }
}
