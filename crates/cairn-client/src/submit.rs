//! Submitting, and holding the gateway to its word.

use std::collections::BTreeSet;
use std::time::Duration;

use cairn_api::{NetworkInfo, ResultStatus, SubmitResponse};
use cairn_core::{Hash, NetworkId};
use cairn_log::Promise;
use cairn_log::promise::promise_key_name;
use cairn_merkle::NoteVerifier;

use crate::transport::Ask;
use crate::{Client, ClientError};

/// The most that is read of an answer to a submission: a promise, which may name the entries of others,
const ANSWER_BYTES_MAX: u64 = 1 << 20;
/// and a row for each item, in bytes. Small machines submit, and a gateway may lie.
const ROW_BYTES_MAX: u64 = 4 << 10;

/// The key that a network's promises are signed with.
#[derive(Debug, Clone)]
pub(crate) struct PromiseKey {
    network: NetworkId,
    verifier: NoteVerifier,
}

/// The answer to a submission whose promise was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// The answer; `response.promise` is the signed note, which is worth keeping.
    pub response: SubmitResponse,
    /// What was promised; `None` when nothing was accepted or known.
    pub promise: Option<Promise>,
    /// How long to wait before reports that came too fast (`RPT-RATE`) are sent again; `None` when none did. They were not
    /// logged, and the wait is half a minute at most.
    pub wait: Option<Duration>,
}

impl Client {
    /// Names the network and promise key beforehand. Without it the gateway is asked once, and believed.
    #[must_use]
    pub fn promised_by(self, network: NetworkId, promise_key: NoteVerifier) -> Self {
        let known = std::sync::OnceLock::from(PromiseKey { network, verifier: promise_key });
        Self { promise_key: std::sync::Arc::new(known), ..self }
    }

    /// Submits signed reports, each the bytes of one COSE_Sign1. The answer has one row for each, in this order: a bad
    /// report does not sink its neighbours, and [`Submitted::wait`] says when to send those again that came too fast.
    ///
    /// # Errors
    /// [`ClientError::Nothing`] without reports; [`ClientError::Promise`] when what was accepted or known is not promised.
    pub fn submit_reports<R: AsRef<[u8]>>(&self, reports: &[R]) -> Result<Submitted, ClientError> {
        // A report sent twice is answered with its index.
        self.submit("/v1/reports", "application/cose", reports, true)
    }

    /// Submits one signed statement.
    ///
    /// # Errors
    /// [`ClientError::Promise`] when it was accepted and is not promised.
    pub fn submit_statement(&self, statement: &[u8]) -> Result<Submitted, ClientError> {
        self.submit_statements(&[statement])
    }

    /// Submits signed statements. The answer has one row for each, in this order.
    ///
    /// # Errors
    /// [`ClientError::Nothing`] without statements; [`ClientError::Promise`] when what was accepted is not promised.
    pub fn submit_statements<S: AsRef<[u8]>>(&self, statements: &[S]) -> Result<Submitted, ClientError> {
        // A statement sent twice is refused for its nonce, so it is never sent twice unasked.
        self.submit("/v1/statements", "application/cbor", statements, false)
    }

    /// Submits one signed observation.
    ///
    /// # Errors
    /// [`ClientError::Promise`] when it was accepted and is not promised.
    pub fn submit_observation(&self, observation: &[u8]) -> Result<Submitted, ClientError> {
        self.submit("/v1/observations", "application/cose", &[observation], false)
    }

    /// Sends one item by itself, as `one_type`, or several as a CBOR sequence.
    fn submit<I: AsRef<[u8]>>(
        &self,
        path: &str,
        one_type: &'static str,
        items: &[I],
        again: bool,
    ) -> Result<Submitted, ClientError> {
        let (content_type, body) = match items {
            [] => return Err(ClientError::Nothing),
            [one] => (one_type, one.as_ref().to_vec()),
            many => ("application/cbor-seq", many.iter().flat_map(|item| item.as_ref()).copied().collect()),
        };
        let (ask, sent) = (Ask::Post { content_type, body: &body, again }, items.len());
        // Before anything is sent: an acceptance that cannot be checked afterwards is worth less.
        let key = self.promise_key()?;
        let bytes_max = ANSWER_BYTES_MAX + ROW_BYTES_MAX * sent as u64;
        let (bytes, wait) = self.transport.ask(path, ask, bytes_max)?;
        let response: SubmitResponse = self.transport.read_json(path, &bytes)?;
        if response.results.len() != sent {
            let reason = format!("{} rows for {sent} items", response.results.len());
            return Err(ClientError::Answer { url: self.transport.url(path), reason });
        }
        let promise = check_promise(&response, &key)?;
        Ok(Submitted { response, promise, wait })
    }

    fn promise_key(&self) -> Result<PromiseKey, ClientError> {
        if let Some(known) = self.promise_key.get() {
            return Ok(known.clone());
        }
        let key = promise_key_of(&self.network()?)?;
        // Should another thread have been faster, its answer counts for all.
        Ok(self.promise_key.get_or_init(|| key).clone())
    }
}

fn promise_key_of(network: &NetworkInfo) -> Result<PromiseKey, ClientError> {
    let refuse = |reason: String| ClientError::Promise { reason };
    let id = Hash::from_hex(&network.network_id).ok_or_else(|| refuse("the network id is no hash".to_owned()))?;
    let verifier: NoteVerifier = network.promise_vkey.parse().map_err(ClientError::Log)?;
    let expected = promise_key_name(&network.origin);
    if verifier.name() != expected {
        return Err(refuse(format!("the promise key is named `{}`, not `{expected}`", verifier.name())));
    }
    Ok(PromiseKey { network: NetworkId(id), verifier })
}

/// Entries of others that a promise may name beside one's own: gateways sign one note for several short requests.
const OTHERS_MAX: usize = 256;

/// The promise must be signed by the network's key, for this network, over everything that was accepted or known, and over
/// few entries of others: an item that is called a duplicate is as good as accepted only if the gateway signs for where it
/// stands. The leaf hashes cover the time of receipt, which only the log tells: [`Client::kept`] checks them there.
fn check_promise(response: &SubmitResponse, key: &PromiseKey) -> Result<Option<Promise>, ClientError> {
    let refuse = |reason: String| ClientError::Promise { reason };
    let logged = response.results.iter().filter(|row| row.status != ResultStatus::Rejected);
    let logged: Option<Vec<u64>> = logged.map(|row| row.index).collect();
    let logged = logged.ok_or_else(|| refuse("an accepted or known item has no index".to_owned()))?;
    if logged.is_empty() {
        return Ok(None);
    }
    if response.promise.is_empty() {
        return Err(refuse(format!("nothing is promised for {} accepted or known items", logged.len())));
    }
    let promise = Promise::open(&response.promise, &key.verifier).map_err(|error| ClientError::promise(&error))?;
    if promise.network != key.network.0 {
        return Err(refuse(format!("it is for network {}, not {}", promise.network, key.network)));
    }
    let promised: BTreeSet<u64> = promise.entries.iter().map(|(index, _)| *index).collect();
    if let Some(missing) = logged.iter().find(|index| !promised.contains(index)) {
        return Err(refuse(format!("it does not name entry {missing}, which was accepted or known")));
    }
    let others = promise.entries.len().saturating_sub(logged.len());
    if others > OTHERS_MAX {
        return Err(refuse(format!("it names {others} entries of others; at most {OTHERS_MAX} are read")));
    }
    Ok(Some(promise))
}

#[cfg(test)]
mod tests {
    use cairn_api::ResultRow;
    use cairn_core::ed25519::SigningKey;
    use cairn_merkle::NoteSigner;
    use cairn_merkle::tree::leaf_hash;

    use super::*;

    fn signer() -> NoteSigner {
        NoteSigner::new("log.example/promise", SigningKey::from_seed([5; 32])).unwrap()
    }

    fn network() -> NetworkId {
        NetworkId(Hash::of(b"genesis"))
    }

    fn row(status: ResultStatus, index: Option<u64>) -> ResultRow {
        ResultRow { status, index, code: None, detail: None, hint: None }
    }

    fn promise(network: NetworkId, indices: &[u64]) -> String {
        let entries = indices.iter().map(|&index| (index, leaf_hash(&index.to_be_bytes()))).collect();
        Promise { network: network.0, entries }.sign(&signer()).unwrap()
    }

    fn check(rows: &[ResultRow], promise: String) -> Result<Option<Promise>, ClientError> {
        let key = PromiseKey { network: network(), verifier: signer().verifier().clone() };
        check_promise(&SubmitResponse { results: rows.to_vec(), size: 20, promise }, &key)
    }

    #[test]
    fn a_promise_names_everything_that_was_accepted_or_known() {
        use ResultStatus::{Accepted, Duplicate, Rejected};
        let rows = [row(Accepted, Some(7)), row(Duplicate, Some(3)), row(Rejected, None), row(Accepted, Some(9))];
        let held = check(&rows, promise(network(), &[7, 3, 9])).unwrap().unwrap();
        assert_eq!(held.entries.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [7, 3, 9]);
        for indices in [&[7, 9, 3][..], &[1, 7, 2, 3, 9, 4], &[7, 3, 9, 9]] {
            assert!(check(&rows, promise(network(), indices)).is_ok(), "others share it, in any order: {indices:?}");
        }
        let with_others = |count: u64| [7, 3, 9].into_iter().chain(100..100 + count).collect::<Vec<u64>>();
        assert!(check(&rows, promise(network(), &with_others(256))).is_ok());
        assert_eq!(check(&rows, promise(network(), &with_others(257))).unwrap_err().code(), "NET-PROMISE");
        for indices in [&[7][..], &[7, 9], &[7, 3, 8], &[1, 2, 4]] {
            assert_eq!(check(&rows, promise(network(), indices)).unwrap_err().code(), "NET-PROMISE", "{indices:?}");
        }
        assert_eq!(check(&rows, String::new()).unwrap_err().code(), "NET-PROMISE", "no promise at all");
        assert_eq!(check(&rows, "no note".to_owned()).unwrap_err().code(), "NET-PROMISE");
        assert_eq!(check(&[row(Accepted, None)], promise(network(), &[7])).unwrap_err().code(), "NET-PROMISE");
        assert_eq!(check(&[row(Duplicate, None)], promise(network(), &[7])).unwrap_err().code(), "NET-PROMISE");
        // "I have it already" without a word to hold the gateway to.
        let known = [row(Rejected, None), row(Duplicate, Some(1))];
        assert_eq!(check(&known, String::new()).unwrap_err().code(), "NET-PROMISE");
        assert!(check(&known, promise(network(), &[1])).unwrap().is_some());
        assert_eq!(check(&[row(Rejected, None)], String::new()).unwrap(), None);
    }

    #[test]
    fn a_promise_of_another_network_or_key_is_worth_nothing() {
        let rows = [row(ResultStatus::Accepted, Some(7))];
        let elsewhere = NetworkId(Hash::of(b"another genesis"));
        assert_eq!(check(&rows, promise(elsewhere, &[7])).unwrap_err().code(), "NET-PROMISE");
        let other = NoteSigner::new("log.example/promise", SigningKey::from_seed([6; 32])).unwrap();
        let entries = vec![(7, leaf_hash(b"x"))];
        let note = Promise { network: network().0, entries }.sign(&other).unwrap();
        assert_eq!(check(&rows, note).unwrap_err().code(), "NET-PROMISE");
        let altered = promise(network(), &[7]).replace("\n7 ", "\n8 ");
        assert_eq!(check(&[row(ResultStatus::Accepted, Some(8))], altered).unwrap_err().code(), "NET-PROMISE");
    }
}
