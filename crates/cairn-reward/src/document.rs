//! A strict reader of TOML documents that everybody must read alike.
//!
//! Printable ASCII, no float anywhere, no key that nobody asked for; every refusal names the line and the path of the
//! key. What TOML 1.1 added to 1.0 is refused too (escapes, inline tables over several lines), so that the parsers of
//! other languages read the same document.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::RewardError;

/// A TOML document, checked for size, bytes and floats; its tables borrow from it.
pub struct Document<'a> {
    text: &'a str,
    root: Spanned<DeTable<'a>>,
}

impl<'a> Document<'a> {
    /// Parses `bytes`, at most `bytes_max` of them.
    pub fn parse(bytes: &'a [u8], bytes_max: usize) -> Result<Self, RewardError> {
        if bytes.len() > bytes_max {
            return Err(RewardError::Size { bytes: bytes.len() });
        }
        let foreign = |byte: &u8| *byte == b'\\' || !matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r');
        if let Some(at) = bytes.iter().position(foreign) {
            return Err(RewardError::Ascii { line: line_of(bytes, at), byte: bytes[at] });
        }
        let text = core::str::from_utf8(bytes).expect("ASCII is UTF-8");
        let root = DeTable::parse(text).map_err(|error| RewardError::Toml {
            line: line_of(bytes, error.span().map_or(0, |span| span.start)),
            message: error.message().to_owned(),
        })?;
        let document = Self { text, root };
        document.vet_table(document.root.get_ref(), "")?;
        Ok(document)
    }

    /// The outermost table, which may hold the `known` keys.
    pub fn root(&self, known: &'static [&'static str]) -> Result<Table<'_>, RewardError> {
        Table { document: self, path: String::new(), line: 1, entries: self.root.get_ref() }.holding(known)
    }

    fn line(&self, offset: usize) -> usize {
        line_of(self.text.as_bytes(), offset)
    }

    fn vet_table(&self, table: &DeTable<'_>, path: &str) -> Result<(), RewardError> {
        table.iter().try_for_each(|(key, value)| self.vet(value, &joined(path, key.get_ref())))
    }

    /// Refuses floats and the inline tables of TOML 1.1, wherever they stand.
    fn vet(&self, value: &Spanned<DeValue<'_>>, path: &str) -> Result<(), RewardError> {
        let line = self.line(value.span().start);
        match value.get_ref() {
            DeValue::Float(float) => {
                Err(RewardError::Float { line, key: path.to_owned(), value: float.as_str().to_owned() })
            }
            DeValue::Table(table) => {
                let inline = self.text[value.span()].strip_prefix('{').and_then(|inner| inner.strip_suffix('}'));
                if inline.is_some_and(|inner| inner.contains('\n') || inner.trim_end().ends_with(',')) {
                    let message = format!("`{path}`: an inline table stands on one line and ends without a comma");
                    return Err(RewardError::Toml { line, message });
                }
                self.vet_table(table, path)
            }
            DeValue::Array(items) => {
                items.iter().enumerate().try_for_each(|(index, item)| self.vet(item, &format!("{path}[{index}]")))
            }
            _ => Ok(()),
        }
    }
}

fn line_of(bytes: &[u8], offset: usize) -> usize {
    1 + bytes.iter().take(offset).filter(|&&byte| byte == b'\n').count()
}

/// The path of `key` below `path`; keys that are not bare stand in quotes.
fn joined(path: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    let quote = if bare { "" } else { "\"" };
    let dot = if path.is_empty() { "" } else { "." };
    format!("{path}{dot}{quote}{key}{quote}")
}

/// One table of a document.
pub struct Table<'a> {
    document: &'a Document<'a>,
    path: String,
    line: usize,
    entries: &'a DeTable<'a>,
}

/// One value, with where it stands.
pub struct Field<'a> {
    document: &'a Document<'a>,
    /// Path of the key.
    pub key: String,
    /// The line it stands in.
    pub line: usize,
    value: &'a DeValue<'a>,
}

impl<'a> Table<'a> {
    /// Refuses every key that is not among `known`.
    pub fn holding(self, known: &'static [&'static str]) -> Result<Self, RewardError> {
        let stranger = self.entries.keys().find(|key| !known.contains(&key.get_ref().as_ref()));
        match stranger {
            None => Ok(self),
            Some(key) => Err(RewardError::UnknownKey {
                line: self.document.line(key.span().start),
                key: joined(&self.path, key.get_ref()),
                known,
            }),
        }
    }

    /// The value of `key`, when the table has it.
    pub fn optional(&self, key: &str) -> Option<Field<'a>> {
        let (name, value) = self.entries.get_key_value(key)?;
        Some(self.field(name, value))
    }

    /// The value of `key`.
    pub fn required(&self, key: &str) -> Result<Field<'a>, RewardError> {
        self.optional(key).ok_or_else(|| RewardError::MissingKey { line: self.line, key: joined(&self.path, key) })
    }

    /// All values with their keys, by key.
    pub fn fields(&self) -> impl Iterator<Item = (&'a str, Field<'a>)> {
        self.entries.iter().map(|(name, value)| (name.get_ref().as_ref(), self.field(name, value)))
    }

    fn field(&self, name: &Spanned<std::borrow::Cow<'a, str>>, value: &'a Spanned<DeValue<'a>>) -> Field<'a> {
        Field {
            document: self.document,
            key: joined(&self.path, name.get_ref()),
            line: self.document.line(name.span().start),
            value: value.get_ref(),
        }
    }
}

impl<'a> Field<'a> {
    /// The table that this is, with the keys it may hold.
    pub fn table(self, known: &'static [&'static str]) -> Result<Table<'a>, RewardError> {
        self.open_table()?.holding(known)
    }

    /// The table that this is, whatever its keys.
    pub fn open_table(self) -> Result<Table<'a>, RewardError> {
        match self.value {
            DeValue::Table(entries) => Ok(Table { document: self.document, path: self.key, line: self.line, entries }),
            _ => Err(self.wrong_type("a table")),
        }
    }

    /// The items of the array that this is.
    pub fn items(self) -> Result<Vec<Field<'a>>, RewardError> {
        let DeValue::Array(items) = self.value else { return Err(self.wrong_type("an array")) };
        let field = |(index, item): (usize, &'a Spanned<DeValue<'a>>)| Field {
            document: self.document,
            key: format!("{}[{index}]", self.key),
            line: self.document.line(item.span().start),
            value: item.get_ref(),
        };
        Ok(items.iter().enumerate().map(field).collect())
    }

    /// The text that this is.
    pub fn text(&self) -> Result<&'a str, RewardError> {
        match self.value {
            DeValue::String(text) => Ok(text.as_ref()),
            _ => Err(self.wrong_type("text")),
        }
    }

    /// Whether this is `true` or `false`.
    pub fn truth(&self) -> Result<bool, RewardError> {
        match self.value {
            DeValue::Boolean(value) => Ok(*value),
            _ => Err(self.wrong_type("a boolean")),
        }
    }

    /// The integer from 0 to `max` that this is.
    pub fn uint(&self, max: u64) -> Result<u64, RewardError> {
        let DeValue::Integer(integer) = self.value else { return Err(self.wrong_type("an integer")) };
        match u64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(value) if value <= max => Ok(value),
            _ => Err(self.refused(&integer.to_string(), format!("an integer from 0 to {max}"))),
        }
    }

    /// The refusal of this field's `value`.
    pub fn refused(&self, value: &str, expected: impl Into<String>) -> RewardError {
        RewardError::Value {
            line: self.line,
            key: self.key.clone(),
            value: value.to_owned(),
            expected: expected.into(),
        }
    }

    /// The refusal of `value`, which an earlier entry already has.
    pub fn repeated(&self, value: &str) -> RewardError {
        RewardError::Repeated { line: self.line, key: self.key.clone(), value: value.to_owned() }
    }

    fn wrong_type(&self, expected: &'static str) -> RewardError {
        let found = match self.value {
            DeValue::String(_) => "text",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a float",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "an array",
            DeValue::Table(_) => "a table",
        };
        RewardError::WrongType { line: self.line, key: self.key.clone(), found, expected }
    }
}
