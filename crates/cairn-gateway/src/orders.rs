//! The few things that a till is handed of the ledger and the writer.

use std::sync::{Arc, Weak};

use cairn_core::entry::EntryKind;
use cairn_core::statement::{Order, Signer};
use cairn_core::{Account, Amount, JobId, NetworkId};
use cairn_fold::{Refusal, SignerName};
use cairn_ledger::{Answer, Ledger, Submission};

use crate::front::Front;
use crate::problem::Refused;
use crate::screen::holds_blobs_of;
use crate::till::{Orders, Placed, Unplaced};

/// Orders of a gateway, for as long as it is there.
pub(crate) struct FrontOrders {
    network: NetworkId,
    front: Weak<Front>,
}

fn unknown(what: &str) -> Unplaced {
    Unplaced::Unknown { what: what.to_owned() }
}

fn not_now(refused: &Refused) -> Unplaced {
    unknown(&format!("the gateway says {}", refused.code()))
}

fn refusal(refusal: Refusal) -> Unplaced {
    Unplaced::Refused { code: refusal.code, detail: refusal.detail }
}

impl FrontOrders {
    pub fn of(front: &Arc<Front>) -> Self {
        Self { network: front.network, front: Arc::downgrade(front) }
    }

    fn front(&self) -> Result<Arc<Front>, Unplaced> {
        self.front.upgrade().ok_or_else(|| unknown("the gateway has ended"))
    }

    fn read<T>(&self, read: impl FnOnce(&Front, &Ledger) -> Result<T, Unplaced>) -> Result<T, Unplaced> {
        let front = self.front()?;
        let ledger = front.ledger().map_err(|refused| not_now(&refused))?;
        read(&front, &ledger)
    }
}

impl Orders for FrontOrders {
    fn network(&self) -> NetworkId {
        self.network
    }

    fn now_ms(&self) -> u64 {
        // Without a gateway nothing is dated, as nothing else is answered.
        self.read(|front, ledger| Ok(front.clock.now_ms(ledger.state().received_ms))).unwrap_or(0)
    }

    fn quote(&self, order: &Order) -> Result<Amount, Unplaced> {
        self.read(|front, ledger| {
            holds_blobs_of(front, order).map_err(refusal)?;
            let state = ledger.state();
            let desk = state.desk(front.clock.now_ms(state.received_ms)).map_err(refusal)?;
            Ok(desk.quote(order).map_err(refusal)?.locked)
        })
    }

    fn credit(&self, buyer: &Account) -> Result<Amount, Unplaced> {
        self.read(|_, ledger| Ok(ledger.state().credit_of(buyer)))
    }

    fn last_nonce(&self, signer: &Signer) -> Result<u64, Unplaced> {
        let name = SignerName::from(signer);
        self.read(|_, ledger| Ok(ledger.state().nonces.get(&name).copied().unwrap_or(0)))
    }

    fn submit(&self, statement: Vec<u8>) -> Result<(), Unplaced> {
        let front = self.front()?;
        let submission = Submission { kind: EntryKind::Statement, body: statement, checked: None };
        let receipted = front.writer.submit_blocking(vec![submission]).map_err(|refused| not_now(&refused))?;
        match receipted.answers.into_iter().next() {
            Some(Answer::Accepted { .. } | Answer::Duplicate { .. }) => Ok(()),
            Some(Answer::Rejected(why)) => Err(refusal(why)),
            None => Err(unknown("the writer did not answer")),
        }
    }

    fn placed(&self, job: &JobId) -> Result<Option<Placed>, Unplaced> {
        self.read(|front, ledger| {
            let Some(job) = ledger.state().market.job(job) else { return Ok(None) };
            // The state may be a moment ahead of the disk.
            if job.index >= front.log.size() {
                return Err(unknown("the order is not durable yet"));
            }
            let locked = job.locked().ok_or_else(|| unknown("the job locks more than there is"))?;
            Ok(Some(Placed { index: job.index, locked }))
        })
    }
}
