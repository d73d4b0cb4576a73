//! Which path is which page, in which form.

use crate::ConsoleError;

/// The form that a page is asked for in: the path's ending says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// No ending: a page for people.
    Html,
    /// `.json`
    Json,
    /// `.csv`
    Csv,
}

impl Form {
    /// Rows of a table that has a cursor, at most.
    #[must_use]
    pub const fn rows_max(self) -> u64 {
        match self {
            Self::Html => 100,
            Self::Json => 1_000,
            Self::Csv => 4_096,
        }
    }
}

/// What is asked for: a path below the root, split and decoded, and its query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The path's segments, the last one without its form's ending.
    pub segments: Vec<String>,
    /// What the ending said.
    pub form: Form,
    /// The query's parameters, decoded, in their order.
    pub query: Vec<(String, String)>,
}

impl Address {
    /// Reads a path that begins with `/` and a query without its `?`. `None` for what is no path of text.
    #[must_use]
    pub fn read(path: &str, query: &str) -> Option<Self> {
        let mut segments: Vec<String> =
            path.strip_prefix('/')?.split('/').map(|segment| decode(segment, false)).collect::<Option<_>>()?;
        let last = segments.last_mut()?;
        let mut form = Form::Html;
        for (ending, named) in [(".json", Form::Json), (".csv", Form::Csv)] {
            if let Some(stem) = last.strip_suffix(ending) {
                form = named;
                *last = stem.to_owned();
                break;
            }
        }
        let pair = |part: &str| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            Some((decode(name, true)?, decode(value, true)?))
        };
        let query = query.split('&').filter(|part| !part.is_empty()).map(pair).collect::<Option<_>>()?;
        Some(Self { segments, form, query })
    }

    /// The segments, borrowed.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.segments.iter().map(String::as_str).collect()
    }

    /// The parameters of a query that takes no others than `known`, each at most once.
    ///
    /// # Errors
    /// `NET-QUERY`.
    pub fn parameters(&self, known: &[&str]) -> Result<(), ConsoleError> {
        for (at, (name, _)) in self.query.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let takes = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                let detail = format!("there is no query parameter `{name}` here; there are: {takes}");
                return Err(ConsoleError::bad("NET-QUERY", detail));
            }
            if self.query[..at].iter().any(|(before, _)| before == name) {
                return Err(ConsoleError::bad("NET-QUERY", format!("the query parameter `{name}` is given twice")));
            }
        }
        Ok(())
    }

    /// A parameter's text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// A parameter that is a whole number.
    ///
    /// # Errors
    /// `NET-QUERY`.
    pub fn number(&self, name: &str) -> Result<Option<u64>, ConsoleError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let detail = || format!("the query parameter `{name}` is a whole number below 2^64, not `{text}`");
        number(text).map(Some).ok_or_else(|| ConsoleError::bad("NET-QUERY", detail()))
    }
}

/// Plain decimal digits within 64 bits.
#[must_use]
pub fn number(text: &str) -> Option<u64> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain)
}

/// Percent-decodes; in queries `+` is a space.
fn decode(text: &str, in_query: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
                u8::try_from(high * 16 + low).ok()?
            }
            b'+' if in_query => b' ',
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// Percent-encodes what does not stand for itself in a segment of a path or a value of a query.
#[must_use]
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~:".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_has_segments_and_a_form() {
        for (path, query, segments, form) in [
            ("/network", "", vec!["network"], Form::Html),
            ("/network.json", "", vec!["network"], Form::Json),
            ("/epochs/3/payouts.csv", "after=1", vec!["epochs", "3", "payouts"], Form::Csv),
            ("/accounts/eip155%3A1:0x00", "", vec!["accounts", "eip155:1:0x00"], Form::Html),
            ("/a.json/b", "", vec!["a.json", "b"], Form::Html),
            ("/a.csv.json", "", vec!["a.csv"], Form::Json),
        ] {
            let address = Address::read(path, query).unwrap();
            assert_eq!((address.segments, address.form), (segments.iter().map(|s| (*s).to_owned()).collect(), form));
        }
        for bad in ["", "network", "/%", "/%2", "/%zz", "/%ff"] {
            assert_eq!(Address::read(bad, ""), None, "{bad}");
        }
        assert_eq!(Address::read("/a", "q=%"), None);
    }

    #[test]
    fn a_query_that_cannot_be_read_is_refused_by_its_parameter() {
        for (query, good) in [("", true), ("after=1", true), ("after=1&after=2", false), ("befor=1", false)] {
            assert_eq!(Address::read("/x", query).unwrap().parameters(&["after"]).is_ok(), good, "{query}");
        }
        let number = |query| Address::read("/x", query).unwrap().number("after").map_err(|error| error.code());
        assert_eq!(number(""), Ok(None));
        assert_eq!(number("after=07"), Ok(Some(7)));
        for bad in ["after=", "after=-1", "after=x", "after=18446744073709551616"] {
            assert_eq!(number(bad), Err("NET-QUERY"), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_read_back_and_is_plain(text: String) {
            let encoded = encode(&text);
            prop_assert!(encoded.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'<>&?#/\\".contains(&byte)));
            prop_assert_eq!(decode(&encoded, true), Some(text.clone()));
            prop_assert_eq!(decode(&encoded, false), Some(text));
        }

        #[test]
        fn no_address_panics(path: String, query: String) {
            let _ = Address::read(&path, &query);
        }
    }
}
