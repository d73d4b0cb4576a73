//! The first difference between what is served and what the log implies.

use core::fmt;

use cairn_core::Hash;
use cairn_core::entry::{Entry, EntryKind};
use cairn_core::report::Report;
use cairn_core::statement::{Body, Statement};
use cairn_fold::FoldError;
use cairn_merkle::MerkleError;
use serde::{Deserialize, Serialize};

use crate::source::SourceError;

/// Where what is served differs from what the log implies, with both values in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// A stable code.
    pub code: String,
    /// The thing that differs: a file, a tile, an entry, a row of a table.
    #[serde(rename = "where")]
    pub place: String,
    /// The entry concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<u64>,
    /// The epoch concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    /// The device concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Another checkpoint of the log that the audited one does not fit, a signed note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
    /// What should be there.
    pub expected: String,
    /// What is there.
    pub found: String,
    /// What is wrong, in a sentence.
    pub detail: String,
}

impl Difference {
    pub(crate) fn at(code: &str, place: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            place: place.into(),
            entry: None,
            epoch: None,
            device: None,
            checkpoint: None,
            expected: String::new(),
            found: String::new(),
            detail: detail.into(),
        }
    }

    pub(crate) fn values(self, expected: impl fmt::Display, found: impl fmt::Display) -> Self {
        Self { expected: expected.to_string(), found: found.to_string(), ..self }
    }

    pub(crate) fn entry(self, index: u64) -> Self {
        Self { entry: Some(index), ..self }
    }

    pub(crate) fn epoch(self, number: u64) -> Self {
        Self { epoch: Some(number), ..self }
    }

    pub(crate) fn beside(self, checkpoint: String) -> Self {
        Self { checkpoint: Some(checkpoint), ..self }
    }

    pub(crate) fn device(self, device: Option<String>) -> Self {
        Self { device, ..self }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.code, self.place, self.detail)?;
        if let Some(device) = &self.device {
            write!(f, " ({device})")?;
        }
        if self.expected.is_empty() && self.found.is_empty() {
            return Ok(());
        }
        write!(f, ": expected {}, found {}", self.expected, self.found)
    }
}

/// Why an audit goes no further.
#[derive(Debug)]
pub(crate) enum Stop {
    /// A difference was found: the audit fails.
    Differs(Box<Difference>),
    /// The source could not be read: the audit has no result.
    Source(SourceError),
}

impl From<Difference> for Stop {
    fn from(difference: Difference) -> Self {
        Self::Differs(Box::new(difference))
    }
}

impl From<Box<Difference>> for Stop {
    fn from(difference: Box<Difference>) -> Self {
        Self::Differs(difference)
    }
}

impl From<SourceError> for Stop {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}

impl From<MerkleError> for Stop {
    fn from(error: MerkleError) -> Self {
        Difference::at(error.code(), "the tree", error.to_string()).into()
    }
}

impl From<FoldError> for Stop {
    fn from(error: FoldError) -> Self {
        let place = match &error {
            FoldError::Entry { index, .. }
            | FoldError::TimeWentBack { index, .. }
            | FoldError::SnapshotEntry { index } => format!("entry {index}"),
            FoldError::Close(_) => "the closing of an epoch".to_owned(),
            FoldError::Snapshot(_) | FoldError::SnapshotDiffers { .. } => "the snapshot".to_owned(),
        };
        let difference = Difference::at(error.code(), place, error.to_string());
        match &error {
            FoldError::Entry { index, .. } | FoldError::SnapshotEntry { index } => difference.entry(*index),
            FoldError::TimeWentBack { index, received_ms, before_ms } => {
                difference.entry(*index).values(format!("{before_ms} ms or later"), format!("{received_ms} ms"))
            }
            FoldError::SnapshotDiffers { epoch, found, stated, .. } => difference.epoch(*epoch).values(stated, found),
            FoldError::Close(_) | FoldError::Snapshot(_) => difference,
        }
        .into()
    }
}

/// An entry's bytes in words, and the device that it is of.
pub(crate) fn describe_entry(bytes: &[u8]) -> (String, Option<String>) {
    let Ok(entry) = Entry::decode(bytes) else { return ("bytes that are no entry".to_owned(), None) };
    match entry.kind {
        EntryKind::Report => match Report::parse(entry.body) {
            Ok(report) => {
                let (boot, seq) = (report.body.boot, report.body.seq);
                let device = report.device().to_string();
                (format!("a report, boot {boot} seq {seq}, received at {} ms", entry.received_ms), Some(device))
            }
            Err(error) => (format!("a report that does not parse ({error})"), None),
        },
        EntryKind::Statement => match Statement::parse(entry.body) {
            Ok(statement) => {
                let device = match &statement.body {
                    Body::Enrol(enrol) => Some(cairn_core::DeviceId::of_key(&enrol.key.multicodec())),
                    Body::Transfer(transfer) => Some(transfer.device),
                    Body::Retire(device) => Some(*device),
                    Body::Rotate(rotate) => Some(rotate.device),
                    Body::Deny(deny) => Some(deny.device),
                    Body::Offer(offer) => Some(offer.device),
                    _ => None,
                };
                let words = format!("a `{}` statement", statement.body.schema().as_str());
                (words, device.map(|device| device.to_string()))
            }
            Err(error) => (format!("a statement that does not parse ({error})"), None),
        },
        kind => {
            let article = if kind == EntryKind::Report { "a" } else { "an" };
            (format!("{article} {} received at {} ms", kind.word(), entry.received_ms), None)
        }
    }
}

/// A leaf hash in words.
pub(crate) fn leaf_words(leaf: &Hash) -> String {
    format!("leaf hash {leaf}")
}
