//! Why a gateway does not start, or ended otherwise than asked.

use cairn_ledger::LedgerError;
use thiserror::Error;

/// Why a gateway does not start, or ended otherwise than asked.
#[derive(Debug, Error)]
pub enum GatewayError {
    /// The address cannot be listened on.
    #[error("cannot listen on {listen}: {source}")]
    Listen {
        /// The address asked for.
        listen: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// A certificate, a key or an authority cannot be used.
    #[error("{}: {reason}", path.display())]
    Tls {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The log has no genesis statement, so there is no network to serve.
    #[error("the log is empty: there is no network to serve")]
    NoNetwork,
    /// The system gives no threads or signals.
    #[error("cannot {what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// The system's error.
        source: std::io::Error,
    },
    /// The history of cosignatures cannot be opened.
    #[error(transparent)]
    History(#[from] cairn_witness::WitnessError),
    /// An address or a key that is no witness's.
    #[error(transparent)]
    Witness(#[from] cairn_witness::ClientError),
    /// The writer stopped.
    #[error("the writer stopped: {0}")]
    Writer(#[from] LedgerError),
    /// A thread ended in a panic, which its own message on the standard error explains.
    #[error("the {thread} thread panicked")]
    Panicked {
        /// Which one.
        thread: &'static str,
    },
}

impl GatewayError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Listen { .. } => "NET-LISTEN",
            Self::Tls { .. } => "NET-TLS",
            Self::NoNetwork => "NET-GENESIS",
            Self::System { .. } => "NET-SYSTEM",
            Self::History(error) => error.code(),
            Self::Witness(error) => error.code(),
            Self::Writer(error) => error.code(),
            Self::Panicked { .. } => "NET-PANIC",
        }
    }

    /// The way out, where there is one.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Listen { .. } => {
                Some("choose another address or port, or end what listens there; port 0 takes a free one")
            }
            Self::NoNetwork => Some("log the genesis statement first: `cairn init` and `cairn up` do"),
            Self::Tls { .. } => {
                Some("`[gateway.tls]` names PEM files: the chain with the gateway's own certificate first, and its key")
            }
            Self::Writer(error) => error.hint(),
            Self::Panicked { .. } => Some("start again: the log is read back and checked when it is opened"),
            Self::History(error) => error.hint(),
            Self::Witness(_) => Some("`[[witness]]` has the `vkey` and the `url` that `cairn witness` prints"),
            Self::System { .. } => None,
        }
    }
}
