//! Tables of small epochs, worked out by hand.

use cairn_core::{Account, Amount, DeviceId, Ppm, Subject, Verdict};

use super::*;

/// A policy of whole tokens (`decimals = 0`) that mints 1000 in every epoch, with the given pools.
pub fn policy(pools: &str) -> Policy {
    let text = format!(
        "[engine]\nrevision = 1\n[asset]\nsymbol = \"T\"\ndecimals = 0\n\
         [epochs]\nlate_epochs = 1\nlate_ppm = 500_000\nfuture_ms = 0\n\
         [positions]\nh3_resolution = 8\n[limits]\ndevices_per_owner = 0\n\
         [emission]\ntable = [{{ from_epoch = 0, amount_tokens = \"1000\" }}]\n\
         [classes.\"a/1\"]\nrevision = 1\n[classes.\"b/1\"]\nrevision = 1\n{pools}"
    );
    Policy::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

pub fn account(number: u8) -> Account {
    Account::parse(&format!("eip155:1:0x{number:040x}")).unwrap()
}

pub fn device(number: u8) -> DeviceId {
    DeviceId([number; 16])
}

/// A verdict over a slot that begins at `slot_ms`.
pub fn verdict(class: &str, number: u8, payee: u8, slot_ms: u64, amount: u64, score_ppm: u32) -> Verdict {
    Verdict {
        class: class.to_owned(),
        device: device(number),
        slot_ms,
        subject: Subject::Slot,
        account: account(payee),
        amount,
        score: Ppm::of(score_ppm).unwrap(),
        reasons: Vec::new(),
        entries: Vec::new(),
    }
}

/// Epoch 3, which begins at millisecond 1000.
pub fn run(policy: &Policy, opening: u128, verdicts: &[Verdict]) -> Result<Outcome, RewardError> {
    run_with(policy, opening, (0, 0), verdicts)
}

/// As [`run`], with so much in escrow from before, and so much paid in during the epoch.
pub fn run_with(
    policy: &Policy,
    opening: u128,
    (escrow, deposited): (u128, u128),
    verdicts: &[Verdict],
) -> Result<Outcome, RewardError> {
    allocate(&Allocation {
        epoch: 3,
        policy,
        epoch_start_ms: 1000,
        opening_unallocated: Amount(opening),
        opening_escrow: Amount(escrow),
        deposited: Amount(deposited),
        minted_before: Amount::ZERO,
        verdicts,
        sales: &[],
    })
}

const TREASURY: &str =
    "[[pools]]\nname = \"rest\"\nrule = \"residual\"\nto = \"eip155:1:0x0000000000000000000000000000000000000063\"\n";
const BURN: &str = "[[pools]]\nname = \"rest\"\nrule = \"residual\"\nto = \"burn\"\n";
const NEXT: &str = "[[pools]]\nname = \"rest\"\nrule = \"residual\"\nto = \"next-epoch\"\n";

fn pool(name: &str, class: &str, share_ppm: u32, rest: &str) -> String {
    format!("[[pools]]\nname = \"{name}\"\nclass = \"{class}\"\nshare_ppm = {share_ppm}\n{rest}\n")
}

fn pro_rata(share_ppm: u32) -> String {
    pool("air", "a/1", share_ppm, "rule = \"pro-rata\"")
}

fn flat(share_ppm: u32, min_score_ppm: u32) -> String {
    pool("base", "a/1", share_ppm, &format!("rule = \"flat\"\nmin_score_ppm = {min_score_ppm}"))
}

/// A payout as `account device pool weight amount`; the treasury's account is 99, and no device is `-`.
fn lines(outcome: &Outcome) -> Vec<String> {
    let number = |payout: &Payout| (0..=255).find(|&n| account(n) == payout.account).unwrap();
    let device = |payout: &Payout| payout.device.map_or("-".to_owned(), |id| id.0[0].to_string());
    let line = |row: &Payout| format!("{} {} {} {} {}", number(row), device(row), row.pool, row.weight, row.amount);
    outcome.payouts.iter().map(line).collect()
}

#[test]
fn epochs_worked_out_by_hand() {
    let late = |number, payee, amount| verdict("a/1", number, payee, 999, amount, 1_000_000);
    let timely = |number, payee, amount, score| verdict("a/1", number, payee, 1000, amount, score);
    let cap = |rule: &str| pool("air", "a/1", 1_000_000, &format!("{rule}\ncap_per_device_tokens = \"300\""));
    let cases: &[(&str, String, Vec<Verdict>, &[&str])] = &[
        ("nobody delivered: all goes to the residual", pro_rata(1_000_000) + TREASURY, vec![], &["99 - rest 0 1000"]),
        (
            "by weight, and the remainder to the residual",
            pro_rata(1_000_000) + TREASURY,
            vec![timely(1, 1, 10, 1_000_000), timely(2, 2, 20, 500_000), timely(3, 3, 10, 1_000_000)],
            &["1 1 air 10 333", "2 2 air 10 333", "3 3 air 10 333", "99 - rest 0 1"],
        ),
        (
            "a share of 25 % leaves 75 % to the residual",
            pro_rata(250_000) + TREASURY,
            vec![timely(1, 1, 7, 1_000_000)],
            &["1 1 air 7 250", "99 - rest 0 750"],
        ),
        (
            "a slot before the epoch counts half, floored verdict by verdict",
            pro_rata(1_000_000) + TREASURY,
            vec![late(1, 1, 3), late(1, 1, 3), timely(2, 2, 2, 1_000_000)],
            &["1 1 air 2 500", "2 2 air 2 500"],
        ),
        (
            "a weight of zero gets no row",
            pro_rata(1_000_000) + TREASURY,
            vec![timely(1, 1, 1, 999_999), timely(2, 2, 9, 0), timely(3, 3, 0, 1_000_000), timely(4, 4, 1, 1_000_000)],
            &["4 4 air 1 1000"],
        ),
        (
            "a part that rounds to zero gets no row",
            pro_rata(1_000_000) + TREASURY,
            vec![timely(1, 1, 1, 1_000_000), timely(2, 2, 1999, 1_000_000)],
            &["2 2 air 1999 999", "99 - rest 0 1"],
        ),
        (
            "other classes do not share",
            pro_rata(1_000_000) + TREASURY,
            vec![timely(1, 1, 1, 1_000_000), verdict("b/1", 2, 2, 1000, 50, 1_000_000)],
            &["1 1 air 1 1000"],
        ),
        (
            "flat pays all that pass over all they delivered alike",
            flat(1_000_000, 500_000) + TREASURY,
            vec![
                timely(1, 1, 1_000_000, 1_000_000),
                // Half of what it delivered in all: 100 * 0.9 + 100 * 0.1.
                timely(2, 2, 100, 900_000),
                timely(2, 2, 100, 100_000),
                timely(3, 3, 100, 490_000),
                // Late: 40 of 100.
                late(4, 4, 80),
                timely(4, 4, 20, 0),
            ],
            &["1 1 base 1000000 500", "2 2 base 100 500"],
        ),
        (
            "a transferred device is one device: one flat part, split by weight",
            flat(1_000_000, 0) + TREASURY,
            vec![timely(1, 1, 10, 1_000_000), timely(1, 2, 30, 1_000_000), timely(3, 3, 5, 1_000_000)],
            &["1 1 base 10 125", "2 1 base 30 375", "3 3 base 5 500"],
        ),
        (
            "a transferred device has one cap",
            cap("rule = \"pro-rata\"") + TREASURY,
            vec![timely(1, 1, 10, 1_000_000), timely(1, 2, 20, 1_000_000), timely(3, 3, 1, 1_000_000)],
            &["1 1 air 10 100", "2 1 air 20 200", "3 3 air 1 32", "99 - rest 0 668"],
        ),
        (
            "a cap on a flat part",
            cap("rule = \"flat\"\nmin_score_ppm = 0") + TREASURY,
            vec![timely(1, 1, 10, 1_000_000), timely(3, 3, 1, 1_000_000)],
            &["1 1 air 10 300", "3 3 air 1 300", "99 - rest 0 400"],
        ),
        (
            "one class may have several pools, and the treasury may own a device",
            pro_rata(600_000) + &flat(400_000, 0) + TREASURY,
            vec![timely(1, 99, 10, 1_000_000), timely(2, 2, 5, 1_000_000)],
            &["2 2 air 5 200", "2 2 base 5 200", "99 1 air 10 400", "99 1 base 10 200"],
        ),
        ("what is burned has no row", pro_rata(0) + BURN, vec![timely(1, 1, 1, 1_000_000)], &[]),
    ];
    for (name, pools, verdicts, expected) in cases {
        let outcome = run(&policy(pools), 0, verdicts).unwrap();
        assert_eq!(lines(&outcome), *expected, "{name}");
    }
}

#[test]
fn the_residual_is_paid_or_burned_or_kept_for_the_next_epoch() {
    let verdicts = [verdict("a/1", 1, 1, 1000, 5, 1_000_000)];
    let balance = |opening, paid, burned, unallocated| Balance {
        opening: Amount(opening),
        minted: Amount(1000),
        paid: Amount(paid),
        burned: Amount(burned),
        closing: Closing { unallocated: Amount(unallocated), ..Closing::default() },
        ..Balance::default()
    };
    let cases = [
        (TREASURY, 0, balance(0, 1000, 0, 0), 750),
        (BURN, 0, balance(0, 250, 750, 0), 0),
        (NEXT, 0, balance(0, 250, 0, 750), 0),
        // What was left is in the pot again, and shared out with the rest.
        (NEXT, 750, balance(750, 437, 0, 1313), 0),
        (TREASURY, 750, balance(750, 1750, 0, 0), 1313),
    ];
    for (residual, opening, expected, residual_paid) in cases {
        let outcome = run(&policy(&(pro_rata(250_000) + residual)), opening, &verdicts).unwrap();
        assert_eq!(outcome.balance, expected, "{residual}");
        let rest = outcome.pools.last().unwrap();
        assert_eq!((rest.rule, rest.paid, rest.dust), ("residual", Amount(residual_paid), Amount::ZERO), "{residual}");
        assert_eq!(rest.recipients, u64::from(residual_paid > 0), "{residual}");
        assert_eq!(outcome.balance.check(3), Ok(()), "{residual}");
    }
}

#[test]
fn a_pool_accounts_for_what_it_did_not_pay() {
    let cap = "rule = \"flat\"\nmin_score_ppm = 0\ncap_per_device_tokens = \"100\"";
    let pools = pro_rata(300_000) + &pool("capped", "a/1", 301_000, cap) + &pool("none", "b/1", 100_000, cap) + BURN;
    let verdicts = [
        verdict("a/1", 1, 1, 1000, 5, 1_000_000),
        verdict("a/1", 1, 2, 2000, 6, 1_000_000),
        verdict("a/1", 2, 2, 1000, 7, 1_000_000),
    ];
    let outcome = run(&policy(&pools), 0, &verdicts).unwrap();
    let expected = [
        // 300 * 11 / 18 = 183, of which 83 and 99 to the two accounts; 300 * 7 / 18 = 116.
        ("air", Some("a/1"), "pro-rata", 300, 18, 2, 298, 2, 3),
        ("capped", Some("a/1"), "flat", 301, 18, 2, 199, 102, 3),
        ("none", Some("b/1"), "flat", 100, 0, 0, 0, 100, 0),
        ("rest", None, "residual", 503, 0, 0, 0, 0, 0),
    ];
    for (result, expected) in outcome.pools.iter().zip(expected) {
        let PoolResult { name, class, rule, size, weight_total, devices, paid, dust, recipients } = result;
        let row = (&**name, class.as_deref(), *rule, size.0, *weight_total, *devices, paid.0, dust.0, *recipients);
        assert_eq!(row, expected);
    }
    assert_eq!(outcome.pools.len(), expected.len());
    let totals = Totals::from([(account(1), Amount(83 + 45)), (account(2), Amount(99 + 54 + 116 + 100))]);
    assert_eq!(outcome.totals, totals);
}

#[test]
fn emission_stops_at_the_ceiling_and_the_opening_is_still_shared_out() {
    let text = "[[pools]]\nname = \"rest\"\nrule = \"residual\"\nto = \"burn\"\n";
    let mut policy = policy(text);
    policy.emission = crate::Emission::of_rows(policy.emission.rows().to_vec(), Some(Amount(5_400))).unwrap();
    for (minted_before, minted) in [(0, 1000), (4_400, 1000), (5_000, 400), (5_400, 0), (9_999, 0)] {
        let allocation = Allocation {
            epoch: 0,
            policy: &policy,
            epoch_start_ms: 0,
            opening_unallocated: Amount(7),
            opening_escrow: Amount::ZERO,
            deposited: Amount::ZERO,
            minted_before: Amount(minted_before),
            verdicts: &[],
            sales: &[],
        };
        let balance = allocate(&allocation).unwrap().balance;
        assert_eq!((balance.minted, balance.burned), (Amount(minted), Amount(7 + minted)), "after {minted_before}");
    }
}

#[test]
fn amounts_at_the_end_of_128_bits_are_exact_or_refused() {
    let policy = policy(&(pro_rata(1_000_000) + TREASURY));
    let verdicts = [verdict("a/1", 1, 1, 1000, 1, 1_000_000), verdict("a/1", 2, 2, 1000, 2, 1_000_000)];
    let outcome = run(&policy, u128::MAX - 1000, &verdicts).unwrap();
    let third = u128::MAX / 3;
    assert_eq!(outcome.totals[&account(1)], Amount(third));
    assert_eq!(outcome.totals[&account(2)], Amount(third * 2));
    assert_eq!(outcome.balance.paid, Amount(u128::MAX));
    let refused = run(&policy, u128::MAX - 999, &verdicts).unwrap_err();
    assert_eq!(refused, RewardError::Overflow { what: "the epoch's pot" });
}

#[test]
fn what_buyers_paid_in_passes_through_the_books_or_is_refused_where_they_end() {
    let policy = policy(NEXT);
    let books = |opening, escrow, deposited| {
        let balance = run_with(&policy, opening, (escrow, deposited), &[]).map_err(|error| error.code())?.balance;
        Ok((balance.opening.0, balance.deposited.0, balance.closing.escrow.0, balance.closing.unallocated.0))
    };
    assert_eq!(books(7, 20, 5), Ok((27, 5, 25, 1_007)));
    let half = u128::MAX / 2;
    assert_eq!(books(half - 999, half, 0), Ok((u128::MAX - 1_000, 0, half, half + 1)));
    assert_eq!(books(half - 999, 0, half), Ok((half - 999, half, half, half + 1)));
    for (opening, escrow, deposited) in [(half, half, 0), (half, 0, half), (u128::MAX - 1_000, 1, 0), (0, u128::MAX, 1)]
    {
        assert_eq!(books(opening, escrow, deposited), Err("RWD-OVERFLOW"), "{opening} {escrow} {deposited}");
    }
}

#[test]
fn a_weight_that_no_row_can_hold_is_refused_by_name_whatever_the_order() {
    let policy = policy(&(pro_rata(1_000_000) + TREASURY));
    let half = 1u64 << 62;
    let mut verdicts = vec![
        verdict("a/1", 9, 1, 1000, half, 1_000_000),
        verdict("a/1", 4, 1, 1000, half, 1_000_000),
        verdict("a/1", 9, 2, 2000, half, 1_000_000),
        verdict("a/1", 4, 1, 2000, half, 1_000_000),
    ];
    for _ in 0..verdicts.len() {
        verdicts.rotate_left(1);
        let refused = run(&policy, 0, &verdicts).unwrap_err();
        assert_eq!(refused, RewardError::Weight { pool: "air".to_owned(), device: device(4), weight: 1 << 63 });
    }
    verdicts.iter_mut().filter(|verdict| verdict.slot_ms == 2000).for_each(|verdict| verdict.amount -= 1);
    assert!(run(&policy, 0, &verdicts).is_ok());
}

#[test]
fn a_balance_that_does_not_hold_names_both_sides() {
    let balance = Balance { minted: Amount(10), paid: Amount(9), ..Balance::default() };
    let refused = balance.check(8).unwrap_err();
    assert_eq!(refused, RewardError::Unbalanced { epoch: 8, in_units: 10, out_units: 9 });
    let full = Balance { opening: Amount(u128::MAX), deposited: Amount(1), ..Balance::default() };
    assert_eq!(full.check(8).unwrap_err().code(), "RWD-OVERFLOW");
}
