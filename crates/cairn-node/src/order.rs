//! A job as a gateway tells of it, and what of that needs no belief: the order is what its buyer signed for this network.

use cairn_api::{JobInfo, WordInfo};
use cairn_core::statement::{Body, Order, Statement};
use cairn_core::{DeviceId, Hash, JobId, NetworkId};
use data_encoding::HEXLOWER_PERMISSIVE;

use crate::NodeError;
use crate::decide::{Said, View};

/// The order of a job: the statement that the job is named by, with signatures that hold for this network.
///
/// # Errors
/// [`NodeError::NotTheJob`].
pub fn read_order(job: &JobId, info: &JobInfo, network: &NetworkId) -> Result<Order, NodeError> {
    let refuse = |what| NodeError::NotTheJob { job: *job, what };
    let hex = info.statement.as_ref().ok_or(refuse("its signed order is missing"))?;
    let bytes = HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).map_err(|_| refuse("its order is no hexadecimal"))?;
    let statement = Statement::parse(&bytes).map_err(|_| refuse("its order is no statement"))?;
    if statement.payload_hash() != job.0 {
        return Err(refuse("the order is another one"));
    }
    if !statement.signatures_hold(Some(network)) {
        return Err(refuse("nobody has signed the order for this network"));
    }
    match statement.body {
        Body::Order(order) => Ok(order),
        _ => Err(refuse("it was ordered by something that is no order")),
    }
}

/// What a worker has said of a job, by the gateway's word; `None` where it is not assigned.
#[must_use]
pub fn said_of(info: &JobInfo, device: &DeviceId) -> Option<Said> {
    let name = device.to_string();
    let word = &info.assigned.iter().find(|worker| worker.device == name)?.word;
    Some(match word {
        WordInfo::Silent => Said::Nothing,
        // A seal that is none fits no record.
        WordInfo::Committed { seal, .. } => Said::Committed { seal: Hash::from_hex(seal).unwrap_or(Hash::ZERO) },
        WordInfo::Revealed { .. } => Said::Revealed,
        WordInfo::Declined { .. } => Said::Declined,
    })
}

impl View {
    /// A job as a worker sees it; `None` where the job is not its own.
    #[must_use]
    pub fn of(info: &JobInfo, device: &DeviceId) -> Option<Self> {
        Some(Self {
            mine: said_of(info, device)?,
            all_said: info.assigned.iter().all(|worker| worker.word != WordInfo::Silent),
            commit_until_ms: info.commit_until_ms,
            reveal_until_ms: info.reveal_until_ms,
            is_over: info.settled.is_some(),
        })
    }
}
