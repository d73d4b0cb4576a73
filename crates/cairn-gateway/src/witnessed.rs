//! The history of cosigned checkpoints, for auditors.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use cairn_api::Problem;
use cairn_witness::PAGE_NOTES_MAX;

use crate::epochs::{Asked, Pairs};
use crate::front::Front;
use crate::problem::{Refused, report_failure};

/// Cosigned checkpoints, oldest first.
///
/// Signed notes one after the other, each with the log's signature and those of witnesses: at most one a minute, and those
/// at the ends of epochs. The next page begins at `from` plus the notes in this one; an empty page is the end, and all that
/// there is where no witness was ever asked.
#[utoipa::path(get, path = "/v1/witnessed", tag = "log",
    params(("from" = Option<u64>, Query, description = "The number of the first one; 0 if left out."),
        ("limit" = Option<u64>, Query, description = "How many at most; 1,000 at most, and if left out.")),
    responses((status = 200, description = "The notes.", body = String, content_type = "text/plain"),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn witnessed(State(front): State<Arc<Front>>, query: Query<Pairs>) -> Result<Response, Refused> {
    let asked = Asked::among(&query, &["from", "limit"])?;
    let from = asked.number("from")?.unwrap_or(0);
    let limit = asked.number("limit")?.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(PAGE_NOTES_MAX);
    let page = front.blocking(move |front| {
        let Some(witnessed) = &front.witnessed else { return Ok(String::new()) };
        witnessed.history.page(from, limit).map_err(|error| {
            report_failure(&error);
            let detail = "the gateway could not read what was asked for; its operator sees why";
            Refused::of(StatusCode::INTERNAL_SERVER_ERROR, error.code(), detail)
        })
    });
    let headers = [(CONTENT_TYPE, "text/plain; charset=utf-8"), (CACHE_CONTROL, "no-cache")];
    Ok((headers, page.await?).into_response())
}
