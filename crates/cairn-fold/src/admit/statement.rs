//! When a statement is valid: who must sign what, and what it may say now.

use cairn_core::geo::{Cell, Position};
use cairn_core::report::Report;
use cairn_core::statement::{
    Body, Conflict, Deny, Enrol, PolicyDocument, ProfileDocument, Role, Rotate, Signer, Statement, Transfer,
};
use cairn_core::{Account, DeviceId, NetworkId};

use super::work;
use crate::device::Device;
use crate::nonces::SignerName;
use crate::refusal::Refusal;
use crate::state::{DOMAINS_MAX, State};

pub(super) type Allowed = Result<(), Refusal>;

/// Epochs past the end of the emission table whose total must be within 128 bits.
const EPOCHS_THAT_ADD_UP: u64 = 1_000_000;

/// Decides whether a statement received at `received_ms` is valid; `vouched` is the network under whose id its signatures are
/// known to hold.
pub(super) fn admit(state: &State, received_ms: u64, statement: &Statement, vouched: Option<&NetworkId>) -> Allowed {
    if received_ms > statement.expiry_ms {
        return Err(Refusal::of("STM-EXPIRED", format!("it expired at {} ms", statement.expiry_ms)));
    }
    // Device, owner and operator: nobody else has a say, and every signer's nonce is remembered.
    if statement.signed.len() > 3 {
        return Err(Refusal::of("STM-SIGNERS", "no statement needs more than three signatures"));
    }
    check_nonces(state, statement)?;
    check_content(state, received_ms, statement)?;
    let network = match (&statement.body, &state.network) {
        (Body::Genesis(_), _) => None,
        (_, Some(network)) => Some(&network.id),
        (_, None) => return Err(Refusal::of("NET-GENESIS", "there is no network yet")),
    };
    if network.is_some() && network == vouched {
        return Ok(());
    }
    check_signatures(network, statement)
}

fn check_nonces(state: &State, statement: &Statement) -> Allowed {
    for signed in &statement.signed {
        let last = state.nonces.get(&SignerName::from(&signed.signer));
        if last.is_some_and(|last| statement.nonce <= *last) {
            let what = format!("nonce {} is not above the signer's last", statement.nonce);
            return Err(Refusal::of("STM-NONCE", what));
        }
    }
    Ok(())
}

fn check_signatures(network: Option<&NetworkId>, statement: &Statement) -> Allowed {
    if statement.signatures_hold(network) {
        return Ok(());
    }
    Err(Refusal::of("STM-SIGNATURE", "a signature does not verify"))
}

fn check_content(state: &State, received_ms: u64, statement: &Statement) -> Allowed {
    match &statement.body {
        Body::Genesis(genesis) => {
            if state.network.is_some() {
                return Err(Refusal::of("NET-GENESIS", "the network exists"));
            }
            needs(statement, &Signer::Key(genesis.operator), "the operator it names")
        }
        Body::Enrol(enrol) => check_enrol(state, statement, enrol),
        Body::Transfer(transfer) => check_transfer(state, statement, transfer),
        Body::Retire(id) => needs_owner(statement, active(state, id)?),
        Body::Rotate(rotate) => check_rotate(state, statement, rotate),
        Body::Payee(choice) => {
            // Whoever owns nothing is paid nothing: the state does not grow for strangers.
            if !state.owned.contains_key(&choice.owner) {
                return Err(Refusal::of("STM-OWNER", format!("{} owns no device", choice.owner)));
            }
            needs_account(statement, &choice.owner)
        }
        Body::Policy(policy) => check_policy(state, received_ms, statement, policy),
        Body::Profile(profile) => check_profile(state, received_ms, statement, profile),
        Body::Conflict(conflict) => check_conflict(state, conflict),
        Body::Deny(deny) => check_deny(state, received_ms, statement, deny),
        Body::Appeal(appeal) => {
            let denied = state.denials.iter().find(|(_, denial)| denial.index == appeal.deny);
            let (id, _) = denied
                .ok_or_else(|| Refusal::of("STM-APPEAL", format!("entry {} is no standing denial", appeal.deny)))?;
            if state.appeals.contains_key(&appeal.deny) {
                return Err(Refusal::of("STM-APPEAL", format!("the denial of entry {} is appealed", appeal.deny)));
            }
            needs_owner(statement, known(state, id)?)
        }
        Body::AuditorSet(set) => {
            not_started(state, received_ms, set.first_epoch)?;
            needs_operator(state, statement)
        }
        Body::Domain(terms) => {
            if state.domains.len() >= DOMAINS_MAX && !state.domains.contains_key(&terms.domain) {
                return Err(Refusal::of(
                    "STM-DOMAIN",
                    format!("a network has at most {DOMAINS_MAX} settlement chains"),
                ));
            }
            needs_operator(state, statement)
        }
        Body::Successor(_) => needs_operator(state, statement),
        Body::Offer(offer) => work::check_offer(state, received_ms, statement, offer),
        Body::Licence(licence) => work::check_licence(state, received_ms, statement, licence),
        Body::Order(order) => work::check_order(state, received_ms, statement, order),
        Body::Cancel(job) => work::check_cancel(state, received_ms, statement, job),
        Body::Replay(replay) => work::check_replay(state, received_ms, statement, replay),
    }
}

pub(super) fn needs(statement: &Statement, signer: &Signer, whose: &str) -> Allowed {
    if statement.is_signed_by(signer) {
        return Ok(());
    }
    Err(Refusal::of("STM-RIGHTS", format!("{whose} has not signed")))
}

fn needs_operator(state: &State, statement: &Statement) -> Allowed {
    let network = state.network.as_ref().ok_or_else(|| Refusal::of("NET-GENESIS", "there is no network yet"))?;
    needs(statement, &Signer::Key(network.genesis.operator), "the operator")
}

pub(super) fn needs_account(statement: &Statement, account: &Account) -> Allowed {
    needs(statement, &Signer::of_address(account.address()), &format!("the owner {account}"))
}

fn needs_owner(statement: &Statement, device: &Device) -> Allowed {
    needs_account(statement, &device.owner)
}

pub(super) fn known<'a>(state: &'a State, id: &DeviceId) -> Result<&'a Device, Refusal> {
    state.devices.get(id).map(AsRef::as_ref).ok_or_else(|| Refusal::of("STM-DEVICE", format!("{id} is not enrolled")))
}

fn active<'a>(state: &'a State, id: &DeviceId) -> Result<&'a Device, Refusal> {
    let device = known(state, id)?;
    match device.retired_index() {
        None => Ok(device),
        Some(index) => Err(Refusal::of("STM-DEVICE", format!("{id} was retired by entry {index}"))),
    }
}

fn check_enrol(state: &State, statement: &Statement, enrol: &Enrol) -> Allowed {
    let id = DeviceId::of_key(&enrol.key.multicodec());
    if state.devices.contains_key(&id) {
        return Err(Refusal::of("STM-ENROLLED", format!("{id} is enrolled, or was")));
    }
    if !enrol.key.enrolable() {
        return Err(Refusal::of("STM-KEY", "the key is not canonical, or outside the prime-order group"));
    }
    let policy = state.policy().ok_or_else(|| Refusal::of("STM-POLICY", "no policy is in force yet"))?;
    for class in &enrol.classes {
        if !policy.read.classes.contains_key(class) {
            return Err(Refusal::of("STM-CLASS", format!("the policy does not judge class `{class}`")));
        }
    }
    has_room(state, &enrol.owner)?;
    check_enrolled_place(policy.read.h3_resolution, enrol)?;
    if enrol.role == Role::Anchor {
        // A reference outranks a crowd, so it is not self-declared.
        needs_operator(state, statement)?;
    }
    needs(statement, &Signer::Key(enrol.key), "the device's key")?;
    needs_account(statement, &enrol.owner)
}

fn has_room(state: &State, owner: &Account) -> Allowed {
    let limit = state.policy().and_then(|policy| policy.read.devices_per_owner);
    let owned = state.owned.get(owner).copied().unwrap_or(0);
    match limit {
        Some(limit) if owned >= limit => {
            Err(Refusal::of("STM-LIMIT", format!("{owner} has {owned} devices; the policy allows {limit}")))
        }
        _ => Ok(()),
    }
}

fn check_enrolled_place(finest: u8, enrol: &Enrol) -> Allowed {
    let cell = Cell::of(enrol.cell).filter(|cell| cell.resolution() <= finest).ok_or_else(|| {
        Refusal::of("STM-CELL", format!("the cell is not an H3 cell of resolution {finest} or coarser"))
    })?;
    let Some((lat_e7, lon_e7)) = enrol.exact else { return Ok(()) };
    let inside = Position::of(lat_e7, lon_e7).and_then(|at| Cell::containing(at, cell.resolution()));
    if inside == Some(cell) {
        return Ok(());
    }
    Err(Refusal::of("STM-CELL", "the exact place is not inside the cell"))
}

fn check_transfer(state: &State, statement: &Statement, transfer: &Transfer) -> Allowed {
    let device = active(state, &transfer.device)?;
    has_room(state, &transfer.owner)?;
    needs_owner(statement, device)?;
    needs_account(statement, &transfer.owner)
}

fn check_rotate(state: &State, statement: &Statement, rotate: &Rotate) -> Allowed {
    let device = active(state, &rotate.device)?;
    let names_another = state.devices.contains_key(&DeviceId::of_key(&rotate.key.multicodec()));
    if !rotate.key.enrolable() || names_another {
        return Err(Refusal::of("STM-KEY", "the key is not canonical, outside the prime-order group, or taken"));
    }
    needs_owner(statement, device)?;
    needs(statement, &Signer::Key(rotate.key), "the next key")
}

/// A document is fixed before the time that it rules begins.
fn not_started(state: &State, received_ms: u64, first_epoch: u64) -> Allowed {
    let starts_ms = state.clock().map_or(0, |clock| clock.start_ms(first_epoch));
    if received_ms < starts_ms {
        return Ok(());
    }
    Err(Refusal::of("STM-EPOCH", format!("epoch {first_epoch} began at {starts_ms} ms")))
}

fn check_policy(state: &State, received_ms: u64, statement: &Statement, policy: &PolicyDocument) -> Allowed {
    let read = cairn_reward::Policy::parse(&policy.document)
        .map_err(|error| Refusal::of("STM-POLICY", format!("{}: {error}", error.code())))?;
    // What overflows would keep an epoch from closing, for ever: a million epochs past the table's end must add up.
    let last = read.emission.rows().last().map_or(0, |row| row.from_epoch);
    if let Err(error) = read.emission.total_through(last.saturating_add(EPOCHS_THAT_ADD_UP)) {
        return Err(Refusal::of("STM-POLICY", format!("{}: {error}", error.code())));
    }
    let is_first = state.policies.is_empty() && policy.first_epoch == 0;
    if is_first {
        let promised = state.network.as_ref().map(|network| network.genesis.policy_hash);
        if promised != Some(read.hash()) {
            return Err(Refusal::of("STM-POLICY", "the first policy is not the one that genesis names"));
        }
    } else {
        not_started(state, received_ms, policy.first_epoch)?;
    }
    let judged = |(class, revision): &(&String, &u32)| {
        cairn_classes::Class::of_schema(class).is_ok_and(|class| class.revisions().contains(revision))
    };
    if let Some((class, revision)) = read.classes.iter().find(|named| !judged(named)) {
        return Err(Refusal::of("STM-POLICY", format!("class `{class}` revision {revision} is not known here")));
    }
    needs_operator(state, statement)
}

fn check_profile(state: &State, received_ms: u64, statement: &Statement, profile: &ProfileDocument) -> Allowed {
    let text = core::str::from_utf8(&profile.document)
        .map_err(|error| Refusal::of("STM-PROFILE", format!("the profile is not text: {error}")))?;
    cairn_classes::check_profile(&profile.class, text)
        .map_err(|error| Refusal::of("STM-PROFILE", format!("{}: {error}", error.code())))?;
    let slot_ms = cairn_classes::slot_ms(&profile.class, text)
        .map_err(|error| Refusal::of("STM-PROFILE", format!("{}: {error}", error.code())))?;
    let clock = state.clock().ok_or_else(|| Refusal::of("NET-GENESIS", "there is no network yet"))?;
    if !clock.zero_ms.is_multiple_of(slot_ms) || !clock.length_ms.is_multiple_of(slot_ms) {
        // A slot that straddled two epochs would be paid in both.
        let what =
            format!("epochs of {} ms from {} ms are not whole slots of {slot_ms} ms", clock.length_ms, clock.zero_ms);
        return Err(Refusal::of("STM-SLOTS", what));
    }
    let is_first = !state.profiles.keys().any(|(class, _)| class == &profile.class);
    // A class without thresholds has judged nothing, so its first profile may rule the epoch that is open.
    if !(is_first && profile.first_epoch == state.epoch.number) {
        not_started(state, received_ms, profile.first_epoch)?;
    }
    needs_operator(state, statement)
}

fn check_conflict(state: &State, conflict: &Conflict) -> Allowed {
    let refuse = |what: &str| Refusal::of("STM-CONFLICT", what);
    let first = Report::parse(&conflict.first).map_err(|error| refuse(&format!("the first report: {error}")))?;
    let second = Report::parse(&conflict.second).map_err(|error| refuse(&format!("the second report: {error}")))?;
    if first.name() != second.name() {
        return Err(refuse("the two reports have different names"));
    }
    if first.identity() >= second.identity() {
        return Err(refuse("the two payloads are the same, or not in order of their SHA-256"));
    }
    if state.conflicts.contains_key(&first.name()) {
        return Err(refuse("this conflict is known"));
    }
    let device = known(state, &first.device())?;
    if !device.names.contains(first.name().boot, first.name().seq) {
        return Err(refuse("no report of that name has counted"));
    }
    let network = state.network.as_ref().ok_or_else(|| Refusal::of("NET-GENESIS", "there is no network yet"))?;
    let signed = [&first, &second].iter().all(|report| {
        let message = report.to_be_signed(&network.id);
        let mut keys = core::iter::once(device.key).chain(device.former_keys());
        keys.any(|key| report.sign1.algorithm == key.algorithm() && key.verify(&message, &report.sign1.signature))
    });
    if signed { Ok(()) } else { Err(refuse("a report is not signed by a key of the device")) }
}

fn check_deny(state: &State, received_ms: u64, statement: &Statement, deny: &Deny) -> Allowed {
    known(state, &deny.device)?;
    if deny.until_ms <= received_ms {
        return Err(Refusal::of("STM-DENY", "the denial ends before it begins"));
    }
    needs_operator(state, statement)
}
