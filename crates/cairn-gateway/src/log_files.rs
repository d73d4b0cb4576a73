//! The log as C2SP `tlog-tiles` serves it: checkpoint, tiles, entry bundles; and `tlog-proof` receipts.
//!
//! Only what the published checkpoint covers is served, so nobody sees an entry that the operator has not signed for.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use cairn_api::Problem;
use cairn_log::LogError;
use cairn_merkle::TilePath;

use crate::front::Front;
use crate::openapi::Binary;
use crate::problem::Refused;

/// Full tiles never change.
pub(crate) const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// Nor do partial ones; but they are soon replaced by wider ones, so no cache need keep them long.
const FOR_A_WHILE: &str = "public, max-age=300";
const ALWAYS_ASK: &str = "no-cache";
const TEXT: &str = "text/plain; charset=utf-8";

fn file(content_type: &'static str, cache: &'static str, body: impl IntoResponse) -> Response {
    ([(CONTENT_TYPE, content_type), (CACHE_CONTROL, cache)], body).into_response()
}

/// The latest signed checkpoint.
///
/// A C2SP `tlog-checkpoint`: a signed note over origin, size and root.
#[utoipa::path(get, path = "/log/checkpoint", tag = "log",
    responses((status = 200, description = "The note.", body = String, content_type = "text/plain"),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn checkpoint(State(front): State<Arc<Front>>) -> Result<Response, Refused> {
    let note = front.log.checkpoint().ok_or(LogError::NoCheckpoint)?;
    Ok(file(TEXT, ALWAYS_ASK, note))
}

/// A tile of hashes or a bundle of entries.
///
/// `<L>/<N>[.p/<W>]` or `entries/<N>[.p/<W>]`, exactly as C2SP `tlog-tiles` says, of any width that the published
/// checkpoint covers.
#[utoipa::path(get, path = "/log/tile/{path}", tag = "log",
    params(("path" = String, Path, description = "The tile's path, such as `0/x001/067` or `entries/000.p/5`.")),
    responses((status = 200, description = "The tile.", body = Binary, content_type = "application/octet-stream"),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn tile(State(front): State<Arc<Front>>, Path(path): Path<String>) -> Result<Response, Refused> {
    let tile: TilePath = format!("tile/{path}").parse().map_err(LogError::from).map_err(no_such_tile)?;
    let size = front.log.published().map_or(0, |checkpoint| checkpoint.size());
    let covered = TilePath::in_log(tile.level, tile.index, size).is_some_and(|widest| tile.width <= widest.width);
    if !covered {
        return Err(LogError::NoTile { path: tile.to_string(), size }.into());
    }
    let bytes = front.blocking(move |front| Ok(front.log.tile(tile)?)).await?;
    Ok(file("application/octet-stream", if tile.is_full() { FOR_EVER } else { FOR_A_WHILE }, bytes))
}

/// What is no tile's path names nothing.
fn no_such_tile(error: LogError) -> Refused {
    Refused::of(axum::http::StatusCode::NOT_FOUND, error.code(), error.to_string())
}

/// The receipt of an entry.
///
/// A C2SP `tlog-proof` that the entry is under the latest checkpoint; it verifies offline.
#[utoipa::path(get, path = "/v1/proofs/{index}", tag = "log", params(("index" = u64, Path, description = "The entry.")),
    responses((status = 200, description = "The receipt.", body = String, content_type = "text/plain"),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn proof(State(front): State<Arc<Front>>, Path(index): Path<String>) -> Result<Response, Refused> {
    let index = crate::routes::number(&index, "an entry's index")?;
    let receipt = front.blocking(move |front| Ok(front.log.receipt(index)?)).await?;
    Ok(file(TEXT, ALWAYS_ASK, receipt.to_string()))
}
