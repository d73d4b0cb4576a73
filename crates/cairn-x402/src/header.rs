//! Headers: base64 of one JSON document, within a bound.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::X402Error;

/// Server to client, version 2: what is asked for.
pub const PAYMENT_REQUIRED: &str = "payment-required";
/// Client to server, version 2: the payment.
pub const PAYMENT_SIGNATURE: &str = "payment-signature";
/// Server to client, version 2: what became of it.
pub const PAYMENT_RESPONSE: &str = "payment-response";
/// Client to server, version 1: the payment.
pub const X_PAYMENT: &str = "x-payment";
/// Server to client, version 1: what became of it.
pub const X_PAYMENT_RESPONSE: &str = "x-payment-response";

/// Characters of a header that are read at most; a payment has about two thousand.
pub const HEADER_BYTES_MAX: usize = 16 << 10;

/// As it is written; what is read may leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A document as a header's value.
#[must_use]
pub fn encode<T: Serialize>(document: &T) -> String {
    BASE64.encode(serde_json::to_vec(document).expect("texts, numbers and maps by text are always written"))
}

/// A header's value as a document.
///
/// # Errors
/// `X402-LONG`, `X402-BASE64`, `X402-JSON`.
pub fn decode<T: DeserializeOwned>(value: &str) -> Result<T, X402Error> {
    if value.len() > HEADER_BYTES_MAX {
        return Err(X402Error::Long { bytes: value.len(), bytes_max: HEADER_BYTES_MAX });
    }
    let json = BASE64.decode(value.as_bytes()).map_err(|_| X402Error::Base64)?;
    serde_json::from_slice(&json).map_err(|error| X402Error::Json { what: error.to_string() })
}
