//! What became of what was submitted: its entry, or why it was refused.

use cairn_api::{ResultRow, ResultStatus};
use cairn_client::Submitted;

use crate::failure::Failure;

/// The entry of the one item that was submitted.
///
/// # Errors
/// The gateway's own code, message and hint when it refused.
pub fn accepted_index(submitted: &Submitted) -> Result<u64, Failure> {
    accepted_indices(submitted)
}

/// The entry of the last item that was submitted, where all of them were accepted.
///
/// # Errors
/// The gateway's own code, message and hint for the first that it refused.
pub fn accepted_indices(submitted: &Submitted) -> Result<u64, Failure> {
    let mut last = Err(Failure::failed("NET-ANSWER", "the gateway answered without a result"));
    for row in &submitted.response.results {
        last = Ok(index_of(row)?);
    }
    last
}

fn index_of(row: &ResultRow) -> Result<u64, Failure> {
    match (row.status, row.index) {
        (ResultStatus::Accepted | ResultStatus::Duplicate, Some(index)) => Ok(index),
        _ => {
            let code = row.code.clone().unwrap_or_else(|| "NET-ANSWER".to_owned());
            let detail = row.detail.as_deref().unwrap_or("refused without a reason");
            Err(Failure::wrong(code, detail).maybe_hint(row.hint.clone()))
        }
    }
}
