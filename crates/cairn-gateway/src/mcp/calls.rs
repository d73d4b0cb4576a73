//! What the tools do.

use std::sync::Arc;

use cairn_api::{BlobRef, OrderTerms, Purchase, PurchaseStatus};
use cairn_classes::compute::{Job, Word};
use cairn_core::{Hash, JobId};
use cairn_x402::{Payment, PaymentRequired, Resource, Version};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::protocol::RpcError;
use super::tools::BLOB_BYTES_MAX;
use crate::address::Client;
use crate::buying::{Bought, buy_with, find, receipt, refused, required, till};
use crate::front::Front;
use crate::problem::Refused;

/// Where a client puts its payment.
const PAYMENT: &str = "x402/payment";
/// Where it finds what became of it.
const PAYMENT_RESPONSE: &str = "x402/payment-response";

/// A tool that did not do what it was asked: what the agent reads.
struct Failed(Value);

impl From<Refused> for Failed {
    fn from(refused: Refused) -> Self {
        Self(serde_json::to_value(refused.problem()).expect("a problem is strings and a number"))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UploadArguments {
    base64: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PurchaseArguments {
    payment: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JobArguments {
    job: String,
}

/// Calls a tool.
///
/// # Errors
/// [`RpcError`] where there is no such tool; what a tool refuses is its result.
pub async fn call(front: &Arc<Front>, client: Client, mut params: Map<String, Value>) -> Result<Value, RpcError> {
    let Some(Value::String(name)) = params.remove("name") else { return Err(RpcError::params("`name` names a tool")) };
    let arguments = params.remove("arguments").unwrap_or_else(|| json!({}));
    let meta = params.remove("_meta");
    let payment = meta.and_then(|mut meta| meta.get_mut(PAYMENT).map(Value::take));
    let done = match name.as_str() {
        "upload" => upload(front, client, arguments).await,
        "quote" => quote(front, arguments).await,
        "buy" => return Ok(buy(front, arguments, payment).await.unwrap_or_else(|Failed(why)| told(why, true))),
        "purchase" => purchase(front, arguments).await,
        "result" => result(front, arguments).await,
        "verify" => verify(front, arguments).await,
        _ => return Err(RpcError::params(format!("there is no tool `{name}`"))),
    };
    Ok(match done {
        Ok(document) => told(document, false),
        Err(Failed(why)) => told(why, true),
    })
}

fn told(document: Value, is_error: bool) -> Value {
    let text = document.to_string();
    json!({"content": [{"type": "text", "text": text}], "structuredContent": document, "isError": is_error})
}

fn read<T: DeserializeOwned>(arguments: Value) -> Result<T, Failed> {
    let hint = "tools/list says what each tool takes";
    serde_json::from_value(arguments)
        .map_err(|error| Refused::bad("NET-ARGUMENTS", error.to_string()).hint(hint).into())
}

async fn upload(front: &Arc<Front>, client: Client, arguments: Value) -> Result<Value, Failed> {
    let UploadArguments { base64 } = read(arguments)?;
    let bytes = data_encoding::BASE64.decode(base64.as_bytes()).ok().filter(|bytes| bytes.len() <= BLOB_BYTES_MAX);
    let bad = || Refused::bad("NET-ARGUMENTS", format!("`base64` is base64 of at most {BLOB_BYTES_MAX} bytes"));
    let bytes = bytes.ok_or_else(bad)?;
    let blob = BlobRef { hash: Hash::of(&bytes).to_hex(), bytes: bytes.len() as u64 };
    front.blocking(move |front| crate::blobs::routes::keep(front, client, &bytes)).await?;
    Ok(serde_json::to_value(blob).expect("a text and a number"))
}

fn tool_resource() -> Resource {
    Resource {
        url: "mcp://tool/buy".to_owned(),
        description: Some("One run of a WebAssembly module, checked and replayable".to_owned()),
        mime_type: Some("application/json".to_owned()),
    }
}

fn document(required: &PaymentRequired) -> Value {
    serde_json::to_value(required).expect("texts, numbers and maps by text are always written")
}

async fn quote(front: &Arc<Front>, arguments: Value) -> Result<Value, Failed> {
    let terms: OrderTerms = read(arguments)?;
    let till = till(front)?;
    let asked = front.blocking(move |_| till.ask(&terms).map_err(refused)).await?;
    Ok(document(&required(&asked, tool_resource(), "this is what `buy` with the same arguments costs")))
}

/// What is to be paid, as a tool's error: the document itself, and in the text a wrapper for clients that read only that.
fn payment_required(required: &PaymentRequired, reason: Option<&str>) -> Value {
    let message = required.error.clone().unwrap_or_default();
    let mut document = document(required);
    if let Some(reason) = reason {
        let network = required.accepts.first().map_or("", |way| way.network.as_str());
        document[PAYMENT_RESPONSE] =
            json!({"success": false, "errorReason": reason, "transaction": "", "network": network});
    }
    let text = json!({"x402/error": {"code": 402, "message": message, "data": document}}).to_string();
    json!({"content": [{"type": "text", "text": text}], "structuredContent": document, "isError": true})
}

async fn buy(front: &Arc<Front>, arguments: Value, payment: Option<Value>) -> Result<Value, Failed> {
    let terms: OrderTerms = read(arguments)?;
    let till = till(front)?;
    let Some(payment) = payment else {
        let asked = front.blocking(move |_| till.ask(&terms).map_err(refused)).await?;
        return Ok(payment_required(&required(&asked, tool_resource(), "payment required"), None));
    };
    let malformed = |error: cairn_x402::X402Error| Refused::bad(error.code(), error.to_string()).hint(error.hint());
    let payment = Payment::from_document(payment).map_err(malformed)?;
    Ok(match buy_with(front, till, terms, payment).await? {
        Bought::NotPaid(error, asked) => {
            payment_required(&required(&asked, tool_resource(), &error.to_string()), Some(error.reason()))
        }
        Bought::Purchase(purchase, Some(asked)) => {
            let why = purchase.detail.as_deref().unwrap_or("nothing was moved");
            payment_required(&required(&asked, tool_resource(), why), purchase.reason.as_deref())
        }
        Bought::Purchase(purchase, None) => bought(&purchase),
    })
}

fn bought(purchase: &Purchase) -> Value {
    let was_refused =
        matches!(purchase.status, PurchaseStatus::Unpaid | PurchaseStatus::Returning | PurchaseStatus::Returned);
    let document = serde_json::to_value(purchase).expect("texts are always written");
    let mut result = told(document, was_refused);
    if let Some(receipt) = receipt(purchase, Version::Second) {
        result["_meta"] = json!({ PAYMENT_RESPONSE: receipt });
    }
    result
}

async fn purchase(front: &Arc<Front>, arguments: Value) -> Result<Value, Failed> {
    let PurchaseArguments { payment } = read(arguments)?;
    let purchase = find(front, till(front)?, &payment).await?;
    Ok(serde_json::to_value(purchase).expect("texts are always written"))
}

/// A job that the network remembers, told by `tell`.
async fn job(
    front: &Arc<Front>,
    arguments: Value,
    tell: impl FnOnce(&JobId, &Job, u64) -> Value + Send + 'static,
) -> Result<Value, Failed> {
    let JobArguments { job } = read(arguments)?;
    let id = JobId::parse(&job).map_err(|error| crate::ledger_pages::bad_name(&error))?;
    let told = front.read(move |front, ledger| {
        let state = ledger.state();
        let now_ms = front.clock.now_ms(state.received_ms);
        let found = state.market.job(&id).filter(|job| job.index < front.log.size());
        found.map(|job| tell(&id, job, now_ms)).ok_or_else(|| {
            Refused::of(
                axum::http::StatusCode::NOT_FOUND,
                "NET-NO-JOB",
                format!("job {id} is not, or no longer, known"),
            )
            .hint("jobs that are long settled are in their epoch's statement and in the log")
        })
    });
    Ok(told.await?)
}

fn worker_words(job: &Job) -> Vec<Value> {
    let words = job.assigned.iter().map(|worker| {
        let said = match &worker.word {
            Word::Silent => json!({"said": "nothing"}),
            Word::Declined { .. } => json!({"said": "declined"}),
            Word::Committed { .. } => json!({"said": "committed"}),
            Word::Revealed { result, digest, .. } => json!({
                "said": "revealed",
                "outcome": result.outcome,
                "gas": result.gas,
                "output": {"hash": result.output.to_hex(), "bytes": result.output_bytes},
                "digest": digest.to_hex(),
            }),
        };
        json!({"device": worker.device.to_string(), "owner": worker.owner.to_string(), "price": worker.price.to_string(), "word": said})
    });
    words.collect()
}

async fn result(front: &Arc<Front>, arguments: Value) -> Result<Value, Failed> {
    let tell = |id: &JobId, job: &Job, now_ms: u64| {
        // What a quorum of auditors found is the result; else what all who revealed agree on.
        let mut revealed = job.revealed();
        let agreed = match job.truth {
            Some(truth) => revealed.find(|(_, _, digest)| *digest == truth),
            None if job.dissents() => None,
            None => revealed.next(),
        };
        let result = agreed.map(|(_, result, digest)| {
            json!({
                "outcome": result.outcome,
                "gas": result.gas,
                "output": {"hash": result.output.to_hex(), "bytes": result.output_bytes},
                "digest": digest.to_hex(),
            })
        });
        json!({
            "job": id.to_string(),
            "phase": job.phase(now_ms).word(),
            "dissent": job.dissents(),
            "result": result,
            "workers": worker_words(job),
        })
    };
    let mut told = job(front, arguments, tell).await?;
    let output = told.pointer("/result/output/hash").and_then(Value::as_str).and_then(Hash::from_hex);
    let small = told.pointer("/result/output/bytes").and_then(Value::as_u64);
    if let Some(output) = output
        && small.is_some_and(|bytes| bytes <= BLOB_BYTES_MAX as u64)
    {
        let bytes = front.blocking(move |front| Ok(crate::blobs::routes::kept(front, &output))).await?;
        // Where it is not here, its hash still says what it is.
        told["result"]["output"]["base64"] =
            bytes.map_or(Value::Null, |bytes| data_encoding::BASE64.encode(&bytes).into());
    }
    Ok(told)
}

async fn verify(front: &Arc<Front>, arguments: Value) -> Result<Value, Failed> {
    let tell = |id: &JobId, job: &Job, now_ms: u64| {
        let replays = job.replays.iter().map(|one| {
            json!({
                "auditor": cairn_settle::told::address_text(&one.auditor),
                "digest": one.digest.to_hex(),
                "entry": one.index,
                "proof": format!("/v1/proofs/{}", one.index),
            })
        });
        let blob = |blob: &cairn_core::statement::Blob| json!({"hash": blob.hash.to_hex(), "bytes": blob.bytes, "get": format!("/v1/blobs/{}", blob.hash)});
        json!({
            "job": id.to_string(),
            "phase": job.phase(now_ms).word(),
            "order": {"entry": job.index, "proof": format!("/v1/proofs/{}", job.index)},
            "truth": job.truth.map(|truth| truth.to_hex()),
            "dissent": job.dissents(),
            "workers": worker_words(job),
            "replays": replays.collect::<Vec<_>>(),
            "replay": {
                "module": blob(&job.order.module),
                "inputs": job.order.inputs.iter().map(blob).collect::<Vec<_>>(),
                "arguments": data_encoding::HEXLOWER.encode(&job.order.arguments),
                "gas": job.order.gas,
                "pages": job.order.pages,
                "output_bytes": job.order.output_bytes,
                "profile": job.order.profile.word(),
                "gas_table": job.order.gas_table,
                "how": "run it again with `cairn replay JOB`: outcome, gas, output and digest are the same on every machine",
            },
            "settled_by": "the statement of the epoch that closes after it is done; `cairn job receipt JOB` proves the sale",
        })
    };
    job(front, arguments, tell).await
}
