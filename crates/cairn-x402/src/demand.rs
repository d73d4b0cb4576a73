//! What is asked for, and whether a payment is that.

use cairn_core::Hash;
use serde_json::{Map, Value};

use crate::authorization::{EvmAddress, Signed, TokenDomain};
use crate::network::caip2;
use crate::word::{decimal_text, hex, small};
use crate::{EXACT, Payment, PaymentRequired, Requirements, Resource, X402Error, chain_of, word_of};

/// What is asked for: an amount of a token, to an account, within a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// The token, and its chain.
    pub domain: TokenDomain,
    /// Who is paid.
    pub pay_to: EvmAddress,
    /// Base units: no fewer.
    pub amount: u128,
    /// Base units: no more. The same as `amount` for whoever gives no change.
    pub amount_max: u128,
    /// How long a payment should be valid, seconds.
    pub timeout_s: u64,
    /// How long settling may take, seconds: a payment that expires sooner is refused.
    pub settle_s: u64,
    /// How long a payment may be valid from now, seconds: until then whoever is paid has to watch it.
    pub watch_s: u64,
}

/// The name of a payment: a token takes it once, so whatever it pays for is had once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PaymentId(pub Hash);

impl core::fmt::Display for PaymentId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.0.to_hex())
    }
}

impl PaymentId {
    /// SHA-256 over a context, the chain, the token, the payer and the nonce.
    #[must_use]
    pub fn of(domain: &TokenDomain, signed: &Signed) -> Self {
        let Signed { authorization, .. } = signed;
        Self(Hash::of(
            &[
                &b"cairn/payment/1"[..],
                &domain.chain_id.to_be_bytes(),
                &domain.token,
                &authorization.from,
                &authorization.nonce,
            ]
            .concat(),
        ))
    }

    /// From 64 hexadecimal digits.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        Hash::from_hex(text).map(Self)
    }
}

/// A payment that is what was asked for. That its money is there is for the chain to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paid {
    /// Its name.
    pub id: PaymentId,
    /// Who pays.
    pub payer: EvmAddress,
    /// Base units.
    pub amount: u128,
    /// What the payer signed.
    pub signed: Signed,
}

impl Demand {
    /// What an answer with status 402 says; `extra` goes beside the token's domain.
    #[must_use]
    pub fn required(&self, resource: Resource, error: &str, extra: Map<String, Value>) -> PaymentRequired {
        let mut extra = extra;
        extra.insert("name".to_owned(), self.domain.name.clone().into());
        extra.insert("version".to_owned(), self.domain.version.clone().into());
        let way = Requirements {
            scheme: EXACT.to_owned(),
            network: caip2(self.domain.chain_id),
            amount: self.amount.to_string(),
            asset: hex(&self.domain.token),
            pay_to: hex(&self.pay_to),
            max_timeout_seconds: self.timeout_s,
            extra: Some(extra),
        };
        PaymentRequired {
            x402_version: 2,
            error: Some(error.to_owned()),
            resource,
            accepts: vec![way],
            extensions: None,
        }
    }

    /// Whether a payment is what is asked for, at `now_s` seconds since 1970 UTC.
    ///
    /// # Errors
    /// [`X402Error`] of the first thing that is not. The signature is checked last, as it costs most.
    pub fn check(&self, payment: &Payment, now_s: u64) -> Result<Paid, X402Error> {
        if payment.scheme != EXACT {
            return Err(X402Error::Scheme { found: payment.scheme.clone() });
        }
        if chain_of(&payment.network) != Some(self.domain.chain_id) {
            let expected = caip2(self.domain.chain_id);
            return Err(X402Error::Network { found: payment.network.clone(), expected });
        }
        let signed = payment.signed;
        let authorization = &signed.authorization;
        if authorization.to != self.pay_to {
            return Err(X402Error::Recipient);
        }
        let amount = small(&authorization.value).filter(|amount| (self.amount..=self.amount_max).contains(amount));
        let Some(amount) = amount else {
            let found = decimal_text(&authorization.value);
            return Err(X402Error::Value { found, expected: self.amount.to_string() });
        };
        if let Some(accepted) = &payment.accepted {
            self.check_accepted(accepted, amount)?;
        }
        if word_of(now_s) <= authorization.valid_after {
            return Err(X402Error::NotYet);
        }
        if word_of(now_s.saturating_add(self.settle_s)) >= authorization.valid_before {
            return Err(X402Error::Expired);
        }
        if authorization.valid_before > word_of(now_s.saturating_add(self.watch_s)) {
            return Err(X402Error::LongLived { seconds_max: self.watch_s });
        }
        if !signed.is_the_payers(&self.domain) {
            return Err(X402Error::Signature);
        }
        Ok(Paid { id: PaymentId::of(&self.domain, &signed), payer: authorization.from, amount, signed })
    }

    /// What the payer says it accepted has to be what was asked for and what it signed.
    fn check_accepted(&self, accepted: &Requirements, amount: u128) -> Result<(), X402Error> {
        let extra = |name| accepted.extra.as_ref().and_then(|extra| extra.get(name)).and_then(Value::as_str);
        let same_text = |said: Option<&str>, is: &str| said.is_none_or(|said| said == is);
        let differs = if !is_address(&accepted.asset, &self.domain.token) {
            Some("asset")
        } else if !is_address(&accepted.pay_to, &self.pay_to) {
            Some("payTo")
        } else if accepted.amount.parse() != Ok(amount) {
            Some("amount")
        } else if !same_text(extra("name"), &self.domain.name) {
            Some("extra.name")
        } else if !same_text(extra("version"), &self.domain.version) {
            Some("extra.version")
        } else {
            None
        };
        differs.map_or(Ok(()), |field| Err(X402Error::Accepted { field }))
    }
}

fn is_address(text: &str, address: &EvmAddress) -> bool {
    crate::word::bytes::<20>(text).as_ref() == Some(address)
}
