//! The console's pages, for whatever is no route of the API.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT_ENCODING, ALLOW, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use cairn_api::EpochSignatures;
use cairn_console::word::{Figure, Witness, Word};
use cairn_console::{Answer, Reader, Rows, Standing};

use crate::address::Client;
use crate::front::Front;
use crate::health;
use crate::held::in_pieces;
use crate::problem::{Code, Refused, report_failure};
use crate::routes::no_route;
use crate::serve::no_bytes;
use crate::streamed::{Made, Pieces, streamed};
use crate::{auditors, metrics};

/// Bytes that an answer of a whole table holds: the piece that is made, and the one that is taken.
const STREAM_BYTES: u64 = 2 << 20;

impl Pieces for Rows {
    fn next(&mut self) -> Made {
        self.next_piece().map_err(|error| error.to_string())
    }
}

/// What only this gateway can say.
struct OwnWord<'a>(&'a Front);

impl Word for OwnWord<'_> {
    fn signatures(&self, epoch: u64) -> Option<EpochSignatures> {
        auditors::kept(self.0, epoch)
    }

    fn witnesses(&self) -> Vec<Witness> {
        let standings = self.0.witnessed.iter().flat_map(|witnessed| &witnessed.standings);
        let told = standings.map(|standing| Witness {
            name: standing.name.clone(),
            age_ms: standing.age_ms(),
            entries: standing.size.load(Ordering::Relaxed),
        });
        told.collect()
    }

    fn cosigned(&self, most: usize) -> Vec<String> {
        let Some(witnessed) = &self.0.witnessed else { return Vec::new() };
        let history = &witnessed.history;
        let numbers = (0..history.count()).rev().take(most);
        numbers.filter_map(|number| history.page(number, 1).ok()).filter(|note| !note.is_empty()).collect()
    }

    /// What is public in the metrics is public here, and nothing else.
    fn figures(&self) -> Vec<Figure> {
        if self.0.options.metrics_public { metrics::figures(self.0) } else { Vec::new() }
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
    let takes_gzip = takes_gzip(request.headers());
    let answered = front.blocking(move |front| {
        let standing = match health::check(front) {
            Ok(health) => Standing::Well(health),
            Err(refused) => Standing::Unwell { code: refused.code(), detail: refused.detail().to_owned() },
        };
        let reader = Reader {
            ledger: &front.ledger,
            log: &front.log,
            clock: front.clock,
            standing,
            settled: front.options.settled.as_deref(),
            basemap: front.options.basemap.as_deref(),
            word: &OwnWord(front),
        };
        let answer = cairn_console::answer(&reader, &path, &query);
        Ok(answer.map(|answer| if takes_gzip { answer } else { answer.unpacked() }).ok_or(path))
    });
    match answered.await {
        Ok(Ok(answer)) => respond(&front, client, answer.unless_known(known.as_deref())),
        Ok(Err(path)) => no_route(&path).into_response(),
        Err(refused) => refused.into_response(),
    }
}

/// Whether a client takes gzip (RFC 9110, section 12.5.3): it says so, and not at a quality of zero.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let named = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let takes = |coding: &str| {
        let mut parts = coding.split(';').map(str::trim);
        let is_gzip =
            parts.next().is_some_and(|name| ["gzip", "x-gzip", "*"].contains(&name.to_ascii_lowercase().as_str()));
        is_gzip && !parts.any(|part| part.strip_prefix("q=").is_some_and(|q| q.trim_matches(['0', '.']).is_empty()))
    };
    named.flat_map(|value| value.split(',')).any(takes)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_for_those_who_take_it() {
        for (value, takes) in [
            ("gzip", true),
            ("gzip, deflate, br, zstd", true),
            ("br;q=1.0, GZIP;q=0.8", true),
            ("*", true),
            ("identity", false),
            ("gzip;q=0", false),
            ("gzip; q=0.000, br", false),
            ("br", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(value))]);
            assert_eq!(takes_gzip(&headers), takes, "{value}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
