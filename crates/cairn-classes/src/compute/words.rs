//! The reasons of compute: their codes, the fixed texts of their checks, and the sentence that the owner of a worker reads.

use cairn_core::Reason;

/// The stable codes of compute's reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// A quorum of auditors found the same.
    Replayed,
    /// Workers of distinct owners found the same, and nobody was to look.
    Agreed,
    /// One worker's word, and nobody was to look.
    Trusted,
    /// Somebody was to look, and no quorum said a result in time.
    Unreplayed,
    /// A quorum of auditors found another result.
    Wrong,
    /// Workers differ, and no quorum said who is right in time.
    Undecided,
    /// Sealed and not shown.
    Unrevealed,
    /// Not heard of.
    Silent,
    /// Not taken.
    Declined,
}

impl Code {
    /// Every code.
    pub const ALL: [Self; 9] = [
        Self::Replayed,
        Self::Agreed,
        Self::Trusted,
        Self::Unreplayed,
        Self::Wrong,
        Self::Undecided,
        Self::Unrevealed,
        Self::Silent,
        Self::Declined,
    ];

    /// The text of the code.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Replayed => "CMP-REPLAYED",
            Self::Agreed => "CMP-AGREED",
            Self::Trusted => "CMP-TRUSTED",
            Self::Unreplayed => "CMP-UNREPLAYED",
            Self::Wrong => "CMP-WRONG",
            Self::Undecided => "CMP-UNDECIDED",
            Self::Unrevealed => "CMP-UNREVEALED",
            Self::Silent => "CMP-SILENT",
            Self::Declined => "CMP-DECLINED",
        }
    }

    /// The code of a text.
    #[must_use]
    pub fn of_str(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == text)
    }

    /// Whether the worker is paid.
    #[must_use]
    pub const fn pays(self) -> bool {
        matches!(self, Self::Replayed | Self::Agreed | Self::Trusted | Self::Unreplayed)
    }

    /// The check, as it is hashed with the verdict.
    #[must_use]
    pub const fn check(self) -> &'static str {
        match self {
            Self::Replayed | Self::Wrong => "auditors that said this result, and the result that a quorum said",
            Self::Agreed | Self::Trusted => "workers that revealed, of distinct owners, all the same",
            Self::Unreplayed => "auditors heard of a job that was drawn, no quorum in time",
            Self::Undecided => "results of the workers, no quorum of auditors in time",
            Self::Unrevealed => "results revealed in time, after a commit",
            Self::Silent => "commits in time",
            Self::Declined => "the reason to decline",
        }
    }
}

/// A reason of compute as an English sentence.
#[must_use]
pub fn sentence(reason: &Reason) -> String {
    let observed = reason.observed;
    let several = |one: &str, many: &str| if observed == 1 { format!("1 {one}") } else { format!("{observed} {many}") };
    match Code::of_str(&reason.code) {
        Some(Code::Replayed) => {
            format!("{} ran the job again and found the same result", several("auditor", "auditors"))
        }
        Some(Code::Agreed) => format!("{observed} workers of distinct owners found the same result"),
        Some(Code::Trusted) => "one worker's result, and the lot drew no replay".to_owned(),
        Some(Code::Unreplayed) => {
            let heard = several("auditor was", "auditors were");
            format!("the job was to be run again, and no quorum said a result in time: {heard} heard")
        }
        Some(Code::Wrong) => format!(
            "{} auditors ran the job again and found another result, which is the right one: nothing is paid, and the \
             worker's score is gone",
            reason.threshold
        ),
        Some(Code::Undecided) => format!(
            "the workers found {observed} different results, and no quorum of auditors said in time which is right: \
             nobody is paid"
        ),
        Some(Code::Unrevealed) => "committed, and did not reveal the result in time".to_owned(),
        Some(Code::Silent) => "neither committed nor declined in time".to_owned(),
        Some(Code::Declined) => match observed {
            1 => "declined: the module or an input was not to be had".to_owned(),
            2 => "declined: no room".to_owned(),
            3 => "declined: the worker's host failed".to_owned(),
            other => format!("declined for reason {other}"),
        },
        None => format!("{}: {} ({observed} against {})", reason.code, reason.check, reason.threshold),
    }
}
