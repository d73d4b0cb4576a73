//! What buyers have paid in and not spent.

use serde::{Deserialize, Serialize};

use crate::EpochRef;

/// What a buyer holds of one asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CreditInfo {
    /// `<chain>/native` for the network's own asset, paid in on that chain, which is part of the escrow in the epochs' balances;
    /// else the CAIP-19 id of a token, which is in no balance.
    pub asset: String,
    /// The symbol of the network's own asset; absent for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// Decimals of one token of the network's own asset; absent for others, whose contract says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decimals: Option<u8>,
    /// Base units of the asset; never zero.
    pub amount: String,
}

/// `GET /v1/credits/{buyer}`: as of the last entry, not of the last closed epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CreditList {
    /// The buyer, 32 bytes hexadecimal; an EVM address is padded with zeros on the left.
    pub buyer: String,
    /// Per asset; empty for one who paid nothing in.
    pub credits: Vec<CreditInfo>,
    /// The last closed epoch; what was paid in since is in no statement yet.
    pub last_closed: Option<EpochRef>,
}
