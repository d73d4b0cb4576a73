//! Closed epochs of a network that sells work: what is on disk, what is told of it, and what is found out when it rots.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use cairn_core::{Amount, Hash, JobId, Sale};
use cairn_ledger::{Ledger, LedgerOptions, check_views, rebuild_views};
use cairn_log::{Log, LogOptions, StdDisk};
use cairn_merkle::NoteSigner;
use cairn_merkle::proof::verify_inclusion;
use cairn_merkle::tree::leaf_hash;
use cairn_testkit::fair::month::{FEE_PPM, Month, month};
use data_encoding::HEXLOWER;

/// The log of a month on disk, with its checkpoint, and the ledger that follows it.
fn written(folder: &Path, month: &Month) -> (Log, Ledger) {
    let disk = StdDisk::create(folder.join("log")).unwrap();
    let (mut log, _) = Log::open(Arc::new(disk), LogOptions::default()).unwrap();
    for some in month.fair.network.entries.chunks(500) {
        log.append(some).unwrap();
    }
    let key = cairn_core::ed25519::SigningKey::from_seed([253; 32]);
    log.publish_checkpoint(&NoteSigner::new("test.invalid/memory", key).unwrap(), &[]).unwrap();
    let ledger = open(folder, &log);
    (log, ledger)
}

fn open(folder: &Path, log: &Log) -> Ledger {
    Ledger::open(&folder.join("views"), log.reader(), LedgerOptions::default(), &mut |_, _| {}).unwrap()
}

#[test]
fn what_is_told_of_sales_is_what_the_statements_say_also_after_a_restart() {
    let (folder, month) = (tempfile::tempdir().unwrap(), month(false));
    let (log, ledger) = written(folder.path(), &month);
    drop(ledger);
    let ledger = open(folder.path(), &log);
    let (mut some, mut none) = (0, 0);
    for closed in &month.fair.network.closed {
        let epoch = closed.statement.number;
        assert_eq!(ledger.sale_bytes(epoch).unwrap(), closed.sales.concat());
        let file = folder.path().join(format!("views/epochs/{epoch:010}/sales.cborseq"));
        assert_eq!(file.exists(), !closed.sales.is_empty(), "only where jobs were settled");
        let info = ledger.epoch_info(epoch).unwrap();
        assert_eq!(info.sales.is_some(), !closed.sales.is_empty());
        let page = ledger.sale_list(epoch, 1, 2).unwrap();
        assert_eq!(
            (page.total, page.sales.len()),
            (closed.sales.len() as u64, closed.sales.len().saturating_sub(1).min(2))
        );
        assert_eq!(page.next, (closed.sales.len() > 3).then_some(3));
        some += closed.sales.len();
        none += usize::from(closed.sales.is_empty());
        for row in &closed.sales {
            let sale = Sale::decode(row).unwrap();
            let told = ledger.sale_proof(epoch, &sale.job).unwrap();
            let proof: Vec<Hash> = told.proof.proof.iter().map(|hash| Hash::from_hex(hash).unwrap()).collect();
            let summary = closed.statement.sales.unwrap();
            assert_eq!((HEXLOWER.encode(row), summary.count), (told.proof.leaf, told.proof.size));
            verify_inclusion(leaf_hash(row), told.proof.index, summary.count, summary.root, &proof).unwrap();
            assert_eq!((told.sale.job, told.sale.locked), (sale.job.to_string(), sale.locked.to_string()));
        }
    }
    assert!(some > 50 && none > 0);
    let nobody = ledger.sale_proof(0, &JobId(Hash::ZERO)).unwrap_err();
    assert_eq!(nobody.code(), "NET-NO-SALE");
    assert_eq!(ledger.sale_bytes(1_000).unwrap_err().code(), "NET-NO-EPOCH");
}

#[test]
fn a_worker_is_told_which_sales_its_pay_is_the_sum_of() {
    let (folder, month) = (tempfile::tempdir().unwrap(), month(false));
    let (_log, ledger) = written(folder.path(), &month);
    let mut explained = 0;
    for closed in &month.fair.network.closed {
        for worker in &month.workers {
            let told = ledger.explain(&worker.id, closed.statement.number).unwrap();
            let sold =
                told.sales.iter().flat_map(|sale| &sale.sale.work).filter(|work| work.device == worker.id.to_string());
            let paid: u128 = sold
                .map(|work| {
                    let (price, burned): (u128, u128) = (work.work.parse().unwrap(), work.burned.parse().unwrap());
                    assert_eq!(burned, price * u128::from(FEE_PPM) / 1_000_000);
                    price - burned
                })
                .sum();
            let rows: Vec<&cairn_api::PoolShare> = told.pools.iter().filter(|share| share.rule == "sales").collect();
            let of_rows = rows.iter().map(|share| share.payout.amount.parse::<u128>().unwrap()).sum::<u128>();
            assert_eq!((of_rows, Amount(paid).to_string()), (paid, told.paid.clone()));
            assert!(rows.iter().all(|share| share.calculation.ends_with(&format!(" = {}", share.payout.amount))));
            explained += told.sales.len();
        }
    }
    assert!(explained > 50, "{explained}");
}

#[test]
fn sales_that_rot_are_refused_found_and_made_again() {
    let (folder, month) = (tempfile::tempdir().unwrap(), month(false));
    let (log, ledger) = written(folder.path(), &month);
    let epoch = month.fair.network.closed.iter().position(|closed| closed.sales.len() > 1).unwrap() as u64;
    let file = folder.path().join(format!("views/epochs/{epoch:010}/sales.cborseq"));
    let whole = fs::read(&file).unwrap();
    let mut bent = whole.clone();
    *bent.last_mut().unwrap() ^= 1;
    for rotten in [Some(bent), Some(whole[..whole.len() - 1].to_vec()), Some(Vec::new()), None] {
        match &rotten {
            Some(bytes) => fs::write(&file, bytes).unwrap(),
            None => fs::remove_file(&file).unwrap(),
        }
        assert!(["NET-VIEW", "NET-IO"].contains(&ledger.sale_bytes(epoch).unwrap_err().code()));
        let views = folder.path().join("views");
        let checked = check_views(&views, &log.reader(), LedgerOptions::default(), &mut |_, _| {}).unwrap();
        assert_eq!(checked.differing, 1);
        rebuild_views(&views, &log.reader(), LedgerOptions::default(), &mut |_, _| {}).unwrap();
        assert_eq!(fs::read(&file).unwrap(), whole);
        assert_eq!(ledger.sale_bytes(epoch).unwrap(), whole);
    }
}
