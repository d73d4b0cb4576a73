//! One message: the way of a body over HTTP, and what its devices are told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use cairn_api::{MessageResult, ResultRow, ResultStatus, SubmitResponse};
use cairn_core::report::Report;
use cairn_core::{DeviceId, Hash};
use tokio::sync::watch;

use super::options::MESSAGE_BYTES_MAX;
use super::{Counts, one_more};
use crate::address::Client;
use crate::body::Received;
use crate::front::Front;
use crate::health;
use crate::problem::Refused;
use crate::sequence::split;
use crate::serve::no_bytes;
use crate::submit::respond;
use crate::verifiers::log_reports;

/// Reports in one message. What is told of a message goes to each of its devices, so that it is not many.
const REPORTS_MAX: usize = 64;
/// Between two tries while the log takes nothing,
const PAUSE_MIN: Duration = Duration::from_millis(50);
/// and at most.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// The broker is the operator's: its devices are limited, and it is not.
const BROKER: Client = Client { limited: None };

/// What is told of a message: to whom, and what.
pub(super) type Told = Vec<(Option<DeviceId>, MessageResult)>;

/// Takes a message until it is decided; `None` when the gateway ends before.
pub(super) async fn take(
    front: &Arc<Front>,
    counts: &Counts,
    message: &[u8],
    ending: &mut watch::Receiver<bool>,
) -> Option<Told> {
    let mut pause = PAUSE_MIN;
    loop {
        match once(front, message).await {
            Ok(response) => {
                front.metrics.count(&response.results);
                return Some(told(message, &response));
            }
            Err(refused) if refused.is_for_now() => {
                one_more(&counts.waited);
                tokio::select! {
                    _ = ending.wait_for(|ending| *ending) => return None,
                    () = tokio::time::sleep(pause) => pause = (pause * 2).min(PAUSE_MAX),
                }
            }
            Err(refused) => {
                front.metrics.refusals.count(refused.code());
                return Some(told(message, &as_rows(&refused)));
            }
        }
    }
}

async fn once(front: &Arc<Front>, message: &[u8]) -> Result<SubmitResponse, Refused> {
    if message.len() > MESSAGE_BYTES_MAX {
        let detail = format!("a message has at most {MESSAGE_BYTES_MAX} bytes, not {}", message.len());
        return Err(Refused::of(StatusCode::PAYLOAD_TOO_LARGE, "NET-TOO-LARGE", detail)
            .hint("publish the reports in several messages"));
    }
    if split(message, REPORTS_MAX).is_none() {
        let detail = format!("a message has at most {REPORTS_MAX} reports");
        return Err(Refused::of(StatusCode::PAYLOAD_TOO_LARGE, "NET-TOO-MANY", detail)
            .hint("publish the reports in several messages"));
    }
    let standing = front.writer.standing().refusal().or_else(|| health::draining(front));
    if let Some(stopped) = standing {
        return Err(stopped);
    }
    let held = front.memory.take(BROKER.limited, message.len() as u64).map_err(no_bytes)?;
    let told = log_reports(front, BROKER, true, Received { bytes: message.to_vec(), held }).await?;
    Ok(respond(told.rows, told.receipted?))
}

/// The refusal of a whole message.
fn as_rows(refused: &Refused) -> SubmitResponse {
    let problem = refused.problem();
    let row = ResultRow {
        status: ResultStatus::Rejected,
        index: None,
        code: Some(problem.code),
        detail: Some(problem.detail),
        hint: problem.hint,
    };
    SubmitResponse { results: vec![row], size: 0, promise: String::new() }
}

/// Each device is told its own rows, and which they are; what has no device is told to nobody in particular.
fn told(message: &[u8], response: &SubmitResponse) -> Told {
    let devices: Vec<Option<DeviceId>> = split(message, REPORTS_MAX)
        .map(|split| split.items.iter().map(|item| Report::parse(item).ok().map(|report| report.device())).collect())
        .unwrap_or_default();
    let hash = Hash::of(message).to_hex();
    let mut by_device: BTreeMap<Option<DeviceId>, MessageResult> = BTreeMap::new();
    for (position, row) in response.results.iter().enumerate() {
        let device = devices.get(position).copied().flatten();
        let result = by_device.entry(device).or_insert_with(|| MessageResult {
            message: hash.clone(),
            positions: Vec::new(),
            answer: SubmitResponse { results: Vec::new(), size: response.size, promise: response.promise.clone() },
        });
        result.positions.push(position as u64);
        result.answer.results.push(row.clone());
    }
    by_device.into_iter().collect()
}
