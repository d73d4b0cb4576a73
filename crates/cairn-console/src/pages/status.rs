//! How the gateway stands: whether it takes reports, and how old its checkpoint is.

use std::sync::LazyLock;

use maud::{Markup, html};
use serde::Serialize;

use super::Page;
use crate::address::Address;
use crate::assets::Asset;
use crate::csv::Table;
use crate::error::ConsoleError;
use crate::markup::table::{facts, numbers, table, words};
use crate::markup::{link, live};
use crate::reader::{Reader, Standing};
use crate::source::Source;
use crate::word::{Figure, Unit};
use crate::words::duration;

/// The page. Its figures are the gateway's own of this moment; no statement has them.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Status {
    #[serde(skip)]
    source: Source,
    /// `ok`, or the code of what is the matter.
    status: String,
    /// What is the matter.
    detail: Option<String>,
    /// Entries in the log.
    entries: u64,
    /// Entries under the last published checkpoint.
    checkpoint_size: u64,
    /// Its root.
    checkpoint_root: Option<String>,
    /// Since it was brought up to date, ms; `null` where something is the matter.
    checkpoint_age_ms: Option<u64>,
    /// The signed note.
    checkpoint: Option<String>,
    /// Those who signed it: the log, then witnesses.
    signers: Vec<String>,
    open_epoch: u64,
    /// When entries close the open epoch, ms since 1970 UTC.
    closes_ms: u64,
    /// The network's time, ms since 1970 UTC.
    time_ms: u64,
    /// Figures of the machine that the operator shows to everybody.
    figures: Vec<Figure>,
}

impl Status {
    /// Reads the page.
    ///
    /// # Errors
    /// [`ConsoleError`].
    pub fn read(reader: &Reader<'_>, address: &Address) -> Result<Self, ConsoleError> {
        address.parameters(&[])?;
        let info = reader.network()?;
        let (status, detail, age_ms) = match &reader.standing {
            Standing::Well(health) => (health.status.clone(), None, Some(health.checkpoint_age_ms)),
            Standing::Unwell { code, detail } => ((*code).to_owned(), Some(detail.clone()), None),
        };
        let (published, note) = (reader.log.published(), reader.log.checkpoint());
        let ends = info.epoch_ms.saturating_mul(info.epoch.saturating_add(1));
        Ok(Self {
            source: reader.source(None)?,
            status,
            detail,
            entries: info.size,
            checkpoint_size: published.as_ref().map_or(0, cairn_merkle::Checkpoint::size),
            checkpoint_root: published.map(|checkpoint| checkpoint.root().to_hex()),
            checkpoint_age_ms: age_ms,
            signers: note.as_deref().map(signers).unwrap_or_default(),
            checkpoint: note,
            open_epoch: info.epoch,
            closes_ms: info.epoch_zero_ms.saturating_add(ends).saturating_add(info.grace_ms),
            time_ms: info.time_ms,
            figures: reader.word.figures(),
        })
    }
}

/// The names that a signed note is signed with.
fn signers(note: &str) -> Vec<String> {
    let names = note.lines().filter_map(|line| line.strip_prefix("\u{2014} ")?.split(' ').next());
    names.map(str::to_owned).collect()
}

impl Page for Status {
    fn source(&self) -> &Source {
        &self.source
    }

    fn title(&self) -> String {
        "Status".to_owned()
    }

    fn main(&self) -> Markup {
        let age = match self.checkpoint_age_ms {
            Some(ms) => html! { (duration(ms)) " ago" },
            None => html! { "unknown" },
        };
        html! {
            p {
                @match &self.detail {
                    None => span.good { "Reports are taken, and the checkpoint is up to date." },
                    Some(detail) => { span.bad { (self.status) } ": " (link::text(detail)) }
                }
            }
            p.quiet { "The gateway's own figures of this moment. No statement has them." }
            (live::line(self.open_epoch))
            (facts(&[
                ("Entries in the log", live::field("entries", self.entries)),
                ("Under the checkpoint", live::field("checkpoint", self.checkpoint_size)),
                ("Brought up to date", age),
                ("Checkpoint's root", html! { @if let Some(root) = &self.checkpoint_root { code { (live::field("checkpoint-root", root)) } } }),
                ("Signed by", html! { @for signer in &self.signers { div { (link::text(signer)) } } }),
                ("Open epoch", html! { (self.open_epoch) ", closed by the first entry after " (link::time(self.closes_ms)) }),
                ("The network's time", link::time(self.time_ms)),
            ]))
            (self.machine())
            p { a href="/log/checkpoint" { "The signed checkpoint" } " · " a href="/health" { "Health, for machines" } }
        }
    }

    fn table(&self) -> Table {
        let row = |name: &str, value: String| vec![name.to_owned(), value];
        let rows = vec![
            row("status", self.status.clone()),
            row("detail", self.detail.clone().unwrap_or_default()),
            row("entries", self.entries.to_string()),
            row("checkpoint_size", self.checkpoint_size.to_string()),
            row("checkpoint_root", self.checkpoint_root.clone().unwrap_or_default()),
            row("checkpoint_age_ms", self.checkpoint_age_ms.map_or_else(String::new, |ms| ms.to_string())),
            row("open_epoch", self.open_epoch.to_string()),
            row("closes_ms", self.closes_ms.to_string()),
            row("time_ms", self.time_ms.to_string()),
        ];
        let figures = self.figures.iter().map(|figure| row(figure.metric, figure.value.to_string()));
        Table::of(&["field", "value"], rows.into_iter().chain(figures).collect())
    }

    fn scripts(&self) -> &'static [&'static LazyLock<Asset>] {
        &live::SCRIPTS
    }
}

impl Status {
    /// Disk, memory, queue and the times of the disk, where the operator shows them.
    fn machine(&self) -> Markup {
        let value = |figure: &Figure| match figure.unit {
            Unit::Count => html! { (figure.value) },
            Unit::Bytes => html! { (bytes(figure.value)) },
            Unit::Us => html! { (figure.value / 1_000) "." (format!("{:03}", figure.value % 1_000)) " ms" },
        };
        let row = |figure: &Figure| vec![html! { (figure.name) }, value(figure), html! { code { (figure.metric) } }];
        let rows: Vec<Vec<Markup>> = self.figures.iter().map(row).collect();
        let columns = [words("Figure"), numbers("Value"), words("Metric")];
        html! {
            h2 { "The gateway's machine" }
            (table("As the metrics have it, at this moment", &columns, &rows,
                "The operator shows these figures to nobody else: memory, queue and the times of the disk are in the metrics of the operator's own listener."))
        }
    }
}

/// Bytes in the largest binary unit that leaves a whole number of at least one, with one more digit: `1.5 MiB`.
fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let at = UNITS.iter().enumerate().rev().find(|(at, _)| bytes >> (10 * at) > 0).map_or(0, |(at, _)| at);
    let whole = bytes >> (10 * at);
    if at == 0 {
        format!("{whole} B")
    } else {
        format!("{whole}.{} {}", (bytes >> (10 * (at - 1))) % 1_024 * 10 / 1_024, UNITS[at])
    }
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn bytes_are_told_in_the_largest_unit() {
        for (number, told) in
            [(0, "0 B"), (1_023, "1023 B"), (1_536, "1.5 KiB"), (32 << 20, "32.0 MiB"), (u64::MAX, "16777215.9 TiB")]
        {
            assert_eq!(bytes(number), told);
        }
    }
}
