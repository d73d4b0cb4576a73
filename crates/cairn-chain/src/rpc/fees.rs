//! What gas costs, as the node sees it, and no more than is allowed.

use serde_json::json;

use super::Rpc;
use super::hex::Quantity;
use super::read::FeeHistoryJson;
use super::refusal::Meaning;
use super::transport::NoResult;
use crate::{Chain, ChainError, Fees};

/// Blocks that are looked back on for what others paid.
const HISTORY_BLOCKS: &str = "0xa";
/// The one of a hundred, by what they paid, whose payment is taken.
const HISTORY_PERCENTILE: u8 = 50;

/// Room for the base fee to double, which takes six full blocks; then what the node suggests. Where that is more than
/// allowed, up to what is allowed, while that suffices for the next block.
pub(super) fn fees(rpc: &Rpc) -> Result<Fees, ChainError> {
    let allowed = rpc.options.max_fee_wei;
    let too_dear = |price| ChainError::TooDear { chain: rpc.name(), price, allowed };
    let Some(base) = rpc.head()?.base_fee else {
        let price = gas_price(rpc)?;
        return if price <= allowed { Ok(Fees::Legacy { price }) } else { Err(too_dear(price)) };
    };
    let priority = priority(rpc, base)?;
    let needed = base.saturating_add(priority);
    if needed > allowed {
        return Err(too_dear(needed));
    }
    Ok(Fees::Dynamic { max: needed.saturating_add(base).min(allowed), priority })
}

/// What `eth_gasPrice` says.
fn gas_price(rpc: &Rpc) -> Result<u128, ChainError> {
    rpc.value("eth_gasPrice", &json!([])).map(|Quantity(price)| price)
}

/// What goes to who builds the block: as the node suggests it, as others paid it, or what the node's price leaves.
fn priority(rpc: &Rpc, base: u128) -> Result<u128, ChainError> {
    if let Some(Quantity(priority)) = optional(rpc, "eth_maxPriorityFeePerGas", &json!([]))? {
        return Ok(priority);
    }
    let params = json!([HISTORY_BLOCKS, "latest", [HISTORY_PERCENTILE]]);
    let history: Option<FeeHistoryJson> = optional(rpc, "eth_feeHistory", &params)?;
    let rewards = history.map_or_else(Vec::new, |history| history.reward);
    let mut rewards: Vec<u128> = rewards.iter().filter_map(|row| row.first()).map(|reward| reward.0).collect();
    rewards.sort_unstable();
    match rewards.get(rewards.len() / 2) {
        Some(median) => Ok(*median),
        None => Ok(gas_price(rpc)?.saturating_sub(base)),
    }
}

/// The result of a method that not every node has.
fn optional<T: serde::de::DeserializeOwned>(
    rpc: &Rpc,
    method: &str,
    params: &serde_json::Value,
) -> Result<Option<T>, ChainError> {
    match rpc.try_value(method, params) {
        Ok(result) => Ok(result),
        Err(NoResult::Refused(error)) if matches!(error.meaning(), Meaning::Unknown | Meaning::Other) => Ok(None),
        Err(error) => Err(rpc.plain(method, error)),
    }
}
