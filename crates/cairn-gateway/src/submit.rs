//! `POST /v1/reports`, `/v1/statements`, `/v1/observations`.
//!
//! From cheap to dear: rate of requests, media type, size, count, rate of items, form, standing, rate of the device,
//! signatures; then the writer, whose answer is durable.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use cairn_api::{Problem, ResultRow, ResultStatus, SubmitResponse};
use cairn_core::entry::EntryKind;
use cairn_fold::Refusal;
use cairn_ledger::{Answer, Receipted, Submission};

use crate::address::Client;
use crate::body::{Received, media_type, receive};
use crate::buckets::Wait;
use crate::charges::Charges;
use crate::front::Front;
use crate::health;
use crate::openapi::Binary;
use crate::problem::Refused;
use crate::rates::{seconds, too_fast};
use crate::screen::{NO_BLOB, Passed, Stopped, TOO_FAST, screen};
use crate::sequence::{Items, Rest, split};
use crate::verifiers::log_reports;

const COSE: &str = "application/cose";
const CBOR: &str = "application/cbor";
const CBOR_SEQ: &str = "application/cbor-seq";
/// What to do about a report that came too fast.
const TOO_FAST_HINT: &str = "send it again after the wait that `Retry-After` names";

/// What to do about an order whose blobs are not here.
const NO_BLOB_HINT: &str = "leave its module and inputs first: PUT /v1/blobs/{hash}";

type Answered = Result<Response, Refused>;

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
    if let Some(draining) = health::draining(front) {
        return Err(draining);
    }
    let (head, body) = request.into_parts();
    let client = head.extensions.get::<Client>().copied().unwrap_or(Client { limited: None });
    let is_sequence = is_sequence(kind, media_type(&head.headers).as_deref())?;
    let received = receive(front, client, &head.headers, body).await?;
    let told = if kind == EntryKind::Report {
        log_reports(front, client, is_sequence, received).await?
    } else {
        log_others(front, client, kind, is_sequence, received).await?
    };
    let Told { rows, wait, receipted } = told;
    let response = respond(rows, receipted?);
    front.metrics.count(&response.results);
    with_wait(response, wait)
}

/// Has statements or observations checked on a blocking thread, and logged.
async fn log_others(
    front: &Arc<Front>,
    client: Client,
    kind: EntryKind,
    is_sequence: bool,
    Received { bytes, held }: Received,
) -> Result<Told, Refused> {
    let (prepared, held) = front
        .blocking(move |front| {
            let split = split_body(front, client, kind, is_sequence, &bytes)?;
            let rows = screen(front, kind, &split.items)?;
            Ok((Prepared::of(front, kind, rows, split.rest.as_ref()), held))
        })
        .await?;
    // Devices are charged for reports alone.
    let Prepared { rows, items, wait, .. } = prepared;
    let receipted = if items.is_empty() { Ok(nothing_logged(front)) } else { front.writer.submit(items, held).await };
    Ok(Told { rows, wait, receipted })
}

/// The receipt of a request of which nothing reached the writer.
pub(crate) fn nothing_logged(front: &Front) -> Receipted {
    Receipted { answers: Vec::new(), size: front.log.size(), promise: String::new() }
}

/// What became of a request.
pub(crate) struct Told {
    /// A row for each item sent; `None` where the writer's answer goes.
    pub rows: Vec<Option<ResultRow>>,
    /// The longest wait of the reports that came too fast.
    pub wait: Option<Wait>,
    /// What the writer says.
    pub receipted: Result<Receipted, Refused>,
}

/// When reports came too fast the answer says when to come back; when nothing else came it is a refusal.
fn with_wait(response: SubmitResponse, wait: Option<Wait>) -> Answered {
    let Some(wait) = wait else { return Ok(Json(response).into_response()) };
    if response.results.iter().all(|row| row.code.as_deref() == Some(TOO_FAST)) {
        let detail = response.results.into_iter().next().and_then(|row| row.detail).unwrap_or_default();
        return Err(too_fast(TOO_FAST, detail, wait));
    }
    Ok(([(RETRY_AFTER, seconds(wait).to_string())], Json(response)).into_response())
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
pub(crate) struct Prepared {
    /// A row for each item sent; `None` where the writer's answer goes.
    pub rows: Vec<Option<ResultRow>>,
    /// What goes to the writer.
    pub items: Vec<Submission>,
    /// What was charged for those.
    pub charges: Charges,
    /// The longest wait of the reports that came too fast.
    pub wait: Option<Wait>,
}

impl Prepared {
    /// Of checked items, and of the rest of a body that could not be split into any.
    pub fn of(
        front: &Front,
        kind: EntryKind,
        checked: impl IntoIterator<Item = Result<Passed, Stopped>>,
        rest: Option<&Rest>,
    ) -> Self {
        let charges = Charges::by(front.rates.clone());
        let mut prepared = Self { rows: Vec::new(), items: Vec::new(), charges, wait: None };
        for row in checked {
            match row {
                Ok(passed) => {
                    prepared.rows.push(None);
                    prepared.items.push(passed.submission);
                    prepared.charges.push(passed.charged);
                }
                Err(Stopped { refusal, wait }) => {
                    prepared.rows.push(Some(rejected(&refusal)));
                    let ms = [prepared.wait, wait].into_iter().flatten().map(|wait| wait.ms).max();
                    prepared.wait = ms.map(|ms| Wait { ms });
                }
            }
        }
        prepared.rows.extend(rest.map(|rest| Some(rejected(&unreadable(kind, rest)))));
        prepared
    }
}

/// The items of a body, which its sender is charged for.
///
/// # Errors
/// [`Refused`] when there is none, or there are more than may be.
pub(crate) fn split_body<'a>(
    front: &Front,
    client: Client,
    kind: EntryKind,
    is_sequence: bool,
    body: &'a [u8],
) -> Result<Items<'a>, Refused> {
    if body.is_empty() {
        return Err(Refused::bad("NET-EMPTY", format!("there is no {} in the body", kind.word())));
    }
    let items = if is_sequence {
        let limit = items_max(front, client);
        let too_many = || {
            let detail = format!("more than {limit} {}s in one request", kind.word());
            Refused::of(StatusCode::PAYLOAD_TOO_LARGE, "NET-TOO-MANY", detail).hint("send them in several requests")
        };
        split(body, limit).ok_or_else(too_many)?
    } else {
        Items { items: vec![body], rest: None }
    };
    front.rates.items(client, items.items.len())?;
    Ok(items)
}

/// Items that one request may have; never more than an address may send at once, or they could never be sent.
fn items_max(front: &Front, client: Client) -> usize {
    let (limit, rate) = (front.options.items_per_request_max, front.options.address_items);
    match client.limited {
        Some(_) if rate.per_s > 0 => limit.min(rate.burst.max(1) as usize),
        _ => limit,
    }
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
        hint: hint(refusal).map(str::to_owned),
    }
}

fn hint(refusal: &Refusal) -> Option<&'static str> {
    match refusal.code {
        TOO_FAST => Some(TOO_FAST_HINT),
        NO_BLOB => Some(NO_BLOB_HINT),
        _ => refusal.hint(),
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

/// The rows of a request, those of the writer in their places.
pub(crate) fn respond(rows: Vec<Option<ResultRow>>, receipted: Receipted) -> SubmitResponse {
    let mut answers = receipted.answers.into_iter().map(answered);
    let fill = |row: Option<ResultRow>| row.or_else(|| answers.next()).expect("the writer answers every item");
    let results = rows.into_iter().map(fill).collect();
    SubmitResponse { results, size: receipted.size, promise: receipted.promise }
}
