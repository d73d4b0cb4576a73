//! What a payer sends: read within bounds from a header or a document, and nothing about it verified.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::authorization::{Authorization, Signed};
use crate::word::{bytes, decimal_text, hex};
use crate::{Requirements, Resource, X402Error, header, parse_word};

/// The protocol's versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// `X-PAYMENT`, and what is asked for in the body.
    First,
    /// `PAYMENT-SIGNATURE`, and what is asked for in a header.
    Second,
}

/// A payment by the scheme `exact` on an EVM chain, or by whatever scheme and network it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// The version that it came in.
    pub version: Version,
    /// How, as the payer says.
    pub scheme: String,
    /// Where, as the payer says.
    pub network: String,
    /// What the payer accepted; version 1 does not say.
    pub accepted: Option<Requirements>,
    /// What the payer signed.
    pub signed: Signed,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SecondJson {
    x402_version: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resource: Option<Resource>,
    accepted: Requirements,
    payload: ExactJson,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    extensions: Option<Map<String, Value>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FirstJson {
    x402_version: u64,
    scheme: String,
    network: String,
    payload: ExactJson,
}

#[derive(Serialize, Deserialize)]
struct ExactJson {
    signature: String,
    authorization: AuthorizationJson,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AuthorizationJson {
    from: String,
    to: String,
    value: String,
    valid_after: String,
    valid_before: String,
    nonce: String,
}

impl Payment {
    /// Reads a header's value of either version; what the document says of its version has to be that of its header.
    ///
    /// # Errors
    /// [`X402Error`] of what is malformed.
    pub fn from_header(version: Version, value: &str) -> Result<Self, X402Error> {
        Self::of(version, header::decode(value)?)
    }

    /// Reads a document of either version, as other transports carry it.
    ///
    /// # Errors
    /// [`X402Error`] of what is malformed.
    pub fn from_document(document: Value) -> Result<Self, X402Error> {
        match document.get("x402Version").and_then(Value::as_u64) {
            Some(1) => Self::of(Version::First, document),
            Some(2) => Self::of(Version::Second, document),
            Some(found) => Err(X402Error::Version { found }),
            None => Err(X402Error::Json { what: "`x402Version` is missing".to_owned() }),
        }
    }

    fn of(version: Version, document: Value) -> Result<Self, X402Error> {
        let refused = |error: serde_json::Error| X402Error::Json { what: error.to_string() };
        // The version first: a document of another has other fields.
        let said = document.get("x402Version").and_then(Value::as_u64);
        match (version, said) {
            (Version::Second, Some(2)) => {
                let json: SecondJson = serde_json::from_value(document).map_err(refused)?;
                let (scheme, network) = (json.accepted.scheme.clone(), json.accepted.network.clone());
                let signed = json.payload.read()?;
                Ok(Self { version, scheme, network, accepted: Some(json.accepted), signed })
            }
            (Version::First, Some(1)) => {
                let json: FirstJson = serde_json::from_value(document).map_err(refused)?;
                let signed = json.payload.read()?;
                Ok(Self { version, scheme: json.scheme, network: json.network, accepted: None, signed })
            }
            (_, Some(found)) => Err(X402Error::Version { found }),
            (_, None) => Err(X402Error::Json { what: "`x402Version` is missing".to_owned() }),
        }
    }

    /// The document that [`Payment::from_document`] reads.
    #[must_use]
    pub fn document(&self) -> Value {
        let payload = ExactJson::of(&self.signed);
        let written = match &self.accepted {
            Some(accepted) => serde_json::to_value(SecondJson {
                x402_version: 2,
                resource: None,
                accepted: accepted.clone(),
                payload,
                extensions: None,
            }),
            None => serde_json::to_value(FirstJson {
                x402_version: 1,
                scheme: self.scheme.clone(),
                network: self.network.clone(),
                payload,
            }),
        };
        written.expect("texts, numbers and maps by text are always written")
    }

    /// The header that carries it, and its value.
    #[must_use]
    pub fn header(&self) -> (&'static str, String) {
        let name = match self.version {
            Version::First => header::X_PAYMENT,
            Version::Second => header::PAYMENT_SIGNATURE,
        };
        (name, header::encode(&self.document()))
    }
}

impl ExactJson {
    fn of(signed: &Signed) -> Self {
        let authorization = &signed.authorization;
        Self {
            signature: hex(&signed.signature),
            authorization: AuthorizationJson {
                from: hex(&authorization.from),
                to: hex(&authorization.to),
                value: decimal_text(&authorization.value),
                valid_after: decimal_text(&authorization.valid_after),
                valid_before: decimal_text(&authorization.valid_before),
                nonce: hex(&authorization.nonce),
            },
        }
    }

    fn read(&self) -> Result<Signed, X402Error> {
        let field = |field, what| move || X402Error::Field { field, what };
        const ADDRESS: &str = "`0x` and 40 hexadecimal digits";
        const NUMBER: &str = "a number of at most 256 bits, decimal or hexadecimal behind `0x`";
        let said = &self.authorization;
        let authorization = Authorization {
            from: bytes(&said.from).ok_or_else(field("from", ADDRESS))?,
            to: bytes(&said.to).ok_or_else(field("to", ADDRESS))?,
            value: parse_word(&said.value).ok_or_else(field("value", NUMBER))?,
            valid_after: parse_word(&said.valid_after).ok_or_else(field("validAfter", NUMBER))?,
            valid_before: parse_word(&said.valid_before).ok_or_else(field("validBefore", NUMBER))?,
            nonce: parse_word(&said.nonce).ok_or_else(field("nonce", NUMBER))?,
        };
        let signature = bytes(&self.signature).ok_or_else(field("signature", "`0x` and 130 hexadecimal digits"))?;
        Ok(Signed { authorization, signature })
    }
}
