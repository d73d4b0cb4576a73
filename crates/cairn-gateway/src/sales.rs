//! Sales of closed epochs: what became of what orders locked, as JSON, with a proof, or as the canonical bytes.

#![allow(unused_qualifications, reason = "utoipa writes paths of its own before the types of `params`")]

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use cairn_api::{Problem, SaleList, SaleProof};
use cairn_core::{Hash, JobId};
use utoipa::IntoParams;

use crate::accept::choose;
use crate::epochs::{Asked, CBOR_SEQ, JSON, Pairs, ROWS, canonical, limited, whole_table};
use crate::front::Front;
use crate::ledger_pages::bad_name;
use crate::openapi::Binary;
use crate::problem::Refused;
use crate::routes::number;

type Shared = State<Arc<Front>>;

/// Which sales.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SalesPage {
    /// From this position of the table on: `next` of the page before.
    after: Option<u64>,
    /// At most so many: 100 unless given, never more than 1,000.
    limit: Option<u64>,
}

impl SalesPage {
    fn of(query: &Query<Pairs>) -> Result<Self, Refused> {
        let asked = Asked::among(query, &["after", "limit"])?;
        Ok(Self { after: asked.number("after")?, limit: asked.number("limit")? })
    }
}

/// The jobs that an epoch settled; with `Accept: application/cbor-seq` all of them, as the sales root's leaves.
#[utoipa::path(get, path = "/v1/epochs/{n}/sales", tag = "epochs",
    params(("n" = u64, Path, description = "The epoch."), SalesPage),
    responses((status = 200, description = "A page, or the whole table.",
            content((SaleList = "application/json"), (Binary = "application/cbor-seq"))),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn sales(
    State(front): Shared,
    Path(epoch): Path<String>,
    asked: Query<Pairs>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let (epoch, page) = (number(&epoch, "an epoch")?, SalesPage::of(&asked)?);
    let form = choose(&headers, &[JSON, CBOR_SEQ])?;
    if form != JSON {
        whole_table(page.after.is_some() || page.limit.is_some())?;
    }
    front
        .read(move |_, ledger| match form {
            CBOR_SEQ => {
                let statement = Hash::of(&ledger.statement_bytes(epoch)?);
                Ok(canonical(CBOR_SEQ, statement, ledger.sale_bytes(epoch)?))
            }
            _ => {
                let (after, limit) = (page.after.unwrap_or(0), limited(page.limit, ROWS));
                Ok(Json(ledger.sale_list(epoch, after, limit)?).into_response())
            }
        })
        .await
}

/// What became of what one order locked, and the proof that the epoch statement says so.
#[utoipa::path(get, path = "/v1/epochs/{n}/sales/{job}", tag = "epochs",
    params(("n" = u64, Path, description = "The epoch."),
        ("job" = String, Path, description = "The job: SHA-256 of its order's payload, hexadecimal.")),
    responses((status = 200, description = "The sale.", body = SaleProof),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn sale(
    State(front): Shared,
    Path((epoch, job)): Path<(String, String)>,
) -> Result<Json<SaleProof>, Refused> {
    let epoch = number(&epoch, "an epoch")?;
    let job = JobId::parse(&job).map_err(|error| bad_name(&error))?;
    front.read(move |_, ledger| Ok(Json(ledger.sale_proof(epoch, &job)?))).await
}
