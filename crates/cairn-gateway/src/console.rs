//! The console's pages, for whatever is no route of the API.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, IF_NONE_MATCH};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use cairn_console::{Answer, PayoutRows, Reader, Standing};

use crate::address::Client;
use crate::front::Front;
use crate::health;
use crate::held::in_pieces;
use crate::problem::{Code, Refused, report_failure};
use crate::routes::no_route;
use crate::serve::no_bytes;
use crate::streamed::{Made, Pieces, streamed};

/// Bytes that an answer of a whole table holds: the piece that is made, and the one that is taken.
const STREAM_BYTES: u64 = 2 << 20;

impl Pieces for PayoutRows {
    fn next(&mut self) -> Made {
        self.next_piece().map_err(|error| error.to_string())
    }
}

/// A page, or that there is nothing.
pub(crate) async fn page(State(front): State<Arc<Front>>, request: Request) -> Response {
    let (method, path) = (request.method(), request.uri().path().to_owned());
    if !cairn_console::is_page(&path) {
        return no_route(&path).into_response();
    }
    if method != Method::GET && method != Method::HEAD {
        let detail = format!("`{path}` does not take {method}");
        let mut response = Refused::of(StatusCode::METHOD_NOT_ALLOWED, "NET-METHOD", detail).into_response();
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let query = request.uri().query().unwrap_or_default().to_owned();
    let client = request.extensions().get::<Client>().copied().unwrap_or(Client { limited: None });
    let known = request.headers().get(IF_NONE_MATCH).and_then(|tags| tags.to_str().ok()).map(str::to_owned);
    let answered = front.blocking(move |front| {
        let standing = match health::check(front) {
            Ok(health) => Standing::Well(health),
            Err(refused) => Standing::Unwell { code: refused.code(), detail: refused.detail().to_owned() },
        };
        let reader = Reader { ledger: &front.ledger, log: &front.log, clock: front.clock, standing };
        Ok(cairn_console::answer(&reader, &path, &query).ok_or(path))
    });
    match answered.await {
        Ok(Ok(answer)) => respond(&front, client, answer.unless_known(known.as_deref())),
        Ok(Err(path)) => no_route(&path).into_response(),
        Err(refused) => refused.into_response(),
    }
}

fn respond(front: &Front, client: Client, answer: Answer) -> Response {
    if let Some(failure) = &answer.failure {
        report_failure(failure);
    }
    let body = match answer.more {
        None => Body::from(answer.body),
        // Whatever the table holds, so much of it is in memory until its client has taken it.
        Some(rows) => match front.memory.take(client.limited, STREAM_BYTES) {
            Ok(share) => in_pieces(streamed(answer.body, rows), share),
            Err(why) => return no_bytes(why).into_response(),
        },
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in answer.headers {
        // Values are text that the console made; what is in them of the address is encoded.
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    if let Some(code) = answer.code {
        response.extensions_mut().insert(Code(code));
    }
    response
}
