//! Patterns of lines: text with named gaps, such as `T={temperature}C H={humidity}%`.

use super::MapError;

/// A piece of a [`Template`].
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// Text that stands there; a space stands for any run of white space.
    Text(String),
    /// Anything up to the piece behind it, under a name.
    Gap(String),
}

/// A pattern. It is matched from left to right without going back, so in time proportional to the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

impl Template {
    /// Reads a pattern: gaps are `{name}`, `{}` is a gap that is passed over, `{{` and `}}` are braces.
    ///
    /// # Errors
    /// `EDGE-MAPPING`.
    pub fn parse(text: &str) -> Result<Self, MapError> {
        let refused = |why| MapError::Mapping { what: format!("`{text}` is no pattern: {why}") };
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            if let Some(behind) = rest.strip_prefix("{{").or_else(|| rest.strip_prefix("}}")) {
                plain.push(next);
                rest = behind;
            } else if let Some(behind) = rest.strip_prefix('{') {
                let (name, behind) = behind.split_once('}').ok_or_else(|| refused("a gap is not closed"))?;
                if !plain.is_empty() {
                    pieces.push(Piece::Text(core::mem::take(&mut plain)));
                } else if matches!(pieces.last(), Some(Piece::Gap(_))) {
                    return Err(refused("nothing stands between two gaps"));
                }
                let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
                if !is_name {
                    return Err(refused("names of gaps are letters, digits and `_`"));
                }
                pieces.push(Piece::Gap(name.to_owned()));
                rest = behind;
            } else if next == '}' {
                return Err(refused("a brace is written twice"));
            } else {
                plain.push(next);
                rest = &rest[next.len_utf8()..];
            }
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self { pieces })
    }

    /// Whether there is a gap of that name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        !name.is_empty() && self.pieces.iter().any(|piece| matches!(piece, Piece::Gap(own) if own == name))
    }

    /// The gaps of a line by name; `None` where the line is not of this pattern. White space around the line is passed over.
    pub(super) fn matches<'a, 't>(&'t self, line: &'a str) -> Option<Vec<(&'t str, &'a str)>> {
        let mut rest = line.trim();
        let mut found = Vec::new();
        let mut pieces = self.pieces.iter().peekable();
        while let Some(piece) = pieces.next() {
            match piece {
                Piece::Text(text) => rest = &rest[end_of(rest, text)?..],
                Piece::Gap(name) => {
                    let end = match pieces.peek() {
                        Some(Piece::Text(text)) => {
                            rest.char_indices().map(|(at, _)| at).find(|at| end_of(&rest[*at..], text).is_some())?
                        }
                        _ => rest.len(),
                    };
                    found.push((name.as_str(), rest[..end].trim()));
                    rest = &rest[end..];
                }
            }
        }
        rest.trim().is_empty().then_some(found)
    }
}

/// The length of `text` at the beginning of `line`.
fn end_of(line: &str, text: &str) -> Option<usize> {
    let mut rest = line;
    let mut pieces = text.split(' ').peekable();
    while let Some(piece) = pieces.next() {
        rest = rest.strip_prefix(piece)?;
        if pieces.peek().is_some() {
            let behind = rest.trim_start();
            // At the end of a line its white space is already gone.
            if behind.len() == rest.len() && !rest.is_empty() {
                return None;
            }
            rest = behind;
        }
    }
    Some(line.len() - rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_matched_from_left_to_right() {
        type Gaps = Option<&'static [(&'static str, &'static str)]>;
        let cases: [(&str, &str, Gaps); 12] = [
            ("T={t}C H={h}%", "T=21.5C H=40%", Some(&[("t", "21.5"), ("h", "40")])),
            ("T={t}C H={h}%", "  T= 21.5C \t H=40%\r\n", Some(&[("t", "21.5"), ("h", "40")])),
            ("T={t}C H={h}%", "T=21.5CH=40%", None),
            ("T={t}C H={h}%", "T=21.5C H=40% and more", None),
            ("{t}", " 21.5 ", Some(&[("t", "21.5")])),
            ("{}: {t} deg", "sensor 7: 3 deg", Some(&[("", "sensor 7"), ("t", "3")])),
            ("{{{t}}}", "{5}", Some(&[("t", "5")])),
            ("a{x}ab{y}", "aaab", Some(&[("x", "a"), ("y", "")])),
            ("x{a}", "y1", None),
            ("{a};{b};{c}", "1;2", None),
            ("only text", "only   text", Some(&[])),
            ("{t} \u{b0}C", "21 \u{b0}C", Some(&[("t", "21")])),
        ];
        for (pattern, line, expected) in cases {
            let template = Template::parse(pattern).unwrap();
            assert_eq!(template.matches(line).as_deref(), expected, "{pattern} {line}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in ["{", "{a", "}", "{a}{b}", "{a b}", "x{a}}"] {
            assert_eq!(Template::parse(text).unwrap_err().code(), "EDGE-MAPPING", "{text}");
        }
    }
}
