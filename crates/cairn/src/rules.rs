//! Whether a class's policy and profile fit each other: the revision that the one names reads the form that the other has.
//!
//! Documents that do not fit are valid: they change one at a time, epochs close all the same, and slots are unscored. So
//! this warns and refuses nothing. It knows what the gateway says, and what is proposed.

use cairn_api::{NetworkInfo, RulesFrom};
use serde::Serialize;

/// A policy and a profile of one class that do not fit each other from an epoch on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Misfit {
    class: String,
    from_epoch: u64,
    /// The revision that the policy names.
    revision: u32,
    /// The revision that reads the profile.
    read_by: u32,
}

impl Misfit {
    /// What does not fit, if anything.
    #[must_use]
    pub fn of(class: &str, from_epoch: u64, revision: u32, read_by: u32) -> Option<Self> {
        (revision != read_by).then(|| Self { class: class.to_owned(), from_epoch, revision, read_by })
    }

    /// What does not fit of the rules that are logged.
    pub fn logged(rules: &[RulesFrom]) -> impl Iterator<Item = Self> + '_ {
        rules.iter().filter_map(|row| Self::of(&row.class, row.epoch, row.revision, row.read_by?))
    }

    /// In words, without a full stop.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { class, from_epoch, revision, read_by } = self;
        format!(
            "from epoch {from_epoch} on {class} is judged by revision {revision}, and its profile is for revision {read_by}: \
             slots are unscored and pay nothing (SEN-PROFILE)"
        )
    }

    /// The way out when the policy was proposed and the profile stays behind.
    #[must_use]
    pub fn profile_hint(&self) -> String {
        let Self { class, from_epoch, revision, .. } = self;
        format!(
            "log a profile for revision {revision} from the same epoch on: \
             cairn profile propose FILE --class {class} --from {from_epoch}"
        )
    }

    /// The way out when the profile was proposed and the policy stays behind.
    #[must_use]
    pub fn policy_hint(&self) -> String {
        let Self { class, from_epoch, read_by, .. } = self;
        format!(
            "log a policy with `revision = {read_by}` for {class} from the same epoch on: \
             cairn policy propose FILE --from {from_epoch}"
        )
    }
}

/// What the network has logged for a class and an epoch.
fn logged_for<'a>(network: &'a NetworkInfo, class: &str, epoch: u64) -> Option<&'a RulesFrom> {
    network.rules.iter().filter(|row| row.class == class && row.epoch <= epoch).max_by_key(|row| row.epoch)
}

/// What would not fit if a policy that names `classes` ruled from `epoch` on.
#[must_use]
pub fn under_policy<'a>(
    network: &NetworkInfo,
    classes: impl Iterator<Item = (&'a String, &'a u32)>,
    epoch: u64,
) -> Vec<Misfit> {
    let misfit = |(class, &revision): (&'a String, &'a u32)| {
        Misfit::of(class, epoch, revision, logged_for(network, class, epoch)?.read_by?)
    };
    classes.filter_map(misfit).collect()
}

/// What would not fit if a profile that is read by a revision of the class ruled from `epoch` on.
#[must_use]
pub fn under_profile(network: &NetworkInfo, class: &str, read_by: u32, epoch: u64) -> Option<Misfit> {
    Misfit::of(class, epoch, logged_for(network, class, epoch)?.revision, read_by)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const CLASS: &str = "sensing/1";

    fn row(epoch: u64, revision: u32, read_by: Option<u32>) -> RulesFrom {
        RulesFrom { class: CLASS.to_owned(), epoch, revision, profile_hash: None, read_by }
    }

    fn network(rules: Vec<RulesFrom>) -> NetworkInfo {
        let text = String::new;
        NetworkInfo {
            name: text(),
            network_id: text(),
            origin: text(),
            operator: text(),
            log_vkey: text(),
            promise_vkey: text(),
            size: 0,
            log_root: text(),
            epoch: 3,
            last_closed: None,
            epoch_zero_ms: 0,
            epoch_ms: 1,
            grace_ms: 0,
            time_ms: 0,
            rehearsed: Vec::new(),
            asset: None,
            policy_hash: None,
            h3_resolution: 8,
            deposits: BTreeMap::new(),
            domains: Vec::new(),
            classes: Vec::new(),
            rules,
            devices: 0,
        }
    }

    #[test]
    fn a_document_is_held_against_the_one_in_force_at_its_first_epoch() {
        let network = network(vec![row(3, 1, Some(1)), row(7, 2, Some(1)), row(9, 2, Some(2))]);
        for (epoch, revision, misfits) in
            [(4, 1, false), (4, 2, true), (7, 1, false), (8, 2, true), (9, 2, false), (50, 1, true)]
        {
            let classes = BTreeMap::from([(CLASS.to_owned(), revision)]);
            assert_eq!(!under_policy(&network, classes.iter(), epoch).is_empty(), misfits, "policy from {epoch}");
        }
        for (epoch, read_by, misfits) in [(4, 1, false), (4, 2, true), (7, 2, false), (8, 1, true), (9, 1, true)] {
            assert_eq!(under_profile(&network, CLASS, read_by, epoch).is_some(), misfits, "profile from {epoch}");
        }
        let logged: Vec<u64> = Misfit::logged(&network.rules).map(|misfit| misfit.from_epoch).collect();
        assert_eq!(logged, [7]);
    }

    #[test]
    fn what_is_not_known_to_be_there_is_not_warned_of() {
        let classes = BTreeMap::from([("other/1".to_owned(), 1), (CLASS.to_owned(), 2)]);
        for network in [network(Vec::new()), network(vec![row(5, 1, Some(1))]), network(vec![row(3, 2, None)])] {
            assert_eq!(under_policy(&network, classes.iter(), 4), []);
        }
        assert_eq!(under_profile(&network(Vec::new()), CLASS, 2, 4), None);
    }

    #[test]
    fn the_way_out_names_the_other_document_and_the_epoch() {
        let misfit = Misfit::of(CLASS, 7, 2, 1).unwrap();
        assert!(misfit.text().contains("revision 2") && misfit.text().contains("epoch 7"), "{}", misfit.text());
        assert!(misfit.profile_hint().contains("a profile for revision 2"), "{}", misfit.profile_hint());
        assert!(misfit.policy_hint().contains("`revision = 1`"), "{}", misfit.policy_hint());
    }
}
