//! A network whose every report is signed, checked, folded and judged.

use std::sync::Arc;

use cairn_core::entry::EntryKind;
use cairn_ledger::{Ledger, LedgerOptions};
use cairn_log::{Log, LogOptions, StdDisk};
use cairn_testkit::network::{DAY_MS, MemoryNetwork, SeededDevice, Terms};

use crate::Failure;
use crate::ask::{self, Site, publish};

/// Devices that report once a day, over so many epochs of a day.
pub fn run(count: u32, epochs: u32) -> Result<(), Failure> {
    let terms = Terms { epoch_ms: DAY_MS, grace_ms: DAY_MS / 24, ..Terms::default() };
    let mut network = MemoryNetwork::daily(terms);
    let devices: Vec<SeededDevice> = (0..count).map(SeededDevice::numbered).collect();
    for (at, device) in (0i32..).zip(&devices) {
        let (row, column) = (at / 300, at % 300);
        let statement = network.enrolment(device, 300_000_000 + row * 300_000, -300_000_000 + column * 500_000);
        network.log(EntryKind::Statement, &statement.encode());
    }
    for day in 0..epochs {
        let start_ms = terms.zero_ms + u64::from(day) * DAY_MS;
        network.pass_to(start_ms + DAY_MS);
        for (at, device) in (0i64..).zip(&devices) {
            let off = if at % 97 == 3 { 900 } else { 0 };
            network.send(device, day, start_ms + DAY_MS / 24, 200 + i64::from(day) * 13 % 40 + at % 9 + off);
        }
    }
    network.pass_to(terms.zero_ms + u64::from(epochs + 2) * DAY_MS);
    let folder = tempfile::tempdir()?;
    let disk = Arc::new(StdDisk::create(folder.path().join("log"))?);
    let (mut log, _) = Log::open(disk, LogOptions::default())?;
    log.append(&network.entries)?;
    publish(&mut log)?;
    drop(network);
    let ledger = Ledger::open(&folder.path().join("views"), log.reader(), LedgerOptions::default(), &mut |_, _| {})?;
    println!("{count} devices, a slot a day");
    let asked = devices.iter().map(|device| (device.id, device.account.clone())).collect();
    ask::measure(&Site::of(ledger, log.reader(), asked, folder))
}
