//! The network, its devices and accounts, and the policy in force.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use cairn_api::{AccountInfo, CreditList, DeviceInfo, Explanation, NetworkInfo, Problem};
use cairn_core::deposit::parse_buyer;
use cairn_core::id::BadName;
use cairn_core::{Account, DeviceId, Hash};
use cairn_ledger::Ledger;

use crate::front::Front;
use crate::problem::Refused;
use crate::routes::number;

type Shared = State<Arc<Front>>;

/// The document of a policy is plain text.
const TEXT: &str = "text/plain; charset=utf-8";

pub(crate) fn bad_name(error: &BadName) -> Refused {
    Refused::bad("NET-NAME", error.to_string())
}

/// The network: keys, sizes, epochs, what is rehearsed.
#[utoipa::path(get, path = "/v1/network", tag = "network",
    responses((status = 200, description = "The network.", body = NetworkInfo),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn network(State(front): Shared) -> Result<Json<NetworkInfo>, Refused> {
    let info = front.read(|front, ledger| Ok((ledger.network_info(front.clock)?, front.log.size()))).await?;
    let (Some(mut info), size) = info else {
        return Err(Refused::of(StatusCode::NOT_FOUND, "NET-GENESIS", "there is no network yet"));
    };
    // The state may be a moment ahead of the disk; what is told is durable.
    info.size = size;
    info.log_root = front.blocking(move |front| Ok(front.log.root_at(size)?)).await?.to_hex();
    Ok(Json(info))
}

/// A device: owner, key, standing, and its latest epochs.
#[utoipa::path(get, path = "/v1/devices/{id}", tag = "devices",
    params(("id" = String, Path, description = "The device, `dev1...`.")),
    responses((status = 200, description = "The device.", body = DeviceInfo),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn device(State(front): Shared, Path(id): Path<String>) -> Result<Json<DeviceInfo>, Refused> {
    let id = DeviceId::parse(&id).map_err(|error| bad_name(&error))?;
    front.read(move |_, ledger| Ok(Json(ledger.device_info(&id)?))).await
}

/// Why a device got what it got in an epoch: checks, thresholds, evidence, shares, proofs.
#[utoipa::path(get, path = "/v1/devices/{id}/epochs/{n}", tag = "devices",
    params(("id" = String, Path, description = "The device, `dev1...`."), ("n" = u64, Path, description = "The epoch.")),
    responses((status = 200, description = "The explanation.", body = Explanation),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn device_epoch(
    State(front): Shared,
    Path((id, epoch)): Path<(String, String)>,
) -> Result<Json<Explanation>, Refused> {
    let id = DeviceId::parse(&id).map_err(|error| bad_name(&error))?;
    let epoch = number(&epoch, "an epoch")?;
    front.read(move |_, ledger| Ok(Json(ledger.explain(&id, epoch)?))).await
}

/// An account: what it was given, its devices, and the claim that a contract accepts.
#[utoipa::path(get, path = "/v1/accounts/{id}", tag = "accounts",
    params(("id" = String, Path, description = "The account, CAIP-10.")),
    responses((status = 200, description = "The account.", body = AccountInfo),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn account(State(front): Shared, Path(id): Path<String>) -> Result<Json<AccountInfo>, Refused> {
    let account = Account::parse(&id).map_err(|error| bad_name(&error))?;
    front.read(move |_, ledger| Ok(Json(ledger.account_info(&account)?))).await
}

/// What a buyer has paid in on chains and not spent, per asset. Only the network's own asset is in the epochs' balances.
#[utoipa::path(get, path = "/v1/credits/{buyer}", tag = "accounts",
    params(("buyer" = String, Path,
        description = "The buyer: a CAIP-10 account, an EVM address (`0x...`), or the 32 bytes that the deposit named.")),
    responses((status = 200, description = "The credit.", body = CreditList),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn credits(State(front): Shared, Path(buyer): Path<String>) -> Result<Json<CreditList>, Refused> {
    let buyer = parse_buyer(&buyer).map_err(|error| bad_name(&error))?;
    front.read(move |_, ledger| Ok(Json(ledger.credit_list(&buyer)))).await
}

/// The policy in force: the document whose hash every epoch statement carries.
#[utoipa::path(get, path = "/v1/policy", tag = "network",
    responses((status = 200, description = "The document, TOML.", body = String, content_type = "text/plain"),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn policy(State(front): Shared) -> Result<Response, Refused> {
    let document = front.read(|_, ledger| Ok(ledger.state().policy().map(|policy| policy.document.clone()))).await?;
    let document = document.ok_or_else(|| no_policy("no policy is in force yet"))?;
    Ok(([(CONTENT_TYPE, TEXT)], document).into_response())
}

/// A policy by its hash, in force or not.
#[utoipa::path(get, path = "/v1/policies/{hash}", tag = "network",
    params(("hash" = String, Path, description = "SHA-256 of the document, hexadecimal.")),
    responses((status = 200, description = "The document, TOML.", body = String, content_type = "text/plain"),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn policy_by_hash(State(front): Shared, Path(hash): Path<String>) -> Result<Response, Refused> {
    let hash = Hash::from_hex(&hash)
        .ok_or_else(|| Refused::bad("NET-NAME", "a policy is named by its SHA-256: 64 hexadecimal digits"))?;
    let document = front.read(move |_, ledger| Ok(find_policy(ledger, hash))).await?;
    let document = document.ok_or_else(|| no_policy("no policy has this hash"))?;
    Ok(([(CONTENT_TYPE, TEXT)], document).into_response())
}

/// A profile, the parameters of a class, by its hash, in force or not.
#[utoipa::path(get, path = "/v1/profiles/{hash}", tag = "network",
    params(("hash" = String, Path, description = "SHA-256 of the document, hexadecimal.")),
    responses((status = 200, description = "The document, TOML.", body = String, content_type = "text/plain"),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn profile_by_hash(State(front): Shared, Path(hash): Path<String>) -> Result<Response, Refused> {
    let hash = Hash::from_hex(&hash)
        .ok_or_else(|| Refused::bad("NET-NAME", "a profile is named by its SHA-256: 64 hexadecimal digits"))?;
    let document = front.read(move |_, ledger| Ok(find_profile(ledger, hash))).await?;
    let none = || Refused::of(StatusCode::NOT_FOUND, "NET-NO-PROFILE", "no profile has this hash");
    Ok(([(CONTENT_TYPE, TEXT)], document.ok_or_else(none)?).into_response())
}

fn find_profile(ledger: &Ledger, hash: Hash) -> Option<String> {
    ledger.state().profiles.values().find(|document| Hash::of(document.as_bytes()) == hash).cloned()
}

fn find_policy(ledger: &Ledger, hash: Hash) -> Option<Vec<u8>> {
    let found = ledger.state().policies.values().find(|policy| Hash::of(&policy.document) == hash);
    found.map(|policy| policy.document.clone())
}

fn no_policy(detail: &str) -> Refused {
    Refused::of(StatusCode::NOT_FOUND, "NET-NO-POLICY", detail)
}
