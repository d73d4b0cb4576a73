//! Closed epochs: statements, verdicts, payouts, snapshots; as JSON, or as the canonical bytes that hashes are over.

#![allow(unused_qualifications, reason = "utoipa writes paths of its own before the types of `params`")]

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use cairn_api::{EpochInfo, EpochList, PayoutInfo, PayoutList, Problem, VerdictList};
use cairn_core::{DeviceId, Hash};
use cairn_ledger::{ClosedEpochs, Ledger};
use serde::Serialize;
use utoipa::IntoParams;

use crate::accept::choose;
use crate::front::Front;
use crate::ledger_pages::bad_name;
use crate::openapi::Binary;
use crate::problem::Refused;
use crate::routes::number;

type Shared = State<Arc<Front>>;

pub(crate) const JSON: &str = "application/json";
const CBOR: &str = "application/cbor";
pub(crate) const CBOR_SEQ: &str = "application/cbor-seq";
const CSV: &str = "text/csv";

/// The header of canonical answers that names the epoch statement their numbers come from.
const STATEMENT: HeaderName = HeaderName::from_static("cairn-epoch-statement");

/// Epochs on a page, unless asked for otherwise; and at most.
const EPOCHS: (u64, u64) = (20, 500);
/// Rows on a page, unless asked for otherwise; and at most.
pub(crate) const ROWS: (u64, u64) = (100, 1_000);

/// Which epochs.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct EpochsPage {
    /// Only epochs below this one.
    before: Option<u64>,
    /// At most so many: 20 unless given, never more than 500.
    limit: Option<u64>,
}

/// Which verdicts.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct VerdictsPage {
    /// Only those of this device.
    device: Option<String>,
    /// From this position of the table on: `next` of the page before.
    after: Option<u64>,
    /// At most so many: 100 unless given, never more than 1,000.
    limit: Option<u64>,
}

/// Which payouts.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PayoutsPage {
    /// From this position of the table on: `next` of the page before.
    after: Option<u64>,
    /// At most so many: 100 unless given, never more than 1,000.
    limit: Option<u64>,
}

pub(crate) fn limited(asked: Option<u64>, (usual, most): (u64, u64)) -> u64 {
    asked.unwrap_or(usual).clamp(1, most)
}

/// The parameters of a query, decoded, in the order sent.
pub(crate) type Pairs = Vec<(String, String)>;

/// A query whose parameters are all known and given once.
pub(crate) struct Asked<'a>(&'a Pairs);

impl<'a> Asked<'a> {
    pub(crate) fn among(Query(pairs): &'a Query<Pairs>, known: &[&str]) -> Result<Self, Refused> {
        for (n, (name, _)) in pairs.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let known = known.join(", ");
                let detail = format!("there is no query parameter `{name}` here; there are: {known}");
                return Err(Refused::bad("NET-QUERY", detail));
            }
            if pairs[..n].iter().any(|(before, _)| before == name) {
                return Err(Refused::bad("NET-QUERY", format!("the query parameter `{name}` is given twice")));
            }
        }
        Ok(Self(pairs))
    }

    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, Refused> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let parsed = text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
        let detail = || format!("the query parameter `{name}` is a whole number below 2^64, not `{text}`");
        parsed.map(Some).ok_or_else(|| Refused::bad("NET-QUERY", detail()))
    }
}

impl EpochsPage {
    fn of(query: &Query<Pairs>) -> Result<Self, Refused> {
        let asked = Asked::among(query, &["before", "limit"])?;
        Ok(Self { before: asked.number("before")?, limit: asked.number("limit")? })
    }
}

impl VerdictsPage {
    fn of(query: &Query<Pairs>) -> Result<Self, Refused> {
        let asked = Asked::among(query, &["device", "after", "limit"])?;
        let device = asked.text("device").map(str::to_owned);
        Ok(Self { device, after: asked.number("after")?, limit: asked.number("limit")? })
    }
}

impl PayoutsPage {
    fn of(query: &Query<Pairs>) -> Result<Self, Refused> {
        let asked = Asked::among(query, &["after", "limit"])?;
        Ok(Self { after: asked.number("after")?, limit: asked.number("limit")? })
    }
}

/// Canonical bytes, with the statement that they belong to.
pub(crate) fn canonical(content_type: &'static str, statement: Hash, bytes: Vec<u8>) -> Response {
    let cited = HeaderValue::from_str(&statement.to_hex()).expect("hexadecimal digits are a header's value");
    ([(CONTENT_TYPE, HeaderValue::from_static(content_type)), (STATEMENT, cited)], bytes).into_response()
}

/// A table is whole in canonical form, since a part of it proves nothing.
pub(crate) fn whole_table(is_part: bool) -> Result<(), Refused> {
    if !is_part {
        return Ok(());
    }
    let refused = Refused::bad("NET-QUERY", "the canonical bytes are the whole table, not a page of it");
    Err(refused.hint("leave out the query, or ask for application/json"))
}

/// Closed epochs, newest first.
#[utoipa::path(get, path = "/v1/epochs", tag = "epochs", params(EpochsPage),
    responses((status = 200, description = "A page of epochs.", body = EpochList),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn epochs(State(front): Shared, asked: Query<Pairs>) -> Result<Json<EpochList>, Refused> {
    let page = EpochsPage::of(&asked)?;
    front.read(move |_, ledger| Ok(Json(ledger.epoch_list(page.before, limited(page.limit, EPOCHS))?))).await
}

/// An epoch statement; with `Accept: application/cbor` the bytes that auditors sign the hash of.
#[utoipa::path(get, path = "/v1/epochs/{n}", tag = "epochs", params(("n" = u64, Path, description = "The epoch.")),
    responses((status = 200, description = "The statement.",
            content((EpochInfo = "application/json"), (Binary = "application/cbor"))),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn epoch(
    State(front): Shared,
    Path(epoch): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let epoch = number(&epoch, "an epoch")?;
    let form = choose(&headers, &[JSON, CBOR])?;
    front
        .read(move |_, ledger| match form {
            CBOR => {
                let bytes = ledger.statement_bytes(epoch)?;
                Ok(canonical(CBOR, Hash::of(&bytes), bytes))
            }
            _ => Ok(Json(ledger.epoch_info(epoch)?).into_response()),
        })
        .await
}

/// A page of a closed epoch's table as JSON: the writer is not kept waiting for it.
async fn closed<T: Serialize + Send + 'static>(
    front: &Arc<Front>,
    list: impl FnOnce(&ClosedEpochs) -> Result<T, Refused> + Send + 'static,
) -> Result<Response, Refused> {
    let listed = front.blocking(move |front| {
        let closed = front.ledger()?.closed_epochs();
        list(&closed)
    });
    Ok(Json(listed.await?).into_response())
}

/// The verdicts of an epoch; with `Accept: application/cbor-seq` all of them, as the verdict roots' leaves.
#[utoipa::path(get, path = "/v1/epochs/{n}/verdicts", tag = "epochs",
    params(("n" = u64, Path, description = "The epoch."), VerdictsPage),
    responses((status = 200, description = "A page, or the whole table.",
            content((VerdictList = "application/json"), (Binary = "application/cbor-seq"))),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn verdicts(
    State(front): Shared,
    Path(epoch): Path<String>,
    asked: Query<Pairs>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let (epoch, page) = (number(&epoch, "an epoch")?, VerdictsPage::of(&asked)?);
    let form = choose(&headers, &[JSON, CBOR_SEQ])?;
    let device = page.device.as_deref().map(DeviceId::parse).transpose().map_err(|error| bad_name(&error))?;
    if form == CBOR_SEQ {
        whole_table(device.is_some() || page.after.is_some() || page.limit.is_some())?;
    }
    if form == JSON {
        let (after, limit) = (page.after.unwrap_or(0), limited(page.limit, ROWS));
        return closed(&front, move |closed| Ok(closed.verdict_list(epoch, device.as_ref(), after, limit)?)).await;
    }
    front
        .read(move |_, ledger| {
            let statement = Hash::of(&ledger.statement_bytes(epoch)?);
            Ok(canonical(CBOR_SEQ, statement, ledger.verdict_bytes(epoch)?))
        })
        .await
}

/// The payouts of an epoch; with `Accept: application/cbor-seq` or `text/csv` all of them.
#[utoipa::path(get, path = "/v1/epochs/{n}/payouts", tag = "epochs",
    params(("n" = u64, Path, description = "The epoch."), PayoutsPage),
    responses((status = 200, description = "A page, or the whole table.",
            content((PayoutList = "application/json"), (Binary = "application/cbor-seq"), (String = "text/csv"))),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn payouts(
    State(front): Shared,
    Path(epoch): Path<String>,
    asked: Query<Pairs>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let (epoch, page) = (number(&epoch, "an epoch")?, PayoutsPage::of(&asked)?);
    let form = choose(&headers, &[JSON, CBOR_SEQ, CSV])?;
    if form != JSON {
        whole_table(page.after.is_some() || page.limit.is_some())?;
    }
    if form == JSON {
        let (after, limit) = (page.after.unwrap_or(0), limited(page.limit, ROWS));
        return closed(&front, move |closed| Ok(closed.payout_list(epoch, after, limit)?)).await;
    }
    front
        .read(move |_, ledger| {
            let statement = Hash::of(&ledger.statement_bytes(epoch)?);
            if form == CSV {
                let text = payout_csv(ledger, epoch)?;
                return Ok(canonical("text/csv; charset=utf-8", statement, text.into_bytes()));
            }
            Ok(canonical(CBOR_SEQ, statement, ledger.payout_bytes(epoch)?))
        })
        .await
}

/// What judges remember after an epoch: records of table 17 of the state, as the snapshot has them. Who recomputes an epoch
/// without judging takes these and the verdicts as served; with all other records they have the state root.
#[utoipa::path(get, path = "/v1/epochs/{n}/carry", tag = "epochs", params(("n" = u64, Path, description = "The epoch.")),
    responses((status = 200, description = "The records; none where no judge remembers anything.", body = Binary,
            content_type = "application/cbor-seq"),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn carry(State(front): Shared, Path(epoch): Path<String>) -> Result<Response, Refused> {
    let epoch = number(&epoch, "an epoch")?;
    front
        .read(move |_, ledger| {
            let statement = Hash::of(&ledger.statement_bytes(epoch)?);
            Ok(canonical(CBOR_SEQ, statement, ledger.carry_bytes(epoch)?))
        })
        .await
}

/// The state after an epoch: what an audit may start from.
#[utoipa::path(get, path = "/v1/snapshots/{n}", tag = "epochs", params(("n" = u64, Path, description = "The epoch.")),
    responses((status = 200, description = "The snapshot.", body = Binary, content_type = "application/cbor"),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn snapshot(State(front): Shared, Path(epoch): Path<String>) -> Result<Response, Refused> {
    let epoch = number(&epoch, "an epoch")?;
    front
        .read(move |_, ledger| {
            let statement = Hash::of(&ledger.statement_bytes(epoch)?);
            Ok(canonical(CBOR, statement, ledger.snapshot_bytes(epoch)?))
        })
        .await
}

/// The payout table with its source in the first lines: a file that leaves the site still says what it is.
fn payout_csv(ledger: &Ledger, epoch: u64) -> Result<String, Refused> {
    let info = ledger.epoch_info(epoch)?;
    let payouts = ledger.closed_epochs().payout_list(epoch, 0, u64::MAX)?.payouts;
    let mut text = String::new();
    if let Some(network) = &ledger.state().network {
        comment(&mut text, &format!("network {} {}", network.id.0, network.genesis.name));
    }
    comment(&mut text, &format!("epoch {epoch}, statement {}", info.statement));
    let (symbol, decimals) = (&info.balance.symbol, info.balance.decimals);
    comment(&mut text, &format!("amounts are base units of {symbol}, which has {decimals} decimals"));
    if info.rehearsed.is_empty() {
        comment(&mut text, "rehearsed: nothing");
    }
    for what in &info.rehearsed {
        comment(&mut text, &format!("rehearsed: {what}"));
    }
    text.push_str("account,device,pool,weight,amount\n");
    for payout in &payouts {
        let PayoutInfo { account, device, pool, weight, amount } = payout;
        let device = device.as_deref().unwrap_or_default();
        let _ = writeln!(text, "{},{device},{},{weight},{amount}", quoted(account), quoted(pool));
    }
    Ok(text)
}

/// A comment stays on its line whatever it quotes.
fn comment(text: &mut String, words: &str) {
    let _ = writeln!(text, "# {}", words.replace(char::is_control, " "));
}

/// A field after RFC 4180.
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\r', '\n']) {
        return format!("\"{}\"", field.replace('"', "\"\""));
    }
    field.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_comments_keep_to_their_place() {
        for (field, shown) in [("plain", "plain"), ("a,b", "\"a,b\""), ("say \"so\"", "\"say \"\"so\"\"\""), ("", "")] {
            assert_eq!(quoted(field), shown);
        }
        let mut text = String::new();
        comment(&mut text, "one\nline");
        assert_eq!(text, "# one line\n");
    }

    #[test]
    fn pages_have_a_usual_and_a_largest_size() {
        for (asked, limit) in [(None, 20), (Some(0), 1), (Some(7), 7), (Some(u64::MAX), 500)] {
            assert_eq!(limited(asked, EPOCHS), limit);
        }
    }
}
