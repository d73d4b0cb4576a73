//! What a command prints: data on standard output, talk on standard error.
//!
//! With `--json` standard output carries exactly one JSON document, and a failure is a document too.

use std::borrow::Cow;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::failure::Failure;

/// How often a wheel turns.
const TURN: Duration = Duration::from_millis(100);

/// How to print.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// One JSON document on standard output instead of text.
    pub json: bool,
}

impl Output {
    /// Prints `document` as JSON, or what `text` makes of it.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn show<T: Serialize>(self, document: &T, text: impl FnOnce(&T) -> String) -> Result<(), Failure> {
        let printed = if self.json {
            serde_json::to_string_pretty(document)
                .map_err(|error| Failure::failed("NET-JSON", format!("cannot write JSON: {error}")))?
        } else {
            text(document)
        };
        self.print(&printed)
    }

    /// Prints one of many documents: a line of JSON, or what `text` makes of it.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn line<T: Serialize>(self, document: &T, text: impl FnOnce(&T) -> String) -> Result<(), Failure> {
        let printed = if self.json {
            serde_json::to_string(document)
                .map_err(|error| Failure::failed("NET-JSON", format!("cannot write JSON: {error}")))?
        } else {
            text(document)
        };
        self.print(&printed)
    }

    /// Prints a document, a JSON object, of which something is wrong, and hands back the failure that the command ends
    /// with. With `--json` document and error are printed as one.
    ///
    /// # Errors
    /// Always: the failure, or that standard output is closed.
    pub fn show_wrong<T: Serialize>(
        self,
        document: &T,
        text: impl FnOnce(&T) -> String,
        failure: Failure,
    ) -> Result<(), Failure> {
        if !self.json {
            self.print(&text(document))?;
            return Err(failure);
        }
        let mut document = serde_json::to_value(document)
            .map_err(|error| Failure::failed("NET-JSON", format!("cannot write JSON: {error}")))?;
        // What the failure knows besides, such as where a proof was written.
        for (name, value) in failure.document.iter().flat_map(|known| known.as_object()).flatten() {
            document[name] = value.clone();
        }
        Err(failure.with_document(Some(document)))
    }

    /// Prints a block of text or data to standard output, with one line end.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn print(self, text: &str) -> Result<(), Failure> {
        let mut out = std::io::stdout().lock();
        let text = plain(text);
        let end = if text.ends_with('\n') { "" } else { "\n" };
        write!(out, "{text}{end}")
            .and_then(|()| out.flush())
            .map_err(|error| Failure::failed("NET-STDOUT", format!("cannot write to standard output: {error}")))
    }

    /// Says something to the person who waits, on standard error; nothing with `--json`.
    pub fn say(self, text: impl AsRef<str>) {
        if !self.json {
            eprintln!("{}", plain(text.as_ref()));
        }
    }

    /// A progress bar on standard error when that is a terminal, else silence.
    #[must_use]
    pub fn progress(self, what: &'static str, total: u64) -> ProgressBar {
        let style = ProgressStyle::with_template("{prefix:>12} {bar:36} {human_pos}/{human_len} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("=> ");
        let target = if self.json || !std::io::stderr().is_terminal() {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        ProgressBar::with_draw_target(Some(total), target).with_style(style).with_prefix(what)
    }

    /// A wheel that turns on standard error while something is waited for, and counts what came.
    #[must_use]
    pub fn spinner(self, what: &'static str) -> ProgressBar {
        let bar = self.progress(what, 0);
        bar.set_style(
            ProgressStyle::with_template("{prefix:>12} {spinner} {human_pos} so far")
                .unwrap_or_else(|_| ProgressStyle::default_spinner()),
        );
        if !bar.is_hidden() {
            bar.enable_steady_tick(TURN);
        }
        bar
    }

    /// Prints a failure: the message and its hint on standard error, or a document on standard output.
    pub fn fail(self, failure: &Failure) {
        if self.json {
            let mut document = failure.document.clone().unwrap_or_else(|| serde_json::json!({}));
            document["error"] =
                serde_json::json!({ "code": failure.code, "message": failure.message, "hint": failure.hint });
            // A closed standard output leaves nowhere to say so but the exit code.
            let _ = self.print(&format!("{document:#}"));
        } else {
            eprintln!("{}", plain(&failure.to_string()));
        }
    }
}

/// A text without what moves a terminal's cursor or changes its colours: it may hold words of others, who would draw with them
/// what is not so. Lines and tabs stay.
fn plain(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| !c.is_control() || c == '\n' || c == '\t';
    if text.chars().all(is_plain) {
        Cow::Borrowed(text)
    } else {
        text.chars().filter(|c| is_plain(*c)).collect::<String>().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_others_draw_nothing_on_a_terminal() {
        for (text, expected) in [
            ("two\n\tlines \u{2588}", "two\n\tlines \u{2588}"),
            ("\u{1b}]0;owned\u{7}\u{1b}[2Jall is well", "]0;owned[2Jall is well"),
            ("over\rwritten\u{8}\u{9b}2J", "overwritten2J"),
        ] {
            assert_eq!(plain(text), expected);
        }
    }
}
