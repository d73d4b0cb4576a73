//! Why a payment is refused: a message, a stable code, and the protocol's own word for it.

use thiserror::Error;

/// Why a payment is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum X402Error {
    /// A header or document is longer than any payment.
    #[error("the payment has {bytes} bytes, and at most {bytes_max} are read")]
    Long {
        /// Its length.
        bytes: usize,
        /// The bound.
        bytes_max: usize,
    },
    /// A header is not base64.
    #[error("the payment is not base64")]
    Base64,
    /// It is not the JSON that was expected.
    #[error("the payment is not what the protocol says: {what}")]
    Json {
        /// What the parser says.
        what: String,
    },
    /// Another version of the protocol.
    #[error("x402 version {found} is not known here")]
    Version {
        /// What was said.
        found: u64,
    },
    /// A field holds what it cannot.
    #[error("`{field}` is not {what}")]
    Field {
        /// Which field.
        field: &'static str,
        /// What it should be.
        what: &'static str,
    },
    /// Another scheme.
    #[error("the scheme `{found}` is not taken; only `exact` is")]
    Scheme {
        /// What was said.
        found: String,
    },
    /// Another chain.
    #[error("the payment is on `{found}`, and `{expected}` was asked for")]
    Network {
        /// What was said.
        found: String,
        /// What was asked for.
        expected: String,
    },
    /// What the payer says it accepted is not what was asked for.
    #[error("the payer accepted another `{field}` than was asked for")]
    Accepted {
        /// Which field differs.
        field: &'static str,
    },
    /// To somebody else.
    #[error("the payment is to another account than was asked for")]
    Recipient,
    /// Another amount.
    #[error("the payment is of {found} base units, and {expected} were asked for")]
    Value {
        /// What was signed.
        found: String,
        /// What was asked for.
        expected: String,
    },
    /// Too early.
    #[error("the payment is not valid yet")]
    NotYet,
    /// Too late, or so soon too late that it could not be settled.
    #[error("the payment has expired, or will before it can be settled")]
    Expired,
    /// Valid for longer than anybody would watch it.
    #[error("the payment is valid for longer than {seconds_max} seconds from now")]
    LongLived {
        /// How long it may be.
        seconds_max: u64,
    },
    /// Not the payer's signature over what it stands beside.
    #[error("the signature is not the payer's over this payment")]
    Signature,
    /// The payer does not have so much.
    #[error("the payer does not have the amount")]
    Funds,
    /// The nonce was used or cancelled.
    #[error("the payment's nonce was used before, or the payer cancelled it")]
    Nonce,
    /// The chain refuses it for another reason.
    #[error("the chain refuses the payment: {what}")]
    Refused {
        /// What the contract says.
        what: String,
    },
}

impl X402Error {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Long { .. } => "X402-LONG",
            Self::Base64 => "X402-BASE64",
            Self::Json { .. } => "X402-JSON",
            Self::Version { .. } => "X402-VERSION",
            Self::Field { .. } => "X402-FIELD",
            Self::Scheme { .. } => "X402-SCHEME",
            Self::Network { .. } => "X402-NETWORK",
            Self::Accepted { .. } => "X402-ACCEPTED",
            Self::Recipient => "X402-RECIPIENT",
            Self::Value { .. } => "X402-VALUE",
            Self::NotYet => "X402-NOT-YET",
            Self::Expired => "X402-EXPIRED",
            Self::LongLived { .. } => "X402-LONG-LIVED",
            Self::Signature => "X402-SIGNATURE",
            Self::Funds => "X402-FUNDS",
            Self::Nonce => "X402-NONCE",
            Self::Refused { .. } => "X402-REFUSED",
        }
    }

    /// The protocol's `invalidReason` or `errorReason` (specification of version 2, section 9).
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Long { .. } | Self::Base64 | Self::Json { .. } | Self::Field { .. } => "invalid_payload",
            Self::Version { .. } => "invalid_x402_version",
            Self::Scheme { .. } => "unsupported_scheme",
            Self::Network { .. } => "invalid_network",
            Self::Accepted { .. } => "invalid_payment_requirements",
            Self::Recipient => "invalid_exact_evm_payload_recipient_mismatch",
            Self::Value { .. } => "invalid_exact_evm_payload_authorization_value",
            Self::NotYet => "invalid_exact_evm_payload_authorization_valid_after",
            Self::Expired | Self::LongLived { .. } => "invalid_exact_evm_payload_authorization_valid_before",
            Self::Signature => "invalid_exact_evm_payload_signature",
            Self::Funds => "insufficient_funds",
            Self::Nonce | Self::Refused { .. } => "invalid_transaction_state",
        }
    }

    /// Whether it is no payment at all (HTTP 400), and not one that is refused (402).
    #[must_use]
    pub const fn is_malformed(&self) -> bool {
        matches!(self, Self::Long { .. } | Self::Base64 | Self::Json { .. } | Self::Version { .. } | Self::Field { .. })
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Long { .. } | Self::Base64 | Self::Json { .. } | Self::Field { .. } => {
                "send the payment as base64 of one JSON document, as the protocol's `exact` scheme on EVM says"
            }
            Self::Version { .. } => "versions 1 (X-PAYMENT) and 2 (PAYMENT-SIGNATURE) are understood",
            Self::Scheme { .. } | Self::Network { .. } | Self::Accepted { .. } | Self::Recipient => {
                "pay what the answer with status 402 asks for, field by field"
            }
            Self::Value { .. } => "the price may have changed: sign the amount of the last answer with status 402",
            Self::NotYet | Self::Expired | Self::LongLived { .. } => {
                "sign anew, with a window around the present that lasts as long as was asked for"
            }
            Self::Signature => "sign with the payer's own key, in the token's EIP-712 domain that `extra` names",
            Self::Funds => "nothing was moved: put tokens on the payer's account and send the same payment again",
            Self::Nonce => "sign anew with another nonce; a nonce moves money once",
            Self::Refused { .. } => "nothing was moved",
        }
    }
}
