//! What one more honest device would have earned in an epoch that has closed, by the engine itself.
//!
//! The device delivers what the middle device of its class delivered, with a whole score and in time. Each pool's part comes
//! from [`cairn_reward::policy::Pool::part`], which is what shares out an epoch, over the pool's size, weight and devices of
//! the epoch's statement with one more: not an estimate, but what the allocation over one more verdict would have paid.
//! Not here: what the next epoch pays, and whether a device at a place would be scored whole.

use cairn_core::Amount;
use cairn_core::epoch::PoolSummary;
use cairn_ledger::ClassMiddle;
use cairn_reward::Policy;
use serde::Serialize;

/// What a pool would have paid it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Newcomer {
    /// The class it reports for.
    pub class: String,
    pub pool: String,
    /// `pro-rata` or `flat`.
    pub rule: &'static str,
    /// What it delivers in the class's unit, with a whole score, which makes it its weight.
    pub amount: u64,
    /// What the pool shared out, base units.
    pub size: String,
    /// Devices that shared it, and this one.
    pub devices: u64,
    /// The sum of their weights, and this one's.
    pub weight: String,
    /// What it would have been paid, base units.
    pub paid: String,
}

/// What each pool of an epoch would have paid one more device, in the policy's order; pools of classes in which nobody
/// delivered anything are left out.
pub(crate) fn newcomer(pools: &[PoolSummary], policy: &Policy, middles: &[ClassMiddle]) -> Vec<Newcomer> {
    let part = |pool: &cairn_reward::policy::Pool| {
        let middle = middles.iter().find(|middle| middle.class == pool.class)?;
        let summary = pools.iter().find(|summary| summary.name == pool.name)?;
        let weight = u128::from(middle.amount);
        let (weight_total, devices) = (summary.weight.checked_add(weight)?, summary.devices.checked_add(1)?);
        let paid = if pool.admits(weight, weight) {
            pool.part(summary.size, weight, weight_total, devices)
        } else {
            Amount::ZERO
        };
        Some(Newcomer {
            class: pool.class.clone(),
            pool: pool.name.clone(),
            rule: pool.rule.name(),
            amount: middle.amount,
            size: summary.size.to_string(),
            devices,
            weight: weight_total.to_string(),
            paid: paid.to_string(),
        })
    };
    policy.pools.iter().filter_map(part).collect()
}

#[cfg(test)]
mod tests {
    use cairn_core::{Account, DeviceId, PPM, Ppm, Subject, Verdict};
    use cairn_reward::{Allocation, allocate};
    use proptest::prelude::*;

    use super::*;

    fn policy(pools: &str) -> Policy {
        let text = format!(
            "[engine]\nrevision = 1\n[asset]\nsymbol = \"T\"\ndecimals = 0\n\
             [epochs]\nlate_epochs = 1\nlate_ppm = 500_000\nfuture_ms = 0\n\
             [positions]\nh3_resolution = 8\n[limits]\ndevices_per_owner = 0\n\
             [emission]\ntable = [{{ from_epoch = 0, amount_tokens = \"1000003\" }}]\n\
             [classes.\"a/1\"]\nrevision = 1\n[classes.\"b/1\"]\nrevision = 1\n{pools}\
             [[pools]]\nname = \"rest\"\nrule = \"residual\"\nto = \"burn\"\n"
        );
        Policy::parse(text.as_bytes()).unwrap()
    }

    fn verdict(class: &str, number: u8, amount: u64, score_ppm: u32) -> Verdict {
        Verdict {
            class: class.to_owned(),
            device: DeviceId([number; 16]),
            slot_ms: 1_000,
            subject: Subject::Slot,
            account: Account::parse(&format!("eip155:1:0x{:040x}", number % 5)).unwrap(),
            amount,
            score: Ppm::of(score_ppm).unwrap(),
            reasons: Vec::new(),
            entries: Vec::new(),
        }
    }

    fn close(policy: &Policy, verdicts: &[Verdict]) -> cairn_reward::Outcome {
        allocate(&Allocation {
            epoch: 3,
            policy,
            epoch_start_ms: 1_000,
            opening_unallocated: Amount(17),
            opening_escrow: Amount::ZERO,
            deposited: Amount::ZERO,
            minted_before: Amount::ZERO,
            verdicts,
            sales: &[],
        })
        .unwrap()
    }

    proptest! {
        #[test]
        fn a_newcomer_is_told_what_the_allocation_over_its_verdict_pays(
            delivered in proptest::collection::vec((0u64..5_000, 0u32..=1_000_000, any::<bool>()), 0..30),
            amount in 1u64..5_000,
            cap in proptest::option::of(0u32..3_000),
            min_score in 0u32..=1_000_000,
        ) {
            let cap = cap.map_or_else(String::new, |cap| format!("cap_per_device_tokens = \"{cap}\"\n"));
            let policy = policy(&format!(
                "[[pools]]\nname = \"air\"\nclass = \"a/1\"\nshare_ppm = 500_000\nrule = \"pro-rata\"\n{cap}\
                 [[pools]]\nname = \"base\"\nclass = \"a/1\"\nshare_ppm = 300_000\nrule = \"flat\"\nmin_score_ppm = {min_score}\n{cap}\
                 [[pools]]\nname = \"other\"\nclass = \"b/1\"\nshare_ppm = 100_000\nrule = \"pro-rata\"\n"
            ));
            let verdicts: Vec<Verdict> = (1..).zip(&delivered).map(|(number, (amount, score, first))| {
                verdict(if *first { "a/1" } else { "b/1" }, number, *amount, *score)
            }).collect();
            let pools: Vec<PoolSummary> = close(&policy, &verdicts).pools.into_iter().map(|pool| PoolSummary {
                name: pool.name, size: pool.size, weight: pool.weight_total, devices: pool.devices, paid: pool.paid,
                recipients: pool.recipients,
            }).collect();
            let middles = ["a/1", "b/1"].map(|class| ClassMiddle { class: class.to_owned(), devices: 1, amount });
            let told = newcomer(&pools, &policy, &middles);
            prop_assert_eq!(told.len(), 3);
            let id = DeviceId([255; 16]);
            for class in ["a/1", "b/1"] {
                let with_it = [verdicts.clone(), vec![verdict(class, 255, amount, PPM)]].concat();
                let payouts = close(&policy, &with_it).payouts;
                for told in told.iter().filter(|told| told.class == class) {
                    let of_it = payouts.iter().filter(|row| row.device == Some(id) && row.pool == told.pool);
                    let paid = Amount::checked_sum(of_it.map(|row| row.amount)).unwrap();
                    prop_assert_eq!(&told.paid, &paid.to_string(), "{}", &told.pool);
                }
            }
        }
    }

    #[test]
    fn who_reports_for_what_nobody_delivered_is_told_nothing() {
        let policy = policy("[[pools]]\nname = \"air\"\nclass = \"a/1\"\nshare_ppm = 500_000\nrule = \"pro-rata\"\n");
        assert_eq!(newcomer(&[], &policy, &[]), []);
    }
}
