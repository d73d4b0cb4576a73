//! What holds of a month on the market, however it is folded.

use std::collections::{BTreeMap, BTreeSet};

use cairn_core::epoch::SalesSummary;
use cairn_core::{Account, Amount, Payout, Sale, Subject, Verdict};
use cairn_fold::{Closed, State, root_of};
use cairn_testkit::network::SeededDevice;

use cairn_testkit::fair::month::{BUYER, LIAR, REFUNDED, month};

fn sales(closed: &Closed) -> Vec<Sale> {
    closed.sales.iter().map(|row| Sale::decode(row).unwrap()).collect()
}

fn verdicts(closed: &Closed) -> Vec<Verdict> {
    let all = closed.verdicts.iter().map(|row| Verdict::decode(row).unwrap());
    all.filter(|verdict| verdict.class == "compute/1").collect()
}

#[test]
fn an_eventful_month_of_work_closes_balances_and_pays_whoever_was_right() {
    let month = month(true);
    let network = &month.fair.network;
    assert!(network.closed.len() > 30, "{}", network.closed.len());
    let (mut codes, mut settled, mut refunded) = (BTreeMap::new(), 0, Amount::ZERO);
    let mut unallocated = Amount::ZERO;
    for closed in &network.closed {
        let number = closed.statement.number;
        let (balance, sales) = (closed.statement.asset.1, sales(closed));
        assert_eq!(closed.statement.pot(), balance.minted.checked_add(unallocated), "sales are nobody's pot");
        unallocated = balance.unallocated;
        assert!(balance.balances(), "epoch {number}: {balance:?}");
        let rows: Vec<Payout> = closed.payouts.iter().map(|row| Payout::decode(row).unwrap()).collect();
        let all = Amount::checked_sum(rows.iter().map(|row| row.amount)).unwrap();
        assert_eq!(Some(all), balance.paid.checked_add(balance.refunded), "epoch {number}");
        let revenue = Amount::checked_sum(sales.iter().map(|sale| sale.revenue().unwrap())).unwrap();
        assert_eq!(closed.statement.classes[0].revenue, revenue, "epoch {number}");
        assert!(closed.sales.is_sorted(), "epoch {number}");
        let summary = SalesSummary { count: sales.len() as u64, root: root_of(&closed.sales) };
        assert_eq!(closed.statement.sales, (!sales.is_empty()).then_some(summary));
        pays_whoever_was_right(closed, &sales);
        settled += sales.len() as u64;
        refunded = refunded.checked_add(balance.refunded).unwrap();
        for reason in verdicts(closed).into_iter().flat_map(|verdict| verdict.reasons) {
            *codes.entry(reason.code).or_insert(0) += 1;
        }
    }
    for expected in
        ["CMP-REPLAYED", "CMP-UNREPLAYED", "CMP-WRONG", "CMP-UNDECIDED", "CMP-UNREVEALED", "CMP-SILENT", "CMP-DECLINED"]
    {
        assert!(codes.contains_key(expected), "{expected} in {codes:?}");
    }
    assert!(settled > 100 && settled < month.ordered, "{settled} of {}", month.ordered);
    let state = network.fold.state();
    let paid_out = state.cumulative.get(&SeededDevice::of(REFUNDED).account).copied().unwrap();
    assert!(refunded == paid_out && refunded > Amount::ZERO);
    assert_eq!(state.market.open_jobs(), 0, "everything is settled");
    assert_eq!(state.credit_of(&SeededDevice::of(BUYER).account), state.escrow());
}

/// A verdict of full weight has its work in the sale, nobody else has, and the rows are the sums.
fn pays_whoever_was_right(closed: &Closed, sales: &[Sale]) {
    let right: BTreeSet<_> = verdicts(closed)
        .iter()
        .filter(|verdict| verdict.weight() > 0)
        .map(|verdict| (verdict.subject.clone(), verdict.device))
        .collect();
    let paid: BTreeSet<_> =
        sales.iter().flat_map(|sale| sale.work.iter().map(|work| (Subject::Job(sale.order), work.device))).collect();
    assert_eq!(paid, right, "epoch {}", closed.statement.number);
    let mut owed: BTreeMap<Account, u128> = BTreeMap::new();
    for sale in sales {
        assert!(sale.balances());
        let parts = sale.work.iter().map(|work| (&work.account, work.paid()));
        let parts = parts.chain(sale.licences.iter().map(|licence| (&licence.account, licence.amount)));
        for (account, amount) in parts.chain(sale.refund.iter().map(|(account, amount)| (account, *amount))) {
            *owed.entry(account.clone()).or_default() += amount.0;
        }
    }
    owed.retain(|_, amount| *amount > 0);
    let mut rows: BTreeMap<Account, u128> = BTreeMap::new();
    for row in closed.payouts.iter().map(|row| Payout::decode(row).unwrap()) {
        if row.pool.starts_with("compute/1") {
            *rows.entry(row.account).or_default() += row.amount.0;
        }
    }
    assert_eq!(rows, owed, "epoch {}", closed.statement.number);
}

#[test]
fn whoever_always_lies_is_paid_only_where_nobody_looked() {
    let month = month(false);
    let liar = SeededDevice::of(LIAR).id;
    let mut wrong = 0;
    for closed in &month.fair.network.closed {
        for verdict in verdicts(closed).into_iter().filter(|verdict| verdict.device == liar) {
            let code = verdict.reasons[0].code.as_str();
            let is_paid = verdict.weight() > 0;
            assert_eq!(is_paid, matches!(code, "CMP-UNREPLAYED" | "CMP-TRUSTED"), "{code}");
            wrong += u32::from(code == "CMP-WRONG");
        }
    }
    assert!(wrong > 0);
}

#[test]
fn one_two_and_eight_threads_settle_the_same_bytes() {
    let month = month(true);
    for threads in [1, 2, 8] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let closed = pool.install(|| month.fair.network.folded());
        assert!(closed == month.fair.network.closed, "{threads} threads");
    }
}

#[test]
fn a_market_resumed_from_any_snapshot_goes_on_as_the_one_that_never_stopped() {
    let month = month(true);
    let network = &month.fair.network;
    for closed in network.closed.iter().step_by(2) {
        let mut fold = network.resumed(closed);
        let later = network.fold_on(&mut fold);
        let from = usize::try_from(closed.statement.number).unwrap() + 1;
        assert!(later == network.closed[from..], "resumed after epoch {}", closed.statement.number);
        assert_eq!(fold.state(), network.fold.state());
    }
}

#[test]
fn a_state_with_a_market_is_its_records() {
    let month = month(false);
    let mut tables = BTreeSet::new();
    for closed in &month.fair.network.closed {
        let state = State::from_records(&closed.records).unwrap();
        assert_eq!(state.records(), closed.records);
        tables.extend(closed.records.iter().map(|record| record[1]));
        // A record of the market that is cut, longer or stands twice is none.
        for record in closed.records.iter().filter(|record| (20..=22).contains(&record[1])).take(3) {
            assert!(State::from_records(&[record, record]).is_err());
            assert!(State::from_records(&[&record[..record.len() - 1]]).is_err());
            assert!(State::from_records(&[[record.as_slice(), &[0]].concat()]).is_err());
        }
    }
    assert!([20, 21, 22].iter().all(|table| tables.contains(table)), "{tables:?}");
}
