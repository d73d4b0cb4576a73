//! What holds for every policy and every set of verdicts.

use cairn_core::{Account, Address, Domain, Hash, Ppm};
use proptest::collection::vec;
use proptest::prelude::*;

use super::tests::{account, policy, run, run_with, verdict};
use super::*;

/// Pools in any number up to four, of shares that fit, of both rules, capped or not.
fn pools() -> impl Strategy<Value = String> {
    let pool = (any::<bool>(), any::<bool>(), 0u32..400_000, 0u32..=1_000_000, proptest::option::of(0u128..2_000));
    let to = prop_oneof![Just("burn".to_owned()), Just("next-epoch".to_owned()), Just(account(99).to_string())];
    (vec(pool, 0..5), to).prop_map(|(pools, to)| {
        let (mut text, mut left) = (String::new(), 1_000_000u32);
        for (index, (is_flat, is_a, share, min_score, cap)) in pools.into_iter().enumerate() {
            let share = share.min(left);
            left -= share;
            let (class, rule) = (if is_a { "a/1" } else { "b/1" }, if is_flat { "flat" } else { "pro-rata" });
            text += &format!(
                "[[pools]]\nname = \"p{index}\"\nclass = \"{class}\"\nrule = \"{rule}\"\nshare_ppm = {share}\n"
            );
            if is_flat {
                text += &format!("min_score_ppm = {min_score}\n");
            }
            if let Some(cap) = cap {
                text += &format!("cap_per_device_tokens = \"{cap}\"\n");
            }
        }
        text + &format!("[[pools]]\nname = \"rest\"\nrule = \"residual\"\nto = \"{to}\"\n")
    })
}

/// Verdicts of a few devices and accounts, late and timely, of two classes.
fn verdicts() -> impl Strategy<Value = Vec<Verdict>> {
    let amount = prop_oneof![0u64..10, 0u64..1_000_000_000, Just(u64::MAX >> 8)];
    let one = (any::<bool>(), 0u8..8, 0u8..6, 900u64..1_100, amount, 0u32..=1_000_000);
    let one = one.prop_map(|(is_a, device, payee, slot_ms, amount, score)| {
        verdict(if is_a { "a/1" } else { "b/1" }, device, payee, slot_ms, amount, score)
    });
    vec(one, 0..40)
}

fn openings() -> impl Strategy<Value = u128> {
    prop_oneof![Just(0u128), 0u128..5_000, 0..u128::MAX - 1_000, Just(u128::MAX - 1_000)]
}

/// The same verdicts in an order that only `seed` knows.
fn shuffled(verdicts: &[Verdict], seed: u64) -> Vec<Verdict> {
    let mut order: Vec<usize> = (0..verdicts.len()).collect();
    order.sort_by_key(|index| Hash::of_parts(&[&seed.to_be_bytes(), &index.to_be_bytes()]));
    order.into_iter().map(|index| verdicts[index].clone()).collect()
}

proptest! {
    #[test]
    fn every_epoch_balances_and_every_sum_agrees(pools in pools(), verdicts in verdicts(), opening in openings()) {
        let policy = policy(&pools);
        let outcome = run(&policy, opening, &verdicts).unwrap();
        let Outcome { payouts, pools, balance, totals } = &outcome;
        prop_assert_eq!(balance.check(3), Ok(()));
        prop_assert_eq!((balance.opening, balance.minted), (Amount(opening), Amount(1_000)));
        let sum = |amounts: &mut dyn Iterator<Item = Amount>| Amount::checked_sum(amounts).unwrap();
        prop_assert_eq!(sum(&mut payouts.iter().map(|row| row.amount)), balance.paid);
        prop_assert_eq!(sum(&mut totals.values().copied()), balance.paid);
        prop_assert_eq!(sum(&mut pools.iter().map(|pool| pool.paid)), balance.paid);
        for pool in pools {
            let rows: Vec<&Payout> = payouts.iter().filter(|row| row.pool == pool.name).collect();
            prop_assert_eq!(sum(&mut rows.iter().map(|row| row.amount)), pool.paid);
            prop_assert_eq!(rows.len() as u64, pool.recipients);
            prop_assert!(rows.iter().all(|row| row.amount > Amount::ZERO && row.amount <= pool.size));
            if pool.rule != "residual" {
                prop_assert_eq!(pool.paid.checked_add(pool.dust), Some(pool.size));
                prop_assert!(pool.size <= Amount(opening + 1_000));
            }
        }
        let residual = pools.last().unwrap();
        let others = sum(&mut pools[..pools.len() - 1].iter().map(|pool| pool.paid));
        prop_assert_eq!(others.checked_add(residual.size), Some(Amount(opening + 1_000)));
    }

    #[test]
    fn the_order_of_verdicts_does_not_matter(
        pools in pools(), verdicts in verdicts(), opening in openings(), seed: u64,
    ) {
        let policy = policy(&pools);
        let mut sorted = verdicts.clone();
        sorted.sort();
        let expected = run(&policy, opening, &sorted);
        prop_assert_eq!(&run(&policy, opening, &verdicts), &expected);
        prop_assert_eq!(&run(&policy, opening, &shuffled(&verdicts, seed)), &expected);
    }

    #[test]
    fn what_buyers_paid_in_changes_no_payout(
        pools in pools(), verdicts in verdicts(), opening in 0u128..5_000, paid_in in (0..u128::MAX / 4, 0..u128::MAX / 4),
    ) {
        let policy = policy(&pools);
        let without = run(&policy, opening, &verdicts).unwrap();
        let with = run_with(&policy, opening, paid_in, &verdicts).unwrap();
        prop_assert_eq!((&with.payouts, &with.pools, &with.totals), (&without.payouts, &without.pools, &without.totals));
        let (balance, plain) = (with.balance, without.balance);
        prop_assert_eq!(balance.check(3), Ok(()));
        prop_assert_eq!(balance.closing.escrow, Amount(paid_in.0 + paid_in.1));
        prop_assert_eq!((balance.opening, balance.deposited), (Amount(opening + paid_in.0), Amount(paid_in.1)));
        let moved = |balance: Balance| (balance.minted, balance.paid, balance.burned, balance.closing.unallocated);
        prop_assert_eq!(moved(balance), moved(plain));
    }

    #[test]
    fn payouts_stand_in_the_order_of_their_bytes(pools in pools(), verdicts in verdicts(), seed: u64) {
        // Accounts of two kinds and lengths, whose bytes and texts sort differently.
        let accounts: Vec<Account> = (0..6u64).map(|n| any_account(seed.wrapping_add(n))).collect();
        let verdicts: Vec<Verdict> = verdicts
            .into_iter()
            .map(|verdict| {
                let payee = (0..6).find(|&n| account(n) == verdict.account).unwrap();
                Verdict { account: accounts[usize::from(payee)].clone(), ..verdict }
            })
            .collect();
        let outcome = run(&policy(&pools), 0, &verdicts).unwrap();
        let bytes: Vec<Vec<u8>> = outcome.payouts.iter().map(Payout::encode).collect();
        prop_assert!(bytes.is_sorted(), "{:?}", outcome.payouts);
        let names = |row: &Payout| (row.account.clone(), row.device, row.pool.clone());
        let mut seen: Vec<_> = outcome.payouts.iter().map(names).collect();
        seen.sort();
        seen.dedup();
        prop_assert_eq!(seen.len(), outcome.payouts.len());
    }

    #[test]
    fn more_weight_never_earns_less(pools in pools(), verdicts in own_accounts(), opening in openings()) {
        let policy = policy(&pools);
        let outcome = run(&policy, opening, &verdicts).unwrap();
        for pool in &policy.pools {
            let rows: Vec<&Payout> = outcome.payouts.iter().filter(|row| row.pool == pool.name).collect();
            for (row, other) in rows.iter().flat_map(|row| rows.iter().map(move |other| (row, other))) {
                match pool.rule {
                    Rule::ProRata => prop_assert!(row.weight > other.weight || row.amount <= other.amount),
                    Rule::Flat { .. } => prop_assert_eq!(row.amount, other.amount),
                }
            }
        }
    }

    #[test]
    fn a_better_score_never_lowers_ones_own_pay(
        verdicts in own_accounts(), opening in openings(), at: prop::sample::Index, gain in 0u32..1_000_000,
    ) {
        prop_assume!(!verdicts.is_empty());
        let policy = policy(
            "[[pools]]\nname = \"air\"\nclass = \"a/1\"\nrule = \"pro-rata\"\nshare_ppm = 900_000\n\
             [[pools]]\nname = \"rest\"\nrule = \"residual\"\nto = \"burn\"\n",
        );
        let (mut better, at) = (verdicts.clone(), at.index(verdicts.len()));
        better[at].score = Ppm::of((verdicts[at].score.get() + gain).min(1_000_000)).unwrap();
        let own = |verdicts: &[Verdict]| {
            run(&policy, opening, verdicts).unwrap().totals.get(&verdicts[at].account).copied().unwrap_or_default()
        };
        prop_assert!(own(&verdicts) <= own(&better));
    }
}

/// Verdicts of devices that each have an account of their own.
fn own_accounts() -> impl Strategy<Value = Vec<Verdict>> {
    let own = |verdict: Verdict| Verdict { account: account(verdict.device.0[0]), ..verdict };
    verdicts().prop_map(move |verdicts| verdicts.into_iter().map(own).collect())
}

fn any_account(seed: u64) -> Account {
    let word = Hash::of(&seed.to_be_bytes()).0;
    let text = match seed % 3 {
        0 => "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp",
        1 => "eip155:1",
        _ => "eip155:84532",
    };
    let domain = Domain::parse(text).unwrap();
    let address = match seed % 3 {
        0 => Address::Solana(word),
        _ => Address::Evm(word[..20].try_into().unwrap()),
    };
    Account::at(domain, address).unwrap()
}
