//! When a report is valid.
//!
//! Who **signs** a report answers for its name: the names that have counted, conflicts and former keys are the signer's. Whom it
//! is **of** is who measured: place, classes, enrolment, payee and verdicts are the subject's. The two are one device, but for
//! a bridge, which signs for other devices of its own owner where the policy lets bridges in.

use cairn_classes::{Class, Clock};
use cairn_core::DeviceId;
use cairn_core::entry::Entry;
use cairn_core::geo::Cell;
use cairn_core::key::PublicKey;
use cairn_core::report::{Report, ReportName, ReportedPlace};
use cairn_core::statement::Role;

use super::candidate::Candidate;
use super::work;
use crate::device::Device;
use crate::refusal::Refusal;
use crate::state::{Pending, State};

/// A valid report, as it is held until its epoch is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Its entry.
    pub index: u64,
    /// Its name, which is the signer's.
    pub name: ReportName,
    /// Who measured: the signer, or the device that a bridge signed for.
    pub device: DeviceId,
    /// The epoch that judges it.
    pub epoch: u64,
    /// The class.
    pub class: Class,
    /// The time that counts, ms since 1970 UTC.
    pub time_ms: u64,
    /// The time of its last reading, ms since 1970 UTC.
    pub last_ms: u64,
    /// When it was received, ms since 1970 UTC.
    pub received_ms: u64,
    /// What it says of its clock.
    pub clock: Option<Clock>,
    /// See [`cairn_core::report::flag`].
    pub flags: u64,
    /// What the class defines: the body's canonical bytes.
    pub body: Box<[u8]>,
    /// Who is paid, and whether the device was denied, at the report's index.
    pub pending: Pending,
}

/// The key that a report's signature is to be checked against beforehand, if its device is known.
#[must_use]
pub fn report_key<'a>(state: &'a State, report: &Report<'_>) -> Option<&'a PublicKey> {
    let key = state.key_of(&report.device())?;
    (key.algorithm() == report.sign1.algorithm).then_some(key)
}

/// What a state says of a report before anybody looks at its signature.
struct Standing<'a> {
    signer: &'a Device,
    /// Who measured.
    device: DeviceId,
    subject: &'a Device,
    /// The epoch that judges it.
    epoch: u64,
    /// The time that counts, ms since 1970 UTC.
    time_ms: u64,
    /// The time of its last reading, ms since 1970 UTC.
    last_ms: u64,
}

/// Everything but the signature: the key that it must be checked against.
///
/// # Errors
/// [`Refusal`] with the code that voids the report.
pub fn admit_unsigned<'a>(state: &'a State, candidate: &Candidate, received_ms: u64) -> Result<&'a PublicKey, Refusal> {
    standing(state, candidate, received_ms).map(|standing| &standing.signer.key)
}

fn standing<'a>(state: &'a State, candidate: &Candidate, received_ms: u64) -> Result<Standing<'a>, Refusal> {
    let name = candidate.name;
    let signer = state
        .devices
        .get(&name.device)
        .ok_or_else(|| Refusal::of("RPT-UNKNOWN-DEVICE", format!("{} is not enrolled", name.device)))?;
    check_standing(signer, candidate)?;
    let (device, subject) = subject_of(state, signer, candidate)?;
    let time_ms = candidate.measured_ms(received_ms);
    let epoch = judging_epoch(state, time_ms)?;
    let last_ms = time_ms.saturating_add(check_class(state, [signer, subject], candidate)?);
    check_future(state, last_ms, received_ms)?;
    if time_ms < subject.enrolled_ms {
        let what = format!("measured before the device was enrolled, at {} ms", subject.enrolled_ms);
        return Err(Refusal::of("RPT-BEFORE-ENROLMENT", what));
    }
    check_place(state, subject, candidate.place.as_ref())?;
    if signer.names.contains(name.boot, name.seq) {
        let what = format!("boot {} seq {} of {} has counted", name.boot, name.seq, name.device);
        return Err(Refusal::of("RPT-DUPLICATE", what));
    }
    if let Some(body) = &candidate.work {
        work::check_report(state, received_ms, &device, body)?;
    }
    Ok(Standing { signer, device, subject, epoch, time_ms, last_ms })
}

/// Decides whether the report of `entry`, at `index`, is valid; `candidate` was read from it.
///
/// # Errors
/// [`Refusal`] with the code that voids it.
pub fn admit_report(state: &State, index: u64, entry: &Entry<'_>, candidate: Candidate) -> Result<Accepted, Refusal> {
    let received_ms = entry.received_ms;
    let Standing { signer, device, subject, epoch, time_ms, last_ms } = standing(state, &candidate, received_ms)?;
    check_signature(state, signer, entry.body, &candidate)?;
    let denial = |of| state.denial_at(of, received_ms).map(|denial| denial.index);
    let pending = Pending {
        account: state.shared_payee_of(&subject.owner),
        denied: denial(&device).or_else(|| denial(&candidate.name.device)),
    };
    Ok(Accepted {
        index,
        name: candidate.name,
        device,
        epoch,
        time_ms,
        last_ms,
        received_ms,
        clock: candidate.clock(),
        flags: candidate.flags,
        body: candidate.body,
        class: class_of(&candidate.class),
        pending,
    })
}

/// The class of a report whose body was checked.
fn class_of(schema: &str) -> Class {
    Class::of_schema(schema).expect("a class that is not known refuses every body")
}

impl Accepted {
    /// A report as it is held, for the epoch that judges it.
    pub(crate) fn of(
        report: Report<'_>,
        index: u64,
        epoch: u64,
        received_ms: u64,
        last_ms: u64,
        pending: Pending,
    ) -> Self {
        let (name, device) = (report.name(), report.measured_by());
        let body = report.body;
        Self {
            index,
            name,
            device,
            epoch,
            time_ms: body.measured_ms(received_ms),
            last_ms,
            received_ms,
            clock: body.clock.map(|(source, error_ms)| Clock { source: source.number(), error_ms }),
            flags: body.flags,
            body: body.body.encode().into_boxed_slice(),
            class: class_of(&body.schema),
            pending,
        }
    }
}

fn check_standing(device: &Device, candidate: &Candidate) -> Result<(), Refusal> {
    if let Some(retired) = device.retired_index() {
        let what = format!("{} was retired by entry {retired}", candidate.name.device);
        return Err(Refusal::of("RPT-RETIRED", what));
    }
    if device.key.algorithm() != candidate.algorithm {
        return Err(Refusal::of("RPT-ALGORITHM", "the header names another algorithm than the device's key"));
    }
    match (device.kind.role, candidate.subject) {
        (Role::Device | Role::Anchor | Role::Worker, None) | (Role::Bridge, _) => Ok(()),
        (_, Some(_)) => Err(Refusal::of("RPT-SUBJECT", "only a bridge signs for another device")),
        (Role::Buyer, None) => Err(Refusal::of("RPT-ROLE", "a buyer does not report")),
    }
}

/// Whom a report is of: the signer, or the device that a bridge may sign for.
fn subject_of<'a>(
    state: &'a State,
    signer: &'a Device,
    candidate: &Candidate,
) -> Result<(DeviceId, &'a Device), Refusal> {
    if signer.kind.role != Role::Bridge {
        return Ok((candidate.name.device, signer));
    }
    if !state.policy().is_some_and(|policy| policy.read.allows_bridges(&candidate.class)) {
        let what = format!("the policy lets no bridge report for class `{}`", candidate.class);
        return Err(Refusal::of("RPT-BRIDGE", what));
    }
    let refuse = |what: String| Refusal::of("RPT-SUBJECT", what);
    let id = candidate.subject.ok_or_else(|| refuse("a bridge does not say whom it signs for".into()))?;
    let subject = state.devices.get(&id).ok_or_else(|| refuse(format!("the subject {id} is not enrolled")))?;
    if let Some(retired) = subject.retired_index() {
        return Err(refuse(format!("the subject {id} was retired by entry {retired}")));
    }
    match subject.kind.role {
        Role::Device | Role::Anchor | Role::Worker => {}
        role @ (Role::Bridge | Role::Buyer) => {
            return Err(refuse(format!("the subject {id} is a {}, which measures nothing", role.word())));
        }
    }
    // Whoever owns both has countersigned both: that is his consent.
    if subject.owner != signer.owner {
        return Err(refuse(format!("the subject {id} has another owner than the bridge")));
    }
    Ok((id, subject))
}

/// `max(epoch of the measured time, open epoch)`, as far back as the policy accepts and the state remembers.
fn judging_epoch(state: &State, time_ms: u64) -> Result<u64, Refusal> {
    let clock = state.clock().ok_or_else(|| Refusal::of("NET-GENESIS", "there is no network yet"))?;
    let policy = state.policy().ok_or_else(|| Refusal::of("RPT-POLICY", "no policy is in force yet"))?;
    let measured = clock
        .epoch_at(time_ms)
        .ok_or_else(|| Refusal::of("RPT-BEFORE-START", "measured before the network's first epoch"))?;
    let open = state.epoch.number;
    let late_epochs = u64::from(policy.read.epochs.late_epochs);
    // Under a policy that takes later reports than the one before, slots paid by forgotten epochs must not be paid again.
    let forgotten = state.judged.keys().next().is_some_and(|&oldest| oldest > 0 && measured <= oldest);
    if measured.saturating_add(late_epochs) < open || forgotten {
        let what = format!("measured in epoch {measured}; epoch {open} is open and takes at most {late_epochs} back");
        return Err(Refusal::of("RPT-TOO-LATE", what));
    }
    Ok(measured.max(open))
}

fn check_future(state: &State, last_ms: u64, received_ms: u64) -> Result<(), Refusal> {
    let limit_ms = state.policy().map_or(0, |policy| policy.read.epochs.future_ms);
    let ahead_ms = last_ms.saturating_sub(received_ms);
    // Short epochs bound it too: what is judged two epochs on would have left the lookback too early.
    let epoch = state.clock().and_then(|clock| clock.epoch_at(last_ms));
    if ahead_ms <= limit_ms && epoch.is_some_and(|epoch| epoch <= state.epoch.number.saturating_add(1)) {
        return Ok(());
    }
    Err(Refusal::of("RPT-FUTURE", format!("measured {ahead_ms} ms after it was received; at most {limit_ms} ms")))
}

/// Signer and subject are both enrolled in the class. Answers with the time from the report's own time to its last reading.
fn check_class(state: &State, enrolled: [&Device; 2], candidate: &Candidate) -> Result<u64, Refusal> {
    let class = &candidate.class;
    let judged = state.policy().is_some_and(|policy| policy.read.classes.contains_key(class));
    if !judged || !enrolled.iter().all(|device| device.kind.classes.contains(class)) {
        let who = if judged { "the device is not enrolled in" } else { "the policy does not judge" };
        return Err(Refusal::of("RPT-CLASS", format!("{who} class `{class}`")));
    }
    candidate.span_ms.clone()
}

fn check_place(state: &State, device: &Device, place: Option<&ReportedPlace>) -> Result<(), Refusal> {
    let finest = state.policy().map_or(0, |policy| policy.read.h3_resolution);
    match place {
        None => Ok(()),
        Some(ReportedPlace::Cell(cell)) => match Cell::of(*cell) {
            Some(cell) if cell.resolution() <= finest => Ok(()),
            _ => Err(Refusal::of("RPT-PLACE", format!("not an H3 cell of resolution {finest} or coarser"))),
        },
        Some(ReportedPlace::Exact { .. }) if device.exact.is_some() => Ok(()),
        Some(ReportedPlace::Exact { .. }) => {
            Err(Refusal::of("RPT-PLACE", "an exact place, and the owner did not opt in when enrolling"))
        }
    }
}

fn check_signature(state: &State, device: &Device, bytes: &[u8], candidate: &Candidate) -> Result<(), Refusal> {
    let holds = match candidate.checked {
        Some(checked) if checked.key == device.key => checked.holds,
        _ => state.network.as_ref().zip(Report::parse(bytes).ok()).is_some_and(|(network, report)| {
            device.key.verify(&report.to_be_signed(&network.id), &report.sign1.signature)
        }),
    };
    if holds { Ok(()) } else { Err(Refusal::of("RPT-SIGNATURE", "the device's signature does not verify")) }
}
