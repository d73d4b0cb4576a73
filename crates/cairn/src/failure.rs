//! How a command fails: a message, a stable code, a way out, and an exit code.

use core::fmt;

/// What an exit code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 1: the input, or the thing that was checked, is wrong.
    Wrong = 1,
    /// 2: the call is wrong.
    Usage = 2,
    /// 3: Cairn failed, or something it needs.
    Failed = 3,
}

/// A failed command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// The stable code, such as `NET-CONFIG`.
    pub code: String,
    /// What was refused and by which rule.
    pub message: String,
    /// The way out.
    pub hint: Option<String>,
    /// What the command found nevertheless: with `--json` it is printed together with the error.
    pub document: Option<serde_json::Value>,
}

impl Failure {
    /// The input, or the thing that was checked, is wrong.
    #[must_use]
    pub fn wrong(code: impl Into<String>, message: impl fmt::Display) -> Self {
        Self { exit: Exit::Wrong, code: code.into(), message: message.to_string(), hint: None, document: None }
    }

    /// The call is wrong.
    #[must_use]
    pub fn usage(code: impl Into<String>, message: impl fmt::Display) -> Self {
        Self { exit: Exit::Usage, ..Self::wrong(code, message) }
    }

    /// Cairn failed, or something it needs.
    #[must_use]
    pub fn failed(code: impl Into<String>, message: impl fmt::Display) -> Self {
        Self { exit: Exit::Failed, ..Self::wrong(code, message) }
    }

    /// The same with a way out.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same with a way out, if there is one.
    #[must_use]
    pub fn maybe_hint(mut self, hint: Option<impl Into<String>>) -> Self {
        self.hint = hint.map(Into::into).or(self.hint);
        self
    }

    /// The same with what was found nevertheless, a JSON object.
    #[must_use]
    pub fn with_document(mut self, document: Option<serde_json::Value>) -> Self {
        self.document = document;
        self
    }

    /// A file that cannot be read or written. One that is not there is the input's fault, the rest is the system's.
    #[must_use]
    pub fn io(what: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        let exit = if error.kind() == std::io::ErrorKind::NotFound { Exit::Wrong } else { Exit::Failed };
        Self { exit, ..Self::failed("NET-IO", format!("cannot {what} {}: {error}", path.display())) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error[{}]: {}", self.code, self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

impl From<cairn_ledger::LedgerError> for Failure {
    fn from(error: cairn_ledger::LedgerError) -> Self {
        Self::failed(error.code(), &error).maybe_hint(error.hint())
    }
}

impl From<cairn_log::LogError> for Failure {
    fn from(error: cairn_log::LogError) -> Self {
        Self::failed(error.code(), &error).maybe_hint(error.hint())
    }
}

impl From<cairn_reward::RewardError> for Failure {
    fn from(error: cairn_reward::RewardError) -> Self {
        Self::wrong(error.code(), &error).maybe_hint(error.hint())
    }
}

impl From<cairn_classes::ClassError> for Failure {
    fn from(error: cairn_classes::ClassError) -> Self {
        Self::wrong(error.code(), &error).maybe_hint(error.hint())
    }
}

impl From<cairn_client::ClientError> for Failure {
    fn from(error: cairn_client::ClientError) -> Self {
        use cairn_client::ClientError::{Address, Log, Nothing, Promise, Refused};
        let exit = match &error {
            Address { .. } => Exit::Usage,
            Refused { problem, .. } if problem.status < 500 => Exit::Wrong,
            Promise { .. } | Log(_) | Nothing => Exit::Wrong,
            _ => Exit::Failed,
        };
        let message = match &error {
            // The code stands before the message already.
            Refused { problem, .. } => problem.detail.clone(),
            other => other.to_string(),
        };
        Self { exit, ..Self::failed(error.code(), message) }.maybe_hint(error.hint())
    }
}

impl From<cairn_merkle::MerkleError> for Failure {
    fn from(error: cairn_merkle::MerkleError) -> Self {
        Self::wrong(error.code(), &error).maybe_hint(error.hint())
    }
}

impl From<cairn_evidence::EvidenceError> for Failure {
    fn from(error: cairn_evidence::EvidenceError) -> Self {
        Self::wrong(error.code(), &error).maybe_hint(error.hint())
    }
}

impl From<cairn_audit::SourceError> for Failure {
    fn from(error: cairn_audit::SourceError) -> Self {
        Self::failed(error.code.clone(), &error).maybe_hint(error.hint)
    }
}

impl From<cairn_witness::WitnessError> for Failure {
    fn from(error: cairn_witness::WitnessError) -> Self {
        use cairn_witness::WitnessError::{Record, TwoKeys};
        let exit = if matches!(error, Record { .. } | TwoKeys { .. }) { Exit::Wrong } else { Exit::Failed };
        Self { exit, ..Self::failed(error.code(), &error) }.maybe_hint(error.hint())
    }
}

impl From<cairn_chain::ChainError> for Failure {
    fn from(error: cairn_chain::ChainError) -> Self {
        use cairn_chain::ChainError::{Answer, File, Unreachable};
        let exit =
            if matches!(error, Answer { .. } | File { .. } | Unreachable { .. }) { Exit::Failed } else { Exit::Wrong };
        Self { exit, ..Self::failed(error.code(), &error) }.hint(error.hint())
    }
}

impl From<cairn_chain::keystore::KeystoreError> for Failure {
    fn from(error: cairn_chain::keystore::KeystoreError) -> Self {
        Self::wrong(error.code(), &error).hint(error.hint())
    }
}

impl From<cairn_auditor::AuditorError> for Failure {
    fn from(error: cairn_auditor::AuditorError) -> Self {
        let exit = if error.is_wrong() { Exit::Wrong } else { Exit::Failed };
        Self { exit, ..Self::failed(error.code(), &error) }.maybe_hint(error.hint())
    }
}

impl From<cairn_bridge::BridgeError> for Failure {
    fn from(error: cairn_bridge::BridgeError) -> Self {
        use cairn_bridge::BridgeError::{Io, Kept, Listen};
        let exit = if matches!(error, Io(_) | Kept(_) | Listen { .. }) { Exit::Failed } else { Exit::Wrong };
        Self { exit, ..Self::failed(error.code(), &error) }.hint(error.hint())
    }
}

impl From<cairn_nearby::NearbyError> for Failure {
    fn from(error: cairn_nearby::NearbyError) -> Self {
        use cairn_nearby::NearbyError::NotHere;
        let exit = if matches!(error, NotHere { .. }) { Exit::Wrong } else { Exit::Failed };
        Self { exit, ..Self::failed(error.code(), &error) }.hint(error.hint())
    }
}

impl From<cairn_gateway::GatewayError> for Failure {
    fn from(error: cairn_gateway::GatewayError) -> Self {
        Self::failed(error.code(), &error).maybe_hint(error.hint())
    }
}
