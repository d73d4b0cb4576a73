//! Refusals over HTTP: RFC 9457 problem documents with a stable code, what was refused, and the way out.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use cairn_api::Problem;
use cairn_ledger::LedgerError;
use cairn_log::LogError;
use cairn_merkle::MerkleError;

/// The media type of a problem document.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// The code of a refusal, on its response: what is counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Code(pub &'static str);

/// A request that is not answered with what it asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    status: StatusCode,
    code: &'static str,
    detail: String,
    hint: Option<&'static str>,
    retry_after_s: Option<u32>,
}

impl Refused {
    /// A refusal without a hint.
    pub fn of(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), hint: None, retry_after_s: None }
    }

    /// With the way out.
    pub fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    /// With another status.
    pub fn status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// With the time to come back.
    pub fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after_s: Some(seconds), ..self }
    }

    /// The gateway is full for the moment.
    pub fn busy(code: &'static str, detail: impl Into<String>) -> Self {
        let busy = Self::of(StatusCode::SERVICE_UNAVAILABLE, code, detail).hint("send it again after a moment");
        Self { retry_after_s: Some(1), ..busy }
    }

    /// The caller's address or query cannot be read.
    pub fn bad(code: &'static str, detail: impl Into<String>) -> Self {
        Self::of(StatusCode::BAD_REQUEST, code, detail)
    }

    /// The whole answer as it goes over the wire, for a connection that nothing else is said on.
    pub fn raw(&self) -> Vec<u8> {
        let body = serde_json::to_vec(&self.problem()).expect("a problem is strings and a number");
        let (status, length) = (self.status, body.len());
        let mut raw = format!("HTTP/1.1 {status}\r\ncontent-type: {PROBLEM_JSON}\r\ncontent-length: {length}\r\n");
        if let Some(seconds) = self.retry_after_s {
            raw.push_str(&format!("retry-after: {seconds}\r\n"));
        }
        raw.push_str("connection: close\r\n\r\n");
        [raw.into_bytes(), body].concat()
    }

    pub fn problem(&self) -> Problem {
        Problem {
            kind: "about:blank".to_owned(),
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            code: self.code.to_owned(),
            detail: self.detail.clone(),
            hint: self.hint.map(str::to_owned),
        }
    }

    /// What was refused and by which rule.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The stable code.
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// Whether the same may be taken at another time, when the gateway is less busy, or well again.
    pub fn is_for_now(&self) -> bool {
        self.status.is_server_error() || self.status == StatusCode::TOO_MANY_REQUESTS
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.problem()).expect("a problem is strings and a number");
        let mut response = (self.status, [(CONTENT_TYPE, PROBLEM_JSON)], body).into_response();
        response.extensions_mut().insert(Code(self.code));
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<LogError> for Refused {
    fn from(error: LogError) -> Self {
        LedgerError::from(error).into()
    }
}

impl From<LedgerError> for Refused {
    fn from(error: LedgerError) -> Self {
        let (code, hint) = (error.code(), error.hint());
        if is_not_there(&error) {
            return Self { hint, ..Self::of(StatusCode::NOT_FOUND, code, error.to_string()) };
        }
        // The message may name folders of this machine, which are the operator's business only.
        report_failure(&error);
        let detail = "the gateway could not read what was asked for; its operator sees why";
        Self::of(StatusCode::INTERNAL_SERVER_ERROR, code, detail)
    }
}

fn is_not_there(error: &LedgerError) -> bool {
    match error {
        LedgerError::NoEpoch { .. }
        | LedgerError::NoDevice { .. }
        | LedgerError::NoSale { .. }
        | LedgerError::NoJob { .. }
        | LedgerError::NoSnapshot { .. } => true,
        LedgerError::Log(error) => matches!(
            error,
            LogError::NoCheckpoint
                | LogError::NotCovered { .. }
                | LogError::NoTile { .. }
                | LogError::Merkle(MerkleError::Index { .. })
        ),
        _ => false,
    }
}

/// Tells the operator, on the standard error, what clients are not told.
pub(crate) fn report_failure(error: &dyn core::fmt::Display) {
    eprintln!("gateway: {error}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_404_and_what_broke_is_500_without_its_path() {
        let path = std::path::PathBuf::from("/a/secret/place");
        let source = std::io::Error::other("gone");
        let cases = [
            (LedgerError::NoEpoch { epoch: 3, open: 2 }, 404, "NET-NO-EPOCH"),
            (LedgerError::NoDevice { device: "dev1".into() }, 404, "NET-NO-DEVICE"),
            (LedgerError::NoSnapshot { epoch: 3 }, 404, "NET-NO-SNAPSHOT"),
            (LogError::NotCovered { index: 3, size: 2 }.into(), 404, "LOG-NOT-COVERED"),
            (LedgerError::Io { what: "read", path, source }, 500, "NET-IO"),
        ];
        for (error, status, code) in cases {
            let refused = Refused::from(error);
            assert_eq!((refused.status.as_u16(), refused.code), (status, code));
            assert!(!refused.detail.contains("secret"), "{}", refused.detail);
        }
    }
}
