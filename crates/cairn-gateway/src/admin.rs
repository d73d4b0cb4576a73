//! The operator's own listener: metrics, liveness, readiness, draining.
//!
//! It has its own address, loopback unless configured otherwise, and its own few places, so that it answers while the
//! public one is flooded. Whoever reaches it is believed; but a page in the operator's browser is not: what changes
//! something is refused when a browser says that a page sent it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::header::ORIGIN;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use cairn_api::Health;

use crate::front::Front;
use crate::problem::Refused;
use crate::{health, metrics, routes};

/// Connections to it at once.
pub(crate) const CONNECTIONS_MAX: u32 = 32;

/// Its routes.
pub(crate) fn router(front: Arc<Front>) -> Router {
    Router::new()
        .route("/metrics", get(metrics::metrics))
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .route("/v1/admin/drain", post(drain))
        .fallback(nothing_here)
        .layer(map_response(|response: Response| async { routes::as_problem(response) }))
        .with_state(front)
}

async fn nothing_here() -> Refused {
    let hint = "here are GET /metrics, /healthz, /readyz, and POST /v1/admin/drain";
    Refused::of(StatusCode::NOT_FOUND, "NET-ROUTE", "the operator's listener has nothing there").hint(hint)
}

/// The process answers: start it anew when it does not.
async fn alive() -> &'static str {
    "ok\n"
}

/// It takes reports: send it none when it does not.
async fn ready(State(front): State<Arc<Front>>) -> Result<Json<Health>, Refused> {
    let health = health::check(&front)?;
    health::draining(&front).map_or(Ok(Json(health)), Err)
}

/// Takes nothing more; what is under way finishes and reading goes on, until the process is told to end.
async fn drain(State(front): State<Arc<Front>>, headers: HeaderMap) -> Result<(StatusCode, &'static str), Refused> {
    if headers.contains_key(ORIGIN) {
        let detail = "a page in a browser may not drain a gateway";
        return Err(Refused::of(StatusCode::FORBIDDEN, "NET-ADMIN-ORIGIN", detail).hint("ask without `Origin`"));
    }
    front.draining.store(true, Ordering::Relaxed);
    Ok((StatusCode::ACCEPTED, "nothing more is taken; stop the process when cairn_queue_requests is 0\n"))
}
