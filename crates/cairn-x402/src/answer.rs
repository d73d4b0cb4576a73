//! The payer's side: a payment that answers what is asked for.

use cairn_core::wallet::WalletKey;
use serde_json::Value;

use crate::authorization::{Authorization, TokenDomain, account_of};
use crate::word::{Word, bytes, parse_word, word_of};
use crate::{Payment, PaymentRequired, Version, X402Error, chain_of};

/// How long before now a payment begins to be valid, seconds: a chain's clock may be behind.
const BEFORE_S: u64 = 60;

/// Pays the first way that is `exact` on an EVM chain, valid from a minute before `now_s` for as long as was asked for. The
/// nonce has to be random: whoever guesses it can have it used up.
///
/// Whether the amount and whom it goes to are what the payer wants is for the caller to have looked at.
///
/// # Errors
/// `X402-SCHEME` where no way is known, `X402-FIELD` where it is not well formed.
pub fn pay(required: &PaymentRequired, key: &WalletKey, now_s: u64, nonce: Word) -> Result<Payment, X402Error> {
    let offered = || required.accepts.first().map_or_else(String::new, |way| way.scheme.clone());
    let way = required.known_way().ok_or_else(|| X402Error::Scheme { found: offered() })?;
    let field = |field, what| move || X402Error::Field { field, what };
    let text = |name: &'static str| {
        let found = way.extra.as_ref().and_then(|extra| extra.get(name)).and_then(Value::as_str);
        found.map(str::to_owned).ok_or_else(field("extra", "the `name` and `version` of the token's EIP-712 domain"))
    };
    let domain = TokenDomain {
        name: text("name")?,
        version: text("version")?,
        chain_id: chain_of(&way.network).ok_or_else(field("network", "an EVM chain"))?,
        token: bytes(&way.asset).ok_or_else(field("asset", "an address"))?,
    };
    let authorization = Authorization {
        from: account_of(key),
        to: bytes(&way.pay_to).ok_or_else(field("payTo", "an address"))?,
        value: parse_word(&way.amount).ok_or_else(field("amount", "a number"))?,
        valid_after: word_of(now_s.saturating_sub(BEFORE_S)),
        valid_before: word_of(now_s.saturating_add(way.max_timeout_seconds)),
        nonce,
    };
    Ok(Payment {
        version: Version::Second,
        scheme: way.scheme.clone(),
        network: way.network.clone(),
        accepted: Some(way.clone()),
        signed: authorization.sign(&domain, key),
    })
}
