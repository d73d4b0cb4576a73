//! Checks before the writer: what is known to be void is refused here, on as many cores as there are.
//!
//! From cheap to dear: form, device, name, rate, and only then the signature. A name that is used costs no signature: the
//! writer answers it from the log. A device is charged when its signature verified and never before, or anybody could
//! use up its rate; how many signatures somebody can have checked is bounded by the rate of his address.
//!
//! The writer decides again, alone and in order; a report that passes here may still be a duplicate there. What is
//! refused here would be refused there as well.

use cairn_core::DeviceId;
use cairn_core::entry::{Entry, EntryKind};
use cairn_core::report::Report;
use cairn_core::statement::Statement;
use cairn_fold::{Checked, Device, Refusal, State, admit, check_reports, report_key};
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

/// What may go to the writer, and what is void or comes too fast.
#[derive(Default)]
pub(crate) struct Screened {
    /// A row for each item, in order.
    pub rows: Vec<Result<Passed, Refusal>>,
    /// The longest wait of the reports that came too fast.
    pub wait: Option<Wait>,
}

impl Screened {
    fn too_fast(&mut self, device: DeviceId, wait: Wait) -> Refusal {
        self.wait = Some(self.wait.map_or(wait, |longest| Wait { ms: longest.ms.max(wait.ms) }));
        let detail = format!("{device} sends reports faster than one device may; in {} ms it may again", wait.ms);
        Refusal { code: TOO_FAST, detail }
    }
}

/// Checks items of one kind, in order.
///
/// # Errors
/// [`Refused`] when nothing can be checked now.
pub(crate) fn screen(front: &Front, kind: EntryKind, items: &[&[u8]]) -> Result<Screened, Refused> {
    let unchecked =
        |body: &[u8]| Passed { submission: Submission { kind, body: body.to_vec(), checked: None }, charged: None };
    let mut screened = Screened::default();
    match kind {
        EntryKind::Report => {
            close_due(front)?;
            for part in items.chunks(REPORTS_PER_LOOK) {
                screen_reports(front, part, &mut screened)?;
            }
        }
        EntryKind::Statement => {
            let checked = |body: &&[u8]| check_statement(front, body).map(|()| unchecked(body));
            screened.rows.extend(items.iter().map(checked));
        }
        EntryKind::Observation | EntryKind::Epoch => {
            close_due(front)?;
            for body in items {
                let ledger = front.ledger()?;
                let checked = ledger.fold().check(&entry(front, &ledger, kind, body));
                screened.rows.push(checked.map(|_| unchecked(body)));
            }
        }
    }
    Ok(screened)
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

/// A statement's form and signatures. Nonces and rights are left to the writer, since one statement may stand on another
/// that is still on its way.
fn check_statement(front: &Front, body: &[u8]) -> Result<(), Refusal> {
    let statement =
        Statement::parse(body).map_err(|error| Refusal { code: error.code(), detail: error.to_string() })?;
    if statement.signatures_hold(Some(&front.network)) {
        return Ok(());
    }
    Err(Refusal { code: "STM-SIGNATURE", detail: "a signature does not verify".to_owned() })
}

/// What is known of a report before its signature is looked at.
struct Standing {
    device: DeviceId,
    /// Whether its name is used: the writer answers it, and no signature counts.
    is_repeat: bool,
}

fn screen_reports(front: &Front, items: &[&[u8]], screened: &mut Screened) -> Result<(), Refused> {
    let mut devices = State::default();
    let standing: Vec<Result<Standing, Refusal>> = {
        let ledger = front.ledger()?;
        devices.network.clone_from(&ledger.state().network);
        items.iter().map(|body| check_standing(front, &ledger, &mut devices, body)).collect()
    };
    let standing: Vec<Result<Standing, Refusal>> = standing
        .into_iter()
        .map(|standing| {
            let standing = standing?;
            let looked = if standing.is_repeat { Ok(()) } else { front.rates.look_at_device(standing.device) };
            looked.map_err(|wait| screened.too_fast(standing.device, wait))?;
            Ok(standing)
        })
        .collect();
    // Signatures are checked with the ledger let go, against a copy of the devices concerned.
    let signed: Vec<(EntryKind, &[u8])> = items
        .iter()
        .zip(&standing)
        .filter(|(_, standing)| standing.as_ref().is_ok_and(|standing| !standing.is_repeat))
        .map(|(body, _)| (EntryKind::Report, *body))
        .collect();
    front.metrics.count_signatures(signed.len());
    let mut checked = check_reports(&devices, &signed).into_iter();
    for (body, standing) in items.iter().zip(standing) {
        let submission = |checked| Submission { kind: EntryKind::Report, body: body.to_vec(), checked };
        let row = match standing {
            Ok(Standing { is_repeat: true, .. }) => Ok(Passed { submission: submission(None), charged: None }),
            Ok(Standing { device, .. }) => {
                let checked = checked.next().flatten();
                charge(front, device, checked, screened)
                    .map(|charged| Passed { submission: submission(checked), charged })
            }
            Err(refusal) => Err(refusal),
        };
        screened.rows.push(row);
    }
    Ok(())
}

/// Charges a device for a report that it signed.
fn charge(
    front: &Front,
    device: DeviceId,
    checked: Option<Checked>,
    screened: &mut Screened,
) -> Result<Option<DeviceId>, Refusal> {
    match checked {
        Some(checked) if !checked.holds => {
            let detail = "the device's signature does not verify".to_owned();
            Err(Refusal { code: "RPT-SIGNATURE", detail })
        }
        Some(_) => match front.rates.charge_device(device) {
            Ok(()) => Ok(Some(device)),
            Err(wait) => Err(screened.too_fast(device, wait)),
        },
        // The writer checks it.
        None => Ok(None),
    }
}

/// Everything but the signature; notes the device whose key that is to be checked against.
fn check_standing(front: &Front, ledger: &Ledger, devices: &mut State, body: &[u8]) -> Result<Standing, Refusal> {
    let report = Report::parse(body).map_err(|error| Refusal { code: error.code(), detail: error.to_string() })?;
    let state = ledger.state();
    let assumed = report_key(state, &report).map(|key| Checked { key: *key, holds: true });
    let admitted = admit(state, ledger.fold().size(), &entry(front, ledger, EntryKind::Report, body), assumed);
    let device = report.device();
    match admitted {
        // The writer knows at which index.
        Err(refusal) if refusal.code == "RPT-DUPLICATE" => Ok(Standing { device, is_repeat: true }),
        Err(refusal) => Err(refusal),
        Ok(_) => {
            note_device(state, devices, device);
            Ok(Standing { device, is_repeat: false })
        }
    }
}

fn note_device(state: &State, devices: &mut State, id: DeviceId) {
    if let Some(device) = state.devices.get(&id) {
        devices.devices.entry(id).or_insert_with(|| Device {
            enrol: device.enrol.clone(),
            key: device.key,
            former_keys: Vec::new(),
            enrolled_index: device.enrolled_index,
            enrolled_ms: device.enrolled_ms,
            retired_index: device.retired_index,
            names: cairn_fold::NameRanges::default(),
        });
    }
}
