//! Asking a witness, which nobody has reason to believe.
//!
//! Every answer is bounded in size and time, and counts only if the witness's key signed it over exactly what was sent.

use std::time::Duration;

use cairn_merkle::note::{KeyKind, Note, NoteSignature};
use cairn_merkle::witness::{SIZE_CONTENT_TYPE, log_id, parse_history, parse_lines, parse_size};
use cairn_merkle::{AddCheckpoint, MerkleError, NoteVerifier};
use ureq::Agent;
use ureq::http::header::CONTENT_TYPE;

use crate::ClientError;

/// The most that is read of an answer: 64 signature lines of the longest kind, and some.
const ANSWER_BYTES_MAX: u64 = 256 << 10;
/// The most that is read of a page of history.
const PAGE_BYTES_MAX: u64 = 8 << 20;

/// What a witness answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// Its cosignature, verified.
    Cosigned(Cosignature),
    /// It cosigned another size last, and wants the proof from there.
    At {
        /// That size.
        size: u64,
    },
}

/// A verified cosignature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignature {
    /// The signature line.
    pub line: NoteSignature,
    /// When, as the witness says; seconds since 1970 UTC.
    pub time_s: u64,
}

/// A client of one witness. Clones share connections.
#[derive(Debug, Clone)]
pub struct WitnessClient {
    agent: Agent,
    url: String,
    verifier: NoteVerifier,
}

impl WitnessClient {
    /// A client of the witness with this key at `url`. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ClientError::Address`], [`ClientError::Key`].
    pub fn of(verifier: NoteVerifier, url: &str) -> Result<Self, ClientError> {
        if verifier.kind() != KeyKind::Cosignature {
            return Err(ClientError::Key { name: verifier.name().to_owned() });
        }
        let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
        if host.is_none_or(|host| host.is_empty() || host.starts_with(['/', ':']) || host.contains(['?', '#', ' '])) {
            return Err(ClientError::Address { url: url.to_owned() });
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("cairn/", env!("CARGO_PKG_VERSION")))
            .max_idle_connections_per_host(2)
            .build();
        Ok(Self { agent: Agent::new_with_config(config), url: url.trim_end_matches('/').to_owned(), verifier })
    }

    /// The witness's key.
    #[must_use]
    pub const fn verifier(&self) -> &NoteVerifier {
        &self.verifier
    }

    /// Asks for a cosignature, and waits no longer than `patience` from the first byte to the last.
    ///
    /// # Errors
    /// [`ClientError::Connection`], [`ClientError::Refused`], and [`ClientError::Answer`] if what came is no cosignature
    /// of this witness over this checkpoint.
    pub fn add_checkpoint(&self, request: &AddCheckpoint, patience: Duration) -> Result<Asked, ClientError> {
        let url = format!("{}/add-checkpoint", self.url);
        let posted = self.agent.post(&url).config().timeout_global(Some(patience)).build();
        let answer = self.read(&url, posted.send(request.to_string().as_bytes()), ANSWER_BYTES_MAX)?;
        match answer.status {
            200 => self.verify(&url, &request.note, &answer.text).map(Asked::Cosigned),
            409 if answer.is_size => {
                let size = parse_size(&answer.text).map_err(|error| self.lied(&url, error))?;
                Ok(Asked::At { size })
            }
            _ => Err(answer.refused(&url)),
        }
    }

    /// A page of what the witness cosigned of a log, from number `from` on; empty at the end. Nothing of it is verified.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn history(&self, origin: &str, from: u64, patience: Duration) -> Result<Vec<Note>, ClientError> {
        let url = format!("{}/{}/history?from={from}", self.url, log_id(origin));
        let got = self.agent.get(&url).config().timeout_global(Some(patience)).build().call();
        let answer = self.read(&url, got, PAGE_BYTES_MAX)?;
        match answer.status {
            200 => parse_history(&answer.text).map_err(|error| self.lied(&url, error)),
            404 => Ok(Vec::new()),
            _ => Err(answer.refused(&url)),
        }
    }

    /// The checkpoint that the witness cosigned last of a log, as it shows it; `None` if it has cosigned none. Nothing of
    /// it is verified.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn latest(&self, origin: &str, patience: Duration) -> Result<Option<Note>, ClientError> {
        let url = format!("{}/{}/checkpoint", self.url, log_id(origin));
        let got = self.agent.get(&url).config().timeout_global(Some(patience)).build().call();
        let answer = self.read(&url, got, ANSWER_BYTES_MAX)?;
        match answer.status {
            200 => answer.text.parse().map(Some).map_err(|error: MerkleError| self.lied(&url, error)),
            404 => Ok(None),
            _ => Err(answer.refused(&url)),
        }
    }

    fn read(
        &self,
        url: &str,
        answered: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
        limit_bytes: u64,
    ) -> Result<Answer, ClientError> {
        let broken = |error: ureq::Error| ClientError::Connection { url: url.to_owned(), reason: error.to_string() };
        let mut response = answered.map_err(broken)?;
        let status = response.status().as_u16();
        let is_size = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == SIZE_CONTENT_TYPE);
        let bytes = match response.body_mut().with_config().limit(limit_bytes).read_to_vec() {
            Ok(bytes) => bytes,
            Err(ureq::Error::BodyExceedsLimit(_)) => {
                return Err(self.lied(url, format!("more than {limit_bytes} bytes")));
            }
            Err(error) => return Err(broken(error)),
        };
        let text = String::from_utf8(bytes).map_err(|_| self.lied(url, "it is not text"))?;
        Ok(Answer { status, is_size, text })
    }

    fn verify(&self, url: &str, note: &Note, answer: &str) -> Result<Cosignature, ClientError> {
        let lines = parse_lines(answer).map_err(|error| self.lied(url, error))?;
        let is_own = |line: &&NoteSignature| line.name == self.verifier.name() && line.key_id == self.verifier.id();
        let line = lines.iter().find(is_own).ok_or_else(|| self.lied(url, "no line of its key"))?;
        let signed = Note::new(note.text().to_owned(), vec![line.clone()]);
        let signed = signed.map_err(|error| self.lied(url, error))?;
        let opened = signed.open(core::slice::from_ref(&self.verifier)).map_err(|error| self.lied(url, error))?;
        let time_s = opened.first().and_then(|signed| signed.time_s);
        let time_s = time_s.ok_or_else(|| self.lied(url, "it carries no time"))?;
        Ok(Cosignature { line: line.clone(), time_s })
    }

    fn lied(&self, url: &str, reason: impl ToString) -> ClientError {
        ClientError::Answer { url: url.to_owned(), name: self.verifier.name().to_owned(), reason: reason.to_string() }
    }
}

struct Answer {
    status: u16,
    is_size: bool,
    text: String,
}

impl Answer {
    fn refused(self, url: &str) -> ClientError {
        let text = self.text.chars().filter(|c| !c.is_control()).take(200).collect();
        ClientError::Refused { url: url.to_owned(), status: self.status, text }
    }
}
