//! A profile document of either form, and the judge that reads it.
//!
//! Form 1 (no `form` key) is what revision 1 judges by, form 2 what revision 2 does. A document of one form under the
//! other's revision is not an error that would keep an epoch from closing: its slots are unscored, and say why.

use std::collections::BTreeMap;

use cairn_core::{DeviceId, Ppm, Reason, Subject, Verdict};
use serde::Deserialize;

use super::revision_1;
use super::words::{Check, Code};
use super::{Assessed, Band, Body, Profile, REVISIONS, SCHEMA};
use crate::{ClassError, Docket, Judged, Report};

/// A profile document, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// Form 1, for revision 1.
    One(revision_1::Profile),
    /// Form 2, for revision 2.
    Two(Box<Profile>),
}

/// The one key that tells the forms apart.
#[derive(Deserialize)]
struct Form {
    #[serde(default = "one")]
    form: u32,
}

const fn one() -> u32 {
    1
}

impl Document {
    /// Parses and checks a document of either form.
    ///
    /// # Errors
    /// [`ClassError::ProfileSyntax`] or [`ClassError::ProfileValue`] naming what is refused.
    pub fn parse(document: &str) -> Result<Self, ClassError> {
        match toml::from_str::<Form>(document) {
            Ok(Form { form: 2 }) => Ok(Self::Two(Box::new(Profile::parse(document)?))),
            // Whatever else it is, the first form's reader says what is wrong with it.
            _ => Ok(Self::One(revision_1::Profile::parse(document)?)),
        }
    }

    /// The length of a slot, in ms.
    #[must_use]
    pub const fn slot_ms(&self) -> u64 {
        match self {
            Self::One(profile) => profile.slot_ms,
            Self::Two(profile) => profile.slot_ms,
        }
    }

    /// The revision of the judge that reads it.
    #[must_use]
    pub const fn revision(&self) -> u32 {
        match self {
            Self::One(_) => 1,
            Self::Two(_) => 2,
        }
    }

    /// How many slots are looked at together, counted from the start of an epoch.
    #[must_use]
    pub const fn window_slots(&self) -> u32 {
        match self {
            Self::One(profile) => profile.copy.window_slots,
            Self::Two(profile) => profile.copies.window_slots,
        }
    }
}

/// Judges a docket with revision `revision`: one verdict per device and slot, sorted by device, then slot.
///
/// # Errors
/// [`ClassError`] for an unknown revision, a docket that contradicts itself, or a carry that does not read.
pub fn judge(revision: u32, document: &Document, docket: &Docket<'_>) -> Result<Judged, ClassError> {
    match (revision, document) {
        (1, Document::One(profile)) => Ok(Judged { verdicts: revision_1::judge(profile, docket)?, carry: Vec::new() }),
        (2, Document::Two(profile)) => super::judge::judge(profile, docket),
        _ if REVISIONS.contains(&revision) => Ok(Judged { verdicts: unread(document, docket)?, carry: Vec::new() }),
        _ => Err(ClassError::UnknownRevision { schema: SCHEMA, revision }),
    }
}

/// Judges every value of a docket by itself, with the revision that reads the document: sorted by entry, reading and
/// quantity. The second part is what [`Judged::carry`] is.
///
/// # Errors
/// [`ClassError`] for a docket that contradicts itself, or a carry that does not read.
pub fn assess(document: &Document, docket: &Docket<'_>) -> Result<(Vec<Assessed>, Judged), ClassError> {
    match document {
        Document::One(profile) => Ok((revision_1::assess(profile, docket)?, Judged::default())),
        Document::Two(profile) => super::judge::assess(profile, docket),
    }
}

/// Judges a docket as [`judge`] does, and tells of one device its verdicts and what its words were held against: the very
/// values that the verdicts' reasons are made from, also where nothing is said because all was well. Nothing where the
/// device reports nothing.
///
/// # Errors
/// As [`judge`].
pub fn compared(
    revision: u32,
    document: &Document,
    docket: &Docket<'_>,
    device: &DeviceId,
) -> Result<(Vec<Verdict>, Vec<Band>), ClassError> {
    match (revision, document) {
        (1, Document::One(profile)) => revision_1::compared(profile, docket, device),
        (2, Document::Two(profile)) => super::judge::compared(profile, docket, device),
        _ => {
            let mut verdicts = judge(revision, document, docket)?.verdicts;
            verdicts.retain(|verdict| verdict.device == *device);
            Ok((verdicts, Vec::new()))
        }
    }
}

/// One unscored verdict for each slot with something to judge, under a document that the revision does not read.
fn unread(document: &Document, docket: &Docket<'_>) -> Result<Vec<Verdict>, ClassError> {
    let slot_ms = document.slot_ms();
    let mut slots: BTreeMap<(DeviceId, u64), Vec<&Report<'_>>> = BTreeMap::new();
    let fresh = docket.fresh.iter().map(|report| (report, true));
    for (report, fresh) in fresh.chain(docket.context.iter().map(|report| (report, false))) {
        for reading in Body::parse(report.body)?.readings() {
            let time_ms = report.time_ms.saturating_add(reading.after_ms);
            if time_ms < docket.end_ms && (fresh || time_ms >= docket.start_ms) {
                slots.entry((report.device, time_ms / slot_ms * slot_ms)).or_default().push(report);
            }
        }
    }
    let verdict = |((device, slot_ms), mut reports): ((DeviceId, u64), Vec<&Report<'_>>)| {
        reports.sort_unstable_by_key(|report| report.index);
        reports.dedup_by_key(|report| report.index);
        let reason = Reason {
            code: Code::Profile.as_str().to_owned(),
            check: Check::whole(Code::Profile).to_string(),
            observed: document.revision().into(),
            threshold: 0,
            lost_ppm: 0,
            evidence: Vec::new(),
        };
        Verdict {
            class: SCHEMA.to_owned(),
            device,
            slot_ms,
            subject: Subject::Slot,
            account: reports[0].account.clone(),
            amount: 0,
            score: Ppm::ZERO,
            reasons: vec![reason],
            entries: reports.iter().map(|report| report.index).collect(),
        }
    };
    Ok(slots.into_iter().map(verdict).collect())
}
