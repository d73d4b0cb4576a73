//! Where a page's numbers come from, and what of the network is not real.

use cairn_api::EpochRef;
use serde::Serialize;

/// What every page and every twin says first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Source {
    /// The network's name.
    pub network: String,
    /// SHA-256 of the genesis payload.
    pub network_id: String,
    /// The epoch statement that the numbers come from; `null` before the first epoch has closed.
    pub as_of: Option<EpochRef>,
    /// What is rehearsed; empty for a network that pretends nothing.
    pub rehearsed: Vec<String>,
}
