//! What stands at a place of a JSON document, as the text that it is written with: numbers are never made floats.
//!
//! A document is checked whole, once; then it is only walked over, without recursion, so depth costs nothing.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use super::MapError;

const EXPECTED: MapError = MapError::Payload { expected: "one JSON document in UTF-8" };

/// The most steps of a pointer; each costs another look at what is below it.
pub const POINTER_STEPS_MAX: usize = 16;

/// A JSON Pointer (RFC 6901), with one step more than the standard's: in a list, `key=value` is the first item whose `key` is
/// `value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    steps: Vec<String>,
}

impl Pointer {
    /// Reads `/a/0/b~1c`; the empty pointer is the whole document.
    ///
    /// # Errors
    /// `EDGE-MAPPING`.
    pub fn parse(text: &str) -> Result<Self, MapError> {
        let refused = |why| MapError::Mapping { what: format!("`{text}` is no JSON pointer: {why}") };
        if text.is_empty() {
            return Ok(Self { steps: Vec::new() });
        }
        let rest = text.strip_prefix('/').ok_or_else(|| refused("it begins with `/`"))?;
        let steps: Option<Vec<_>> = rest.split('/').map(step).collect();
        let steps = steps.ok_or_else(|| refused("`~` is written `~0`, and `/` in a key `~1`"))?;
        if steps.len() > POINTER_STEPS_MAX { Err(refused("it has more than 16 steps")) } else { Ok(Self { steps }) }
    }

    /// What stands there, if it is said: text without its quotes, and the digits of numbers as they are written. `None` where
    /// there is nothing, or `null`, or something that holds other things.
    pub(super) fn find<'a>(&self, document: Document<'a>) -> Option<Cow<'a, str>> {
        let mut at = document;
        for step in &self.steps {
            at = match at.0.as_bytes().first()? {
                // Of a key that stands twice the last counts.
                b'{' => at.parts().filter(|(key, _)| key.is_some_and(|key| key.is_text(step))).last()?.1,
                b'[' => at.item(step)?,
                _ => return None,
            };
        }
        at.scalar()
    }
}

/// A part of a JSON document that is known to be one: its text from its first sign to its last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Document<'a>(&'a str);

impl<'a> Document<'a> {
    /// Whether it is a string that says this.
    fn is_text(self, text: &str) -> bool {
        let bare = &self.0[1..self.0.len() - 1];
        if bare.contains('\\') {
            serde_json::from_str::<String>(self.0).is_ok_and(|own| own == text)
        } else {
            bare == text
        }
    }

    /// The members of an object with their keys, or the items of a list.
    fn parts(self) -> impl Iterator<Item = (Option<Self>, Self)> {
        let is_object = self.0.starts_with('{');
        let mut rest = self.0[1..].trim_start();
        core::iter::from_fn(move || {
            rest = rest.trim_start_matches([',', ' ', '\t', '\r', '\n']);
            if rest.starts_with(['}', ']']) || rest.is_empty() {
                return None;
            }
            let key = is_object.then(|| {
                let (key, behind) = rest.split_at(length(rest));
                rest = behind.trim_start_matches([':', ' ', '\t', '\r', '\n']);
                Self(key)
            });
            let (value, behind) = rest.split_at(length(rest));
            rest = behind;
            Some((key, Self(value)))
        })
    }

    /// The item of a list that a step names.
    fn item(self, step: &str) -> Option<Self> {
        let mut items = self.parts().map(|(_, item)| item);
        if let Some((key, value)) = step.split_once('=') {
            let own = Pointer { steps: vec![key.to_owned()] };
            return items.find(|item| own.find(*item).is_some_and(|found| found == value));
        }
        let index: usize = step.parse().ok().filter(|index: &usize| index.to_string() == step)?;
        items.nth(index)
    }

    fn scalar(self) -> Option<Cow<'a, str>> {
        match self.0.as_bytes().first()? {
            b'"' => serde_json::from_str::<String>(self.0).ok().map(Cow::Owned),
            b'{' | b'[' | b'n' => None,
            _ => Some(Cow::Borrowed(self.0)),
        }
    }
}

/// The length of the value that text begins with, which is known to be JSON.
fn length(text: &str) -> usize {
    let (mut depth, mut is_string, mut is_escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        if is_string {
            is_string = is_escaped || byte != b'"';
            is_escaped = !is_escaped && byte == b'\\';
            if !is_string && depth == 0 {
                return at + 1;
            }
            continue;
        }
        match byte {
            b'"' => is_string = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 1 => return at + 1,
            // What follows a number or a word.
            b'}' | b']' | b',' | b' ' | b'\t' | b'\r' | b'\n' if depth == 0 => return at,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

fn step(text: &str) -> Option<String> {
    let mut read = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(next) = rest.next() {
        read.push(match (next, next == '~') {
            (_, true) => match rest.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            },
            (other, false) => other,
        });
    }
    Some(read)
}

/// Reads bytes as one JSON document.
pub(super) fn document(bytes: &[u8]) -> Result<Document<'_>, MapError> {
    let text = core::str::from_utf8(bytes).map_err(|_| EXPECTED)?;
    serde_json::from_str::<IgnoredAny>(text).map_err(|_| EXPECTED)?;
    Ok(Document(text.trim_matches([' ', '\t', '\r', '\n'])))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[ -~\u{e4}\u{1f600}\"\\\\]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::vec(("[a-c\"\\\\/~{}\\[\\]:,]{0,2}", inner), 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// Every place of a document, and what a whole parser finds there.
    fn places(value: &Value, at: &str, found: &mut Vec<(String, Option<String>)>) {
        found.push((
            at.to_owned(),
            match value {
                Value::String(text) => Some(text.clone()),
                Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
                _ => None,
            },
        ));
        match value {
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(index, item)| places(item, &format!("{at}/{index}"), found));
            }
            Value::Object(members) => {
                let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
                members.iter().for_each(|(key, item)| places(item, &format!("{at}/{}", escaped(key)), found));
            }
            _ => {}
        }
    }

    proptest! {
        #[test]
        fn what_is_found_is_what_a_whole_parser_finds(value in json(), is_pretty: bool) {
            let text = if is_pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
            let text = text.unwrap();
            let mut all = Vec::new();
            places(&value, "", &mut all);
            for (pointer, expected) in all {
                let found = Pointer::parse(&pointer).unwrap().find(document(text.as_bytes()).unwrap());
                prop_assert_eq!(found.as_deref(), expected.as_deref(), "{} of {}", pointer, text);
            }
        }
    }

    #[test]
    fn pointers_find_what_stands_there_as_it_is_written() {
        let text = r#" {"a":{"b":[1.50,{"c":"21,5"},null,true]},"":1e400,"x/y":-0.0,"m~n":3,"a b":"\u0031","t":0.1000000000000000055,
            "list":[{"type":"P1","value":"12.3"},7,{"type":"P2","value":"4.5"},{"type":"P2","value":"9"}]} "#;
        let cases = [
            ("/a/b/0", Some("1.50")),
            ("/a/b/1/c", Some("21,5")),
            ("/a/b/2", None),
            ("/a/b/3", Some("true")),
            ("/a/b/4", None),
            ("/a/b/00", None),
            ("/a/b/-", None),
            ("/a/b", None),
            ("/a/b/0/c", None),
            ("", None),
            ("/", Some("1e400")),
            ("/x~1y", Some("-0.0")),
            ("/m~0n", Some("3")),
            ("/a b", Some("1")),
            ("/t", Some("0.1000000000000000055")),
            ("/nothing", None),
            ("/list/type=P2/value", Some("4.5")),
            ("/list/type=P3/value", None),
            ("/a/b=1", None),
        ];
        let document = document(text.as_bytes()).unwrap();
        for (pointer, expected) in cases {
            assert_eq!(Pointer::parse(pointer).unwrap().find(document).as_deref(), expected, "{pointer}");
        }
    }

    #[test]
    fn what_is_no_pointer_or_no_document_is_refused() {
        for text in ["a", "/a~", "/a~2", &"/a".repeat(17)] {
            assert_eq!(Pointer::parse(text).unwrap_err().code(), "EDGE-MAPPING", "{text}");
        }
        let deep = "[".repeat(10_000);
        for bytes in [&b""[..], b"{", b"{}{}", b"{\"a\":nan}", b"\xff", b"{\"a\":01}", deep.as_bytes()] {
            assert_eq!(document(bytes).unwrap_err().code(), "EDGE-PAYLOAD");
        }
    }
}
