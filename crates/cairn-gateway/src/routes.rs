//! Which path leads where, and what holds for every request: whom it is charged to, its time limit, the
//! memory of its answer, and that every error is a problem document.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::body::HttpBody;
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, CONTENT_TYPE, LOCATION, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use cairn_api::Problem;

use crate::accept::choose;
use crate::address::{Client, Peer};
use crate::blobs::routes as blobs;
use crate::buying::AsItIs;
use crate::front::Front;
use crate::held::in_pieces;
use crate::leftover::Leftover;
use crate::problem::{Code, Refused};
use crate::serve::no_bytes;
use crate::{
    auditors, buying, console, epochs, events, health, jobs, ledger_pages, log_files, mcp, metrics, openapi, sales,
    submit, witnessed,
};

/// Bytes of an answer that are not counted.
const FREE_BYTES: u64 = 4 << 10;

/// Every route.
pub(crate) fn router(front: Arc<Front>) -> Router {
    let public = if front.options.metrics_public {
        Router::new().route("/metrics", get(metrics::metrics))
    } else {
        Router::new()
    };
    public
        .route("/", get(index))
        .route("/openapi.json", get(openapi))
        .route("/events", get(events::events))
        .route("/health", get(health::health))
        .route("/log/checkpoint", get(log_files::checkpoint))
        .route("/log/tile/{*path}", get(log_files::tile))
        .route("/v1/reports", post(submit::reports))
        .route("/v1/statements", post(submit::statements))
        .route("/v1/observations", post(submit::observations))
        .route("/v1/network", get(ledger_pages::network))
        .route("/v1/policy", get(ledger_pages::policy))
        .route("/v1/policies/{hash}", get(ledger_pages::policy_by_hash))
        .route("/v1/profiles/{hash}", get(ledger_pages::profile_by_hash))
        .route("/v1/devices/{id}", get(ledger_pages::device))
        .route("/v1/devices/{id}/epochs/{n}", get(ledger_pages::device_epoch))
        .route("/v1/accounts/{id}", get(ledger_pages::account))
        .route("/v1/credits/{buyer}", get(ledger_pages::credits))
        .route("/v1/epochs", get(epochs::epochs))
        .route("/v1/epochs/{n}", get(epochs::epoch))
        .route("/v1/epochs/{n}/verdicts", get(epochs::verdicts))
        .route("/v1/epochs/{n}/payouts", get(epochs::payouts))
        .route("/v1/epochs/{n}/sales", get(sales::sales))
        .route("/v1/epochs/{n}/sales/{job}", get(sales::sale))
        .route("/v1/epochs/{n}/carry", get(epochs::carry))
        .route("/v1/epochs/{n}/signatures", get(auditors::signatures).post(auditors::sign))
        .route("/v1/snapshots/{n}", get(epochs::snapshot))
        .route("/v1/proofs/{index}", get(log_files::proof))
        .route("/v1/witnessed", get(witnessed::witnessed))
        .route("/v1/buy/compute", post(buying::buy))
        .route("/v1/buy/payments/{id}", get(buying::payment))
        .route("/mcp", post(mcp::mcp))
        .route("/v1/jobs", get(jobs::jobs))
        .route("/v1/jobs/{job}", get(jobs::job))
        .route("/v1/offers", get(jobs::offers))
        .route("/v1/quotes", post(jobs::quote))
        .route("/v1/blobs/{hash}", get(blobs::get).head(blobs::head).put(blobs::put))
        .fallback(console::page)
        .method_not_allowed_fallback(no_method)
        .layer(from_fn_with_state(front.clone(), every_request))
        .with_state(front)
}

/// A number in a path.
pub(crate) fn number(text: &str, what: &str) -> Result<u64, Refused> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let parsed = text.parse().ok().filter(|_| is_plain);
    parsed.ok_or_else(|| Refused::bad("NET-NUMBER", format!("{what} is a whole number below 2^64, not `{text}`")))
}

pub(crate) fn no_route(path: &str) -> Refused {
    let detail = format!("there is no `{path}` here");
    Refused::of(StatusCode::NOT_FOUND, "NET-ROUTE", detail).hint("`/` lists the routes")
}

async fn no_method(request: Request) -> Refused {
    let detail = format!("`{}` does not take {}", request.uri().path(), request.method());
    Refused::of(StatusCode::METHOD_NOT_ALLOWED, "NET-METHOD", detail).hint("`/` lists the routes with their methods")
}

async fn every_request(State(front): State<Arc<Front>>, request: Request, next: Next) -> Response {
    let _under_way = front.metrics.begin();
    let peer = request.extensions().get::<Peer>().copied();
    let client = peer.map_or(Client { limited: None }, |Peer(peer)| front.client(peer, request.headers()));
    let is_read = request.method().is_safe();
    let (mut request, leftover) = Leftover::of(request);
    let response = match front.rates.request(client) {
        Ok(()) => {
            request.extensions_mut().insert(client);
            in_time(&front, request, next).await
        }
        Err(refused) => refused.into_response(),
    };
    let mut response = hold(&front, client, is_read, response);
    if let Some(leftover) = leftover
        && !leftover.read_out().await
    {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    front.metrics.count_response(&response);
    response
}

async fn in_time(front: &Front, request: Request, next: Next) -> Response {
    let limit = front.options.request_timeout;
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => as_problem(response),
        Err(_) => {
            let detail = format!("the request was not done within {} ms", limit.as_millis());
            let again = "ask again for reports: what was logged is answered as a duplicate; for statements look at the \
                device or account first";
            Refused::of(StatusCode::GATEWAY_TIMEOUT, "NET-TIMEOUT", detail).hint(again).into_response()
        }
    }
}

/// Counts an answer as held in memory until its client has taken it. Short ones are free, so that a refusal can always
/// be said.
fn hold(front: &Front, client: Client, is_read: bool, response: Response) -> Response {
    let bytes = response.body().size_hint().lower();
    if bytes <= FREE_BYTES {
        return response;
    }
    if !is_read {
        // What was logged is answered: a refusal now would have it sent again.
        let share = front.memory.take_anyway(client.limited, bytes);
        return response.map(|body| in_pieces(body, share));
    }
    match front.memory.take(client.limited, bytes) {
        Ok(share) => response.map(|body| in_pieces(body, share)),
        Err(why) => no_bytes(why).into_response(),
    }
}

/// An error that the framework made is a problem document like any other.
pub(crate) fn as_problem(response: Response) -> Response {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    // What has a code was refused by us, as a problem or as a page.
    let is_meant = response.extensions().get::<AsItIs>().is_some();
    if !is_error || is_meant || response.extensions().get::<Code>().is_some() {
        return response;
    }
    Refused::of(status, "NET-HTTP", "the request cannot be read").into_response()
}

/// This API as an OpenAPI document.
#[utoipa::path(get, path = "/openapi.json", tag = "operation",
    responses((status = 200, description = "The document.", body = String, content_type = "application/json")))]
pub(crate) async fn openapi() -> Response {
    ([(CONTENT_TYPE, "application/json")], openapi::openapi_json()).into_response()
}

/// The network in a few lines, and the routes; who asks for `text/html` is sent to the console's first page.
#[utoipa::path(get, path = "/", tag = "operation",
    responses((status = 200, description = "Plain text.", body = String, content_type = "text/plain"),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn index(State(front): State<Arc<Front>>, headers: HeaderMap) -> Result<Response, Refused> {
    if choose(&headers, &["text/plain", "text/html"]).is_ok_and(|form| form == "text/html") {
        return Ok((StatusCode::SEE_OTHER, [(LOCATION, "/network"), (VARY, "Accept")]).into_response());
    }
    let mut text = front
        .read(|front, ledger| {
            let state = ledger.state();
            let mut text = String::new();
            if let Some(network) = &state.network {
                let genesis = &network.genesis;
                let _ = writeln!(text, "{}\n\nnetwork    {}", genesis.name, network.id.0);
                let _ = writeln!(text, "log        {}, {} entries", genesis.origin, front.log.size());
                let _ = writeln!(text, "epoch      {} is open", state.epoch.number);
                for what in &genesis.rehearsed {
                    let _ = writeln!(text, "rehearsed  {what}");
                }
                if genesis.rehearsed.is_empty() {
                    let _ = writeln!(text, "rehearsed  nothing");
                }
            }
            Ok(text)
        })
        .await?;
    text.push_str("\npages for people begin at /network\n\n");
    for (method, path, summary) in openapi::routes() {
        let _ = writeln!(text, "{method:<4}  {path:<28}  {summary}");
    }
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8"), (VARY, "Accept")], text).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_paths_are_plain_digits() {
        for (text, value) in [("0", Some(0)), ("18446744073709551615", Some(u64::MAX)), ("007", Some(7))] {
            assert_eq!(number(text, "it").ok(), value, "{text}");
        }
        for text in ["", "-1", "+1", "1.0", "18446744073709551616", "0x1", " 1"] {
            assert_eq!(number(text, "it").unwrap_err().code(), "NET-NUMBER", "{text}");
        }
    }
}
