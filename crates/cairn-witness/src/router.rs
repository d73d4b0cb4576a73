//! The routes of a witness.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use cairn_merkle::witness::{REQUEST_BYTES_MAX, SIZE_CONTENT_TYPE, print_size};

use crate::witness::report;
use crate::{PAGE_NOTES_MAX, Refusal, Witness, WitnessError};

const TEXT: &str = "text/plain; charset=utf-8";
/// How long a request's body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The routes of a witness: `POST /add-checkpoint`, `GET /<log>/checkpoint`, `GET /<log>/history?from=&limit=`, `GET /`.
pub fn router(witness: Arc<Witness>) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/{log}/checkpoint", get(checkpoint))
        .route("/{log}/history", get(history))
        .with_state(witness)
}

fn text(status: StatusCode, body: String) -> Response {
    (status, [(CONTENT_TYPE, TEXT)], body).into_response()
}

fn not_there() -> Response {
    text(StatusCode::NOT_FOUND, "no checkpoint of such a log was cosigned here\n".to_owned())
}

/// Whole seconds since 1970 UTC.
fn now_s() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Runs what waits for the disk where it holds up no other connection.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Response> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        report(&error);
        text(StatusCode::INTERNAL_SERVER_ERROR, "the witness failed at this request\n".to_owned())
    })
}

fn refused(refusal: &Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match refusal {
        Refusal::Conflict { size } => (status, [(CONTENT_TYPE, SIZE_CONTENT_TYPE)], print_size(*size)).into_response(),
        _ => text(status, format!("{}: {refusal}\n", refusal.code())),
    }
}

async fn add_checkpoint(State(witness): State<Arc<Witness>>, body: Body) -> Response {
    let body = match tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, REQUEST_BYTES_MAX)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return text(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long, or breaks off\n".to_owned()),
        Err(_) => return text(StatusCode::REQUEST_TIMEOUT, "the body did not come in time\n".to_owned()),
    };
    match blocking(move || witness.add_checkpoint(&body, now_s())).await {
        Ok(Ok(lines)) => text(StatusCode::OK, lines),
        Ok(Err(refusal)) => refused(&refusal),
        Err(response) => response,
    }
}

async fn checkpoint(State(witness): State<Arc<Witness>>, Path(log): Path<String>) -> Response {
    witness.checkpoint(&log).map_or_else(not_there, |note| text(StatusCode::OK, note))
}

async fn history(
    State(witness): State<Arc<Witness>>,
    Path(log): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
) -> Response {
    let Some(history) = witness.history(&log).cloned() else { return not_there() };
    let (mut from, mut limit) = (0, PAGE_NOTES_MAX);
    for (name, value) in query {
        let read = match name.as_str() {
            "from" => value.parse().map(|value| from = value).is_ok(),
            "limit" => value.parse().map(|value| limit = value).is_ok(),
            _ => false,
        };
        if !read {
            return text(StatusCode::BAD_REQUEST, "there are `from` and `limit`, whole numbers\n".to_owned());
        }
    }
    match blocking(move || history.page(from, limit)).await {
        Ok(Ok(page)) => text(StatusCode::OK, page),
        Ok(Err(error)) => unread(&error),
        Err(response) => response,
    }
}

fn unread(error: &WitnessError) -> Response {
    report(error);
    text(StatusCode::INTERNAL_SERVER_ERROR, "the history cannot be read\n".to_owned())
}

async fn index(State(witness): State<Arc<Witness>>) -> Response {
    let mut page = format!("{}\n", witness.verifier());
    for (origin, size) in witness.logs() {
        page.push_str(&format!("{size} {origin}\n"));
    }
    text(StatusCode::OK, page)
}
