//! What differs from run to run, hidden: folders, ports, hashes, the operator's fresh keys, durations.

use std::path::Path;

/// Texts to hide, and the shapes that are always hidden.
pub struct Masks {
    texts: Vec<(String, &'static str)>,
}

impl Masks {
    /// Hides the folder.
    pub fn of(folder: &Path) -> Self {
        Self { texts: vec![(folder.display().to_string(), "FOLDER")] }
    }

    /// Hides a text.
    pub fn add(&mut self, text: &str, mask: &'static str) {
        self.texts.insert(0, (text.to_owned(), mask));
    }

    /// The text with everything hidden.
    pub fn hide(&self, text: &str) -> String {
        let mut hidden = text.to_owned();
        for (text, mask) in &self.texts {
            hidden = hidden.replace(text, mask);
        }
        hidden.split_inclusive('\n').map(hide_line).collect()
    }
}

fn hide_line(line: &str) -> String {
    let line = between(line, "brought up to date ", " ago", "SOME TIME");
    let line = between(&line, "the checkpoint is ", " old", "SOME TIME");
    let line = between(&line, "; ", " GiB free", "SOME");
    let line = after(&line, "  recomputed ", " in ", "SOME TIME");
    // The audit's line of an epoch ends in the beginning of a hash.
    let line = if line.contains("  paid ") { after(&line, "epoch ", "  ", "HASH") } else { line };
    // What `keygen` says of a fresh key.
    let line = after(&line, "  device  ", "  device  ", "DEVICE");
    words(&line)
}

/// Hides what stands between two texts.
fn between(line: &str, start: &str, end: &str, mask: &str) -> String {
    let Some((at, to)) = line.rfind(end).and_then(|to| Some((line[..to].rfind(start)? + start.len(), to))) else {
        return line.to_owned();
    };
    format!("{}{mask}{}", &line[..at], &line[to..])
}

/// Hides what follows the last `from` in a line that begins with `start`.
fn after(line: &str, start: &str, from: &str, mask: &str) -> String {
    match line.rfind(from) {
        Some(at) if line.starts_with(start) => format!("{}{mask}\n", &line[..at + from.len()]),
        _ => line.to_owned(),
    }
}

/// Hides hashes, base64 and `did:key`s, which stand as words between spaces, commas and quotes.
fn words(line: &str) -> String {
    let is_break = |c: char| c.is_whitespace() || matches!(c, ',' | '"' | ';' | '`' | '(' | ')');
    let mut hidden = String::new();
    let mut rest = line;
    while !rest.is_empty() {
        let end = rest.find(is_break).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        // A word may end a clause.
        let bare = word.trim_end_matches(':');
        hidden.push_str(mask_of(bare).unwrap_or(bare));
        hidden.push_str(&word[bare.len()..]);
        let next = after.chars().next().map_or(0, char::len_utf8);
        hidden.push_str(&after[..next]);
        rest = &after[next..];
    }
    hidden
}

fn mask_of(word: &str) -> Option<&'static str> {
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    let base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    if word.len() == 64 && word.chars().all(hex) {
        return Some("HASH");
    }
    // A proof's file is named after its content.
    if word.ends_with(".evidence") && word.split('-').any(|part| part.len() == 25) {
        return Some("PROOF");
    }
    if word.starts_with("did:key:z") {
        return Some("DID");
    }
    (word.len() >= 44 && word.contains(|c: char| c.is_ascii_uppercase()) && word.chars().all(base64))
        .then_some("BASE64")
}
