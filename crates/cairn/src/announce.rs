//! `announce` of `[gateway]`: a gateway that says on the local network that it is there.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use cairn_nearby::{Announcement, Announcer, Offer, Place};

use crate::config::GatewayConfig;
use crate::failure::Failure;

/// Where a gateway is, and whose.
#[derive(Debug, Clone)]
pub struct Listening {
    /// The network's name.
    pub name: String,
    /// Its id, hexadecimal.
    pub network_id: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Whether it speaks TLS there.
    pub speaks_tls: bool,
}

/// Announces a gateway until what comes back is dropped.
///
/// # Errors
/// `NET-ANNOUNCE` where nobody on the networks that are meant could reach it, or its host is none; those of [`cairn_nearby`].
pub fn announce(listening: Listening, config: &GatewayConfig) -> Result<Announcer, Failure> {
    let place = place(listening.address, &config.announce_on)?;
    let offer = Offer {
        name: listening.name,
        network_id: listening.network_id,
        port: listening.address.port(),
        is_tls: listening.speaks_tls,
        host: (!config.announce_host.is_empty()).then(|| config.announce_host.clone()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let tag = format!("{:08x}", u32::from_le_bytes(crate::keys::random()?));
    let announcement = Announcement::of(&offer, &tag).map_err(|error| {
        Failure::wrong("NET-ANNOUNCE", format!("announce_host: {error}"))
            .hint("name the host that the certificate is for, such as \"air.example.org\"; or leave it out")
    })?;
    let trouble = Box::new(|what: &str| eprintln!("gateway: {what}"));
    Announcer::start(announcement, place, trouble).map_err(Failure::from)
}

/// The networks on which a gateway that listens there can be reached, of those that are meant.
fn place(address: SocketAddr, on: &[Ipv4Addr]) -> Result<Place, Failure> {
    let refuse = |what: String| {
        Err(Failure::wrong("NET-ANNOUNCE", what)
            .hint("listen where others reach it, such as listen = \"0.0.0.0:8640\"; or announce nothing"))
    };
    let on = match address.ip() {
        ip if ip.is_unspecified() => on.to_vec(),
        IpAddr::V6(_) => return refuse(format!("the gateway listens on {address} alone, and is announced over IPv4")),
        IpAddr::V4(own) => match on {
            [] if own.is_loopback() => {
                return refuse(format!("the gateway listens on {address} alone: nobody else can reach it"));
            }
            [] => vec![own],
            on if on.iter().all(|one| *one == own) => vec![own],
            _ => {
                return refuse(format!(
                    "the gateway listens on {address} alone, and announce_on names another address"
                ));
            }
        },
    };
    Ok(Place { on, ..Place::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_is_announced_where_it_can_be_reached_and_nowhere_else() {
        let (lan, loopback) = (Ipv4Addr::new(192, 168, 7, 20), Ipv4Addr::LOCALHOST);
        for (listens, on, expected) in [
            ("0.0.0.0:8640", &[][..], Some(vec![])),
            ("[::]:8640", &[], Some(vec![])),
            ("0.0.0.0:8640", &[lan], Some(vec![lan])),
            ("192.168.7.20:8640", &[], Some(vec![lan])),
            ("192.168.7.20:8640", &[lan], Some(vec![lan])),
            ("127.0.0.1:8640", &[], None),
            ("127.0.0.1:8640", &[lan], None),
            ("192.168.7.20:8640", &[loopback], None),
            ("[::1]:8640", &[], None),
            ("[fd00::2]:8640", &[], None),
            // Said in so many words it is a rehearsal on this machine.
            ("127.0.0.1:8640", &[loopback], Some(vec![loopback])),
        ] {
            let found = place(listens.parse().unwrap(), on);
            match (&found, expected) {
                (Ok(place), Some(on)) => assert_eq!(place.on, on, "{listens}"),
                (Err(failure), None) => {
                    assert_eq!((failure.code.as_str(), failure.hint.is_some()), ("NET-ANNOUNCE", true))
                }
                _ => panic!("{listens} {on:?}: {found:?}"),
            }
        }
    }
}
