//! Sales worked out by hand, and what holds for every set of them.

use cairn_core::sale::{LicenceSold, Sale, WorkSold};
use cairn_core::{Amount, Hash, JobId};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::allocate::tests::{account, device, policy, verdict};
use crate::allocate::{Allocation, Outcome, allocate};
use crate::{Policy, RewardError};

const TREASURY: u8 = 99;

fn to_treasury() -> Policy {
    policy(&format!(
        "[[pools]]\nname = \"air\"\nclass = \"a/1\"\nrule = \"pro-rata\"\nshare_ppm = 500_000\n\
         [[pools]]\nname = \"rest\"\nrule = \"residual\"\nto = \"{}\"\n",
        account(TREASURY)
    ))
}

/// A sale of `work` (account, device, gas, work, burned) and `licences` (account, amount), and what is left.
fn sale(
    number: u8,
    work: &[(u8, u8, u64, u128, u128)],
    licences: &[(u8, u128)],
    returned: u128,
    refund: Option<(u8, u128)>,
) -> Sale {
    let work: Vec<WorkSold> = work
        .iter()
        .map(|&(payee, worker, gas, work, burned)| WorkSold {
            account: account(payee),
            device: device(worker),
            gas,
            work: Amount(work),
            burned: Amount(burned),
        })
        .collect();
    let licences: Vec<LicenceSold> = licences
        .iter()
        .map(|&(owner, amount)| LicenceSold {
            account: account(owner),
            content: Hash([owner; 32]),
            amount: Amount(amount),
        })
        .collect();
    let parts = work.iter().map(|sold| sold.work.0).chain(licences.iter().map(|sold| sold.amount.0));
    let locked = parts.sum::<u128>() + returned + refund.map_or(0, |(_, amount)| amount);
    Sale {
        job: JobId(Hash([number; 32])),
        order: u64::from(number),
        buyer: account(50),
        locked: Amount(locked),
        work,
        licences,
        returned: Amount(returned),
        refund: refund.map(|(payee, amount)| (account(payee), Amount(amount))),
    }
}

fn run(policy: &Policy, (escrow, deposited): (u128, u128), sales: &[Sale]) -> Result<Outcome, RewardError> {
    allocate(&Allocation {
        epoch: 3,
        policy,
        epoch_start_ms: 1000,
        opening_unallocated: Amount::ZERO,
        opening_escrow: Amount(escrow),
        deposited: Amount(deposited),
        minted_before: Amount::ZERO,
        verdicts: &[verdict("a/1", 1, 1, 1000, 5, 1_000_000)],
        sales,
    })
}

/// A payout as `account device pool weight amount`; no device is `-`.
fn lines(outcome: &Outcome) -> Vec<String> {
    let rows = outcome.payouts.iter().map(|row| {
        let payee = (0..=255).find(|&n| account(n) == row.account).unwrap();
        let device = row.device.map_or("-".to_owned(), |id| id.0[0].to_string());
        format!("{payee} {device} {} {} {}", row.pool, row.weight, row.amount)
    });
    rows.collect()
}

/// What it is about, the sales, their rows, and what is paid, refunded, burned and in escrow.
type Case = (&'static str, Vec<Sale>, &'static [&'static str], [u128; 4]);

#[test]
fn sales_worked_out_by_hand() {
    let pools = ["1 1 air 5 500", "99 - rest 0 500"];
    let cases: &[Case] = &[
        ("no sale", vec![], &[], [1_000, 0, 0, 90]),
        (
            "work less the fee, and the rest is credit again",
            vec![sale(1, &[(2, 7, 11, 40, 4)], &[], 20, None)],
            &["2 7 compute/1 11 36"],
            [1_036, 0, 4, 50],
        ),
        (
            "two jobs of one device are one row, and of one device for two accounts two",
            vec![
                sale(1, &[(2, 7, 11, 10, 1)], &[], 0, None),
                sale(2, &[(2, 7, 5, 9, 2), (3, 7, 6, 8, 0)], &[], 0, None),
            ],
            &["2 7 compute/1 16 16", "3 7 compute/1 6 8"],
            [1_024, 0, 3, 63],
        ),
        (
            "licences and refunds are summed up by account",
            vec![
                sale(1, &[(2, 7, 1, 5, 0)], &[(4, 3), (5, 1)], 0, Some((6, 7))),
                sale(2, &[(3, 8, 1, 5, 0)], &[(4, 2)], 1, Some((6, 2))),
            ],
            &[
                "2 7 compute/1 1 5",
                "3 8 compute/1 1 5",
                "4 - compute/1:licence 0 5",
                "5 - compute/1:licence 0 1",
                "6 - compute/1:refund 0 9",
            ],
            [1_016, 9, 0, 65],
        ),
        (
            "what nobody is paid has no row",
            vec![sale(1, &[(2, 7, 11, 0, 0), (3, 8, 11, 6, 6)], &[(4, 0)], 3, Some((6, 0)))],
            &[],
            [1_000, 0, 6, 84],
        ),
        (
            "gas beyond what a row can hold is the most that it can",
            vec![sale(1, &[(2, 7, u64::MAX, 1, 0), (2, 7, u64::MAX, 1, 0)], &[], 0, None)],
            &["2 7 compute/1 9223372036854775807 2"],
            [1_002, 0, 0, 88],
        ),
        (
            "one account in every pool",
            vec![sale(1, &[(1, 1, 2, 10, 0)], &[(1, 20)], 0, Some((1, 30)))],
            &["1 1 compute/1 2 10", "1 - compute/1:licence 0 20", "1 - compute/1:refund 0 30"],
            [1_030, 30, 0, 30],
        ),
    ];
    for (case, sales, rows, [paid, refunded, burned, escrow]) in cases {
        let outcome = run(&to_treasury(), (60, 30), sales).unwrap_or_else(|error| panic!("{case}: {error}"));
        let mut expected: Vec<&str> = pools.iter().chain(*rows).copied().collect();
        let mut found = lines(&outcome);
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected, "{case}");
        let balance = outcome.balance;
        let books = [balance.paid.0, balance.refunded.0, balance.burned.0, balance.closing.escrow.0];
        assert_eq!(books, [*paid, *refunded, *burned, *escrow], "{case}");
    }
}

#[test]
fn a_sale_that_does_not_balance_and_one_that_nobody_paid_in_are_refused_by_name() {
    let good = sale(1, &[(2, 7, 1, 5, 1)], &[(4, 3)], 2, Some((6, 7)));
    let changed = |change: &dyn Fn(&mut Sale)| {
        let mut sale = good.clone();
        change(&mut sale);
        run(&to_treasury(), (100, 0), &[sale]).map(drop)
    };
    let refused = Err(RewardError::Sale { job: good.job });
    assert_eq!(changed(&|_| ()), Ok(()));
    assert_eq!(changed(&|sale| sale.locked.0 += 1), refused);
    assert_eq!(changed(&|sale| sale.returned.0 += 1), refused);
    assert_eq!(changed(&|sale| sale.refund = None), refused);
    assert_eq!(changed(&|sale| sale.work[0].burned = Amount(6)), refused);
    assert_eq!(changed(&|sale| sale.licences[0].amount = Amount(u128::MAX)), refused);
    // What is returned stays in escrow, so that 15 of 17 are spent.
    for (held, refused) in
        [((15, 0), None), ((7, 8), None), ((0, 15), None), ((14, 0), Some("RWD-ESCROW")), ((7, 7), Some("RWD-ESCROW"))]
    {
        let outcome = run(&to_treasury(), held, core::slice::from_ref(&good));
        assert_eq!(outcome.err().map(|error| error.code()), refused, "{held:?}");
    }
}

/// Sales of a few accounts and devices, sums far below 2^100.
fn sales() -> impl Strategy<Value = Vec<Sale>> {
    let amount = || prop_oneof![Just(0u128), 0u128..1_000, 0..1u128 << 90];
    let worker = (0u8..6, 0u8..6, any::<u64>(), amount(), 0u128..=1_000_000);
    let one = (vec(worker, 0..4), vec((0u8..6, amount()), 0..3), amount(), proptest::option::of((0u8..6, amount())));
    let one = one.prop_map(|(work, licences, returned, refund)| {
        let work: Vec<_> =
            work.into_iter().map(|(a, d, gas, work, fee)| (a, d, gas, work, work / 1_000_000 * fee)).collect();
        sale(1, &work, &licences, returned, refund)
    });
    vec(one, 0..12)
}

proptest! {
    #[test]
    fn sales_change_no_pool_and_every_unit_that_was_locked_is_in_the_books(
        sales in sales(), escrow in 0..1u128 << 100, deposited in 0..1u128 << 100,
    ) {
        let policy = to_treasury();
        let locked: u128 = sales.iter().map(|sale| sale.locked.0).sum();
        let without = run(&policy, (escrow + locked, deposited), &[]).unwrap();
        let with = run(&policy, (escrow + locked, deposited), &sales).unwrap();
        prop_assert_eq!(&with.pools, &without.pools);
        let (balance, plain) = (with.balance, without.balance);
        prop_assert_eq!(balance.check(3), Ok(()));
        prop_assert_eq!((balance.opening, balance.minted, balance.deposited), (plain.opening, plain.minted, plain.deposited));
        let returned: u128 = sales.iter().map(|sale| sale.returned.0).sum();
        prop_assert_eq!(balance.closing.escrow.0, escrow + deposited + returned);
        let of_sales = [balance.paid.0 - plain.paid.0, balance.refunded.0, balance.burned.0 - plain.burned.0];
        prop_assert_eq!(of_sales.iter().sum::<u128>() + returned, locked);
        let rows: u128 = with.payouts.iter().map(|row| row.amount.0).sum();
        prop_assert_eq!(rows, balance.paid.0 + balance.refunded.0);
        prop_assert_eq!(with.totals.values().map(|amount| amount.0).sum::<u128>(), rows);
        prop_assert!(with.payouts.iter().all(|row| row.amount > Amount::ZERO));
    }

    #[test]
    fn the_order_of_sales_does_not_matter_and_rows_stand_in_the_order_of_their_bytes(
        sales in sales(), turn in 0usize..12,
    ) {
        let policy = to_treasury();
        let held = (1 << 110, 0);
        let outcome = run(&policy, held, &sales).unwrap();
        let mut turned = sales.clone();
        turned.rotate_left(turn.min(sales.len()));
        turned.reverse();
        prop_assert_eq!(&run(&policy, held, &turned).unwrap(), &outcome);
        let bytes: Vec<Vec<u8>> = outcome.payouts.iter().map(cairn_core::Payout::encode).collect();
        prop_assert!(bytes.is_sorted_by(|a, b| a < b), "{:?}", outcome.payouts);
    }
}
