//! The forms of payloads, and what stands where in one of them.

use std::borrow::Cow;

use serde::Deserialize;

use super::MapError;
use super::json::{self, Document, Pointer};
use super::template::Template;

/// The most bytes of a payload that is one line.
pub const LINE_BYTES_MAX: usize = 8_192;

/// The form of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// One JSON document; fields are JSON pointers.
    Json,
    /// A line of values with a separator; fields are columns, by name or counted from 1.
    Csv,
    /// A line of `key=value` or `key:value`, separated by white space, `,`, `;` or `&`; fields are keys.
    KeyValue,
    /// A line after a pattern; fields are its gaps.
    Pattern,
    /// One number and nothing else.
    Number,
}

/// How a payload is taken apart.
#[derive(Debug, Clone)]
pub(super) enum Reader {
    Json,
    Csv { separator: u8, columns: Vec<String> },
    KeyValue,
    Pattern(Template),
    Number,
}

/// Where something stands in a payload.
#[derive(Debug, Clone)]
pub(super) enum Place {
    Pointer(Pointer),
    Column(usize),
    Key(String),
    Whole,
}

/// A payload taken apart.
pub(super) enum Parts<'a> {
    Document(Document<'a>),
    Cells(Vec<String>),
    Pairs(Vec<(&'a str, &'a str)>),
    Whole(&'a str),
}

impl Reader {
    /// The place that a mapping names by `at`.
    pub(super) fn place(&self, at: Option<&str>) -> Result<Place, MapError> {
        let refused = |what: String| Err(MapError::Mapping { what });
        let Some(at) = at else {
            return if matches!(self, Self::Number) {
                Ok(Place::Whole)
            } else {
                refused("a field needs `at`".to_owned())
            };
        };
        match self {
            Self::Json => Pointer::parse(at).map(Place::Pointer),
            Self::Csv { columns, .. } => match columns.iter().position(|column| column == at) {
                Some(index) => Ok(Place::Column(index)),
                None => match at.parse::<usize>().ok().and_then(|number| number.checked_sub(1)) {
                    Some(index) if index < LINE_BYTES_MAX => Ok(Place::Column(index)),
                    _ => refused(format!("`{at}` is no column: a name in `columns`, or a number from 1")),
                },
            },
            Self::KeyValue => Ok(Place::Key(at.to_owned())),
            Self::Pattern(template) if template.has(at) => Ok(Place::Key(at.to_owned())),
            Self::Pattern(_) => refused(format!("the pattern has no gap `{{{at}}}`")),
            Self::Number => refused("a bare number has no `at`".to_owned()),
        }
    }

    /// Takes a payload apart. `Ok(None)` is a line that says nothing: empty, a comment, or a header.
    pub(super) fn parts<'a>(&'a self, bytes: &'a [u8]) -> Result<Option<Parts<'a>>, MapError> {
        if let Self::Json = self {
            return json::document(bytes).map(|document| Some(Parts::Document(document)));
        }
        let expected = MapError::Payload { expected: "one line of UTF-8 with at most 8,192 bytes" };
        let line = core::str::from_utf8(bytes).map_err(|_| expected.clone())?.trim();
        let line = line.strip_prefix('\u{feff}').unwrap_or(line);
        if line.len() > LINE_BYTES_MAX || line.contains('\n') {
            return Err(expected);
        }
        if line.is_empty() || line.starts_with('#') {
            return Ok(None);
        }
        match self {
            Self::Json => Ok(None),
            Self::Csv { separator, columns } => {
                let cells = cells(line, *separator)?;
                let is_header = !columns.is_empty() && cells.iter().zip(columns).all(|(cell, column)| cell == column);
                Ok((!is_header).then_some(Parts::Cells(cells)))
            }
            Self::KeyValue => Ok(Some(Parts::Pairs(pairs(line).collect()))),
            Self::Pattern(template) => match template.matches(line) {
                Some(pairs) => Ok(Some(Parts::Pairs(pairs))),
                None => Err(MapError::Payload { expected: "a line of the pattern" }),
            },
            Self::Number => Ok(Some(Parts::Whole(line))),
        }
    }
}

impl Parts<'_> {
    /// What stands at a place; `None` where nothing does, or what says that there is nothing.
    pub(super) fn find(&self, place: &Place) -> Option<Cow<'_, str>> {
        let found = match (self, place) {
            (Self::Document(document), Place::Pointer(pointer)) => pointer.find(*document)?,
            (Self::Cells(cells), Place::Column(index)) => Cow::Borrowed(cells.get(*index)?.as_str()),
            (Self::Pairs(pairs), Place::Key(key)) => Cow::Borrowed(pairs.iter().find(|(own, _)| own == key)?.1),
            (Self::Whole(text), Place::Whole) => Cow::Borrowed(*text),
            _ => return None,
        };
        let is_silent = ["", "null", "none", "unknown", "unavailable", "n/a", "-"].iter();
        let mut is_silent = is_silent.copied();
        if is_silent.any(|word| found.trim().eq_ignore_ascii_case(word)) { None } else { Some(found) }
    }
}

/// The cells of a line, with quotes as in RFC 4180.
fn cells(line: &str, separator: u8) -> Result<Vec<String>, MapError> {
    let mut reader = csv::ReaderBuilder::new();
    let mut reader = reader.has_headers(false).delimiter(separator).from_reader(line.as_bytes());
    let mut record = csv::StringRecord::new();
    match reader.read_record(&mut record) {
        Ok(true) => Ok(record.iter().map(|cell| cell.trim().to_owned()).collect()),
        _ => Err(MapError::Payload { expected: "a line of CSV" }),
    }
}

/// The pairs of a line; what is no pair is passed over.
fn pairs(line: &str) -> impl Iterator<Item = (&str, &str)> {
    let words = line.split(|at: char| at.is_whitespace() || matches!(at, ',' | ';' | '&'));
    words.filter_map(|word| {
        let (key, value) = word.split_once(['=', ':'])?;
        Some((key, value.trim_matches('"')))
    })
}
