//! Why something that came in is not reported, or a bridge does not start.

use std::io;

use cairn_edge::map::MapError;

/// Why something failed, each with a stable code.
#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    /// Bytes that are not what the path takes.
    #[error("this is no {expected}: {why}")]
    Payload {
        /// What is taken there.
        expected: &'static str,
        /// What is wrong.
        why: String,
    },
    /// Nothing in it is a reading.
    #[error("nothing in it is a reading that is known")]
    Nothing,
    /// A device that is not in the bridge's table.
    #[error("`{device}` is not in the bridge's table")]
    UnknownDevice {
        /// As it was named.
        device: String,
    },
    /// A time that cannot be: far ahead of the bridge's own clock.
    #[error("it is dated {ahead_ms} ms ahead of the bridge's clock")]
    Ahead {
        /// By how much.
        ahead_ms: u64,
    },
    /// A device that says more than it may.
    #[error("`{device}` says more than it may; in {wait_ms} ms it may again")]
    TooFast {
        /// As it was named.
        device: String,
        /// When.
        wait_ms: u64,
    },
    /// No secret, or a wrong one.
    #[error("the request does not carry the secret")]
    Secret,
    /// A value that cannot be read.
    #[error(transparent)]
    Value(#[from] MapError),
    /// The configuration cannot be followed.
    #[error("bridge.toml: {what}")]
    Config {
        /// What is wrong.
        what: String,
    },
    /// The disk, or what waits to be sent, took nothing.
    #[error("nothing was kept: {0}")]
    Kept(String),
    /// Nobody can be heard there.
    #[error("cannot listen on {address}: {why}")]
    Listen {
        /// Where.
        address: std::net::SocketAddr,
        /// What the system said.
        why: io::Error,
    },
    /// A file or a socket.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl BridgeError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Payload { .. } => "BRG-PAYLOAD",
            Self::Nothing => "BRG-NOTHING",
            Self::UnknownDevice { .. } => "BRG-UNKNOWN-DEVICE",
            Self::Ahead { .. } => "BRG-TIME",
            Self::TooFast { .. } => "BRG-RATE",
            Self::Secret => "BRG-SECRET",
            Self::Value(error) => error.code(),
            Self::Config { .. } => "BRG-CONFIG",
            Self::Kept(_) => "BRG-KEPT",
            Self::Listen { .. } => "BRG-LISTEN",
            Self::Io(_) => "BRG-IO",
        }
    }

    /// The way out.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Payload { .. } => "look at what the sender really sends, and where to".to_owned(),
            Self::Nothing => "name its values and units in bridge.toml".to_owned(),
            Self::UnknownDevice { .. } => "enrol it: `cairn bridge enrol`".to_owned(),
            Self::Ahead { .. } => "set the sender's clock, or the bridge's".to_owned(),
            Self::TooFast { .. } => "send less often, or raise `limits` in bridge.toml".to_owned(),
            Self::Secret => "send the header that bridge.toml names".to_owned(),
            Self::Value(error) => error.hint(),
            Self::Config { .. } => "`docs/guides/bridge.md` shows a whole one".to_owned(),
            Self::Listen { .. } => {
                "end what listens there, or choose another address: `listen` in bridge.toml".to_owned()
            }
            Self::Kept(_) | Self::Io(_) => "look at the disk; the sender may send it again".to_owned(),
        }
    }

    /// What HTTP calls it.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::UnknownDevice { .. } => 404,
            Self::TooFast { .. } => 429,
            Self::Secret => 401,
            Self::Kept(_) | Self::Listen { .. } | Self::Io(_) | Self::Config { .. } => 503,
            Self::Payload { .. } | Self::Nothing | Self::Ahead { .. } | Self::Value(_) => 422,
        }
    }
}
