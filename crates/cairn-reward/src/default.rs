//! The policy that a new network starts with.

use cairn_core::Account;
use cairn_core::key::PublicKey;

/// The document that a new network starts with, commented for those who edit it. It is a valid policy; three values are
/// examples, which [`default_policy`] replaces: the symbol, the residual pool's account and the observer's key.
pub const DEFAULT_POLICY: &str = include_str!("default_policy.toml");

/// The example symbol.
const PLACEHOLDER_SYMBOL: &str = "TOKEN";
/// The example account, whose key nobody has; [`crate::Policy::check`] warns of it.
pub(crate) const PLACEHOLDER_TREASURY: &str = "eip155:31337:0x000000000000000000000000000000000000dead";
/// The example key: a test vector of the did:key specification.
const PLACEHOLDER_OBSERVER: &str = "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp";

/// The starting policy of a network: [`DEFAULT_POLICY`] with its own symbol, treasury and observer. The symbol is
/// checked when the document is read, by [`crate::Policy::parse`].
#[must_use]
pub fn default_policy(symbol: &str, treasury: &Account, observer: &PublicKey) -> String {
    DEFAULT_POLICY
        .replace(&format!("symbol = \"{PLACEHOLDER_SYMBOL}\""), &format!("symbol = \"{symbol}\""))
        .replace(PLACEHOLDER_TREASURY, &treasury.to_string())
        .replace(PLACEHOLDER_OBSERVER, &observer.did())
}

#[cfg(test)]
mod tests {
    use cairn_core::key::SecretKey;

    use super::*;
    use crate::Policy;
    use crate::policy::Destination;

    #[test]
    fn the_default_document_is_a_policy_and_its_warnings_name_what_is_not_decided_yet() {
        let policy = Policy::parse(DEFAULT_POLICY.as_bytes()).unwrap();
        let expected = [
            "asset.caip19 is not set: payouts are counted, but no token pays them yet",
            "pool treasury: to is the example account, whose key nobody has",
            "source clock: believed on the operator's word alone",
        ];
        assert_eq!(policy.check(), expected);
    }

    #[test]
    fn a_new_network_has_its_own_names_in_the_document() {
        let treasury = Account::parse("eip155:8453:0x00000000000000000000000000000000000000ab").unwrap();
        let observer = SecretKey::ed25519([7; 32]).public();
        let policy = Policy::parse(default_policy("WALK", &treasury, &observer).as_bytes()).unwrap();
        assert_eq!(policy.asset.symbol, "WALK");
        assert_eq!(policy.residual.to, Destination::Account(treasury));
        assert_eq!(policy.observers[0].key, observer);
        assert!(policy.check().iter().all(|warning| !warning.contains("example")));
    }
}
