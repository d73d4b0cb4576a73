//! Those who recompute everything and sign it: who they are, what they signed, and what witnesses saw.

use cairn_api::EpochSignatures;
use cairn_core::statement::AuditorSet;
use maud::{Markup, html};
use serde::Serialize;

use super::Page;
use crate::address::{Address, Form};
use crate::beside::{Cosigned, address as address_of};
use crate::csv::Table;
use crate::error::ConsoleError;
use crate::markup::link;
use crate::markup::table::{facts, numbers, pager, table, words};
use crate::reader::{Reader, Standing};
use crate::source::Source;
use crate::word::Witness;
use crate::words::{ago, count};

/// Closed epochs on a page, and in a file.
const EPOCHS: u64 = 12;
const EPOCHS_IN_FILE: u64 = 48;
/// Auditors that are named in one row; the twins name all.
const NAMED_MAX: usize = 8;
/// Sets that are listed.
const SETS_MAX: usize = 20;
/// Cosigned checkpoints that are listed.
const COSIGNED: usize = 8;

/// The page of the auditors.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Auditors {
    #[serde(skip)]
    source: Source,
    open_epoch: u64,
    /// The set in force for the open epoch; `null` where none was named.
    set: Option<Set>,
    /// The sets, newest first.
    sets: Vec<Set>,
    sets_total: u64,
    /// The closed epochs, newest first, with who signed them.
    epochs: Vec<Signed>,
    /// The `before` of the page of earlier epochs; `null` where there are none.
    next: Option<u64>,
    /// The published checkpoint.
    checkpoint: Option<Published>,
    /// As the gateway says it.
    witnesses: Vec<Witness>,
    cosigned: Vec<Cosigned>,
    #[serde(skip)]
    is_first: bool,
}

/// A set of auditors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Set {
    first_epoch: u64,
    quorum: u64,
    auditors: Vec<String>,
}

impl Set {
    fn of(set: &AuditorSet) -> Self {
        let auditors = set.auditors.iter().map(address_of).collect();
        Self { first_epoch: set.first_epoch, quorum: set.quorum, auditors }
    }
}

/// A closed epoch and who signed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Signed {
    pub epoch: u64,
    pub statement: String,
    /// Verdicts of all classes, and those with the whole score, as the statement says.
    pub verdicts: u64,
    pub passed: u64,
    /// The set in force, as the log says: how many there are, and how many must sign.
    pub auditors: u64,
    pub quorum: u64,
    /// Those whose signatures this gateway keeps; `null` where it keeps none.
    pub signed: Option<Vec<String>>,
}

/// The published checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Published {
    entries: u64,
    root: String,
    /// Since it was brought up to date, ms.
    age_ms: Option<u64>,
}

/// The closed epochs below `before`, newest first, with who signed them.
pub(crate) fn signed(
    reader: &Reader<'_>,
    before: Option<u64>,
    limit: u64,
) -> Result<(Vec<Signed>, Option<u64>), ConsoleError> {
    let list = reader.epochs(before, limit)?;
    let (kept, _) = reader.signed_epochs(before, limit)?;
    let sets = reader.auditor_sets()?;
    let row = |epoch: cairn_api::EpochInfo| {
        let set = sets.iter().rev().find(|set| set.first_epoch <= epoch.number);
        let kept = kept.iter().find(|kept| kept.epoch == epoch.number);
        Signed {
            epoch: epoch.number,
            statement: epoch.statement,
            verdicts: epoch.classes.iter().map(|class| class.subjects).sum(),
            passed: epoch.classes.iter().map(|class| class.passed).sum(),
            auditors: set.map_or(0, |set| set.auditors.len() as u64),
            quorum: set.map_or(0, |set| set.quorum),
            signed: kept.map(signers),
        }
    };
    Ok((list.epochs.into_iter().map(row).collect(), list.next))
}

/// A closed epoch with who signed it.
pub(crate) fn signed_epoch(reader: &Reader<'_>, epoch: u64) -> Result<Option<Signed>, ConsoleError> {
    let (signed, _) = signed(reader, Some(epoch.saturating_add(1)), 1)?;
    Ok(signed.into_iter().find(|signed| signed.epoch == epoch))
}

/// Those who signed an epoch at revision 0, which is what its statement says.
fn signers(kept: &EpochSignatures) -> Vec<String> {
    let first = kept.signatures.iter().filter(|signature| signature.revision == 0);
    first.map(|signature| signature.auditor.to_ascii_lowercase()).collect()
}

/// The first of several auditors, and how many others there are.
fn several(auditors: &[String]) -> Markup {
    html! {
        @for auditor in auditors.iter().take(NAMED_MAX) { div { (link::auditor(auditor)) } }
        @if auditors.len() > NAMED_MAX { div { "and " (auditors.len() - NAMED_MAX) " more" } }
    }
}

impl Signed {
    /// How many of the set signed, in words.
    pub fn told(&self) -> Markup {
        let Some(signed) = &self.signed else { return html! { span.quiet { "not kept here" } } };
        if self.auditors == 0 {
            return html! { span.quiet { "no auditors were named" } };
        }
        let (by, of) = (signed.len() as u64, self.auditors);
        html! {
            @if by >= self.quorum { span.good { (by) " of " (of) } } @else { span.bad { (by) " of " (of) } }
            ", " (self.quorum) " are needed"
        }
    }

    /// Who they are: the first of them.
    fn by(&self) -> Markup {
        several(self.signed.as_deref().unwrap_or_default())
    }

    /// Where the signatures are.
    fn check(&self) -> Markup {
        html! { a href={ "/v1/epochs/" (self.epoch) "/signatures" } { "check them" } }
    }

    /// The same as a part of the epoch's own page.
    pub fn markup(&self) -> Markup {
        let mut rows = vec![("Auditors that signed", self.told())];
        if self.signed.as_ref().is_some_and(|signed| !signed.is_empty()) {
            rows.extend([("By", self.by()), ("Signatures", self.check())]);
        }
        html! {
            h2 { "Who signed it" }
            p.quiet {
                "How many auditors there are and how many must sign is as the log says; that somebody signed is the word of this gateway, "
                "which keeps the signatures."
            }
            (facts(&rows))
            p { a href="/auditors" { "All auditors and what they signed" } }
        }
    }
}

impl Auditors {
    /// Reads the page.
    ///
    /// # Errors
    /// [`ConsoleError`].
    pub fn read(reader: &Reader<'_>, address: &Address) -> Result<Self, ConsoleError> {
        address.parameters(&["before"])?;
        let before = address.number("before")?;
        let limit = if address.form == Form::Html { EPOCHS } else { EPOCHS_IN_FILE };
        let (epochs, next) = signed(reader, before, limit)?;
        let (open_epoch, all) = (reader.open_epoch()?, reader.auditor_sets()?);
        let set = all.iter().rev().find(|set| set.first_epoch <= open_epoch).map(Set::of);
        let age_ms = match &reader.standing {
            Standing::Well(health) => Some(health.checkpoint_age_ms),
            Standing::Unwell { .. } => None,
        };
        let published = reader.log.published();
        Ok(Self {
            source: reader.source(epochs.first().map(|epoch| epoch.epoch))?,
            open_epoch,
            set,
            sets_total: all.len() as u64,
            sets: all.iter().rev().take(SETS_MAX).map(Set::of).collect(),
            epochs,
            next,
            checkpoint: published.map(|checkpoint| Published {
                entries: checkpoint.size(),
                root: checkpoint.root().to_hex(),
                age_ms,
            }),
            witnesses: reader.word.witnesses(),
            cosigned: reader.cosigned(COSIGNED),
            is_first: before.is_none(),
        })
    }

    fn in_force(&self) -> Markup {
        html! {
            h2 { "In force" }
            @match &self.set {
                None => p.empty { "No auditors are named for epoch " (self.open_epoch) ", which is open. Anybody may run an audit all the same." },
                Some(set) => {
                    p {
                        "For epoch " (self.open_epoch) ", which is open, " (set.quorum) " of "
                        (count(set.auditors.len() as u64, "auditor", "auditors")) " must sign before a contract pays anything. "
                        "The log says who they are."
                    }
                    ul { @for auditor in &set.auditors { li { (link::auditor(auditor)) } } }
                },
            }
            @if self.sets_total > 1 || self.set.is_none() { (self.history()) }
        }
    }

    fn history(&self) -> Markup {
        let row = |set: &Set| {
            let auditors = several(&set.auditors);
            vec![html! { (set.first_epoch) }, html! { (set.quorum) " of " (set.auditors.len()) }, auditors]
        };
        let rows: Vec<Vec<Markup>> = self.sets.iter().map(row).collect();
        let columns = [numbers("From epoch"), numbers("Must sign"), words("Auditors")];
        html! {
            (table("Every set, newest first", &columns, &rows, "The log names no set."))
            @if (self.sets.len() as u64) < self.sets_total { p.quiet { "The last " (self.sets.len()) " of " (self.sets_total) "." } }
        }
    }

    fn signatures(&self) -> Markup {
        let row = |epoch: &Signed| {
            vec![
                link::epoch(epoch.epoch),
                html! { (epoch.verdicts) },
                html! { (epoch.passed) },
                epoch.told(),
                epoch.by(),
                epoch.check(),
            ]
        };
        let columns = [
            numbers("Epoch"),
            numbers("Verdicts"),
            numbers("With the whole score"),
            words("Signed"),
            words("By"),
            words("Signatures"),
        ];
        let rows: Vec<Vec<Markup>> = self.epochs.iter().map(row).collect();
        let next = self.next.map(|next| format!("/auditors?before={next}"));
        html! {
            h2 { "What they signed" }
            p {
                "Each auditor folds the log on its own machine. When every byte of an epoch's statement comes out the same, it signs the "
                "statement's hash."
            }
            p.quiet {
                "Verdicts are as the statements say. That somebody signed is the word of this gateway, which keeps the signatures; each can "
                "be checked with the message it is over."
            }
            (table("Closed epochs, newest first", &columns, &rows, "No epoch has closed yet."))
            (pager((!self.is_first).then_some("/auditors"), next.as_deref(), "Earlier epochs"))
        }
    }

    fn witnessed(&self) -> Markup {
        let row = |witness: &Witness| {
            let age = witness.age_ms.map_or_else(|| "not since it was started".to_owned(), ago);
            vec![link::text(&witness.name), html! { (age) }, html! { (witness.entries) }]
        };
        let rows: Vec<Vec<Markup>> = self.witnesses.iter().map(row).collect();
        let cosigned = |checkpoint: &Cosigned| {
            let by = html! { @for (name, time_ms) in &checkpoint.by { div { (link::text(name)) ", " (link::time(*time_ms)) } } };
            vec![html! { (checkpoint.entries) }, by, link::code(&checkpoint.root)]
        };
        let cosigned: Vec<Vec<Markup>> = self.cosigned.iter().map(cosigned).collect();
        html! {
            h2 { "Checkpoints and witnesses" }
            p {
                "A checkpoint is the log's signed word on everything in it. Witnesses sign what they saw and when, so that nobody can show "
                "another log to others, or date entries back."
            }
            @match &self.checkpoint {
                None => p.empty { "No checkpoint is published yet." },
                Some(published) => (facts(&[
                    ("Published checkpoint", html! { (published.entries) " entries" }),
                    ("Brought up to date", html! { @match published.age_ms { Some(ms) => (ago(ms)), None => "unknown" } }),
                    ("Its root", link::code(&published.root)),
                ])),
            }
            p.quiet { "What follows is the gateway's word; the signed notes are there to be checked." }
            (table("Witnesses that this gateway asks", &[words("Witness"), words("Cosigned last"), numbers("Entries then")], &rows,
                "This gateway asks no witnesses."))
            (table("The last cosigned checkpoints, newest first", &[numbers("Entries"), words("Cosigned by, at"), words("Root")], &cosigned,
                "No checkpoint was cosigned yet."))
            p { a href="/log/checkpoint" { "The signed checkpoint" } " · " a href="/v1/witnessed" { "All cosigned checkpoints, as signed notes" } }
        }
    }
}

impl Page for Auditors {
    fn source(&self) -> &Source {
        &self.source
    }

    fn title(&self) -> String {
        "Auditors".to_owned()
    }

    fn main(&self) -> Markup {
        html! {
            (self.in_force())
            (self.signatures())
            (self.witnessed())
            h2 { "What the operator decides" }
            p { a href="/denials" { "Denials and appeals" } " · " a href="/policies" { "Policies and what changed" } }
        }
    }

    fn table(&self) -> Table {
        let columns = &["epoch", "statement", "verdicts", "passed", "auditors", "quorum", "signed", "signed_by"];
        let row = |epoch: &Signed| {
            let of = |told: fn(&Vec<String>) -> String| epoch.signed.as_ref().map(told).unwrap_or_default();
            vec![
                epoch.epoch.to_string(),
                epoch.statement.clone(),
                epoch.verdicts.to_string(),
                epoch.passed.to_string(),
                epoch.auditors.to_string(),
                epoch.quorum.to_string(),
                of(|signed| signed.len().to_string()),
                of(|signed| signed.join(" ")),
            ]
        };
        let table = Table::of(columns, self.epochs.iter().map(row).collect())
            .noting("signed and signed_by are the word of this gateway, which keeps the signatures");
        match self.next {
            Some(next) => table.noting(format!("earlier epochs: /auditors.csv?before={next}")),
            None => table,
        }
    }
}
