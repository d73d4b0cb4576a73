//! Requests and answers: one pool of connections, bounded answers, bounded patience.

use std::time::Duration;

use cairn_api::Problem;
use serde::de::DeserializeOwned;
use ureq::http::Response;
use ureq::{Agent, Body, Error};

use crate::ClientError;

/// The most that is read of a problem document or another error page, in bytes.
const PROBLEM_BYTES_MAX: u64 = 64 << 10;
/// The longest wait that a gateway may ask for between two attempts.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// How patient a client is with a gateway that is busy or cannot be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    /// Attempts in all, at least one.
    pub attempts: u32,
    /// The wait after the first failure; it doubles with each further one. A gateway's `Retry-After` goes before it.
    pub first_wait: Duration,
}

impl Default for Retries {
    /// Five attempts over about three seconds, unless the gateway asks for more time.
    fn default() -> Self {
        Self { attempts: 5, first_wait: Duration::from_millis(200) }
    }
}

/// What is asked of a gateway.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ask<'a> {
    /// A document.
    Get {
        /// The media type wanted.
        accept: &'static str,
    },
    /// Whether there is a document; the answer has no body.
    Head,
    /// A document to leave under its own name; sending it twice is answered like sending it once.
    Put {
        /// The media type of the body.
        content_type: &'static str,
        /// The body.
        body: &'a [u8],
    },
    /// A submission. One that would not be answered alike the second time is sent again only if it was never sent.
    Post {
        /// The media type of the body.
        content_type: &'static str,
        /// The body.
        body: &'a [u8],
        /// Whether sending it twice is answered like sending it once.
        again: bool,
    },
}

/// One gateway's address with a pool of connections to it.
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    agent: Agent,
    base: String,
    retries: Retries,
}

impl Transport {
    pub(crate) fn to(url: &str, retries: Retries) -> Result<Self, ClientError> {
        let refuse = |reason| ClientError::Address { url: url.to_owned(), reason };
        let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
        let rest = rest.ok_or(refuse("it starts with http:// or https://"))?;
        if rest.is_empty() || rest.starts_with(['/', ':']) {
            return Err(refuse("it names no host"));
        }
        if rest.contains(['?', '#', ' ']) {
            return Err(refuse("it has no query, fragment or space"));
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .user_agent(concat!("cairn/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(Duration::from_secs(10)))
            .timeout_recv_response(Some(Duration::from_secs(120)))
            .timeout_per_read(Some(Duration::from_secs(60)))
            .max_idle_connections_per_host(16)
            .build();
        let base = url.trim_end_matches('/').to_owned();
        Ok(Self { agent: Agent::new_with_config(config), base, retries })
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// The JSON document at `path`, of at most `limit_bytes`.
    pub(crate) fn json<T: DeserializeOwned>(&self, path: &str, limit_bytes: u64) -> Result<T, ClientError> {
        let bytes = self.bytes(path, Ask::Get { accept: "application/json" }, limit_bytes)?;
        self.read_json(path, &bytes)
    }

    pub(crate) fn read_json<T: DeserializeOwned>(&self, path: &str, bytes: &[u8]) -> Result<T, ClientError> {
        serde_json::from_slice(bytes)
            .map_err(|error| ClientError::Answer { url: self.url(path), reason: error.to_string() })
    }

    /// The answer's body, of at most `limit_bytes`.
    pub(crate) fn bytes(&self, path: &str, ask: Ask<'_>, limit_bytes: u64) -> Result<Vec<u8>, ClientError> {
        self.ask(path, ask, limit_bytes).map(|(body, _)| body)
    }

    /// The same, and the wait that the gateway asks for before something of it is asked again, half a minute at most.
    pub(crate) fn ask(
        &self,
        path: &str,
        ask: Ask<'_>,
        limit_bytes: u64,
    ) -> Result<(Vec<u8>, Option<Duration>), ClientError> {
        let url = self.url(path);
        let (body, wait) = self.retrying(|| self.attempt(&url, ask, limit_bytes))?;
        Ok((body, wait.map(|wait| wait.min(WAIT_MAX))))
    }

    /// Tries until it is done, what went wrong does not pass by waiting, or there were attempts enough.
    fn retrying<T>(&self, once: impl Fn() -> Result<T, Failed>) -> Result<T, ClientError> {
        let mut attempt = 1;
        loop {
            let failed = match once() {
                Ok(done) => return Ok(done),
                Err(failed) => failed,
            };
            let wait = failed.wait.filter(|_| attempt < self.retries.attempts);
            let Some(wait) = wait else { return Err(failed.finally(attempt)) };
            let backoff = self.retries.first_wait.saturating_mul(1 << (attempt - 1).min(16));
            std::thread::sleep(wait.unwrap_or(backoff).min(WAIT_MAX));
            attempt += 1;
        }
    }

    /// Posts JSON that is answered alike however often it is sent, and gives the answer whatever its status is, but for what
    /// passes by waiting.
    pub(crate) fn exchange(
        &self,
        path: &str,
        body: &[u8],
        header: Option<(&'static str, &str)>,
        answered: &'static str,
    ) -> Result<Exchanged, ClientError> {
        let url = self.url(path);
        self.retrying(|| self.exchange_once(&url, body, header, answered))
    }

    fn exchange_once(
        &self,
        url: &str,
        body: &[u8],
        header: Option<(&'static str, &str)>,
        answered: &'static str,
    ) -> Result<Exchanged, Failed> {
        let ask = Ask::Post { content_type: "application/json", body, again: true };
        let mut request = self.agent.post(url).header("accept", "application/json").content_type("application/json");
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let mut response = request.send(body).map_err(|error| Failed::connection(url, ask, error))?;
        let status = response.status().as_u16();
        let read = response.body_mut().with_config().limit(PROBLEM_BYTES_MAX + 1).read_to_vec();
        let body = match read {
            Ok(body) if body.len() as u64 <= PROBLEM_BYTES_MAX => body,
            Ok(_) | Err(Error::BodyExceedsLimit(_)) => {
                return Err(ClientError::TooLarge { url: url.to_owned(), limit_bytes: PROBLEM_BYTES_MAX }.into());
            }
            Err(error) => return Err(Failed::connection(url, ask, error)),
        };
        if matches!(status, 429 | 503) && response.headers().contains_key("retry-after") {
            return Err(Failed::busy(url, &response, &body));
        }
        let header = response.headers().get(answered).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(Exchanged { status, header, body })
    }

    /// The error that a refusal is.
    pub(crate) fn refusal(&self, path: &str, exchanged: &Exchanged) -> ClientError {
        refused(&self.url(path), exchanged.status, &exchanged.body)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn attempt(&self, url: &str, ask: Ask<'_>, limit_bytes: u64) -> Result<(Vec<u8>, Option<Duration>), Failed> {
        let sent = match ask {
            Ask::Get { accept } => self.agent.get(url).header("accept", accept).call(),
            Ask::Head => self.agent.head(url).call(),
            Ask::Put { content_type, body } => {
                // A large body is not sent to somebody who does not want it.
                let put = self.agent.put(url).header("expect", "100-continue");
                put.content_type(content_type).send(body)
            }
            Ask::Post { content_type, body, .. } => {
                self.agent.post(url).header("accept", "application/json").content_type(content_type).send(body)
            }
        };
        let mut response = sent.map_err(|error| Failed::connection(url, ask, error))?;
        let status = response.status().as_u16();
        let is_done = matches!(status, 200 | 201);
        let limit_bytes = if is_done { limit_bytes } else { PROBLEM_BYTES_MAX };
        let read = response.body_mut().with_config().limit(limit_bytes.saturating_add(1)).read_to_vec();
        let body = match read {
            Ok(body) if body.len() as u64 <= limit_bytes => body,
            Ok(_) | Err(Error::BodyExceedsLimit(_)) => {
                return Err(ClientError::TooLarge { url: url.to_owned(), limit_bytes }.into());
            }
            Err(error) => return Err(Failed::connection(url, ask, error)),
        };
        match status {
            200 | 201 => Ok((body, retry_after(&response))),
            // Without a time to come back, what stands still will not move by asking again.
            429 | 503 if response.headers().contains_key("retry-after") => Err(Failed::busy(url, &response, &body)),
            _ => Err(refused(url, status, &body).into()),
        }
    }
}

/// An answer whatever its status.
pub(crate) struct Exchanged {
    /// Its status.
    pub status: u16,
    /// The header that was looked for.
    pub header: Option<String>,
    /// Its body.
    pub body: Vec<u8>,
}

/// A failed attempt: whether another may follow, and after what wait if the gateway named one.
struct Failed {
    error: ClientError,
    wait: Option<Option<Duration>>,
}

impl From<ClientError> for Failed {
    fn from(error: ClientError) -> Self {
        Self { error, wait: None }
    }
}

impl Failed {
    fn connection(url: &str, ask: Ask<'_>, error: Error) -> Self {
        let unsent = match &error {
            Error::ConnectionFailed => true,
            Error::Io(io) => io.kind() == std::io::ErrorKind::ConnectionRefused,
            _ => false,
        };
        let broken = matches!(&error, Error::Io(_) | Error::Timeout(_));
        let again = !matches!(ask, Ask::Post { again: false, .. });
        let wait = (unsent || (broken && again)).then_some(None);
        Self { error: ClientError::Connection { url: url.to_owned(), source: Box::new(error) }, wait }
    }

    fn busy(url: &str, response: &Response<Body>, body: &[u8]) -> Self {
        let after = retry_after(response);
        let detail = match refused(url, response.status().as_u16(), body) {
            ClientError::Refused { problem, .. } => problem.detail,
            _ => "no reason given".to_owned(),
        };
        Self { error: ClientError::Busy { url: url.to_owned(), attempts: 1, wait: after, detail }, wait: Some(after) }
    }

    fn finally(self, made: u32) -> ClientError {
        match self.error {
            ClientError::Busy { url, wait, detail, .. } => ClientError::Busy { url, attempts: made, wait, detail },
            other => other,
        }
    }
}

/// The seconds of `Retry-After`; a date there is not read.
fn retry_after(response: &Response<Body>) -> Option<Duration> {
    let value = response.headers().get("retry-after")?.to_str().ok()?;
    value.parse().ok().map(Duration::from_secs)
}

fn refused(url: &str, status: u16, body: &[u8]) -> ClientError {
    match serde_json::from_slice::<Problem>(body) {
        Ok(problem) => ClientError::Refused { url: url.to_owned(), problem: Box::new(problem) },
        Err(_) => {
            let text = String::from_utf8_lossy(body);
            let text = text.chars().filter(|c| !c.is_control()).take(200).collect();
            ClientError::Status { url: url.to_owned(), status, text }
        }
    }
}
