//! What devices earned in all: as it was written down when epochs closed, and where it was not ([`crate::earned`]), added up from
//! the payout tables and remembered, so that a page pays for the epochs since.

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
        let Some(last) = end.checked_sub(1) else { return Ok(Some(Amount::ZERO)) };
        if let Some(earned) = self.store.earned(&self.statement(last)?, id) {
            return Ok(Some(earned));
        }
        let (start, mut total) = self.totals.find(id, end);
        if end - start > EPOCHS_MAX {
            return Ok(None);
        }
        for epoch in start..end {
            let statement = self.statement(epoch)?;
            let verdicts = self.verdicts_in(&statement, id)?;
            let paid = self.payout_rows_for(&statement, id, &verdicts)?;
            total = sum([total].into_iter().chain(paid.into_iter().map(|(_, _, payout)| payout.amount)));
        }
        self.totals.keep(id, end, total);
        Ok(Some(total))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cairn_log::{Log, LogOptions, StdDisk};
    use cairn_testkit::network::{DAY_MS, MemoryNetwork, Terms};

    use super::*;
    use crate::store::EARNED;
    use crate::{Ledger, LedgerOptions, check_views, rebuild_views};

    /// What each device had earned before each epoch, and before the open one.
    fn told(ledger: &Ledger, devices: &[DeviceId]) -> Vec<Vec<Amount>> {
        let closed = ledger.closed_epochs();
        let of = |id: &DeviceId| (0..=closed.open()).map(|end| closed.earned(id, end).unwrap().unwrap()).collect();
        devices.iter().map(of).collect()
    }

    #[test]
    fn what_is_written_down_of_earnings_is_what_the_payouts_add_up_to_and_is_made_again_by_a_rebuild() {
        let terms = Terms { epoch_ms: DAY_MS, grace_ms: DAY_MS / 24, ..Terms::default() };
        let mut network = MemoryNetwork::daily(terms);
        let devices = network.enrol_grid(6);
        for day in 0..5u32 {
            let time_ms = terms.zero_ms + u64::from(day) * DAY_MS;
            // Epochs close one by one, but for two that close together.
            network.pass_to(time_ms + DAY_MS + if day == 3 { DAY_MS } else { 0 });
            for (at, device) in (0u32..).zip(&devices).filter(|(at, _)| at + day != 7) {
                let value = 200 + i64::from((day * 7 + at * 13) % 40);
                assert_eq!(network.send(device, day, time_ms, value).1, None);
            }
        }
        network.pass_to(terms.zero_ms + 9 * DAY_MS);
        let folder = tempfile::tempdir().unwrap();
        let disk = Arc::new(StdDisk::create(folder.path().join("log")).unwrap());
        let (mut log, _) = Log::open(disk, LogOptions::default()).unwrap();
        log.append(&network.entries).unwrap();
        let (views, options) = (folder.path().join("views"), LedgerOptions::default());
        let open = || Ledger::open(&views, log.reader(), options, &mut |_, _| {}).unwrap();
        let ids: Vec<DeviceId> = devices.iter().map(|device| device.id).chain([DeviceId([9; 16])]).collect();

        let written = told(&open(), &ids);
        assert!(written[0].last() > written[0].get(1) && written[0][1] > Amount::ZERO, "{written:?}");
        assert!(written[6].iter().all(|earned| *earned == Amount::ZERO), "a stranger earned nothing");
        let path = |epoch: u64| views.join(format!("epochs/{epoch:010}/{EARNED}"));
        let epochs = open().closed_epochs().open();
        let files: Vec<Vec<u8>> = (0..epochs).map(|epoch| std::fs::read(path(epoch)).unwrap()).collect();
        let check = || check_views(&views, &log.reader(), options, &mut |_, _| {}).unwrap().differing;
        assert_eq!(check(), 0);
        // Nobody reads them: the payout tables say the same.
        (0..epochs).for_each(|epoch| std::fs::remove_file(path(epoch)).unwrap());
        assert_eq!((told(&open(), &ids), check()), (written.clone(), 0));
        // A wrong one is found, and no epoch after it has one until all of them are made again.
        let mut wrong = files[1].clone();
        wrong[20] ^= 1;
        std::fs::write(path(1), wrong).unwrap();
        assert_eq!((told(&open(), &ids), check()), (written, 1));
        rebuild_views(&views, &log.reader(), options, &mut |_, _| {}).unwrap();
        for (epoch, file) in (0..epochs).zip(files) {
            assert_eq!(std::fs::read(path(epoch)).unwrap(), file, "epoch {epoch}");
        }
    }
}
