//! The networks that this machine is on.

use std::net::Ipv4Addr;

use if_addrs::{IfAddr, get_if_addrs};

use crate::error::system;
use crate::{NearbyError, Place};

/// The most networks that are used at once; Linux lets a socket join 20 groups.
const NETWORKS_MAX: usize = 16;

/// This machine's address on a network, and which addresses are on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network {
    pub address: Ipv4Addr,
    pub mask: u32,
}

impl Network {
    /// Whether an address is on it.
    pub fn holds(&self, address: Ipv4Addr) -> bool {
        (address.to_bits() ^ self.address.to_bits()) & self.mask == 0
    }
}

/// The network of those that holds an address.
pub(crate) fn of(networks: &[Network], address: Ipv4Addr) -> Option<&Network> {
    networks.iter().find(|network| network.holds(address))
}

/// The networks that a place means, as they are now, in the order of addresses.
///
/// # Errors
/// [`NearbyError::System`]; [`NearbyError::NotHere`] where an address is named that this machine has not.
pub(crate) fn networks(place: &Place) -> Result<Vec<Network>, NearbyError> {
    let mut all = Vec::new();
    let mut here = Vec::new();
    for interface in get_if_addrs().map_err(system("list the interfaces"))? {
        let IfAddr::V4(of) = &interface.addr else { continue };
        here.push(of.ip);
        let is_meant = match place.on.as_slice() {
            [] => !of.ip.is_loopback() && !interface.is_p2p(),
            named => named.contains(&of.ip),
        };
        if is_meant {
            all.push(Network { address: of.ip, mask: of.netmask.to_bits() });
        }
    }
    if let Some(address) = place.on.iter().find(|address| !here.contains(address)) {
        return Err(NearbyError::NotHere { address: *address });
    }
    all.sort_by_key(|network| network.address);
    all.dedup_by_key(|network| network.address);
    all.truncate(NETWORKS_MAX);
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_what_its_mask_says_and_nothing_else() {
        let network = Network { address: [192, 168, 7, 20].into(), mask: Ipv4Addr::new(255, 255, 255, 0).to_bits() };
        for (address, is_on) in
            [([192, 168, 7, 1], true), ([192, 168, 7, 255], true), ([192, 168, 6, 255], false), ([8, 8, 8, 8], false)]
        {
            assert_eq!(network.holds(address.into()), is_on, "{address:?}");
        }
    }

    #[test]
    fn loopback_is_meant_where_it_is_named_and_an_address_elsewhere_is_refused() {
        let on = |on: &[Ipv4Addr]| networks(&Place { on: on.to_vec(), ..Place::default() });
        let loopback = on(&[Ipv4Addr::LOCALHOST]).unwrap();
        assert_eq!(loopback.iter().map(|network| network.address).collect::<Vec<_>>(), [Ipv4Addr::LOCALHOST]);
        assert!(on(&[]).unwrap().iter().all(|network| !network.address.is_loopback()));
        // Of the block for documentation.
        assert_eq!(on(&[Ipv4Addr::new(203, 0, 113, 77)]).unwrap_err().code(), "LAN-ADDRESS");
    }
}
