//! Gateways on the local network: one announces itself, and a node that knows no address hears it. DNS-SD (RFC 6763) over
//! multicast DNS (RFC 6762), the service `_cairn._tcp.local`.
//!
//! What it promises:
//! * Any packet is read without a panic, within bounds, or refused.
//! * What came from beyond the networks of this machine is neither answered nor heard.
//! * Words of strangers are told without what draws on a terminal, and within a length.
//!
//! What it does not do: believe anything. Whoever is on the network may announce what he likes; who uses what was heard asks the
//! gateway itself, and holds it to the network's id. Nor is it a resolver: it knows one service, looks while somebody waits, and
//! remembers nothing. IPv4 alone: a gateway on IPv6 alone is named by hand.
//!
//! [`Offer`] is what a gateway says of itself, [`Announcer`] says it, [`look`] hears it. [`packet`] is pure, and so is [`Offer`].

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod announce;
mod answer;
mod error;
mod interface;
mod look;
mod offer;
pub mod packet;
mod socket;

pub use announce::{Announcer, Trouble};
pub use answer::{Announcement, Asker};
pub use error::NearbyError;
pub use look::{Heard, look};
pub use offer::{Found, Offer, OfferError, found, query};

use std::net::Ipv4Addr;

/// The port of multicast DNS (RFC 6762, section 3).
pub const PORT: u16 = 5353;
/// The group of multicast DNS over IPv4.
pub const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
/// The most bytes of a packet (RFC 6762, section 17).
pub const PACKET_BYTES_MAX: usize = 9_000;

/// On which networks, and at which port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// This machine's addresses on them. None: on all but loopback and links between two ends, such as a VPN's.
    pub on: Vec<Ipv4Addr>,
    /// The UDP port of the group; [`PORT`], unless something is rehearsed.
    pub port: u16,
}

impl Default for Place {
    fn default() -> Self {
        Self { on: Vec::new(), port: PORT }
    }
}
