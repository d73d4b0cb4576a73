//! `/v1/epochs/{n}/signatures`: where auditors leave their signatures, and where whoever posts an epoch finds them.
//!
//! A signature is kept only if it is of the message that this log implies and its signer is in the logged set in force. One
//! by such an auditor over another message is worth more than a refusal: either he, or the operator, told two truths.
//!
//! From cheap to dear: rate of requests, media type, size, rate of items, form, revision, epoch; the signature is last.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use cairn_api::{EpochSignatures, Problem, SignatureInfo, SignatureKept, SignaturePost};
use cairn_core::Hash;
use cairn_core::epoch::EpochStatement;
use cairn_core::wallet::recover_evm;
use cairn_settle::told::{SIGNATURE_BYTES, address_text, message_info, parse_signature, read_message, signature_text};
use cairn_settle::{EpochMessage, EvmAddress, SettleError};
use serde::Serialize;

use crate::address::Client;
use crate::body::{media_type, receive_within};
use crate::epochs::{Asked, Pairs};
use crate::front::Front;
use crate::health;
use crate::problem::{Refused, report_failure};
use crate::routes::number;
use crate::signatures::{Expected, REVISION_MAX, Signature};

type Shared = State<Arc<Front>>;

const JSON: &str = "application/json";
/// A signature with its message is below this.
const BODY_BYTES_MAX: usize = 4 << 10;

/// What auditors sign of an epoch, the set in force, and the signatures so far.
#[utoipa::path(get, path = "/v1/epochs/{n}/signatures", tag = "epochs",
    params(("n" = u64, Path, description = "The epoch."),
        ("revision" = Option<u32>, Query, description = "The revision that message and digest are shown of; 0 if left out.")),
    responses((status = 200, description = "Message, auditors and signatures.", body = EpochSignatures),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn signatures(
    State(front): Shared,
    Path(epoch): Path<String>,
    query: Query<Pairs>,
) -> Result<Json<EpochSignatures>, Refused> {
    let epoch = number(&epoch, "an epoch")?;
    let asked = Asked::among(&query, &["revision"])?.number("revision")?.unwrap_or(0);
    let too_high = || Refused::bad("NET-QUERY", format!("a revision is below 2^32, not {asked}"));
    let revision = u32::try_from(asked).map_err(|_| too_high())?;
    let shown = front.blocking(move |front| {
        let expected = expected(front, epoch)?;
        let signatures = front.signatures.of(&expected).map_err(|error| unread(&error))?;
        Ok(show(&expected, revision, &signatures))
    });
    Ok(Json(shown.await?))
}

/// Leave the signature of an auditor over an epoch.
///
/// 65 bytes over the EIP-712 digest of the message that this log's own statement implies, at the given revision, by an
/// auditor of the logged set in force for the epoch. Sending it again is answered alike. With `message`, a signature over
/// another message for the same epoch and revision is recorded as a contradiction and refused with `STL-CONTRADICTION`.
#[utoipa::path(post, path = "/v1/epochs/{n}/signatures", tag = "epochs",
    params(("n" = u64, Path, description = "The epoch.")), request_body = SignaturePost,
    responses((status = 200, description = "It is kept, durably.", body = SignatureKept),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn sign(
    State(front): Shared,
    Path(epoch): Path<String>,
    request: Request,
) -> Result<Json<SignatureKept>, Refused> {
    let epoch = number(&epoch, "an epoch")?;
    if let Some(draining) = health::draining(&front) {
        return Err(draining);
    }
    let (head, body) = request.into_parts();
    let given = media_type(&head.headers);
    if given.as_deref() != Some(JSON) {
        let detail =
            format!("the content type is {}; a signature comes as {JSON}", given.unwrap_or("nothing".to_owned()));
        return Err(Refused::of(StatusCode::UNSUPPORTED_MEDIA_TYPE, "NET-MEDIA-TYPE", detail));
    }
    if !front.signatures.are_kept() {
        let detail = "this gateway keeps no signatures of auditors";
        return Err(
            Refused::of(StatusCode::NOT_FOUND, "STL-NOT-KEPT", detail).hint("ask the operator for one that does")
        );
    }
    let client = head.extensions.get::<Client>().copied().unwrap_or(Client { limited: None });
    let received = receive_within(BODY_BYTES_MAX, &front, client, &head.headers, body).await?;
    front.rates.items(client, 1)?;
    let signed = Signed::read(&received.bytes)?;
    front.blocking(move |front| keep(front, epoch, &signed)).await.map(Json)
}

/// A signature that somebody sent; nothing about it is verified.
struct Signed {
    revision: u32,
    bytes: [u8; SIGNATURE_BYTES],
    message: Option<EpochMessage>,
}

impl Signed {
    fn read(body: &[u8]) -> Result<Self, Refused> {
        let post: SignaturePost = serde_json::from_slice(body).map_err(|error| {
            Refused::bad("NET-JSON", format!("the body is no signature of an auditor: {error}"))
                .hint("send {\"revision\": 0, \"signature\": \"0x...\"}")
        })?;
        let SignaturePost { revision, signature, message } = post;
        if revision > REVISION_MAX {
            let detail = format!("revision {revision} is past {REVISION_MAX}, the highest that is kept");
            return Err(Refused::bad("STL-REVISION", detail));
        }
        let bytes = parse_signature(&signature).ok_or_else(|| {
            Refused::bad("STL-SIGNATURE", format!("a signature is {SIGNATURE_BYTES} bytes in hexadecimal"))
        })?;
        let message = message.map(|told| {
            read_message(&told)
                .ok_or_else(|| Refused::bad("STL-MESSAGE", "hashes of a message are 64 hexadecimal digits"))
        });
        Ok(Self { revision, bytes, message: message.transpose()? })
    }
}

/// What the log says about the signatures of a closed epoch.
fn expected(front: &Front, epoch: u64) -> Result<Expected, Refused> {
    let ledger = front.ledger()?;
    let bytes = ledger.statement_bytes(epoch)?;
    let set = ledger.state().auditors_for(epoch).cloned();
    drop(ledger);
    let statement = EpochStatement::decode(&bytes).map_err(|error| unread(&error))?;
    let message = EpochMessage::of(&statement, 0).map_err(|error| unread(&error))?;
    Ok(Expected { network: front.network, message, set, rehearsed: statement.rehearsed })
}

/// The signatures of a closed epoch at revision 0, for the console; `None` where none are kept or they cannot be read.
pub(crate) fn kept(front: &Front, epoch: u64) -> Option<EpochSignatures> {
    if !front.signatures.are_kept() {
        return None;
    }
    let expected = expected(front, epoch).ok()?;
    let signatures = front.signatures.of(&expected).map_err(|error| unread(&error)).ok()?;
    Some(show(&expected, 0, &signatures))
}

fn unread(error: &dyn core::fmt::Display) -> Refused {
    report_failure(error);
    let detail = "the gateway could not read what was asked for; its operator sees why";
    Refused::of(StatusCode::INTERNAL_SERVER_ERROR, "NET-IO", detail)
}

fn unkept(error: &std::io::Error) -> Refused {
    report_failure(&format_args!("a signature of an auditor could not be kept: {error}"));
    let detail = "the signature could not be made durable; the operator sees why";
    Refused::of(StatusCode::SERVICE_UNAVAILABLE, "NET-IO", detail)
        .hint("send it again later: it is worth the same wherever it lies")
        .retry_after(30)
}

fn show(expected: &Expected, revision: u32, signatures: &[Signature]) -> EpochSignatures {
    let auditors = expected.set.as_ref().map(|set| set.auditors.iter().map(address_text).collect());
    EpochSignatures {
        network_id: expected.network.to_string(),
        epoch: expected.message.epoch,
        revision,
        message: message_info(&expected.message(revision)),
        digest: Hash(expected.digest(revision)).to_hex(),
        auditors: auditors.unwrap_or_default(),
        quorum: expected.quorum(),
        signatures: signatures.iter().map(tell).collect(),
        rehearsed: expected.rehearsed.clone(),
    }
}

fn tell(signature: &Signature) -> SignatureInfo {
    SignatureInfo {
        auditor: address_text(&signature.auditor),
        revision: signature.revision,
        signature: signature_text(&signature.bytes),
    }
}

fn keep(front: &Front, epoch: u64, signed: &Signed) -> Result<SignatureKept, Refused> {
    let expected = expected(front, epoch)?;
    if expected.set.is_none() {
        let detail = format!("no set of auditors is in force for epoch {epoch}");
        return Err(Refused::of(StatusCode::CONFLICT, "STL-NO-AUDITORS", detail)
            .hint("the operator names auditors with `cairn auditor propose`, for epochs that have not begun"));
    }
    let own = expected.message(signed.revision);
    let claimed = signed.message.as_ref().unwrap_or(&own);
    if (claimed.epoch, claimed.revision) != (epoch, signed.revision) {
        let detail = format!("the message is of epoch {} and revision {}", claimed.epoch, claimed.revision);
        return Err(Refused::bad("STL-MESSAGE", detail));
    }
    let auditor = auditor(&expected, claimed, &signed.bytes)?;
    if *claimed != own {
        return Err(contradict(front, &expected, &Contradicting { auditor, signed, claimed, own: &own }));
    }
    let signature = Signature { revision: signed.revision, auditor, bytes: signed.bytes };
    let (known, all) = front.signatures.keep(&expected, signature).map_err(|error| unkept(&error))?;
    Ok(SignatureKept {
        known,
        auditor: address_text(&auditor),
        epoch,
        revision: signed.revision,
        signed: all.iter().filter(|one| one.revision == signed.revision).count() as u64,
        quorum: expected.quorum(),
    })
}

/// The auditor of the set in force who signed a message.
fn auditor(expected: &Expected, message: &EpochMessage, signature: &[u8]) -> Result<EvmAddress, Refused> {
    let digest = message.digest(&expected.network);
    let Some(signer) = recover_evm(&digest, signature) else {
        let error = SettleError::Signature { place: 0, digest: Hash(digest) };
        return Err(Refused::bad(error.code(), error.to_string()).hint(error.hint()));
    };
    if expected.has(&signer) {
        return Ok(signer);
    }
    let detail = format!(
        "over digest {} it is a signature of {}, who is not in the set in force for epoch {}",
        Hash(digest),
        address_text(&signer),
        message.epoch
    );
    Err(Refused::of(StatusCode::FORBIDDEN, "STL-NOT-AN-AUDITOR", detail).hint(
        "over another digest anybody else seems to have signed: compare the digest, and send `message` if yours differs",
    ))
}

struct Contradicting<'a> {
    auditor: EvmAddress,
    signed: &'a Signed,
    claimed: &'a EpochMessage,
    own: &'a EpochMessage,
}

/// A contradiction as it is kept: everything that anybody needs to check it.
#[derive(Serialize)]
struct Contradiction {
    network_id: String,
    auditor: String,
    /// What the auditor signed.
    message: cairn_api::EpochMessageInfo,
    signature: String,
    /// What this log implies.
    implied: cairn_api::EpochMessageInfo,
    /// The auditor's signature over that, where he signed both.
    implied_signature: Option<String>,
}

/// Records that an auditor signed another message, and refuses it.
fn contradict(front: &Front, expected: &Expected, told: &Contradicting<'_>) -> Refused {
    let auditor = address_text(&told.auditor);
    let signatures = match front.signatures.of(expected) {
        Ok(signatures) => signatures,
        Err(error) => return unread(&error),
    };
    let also = signatures.iter().find(|one| (one.revision, one.auditor) == (told.own.revision, told.auditor));
    let document = Contradiction {
        network_id: expected.network.to_string(),
        auditor: auditor.clone(),
        message: message_info(told.claimed),
        signature: signature_text(&told.signed.bytes),
        implied: message_info(told.own),
        implied_signature: also.map(|one| signature_text(&one.bytes)),
    };
    let document = serde_json::to_vec_pretty(&document).expect("a contradiction is strings and numbers");
    if let Err(error) = front.signatures.keep_contradiction(told.own.epoch, &auditor, &document) {
        return unkept(&error);
    }
    let (epoch, revision) = (told.own.epoch, told.own.revision);
    let words = format!(
        "auditor {auditor} signed statement {} for epoch {epoch}, revision {revision}; this log implies {}",
        told.claimed.statement_hash, told.own.statement_hash
    );
    report_failure(&words);
    Refused::of(StatusCode::CONFLICT, "STL-CONTRADICTION", words)
        .hint("either the auditor was shown another log, or one of both is lying: compare checkpoints; it is recorded")
}
