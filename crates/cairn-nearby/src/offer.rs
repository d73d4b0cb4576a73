//! What a gateway says of itself, as records, and what is made of the records of strangers. Pure.
//!
//! A gateway is an instance of `_cairn._tcp.local`: a record SRV with port and host, a record A with the host's address, and a
//! record TXT with these keys:
//!
//! | key | value |
//! | --- | --- |
//! | `id` | the network's id, 64 hexadecimal digits |
//! | `name` | the network's name |
//! | `tls` | `1` where the gateway speaks TLS, else `0` |
//! | `path` | where the gateway's paths begin, `/` of its own port |
//! | `version` | of the program |
//!
//! A gateway whose certificate is for a name has that name for a host, and no address is told: whoever connects looks it up.

use std::net::Ipv4Addr;

use crate::packet::{ADDRESS, Data, INTERNET, Message, Name, POINTER, Question, Record, SERVICE, TEXT, TOP_BIT};

/// The service, and the domain of this network.
const SERVICE_LABELS: [&str; 3] = ["_cairn", "_tcp", "local"];
/// For how long a record holds (RFC 6762, section 10: of hosts).
pub(crate) const TTL_S: u32 = 120;
/// The most bytes of a network's name that is announced.
const NAME_BYTES_MAX: usize = 120;
/// The most characters of a stranger's word that are told.
const SHOWN_CHARS_MAX: usize = 63;
/// The most characters of a path that is followed.
const PATH_CHARS_MAX: usize = 64;

/// What a gateway says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The network's name.
    pub name: String,
    /// The network's id, 64 hexadecimal digits.
    pub network_id: String,
    /// The port that it listens on.
    pub port: u16,
    /// Whether it speaks TLS there.
    pub is_tls: bool,
    /// The name that its certificate is for; none is its address on the network where it is heard.
    pub host: Option<String>,
    /// The program's version.
    pub version: String,
}

/// A gateway as it was heard. Nothing of it is known to be so.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// The network's name, made harmless.
    pub name: String,
    /// The network's id, 64 hexadecimal digits in lower case.
    pub network_id: String,
    /// The gateway's address.
    pub url: String,
    /// The program's version, made harmless.
    pub version: String,
    /// Who said so.
    pub from: Ipv4Addr,
}

/// Why something cannot be announced.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// Certificates are for names such as `air.example.org`.
    #[error("`{0}` is no host's name")]
    Host(String),
    /// A gateway without TLS is reached by its address.
    #[error("a gateway without TLS has no certificate for `{0}`")]
    Plain(String),
}

impl Offer {
    /// Its records under a tag that tells it from other gateways, at an address: SRV and TXT, and A where it is reached by that.
    ///
    /// # Errors
    /// [`OfferError`].
    pub(crate) fn records(&self, tag: &str) -> Result<Records, OfferError> {
        let of = |labels: &[&str]| Name::of(labels).expect("these labels are short");
        let service = of(&SERVICE_LABELS);
        let title = format!("{} {tag}", shortened(&self.name, 50));
        let instance = Name::of(&[&title]).and_then(|name| name.under(&service)).expect("at most 63 bytes");
        let host = match &self.host {
            Some(host) if !self.is_tls => return Err(OfferError::Plain(host.clone())),
            Some(host) => {
                let labels: Vec<&str> = host.split('.').collect();
                Name::of(&labels).filter(is_host).ok_or_else(|| OfferError::Host(host.clone()))?
            }
            None => of(&[&format!("cairn-{tag}"), "local"]),
        };
        let texts = [
            ("id", self.network_id.as_str()),
            ("name", shortened(&self.name, NAME_BYTES_MAX)),
            ("tls", if self.is_tls { "1" } else { "0" }),
            ("path", "/"),
            ("version", &self.version),
        ];
        let texts = texts.map(|(key, value)| format!("{key}={}", shortened(value, NAME_BYTES_MAX)).into_bytes());
        let at = Data::Service { priority: 0, weight: 0, port: self.port, target: host.clone() };
        Ok(Records {
            kinds: of(&["_services", "_dns-sd", "_udp", "local"]),
            service,
            pointer: Data::Pointer(instance.clone()),
            instance,
            at,
            texts: Data::Text(texts.to_vec()),
            has_address: self.host.is_none(),
            host,
        })
    }
}

/// What a gateway's records are made of.
#[derive(Debug, Clone)]
pub(crate) struct Records {
    /// The name under which kinds of services are listed (RFC 6763, section 9).
    pub kinds: Name,
    pub service: Name,
    pub instance: Name,
    pub host: Name,
    pointer: Data,
    at: Data,
    texts: Data,
    has_address: bool,
}

impl Records {
    /// That there is a service of this kind.
    pub fn kind(&self) -> Record {
        record(&self.kinds, POINTER, INTERNET, Data::Pointer(self.service.clone()))
    }

    /// That the gateway is one of them.
    pub fn pointer(&self) -> Record {
        record(&self.service, POINTER, INTERNET, self.pointer.clone())
    }

    /// Where it is.
    pub fn place(&self) -> Record {
        record(&self.instance, SERVICE, INTERNET | TOP_BIT, self.at.clone())
    }

    /// What it says of itself.
    pub fn texts(&self) -> Record {
        record(&self.instance, TEXT, INTERNET | TOP_BIT, self.texts.clone())
    }

    /// Its address on one network, unless it is known by another name.
    pub fn address(&self, address: Ipv4Addr) -> Option<Record> {
        self.has_address.then(|| record(&self.host, ADDRESS, INTERNET | TOP_BIT, Data::Address(address)))
    }
}

fn record(name: &Name, kind: u16, class: u16, data: Data) -> Record {
    Record { name: name.clone(), kind, class, ttl_s: TTL_S, data }
}

/// A text's beginning of so many bytes.
fn shortened(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

/// The question for gateways, under a number that answers repeat.
#[must_use]
pub fn query(id: u16) -> Message {
    let name = Name::of(&SERVICE_LABELS).expect("these labels are short");
    let question = Question { name, kind: POINTER, class: INTERNET };
    Message { id, questions: vec![question], ..Message::default() }
}

/// The gateways that a packet tells of. `is_near` says which addresses are on a network of this machine; others are not told.
///
/// A packet has to tell all of a gateway; what is left out of it is not asked for.
#[must_use]
pub fn found(message: &Message, from: Ipv4Addr, is_near: impl Fn(Ipv4Addr) -> bool) -> Vec<Found> {
    let service = Name::of(&SERVICE_LABELS).expect("these labels are short");
    let all: Vec<&Record> = message
        .answers
        .iter()
        .chain(&message.others)
        .filter(|record| record.class & !TOP_BIT == INTERNET && record.ttl_s > 0)
        .collect();
    let is_instance = |name: &Name| name.labels().len() == SERVICE_LABELS.len() + 1 && name.ends_with(&service);
    let told = all.iter().filter(|record| is_instance(&record.name)).filter_map(|record| {
        let Data::Service { port, target, .. } = &record.data else { return None };
        let texts = all.iter().find_map(|other| match &other.data {
            Data::Text(texts) if other.name.is(&record.name) => Some(texts),
            _ => None,
        })?;
        let is_tls = value(texts, "tls")? == b"1";
        let host = match is_tls && is_host(target) {
            true => spelled(target)?,
            false => {
                let addresses = all.iter().filter_map(|other| match other.data {
                    Data::Address(address) if other.name.is(target) => Some(address),
                    _ => None,
                });
                addresses
                    .filter(|address| is_near(*address))
                    .min_by_key(|address| (*address != from, *address))?
                    .to_string()
            }
        };
        Some(Found {
            name: harmless(value(texts, "name").unwrap_or(&record.name.labels()[0])),
            network_id: network_id(value(texts, "id")?)?,
            url: url(is_tls, &host, *port, value(texts, "path").unwrap_or(b"/"))?,
            version: harmless(value(texts, "version").unwrap_or_default()),
            from,
        })
    });
    told.collect()
}

/// The value of a key, the first time that it is said (RFC 6763, section 6.4).
fn value<'a>(texts: &'a [Vec<u8>], key: &str) -> Option<&'a [u8]> {
    texts.iter().find_map(|text| {
        let equals = text.iter().position(|byte| *byte == b'=')?;
        text[..equals].eq_ignore_ascii_case(key.as_bytes()).then(|| &text[equals + 1..])
    })
}

fn network_id(text: &[u8]) -> Option<String> {
    let is_id = text.len() == 64 && text.iter().all(u8::is_ascii_hexdigit);
    is_id.then(|| String::from_utf8_lossy(text).to_ascii_lowercase())
}

/// An address that nothing but a gateway's can be made of.
fn url(is_tls: bool, host: &str, port: u16, path: &[u8]) -> Option<String> {
    let (scheme, usual) = if is_tls { ("https", 443) } else { ("http", 80) };
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(byte);
    let path = std::str::from_utf8(path).ok()?;
    if port == 0 || !path.starts_with('/') || path.len() > PATH_CHARS_MAX || !path.bytes().all(|byte| is_plain(&byte)) {
        return None;
    }
    let port = if port == usual { String::new() } else { format!(":{port}") };
    Some(format!("{scheme}://{host}{port}{}", path.trim_end_matches('/')))
}

/// Whether a name is one that a certificate may be for: of letters, digits and hyphens, and not of this network alone.
fn is_host(name: &Name) -> bool {
    let is_plain = |label: &Vec<u8>| label.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
    let local = Name::of(&["local"]).expect("a short label");
    let has_letter = name.labels().last().is_some_and(|label| label.iter().any(u8::is_ascii_alphabetic));
    name.labels().len() > 1 && name.labels().iter().all(is_plain) && has_letter && !name.ends_with(&local)
}

fn spelled(name: &Name) -> Option<String> {
    let labels: Option<Vec<&str>> = name.labels().iter().map(|label| std::str::from_utf8(label).ok()).collect();
    Some(labels?.join(".").to_ascii_lowercase())
}

/// A stranger's word: without what moves a cursor, turns the direction of writing, cannot be seen, or is no text; not longer than
/// a line has room for.
fn harmless(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let is_shown = |c: char| {
        !c.is_control()
            && !matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
            && !matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
    };
    let shown = text.trim().chars().map(|c| if is_shown(c) { c } else { char::REPLACEMENT_CHARACTER });
    shown.take(SHOWN_CHARS_MAX).collect()
}
