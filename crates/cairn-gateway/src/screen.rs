//! Checks before the writer: what is known to be void is refused here, on as many cores as there are.
//!
//! From cheap to dear: form, device, name, rate, and only then the signature. A name that is used costs no signature: the
//! writer answers it from the log. A device is charged when its signature verified and never before, or anybody could
//! use up its rate; how many signatures somebody can have checked is bounded by the rate of his address.
//!
//! The writer decides again, alone and in order; a report that passes here may still be a duplicate there. What is
//! refused here would be refused there as well.

use cairn_core::DeviceId;
use cairn_core::ed25519::Signature;
use cairn_core::entry::{Entry, EntryKind};
use cairn_core::key::PublicKey;
use cairn_core::report::Report;
use cairn_core::statement::{Blob, Body, Order, Statement};
use cairn_fold::{Beforehand, Candidate, Checked, Claimed, Refusal, Vouched, admit_unsigned, verify_all};
use cairn_ledger::{Ledger, Submission};

use crate::buckets::Wait;
use crate::front::Front;
use crate::problem::Refused;

/// Reports looked at under one hold of the ledger: a few milliseconds.
const REPORTS_PER_LOOK: usize = 512;

/// The code of a report that came too fast.
pub(crate) const TOO_FAST: &str = "RPT-RATE";

/// What passed, and who was charged for it.
pub(crate) struct Passed {
    /// What goes to the writer.
    pub submission: Submission,
    /// The device whose bucket paid.
    pub charged: Option<DeviceId>,
}

/// What does not pass: void, or too fast.
pub(crate) struct Stopped {
    /// Why.
    pub refusal: Refusal,
    /// When to come back, if it came too fast.
    pub wait: Option<Wait>,
}

impl Stopped {
    fn too_fast(device: DeviceId, wait: Wait) -> Self {
        let detail = format!("{device} sends reports faster than one device may; in {} ms it may again", wait.ms);
        Self { refusal: Refusal { code: TOO_FAST, detail }, wait: Some(wait) }
    }
}

impl From<Refusal> for Stopped {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, wait: None }
    }
}

/// A row for each item, in order.
pub(crate) type Rows = Vec<Result<Passed, Stopped>>;

/// Checks statements or observations, in order.
///
/// # Errors
/// [`Refused`] when nothing can be checked now.
pub(crate) fn screen(front: &Front, kind: EntryKind, items: &[&[u8]]) -> Result<Rows, Refused> {
    if kind == EntryKind::Report {
        return screen_reports(front, items);
    }
    let passed = |body: &[u8], checked: Option<Beforehand>| Passed {
        submission: Submission { kind, body: body.to_vec(), checked },
        charged: None,
    };
    if kind == EntryKind::Statement {
        // Form and signatures. Nonces and rights are left to the writer, since one statement may stand on another that is
        // still on its way.
        let read = Vouched::read_all(items, &front.network).into_iter().zip(items);
        let vouched = |vouched| Some(Beforehand::Statement(Box::new(vouched)));
        let checked = read.map(|(read, body)| {
            let read = read?;
            holds_blobs(front, read.statement())?;
            Ok(passed(body, vouched(read)))
        });
        return Ok(checked.collect());
    }
    close_due(front)?;
    let mut rows = Rows::new();
    for body in items {
        let ledger = front.ledger()?;
        let checked = ledger.fold().check(&entry(front, &ledger, kind, body));
        rows.push(checked.map(|_| passed(body, None)).map_err(Stopped::from));
    }
    Ok(rows)
}

/// The code of an order whose blobs are not here.
pub(crate) const NO_BLOB: &str = "NET-BLOB-MISSING";

/// An order is for workers who fetch its blobs here, so those are here first; from now on they are kept until it is logged.
fn holds_blobs(front: &Front, statement: &Statement) -> Result<(), Refusal> {
    if let Body::Order(order) = &statement.body { holds_blobs_of(front, order) } else { Ok(()) }
}

/// The same for an order that is only asked about yet.
pub(crate) fn holds_blobs_of(front: &Front, order: &Order) -> Result<(), Refusal> {
    let now = front.since_start();
    let held = |hash| front.blobs.as_ref().and_then(|blobs| blobs.want(hash, now));
    for Blob { hash, bytes } in order.blobs() {
        let detail = match held(hash) {
            Some(held) if held == *bytes => continue,
            Some(held) => format!("blob {hash} has {held} bytes, not {bytes} as the order says"),
            None => format!("blob {hash} of the order is not here"),
        };
        return Err(Refusal { code: NO_BLOB, detail });
    }
    Ok(())
}

/// An epoch that is due closes first, so that checks see the state that the writer will have.
fn close_due(front: &Front) -> Result<(), Refused> {
    let is_due = {
        let ledger = front.ledger()?;
        ledger.fold().due(front.clock.now_ms(ledger.state().received_ms))
    };
    if is_due {
        front.writer.submit_blocking(Vec::new())?;
    }
    Ok(())
}

fn entry<'a>(front: &Front, ledger: &Ledger, kind: EntryKind, body: &'a [u8]) -> Entry<'a> {
    Entry { kind, received_ms: front.clock.now_ms(ledger.state().received_ms), body }
}

/// A report on its way through the checks.
struct Read {
    candidate: Box<Candidate>,
    message: Vec<u8>,
    signature: Signature,
    /// The key that its signature is to be checked against; none for a repeat, whose signature does not count.
    key: Option<PublicKey>,
}

/// Checks reports, of one request or of many, in order.
///
/// # Errors
/// [`Refused`] when nothing can be checked now.
pub(crate) fn screen_reports(front: &Front, items: &[&[u8]]) -> Result<Rows, Refused> {
    close_due(front)?;
    let mut rows: Vec<Result<Read, Stopped>> = items.iter().map(|body| Ok(read(front, body)?)).collect();
    for part in rows.chunks_mut(REPORTS_PER_LOOK) {
        look(front, part)?;
    }
    let claimed: Vec<Claimed<'_>> = rows
        .iter()
        .flatten()
        .filter_map(|read| {
            Some(Claimed { key: read.key.as_ref()?, message: &read.message, signature: &read.signature })
        })
        .collect();
    front.metrics.count_signatures(claimed.len());
    let mut holds = verify_all(&claimed).into_iter();
    Ok(rows.into_iter().zip(items).map(|(row, body)| settle(front, row?, body, &mut holds)).collect())
}

fn read(front: &Front, body: &[u8]) -> Result<Read, Refusal> {
    let report = Report::parse(body).map_err(|error| Refusal { code: error.code(), detail: error.to_string() })?;
    let (message, signature) = (report.to_be_signed(&front.network), report.sign1.signature);
    Ok(Read { candidate: Box::new(Candidate::of(report)), message, signature, key: None })
}

/// Everything but the signatures, under one hold of the ledger: device, name, rate.
fn look(front: &Front, part: &mut [Result<Read, Stopped>]) -> Result<(), Refused> {
    let ledger = front.ledger()?;
    let received_ms = front.clock.now_ms(ledger.state().received_ms);
    for row in part {
        let Ok(read) = row else { continue };
        match admit_unsigned(ledger.state(), &read.candidate, received_ms) {
            Ok(key) => {
                read.key = Some(*key);
                let device = read.candidate.name().device;
                if let Err(wait) = front.rates.look_at_device(device) {
                    *row = Err(Stopped::too_fast(device, wait));
                }
            }
            // The writer knows at which index.
            Err(refusal) if refusal.code == "RPT-DUPLICATE" => {}
            Err(refusal) => *row = Err(refusal.into()),
        }
    }
    Ok(())
}

/// What becomes of a report, once it is known which signatures hold.
fn settle(front: &Front, read: Read, body: &[u8], holds: &mut impl Iterator<Item = bool>) -> Result<Passed, Stopped> {
    let Read { mut candidate, key, .. } = read;
    let device = candidate.name().device;
    let checked = key.map(|key| Checked { key, holds: holds.next().unwrap_or(false) });
    let mut charged = None;
    if let Some(checked) = checked {
        if !checked.holds {
            let detail = "the device's signature does not verify".to_owned();
            return Err(Refusal { code: "RPT-SIGNATURE", detail }.into());
        }
        front.rates.charge_device(device).map_err(|wait| Stopped::too_fast(device, wait))?;
        charged = Some(device);
    }
    candidate.note(checked);
    let submission =
        Submission { kind: EntryKind::Report, body: body.to_vec(), checked: Some(Beforehand::Report(candidate)) };
    Ok(Passed { submission, charged })
}
