//! `POST /v1/buy/compute` and `GET /v1/buy/payments/{id}`: buying without an account, by HTTP 402 (x402).
//!
//! Three things that an answer says are never confused: paid (200, 202 or 409, with what became of the order), not paid (402,
//! again with what is asked for), and not known yet (202, with where to ask: never a fresh 402, which would be paid twice).

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use cairn_api::{OrderTerms, Problem, Purchase, PurchaseStatus};
use cairn_x402::{
    Payment, PaymentId, PaymentRequired, Resource, SettlementResponse, Version, X402Error, first_name, header,
};
use serde_json::{Map, Value};

use crate::address::Client;
use crate::body::{media_type, receive_within};
use crate::front::Front;
use crate::problem::Refused;
use crate::till::{Asked, NotTaken, RefusalKind, Till, TillRefusal};

type Shared = State<Arc<Front>>;

/// Terms with as many inputs and as long arguments as there may be are shorter.
const TERMS_BYTES_MAX: usize = 32 << 10;
/// How long a request waits for its payment to be settled and its order to be placed, before it is told to ask again.
const PATIENCE: Duration = Duration::from_secs(15);
/// Between two looks meanwhile.
const LOOK: Duration = Duration::from_millis(100);
/// Where to buy.
pub(crate) const BUY_PATH: &str = "/v1/buy/compute";
/// What is sold, for people.
const DESCRIPTION: &str = "One run of a WebAssembly module, checked and replayable";

pub(crate) fn till(front: &Front) -> Result<Arc<dyn Till>, Refused> {
    front.options.till.clone().ok_or_else(|| {
        Refused::of(StatusCode::NOT_FOUND, "NET-NO-TILL", "this gateway sells to nobody without credit")
            .hint("deposit, and order with credit of your own")
    })
}

pub(crate) fn refused(refusal: TillRefusal) -> Refused {
    let TillRefusal { kind, code, detail, hint } = refusal;
    let refused = match kind {
        RefusalKind::Malformed => Refused::bad(code, detail),
        RefusalKind::Unsold | RefusalKind::Conflict => Refused::of(StatusCode::CONFLICT, code, detail),
        RefusalKind::Busy => Refused::busy(code, detail),
    };
    match hint {
        Some(hint) => refused.hint(hint),
        None => refused,
    }
}

/// Buy the run of a module.
///
/// Without a payment: 402 with what it costs (`PAYMENT-REQUIRED`; for version 1 of x402 the body). With one
/// (`PAYMENT-SIGNATURE`, or `X-PAYMENT`): 200 with the job; 202 while it is not known yet, with where to ask; 409 where the order
/// was refused after it was paid for, and the money goes back. The same payment again is the same purchase, at any time.
#[utoipa::path(post, path = "/v1/buy/compute", tag = "buying", request_body = OrderTerms,
    responses((status = 200, description = "Paid, and ordered.", body = Purchase),
        (status = 202, description = "Taken; ask again.", body = Purchase),
        (status = 402, description = "What it costs, and why a payment does not do.", content_type = "application/json"),
        (status = 409, description = "Refused before it was paid for (a problem document), or after (a purchase).", body = Purchase),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn buy(State(front): Shared, request: Request) -> Result<Response, Refused> {
    let till = till(&front)?;
    let (head, body) = request.into_parts();
    let client = head.extensions.get::<Client>().copied().unwrap_or(Client { limited: None });
    if media_type(&head.headers).as_deref() != Some("application/json") {
        let detail = "the terms come as application/json";
        return Err(Refused::of(StatusCode::UNSUPPORTED_MEDIA_TYPE, "NET-MEDIA-TYPE", detail));
    }
    let presented = presented(&head.headers)?;
    let received = receive_within(TERMS_BYTES_MAX, &front, client, &head.headers, body).await?;
    // It costs a look at every offer, and at a chain.
    front.rates.items(client, 1)?;
    let terms = terms_of(serde_json::from_slice(&received.bytes))?;
    let resource = resource(&head.headers, front.options.tls.is_some());
    let Some((version, value)) = presented else {
        let asked = front.blocking(move |_| till.ask(&terms).map_err(refused)).await?;
        return Ok(payment_required(&asked, resource, "payment required", None));
    };
    let payment = Payment::from_header(version, &value).map_err(malformed)?;
    match buy_with(&front, till, terms, payment).await? {
        Bought::Purchase(purchase, asked) => Ok(answered(&purchase, asked.as_deref(), Some(version), resource)),
        Bought::NotPaid(error, asked) => Ok(payment_required(&asked, resource, &error.to_string(), Some(&error))),
    }
}

/// What becomes of a payment: a purchase, with what is asked for where nothing was moved; or nothing, as it does not do.
pub(crate) enum Bought {
    Purchase(Box<Purchase>, Option<Box<Asked>>),
    NotPaid(X402Error, Box<Asked>),
}

/// Presents a payment, and waits for a while until it is known what became of it.
///
/// # Errors
/// [`Refused`].
pub(crate) async fn buy_with(
    front: &Arc<Front>,
    till: Arc<dyn Till>,
    terms: OrderTerms,
    payment: Payment,
) -> Result<Bought, Refused> {
    let (taker, wanted) = (till.clone(), terms.clone());
    let taken = front.blocking(move |_| Ok(taker.take(&wanted, &payment))).await?;
    let mut purchase = match taken {
        Ok(purchase) => purchase,
        Err(NotTaken::Payment(error, asked)) => return Ok(Bought::NotPaid(error, asked)),
        Err(NotTaken::Refused(refusal)) => return Err(refused(refusal)),
    };
    let until = tokio::time::Instant::now() + PATIENCE.min(front.options.request_timeout / 2);
    while matches!(purchase.status, PurchaseStatus::Settling | PurchaseStatus::Paid)
        && tokio::time::Instant::now() < until
    {
        tokio::time::sleep(LOOK).await;
        purchase = find(front, till.clone(), &purchase.payment).await?;
    }
    let asked = if purchase.status == PurchaseStatus::Unpaid {
        // Where nothing can be asked for any more, that nothing was moved is still told.
        front.blocking(move |_| Ok(till.ask(&terms).ok().map(Box::new))).await?
    } else {
        None
    };
    Ok(Bought::Purchase(Box::new(purchase), asked))
}

/// The purchase of a payment.
///
/// # Errors
/// `NET-NO-PAYMENT`, and those of the till.
pub(crate) async fn find(front: &Arc<Front>, till: Arc<dyn Till>, payment: &str) -> Result<Purchase, Refused> {
    let unknown = || {
        Refused::of(StatusCode::NOT_FOUND, "NET-NO-PAYMENT", "no such payment was taken here")
            .hint("a payment that was refused with 402 is not remembered: nothing was moved")
    };
    let id = PaymentId::from_hex(payment).ok_or_else(unknown)?;
    front.blocking(move |_| till.find(&id).map_err(refused)).await?.ok_or_else(unknown)
}

/// What became of a payment.
#[utoipa::path(get, path = "/v1/buy/payments/{id}", tag = "buying",
    params(("id" = String, Path, description = "The payment's name: 64 hexadecimal digits.")),
    responses((status = 200, description = "The purchase.", body = Purchase),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn payment(State(front): Shared, Path(id): Path<String>) -> Result<Response, Refused> {
    let till = till(&front)?;
    let purchase = find(&front, till, &id).await?;
    Ok(with_receipt(axum::Json(&purchase).into_response(), &purchase, Version::Second))
}

fn malformed(error: X402Error) -> Refused {
    Refused::bad(error.code(), error.to_string()).hint(error.hint())
}

/// The terms in a body.
pub(crate) fn terms_of(read: Result<OrderTerms, serde_json::Error>) -> Result<OrderTerms, Refused> {
    read.map_err(|error| {
        Refused::bad("NET-TERMS", format!("these are no terms: {error}"))
            .hint("`/openapi.json` says what terms are: `OrderTerms`")
    })
}

/// The payment in the headers, by version.
fn presented(headers: &HeaderMap) -> Result<Option<(Version, String)>, Refused> {
    let read = |name: &'static str| -> Result<Option<String>, Refused> {
        let mut values = headers.get_all(name).iter();
        let Some(value) = values.next() else { return Ok(None) };
        let text = value.to_str().ok().filter(|_| values.next().is_none());
        let bad = || Refused::bad("X402-BASE64", format!("the header `{name}` is there more than once, or no base64"));
        text.map(|text| Some(text.to_owned())).ok_or_else(bad)
    };
    match (read(header::PAYMENT_SIGNATURE)?, read(header::X_PAYMENT)?) {
        (None, None) => Ok(None),
        (Some(value), None) => Ok(Some((Version::Second, value))),
        (None, Some(value)) => Ok(Some((Version::First, value))),
        (Some(_), Some(_)) => Err(Refused::bad("X402-VERSION", "there is a payment of each version; send one")),
    }
}

/// What is sold, under the address that the client used.
fn resource(headers: &HeaderMap, is_tls: bool) -> Resource {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let scheme = if is_tls { "https" } else { "http" };
    let url = host.map_or_else(|| BUY_PATH.to_owned(), |host| format!("{scheme}://{host}{BUY_PATH}"));
    Resource { url, description: Some(DESCRIPTION.to_owned()), mime_type: Some("application/json".to_owned()) }
}

/// What is asked for, as both versions say it.
pub(crate) fn required(asked: &Asked, resource: Resource, error: &str) -> PaymentRequired {
    let mut extra = Map::new();
    extra.insert("quote".to_owned(), Value::from(asked.quote.to_hex()));
    extra.insert("locked".to_owned(), Value::from(asked.locked.to_string()));
    asked.demand.required(resource, error, extra)
}

fn put(response: &mut Response, name: &'static str, value: String) {
    let value = HeaderValue::try_from(value).expect("base64 is plain ASCII");
    response.headers_mut().insert(HeaderName::from_static(name), value);
}

/// 402 with what is asked for: in a header for version 2, in the body for version 1.
fn payment_required(asked: &Asked, resource: Resource, error: &str, refused: Option<&X402Error>) -> Response {
    let required = required(asked, resource, error);
    let mut body = serde_json::to_value(required.first()).expect("texts, numbers and maps by text are always written");
    if let (Some(refused), Some(body)) = (refused, body.as_object_mut()) {
        body.insert("code".to_owned(), refused.code().into());
        body.insert("hint".to_owned(), refused.hint().into());
    }
    let mut response =
        (StatusCode::PAYMENT_REQUIRED, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response();
    response.extensions_mut().insert(AsItIs);
    put(&mut response, header::PAYMENT_REQUIRED, header::encode(&required));
    if let Some(refused) = refused {
        let failed = failed(&required, refused.reason());
        put(&mut response, header::PAYMENT_RESPONSE, header::encode(&failed));
        put(&mut response, header::X_PAYMENT_RESPONSE, header::encode(&failed));
    }
    response
}

fn failed(required: &PaymentRequired, reason: &str) -> SettlementResponse {
    let network = required.accepts.first().map_or_else(String::new, |way| way.network.clone());
    let error_reason = Some(reason.to_owned());
    SettlementResponse { success: false, error_reason, transaction: String::new(), network, payer: None }
}

/// The protocol's word on a purchase; `None` while it is not known.
pub(crate) fn receipt(purchase: &Purchase, version: Version) -> Option<SettlementResponse> {
    let network = match version {
        Version::Second => purchase.network.clone(),
        Version::First => cairn_x402::chain_of(&purchase.network).map_or_else(String::new, first_name),
    };
    let (success, error_reason) = match purchase.status {
        PurchaseStatus::Settling => return None,
        PurchaseStatus::Unpaid => {
            (false, Some(purchase.reason.clone().unwrap_or_else(|| "invalid_transaction_state".to_owned())))
        }
        PurchaseStatus::Paid | PurchaseStatus::Ordered | PurchaseStatus::Returning | PurchaseStatus::Returned => {
            (true, None)
        }
    };
    let transaction = purchase.transaction.clone().unwrap_or_default();
    Some(SettlementResponse { success, error_reason, transaction, network, payer: Some(purchase.payer.clone()) })
}

fn with_receipt(mut response: Response, purchase: &Purchase, version: Version) -> Response {
    let name = match version {
        Version::First => header::X_PAYMENT_RESPONSE,
        Version::Second => header::PAYMENT_RESPONSE,
    };
    if let Some(receipt) = receipt(purchase, version) {
        put(&mut response, name, header::encode(&receipt));
    }
    response
}

fn answered(purchase: &Purchase, asked: Option<&Asked>, version: Option<Version>, resource: Resource) -> Response {
    let status = match purchase.status {
        PurchaseStatus::Ordered => StatusCode::OK,
        PurchaseStatus::Settling | PurchaseStatus::Paid => StatusCode::ACCEPTED,
        PurchaseStatus::Returning | PurchaseStatus::Returned => StatusCode::CONFLICT,
        PurchaseStatus::Unpaid => StatusCode::PAYMENT_REQUIRED,
    };
    let mut response = (status, axum::Json(purchase)).into_response();
    if status == StatusCode::PAYMENT_REQUIRED
        && let Some(asked) = asked
    {
        let error = purchase.detail.as_deref().unwrap_or("nothing was moved");
        response = payment_required(asked, resource, error, None);
    }
    // A refused order is a purchase too, not a problem of the request.
    response.extensions_mut().insert(AsItIs);
    with_receipt(response, purchase, version.unwrap_or(Version::Second))
}

/// An answer that says something with a status of errors, and is no problem document.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AsItIs;
