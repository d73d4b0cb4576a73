//! How an epoch's pay is spread.

use serde::{Deserialize, Serialize};

/// One bar of a histogram of pay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PayBucket {
    /// Accounts that earned this or more, base units,
    pub from: String,
    /// and less than this.
    pub to: String,
    /// How many they are.
    pub accounts: u64,
    /// What they earned together, base units.
    pub paid: String,
}

/// How an epoch's pay is spread over the accounts that earned for devices; the residual pool's account is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DistributionInfo {
    /// Accounts that earned more than nothing.
    pub accounts: u64,
    /// What they earned together, base units.
    pub total: String,
    /// The least that one of them earned, base units.
    pub smallest: String,
    /// What the middle one earned, base units; of an even number the lower of the two.
    pub median: String,
    /// The most that one of them earned, base units.
    pub largest: String,
    /// The Gini coefficient in parts per million, rounded down: 0 when all earn the same.
    pub gini_ppm: u32,
    /// How many the best-paid hundredth of the accounts are, rounded up.
    pub top_accounts: u64,
    /// Their part of the total in parts per million, rounded down.
    pub top_ppm: u32,
    /// The histogram, ascending.
    pub buckets: Vec<PayBucket>,
}
