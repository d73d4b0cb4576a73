//! A node's address, whose path, query and user are secrets: providers put keys there.
//!
//! Promises: what is shown holds none of them, and whatever a node or a library says is shown only after they were taken
//! out. It does not keep them out of memory.

use data_encoding::BASE64;

/// A secret shorter than this is not taken out of texts: it would take words apart.
const SECRET_CHARS_MIN: usize = 6;
/// The most that is shown of what a node says.
const SHOWN_CHARS_MAX: usize = 200;

/// Where a node is asked.
#[derive(Clone)]
pub(super) struct Endpoint {
    /// The address without user.
    pub(super) url: String,
    /// `Authorization`, where the address named a user.
    pub(super) authorization: Option<String>,
    /// Scheme and host.
    pub(super) shown: String,
    secrets: Vec<String>,
}

impl Endpoint {
    /// Reads an address; else what is wrong with it, without saying it.
    pub(super) fn parse(url: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = url.split_once("://").ok_or("it starts with neither http:// nor https://")?;
        if scheme != "http" && scheme != "https" {
            return Err("it starts with neither http:// nor https://");
        }
        if !rest.bytes().all(|byte| byte.is_ascii_graphic()) || rest.contains(['#', '\\', '"', '<', '>']) {
            return Err("it holds a character that no address holds");
        }
        let place = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(place);
        let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
        if host.is_empty() || host.starts_with(':') || host.contains('@') {
            return Err("it names no host");
        }
        let hidden = if tail.len() > 1 { "/…" } else { "" };
        let parts = tail.split(['/', '?', '&', '=']).chain(user.into_iter().flat_map(|user| user.split(':')));
        let whole = [tail, user.unwrap_or_default()].into_iter().chain(parts);
        let mut secrets: Vec<String> = whole
            .flat_map(|part| [part.to_owned(), unescaped(part)])
            .filter(|part| part.len() >= SECRET_CHARS_MIN)
            .collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.dedup();
        Ok(Self {
            url: format!("{scheme}://{host}{}", if tail.is_empty() { "/" } else { tail }),
            authorization: user.map(|user| format!("Basic {}", BASE64.encode(unescaped(user).as_bytes()))),
            shown: format!("{scheme}://{host}{hidden}"),
            secrets,
        })
    }

    /// What somebody else said, as it may be shown: on one line, in ASCII, not long, and without secrets.
    pub(super) fn told(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.secrets {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), "***");
            }
        }
        text.chars().map(|c| if c.is_ascii_graphic() { c } else { ' ' }).take(SHOWN_CHARS_MAX).collect()
    }
}

/// With `%xx` as the bytes that they stand for.
fn unescaped(text: &str) -> String {
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((&first, after)) = rest.split_first() {
        let escaped = after.get(..2).filter(|_| first == b'%').and_then(|two| core::str::from_utf8(two).ok());
        match escaped.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = &after[2..];
            }
            None => {
                out.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_an_address_holds_no_secret() {
        for (url, asked, shown, authorization) in [
            ("http://127.0.0.1:8545", "http://127.0.0.1:8545/", "http://127.0.0.1:8545", None),
            ("https://node.example/", "https://node.example/", "https://node.example", None),
            (
                "https://node.example/v3/0123456789",
                "https://node.example/v3/0123456789",
                "https://node.example/…",
                None,
            ),
            (
                "https://node.example?key=0123456789",
                "https://node.example?key=0123456789",
                "https://node.example/…",
                None,
            ),
            ("https://me:p%40ss@[::1]:1/x", "https://[::1]:1/x", "https://[::1]:1/…", Some("Basic bWU6cEBzcw==")),
        ] {
            let endpoint = Endpoint::parse(url).unwrap();
            assert_eq!((endpoint.url.as_str(), endpoint.shown.as_str()), (asked, shown));
            assert_eq!(endpoint.authorization.as_deref(), authorization);
        }
    }

    #[test]
    fn secrets_are_taken_out_of_what_others_say() {
        let endpoint = Endpoint::parse("https://someone:pass%21word@h/v3/k3y-0123?token=t0ken-9876").unwrap();
        let said = "no project k3y-0123\nfor\u{1b}[31m t0ken-9876, someone:pass!word, /v3/k3y-0123?token=t0ken-9876";
        let told = endpoint.told(said);
        for secret in ["k3y-0123", "t0ken-9876", "someone", "pass!word", "pass%21word", "\n", "\u{1b}"] {
            assert!(!told.contains(secret), "{secret} in {told}");
        }
        assert!(told.contains("no project *** for"));
        assert_eq!(endpoint.told(&"x".repeat(10_000)).len(), SHOWN_CHARS_MAX);
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_it() {
        for url in ["", "h", "ftp://h", "http://", "http:///x", "http://:1", "http://a b", "http://u@", "https://h/#x"]
        {
            assert!(Endpoint::parse(url).is_err(), "{url}");
        }
    }
}
