//! What only the gateway can say: who signed what beside the log, and how its machine stands. No statement has it, and pages
//! say so.

use cairn_api::EpochSignatures;

/// What the gateway says of what is beside the log. Without an answer a page says that there is none.
pub trait Word: Sync {
    /// The signatures of auditors over a closed epoch, with the set in force; `None` where this gateway keeps none.
    fn signatures(&self, epoch: u64) -> Option<EpochSignatures>;
    /// The witnesses that it asks for cosignatures.
    fn witnesses(&self) -> Vec<Witness>;
    /// The last cosigned checkpoints, newest first, as signed notes; at most so many.
    fn cosigned(&self, most: usize) -> Vec<String>;
    /// Figures of its machine, those that its operator shows to everybody.
    fn figures(&self) -> Vec<Figure>;
}

/// A witness as the gateway knows it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Witness {
    /// Its name.
    pub name: String,
    /// Since it cosigned last, ms; `None` where it has not since the gateway started.
    pub age_ms: Option<u64>,
    /// Entries under the checkpoint that it cosigned last.
    pub entries: u64,
}

/// A figure of the gateway's machine.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Figure {
    /// The metric that it comes from.
    pub metric: &'static str,
    /// What it is.
    pub name: &'static str,
    /// Its value.
    pub value: u64,
    /// What the value counts.
    pub unit: Unit,
}

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Things.
    Count,
    /// Bytes.
    Bytes,
    /// Microseconds.
    Us,
}

/// A gateway that says nothing of the kind.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Word for Silent {
    fn signatures(&self, _epoch: u64) -> Option<EpochSignatures> {
        None
    }

    fn witnesses(&self) -> Vec<Witness> {
        Vec::new()
    }

    fn cosigned(&self, _most: usize) -> Vec<String> {
        Vec::new()
    }

    fn figures(&self) -> Vec<Figure> {
        Vec::new()
    }
}
