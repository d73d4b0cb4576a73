//! `POST /v1/reports`, `/v1/statements`, `/v1/observations`.
//!
//! From cheap to dear: media type, size, count, form, standing, signatures; then the writer, whose answer is durable.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use cairn_api::{Problem, ResultRow, ResultStatus, SubmitResponse};
use cairn_core::entry::EntryKind;
use cairn_fold::Refusal;
use cairn_ledger::{Answer, Receipted, Submission};

use crate::body::{Received, media_type, receive};
use crate::front::Front;
use crate::openapi::Binary;
use crate::problem::Refused;
use crate::screen::screen;
use crate::sequence::{Rest, split};

const COSE: &str = "application/cose";
const CBOR: &str = "application/cbor";
const CBOR_SEQ: &str = "application/cbor-seq";

type Answered = Result<Json<SubmitResponse>, Refused>;

/// Submit signed reports.
///
/// One COSE_Sign1 as `application/cose`, or a CBOR sequence of them as `application/cbor-seq`. Answered after everything
/// accepted is durable, one row for each report in the order sent; one bad report does not sink its neighbours. A repeat
/// is answered with the index of the first, and promised like it, so sending again is safe.
#[utoipa::path(post, path = "/v1/reports", tag = "submit",
    request_body(content((Binary = "application/cose"), (Binary = "application/cbor-seq"))),
    responses((status = 200, description = "What became of each report.", body = SubmitResponse),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn reports(State(front): State<Arc<Front>>, request: Request) -> Answered {
    submit(&front, EntryKind::Report, request).await
}

/// Submit signed statements.
///
/// One statement as `application/cbor`, or a CBOR sequence of them as `application/cbor-seq`: enrolments, transfers,
/// payees, policies and the like.
#[utoipa::path(post, path = "/v1/statements", tag = "submit",
    request_body(content((Binary = "application/cbor"), (Binary = "application/cbor-seq"))),
    responses((status = 200, description = "What became of each statement.", body = SubmitResponse),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn statements(State(front): State<Arc<Front>>, request: Request) -> Answered {
    submit(&front, EntryKind::Statement, request).await
}

/// Submit signed observations.
///
/// One COSE_Sign1 as `application/cose`, or a CBOR sequence of them as `application/cbor-seq`, by observers that the
/// policy names.
#[utoipa::path(post, path = "/v1/observations", tag = "submit",
    request_body(content((Binary = "application/cose"), (Binary = "application/cbor-seq"))),
    responses((status = 200, description = "What became of each observation.", body = SubmitResponse),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn observations(State(front): State<Arc<Front>>, request: Request) -> Answered {
    submit(&front, EntryKind::Observation, request).await
}

async fn submit(front: &Arc<Front>, kind: EntryKind, request: Request) -> Answered {
    if let Some(stopped) = front.writer.standing().refusal() {
        return Err(stopped);
    }
    let (head, body) = request.into_parts();
    let is_sequence = is_sequence(kind, media_type(&head.headers).as_deref())?;
    let received = receive(front, &head.headers, body).await?;
    let prepared = front.blocking(move |front| prepare(front, kind, is_sequence, &received)).await?;
    let response = if prepared.items.is_empty() {
        let nothing = Receipted { answers: Vec::new(), size: front.log.size(), promise: String::new() };
        respond(prepared.rows, nothing)
    } else {
        respond(prepared.rows, front.writer.submit(prepared.items).await?)
    };
    front.metrics.count(&response.results);
    Ok(Json(response))
}

fn is_sequence(kind: EntryKind, media_type: Option<&str>) -> Result<bool, Refused> {
    let single = if kind == EntryKind::Statement { CBOR } else { COSE };
    match media_type {
        Some(CBOR_SEQ) => Ok(true),
        Some(given) if given == single => Ok(false),
        given => {
            let given = given.unwrap_or("nothing");
            let detail = format!("the content type is {given}; {}s come as {single} or {CBOR_SEQ}", kind.word());
            Err(Refused::of(StatusCode::UNSUPPORTED_MEDIA_TYPE, "NET-MEDIA-TYPE", detail))
        }
    }
}

/// What can be said before the writer was asked.
struct Prepared {
    /// A row for each item sent; `None` where the writer's answer goes.
    rows: Vec<Option<ResultRow>>,
    /// What goes to the writer.
    items: Vec<Submission>,
}

fn prepare(front: &Front, kind: EntryKind, is_sequence: bool, received: &Received) -> Result<Prepared, Refused> {
    let body = received.bytes.as_slice();
    if body.is_empty() {
        return Err(Refused::bad("NET-EMPTY", format!("there is no {} in the body", kind.word())));
    }
    let (items, rest) = if is_sequence {
        let limit = front.options.items_per_request_max;
        let too_many = || {
            let detail = format!("more than {limit} {}s in one request", kind.word());
            Refused::of(StatusCode::PAYLOAD_TOO_LARGE, "NET-TOO-MANY", detail).hint("send them in several requests")
        };
        let split = split(body, limit).ok_or_else(too_many)?;
        (split.items, split.rest)
    } else {
        (vec![body], None)
    };
    let mut prepared = Prepared { rows: Vec::with_capacity(items.len() + 1), items: Vec::with_capacity(items.len()) };
    for screened in screen(front, kind, &items)? {
        match screened {
            Ok(item) => {
                prepared.rows.push(None);
                prepared.items.push(item);
            }
            Err(refusal) => prepared.rows.push(Some(rejected(&refusal))),
        }
    }
    prepared.rows.extend(rest.map(|rest| Some(rejected(&unreadable(kind, &rest)))));
    Ok(prepared)
}

fn unreadable(kind: EntryKind, rest: &Rest) -> Refusal {
    let code = match kind {
        EntryKind::Report => "RPT-SEQUENCE",
        EntryKind::Statement => "STM-SEQUENCE",
        EntryKind::Observation | EntryKind::Epoch => "OBS-SEQUENCE",
    };
    let Rest { at, bytes, error } = rest;
    let detail = format!("from byte {at} of the body on, {bytes} bytes cannot be split into items: {error}");
    Refusal { code, detail }
}

fn rejected(refusal: &Refusal) -> ResultRow {
    ResultRow {
        status: ResultStatus::Rejected,
        index: None,
        code: Some(refusal.code.to_owned()),
        detail: Some(refusal.detail.clone()),
        hint: refusal.hint().map(str::to_owned),
    }
}

fn answered(answer: Answer) -> ResultRow {
    let logged = |status, index| ResultRow { status, index: Some(index), code: None, detail: None, hint: None };
    match answer {
        Answer::Accepted { index, .. } => logged(ResultStatus::Accepted, index),
        Answer::Duplicate { index, .. } => logged(ResultStatus::Duplicate, index),
        Answer::Rejected(refusal) => rejected(&refusal),
    }
}

fn respond(rows: Vec<Option<ResultRow>>, receipted: Receipted) -> SubmitResponse {
    let mut answers = receipted.answers.into_iter().map(answered);
    let fill = |row: Option<ResultRow>| row.or_else(|| answers.next()).expect("the writer answers every item");
    let results = rows.into_iter().map(fill).collect();
    SubmitResponse { results, size: receipted.size, promise: receipted.promise }
}
