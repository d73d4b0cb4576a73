//! Why nothing can be announced or looked for.

use std::io;
use std::net::Ipv4Addr;

/// Why nothing can be announced or looked for, each with a stable code.
#[derive(Debug, thiserror::Error)]
pub enum NearbyError {
    /// No interface of this machine is meant.
    #[error("this machine is on no local network")]
    NoInterface,
    /// An address that is not this machine's.
    #[error("{address} is no address of this machine")]
    NotHere {
        /// As it was named.
        address: Ipv4Addr,
    },
    /// The system refuses.
    #[error("cannot {what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

impl NearbyError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoInterface => "LAN-NONE",
            Self::NotHere { .. } => "LAN-ADDRESS",
            Self::System { .. } => "LAN-SYSTEM",
        }
    }

    /// The way out.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::NoInterface => "join a network with an IPv4 address, or name this machine's address on it",
            Self::NotHere { .. } => "`ip address` lists this machine's addresses",
            Self::System { .. } => {
                "another program may hold UDP port 5353 for itself alone; or the system forbids multicast"
            }
        }
    }
}

/// Makes an error of what the system said.
pub(crate) fn system(what: &'static str) -> impl Fn(io::Error) -> NearbyError {
    move |source| NearbyError::System { what, source }
}
