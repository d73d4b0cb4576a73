//! Tables as CSV (RFC 4180) that still say what they are when they leave the site.

use core::fmt::Write as _;

use crate::content::visible;
use crate::source::Source;

/// A page's main table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    pub columns: &'static [&'static str],
    pub rows: Vec<Vec<String>>,
    /// Lines about the table, such as the unit of its amounts.
    pub notes: Vec<String>,
}

impl Table {
    /// A table without notes.
    pub const fn of(columns: &'static [&'static str], rows: Vec<Vec<String>>) -> Self {
        Self { columns, rows, notes: Vec::new() }
    }

    /// The same with a note.
    pub fn noting(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

/// The whole file.
pub(crate) fn file(source: &Source, table: &Table) -> String {
    let mut text = head(source, &table.notes, table.columns);
    for row in &table.rows {
        line(&mut text, row);
    }
    text
}

/// The first lines, which say what the file is, and the names of its columns.
fn head(source: &Source, notes: &[String], columns: &[&str]) -> String {
    let mut text = String::new();
    comment(&mut text, &format!("network {} {}", source.network_id, source.network));
    match &source.as_of {
        Some(epoch) => comment(&mut text, &format!("as of epoch {}, statement {}", epoch.number, epoch.statement)),
        None => comment(&mut text, "no epoch has closed yet"),
    }
    if source.rehearsed.is_empty() {
        comment(&mut text, "rehearsed: nothing");
    }
    for what in &source.rehearsed {
        comment(&mut text, &format!("rehearsed: {what}"));
    }
    for note in notes {
        comment(&mut text, note);
    }
    text.push_str(&columns.join(","));
    text.push('\n');
    text
}

/// A row.
pub(crate) fn line(text: &mut String, row: &[String]) {
    let fields: Vec<String> = row.iter().map(|field| field_of(field)).collect();
    text.push_str(&fields.join(","));
    text.push('\n');
}

/// A comment stays on its line whatever it quotes.
fn comment(text: &mut String, words: &str) {
    let _ = writeln!(text, "# {}", visible(words));
}

/// A field: nothing that spreadsheets take for a formula, nothing that is not seen, quoted where it must be.
fn field_of(field: &str) -> String {
    let shown = visible(field);
    let is_number = shown.strip_prefix('-').unwrap_or(&shown).bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let shown = if !is_number && shown.starts_with(['=', '+', '-', '@']) { format!("'{shown}") } else { shown };
    if shown.contains([',', '"', '#']) {
        return format!("\"{}\"", shown.replace('"', "\"\""));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_neither_formulas_nor_lines_of_their_own() {
        for (field, shown) in [
            ("plain", "plain"),
            ("-5", "-5"),
            ("a,b", "\"a,b\""),
            ("say \"so\"", "\"say \"\"so\"\"\""),
            ("=cmd|'/c calc'!A1", "'=cmd|'/c calc'!A1"),
            ("+1+1", "'+1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("-a", "'-a"),
            ("one\r\ntwo", "one\\u{d}\\u{a}two"),
            ("# not a comment", "\"# not a comment\""),
            ("", ""),
        ] {
            assert_eq!(field_of(field), shown);
        }
    }

    #[test]
    fn a_file_says_what_it_is() {
        let source = Source {
            network: "a\nb".into(),
            network_id: "00".into(),
            as_of: Some(cairn_api::EpochRef { number: 7, statement: "ff".into() }),
            rehearsed: vec!["a clock".into()],
        };
        let table = Table::of(&["x", "y"], vec![vec!["1".into(), "two".into()]]).noting("a note");
        let expected =
            "# network 00 a\\u{a}b\n# as of epoch 7, statement ff\n# rehearsed: a clock\n# a note\nx,y\n1,two\n";
        assert_eq!(file(&source, &table), expected);
    }
}
