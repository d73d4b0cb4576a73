//! One question and its answer over HTTP: bounded in size and time, repeated while that can help.
//!
//! Every method that is asked here may be asked twice with one effect: also a signed transaction, which is in a chain once
//! or not at all. So whatever was lost on the way is asked again.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use ureq::Agent;

use super::Options;
use super::endpoint::Endpoint;
use super::refusal::{Meaning, RpcError};
use crate::ChainError;

/// The longest wait between two attempts, whatever the node asks for.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// A node, asked one question at a time.
pub(super) struct Transport {
    agent: Agent,
    pub(super) endpoint: Endpoint,
    attempts: u32,
    first_wait: Duration,
    timeout: Duration,
    next_id: AtomicU64,
}

/// Why there is no result.
#[derive(Debug)]
pub(super) enum NoResult {
    /// The node says no.
    Refused(RpcError),
    /// Its answer is longer than is read.
    TooLong(ChainError),
    /// It could not be asked, or its answer not be read.
    Failed(ChainError),
}

/// An answer of JSON-RPC 2.0; anything else in it is passed over.
#[derive(Deserialize)]
#[serde(bound(deserialize = "T: DeserializeOwned"))]
struct Answer<T> {
    jsonrpc: String,
    id: Option<u64>,
    #[serde(default, deserialize_with = "present")]
    result: Option<Option<T>>,
    error: Option<RpcError>,
}

/// Tells a result of `null` from none.
fn present<'de, T: DeserializeOwned, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(from).map(Some)
}

/// An attempt that failed: whether another may help, and after what wait if the node named one.
struct Failed {
    error: NoResult,
    again: Option<Option<Duration>>,
}

impl From<ChainError> for Failed {
    fn from(error: ChainError) -> Self {
        Self { error: NoResult::Failed(error), again: None }
    }
}

impl Transport {
    pub(super) fn to(endpoint: Endpoint, options: &Options) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("cairn/", env!("CARGO_PKG_VERSION")))
            .timeout_global(Some(options.timeout))
            .max_idle_connections_per_host(2)
            .build();
        Self {
            agent: Agent::new_with_config(config),
            endpoint,
            attempts: options.attempts.max(1),
            first_wait: options.first_wait,
            timeout: options.timeout,
            next_id: AtomicU64::new(1),
        }
    }

    /// Asks; `None` where the result is `null`.
    pub(super) fn ask<T: DeserializeOwned>(
        &self,
        method: &str,
        params: &Value,
        limit_bytes: u64,
    ) -> Result<Option<T>, NoResult> {
        let mut attempt = 1;
        loop {
            let failed = match self.attempt(method, params, limit_bytes) {
                Ok(result) => return Ok(result),
                Err(failed) => failed,
            };
            let Some(wait) = failed.again.filter(|_| attempt < self.attempts) else { return Err(failed.error) };
            std::thread::sleep(wait.unwrap_or_else(|| self.backoff(attempt)).min(WAIT_MAX));
            attempt += 1;
        }
    }

    /// Twice as long each time, of which up to a half is chance: who failed together does not come back together.
    fn backoff(&self, attempt: u32) -> Duration {
        let whole = self.first_wait.saturating_mul(1 << (attempt - 1).min(16)).min(WAIT_MAX);
        let chance = RandomState::new().build_hasher().finish() % 1_000;
        whole / 2 + whole / 2_000 * u32::try_from(chance).unwrap_or(0)
    }

    fn attempt<T: DeserializeOwned>(
        &self,
        method: &str,
        params: &Value,
        limit_bytes: u64,
    ) -> Result<Option<T>, Failed> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let body = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string();
        let mut request = self.agent.post(&self.endpoint.url).content_type("application/json");
        if let Some(authorization) = &self.endpoint.authorization {
            request = request.header("authorization", authorization);
        }
        let mut response = request.send(body.as_bytes()).map_err(|error| self.lost(&error))?;
        let status = response.status().as_u16();
        let seconds = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let read = response.body_mut().with_config().limit(limit_bytes.saturating_add(1)).read_to_vec();
        let body = match read {
            Ok(body) if body.len() as u64 <= limit_bytes => body,
            Ok(_) | Err(ureq::Error::BodyExceedsLimit(_)) => {
                let error = NoResult::TooLong(self.strange(method, &format!("more than {limit_bytes} bytes")));
                return Err(Failed { error, again: None });
            }
            Err(error) => return Err(self.lost(&error)),
        };
        let answer = match serde_json::from_slice::<Answer<T>>(&body) {
            Ok(answer) if status < 500 && status != 429 => answer,
            // With an error of its own it says more than its status does.
            Ok(answer) if answer.error.as_ref().is_some_and(|error| error.meaning() != Meaning::Other) => answer,
            _ if status == 429 || status >= 500 => {
                let error = NoResult::Failed(self.unreachable(format!("it answers HTTP {status}")));
                return Err(Failed { error, again: Some(seconds.map(Duration::from_secs)) });
            }
            Ok(answer) => answer,
            Err(_) if status != 200 => return Err(self.strange(method, &format!("with HTTP {status}")).into()),
            Err(error) => return Err(self.unreadable(method, &error, &body).into()),
        };
        self.judge(method, id, answer)
    }

    fn judge<T>(&self, method: &str, id: u64, answer: Answer<T>) -> Result<Option<T>, Failed> {
        if answer.jsonrpc != "2.0" {
            return Err(self.strange(method, "in another protocol than JSON-RPC 2.0").into());
        }
        // An error may come without a question's number: the question could not be read.
        if answer.id != Some(id) && (answer.id.is_some() || answer.error.is_none()) {
            return Err(self.strange(method, "to another question").into());
        }
        match (answer.result, answer.error) {
            (_, Some(error)) => {
                let again = (error.meaning() == Meaning::Busy).then_some(None);
                Err(Failed { error: NoResult::Refused(error), again })
            }
            (Some(result), None) => Ok(result),
            (None, None) => Err(self.strange(method, "with neither a result nor an error").into()),
        }
    }

    /// The connection failed, in words of our own: the library's may hold the address.
    fn lost(&self, error: &ureq::Error) -> Failed {
        let again = matches!(
            error,
            ureq::Error::Io(_) | ureq::Error::Timeout(_) | ureq::Error::ConnectionFailed | ureq::Error::Protocol(_)
        );
        let what = match error {
            ureq::Error::Timeout(_) => format!("no answer within {} ms", self.timeout.as_millis()),
            ureq::Error::Io(error) => self.endpoint.told(&error.to_string()),
            ureq::Error::HostNotFound => "there is no such host".to_owned(),
            ureq::Error::ConnectionFailed => "the connection failed".to_owned(),
            ureq::Error::Protocol(_) => "it does not answer in HTTP".to_owned(),
            ureq::Error::Tls(_) | ureq::Error::Rustls(_) => self.endpoint.told(&error.to_string()),
            _ => "the request failed".to_owned(),
        };
        Failed { error: NoResult::Failed(self.unreachable(what)), again: again.then_some(None) }
    }

    fn unreadable(&self, method: &str, error: &serde_json::Error, body: &[u8]) -> ChainError {
        let text = String::from_utf8_lossy(&body[..body.len().min(4_096)]);
        if text.trim_start().starts_with('<') {
            return self.strange(method, "with a page for people");
        }
        self.strange(method, &self.endpoint.told(&format!("what cannot be read: {error}")))
    }

    pub(super) fn unreachable(&self, what: String) -> ChainError {
        ChainError::Unreachable { chain: self.endpoint.shown.clone(), what }
    }

    /// An answer that is none.
    pub(super) fn strange(&self, method: &str, what: &str) -> ChainError {
        ChainError::Answer { chain: self.endpoint.shown.clone(), what: format!("{method} {what}") }
    }
}
