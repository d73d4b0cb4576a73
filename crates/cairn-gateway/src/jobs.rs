//! `/v1/jobs`, `/v1/offers`, `/v1/quotes`: where work stands, and what an order would meet.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use cairn_api::{JobInfo, JobList, OfferList, OrderInfo, Problem, QuoteInfo};
use cairn_core::id::BadName;
use cairn_core::statement::{Body, Order, Schema};
use cairn_core::{Account, DeviceId, JobId};
use cairn_ledger::{JobFilter, JobState, read_order};

use crate::address::Client;
use crate::body::{media_type, receive_within};
use crate::epochs::{Asked, Pairs, ROWS, limited};
use crate::front::Front;
use crate::ledger_pages::bad_name;
use crate::problem::Refused;

type Shared = State<Arc<Front>>;

const JSON: &str = "application/json";
/// The terms of an order with as long arguments and as many inputs as there may be are below this.
const QUOTE_BYTES_MAX: usize = 32 << 10;

fn named<T>(text: Option<&str>, parse: impl Fn(&str) -> Result<T, BadName>) -> Result<Option<T>, Refused> {
    text.map(parse).transpose().map_err(|error| bad_name(&error))
}

fn page_limit(asked: Option<u64>) -> usize {
    usize::try_from(limited(asked, ROWS)).unwrap_or(usize::MAX)
}

/// A job: order, workers and why, what was said, what became of the money.
///
/// Open and settled ones, until nobody can dispute them any more; then its sale is what remains, under
/// `/v1/epochs/{n}/sales/{job}`.
#[utoipa::path(get, path = "/v1/jobs/{job}", tag = "work",
    params(("job" = String, Path, description = "The job: SHA-256 of its order's payload.")),
    responses((status = 200, description = "The job.", body = JobInfo),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn job(State(front): Shared, Path(job): Path<String>) -> Result<Json<JobInfo>, Refused> {
    let job = JobId::parse(&job).map_err(|error| bad_name(&error))?;
    front.read(move |front, ledger| Ok(Json(ledger.job_info(&job, front.clock)?))).await
}

/// Jobs: a worker's assignments, a buyer's orders, what auditors are to run again.
#[utoipa::path(get, path = "/v1/jobs", tag = "work",
    params(("worker" = Option<String>, Query, description = "Only those assigned to this worker, `dev1...`."),
        ("buyer" = Option<String>, Query, description = "Only those of this buyer, CAIP-10."),
        ("state" = Option<String>, Query, description = "Only those that are `open` (something is expected of workers, or of the one named), `done` \
            (and not settled), `drawn` (to be run again, and the truth is not known) or `settled`."),
        ("after" = Option<String>, Query, description = "Only those after this job: `next` of the page before."),
        ("limit" = Option<u64>, Query, description = "At most so many: 100 unless given, never more than 1,000.")),
    responses((status = 200, description = "A page of them.", body = JobList),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn jobs(State(front): Shared, query: Query<Pairs>) -> Result<Json<JobList>, Refused> {
    let asked = Asked::among(&query, &["worker", "buyer", "state", "after", "limit"])?;
    let state = asked.text("state").map(|word| {
        let detail = || format!("`state` is open, done, drawn or settled, not `{word}`");
        JobState::of(word).ok_or_else(|| Refused::bad("NET-QUERY", detail()))
    });
    let filter = JobFilter {
        worker: named(asked.text("worker"), DeviceId::parse)?,
        buyer: named(asked.text("buyer"), Account::parse)?,
        state: state.transpose()?,
        after: named(asked.text("after"), JobId::parse)?,
    };
    let limit = page_limit(asked.number("limit")?);
    front.read(move |front, ledger| Ok(Json(ledger.job_list(&filter, limit, front.clock)?))).await
}

/// Offers of workers that are in force.
#[utoipa::path(get, path = "/v1/offers", tag = "work",
    params(("after" = Option<String>, Query, description = "Only those after this device: `next` of the page before."),
        ("limit" = Option<u64>, Query, description = "At most so many: 100 unless given, never more than 1,000.")),
    responses((status = 200, description = "A page of them.", body = OfferList),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn offers(State(front): Shared, query: Query<Pairs>) -> Result<Json<OfferList>, Refused> {
    let asked = Asked::among(&query, &["after", "limit"])?;
    let after = named(asked.text("after"), DeviceId::parse)?;
    let limit = page_limit(asked.number("limit")?);
    front.read(move |front, ledger| Ok(Json(ledger.offer_list(after, limit, front.clock)))).await
}

/// What an order with these terms would meet now: who could be assigned, what it would lock.
///
/// Computed from the state alone; nothing is signed, logged or kept for the buyer. Refused with the code that the order would
/// be refused with.
#[utoipa::path(post, path = "/v1/quotes", tag = "work", request_body = OrderInfo,
    responses((status = 200, description = "The quote.", body = QuoteInfo),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn quote(State(front): Shared, request: Request) -> Result<Json<QuoteInfo>, Refused> {
    let (head, body) = request.into_parts();
    let given = media_type(&head.headers);
    if given.as_deref() != Some(JSON) {
        let detail = format!("the content type is {}; terms come as {JSON}", given.unwrap_or("nothing".to_owned()));
        return Err(Refused::of(StatusCode::UNSUPPORTED_MEDIA_TYPE, "NET-MEDIA-TYPE", detail));
    }
    let client = head.extensions.get::<Client>().copied().unwrap_or(Client { limited: None });
    let received = receive_within(QUOTE_BYTES_MAX, &front, client, &head.headers, body).await?;
    // It costs a look at every offer.
    front.rates.items(client, 1)?;
    let order = read(&received.bytes)?;
    let quote = front.read(move |front, ledger| Ok(ledger.quote_info(&order, front.clock))).await?;
    quote.map(Json).map_err(|refusal| {
        let refused = Refused::of(StatusCode::CONFLICT, refusal.code, refusal.detail.clone());
        refusal.hint().map_or(refused.clone(), |hint| refused.hint(hint))
    })
}

/// The terms in a body, as far as the format of an order can say them.
fn read(body: &[u8]) -> Result<Order, Refused> {
    let info: OrderInfo = serde_json::from_slice(body)
        .map_err(|error| Refused::bad("NET-JSON", format!("the body is not the terms of an order: {error}")))?;
    let order = read_order(&info).map_err(|detail| Refused::bad("NET-TERMS", detail))?;
    let bytes = Body::Order(order.clone()).encode();
    let read = Body::decode(Schema::Order, &bytes).map_err(|error| Refused::bad("NET-TERMS", error.to_string()))?;
    debug_assert_eq!(read, Body::Order(order.clone()));
    Ok(order)
}
