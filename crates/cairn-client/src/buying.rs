//! Buying without an account: what a gateway's till asks (HTTP 402), and a payment that answers it.
//!
//! Promises: no more is signed than the caller allows, on the chain and to the token that it names; a payment is handed to the
//! caller before it is sent anywhere, so that after a crash the same one is sent again and not another.

use cairn_api::{OrderTerms, Purchase};
use cairn_core::wallet::WalletKey;
use cairn_x402::{Payment, PaymentRequired, chain_of, header, pay};

use crate::{Client, ClientError};

const PATH: &str = "/v1/buy/compute";

/// How a gateway answers who wants to buy.
#[derive(Debug, Clone, PartialEq)]
pub enum Answered {
    /// This is to be paid: nothing was, or what was presented does not do, for the reason in it.
    Required(Box<PaymentRequired>),
    /// A payment was taken: how far its purchase is.
    Taken(Box<Purchase>),
}

/// Who pays, and what is allowed.
#[derive(Debug, Clone)]
pub struct Paying<'a> {
    /// The payer's key.
    pub key: &'a WalletKey,
    /// The most base units.
    pub most: u128,
    /// The chain's id (EIP-155).
    pub chain_id: u64,
    /// The token's contract, `0x` and 40 hexadecimal digits.
    pub token: &'a str,
    /// Seconds since 1970 UTC.
    pub now_s: u64,
    /// Random: whoever guesses it can have it used up.
    pub nonce: [u8; 32],
}

impl Client {
    /// Asks for a run under these terms, with a payment or without one. The same payment again is the same purchase, so it may be
    /// repeated until it is answered.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::Refused`] where it cannot be bought.
    pub fn buy_compute(&self, terms: &OrderTerms, payment: Option<&Payment>) -> Result<Answered, ClientError> {
        let body = serde_json::to_vec(terms).map_err(|error| self.unreadable(&error.to_string()))?;
        let header = payment.map(Payment::header);
        let header = header.as_ref().map(|(name, value)| (*name, value.as_str()));
        let exchanged = self.transport.exchange(PATH, &body, header, header::PAYMENT_REQUIRED)?;
        match (exchanged.status, &exchanged.header) {
            (402, Some(value)) => {
                let required = header::decode(value).map_err(|error| self.unreadable(&error.to_string()))?;
                Ok(Answered::Required(Box::new(required)))
            }
            (200 | 202 | 402 | 409, _) => {
                let purchase = serde_json::from_slice(&exchanged.body).map(Box::new).map(Answered::Taken);
                purchase.map_err(|_| self.transport.refusal(PATH, &exchanged))
            }
            _ => Err(self.transport.refusal(PATH, &exchanged)),
        }
    }

    /// What became of a payment, by its name.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn purchase(&self, payment: &str) -> Result<Purchase, ClientError> {
        self.transport.json(&format!("/v1/buy/payments/{payment}"), crate::client::JSON_BYTES_MAX)
    }

    fn unreadable(&self, reason: &str) -> ClientError {
        ClientError::Answer { url: self.transport.url(PATH), reason: reason.to_owned() }
    }
}

/// Buys a run with a payment of at most so much. `keep` is given the payment before it is sent: whoever crashes after that
/// presents it again by [`Client::buy_compute`].
///
/// # Errors
/// [`ClientError`]; [`ClientError::Answer`] where more is asked than is allowed, or on another chain, or of another token; what
/// `keep` says.
pub fn buy_with_payment<E: From<ClientError>>(
    client: &Client,
    terms: &OrderTerms,
    paying: &Paying<'_>,
    keep: impl FnOnce(&Payment) -> Result<(), E>,
) -> Result<Answered, E> {
    let required = match client.buy_compute(terms, None)? {
        Answered::Required(required) => required,
        taken @ Answered::Taken(_) => return Ok(taken),
    };
    check(client, &required, paying)?;
    let payment = pay(&required, paying.key, paying.now_s, paying.nonce);
    let payment = payment.map_err(|error| client.unreadable(&error.to_string()))?;
    keep(&payment)?;
    Ok(client.buy_compute(terms, Some(&payment))?)
}

fn check(client: &Client, required: &PaymentRequired, paying: &Paying<'_>) -> Result<(), ClientError> {
    let unreadable = |reason: String| Err(client.unreadable(&reason));
    let Some(way) = required.known_way() else {
        return unreadable("it takes no payment that is known here".to_owned());
    };
    if chain_of(&way.network) != Some(paying.chain_id) || !way.asset.eq_ignore_ascii_case(paying.token) {
        return unreadable(format!("it asks for {} on {}, which is not what is paid with", way.asset, way.network));
    }
    match way.amount.parse::<u128>() {
        Ok(amount) if amount <= paying.most => Ok(()),
        _ => unreadable(format!("it asks for {} base units, and {} are allowed", way.amount, paying.most)),
    }
}
