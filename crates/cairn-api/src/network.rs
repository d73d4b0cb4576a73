//! The network and its devices.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// An epoch statement by its number and hash: the source that a number cites.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct EpochRef {
    /// The epoch.
    pub number: u64,
    /// SHA-256 of its statement.
    pub statement: String,
}

/// What is paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AssetInfo {
    /// The symbol.
    pub symbol: String,
    /// One token is `10^decimals` base units.
    pub decimals: u8,
}

/// A class that the network judges.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ClassRules {
    /// The schema, such as `sensing/1`.
    pub class: String,
    /// The judge's rules revision.
    pub revision: u32,
    /// SHA-256 of the profile in force, if there is one.
    pub profile_hash: Option<String>,
}

/// What a class is judged by from an epoch on, until the next such epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RulesFrom {
    /// The schema, such as `sensing/1`.
    pub class: String,
    /// The first epoch.
    pub epoch: u64,
    /// The judge's rules revision that the policy names.
    pub revision: u32,
    /// SHA-256 of the profile, if there is one.
    pub profile_hash: Option<String>,
    /// The revision of the judge that reads the profile. Where it is not `revision`, slots are unscored and pay nothing.
    pub read_by: Option<u32>,
}

impl RulesFrom {
    /// Whether the judge reads the profile; a class without a profile is not judged, and fits.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.read_by.is_none_or(|revision| revision == self.revision)
    }
}

/// `GET /v1/network`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NetworkInfo {
    /// The network's name.
    pub name: String,
    /// SHA-256 of the genesis payload, hexadecimal.
    pub network_id: String,
    /// The log's origin.
    pub origin: String,
    /// The operator's key, `did:key`.
    pub operator: String,
    /// The log's key as a note verifier key.
    pub log_vkey: String,
    /// The promise key as a note verifier key.
    pub promise_vkey: String,
    /// Entries in the log.
    pub size: u64,
    /// The log's root at that size.
    pub log_root: String,
    /// The epoch that is open.
    pub epoch: u64,
    /// The last closed epoch.
    pub last_closed: Option<EpochRef>,
    /// Start of epoch 0.
    pub epoch_zero_ms: u64,
    /// Length of an epoch.
    pub epoch_ms: u64,
    /// How long after an epoch's end its reports may still come in.
    pub grace_ms: u64,
    /// The network's time now.
    pub time_ms: u64,
    /// What is rehearsed; empty for a network that pretends nothing.
    pub rehearsed: Vec<String>,
    /// What is paid, once a policy is in force.
    pub asset: Option<AssetInfo>,
    /// SHA-256 of the policy in force.
    pub policy_hash: Option<String>,
    /// The finest H3 resolution of a logged position.
    pub h3_resolution: u8,
    /// Settlement chains (CAIP-2), the first one being the default for accounts.
    pub domains: Vec<String>,
    /// How many of each chain's deposits the log has counted as credit; absent where there are none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub deposits: BTreeMap<String, u64>,
    /// The classes judged.
    pub classes: Vec<ClassRules>,
    /// What is logged of the rules of each class: as of the open epoch, and from every later epoch that has others.
    #[serde(default)]
    pub rules: Vec<RulesFrom>,
    /// Devices enrolled and not retired.
    pub devices: u64,
}

/// One epoch of a device's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DeviceEpoch {
    /// The epoch and its statement.
    pub epoch: EpochRef,
    /// Verdicts.
    pub verdicts: u64,
    /// Score over everything delivered, ppm; `null` where nothing was scored (under maintenance, or by rules that could not be
    /// read). 0 is a score: it was scored, and lost everything.
    pub score_ppm: Option<u32>,
    /// What it earned, base units.
    pub paid: String,
}

/// `GET /v1/devices/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DeviceInfo {
    /// The device's id.
    pub id: String,
    /// Its current key, `did:key`.
    pub key: String,
    /// Its owner, CAIP-10.
    pub owner: String,
    /// The account that is paid, CAIP-10.
    pub payee: String,
    /// `device`, `bridge`, `buyer`, `worker` or `anchor`.
    pub role: String,
    /// The classes it reports for.
    pub classes: Vec<String>,
    /// The model, as the owner calls it.
    pub model: String,
    /// Whether it moves.
    pub mobile: bool,
    /// Its H3 cell, hexadecimal.
    pub cell: String,
    /// Its exact place, when the owner opted in: latitude and longitude in 1e-7 degree.
    pub exact: Option<(i32, i32)>,
    /// Altitude in cm.
    pub altitude_cm: Option<i32>,
    /// The entry that enrolled it.
    pub enrolled_index: u64,
    /// The entry that retired it.
    pub retired_index: Option<u64>,
    /// The denial statement's entry, while one is in force.
    pub denied_index: Option<u64>,
    /// The highest report name used: boot and sequence number.
    pub last_name: Option<(u32, u32)>,
    /// Reports accepted for the epochs not judged yet.
    pub open_reports: u64,
    /// The most recent epochs, newest first.
    pub epochs: Vec<DeviceEpoch>,
}

/// `GET /health`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Health {
    /// `ok`; when something is wrong, a problem document is answered instead.
    pub status: String,
    /// Entries in the log.
    pub size: u64,
    /// Entries under the last published checkpoint.
    pub checkpoint_size: u64,
    /// Since the checkpoint was published, or last found to cover the whole log; ms of the machine's clock.
    pub checkpoint_age_ms: u64,
}
