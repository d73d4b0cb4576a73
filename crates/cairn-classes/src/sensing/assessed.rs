//! What a judge says of one value of one reading: the form that `assess` answers in, whatever the revision.

use cairn_core::{Ppm, Reason};

use super::quantity::Quantity;

/// The most entry indices that one reason names.
pub const EVIDENCE_MAX: usize = 16;

/// What became of one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Nothing speaks against it.
    Pass,
    /// Off its neighbours by more than the suspect tolerance.
    Suspect,
    /// Void, copied, out of range, or off its neighbours by more than the fail tolerance.
    Fail,
    /// In range, with too few neighbours to compare with.
    Untested,
    /// Not judged: maintenance, a slot judged before, an impossible time, a quantity that the profile does not judge.
    Unscored,
}

impl Outcome {
    /// The worse of two: fail before suspect, untested, pass and unscored.
    #[must_use]
    pub const fn worse(self, other: Self) -> Self {
        match (self, other) {
            (Self::Fail, _) | (_, Self::Fail) => Self::Fail,
            (Self::Suspect, _) | (_, Self::Suspect) => Self::Suspect,
            (Self::Untested, _) | (_, Self::Untested) => Self::Untested,
            (Self::Pass, _) | (_, Self::Pass) => Self::Pass,
            _ => Self::Unscored,
        }
    }

    /// `pass`, `suspect`, `fail`, `untested` or `unscored`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Suspect => "suspect",
            Self::Fail => "fail",
            Self::Untested => "untested",
            Self::Unscored => "unscored",
        }
    }
}

/// What neighbours said beside a value, in the quantity's unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comparison {
    /// How many neighbours were heard.
    pub neighbours: u32,
    /// Their lower median.
    pub median: i64,
    /// How far off a value is suspect, with the sign of the side on which this one lies.
    pub suspect_limit: i64,
    /// How far off a value fails, with the same sign.
    pub fail_limit: i64,
}

/// What a device's word on a quantity in a slot was held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Band {
    /// Start of the slot, ms since 1970 UTC.
    pub slot_ms: u64,
    /// What was measured.
    pub quantity: Quantity,
    /// The device's word as it was compared: the middle of its values in the slot, dried where the profile dries.
    pub value: i64,
    /// How many neighbours were heard.
    pub neighbours: u32,
    /// What they make likely at the place.
    pub expected: i64,
    /// The least word that would not have been suspect,
    pub low: i64,
    /// and the greatest.
    pub high: i64,
}

/// One value of one reading, as the judge sees it by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessed {
    /// Index of the report's entry.
    pub index: u64,
    /// Number of the reading within its report, from 0.
    pub reading: u16,
    /// What was measured.
    pub quantity: Quantity,
    /// The value.
    pub value: i64,
    /// What became of it.
    pub outcome: Outcome,
    /// Its own score; zero when unscored.
    pub score: Ppm,
    /// Why, in the order the checks ran.
    pub reasons: Vec<Reason>,
    /// The neighbours' word, where it was compared.
    pub comparison: Option<Comparison>,
}
