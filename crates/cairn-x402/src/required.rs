//! What a server says: what is to be paid, in both versions of the protocol, and what became of a payment.
//!
//! Fields that are not named here are passed over: the protocol grows by extensions, and nothing in them is relied on.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{EXACT, chain_of};

/// What is bought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    /// Its address.
    pub url: String,
    /// What it is, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The media type of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
}

/// One way to pay, version 2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Requirements {
    /// How: `exact`.
    pub scheme: String,
    /// Where: CAIP-2.
    pub network: String,
    /// How much: decimal base units.
    pub amount: String,
    /// Of what: the token's contract.
    pub asset: String,
    /// To whom.
    pub pay_to: String,
    /// How long the payment should be valid, seconds.
    pub max_timeout_seconds: u64,
    /// What the scheme needs besides: `exact` on EVM chains the `name` and `version` of the token's EIP-712 domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<Map<String, Value>>,
}

/// What is to be paid, version 2: the header `PAYMENT-REQUIRED`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentRequired {
    /// 2.
    pub x402_version: u64,
    /// Why it is asked for, or why what was paid does not do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What is bought.
    pub resource: Resource,
    /// Ways to pay; any one will do.
    pub accepts: Vec<Requirements>,
    /// Extensions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extensions: Option<Map<String, Value>>,
}

/// One way to pay, version 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FirstRequirements {
    /// How: `exact`.
    pub scheme: String,
    /// Where: a name of the first version, or CAIP-2.
    pub network: String,
    /// How much: decimal base units.
    pub max_amount_required: String,
    /// Of what: the token's contract.
    pub asset: String,
    /// To whom.
    pub pay_to: String,
    /// The address of what is bought.
    pub resource: String,
    /// What it is, for people.
    pub description: String,
    /// The media type of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// How long the payment should be valid, seconds.
    pub max_timeout_seconds: u64,
    /// The `name` and `version` of the token's EIP-712 domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<Map<String, Value>>,
}

/// What is to be paid, version 1: the body of an answer with status 402.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FirstRequired {
    /// 1.
    pub x402_version: u64,
    /// Why it is asked for, or why what was paid does not do.
    pub error: String,
    /// Ways to pay; any one will do.
    pub accepts: Vec<FirstRequirements>,
}

/// What became of a payment: the headers `PAYMENT-RESPONSE` and `X-PAYMENT-RESPONSE`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SettlementResponse {
    /// Whether the money was moved.
    pub success: bool,
    /// Why not, in the protocol's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_reason: Option<String>,
    /// The transaction; empty where there is none.
    #[serde(default)]
    pub transaction: String,
    /// The chain, as the version calls it.
    pub network: String,
    /// Who paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer: Option<String>,
}

impl PaymentRequired {
    /// The same for a client of the first version.
    #[must_use]
    pub fn first(&self) -> FirstRequired {
        let accepts = self.accepts.iter().map(|way| FirstRequirements {
            scheme: way.scheme.clone(),
            network: chain_of(&way.network).map_or_else(|| way.network.clone(), crate::first_name),
            max_amount_required: way.amount.clone(),
            asset: way.asset.clone(),
            pay_to: way.pay_to.clone(),
            resource: self.resource.url.clone(),
            description: self.resource.description.clone().unwrap_or_default(),
            mime_type: self.resource.mime_type.clone(),
            max_timeout_seconds: way.max_timeout_seconds,
            extra: way.extra.clone(),
        });
        FirstRequired { x402_version: 1, error: self.error.clone().unwrap_or_default(), accepts: accepts.collect() }
    }

    /// The first way to pay that this crate knows: `exact` on an EVM chain.
    #[must_use]
    pub fn known_way(&self) -> Option<&Requirements> {
        self.accepts.iter().find(|way| way.scheme == EXACT && chain_of(&way.network).is_some())
    }
}
