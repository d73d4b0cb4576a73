//! Names that people type: keys, devices, chains, accounts, amounts, cells, addresses.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use cairn_core::geo::Cell;
use cairn_core::key::PublicKey;
use cairn_core::{Account, Amount, DeviceId, Domain, Hash};
use cairn_gateway::{Block, ProxyHeader, client_behind};

use crate::text;

pub fn did_key(bytes: &[u8]) {
    if let Some(key) = PublicKey::from_multicodec(bytes) {
        assert_eq!(key.multicodec(), bytes);
    }
    let Some(text) = text(bytes) else { return };
    if let Ok(key) = PublicKey::parse_did(text) {
        assert_eq!(key.did(), text);
        assert_eq!(PublicKey::from_multicodec(&key.multicodec()), Some(key));
        let _ = key.enrolable();
    }
}

pub fn account(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    if let Ok(account) = Account::parse(text) {
        assert_eq!(Account::parse(&account.to_string()).as_ref(), Ok(&account));
    }
    if let Ok(domain) = Domain::parse(text) {
        assert_eq!(domain.as_str(), text);
        let _ = domain.claim_word();
    }
    if let Ok(device) = DeviceId::parse(text) {
        assert_eq!(device.to_string(), text.to_lowercase());
    }
    if let Some(hash) = Hash::from_hex(text) {
        assert_eq!(hash.to_hex(), text.to_lowercase());
    }
}

pub fn amount(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    if let Ok(amount) = Amount::parse(text) {
        let plain = text.trim_start_matches('0');
        assert_eq!(amount.to_string(), if plain.is_empty() { "0" } else { plain });
    }
}

pub fn cell(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    if let Ok(cell) = Cell::parse(text) {
        assert_eq!(cell.to_string(), text.to_lowercase());
        assert_eq!(Cell::containing(cell.center(), cell.resolution()), Some(cell), "a cell holds its centre");
    }
}

/// A forwarding header behind a trusted and an untrusted peer; blocks of addresses.
pub fn forwarded(bytes: &[u8]) {
    let trusted = Block::LOOPBACK;
    let near = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let far = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 1));
    for header in [ProxyHeader::XForwardedFor, ProxyHeader::Forwarded] {
        assert_eq!(client_behind(&trusted, header, far, bytes), far.ip());
        let _ = client_behind(&trusted, header, near, bytes);
    }
    if let Some(text) = text(bytes)
        && let Ok(block) = text.parse::<Block>()
    {
        let address = text.split('/').next().and_then(|address| address.parse::<IpAddr>().ok());
        assert!(address.is_some_and(|address| block.holds(address) || address.to_canonical() != address));
    }
}
