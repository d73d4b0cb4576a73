//! What is told, as lines of parts: a terminal joins the parts, a page links them.

use cairn_core::{Account, DeviceId};

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Words, which may quote others.
    Words(String),
    /// A device.
    Device(DeviceId),
    /// An account.
    Account(Account),
    /// An entry of the log.
    Entry(u64),
    /// An epoch's statement, by the epoch and its hash.
    Statement(u64, String),
    /// An amount: base units, and the same as tokens with their symbol.
    Money(String, String),
}

impl Part {
    /// The part as plain text.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Words(words) => words.clone(),
            Self::Device(device) => device.to_string(),
            Self::Account(account) => account.to_string(),
            Self::Entry(index) => index.to_string(),
            Self::Statement(_, hash) => hash.clone(),
            Self::Money(_, tokens) => tokens.clone(),
        }
    }
}

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Spaces that a terminal puts ahead.
    pub indent: usize,
    /// Whether it names what follows.
    pub is_heading: bool,
    /// Its parts, which follow each other without a space.
    pub parts: Vec<Part>,
}

impl Line {
    /// An empty line, to be filled.
    #[must_use]
    pub const fn at(indent: usize) -> Self {
        Self { indent, is_heading: false, parts: Vec::new() }
    }

    /// A line of words.
    #[must_use]
    pub fn words(indent: usize, words: impl Into<String>) -> Self {
        Self::at(indent).with(Part::Words(words.into()))
    }

    /// The same with another part.
    #[must_use]
    pub fn with(mut self, part: Part) -> Self {
        self.parts.push(part);
        self
    }

    /// The same with more words.
    #[must_use]
    pub fn say(self, words: impl Into<String>) -> Self {
        self.with(Part::Words(words.into()))
    }

    /// The same with entries, listed.
    #[must_use]
    pub fn entries(self, indices: &[u64]) -> Self {
        let mut line = self.say(if indices.len() == 1 { "entry " } else { "entries " });
        for (at, index) in indices.iter().enumerate() {
            if at > 0 {
                line = line.say(", ");
            }
            line = line.with(Part::Entry(*index));
        }
        line
    }

    /// The line as plain text, without its indent.
    #[must_use]
    pub fn text(&self) -> String {
        self.parts.iter().map(Part::text).collect()
    }
}

/// A story, line by line; the first line is its title.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Told {
    /// The lines.
    pub lines: Vec<Line>,
}

impl Told {
    /// Adds a line.
    pub(super) fn line(&mut self, line: Line) {
        self.lines.push(line);
    }

    /// Adds a heading.
    pub(super) fn heading(&mut self, words: impl Into<String>) {
        self.lines.push(Line { is_heading: true, ..Line::words(0, words) });
    }

    /// The story as a terminal shows it: an empty line ahead of every heading.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            if line.is_heading {
                text.push('\n');
            }
            text.push_str(&format!("{:1$}{2}\n", "", line.indent, line.text()));
        }
        text
    }
}
