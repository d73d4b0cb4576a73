//! What changes between two policies, and who gains and who loses by it.
//!
//! Both answers are for people who decide: [`changes`] lists every value that differs, by its path in the document, and
//! [`who_gains`] lists every account whose total differs when the same verdicts are allocated under both policies.
//! Comments and the order of keys do not count as changes, though they change the policy's hash.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;

use cairn_core::{Account, Amount};

use crate::Totals;
use crate::policy::{Destination, Policy, Pool, Rule};

/// One value that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its path, such as `pools.readings.share_ppm`: pools go by name, emission rows by epoch, observers by source and key.
    pub key: String,
    /// The value in the old policy, as text.
    pub old: Option<String>,
    /// The value in the new policy, as text.
    pub new: Option<String>,
}

/// Every value that differs, by path.
#[must_use]
pub fn changes(old: &Policy, new: &Policy) -> Vec<Change> {
    let (old, mut new) = (flat(old), flat(new));
    let mut changes = Vec::new();
    for (key, was) in old {
        let now = new.remove(&key);
        if now.as_ref() != Some(&was) {
            changes.push(Change { key, old: Some(was), new: now });
        }
    }
    changes.extend(new.into_iter().map(|(key, now)| Change { key, old: None, new: Some(now) }));
    changes.sort_by(|a, b| a.key.cmp(&b.key));
    changes
}

/// Every value of a policy by its path in the document.
fn flat(policy: &Policy) -> BTreeMap<String, String> {
    let Policy { asset, epochs, emission, residual, .. } = policy;
    let tokens = |amount: Amount| amount.display(asset.decimals);
    let mut values = BTreeMap::new();
    let mut put = |key: &str, value: String| drop(values.insert(key.to_owned(), value));
    put("engine.revision", policy.engine_revision.to_string());
    put("asset.symbol", asset.symbol.clone());
    put("asset.decimals", asset.decimals.to_string());
    if let Some(caip19) = &asset.caip19 {
        put("asset.caip19", caip19.clone());
    }
    put("epochs.late_epochs", epochs.late_epochs.to_string());
    put("epochs.late_ppm", epochs.late.get().to_string());
    put("epochs.future_ms", epochs.future_ms.to_string());
    put("positions.h3_resolution", policy.h3_resolution.to_string());
    put("limits.devices_per_owner", policy.devices_per_owner.unwrap_or(0).to_string());
    if let Some(max) = emission.max_supply() {
        put("emission.max_supply_tokens", tokens(max));
    }
    for row in emission.rows() {
        // Padded, so that rows stay in order.
        put(&format!("emission.table.{:020}", row.from_epoch), tokens(row.amount));
    }
    for (schema, revision) in &policy.classes {
        put(&format!("classes.\"{schema}\".revision"), revision.to_string());
    }
    for (schema, fee) in &policy.fees {
        put(&format!("classes.\"{schema}\".fee_ppm"), fee.get().to_string());
    }
    for schema in &policy.bridged {
        put(&format!("classes.\"{schema}\".bridges"), true.to_string());
    }
    for pool in &policy.pools {
        let Pool { name, class, rule, share, cap_per_device } = pool;
        put(&format!("pools.{name}.class"), class.clone());
        put(&format!("pools.{name}.rule"), rule.name().to_owned());
        put(&format!("pools.{name}.share_ppm"), share.get().to_string());
        if let Some(cap) = cap_per_device {
            put(&format!("pools.{name}.cap_per_device_tokens"), tokens(*cap));
        }
        if let Rule::Flat { min_score } = rule {
            put(&format!("pools.{name}.min_score_ppm"), min_score.get().to_string());
        }
    }
    put(&format!("pools.{}.rule", residual.name), "residual".to_owned());
    let to = match &residual.to {
        Destination::Account(account) => account.to_string(),
        Destination::Burn => "burn".to_owned(),
        Destination::NextEpoch => "next-epoch".to_owned(),
    };
    put(&format!("pools.{}.to", residual.name), to);
    if let Some(credit) = &policy.credit {
        let chains: Vec<&str> = credit.chains.iter().map(|chain| chain.as_str()).collect();
        put("credit.chains", chains.join(", "));
    }
    for observer in &policy.observers {
        put(&format!("observers.{}.{}", observer.source, observer.key), observer.trust.name().to_owned());
    }
    values
}

/// What an account gets under two policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shift {
    /// Whose totals differ.
    pub account: Account,
    /// Base units under the old policy.
    pub old: Amount,
    /// Base units under the new one.
    pub new: Amount,
}

impl Shift {
    /// `Greater` for who gains, `Less` for who loses.
    #[must_use]
    pub fn direction(&self) -> Ordering {
        self.new.cmp(&self.old)
    }

    /// By how much, in base units.
    #[must_use]
    pub const fn difference(&self) -> Amount {
        Amount(self.new.0.abs_diff(self.old.0))
    }
}

/// Every account whose total differs, the largest difference first; equals stand in the order of accounts.
///
/// The totals are those of one epoch ([`crate::Outcome::totals`]) or of several, summed by [`crate::add_totals`].
#[must_use]
pub fn who_gains(old: &Totals, new: &Totals) -> Vec<Shift> {
    let mut both: BTreeMap<&Account, (Amount, Amount)> = BTreeMap::new();
    for (account, &amount) in old {
        both.entry(account).or_default().0 = amount;
    }
    for (account, &amount) in new {
        both.entry(account).or_default().1 = amount;
    }
    let differing = both.into_iter().filter(|(_, (old, new))| old != new);
    let mut shifts: Vec<Shift> =
        differing.map(|(account, (old, new))| Shift { account: account.clone(), old, new }).collect();
    // Stable: the map's order decides between equals.
    shifts.sort_by_key(|shift| Reverse(shift.difference()));
    shifts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DEFAULT_POLICY;

    fn policy(text: &str) -> Policy {
        Policy::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn only_values_that_differ_are_changes() {
        let old = policy(DEFAULT_POLICY);
        let reordered =
            DEFAULT_POLICY.replace("late_epochs = 4\n", "").replace("[epochs]", "[epochs]\nlate_epochs = 4");
        let commented = policy(&format!("# a comment\n{reordered}"));
        assert_ne!(old.hash(), commented.hash());
        assert_eq!(changes(&old, &commented), []);

        let edits = [
            ("share_ppm = 800_000", "share_ppm = 700_000", "pools.readings.share_ppm", Some("800000"), Some("700000")),
            ("cap_per_device_tokens = \"1000\"", "", "pools.presence.cap_per_device_tokens", Some("1000"), None),
            ("future_ms = 300_000", "future_ms = 1", "epochs.future_ms", Some("300000"), Some("1")),
            ("min_score_ppm = 500_000", "min_score_ppm = 0", "pools.presence.min_score_ppm", Some("500000"), Some("0")),
            ("\"12500\"", "\"0.5\"", "emission.table.00000000000000000312", Some("12500"), Some("0.5")),
            (
                "# caip19",
                "caip19",
                "asset.caip19",
                None,
                Some("eip155:1/erc20:0x0000000000000000000000000000000000000000"),
            ),
        ];
        for (from, to, key, was, now) in edits {
            assert!(DEFAULT_POLICY.contains(from), "{from}");
            let change = Change { key: key.to_owned(), old: was.map(str::to_owned), new: now.map(str::to_owned) };
            assert_eq!(changes(&old, &policy(&DEFAULT_POLICY.replacen(from, to, 1))), [change]);
        }
    }

    #[test]
    fn every_key_of_the_document_shows_when_it_changes() {
        let values = flat(&policy(DEFAULT_POLICY));
        let lines = DEFAULT_POLICY.lines().filter(|line| !line.starts_with('#') && line.contains(" = "));
        // Names and sources are part of the path, and the table's own line carries no value.
        let named = |line: &str| ["name =", "source =", "key =", "table ="].iter().any(|key| line.starts_with(key));
        assert_eq!(values.len(), lines.filter(|line| !named(line)).count());
    }

    #[test]
    fn the_largest_difference_stands_first_and_equals_do_not_show() {
        let account = |n: u8| Account::parse(&format!("eip155:1:0x{n:040x}")).unwrap();
        let totals = |rows: &[(u8, u128)]| rows.iter().map(|&(n, units)| (account(n), Amount(units))).collect();
        let old: Totals = totals(&[(1, 10), (2, 20), (3, 5), (4, 100)]);
        let new: Totals = totals(&[(1, 13), (2, 20), (4, 90), (5, 3)]);
        let shifts = who_gains(&old, &new);
        let rows: Vec<_> = shifts.iter().map(|s| (s.account.clone(), s.direction(), s.difference().0)).collect();
        let expected = [
            (account(4), Ordering::Less, 10),
            (account(3), Ordering::Less, 5),
            (account(1), Ordering::Greater, 3),
            (account(5), Ordering::Greater, 3),
        ];
        assert_eq!(rows, expected);
    }
}
