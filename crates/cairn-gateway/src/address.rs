//! Whom a request is charged to: the client's address, behind proxies that the operator trusts.
//!
//! IPv4 counts whole; IPv6 by its first 64 bits, which one subscriber has for himself. A header that names the client
//! is believed only from a trusted proxy, and only in the one form that the operator's proxies write: any other header
//! of that kind is the client's own invention.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use axum::http::HeaderMap;

/// The most hops of a forwarding header that are looked at, from the nearest on.
const HOPS_MAX: usize = 16;

/// One who is charged: an IPv4 address or the first 64 bits of an IPv6 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    V4(u32),
    V6(u64),
}

impl Source {
    /// The one behind an address; an IPv4 address in IPv6 clothes is that IPv4 address.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.to_bits()),
            IpAddr::V6(address) => Self::V6((address.to_bits() >> 64) as u64),
        }
    }
}

/// Where a connection comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub SocketAddr);

/// Who made a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Client {
    /// The address that limits are for; `None` if it has none.
    pub limited: Option<IpAddr>,
}

/// A block of addresses, such as `10.0.0.0/8` or `2001:db8::/32`; an address alone is a block of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    address: IpAddr,
    bits: u8,
}

impl Block {
    /// This machine's own addresses: `127.0.0.0/8` and `::1`.
    pub const LOOPBACK: [Self; 2] = [
        Self { address: IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), bits: 8 },
        Self { address: IpAddr::V6(Ipv6Addr::LOCALHOST), bits: 128 },
    ];

    /// Whether an address lies in the block.
    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(block), IpAddr::V4(address)) => {
                (block.to_bits() ^ address.to_bits()).leading_zeros() >= u32::from(self.bits)
            }
            (IpAddr::V6(block), IpAddr::V6(address)) => {
                (block.to_bits() ^ address.to_bits()).leading_zeros() >= u32::from(self.bits)
            }
            _ => false,
        }
    }
}

impl FromStr for Block {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is no block of addresses such as 10.0.0.0/8 or 2001:db8::/32");
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits: u8 = bits.map_or(Ok(most), str::parse).map_err(|_| wrong())?;
        if bits > most {
            return Err(wrong());
        }
        Ok(Self { address, bits })
    }
}

/// Which header the operator's proxies name the client in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyHeader {
    /// `X-Forwarded-For`: addresses, the nearest last.
    XForwardedFor,
    /// `Forwarded` (RFC 7239): elements with `for=`, the nearest last.
    Forwarded,
}

/// Which proxies are believed, and in what form.
#[derive(Debug, Clone)]
pub(crate) struct Proxies<'a> {
    pub trusted: &'a [Block],
    pub header: ProxyHeader,
}

impl Proxies<'_> {
    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|block| block.holds(address))
    }

    /// The client: the first address, from the nearest on, that is no trusted proxy. Where the header breaks off or
    /// cannot be read, it is the last proxy that could.
    pub fn client(&self, peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.ip();
        if !self.trusts(client) {
            return client;
        }
        let name = match self.header {
            ProxyHeader::XForwardedFor => "x-forwarded-for",
            ProxyHeader::Forwarded => "forwarded",
        };
        let lines: Vec<&str> = headers.get_all(name).iter().map(|value| value.to_str().unwrap_or("")).collect();
        let hops = lines.iter().rev().flat_map(|line| line.rsplit(','));
        for hop in hops.take(HOPS_MAX) {
            let hop = match self.header {
                ProxyHeader::XForwardedFor => Some(hop.trim()),
                ProxyHeader::Forwarded => forwarded_for(hop),
            };
            let Some(address) = hop.and_then(read_node) else { break };
            client = address;
            if !self.trusts(client) {
                break;
            }
        }
        client
    }
}

/// Whom a request from `peer` is charged to, when its one forwarding header has this value.
#[must_use]
pub fn client_behind(trusted: &[Block], header: ProxyHeader, peer: SocketAddr, value: &[u8]) -> IpAddr {
    let mut headers = HeaderMap::new();
    let name = match header {
        ProxyHeader::XForwardedFor => "x-forwarded-for",
        ProxyHeader::Forwarded => "forwarded",
    };
    if let Ok(value) = axum::http::HeaderValue::from_bytes(value) {
        headers.insert(name, value);
    }
    Proxies { trusted, header }.client(peer, &headers)
}

/// The `for` of one element of `Forwarded`.
fn forwarded_for(element: &str) -> Option<&str> {
    let value = element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then_some(value.trim())
    })?;
    Some(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
}

/// An address, with a port or without: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
fn read_node(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(texts: &[&str]) -> Vec<Block> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn blocks_hold_what_their_bits_say() {
        for (block, address, holds) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.6", false),
            ("0.0.0.0/0", "203.0.113.1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
        ] {
            let block: Block = block.parse().unwrap();
            assert_eq!(block.holds(address.parse().unwrap()), holds, "{block:?} {address}");
        }
        for text in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "host", "10.0.0.0/", "10.0.0.0/-1"] {
            assert!(text.parse::<Block>().is_err(), "{text}");
        }
    }

    #[test]
    fn ipv6_counts_by_its_first_64_bits_and_ipv4_whole() {
        for (a, b, same) in [
            ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", false),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
        ] {
            assert_eq!(Source::of(a.parse().unwrap()) == Source::of(b.parse().unwrap()), same, "{a} {b}");
        }
    }

    #[test]
    fn only_trusted_proxies_are_believed_and_only_in_their_own_header() {
        let x = ProxyHeader::XForwardedFor;
        let f = ProxyHeader::Forwarded;
        type Lines = &'static [(&'static str, &'static str)];
        let cases: [(ProxyHeader, &str, Lines, &str); 15] = [
            (x, "198.51.100.9", &[("x-forwarded-for", "192.0.2.1")], "198.51.100.9"),
            (x, "10.0.0.1", &[], "10.0.0.1"),
            (x, "10.0.0.1", &[("x-forwarded-for", "192.0.2.1")], "192.0.2.1"),
            (x, "10.0.0.1", &[("x-forwarded-for", "192.0.2.66, 192.0.2.1")], "192.0.2.1"),
            (x, "10.0.0.1", &[("x-forwarded-for", "192.0.2.66, 192.0.2.1, 10.0.0.2")], "192.0.2.1"),
            (x, "10.0.0.1", &[("x-forwarded-for", "192.0.2.66"), ("x-forwarded-for", "192.0.2.1")], "192.0.2.1"),
            (x, "10.0.0.1", &[("x-forwarded-for", "192.0.2.1, garbage")], "10.0.0.1"),
            (x, "10.0.0.1", &[("x-forwarded-for", "192.0.2.1, garbage, 10.0.0.3")], "10.0.0.3"),
            (x, "10.0.0.1", &[("forwarded", "for=192.0.2.1")], "10.0.0.1"),
            (f, "10.0.0.1", &[("x-forwarded-for", "192.0.2.1")], "10.0.0.1"),
            (f, "10.0.0.1", &[("forwarded", "for=192.0.2.66, For=\"192.0.2.1:4711\";proto=https")], "192.0.2.1"),
            (f, "10.0.0.1", &[("forwarded", "proto=https;for=\"[2001:db8::1]:80\"")], "2001:db8::1"),
            (f, "10.0.0.1", &[("forwarded", "for=192.0.2.66, for=unknown")], "10.0.0.1"),
            (f, "10.0.0.1", &[("forwarded", "for=_hidden")], "10.0.0.1"),
            (f, "10.0.0.1", &[("forwarded", "by=192.0.2.1")], "10.0.0.1"),
        ];
        let trusted = blocks(&["10.0.0.0/8"]);
        for (header, peer, lines, client) in cases {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(*name, value.parse().unwrap());
            }
            let peer = SocketAddr::new(peer.parse().unwrap(), 4_711);
            let found = Proxies { trusted: &trusted, header }.client(peer, &headers);
            assert_eq!(found, client.parse::<IpAddr>().unwrap(), "{header:?} {peer} {lines:?}");
        }
    }

    #[test]
    fn a_long_chain_of_proxies_is_followed_so_far_and_no_further() {
        let mut headers = HeaderMap::new();
        headers.insert(
            "x-forwarded-for",
            ["192.0.2.1"].iter().chain(&["10.0.0.2"; 40]).copied().collect::<Vec<_>>().join(",").parse().unwrap(),
        );
        let proxies = Proxies { trusted: &blocks(&["10.0.0.0/8"]), header: ProxyHeader::XForwardedFor };
        assert_eq!(proxies.client("10.0.0.1:1".parse().unwrap(), &headers), "10.0.0.2".parse::<IpAddr>().unwrap());
    }
}
