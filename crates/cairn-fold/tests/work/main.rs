//! Work bought, done and paid through the real fold.

#![allow(clippy::unwrap_used)]

mod admission;
mod laws;
mod races;

use cairn_core::{Amount, Payout, Sale};
use cairn_testkit::fair::month::{FEE_PPM, terms};
use cairn_testkit::fair::{Fair, result};
use cairn_testkit::network::{DAY_MS, SeededDevice};

#[test]
fn a_job_is_ordered_done_judged_and_paid() {
    let mut fair = Fair::open(terms(), FEE_PPM, 3, 2);
    let (workers, buyer) = (fair.hire(1..=5), SeededDevice::of(200));
    assert_eq!(fair.pay_in(&buyer.account, 1_000_000).1, None);
    fair.wait(1_000);
    let order = fair.an_order(&buyer, "input");
    let (job, (index, refused)) = fair.order(&buyer.wallet, &order);
    assert_eq!(refused, None);
    let assigned: Vec<SeededDevice> =
        fair.assigned(job).iter().map(|id| workers.iter().find(|worker| worker.id == *id).unwrap().clone()).collect();
    assert_eq!(assigned.len(), 2);
    let state = fair.network.fold.state();
    let locked = state.market.locked_by(&buyer.account);
    assert_eq!(state.credit_of(&buyer.account).0 + locked.0, 1_000_000);
    let found = result(5_000_000_000, "found");
    for worker in &assigned {
        assert_eq!(fair.commit(worker, job, &found).1, None);
    }
    for worker in &assigned {
        assert_eq!(fair.reveal(worker, job, &found).1, None);
    }
    fair.network.pass_to(terms().zero_ms + 2 * DAY_MS);
    let closed = &fair.network.closed[0];
    let sale = Sale::decode(&closed.sales[0]).unwrap();
    assert_eq!((sale.job, sale.order, sale.locked, sale.work.len()), (job, index, locked, 2));
    let balance = closed.statement.asset.1;
    assert!(balance.balances(), "{balance:?}");
    let payouts = closed.payouts.iter().map(|row| Payout::decode(row).unwrap());
    let paid: Vec<Payout> = payouts.filter(|payout| payout.pool == "compute/1").collect();
    assert_eq!(paid.len(), 2);
    let revenue = closed.statement.classes.iter().find(|class| class.class == "compute/1").unwrap().revenue;
    assert_eq!(revenue, sale.revenue().unwrap());
    assert_eq!(balance.escrow, Amount(1_000_000 - revenue.0));
    assert_eq!(fair.network.fold.state().credit_of(&buyer.account), balance.escrow);
}
