//! `GET /health`: whether the writer works and the checkpoint is up to date.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use cairn_api::{Health, Problem};

use crate::front::Front;
use crate::problem::Refused;

/// When to look for a gateway that was stopped to be started anew.
const DRAIN_WAIT_S: u32 = 10;

/// Whether the gateway takes reports and its checkpoint is up to date.
///
/// 503 when the writer has stopped (`NET-STOPPED`) or the checkpoint is stale (`NET-STALE`); reading goes on then.
#[utoipa::path(get, path = "/health", tag = "operation",
    responses((status = 200, description = "All is well.", body = Health),
        (status = 503, description = "It is not.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn health(State(front): State<Arc<Front>>) -> Result<Json<Health>, Refused> {
    check(&front).map(Json)
}

/// Whether the writer works and the checkpoint is up to date.
///
/// # Errors
/// `NET-STOPPED`, `NET-STALE`.
pub(crate) fn check(front: &Front) -> Result<Health, Refused> {
    let standing = front.writer.standing();
    if let Some(stopped) = standing.refusal() {
        return Err(stopped);
    }
    let checkpoint_size = front.log.published().map_or(0, |checkpoint| checkpoint.size());
    let (size, checkpoint_age_ms) = (front.log.size(), standing.checkpoint_age_ms());
    let limit = front.options.checkpoint.saturating_add(front.options.checkpoint_stale);
    if u128::from(checkpoint_age_ms) > limit.as_millis() {
        let detail = format!(
            "the checkpoint was brought up to date {checkpoint_age_ms} ms ago; \
             it covers {checkpoint_size} of {size} entries"
        );
        return Err(Refused::of(StatusCode::SERVICE_UNAVAILABLE, "NET-STALE", detail)
            .hint("the writer is busy or stuck: look at cairn_append_seconds in /metrics"));
    }
    Ok(Health { status: "ok".to_owned(), size, checkpoint_size, checkpoint_age_ms })
}

/// The refusal while the gateway takes nothing more.
pub(crate) fn draining(front: &Front) -> Option<Refused> {
    front.draining.load(Ordering::Relaxed).then(|| {
        Refused::busy("NET-DRAINING", "this gateway takes nothing more: its operator is about to stop it")
            .retry_after(DRAIN_WAIT_S)
    })
}
