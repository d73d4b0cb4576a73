//! Checks before the writer: what is known to be void is refused here, on as many cores as there are.
//!
//! The writer decides again, alone and in order; a report that passes here may still be a duplicate there. What is
//! refused here would be refused there as well.

use cairn_core::DeviceId;
use cairn_core::entry::{Entry, EntryKind};
use cairn_core::report::Report;
use cairn_core::statement::Statement;
use cairn_fold::{Checked, Device, Refusal, State, admit, check_reports, report_key};
use cairn_ledger::{Ledger, Submission};

use crate::front::Front;
use crate::problem::Refused;

/// Reports looked at under one hold of the ledger: a few milliseconds.
const REPORTS_PER_LOOK: usize = 512;

/// What may go to the writer, and what is void.
pub(crate) type Screened = Vec<Result<Submission, Refusal>>;

/// Checks items of one kind, in order.
///
/// # Errors
/// [`Refused`] when nothing can be checked now.
pub(crate) fn screen(front: &Front, kind: EntryKind, items: &[&[u8]]) -> Result<Screened, Refused> {
    let unchecked = |body: &[u8]| Submission { kind, body: body.to_vec(), checked: None };
    match kind {
        EntryKind::Report => {
            close_due(front)?;
            let mut screened = Vec::with_capacity(items.len());
            for part in items.chunks(REPORTS_PER_LOOK) {
                screened.extend(screen_reports(front, part)?);
            }
            Ok(screened)
        }
        EntryKind::Statement => {
            let checked = |body: &&[u8]| check_statement(front, body).map(|()| unchecked(body));
            Ok(items.iter().map(checked).collect())
        }
        EntryKind::Observation | EntryKind::Epoch => {
            close_due(front)?;
            let check = |body: &&[u8]| {
                let ledger = front.ledger()?;
                let checked = ledger.fold().check(&entry(front, &ledger, kind, body));
                Ok(checked.map(|_| unchecked(body)))
            };
            items.iter().map(check).collect()
        }
    }
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

fn screen_reports(front: &Front, items: &[&[u8]]) -> Result<Screened, Refused> {
    let mut devices = State::default();
    let standing: Vec<Result<(), Refusal>> = {
        let ledger = front.ledger()?;
        devices.network.clone_from(&ledger.state().network);
        items.iter().map(|body| check_standing(front, &ledger, &mut devices, body)).collect()
    };
    // Signatures are checked with the ledger let go, against a copy of the devices concerned.
    let standing_items: Vec<(EntryKind, &[u8])> = items
        .iter()
        .zip(&standing)
        .filter(|(_, standing)| standing.is_ok())
        .map(|(body, _)| (EntryKind::Report, *body))
        .collect();
    let mut checked = check_reports(&devices, &standing_items).into_iter();
    let screened = items.iter().zip(standing).map(|(body, standing)| {
        standing?;
        let checked = checked.next().flatten();
        if checked.is_some_and(|checked| !checked.holds) {
            let detail = "the device's signature does not verify".to_owned();
            return Err(Refusal { code: "RPT-SIGNATURE", detail });
        }
        Ok(Submission { kind: EntryKind::Report, body: body.to_vec(), checked })
    });
    Ok(screened.collect())
}

/// Everything but the signature; notes the device whose key that is to be checked against.
fn check_standing(front: &Front, ledger: &Ledger, devices: &mut State, body: &[u8]) -> Result<(), Refusal> {
    let report = Report::parse(body).map_err(|error| Refusal { code: error.code(), detail: error.to_string() })?;
    let state = ledger.state();
    let assumed = report_key(state, &report).map(|key| Checked { key: *key, holds: true });
    let admitted = admit(state, ledger.fold().size(), &entry(front, ledger, EntryKind::Report, body), assumed);
    match admitted {
        // The writer knows at which index.
        Err(refusal) if refusal.code != "RPT-DUPLICATE" => Err(refusal),
        _ => {
            note_device(state, devices, report.device());
            Ok(())
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
