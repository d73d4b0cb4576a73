//! Why there is no page.

use cairn_core::id::BadName;
use cairn_ledger::LedgerError;
use cairn_log::LogError;
use cairn_merkle::MerkleError;
use thiserror::Error;

/// Why there is no page.
#[derive(Debug, Error)]
pub enum ConsoleError {
    /// The address or its query cannot be read.
    #[error("{detail}")]
    Bad {
        /// The stable code.
        code: &'static str,
        /// What was refused and by which rule.
        detail: String,
    },
    /// What it names is not there.
    #[error("{detail}")]
    NotThere {
        /// The stable code.
        code: &'static str,
        /// What was looked for.
        detail: String,
    },
    /// The ledger could not be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// What the ledger says does not stand under its own statement.
    #[error("{0}")]
    NotProved(#[from] crate::why::NotProved),
    /// The operator's base map could not be read.
    #[error(transparent)]
    Basemap(#[from] crate::basemap::BadBasemap),
    /// The writer failed in the middle of a change.
    #[error("the ledger is unusable: the writer failed in the middle of a change")]
    Stopped,
}

impl ConsoleError {
    /// The address or its query cannot be read.
    pub(crate) fn bad(code: &'static str, detail: impl Into<String>) -> Self {
        Self::Bad { code, detail: detail.into() }
    }

    /// What it names is not there.
    pub(crate) fn not_there(code: &'static str, detail: impl Into<String>) -> Self {
        Self::NotThere { code, detail: detail.into() }
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Bad { code, .. } | Self::NotThere { code, .. } => code,
            Self::Ledger(error) => error.code(),
            Self::Log(error) => error.code(),
            Self::NotProved(_) => crate::why::NotProved::CODE,
            Self::Basemap(error) => error.code(),
            Self::Stopped => "NET-STOPPED",
        }
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Bad { .. } => 400,
            Self::NotThere { .. }
            | Self::Ledger(
                LedgerError::NoEpoch { .. }
                | LedgerError::NoDevice { .. }
                | LedgerError::NoSale { .. }
                | LedgerError::NoJob { .. }
                | LedgerError::NoSnapshot { .. },
            )
            | Self::Log(
                LogError::NoCheckpoint | LogError::NotCovered { .. } | LogError::Merkle(MerkleError::Index { .. }),
            ) => 404,
            Self::Stopped => 503,
            Self::Ledger(_) | Self::Log(_) | Self::NotProved(_) | Self::Basemap(_) => 500,
        }
    }

    /// What a stranger is told: the message, unless it may name folders of this machine.
    #[must_use]
    pub fn told(&self) -> String {
        match self {
            Self::Ledger(_) | Self::Log(_) | Self::Basemap(_) if self.status() == 500 => {
                "what was asked for could not be read; the operator sees why".to_owned()
            }
            error => error.to_string(),
        }
    }
}

impl From<BadName> for ConsoleError {
    fn from(error: BadName) -> Self {
        Self::bad("NET-NAME", error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_404_and_what_broke_is_500_without_its_path() {
        let path = std::path::PathBuf::from("/a/secret/place");
        let source = std::io::Error::other("gone");
        let cases: [(ConsoleError, u16, &str); 6] = [
            (LedgerError::NoEpoch { epoch: 3, open: 2 }.into(), 404, "NET-NO-EPOCH"),
            (LedgerError::NoDevice { device: "dev1".into() }.into(), 404, "NET-NO-DEVICE"),
            (LogError::NotCovered { index: 3, size: 2 }.into(), 404, "LOG-NOT-COVERED"),
            (LedgerError::Io { what: "read", path, source }.into(), 500, "NET-IO"),
            (ConsoleError::bad("NET-QUERY", "x"), 400, "NET-QUERY"),
            (ConsoleError::Stopped, 503, "NET-STOPPED"),
        ];
        for (error, status, code) in cases {
            assert_eq!((error.status(), error.code()), (status, code));
            assert!(!error.told().contains("secret"), "{}", error.told());
        }
    }
}
