//! An epoch's served statement and tables, held against the recomputed ones while the log is read on.

use std::sync::mpsc::{Receiver, Sender};

use cairn_core::{Payout, Sale, Verdict};

use crate::audit::KeptEpoch;
use crate::compare::{self, Remembered};
use crate::difference::Stop;
use crate::replay::Tally;
use crate::report::EpochLine;
use crate::source::Source;

/// A recomputed epoch, to be compared with what is served.
pub(crate) struct Recomputed {
    /// Its line so far.
    pub line: EpochLine,
    /// The statement's bytes.
    pub statement: Vec<u8>,
    /// The verdict rows.
    pub verdicts: Vec<Vec<u8>>,
    /// The payout rows.
    pub payouts: Vec<Vec<u8>>,
    /// The sales' rows.
    pub sales: Vec<Vec<u8>>,
    /// The records of what judges remember.
    pub carry: Vec<Vec<u8>>,
    /// The snapshot, when snapshots are compared.
    pub snapshot: Option<Vec<u8>>,
    /// What is handed over once it was compared, when that is asked for.
    pub kept: Option<Box<KeptEpoch>>,
    /// What had been folded when it closed.
    pub tally: Tally,
}

/// An epoch that was compared.
pub(crate) enum Compared {
    /// Everything served is what was recomputed.
    Same {
        /// The epoch's line.
        line: EpochLine,
        /// What the entries imply of it, when that is asked for.
        kept: Option<Box<KeptEpoch>>,
    },
    /// Something is not, or could not be read.
    Stopped {
        /// The epoch's line, not in order.
        line: EpochLine,
        /// Why.
        stop: Stop,
        /// What had been folded when it closed.
        tally: Tally,
    },
}

/// Compares epochs as they come, until the first that differs; after that they are only taken.
pub(crate) fn compare_all(source: &dyn Source, epochs: &Receiver<Recomputed>, done: &Sender<Compared>) {
    let mut stopped = false;
    for mut epoch in epochs {
        if stopped {
            continue;
        }
        let compared = match compare_one(source, &mut epoch) {
            Ok(()) => Compared::Same { line: epoch.line, kept: epoch.kept },
            Err(stop) => {
                stopped = true;
                Compared::Stopped { line: EpochLine { ok: false, ..epoch.line }, stop, tally: epoch.tally }
            }
        };
        // The one who listens keeps on until this returns.
        let _ = done.send(compared);
    }
}

fn compare_one(source: &dyn Source, epoch: &mut Recomputed) -> Result<(), Stop> {
    let number = epoch.line.number;
    if let Some(served) = source.verdicts(number)? {
        compare::table::<Verdict>(number, &epoch.verdicts, &served)?;
        epoch.line.compared.verdicts = true;
    }
    if let Some(served) = source.payouts(number)? {
        compare::table::<Payout>(number, &epoch.payouts, &served)?;
        epoch.line.compared.payouts = true;
    }
    if let Some(served) = source.sales(number)? {
        compare::table::<Sale>(number, &epoch.sales, &served)?;
        epoch.line.compared.sales = true;
    }
    if let Some(served) = source.carry(number)? {
        compare::table::<Remembered>(number, &epoch.carry, &served)?;
        epoch.line.compared.carry = true;
    }
    if let Some(served) = source.statement(number)? {
        if served != epoch.statement {
            let place = format!("epoch {number}, the served statement");
            return Err(compare::statements(&place, &epoch.statement, &served).epoch(number).into());
        }
        epoch.line.compared.statement = true;
    }
    let Some(expected) = &epoch.snapshot else { return Ok(()) };
    if let Some(served) = source.snapshot(number)? {
        if served != *expected {
            return Err(compare::snapshots(number, expected, &served).into());
        }
        epoch.line.compared.snapshot = true;
    }
    Ok(())
}
