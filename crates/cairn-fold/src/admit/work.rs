//! When what is said on the market of work is valid: who must sign it, and whether the market takes it.
//!
//! Every such statement has one signer, so that none makes the state remember a stranger's nonce.

use cairn_classes::compute::Body;
use cairn_core::statement::{Licence, Offer, Order, Replay, Signer, Statement};
use cairn_core::{Account, Amount, DeviceId, JobId};

use super::statement::{Allowed, known, needs, needs_account};
use crate::market::check_gas;
use crate::refusal::Refusal;
use crate::state::State;

/// Refuses statements with more signers than the one that each of these needs.
pub(super) fn has_one_signer(statement: &Statement) -> Allowed {
    if statement.signed.len() == 1 {
        return Ok(());
    }
    Err(Refusal::of("STM-SIGNERS", "what is said on the market of work has one signer"))
}

/// The device's own key offers its work.
pub(super) fn check_offer(state: &State, received_ms: u64, statement: &Statement, offer: &Offer) -> Allowed {
    let desk = state.desk(received_ms)?;
    has_one_signer(statement)?;
    let device = known(state, &offer.device)?;
    needs(statement, &Signer::Key(device.key), "the worker's key")?;
    Ok(desk.market().admit_offer(offer, desk.now())?)
}

/// An owner who owns a device, or has paid something in, says what the use of a content costs.
pub(super) fn check_licence(state: &State, received_ms: u64, statement: &Statement, licence: &Licence) -> Allowed {
    let desk = state.desk(received_ms)?;
    has_one_signer(statement)?;
    needs_account(statement, &licence.owner)?;
    let is_known = || state.owned.contains_key(&licence.owner) || has_stake(state, &licence.owner);
    if licence.until_ms > received_ms && !is_known() {
        // The state does not grow for strangers.
        let what = format!("{} owns no device and has no credit", licence.owner);
        return Err(Refusal::of("STM-OWNER", what));
    }
    Ok(desk.market().admit_licence(licence, desk.now())?)
}

/// Whether an account has paid something in that is not spent.
fn has_stake(state: &State, account: &Account) -> bool {
    state.credit_of(account) > Amount::ZERO || state.market.locked_by(account) > Amount::ZERO
}

/// The buyer's wallet orders, and its credit pays.
pub(super) fn check_order(state: &State, received_ms: u64, statement: &Statement, order: &Order) -> Allowed {
    let desk = state.desk(received_ms)?;
    has_one_signer(statement)?;
    check_gas(order)?;
    needs_account(statement, &order.buyer)?;
    if !has_stake(state, &order.buyer) {
        // Also where the work costs nothing: the state does not grow for strangers.
        return Err(Refusal::of("CMP-CREDIT", format!("{} has no credit", order.buyer)));
    }
    let (id, credit) = (job_of(statement), state.credit_of(&order.buyer));
    desk.market().admit_order(&id, order, credit, desk.now())?;
    Ok(())
}

/// The name of the job that an order makes.
pub(crate) fn job_of(order: &Statement) -> JobId {
    JobId(order.payload_hash())
}

/// Who ordered a job takes it back.
pub(super) fn check_cancel(state: &State, received_ms: u64, statement: &Statement, id: &JobId) -> Allowed {
    let desk = state.desk(received_ms)?;
    has_one_signer(statement)?;
    let no_job = cairn_classes::compute::MarketError::NoJob { job: *id };
    let buyer = desk.market().job(id).map(|job| &job.order.buyer).ok_or(no_job)?;
    needs(statement, &Signer::of_address(buyer.address()), &format!("the buyer {buyer}"))?;
    Ok(desk.market().admit_cancel(id, buyer, desk.now())?)
}

/// An auditor of the open epoch says what came out of its own run.
pub(super) fn check_replay(state: &State, received_ms: u64, statement: &Statement, replay: &Replay) -> Allowed {
    let desk = state.desk(received_ms)?;
    has_one_signer(statement)?;
    let auditor = auditor_of(state, statement)
        .ok_or_else(|| Refusal::of("STM-RIGHTS", "no auditor of the open epoch has signed"))?;
    Ok(desk.market().admit_replay(replay, &auditor, desk.now())?)
}

/// The auditor of the open epoch among those who signed.
pub(crate) fn auditor_of(state: &State, statement: &Statement) -> Option<[u8; 20]> {
    let set = state.auditors_for(state.epoch.number)?;
    statement.signed.iter().find_map(|signed| match signed.signer {
        Signer::Evm(address) if set.auditors.contains(&address) => Some(address),
        _ => None,
    })
}

/// What a worker says of a job, before anybody looks at its signature.
pub(super) fn check_report(state: &State, received_ms: u64, device: &DeviceId, body: &Body) -> Result<(), Refusal> {
    let desk = state.desk(received_ms)?;
    Ok(desk.market().admit_report(device, body, desk.now())?)
}
