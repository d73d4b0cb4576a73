//! What became of a single statement: its entry, or why it was refused.

use cairn_api::ResultStatus;
use cairn_client::Submitted;

use crate::failure::Failure;

/// The entry of the one statement that was submitted.
///
/// # Errors
/// The gateway's own code, message and hint when it refused.
pub fn accepted_index(submitted: &Submitted) -> Result<u64, Failure> {
    let row = submitted.response.results.first();
    let row = row.ok_or_else(|| Failure::failed("NET-ANSWER", "the gateway answered without a result"))?;
    match (row.status, row.index) {
        (ResultStatus::Accepted | ResultStatus::Duplicate, Some(index)) => Ok(index),
        _ => {
            let code = row.code.clone().unwrap_or_else(|| "NET-ANSWER".to_owned());
            let detail = row.detail.as_deref().unwrap_or("refused without a reason");
            Err(Failure::wrong(code, detail).maybe_hint(row.hint.clone()))
        }
    }
}
